//! What comes signed: `DPoP` proofs, access tokens, what bands and phones sign, and what makers attest.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{HeaderMap, Method, header};
use bandpass_core::{SelfSigned, SignatureError, jwk_thumbprint, verify_jws, verify_self_signed};
use bandpass_pairing::{Measure, Owner, Proof, Thumbprint};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::rows::{base64url, measure, thumbprint};
use crate::error::{Code, Error};

/// Seconds for which a signed proof counts.
pub(crate) const PROOF_LIFETIME: u64 = 300;
/// Seconds that another clock may be ahead.
const CLOCK_TOLERANCE: u64 = 60;
/// Characters of an identifier.
const MAX_ID: usize = 256;

/// A `DPoP` proof (RFC 9449) that holds for its request.
#[derive(Debug)]
pub(crate) struct Dpop {
    /// The key that made it.
    pub(crate) key: Thumbprint,
    /// Names it among all proofs.
    pub(crate) id: String,
}

/// Verifies the one `DPoP` proof of a request to `address`, together with `access_token` if it has one.
///
/// # Errors
/// `dpop.*`
pub(crate) fn dpop(
    headers: &HeaderMap,
    method: &Method,
    address: &str,
    access_token: Option<&str>,
    now: u64,
) -> Result<Dpop, Error> {
    let mut proofs = headers.get_all("dpop").iter();
    let (Some(proof), None) = (proofs.next(), proofs.next()) else {
        return Err(Error::host(Code::DpopMissing, "one `DPoP` proof is needed"));
    };
    let malformed = |why: &str| Error::host(Code::DpopMalformed, format!("the `DPoP` proof {why}"));
    let proof = proof.to_str().map_err(|_| malformed("is no text"))?;
    let signed = verify_self_signed(proof, "dpop+jwt", &[]).map_err(|error| match error {
        SignatureError::Signature => Error::host(Code::DpopSignature, "the `DPoP` proof was not signed by its key"),
        error => malformed(&format!("is not what RFC 9449 says: {error}")),
    })?;
    let text = |name: &str| signed.payload.get(name).and_then(Value::as_str);
    let id = text("jti").filter(|id| (1..=MAX_ID).contains(&id.len())).ok_or_else(|| malformed("has no `jti`"))?;
    let other = |what: &str| Error::host(Code::DpopRequest, format!("the `DPoP` proof is for another {what}"));
    if text("htm") != Some(method.as_str()) {
        return Err(other("method"));
    }
    // Query and fragment do not count (RFC 9449, section 4.3).
    if text("htu").and_then(|uri| uri.split(['?', '#']).next()) != Some(address) {
        return Err(other("address"));
    }
    if text("ath") != access_token.map(|token| base64url(&Sha256::digest(token))).as_deref() {
        return Err(other("access token, or for none"));
    }
    fresh(&signed.payload, now, Code::DpopStale, "the `DPoP` proof")?;
    let key = thumbprint(&signed.thumbprint).ok_or_else(|| malformed("has no key"))?;
    Ok(Dpop { key, id: format!("{} {id}", signed.thumbprint) })
}

/// The access token of a request (RFC 9449, section 7.1).
///
/// # Errors
/// `access-token.missing`
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("dpop")).map(|(_, token)| token.trim());
    token.ok_or_else(|| Error::host(Code::AccessTokenMissing, "an access token is needed: `Authorization: DPoP ...`"))
}

/// Who signs the owners' access tokens, for whom.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationServer {
    pub(crate) issuer: String,
    pub(crate) keys: Vec<Value>,
}

/// An account's owner, and the account's `sub`.
#[derive(Debug)]
pub(crate) struct Authorized {
    pub(crate) owner: Owner,
    pub(crate) sub: String,
}

