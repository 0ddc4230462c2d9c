// A shop or a host that does not do what it should, and a network that fails: the element stops, and says so.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { setUp } from './help.mjs'

let site
before(async () => {
  site = await setUp()
})
after(() => site?.close())

const encode = (json) => Buffer.from(JSON.stringify(json)).toString('base64url')
const decode = (encoded) => JSON.parse(Buffer.from(encoded, 'base64url'))

/** Changes what will be signed. */
const transaction = (change) => (challenge) => {
  const { data } = challenge.dc_api
  const entry = decode(data.transaction_data[0])
  return { ...challenge, dc_api: { ...challenge.dc_api, data: { ...data, transaction_data: [encode(change(entry))] } } }
}
const payload = (members) => transaction((entry) => ({ ...entry, payload: { ...entry.payload, ...members } }))
const dcApi = (change) => (challenge) => ({ ...challenge, dc_api: { ...challenge.dc_api, ...change(challenge.dc_api) } })
const link = (wallet_url) => ({ dc_api, ...challenge }) => ({ ...challenge, redirect: { wallet_url } })

const MALFORMED = [
  ['no object', () => null],
  ['no id', ({ id, ...challenge }) => challenge],
  ['no secret', (challenge) => ({ ...challenge, session_secret: 1 })],
  ['an end that is no time', (challenge) => ({ ...challenge, expires: 'soon' })],
  ['no way to a wallet', ({ dc_api, ...challenge }) => challenge],
  ['two ways to a wallet', (challenge) => ({ ...challenge, redirect: { wallet_url: 'openid4vp://?a=b' } })],
  ['no protocol', dcApi(() => ({ protocol: undefined }))],
  ['a request that is no object', dcApi(() => ({ data: 'x' }))],
  ['a signed request that is none', dcApi(() => ({ data: { request: 'x' } }))],
  ['no transaction', dcApi(({ data }) => ({ data: { ...data, transaction_data: [] } }))],
  ['two transactions', dcApi(({ data }) => ({ data: { ...data, transaction_data: [...data.transaction_data, ...data.transaction_data] } }))],
  ['a transaction that is no JSON', dcApi(({ data }) => ({ data: { ...data, transaction_data: ['e30x'] } }))],
  ['a transaction that is no payment', transaction((entry) => ({ ...entry, type: 'urn:bandpass:sign-in:1' }))],
  ['no payee', payload({ payee: undefined })],
  ['an amount that is a number', payload({ amount: 38 })],
  ['a negative amount', payload({ amount: '-38.00' })],
  ['an amount with an exponent', payload({ amount: '1e3' })],
  ['too many digits', payload({ amount: '1234567890123456' })],
  ['a currency that is no code', payload({ currency: 'yuan' })],
  ['methods that are no list', transaction((entry) => ({ ...entry, require: { methods: 'face' } }))],
  ['a link that runs a script', link('javascript:alert(1)//?transaction_data=[]')],
  ['a link to a page in itself', link('data:text/html,x?transaction_data=[]')],
  ['a link without encryption', link('http://wallet.example/?transaction_data=[]')],
  ['a link that is none', link('wallet')],
  ['a link without a transaction', link('openid4vp://?nonce=x')],
  ['a request that is not at the host', ({ dc_api, ...challenge }) => ({ ...challenge,
    redirect: { wallet_url: 'openid4vp://?request_uri=https%3A%2F%2Felsewhere.example%2Fr', request_uri: 'https://elsewhere.example/r' } })],
  ['a link to another request', ({ dc_api, ...challenge }) => ({ ...challenge,
    redirect: { wallet_url: 'openid4vp://?request_uri=x', request_uri: `${site.shop.host.url}/v1/requests/x` } })],
]

test('a challenge that is not as it should be asks no wallet', async (t) => {
  const shopper = await site.visit()
  const told = await shopper.events()
  let change
  await shopper.tamper((challenge) => change(challenge))
  for (const [index, [name, how]] of MALFORMED.entries()) {
    await t.test(name, async () => {
      change = how
      await shopper.button.click()
      await shopper.page.waitForFunction((told) => globalThis.told.length === told, index + 1)
      assert.deepEqual((await told()).at(-1).slice(0, 2), ['error', 'checkout.malformed'])
      assert.deepEqual(await shopper.refused(), ['Something unexpected came back, so nothing went on. Try again.', 'Code: checkout.malformed'])
      assert.equal(await shopper.page.locator('#prompt').isVisible(), false)
    })
  }
  await shopper.leave()
})

