import type { BindingRequest, Request } from './engine.js'
import { BandpassError, type Details } from './error.js'
import type { Demand, Expected, Token } from './types.js'

/** More text than any verifier takes, in UTF-16 units: what is longer is cut to this, and refused for its length. */
const MOST_TOKEN = 1 << 20
const MOST_STATUS_TOKEN = 5 << 20
/** Of what the caller wrote: longer is a mistake. Trust lists of a continent's issuers have a few hundred thousand. */
export const MOST_REQUEST = 1 << 20
const MOST_TRUST = 16 << 20

/** The caller's mistake. */
export function mistake(claim: string, why: string, details?: Details): BandpassError {
  return new BandpassError('verifier.argument', `\`${claim}\` ${why}`, { ...details, claim })
}

/** Whatever goes wrong while an argument is read is the caller's mistake: getters and proxies may throw anything. */
export function read<T>(claim: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw cause instanceof BandpassError ? cause : mistake(claim, 'cannot be read', { cause })
  }
}

/** Its own members, each read once. One that is not known might have been a requirement. */
export function members<Name extends string>(claim: string, value: unknown, known: readonly Name[]): {
  [name in Name]?: unknown
} {
  const found: { [name: string]: unknown } = { ...object(claim, value) }
  const unknown = Object.keys(found).find((name) => !(known as readonly string[]).includes(name))
  if (unknown !== undefined) throw mistake(claim, `has a member that is not known: ${JSON.stringify(unknown.slice(0, 80))}`)
  return found as { [name in Name]?: unknown }
}

export function object(claim: string, value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mistake(claim, 'is not an object')
  return value
}

export function text(claim: string, value: unknown): string {
  if (typeof value !== 'string') throw mistake(claim, 'is not a string')
  // One half of a surrogate pair: it would become another character on the way.
  if (/\p{Surrogate}/u.test(value)) throw mistake(claim, 'is not well-formed Unicode')
  return value
}

function texts(claim: string, value: unknown): string[] {
  return list(claim, value).map((item) => text(claim, item))
}

export function list(claim: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) throw mistake(claim, 'is not an array')
  return Array.from(value as unknown[])
}

function whole(claim: string, value: unknown, most: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most)
    throw mistake(claim, `is not a whole number up to ${most}`)
  return value
}

const number32 = (claim: string, value: unknown) => whole(claim, value, 0xffff_ffff)

/** Seconds since 1970. A `Date` and nothing else, so that nobody takes seconds for milliseconds. */
export function time(claim: string, value: unknown): number {
  // Of a `Date` of another realm too.
  const milliseconds = read(claim, () => Date.prototype.getTime.call(value))
  if (!(milliseconds >= 0)) throw mistake(claim, 'is not a time since 1970')
  return Math.floor(milliseconds / 1000)
}

/** JSON of a value that has nothing else in it. */
export function json(claim: string, value: object, most: number): string {
  const found = read(claim, () => JSON.stringify(value)) as string | undefined
  if (found === undefined || found.length > most) throw mistake(claim, 'is not JSON, or too much')
  return found
}

/** Text as bytes, cut: whoever reads it has a lower limit, and says so. */
function cut(value: string, most: number): Uint8Array {
  return new TextEncoder().encode(value.slice(0, most))
}

export function trust(value: unknown): Uint8Array {
  const found = typeof value === 'string' ? text('trust', value) : json('trust', object('trust', value), MOST_TRUST)
  if (found.length > MOST_TRUST) throw mistake('trust', 'is too long')
  return new TextEncoder().encode(found)
}

/** Whatever a string is made of, it is for the verifier to refuse: a wallet wrote it. */
export function token(value: Token): Uint8Array {
  if (typeof value === 'string') return cut(value, MOST_TOKEN)
  if (isBytes(value)) return copied('token', value, MOST_TOKEN)
  return cut(json('token', object('token', value), Infinity), MOST_TOKEN)
}

/** A copy, which nobody changes while it is kept. */
export function statusToken(value: string | Uint8Array): Uint8Array {
  if (typeof value === 'string') return cut(value, MOST_STATUS_TOKEN)
  if (!isBytes(value)) throw mistake('statusListToken', 'is neither a string nor a Uint8Array')
  return copied('statusListToken', value, MOST_STATUS_TOKEN)
}

/** Of another realm too. */
function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'Uint8Array'
}

