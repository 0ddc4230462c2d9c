//! The holder's proof: the key-binding JWT (RFC 9901, sections 4.3 and 7.3), and what an mdoc's proof has in common with it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::credential::{Credential, numeric_date, strings};
use crate::encoding::decimal;
use crate::error::{Code, Error};
use crate::expected::Challenge;
use crate::explain::Trace;
use crate::jwk::PublicKey;
use crate::memory::Memory;
use crate::sd_jwt::Presentation;

/// A proof that holds: this holder, for this audience and nonce, now, over this credential.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    /// RFC 7638 thumbprint of the holder's key.
    pub(crate) thumbprint: String,
    /// That key's x and y.
    pub(crate) coordinates: [[u8; 32]; 2],
    /// Empty if it names none.
    pub(crate) audience: String,
    pub(crate) nonce: String,
    pub(crate) signed_at: u64,
    pub(crate) transaction_hashes: TransactionHashes,
    pub(crate) payload: Map<String, Value>,
}

/// `transaction_data_hashes` and its algorithm, as a proof or an approval carries them (OpenID4VP 1.0, appendix B.3.3).
#[derive(Clone, Debug)]
pub(crate) struct TransactionHashes {
    pub(crate) hashes: Vec<String>,
    pub(crate) algorithm: Option<String>,
}

impl TransactionHashes {
    /// None if a claim is of the wrong type.
    pub(crate) fn parse(payload: &Map<String, Value>) -> Option<Self> {
        let hashes = match payload.get("transaction_data_hashes") {
            None => Vec::new(),
            found => strings(found)?,
        };
        let algorithm = match payload.get("transaction_data_hashes_alg") {
            None => None,
            Some(found) => Some(found.as_str()?.to_owned()),
        };
        Some(Self { hashes, algorithm })
    }

    /// The same hashes by the same algorithm, which is SHA-256 unless it is named (OpenID4VP 1.0, section 8.4).
    pub(crate) fn agree(&self, other: &Self) -> bool {
        let algorithm = |hashes: &Self| hashes.algorithm.clone().unwrap_or_else(|| "sha-256".to_owned());
        self.hashes == other.hashes && algorithm(self) == algorithm(other)
    }
}

impl Proof {
    /// Every check of the proof, in order; `None` if there is no proof. The steps are those of RFC 9901, section 7.3.
    pub(crate) fn check(
        presentation: &Presentation<'_>,
        credential: &Credential,
        memory: &mut Memory,
        challenge: &Challenge,
        trace: &mut Trace,
    ) -> Result<Option<Self>, Error> {
        let Some(jwt) = &presentation.kb_jwt else {
            return Ok(None);
        };
        trace.passed(&[Code::HolderMissing]);
        // Band profile, section Challenge: in proximity there is neither audience nor nonce.
        if challenge.nonce().is_none() {
            return Err(Error::new(Code::HolderSession, "an SD-JWT's proof can't be of a proximity session"));
        }
        trace.passed(&[Code::HolderSession]);
        // Step 5b: the algorithm.
        if !jwt.header.is_es256() {
            let error = Error::new(Code::HolderAlgorithm, "the proof is not signed with ES256");
            return Err(error.claim("alg").expected("ES256").actual(jwt.header.text("alg").unwrap_or("none")));
        }
        trace.passed(&[Code::HolderAlgorithm]);
        // Step 5d: the type.
        if jwt.header.text("typ") != Some("kb+jwt") {
            let error = Error::new(Code::HolderType, "the proof is of another media type");
            return Err(error.claim("typ").expected("kb+jwt").actual(jwt.header.text("typ").unwrap_or_default()));
        }
        trace.passed(&[Code::HolderType]);
        // Steps 5a and 5c: the key that the credential names, and the signature.
        let key = credential.holder_key()?;
        trace.passed(&[Code::HolderUnbound]);
        if !jwt.verified_remembering(&key, memory) {
            return Err(Error::new(Code::HolderSignature, "the holder's signature does not verify"));
        }
        trace.passed(&[Code::HolderSignature]);
        // Band profile, section Proof.
        let needed: &[&str] = match credential.band {
            Some(_) => &["aud", "nonce", "sd_hash", "iat", "jti"],
            None => &["aud", "nonce", "sd_hash", "iat"],
        };
        let proof = Self::of(&key, jwt.payload.clone(), needed, challenge, trace)?;
        // Step 5g: the hash over credential and disclosures.
        let hash = &presentation.hash;
        let sd_hash = proof.payload.get("sd_hash").and_then(Value::as_str).unwrap_or_default();
        if sd_hash != hash {
            let error = Error::new(Code::HolderHash, "the proof is over another credential or other disclosures");
            return Err(error.claim("sd_hash").expected(hash).actual(sd_hash));
        }
        trace.passed(&[Code::HolderHash]);
        Ok(Some(proof))
    }

