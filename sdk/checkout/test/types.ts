// What TypeScript knows of the element in a page.
import { BandpassCheckout } from '../src/index.js'
import type { ChallengeResponse, CheckoutDetail, CheckoutState, DigitalRequest, Payment } from '../src/index.js'

const checkout: BandpassCheckout = document.createElement('bandpass-checkout')
const found: BandpassCheckout | null = document.querySelector('bandpass-checkout')
found?.cancel()

checkout.host = 'https://pay.example'
checkout.challenge = async (): Promise<ChallengeResponse> => (await fetch('/challenge')).json()
checkout.present = async (request: DigitalRequest, { signal }) => ({ response: request.protocol + String(signal.aborted) })
checkout.texts = { pay: 'Pay' }
// @ts-expect-error: there is no such text
checkout.texts = { payy: 'Pay' }
// @ts-expect-error: the state is the element's own
checkout.state = 'allowed'

checkout.addEventListener('bandpass-allow', ({ detail }) => {
  const { id, code, payment }: CheckoutDetail = detail
  const amount: Payment['amount'] | undefined = payment?.amount
  const state: CheckoutState = checkout.state
  console.log(id, code, amount, state)
})
document.body.addEventListener('bandpass-error', ({ detail: { error } }) => console.error(error))
