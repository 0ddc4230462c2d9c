//! The credential: whose it is, by whom, for how long (RFC 9901 section 7.1, SD-JWT VC section 2.5, band profile).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::dcql::{Format, Kind};
use crate::encoding::{base64url, decimal};
use crate::error::{Code, Error};
use crate::expected::Challenge;
use crate::explain::Trace;
use crate::jwk::{JwkError, PublicKey};
use crate::limits::MAX_INTEGER;
use crate::memory::{Memory, Opened};
use crate::sd_jwt::{DISCLOSURE_CHECKS, Issued, Presentation, disclose};
use crate::status::Reference;
use crate::trust::{Purpose, SD_JWT_VC, Trust};

/// `vct` of a band credential.
pub(crate) const BAND_VCT: &str = "urn:bandpass:band:1";

/// A credential whose signature and own rules hold.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) issuer: String,
    /// Its place in the trust list.
    pub(crate) issuer_place: usize,
    pub(crate) status: Option<Reference>,
    pub(crate) kind: Kind,
    pub(crate) claims: Map<String, Value>,
    pub(crate) expires: Option<u64>,
    pub(crate) band: Option<Band>,
}

/// What the issuer says of the band itself.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    /// RFC 7638 thumbprint of the paired phone's key.
    pub(crate) phone_thumbprint: String,
    pub(crate) epoch: u64,
    /// What the band was attested to sense.
    pub(crate) measures: Vec<String>,
}

impl Credential {
    /// Every check of the credential, in order. The section numbers are those of RFC 9901 unless another is named.
    pub(crate) fn check(
        presentation: &Presentation<'_>,
        memory: &mut Memory,
        trust: &Trust,
        challenge: &Challenge,
        trace: &mut Trace,
    ) -> Result<Self, Error> {
        let (header, payload) = match &presentation.issued {
            Issued::New(jwt) => (&jwt.header, &jwt.payload),
            Issued::Known(opened) => (&opened.header, &opened.claims),
        };
        // 7.1, step 2a: the algorithm is one that is accepted, never `none`.
        if !header.is_es256() {
            let error = Error::new(Code::IssuerAlgorithm, "the credential is not signed with ES256");
            return Err(error.claim("alg").expected("ES256").actual(header.text("alg").unwrap_or("none")));
        }
        trace.passed(&[Code::IssuerAlgorithm]);
        // 7.1, step 2b: the signing key belongs to the issuer.
        let untrusted = |why| Error::new(Code::IssuerUntrusted, why).claim("iss");
        let signer = header.signer();
        let (issuer_place, issuer) = match payload.get("iss").map(Value::as_str) {
            Some(Some(iss)) => {
                trust.issuer(iss).ok_or_else(|| untrusted("the issuer is not in the trust list").actual(iss))?
            }
            Some(None) => return Err(untrusted("the issuer's name is not a string")),
            None => trust.issuer_of(&signer).ok_or_else(|| untrusted("nothing tells which trusted issuer it is"))?,
        };
        let keys = issuer.keys(&signer, challenge.now(), Purpose::Credential)?;
        trace.passed(&[Code::IssuerUntrusted]);
        trace.passed(issuer.checks_of_keys());
        // SD-JWT VC 2.2.1 and RFC 8725, section 3.11: explicit typing.
        let typ = header.text("typ").unwrap_or_default().to_owned();
        if !issuer.allows_typ(&typ) {
            let error = Error::new(Code::IssuerType, "the credential is of another media type");
            return Err(error.claim("typ").expected(&issuer.typ().join(", ")).actual(&typ));
        }
        trace.passed(&[Code::IssuerType]);
        // 7.1, step 2c: the signature.
        let signed = keys.into_iter().find(|key| match &presentation.issued {
            Issued::New(jwt) => jwt.verified_remembering(key, memory),
            Issued::Known(opened) => opened.key == *key,
        });
        let key = signed.ok_or_else(|| Error::new(Code::IssuerSignature, "the issuer's signature does not verify"))?;
        trace.passed(&[Code::IssuerSignature]);
        // 7.1, steps 2d and 3: disclosures.
        let claims = match &presentation.issued {
            Issued::Known(opened) => {
                trace.passed(DISCLOSURE_CHECKS);
                opened.claims.clone()
            }
            Issued::New(jwt) => {
                let claims = disclose(jwt.payload.clone(), &presentation.disclosures, trace)?;
                let opened = || Opened { header: header.clone(), claims: claims.clone(), key };
                memory.keep(&presentation.hash, presentation.hashed.len(), opened);
                claims
            }
        };
        // 7.1, step 6, and SD-JWT VC 2.2.2: registered claims.
        let vct = text(&claims, "vct")?;
        let aka_vcts = aka_vcts(&claims, vct.as_deref())?;
        let types = issuer.types(vct.as_deref(), &aka_vcts);
        match &vct {
            None if typ == SD_JWT_VC => return Err(claim_error("vct", "a credential has a type")),
            Some(vct) if types.is_empty() => {
                let error = Error::new(Code::CredentialType, "the issuer is not trusted for this type of credential");
                return Err(error.claim("vct").actual(vct));
            }
            _ => {}
        }
        trace.passed(&[Code::CredentialType]);
        text(&claims, "sub")?;
        for structured in ["cnf", "status"] {
            if claims.get(structured).is_some_and(|value| !value.is_object()) {
                return Err(claim_error(structured, "the claim is not an object"));
            }
        }
        let status = check_status_reference(&claims)?;
        let expires = check_validity(&claims, challenge)?;
        trace.passed(&[Code::CredentialNotYetValid, Code::CredentialExpired]);
        let band = match types.iter().any(|vct| vct == BAND_VCT) {
            true => {
                check_band(&claims)?;
                Some(Band::check(&claims, status.is_some())?)
            }
            false => None,
        };
        trace.passed(&[Code::CredentialClaim]);
        let kind = Kind { format: Format::SdJwt, types, authority_key_ids: issuer.authority_key_ids(&signer) };
        Ok(Self { issuer: issuer.name().to_owned(), issuer_place, status, kind, claims, expires, band })
    }

