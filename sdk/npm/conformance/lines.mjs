// Vectors from standard input, a line each; the verifier's name and its answers to standard output.
import process from 'node:process'
import { text } from 'node:stream/consumers'

import { exact } from './exact.mjs'

export async function vectors() {
  const lines = (await text(process.stdin)).split('\n').filter((line) => line !== '')
  return exact(`[${lines}]`)
}

export function print(verifier, answers) {
  process.stdout.write([{ verifier }, ...answers].map((line) => `${JSON.stringify(line)}\n`).join(''))
}
