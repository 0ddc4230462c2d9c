// A tea shop that sells to bands: node server.mjs [PORT]. Starts a host of its own beside it, and plays the wallet provider.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, resolve, sep } from 'node:path'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

import { startHost } from './host.mjs'
import { WalletProvider } from './wallet-provider.mjs'

const MERCHANT = 'mist-and-leaf'
const PAYEE = { name: 'Mist & Leaf Tea', id: MERCHANT }
const CURRENCY = 'CNY'
const PRICES = { longjing: '38.00', tieguanyin: '68.00', puer: '900.00' }
/** Verifiers take a status list for 15 minutes. */
const SIGN_EVERY = 5 * 60_000

const target = process.env['BANDPASS_TARGET'] ?? fileURLToPath(new URL('../../target', import.meta.url))
const here = fileURLToPath(new URL('.', import.meta.url))
const FOLDERS = { '/checkout/': `${target}/dist/checkout`, '/jose/': `${here}node_modules/jose/dist/webapi`, '/': `${here}public` }
const KINDS = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

/** Starts shop, wallet provider and host. `port` 0: any that is free. */
export async function start(port) {
  const server = createServer()
  await once(server.listen(port, '127.0.0.1'), 'listening')
  const origin = `http://localhost:${server.address().port}`
  const provider = await WalletProvider.create('https://wallet.example')
  const host = await startHost(target, { merchant: MERCHANT, origin, provider })
  const resign = setInterval(() => host.takeStatusList().catch(console.error), SIGN_EVERY)
  const shop = new Shop(host, origin)

  const policy = [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", `connect-src 'self' ${host.url}`,
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
  ].join('; ')
  const headers = { 'content-security-policy': policy, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' }

  const routes = {
    'GET /config': () => ({ host: host.url, prices: PRICES, currency: CURRENCY }),
    'POST /orders': ({ items }) => shop.order(items),
    'POST /orders/paid': ({ order, decision }) => shop.paid(order, decision),
    'POST /wallet/credentials': ({ band, phone }) => provider.issue(band, phone),
    'POST /wallet/lost': async ({ band, lost }) => {
      provider.setLost(band, lost === true)
      await host.takeStatusList()
      return {}
    },
  }

  server.on('request', async (request, response) => {
    const { pathname } = new URL(request.url, origin)
    try {
      const route = routes[`${request.method} ${pathname}`]
      if (route) {
        const answer = await route(request.method === 'POST' ? await body(request, origin) : {})
        response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify(answer))
      } else {
        const found = await file(pathname)
        response.writeHead(200, { ...headers, 'content-type': found.kind }).end(found.content)
      }
    } catch (error) {
      if (!(error instanceof Refused)) console.error(error)
      response.writeHead(error instanceof Refused ? error.status : 500, headers).end()
    }
  })

  return {
    url: `${origin}/`,
    host,
    async close() {
      clearInterval(resign)
      server.close()
      server.closeAllConnections()
      await host.stop()
    },
  }
}

class Refused extends Error {
  constructor(status) {
    super(`refused with ${status}`)
    this.status = status
  }
}

/** JSON by the shop's own pages: elsewhere a page can't send such without asking first. */
async function body(request, origin) {
  if (request.headers['content-type'] !== 'application/json' || request.headers['origin'] !== origin) throw new Refused(403)
  if (!(Number(request.headers['content-length']) <= 10_000)) throw new Refused(413)
  const sent = await json(request).catch(() => undefined)
  if (typeof sent !== 'object' || sent === null) throw new Refused(400)
  return sent
}

async function file(pathname) {
  const [prefix, folder] = Object.entries(FOLDERS).find(([prefix]) => pathname.startsWith(prefix))
  const path = resolve(folder, `./${pathname.slice(prefix.length) || 'index.html'}`)
  const kind = KINDS[extname(path)]
  if (!path.startsWith(folder.replace(/\/$/, '') + sep) || !kind) throw new Refused(404)
  const content = await readFile(path).catch(() => {
    throw new Refused(404)
  })
  return { content, kind }
}

/** The merchant. Prices, orders and the key for the host are here, never in the page. */
class Shop {
  #host
  #origin
  #orders = new Map()

  constructor(host, origin) {
    this.#host = host
    this.#origin = origin
  }

  async order(items) {
    if (!Array.isArray(items) || items.length === 0 || new Set(items).size !== items.length || !items.every((item) => Object.hasOwn(PRICES, item)))
      throw new Refused(400)
    const cents = items.reduce((sum, item) => sum + BigInt(PRICES[item].replace('.', '')), 0n)
    const amount = String(cents).replace(/(..)$/, '.$1')
    const id = randomUUID()
    const payload = { transaction_id: id, payee: PAYEE, currency: CURRENCY, amount }
    const challenge = await this.#host.call('POST', '/v1/challenges', {
      transactions: [{ type: 'urn:bandpass:payment:1', payload }],
      flow: { type: 'dc-api', origin: this.#origin },
    })
    this.#orders.set(id, { amount, paid: false })
    return { order: id, challenge }
  }

  /** Whether an order is paid. The page says which decision it is; whether that is an allow, and for this order, says the
   * host. */
  async paid(id, decision) {
    const order = this.#orders.get(id)
    if (!order || typeof decision !== 'string') throw new Refused(404)
    if (!order.paid) {
      const { decision: decided, presentations } = await this.#host.call('GET', `/v1/decisions/${encodeURIComponent(decision)}`)
      const transactions = Object.values(presentations ?? {}).flat().flatMap(({ transactions }) => transactions)
      order.paid =
        decided === 'allow' &&
        transactions.some(({ id: agreed, payment }) => agreed === id && payment.amount === order.amount && payment.currency === CURRENCY)
    }
    return { paid: order.paid }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url, close } = await start(Number(process.argv[2] ?? 8090)).catch((error) => {
    console.error(error.message)
    if (error.code === 'ENOENT') console.error('The host and the element are built by `cargo xtask build`.')
    process.exit(1)
  })
  console.log(`The shop is open: ${url}`)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => close())
}
