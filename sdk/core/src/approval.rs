//! The phone's approval (band profile, section Approval).

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::credential::{Band, integer, strings};
use crate::error::{Code, Error};
use crate::expected::{Challenge, Requirements};
use crate::explain::Trace;
use crate::holder::{Proof, TransactionHashes};
use crate::jwk::PublicKey;
use crate::jws::Jws;
use crate::memory::Memory;

/// The paired phone's signed statement for this transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    signed_at: u64,
    methods: Vec<String>,
}

impl Approval {
    /// When it was signed, seconds since 1970.
    #[must_use]
    pub fn signed_at(&self) -> u64 {
        self.signed_at
    }

    /// How the owner was authenticated (`amr`, RFC 8176). Never empty.
    #[must_use]
    pub fn methods(&self) -> &[String] {
        &self.methods
    }

    /// Every check of the approval, in order; `None` if the proof carries none. It is checked whenever it is there.
    pub(crate) fn check(
        proof: &Proof,
        band: &Band,
        memory: &mut Memory,
        challenge: &Challenge,
        trace: &mut Trace,
    ) -> Result<Option<Self>, Error> {
        let malformed = |claim: &str| Error::new(Code::ApprovalMalformed, "the approval is malformed").claim(claim);
        let compact = match proof.payload.get("approval") {
            None => return Ok(None),
            Some(found) => found.as_str().ok_or_else(|| malformed("approval"))?,
        };
        let jws = Jws::parse(compact).map_err(|_| malformed("approval"))?;
        if jws.header.0.keys().any(|name| !["typ", "alg", "jwk"].contains(&name.as_str())) {
            return Err(malformed("header"));
        }
        if jws.header.text("typ") != Some("band-approval+jwt") || !jws.header.is_es256() {
            let error = Error::new(Code::ApprovalType, "the approval is not a `band-approval+jwt` with ES256");
            return Err(error.claim("typ").actual(jws.header.text("typ").unwrap_or_default()));
        }
        trace.passed(&[Code::ApprovalType]);
        let jwk = jws.header.0.get("jwk").and_then(Value::as_object).ok_or_else(|| malformed("jwk"))?;
        let phone = PublicKey::from_jwk(jwk).map_err(|_| malformed("jwk"))?;
        if phone.thumbprint() != band.phone_thumbprint {
            let error = Error::new(Code::ApprovalPhone, "the approval is not by the paired phone");
            return Err(error.claim("jwk").expected(&band.phone_thumbprint).actual(phone.thumbprint()));
        }
        trace.passed(&[Code::ApprovalPhone]);
        if phone.thumbprint() == proof.thumbprint {
            return Err(Error::new(Code::ApprovalSelf, "the band approved its own transaction").claim("jwk"));
        }
        trace.passed(&[Code::ApprovalSelf]);
        if !jws.verified_remembering(&phone, memory) {
            return Err(Error::new(Code::ApprovalSignature, "the phone's signature does not verify"));
        }
        trace.passed(&[Code::ApprovalSignature]);
        let text = |name| jws.payload.get(name).and_then(Value::as_str).ok_or_else(|| malformed(name));
        let band_thumbprint = text("band_jkt")?;
        // In proximity `session` stands in place of the others.
        let in_request = match challenge.proximity() {
            None => Some((text("aud")?, text("nonce")?)),
            Some(_) => None,
        };
        #[cfg(feature = "mdoc")]
        let in_session =
            challenge.proximity().map(|session| Ok::<_, Error>((session, text("session")?))).transpose()?;
        text("jti")?;
        let signed_at = integer(jws.payload.get("iat")).ok_or_else(|| malformed("iat"))?;
        // RFC 7519, sections 4.1.4 and 4.1.5, for those who add them.
        let time = |name| match jws.payload.get(name) {
            None => Ok(None),
            found => integer(found).map(Some).ok_or_else(|| malformed(name)),
        };
        let (expires, starts) = (time("exp")?, time("nbf")?);
        let methods = strings(jws.payload.get("amr")).filter(|methods| !methods.is_empty());
        let methods = methods.ok_or_else(|| malformed("amr"))?;
        let hashes = TransactionHashes::parse(&jws.payload).ok_or_else(|| malformed("transaction_data_hashes"))?;
        trace.passed(&[Code::ApprovalMalformed]);
        if let Some((audience, nonce)) = in_request {
            if audience != proof.audience {
                let error = Error::new(Code::ApprovalAudience, "the approval is for another audience");
                return Err(error.claim("aud").expected(&proof.audience).actual(audience));
            }
            trace.passed(&[Code::ApprovalAudience]);
            if nonce != proof.nonce {
                let error = Error::new(Code::ApprovalNonce, "the approval is for another nonce");
                return Err(error.claim("nonce").expected(&proof.nonce).actual(nonce));
            }
            trace.passed(&[Code::ApprovalNonce]);
        }
        #[cfg(feature = "mdoc")]
        if let Some((session, found)) = in_session {
            if found != session {
                let error = Error::new(Code::ApprovalSession, "the approval is for another session");
                return Err(error.claim("session").expected(session).actual(found));
            }
            trace.passed(&[Code::ApprovalSession]);
        }
        if band_thumbprint != proof.thumbprint {
            let error = Error::new(Code::ApprovalBand, "the approval is for another band");
            return Err(error.claim("band_jkt").expected(&proof.thumbprint).actual(band_thumbprint));
        }
        trace.passed(&[Code::ApprovalBand]);
        if !hashes.agree(&proof.transaction_hashes) {
            let error = Error::new(Code::ApprovalTransaction, "the approval is for other transactions");
            return Err(error.claim("transaction_data_hashes"));
        }
        trace.passed(&[Code::ApprovalTransaction]);
        let (now, tolerance) = (challenge.now(), challenge.tolerance());
        if signed_at < challenge.earliest_proof() || expires.is_some_and(|exp| now >= exp.saturating_add(tolerance)) {
            return Err(Error::new(Code::ApprovalStale, "the approval is too old").claim("iat"));
        }
        trace.passed(&[Code::ApprovalStale]);
        let latest = now.saturating_add(tolerance);
        if signed_at > latest || starts.is_some_and(|starts| starts > latest) {
            return Err(Error::new(Code::ApprovalFuture, "the approval comes from the future").claim("iat"));
        }
        trace.passed(&[Code::ApprovalFuture]);
        Ok(Some(Self { signed_at, methods }))
    }
}

/// What a caller asks of the approval; `pays`: a payment is agreed to.
pub(crate) fn require_approval(
    approval: Option<&Approval>,
    pays: bool,
    requirements: &Requirements,
    trace: &mut Trace,
) -> Result<(), Error> {
    let methods = &requirements.methods;
    let needed = requirements.approval.holds(pays) || !methods.is_empty();
    let Some(approval) = approval else {
        return match needed {
            true => Err(Error::new(Code::ApprovalMissing, "the paired phone did not approve").claim("approval")),
            false => Ok(()),
        };
    };
    if needed {
        trace.passed(&[Code::ApprovalMissing]);
    }
    match methods.iter().find(|method| !approval.methods().contains(method)) {
        None => {
            if !methods.is_empty() {
                trace.passed(&[Code::ApprovalMethod]);
            }
            Ok(())
        }
        Some(method) => {
            let error = Error::new(Code::ApprovalMethod, "the owner was not authenticated as asked for");
            Err(error.claim("amr").expected(method).actual(&approval.methods().join(", ")))
        }
    }
}