test('digits are those that are signed', async () => {
  const shopper = await site.visit()
  let signed
  await shopper.tamper((challenge) => payload(signed)(challenge))
  for (const [currency, amount, shown] of [
    ['CNY', '123456789012345.123456', 'CN¥123,456,789,012,345.123456'],
    ['CNY', '900', 'CN¥900'],
    ['JPY', '900.5', '¥900.5'],
    ['USD', '0.10', '$0.10'],
    ['XXX', '1.00', 'XXX1.00'],
  ]) {
    signed = { currency, amount }
    await shopper.button.click()
    await shopper.state('wallet')
    assert.equal((await shopper.shown('amount')).replaceAll('\u00a0', ''), shown)
    await shopper.checkout.getByRole('button', { name: 'Cancel' }).click()
    await shopper.state('refused')
  }
  await shopper.leave()
})

test('texts stay texts', async () => {
  const shopper = await site.visit()
  await shopper.tamper(payload({ payee: { id: 'x', name: '<img src=x onerror=alert(1)> \u202egnilling\u0000' } }))
  await shopper.button.click()
  await shopper.state('wallet')
  assert.equal(await shopper.shown('payee'), '<img src=x onerror=alert(1)> \ufffdgnilling\ufffd')
  await shopper.leave()
})

test('a signed request is read as one', async () => {
  const shopper = await site.visit()
  await shopper.tamper((challenge) => ({ ...challenge, dc_api: { protocol: 'openid4vp-v1-signed',
    data: { request: `${encode({ alg: 'ES256' })}.${encode(challenge.dc_api.data)}.AAAA` } } }))
  await shopper.page.evaluate(() => {
    document.querySelector('bandpass-checkout').present = () => new Promise(() => undefined)
  })
  await shopper.button.click()
  await shopper.state('wallet')
  assert.equal(await shopper.shown('amount'), 'CN¥38.00')
  await shopper.leave()
})

test('a signed request behind a link is read where the wallet gets it', async () => {
  const shopper = await site.visit()
  const uri = `${site.shop.host.url}/v1/requests/x`
  await shopper.tamper(async ({ dc_api: { data }, ...challenge }) => {
    const body = `${encode({ alg: 'ES256' })}.${encode(data)}.AAAA`
    await shopper.page.route(uri, (route) => route.fulfill({ contentType: 'application/oauth-authz-req+jwt', body, headers: { 'access-control-allow-origin': '*' } }))
    return { ...challenge, redirect: { wallet_url: `openid4vp://?client_id=x&request_uri=${encodeURIComponent(uri)}`, client_id: 'x', request_uri: uri } }
  })
  await shopper.button.click()
  await shopper.state('link')
  assert.equal(await shopper.shown('amount'), 'CN¥38.00')
  assert.equal(await shopper.checkout.getByRole('link', { name: 'Open wallet' }).getAttribute('href'), `openid4vp://?client_id=x&request_uri=${encodeURIComponent(uri)}`)
  await shopper.leave()
})

test('a step-up to another payment is stopped', async () => {
  const shopper = await site.visit()
  const told = await shopper.events()
  await shopper.page.locator('#puer').click()
  await shopper.page.route('**/step-up', async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, json: payload({ payee: { name: 'Mist & Leaf Tea', id: 'another' } })(await response.json()) })
  })
  await shopper.pay('fpt')
  await shopper.state('step-up')
  await shopper.button.click()
  assert.deepEqual(await shopper.refused(), ['The payment was changed on its way, so it was stopped.', 'Code: checkout.changed'])
  assert.deepEqual((await told()).map(([event, code]) => [event, code]), [['step-up', 'limit.above'], ['error', 'checkout.changed']])
  await shopper.leave()
})

test('a shop that gives no challenge', async () => {
  const shopper = await site.visit()
  await shopper.page.route('**/orders', (route) => route.abort())
  await shopper.button.click()
  assert.deepEqual(await shopper.refused(), ['The shop can’t take this payment now. Try again, or pay in another way.', 'Code: checkout.shop'])
  await shopper.look('shop-fails')
  await shopper.page.unroute('**/orders')
  await shopper.pay('fpt')
  await shopper.page.getByText('Thank you!').waitFor()
  await shopper.leave()
})

