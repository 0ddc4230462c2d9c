// `bandpass serve` as a child, with a configuration for the shop: it trusts the shop's wallet provider, and takes requests
// of its page.
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Starts a host in a temporary folder. */
export async function startHost(target, { merchant, origin, provider }) {
  const program = join(target, 'release/bandpass')
  const plugin = join(target, 'dist/plugins/retail-checkout.wasm')
  const sha256 = createHash('sha256').update(await readFile(plugin)).digest('hex')
  const folder = await mkdtemp(join(tmpdir(), 'browser-checkout-'))
  const config = join(folder, 'bandpass.toml')
  const listen = `127.0.0.1:${await freePort()}`
  await mkdir(join(folder, 'plugins'))
  await copyFile(plugin, join(folder, `plugins/${sha256}.wasm`))
  await writeFile(join(folder, 'trust.json'), JSON.stringify({ issuers: [await provider.trustEntry()] }))
  await writeFile(join(folder, 'status-list'), await provider.statusList())
  await writeFile(config, `name = "tea-shop"
signing_key = "signing-key.jwk"
trust = "trust.json"
status_lists = ["status-list"]
plugins = "plugins"

[server]
listen = "${listen}"
public_url = "http://${listen}"

[plugin.retail-checkout]
sha256 = "${sha256}"

[merchant.${merchant}]
audience = ["origin:${origin}"]
policy = [{ plugin = "retail-checkout", settings = { currency = "CNY", passwordless_limit = "200.00" } }]

[merchant.${merchant}.access]
origins = ["${origin}"]
`)
  const { stdout } = await run(program, ['key', 'create', '--merchant', merchant, '--config', config])
  const [key] = stdout.split('\n')

  const child = spawn(program, ['serve', '--demo', '--config', config, '--store', join(folder, 'store.sqlite')], {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  // Whatever ends the shop ends its host.
  const end = () => child.kill()
  process.once('exit', end)
  const log = new Log(child)
  await log.next('listening on')
  const url = `http://${listen}`

  let taking = Promise.resolve()
  const takeStatusList = async () => {
    const list = join(folder, 'status-list')
    await writeFile(`${list}.new`, await provider.statusList())
    await rename(`${list}.new`, list)
    const taken = log.next('the configuration was taken anew', 'the configuration stays as it was')
    child.kill('SIGHUP')
    const line = await taken
    if (!line.includes('taken anew')) throw new Error(line)
  }

  return {
    url,
    /** Asks the host, with the merchant's key. */
    async call(method, path, body) {
      const headers = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) }
      const answer = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
      return answer.json()
    },
    /** Has the host take the provider's newest status list; resolves when it counts. */
    takeStatusList() {
      taking = taking.catch(() => undefined).then(takeStatusList)
      return taking
    },
    async stop() {
      process.off('exit', end)
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What the host says, line by line. */
class Log {
  #waiting = new Set()
  #last = []

  constructor(child) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#last = [...this.#last.slice(-20), line]
      for (const wait of this.#waiting) wait.line(line)
    })
    child.once('exit', () => {
      for (const wait of this.#waiting) wait.reject(new Error(`the host ended:\n${this.#last.join('\n')}`))
    })
  }

  /** The next line with one of these in it. */
  next(...texts) {
    return new Promise((resolve, reject) => {
      const wait = {
        reject,
        line: (line) => {
          if (!texts.some((text) => line.includes(text))) return
          this.#waiting.delete(wait)
          resolve(line)
        },
      }
      this.#waiting.add(wait)
    })
  }
}

async function freePort() {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
