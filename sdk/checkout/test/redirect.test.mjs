// A wallet by a link, on this device and on another: `bandpass serve --demo` hands out links, `bandpass wallet` answers them.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

import { open } from '../../npm/conformance/browser.mjs'
import { PACKAGE, TARGET } from './help.mjs'
import { look } from './look.mjs'

const run = promisify(execFile)
const program = join(TARGET, 'release/bandpass')
let folder, host, url, key, shop, browser

/** The first line of a stream with this in it. */
const line = (lines, text) =>
  new Promise((resolve) => {
    const look = (line) => {
      if (!line.includes(text)) return
      lines.off('line', look)
      resolve(line)
    }
    lines.on('line', look)
  })

before(async () => {
  shop = createServer(page)
  await once(shop.listen(0, '127.0.0.1'), 'listening')
  folder = await mkdtemp(join(tmpdir(), 'bandpass-checkout-'))
  const probe = createServer()
  await once(probe.listen(0, '127.0.0.1'), 'listening')
  const listen = `127.0.0.1:${probe.address().port}`
  probe.close()
  await once(probe, 'close')
  url = `http://${listen}`
  host = spawn(program, ['serve', '--demo', '--listen', listen], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const [said, log] = [createInterface({ input: host.stdout }), createInterface({ input: host.stderr })]
  const [merchant] = await Promise.all([line(said, "merchant's key: "), line(log, 'listening on')])
  key = merchant.split(' ').at(-1)
  // Its merchant's pages are the shop's, and no longer the host's own.
  const config = join(folder, 'bandpass-demo/bandpass.toml')
  const text = (await readFile(config, 'utf8')).replace(`origins = ["${url}"]`, `origins = ["${origin()}"]`)
  await writeFile(config, text.replace(`redirect_uris = ["${url}/"]`, `redirect_uris = ["${origin()}/back"]`))
  const taken = line(log, 'taken anew')
  host.kill('SIGHUP')
  await taken
  browser = await open()
})

after(async () => {
  await browser?.close()
  shop?.close()
  if (host) {
    host.kill('SIGTERM')
    await once(host, 'exit')
  }
  if (folder) await rm(folder, { recursive: true })
})

const origin = () => `http://localhost:${shop.address().port}`

/** A page with nothing but the element, and the shop's address for challenges, under a strict policy. */
async function page(request, response) {
  const { pathname, searchParams } = new URL(request.url, origin())
  response.setHeader('content-security-policy', `default-src 'none'; script-src 'self'; connect-src 'self' ${url}; style-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'`)
  switch (`${request.method} ${pathname}`) {
    case 'GET /index.js':
      return response.setHeader('content-type', 'text/javascript').end(await readFile(join(PACKAGE, 'index.js')))
    case 'POST /challenge': {
      const flow = searchParams.has('same') ? { type: 'redirect', same_device: true, redirect_uri: `${origin()}/back` } : { type: 'redirect' }
      const payload = { transaction_id: crypto.randomUUID(), currency: 'CNY', amount: searchParams.get('amount'), payee: { name: 'Corner Bookshop', id: 'merchant-7' } }
      const body = JSON.stringify({ transactions: [{ type: 'urn:bandpass:payment:1', payload }], flow })
      const answer = await fetch(`${url}/v1/challenges`, { method: 'POST', body, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } })
      return response.setHeader('content-type', 'application/json').writeHead(answer.status).end(await answer.text())
    }
    default:
      return response.setHeader('content-type', 'text/html').end(`<!doctype html><html lang="en"><meta name="color-scheme" content="light dark"><title>Shop</title><script type="module" src="/index.js"></script>
        <main><bandpass-checkout host="${url}" challenge-url="/challenge${pathname === '/' ? new URL(request.url, origin()).search : ''}"></bandpass-checkout></main>`)
  }
}

/** A page, and its element once it has a link. */
async function withLink(context, query) {
  const page = await context.newPage()
  await page.goto(`${origin()}/?${query}`)
  await page.getByRole('button', { name: 'Pay with band' }).click()
  const link = page.getByRole('link', { name: 'Open wallet' })
  await link.waitFor()
  return { page, link: await link.getAttribute('href') }
}

const wallet = async (link, ...more) => JSON.parse((await run(program, ['wallet', ...more, link], { cwd: folder })).stdout)
const state = (page, state) => page.locator(`bandpass-checkout [data-state=${state}]`).waitFor({ state: 'attached' })

test('a wallet on another device', async () => {
  const context = await browser.newContext()
  const { page, link } = await withLink(context, 'amount=35.00')
  assert.match(link, /^openid4vp:\/\/\?/)
  assert.equal(await page.locator('bandpass-checkout [part=amount]').innerText(), 'CN¥35.00')
  assert.equal(await page.locator('bandpass-checkout [part=payee]').innerText(), 'Corner Bookshop')
  await look(page, 'link')
  assert.deepEqual(await wallet(link), {})
  await state(page, 'allowed')
  await look(page, 'allowed')
  assert.equal(await page.getByRole('status').locator('p').innerText(), 'Confirmed. The shop is completing your order.')
  assert.equal(await page.evaluate(() => localStorage.length), 0)
  await context.close()
})

