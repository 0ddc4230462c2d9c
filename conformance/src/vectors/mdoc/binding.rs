//! What a proof is bound to, and what it is not.

use anyhow::Result;
use bandpass_roles::cbor::Cbor;
use bandpass_roles::{base64url, sha256_base64url};

use super::super::Vectors;
use super::by_redirect;
use crate::Binding;
use crate::draft::{AUDIENCE, Draft};
use crate::mdoc::session;

type Signed = fn(&str) -> Binding;

const HANDOVER: &str = "OpenID4VP 1.0, B.2.6";
const CHALLENGE: &str = "band profile, Challenge";

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    let key = || Some(sha256_base64url(b"a key"));
    vectors.accept("encrypted-response", HANDOVER, |draft| {
        let nonce = draft.expected.nonce.clone();
        draft.bind(by_redirect(&nonce, key()));
    })?;
    vectors.accept("dc-api", HANDOVER, |draft| {
        let nonce = draft.expected.nonce.clone();
        draft.bind(dc_api(&nonce, None));
    })?;
    vectors.accept("dc-api-encrypted-response", HANDOVER, |draft| {
        let nonce = draft.expected.nonce.clone();
        draft.bind(dc_api(&nonce, key()));
    })?;
    vectors.accept("payment-by-dc-api", HANDOVER, |draft| {
        let nonce = draft.expected.nonce.clone();
        draft.bind(dc_api(&nonce, None));
        draft.pay("35.00");
    })?;
    // What the proof says is right, and it was made for another session.
    let nonce = |draft: &Draft| draft.expected.nonce.clone();
    let others: [(&str, Signed); 6] = [
        ("another-nonce", |_| by_redirect("another", None)),
        ("another-key", |nonce| by_redirect(nonce, Some(sha256_base64url(b"another key")))),
        ("another-client", |nonce| Binding::OpenId4Vp {
            client_id: "x509_san_dns:other.example".into(),
            nonce: nonce.into(),
            response_uri: "https://shop.example/response".into(),
            jwk_thumbprint: None,
        }),
        ("another-response-uri", |nonce| Binding::OpenId4Vp {
            client_id: AUDIENCE.into(),
            nonce: nonce.into(),
            response_uri: "https://shop.example/other".into(),
            jwk_thumbprint: None,
        }),
        ("by-dc-api-for-redirect", |nonce| dc_api(nonce, None)),
        ("at-a-reader", |_| Binding::Proximity {
            session_transcript: session().map(|(transcript, _)| base64url(&transcript)).unwrap_or_default(),
            reader_key: None,
        }),
    ];
    for (what, signed) in others {
        vectors.refuse("holder.signature", what, HANDOVER, |draft| {
            draft.mdoc().session = Some(signed(&nonce(draft)).session());
        })?;
    }
    vectors.refuse("holder.signature", "another-origin", HANDOVER, |draft| {
        draft.bind(dc_api(&nonce(draft), None));
        let other =
            Binding::DcApi { origin: "https://other.example".into(), nonce: nonce(draft), jwk_thumbprint: None };
        draft.mdoc().session = Some(other.session());
    })?;
    vectors.refuse("holder.session", "audience-alone", CHALLENGE, |draft| {
        draft.mdoc().session = draft.expected.binding.as_ref().map(Binding::session);
        draft.expected.binding = None;
    })?;
    vectors.refuse("holder.session", "sd-jwt-at-a-reader", CHALLENGE, |draft| {
        let (kb, binding) = (draft.kb.clone(), draft.in_proximity());
        draft.mdoc = None;
        draft.kb = kb;
        (draft.expected.audience, draft.expected.nonce) = (Vec::new(), String::new());
        if binding.is_err() {
            draft.expected.binding = None;
        }
    })?;
    let proximity = |session_transcript: &[u8], reader_key: Option<&[u8]>| Binding::Proximity {
        session_transcript: base64url(session_transcript),
        reader_key: reader_key.map(base64url),
    };
    let (transcript, _) = session()?;
    let nonce = "n-0S6_WzA2Mj";
    for (what, binding) in [
        (
            "response-uri-empty",
            Binding::OpenId4Vp {
                client_id: AUDIENCE.into(),
                nonce: nonce.into(),
                response_uri: String::new(),
                jwk_thumbprint: None,
            },
        ),
        (
            "client-id-empty",
            Binding::OpenId4Vp {
                client_id: String::new(),
                nonce: nonce.into(),
                response_uri: "https://shop.example/response".into(),
                jwk_thumbprint: None,
            },
        ),
        ("nonce-empty", by_redirect("", None)),
        ("origin-empty", Binding::DcApi { origin: String::new(), nonce: nonce.into(), jwk_thumbprint: None }),
        ("transcript-empty", proximity(&[], None)),
        ("transcript-not-tagged", proximity(&transcript[2..], None)),
        ("transcript-of-two", proximity(&Cbor::Array(vec![Cbor::Null, Cbor::Null]).embedded().encode(), None)),
        ("transcript-and-more", proximity(&[&transcript[..], &[0]].concat(), None)),
        ("reader-key-zero", proximity(&transcript, Some(&[0; 32]))),
    ] {
        vectors.refuse("challenge.malformed", what, CHALLENGE, |draft| {
            draft.mdoc().session = draft.expected.binding.as_ref().map(Binding::session);
            draft.expected.binding = Some(binding);
        })?;
    }
    Ok(())
}

fn dc_api(nonce: &str, jwk_thumbprint: Option<String>) -> Binding {
    Binding::DcApi { origin: "https://shop.example".into(), nonce: nonce.into(), jwk_thumbprint }
}
