import type { BindingRequest, Core, Engine, Request, WasmSource } from './engine.js'
import { BandpassError, type Failure } from './error.js'
import type { Check, Evidence, StatusListInfo, Transaction, Verified } from './types.js'

/** What jco makes of the component: `wit/` of the project, in JavaScript. */
export type Instantiate<Exports = Component> = (
  getCoreModule: (name: string) => WebAssembly.Module,
  imports: object,
  instantiateCore: (module: WebAssembly.Module, imports?: WebAssembly.Imports) => { exports: WebAssembly.Exports },
) => Exports

interface Component {
  setup: {
    Verifier: { open(trust: Uint8Array): WitVerifier }
    explain(submission: WitSubmission, query: string, requirements: WitRequirements): Check[]
  }
}

interface WitVerifier {
  remember(bytes: number): void
  updateStatus(token: Uint8Array, now: bigint): WitStatusListInfo
  submit(token: Uint8Array, challenge: WitChallenge): WitSubmission
}

export interface WitStatusListInfo {
  uri: string
  issuedAt: bigint
  expires?: bigint
  ttl?: bigint
  issuers: string[]
}

interface WitSubmission {
  verify(query: string, requirements: WitRequirements): WitVerified
  verifyAll(query: string, requirements: WitRequirements): WitVerified[]
}

interface WitVerified {
  issuer(): string
  credentialType(): string | undefined
  subject(): string | undefined
  claims(): string
  transactions(): WitTransaction[]
  evidence(): WitEvidence | undefined
  keyThumbprint(): string | undefined
  expires(): bigint | undefined
  status(): Verified['status']
}

interface WitTransaction {
  typeId: string
  id?: string
  payment?: { sum: { amount: string; currency: string }; payee: { name: string; id: string } }
  payload: string
}

interface WitEvidence {
  signedAt: bigint
  wornSince?: bigint
  unlockedAt?: bigint
  confirmed: boolean
  distanceMm?: number
  counter: bigint
  approval?: { signedAt: bigint; methods: string[] }
  pairingEpoch: bigint
}

type WitSegment = { tag: 'all' } | { tag: 'key'; val: string } | { tag: 'index'; val: number }
type WitDemand = 'by-profile' | 'required' | 'not-required'
type WitChallenge = ReturnType<typeof challenge>
export type WitRequirements = ReturnType<typeof requirements>

/** The largest of the component's core modules: the verifier. */
const VERIFIER = 'component.core.wasm'
/** Something that it exports and no other module. */
const EXPORTED = 'bandpass:sdk/setup@0.1.0#explain'

/**
 * The verifier through jco. `source`: where its largest core module is, unless the caller says so; `small`: the other ones,
 * by name.
 */
export function jco(
  instantiate: Instantiate,
  source: (given?: WasmSource) => WasmSource | Promise<WasmSource>,
  small: (name: string) => WebAssembly.Module,
): Engine {
  let module: WebAssembly.Module | undefined
  let instance: Instance | undefined
  return {
    async load(given) {
      const found = await compile(await source(given))
      if (!WebAssembly.Module.exports(found).some(({ name }) => name === EXPORTED)) throw new TypeError('it is not the verifier')
      module = found
    },
    replace() {
      instance = undefined
    },
    open(trust, remember) {
      if (!module) throw new TypeError('the module is not loaded')
      const verifier = module
      instance ??= new Instance(instantiate, (name) => (name === VERIFIER ? verifier : small(name)))
      return instance.open(trust, remember)
    },
  }
}

/** A module from wherever it is. */
async function compile(source: WasmSource): Promise<WebAssembly.Module> {
  const given = await source
  const found = typeof given === 'string' || given instanceof URL ? await fetch(given) : given
  if (!(found instanceof Response)) return found instanceof WebAssembly.Module ? found : WebAssembly.compile(found as BufferSource)
  if (!found.ok) throw new TypeError(`status ${found.status}`)
  // Some servers don't know the type, and streaming asks for it.
  const isNamed = found.headers.get('content-type') === 'application/wasm'
  return isNamed ? WebAssembly.compileStreaming(found) : WebAssembly.compile(await found.arrayBuffer())
}

/** An instance of the component. */
class Instance {
  readonly #component: Component
  /** As jco has it. */
  readonly #dispose = (Symbol.dispose as typeof Symbol.dispose | undefined) ?? Symbol.for('dispose')
  #trapped = false

