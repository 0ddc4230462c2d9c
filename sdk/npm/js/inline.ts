import { entry, type Entry } from './entry.js'
import { wasmBindgen } from './wasm-bindgen.js'
import base64 from './wasm/verifier.base64.js'
import * as glue from './wasm/verifier.js'

export * from './common.js'

const bytes = () => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
const made = /* @__PURE__ */ entry(/* @__PURE__ */ wasmBindgen(glue, (given) => given ?? bytes()))
export const createVerifier: Entry['createVerifier'] = made.createVerifier
export const inspect: Entry['inspect'] = made.inspect
