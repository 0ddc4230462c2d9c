import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { seal } from '../src/seal.js'
import { Browser, SEAL_KEY, start, until } from './help.mjs'

const now = () => Math.floor(Date.now() / 1000)
const outcome = ({ status, decision, reason, code }) => [status, decision ?? code, ...(reason ? [reason] : [])]

let edge
before(async () => {
  edge = await start()
})
after(() => edge.stop())

const browser = () => new Browser(edge.url)

test('a worn band buys, and what was answered is not answered again', async () => {
  const [shopper, wallet] = [browser(), await edge.wallet()]
  const bought = await shopper.buy(wallet, { item: 'longjing' })
  assert.deepEqual(outcome(bought), [200, 'allow', 'limit.within'])
  assert.match(bought.transaction_id, /^[\w-]{36}$/)
  assert.deepEqual(bought.obligations, [])
  const { sealed, vp_token } = bought
  assert.deepEqual(outcome(await shopper.post('/decision', { sealed, vp_token })), [200, 'deny', 'challenge.used'])
})

test('of many at a time one is allowed', async () => {
  const [shopper, wallet] = [browser(), await edge.wallet()]
  const { sealed, request } = await shopper.post('/challenge', { item: 'longjing' })
  const { vp_token } = await wallet.answer(request, 'https://tea.example', 'fpt')
  const answers = await Promise.all(Array.from({ length: 50 }, () => shopper.post('/decision', { sealed, vp_token })))
  const reasons = answers.map(({ reason }) => reason).sort()
  assert.deepEqual(reasons, [...Array(49).fill('challenge.used'), 'limit.within'])
})

test('a step-up is taken up once, and its transaction is allowed once', async () => {
  const [shopper, wallet] = [browser(), await edge.wallet()]
  const first = await shopper.buy(wallet, { item: 'puer' })
  assert.deepEqual(outcome(first), [200, 'step-up', 'limit.above'])
  const { sealed, request } = await shopper.post('/challenge', { step_up: first.step_up })
  const entry = JSON.parse(Buffer.from(request.data.transaction_data[0], 'base64url').toString())
  assert.deepEqual(entry.require, { approval: true, worn: true, methods: ['face'] })
  const again = await shopper.post('/challenge', { step_up: first.step_up })
  assert.deepEqual(outcome(again), [409, 'challenge.used'])
  const { vp_token } = await wallet.answer(request, 'https://tea.example', 'face')
  assert.deepEqual(outcome(await shopper.post('/decision', { sealed, vp_token })), [200, 'allow', 'limit.approved'])
  assert.deepEqual(outcome(await shopper.post('/decision', { sealed, vp_token })), [200, 'deny', 'challenge.used'])
  // The first challenge asks for the same transaction, and would do by face.
  const other = await shopper.post('/challenge', { item: 'puer' })
  const stepped = await wallet.answer(other.request, 'https://tea.example', 'fpt')
  const { step_up } = await shopper.post('/decision', { sealed: other.sealed, ...stepped })
  const byFace = await wallet.answer(other.request, 'https://tea.example', 'face')
  assert.deepEqual(outcome(await shopper.post('/decision', { sealed: other.sealed, ...byFace })), [200, 'allow', 'limit.approved'])
  assert.deepEqual(outcome(await shopper.buy(wallet, { step_up }, { amr: 'face' })), [200, 'deny', 'transaction.used'])
})

test('a policy that asks for more after its step-up is not followed', async () => {
  const [shopper, wallet] = [browser(), await edge.wallet()]
  const { step_up } = await shopper.buy(wallet, { item: 'puer' })
  assert.deepEqual(outcome(await shopper.buy(wallet, { step_up }, { amr: 'pin' })), [200, 'deny', 'step-up.repeated'])
})

test('refusals have the verifier’s codes', async () => {
  const wallet = await edge.wallet()
  for (const [change, options, reason] of [
    [() => wallet.takeOff(), {}, 'evidence.not-worn'],
    [() => wallet.putOn(), {}, 'evidence.locked'],
    [() => wallet.unlock(), { amr: undefined }, 'approval.missing'],
    [() => undefined, { origin: 'https://other.example' }, 'holder.audience'],
  ]) {
    change()
    const asked = { amr: 'fpt', ...options }
    const { sealed, request } = await browserOf(wallet).post('/challenge', { item: 'longjing' })
    const { vp_token } = await wallet.answer(request, asked.origin ?? 'https://tea.example', asked.amr)
    assert.deepEqual(outcome(await browserOf(wallet).post('/decision', { sealed, vp_token })), [200, 'deny', reason])
  }
})

const browsers = new Map()
/** The same for the same band. */
function browserOf(wallet) {
  if (!browsers.has(wallet)) browsers.set(wallet, browser())
  return browsers.get(wallet)
}