/// Verifies an owner's access token: a JWT (RFC 9068) that is bound to the account's key (RFC 9449, section 6), and says when
/// its user was last verified (`auth_time`, RFC 9470).
///
/// # Errors
/// `access-token.*`
pub(crate) fn access_token(
    token: &str,
    by: &AuthorizationServer,
    audience: &str,
    key: Thumbprint,
    now: u64,
) -> Result<Authorized, Error> {
    let payload = by_one_of(token, &by.keys, "at+jwt").map_err(|error| match error {
        SignatureError::Signature => {
            Error::host(Code::AccessTokenSignature, "the access token was not signed by the authorization server")
        }
        error => Error::host(Code::AccessTokenMalformed, format!("the access token is malformed: {error}")),
    })?;
    let missing = |what: &str| Error::host(Code::AccessTokenMalformed, format!("the access token has no `{what}`"));
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    if text("iss") != Some(&by.issuer) || !is_for(payload.get("aud"), audience) {
        return Err(Error::host(Code::AccessTokenAudience, "the access token is by or for somebody else"));
    }
    let expires = payload.get("exp").and_then(Value::as_u64).ok_or_else(|| missing("exp"))?;
    if now >= expires {
        return Err(Error::host(Code::AccessTokenExpired, "the access token has expired"));
    }
    let bound = payload.get("cnf").and_then(|cnf| cnf.get("jkt")).and_then(Value::as_str);
    if bound.and_then(thumbprint) != Some(key) {
        return Err(Error::host(Code::AccessTokenKey, "the access token is bound to another key"));
    }
    let sub = text("sub").ok_or_else(|| missing("sub"))?.to_owned();
    let verified_at = payload.get("auth_time").and_then(Value::as_u64);
    // The authorization server's clock may be ahead of this one.
    let verified_at = verified_at.map(|at| if at <= now.saturating_add(CLOCK_TOLERANCE) { at.min(now) } else { at });
    Ok(Authorized { owner: Owner { key, verified_at }, sub })
}

/// Who signed a proof: each has one role, so that what one key signed in one of them does not do for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Band,
    Phone,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Band => "band",
            Self::Phone => "phone",
        }
    }
}

/// `typ` of what band and phone sign at enrolment and pairing.
pub(crate) const PAIRING: &str = "bandpass-pairing+jwt";
/// `typ` of what they sign over the keys of a batch (`OpenID4VCI` 1.0, appendix D.1).
pub(crate) const KEY_ATTESTATION: &str = "key-attestation+jwt";
/// `typ` of the proof by one of these keys (`OpenID4VCI` 1.0, appendix F.1).
const KEY_PROOF: &str = "openid4vci-proof+jwt";

/// What a band or a phone signed: the other's key, and what else is in it.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) proof: Proof,
    pub(crate) payload: Map<String, Value>,
}

/// Verifies what a band or a phone signed for this registry: `role`, `aud`, `iat` and `names`, the thumbprint of the other's
/// key; a key attestation says too when it expires (`exp`).
///
/// # Errors
/// `proof.*`
pub(crate) fn statement(jws: &str, typ: &str, role: Role, audience: &str, now: u64) -> Result<Statement, Error> {
    let signed = self_signed(jws, typ, &[])?;
    let malformed =
        |why: &str| Error::host(Code::ProofMalformed, format!("what the {} signed is malformed: {why}", role.as_str()));
    let text = |name: &str| signed.payload.get(name).and_then(Value::as_str);
    if text("role") != Some(role.as_str()) {
        return Err(malformed("`role` is another"));
    }
    let naming = text("names").and_then(thumbprint).ok_or_else(|| malformed("`names` is no thumbprint"))?;
    let by = thumbprint(&signed.thumbprint).ok_or_else(|| malformed("there is no key in it"))?;
    for_us(&signed.payload, audience, now)?;
    let expires = signed.payload.get("exp").and_then(Value::as_u64);
    if typ == KEY_ATTESTATION && expires.is_none_or(|expires| now >= expires) {
        return Err(Error::host(Code::ProofStale, "a key attestation has expired, or does not say when it does"));
    }
    Ok(Statement { proof: Proof { by, naming }, payload: signed.payload })
}

impl Statement {
    pub(crate) fn text(&self, name: &str) -> Result<&str, Error> {
        let missing = || Error::host(Code::ProofMalformed, format!("`{name}` is missing"));
        self.payload.get(name).and_then(Value::as_str).ok_or_else(missing)
    }

    pub(crate) fn number(&self, name: &str) -> Result<u64, Error> {
        let missing = || Error::host(Code::ProofMalformed, format!("`{name}` is missing"));
        self.payload.get(name).and_then(Value::as_u64).ok_or_else(missing)
    }

    /// `attested_keys`: JWKs with their thumbprints.
    pub(crate) fn keys(&self) -> Result<Vec<(Value, String)>, Error> {
        let malformed = || Error::host(Code::ProofMalformed, "`attested_keys` are no public P-256 keys");
        let keys = self.payload.get("attested_keys").and_then(Value::as_array).ok_or_else(malformed)?;
        let key = |jwk: &Value| Some((public(jwk)?, jwk_thumbprint(jwk)?));
        keys.iter().map(|jwk| key(jwk).ok_or_else(malformed)).collect()
    }
}

