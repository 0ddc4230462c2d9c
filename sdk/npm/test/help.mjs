import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

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

/** What the package takes for a vector. */
export function given({ trust, status_lists, vp_token, expected: { audience, nonce, now, dcql, ...rest } }) {
  const at = new Date(now * 1000)
  const requirements = rest.requirements ?? {}
  const require = {}
  const names = { unlocked_within: 'unlockedWithin', distance_mm: 'distanceMm', age_at_least: 'ageAtLeast', same_holder_as: 'sameHolderAs' }
  for (const [name, value] of Object.entries(requirements)) require[names[name] ?? name] = value
  return {
    // One with a dot is a JWT, anything else base64url of a CWT, or nothing that it should be.
    options: { trust, statusLists: (status_lists ?? []).map(statusList), now: at },
    token: vp_token,
    expected: {
      audience, nonce, now: at, dcql, require,
      query: rest.query_id,
      maxAge: rest.max_age,
      clockTolerance: rest.clock_tolerance,
      statusMaxAge: rest.status_max_age,
      transactionData: rest.transaction_data,
    },
  }
}

function statusList(token) {
  const canonical = Buffer.from(token, 'base64url').toString('base64url') === token
  return canonical && !token.includes('.') ? new Uint8Array(Buffer.from(token, 'base64url')) : token
}

/** The verdict on a vector, as the vector has it. */
export async function verdict(createVerifier, one) {
  const { options, token, expected } = given(one)
  try {
    const verifier = await createVerifier(options)
    const { claims, transactions } = verifier.verify(token, expected)
    return { claims, transactions: transactions.map(({ id }) => id ?? null) }
  } catch (error) {
    if (typeof error.code !== 'string' || error.name !== 'BandpassError') throw error
    return { code: error.code }
  }
}

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
