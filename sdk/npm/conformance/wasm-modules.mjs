// For Node, which has no such imports yet: `import module from './x.wasm'` is a WebAssembly.Module, as in workerd.
import { readFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) register(import.meta.url)

export async function load(url, context, next) {
  if (!url.endsWith('.wasm')) return next(url, context)
  const bytes = (await readFile(fileURLToPath(url))).toString('base64')
  const source = `export default new WebAssembly.Module(Buffer.from('${bytes}', 'base64'))`
  return { format: 'module', shortCircuit: true, source }
}
