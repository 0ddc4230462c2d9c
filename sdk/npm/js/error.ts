/**
 * Stable code of a refusal by the verifier, `stage.reason`: the same in Rust, WIT and on the command line. `docs/errors.md`
 * of the project says what each means.
 */
export type VerifierCode =
  | 'trust.malformed'
  | 'trust.unsupported'
  | 'challenge.malformed'
  | 'token.too-large'
  | 'token.unsupported'
  | 'token.malformed'
  | 'token.status'
  | 'token.missing'
  | 'token.unexpected'
  | 'token.incomplete'
  | 'issuer.algorithm'
  | 'issuer.untrusted'
  | 'issuer.certificate'
  | 'issuer.certificate-name'
  | 'issuer.certificate-usage'
  | 'issuer.certificate-path'
  | 'issuer.not-yet-valid'
  | 'issuer.expired'
  | 'issuer.type'
  | 'issuer.signature'
  | 'disclosure.algorithm'
  | 'disclosure.malformed'
  | 'disclosure.reserved'
  | 'disclosure.digest'
  | 'disclosure.duplicate'
  | 'disclosure.collision'
  | 'disclosure.forbidden'
  | 'disclosure.unreferenced'
  | 'disclosure.mismatch'
  | 'credential.claim'
  | 'credential.type'
  | 'credential.doctype'
  | 'credential.not-yet-valid'
  | 'credential.expired'
  | 'credential.signed'
  | 'holder.missing'
  | 'holder.session'
  | 'holder.algorithm'
  | 'holder.type'
  | 'holder.unbound'
  | 'holder.reader-key'
  | 'holder.signature'
  | 'holder.unauthorized'
  | 'holder.claim'
  | 'holder.nonce'
  | 'holder.audience'
  | 'holder.stale'
  | 'holder.future'
  | 'holder.hash'
  | 'holder.key'
  | 'transaction.algorithm'
  | 'transaction.mismatch'
  | 'transaction.missing'
  | 'transaction.unexpected'
  | 'status.unsupported'
  | 'status.malformed'
  | 'status.too-large'
  | 'status.algorithm'
  | 'status.type'
  | 'status.untrusted'
  | 'status.signature'
  | 'status.future'
  | 'status.rollback'
  | 'status.unreferenced'
  | 'status.missing'
  | 'status.stale'
  | 'status.index'
  | 'status.revoked'
  | 'status.suspended'
  | 'status.unknown'
  | 'approval.malformed'
  | 'approval.type'
  | 'approval.phone'
  | 'approval.self'
  | 'approval.signature'
  | 'approval.audience'
  | 'approval.nonce'
  | 'approval.session'
  | 'approval.band'
  | 'approval.transaction'
  | 'approval.stale'
  | 'approval.future'
  | 'approval.missing'
  | 'approval.method'
  | 'evidence.missing'
  | 'evidence.malformed'
  | 'evidence.future'
  | 'evidence.unattested'
  | 'evidence.not-worn'
  | 'evidence.locked'
  | 'evidence.unlock-stale'
  | 'evidence.unconfirmed'
  | 'evidence.distance'
  | 'claims.format'
  | 'claims.type'
  | 'claims.authority'
  | 'claims.malformed'
  | 'claims.missing'
  | 'claims.mismatch'
  | 'claims.age'
  | 'claims.incomplete'

/** Stable code of a refusal by the package itself. */
export type PackageCode =
  /** The caller's mistake: an argument of the wrong type, or a member that is not known. `claim` names it. */
  | 'verifier.argument'
  /** The WebAssembly module could not be loaded; `cause` says why. */
  | 'verifier.wasm'
  /** The WebAssembly module trapped. Nothing was decided; the next call gets a fresh instance, trust and status kept. */
  | 'verifier.trap'
  /** The verifier was freed. */
  | 'verifier.freed'
  /** This build leaves it out. */
  | 'verifier.unsupported'

/** Stable code of what a composed policy did wrong (`@bandpass/verifier/policy`): the same in the project's host. */
export type PolicyCode =
  /** It refuses its settings. */
  | 'plugin.settings'
  /** It says that it can't decide. */
  | 'plugin.error'
  /** It trapped. Nothing was decided; the next call gets a fresh instance, trust and status kept. */
  | 'plugin.trap'
  /** It flooded the log. */
  | 'plugin.log'
  /** What it returned is malformed, or too much. */
  | 'plugin.result'
  /** It allowed with a proof of another token. */
  | 'plugin.foreign-handle'

/** Stable code of a refusal. Branch on this and on nothing else. */
export type Code = VerifierCode | PackageCode | PolicyCode

/** What a refusal says beside code and message. */
export interface Details {
  claim?: string
  expected?: string
  actual?: string
  cause?: unknown
}

/** A refusal as the verifier says it. */
export interface Failure extends Details {
  code: Code
  message: string
}

/** Why something was refused: the first check that failed. */
export class BandpassError extends Error {
  override readonly name = 'BandpassError'
  /** Stable code, such as `holder.nonce`. Branch on this and on nothing else. */
  readonly code: Code
  /** The claim, path or argument that the refusal is about, such as `cnf.jwk`. */
  readonly claim?: string
  /** What was asked for, where that helps. */
  readonly expected?: string
  /** What was found, escaped and cut to a readable length. */
  readonly actual?: string

  /** `message`: one sentence for people. Its wording may change. */
  constructor(code: Code, message: string, { claim, expected, actual, cause }: Details = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    if (claim !== undefined) this.claim = claim
    if (expected !== undefined) this.expected = expected
    if (actual !== undefined) this.actual = actual
  }
}
