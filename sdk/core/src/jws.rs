//! JWS in its compact serialization (RFC 7515, section 7.1), ES256 only.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Map, Value};

use crate::encoding::{JsonError, base64, base64url, json};
use crate::jwk::PublicKey;
use crate::memory::Memory;
use crate::trust::Signer;

/// A JWS that was parsed. Nothing in it is to be believed before [`Jws::verified_by`] said yes.
#[derive(Debug)]
pub(crate) struct Jws<'a> {
    pub(crate) header: Header,
    pub(crate) payload: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

/// A JOSE header.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header(pub(crate) Map<String, Value>);

/// Why a JWS was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JwsError {
    Malformed(&'static str),
    Unsupported(&'static str),
    TooLarge,
}

impl<'a> Jws<'a> {
    pub(crate) fn parse(compact: &'a str) -> Result<Self, JwsError> {
        let parts = compact.split('.').collect::<Vec<_>>();
        let [header, payload, signature] = parts.as_slice() else {
            return Err(match parts.len() {
                5 => JwsError::Unsupported("it is encrypted (JWE)"),
                _ => JwsError::Malformed("a JWS has three parts"),
            });
        };
        let signed = compact.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let header = object(header, "the header is not base64url", "the header is not a JSON object")?;
        if header.contains_key("crit") {
            return Err(JwsError::Unsupported("no extension named in `crit` is understood"));
        }
        Ok(Self {
            header: Header(header),
            payload: object(payload, "the payload is not base64url", "the payload is not a JSON object")?,
            signed,
            signature: base64url(signature).ok_or(JwsError::Malformed("the signature is not base64url"))?,
        })
    }

    pub(crate) fn verified_by(&self, key: &PublicKey) -> bool {
        key.verifies(self.signed.as_bytes(), &self.signature)
    }

    /// The same by a key that may verify often.
    pub(crate) fn verified_remembering(&self, key: &PublicKey, memory: &mut Memory) -> bool {
        memory.verifies(key, self.signed.as_bytes(), &self.signature)
    }
}

impl Header {
    /// A parameter that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// What it says of whose signature it is (RFC 7515, sections 4.1.4 and 4.1.6).
    pub(crate) fn signer(&self) -> Signer<'_> {
        let chain = match self.0.get("x5c") {
            None => Some(Vec::new()),
            Some(Value::Array(chain)) => chain.iter().map(|der| der.as_str().and_then(base64)).collect(),
            Some(_) => None,
        };
        Signer { kid: self.text("kid"), chain }
    }

    pub(crate) fn is_es256(&self) -> bool {
        self.text("alg") == Some("ES256")
    }
}

/// Why a JWS that is no part of a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// The key is no public P-256 key for signatures.
    Key,
    /// Not a compact JWS over a JSON object with `alg`, `typ` and perhaps `kid` in its header.
    Malformed,
    /// Another type than was asked for, or another algorithm than ES256.
    Type,
    /// The signature does not verify.
    Signature,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the key is no public P-256 key",
            Self::Malformed => "it is not a well-formed JWS",
            Self::Type => "it is of another type, or not signed with ES256",
            Self::Signature => "the signature does not verify by this key",
        })
    }
}

impl core::error::Error for SignatureError {}

/// Verifies a compact JWS that is no token, such as a receipt, and returns its payload. `jwk` is the signer's public key (RFC
/// 7517), which the caller trusts; `typ` the media type that must stand in the header (RFC 8725, section 3.11).
///
/// # Errors
/// A [`SignatureError`] that says what is wrong with it.
pub fn verify_jws(compact: &str, jwk: &Value, typ: &str) -> Result<Map<String, Value>, SignatureError> {
    let key = jwk.as_object().and_then(|jwk| PublicKey::from_jwk(jwk).ok()).ok_or(SignatureError::Key)?;
    let jws = Jws::parse(compact).map_err(|_| SignatureError::Malformed)?;
    if jws.header.0.keys().any(|name| !["alg", "typ", "kid"].contains(&name.as_str())) {
        return Err(SignatureError::Malformed);
    }
    if jws.header.text("typ") != Some(typ) || !jws.header.is_es256() {
        return Err(SignatureError::Type);
    }
    match jws.verified_by(&key) {
        true => Ok(jws.payload),
        false => Err(SignatureError::Signature),
    }
}

/// A compact JWS by the key that stands in its own header: that key is the signer's, whoever they are.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    /// RFC 7638 thumbprint of the key.
    pub thumbprint: String,
    /// Its header.
    pub header: Map<String, Value>,
    /// What was signed.
    pub payload: Map<String, Value>,
}