test('a decision that can’t be heard is looked for again', async () => {
  const shopper = await site.visit()
  const told = await shopper.events()
  const decisions = `${site.shop.host.url}/v1/decisions/**`
  await shopper.page.route(decisions, (route) => route.abort())
  await shopper.page.clock.install()
  await shopper.pay('fpt')
  await shopper.state('checking')
  const unheard = shopper.refused()
  // It is asked for again and again, and then no more.
  for (let asked = 0; asked < 5; asked += 1) {
    await shopper.page.clock.runFor(5_000)
    await shopper.page.evaluate(() => undefined)
  }
  assert.deepEqual(await unheard, ['What came of it could not be heard. Check again before you pay in another way.', 'Code: checkout.unknown'])
  await shopper.look('unknown')
  await shopper.page.unroute(decisions)
  await shopper.checkout.getByRole('button', { name: 'Check again' }).click()
  await shopper.page.getByText('Thank you!').waitFor()
  assert.deepEqual((await told()).map(([event, code]) => [event, code]), [['error', 'checkout.unknown'], ['allow', 'limit.within']])
  await shopper.leave()
})

for (const [name, decision] of [
  ['another challenge’s', { id: 'x', status: 'decided', decision: 'allow', reason: 'limit.within' }],
  ['of an unknown kind', { status: 'decided', decision: 'maybe', reason: 'limit.within' }],
  ['of an unknown status', { status: 'done', decision: 'allow', reason: 'limit.within' }],
  ['without a reason', { status: 'decided', decision: 'allow' }],
  ['no object', null],
]) {
  test(`a decision that is ${name} is no allow`, async () => {
    const shopper = await site.visit()
    await shopper.page.route(`${site.shop.host.url}/v1/decisions/**`, async (route) => {
      const response = await route.fetch()
      const { id } = await response.json()
      await route.fulfill({ response, json: decision && { id, ...decision } })
    })
    await shopper.pay('fpt')
    const [, code] = await shopper.refused()
    assert.equal(code, 'Code: checkout.unknown')
    await shopper.leave()
  })
}

test('a host that is no https address gets nothing', async () => {
  const shopper = await site.visit()
  for (const host of ['', 'http://pay.example', 'ftp://localhost', 'pay.example']) {
    await shopper.page.evaluate((host) => {
      document.querySelector('bandpass-checkout').host = host
    }, host)
    await shopper.button.click()
    const [, code] = await shopper.refused()
    assert.equal(code, 'Code: checkout.host', host)
  }
  await shopper.leave()
})

test('a wallet that fails', async () => {
  const shopper = await site.visit()
  const told = await shopper.events()
  for (const answer of ['throw new TypeError("x")', 'return null']) {
    await shopper.page.evaluate((fails) => {
      document.querySelector('bandpass-checkout').present = async () => {
        if (fails) throw new TypeError('no')
        return null
      }
    }, answer.startsWith('throw'))
    await shopper.button.click()
    await shopper.refused()
    await shopper.button.waitFor()
  }
  assert.deepEqual((await told()).map(([event, code]) => [event, code]), [['error', 'checkout.wallet-failed'], ['error', 'checkout.malformed']])
  await shopper.leave()
})

test('a browser that asks no wallets', async () => {
  const shopper = await site.visit()
  await shopper.set('browser', true)
  await shopper.page.evaluate(() => {
    delete globalThis.DigitalCredential
  })
  await shopper.button.click()
  const sentence = 'This browser can’t reach your wallet. Use another browser, or pay in another way.'
  assert.deepEqual(await shopper.refused(), [sentence, 'Code: checkout.wallet'])
  await shopper.leave()
})

test('texts of the shop’s own', async () => {
  const shopper = await site.visit()
  await shopper.page.evaluate(() => {
    document.querySelector('bandpass-checkout').texts = { pay: 'Mit Band zahlen' }
  })
  assert.equal(await shopper.button.innerText(), 'Mit Band zahlen')
  await shopper.page.evaluate(() => {
    document.querySelector('bandpass-checkout').lang = 'zh'
  })
  assert.equal(await shopper.page.locator('bandpass-checkout').evaluate((element) => element.shadowRoot.firstElementChild.lang), 'zh')
  await shopper.leave()
})
