//! P-256 public keys as JWK (RFC 7517, RFC 7518 section 6.2).

use alloc::format;
use alloc::string::String;
use core::fmt;

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::{Map, Value};

use crate::encoding::{base64url, digest};

/// A P-256 public key that verifies ES256 signatures.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    key: VerifyingKey,
    thumbprint: String,
}

/// Why a JWK was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum JwkError {
    /// A key for something else than ES256: another `kty`, `crv`, `alg`, `use` or `key_ops`.
    OtherUse,
    /// Not a public P-256 key: a coordinate of the wrong form, a point off the curve, or a private key.
    Malformed(&'static str),
}

impl PublicKey {
    pub(crate) fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, JwkError> {
        let text = |name| jwk.get(name).and_then(Value::as_str);
        if text("kty") != Some("EC") || text("crv") != Some("P-256") {
            return Err(JwkError::OtherUse);
        }
        let allows = |name: &str, value: &str| jwk.get(name).is_none_or(|found| found == value);
        if !allows("alg", "ES256") || !allows("use", "sig") {
            return Err(JwkError::OtherUse);
        }
        if let Some(operations) = jwk.get("key_ops") {
            let verifies = |all: &alloc::vec::Vec<Value>| all.iter().any(|operation| operation == "verify");
            if !operations.as_array().is_some_and(verifies) {
                return Err(JwkError::OtherUse);
            }
        }
        if jwk.contains_key("d") {
            return Err(JwkError::Malformed("it holds a private key"));
        }
        let coordinate = |name| {
            text(name)
                .and_then(base64url)
                .filter(|bytes| bytes.len() == 32)
                .ok_or(JwkError::Malformed("a coordinate is not base64url of 32 bytes"))
        };
        let (x, y) = (coordinate("x")?, coordinate("y")?);
        let key = VerifyingKey::from_sec1_bytes(&[&[4], x.as_slice(), &y].concat())
            .map_err(|_| JwkError::Malformed("its point is not on the curve"))?;
        let (x, y) = (text("x").unwrap_or_default(), text("y").unwrap_or_default());
        // RFC 7638, section 3.2: the required members in lexicographic order.
        let thumbprint = digest(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes());
        Ok(Self { key, thumbprint })
    }

    /// RFC 7638 thumbprint with SHA-256.
    pub(crate) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Verifies an ES256 signature: r and s, 32 bytes each (RFC 7518, section 3.4).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.thumbprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9901, appendix A.5 (the issuer's key of all its examples).
    const JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ","y":"Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8"}"#;

    fn parse(change: impl FnOnce(&mut Map<String, Value>)) -> Result<PublicKey, JwkError> {
        let mut jwk = serde_json::from_str(JWK).expect("JSON");
        change(&mut jwk);
        PublicKey::from_jwk(&jwk)
    }

    #[test]
    fn keys_for_something_else_are_told_apart_from_bad_ones() {
        assert!(parse(|_| ()).is_ok());
        for (name, value) in [("kty", "RSA"), ("crv", "P-384"), ("alg", "ES384"), ("use", "enc"), ("key_ops", "verify")]
        {
            let refused = parse(|jwk| {
                jwk.insert(name.into(), value.into());
            });
            assert_eq!(refused, Err(JwkError::OtherUse), "{name}");
        }
        for (name, value) in [
            ("d", "AA"),
            ("x", "AA"),
            ("x", "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtR"),
            ("y", "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ"),
            ("y", "_____wAAAAEAAAAAAAAAAAAAAAD_______________8"),
        ] {
            let refused = parse(|jwk| {
                jwk.insert(name.into(), value.into());
            });
            assert!(matches!(refused, Err(JwkError::Malformed(_))), "{name} {value}");
        }
    }
}
