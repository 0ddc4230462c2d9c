// The package itself: what is in it, how large it is, what others make of it, and that its README works as written.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'

import { load, PACKAGE } from './help.mjs'

const temporary = mkdtempSync(join(tmpdir(), 'bandpass-'))
after(() => rmSync(temporary, { recursive: true }))

const run = (program, args, cwd) => execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
const npm = (...args) => run('npm', [...args, '--loglevel=error'], PACKAGE)
const own = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url))

const [packed] = JSON.parse(npm('pack', '--json', '--pack-destination', temporary))
const tarball = join(temporary, packed.filename)

test('what is in it', () => {
  const modules = ['challenge', 'check', 'common', 'engine', 'entry', 'error', 'file', 'inline', 'node', 'lists', 'types', 'verifier', 'runtime',
    'wasm-bindgen', 'web', 'workerd', 'sd-jwt/node', 'sd-jwt/web', 'sd-jwt/workerd',
    'jco', 'policy', 'bandpass-edge', 'component/node', 'component/parts', 'component/web', 'component/workerd']
  const wasm = ['sd-jwt.js', 'sd-jwt.wasm', 'verifier.base64.js', 'verifier.js', 'verifier.wasm',
    'component.core.wasm', 'component.core2.wasm', 'component.core3.wasm', 'component.js', 'component.parts.js']
  const expected = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json', ...wasm.map((file) => `wasm/${file}`),
    ...modules.flatMap((module) => [`${module}.d.ts`, `${module}.js`])]
  assert.deepEqual(packed.files.map(({ path }) => path).sort(), expected.sort())
  const manifest = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'))
  assert.equal(manifest.dependencies, undefined)
  const cargo = readFileSync(own('../../Cargo.toml'), 'utf8')
  assert.equal(manifest.version, /^version = "(.*)"$/m.exec(cargo)[1])
})

/** A module of the package and what it imports. */
function modules(file, found = new Set()) {
  if (found.has(file)) return found
  found.add(file)
  const text = readFileSync(join(PACKAGE, file), 'utf8')
  for (const [, from] of text.matchAll(/from '(\.[^']*\.js)'/g)) modules(join(dirname(file), from), found)
  return found
}

const gzipped = (file) => gzipSync(readFileSync(join(PACKAGE, file)), { level: 9 }).length

for (const [entry, wasm, most] of [['web.js', 'verifier', 138], ['sd-jwt/web.js', 'sd-jwt', 82]]) {
  test(`${entry}: ${most} KiB with its WebAssembly`, () => {
    const [module, glue] = [gzipped(`wasm/${wasm}.wasm`), gzipped(`wasm/${wasm}.js`)]
    const scripts = [...modules(entry)].map(gzipped).reduce((sum, bytes) => sum + bytes, 0)
    console.log(`${entry}: ${module} bytes of WebAssembly, ${glue} of glue, ${scripts} of JavaScript with it, gzipped`)
    assert(module + glue <= most * 1024)
    assert(scripts < 8.5 * 1024)
  })
}

test('publint and attw have nothing to say', () => {
  const publint = own('node_modules/publint/src/cli.js')
  assert.match(run('node', [publint, '--strict', tarball]), /All good!/)
  const attw = own('node_modules/@arethetypeswrong/cli/dist/index.js')
  run('node', [attw, tarball, '--profile', 'esm-only', '--exclude-entrypoints', 'verifier.wasm', 'sd-jwt.wasm', 'component.wasm'])
})

test('its codes are those of the verifier', async () => {
  const { createVerifier } = await load('node.js')
  const verifier = await createVerifier({ trust: { issuers: [] } })
  const checks = verifier.explain('', { audience: 'a', nonce: 'b', now: new Date() }).map(({ code }) => code)
  const declared = readFileSync(join(PACKAGE, 'error.d.ts'), 'utf8').split('PackageCode')[0].match(/'[a-z.-]+'/g)
  const left_out = ['trust.unsupported', 'status.unsupported']
  assert.deepEqual(declared.map((code) => code.slice(1, -1)).filter((code) => !left_out.includes(code)), checks)
})