/// What credentials say of a key, whatever else came with it.
fn public(jwk: &Value) -> Option<Value> {
    let member = |name: &str| Some((name.to_owned(), jwk.get(name)?.clone()));
    ["kty", "crv", "x", "y"].into_iter().map(member).collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// The proof by one key of a batch, and the band's statement on all of them that stands in its header.
///
/// # Errors
/// `proof.*`
pub(crate) fn key_proof(jws: &str, audience: &str, now: u64) -> Result<(SelfSigned, String), Error> {
    let signed = self_signed(jws, KEY_PROOF, &["key_attestation"])?;
    for_us(&signed.payload, audience, now)?;
    let attestation = signed.header.get("key_attestation").and_then(Value::as_str).map(str::to_owned);
    let attestation = attestation.ok_or_else(|| Error::host(Code::ProofMalformed, "`key_attestation` is missing"))?;
    Ok((signed, attestation))
}

/// What a band's maker says that it senses. `makers`: their keys by their `iss`.
///
/// # Errors
/// `attestation.*`
pub(crate) fn attested(
    jws: &str,
    makers: &BTreeMap<String, Vec<Value>>,
    band: Thumbprint,
    now: u64,
) -> Result<BTreeSet<Measure>, Error> {
    let malformed = |why: &str| Error::host(Code::AttestationMalformed, format!("the attestation is malformed: {why}"));
    let mut unknown = SignatureError::Signature;
    let found = makers.iter().find_map(|(maker, keys)| match by_one_of(jws, keys, "bandpass-attestation+jwt") {
        Ok(payload) => Some((maker, payload)),
        Err(error) => {
            unknown = error;
            None
        }
    });
    let Some((maker, payload)) = found else {
        return Err(match (unknown, makers.is_empty()) {
            (_, true) => Error::host(Code::AttestationMaker, "the registry knows no makers"),
            (SignatureError::Signature, _) => {
                Error::host(Code::AttestationSignature, "the attestation was signed by none of the makers")
            }
            (error, _) => malformed(&error.to_string()),
        });
    };
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    if text("iss") != Some(maker) {
        return Err(Error::host(Code::AttestationMaker, "the attestation names another maker than its key's"));
    }
    let of = payload.get("cnf").and_then(|cnf| cnf.get("jkt")).and_then(Value::as_str);
    if of.and_then(thumbprint) != Some(band) {
        return Err(Error::host(Code::AttestationBand, "the attestation is another band's"));
    }
    if payload.get("exp").is_some_and(|exp| exp.as_u64().is_none_or(|expires| now >= expires)) {
        return Err(Error::host(Code::AttestationExpired, "the attestation has expired"));
    }
    let measures = payload.get("band_measures").and_then(Value::as_array);
    let measures = measures.ok_or_else(|| malformed("`band_measures` is missing"))?;
    let known = |name: &Value| name.as_str().and_then(measure).ok_or_else(|| malformed("a measure is unknown"));
    measures.iter().map(known).collect()
}

fn self_signed(jws: &str, typ: &str, also: &[&str]) -> Result<SelfSigned, Error> {
    verify_self_signed(jws, typ, also).map_err(|error| match error {
        SignatureError::Signature => Error::host(Code::ProofSignature, format!("a `{typ}` was not signed by its key")),
        error => Error::host(Code::ProofMalformed, format!("a `{typ}` is malformed: {error}")),
    })
}

fn by_one_of(jws: &str, keys: &[Value], typ: &str) -> Result<Map<String, Value>, SignatureError> {
    let mut found = Err(SignatureError::Signature);
    for key in keys {
        found = verify_jws(jws, key, typ);
        if !matches!(found, Err(SignatureError::Signature)) {
            break;
        }
    }
    found
}

fn for_us(payload: &Map<String, Value>, audience: &str, now: u64) -> Result<(), Error> {
    if !is_for(payload.get("aud"), audience) {
        return Err(Error::host(Code::ProofAudience, format!("what was signed is not for `{audience}`")));
    }
    fresh(payload, now, Code::ProofStale, "what was signed")
}

fn fresh(payload: &Map<String, Value>, now: u64, code: Code, what: &str) -> Result<(), Error> {
    let issued = payload.get("iat").and_then(Value::as_u64);
    let good = now.saturating_sub(PROOF_LIFETIME)..=now.saturating_add(CLOCK_TOLERANCE);
    match issued.is_some_and(|at| good.contains(&at)) {
        true => Ok(()),
        false => Err(Error::host(code, format!("`iat` of {what} is not within {PROOF_LIFETIME} s"))),
    }
}

fn is_for(audience: Option<&Value>, us: &str) -> bool {
    match audience {
        Some(Value::String(one)) => one == us,
        Some(Value::Array(several)) => several.iter().any(|one| one == us),
        _ => false,
    }
}
