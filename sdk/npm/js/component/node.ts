import { entry, type Entry } from '../entry.js'
import { file } from '../file.js'
import { jco } from '../jco.js'
import { instantiate } from '../wasm/component.js'
import { compiled } from './parts.js'

export * from '../common.js'
export { componentDigest } from './parts.js'

const made = /* @__PURE__ */ entry(
  /* @__PURE__ */ jco(instantiate, (given) => file(given ?? new URL('../wasm/component.core.wasm', import.meta.url)), compiled),
)
export const createVerifier: Entry['createVerifier'] = made.createVerifier
