// Makes of the component what JavaScript runs: node component.mjs COMPONENT FOLDER. Beside the glue, minified, the folder
// gets the component's core modules, byte for byte as they are in it.
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { transpileBytes } from '@bytecodealliance/jco-transpile'
import { transform } from 'esbuild'

/** Up to so many bytes a core module comes in the script too. */
const SMALL = 1024

const [component, folder] = process.argv.slice(2)
const bytes = await readFile(component)
const { files, imports } = await transpileBytes(bytes, {
  name: 'component',
  // Core modules are asked for: only so it works where nothing may be compiled, and an instance can be replaced.
  instantiation: 'sync',
  noComponentErrorWrapping: true,
  nodejsCompat: false,
  emitTypescriptDeclarations: false,
})
if (imports.length > 0) throw new Error(`the component imports ${imports}`)

const { 'component.js': glue, ...modules } = files
// In a list of resources each is freed by a function over the same two variables: over those of the last. One each, then.
const shared = /var (handle\d+) = (dataView\(memory0\)\.getInt32\(base \+ 0, true\);\s+)var (rsc\d+) = /g
const script = Buffer.from(glue).toString()
if (script.match(shared)?.length !== 1) throw new Error('jco makes lists of resources in another way')
const minified = await transform(script.replace(shared, 'const $1 = $2const $3 = '), { minify: true, format: 'esm', target: 'es2022', legalComments: 'none' })
await writeFile(join(folder, 'component.js'), minified.code)
for (const [name, module] of Object.entries(modules)) await writeFile(join(folder, name), module)

const digest = createHash('sha256').update(bytes).digest('hex')
const small = Object.entries(modules).filter(([, module]) => module.length <= SMALL)
const parts = Object.fromEntries(small.map(([name, module]) => [name, Buffer.from(module).toString('base64')]))
await writeFile(join(folder, 'component.parts.js'), `export const digest = '${digest}'\nexport const small = ${JSON.stringify(parts)}\n`)