    /// What a proof says of itself, in either format, in order. `needed`: claims that must be there, which are texts unless
    /// they are known to be something else.
    pub(crate) fn of(
        key: &PublicKey,
        payload: Map<String, Value>,
        needed: &[&str],
        challenge: &Challenge,
        trace: &mut Trace,
    ) -> Result<Self, Error> {
        let text = |name| match payload.get(name) {
            None if !needed.contains(&name) => Ok(None),
            found => found.and_then(Value::as_str).map(Some).ok_or_else(|| claim_error(name)),
        };
        // RFC 7519, sections 4.1.4 and 4.1.5, for those who add `exp` and `nbf`.
        let time = |name| match payload.get(name) {
            None if !needed.contains(&name) => Ok(None),
            found => found.and_then(numeric_date).map(Some).ok_or_else(|| claim_error(name)),
        };
        let (audience, nonce, signed_at) = (text("aud")?, text("nonce")?, time("iat")?);
        for name in needed.iter().filter(|name| **name != "iat") {
            text(name)?;
        }
        let transaction_hashes =
            TransactionHashes::parse(&payload).ok_or_else(|| claim_error("transaction_data_hashes"))?;
        let (expires, starts) = (time("exp")?, time("nbf")?);
        // An mdoc's proof need not say it: the session tells that it was made in answer to the challenge.
        let signed_at = signed_at.unwrap_or(challenge.now());
        trace.passed(&[Code::HolderClaim]);
        // Steps 5f: nonce and audience.
        if let Some(nonce) = nonce
            && challenge.nonce() != Some(nonce)
        {
            let error = Error::new(Code::HolderNonce, "the proof was made for another nonce");
            return Err(error.claim("nonce").expected(challenge.nonce().unwrap_or_default()).actual(nonce));
        }
        trace.passed(&[Code::HolderNonce]);
        if let Some(audience) = audience
            && !challenge.audience().iter().any(|accepted| accepted == audience)
        {
            let error = Error::new(Code::HolderAudience, "the proof was made for another audience");
            return Err(error.claim("aud").expected(&challenge.audience().join(", ")).actual(audience));
        }
        trace.passed(&[Code::HolderAudience]);
        // Step 5e: the time.
        let earliest = challenge.earliest_proof();
        let latest = challenge.now().saturating_add(challenge.tolerance());
        let expired = expires.is_some_and(|exp| challenge.now() >= exp.saturating_add(challenge.tolerance()));
        if signed_at < earliest || expired {
            let error = Error::new(Code::HolderStale, "the proof is too old");
            return Err(error.claim("iat").expected(&decimal(earliest)).actual(&decimal(signed_at)));
        }
        trace.passed(&[Code::HolderStale]);
        if signed_at > latest || starts.is_some_and(|starts| starts > latest) {
            let error = Error::new(Code::HolderFuture, "the proof comes from the future");
            return Err(error.claim("iat").expected(&decimal(latest)).actual(&decimal(signed_at)));
        }
        trace.passed(&[Code::HolderFuture]);
        Ok(Self {
            thumbprint: key.thumbprint().to_owned(),
            coordinates: *key.coordinates(),
            audience: audience.unwrap_or_default().to_owned(),
            nonce: nonce.unwrap_or_default().to_owned(),
            signed_at,
            transaction_hashes,
            payload,
        })
    }
}

pub(crate) fn claim_error(claim: &str) -> Error {
    Error::new(Code::HolderClaim, "a claim that the proof needs is missing or of the wrong type").claim(claim)
}

/// There is no proof where one is needed.
pub(crate) fn no_proof() -> Error {
    Error::new(Code::HolderMissing, "the presentation has no key-binding proof")
}
