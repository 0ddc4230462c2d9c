// What `bandpass compose` and this package's command make of a policy: node edge.mjs FOLDER PLUGIN.., each under its name.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const own = (path) => fileURLToPath(new URL(path, import.meta.url))
const target = process.env['BANDPASS_TARGET'] ?? own('../../../target')

/** Makes `NAME.js` and its modules in a folder, in a project that has the package and what its command needs. */
export async function edge(plugin, folder, name = basename(plugin, '.wasm')) {
  const project = await mkdtemp(join(tmpdir(), 'bandpass-edge-'))
  try {
    await cp(join(target, 'dist/npm'), join(project, 'package'), { recursive: true })
    await symlink(own('../node_modules'), join(project, 'node_modules'))
    const composed = join(project, `${name}.wasm`)
    await run(join(target, 'release/bandpass'), ['compose', plugin, '--output', composed])
    const { stdout } = await run('node', [join(project, 'package/bandpass-edge.js'), composed, '--out-dir', folder])
    return stdout
  } finally {
    await rm(project, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, ...plugins] = process.argv.slice(2)
  for (const plugin of plugins) process.stdout.write(await edge(plugin, folder))
}
