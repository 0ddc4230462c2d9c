import { entry, type Entry } from '../entry.js'
import { jco } from '../jco.js'
import { instantiate } from '../wasm/component.js'
import { compiled } from './parts.js'

export * from '../common.js'
export { componentDigest } from './parts.js'

// Bundlers know this form, and take the file along.
const made = /* @__PURE__ */ entry(
  /* @__PURE__ */ jco(instantiate, (given) => given ?? new URL('../wasm/component.core.wasm', import.meta.url), compiled),
)
export const createVerifier: Entry['createVerifier'] = made.createVerifier
