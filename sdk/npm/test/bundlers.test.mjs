// A project with a page, built by bundlers without configuration, in Chromium under a strict Content Security Policy.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { build, createServer } from 'vite'
import webpack from 'webpack'

import { open, serve } from '../conformance/browser.mjs'
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
let folder
let browser

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bandpass-'))
  browser = await open()
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
  const site = await serve((path) => readFile(join(root, path)))
  try {
    return await said(site.url)
  } finally {
    site.close()
  }
}

test('Vite', async () => {
  const root = await project('vite')
  await build({ root, logLevel: 'silent' })
  assert.equal(await saidUnderPolicy(join(root, 'dist')), '35.00')
})

test("Vite's development server", async () => {
  const server = await createServer({ root: await project('vite-dev'), logLevel: 'silent', server: { port: 0, host: '127.0.0.1' } })
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
