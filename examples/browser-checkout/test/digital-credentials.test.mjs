// The token comes through the browser's Digital Credentials API, whose wallet the debugger plays.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { setUp } from './help.mjs'

const PROTOCOL = 'openid4vp-v1-unsigned'

let site
before(async () => {
  site = await setUp()
})
after(() => site?.close())

/** A shopper whose browser has a wallet, which does this. */
async function withWallet(options) {
  const shopper = await site.visit(options)
  await shopper.set('browser', true)
  const debug = await shopper.context.newCDPSession(shopper.page)
  return Object.assign(shopper, {
    wallet: (behaviour) => debug.send('DigitalCredentials.setVirtualWalletBehavior', behaviour),
    /** Has the wallet answer the very request that is about to be made. */
    answering: (answer) =>
      shopper.tamper(async (challenge) => {
        await debug.send('DigitalCredentials.setVirtualWalletBehavior', { action: 'respond', protocol: PROTOCOL, response: await answer(challenge.dc_api) })
        return challenge
      }),
  })
}

test('the browser’s wallet pays', async () => {
  const shopper = await withWallet()
  const told = await shopper.events()
  const requests = []
  await shopper.answering((request) => {
    requests.push(request)
    return shopper.answer(request)
  })
  await shopper.button.click()
  await shopper.page.getByText('Thank you!').waitFor()
  assert.deepEqual(await told(), [['allow', 'limit.within', '38.00']])
  assert.deepEqual(requests.map(({ protocol }) => protocol), [PROTOCOL])
  await shopper.leave()
})

test('declined in the wallet', async () => {
  const shopper = await withWallet()
  const told = await shopper.events()
  await shopper.wallet({ action: 'decline' })
  const closed = shopper.page.waitForResponse((response) => response.url().endsWith('/v1/responses'))
  await shopper.button.click()
  assert.deepEqual(await shopper.refused(), ['Declined. Nothing was confirmed.', 'Code: wallet.error'])
  const { id } = (await closed).request().postDataJSON()
  assert.equal((await site.shop.host.call('GET', `/v1/decisions/${id}`)).status, 'closed')
  assert.deepEqual(await told(), [['cancel', 'wallet.error', '38.00']])
  // The next one is another challenge.
  await shopper.answering((request) => shopper.answer(request))
  await shopper.button.click()
  await shopper.page.getByText('Thank you!').waitFor()
  await shopper.leave()
})

test('what was signed on another site does not count', async () => {
  const shopper = await withWallet()
  const told = await shopper.events()
  // Somebody's page passed the request on, and the browser told the wallet whose page that is.
  await shopper.answering((request) => shopper.answer(request, 'https://elsewhere.example'))
  await shopper.button.click()
  const sentence = 'What your band signed was meant for another site, so it does not count here. Make sure that you are in the right shop.'
  assert.deepEqual(await shopper.refused(), [sentence, 'Code: holder.audience'])
  assert.deepEqual(await told(), [['deny', 'holder.audience', '38.00']])
  await shopper.look('elsewhere')
  await shopper.leave()
})

test('above the limit the browser’s wallet is asked twice', async () => {
  const shopper = await withWallet()
  await shopper.page.locator('#puer').click()
  await shopper.answering((request) => shopper.answer(request, undefined, 'pin'))
  await shopper.button.click()
  await shopper.state('step-up')
  // The answer to the next request is made when the host hands it out.
  await shopper.page.route('**/step-up', async (route) => {
    const response = await route.fetch()
    const challenge = await response.json()
    await shopper.wallet({ action: 'respond', protocol: PROTOCOL, response: await shopper.answer(challenge.dc_api, undefined, 'face') })
    await route.fulfill({ response, json: challenge })
  })
  await shopper.button.click()
  await shopper.page.getByText('Thank you!').waitFor()
  await shopper.leave()
})

test('without a click it waits for one, and asks the wallet then', async () => {
  const shopper = await site.visit({
    alone: () =>
      addEventListener('DOMContentLoaded', () => {
        const ready = new MutationObserver(() => {
          if (!('ready' in document.documentElement.dataset)) return
          ready.disconnect()
          const checkout = document.querySelector('bandpass-checkout')
          checkout.present = undefined
          checkout.start()
        })
        ready.observe(document.documentElement, { attributes: true })
      }),
  })
  assert.equal(await shopper.shown('amount'), 'CN¥38.00')
  await shopper.look('ready')
  const debug = await shopper.context.newCDPSession(shopper.page)
  await debug.send('DigitalCredentials.setVirtualWalletBehavior', { action: 'decline' })
  await shopper.button.click()
  assert.deepEqual(await shopper.refused(), ['Declined. Nothing was confirmed.', 'Code: wallet.error'])
  await shopper.leave()
})

test('an answer of another protocol is none', async () => {
  const shopper = await withWallet()
  const told = await shopper.events()
  await shopper.wallet({ action: 'respond', protocol: 'openid4vp-v1-signed', response: { response: 'x' } })
  await shopper.button.click()
  await shopper.state('refused')
  assert.equal((await told())[0][0], 'error')
  await shopper.leave()
})
