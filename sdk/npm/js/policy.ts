import { createChallenge } from './challenge.js'
import { json, list, members, mistake, MOST_REQUEST, object, read, request, requirements, statusToken, text, time, token as tokenBytes, trust as trustBytes } from './check.js'
import { BandpassError, type Failure } from './error.js'
import { challenge, statusListInfo, type Instantiate, type WitRequirements, type WitStatusListInfo } from './jco.js'
import { Lists } from './lists.js'
import type { BoundChallenge, Challenge, Demand, Expected, JsonObject, Judgement, Requirements, StatusListInfo, Token, Verified } from './types.js'

export type { Binding, BoundChallenge, Challenge, ClaimPath, Demand, Json, JsonObject, Requirements, StatusListInfo, Token } from './types.js'
export { BandpassError, type Code } from './error.js'

/** What a policy is given to begin with. */
export interface PolicyOptions {
  /** Whom its verifier trusts: a trust list, JSON or its text. */
  trust: string | object
  /** The merchant's settings for it, JSON or its text. `Policy.description` has their schema. */
  settings: string | object
  /** Takes the policy's lines; without it they are dropped. At most 100 come of a decision, cut to 500 characters. */
  log?: (level: 'debug' | 'info' | 'warn', line: string) => void
}

/** What a policy says of itself. */
export interface Description {
  name: string
  version: string
  /** JSON Schema (2020-12) of its settings. */
  settingsSchema: string
}

/** What the merchant knows of the visit. No amount and no payee: those come from the verified transactions. */
export interface Visit {
  /** The merchant's identifier. */
  merchant: string
  /** The merchant's own words to the policy. */
  context?: JsonObject
}

/** What a challenge is made of. */
export interface AskOptions extends Visit {
  /** The time. */
  now: Date
  /** As {@link Challenge.audience}. */
  audience: string | string[]
  /** What the holder is to agree to; of types that the policy decides on. */
  transactions?: { type: string; payload: JsonObject }[]
  /** What a step-up said would do: sent along in place of what the policy asks for at first. */
  require?: Requirements
}

/** What a token is decided by: the challenge that it answers, the time, and the visit. */
export type DecideOptions = (Challenge | BoundChallenge) & Omit<Judgement, 'query' | 'require'> & Visit

/** Something that the merchant must do with an allow. */
export interface Obligation {
  name: string
  parameters: JsonObject
}

/** The decision. `reason` is a stable code: the policy's, the verifier's, or `plugin.*` where the policy did not work. */
export type Decision =
  | ({ decision: 'allow'; reason: string; obligations: Obligation[]; claims: JsonObject } & Pick<Verified, 'issuer' | 'keyThumbprint' | 'status'>)
  | { decision: 'deny'; reason: string; message: string }
  | { decision: 'step-up'; reason: string; message: string; require: Requirements }

/** What jco makes of a composed component: `wit/gate.wit` of the project, in JavaScript. */
interface Gate {
  open(trust: Uint8Array, settings: string): void
  updateStatus(token: Uint8Array, now: bigint): WitStatusListInfo
  describe(): Description
  ask(now: bigint, merchant: string, context: string): WitQuery
  decide(token: Uint8Array, challenge: object, merchant: string, context: string): WitOutcome
}

interface WitQuery {
  dcql: string
  transactionTypes: string[]
  requirements: WitRequirements
}

type WitOutcome =
  | { tag: 'allow'; val: { reason: string; obligations: { name: string; parameters: string }[]; issuer: string; keyThumbprint?: string; status: Verified['status']; claims: string } }
  | { tag: 'deny'; val: { reason: string; message: string } }
  | { tag: 'step-up'; val: { reason: string; message: string; requirements: WitRequirements } }

/** What `bandpass-edge` found in a file. */
export interface Composed {
  instantiate: Instantiate<{ [GATE]: Gate }>
  modules: { [name: string]: WebAssembly.Module }
}

