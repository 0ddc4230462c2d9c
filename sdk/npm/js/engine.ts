import type { Check, Inspection, StatusListInfo, Verified } from './types.js'

/** What is asked, checked: only members that are known, of the right types. Times are seconds since 1970. */
export interface Request {
  /** Empty where there is a binding, as is the nonce. */
  audience: string[]
  nonce: string
  binding?: BindingRequest
  measuredDistanceMm?: number
  now: number
  maxAge?: number
  clockTolerance?: number
  statusMaxAge?: number
  /** JSON. */
  dcql?: string
  transactionData?: string[]
  query?: string
  holder?: boolean
  status?: boolean
  approval?: boolean
  methods?: string[]
  worn?: boolean
  unlocked?: boolean
  unlockedWithin?: number
  confirmed?: boolean
  distanceMm?: number
  claims?: (string | number | null)[][]
  ageAtLeast?: number
  sameHolderAs?: string
}

/** What an answer is bound to. Bytes are base64url. */
export type BindingRequest =
  | { type: 'openid4vp'; clientId: string; nonce: string; responseUri: string; jwkThumbprint?: string }
  | { type: 'dc-api'; origin: string; nonce: string; jwkThumbprint?: string }
  | { type: 'proximity'; sessionTranscript: string; readerKey?: string }

/** A verifier in an instance of a WebAssembly module. What it refuses is a `BandpassError`; anything else is a trap. */
export interface Core {
  updateStatus(token: Uint8Array, now: number): StatusListInfo
  verify(token: Uint8Array, request: Request, all: boolean): Verified[]
  /** Not in every build. */
  explain?(token: Uint8Array, request: Request): Check[]
  free(): void
}

/** Where to get a WebAssembly module. */
export type WasmSource = string | URL | Response | Promise<Response> | BufferSource | WebAssembly.Module

/** An implementation of the verifier. */
export interface Engine {
  /** Loads the module. Not called again once it succeeded. */
  load(source?: WasmSource): Promise<void>
  /** Gives up the instance and every `Core` in it: what is opened next is in a fresh one. */
  replace(): void
  /** `trust`: a trust list (JSON). `remember`: whether credentials that came before are remembered. */
  open(trust: Uint8Array, remember: boolean): Core
  /** Not in every build. */
  inspect?(token: Uint8Array): Inspection
}