test('declined on another device', async () => {
  const context = await browser.newContext()
  const { page, link } = await withLink(context, 'amount=35.00')
  await wallet(link, '--decline')
  await state(page, 'refused')
  assert.equal(await page.getByRole('alert').innerText(), 'Declined. Nothing was confirmed.')
  await context.close()
})

test('cancelled here, no wallet can answer it any more', async () => {
  const context = await browser.newContext()
  const { page, link } = await withLink(context, 'amount=35.00')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await state(page, 'refused')
  assert.equal(await page.getByRole('alert').innerText(), 'Declined. Nothing was confirmed.')
  await assert.rejects(wallet(link), { code: 2 })
  await context.close()
})

test('cancelled after the wallet answered, the host’s word counts', async () => {
  const context = await browser.newContext()
  const { page, link } = await withLink(context, 'amount=35.00')
  await page.route('**/v1/decisions/**', (route) => route.abort())
  await wallet(link)
  await page.evaluate(() => document.querySelector('bandpass-checkout').cancel())
  await page.unroute('**/v1/decisions/**')
  await state(page, 'allowed')
  await context.close()
})

test('what is set before the element is defined counts', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.route('**/index.js', async (route) => {
    // The module comes last.
    await page.evaluate(() => {
      const element = Object.assign(document.querySelector('bandpass-checkout'), { texts: { pay: 'Mit Band zahlen' }, host: 'https://pay.example', challenge: () => undefined })
      element.removeAttribute('host')
    })
    await route.continue()
  })
  await page.goto(`${origin()}/?amount=35.00`, { waitUntil: 'commit' })
  await page.getByRole('button', { name: 'Mit Band zahlen' }).waitFor()
  const found = await page.evaluate(() => {
    const element = document.querySelector('bandpass-checkout')
    return [element.getAttribute('host'), typeof element.challenge, element.host]
  })
  assert.deepEqual(found, ['https://pay.example', 'function', 'https://pay.example'])
  await context.close()
})

test('a wallet on this device sends the shopper back, to another tab too', async () => {
  const context = await browser.newContext()
  const { page, link } = await withLink(context, 'same&amount=35.00')
  const { redirect_uri: back } = await wallet(link)
  assert.match(back, /\/back\?response_code=/)
  // This one does not learn what was decided, for anybody could have opened it.
  await state(page, 'elsewhere')
  await look(page, 'elsewhere-on-this-device')
  const tab = await context.newPage()
  await tab.goto(back)
  await state(tab, 'allowed')
  assert.equal(await tab.locator('bandpass-checkout [part=amount]').innerText(), 'CN¥35.00')
  assert.equal(tab.url(), `${origin()}/back`)
  assert.equal(await tab.evaluate(() => localStorage.length), 0)
  await context.close()
})

test('a step-up by links', async () => {
  const context = await browser.newContext()
  const { page, link } = await withLink(context, 'same&amount=900.00')
  const { redirect_uri: back } = await wallet(link)
  await page.goto(back)
  await page.getByRole('button', { name: 'Confirm on phone' }).click()
  const again = await page.getByRole('link', { name: 'Open wallet' }).getAttribute('href')
  assert.notEqual(again, link)
  const { redirect_uri: finished } = await wallet(again, '--method', 'face')
  await page.goto(finished)
  await state(page, 'allowed')
  await context.close()
})

test('whoever is sent back with another’s code learns nothing', async () => {
  const [one, other] = [await browser.newContext(), await browser.newContext()]
  const mine = await withLink(one, 'same&amount=35.00')
  const theirs = await withLink(other, 'same&amount=35.00')
  const { redirect_uri: back } = await wallet(theirs.link)
  await wallet(mine.link)
  await mine.page.goto(back)
  await state(mine.page, 'refused')
  assert.equal(await mine.page.locator('bandpass-checkout [part=code]').innerText(), 'Code: request.forbidden')
  // And where nothing was begun, there is nothing to go on with.
  const stranger = await browser.newContext()
  const page = await stranger.newPage()
  await page.goto(back)
  await state(page, 'idle')
  await Promise.all([one, other, stranger].map((context) => context.close()))
})

test('a wallet whose answer fails may answer again', async () => {
  const context = await browser.newContext()
  const { page, link } = await withLink(context, 'amount=35.00')
  const asked = new URL(link).searchParams
  const body = new URLSearchParams({ state: asked.get('state'), vp_token: JSON.stringify({ band: ['x'] }) })
  const refused = await fetch(asked.get('response_uri'), { method: 'POST', body })
  assert.equal((await refused.json()).code, 'token.malformed')
  await page.getByRole('alert').filter({ hasText: 'Your wallet’s answer can’t be accepted.' }).waitFor()
  assert.equal(await page.getByRole('link', { name: 'Open wallet' }).isVisible(), true)
  await wallet(link)
  await state(page, 'allowed')
  await context.close()
})