    /// The holder's key (RFC 7800, section 3.2).
    pub(crate) fn holder_key(&self) -> Result<PublicKey, Error> {
        let error = |why| Error::new(Code::HolderUnbound, why).claim("cnf.jwk");
        let jwk = self.claims.get("cnf").and_then(|cnf| cnf.get("jwk")).and_then(Value::as_object);
        PublicKey::from_jwk(jwk.ok_or_else(|| error("the credential names no holder key"))?).map_err(|why| match why {
            JwkError::OtherUse => error("the holder's key is not for ES256"),
            JwkError::Malformed(why) => error("the holder's key is malformed").actual(why),
        })
    }
}

impl Band {
    /// Band profile, section Credential: what a band credential says in either format.
    pub(crate) fn check(claims: &Map<String, Value>, has_status: bool) -> Result<Self, Error> {
        let pairing = |member| claims.get("pairing").and_then(|pairing| pairing.get(member));
        let phone_thumbprint = pairing("jkt").and_then(Value::as_str);
        let phone_thumbprint = phone_thumbprint
            .filter(|jkt| base64url(jkt).is_some_and(|bytes| bytes.len() == 32))
            .ok_or_else(|| claim_error("pairing.jkt", "a band credential names the paired phone's key"))?;
        let epoch = integer(pairing("epoch"))
            .ok_or_else(|| claim_error("pairing.epoch", "a band credential names the epoch of its pairing"))?;
        if !has_status {
            return Err(claim_error("status.status_list", "a band credential names its place in a status list"));
        }
        let measures = strings(claims.get("band_measures"))
            .ok_or_else(|| claim_error("band_measures", "a band credential lists what the band senses"))?;
        Ok(Self { phone_thumbprint: phone_thumbprint.to_owned(), epoch, measures })
    }
}

