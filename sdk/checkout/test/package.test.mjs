// The package itself: what is in it, how large it is, and what others make of it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

import { PACKAGE } from './help.mjs'

const temporary = mkdtempSync(join(tmpdir(), 'bandpass-'))
after(() => rmSync(temporary, { recursive: true }))

const run = (program, args, cwd) => execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
const own = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url))
const read = (file) => readFileSync(join(PACKAGE, file), 'utf8')

const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', temporary, '--loglevel=error'], PACKAGE))
const tarball = join(temporary, packed.filename)
const files = packed.files.map(({ path }) => path)

test('what is in it', () => {
  const types = ['challenge', 'element', 'error', 'host', 'index', 'json', 'kept', 'style', 'texts', 'wallet'].map((name) => `${name}.d.ts`)
  const expected = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'custom-elements.json', 'index.js', 'package.json', ...types]
  assert.deepEqual(files.sort(), expected.sort())
})

test('no dependency, not of modules either', () => {
  const manifest = JSON.parse(read('package.json'))
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) assert.equal(manifest[kind], undefined)
  assert.doesNotMatch(read('index.js'), /\bimport\b|\brequire\(/)
  assert.equal(manifest.version, /^version = "(.*)"$/m.exec(readFileSync(own('../../Cargo.toml'), 'utf8'))[1])
})

test('under 12 KiB gzipped', () => {
  const scripts = files.filter((file) => file.endsWith('.js'))
  const bytes = scripts.map((file) => gzipSync(readFileSync(join(PACKAGE, file)), { level: 9 }).length).reduce((sum, size) => sum + size)
  console.log(`${scripts.join(', ')}: ${bytes} bytes, gzipped`)
  assert(bytes < 12 * 1024)
})

test('the manifest of custom elements says what there is', () => {
  const { customElements } = JSON.parse(read('package.json'))
  const { modules } = JSON.parse(read(customElements))
  assert.deepEqual(modules.map(({ path }) => path), ['index.js'])
  const [element] = modules[0].declarations
  assert.equal(element.tagName, 'bandpass-checkout')
  const names = (list) => list.map(({ name }) => name).sort()
  assert.deepEqual(names(element.members), ['cancel', 'challenge', 'challengeUrl', 'host', 'present', 'start', 'state', 'texts'])
  assert.deepEqual(names(element.attributes), ['challenge-url', 'host', 'lang'])
  assert.deepEqual(names(element.events), ['bandpass-allow', 'bandpass-cancel', 'bandpass-deny', 'bandpass-error', 'bandpass-step-up'])
  // Everything that it says is in the module, and in the README.
  const [script, readme] = [read('index.js'), read('README.md')]
  for (const { name } of [...element.members, ...element.attributes, ...element.events, ...element.cssProperties, ...element.cssParts]) {
    assert(script.includes(name), name)
    assert(readme.includes(name), name)
  }
  assert.deepEqual(modules[0].exports.map(({ kind }) => kind).sort(), ['custom-element-definition', 'js'])
})

test('every code of the host has a sentence of its own', () => {
  const [ofHosts] = readFileSync(own('../../docs/errors.md'), 'utf8').split("## A registry's")
  const listed = ofHosts.matchAll(/^\| `([a-z-]+)\.[a-z-]+` \|/gm)
  const families = new Set([...listed].map(([, family]) => family))
  const texts = readFileSync(own('src/texts.ts'), 'utf8')
  const sentences = /CODES: .*? = \{(.*?)\n\}/s.exec(texts)[1].match(/[a-z][a-z.-]+(?=[ '])/g)
  // A page never hears of these.
  for (const family of ['key', 'config', 'audit', 'fetch']) families.delete(family)
  for (const family of families) assert(sentences.some((code) => code === family || code.startsWith(`${family}.`)), family)
})

test('publint and attw have nothing to say', () => {
  assert.match(run('node', [own('node_modules/publint/src/cli.js'), '--strict', tarball]), /All good!/)
  run('node', [own('node_modules/@arethetypeswrong/cli/dist/index.js'), tarball, '--profile', 'esm-only', '--exclude-entrypoints', 'custom-elements.json'])
})
