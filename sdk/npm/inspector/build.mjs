// Makes the token inspector one file: node inspector/build.mjs PACKAGE FILE. PACKAGE is the built npm package.
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Vectors that the page's examples are. */
const EXAMPLES = { accepted: ['accept', 'accept/payment'], refused: ['transaction', 'transaction.mismatch/another-amount'] }

const here = fileURLToPath(new URL('.', import.meta.url))
const [package_, file] = process.argv.slice(2)
const project = join(here, '../../..')
const read = (path) => readFile(path, 'utf8')

async function example([stage, name]) {
  const { vectors } = JSON.parse(await read(join(project, `conformance/vectors/${stage}.json`)))
  const found = vectors.find((vector) => vector.name === name)
  if (!found) throw new Error(`no vector is called ${name}`)
  return found
}

/** What `docs/errors.md` says of each code. */
async function meanings() {
  const rows = (await read(join(project, 'docs/errors.md'))).matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)
  return Object.fromEntries([...rows].map(([, code, meaning]) => [code, meaning.replaceAll('`', '')]))
}

async function bundle(entry, define = {}) {
  const { outputFiles } = await build({
    entryPoints: [join(here, entry)],
    alias: { '@bandpass/verifier/inline': join(package_, 'inline.js') },
    define: Object.fromEntries(Object.entries(define).map(([name, value]) => [name, JSON.stringify(value)])),
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    // Not the paths in there: they are for the types.
    tsconfigRaw: {},
    write: false,
  })
  return outputFiles[0].text.trim()
}

const examples = await Promise.all(Object.entries(EXAMPLES).map(async ([name, which]) => [name, await example(which)]))
const { version } = JSON.parse(await read(join(package_, 'package.json')))
const style = await bundle('inspector.css')
const script = await bundle('inspector.ts', { EXAMPLES: Object.fromEntries(examples), MEANINGS: await meanings(), VERSION: version })
const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)} 'wasm-unsafe-eval'`,
  `style-src ${hash(style)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

let page = await read(join(here, 'inspector.html'))
for (const [place, content] of [
  [`content="default-src 'none'"`, `content="${policy}"`],
  ['<style></style>', `<style>${style}</style>`],
  ['<script type="module"></script>', `<script type="module">${script}</script>`],
]) {
  if (page.split(place).length !== 2) throw new Error(`the page has no ${place}`)
  page = page.replace(place, () => content)
}
await writeFile(file, page)