const GATE = 'bandpass:sdk/gate@0.1.0'
const LOG = 'bandpass:sdk/log'
/** Exported by no other part. */
const PARTS = { 'bandpass:sdk/setup@0.1.0#explain': 'verifier', 'bandpass:sdk/policy@0.1.0#evaluate': 'plugin' } as const
/** As in the host: lines that are taken, their length, and the number of them that denies. */
const MAX_LINES = 100
const MAX_CHARACTERS = 500
const FLOOD = 1_000
/** Bytes of memory in which an instance may end a call; it is replaced before the next one. */
const MAX_MEMORY = 64 << 20

/** A merchant's policy and the verifier in one component. It remembers nothing: single use of a challenge is the caller's part. */
export class Policy {
  readonly #composed: Composed
  readonly #trust: Uint8Array
  readonly #settings: string
  readonly #log: PolicyOptions['log']
  readonly #lists = new Lists()
  #instance: Instance | undefined

  /** @internal */
  constructor(composed: Composed, options: PolicyOptions) {
    this.#composed = composed
    const { trust, settings, log } = members('options', options, ['trust', 'settings', 'log'])
    if (log !== undefined && typeof log !== 'function') throw mistake('log', 'is not a function')
    this.#trust = trustBytes(trust)
    this.#settings = typeof settings === 'string' ? text('settings', settings) : json('settings', object('settings', settings), MOST_REQUEST)
    this.#log = log as PolicyOptions['log']
    this.#run(() => undefined)
  }

  /** What the policy is. */
  get description(): Description {
    const { name, version, settingsSchema } = this.#run((gate) => gate.describe())
    return { name, version, settingsSchema }
  }

  /**
   * Takes in a status list token, a JWT or a CWT, in place of the issuer's earlier one with the same `uri`.
   *
   * @throws BandpassError `status.*`; then what was held is held on
   */
  updateStatus(statusListToken: string | Uint8Array, now: Date): StatusListInfo {
    const [token, seconds] = read('statusListToken', () => [statusToken(statusListToken), time('now', now)])
    const info = this.#run((gate) => statusListInfo(gate.updateStatus(token, BigInt(seconds))))
    this.#lists.hold(info, token, seconds)
    return info
  }

  /**
   * Makes a challenge of what the policy asks for, with a fresh nonce of 128 random bits. Plain data: keep it on the server,
   * and pass it to {@link decide} once.
   *
   * @throws BandpassError `challenge.malformed` if the policy does not decide on a type of transaction, `plugin.*`
   */
  createChallenge(options: AskOptions): Challenge {
    const { audience, transactions, now, merchant, context, require } = read('options', () => {
      const given = members('options', options, ['audience', 'transactions', 'now', 'merchant', 'context', 'require'])
      if (given.require !== undefined) requirements(given.require)
      return {
        ...visit(given),
        audience: given.audience as string | string[],
        transactions: given.transactions === undefined ? [] : list('transactions', given.transactions).map(transaction),
        now: time('now', given.now),
        require: given.require as Requirements | undefined,
      }
    })
    const { dcql, transactionTypes, ...asks } = this.#run((gate) => gate.ask(BigInt(now), merchant, context))
    const unknown = transactions.find(({ type }) => !transactionTypes.includes(type))
    if (unknown) throw new BandpassError('challenge.malformed', `the policy does not decide on transactions of the type \`${unknown.type}\``)
    const asked = requireOf(require ?? toRequirements(asks.requirements))
    const credential_ids = agreeing(dcql)
    const entries = transactions.map((entry) => ({ ...entry, credential_ids, ...(Object.keys(asked).length > 0 && { require: asked }) }))
    return createChallenge({ audience, dcql, transactions: entries })
  }

