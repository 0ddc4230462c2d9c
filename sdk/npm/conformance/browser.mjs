// Chromium, and pages for it under the strictest policy that WebAssembly can live with.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { extname } from 'node:path'
import { chromium } from 'playwright-core'

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
const KINDS = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' }

/** A browser with a profile of its own. */
export const open = () =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })

/** Serves what `find` has for a path, an empty page for `/` if that is nothing. `localhost` is a secure context. */
export async function serve(find) {
  const server = createServer(async ({ url }, response) => {
    const path = url === '/' ? '/index.html' : url
    const found = await Promise.resolve(find(path)).catch(() => undefined) ?? (url === '/' ? '<!doctype html><title></title>' : undefined)
    response.setHeader('content-security-policy', POLICY).setHeader('content-type', KINDS[extname(path)] ?? 'text/plain')
    response.writeHead(found === undefined ? 404 : 200).end(found)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { url: `http://localhost:${server.address().port}/`, close: () => server.close() }
}
