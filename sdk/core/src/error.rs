//! What refusals look like: a stable code, and what helps to find the cause.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// Makes an enum `Code` of stable codes with their meanings; the host has codes of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $(#[cfg($($cfg:tt)+)])? $variant:ident = $code:literal $(in $section:literal)?,)+) => {
        /// Stable code of a refusal, `stage.reason`: the same in Rust, WIT, JavaScript and on the command line.
        ///
        /// The codes stand in the order in which the checks run.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $doc])+ $(#[cfg($($cfg)+)])? $variant,)+
        }

        impl Code {
            /// Every code, in the order of the checks.
            pub const ALL: &[Self] = &[$($(#[cfg($($cfg)+)])? Self::$variant),+];

            /// The code as it is written, such as `holder.nonce`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($(#[cfg($($cfg)+)])? Self::$variant => $code,)+
                }
            }

            /// The same with a zero behind it, for C.
            #[must_use]
            pub const fn as_c_str(self) -> &'static ::core::ffi::CStr {
                let text = match self {
                    $($(#[cfg($($cfg)+)])? Self::$variant => concat!($code, "\0"),)+
                };
                match ::core::ffi::CStr::from_bytes_with_nul(text.as_bytes()) {
                    Ok(text) => text,
                    Err(_) => c"",
                }
            }

            /// The standard and section that decide it, such as `RFC 9901, 7.3 (5f)`; `limit` where it is a limit of ours. Empty
            /// where no standard does.
            #[must_use]
            pub const fn section(self) -> &'static str {
                match self {
                    $($(#[cfg($($cfg)+)])? Self::$variant => concat!($($section)?),)+
                }
            }

            /// What the code means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $($(#[cfg($($cfg)+)])? Self::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }

        impl ::core::fmt::Display for Code {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

codes! {
    /// The trust list is not what its format says; the caller's mistake, not the token's.
    TrustMalformed = "trust.malformed" in "trust list",
    /// The trust list names an issuer by its certificates, which this build leaves out.
    #[cfg(not(feature = "certificates"))]
    TrustUnsupported = "trust.unsupported" in "trust list",
    /// The challenge is not what its format says; the caller's mistake, not the token's.
    ChallengeMalformed = "challenge.malformed" in "OpenID4VP 1.0, 5.1",
    /// The token passes a limit on bytes, depth or number of parts.
    TokenTooLarge = "token.too-large" in "limit",
    /// The token is of a known kind that is not verified here, such as the JWS JSON serialization, a `crit` header, or another
    /// version of the `DeviceResponse`.
    TokenUnsupported = "token.unsupported" in "RFC 9901, 8",
    /// The token is not a well-formed SD-JWT: parts, base64url or JSON (RFC 9901, section 4); nor, where it is CBOR, a
    /// well-formed `DeviceResponse` without members that nobody knows (ISO/IEC 18013-5, section 8.3.2.1.2.2).
    TokenMalformed = "token.malformed" in "RFC 9901, 4",
    /// The wallet says that it could not answer: `status` of the `DeviceResponse` is not 0.
    #[cfg(feature = "mdoc")]
    TokenStatus = "token.status" in "ISO 18013-5, 8.3.2.1.2.3",
    /// The submission holds no presentation for the query.
    TokenMissing = "token.missing" in "OpenID4VP 1.0, 8.1",
    /// The submission holds a presentation that was not asked for, or several where one was asked for.
    TokenUnexpected = "token.unexpected" in "OpenID4VP 1.0, 8.1",
    /// The submission holds no presentation for a query that the DCQL query says must be answered.
    TokenIncomplete = "token.incomplete" in "OpenID4VP 1.0, 6.4.2",
    /// The credential is not signed with ES256.
    IssuerAlgorithm = "issuer.algorithm" in "RFC 9901, 7.1 (2a)",
    /// No trust entry, or no key in it, fits the credential's `iss` and `kid`, or its certificate where it has no `iss`.
    IssuerUntrusted = "issuer.untrusted" in "RFC 9901, 7.1 (2b)",
    /// `x5c`, or `x5chain`, is needed and is not there, or is no chain of certificates as it has to be sent (RFC 7515, section
    /// 4.1.6; RFC 9360).
    IssuerCertificate = "issuer.certificate" in "RFC 7515, 4.1.6",
    /// The signer's certificate does not bear the name that the trust entry gives.
    IssuerCertificateName = "issuer.certificate-name" in "trust list",
    /// A certificate, or its key, is not for this use.
    IssuerCertificateUsage = "issuer.certificate-usage" in "RFC 5280, 4.2.1",
    /// The certificates are no path to a root of the trust entry that is valid now (RFC 5280, section 6.1).
    IssuerCertificatePath = "issuer.certificate-path" in "RFC 5280, 6.1",
    /// The issuer's key, or a certificate of its chain, is not valid yet.
    IssuerNotYetValid = "issuer.not-yet-valid" in "RFC 5280, 4.1.2.5",
    /// The issuer's key, or a certificate of its chain, is not valid any more.
    IssuerExpired = "issuer.expired" in "RFC 5280, 4.1.2.5",
    /// The credential's `typ` is not one that its trust entry allows.
    IssuerType = "issuer.type" in "SD-JWT VC, 2.2.1",
    /// The issuer's signature does not verify.
    IssuerSignature = "issuer.signature" in "RFC 9901, 7.1 (2c)",
    /// Digests are by a hash algorithm that is not supported: other than `sha-256` in `_sd_alg`, or than SHA-2 in an mdoc.
    DisclosureAlgorithm = "disclosure.algorithm" in "RFC 9901, 4.1.1",
    /// A disclosure is not base64url of a JSON array of the right arity with a salt first, or no `IssuerSignedItem`.
    DisclosureMalformed = "disclosure.malformed" in "RFC 9901, 4.2",
    /// `_sd`, `_sd_alg` or `...` stands where it must not.
    DisclosureReserved = "disclosure.reserved" in "RFC 9901, 7.1 (3)",
    /// A digest is not a string, or `_sd` is not an array, or `valueDigests` not a map, of digests.
    DisclosureDigest = "disclosure.digest" in "RFC 9901, 7.1 (3)",
    /// A digest or a disclosure occurs more than once.
    DisclosureDuplicate = "disclosure.duplicate" in "RFC 9901, 7.1 (4)",
    /// A disclosed claim has the name of a claim that is there already.
    DisclosureCollision = "disclosure.collision" in "RFC 9901, 7.1 (3)",
    /// A claim was selectively disclosed that must never be, such as `exp` or `cnf`.
    DisclosureForbidden = "disclosure.forbidden" in "SD-JWT VC, 2.2.2.2",
    /// A disclosure belongs to no digest.
    DisclosureUnreferenced = "disclosure.unreferenced" in "RFC 9901, 7.1 (5)",
    /// A disclosed element is not what the issuer signed: it has another digest.
    #[cfg(feature = "mdoc")]
    DisclosureMismatch = "disclosure.mismatch" in "ISO 18013-5, 9.3.1",
    /// A claim that is needed is missing or of the wrong type.
    CredentialClaim = "credential.claim" in "SD-JWT VC, 2.2.2.2",
    /// `vct`, or `docType`, is not one that this issuer is trusted for.
    CredentialType = "credential.type" in "SD-JWT VC, 2.2.2.1",
    /// The document is said to be of another `docType` than the issuer signed.
    #[cfg(feature = "mdoc")]
    CredentialDoctype = "credential.doctype" in "ISO 18013-5, 9.3.1",
    /// `nbf` or `iat`, or `validFrom` or `signed` of an mdoc, is still to come.
    CredentialNotYetValid = "credential.not-yet-valid" in "RFC 7519, 4.1.5",
    /// `exp`, or `validUntil` of an mdoc, has passed.
    CredentialExpired = "credential.expired" in "RFC 7519, 4.1.4",
    /// The credential was signed when its signer's certificate was not valid.
    #[cfg(feature = "mdoc")]
    CredentialSigned = "credential.signed" in "ISO 18013-5, 9.3.1",
    /// There is no key-binding proof.
    HolderMissing = "holder.missing" in "RFC 9901, 7.3 (2)",
    /// The challenge's binding is not one that a proof of this format can have.
    HolderSession = "holder.session" in "band profile, Challenge",
    /// The proof is not signed with ES256, nor authenticated with HMAC 256/256 where it is a MAC.
    HolderAlgorithm = "holder.algorithm" in "RFC 9901, 7.3 (5b)",
    /// The proof's `typ` is not `kb+jwt`.
    HolderType = "holder.type" in "RFC 9901, 7.3 (5d)",
    /// The credential names no key of its holder that could verify a proof.
    HolderUnbound = "holder.unbound" in "RFC 7800, 3.2",
    /// The proof is a MAC, and the challenge has no reader's key to tell whose.
    #[cfg(feature = "mdoc")]
    HolderReaderKey = "holder.reader-key" in "ISO 18013-5, 9.1.3.5",
    /// The holder's signature, or MAC, does not verify.
    HolderSignature = "holder.signature" in "RFC 9901, 7.3 (5c)",
    /// The holder signed an element that the issuer did not authorize its key for.
    #[cfg(feature = "mdoc")]
    HolderUnauthorized = "holder.unauthorized" in "ISO 18013-5, 9.3.3",
    /// A claim that the proof needs is missing or of the wrong type.
    HolderClaim = "holder.claim" in "RFC 9901, 4.3",
    /// The proof was made for another nonce.
    HolderNonce = "holder.nonce" in "RFC 9901, 7.3 (5f)",
    /// The proof was made for another audience.
    HolderAudience = "holder.audience" in "RFC 9901, 7.3 (5f)",
    /// The proof is too old.
    HolderStale = "holder.stale" in "RFC 9901, 7.3 (5e)",
    /// The proof comes from the future.
    HolderFuture = "holder.future" in "RFC 9901, 7.3 (5e)",
    /// `sd_hash` is not the hash of this credential with these disclosures.
    HolderHash = "holder.hash" in "RFC 9901, 7.3 (5g)",
    /// Two presentations do not prove the same holder key.
    HolderKey = "holder.key" in "band profile, Access and tickets",
    /// `transaction_data_hashes_alg` is not `sha-256`, or it is missing though algorithms were offered.
    TransactionAlgorithm = "transaction.algorithm" in "OpenID4VP 1.0, B.3.3",
    /// The holder agreed to another transaction than the one that was sent.
    TransactionMismatch = "transaction.mismatch" in "OpenID4VP 1.0, 8.4",
    /// The holder did not agree to a transaction that was sent.
    TransactionMissing = "transaction.missing" in "OpenID4VP 1.0, 8.4",
    /// The proof carries a transaction that was not sent, or carries it where it does not count.
    TransactionUnexpected = "transaction.unexpected" in "OpenID4VP 1.0, 8.4",
    /// The status list token is a CWT, which this build leaves out.
    #[cfg(not(feature = "cwt"))]
    StatusUnsupported = "status.unsupported" in "Token Status List, 5.2",
    /// The status list token is neither a JWT nor a CWT with the claims that it must have, or its list is not ZLIB.
    StatusMalformed = "status.malformed" in "Token Status List, 5.1",
    /// The status list token, the list in it, or all lists together pass a limit on bytes.
    StatusTooLarge = "status.too-large" in "RFC 1950",
    /// The status list is not signed with ES256.
    StatusAlgorithm = "status.algorithm" in "Token Status List, 5.1",
    /// The status list token is of another media type.
    StatusType = "status.type" in "Token Status List, 5.1",
    /// No trusted issuer publishes status lists there, or with that key.
    StatusUntrusted = "status.untrusted" in "Token Status List, 11.3",
    /// The status list's signature does not verify.
    StatusSignature = "status.signature" in "Token Status List, 11.3",
    /// The status list comes from the future.
    StatusFuture = "status.future" in "Token Status List, 8.3",
    /// The status list is older than the one that is held.
    StatusRollback = "status.rollback" in "band profile, Status",
    /// A status was asked for, and the credential names no status list.
    StatusUnreferenced = "status.unreferenced" in "Token Status List, 8.3",
    /// The status list that the credential names is not at hand.
    StatusMissing = "status.missing" in "Token Status List, 8.3",
    /// The status list has expired, or is older than what is allowed.
    StatusStale = "status.stale" in "band profile, Status",
    /// The status list has no such index.
    StatusIndex = "status.index" in "Token Status List, 8.3",
    /// The credential was revoked: of a band, deactivated.
    StatusRevoked = "status.revoked" in "Token Status List, 7.1",
    /// The credential is suspended: of a band, reported lost.
    StatusSuspended = "status.suspended" in "Token Status List, 7.1",
    /// The credential has a status that is not known, so it is not known to be valid.
    StatusUnknown = "status.unknown" in "Token Status List, 7.1",
    /// The approval is not a well-formed JWS with the members that it must have, and no others in its header.
    ApprovalMalformed = "approval.malformed" in "band profile, Approval",
    /// The approval is not `band-approval+jwt` with ES256.
    ApprovalType = "approval.type" in "band profile, Approval",
    /// The approval is by a phone that is not the paired one.
    ApprovalPhone = "approval.phone" in "band profile, Approval",
    /// The band approved its own transaction.
    ApprovalSelf = "approval.self" in "band profile, Approval",
    /// The phone's signature does not verify.
    ApprovalSignature = "approval.signature" in "band profile, Approval",
    /// The approval is for another audience than the proof.
    ApprovalAudience = "approval.audience" in "band profile, Approval",
    /// The approval is for another nonce than the proof.
    ApprovalNonce = "approval.nonce" in "band profile, Approval",
    /// The approval is for another proximity session.
    #[cfg(feature = "mdoc")]
    ApprovalSession = "approval.session" in "band profile, Approval",
    /// The approval is for another band than the one that signed.
    ApprovalBand = "approval.band" in "band profile, Approval",
    /// The approval is for other transactions than the proof.
    ApprovalTransaction = "approval.transaction" in "band profile, Approval",
    /// The approval is too old.
    ApprovalStale = "approval.stale" in "band profile, Approval",
    /// The approval comes from the future.
    ApprovalFuture = "approval.future" in "band profile, Approval",
    /// There is no approval by the paired phone.
    ApprovalMissing = "approval.missing" in "band profile, Approval",
    /// The owner was not authenticated by the method that was asked for.
    ApprovalMethod = "approval.method" in "band profile, Approval",
    /// A band's proof carries no evidence.
    EvidenceMissing = "evidence.missing" in "band profile, Proof",
    /// The evidence is not what the band profile says.
    EvidenceMalformed = "evidence.malformed" in "band profile, Proof",
    /// The evidence speaks of a moment after the proof was signed.
    EvidenceFuture = "evidence.future" in "band profile, Proof",
    /// A measure was asked for that nobody attested this band to sense.
    EvidenceUnattested = "evidence.unattested" in "band profile, Proof",
    /// The band was not on the wrist.
    EvidenceNotWorn = "evidence.not-worn" in "band profile, Proof",
    /// The band was not unlocked since it was put on.
    EvidenceLocked = "evidence.locked" in "band profile, Proof",
    /// The band was unlocked longer ago than was asked for.
    EvidenceUnlockStale = "evidence.unlock-stale" in "band profile, Proof",
    /// The wearer did not act on the band after the challenge arrived.
    EvidenceUnconfirmed = "evidence.unconfirmed" in "band profile, Proof",
    /// A distance was asked for, and there is none that counts.
    EvidenceDistance = "evidence.distance" in "band profile, Proof",
    /// The query asks for a credential of another format.
    ClaimsFormat = "claims.format" in "OpenID4VP 1.0, 6.1",
    /// The credential is not of a type that the query asks for.
    ClaimsType = "claims.type" in "OpenID4VP 1.0, B.3.5",
    /// The issuer was not certified by an authority that the query names.
    ClaimsAuthority = "claims.authority" in "OpenID4VP 1.0, 6.1.1",
    /// A claim from which the age is to be told is not a date, or not an object of booleans.
    ClaimsMalformed = "claims.malformed" in "band profile, Credential",
    /// A claim that was asked for was not disclosed.
    ClaimsMissing = "claims.missing" in "OpenID4VP 1.0, 7.1",
    /// A claim has none of the values that the query asks for.
    ClaimsMismatch = "claims.mismatch" in "OpenID4VP 1.0, 6.3",
    /// The holder is not as old as was asked for, or what was disclosed contradicts itself.
    ClaimsAge = "claims.age" in "band profile, Credential",
    /// Another presentation, which the DCQL query says must be there too, was refused.
    ClaimsIncomplete = "claims.incomplete" in "OpenID4VP 1.0, 6.4.2",
}

/// A refusal: what was wrong first, in the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Refusal>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    code: Code,
    #[cfg(feature = "diagnosis")]
    message: &'static str,
    claim: Option<String>,
    expected: Option<String>,
    actual: Option<String>,
}

/// Longest text from a token that an error repeats, in characters.
const MAX_QUOTED: usize = 120;

impl Error {
    #[cold]
    #[inline(never)]
    #[cfg_attr(not(feature = "diagnosis"), expect(unused_variables, reason = "the code stands for it"))]
    pub(crate) fn new(code: Code, message: &'static str) -> Self {
        Self(Box::new(Refusal {
            code,
            #[cfg(feature = "diagnosis")]
            message,
            claim: None,
            expected: None,
            actual: None,
        }))
    }

    /// Names the claim; text from a token is escaped and cut.
    #[cold]
    #[inline(never)]
    pub(crate) fn claim(mut self, claim: &str) -> Self {
        self.0.claim = Some(quote(claim));
        self
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn expected(mut self, expected: &str) -> Self {
        self.0.expected = Some(quote(expected));
        self
    }

    /// Says what was found; text from a token is escaped and cut.
    #[cold]
    #[inline(never)]
    pub(crate) fn actual(mut self, actual: &str) -> Self {
        self.0.actual = Some(quote(actual));
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// One sentence for people. The wording may change. In a build without `diagnosis` the code.
    #[must_use]
    pub fn message(&self) -> &str {
        #[cfg(feature = "diagnosis")]
        return self.0.message;
        #[cfg(not(feature = "diagnosis"))]
        return self.0.code.as_str();
    }

    /// The claim or path that the refusal is about.
    #[must_use]
    pub fn claim_path(&self) -> Option<&str> {
        self.0.claim.as_deref()
    }

    /// What was asked for, where that helps.
    #[must_use]
    pub fn expected_value(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// What was found, escaped and cut to a readable length.
    #[must_use]
    pub fn actual_value(&self) -> Option<&str> {
        self.0.actual.as_deref()
    }
}

/// Printable ASCII stays as it is; everything else is escaped, for it may be looked at on a terminal or in a page.
fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for (place, character) in text.chars().enumerate() {
        if place == MAX_QUOTED {
            quoted.push_str("...");
            break;
        }
        match character {
            ' '..='~' => quoted.push(character),
            other => quoted.extend(other.escape_unicode()),
        }
    }
    quoted
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.message())?;
        if let Some(claim) = &self.0.claim {
            write!(f, "; claim `{claim}`")?;
        }
        if let Some(expected) = &self.0.expected {
            write!(f, "; expected `{expected}`")?;
        }
        if let Some(actual) = &self.0.actual {
            write!(f, "; found `{actual}`")?;
        }
        Ok(())
    }
}

impl core::error::Error for Error {}
