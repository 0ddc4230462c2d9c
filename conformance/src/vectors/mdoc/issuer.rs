//! Who signed it.

use anyhow::Result;
use bandpass_roles::cbor::Cbor;
use base64ct::{Base64, Encoding as _};
use serde_json::json;
use x509_cert::ext::pkix::KeyUsages;

use super::super::Vectors;
use super::{at, edit, entry, trusts};
use crate::certificate::{Certificate, INTERMEDIATE, LOW_LEAF, ROOT};
use crate::draft::NOW;
use crate::mdoc::{DOCUMENT_SIGNER, MDOC_SIGNER};

const MSO: &str = "ISO 18013-5, 9.1.2.4";
const ISSUER: &str = "ISO 18013-5, 9.3.1";
const KEYS: &str = "ISO 18013-5, 9.3.3";
const SIGNER: &str = "ISO 18013-5, B.1.4";
const LIST: &str = "trust list";

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    let roots = [ROOT.base64()?];
    let pem = |text: &str| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let lines = roots[0].as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    vectors.accept("root-as-pem", LIST, |draft| drop(trusts(draft, &json!({"x5c_roots": [pem(&lines)]}))))?;
    vectors.accept("root-as-pem-in-one-line", LIST, |draft| {
        drop(trusts(draft, &json!({"x5c_roots": [pem(&roots[0])]})));
    })?;
    vectors.accept("signer-by-name", LIST, |draft| {
        drop(trusts(draft, &json!({"leaf": {"san_uri": "https://wallet.example"}})));
    })?;
    vectors.accept("signer-for-another-purpose-that-is-listed", LIST, |draft| {
        drop(trusts(draft, &json!({"eku": ["1.3.6.1.4.1.32473.2"], "status_eku": [MDOC_SIGNER]})));
        draft.mdoc().chain = vec![Certificate { purposes: &["1.3.6.1.4.1.32473.2"], ..DOCUMENT_SIGNER }];
    })?;
    vectors.accept("intermediate", KEYS, |draft| {
        draft.mdoc().chain = vec![Certificate { purposes: &[MDOC_SIGNER], ..LOW_LEAF }, INTERMEDIATE];
    })?;
    vectors.accept("second-entry-lists-the-type", LIST, |draft| {
        let other = json!({"iss": "https://other.example", "x5c_roots": roots, "doctypes": ["example.other.1"]});
        drop(trusts(draft, &json!({})));
        draft.trust["issuers"].as_array_mut().into_iter().for_each(|all| all.insert(0, other.clone()));
    })?;
    vectors.accept("same-name-as-an-issuer-of-sd-jwts", LIST, |draft| {
        let jwks = json!({"keys": [draft.phone_key.jwk()]});
        let other = json!({"iss": crate::draft::ISSUER, "jwks": jwks, "vct": ["urn:bandpass:band:1"]});
        drop(trusts(draft, &json!({})));
        draft.trust["issuers"].as_array_mut().into_iter().for_each(|all| all.push(other.clone()));
    })?;
    for (what, algorithm) in [("ES384", -35), ("EdDSA", -8), ("HMAC", 5)] {
        vectors.refuse("issuer.algorithm", what, MSO, |draft| {
            draft.mdoc().issuer_auth = edit(move |auth| {
                let header = Cbor::Map(vec![(Cbor::Integer(1), Cbor::Integer(algorithm))]);
                at(auth, 0, Cbor::Bytes(header.encode()));
            });
        })?;
    }
    vectors.refuse("issuer.algorithm", "not-protected", MSO, |draft| {
        draft.mdoc().issuer_auth = edit(|auth| at(auth, 0, Cbor::Bytes(Vec::new())));
    })?;
    vectors.refuse("issuer.untrusted", "no-entry-for-mdocs", LIST, |draft| {
        let jwks = json!({"keys": [draft.issuer_key.jwk()]});
        *entry(draft) = json!({"iss": "https://issuer.example", "jwks": jwks, "vct": ["urn:bandpass:band:1"]});
        draft.status_lists.clear();
    })?;
    for (what, chain) in [
        ("no-chain", Cbor::Map(Vec::new())),
        ("chain-empty", x5chain(Cbor::Array(Vec::new()))),
        ("chain-text", x5chain("MII".into())),
        ("chain-of-one-in-an-array", x5chain(Cbor::Array(vec![Cbor::Bytes(DOCUMENT_SIGNER.der()?)]))),
        ("not-a-certificate", x5chain(Cbor::Bytes(vec![0x30, 0]))),
        (
            "root-sent-along",
            x5chain(
                [DOCUMENT_SIGNER, ROOT]
                    .iter()
                    .map(|one| one.der().map(Cbor::Bytes))
                    .collect::<Result<_>>()
                    .map(Cbor::Array)?,
            ),
        ),
    ] {
        vectors.refuse("issuer.certificate", what, "RFC 9360, 2", |draft| {
            draft.mdoc().issuer_auth = edit(move |auth| at(auth, 1, chain));
        })?;
    }
    vectors.refuse("issuer.certificate-name", "another-name", LIST, |draft| {
        drop(trusts(draft, &json!({"leaf": {"san_dns": "other.example"}, "iss": "https://other.example", "status_leaf": {"san_uri": "https://wallet.example"}})));
    })?;
    for (what, certificate) in [
        ("no-purpose", Certificate { purposes: &[], ..DOCUMENT_SIGNER }),
        ("reader", Certificate { purposes: &["1.0.18013.5.1.6"], ..DOCUMENT_SIGNER }),
        ("any-purpose", Certificate { purposes: &["2.5.29.37.0"], ..DOCUMENT_SIGNER }),
        ("no-digital-signature", Certificate { usage: Some(KeyUsages::KeyAgreement), ..DOCUMENT_SIGNER }),
        ("no-key-usage", Certificate { usage: None, ..DOCUMENT_SIGNER }),
        ("authority", Certificate { authority: ROOT.authority, ..DOCUMENT_SIGNER }),
        ("key-not-p-256", Certificate { p384: true, ..DOCUMENT_SIGNER }),
    ] {
        vectors.refuse("issuer.certificate-usage", what, SIGNER, |draft| draft.mdoc().chain = vec![certificate])?;
    }
    let stranger = Certificate { key: 13, issuer_key: 13, ..ROOT };
    vectors.refuse("issuer.certificate-path", "another-root", KEYS, |draft| {
        drop(trusts(draft, &json!({"x5c_roots": [stranger.base64().unwrap_or_default()]})));
        draft.status_lists.clear();
    })?;
    vectors.refuse("issuer.certificate-path", "intermediate-missing", KEYS, |draft| {
        draft.mdoc().chain = vec![Certificate { purposes: &[MDOC_SIGNER], ..LOW_LEAF }];
    })?;
    vectors.refuse("issuer.not-yet-valid", "certificate", KEYS, |draft| {
        draft.mdoc().chain = vec![Certificate { starts: NOW + 1, ..DOCUMENT_SIGNER }];
    })?;
    vectors.refuse("issuer.expired", "certificate", KEYS, |draft| {
        draft.mdoc().chain = vec![Certificate { ends: NOW - 1, ..DOCUMENT_SIGNER }];
    })?;
    vectors.refuse("issuer.signature", "another-key", ISSUER, |draft| {
        draft.mdoc().chain = vec![Certificate { key: 9, ..DOCUMENT_SIGNER }];
    })?;
    vectors.refuse("issuer.signature", "another-mso", ISSUER, |draft| {
        draft.mdoc().issuer_auth = edit(|auth| at(auth, 2, Cbor::Bytes(Cbor::Map(Vec::new()).embedded().encode())));
    })?;
    for (what, members) in [
        ("mdocs-by-keys", json!({"iss": "https://other.example", "x5c_roots": null, "jwks": {"keys": []}})),
        ("mdocs-without-a-name", json!({"iss": null})),
        ("types-of-mdocs-not-strings", json!({"doctypes": [1]})),
        ("sd-jwts-without-leaf", json!({"vct": ["urn:bandpass:band:1"]})),
        ("typ-without-leaf", json!({"typ": ["example+sd-jwt"]})),
        ("pem-of-something-else", json!({"x5c_roots": [pem(&roots[0]).replace("CERTIFICATE", "PUBLIC KEY")]})),
        ("pem-cut", json!({"x5c_roots": ["-----BEGIN CERTIFICATE-----\nMII"]})),
        ("pem-of-two", json!({"x5c_roots": [pem(&roots[0]) + &pem(&roots[0])]})),
        ("root-cut", json!({"x5c_roots": [Base64::encode_string(&ROOT.der()?[..40])]})),
    ] {
        vectors.refuse("trust.malformed", what, LIST, |draft| {
            drop(trusts(draft, &members));
            entry(draft).as_object_mut().into_iter().for_each(|entry| entry.retain(|_, value| !value.is_null()));
        })?;
    }
    Ok(())
}

fn x5chain(value: Cbor) -> Cbor {
    Cbor::Map(vec![(Cbor::Integer(33), value)])
}
