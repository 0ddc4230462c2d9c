import assert from 'node:assert/strict'
import { readFile, writeFile, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { Browser, start, until } from './help.mjs'

const target = process.env['BANDPASS_TARGET'] ?? fileURLToPath(new URL('../../../target', import.meta.url))
/** Of a hundred requests one has its policy trap. */
const REQUESTS = Number(process.env['BANDPASS_EDGE_REQUESTS'] ?? 500)

test('without a store an answer counts twice, and says the same thing', async () => {
  const edge = await start({ main: 'replayable.js' })
  try {
    const shopper = new Browser(edge.url)
    const { status, sealed, vp_token, ...bought } = await shopper.buy(await edge.wallet(), { item: 'longjing' })
    assert.deepEqual(Object.keys(bought).sort(), ['decision', 'effect', 'reason', 'replayable'])
    assert.equal(bought.decision, 'allow')
    assert.deepEqual(await shopper.post('/decision', { sealed, vp_token }), { status: 200, ...bought })
  } finally {
    await edge.stop()
  }
})

test('without a trust list nothing is decided', async () => {
  const edge = await start()
  try {
    edge.publisher.instead['/trust'] = edge.publisher.instead['/status/1'] = { status: 500 }
    const shopper = new Browser(edge.url)
    assert.deepEqual(await shopper.post('/challenge', { item: 'longjing' }), { status: 503, code: 'trust.stale', message: 'there is no fresh trust list' })
    edge.publisher.instead['/trust'] = { body: 'no trust list' }
    edge.publisher.changed()
    assert.equal((await shopper.post('/challenge', { item: 'longjing' })).code, 'trust.stale')
    edge.publisher.changed()
    delete edge.publisher.instead['/trust']
    await until(async () => (await shopper.buy(await edge.wallet(), { item: 'longjing' })).reason === 'status.missing')
  } finally {
    await edge.stop()
  }
})

test('a policy that traps harms nobody else', async () => {
  const hostile = await readFile(join(target, 'hostile.wasm'))
  // Without the ledger that it would ask for, and with a trap for visitors from nowhere.
  hostile.write('noneed', hostile.indexOf('bandpass hostile describe:') + 26)
  const plugin = join(await mkdtemp(join(tmpdir(), 'edge-worker-')), 'hostile.wasm')
  await writeFile(plugin, hostile)
  const edge = await start({ plugin })
  try {
    const wallet = await edge.wallet()
    const reasons = {}
    const buy = async (number) => {
      const trapping = number % 100 === 7
      const shopper = new Browser(edge.url, { 'cf-ipcountry': trapping ? 'XX' : 'CN' })
      const { reason, status } = await shopper.buy(wallet, { item: 'longjing' })
      assert.deepEqual([status, reason], [200, trapping ? 'plugin.trap' : 'hostile'], `request ${number}`)
      reasons[reason] = (reasons[reason] ?? 0) + 1
    }
    for (let number = 0; number < REQUESTS; number += 10) await Promise.all(Array.from({ length: 10 }, (_, place) => buy(number + place)))
    console.log(`${REQUESTS} purchases: ${JSON.stringify(reasons)}`)
    assert.deepEqual(reasons, { hostile: REQUESTS * 0.99, 'plugin.trap': REQUESTS * 0.01 })
  } finally {
    await edge.stop()
  }
})
