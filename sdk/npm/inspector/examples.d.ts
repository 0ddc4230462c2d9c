// What the build puts in their place.

/** The format of `conformance/vectors`, as far as the page uses it. */
interface Vector {
  trust: import('@bandpass/verifier/inline').JsonObject
  status_lists?: string[]
  vp_token: string
  expected: { audience: string[]; nonce: string; now: number; transaction_data?: string[] }
}

declare const EXAMPLES: { [name: string]: Vector }
/** By code, what a check refuses: `docs/errors.md`. */
declare const MEANINGS: { [code: string]: string }
declare const VERSION: string
