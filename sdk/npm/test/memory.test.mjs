// Memory stays flat. `BANDPASS_VERIFICATIONS`: how many verifications.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import { code, given, load, vector } from './help.mjs'

/** The memory of the instance that is made next. */
let memory
const { instantiate } = WebAssembly
WebAssembly.instantiate = async (...given) => {
  const made = await instantiate(...given)
  const { exports } = made.instance ?? made
  if ('verifier_verify' in exports) memory = exports.memory
  return made
}

const { createVerifier } = await load('node.js')
const { options, token, expected } = given(vector('accept/payment'))
/** One signature, which is what takes the time. */
const light = given(vector('accept/another-type-without-proof'))
const COUNT = Number(process.env['BANDPASS_VERIFICATIONS'] ?? 10_000)

const used = async () => {
  await setImmediate()
  globalThis.gc()
  await setImmediate()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test(`${COUNT} verifications`, async () => {
  const [verifier, another] = [await createVerifier(options), await createVerifier(light.options)]
  const once = (round) => {
    assert.equal(another.verify(light.token, light.expected).transactions.length, 0)
    if (round % 20 === 0) {
      assert.equal(verifier.verify(token, expected).transactions.length, 1)
      assert.equal(code(() => verifier.verify(token, { ...expected, nonce: 'another' })), 'holder.nonce')
      verifier.updateStatus(options.statusLists[0], options.now)
      verifier.explain(token, expected)
    }
  }
  for (let round = 0; round < 200; round += 1) once(round)
  const [bytes, before] = [memory.buffer.byteLength, await used()]
  for (let round = 0; round < COUNT; round += 1) once(round)
  assert.equal(memory.buffer.byteLength, bytes)
  const grown = (await used()) - before
  assert(grown < 1 << 20, `${grown} bytes more`)
  console.log(`${COUNT} verifications: ${bytes} bytes of WebAssembly memory throughout, ${grown} bytes more of other memory`)
})

test('verifiers that are freed, and verifiers that are collected', async () => {
  // Some hundred kilobytes each.
  const issuers = Array.from({ length: 200 }, (_, number) => ({ ...options.trust.issuers[0], iss: `https://wallet.example/${number}` }))
  const trust = JSON.stringify({ issuers })
  const make = (count) => Promise.all(Array.from({ length: count }, () => createVerifier({ trust })))
  for (const one of await make(10)) one.free()
  const bytes = memory.buffer.byteLength
  for (let round = 0; round < 30; round += 1) for (const one of await make(10)) one.free()
  assert.equal(memory.buffer.byteLength, bytes)
  for (let round = 0; round < 30; round += 1) {
    await make(10)
    await used()
  }
  assert(memory.buffer.byteLength < 4 * bytes, `${memory.buffer.byteLength} bytes, not some ${bytes}`)
})
