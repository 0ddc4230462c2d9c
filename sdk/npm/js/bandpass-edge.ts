#!/usr/bin/env node
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const USAGE = `usage: bandpass-edge FILE [--out-dir FOLDER] [--name NAME]

Makes an ES module of what \`bandpass compose\` wrote: NAME.js with its types, and the WebAssembly modules that it imports
statically. FOLDER: where to; here, unless given. NAME: FILE's, unless given.`

/** What the component may import, as jco has it. */
const LOG = 'bandpass:sdk/log'
/** Custom section that says what the component was made of. */
const SECTION = 'bandpass-parts'

class Mistake extends Error {}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { 'out-dir': { type: 'string', default: '.' }, name: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return console.log(USAGE)
  const [file] = positionals
  if (file === undefined || positionals.length > 1) throw new Mistake(USAGE)
  const name = values.name ?? basename(file, extname(file))
  if (!/^[\w.-]+$/.test(name)) throw new Mistake(`\`${name}\` is no name for a file: give one with --name`)
  const component = new Uint8Array(await readFile(file))
  const parts = partsOf(component)
  const { transpileBytes } = await peer(() => import('@bytecodealliance/jco-transpile'))
  const { build } = await peer(() => import('esbuild'))

  const { files, imports } = await transpileBytes(component, {
    name,
    // Core modules are asked for: only so it works where nothing may be compiled, and an instance can be replaced.
    instantiation: 'sync',
    noComponentErrorWrapping: true,
    nodejsCompat: false,
    emitTypescriptDeclarations: false,
  })
  const surplus = imports.find((one) => one !== LOG)
  if (surplus !== undefined) throw new Mistake(`the component imports \`${surplus}\`, which is not there`)
  const { [`${name}.js`]: glue, ...modules } = files
  const names = Object.keys(modules)
  // jco has a module of its own for what is asynchronous, which nothing is, and would compile it.
  const compiles = /new WebAssembly\.Module\(new Uint8Array\(\[[^\]]*\]\)\)/g
  const synchronous = new TextDecoder().decode(glue).replaceAll(compiles, 'undefined')
  const script = [
    `import { Policy } from ${JSON.stringify(fileURLToPath(new URL('policy.js', import.meta.url)))}`,
    `import { instantiate } from 'glue'`,
    ...names.map((module, index) => `import core${index} from './${module}'`),
    `const modules = { ${names.map((module, index) => `${JSON.stringify(module)}: core${index}`).join(', ')} }`,
    `export const parts = ${JSON.stringify(parts)}`,
    'export const createPolicy = (options) => new Policy({ instantiate, modules }, options)',
  ]
  const bundled = await build({
    stdin: { contents: script.join('\n'), resolveDir: '.' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    plugins: [{
      name: 'parts',
      setup(made) {
        made.onResolve({ filter: /\.wasm$/ }, ({ path }) => ({ path, external: true }))
        made.onResolve({ filter: /^glue$/ }, () => ({ path: 'glue', namespace: 'glue' }))
        made.onLoad({ filter: /.*/, namespace: 'glue' }, () => ({ contents: synchronous, loader: 'js' }))
      },
    }],
  })
  const [bundle] = bundled.outputFiles
  if (!bundle) throw new Error('esbuild made nothing')
  if (bundle.text.includes('WebAssembly.Module(')) throw new Error('jco compiles something, which not every runtime lets it do')
  const folder = values['out-dir']
  await mkdir(folder, { recursive: true })
  for (const [module, bytes] of Object.entries(modules)) await writeFile(join(folder, module), bytes)
  await writeFile(join(folder, `${name}.d.ts`), types(parts))
  await writeFile(join(folder, `${name}.js`), bundle.contents)
  const sizes = Object.values(modules).reduce((sum, { length }) => sum + length, 0)
  console.log(`${join(folder, name)}.js: ${bundle.contents.length} bytes, and ${names.length} modules of ${sizes} bytes`)
}

/** What is not needed to verify comes with this command only. */
async function peer<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    throw new Mistake('needs two more packages: npm install --save-dev @bytecodealliance/jco-transpile@0.15.0 esbuild', { cause })
  }
}

const types = (parts: unknown) => `import type { Policy, PolicyOptions } from '@bandpass/verifier/policy'

/** SHA-256 of what the policy was composed of, in hexadecimal. */
export declare const parts: ${JSON.stringify(parts).replaceAll(/"[0-9a-f]{64}"/g, 'string')}
/**
 * Sets up policy and verifier.
 *
 * @throws BandpassError \`trust.*\`, \`plugin.settings\` or \`verifier.argument\`
 */
export declare function createPolicy(options: PolicyOptions): Policy
`

/** Reads the custom section. Sections are their id, their length in LEB128, and their content, which here begins with a name. */
function partsOf(component: Uint8Array): unknown {
  let at = 8
  const number = () => {
    let [value, shift] = [0, 1]
    for (;;) {
      const byte = component[at++] ?? 0
      value += (byte & 0x7f) * shift
      shift *= 0x80
      if (byte < 0x80) return value
    }
  }
  const text = (from: number, to: number) => new TextDecoder().decode(component.subarray(from, to))
  while (at < component.length) {
    const id = component[at++]
    const length = number()
    const end = at + length
    if (id === 0) {
      const nameLength = number()
      if (text(at, at + nameLength) === SECTION) return JSON.parse(text(at + nameLength, end))
    }
    at = end
  }
  throw new Mistake('this is nothing that `bandpass compose` wrote')
}

try {
  await main()
} catch (error) {
  const known = error instanceof Mistake || (error instanceof Error && 'code' in error)
  console.error(known ? `bandpass-edge: ${(error as Error).message}` : error)
  process.exitCode = 1
}
