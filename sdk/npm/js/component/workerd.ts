import { entry, type Entry } from '../entry.js'
import { jco } from '../jco.js'
import { instantiate } from '../wasm/component.js'
// Modules: workerd compiles nothing while it runs.
import verifier from '../wasm/component.core.wasm'
import core2 from '../wasm/component.core2.wasm'
import core3 from '../wasm/component.core3.wasm'

export * from '../common.js'
export { componentDigest } from './parts.js'

const small = (name: string) => (name === 'component.core2.wasm' ? core2 : core3)
const made = /* @__PURE__ */ entry(/* @__PURE__ */ jco(instantiate, (given) => given ?? verifier, small))
export const createVerifier: Entry['createVerifier'] = made.createVerifier
