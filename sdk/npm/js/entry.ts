import type { Engine, WasmSource } from './engine.js'
import type { Inspection } from './types.js'
import { Runtime } from './runtime.js'
import { inspectIn, Verifier, type VerifierOptions } from './verifier.js'

/** See {@link entry}. */
export interface Entry {
  /**
   * Makes a verifier.
   *
   * @throws BandpassError `trust.*`; `status.*` of a status list; `verifier.argument` or `verifier.wasm`
   */
  createVerifier: (options: VerifierOptions) => Promise<Verifier>
  /**
   * Takes a presentation apart for people to read. **Nothing is verified**: whoever wrote the token chose every word of it.
   *
   * @throws BandpassError `token.too-large`, `token.unsupported` or `token.malformed` if there is nothing to show
   */
  inspect: (token: string, wasm?: WasmSource) => Promise<Inspection>
}

/** What a module of the package exports, for an implementation of the verifier. */
export function entry(engine: Engine): Entry {
  const runtime = new Runtime(engine)
  return {
    createVerifier: (options) => Verifier.open(runtime, options),
    inspect: (token, wasm) => inspectIn(runtime, token, wasm),
  }
}