test('a fresh project does what the README says', () => {
  const project = join(temporary, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  run('npm', ['install', '--no-audit', '--no-fund', '--offline', '--loglevel=error', tarball], project)
  writeFileSync(join(project, 'shop.js'), readFileSync(own('test/shop.mjs')))
  const [, code] = /```js\n(.*?)```/s.exec(readFileSync(join(PACKAGE, 'README.md'), 'utf8'))
  assert(code.trim().split('\n').length <= 10)
  for (const [name, entry] of [['main', ''], ['inline', '/inline'], ['sd-jwt', '/sd-jwt'], ['component', '/component']]) {
    writeFileSync(join(project, `${name}.js`), code.replace("'@bandpass/verifier'", `'@bandpass/verifier${entry}'`))
    const said = run('node', [`${name}.js`], project)
    assert.match(said, /amount: '35.00'.*Corner Bookshop.* \d{10} account-1\n$/s)
  }
  // Of the files, what is exported can be reached, and nothing else.
  const resolve = `import.meta.resolve ? 0 : 0; for (const name of ['verifier.wasm', 'check.js']) try { console.log(import.meta.resolve('@bandpass/verifier/' + name)) } catch (error) { console.log(error.code) }`
  const [found, hidden] = run('node', ['--input-type=module', '--eval', resolve], project).trim().split('\n')
  assert.equal(fileURLToPath(found), join(project, 'node_modules/@bandpass/verifier/wasm/verifier.wasm'))
  assert.equal(hidden, 'ERR_PACKAGE_PATH_NOT_EXPORTED')
})

test('a module that is somewhere else, or none', async () => {
  const { createVerifier } = await load('sd-jwt/node.js')
  const trust = { issuers: [] }
  for (const wasm of [new URL('none.wasm', import.meta.url), new Uint8Array(8), 'data:,', 1, {}])
    await assert.rejects(createVerifier({ trust, wasm }), { name: 'BandpassError', code: 'verifier.wasm' })
  const bytes = readFileSync(join(PACKAGE, 'wasm/sd-jwt.wasm'))
  const verifier = await createVerifier({ trust, wasm: new WebAssembly.Module(bytes) })
  assert.throws(() => verifier.explain('', { audience: 'a', nonce: 'b', now: new Date() }), { code: 'verifier.unsupported' })
})

test('a module of somebody else', async () => {
  // In a process of its own, for a module is loaded once.
  const script = `
    import { createVerifier } from ${JSON.stringify(pathToFileURL(join(PACKAGE, 'inline.js')))}
    const trust = { issuers: [] }
    for (const wasm of [Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0), undefined])
      await createVerifier({ trust, wasm }).catch(({ code }) => console.log(code))`
  assert.equal(run('node', ['--input-type=module', '--eval', script]), 'verifier.wasm\nverifier.wasm\n')
})

test('its command says what is wrong', () => {
  const project = join(temporary, 'edge')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{"private": true}')
  run('npm', ['install', '--no-audit', '--no-fund', '--offline', '--loglevel=error', tarball], project)
  const section = (name, content) => {
    const body = Buffer.concat([Buffer.from([name.length]), Buffer.from(name + content)])
    return Buffer.concat([Buffer.from([0, body.length]), body])
  }
  const component = (...sections) => Buffer.concat([Buffer.from('0061736d0d000100', 'hex'), ...sections])
  for (const [file, content] of [
    ['other.wasm', component(section('other', ''))],
    ['cut.wasm', component(section('bandpass-parts', '{}')).subarray(0, 12)],
    ['composed.wasm', component(section('other', ''), section('bandpass-parts', '{}'))],
  ]) writeFileSync(join(project, file), content)
  for (const [args, said] of [
    [[], /^bandpass-edge: usage: /],
    [['a.wasm', 'b.wasm'], /^bandpass-edge: usage: /],
    [['--else'], /^bandpass-edge: Unknown option '--else'/],
    [['none.wasm'], /^bandpass-edge: ENOENT/],
    [['other.wasm', '--name', '../x'], /^bandpass-edge: `..\/x` is no name/],
    [['other.wasm'], /^bandpass-edge: this is nothing that `bandpass compose` wrote/],
    [['cut.wasm'], /^bandpass-edge: this is nothing that `bandpass compose` wrote/],
    // Nothing but the package is installed.
    [['composed.wasm'], /^bandpass-edge: needs two more packages: npm install/],
  ]) {
    const { status, stderr, stdout } = spawnSync(join(project, 'node_modules/.bin/bandpass-edge'), args, { cwd: project, encoding: 'utf8' })
    assert.deepEqual([status, stdout], [1, ''])
    assert.match(stderr, said)
  }
})