  /**
   * Verifies and decides. Whatever the policy does wrong denies, with the code of what went wrong; the next call gets a
   * fresh instance, trust and status kept.
   *
   * @throws BandpassError `verifier.argument`: the caller's mistake
   */
  decide(token: Token, options: DecideOptions): Decision {
    const [bytes, asked, { merchant, context }] = read('options', () => {
      const { merchant, context, ...expected } = members('options', options, [
        'audience', 'nonce', 'binding', 'measuredDistanceMm', 'dcql', 'transactionData', 'now', 'maxAge', 'clockTolerance', 'statusMaxAge',
        'merchant', 'context',
      ])
      return [tokenBytes(token), request(expected as unknown as Expected), visit({ merchant, context })]
    })
    try {
      return decision(this.#run((gate) => gate.decide(bytes, challenge(asked), merchant, context)))
    } catch (cause) {
      if (cause instanceof BandpassError) return { decision: 'deny', reason: cause.code, message: cause.message }
      throw cause
    }
  }

  #run<T>(work: (gate: Gate) => T): T {
    this.#instance ??= this.#open()
    try {
      return this.#instance.run(work)
    } finally {
      if (this.#instance.spent) this.#instance = undefined
    }
  }

  #open(): Instance {
    const instance = new Instance(this.#composed, this.#log)
    instance.run((gate) => gate.open(this.#trust, this.#settings))
    for (const [token, now] of this.#lists.all()) instance.run((gate) => gate.updateStatus(token, BigInt(now)))
    return instance
  }
}

/** An instance of the composed component. */
class Instance {
  readonly #gate: Gate
  readonly #memories: WebAssembly.Memory[] = []
  #lines = 0
  #running = false
  /** The part that trapped. The instance is never entered again. */
  #trapped: 'verifier' | 'plugin' | undefined

  constructor({ instantiate, modules }: Composed, log: PolicyOptions['log']) {
    const write = (level: 'debug' | 'info' | 'warn', line: string) => {
      this.#lines += 1
      if (this.#lines > FLOOD) throw new Error('a flood')
      if (this.#lines <= MAX_LINES) log?.(level, line.slice(0, MAX_CHARACTERS).replaceAll(/\p{Cc}/gu, '\ufffd'))
    }
    const module = (name: string) => {
      const found = modules[name]
      if (!found) throw new TypeError(`no module ${name}`)
      return found
    }
    const exported = instantiate(module, { [LOG]: { write } }, (found, imports) => {
      const { exports } = new WebAssembly.Instance(found, imports)
      return { exports: this.#guarded(exports) }
    })
    this.#gate = exported[GATE]
  }

  /** Not to be entered again. */
  get spent(): boolean {
    return this.#running || this.#memories.reduce((bytes, { buffer }) => bytes + buffer.byteLength, 0) > MAX_MEMORY
  }

  run<T>(work: (gate: Gate) => T): T {
    // It stays so after a trap: nothing is sure to run then, for the stack may be full.
    this.#running = true
    this.#lines = 0
    try {
      const done = work(this.#gate)
      this.#running = false
      return done
    } catch (cause) {
      // jco throws a `failure` as it is.
      const failure = cause as Failure
      if (!(cause instanceof Error) && typeof failure.code === 'string') {
        this.#running = false
        throw new BandpassError(failure.code, failure.message, failure)
      }
      if (this.#lines > FLOOD) throw new BandpassError('plugin.log', 'the policy flooded the log', { cause })
      const part = this.#trapped ?? 'plugin'
      throw new BandpassError(`${part}.trap`, `the ${part === 'plugin' ? 'policy' : part} trapped, and decided nothing`, { cause })
    }
  }

  /** Tells which part a trap comes from: the one nearest to it. */
  #guarded(exports: WebAssembly.Exports): WebAssembly.Exports {
    const part = Object.entries(PARTS).find(([name]) => name in exports)?.[1]
    const guard = (value: WebAssembly.ExportValue) => {
      if (value instanceof WebAssembly.Memory) this.#memories.push(value)
      if (typeof value !== 'function') return value
      return (...given: unknown[]): unknown => {
        // What frees resources comes when they are collected, too.
        if (this.#trapped) return undefined
        try {
          return value(...given)
        } catch (cause) {
          if (part) this.#trapped ??= part
          throw cause
        }
      }
    }
    return Object.fromEntries(Object.entries(exports).map(([name, value]) => [name, guard(value)]))
  }
}

function visit({ merchant, context }: { merchant?: unknown; context?: unknown }): { merchant: string; context: string } {
  return { merchant: text('merchant', merchant), context: json('context', object('context', context ?? {}), MOST_REQUEST) }
}

function transaction(given: unknown): { type: string; payload: JsonObject } {
  const { type, payload } = members('transactions', given, ['type', 'payload'])
  return { type: text('type', type), payload: object('payload', payload) as JsonObject }
}

interface DcqlCredential {
  id: string
  meta?: { vct_values?: string[] }
}

/** Band credentials agree to transactions; where none is asked for, whatever is. */
function agreeing(dcql: string): string[] {
  try {
    const { credentials } = JSON.parse(dcql) as { credentials: DcqlCredential[] }
    const bands = credentials.filter(({ meta }) => meta?.vct_values?.includes('urn:bandpass:band:1'))
    return (bands.length > 0 ? bands : credentials).map(({ id }) => id)
  } catch (cause) {
    throw new BandpassError('plugin.result', 'the policy asks with no DCQL query', { cause })
  }
}

/** What tells the wallet beforehand what will be required (band profile, transaction data). */
function requireOf({ approval, worn, confirmed, methods, unlockedWithin, distanceMm }: Requirements): JsonObject {
  return {
    ...(approval === 'required' && { approval: true }),
    ...(worn === 'required' && { worn: true }),
    ...(confirmed === 'required' && { confirm: true }),
    ...(methods && methods.length > 0 && { methods }),
    ...(unlockedWithin !== undefined && { unlocked_within: unlockedWithin }),
    ...(distanceMm !== undefined && { distance_mm: distanceMm }),
  }
}

/** What a policy says is a stranger's. */
function obligation({ name, parameters }: { name: string; parameters: string }): Obligation {
  try {
    return { name, parameters: object('parameters', JSON.parse(parameters)) as JsonObject }
  } catch (cause) {
    throw new BandpassError('plugin.result', `the parameters of \`${name}\` are no JSON object`, { cause })
  }
}

function toRequirements({ methods, unlockedWithin, distanceMm, claims, ageAtLeast, sameHolderAs, ...demands }: WitRequirements): Requirements {
  const asked = Object.entries(demands).filter(([, demand]) => demand !== 'by-profile')
  return {
    ...(Object.fromEntries(asked) as { [name in keyof typeof demands]?: Demand }),
    ...(methods.length > 0 && { methods }),
    ...(unlockedWithin !== undefined && { unlockedWithin }),
    ...(distanceMm !== undefined && { distanceMm }),
    ...(claims.length > 0 && { claims: claims.map((path) => path.map((step) => (step.tag === 'all' ? null : step.val))) }),
    ...(ageAtLeast !== undefined && { ageAtLeast }),
    ...(sameHolderAs !== undefined && { sameHolderAs }),
  }
}

function decision(outcome: WitOutcome): Decision {
  switch (outcome.tag) {
    case 'allow': {
      const { reason, obligations, issuer, keyThumbprint, status, claims } = outcome.val
      return {
        decision: 'allow',
        reason,
        obligations: obligations.map(obligation),
        issuer,
        ...(keyThumbprint !== undefined && { keyThumbprint }),
        status,
        claims: JSON.parse(claims) as JsonObject,
      }
    }
    case 'deny':
      return { decision: 'deny', ...outcome.val }
    case 'step-up': {
      const { reason, message, requirements } = outcome.val
      return { decision: 'step-up', reason, message, require: toRequirements(requirements) }
    }
  }
}
