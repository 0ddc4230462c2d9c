import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export { given, verdict } from '../conformance/answer.mjs'

/** Where the package is that was built. */
export const PACKAGE = process.env['BANDPASS_PACKAGE'] ?? fileURLToPath(new URL('../../../target/dist/npm', import.meta.url))

/** A module of the package. */
export const load = (file) => import(pathToFileURL(join(PACKAGE, file)).href)

const folder = new URL('../../../conformance/vectors/', import.meta.url)

const files = readdirSync(folder).sort().map((file) => readFileSync(new URL(file, folder), 'utf8'))

/** Numbers that JavaScript would round, as strings. */
const marked = (json) => json.replace(/(?<=: |^\s*)(\d{16,})(?=,?$)/gm, '"#$1"')

/** The conformance vectors; `dcql` is the text of what was sent. */
export const vectors = files.flatMap((file) => {
  const exact = JSON.parse(marked(file)).vectors
  return JSON.parse(file).vectors.map((vector, place) => {
    const { dcql } = exact[place].expected
    if (dcql === undefined) return vector
    return { ...vector, expected: { ...vector.expected, dcql: JSON.stringify(dcql).replaceAll(/"#(\d+)"/g, '$1') } }
  })
})

export const vector = (name) => vectors.find((one) => one.name === name) ?? assert.fail(name)

/** The code with which something is refused. */
export function code(work) {
  try {
    work()
  } catch (error) {
    assert.equal(error.name, 'BandpassError', error)
    return error.code
  }
  return 'accepted'
}

export async function codeOf(promise) {
  try {
    await promise
  } catch (error) {
    return code(() => {
      throw error
    })
  }
  return 'accepted'
}
