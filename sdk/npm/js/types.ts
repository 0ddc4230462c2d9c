/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** A JSON object. */
export type JsonObject = { [name: string]: Json }

/** Whether something is asked for. Left out, it is asked for as the band profile says. */
export type Demand =
  /** Refuse without it. */
  | 'required'
  /** Accept without it. Weakens the verdict; what is present is checked all the same. */
  | 'not-required'

/**
 * Claims path pointer (OpenID4VP 1.0, section 7): a member by its name, an element of an array by its place, counted from
 * zero, or with `null` every element.
 */
export type ClaimPath = (string | number | null)[]

/** What is asked for on top of the checks that the standards make mandatory. Those always run. */
export interface Requirements {
  /**
   * Key binding by the holder (RFC 9901, section 7.3). `not-required` accepts a credential that anyone could have copied,
   * and is refused for band credentials.
   */
  holder?: Demand
  /**
   * The credential's status, from a list that the verifier holds and that is not too old (Token Status List, section 8.3).
   * By profile it is asked for wherever the credential names a status list. `not-required` accepts credentials that may
   * have been revoked.
   */
  status?: Demand
  /** The paired phone's approval of this transaction (band profile, Approval). By profile payments ask for it. */
  approval?: Demand
  /** Authentication methods that the approval must name, all of them (RFC 8176: `face`, `fpt`, `pin`). Any asks for it. */
  methods?: string[]
  /** The band was on the wrist when it signed (band profile, Proof). By profile payments ask for it. */
  worn?: Demand
  /** The band was unlocked, on the wrist, when it signed (band profile, Proof). By profile payments ask for it. */
  unlocked?: Demand
  /** Greatest age of that unlock in seconds. Bands round it down to the minute. Asks for unlocked. */
  unlockedWithin?: number
  /** The wearer acted on the band after the challenge arrived (band profile, Proof). */
  confirmed?: Demand
  /** Greatest distance between band and reader in millimetres. Only proximity can prove one. */
  distanceMm?: number
  /** Claims that must have been disclosed, each by its path (OpenID4VP 1.0, section 7). */
  claims?: ClaimPath[]
  /** The holder has at least that many full years, by `birthdate` or `age_equal_or_over` (band profile, Credential). */
  ageAtLeast?: number
  /** The presentation of this query must prove the same holder key (band profile, Access and tickets). */
  sameHolderAs?: string
}

/** What a relying party handed out: plain data, to be kept on the server until the answer comes. */
export interface Challenge {
  /**
   * What the proof's `aud` may be, any one of them (RFC 9901, section 7.3): the full `client_id` with its prefix, or
   * `origin:` and an origin (OpenID4VP 1.0, sections 5.9 and B.3.6).
   */
  audience: string | string[]
  /** The nonce (RFC 9901, section 7.3): at least 128 random bits, used once. */
  nonce: string
  /** The DCQL query that was sent (OpenID4VP 1.0, section 6), or its text. Every answer must be one that it asks for. */
  dcql?: object | string
  /** Transaction data as sent: base64url strings of JSON (OpenID4VP 1.0, section 8.4). */
  transactionData?: string[]
}

/**
 * What an answer is bound to, in either format (band profile, Challenge): audience and nonce of an SD-JWT's proof follow
 * from it, and the `SessionTranscript` of an mdoc's.
 */
export type Binding =
  /**
   * A request by redirect (OpenID4VP 1.0, appendix B.2.6.1): the full `client_id`, and `response_uri`, or `redirect_uri` where
   * the response goes there. `jwkThumbprint`: RFC 7638 thumbprint of the key that the response was encrypted to, if it was.
   */
  | { type: 'openid4vp'; clientId: string; nonce: string; responseUri: string; jwkThumbprint?: string }
  /** A request by the Digital Credentials API (appendix B.2.6.2). */
  | { type: 'dc-api'; origin: string; nonce: string; jwkThumbprint?: string }
  /**
   * A proximity session (ISO/IEC 18013-5, section 9.1.5.1): `SessionTranscriptBytes`, tagged, and the reader's private key for
   * it (32 bytes), without which no proof can be a MAC. In proximity there are only mdocs.
   */
  | { type: 'proximity'; sessionTranscript: Uint8Array; readerKey?: Uint8Array }

/** A challenge that an mdoc can answer, or an SD-JWT. */
export interface BoundChallenge extends Omit<Challenge, 'audience' | 'nonce'> {
  /** What the answer is bound to. */
  binding: Binding
  /** The distance in millimetres that the reader measured itself, bound to the proximity session. It decides. */
  measuredDistanceMm?: number
}

/** What a token is judged by: what was handed out, and the rest. */
export type Expected = (Challenge | BoundChallenge) & Judgement

