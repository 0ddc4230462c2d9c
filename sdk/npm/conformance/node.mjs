// The vectors in Node or Deno: node node.mjs ENTRY, a file of the built package such as `node.js`.
import process from 'node:process'

import { answers } from './answer.mjs'
import { print, vectors } from './lines.mjs'

const entry = process.argv[2]
const verifier = await import(new URL(`../../../target/dist/npm/${entry}`, import.meta.url))
const runtime = process.versions.deno === undefined ? `Node ${process.version}` : `Deno ${process.versions.deno}`
print(`${entry}, ${runtime}`, await answers(verifier, await vectors()))
