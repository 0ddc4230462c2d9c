/// <reference lib="esnext.disposable" />
import { list, members, mistake, read, request, statusToken, time, token as tokenBytes, trust as trustBytes } from './check.js'
import type { Core, Engine, WasmSource } from './engine.js'
import { BandpassError } from './error.js'
import { Lists } from './lists.js'
import type { Runtime } from './runtime.js'
import type { Check, Expected, Inspection, JsonObject, StatusListInfo, Token, Verified } from './types.js'

/** What a verifier is made of. */
export interface VerifierOptions {
  /** Whom it trusts: a trust list, JSON or its text. `docs/trust-list.schema.json` of the project has every member. */
  trust: string | object
  /** Status list tokens (Token Status List, section 5): JWTs as strings, or CWTs as bytes. */
  statusLists?: (string | Uint8Array)[]
  /** The time at which status lists are taken in. Needed with `statusLists`. */
  now?: Date
  /**
   * Whether credentials that came before are remembered, up to 256 KiB of them, so that the signature of one that comes again is
   * not verified again, and a key that verified three times takes half the time. Trust, time and status are checked each time,
   * so no verdict depends on it. `true` unless given.
   */
  remember?: boolean
  /**
   * Where the WebAssembly module is, for a runtime where it is not found by itself. It is loaded once: later verifiers use
   * what the first one loaded.
   */
  wasm?: WasmSource
}

/** Checks tokens against a trust list. No clock, no network: time and status lists are arguments. */
export class Verifier {
  readonly #runtime: Runtime
  readonly #trust: Uint8Array
  readonly #remember: boolean
  readonly #lists = new Lists()
  #core: Core | undefined
  #generation = -1
  #freed = false

  private constructor(runtime: Runtime, trust: Uint8Array, remember: boolean) {
    this.#runtime = runtime
    this.#trust = trust
    this.#remember = remember
  }

  /** @internal */
  static async open(runtime: Runtime, options: VerifierOptions): Promise<Verifier> {
    const { trust, lists, now, remember, wasm } = read('options', () => {
      const given = members('options', options, ['trust', 'statusLists', 'now', 'remember', 'wasm'])
      const lists = list('statusLists', given.statusLists === undefined ? [] : given.statusLists).map((one) => statusToken(one as string | Uint8Array))
      if (lists.length > 0 && given.now === undefined) throw mistake('now', 'is needed with `statusLists`')
      const now = given.now === undefined ? 0 : time('now', given.now)
      const remember = given.remember === undefined ? true : given.remember
      if (typeof remember !== 'boolean') throw mistake('remember', 'is not true or false')
      return { trust: trustBytes(given.trust), lists, now, remember, wasm: given.wasm as WasmSource | undefined }
    })
    await runtime.load(wasm)
    const verifier = new Verifier(runtime, trust, remember)
    verifier.#run(() => undefined)
    for (const one of lists) verifier.#update(one, now)
    return verifier
  }

  /**
   * Checks one presentation. All checks are on; what is returned was proved.
   *
   * @throws BandpassError the first check that failed
   */
  verify<Claims = JsonObject>(token: Token, expected: Expected): Verified<Claims> {
    const [verified] = this.#verify<Claims>(token, expected, false)
    if (!verified) throw new BandpassError('verifier.trap', 'nothing came back')
    return verified
  }

  /**
   * The same of a query for which several presentations may come: each of them meets the requirements, in the order in
   * which they were sent. At least one.
   *
   * @throws BandpassError the first check that failed, of the first presentation that is refused
   */
  verifyAll<Claims = JsonObject>(token: Token, expected: Expected): Verified<Claims>[] {
    return this.#verify(token, expected, true)
  }

  /**
   * What came of every check of {@link verify}, in the order of the checks: for people and tools, never for authorising.
   *
   * @throws BandpassError `challenge.malformed`, `verifier.argument`, or `verifier.unsupported` in a build without it
   */
  explain(token: Token, expected: Expected): Check[] {
    const [bytes, asked] = read('token', () => [tokenBytes(token), request(expected)])
    return this.#run((core) => {
      if (!core.explain) throw new BandpassError('verifier.unsupported', 'this build does not explain')
      return core.explain(bytes, asked)
    })
  }

  /**
   * Takes in a status list token, a JWT or a CWT, in place of the issuer's earlier one with the same `uri`. What it returns
   * tells when to fetch the next one.
   *
   * @throws BandpassError `status.*`; then what was held is held on
   */
  updateStatus(statusListToken: string | Uint8Array, now: Date): StatusListInfo {
    const [bytes, seconds] = read('statusListToken', () => [statusToken(statusListToken), time('now', now)])
    return this.#update(bytes, seconds)
  }

  /** Gives its memory back at once. Without it that is done when it is collected. */
  free(): void {
    if (this.#core && this.#generation === this.#runtime.generation) this.#core.free()
    this.#core = undefined
    this.#freed = true
  }

  #verify<Claims>(token: Token, expected: Expected, all: boolean): Verified<Claims>[] {
    const [bytes, asked] = read('token', () => [tokenBytes(token), request(expected)])
    return this.#run((core) => core.verify(bytes, asked, all)) as Verified<Claims>[]
  }

  #update(token: Uint8Array, now: number): StatusListInfo {
    const info = this.#run((core) => core.updateStatus(token, now))
    this.#lists.hold(info, token, now)
    return info
  }

  #run<T>(work: (core: Core) => T): T {
    if (this.#freed) throw new BandpassError('verifier.freed', 'the verifier was freed')
    return this.#runtime.run((engine) => work(this.#live(engine)))
  }

  /** What is in the instance that counts now, with trust and status as before. */
  #live(engine: Engine): Core {
    if (!this.#core || this.#generation !== this.#runtime.generation) {
      const core = engine.open(this.#trust, this.#remember)
      for (const [token, now] of this.#lists.all()) core.updateStatus(token, now)
      this.#core = core
      this.#generation = this.#runtime.generation
    }
    return this.#core
  }
}

export interface Verifier extends Disposable {}

// Where the runtime has it: `using verifier = ..`.
if (Symbol.dispose) Verifier.prototype[Symbol.dispose] = Verifier.prototype.free

/** @internal */
export async function inspectIn(runtime: Runtime, token: string, wasm?: WasmSource): Promise<Inspection> {
  const bytes = read('token', () => {
    if (typeof token !== 'string') throw mistake('token', 'is not a string')
    return tokenBytes(token)
  })
  await runtime.load(wasm)
  return runtime.run((engine) => {
    if (!engine.inspect) throw new BandpassError('verifier.unsupported', 'this build does not inspect')
    return engine.inspect(bytes)
  })
}
