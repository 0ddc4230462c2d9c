// After a trap nothing is decided, and the next call gets a fresh instance with trust and status as before.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { code, codeOf, given, load, PACKAGE, vector } from './help.mjs'
import { deep, limited } from './limited.mjs'

const { options, token, expected } = given(vector('accept/payment'))

for (const [entry, module] of [['node.js', 'verifier.wasm'], ['component/node.js', 'component.core.wasm']]) {
  const { createVerifier } = await load(entry)
  const wasm = limited(await readFile(join(PACKAGE, 'wasm', module)), 10)

  test(`${entry}: a trap is denied, and forgotten`, async () => {
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

  test(`${entry}: a trap of a list leaves the lists that are held`, async () => {
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

  test(`${entry}: two issuers keep theirs at one address`, async () => {
    const { options, token, expected } = given(vector('accept/status-beside-another-issuers'))
    // Whichever came last.
    for (const statusLists of [options.statusLists, options.statusLists.toReversed()]) {
      const verifier = await createVerifier({ ...options, statusLists })
      assert.equal(code(() => verifier.verify(deep, expected)), 'verifier.trap')
      assert.equal(verifier.verify(token, expected).status, 'valid')
    }
  })

  test(`${entry}: a trap while a verifier is made`, async () => {
    const trust = JSON.stringify({ issuers: Array.from({ length: 20_000 }, () => ({})) })
    assert.equal(await codeOf(createVerifier({ trust })), 'verifier.trap')
    const verifier = await createVerifier(options)
    assert.equal(verifier.verify(token, expected).status, 'valid')
  })

  test(`${entry}: a stack that overflows`, async () => {
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
}
