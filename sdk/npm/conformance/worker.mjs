// workerd with a worker that finds the built package in `./package/` and these programs in `./conformance/`. Modules are
// static there, and nothing compiles while a request is served.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import workerd from 'workerd'

const built = fileURLToPath(new URL('../../../target/dist/npm/', import.meta.url))
const config = (modules) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "worker", worker = (modules = [${modules}], compatibilityDate = "2025-10-01"))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
`

/** Every file is named, for there is no file system. */
async function modules(folder) {
  const module = (name, kind, path) => `(name = "${name}", ${kind} = embed "${relative(folder, path)}")`
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

/** Does `work` with the address of a worker of this script. */
export async function withWorker(script, work) {
  const folder = await mkdtemp(join(tmpdir(), 'bandpass-workerd-'))
  try {
    await writeFile(join(folder, 'worker.js'), script)
    await writeFile(join(folder, 'config.capnp'), config(await modules(folder)))
    const begun = performance.now()
    const serving = spawn(workerd.default, ['serve', '--control-fd=3', join(folder, 'config.capnp')], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    })
    try {
      const [line] = await once(createInterface({ input: serving.stdio[3] }), 'line')
      return await work(`http://127.0.0.1:${JSON.parse(line).port}/`, begun)
    } finally {
      serving.kill()
      await once(serving, 'exit')
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export const version = JSON.parse(await readFile(new URL('../node_modules/workerd/package.json', import.meta.url), 'utf8')).version
