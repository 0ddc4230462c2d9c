// The shop in Chromium, with a real host. Pictures are left in `target/pictures`.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { setUp } from './help.mjs'

let site
before(async () => {
  site = await setUp()
})
after(() => site?.close())

/** A test with a shopper of its own. */
const shopping = (name, options, work) =>
  test(name, async () => {
    const shopper = await site.visit(options)
    await work(shopper)
    await shopper.leave()
  })

shopping('a worn band pays', {}, async (shopper) => {
  const told = await shopper.events()
  await shopper.look('idle')
  await shopper.button.click()
  await shopper.state('wallet')
  assert.equal(await shopper.shown('amount'), 'CN¥38.00')
  assert.equal(await shopper.shown('payee'), 'Mist & Leaf Tea')
  await shopper.look('wallet')
  await shopper.page.locator('#fpt').click()
  await shopper.page.getByText('Thank you!').waitFor()
  assert.deepEqual(await told(), [['allow', 'limit.within', '38.00']])
  await shopper.look('receipt')
})

shopping('above the limit the phone recognises the face', {}, async (shopper) => {
  const told = await shopper.events()
  await shopper.page.getByRole('button', { name: 'Remove' }).click()
  await shopper.page.locator('#puer').click()
  await shopper.pay('fpt')
  await shopper.state('step-up')
  assert.match(await shopper.checkout.getByRole('status').innerText(), /recognise your face/)
  assert.equal(await shopper.shown('amount'), 'CN¥900.00')
  await shopper.look('step-up')
  await shopper.pay('face')
  await shopper.page.getByText('Thank you!').waitFor()
  assert.deepEqual(await told(), [['step-up', 'limit.above', '900.00'], ['allow', 'limit.approved', '900.00']])
})

shopping('a step-up is not met by less', {}, async (shopper) => {
  await shopper.page.locator('#puer').click()
  await shopper.pay('fpt')
  await shopper.state('step-up')
  await shopper.pay('fpt')
  const [said, code] = await shopper.refused()
  assert.deepEqual([said, code], ['Your phone must make sure of you in another way, such as by face. Try again.', 'Code: step-up.repeated'])
})

shopping('refusals are told in plain words', {}, async (shopper) => {
  const told = await shopper.events()
  const refused = async (name, answer, sentence, code) => {
    await shopper.pay(answer)
    assert.deepEqual(await shopper.refused(), [sentence, `Code: ${code}`])
    await shopper.look(name)
  }
  await refused('declined', 'decline', 'Declined. Nothing was confirmed.', 'wallet.error')
  await shopper.set('worn', false)
  await refused('not-worn', 'fpt', 'Your band is not on your wrist. Put it on, unlock it, and try again.', 'evidence.not-worn')
  await shopper.set('worn', true)
  await refused('locked', 'fpt', 'Your band is locked. Unlock it on your wrist, and try again.', 'evidence.locked')
  await shopper.set('unlocked', true)
  await shopper.set('with-you', false)
  await refused('no-phone', 'press', 'Your phone did not confirm. Have it with you, switched on, and try again.', 'approval.missing')
  await shopper.set('with-you', true)
  await shopper.set('lost', true)
  await refused('lost', 'fpt', 'This band was reported lost, so it can’t be used. If you have it back, tell its provider.', 'status.suspended')
  const codes = ['evidence.not-worn', 'evidence.locked', 'approval.missing', 'status.suspended']
  assert.deepEqual(await told(), [['cancel', 'wallet.error', '38.00'], ...codes.map((code) => ['deny', code, '38.00'])])
  // It is found, and pays.
  await shopper.set('lost', false)
  await shopper.pay('fpt')
  await shopper.page.getByText('Thank you!').waitFor()
})

shopping('cancelled, the challenge is closed', {}, async (shopper) => {
  const told = await shopper.events()
  const closed = shopper.page.waitForResponse((response) => response.url().endsWith('/v1/responses'))
  await shopper.button.click()
  await shopper.state('wallet')
  await shopper.checkout.getByRole('button', { name: 'Cancel' }).click()
  assert.deepEqual(await shopper.refused(), ['You cancelled. Nothing was confirmed.', 'Code: checkout.cancelled'])
  const { id } = (await closed).request().postDataJSON()
  assert.equal((await site.shop.host.call('GET', `/v1/decisions/${id}`)).status, 'closed')
  await shopper.page.locator('#prompt').waitFor({ state: 'hidden' })
  assert.deepEqual(await told(), [['cancel', 'checkout.cancelled', '38.00']])
})

