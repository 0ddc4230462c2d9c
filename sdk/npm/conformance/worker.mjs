// workerd with a worker that finds the built package in `./package/` and these programs in `./conformance/`. Modules are
// static there, and nothing compiles while a request is served.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import workerd from 'workerd'

const built = fileURLToPath(new URL('../../../target/dist/npm/', import.meta.url))
const programs = fileURLToPath(new URL('.', import.meta.url))
const config = (modules) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "worker", worker = (modules = [${modules}], compatibilityDate = "2025-10-01"))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
`

/** Every file is named, for there is no file system. */
async function modules(folder, folders) {
  const kinds = { '.js': 'esModule', '.mjs': 'esModule', '.wasm': 'wasm' }
  const found = [`(name = "worker.js", esModule = embed "worker.js")`]
  for (const [name, from] of Object.entries(folders))
    for (const file of await readdir(from, { recursive: true, withFileTypes: true })) {
      const path = join(file.parentPath, file.name)
      const kind = kinds[extname(path)]
      if (kind) found.push(`(name = "${name}/${relative(from, path)}", ${kind} = embed "${relative(folder, path)}")`)
    }
  return found.join(', ')
}

/** Does `work` with the address of a worker of this script. `folders`: what else it finds, by the name of each. */
export async function withWorker(script, work, folders = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'bandpass-workerd-'))
  try {
    await writeFile(join(folder, 'worker.js'), script)
    await writeFile(join(folder, 'config.capnp'), config(await modules(folder, { package: built, conformance: programs, ...folders })))
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