  constructor(instantiate: Instantiate, getCoreModule: (name: string) => WebAssembly.Module) {
    this.#component = instantiate(getCoreModule, {}, (module, imports) => {
      const { exports } = new WebAssembly.Instance(module, imports)
      return { exports: imports ? exports : this.#guarded(exports) }
    })
  }

  open(trust: Uint8Array, remember: boolean): Core {
    const { setup } = this.#component
    const verifier = this.#call(() => setup.Verifier.open(trust))
    if (!remember) this.#call(() => verifier.remember(0))
    const submit = <T>(token: Uint8Array, request: Request, work: (submission: WitSubmission) => T) =>
      this.#with(this.#call(() => verifier.submit(token, challenge(request))), work)
    return {
      updateStatus: (token, now) => this.#call(() => statusListInfo(verifier.updateStatus(token, BigInt(now)))),
      verify: (token, request, all) => submit(token, request, (submission) => {
        const asked = [request.query ?? '', requirements(request)] as const
        const proved = all ? submission.verifyAll(...asked) : [submission.verify(...asked)]
        return proved.map((one) => this.#with(one, verified))
      }),
      explain: (token, request) => submit(token, request, (submission) => {
        const asked = [request.query ?? '', requirements(request)] as const
        const checks = setup.explain(submission, ...asked)
        // The caller's mistake is no verdict on the token; what it is, verifying tells.
        if (checks.some(({ code, outcome }) => code === 'challenge.malformed' && outcome === 'failed')) submission.verify(...asked)
        return checks
      }),
      free: () => this.#free(verifier),
    }
  }

  /** A call into the component. What it refuses becomes a `BandpassError`; anything else is a trap. */
  #call<T>(work: () => T): T {
    try {
      return work()
    } catch (cause) {
      if (cause instanceof BandpassError) throw cause
      // jco throws a `failure` as it is.
      const failure = cause as Failure
      if (cause instanceof Error || typeof failure.code !== 'string') {
        this.#trapped = true
        throw cause
      }
      throw new BandpassError(failure.code, failure.message, failure)
    }
  }

  /** A call with a resource that is needed no longer than that. */
  #with<Resource extends object, T>(resource: Resource, work: (resource: Resource) => T): T {
    try {
      return this.#call(() => work(resource))
    } finally {
      this.#free(resource)
    }
  }

  #free(resource: object): void {
    const free = (resource as { [dispose: symbol]: () => void })[this.#dispose]
    free?.call(resource)
  }

  /** What frees resources, when they are collected too. An instance that trapped is never entered again. */
  #guarded(exports: WebAssembly.Exports): WebAssembly.Exports {
    const guard = (value: WebAssembly.ExportValue) =>
      typeof value === 'function' ? (...given: unknown[]): unknown => (this.#trapped ? undefined : value(...given)) : value
    return Object.fromEntries(Object.entries(exports).map(([name, value]) => [name, guard(value)]))
  }
}

export function statusListInfo({ uri, issuedAt, expires, ttl, issuers }: WitStatusListInfo): StatusListInfo {
  return {
    uri,
    issuedAt: Number(issuedAt),
    ...(expires !== undefined && { expires: Number(expires) }),
    ...(ttl !== undefined && { ttl: Number(ttl) }),
    issuers,
  }
}

export function challenge({ maxAge = 300, clockTolerance = 60, statusMaxAge = 900, transactionData = [], ...asked }: Request) {
  const { audience, nonce, now, measuredDistanceMm, dcql } = asked
  const bound = asked.binding && binding(asked.binding)
  return { binding: bound, measuredDistanceMm, audience, nonce, now: BigInt(now), maxAge, clockTolerance, statusMaxAge, dcql, transactionData }
}

function binding(given: BindingRequest) {
  const { type, ...rest } = given
  const bytes = (text?: string) => {
    // What is not base64url is no bytes, which the verifier refuses.
    if (text === undefined || !/^[\w-]*$/.test(text) || text.length % 4 === 1) return text === undefined ? text : new Uint8Array()
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0))
  }
  if ('sessionTranscript' in rest)
    return { tag: type, val: { sessionTranscript: bytes(rest.sessionTranscript) ?? new Uint8Array(), readerKey: bytes(rest.readerKey) } }
  return { tag: type, val: { ...rest, jwkThumbprint: bytes(rest.jwkThumbprint) } }
}

function requirements({ methods = [], unlockedWithin, distanceMm, claims = [], ageAtLeast, sameHolderAs, ...asked }: Request) {
  const demand = (asked?: boolean): WitDemand => (asked === undefined ? 'by-profile' : asked ? 'required' : 'not-required')
  const segment = (step: string | number | null): WitSegment => {
    if (step === null) return { tag: 'all' }
    return typeof step === 'string' ? { tag: 'key', val: step } : { tag: 'index', val: step }
  }
  return {
    holder: demand(asked.holder),
    status: demand(asked.status),
    approval: demand(asked.approval),
    methods,
    worn: demand(asked.worn),
    unlocked: demand(asked.unlocked),
    unlockedWithin,
    confirmed: demand(asked.confirmed),
    distanceMm,
    claims: claims.map((path) => path.map(segment)),
    ageAtLeast,
    sameHolderAs,
  }
}

function verified(found: WitVerified): Verified {
  const [credentialType, subject, proof, keyThumbprint, expires] =
    [found.credentialType(), found.subject(), found.evidence(), found.keyThumbprint(), found.expires()]
  return {
    issuer: found.issuer(),
    ...(credentialType !== undefined && { credentialType }),
    ...(subject !== undefined && { subject }),
    claims: JSON.parse(found.claims()) as Verified['claims'],
    transactions: found.transactions().map(transaction),
    ...(proof && { evidence: evidence(proof) }),
    ...(keyThumbprint !== undefined && { keyThumbprint }),
    ...(expires !== undefined && { expires: Number(expires) }),
    status: found.status(),
  }
}

function transaction({ typeId, id, payment, payload }: WitTransaction): Transaction {
  return {
    type: typeId,
    ...(id !== undefined && { id }),
    ...(payment && { payment: { ...payment.sum, payee: payment.payee } }),
    payload: JSON.parse(payload) as Transaction['payload'],
  }
}

function evidence({ signedAt, wornSince, unlockedAt, confirmed, distanceMm, counter, approval, pairingEpoch }: WitEvidence): Evidence {
  return {
    signedAt: Number(signedAt),
    ...(wornSince !== undefined && { wornSince: Number(wornSince) }),
    ...(unlockedAt !== undefined && { unlockedAt: Number(unlockedAt) }),
    confirmed,
    ...(distanceMm !== undefined && { distanceMm }),
    counter: Number(counter),
    ...(approval && { approval: { signedAt: Number(approval.signedAt), methods: approval.methods } }),
    pairingEpoch: Number(pairingEpoch),
  }
}