test('a band that is reported lost is refused once the list is there', async () => {
  const [shopper, wallet] = [browser(), await edge.wallet()]
  assert.deepEqual(outcome(await shopper.buy(wallet, { item: 'longjing' })), [200, 'allow', 'limit.within'])
  edge.publisher.provider.setLost(wallet.band, true)
  edge.publisher.changed()
  await until(async () => (await shopper.buy(wallet, { item: 'longjing' })).reason === 'status.suspended')
  edge.publisher.provider.setLost(wallet.band, false)
  edge.publisher.changed()
  await until(async () => (await shopper.buy(wallet, { item: 'longjing' })).reason === 'limit.within')
})

test('what has not changed is not fetched again, and what fails leaves what was there', async () => {
  const [shopper, wallet] = [browser(), await edge.wallet()]
  const { asked, instead } = edge.publisher
  const from = asked.length
  await until(async () => {
    await shopper.buy(wallet, { item: 'longjing' })
    return asked.slice(from).filter(([url, status]) => url === '/status/1' && status === 304).length > 2
  })
  for (const broken of [{ status: 500 }, { body: 'no list' }]) {
    instead['/status/1'] = broken
    edge.publisher.changed()
    const before = asked.length
    await until(async () => {
      assert.deepEqual(outcome(await shopper.buy(wallet, { item: 'longjing' })), [200, 'allow', 'limit.within'])
      return asked.slice(before).some(([url]) => url === '/status/1')
    })
  }
  delete instead['/status/1']
  edge.publisher.changed()
  // Nor does a trust list that is none.
  instead['/trust'] = { body: '{"issuers": 1}' }
  edge.publisher.changed()
  const before = asked.length
  await until(async () => {
    assert.deepEqual(outcome(await shopper.buy(wallet, { item: 'longjing' })), [200, 'allow', 'limit.within'])
    return asked.slice(before).filter(([url]) => url === '/trust').length > 2
  })
  delete instead['/trust']
  edge.publisher.changed()
})

test('bad input is refused with a code, and the next request is served', async () => {
  const shopper = browser()
  const wallet = await edge.wallet()
  const { sealed, request } = await shopper.post('/challenge', { item: 'longjing' })
  const { vp_token } = await wallet.answer(request, 'https://tea.example', 'fpt')
  const [text, mac] = sealed.split('.')
  const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(text, 'base64url').toString()), expires: now() + 9_999 })).toString('base64url')
  const content = JSON.parse(Buffer.from(text, 'base64url').toString())
  const expired = await seal(SEAL_KEY, { ...content, expires: now() - 1 })
  for (const [path, body, status, code] of [
    ['/challenge', '', 400, 'request.malformed'],
    ['/challenge', '[]', 400, 'request.malformed'],
    ['/challenge', new Uint8Array([0xff, 0xfe]), 400, 'request.malformed'],
    ['/challenge', {}, 400, 'request.malformed'],
    ['/challenge', { item: 'constructor' }, 400, 'request.malformed'],
    ['/challenge', { item: 7 }, 400, 'request.malformed'],
    ['/challenge', { step_up: sealed }, 400, 'challenge.unknown'],
    ['/challenge', { step_up: null }, 400, 'challenge.unknown'],
    ['/decision', { sealed, vp_token: 'x'.repeat(700 << 10) }, 413, 'request.too-large'],
    ['/decision', { sealed }, 400, 'request.malformed'],
    ['/decision', { sealed, vp_token: [] }, 400, 'request.malformed'],
    ['/decision', { vp_token }, 400, 'challenge.unknown'],
    ['/decision', { sealed: `${other}.${mac}`, vp_token }, 400, 'challenge.unknown'],
    ['/decision', { sealed: `${text}.${mac.slice(0, -1)}`, vp_token }, 400, 'challenge.unknown'],
    ['/decision', { sealed: expired, vp_token }, 410, 'challenge.expired'],
    ['/decision', { sealed: await seal(Buffer.alloc(32, 8).toString('base64url'), content), vp_token }, 400, 'challenge.unknown'],
    ['/elsewhere', {}, 404, 'request.unknown'],
  ]) {
    const refused = await shopper.post(path, body)
    assert.deepEqual([refused.status, refused.code], [status, code], `${path} ${JSON.stringify(body)?.slice(0, 80)}`)
  }
  assert.equal((await fetch(`${edge.url}/decision`)).status, 405)
  assert.deepEqual(outcome(await browser().post('/decision', { sealed, vp_token })), [403, 'request.unauthorized'])
  for (const [token, reason] of [[{}, 'token.incomplete'], [{ band: 'x' }, 'token.malformed'], [{ band: ['x~'] }, 'token.malformed']])
    assert.deepEqual(outcome(await shopper.post('/decision', { sealed, vp_token: token })), [200, 'deny', reason])
  assert.deepEqual(outcome(await shopper.post('/decision', { sealed, vp_token })), [200, 'allow', 'limit.within'])
})
