// The worker in workerd, a wallet provider that it trusts, and a band.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { register } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { edge } from '../../../sdk/npm/conformance/edge.mjs'
import workerd from '../../../sdk/npm/node_modules/workerd/lib/main.js'
import { WalletProvider } from '../../browser-checkout/wallet-provider.mjs'

const run = promisify(execFile)
const own = (path) => fileURLToPath(new URL(path, import.meta.url))
const target = process.env['BANDPASS_TARGET'] ?? own('../../../target')

export const ORIGIN = 'https://tea.example'
export const SEAL_KEY = Buffer.alloc(32, 7).toString('base64url')

// What the page's band imports from the shop's server.
const hook = "export const resolve = (name, context, next) => next(name === './jose/index.js' ? 'jose' : name, context)"
register(`data:text/javascript,${encodeURIComponent(hook)}`)
const { Wallet } = await import('../../browser-checkout/public/wallet.js')

/** Builds a worker as the README says, with this policy. */
async function build(plugin, main) {
  const folder = await mkdtemp(join(tmpdir(), 'edge-worker-'))
  await edge(plugin, folder, 'policy')
  await run('node', [own('../build.mjs'), folder, main])
  return folder
}

/** A worker, and whom it trusts. */
export async function start({ plugin = join(target, 'dist/plugins/retail-checkout.wasm'), main = 'worker.js' } = {}) {
  const publisher = await Publisher.start()
  const folder = await build(plugin, main)
  const begun = performance.now()
  const serving = spawn(workerd.default, ['serve', '--control-fd=3', 'config.capnp'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, SEAL_KEY, ORIGIN, REFRESH: '0', TRUST_URL: `${publisher.url}/trust`, STATUS_URLS: JSON.stringify([`${publisher.url}/status/1`]) },
  })
  const [line] = await once(createInterface({ input: serving.stdio[3] }), 'line')
  return {
    publisher,
    begun,
    url: `http://127.0.0.1:${JSON.parse(line).port}`,
    wallet: () => Wallet.create(async (band, phone) => (await publisher.provider.issue(band, phone)).credential),
    async stop() {
      serving.kill()
      await once(serving, 'exit')
      await publisher.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Publishes trust list and status list, with ETags. */
class Publisher {
  asked = []
  #server
  #changes = 0
  /** What is published in place of the provider's own. */
  instead = {}

  static async start() {
    const publisher = new Publisher()
    publisher.#server = createServer((request, response) => void publisher.#answer(request, response))
    await once(publisher.#server.listen(0, '127.0.0.1'), 'listening')
    publisher.url = `http://127.0.0.1:${publisher.#server.address().port}`
    publisher.provider = await WalletProvider.create(publisher.url)
    return publisher
  }

  /** What is published is another from now on. */
  changed() {
    this.#changes += 1
  }

  async #answer({ url, headers }, response) {
    const etag = `"${this.#changes}"`
    const status = this.instead[url]?.status ?? (headers['if-none-match'] === etag ? 304 : 200)
    this.asked.push([url, status])
    if (status !== 200) return response.writeHead(status, { etag }).end()
    const own = url === '/trust' ? JSON.stringify({ issuers: [this.provider.trustEntry()] }) : await this.provider.statusList()
    response.writeHead(200, { etag }).end(this.instead[url]?.body ?? own)
  }

  async stop() {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}

/** A browser with a session. */
export class Browser {
  #cookie = ''

  constructor(url, headers = {}) {
    Object.assign(this, { url, headers })
  }

  async post(path, body) {
    const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
    const response = await fetch(this.url + path, { method: 'POST', body: text, headers: { ...this.headers, cookie: this.#cookie } })
    this.#cookie = response.headers.get('set-cookie')?.split(';')[0] ?? this.#cookie
    return { status: response.status, ...(await response.json()) }
  }

  /** What comes of a purchase: `amr` is how the phone approves. */
  async buy(wallet, asked, { amr = 'fpt', origin = ORIGIN } = {}) {
    const { sealed, request, ...refused } = await this.post('/challenge', asked)
    if (!sealed) return refused
    const { vp_token } = await wallet.answer(request, origin, amr)
    return { sealed, vp_token, ...(await this.post('/decision', { sealed, vp_token })) }
  }
}

/** Tries until it comes. */
export async function until(come) {
  for (let tries = 0; !(await come()); tries += 1) {
    assert(tries < 100, 'it never came')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
