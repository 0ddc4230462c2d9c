// What makes a verifier trap: too little memory, and a token that takes more.
import assert from 'node:assert/strict'

/** The module with a memory that cannot grow beyond so many pages of 64 KiB more. */
export function limited(wasm, more) {
  let at = 8
  const number = (place) => {
    let [value, shift, next] = [0, 0, place]
    for (;;) {
      const byte = wasm[next++]
      value |= (byte & 0x7f) << shift
      shift += 7
      if (byte < 0x80) return [value, next]
    }
  }
  for (;;) {
    const [length, start] = number(at + 1)
    if (wasm[at] === 5) {
      const [count, flags] = [wasm[start], wasm[start + 1]]
      const [pages] = number(start + 2)
      assert.deepEqual([count, flags], [1, 0])
      assert(pages + more < 128)
      return Buffer.concat([wasm.subarray(0, at), Uint8Array.of(5, 4, 1, 1, pages, pages + more), wasm.subarray(start + length)])
    }
    at = start + length
  }
}

/** It takes more. */
export const deep = JSON.stringify({ band: Array.from({ length: 4000 }, () => 'a'.repeat(100)) })
