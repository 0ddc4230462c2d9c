// A band and a phone, simulated. Their keys are WebCrypto's and never leave it; what they sign is what real ones sign.
import { CompactEncrypt, SignJWT, base64url, calculateJwkThumbprint, exportJWK, importJWK } from './jose/index.js'

const seconds = () => Math.floor(Date.now() / 1000)
const minute = (time) => Math.floor(time / 60) * 60
const bytes = (text) => new TextEncoder().encode(text)

const sha256 = async (text) => base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes(text))))

/** JSON in base64url, as in disclosures and transaction data. */
export const decoded = (encoded) => JSON.parse(new TextDecoder().decode(base64url.decode(encoded)))

async function newKey() {
  // The public part of a pair can be had all the same.
  const { publicKey, privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
  const { kty, crv, x, y } = await exportJWK(publicKey)
  const jwk = { kty, crv, x, y }
  return { privateKey, jwk, thumbprint: await calculateJwkThumbprint(jwk) }
}

export class Wallet {
  #band
  #phone
  #credential
  #counter = 0
  /** What the band senses. Times in seconds since 1970; none while it is off, or locked. */
  wornSince
  unlockedAt

  /** A band and a phone, paired, with a credential of the wallet provider's. `issue` gets it. */
  static async create(issue) {
    const wallet = new Wallet()
    wallet.#band = await newKey()
    wallet.#phone = await newKey()
    wallet.#credential = await issue(wallet.#band.jwk, wallet.#phone.thumbprint)
    wallet.putOn()
    wallet.unlock()
    return wallet
  }

  /** The band's thumbprint, by which it is reported lost. */
  get band() {
    return this.#band.thumbprint
  }

  putOn() {
    this.wornSince = seconds()
    this.unlockedAt = undefined
  }

  /** The band senses it, and locks. */
  takeOff() {
    this.wornSince = this.unlockedAt = undefined
  }

  unlock() {
    if (this.wornSince !== undefined) this.unlockedAt = seconds()
  }

  lock() {
    this.unlockedAt = undefined
  }

  /** Answers a request of the Digital Credentials API (OpenID4VP 1.0, appendix A), for the origin that asked. `amr`: how the
   * phone made sure of its owner (RFC 8176); none if there is no phone. */
  async answer({ data }, origin, amr) {
    const transactionData = data.transaction_data ?? []
    const claims = {
      iat: seconds(),
      aud: `origin:${origin}`,
      nonce: data.nonce,
      jti: crypto.randomUUID(),
      transaction_data_hashes: await Promise.all(transactionData.map(sha256)),
      transaction_data_hashes_alg: 'sha-256',
    }
    const approval = amr && (await this.#approve(claims, amr))
    const [query] = data.dcql_query.credentials
    const presented = this.#disclosing(query.claims.map(({ path }) => path[0]))
    this.#counter += 1
    const evidence = {
      counter: this.#counter,
      ...(this.wornSince !== undefined && { worn_since: minute(this.wornSince) }),
      ...(this.unlockedAt !== undefined && { unlocked_at: minute(this.unlockedAt) }),
    }
    const proof = await new SignJWT({ ...claims, sd_hash: await sha256(presented), band: evidence, ...(approval && { approval }) })
      .setProtectedHeader({ alg: 'ES256', typ: 'kb+jwt' })
      .sign(this.#band.privateKey)
    const response = { vp_token: { [query.id]: [presented + proof] } }
    return data.response_mode === 'dc_api' ? response : this.#encrypt(response, data.client_metadata)
  }

  #approve(claims, amr) {
    const { jwk, privateKey } = this.#phone
    return new SignJWT({ ...claims, jti: crypto.randomUUID(), band_jkt: this.#band.thumbprint, amr: [amr] })
      .setProtectedHeader({ alg: 'ES256', typ: 'band-approval+jwt', jwk })
      .sign(privateKey)
  }

  /** The credential with those of its claims that were asked for. */
  #disclosing(names) {
    const [signed, ...disclosures] = this.#credential.split('~')
    return [signed, ...disclosures.filter((disclosure) => disclosure && names.includes(decoded(disclosure)[1])), ''].join('~')
  }

  /** For the host alone, as `dc_api.jwt` asks. */
  async #encrypt(response, { jwks, encrypted_response_enc_values_supported: [enc] }) {
    const [jwk] = jwks.keys
    const jwe = new CompactEncrypt(bytes(JSON.stringify(response))).setProtectedHeader({ alg: 'ECDH-ES', enc, kid: jwk.kid })
    return { response: await jwe.encrypt(await importJWK(jwk, 'ECDH-ES')) }
  }
}
