// Defines `<bandpass-checkout>`.
import { BandpassCheckout } from './element.js'
import type { CheckoutEvents } from './element.js'

export { BandpassCheckout }
export type { CheckoutDetail, CheckoutErrorDetail, CheckoutEvents, CheckoutState } from './element.js'
export type { ChallengeResponse, DigitalRequest, Payment } from './challenge.js'
export type { Texts } from './texts.js'
export type { Present } from './wallet.js'

declare global {
  interface HTMLElementTagNameMap {
    'bandpass-checkout': BandpassCheckout
  }
  interface HTMLElementEventMap extends CheckoutEvents {}
}

customElements.define('bandpass-checkout', BandpassCheckout)
