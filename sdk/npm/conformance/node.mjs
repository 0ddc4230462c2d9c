// The vectors in Node: node node.mjs ENTRY, a file of the built package such as `node.js`.
import { answers } from './answer.mjs'
import { print, vectors } from './lines.mjs'

const entry = process.argv[2]
const verifier = await import(new URL(`../../../target/dist/npm/${entry}`, import.meta.url))
print(`${entry}, Node ${process.version}`, await answers(verifier, await vectors()))
