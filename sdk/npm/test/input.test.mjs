// Input of every kind gets a typed error, and after each the verifier still works.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'

import { code, codeOf, given, load, vector } from './help.mjs'

const { createVerifier, createChallenge, decodeTransactionData, inspect, BandpassError } = await load('node.js')
const { options, token, expected } = given(vector('accept/payment'))
const verifier = await createVerifier(options)

const detached = new Uint8Array(8)
structuredClone(detached.buffer, { transfer: [detached.buffer] })
const cycle = {}
cycle.cycle = cycle
const hostile = new Proxy({}, { get: () => assert.fail('hostile'), ownKeys: () => assert.fail('hostile') })
const huge = 'a'.repeat(2 ** 29 - 24)
const lone = 'a\ud800b'

const NOT_TEXT = [undefined, null, true, 0, NaN, 1n, Symbol('a'), () => 'a', [], {}, new Date(), new Uint8Array(4), new String('a')]
const NOT_OBJECT = [undefined, null, true, 0, 1n, Symbol('a'), () => ({}), [], 'a']
const NOT_TIME = [undefined, null, 1_790_000_000, '2026-01-01', new Date(NaN), new Date(-1), {}, Object.create(Date.prototype), hostile, 1n]
const NOT_WHOLE = [null, -1, 1.5, NaN, Infinity, 2 ** 32, '1', 1n, new Number(1), {}, [1]]

/** Refused with this code; then a good token is still accepted. */
function refused(work, ...codes) {
  const found = code(work)
  assert(codes.includes(found), `${found}, not ${codes.join(' or ')}`)
  assert.equal(verifier.verify(token, expected).transactions.length, 1)
}

test('tokens', () => {
  for (const bad of [...NOT_TEXT.filter((bad) => !(bad?.constructor === Object)), hostile, cycle])
    refused(() => verifier.verify(bad, expected), 'verifier.argument', 'token.malformed')
  for (const bad of [null, undefined, 1, []]) refused(() => verifier.verify(bad, expected), 'verifier.argument')
  for (const bad of ['', 'a', lone, '\ud800', '\0', 'é', '{', '{}~', 'a~b~', `${token}\ud800`, token.replace('.', '\udc00')])
    refused(() => verifier.verify(bad, expected), 'token.malformed', 'token.missing')
  for (const bad of [huge, `{"${huge.slice(0, 2 ** 20)}`, '€'.repeat(2 ** 24)])
    refused(() => verifier.verify(bad, expected), 'token.too-large')
  refused(() => verifier.verify({ band: [huge.slice(0, 2 ** 24)] }, { ...expected, query: 'band' }), 'token.too-large')
  refused(() => verifier.verify({ band: [huge, huge] }, { ...expected, query: 'band' }), 'verifier.argument')
  for (const bad of [{ band: [1] }, { band: 1 }, { band: [] }, { band: [lone] }, { [lone]: ['a'] }, { band: [null] }])
    refused(() => verifier.verify(bad, { ...expected, query: 'band' }), 'token.malformed', 'token.missing', 'token.unexpected')
  refused(() => verifier.verify({ band: [1n] }, expected), 'verifier.argument')
  refused(() => verifier.verify({ toJSON: () => undefined }, expected), 'verifier.argument')
  assert.equal(verifier.verify({ band: [token] }, { ...expected, query: 'band' }).issuer, 'https://wallet.example')
  assert.equal(verifier.verify(JSON.stringify({ band: [token] }), { ...expected, query: 'band' }).transactions.length, 1)
})