/** How a token is judged. */
export interface Judgement {
  /** The time at which it is judged. */
  now: Date
  /** Of a `vp_token`, the query whose presentation is verified (OpenID4VP 1.0, section 8.1). */
  query?: string
  /** Greatest age of the proof in seconds (RFC 9901, section 7.3); 300 unless given. */
  maxAge?: number
  /** By how many seconds clocks may differ (RFC 7519, section 4.1.4); 60 unless given. */
  clockTolerance?: number
  /** Greatest age of a status list in seconds (band profile, Status); 900 unless given. */
  statusMaxAge?: number
  /** What is asked for on top. */
  require?: Requirements
}

/**
 * What a wallet sent: a presentation (a compact SD-JWT, or the bytes of a `DeviceResponse` or base64url of them), or an
 * OpenID4VP `vp_token` (section 8.1), which has for the id of each query its presentations; it may be text or an object.
 */
export type Token = string | Uint8Array | { [query: string]: string[] }

/** What verifying proved. Times are seconds since 1970. */
export interface Verified<Claims = JsonObject> {
  /** `iss` of the credential, or what stands for it in the trust list where its certificate names the issuer. */
  issuer: string
  /** `vct` (SD-JWT VC, section 2.2.2.1), or `docType`; not there for a plain SD-JWT without one. */
  credentialType?: string
  /** `sub`, if it was disclosed. It links what one person does at different relying parties. */
  subject?: string
  /**
   * The disclosed claims: the processed payload (RFC 9901, section 7.1). Of an mdoc the elements of the namespace that is called
   * as its type, and for every other an object. Integers beyond 2^53 are rounded.
   */
  claims: Claims
  /** Transactions that the holder agreed to, in the order in which they were sent (OpenID4VP 1.0, section 8.4). */
  transactions: Transaction[]
  /** What the band's proof says of the moment (band profile, Proof); only band credentials have it. */
  evidence?: Evidence
  /** RFC 7638 thumbprint of the holder's key; not there if no proof was required and none came. */
  keyThumbprint?: string
  /** `exp` of the credential. */
  expires?: number
  /** Whether the credential's status was looked up (Token Status List, section 8.3). */
  status: 'not-referenced' | 'not-checked' | 'valid'
}

/** A transaction that the holder agreed to. */
export interface Transaction {
  /** Its `type`, such as `urn:bandpass:payment:1`. */
  type: string
  /** Its `transaction_id`, where the type has one. */
  id?: string
  /** Typed content of a payment. */
  payment?: Payment
  /** Its `payload`. */
  payload: JsonObject
}

/** A payment that the holder agreed to. */
export interface Payment {
  /** Decimal digits with an optional fraction, such as `35.00`. Not a number, which would be the binary one next to it. */
  amount: string
  /** ISO 4217 code. */
  currency: string
  /** Who is paid: the name shown to the payer, and a stable identifier. */
  payee: { name: string; id: string }
}

/** What a band says of the moment at which it signed. A measure is there only if the issuer attested that it is sensed. */
export interface Evidence {
  /** When it signed. */
  signedAt: number
  /** On the wrist without a break since then; rounded down to the minute. */
  wornSince?: number
  /** Unlocked at; rounded down to the minute. */
  unlockedAt?: number
  /** The wearer acted on the band after the challenge arrived. */
  confirmed: boolean
  /** Distance to the reader in millimetres, bound to the proximity session: the reader's own measure if there is one. */
  distanceMm?: number
  /** Signature counter of the band's key. It was compared with nothing: keep it and see that it grows. */
  counter: number
  /** The paired phone's approval: when it was signed, and by which methods the owner was authenticated (RFC 8176). */
  approval?: { signedAt: number; methods: string[] }
  /** Epoch of the pairing between band and phone. */
  pairingEpoch: number
}

/** What a status list token says of itself (Token Status List, section 5). Times are seconds since 1970. */
export interface StatusListInfo {
  /** `sub`: where it is published. */
  uri: string
  /** `iat`. */
  issuedAt: number
  /** `exp`: of no use from then on. */
  expires?: number
  /** `ttl`: seconds after which to fetch it anew. */
  ttl?: number
  /** Who signed it: their credentials' status is read from it, and nobody else's. Their next list with this `uri` takes its place. */
  issuers: string[]
}

/** A check and what came of it. */
export interface Check {
  /** The code of its failure. */
  code: import('./error.js').VerifierCode
  /** The standard and section that decide it. */
  section: string
  /** What came of it. */
  outcome: 'passed' | 'failed' | 'not-reached' | 'not-applicable'
}

/** A presentation taken apart. Nothing in it is verified. */
export interface Inspection {
  verified: false
  issuerJwt: DecodedJws
  disclosures: Disclosure[]
  /** The holder's proof. */
  kbJwt?: DecodedJws
  /** The paired phone's approval. */
  approval?: DecodedJws
}

/** A JWS taken apart. */
export interface DecodedJws {
  header: JsonObject
  payload: JsonObject
}

/** A disclosure with its digest (RFC 9901, section 4.2): of a claim, of an element of an array, or of neither. */
export type Disclosure =
  | { digest: string; name: Json; value: Json }
  | { digest: string; element: Json }
  | { digest: string; malformed: string }
