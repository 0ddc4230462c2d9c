//! `SessionTranscript`: what a proof is bound to (section 9.1.5.1; OpenID4VP 1.0, appendix B.2.6).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use p256::SecretKey;

use crate::cose::{self, Buffer, encoded};
use crate::encoding::{digest, sha256};
use crate::expected::Binding;

/// What a proof is bound to.
#[derive(Clone)]
pub(crate) struct Session {
    /// `SessionTranscript`.
    pub(super) transcript: Vec<u8>,
    /// In proximity base64url of the SHA-256 of `SessionTranscriptBytes`.
    id: Option<String>,
    pub(super) reader_key: Option<Vec<u8>>,
}

impl Session {
    /// # Errors
    /// The member of a binding that is malformed.
    pub(crate) fn of(binding: &Binding) -> Result<Self, &'static str> {
        let transcript = transcript(binding)?;
        Ok(match binding {
            Binding::Proximity { session_transcript, reader_key } => {
                Self { transcript, id: Some(digest(session_transcript)), reader_key: reader_key.clone() }
            }
            _ => Self { transcript, id: None, reader_key: None },
        })
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// Without the key, which is a secret.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", digest(&self.transcript))
    }
}

/// The transcript of a binding, not tagged.
fn transcript(binding: &Binding) -> Result<Vec<u8>, &'static str> {
    match binding {
        Binding::OpenId4Vp { response_uri, .. } if response_uri.is_empty() => Err("response_uri"),
        Binding::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint } => {
            let info = [text(client_id), text(nonce), thumbprint(jwk_thumbprint.as_deref())?, text(response_uri)];
            Ok(handover("OpenID4VPHandover", &info))
        }
        Binding::DcApi { origin, .. } if origin.is_empty() => Err("origin"),
        Binding::DcApi { origin, nonce, jwk_thumbprint } => {
            let info = [text(origin), text(nonce), thumbprint(jwk_thumbprint.as_deref())?];
            Ok(handover("OpenID4VPDCAPIHandover", &info))
        }
        Binding::Proximity { session_transcript, reader_key } => {
            if reader_key.as_ref().is_some_and(|key| SecretKey::from_slice(key).is_err()) {
                return Err("reader_key");
            }
            let transcript = cose::embedded(session_transcript);
            // Its length in the shortest form, so that digests of it are of one form too.
            let is_one = |inside: &&[u8]| {
                cose::array(inside).is_some_and(|items| items.len() == 3) && cose::embed(inside) == *session_transcript
            };
            let transcript = transcript.filter(is_one);
            transcript.map(<[u8]>::to_vec).ok_or("session_transcript")
        }
    }
}

/// Without engagement and reader key: `[null, null, [identifier, SHA-256 of the info]]`.
fn handover(identifier: &str, info: &[Vec<u8>]) -> Vec<u8> {
    let hash = sha256(&array(info));
    let handover = array(&[text(identifier), encoded(|cbor| cbor.bytes(&hash).map(drop))]);
    array(&[null(), null(), handover])
}

/// An array of what is encoded already.
pub(super) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    encoded(|cbor| {
        cbor.array(items.len().try_into().unwrap_or_default())?;
        let Buffer(bytes) = cbor.writer_mut();
        for item in items {
            bytes.extend_from_slice(item);
        }
        Ok(())
    })
}

pub(super) fn text(text: &str) -> Vec<u8> {
    encoded(|cbor| cbor.str(text).map(drop))
}

fn null() -> Vec<u8> {
    encoded(|cbor| cbor.null().map(drop))
}

fn thumbprint(thumbprint: Option<&[u8]>) -> Result<Vec<u8>, &'static str> {
    match thumbprint {
        None => Ok(null()),
        Some(thumbprint) if thumbprint.len() == 32 => Ok(encoded(|cbor| cbor.bytes(thumbprint).map(drop))),
        Some(_) => Err("jwk_thumbprint"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::base64url;
    use crate::jws::jwk_thumbprint;
    use serde_json::json;

    const NONCE: &str = "exc7gBkxjx1rdc9udRrveKvSsJIq80avlXeLHhGwqtA";

    fn base16(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).expect("ASCII"));
        digits.map(|pair| u8::from_str_radix(pair, 16).expect("a digit")).collect()
    }

    /// The key of the examples in OpenID4VP 1.0, appendix B.2.6.
    fn key() -> Option<Vec<u8>> {
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": "DxiH5Q4Yx3UrukE2lWCErq8N8bqC9CHLLrAwLz5BmE0",
            "y": "XtLM4-3h5o3HUH0MHVJV0kyq0iBlrBwlh8qEDMZ4-Pc"});
        base64url(&jwk_thumbprint(&jwk).expect("a key"))
    }

    /// OpenID4VP 1.0, appendix B.2.6.1.
    #[test]
    fn the_standards_example_by_redirect() {
        let binding = Binding::OpenId4Vp {
            client_id: "x509_san_dns:example.com".into(),
            nonce: NONCE.into(),
            response_uri: "https://example.com/response".into(),
            jwk_thumbprint: key(),
        };
        let expected = "83f6f682714f70656e494434565048616e646f7665725820\
                        048bc053c00442af9b8eed494cefdd9d95240d254b046b11b68013722aad38ac";
        assert_eq!(transcript(&binding), Ok(base16(expected)));
    }

    /// OpenID4VP 1.0, appendix B.2.6.2.
    #[test]
    fn the_standards_example_by_dc_api() {
        let binding =
            Binding::DcApi { origin: "https://example.com".into(), nonce: NONCE.into(), jwk_thumbprint: key() };
        let expected = "83f6f682764f70656e4944345650444341504948616e646f7665725820\
                        fbece366f4212f9762c74cfdbf83b8c69e371d5d68cea09cb4c48ca6daab761a";
        assert_eq!(transcript(&binding), Ok(base16(expected)));
    }
}