/// Verifies a compact JWS by the key in its header parameter `jwk` (RFC 7515, section 4.1.3), such as a `DPoP` proof (RFC 9449,
/// section 4.2). `typ` is the media type that must stand in the header; besides `alg` and `jwk` nothing but what `also` names may.
///
/// # Errors
/// A [`SignatureError`] that says what is wrong with it.
pub fn verify_self_signed(compact: &str, typ: &str, also: &[&str]) -> Result<SelfSigned, SignatureError> {
    let jws = Jws::parse(compact).map_err(|_| SignatureError::Malformed)?;
    if jws.header.0.keys().any(|name| !["alg", "typ", "jwk"].contains(&name.as_str()) && !also.contains(&name.as_str()))
    {
        return Err(SignatureError::Malformed);
    }
    if jws.header.text("typ") != Some(typ) || !jws.header.is_es256() {
        return Err(SignatureError::Type);
    }
    let jwk = jws.header.0.get("jwk").and_then(Value::as_object).ok_or(SignatureError::Key)?;
    let key = PublicKey::from_jwk(jwk).map_err(|_| SignatureError::Key)?;
    match jws.verified_by(&key) {
        true => Ok(SelfSigned { thumbprint: key.thumbprint().into(), header: jws.header.0, payload: jws.payload }),
        false => Err(SignatureError::Signature),
    }
}

/// RFC 7638 thumbprint (SHA-256) of a public P-256 key as JWK; none if it is not one that verifies ES256.
#[must_use]
pub fn jwk_thumbprint(jwk: &Value) -> Option<String> {
    Some(PublicKey::from_jwk(jwk.as_object()?).ok()?.thumbprint().into())
}

fn object(part: &str, not_base64url: &'static str, not_object: &'static str) -> Result<Map<String, Value>, JwsError> {
    let bytes = base64url(part).ok_or(JwsError::Malformed(not_base64url))?;
    match json(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(JsonError::Malformed) => Err(JwsError::Malformed(not_object)),
        Err(JsonError::TooLarge) => Err(JwsError::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use bandpass_roles::{Key, os_rng};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_jws_is_by_this_key_and_of_this_type() {
        let (key, other) = (Key::generate(&mut os_rng()), Key::generate(&mut os_rng()));
        let payload = json!({"n": 1});
        let sign = |header: Value| key.sign(&header, &payload);
        let good = sign(json!({"alg": "ES256", "typ": "example+jwt", "kid": "1"}));
        assert_eq!(verify_jws(&good, &key.jwk(), "example+jwt").map(Value::from), Ok(payload.clone()));
        let own = sign(json!({"alg": "ES256", "typ": "example+jwt", "jwk": key.jwk(), "more": 1}));
        let signed = verify_self_signed(&own, "example+jwt", &["more"]).expect("its own key");
        assert_eq!((signed.thumbprint, signed.payload.into()), (key.thumbprint(), payload.clone()));
        assert_eq!(signed.header["more"], 1);
        for (jws, error) in [
            (own.clone(), SignatureError::Malformed),
            (good.clone(), SignatureError::Malformed),
            (sign(json!({"alg": "ES256", "typ": "example+jwt"})), SignatureError::Key),
            (sign(json!({"alg": "ES256", "typ": "another+jwt", "jwk": key.jwk()})), SignatureError::Type),
            (sign(json!({"alg": "ES256", "typ": "example+jwt", "jwk": other.jwk()})), SignatureError::Signature),
            (sign(json!({"alg": "ES256", "typ": "example+jwt", "jwk": key.to_private_jwk()})), SignatureError::Key),
        ] {
            assert_eq!(
                verify_self_signed(&jws, "example+jwt", &[]).map(|signed| signed.thumbprint),
                Err(error),
                "{jws}"
            );
        }
        for (jws, jwk, error) in [
            (good.clone(), other.jwk(), SignatureError::Signature),
            (good.clone(), json!("key"), SignatureError::Key),
            (good.clone(), json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}), SignatureError::Key),
            (sign(json!({"alg": "ES256", "typ": "other+jwt"})), key.jwk(), SignatureError::Type),
            (sign(json!({"alg": "ES256"})), key.jwk(), SignatureError::Type),
            (sign(json!({"alg": "none", "typ": "example+jwt"})), key.jwk(), SignatureError::Type),
            (
                sign(json!({"alg": "ES256", "typ": "example+jwt", "jwk": key.jwk()})),
                key.jwk(),
                SignatureError::Malformed,
            ),
            (
                sign(json!({"alg": "ES256", "typ": "example+jwt", "crit": ["b64"]})),
                key.jwk(),
                SignatureError::Malformed,
            ),
            (good.replace('.', ""), key.jwk(), SignatureError::Malformed),
            ([&good, "="].concat(), key.jwk(), SignatureError::Malformed),
        ] {
            assert_eq!(verify_jws(&jws, &jwk, "example+jwt"), Err(error), "{jws}");
        }
    }
}