function copied(claim: string, value: Uint8Array, most: number): Uint8Array {
  return read(claim, () => Uint8Array.prototype.slice.call(value, 0, most))
}

export function base64url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** As base64url. */
function bytes(claim: string, value: unknown): string {
  if (!isBytes(value)) throw mistake(claim, 'is not a Uint8Array')
  return base64url(copied(claim, value, MOST_REQUEST))
}

const demand = (claim: string, value: unknown) => {
  if (value !== 'required' && value !== 'not-required') throw mistake(claim, "is neither 'required' nor 'not-required'")
  return (value satisfies Demand) === 'required'
}

const path = (claim: string, value: unknown) =>
  list(claim, value).map((step) => {
    if (typeof step === 'string') return text(claim, step)
    return step === null ? step : whole(claim, step, 0xffff_fffe)
  })

const audience = (claim: string, value: unknown) => (Array.isArray(value) ? texts(claim, value) : [text(claim, value)])

/** As text, in which numbers are as they were sent; or as an object. */
export const dcql = (claim: string, value: unknown) =>
  typeof value === 'string' ? text(claim, value) : json(claim, object(claim, value), MOST_REQUEST)

/** What each member of a binding is read with, and whether it may be left out. */
const BINDINGS = {
  openid4vp: [{ clientId: text, nonce: text, responseUri: text }, { jwkThumbprint: text }],
  'dc-api': [{ origin: text, nonce: text }, { jwkThumbprint: text }],
  proximity: [{ sessionTranscript: bytes }, { readerKey: bytes }],
} as const

function binding(claim: string, value: unknown): BindingRequest {
  const type = (object(claim, value) as { type?: unknown }).type
  if (type !== 'openid4vp' && type !== 'dc-api' && type !== 'proximity') throw mistake('type', 'is no type of binding')
  const [needed, more]: readonly [Readers, Readers] = BINDINGS[type]
  const given = members(claim, value, ['type', ...names(needed), ...names(more)])
  const found = readAll(given, { ...needed, ...more })
  const missing = names(needed).find((name) => found[name] === undefined)
  if (missing !== undefined) throw mistake(claim, `has no \`${missing}\``)
  return { type, ...found } as BindingRequest
}

/** What each member is read with. */
const CHALLENGE = { audience, nonce: text, dcql, transactionData: texts } as const

const EXPECTED = {
  ...CHALLENGE,
  binding,
  measuredDistanceMm: number32,
  now: time,
  query: text,
  maxAge: number32,
  clockTolerance: number32,
  statusMaxAge: number32,
} as const

const REQUIREMENTS = {
  holder: demand,
  status: demand,
  approval: demand,
  methods: texts,
  worn: demand,
  unlocked: demand,
  unlockedWithin: number32,
  confirmed: demand,
  distanceMm: number32,
  claims: (claim: string, value: unknown) => list(claim, value).map((item) => path(claim, item)),
  ageAtLeast: (claim: string, value: unknown) => whole(claim, value, 255),
  sameHolderAs: text,
} as const

type Readers = { [name: string]: (claim: string, value: unknown) => unknown }

/** Those that are there, each read. */
function readAll<R extends Readers>(given: { [name: string]: unknown }, readers: R) {
  const found: { [name: string]: unknown } = {}
  for (const [name, reader] of Object.entries(readers))
    if (given[name] !== undefined) found[name] = reader(name, given[name])
  return found as { [name in keyof R]?: ReturnType<R[name]> }
}

const names = <R extends Readers>(readers: R) => Object.keys(readers) as (keyof R & string)[]

/** What is asked for on top. */
export function requirements(value: unknown) {
  return readAll(members('require', value, names(REQUIREMENTS)), REQUIREMENTS)
}

/** What a token is judged by, for the verifier. */
export function request(expected: Expected): Request {
  return read('expected', () => {
    const given = members('expected', expected, [...names(EXPECTED), 'require'])
    const { audience, nonce, now, ...rest } = readAll(given, EXPECTED)
    const isBound = rest.binding !== undefined
    if (now === undefined || (audience === undefined) !== isBound || (nonce === undefined) !== isBound)
      throw mistake('expected', 'has `now`, and either `audience` and `nonce` or a `binding`')
    const required = requirements(given.require === undefined ? {} : given.require)
    const found: Request = { audience: audience ?? [], nonce: nonce ?? '', now, ...rest, ...required }
    if (JSON.stringify(found).length > MOST_REQUEST) throw mistake('expected', 'is too long')
    return found
  })
}
