import { entry, type Entry } from './entry.js'
import { wasmBindgen } from './wasm-bindgen.js'
import * as glue from './wasm/verifier.js'

export * from './common.js'

// Bundlers know this form, and take the file along.
const made = /* @__PURE__ */ entry(
  /* @__PURE__ */ wasmBindgen(glue, (given) => given ?? new URL('./wasm/verifier.wasm', import.meta.url)),
)
export const createVerifier: Entry['createVerifier'] = made.createVerifier
export const inspect: Entry['inspect'] = made.inspect