test('what a token is judged by', () => {
  for (const bad of [...NOT_OBJECT, hostile, cycle, new Date(), { get audience() { throw 1 } }])
    refused(() => verifier.verify(token, bad), 'verifier.argument')
  const wrong = (member, ...values) => {
    for (const value of values) refused(() => verifier.verify(token, { ...expected, [member]: value }), 'verifier.argument')
  }
  wrong('audience', ...NOT_TEXT.filter((bad) => !Array.isArray(bad)), lone, [1], [lone], [null], hostile)
  wrong('nonce', ...NOT_TEXT, lone, hostile)
  wrong('now', ...NOT_TIME)
  for (const member of ['maxAge', 'clockTolerance', 'statusMaxAge']) wrong(member, ...NOT_WHOLE)
  wrong('query', ...NOT_TEXT.slice(1), lone)
  wrong('transactionData', ...NOT_OBJECT.slice(1).filter((bad) => !Array.isArray(bad)), [1], [lone], 'e30', hostile)
  wrong('dcql', ...NOT_OBJECT.slice(1).filter((bad) => typeof bad !== 'string'), lone, cycle, hostile, { a: 1n })
  wrong('require', ...NOT_OBJECT.slice(1), hostile, { holdr: 'required' }, { toString: 'required' })
  wrong('nonse', 'a')
  wrong('nonce', huge)
  wrong('audience', Array.from({ length: 2 ** 20 }, () => 'a'))
  const require = (member, ...values) => {
    for (const value of values)
      refused(() => verifier.verify(token, { ...expected, require: { [member]: value } }), 'verifier.argument')
  }
  for (const member of ['holder', 'status', 'approval', 'worn', 'unlocked', 'confirmed'])
    require(member, null, true, false, 0, '', 'Required', 'by-profile', ['required'], {}, new String('required'))
  for (const member of ['unlockedWithin', 'distanceMm']) require(member, ...NOT_WHOLE)
  require('ageAtLeast', ...NOT_WHOLE, 256)
  require('methods', null, 'face', [1], [lone], {})
  require('claims', null, 'sub', ['sub'], [[-1]], [[1.5]], [[{}]], [[undefined]], [[lone]], [{}])
  require('sameHolderAs', ...NOT_TEXT.slice(1), lone)
  refused(() => verifier.verify(token, { ...expected, dcql: { a: lone } }), 'challenge.malformed')
  refused(() => verifier.verify(token, { ...expected, audience: [] }), 'challenge.malformed')
  refused(() => verifier.verify(token, { ...expected, nonce: '' }), 'challenge.malformed')
  refused(() => verifier.verify(token, { ...expected, transactionData: ['a'] }), 'challenge.malformed')
  // A member that is there without a value is not there.
  assert.equal(verifier.verify(token, { ...expected, dcql: undefined, require: { worn: undefined } }).status, 'valid')
  // What every object inherits is no member.
  const inherits = Object.create({ require: { ageAtLeast: 200 } }, Object.getOwnPropertyDescriptors(expected))
  assert.equal(verifier.verify(token, inherits).status, 'valid')
})

test('explaining takes what verifying takes', () => {
  refused(() => verifier.explain(null, expected), 'verifier.argument')
  refused(() => verifier.explain(token, null), 'verifier.argument')
  refused(() => verifier.explain(token, { ...expected, audience: [] }), 'challenge.malformed')
  const failed = verifier.explain(lone, expected).find(({ outcome }) => outcome === 'failed')
  assert.equal(failed.code, 'token.malformed')
})

test('status lists', async () => {
  const { now, statusLists: [list] } = options
  for (const bad of [...NOT_TEXT.filter((bad) => !(bad instanceof Uint8Array)), new DataView(new ArrayBuffer(4)), new Uint16Array(4), new ArrayBuffer(4), hostile,
    new Proxy(new Uint8Array(4), {}), detached])
    refused(() => verifier.updateStatus(bad, now), 'verifier.argument')
  for (const bad of ['', lone, new Uint8Array(), new Uint8Array(4), Uint8Array.of(0xd2), new Uint8Array(new SharedArrayBuffer(4))])
    refused(() => verifier.updateStatus(bad, now), 'status.malformed')
  for (const bad of [huge, new Uint8Array(2 ** 26).fill(0xd2)]) refused(() => verifier.updateStatus(bad, now), 'status.too-large')
  for (const bad of NOT_TIME) refused(() => verifier.updateStatus(list, bad), 'verifier.argument')
  for (const bad of [null, 'a', {}, [1], hostile]) {
    assert.equal(await codeOf(createVerifier({ ...options, statusLists: bad })), 'verifier.argument')
  }
  assert.equal(await codeOf(createVerifier({ trust: options.trust, statusLists: [list] })), 'verifier.argument')
  // Of another realm.
  const bytes = runInNewContext('Uint8Array').from(Buffer.from(list))
  const at = runInNewContext(`new Date(${now.getTime()})`)
  assert.equal(verifier.updateStatus(bytes, at).uri, 'https://wallet.example/status/1')
  const info = verifier.updateStatus(list, now)
  assert.deepEqual(Object.keys(info).sort(), ['expires', 'issuedAt', 'issuers', 'ttl', 'uri'])
  assert.deepEqual(info.issuers, ['https://wallet.example'])
})

