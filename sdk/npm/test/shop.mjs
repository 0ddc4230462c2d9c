// A shop, an issuer, and a wallet with a band and its phone, whose keys are made anew.
import { deflateSync } from 'node:zlib'

const { subtle } = globalThis.crypto
const base64url = (bytes) => Buffer.from(bytes).toString('base64url')
const encode = (value) => base64url(JSON.stringify(value))
const digest = async (text) => base64url(await subtle.digest('SHA-256', new TextEncoder().encode(text)))
const random = () => base64url(crypto.getRandomValues(new Uint8Array(16)))
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

async function party() {
  const { privateKey, publicKey } = await subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const { kty, crv, x, y } = await subtle.exportKey('jwk', publicKey)
  return {
    jwk: { kty, crv, x, y },
    thumbprint: await digest(JSON.stringify({ crv, kty, x, y })),
    async sign(header, payload) {
      const signed = `${encode({ alg: 'ES256', ...header })}.${encode(payload)}`
      return `${signed}.${base64url(await subtle.sign(algorithm, privateKey, Buffer.from(signed)))}`
    },
  }
}

const [issuer, band, phone] = [await party(), await party(), await party()]
const iss = 'https://wallet.example'
const uri = `${iss}/status/1`
const now = () => Math.floor(Date.now() / 1000)
const day = Math.floor(now() / 86_400) * 86_400

export const trust = { issuers: [{ iss, jwks: { keys: [issuer.jwk] }, vct: ['urn:bandpass:band:1'] }] }

export const statusList = await issuer.sign(
  { typ: 'statuslist+jwt' },
  { sub: uri, iat: now(), exp: now() + 600, ttl: 300, status_list: { bits: 2, lst: base64url(deflateSync(new Uint8Array(64))) } },
)

export const order = {
  type: 'urn:bandpass:payment:1',
  credential_ids: ['band'],
  payload: { transaction_id: 'order-1', amount: '35.00', currency: 'CNY', payee: { name: 'Corner Bookshop', id: 'merchant-7' } },
}

const disclosure = encode([random(), 'sub', 'account-1'])
const credential = await issuer.sign(
  { typ: 'dc+sd-jwt' },
  {
    iss, iat: day, exp: day + 7 * 86_400, vct: 'urn:bandpass:band:1', cnf: { jwk: band.jwk },
    status: { status_list: { idx: 7, uri } }, pairing: { jkt: phone.thumbprint, epoch: 1 },
    band_measures: ['wear', 'unlock', 'confirm'], _sd: [await digest(disclosure)], _sd_alg: 'sha-256',
  },
)

let counter = 0

/** What the band answers to a challenge. */
export async function wallet({ audience, nonce, transactionData }) {
  counter += 1
  const said = {
    aud: audience, nonce, iat: now(), transaction_data_hashes: await Promise.all(transactionData.map(digest)),
    transaction_data_hashes_alg: 'sha-256',
  }
  const approval = await phone.sign(
    { typ: 'band-approval+jwt', jwk: phone.jwk },
    { ...said, jti: random(), band_jkt: band.thumbprint, amr: ['face'] },
  )
  const presented = `${credential}~${disclosure}~`
  const minute = Math.floor(now() / 60) * 60 - 60
  const proof = await band.sign(
    { typ: 'kb+jwt' },
    { ...said, jti: random(), sd_hash: await digest(presented), approval, band: { counter, worn_since: minute, unlocked_at: minute } },
  )
  return presented + proof
}
