//! `SessionTranscript`: what a proof is bound to (section 9.1.5.1; OpenID4VP 1.0, appendix B.2.6).

use alloc::vec::Vec;

use p256::SecretKey;

use crate::cose::{self, Buffer, encoded};
use crate::encoding::sha256;
use crate::expected::Binding;

/// The transcript of a binding, not tagged.
///
/// # Errors
/// The member of a binding that is malformed.
pub(crate) fn transcript(binding: &Binding) -> Result<Vec<u8>, &'static str> {
    match binding {
        Binding::OpenId4Vp { response_uri, .. } if response_uri.is_empty() => Err("response_uri"),
        Binding::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint } => {
            let info = [text(client_id), text(nonce), thumbprint(jwk_thumbprint.as_ref()), text(response_uri)];
            Ok(handover("OpenID4VPHandover", &info))
        }
        Binding::DcApi { origin, .. } if origin.is_empty() => Err("origin"),
        Binding::DcApi { origin, nonce, jwk_thumbprint } => {
            let info = [text(origin), text(nonce), thumbprint(jwk_thumbprint.as_ref())];
            Ok(handover("OpenID4VPDCAPIHandover", &info))
        }
        Binding::Proximity { session_transcript, reader_key } => {
            if reader_key.is_some_and(|key| SecretKey::from_slice(&key).is_err()) {
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
        items.iter().for_each(|item| bytes.extend_from_slice(item));
        Ok(())
    })
}

pub(super) fn text(text: &str) -> Vec<u8> {
    encoded(|cbor| cbor.str(text).map(drop))
}

fn null() -> Vec<u8> {
    encoded(|cbor| cbor.null().map(drop))
}

fn thumbprint(thumbprint: Option<&[u8; 32]>) -> Vec<u8> {
    thumbprint.map_or_else(null, |thumbprint| encoded(|cbor| cbor.bytes(thumbprint).map(drop)))
}