/// Band profile, section Credential: what it says as an SD-JWT besides.
fn check_band(claims: &Map<String, Value>) -> Result<(), Error> {
    if !claims.contains_key("iss") {
        return Err(claim_error("iss", "a band credential names its issuer"));
    }
    for needed in ["iat", "exp"] {
        integer(claims.get(needed)).ok_or_else(|| claim_error(needed, "a band credential has a whole number here"))?;
    }
    Ok(())
}

/// Token Status List, section 6.2. Other status mechanisms are passed over.
fn check_status_reference(claims: &Map<String, Value>) -> Result<Option<Reference>, Error> {
    let Some(found) = claims.get("status").and_then(|status| status.get("status_list")) else {
        return Ok(None);
    };
    let uri = found.get("uri").and_then(Value::as_str).filter(|uri| !uri.is_empty());
    match (integer(found.get("idx")), uri) {
        (Some(index), Some(uri)) => Ok(Some(Reference { uri: uri.to_owned(), index })),
        _ => Err(claim_error("status.status_list", "the claim has no `idx` and `uri`")),
    }
}

/// RFC 7519, sections 4.1.4 to 4.1.6. Fractions count against the token.
fn check_validity(claims: &Map<String, Value>, challenge: &Challenge) -> Result<Option<u64>, Error> {
    let latest = challenge.now().saturating_add(challenge.tolerance());
    for (name, message) in
        [("nbf", "the credential is not valid yet"), ("iat", "the credential was issued in the future")]
    {
        if let Some(found) = claims.get(name) {
            let starts = numeric_date(found).ok_or_else(|| claim_error(name, "the claim is not a time"))?;
            if starts > latest {
                return Err(time_error(Code::CredentialNotYetValid, message, name, latest, starts));
            }
        }
    }
    let Some(found) = claims.get("exp") else {
        return Ok(None);
    };
    let expires = numeric_date(found).ok_or_else(|| claim_error("exp", "the claim is not a time"))?;
    if challenge.now() >= expires.saturating_add(challenge.tolerance()) {
        let message = "the credential has expired";
        return Err(time_error(Code::CredentialExpired, message, "exp", challenge.now(), expires));
    }
    Ok(Some(expires))
}

pub(crate) fn time_error(code: Code, message: &'static str, claim: &str, now: u64, found: u64) -> Error {
    Error::new(code, message).claim(claim).expected(&["judged at ", &decimal(now)].concat()).actual(&decimal(found))
}

fn claim_error(claim: &str, why: &'static str) -> Error {
    Error::new(Code::CredentialClaim, why).claim(claim)
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Error> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(claim_error(name, "the claim is not a string, or it is empty")),
    }
}

/// Further types of the credential (SD-JWT VC, section 2.2.2.2).
fn aka_vcts(claims: &Map<String, Value>, vct: Option<&str>) -> Result<Vec<String>, Error> {
    let Some(found) = claims.get("aka_vcts") else { return Ok(Vec::new()) };
    let well_formed =
        |all: &Vec<String>| !all.is_empty() && all.iter().all(|aka| !aka.is_empty() && Some(&**aka) != vct);
    strings(Some(found))
        .filter(well_formed)
        .ok_or_else(|| claim_error("aka_vcts", "the claim does not list further types, and nothing else"))
}

/// A whole number below 2^53.
pub(crate) fn integer(value: Option<&Value>) -> Option<u64> {
    value?.as_u64().filter(|number| *number <= MAX_INTEGER)
}

/// A `NumericDate` (RFC 7519, section 2) in whole seconds; a fraction is cut off.
pub(crate) fn numeric_date(value: &Value) -> Option<u64> {
    match integer(Some(value)) {
        Some(seconds) => Some(seconds),
        None => {
            let text = decimal(value.as_number()?.clone());
            let (whole, fraction) = text.split_once('.')?;
            let all_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            all_digits.then(|| whole.parse().ok()).flatten().filter(|seconds| *seconds <= MAX_INTEGER)
        }
    }
}

/// An array that holds nothing but strings.
pub(crate) fn strings(value: Option<&Value>) -> Option<Vec<String>> {
    value?.as_array()?.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect()
}
