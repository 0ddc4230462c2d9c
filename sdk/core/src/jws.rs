//! JWS in its compact serialization (RFC 7515, section 7.1), ES256 only.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::encoding::{JsonError, base64, base64url, json};
use crate::jwk::PublicKey;
use crate::trust::Signer;

/// A JWS that was parsed. Nothing in it is to be believed before [`Jws::verified_by`] said yes.
#[derive(Debug)]
pub(crate) struct Jws<'a> {
    pub(crate) header: Map<String, Value>,
    pub(crate) payload: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

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
            header,
            payload: object(payload, "the payload is not base64url", "the payload is not a JSON object")?,
            signed,
            signature: base64url(signature).ok_or(JwsError::Malformed("the signature is not base64url"))?,
        })
    }

    /// A header parameter that is a string.
    pub(crate) fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }

    /// What the header says of whose signature it is (RFC 7515, sections 4.1.4 and 4.1.6).
    pub(crate) fn signer(&self) -> Signer<'_> {
        let chain = match self.header.get("x5c") {
            None => Some(Vec::new()),
            Some(Value::Array(chain)) => chain.iter().map(|der| der.as_str().and_then(base64)).collect(),
            Some(_) => None,
        };
        Signer { kid: self.header_text("kid"), chain }
    }

    pub(crate) fn is_es256(&self) -> bool {
        self.header_text("alg") == Some("ES256")
    }

    pub(crate) fn verified_by(&self, key: &PublicKey) -> bool {
        key.verifies(self.signed.as_bytes(), &self.signature)
    }
}

fn object(part: &str, not_base64url: &'static str, not_object: &'static str) -> Result<Map<String, Value>, JwsError> {
    let bytes = base64url(part).ok_or(JwsError::Malformed(not_base64url))?;
    match json(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(JsonError::Malformed) => Err(JwsError::Malformed(not_object)),
        Err(JsonError::TooLarge) => Err(JwsError::TooLarge),
    }
}
