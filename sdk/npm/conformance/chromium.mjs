// The vectors in Chromium: node chromium.mjs ENTRY. The page has the strictest policy that WebAssembly can live with.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { chromium } from 'playwright-core'
import { print, vectors } from './lines.mjs'

const KINDS = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' }
const entry = process.argv[2]
const folders = { package: new URL('../../../target/dist/npm/', import.meta.url), conformance: new URL('./', import.meta.url) }

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost')
  const [, folder, ...path] = pathname.split('/')
  response.setHeader('content-security-policy', "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'")
  if (pathname === '/') return response.setHeader('content-type', 'text/html').end('<!doctype html><title>Vectors</title>')
  try {
    const file = await readFile(new URL(path.join('/'), folders[folder]))
    response.setHeader('content-type', KINDS[extname(pathname)] ?? 'application/octet-stream').end(file)
  } catch {
    response.writeHead(404).end()
  }
})
await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
const profile = await mkdtemp(join(tmpdir(), 'bandpass-chromium-'))
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
try {
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${server.address().port}/`)
  const found = await page.evaluate(
    async ([entry, vectors]) => {
      const { answers } = await import('/conformance/answer.mjs')
      return answers(await import(`/package/${entry}`), vectors)
    },
    [entry, await vectors()],
  )
  print(`${entry}, Chromium ${browser.browser()?.version() ?? ''}`, found)
} finally {
  await browser.close()
  server.close()
  await rm(profile, { recursive: true, force: true })
}
