//! P-256 public keys as JWK (RFC 7517, RFC 7518 section 6.2).

use alloc::string::String;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value};

use crate::encoding::{base64url, digest};
use crate::es256;
#[cfg(feature = "certificates")]
use crate::x509;

/// A P-256 public key that verifies ES256 signatures.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    key: es256::Key,
    coordinates: [[u8; 32]; 2],
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
            let bytes = text(name).and_then(base64url);
            let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            bytes.ok_or(JwkError::Malformed("a coordinate is not base64url of 32 bytes"))
        };
        Self::from_coordinates(coordinate("x")?, coordinate("y")?)
            .ok_or(JwkError::Malformed("its point is not on the curve"))
    }

    /// The key at an uncompressed point (SEC 1, section 2.3.3), if it is on the curve.
    #[cfg(feature = "certificates")]
    pub(crate) fn from_point(point: &[u8]) -> Option<Self> {
        let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
        Self::from_coordinates(x.try_into().ok()?, y.try_into().ok()?)
    }

    pub(crate) fn from_coordinates(x: [u8; 32], y: [u8; 32]) -> Option<Self> {
        let key = es256::Key::from_coordinates(&x, &y)?;
        let coordinates = [x, y];
        Some(Self { key, coordinates, thumbprint: digest(jwk(&coordinates).as_bytes()) })
    }

    /// x and y.
    pub(crate) fn coordinates(&self) -> &[[u8; 32]; 2] {
        &self.coordinates
    }

    /// RFC 7638 thumbprint with SHA-256.
    pub(crate) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Verifies an ES256 signature: r and s, 32 bytes each (RFC 7518, section 3.4).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verifies(message, signature)
    }

    pub(crate) fn precomputed(&self) -> es256::PrecomputedKey {
        es256::PrecomputedKey::from(&self.key)
    }

    /// Verifies an ECDSA signature over SHA-256 in the form that certificates have (RFC 5480, appendix A).
    #[cfg(feature = "certificates")]
    pub(crate) fn verifies_der(&self, message: &[u8], signature: &[u8]) -> bool {
        x509::signature(signature).is_some_and(|signature| self.verifies(message, &signature))
    }
}

/// A public key by its coordinates as RFC 7638 has it (section 3.2): the required members in lexicographic order.
pub(crate) fn jwk([x, y]: &[[u8; 32]; 2]) -> String {
    let [x, y] = [x, y].map(|coordinate| Base64UrlUnpadded::encode_string(coordinate));
    [r#"{"crv":"P-256","kty":"EC","x":""#, &x, r#"","y":""#, &y, r#""}"#].concat()
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.thumbprint)
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::Signature;

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

    /// Every P-256 case with SHA-256 that Wycheproof has in a file of the crate `wycheproof-ng-ecdsa`: key, message,
    /// signature, and whether it is valid.
    fn wycheproof(file: &str) -> alloc::vec::Vec<(PublicKey, [alloc::vec::Vec<u8>; 2], bool)> {
        let folder = bandpass_conformance::published("wycheproof-ng-ecdsa").expect("fetched");
        let file = std::fs::read(folder.join("src/data").join(file)).expect("a file");
        let file: Value = serde_json::from_slice(&file).expect("JSON");
        let bytes = |value: &Value| base16(value.as_str().expect("hexadecimal"));
        let mut cases = alloc::vec::Vec::new();
        for group in file["testGroups"].as_array().expect("groups") {
            let point = bytes(&group["publicKey"]["uncompressed"]);
            let (x, y) = point[1..].split_at(32);
            let encode = |bytes: &[u8]| <base64ct::Base64UrlUnpadded as base64ct::Encoding>::encode_string(bytes);
            let jwk = serde_json::json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
            let key = PublicKey::from_jwk(jwk.as_object().expect("an object")).expect("a key");
            for case in group["tests"].as_array().expect("tests") {
                cases.push((key.clone(), [bytes(&case["msg"]), bytes(&case["sig"])], case["result"] == "valid"));
            }
        }
        cases
    }

    fn base16(text: &str) -> alloc::vec::Vec<u8> {
        let digits = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).expect("ASCII"));
        digits.map(|pair| u8::from_str_radix(pair, 16).expect("a digit")).collect()
    }

    #[test]
    fn wycheproof_with_signatures_as_jws_has_them() {
        let cases = wycheproof("ecdsa_secp256r1_sha256_p1363_test.json");
        assert!(cases.len() > 200, "{} cases", cases.len());
        for (key, [message, signature], valid) in &cases {
            assert_eq!(key.verifies(message, signature), *valid, "{signature:02x?}");
        }
    }

    /// JWS has r and s side by side (RFC 7518, section 3.4): DER is refused there, and read as the crate `ecdsa` does.
    #[test]
    fn wycheproof_with_signatures_in_der() {
        let cases = wycheproof("ecdsa_secp256r1_sha256_test.json");
        assert!(cases.len() > 400, "{} cases", cases.len());
        for (key, [message, signature], valid) in &cases {
            assert!(!key.verifies(message, signature), "{signature:02x?}");
            assert_eq!(key.verifies_der(message, signature), *valid, "{signature:02x?}");
            let parsed = Signature::from_der(signature).ok().map(|parsed| <[u8; 64]>::from(parsed.to_bytes()));
            let is_scalar = |found: &[u8; 64]| Signature::from_slice(found).is_ok();
            assert_eq!(x509::signature(signature).filter(is_scalar), parsed, "{signature:02x?}");
        }
    }

    /// ECDSA as in FIPS 186-5 and RFC 7518 knows no low-s rule: (r, n - s) is as valid as (r, s).
    #[test]
    fn both_forms_of_s_are_valid() {
        let cases = wycheproof("ecdsa_secp256r1_sha256_p1363_test.json");
        for (key, [message, signature], _) in cases.iter().filter(|(_, _, valid)| *valid) {
            let signature = Signature::from_slice(signature).expect("a signature");
            let (r, s) = signature.split_scalars();
            let other = Signature::from_scalars(*r, -*s).expect("a signature");
            assert!(key.verifies(message, &other.to_bytes()));
        }
    }
}
