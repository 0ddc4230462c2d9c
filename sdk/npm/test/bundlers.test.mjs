// A project with a page, built by bundlers without configuration, in Chromium under a strict Content Security Policy.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { build, createServer as createDevServer } from 'vite'
import webpack from 'webpack'

import { PACKAGE, vector } from './help.mjs'

const PAGE = '<!doctype html><title>Checkout</title><p role="status"></p><script type="module" src="/main.js"></script>'
const SCRIPT = `
import { createVerifier } from '@bandpass/verifier'
import vector from './vector.json'

const { audience, nonce, transaction_data: transactionData, now: seconds } = vector.expected
const now = new Date(seconds * 1000)
const say = (text) => { document.querySelector('p').textContent = text }
try {
  const verifier = await createVerifier({ trust: vector.trust, statusLists: vector.status_lists, now })
  say(verifier.verify(vector.vp_token, { audience, nonce, transactionData, now }).transactions[0].payment.amount)
} catch (error) {
  say(\`\${error.code}: \${error.message}: \${error.cause}\`)
}
`
const KINDS = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' }
let folder
let browser

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bandpass-'))
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  })
})
after(async () => {
  await browser?.close()
  await rm(folder, { recursive: true, force: true })
})

/** A fresh project that has installed the package. */
async function project(name) {
  const root = join(folder, name)
  await mkdir(root)
  const write = (file, text) => writeFile(join(root, file), text)
  await write('package.json', JSON.stringify({ private: true, type: 'module' }))
  const npm = (args, cwd) => execFileSync('npm', [...args, '--loglevel=error'], { cwd, encoding: 'utf8' })
  const [{ filename }] = JSON.parse(npm(['pack', '--json', '--pack-destination', root], PACKAGE))
  npm(['install', '--no-audit', '--no-fund', '--offline', join(root, filename)], root)
  await write('index.html', PAGE)
  await write('main.js', SCRIPT)
  await write('vector.json', JSON.stringify(vector('accept/payment')))
  return root
}

/** What the page at an address says in the end. */
async function said(url) {
  const page = await browser.newPage()
  const troubles = []
  page.on('pageerror', (error) => troubles.push(String(error)))
  await page.goto(url)
  const text = await page.getByRole('status').filter({ hasText: /./ }).textContent()
  await page.close()
  assert.deepEqual(troubles, [])
  return text
}

async function saidUnderPolicy(root) {
  const server = createServer(async ({ url }, response) => {
    const path = url === '/' ? '/index.html' : url
    response.setHeader('content-security-policy', "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'")
    const file = await readFile(join(root, path)).catch(() => undefined)
    response.setHeader('content-type', KINDS[extname(path)] ?? 'text/plain').writeHead(file ? 200 : 404).end(file)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    return await said(`http://127.0.0.1:${server.address().port}/`)
  } finally {
    server.close()
  }
}

test('Vite', async () => {
  const root = await project('vite')
  await build({ root, logLevel: 'silent' })
  assert.equal(await saidUnderPolicy(join(root, 'dist')), '35.00')
})

test("Vite's development server", async () => {
  const server = await createDevServer({ root: await project('vite-dev'), logLevel: 'silent', server: { port: 0, host: '127.0.0.1' } })
  await server.listen()
  try {
    assert.equal(await said(`http://127.0.0.1:${server.httpServer.address().port}/`), '35.00')
  } finally {
    await server.close()
  }
})

test('webpack', async () => {
  const root = await project('webpack')
  const stats = await promisify(webpack)({ mode: 'production', context: root, entry: './main.js', output: { path: join(root, 'dist') } })
  assert.equal(stats.hasErrors(), false, stats.toString())
  await cp(join(root, 'index.html'), join(root, 'dist/index.html'))
  assert.equal(await saidUnderPolicy(join(root, 'dist')), '35.00')
})