shopping('nothing moves for those who want it still', {}, async (shopper) => {
  const moving = () => shopper.checkout.evaluate((element) => element.shadowRoot.getAnimations().length)
  await shopper.button.click()
  await shopper.state('wallet')
  assert.equal(await moving(), 1)
  await shopper.page.emulateMedia({ reducedMotion: 'reduce' })
  assert.equal(await moving(), 0)
})

shopping('in Chinese, on a narrow screen', { lang: 'zh', viewport: { width: 390, height: 844 } }, async (shopper) => {
  await shopper.look('zh-idle')
  await shopper.set('worn', false)
  await shopper.button.click()
  await shopper.state('wallet')
  assert.equal(await shopper.shown('amount'), '¥38.00')
  await shopper.look('zh-wallet')
  await shopper.page.getByRole('button', { name: '指纹确认' }).click()
  assert.deepEqual(await shopper.refused(), ['手环未佩戴。请戴上并解锁，然后重试。', '代码：evidence.not-worn'])
  await shopper.look('zh-not-worn')
  await shopper.set('worn', true)
  await shopper.set('unlocked', true)
  await shopper.page.locator('#puer').click()
  await shopper.pay('fpt')
  await shopper.state('step-up')
  await shopper.look('zh-step-up')
  await shopper.pay('face')
  await shopper.page.getByText('谢谢惠顾').waitFor()
})

shopping('by keyboard alone', {}, async ({ page, ...shopper }) => {
  const focused = () => page.evaluate(() => {
    let element = document.activeElement
    while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
    return element.textContent.trim() || element.id
  })
  /** Goes on with Tab, and back with Shift+Tab, until something has the focus. */
  const to = async (name, key = 'Tab') => {
    for (let steps = 0; steps < 30; steps += 1) {
      if ((await focused()) === name) return
      await page.keyboard.press(key)
    }
    assert.fail(`the focus never comes to ${name}, but is on ${await focused()}`)
  }
  await to('worn')
  await page.keyboard.press('Space')
  await to('Pay with band', 'Shift+Tab')
  await page.keyboard.press('Enter')
  // The prompt takes the focus, as a phone would take the hand.
  await page.locator('#prompt').waitFor()
  await to('Approve by fingerprint')
  await page.keyboard.press('Enter')
  await shopper.checkout.locator('[data-state=refused]').waitFor()
  // Back in the element, nothing before it is gone through again.
  await to('Try again')
  await to('worn')
  await page.keyboard.press('Space')
  await to('unlocked')
  await page.keyboard.press('Space')
  await to('Try again', 'Shift+Tab')
  await page.keyboard.press('Enter')
  await page.locator('#prompt').waitFor()
  await to('Approve by face')
  await page.keyboard.press('Space')
  await page.getByText('Thank you!').waitFor()
  assert.equal(await focused(), 'Buy more tea')
})

test('the shop believes the host, not the page', async () => {
  const shopper = await site.visit()
  const { page } = shopper
  const ordered = page.waitForResponse((response) => response.url().endsWith('/orders'))
  const post = (path, body) =>
    page.evaluate(async ([path, body]) => {
      const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
      return answer.ok ? answer.json() : answer.status
    }, [path, body])
  await shopper.pay('fpt')
  await page.getByText('Thank you!').waitFor()
  const paid = await (await ordered).json()
  const other = await post('/orders', { items: ['puer'] })
  // Another order's allow, and a challenge that nobody answered.
  assert.deepEqual(await post('/orders/paid', { order: other.order, decision: paid.challenge.id }), { paid: false })
  assert.deepEqual(await post('/orders/paid', { order: other.order, decision: other.challenge.id }), { paid: false })
  assert.deepEqual(await post('/orders/paid', { order: paid.order, decision: paid.challenge.id }), { paid: true })
  for (const items of [[], ['gold'], ['puer', 'puer'], 'puer', ['__proto__']]) assert.equal(await post('/orders', { items }), 400)
  const elsewhere = await fetch(`${site.shop.url}orders`, { method: 'POST', headers: { 'content-type': 'application/json', origin: 'https://elsewhere.example' }, body: '{"items":["puer"]}' })
  assert.equal(elsewhere.status, 403)
  await shopper.leave()
})
