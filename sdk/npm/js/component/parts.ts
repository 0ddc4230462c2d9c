import { digest, small } from '../wasm/component.parts.js'

/** SHA-256 of the component that this entry was made from, in hexadecimal. `bandpass -V -v` says the same of its own. */
export const componentDigest: string = digest

/** One of the component's small core modules. */
export function compiled(name: string): WebAssembly.Module {
  const bytes = Uint8Array.from(atob(small[name] ?? ''), (character) => character.charCodeAt(0))
  return new WebAssembly.Module(bytes)
}
