//! Limits on what a token may cost before its signature is known to be good.

/// Bytes of a submission (`vp_token`). Sixteen presentations of the greatest size would be more than any wallet sends.
pub const MAX_SUBMISSION_BYTES: usize = 512 * 1024;
/// Bytes of one presentation. A credential with a portrait has some 40 KiB.
pub const MAX_TOKEN_BYTES: usize = 128 * 1024;
/// Presentations in a submission.
pub const MAX_PRESENTATIONS: usize = 16;
/// Disclosures in one presentation. The ARF's largest attestations have fewer than a hundred.
pub const MAX_DISCLOSURES: usize = 512;
/// Depth of JSON, disclosed values at their place included. RFC 9901's deepest example has 7.
pub const MAX_DEPTH: usize = 24;
/// Values in one JSON text of a token. Credentials have some hundred; a parsed one takes up to 400 bytes.
pub const MAX_VALUES: usize = 4_096;
/// Entries of transaction data in a challenge.
pub const MAX_TRANSACTIONS: usize = 16;
/// Keys in an issuer's JWKS, or roots of its certificates. Every fitting one may be tried.
pub const MAX_ISSUER_KEYS: usize = 16;
/// Certificates that a signer may send (`x5c`). Chains in use have one or two below the root.
pub const MAX_CERTIFICATES: usize = 4;
/// Bytes of one of them. Qualified certificates, the largest in use, have some 3,000.
pub const MAX_CERTIFICATE_BYTES: usize = 4_096;
/// Bytes of a status list token.
pub const MAX_STATUS_TOKEN_BYTES: usize = 4 << 20;
/// Bytes of a decompressed status list: eight million credentials at two bits.
pub const MAX_STATUS_LIST_BYTES: usize = 2 << 20;
/// Bytes of all status lists that a verifier holds.
pub const MAX_STATUS_BYTES: usize = 16 << 20;
/// Entries of one CBOR map. COSE headers and CWT claims have fewer than ten.
pub const MAX_CBOR_MEMBERS: u64 = 64;
/// Digests in one namespace of an mdoc, those of elements that are not disclosed included.
pub const MAX_DIGESTS: u64 = 512;
/// Greatest integer that every JSON implementation keeps (RFC 8259, section 6).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;
