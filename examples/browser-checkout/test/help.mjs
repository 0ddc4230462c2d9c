// The shop in Chromium.
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'

import { look } from '../../../sdk/checkout/test/look.mjs'
import { open } from '../../../sdk/npm/conformance/browser.mjs'
import { start } from '../server.mjs'

const WIDE = { width: 1360, height: 900 }

/** The shop, its host, and a browser. */
export async function setUp() {
  const shop = await start(0)
  const browser = await open()
  return {
    shop,
    browser,
    /** A shopper's page, with what went wrong in it. `alone`: a script that it runs, with nobody touching it until the
     * element is ready for a click. */
    async visit({ lang = 'en', viewport = WIDE, alone } = {}) {
      const context = await browser.newContext({ viewport })
      if (alone) await context.addInitScript(alone)
      const page = await context.newPage()
      const troubles = []
      // The browser reports by itself that a request was refused.
      page.on('console', (message) => message.type() === 'error' && !message.text().startsWith('Failed to load resource') && troubles.push(message.text()))
      page.on('pageerror', (error) => troubles.push(String(error)))
      await page.goto(`${shop.url}?lang=${lang}`)
      await (alone ? untilReady(context, page) : page.locator('html[data-ready]').waitFor())
      return new Shopper(page, context, troubles)
    },
    async close() {
      await browser.close()
      await shop.close()
    },
  }
}

/** Looked at by the debugger, for what Playwright does in a page counts as a click. */
async function untilReady(context, page) {
  const debug = await context.newCDPSession(page)
  const expression = "document.querySelector('bandpass-checkout')?.state === 'ready'"
  for (let looked = 0; looked < 300; looked += 1) {
    const { result } = await debug.send('Runtime.evaluate', { expression })
    if (result.value) return
    await setTimeout(100)
  }
  assert.fail('the element is never ready')
}

export class Shopper {
  constructor(page, context, troubles) {
    Object.assign(this, { page, context, troubles })
    this.checkout = page.locator('bandpass-checkout')
    this.button = this.checkout.locator('button[part=button]')
  }

  /** Until the element stands there. */
  state(state) {
    return this.checkout.locator(`[data-state=${state}]`).waitFor({ state: 'attached' })
  }

  /** Presses the element's button, and then one of the phone's or band's. */
  async pay(answer) {
    await this.button.click()
    await this.page.locator(`#${answer}`).click()
  }

  async set(name, on) {
    await this.page.locator(`#${name}`).setChecked(on)
    // What is reported to the provider takes a moment to count.
    await this.page.locator('#lost:enabled').waitFor()
  }

  /** What a shopper is told, and the code in small print. */
  async refused() {
    await this.state('refused')
    return [await this.checkout.getByRole('alert').innerText(), await this.checkout.locator('[part=code]').innerText()]
  }

  shown(part) {
    return this.checkout.locator(`[part=${part}]`).innerText()
  }

  /** The events of the element from now on. */
  async events() {
    await this.page.evaluate(() => {
      globalThis.told = []
      for (const name of ['allow', 'deny', 'step-up', 'cancel', 'error'])
        document.addEventListener(`bandpass-${name}`, ({ detail, composed }) => composed && globalThis.told.push([name, detail.code, detail.payment?.amount]))
    })
    return () => this.page.evaluate(() => globalThis.told)
  }

  /** What the simulated band answers to a request, by a page of this origin. */
  answer(request, origin = new URL(this.page.url()).origin, amr = 'fpt') {
    return this.page.evaluate(async (given) => (await import('/simulator.js')).wallet.answer(...given), [request, origin, amr])
  }

  /** Changes what the shop's server hands out as a challenge. */
  async tamper(change) {
    await this.page.route('**/orders', async (route) => {
      const response = await route.fetch()
      const made = await response.json()
      await route.fulfill({ response, json: { ...made, challenge: await change(made.challenge) } })
    })
  }

  look(name) {
    return look(this.page, name)
  }

  async leave() {
    await this.context.close()
    assert.deepEqual(this.troubles, [])
  }
}
