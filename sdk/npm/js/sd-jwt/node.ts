import { entry, type Entry } from '../entry.js'
import { file } from '../file.js'
import { wasmBindgen } from '../wasm-bindgen.js'
import * as glue from '../wasm/sd-jwt.js'

export * from '../common.js'

const made = /* @__PURE__ */ entry(
  /* @__PURE__ */ wasmBindgen(glue, (given) => file(given ?? new URL('../wasm/sd-jwt.wasm', import.meta.url))),
)
export const createVerifier: Entry['createVerifier'] = made.createVerifier
