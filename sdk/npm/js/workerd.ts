import { entry, type Entry } from './entry.js'
import { wasmBindgen } from './wasm-bindgen.js'
import * as glue from './wasm/verifier.js'
// A module: workerd compiles nothing while it runs.
import module from './wasm/verifier.wasm'

export * from './common.js'

const made = /* @__PURE__ */ entry(/* @__PURE__ */ wasmBindgen(glue, (given) => given ?? module))
export const createVerifier: Entry['createVerifier'] = made.createVerifier
export const inspect: Entry['inspect'] = made.inspect
