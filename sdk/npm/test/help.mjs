import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { exact } from '../conformance/exact.mjs'

export { given, verdict } from '../conformance/answer.mjs'

/** Where the package is that was built. */
export const PACKAGE = process.env['BANDPASS_PACKAGE'] ?? fileURLToPath(new URL('../../../target/dist/npm', import.meta.url))

/** A module of the package. */
export const load = (file) => import(pathToFileURL(join(PACKAGE, file)).href)

const folder = new URL('../../../conformance/vectors/', import.meta.url)

/** The conformance vectors; `dcql` is the text of what was sent. */
export const vectors = readdirSync(folder).sort().flatMap((file) => {
  const text = readFileSync(new URL(file, folder), 'utf8')
  return exact(text.slice(text.indexOf('['), text.lastIndexOf(']') + 1))
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
