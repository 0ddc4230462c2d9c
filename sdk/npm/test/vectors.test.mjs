// The conformance vectors, where it is not verdicts alone: those are compared in every runtime by conformance/tests.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'

import { given, load, vector, vectors, verdict } from './help.mjs'

const LISTED = new URL('sd-jwt.json', import.meta.url)

test('sd-jwt/node.js: every vector gets its verdict, or is refused for what this build leaves out', async () => {
  assert(vectors.length > 400)
  const { createVerifier } = await load('sd-jwt/node.js')
  // By the code that comes in place of the vector's verdict, or `accepted`.
  const found = {}
  for (const vector of vectors) {
    const one = await verdict(createVerifier, vector)
    if (!isDeepStrictEqual(one, vector.result)) (found[one.code ?? 'accepted'] ??= []).push(vector.name)
  }
  if (process.env['UPDATE_DOCS']) writeFileSync(LISTED, `${JSON.stringify(found, undefined, 2)}\n`)
  assert.deepEqual(found, JSON.parse(readFileSync(LISTED, 'utf8')))
  assert.deepEqual(Object.keys(found).sort(), ['challenge.malformed', 'status.unsupported', 'trust.unsupported'])
  const isCwt = (list) => list instanceof Uint8Array && list[0] >= 0xc0
  for (const name of found['trust.unsupported']) assert(vector(name).trust.issuers.some((issuer) => 'x5c_roots' in issuer), name)
  // It knows no bindings, and so no session that an mdoc could be of.
  for (const name of found['challenge.malformed']) assert(vector(name).expected.binding, name)
  for (const name of found['status.unsupported']) assert(given(vector(name)).options.statusLists.some(isCwt), name)
  console.log(`sd-jwt/node.js: ${vectors.length} vectors, ${Object.values(found).flat().length} of them unsupported`)
})

test('explaining comes to the same verdict', async () => {
  const { createVerifier } = await load('node.js')
  for (const vector of vectors) {
    const { options, token, expected } = given(vector)
    const verifier = await createVerifier(options).catch(() => undefined)
    if (!verifier) continue
    let checks
    try {
      checks = verifier.explain(token, expected)
    } catch (error) {
      assert.equal(error.code, 'challenge.malformed')
      assert.equal(vector.result.code, 'challenge.malformed')
      continue
    }
    const failed = checks.filter(({ outcome }) => outcome === 'failed').map(({ code }) => code)
    assert.deepEqual(failed, 'code' in vector.result ? [vector.result.code] : [], vector.name)
    assert(checks.every(({ section }) => section.length > 0))
  }
})
