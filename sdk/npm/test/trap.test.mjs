// After a trap nothing is decided, and the next call gets a fresh instance with trust and status as before.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { code, codeOf, given, load, PACKAGE, vector } from './help.mjs'

const { createVerifier } = await load('node.js')
const { options, token, expected } = given(vector('accept/payment'))

/** The module with a memory that cannot grow beyond so many pages of 64 KiB more. */
function limited(wasm, more) {
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

const wasm = limited(await readFile(join(PACKAGE, 'wasm/verifier.wasm')), 10)
const deep = JSON.stringify({ band: Array.from({ length: 4000 }, () => 'a'.repeat(100)) })

test('a trap is denied, and forgotten', async () => {
  const verifier = await createVerifier({ ...options, wasm })
  const other = await createVerifier({ trust: options.trust })
  const accepted = () => assert.equal(verifier.verify(token, expected).status, 'valid')
  accepted()
  for (let round = 0; round < 20; round += 1) {
    assert.equal(code(() => verifier.verify(deep, expected)), 'verifier.trap')
    if (round % 2) assert.equal(code(() => other.verify(deep, expected)), 'verifier.trap')
    if (round % 3) assert.equal(code(() => verifier.verify('', expected)), 'token.malformed')
    else accepted()
    // Trusts the same, and holds no list.
    assert.equal(code(() => other.verify(token, expected)), 'status.missing')
    accepted()
  }
  assert.equal(code(() => verifier.explain(deep, expected)), 'verifier.trap')
  accepted()
  other.free()
  verifier.free()
  assert.equal(code(() => verifier.verify(token, expected)), 'verifier.freed')
})

test('a trap of a list leaves the lists that are held', async () => {
  const verifier = await createVerifier(options)
  const large = Buffer.alloc(900_000, 'a').toString()
  assert.equal(code(() => verifier.updateStatus(large, options.now)), 'verifier.trap')
  assert.equal(verifier.verify(token, expected).status, 'valid')
  // What was newer is newer still.
  const rollback = given(vector('status.rollback/older-by-a-second'))
  const after = await createVerifier({ ...rollback.options, statusLists: rollback.options.statusLists.slice(0, 1) })
  assert.equal(code(() => after.verify(deep, expected)), 'verifier.trap')
  assert.equal(code(() => after.updateStatus(rollback.options.statusLists[1], rollback.options.now)), 'status.rollback')
})

test('a trap while a verifier is made', async () => {
  const trust = JSON.stringify({ issuers: Array.from({ length: 20_000 }, () => ({})) })
  assert.equal(await codeOf(createVerifier({ trust })), 'verifier.trap')
  const verifier = await createVerifier(options)
  assert.equal(verifier.verify(token, expected).status, 'valid')
})

test('a stack that overflows', async () => {
  const verifier = await createVerifier(options)
  const found = new Set()
  // On the way back there is more and more stack left.
  const dig = (depth) => {
    try {
      dig(depth + 1)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
    if (depth % 25 !== 0 || found.has('valid')) return
    try {
      found.add(verifier.verify(token, expected).status)
    } catch (error) {
      found.add(error.code ?? error.name)
    }
  }
  dig(0)
  assert.deepEqual([...found].filter((one) => one !== 'RangeError').sort(), ['valid', 'verifier.trap'])
  assert.equal(verifier.verify(token, expected).status, 'valid')
})
