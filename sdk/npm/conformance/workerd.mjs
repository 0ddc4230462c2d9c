// The vectors in workerd: node workerd.mjs ENTRY. Modules are static there, and nothing compiles while a request is served.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import workerd from 'workerd'
import { print, vectors } from './lines.mjs'

const entry = process.argv[2]
const built = fileURLToPath(new URL('../../../target/dist/npm/', import.meta.url))
const worker = `
import * as verifier from './package/${entry}'
import { answers } from './conformance/answer.mjs'
export default {
  async fetch(request) {
    return Response.json(await answers(verifier, await request.json()))
  },
}
`
const config = (modules) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "vectors", worker = (modules = [${modules}], compatibilityDate = "2025-10-01"))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "vectors")],
);
`

const folder = await mkdtemp(join(tmpdir(), 'bandpass-workerd-'))

/** A module of a worker: every file is named, for there is no file system. */
const module = (name, kind, path) => `(name = "${name}", ${kind} = embed "${relative(folder, path)}")`

async function modules() {
  const found = [
    module('worker.js', 'esModule', join(folder, 'worker.js')),
    module('conformance/answer.mjs', 'esModule', fileURLToPath(new URL('answer.mjs', import.meta.url))),
  ]
  for (const file of await readdir(built, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name)
    const name = `package/${relative(built, path)}`
    if (name.endsWith('.js')) found.push(module(name, 'esModule', path))
    if (name.endsWith('.wasm')) found.push(module(name, 'wasm', path))
  }
  return found.join(', ')
}

try {
  await writeFile(join(folder, 'worker.js'), worker)
  await writeFile(join(folder, 'config.capnp'), config(await modules()))
  const serving = spawn(workerd.default, ['serve', '--control-fd=3', join(folder, 'config.capnp')], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  try {
    const [line] = await once(createInterface({ input: serving.stdio[3] }), 'line')
    const { port } = JSON.parse(line)
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: JSON.stringify(await vectors()) })
    if (!response.ok) throw new Error(await response.text())
    const manifest = await readFile(new URL('../node_modules/workerd/package.json', import.meta.url), 'utf8')
    print(`${entry}, workerd ${JSON.parse(manifest).version}`, await response.json())
  } finally {
    serving.kill()
    await once(serving, 'exit')
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
