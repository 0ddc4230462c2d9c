// Puts a worker together for workerd: node build.mjs FOLDER [MAIN]. FOLDER has what `bandpass-edge` made of `policy.wasm`;
// MAIN is `worker.js`, or `replayable.js` for the one without a store.
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [folder, main = 'worker.js'] = process.argv.slice(2)
const own = (path) => fileURLToPath(new URL(path, import.meta.url))

for (const file of await readdir(own('src'))) await copyFile(own(`src/${file}`), join(folder, file))
await copyFile(own('cache.js'), join(folder, 'cache.js'))
await mkdir(join(folder, 'store'), { recursive: true })

const kinds = { '.js': 'esModule', '.wasm': 'wasm' }
const files = (await readdir(folder)).filter((file) => (file.startsWith('policy.') && file !== 'policy.wasm' && extname(file) in kinds) || ['checkout.js', 'seal.js', 'source.js'].includes(file))
const modules = [main, ...files].map((file) => `(name = "${file}", ${kinds[extname(file)]} = embed "${file}")`)
const config = (await readFile(own('config.capnp'), 'utf8')).replace('MODULES', modules.join(', '))
// Without its class there is no namespace.
const needed = main === 'worker.js' ? config : config.split('\n').filter((line) => !/durableObject/.test(line)).join('\n')
await writeFile(join(folder, 'config.capnp'), needed)
