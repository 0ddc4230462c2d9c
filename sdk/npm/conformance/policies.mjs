// Composed policies in Node: node --import wasm-modules.mjs policies.mjs FOLDER NAME.., with what `bandpass-edge` made.
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import { print, vectors } from './lines.mjs'
import { ruling } from './policy.mjs'

const [folder, ...names] = process.argv.slice(2)
const policies = {}
for (const name of names) policies[name] = (await import(pathToFileURL(join(resolve(folder), `${name}.js`)).href)).createPolicy
print(`composed, Node ${process.version}`, (await vectors()).map((vector) => ruling(policies, vector)))
