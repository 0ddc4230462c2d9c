// The component through jco: what it is made of, and that it says the same as the other implementation, to the letter.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

import { code, given, load, PACKAGE, vector, vectors } from './help.mjs'
import { deep, limited } from './limited.mjs'

const component = readFileSync(join(PACKAGE, '../verifier.wasm'))
const core = readFileSync(join(PACKAGE, 'wasm/component.core.wasm'))
const { options, token, expected } = given(vector('accept/payment'))

/** The memory of the instance that was made last, and how often something in it was freed. */
let memory
let freed
const { Instance } = WebAssembly
WebAssembly.Instance = function (...given) {
  const { exports } = new Instance(...given)
  memory = exports.memory ?? memory
  if (!('2' in exports)) return { exports }
  // Through these, resources are freed.
  const here = (freed = { times: 0 })
  const counted = ([name, value]) => [name, typeof value === 'function' ? (...rest) => (here.times += 1, value(...rest)) : value]
  return { exports: Object.fromEntries(Object.entries(exports).map(counted)) }
}

const collected = async () => {
  for (let round = 0; round < 2; round += 1) {
    await setImmediate()
    globalThis.gc()
  }
  await setImmediate()
}

const { componentDigest, createVerifier } = await load('component/node.js')

test('it is the component with this digest, byte for byte', async () => {
  assert.equal(componentDigest, createHash('sha256').update(component).digest('hex'))
  const { small } = await import(pathToFileURL(join(PACKAGE, 'wasm/component.parts.js')).href)
  assert.deepEqual(Object.keys(small), ['component.core2.wasm', 'component.core3.wasm'])
  for (const [name, base64] of Object.entries(small))
    assert.equal(base64, readFileSync(join(PACKAGE, 'wasm', name)).toString('base64'))
  // Core modules are sections of a component: number, length in LEB128, module.
  const modules = new Map()
  for (let at = 8; at < component.length; ) {
    const section = component[at++]
    let [length, shift] = [0, 0]
    do {
      length |= (component[at] & 0x7f) << shift
      shift += 7
    } while (component[at++] >= 0x80)
    if (section === 1) modules.set(`component.core${modules.size ? modules.size + 1 : ''}.wasm`, component.subarray(at, at + length))
    at += length
  }
  assert.equal(modules.size, 3)
  for (const [name, module] of modules) assert(module.equals(readFileSync(join(PACKAGE, 'wasm', name))), name)
})

test('it says what the other implementation says, to the letter', async () => {
  const other = await load('node.js')
  const answer = (work) => {
    try {
      return work()
    } catch ({ name, code, message, claim, expected, actual }) {
      return { name, code, message, claim, expected, actual }
    }
  }
  const answers = async (createVerifier, { options: { statusLists, ...rest }, token, expected }) => {
    try {
      const verifier = await createVerifier(rest)
      const lists = statusLists.map((one) => answer(() => verifier.updateStatus(one, rest.now)))
      const [one, all, checks] = ['verify', 'verifyAll', 'explain'].map((method) => answer(() => verifier[method](token, expected)))
      return { lists, one, all, checks }
    } catch (error) {
      return answer(() => { throw error })
    }
  }
  const seen = { accepted: 0, refused: 0 }
  for (const vector of vectors) {
    const found = await answers(createVerifier, given(vector))
    assert.deepEqual(found, await answers(other.createVerifier, given(vector)), vector.name)
    seen[found.one && 'claims' in found.one ? 'accepted' : 'refused'] += 1
  }
  assert(seen.accepted > 100 && seen.refused > 400)
  console.log(`component/node.js: ${vectors.length} vectors, the same to the letter`)
})

test('nothing that is collected after a trap enters the instance again', async () => {
  // With a module of its own.
  const { createVerifier } = await import(`${pathToFileURL(join(PACKAGE, 'component/node.js')).href}?limited`)
  const verifier = await createVerifier({ ...options, wasm: limited(core, 10) })
  // When the collector takes them is up to it.
  const verifiers = []
  const drop = async () => {
    for (let round = 0; round < 10; round += 1) verifiers.push(new WeakRef(await createVerifier({ trust: options.trust })))
  }
  const dropped = async () => {
    for (let round = 0; round < 100 && verifiers.some((one) => one.deref()); round += 1) await collected()
    assert(verifiers.every((one) => !one.deref()), 'all of them are collected')
    // What is called for them then.
    await collected()
  }
  await drop()
  const before = freed.times
  await dropped()
  assert(freed.times >= before + 10, 'what is collected is freed')

  await drop()
  assert.equal(code(() => verifier.verify(deep, expected)), 'verifier.trap')
  const [instance, times] = [freed, freed.times]
  await dropped()
  assert.equal(instance.times, times)
  assert.equal(verifier.verify(token, expected).status, 'valid')
  assert.notEqual(freed, instance)
})

test('memory stays flat', async () => {
  const used = async () => {
    await collected()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const verifier = await createVerifier(options)
  const two = given(vector('token.unexpected/two-presentations-where-one-is-verified'))
  const several = await createVerifier(two.options)
  const once = () => {
    assert.equal(verifier.verify(token, expected).transactions.length, 1)
    assert.equal(code(() => verifier.verify('~', expected)), 'token.malformed')
    verifier.updateStatus(options.statusLists[0], options.now)
    verifier.explain(token, expected)
    assert.equal(several.verifyAll(two.token, two.expected).length, 2)
  }
  for (let round = 0; round < 50; round += 1) once()
  const [bytes, before] = [memory.buffer.byteLength, await used()]
  for (let round = 0; round < 300; round += 1) once()
  assert.equal(memory.buffer.byteLength, bytes)
  const grown = (await used()) - before
  assert(grown < 1 << 20, `${grown} bytes more`)

  // Those that nobody freed are freed when they are collected.
  const issuers = Array.from({ length: 200 }, (_, number) => ({ ...options.trust.issuers[0], iss: `https://wallet.example/${number}` }))
  const trust = JSON.stringify({ issuers })
  const make = () => Promise.all(Array.from({ length: 10 }, () => createVerifier({ trust })))
  await make()
  const held = memory.buffer.byteLength
  for (let round = 0; round < 30; round += 1) {
    await make()
    await used()
  }
  assert(memory.buffer.byteLength < 4 * held, `${memory.buffer.byteLength} bytes, not some ${held}`)
})

test('it does not inspect, and takes no other module', async () => {
  const found = await load('component/node.js')
  assert.deepEqual(Object.keys(found).sort(), ['BandpassError', 'componentDigest', 'createChallenge', 'createVerifier', 'decodeTransactionData'])
  const fresh = await import(`${pathToFileURL(join(PACKAGE, 'component/node.js')).href}?another`)
  for (const wasm of [readFileSync(join(PACKAGE, 'wasm/verifier.wasm')), Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0), new URL('none.wasm', import.meta.url), 1, {}])
    await assert.rejects(fresh.createVerifier({ trust: options.trust, wasm }), { name: 'BandpassError', code: 'verifier.wasm' })
  // Another try may do better.
  await fresh.createVerifier({ trust: options.trust, wasm: new WebAssembly.Module(core) })
})
