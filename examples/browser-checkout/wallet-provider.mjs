// The wallet provider: issues a credential to a band, and publishes which bands are lost. In the world it is nobody that a
// shop runs; here it shares the shop's server.
import { digest, generateSalt } from '@sd-jwt/crypto-nodejs'
import { StatusList } from '@sd-jwt/jwt-status-list'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { randomUUID, sign } from 'node:crypto'

const DAY = 86_400
const PLACES = 4_096
/** Statuses of a band (band profile). */
const [VALID, LOST] = [0, 2]

export class WalletProvider {
  #iss
  #key
  #jwk
  #statuses = new Array(PLACES).fill(VALID)
  /** Places in the status list, by the thumbprints of bands' keys. */
  #places = new Map()

  static async create(iss) {
    const provider = new WalletProvider()
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const jwk = await exportJWK(publicKey)
    provider.#iss = iss
    provider.#key = privateKey
    provider.#jwk = { ...jwk, kid: await calculateJwkThumbprint(jwk) }
    return provider
  }

  get #listUri() {
    return `${this.#iss}/status/1`
  }

  /** What a host needs to trust it. */
  trustEntry() {
    return { iss: this.#iss, vct: ['urn:bandpass:band:1'], status_uris: [this.#listUri], jwks: { keys: [this.#jwk] } }
  }

  /** A credential for a band's key (JWK), paired with the phone of this thumbprint (RFC 7638). */
  async issue(band, phone) {
    const { kty, crv, x, y } = band
    const jwk = { kty, crv, x, y }
    const place = this.#places.size
    if (place >= PLACES) throw new Error('the status list is full')
    this.#places.set(await calculateJwkThumbprint(jwk), place)
    const issuer = new SDJwtVcInstance({
      hasher: digest,
      saltGenerator: generateSalt,
      signAlg: 'ES256',
      signer: async (data) => sign('sha256', Buffer.from(data), { key: this.#key, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
    })
    // Whole days, so that it doesn't tell which band it is.
    const today = Math.floor(Date.now() / 1000 / DAY) * DAY
    const claims = {
      iss: this.#iss,
      iat: today,
      exp: today + 14 * DAY,
      vct: 'urn:bandpass:band:1',
      cnf: { jwk },
      status: { status_list: { idx: place, uri: this.#listUri } },
      pairing: { jkt: phone, epoch: 1 },
      band_measures: ['wear', 'unlock', 'confirm'],
      sub: randomUUID(),
      given_name: 'Lin',
    }
    const credential = await issuer.issue(claims, { _sd: ['sub', 'given_name'] }, { header: { kid: this.#jwk.kid } })
    return { credential }
  }

  /** Reports a band lost, or found. */
  setLost(thumbprint, lost) {
    const place = this.#places.get(thumbprint)
    if (place === undefined) throw new Error('there is no such band')
    this.#statuses[place] = lost ? LOST : VALID
  }

  /** The status list, signed now (Token Status List). */
  statusList() {
    const now = Math.floor(Date.now() / 1000)
    const status_list = { bits: 2, lst: new StatusList(this.#statuses, 2).compressStatusList() }
    return new SignJWT({ sub: this.#listUri, iat: now, exp: now + 3_600, ttl: 300, status_list })
      .setProtectedHeader({ alg: 'ES256', typ: 'statuslist+jwt', kid: this.#jwk.kid })
      .sign(this.#key)
  }
}
