// The ways to a wallet on this page: the browser's Digital Credentials API, or what the page does instead.
import type { DigitalRequest } from './challenge.js'
import { CheckoutError, malformed } from './error.js'
import { object } from './json.js'
import type { Json } from './json.js'

/** Answers a request in place of the browser: with the `data` that a wallet would return. */
export type Present = (request: DigitalRequest, options: { readonly signal: AbortSignal }) => Promise<unknown>

/** Whether the browser would ask a wallet. */
export const canAsk = ({ protocol }: DigitalRequest) =>
  'DigitalCredential' in globalThis && DigitalCredential.userAgentAllowsProtocol(protocol)

/** The wallet's answer to a request.
 * @throws `wallet.error` if the wearer declines */
export async function ask(request: DigitalRequest, present: Present | undefined, signal: AbortSignal): Promise<Json> {
  try {
    if (present) return object(await present(request, { signal }), 'the answer')
    const options: CredentialRequestOptions & { digital: { requests: DigitalRequest[] } } = { digital: { requests: [request] }, signal }
    const { protocol, data } = object(await navigator.credentials.get(options), 'the answer')
    // It must not be taken for something that was not asked for.
    if (protocol !== request.protocol) throw malformed('the answer is of another protocol')
    return object(data, 'the answer')
  } catch (error) {
    if (signal.aborted || error instanceof CheckoutError) throw error
    const declined = error instanceof DOMException && (error.name === 'NotAllowedError' || error.name === 'AbortError')
    const [code, message] = declined ? ['wallet.error', 'the wearer declined'] : ['checkout.wallet-failed', 'the wallet failed']
    throw new CheckoutError(code, message, { cause: error })
  }
}