test('trust lists and other options', async () => {
  for (const bad of [...NOT_OBJECT.slice(0, 8), hostile, { trust: options.trust, statuslists: [] }, { trust: hostile }, { trust: cycle }, { trust: { a: 1n } }])
    assert.equal(await codeOf(createVerifier(bad)), 'verifier.argument')
  for (const bad of [undefined, null, 1, [], lone, () => 1, huge]) assert.equal(await codeOf(createVerifier({ trust: bad })), 'verifier.argument')
  for (const bad of ['', '{', '{}', {}, { issuers: 1 }, { issuers: [{}] }, { issuers: [], more: 1 }, new Uint8Array(4), { iss: lone }])
    assert.equal(await codeOf(createVerifier({ trust: bad })), 'trust.malformed')
  assert.equal(await codeOf(createVerifier({ trust: `{"issuers":[${'0,'.repeat(2 ** 22)}0]}` })), 'trust.malformed')
  refused(() => verifier.verify('', expected), 'token.malformed')
})

test('challenges', () => {
  for (const bad of [...NOT_OBJECT, hostile, {}, { audience: [] }, { audience: 1 }, { audience: lone }, { audience: 'a', nonce: 'b' },
    { audience: 'a', transactions: {} }, { audience: 'a', transactions: [1] }, { audience: 'a', transactions: [{}] }, { audience: 'a', dcql: cycle },
    { audience: 'a', transactions: [{ type: 'a', credential_ids: [] }] }, { audience: 'a', transactions: [cycle] }])
    assert.equal(code(() => createChallenge(bad)), 'verifier.argument')
  const made = createChallenge({ audience: ['a', 'b'], dcql: { credentials: [] }, transactions: [{ type: 'é', credential_ids: ['c'], payload: { a: '€' } }] })
  assert.deepEqual(JSON.parse(JSON.stringify(made)), made)
  assert.deepEqual(decodeTransactionData(made.transactionData[0]), { type: 'é', credential_ids: ['c'], payload: { a: '€' } })
  assert.match(made.nonce, /^[\w-]{22}$/)
  assert.notEqual(createChallenge({ audience: 'a' }).nonce, createChallenge({ audience: 'a' }).nonce)
  for (const bad of [...NOT_TEXT, '', 'a', 'e', '=', 'e30=', lone, 'bnVsbA', 'W10', '_w', huge])
    assert.equal(code(() => decodeTransactionData(bad)), 'verifier.argument')
})

test('inspecting verifies nothing', async () => {
  for (const bad of NOT_TEXT) assert.equal(await codeOf(inspect(bad)), 'verifier.argument')
  for (const bad of ['', lone, 'a~']) assert.equal(await codeOf(inspect(bad)), 'token.malformed')
  assert.equal(await codeOf(inspect(huge)), 'token.too-large')
  const tree = await inspect(token)
  assert.equal(tree.verified, false)
  assert.equal(tree.issuerJwt.payload.iss, 'https://wallet.example')
  assert.equal(tree.kbJwt.payload.nonce, expected.nonce)
  assert.equal(tree.approval.header.typ, 'band-approval+jwt')
  assert(tree.disclosures.length > 0)
})

test('a verifier that was freed', async () => {
  const other = await createVerifier(options)
  other[Symbol.dispose]()
  other.free()
  assert.equal(code(() => other.verify(token, expected)), 'verifier.freed')
  assert.equal(code(() => other.updateStatus('', options.now)), 'verifier.freed')
  refused(() => verifier.verify('', expected), 'token.malformed')
})

test('an error says what it is', () => {
  const error = (() => { try { verifier.verify(token, { ...expected, nonce: 'another' }) } catch (error) { return error } })()
  assert(error instanceof BandpassError && error instanceof Error)
  assert.deepEqual(
    [error.name, error.code, error.claim, error.expected, error.actual],
    ['BandpassError', 'holder.nonce', 'nonce', 'another', expected.nonce],
  )
  assert.match(String(error), /^BandpassError: the proof was made for another nonce$/)
})
