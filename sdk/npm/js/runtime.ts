import type { Engine, WasmSource } from './engine.js'
import { BandpassError } from './error.js'

/** An engine at work: loaded once, and a fresh instance after a trap. */
export class Runtime {
  readonly #engine: Engine
  #loading: Promise<void> | undefined
  #generation = 0
  /** The instance is at work, or never came to an end of it. */
  #suspect = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** How often the instance was replaced: what was in an earlier one is gone. */
  get generation(): number {
    return this.#generation
  }

  /** Loads the module, unless that was done. */
  async load(source?: WasmSource): Promise<void> {
    try {
      await (this.#loading ??= this.#engine.load(source))
    } catch (cause) {
      // Another try may do better.
      this.#loading = undefined
      throw new BandpassError('verifier.wasm', 'the WebAssembly module could not be loaded', { cause })
    }
  }

  /** Everything that happens in the instance. If it traps, nothing was decided, and nobody uses it again. */
  run<T>(work: (engine: Engine) => T): T {
    if (this.#suspect) {
      this.#generation += 1
      this.#engine.replace()
    }
    // First, for after a trap nothing is sure to run: the stack may be full.
    this.#suspect = true
    try {
      const done = work(this.#engine)
      this.#suspect = false
      return done
    } catch (cause) {
      if (!(cause instanceof BandpassError))
        throw new BandpassError('verifier.trap', 'the verifier trapped, and decided nothing', { cause })
      this.#suspect = false
      throw cause
    }
  }
}
