import { malformed } from './error.js'
import { decode, object, parse, text } from './json.js'
import type { Json } from './json.js'

/** A request for the Digital Credentials API: a member of `requests` in `navigator.credentials.get`. */
export interface DigitalRequest {
  readonly protocol: string
  readonly data: Json
}

/** What the host's `POST /v1/challenges` answered to the shop. */
export interface ChallengeResponse {
  /** Identifies challenge and decision. */
  readonly id: string
  /** Seconds since 1970 at which it expires. */
  readonly expires: number
  /** Lets the page follow this one decision. */
  readonly session_secret: string
  /** Opens a wallet by a link. */
  readonly redirect?: { readonly wallet_url: string; readonly request_uri?: string }
  /** Asks for a token through the browser. */
  readonly dc_api?: DigitalRequest
}

/** What the wearer agrees to: what the wallet signs, never a copy. */
export interface Payment {
  readonly transactionId: string
  readonly payee: { readonly name: string; readonly id: string }
  /** ISO 4217. */
  readonly currency: string
  /** A plain decimal such as `35.00`. */
  readonly amount: `${number}`
  /** How the phone must make sure of its owner (RFC 8176), such as `face`; none if any way will do. */
  readonly methods: readonly string[]
}

/** Reads what the shop handed over. It must be for one way to a wallet. */
export function readChallenge(value: unknown): ChallengeResponse {
  const { id, expires, session_secret, redirect, dc_api } = object(value, 'the challenge')
  if (typeof expires !== 'number' || !Number.isSafeInteger(expires)) throw malformed('`expires` is no time')
  const known = { id: text(id, '`id`'), expires, session_secret: text(session_secret, '`session_secret`') }
  if ((redirect === undefined) === (dc_api === undefined)) throw malformed('the challenge is not for one way to a wallet')
  if (dc_api !== undefined) {
    const { protocol, data } = object(dc_api, '`dc_api`')
    return { ...known, dc_api: { protocol: text(protocol, '`protocol`'), data: object(data, '`data`') } }
  }
  const { wallet_url, request_uri } = object(redirect, '`redirect`')
  return {
    ...known,
    redirect: {
      wallet_url: walletLink(text(wallet_url, '`wallet_url`')),
      ...(request_uri !== undefined && { request_uri: text(request_uri, '`request_uri`') }),
    },
  }
}

/** Wallets have https addresses, or schemes by which OpenID4VP opens them. Whatever else a link could do, it must not. */
function walletLink(url: string): string {
  if (!URL.canParse(url) || !/^(https|([a-z]+-)?openid4vp|haip(-vp)?):$/.test(new URL(url).protocol))
    throw malformed('`wallet_url` opens no wallet')
  return url
}

/** Where a challenge's request is read: the entries of its `transaction_data`. `fetched` is the signed request, where the
 * wallet gets it by `request_uri`. */
export function transactionData({ dc_api, redirect }: ChallengeResponse, fetched?: string): unknown {
  const signed = (jws: unknown) => object(decode(text(text(jws, 'the request').split('.')[1], 'the request'), 'the request'), 'the request')
  if (dc_api) return ('request' in dc_api.data ? signed(dc_api.data['request']) : dc_api.data)['transaction_data']
  if (fetched !== undefined) return signed(fetched)['transaction_data']
  const entries = new URL(text(redirect?.wallet_url, '`wallet_url`')).searchParams.getAll('transaction_data')
  if (entries.length !== 1) throw malformed('the link has not one `transaction_data`')
  return parse(text(entries[0], '`transaction_data`'), '`transaction_data`')
}

/** The one payment that is asked for. An entry more, or of another type, would be signed without having been shown. */
export function readPayment(entries: unknown): Payment {
  if (!Array.isArray(entries) || entries.length !== 1) throw malformed('the challenge is not for one transaction')
  const { type, payload, require } = object(decode(text(entries[0], 'a transaction'), 'a transaction'), 'a transaction')
  if (type !== 'urn:bandpass:payment:1') throw malformed('the transaction is no payment')
  const { transaction_id, payee, currency, amount } = object(payload, '`payload`')
  const { name, id } = object(payee, '`payee`')
  if (!isAmount(amount)) throw malformed('`amount` is no plain decimal')
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) throw malformed('`currency` is no code')
  return {
    transactionId: text(transaction_id, '`transaction_id`'),
    payee: { name: text(name, '`payee.name`'), id: text(id, '`payee.id`') },
    currency,
    amount,
    methods: readMethods(require),
  }
}

/** Of what is required, how the phone must make sure of its owner. */
export function readMethods(required: unknown): readonly string[] {
  const { methods = [] } = required === undefined ? {} : object(required, 'what is required')
  if (!Array.isArray(methods) || !methods.every((method) => typeof method === 'string')) throw malformed('`methods` are no texts')
  return methods
}

/** As the verifier takes it: at most 15 digits before the point and 6 after. */
function isAmount(value: unknown): value is `${number}` {
  return typeof value === 'string' && /^(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?$/.test(value)
}

/** Whether a step-up asks for what was asked for before. */
export function samePayment(one: Payment, other: Payment): boolean {
  const all = ({ transactionId, payee, currency, amount }: Payment) => JSON.stringify([transactionId, payee.name, payee.id, currency, amount])
  return all(one) === all(other)
}

/** A sum for people, with every digit that will be signed and no other. */
export function money({ amount, currency }: Payment, language: string): string {
  const digits = amount.split('.')[1]?.length ?? 0
  const options = { style: 'currency', currency, numberingSystem: 'latn', minimumFractionDigits: digits, maximumFractionDigits: digits } as const
  const parts = new Intl.NumberFormat(language, options).formatToParts(amount)
  // Where decimals are numbers still, long ones lose digits.
  const shown = parts.map(({ type, value }) => ({ integer: value, decimal: '.', fraction: value })[type as string] ?? '').join('')
  return shown === amount ? parts.map(({ value }) => value).join('') : `${currency} ${amount}`
}

/** Text in which nothing hides or turns its neighbours round. */
export const visible = (text: string) => text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\ufffd')
