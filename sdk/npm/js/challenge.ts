import { base64url, json, list, members, mistake, MOST_REQUEST, object, read, text } from './check.js'
import type { Challenge, JsonObject } from './types.js'

/** An entry of transaction data, before it is encoded (OpenID4VP 1.0, section 5.1). */
export interface TransactionData {
  /** Its type, such as `urn:bandpass:payment:1`. */
  type: string
  /** Ids of the queries of whose credentials one is to agree to it. */
  credential_ids: string[]
  /** What is agreed to. */
  payload?: JsonObject
  [member: string]: unknown
}

/** What a challenge is made of. */
export interface ChallengeOptions {
  /** As {@link Challenge.audience}. */
  audience: string | string[]
  /** What the holder is to agree to (OpenID4VP 1.0, section 8.4). */
  transactions?: TransactionData[]
  /** The DCQL query (OpenID4VP 1.0, section 6), or its text. */
  dcql?: object | string
}

/**
 * Makes a challenge with a fresh nonce of 128 random bits. It is plain data: send it to the wallet, keep it on the server,
 * and pass it to `verify` once: whether a nonce was used before is for the caller to know.
 *
 * @throws BandpassError `verifier.argument`
 */
export function createChallenge(options: ChallengeOptions): Challenge {
  return read('options', () => {
    const { audience, transactions, dcql } = members('options', options, ['audience', 'transactions', 'dcql'])
    const audiences = Array.isArray(audience) ? list('audience', audience) : [audience]
    if (audiences.length === 0) throw mistake('audience', 'is empty')
    const named = audiences.map((one) => text('audience', one))
    return {
      audience: Array.isArray(audience) ? named : named.join(),
      nonce: base64url(crypto.getRandomValues(new Uint8Array(16))),
      ...(dcql !== undefined && { dcql: typeof dcql === 'string' ? text('dcql', dcql) : copy('dcql', dcql) }),
      ...(transactions !== undefined && { transactionData: list('transactions', transactions).map(encode) }),
    }
  })
}

/** As it is in JSON. */
function copy(claim: string, value: unknown): object {
  return JSON.parse(json(claim, object(claim, value), MOST_REQUEST)) as object
}

function encode(transaction: unknown): string {
  const encoded: Partial<TransactionData> = copy('transactions', transaction)
  text('type', encoded.type)
  if (list('credential_ids', encoded.credential_ids).length === 0) throw mistake('credential_ids', 'is empty')
  return base64url(new TextEncoder().encode(JSON.stringify(encoded)))
}

/**
 * What an entry of transaction data says: to show it, never to decide by it. What the holder agreed to is in the result of
 * `verify`.
 *
 * @throws BandpassError `verifier.argument` if it is not base64url of a JSON object
 */
export function decodeTransactionData(entry: string): TransactionData {
  const claim = 'transactionData'
  return read(claim, () => {
    if (text(claim, entry).length > MOST_REQUEST) throw mistake(claim, 'is too long')
    if (!/^[\w-]+$/.test(entry)) throw mistake(claim, 'is not base64url')
    const binary = atob(entry.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
    const found: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof found !== 'object' || found === null || Array.isArray(found)) throw mistake(claim, 'is not an object')
    return found as TransactionData
  })
}
