//! ISO mdocs: what the other stages say of SD-JWTs said of mdocs, and what only mdocs have.

use anyhow::Result;
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::{BAND_DOCTYPE, DeviceAuth, issuer_signed_item, time};
use bandpass_roles::{base64url, sha256_base64url};
use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha384, Sha512};
use x509_cert::ext::pkix::KeyUsages;

use super::{Vectors, accept, approval, claims, evidence, status, transaction};
use crate::certificate::{Certificate, INTERMEDIATE, LOW_LEAF, ROOT};
use crate::draft::{AUDIENCE, Draft, NOW, payment};
use crate::mdoc::{DOCUMENT_SIGNER, MDOC_SIGNER, session, thief};
use crate::{Binding, Demand};

const RESPONSE: &str = "ISO 18013-5, 8.3.2.1.2.2";
const STATUS: &str = "ISO 18013-5, 8.3.2.1.2.3";
const MSO: &str = "ISO 18013-5, 9.1.2.4";
const DEVICE: &str = "ISO 18013-5, 9.1.3";
const MAC: &str = "ISO 18013-5, 9.1.3.5";
const ISSUER: &str = "ISO 18013-5, 9.3.1";
const KEYS: &str = "ISO 18013-5, 9.3.3";
const SIGNER: &str = "ISO 18013-5, B.1.4";
const HANDOVER: &str = "OpenID4VP 1.0, B.2.6";
const QUERY: &str = "OpenID4VP 1.0, B.2.4";
const CHALLENGE: &str = "band profile, Challenge";
const PROOF: &str = "band profile, Proof";
const CREDENTIAL: &str = "band profile, Credential";
const LIST: &str = "trust list";
const DAY: u64 = 86_400;

/// What only SD-JWTs have.
const LEFT_OUT: &[&str] = &[
    "accept/none-disclosed",
    "accept/some-disclosed",
    "accept/all-elements-hidden",
    "accept/nothing-selective",
    "accept/decoy-digests",
    "accept/sd-alg-absent",
    "accept/empty-sd-array",
    "accept/disclosures-in-any-order",
    "accept/key-without-kid",
    "accept/no-kid",
    "accept/unknown-header-parameter",
    "accept/second-key-of-the-issuer",
    "accept/any-vct",
    "accept/another-type-selective-iat",
    "accept/another-type-without-proof",
    "accept/plain-sd-jwt",
    "accept/starts-within-the-tolerance",
    "accept/fractional-time",
    "accept/any-of-two-audiences",
    // An mdoc's issuer is who its certificate says.
    "claims.incomplete/dcql-the-other-is-by-a-stranger",
    "issuer.untrusted/dcql-before-what-the-others-are",
    // At another time, at which no certificate is valid.
    "accept/age-leap-day",
    "claims.age/leap-day-in-a-common-year",
    // It always has a proof.
    "transaction.missing/without-proof",
    "claims.incomplete/dcql-the-other-has-no-proof",
];

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    vectors.as_mdocs = Some(LEFT_OUT);
    accept::add(vectors)?;
    transaction::add(vectors)?;
    status::of_mdocs(vectors)?;
    approval::add(vectors)?;
    evidence::add(vectors)?;
    claims::of_mdocs(vectors)?;
    accepted(vectors)?;
    bindings(vectors)?;
    responses(vectors)?;
    issuers(vectors)?;
    elements(vectors)?;
    credentials(vectors)?;
    proofs(vectors)?;
    proximity(vectors)?;
    queries(vectors)
}

fn entry(draft: &mut Draft) -> &mut Value {
    &mut draft.trust["issuers"][0]
}

/// An entry of its own making.
fn trusts(draft: &mut Draft, members: &Value) -> Result<()> {
    *entry(draft) = json!({"iss": crate::draft::ISSUER, "x5c_roots": [ROOT.base64()?],
        "doctypes": [BAND_DOCTYPE, "example.member.1"]});
    for (name, value) in members.as_object().into_iter().flatten() {
        entry(draft)[name] = value.clone();
    }
    Ok(())
}

/// The elements of a band, or of whatever it is.
fn in_first(change: impl FnOnce(&mut Vec<(String, Cbor)>) + 'static) -> crate::mdoc::Edit<crate::mdoc::Elements> {
    Some(Box::new(|elements| {
        if let Some((_, elements)) = elements.first_mut() {
            change(elements);
        }
    }))
}

fn edit(change: impl FnOnce(&mut Cbor) + 'static) -> crate::mdoc::Edit<Cbor> {
    Some(Box::new(change))
}

/// Changes an element of an array.
fn at(array: &mut Cbor, place: usize, value: Cbor) {
    if let Cbor::Array(items) = array {
        items[place] = value;
    }
}

fn accepted(vectors: &mut Vectors) -> Result<()> {
    vectors.accept("nothing-disclosed", RESPONSE, |draft| {
        draft.hidden =
            vec!["/sub", "/given_name", "/family_name", "/birthdate", "/nationalities", "/age_equal_or_over"];
    })?;
    vectors.accept("without-name-spaces", RESPONSE, |draft| {
        draft.member();
        draft.hidden =
            vec!["/sub", "/given_name", "/family_name", "/birthdate", "/nationalities", "/age_equal_or_over"];
    })?;
    let digests: [(&str, &str, fn(&[u8]) -> Vec<u8>); 2] = [
        ("sha-384", "SHA-384", |bytes| Sha384::digest(bytes).to_vec()),
        ("sha-512", "SHA-512", |bytes| Sha512::digest(bytes).to_vec()),
    ];
    for (what, algorithm, hash) in digests {
        vectors.accept(what, MSO, |draft| {
            draft.mdoc().hash = hash;
            draft.mdoc().mso = edit(|mso| *mso.member("digestAlgorithm") = algorithm.into());
        })?;
    }
    vectors.accept("element-authorized-by-name", MSO, |draft| {
        let elements = ["iat", "aud", "nonce", "jti", "band"].into_iter().map(Cbor::from).collect();
        draft.mdoc().mso = edit(|mso| {
            let elements = Cbor::members([(BAND_DOCTYPE, Cbor::Array(elements))]);
            *mso.member("deviceKeyInfo").member("keyAuthorizations") = Cbor::members([("dataElements", elements)]);
        });
    })?;
    vectors.accept("unknown-members-that-the-issuer-signed", MSO, |draft| {
        draft.mdoc().mso = edit(|mso| {
            *mso.member("x") = Cbor::Null;
            *mso.member("validityInfo").member("expectedUpdate") = time(NOW);
            *mso.member("deviceKeyInfo").member("keyInfo") = Cbor::Map(vec![(Cbor::Integer(1), "x".into())]);
        });
    })?;
    vectors.accept("documents-that-were-not-returned", RESPONSE, |draft| {
        draft.mdoc().response = edit(|response| {
            let errors = Cbor::members([("example.other.1", Cbor::Integer(0))]);
            *response.member("documentErrors") = Cbor::Array(vec![errors]);
        });
        draft.mdoc().document = edit(|document| {
            let errors = Cbor::members([("email", Cbor::Integer(0))]);
            *document.member("errors") = Cbor::members([(BAND_DOCTYPE, errors)]);
        });
    })?;
    vectors.accept("valid-until-within-the-tolerance", MSO, |draft| {
        draft.claims.insert("exp".into(), (NOW - 59).into());
    })?;
    vectors.accept("valid-from-within-the-tolerance", MSO, |draft| {
        draft.mdoc().mso = edit(|mso| *mso.member("validityInfo").member("validFrom") = time(NOW + 60));
    })?;
    vectors.accept("two-documents", "band profile, Access and tickets", |draft| two_documents(draft, |_| ()))?;
    vectors.refuse("holder.key", "two-documents", "band profile, Access and tickets", |draft| {
        two_documents(draft, |other| {
            if let Ok(key) = crate::draft::key(7) {
                other.claims.insert("cnf".into(), json!({"jwk": key.jwk()}));
                other.holder_key = key;
            }
        });
    })?;
    vectors.refuse("token.unexpected", "two-documents-in-one-presentation", "OpenID4VP 1.0, B.2.5", |draft| {
        two_documents(draft, |_| ());
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token]}).to_string()));
    })?;
    vectors.refuse("token.missing", "no-document-for-the-query", RESPONSE, |draft| {
        two_documents(draft, |_| ());
        draft.expected.query_id = "example.other.1".into();
    })
}

/// A band and a membership in one response, which must prove the same key.
fn two_documents(draft: &mut Draft, change: fn(&mut Draft)) {
    let Ok(mut other) = Draft::new("another-document") else { return };
    other.become_mdoc();
    other.expected.binding.clone_from(&draft.expected.binding);
    other.member();
    if let Some(Binding::OpenId4Vp { nonce, .. }) = &draft.expected.binding {
        other.proof()["nonce"] = nonce.clone().into();
    }
    change(&mut other);
    draft.mdoc().documents.extend(other.mdoc_document());
    draft.expected.query_id = BAND_DOCTYPE.into();
    draft.expected.requirements.same_holder_as = Some("example.member.1".into());
}

fn by_redirect(nonce: &str, jwk_thumbprint: Option<String>) -> Binding {
    let response_uri = "https://shop.example/response".into();
    Binding::OpenId4Vp { client_id: AUDIENCE.into(), nonce: nonce.into(), response_uri, jwk_thumbprint }
}

fn dc_api(nonce: &str, jwk_thumbprint: Option<String>) -> Binding {
    Binding::DcApi { origin: "https://shop.example".into(), nonce: nonce.into(), jwk_thumbprint }
}

fn bindings(vectors: &mut Vectors) -> Result<()> {
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
    type Signed = fn(&str) -> Binding;
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

/// What is no `DeviceResponse`.
#[expect(clippy::too_many_lines, reason = "a list")]
fn responses(vectors: &mut Vectors) -> Result<()> {
    const CODE: &str = "token.malformed";
    type Bytes = fn(&mut Vec<u8>);
    let bytes: [(&str, Bytes); 6] = [
        ("cut", |bytes| bytes.truncate(bytes.len() / 2)),
        ("byte-after", |bytes| bytes.push(0)),
        ("empty-map", |bytes| *bytes = vec![0xa0]),
        ("indefinite-map", |bytes| {
            bytes[0] = 0xbf;
            bytes.push(0xff);
        }),
        ("member-twice", |bytes| {
            bytes[0] = 0xa4;
            bytes.extend(["status".into(), Cbor::Integer(0)].iter().flat_map(Cbor::encode));
        }),
        ("member-with-a-number", |bytes| {
            bytes[0] = 0xa4;
            bytes.extend([0, 0]);
        }),
    ];
    for (what, change) in bytes {
        vectors.refuse(CODE, what, "RFC 8949, 5.3", |draft| draft.mdoc().bytes = Some(Box::new(change)))?;
    }
    vectors.refuse(CODE, "too-deep", "RFC 8949, 10", |draft| {
        draft.mdoc().response = edit(|response| {
            let deep = (0..64).fold(Cbor::Null, |inside, _| Cbor::Array(vec![inside]));
            *response.member("documentErrors") = Cbor::Array(vec![deep]);
        });
    })?;
    vectors.refuse("token.too-large", "bytes", "limit", |draft| {
        draft.mdoc().bytes = Some(Box::new(|bytes| bytes.resize(128 * 1024 + 1, 0)));
    })?;
    vectors.refuse("token.too-large", "documents", "limit", |draft| {
        draft.mdoc().response = edit(|response| {
            *response.member("documents") = Cbor::Array(vec![Cbor::Map(Vec::new()); 17]);
        });
    })?;
    vectors.refuse("token.too-large", "elements", "limit", |draft| {
        draft.mdoc().items = in_first(|items| items.resize(513, (String::new(), Cbor::Null)));
    })?;
    vectors.refuse("token.too-large", "values", "limit", |draft| {
        draft.mdoc().elements = in_first(|items| {
            items.push(("many".into(), Cbor::Array(vec![Cbor::Integer(0); 4_096])));
        });
    })?;
    for (what, version) in [("version-1-1", "1.1"), ("version-2", "2.0"), ("version-empty", "")] {
        vectors.refuse("token.unsupported", what, RESPONSE, |draft| {
            draft.mdoc().response = edit(move |response| *response.member("version") = version.into());
        })?;
    }
    for status in [10, 11, 12, -1] {
        vectors.refuse("token.status", &status.to_string().replace('-', "minus-"), STATUS, |draft| {
            draft.mdoc().response = edit(move |response| *response.member("status") = Cbor::Integer(status));
        })?;
    }
    vectors.refuse("token.status", "without-documents", STATUS, |draft| {
        draft.mdoc().response = edit(|response| {
            *response.member("status") = Cbor::Integer(10);
            response.remove("documents");
        });
    })?;
    vectors.refuse("token.missing", "without-documents", RESPONSE, |draft| {
        draft.mdoc().response = edit(|response| response.remove("documents"));
    })?;
    vectors.refuse("token.missing", "no-documents", RESPONSE, |draft| {
        draft.mdoc().response = edit(|response| *response.member("documents") = Cbor::Array(Vec::new()));
    })?;
    type Change = fn(&mut Cbor);
    let changes: [(&str, Change); 7] = [
        ("response-unknown-member", |response| *response.member("x") = Cbor::Null),
        ("response-without-version", |response| response.remove("version")),
        ("response-without-status", |response| response.remove("status")),
        ("status-a-string", |response| *response.member("status") = "0".into()),
        ("version-a-number", |response| *response.member("version") = Cbor::Integer(1)),
        ("documents-a-map", |response| *response.member("documents") = Cbor::Map(Vec::new())),
        ("document-errors-a-map", |response| *response.member("documentErrors") = Cbor::Map(Vec::new())),
    ];
    for (what, change) in changes {
        vectors.refuse(CODE, what, RESPONSE, |draft| draft.mdoc().response = edit(change))?;
    }
    let changes: [(&str, Change); 19] = [
        ("document-unknown-member", |document| *document.member("x") = Cbor::Null),
        ("document-without-doctype", |document| document.remove("docType")),
        ("document-without-issuer-signed", |document| document.remove("issuerSigned")),
        ("errors-an-array", |document| *document.member("errors") = Cbor::Array(Vec::new())),
        ("issuer-signed-unknown-member", |document| *document.member("issuerSigned").member("x") = Cbor::Null),
        // `nameSpaces` may be left out: under another name what it holds would pass as that.
        ("issuer-signed-name-spaces-renamed", |document| {
            let issuer_signed = document.member("issuerSigned");
            let name_spaces = issuer_signed.member("nameSpaces").clone();
            issuer_signed.remove("nameSpaces");
            *issuer_signed.member("namespaces") = name_spaces;
        }),
        ("name-spaces-an-array", |document| {
            *document.member("issuerSigned").member("nameSpaces") = Cbor::Array(Vec::new());
        }),
        ("name-space-empty", |document| {
            *document.member("issuerSigned").member("nameSpaces").member("x") = Cbor::Array(Vec::new());
        }),
        ("name-space-a-map", |document| {
            *document.member("issuerSigned").member("nameSpaces").member("x") = Cbor::Map(Vec::new());
        }),
        ("name-space-a-number", |document| {
            let item = Cbor::Array(vec![Cbor::Null]);
            *document.member("issuerSigned").member("nameSpaces") = Cbor::Map(vec![(Cbor::Integer(1), item)]);
        }),
        ("without-issuer-auth", |document| document.member("issuerSigned").remove("issuerAuth")),
        ("device-signed-unknown-member", |document| *document.member("deviceSigned").member("x") = Cbor::Null),
        ("device-signed-without-name-spaces", |document| document.member("deviceSigned").remove("nameSpaces")),
        ("device-name-spaces-not-tagged", |document| {
            *document.member("deviceSigned").member("nameSpaces") = Cbor::Bytes(vec![0xa0]);
        }),
        ("device-name-space-empty", |document| {
            let name_spaces = Cbor::members([(BAND_DOCTYPE, Cbor::Map(Vec::new()))]);
            *document.member("deviceSigned").member("nameSpaces") = name_spaces.embedded();
        }),
        ("without-device-auth", |document| document.member("deviceSigned").remove("deviceAuth")),
        ("device-auth-empty", |document| *document.member("deviceSigned").member("deviceAuth") = Cbor::Map(Vec::new())),
        ("device-auth-twice", |document| {
            let auth = document.member("deviceSigned").member("deviceAuth");
            *auth.member("deviceMac") = auth.member("deviceSignature").clone();
        }),
        ("device-auth-with-its-payload", |document| {
            let signature = document.member("deviceSigned").member("deviceAuth").member("deviceSignature");
            at(signature, 2, Cbor::Bytes(Vec::new()));
        }),
    ];
    for (what, change) in changes {
        vectors.refuse(CODE, what, RESPONSE, |draft| draft.mdoc().document = edit(change))?;
    }
    let changes: [(&str, Change); 7] = [
        ("issuer-auth-tagged", |auth| *auth = Cbor::Tag(18, Box::new(auth.clone()))),
        ("issuer-auth-of-three", |auth| {
            if let Cbor::Array(items) = auth {
                items.truncate(3);
            }
        }),
        ("issuer-auth-detached", |auth| at(auth, 2, Cbor::Null)),
        ("mso-not-tagged", |auth| at(auth, 2, Cbor::Bytes(Cbor::Map(Vec::new()).encode()))),
        ("mso-an-array", |auth| at(auth, 2, Cbor::Bytes(Cbor::Array(Vec::new()).embedded().encode()))),
        ("issuer-auth-crit", |auth| {
            let alg = (Cbor::Integer(1), Cbor::Integer(-7));
            let crit = (Cbor::Integer(2), Cbor::Array(vec![Cbor::Integer(99)]));
            at(auth, 0, Cbor::Bytes(Cbor::Map(vec![alg, crit]).encode()));
        }),
        ("issuer-auth-label-twice", |auth| {
            at(auth, 1, Cbor::Map(vec![(Cbor::Integer(1), Cbor::Integer(-7))]));
        }),
    ];
    for (what, change) in changes {
        vectors.refuse(CODE, what, "RFC 9052, 4.2", |draft| draft.mdoc().issuer_auth = edit(change))?;
    }
    Ok(())
}

fn issuers(vectors: &mut Vectors) -> Result<()> {
    let roots = [ROOT.base64()?];
    let pem = |text: &str| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let lines = roots[0].as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    vectors.accept("root-as-pem", LIST, |draft| drop(trusts(draft, &json!({"x5c_roots": [pem(&lines)]}))))?;
    vectors.accept("root-as-pem-in-one-line", LIST, |draft| {
        drop(trusts(draft, &json!({"x5c_roots": [pem(&roots[0])]})))
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

/// Elements and their digests.
#[expect(clippy::too_many_lines, reason = "a list")]
fn elements(vectors: &mut Vectors) -> Result<()> {
    vectors.accept("kinds-of-values", "RFC 8949, 3", |draft| {
        draft.mdoc().elements = in_first(|elements| {
            let day = Cbor::Tag(1004, Box::new("1990-05-17".into()));
            let kinds = [day, time(NOW), Cbor::Bytes(vec![1, 2, 3]), Cbor::Null, Cbor::Float(1.5), Cbor::Integer(-1)];
            elements.push(("kinds".into(), Cbor::Array(kinds.to_vec())));
        });
        let expected = json!(["1990-05-17", "2026-09-21T14:13:20Z", "AQID", null, 1.5, -1]);
        draft.verdict_claims = Some(json!({"kinds": expected}));
    })?;
    vectors.accept("another-name-space", RESPONSE, |draft| {
        draft.mdoc().elements = Some(Box::new(|elements| {
            elements.push(("org.iso.18013.5.1".into(), vec![("document_number".into(), "1".into())]));
        }));
        draft.verdict_claims = Some(json!({"org.iso.18013.5.1": {"document_number": "1"}}));
    })?;
    for (what, algorithm) in [("sha-1", "SHA-1"), ("lower-case", "sha-256"), ("empty", "")] {
        vectors.refuse("disclosure.algorithm", what, MSO, |draft| {
            draft.mdoc().mso = edit(move |mso| *mso.member("digestAlgorithm") = algorithm.into());
        })?;
    }
    vectors.refuse("disclosure.algorithm", "missing", MSO, |draft| {
        draft.mdoc().mso = edit(|mso| mso.remove("digestAlgorithm"));
    })?;
    for (what, digests) in [
        ("missing", Cbor::Null),
        ("an-array", Cbor::Array(Vec::new())),
        ("of-arrays", Cbor::members([(BAND_DOCTYPE, Cbor::Array(Vec::new()))])),
        ("by-numbers", Cbor::Map(vec![(Cbor::Integer(1), Cbor::Map(Vec::new()))])),
    ] {
        vectors.refuse("disclosure.digest", what, MSO, |draft| {
            draft.mdoc().mso = edit(move |mso| *mso.member("valueDigests") = digests);
        })?;
    }
    let item = |name: &str, value: Cbor| issuer_signed_item(0, b"0123456789abcdef", name, value);
    let with = |members: Vec<(&str, Cbor)>| {
        let members = members.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Cbor::Map(members).embedded()
    };
    let (id, random) = (Cbor::Integer(0), Cbor::Bytes(vec![0; 16]));
    let named = |id: &Cbor, random: &Cbor, name: Cbor| {
        vec![
            ("digestID", id.clone()),
            ("random", random.clone()),
            ("elementIdentifier", name),
            ("elementValue", Cbor::Null),
        ]
    };
    let whole = named(&id, &random, "x".into());
    for (what, item) in [
        ("not-tagged", Cbor::Bytes(Cbor::Map(Vec::new()).encode())),
        ("not-a-map", Cbor::Array(Vec::new()).embedded()),
        ("empty", Cbor::Map(Vec::new()).embedded()),
        ("without-id", with(whole[1..].to_vec())),
        ("without-value", with(whole[..3].to_vec())),
        ("one-more-member", with([&whole[..], &[("x", Cbor::Null)]].concat())),
        ("id-a-string", with(named(&"0".into(), &random, "x".into()))),
        ("id-negative", with(named(&Cbor::Integer(-1), &random, "x".into()))),
        ("random-text", with(named(&id, &"x".into(), "x".into()))),
        ("name-bytes", with(named(&id, &random, Cbor::Bytes(vec![1])))),
        ("value-with-a-tag-that-is-not-known", item("x", Cbor::Tag(99, Box::new(Cbor::Null)))),
        ("value-with-numbers-as-keys", item("x", Cbor::Map(vec![(Cbor::Integer(1), Cbor::Null)]))),
        ("value-not-a-number", item("x", Cbor::Float(f64::NAN))),
        ("value-with-a-key-twice", item("x", Cbor::Map(vec![("a".into(), Cbor::Null), ("a".into(), Cbor::Null)]))),
    ] {
        vectors.refuse("disclosure.malformed", what, RESPONSE, |draft| {
            draft.mdoc().items = in_first(|items| items.insert(0, (String::new(), item)));
        })?;
    }
    vectors.refuse("disclosure.duplicate", "element", RESPONSE, |draft| {
        draft.mdoc().items = in_first(|items| items.extend(items.first().cloned()));
    })?;
    vectors.refuse("disclosure.duplicate", "name", RESPONSE, |draft| {
        draft.mdoc().elements = in_first(|elements| elements.push(("given_name".into(), "Li".into())));
    })?;
    vectors.refuse("disclosure.collision", "element-called-like-a-name-space", RESPONSE, |draft| {
        draft.mdoc().elements = Some(Box::new(|elements| {
            elements.push(("given_name".into(), vec![("x".into(), Cbor::Null)]));
        }));
    })?;
    vectors.refuse("disclosure.collision", "ages-together-and-apart", CREDENTIAL, |draft| {
        draft.mdoc().elements =
            in_first(|elements| elements.push(("age_equal_or_over".into(), Cbor::members([("65", Cbor::Bool(true))]))));
    })?;
    vectors.refuse("disclosure.unreferenced", "element", ISSUER, |draft| {
        let item = issuer_signed_item(99, b"0123456789abcdef", "email", "x".into());
        draft.mdoc().items = in_first(|items| items.push(("email".into(), item)));
    })?;
    vectors.refuse("disclosure.unreferenced", "name-space", ISSUER, |draft| {
        draft.mdoc().items = Some(Box::new(|items| {
            let moved = items.first().map(|(_, items)| items.clone()).unwrap_or_default();
            items.push(("org.iso.18013.5.1".into(), moved));
        }));
    })?;
    vectors.refuse("disclosure.unreferenced", "no-digests-at-all", ISSUER, |draft| {
        draft.mdoc().mso = edit(|mso| *mso.member("valueDigests") = Cbor::Map(Vec::new()));
    })?;
    type Change = fn(&mut Vec<(String, Cbor)>);
    let changes: [(&str, Change); 4] = [
        ("another-value", |items| {
            let item = issuer_signed_item(0, b"0123456789abcdef", "birthdate", "2015-05-17".into());
            items.iter_mut().take(1).for_each(|first| first.1 = item.clone());
        }),
        ("another-tag", |items| {
            for (_, item) in items.iter_mut().take(1) {
                let mut bytes = item.encode();
                // The same tag in more octets: another encoding is another digest.
                bytes.splice(..2, [0xd9, 0, 24]);
                *item = Cbor::Encoded(bytes);
            }
        }),
        ("another-random", |items| {
            for (_, item) in items.iter_mut().take(1) {
                let mut bytes = item.encode();
                let place = bytes.windows(6).position(|found| found == b"random").unwrap_or_default();
                bytes[place + 8] ^= 1;
                *item = Cbor::Encoded(bytes);
            }
        }),
        ("digests-of-each-other", |items| {
            let swapped = |name: &str, id| issuer_signed_item(id, b"0123456789abcdef", name, "x".into());
            items[0].1 = swapped("birthdate", 1);
            items[1].1 = swapped("family_name", 0);
        }),
    ];
    for (what, change) in changes {
        vectors.refuse("disclosure.mismatch", what, ISSUER, |draft| draft.mdoc().items = in_first(change))?;
    }
    vectors.refuse("disclosure.mismatch", "digest-cut", ISSUER, |draft| {
        draft.mdoc().hash = |bytes| bandpass_roles::sha256_base64url(bytes).into_bytes()[..16].to_vec();
    })?;
    vectors.refuse("disclosure.mismatch", "digest-by-another-algorithm", ISSUER, |draft| {
        draft.mdoc().mso = edit(|mso| *mso.member("digestAlgorithm") = "SHA-512".into());
    })
}

fn credentials(vectors: &mut Vectors) -> Result<()> {
    type Change = fn(&mut Cbor);
    let changes: [(&str, &str, Change); 15] = [
        ("no-version", MSO, |mso| mso.remove("version")),
        ("version-2", MSO, |mso| *mso.member("version") = "2.0".into()),
        ("no-doctype", MSO, |mso| mso.remove("docType")),
        ("no-validity", MSO, |mso| mso.remove("validityInfo")),
        ("no-signed", MSO, |mso| mso.member("validityInfo").remove("signed")),
        ("no-valid-from", MSO, |mso| mso.member("validityInfo").remove("validFrom")),
        ("no-valid-until", MSO, |mso| mso.member("validityInfo").remove("validUntil")),
        ("time-not-tagged", MSO, |mso| *mso.member("validityInfo").member("signed") = "2026-09-20T00:00:00Z".into()),
        ("time-with-a-fraction", MSO, |mso| {
            *mso.member("validityInfo").member("signed") = Cbor::Tag(0, Box::new("2026-09-20T00:00:00.5Z".into()));
        }),
        ("time-not-utc", MSO, |mso| {
            *mso.member("validityInfo").member("signed") = Cbor::Tag(0, Box::new("2026-09-20T00:00:00+01:00".into()));
        }),
        ("time-a-number", MSO, |mso| {
            *mso.member("validityInfo").member("signed") = Cbor::Tag(1, Box::new(Cbor::Integer(1_789_000_000)));
        }),
        ("valid-before-it-was-signed", MSO, |mso| {
            *mso.member("validityInfo").member("validFrom") = time(NOW - 30 * DAY);
        }),
        ("valid-until-before-it-is-valid", MSO, |mso| {
            *mso.member("validityInfo").member("validUntil") = time(NOW - 30 * DAY);
        }),
        ("status-an-array", "Token Status List, 6.3", |mso| *mso.member("status") = Cbor::Array(Vec::new())),
        ("status-list-without-index", "Token Status List, 6.3", |mso| {
            mso.member("status").member("status_list").remove("idx");
        }),
    ];
    for (what, section, change) in changes {
        vectors.refuse("credential.claim", what, section, |draft| draft.mdoc().mso = edit(change))?;
    }
    for name in ["pairing", "band_measures", "status"] {
        vectors
            .refuse("credential.claim", &format!("no-{name}"), CREDENTIAL, |draft| drop(draft.claims.remove(name)))?;
    }
    // Always returned: an element that is there and not shown is not there.
    for (name, pointer) in [("pairing", "/pairing"), ("band_measures", "/band_measures")] {
        vectors.refuse("credential.claim", &format!("{name}-not-returned"), CREDENTIAL, |draft| {
            draft.hidden = vec![pointer];
        })?;
    }
    for (what, name, value) in [
        ("pairing-without-key", "pairing", json!({"epoch": 1})),
        ("pairing-key-no-thumbprint", "pairing", json!({"jkt": "AAAA", "epoch": 1})),
        ("pairing-epoch-a-string", "pairing", json!({"jkt": "A".repeat(43), "epoch": "1"})),
        ("measures-not-an-array", "band_measures", json!({"wear": true})),
        ("measures-not-strings", "band_measures", json!([1])),
    ] {
        vectors.refuse("credential.claim", what, CREDENTIAL, |draft| drop(draft.claims.insert(name.into(), value)))?;
    }
    vectors.refuse("credential.type", "not-listed", LIST, |draft| {
        draft.member();
        draft.claims.insert("vct".into(), "urn:example:visitor".into());
    })?;
    vectors.refuse("credential.type", "prefix-of-a-listed-one", LIST, |draft| {
        drop(trusts(draft, &json!({"doctypes": ["bandpass.band.10"]})));
    })?;
    vectors.refuse("credential.doctype", "another", ISSUER, |draft| {
        draft.member();
        draft.mdoc().document = edit(|document| *document.member("docType") = BAND_DOCTYPE.into());
    })?;
    vectors.refuse("credential.doctype", "of-another-case", ISSUER, |draft| {
        draft.mdoc().document = edit(|document| *document.member("docType") = "BANDPASS.BAND.1".into());
    })?;
    vectors.refuse("credential.not-yet-valid", "by-a-second", MSO, |draft| {
        draft.mdoc().mso = edit(|mso| *mso.member("validityInfo").member("validFrom") = time(NOW + 61));
    })?;
    vectors.refuse("credential.not-yet-valid", "signed-in-the-future", MSO, |draft| {
        draft.claims.insert("iat".into(), (NOW + 61).into());
    })?;
    vectors.refuse("credential.expired", "just-now", MSO, |draft| {
        draft.claims.insert("exp".into(), (NOW - 60).into());
    })?;
    vectors.refuse("credential.signed", "before-the-certificate", ISSUER, |draft| {
        draft.claims.insert("iat".into(), (NOW - 31 * DAY).into());
    })?;
    vectors.refuse("credential.signed", "by-a-second", ISSUER, |draft| {
        draft.claims.insert("iat".into(), (DOCUMENT_SIGNER.starts - 1).into());
    })
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn proofs(vectors: &mut Vectors) -> Result<()> {
    vectors.refuse("holder.missing", "stripped", RESPONSE, |draft| draft.kb = None)?;
    vectors.refuse("holder.missing", "not-required", PROOF, |draft| {
        draft.member();
        draft.kb = None;
        draft.expected.requirements.holder = Some(Demand::NotRequired);
    })?;
    let algorithm = |algorithm: i64| {
        edit(move |document| {
            let auth = document.member("deviceSigned").member("deviceAuth");
            let header = Cbor::Map(vec![(Cbor::Integer(1), Cbor::Integer(algorithm))]);
            at(auth.member("deviceSignature"), 0, Cbor::Bytes(header.encode()));
        })
    };
    for (what, number) in [("ES384", -35), ("HMAC", 5)] {
        vectors.refuse("holder.algorithm", what, DEVICE, |draft| draft.mdoc().document = algorithm(number))?;
    }
    vectors.refuse("holder.algorithm", "signature-as-a-mac", DEVICE, |draft| {
        draft.mdoc().document = edit(|document| {
            let auth = document.member("deviceSigned").member("deviceAuth");
            *auth = Cbor::members([("deviceMac", auth.member("deviceSignature").clone())]);
        });
    })?;
    type Change = fn(&mut Cbor);
    let label = |number| Cbor::Integer(number);
    let with = |y: Cbor, curve| {
        let x = Cbor::Bytes(vec![7; 32]);
        Cbor::Map(vec![(label(1), label(2)), (label(-1), label(curve)), (label(-2), x), (label(-3), y)])
    };
    for (what, key) in [
        ("missing", Cbor::Null),
        ("off-the-curve", with(Cbor::Bytes(vec![7; 32]), 1)),
        ("another-curve", with(Cbor::Bytes(vec![7; 32]), 2)),
        ("compressed", with(Cbor::Bool(true), 1)),
        ("short-coordinate", with(Cbor::Bytes(vec![7; 31]), 1)),
    ] {
        vectors.refuse("holder.unbound", what, "RFC 9053, 7.1.1", |draft| {
            draft.mdoc().mso = edit(move |mso| *mso.member("deviceKeyInfo").member("deviceKey") = key);
        })?;
    }
    let changes: [(&str, Change); 2] = [
        ("no-key-info", |mso| mso.remove("deviceKeyInfo")),
        ("authorizations-an-array", |mso| {
            *mso.member("deviceKeyInfo").member("keyAuthorizations") = Cbor::Array(Vec::new());
        }),
    ];
    for (what, change) in changes {
        vectors.refuse("holder.unbound", what, MSO, |draft| draft.mdoc().mso = edit(change))?;
    }
    let thief = thief()?;
    vectors.refuse("holder.signature", "by-another-band", DEVICE, move |draft| draft.holder_key = thief)?;
    vectors.refuse("holder.signature", "by-the-issuer", DEVICE, |draft| draft.holder_key = draft.issuer_key.clone())?;
    let changes: [(&str, Change); 2] = [
        ("other-elements", |document| {
            let name_spaces = Cbor::members([(BAND_DOCTYPE, Cbor::members([("iat", Cbor::Integer(1))]))]);
            *document.member("deviceSigned").member("nameSpaces") = name_spaces.embedded();
        }),
        ("cut", |document| {
            let signature = document.member("deviceSigned").member("deviceAuth").member("deviceSignature");
            at(signature, 3, Cbor::Bytes(vec![1; 63]));
        }),
    ];
    for (what, change) in changes {
        vectors.refuse("holder.signature", what, DEVICE, |draft| draft.mdoc().document = edit(change))?;
    }
    let authorized = |name_spaces: &[&str], elements: &[(&str, &str)]| {
        let name_spaces = name_spaces.iter().map(|name| (*name).into()).collect();
        let mut authorizations = Cbor::members([("nameSpaces", Cbor::Array(name_spaces))]);
        for (name_space, element) in elements {
            *authorizations.member("dataElements").member(name_space) = Cbor::Array(vec![(*element).into()]);
        }
        edit(move |mso| *mso.member("deviceKeyInfo").member("keyAuthorizations") = authorizations)
    };
    for (what, authorizations) in [
        ("nothing", authorized(&[], &[])),
        ("another-name-space", authorized(&["example.member.1"], &[])),
        ("one-element-of-several", authorized(&[], &[(BAND_DOCTYPE, "band")])),
        ("element-of-another-name-space", authorized(&[], &[("example.member.1", "band")])),
    ] {
        vectors.refuse("holder.unauthorized", what, KEYS, |draft| draft.mdoc().mso = authorizations)?;
    }
    vectors.refuse("holder.unauthorized", "no-authorizations", KEYS, |draft| {
        draft.mdoc().mso = edit(|mso| mso.member("deviceKeyInfo").remove("keyAuthorizations"));
    })?;
    vectors.refuse("holder.unauthorized", "issuers-element-by-the-holder", KEYS, |draft| {
        draft.mdoc().signed =
            edit(|signed| *signed.member("org.iso.18013.5.1").member("age_over_18") = Cbor::Bool(true));
    })?;
    vectors.refuse("holder.claim", "nothing-signed", PROOF, |draft| {
        draft.mdoc().signed = edit(|signed| *signed = Cbor::Map(Vec::new()));
    })?;
    for name in ["aud", "nonce", "iat", "jti"] {
        vectors.refuse("holder.claim", &format!("no-{name}"), PROOF, |draft| draft.proof()[name] = Value::Null)?;
    }
    for (what, name, value) in [
        ("aud-an-array", "aud", json!([AUDIENCE])),
        ("nonce-a-number", "nonce", json!(1)),
        ("iat-a-string", "iat", json!("1790000000")),
        ("transaction-hashes-a-string", "transaction_data_hashes", json!("x")),
    ] {
        vectors.refuse("holder.claim", what, PROOF, |draft| draft.proof()[name] = value)?;
    }
    vectors.refuse("holder.claim", "element-with-a-number", PROOF, |draft| {
        draft.mdoc().signed = edit(|signed| {
            *signed.member(BAND_DOCTYPE) = Cbor::Map(vec![(Cbor::Integer(1), Cbor::Null)]);
        });
    })?;
    vectors.refuse("holder.nonce", "another", PROOF, |draft| draft.proof()["nonce"] = "another".into())?;
    vectors.refuse("holder.audience", "another-shop", PROOF, |draft| {
        draft.proof()["aud"] = "x509_san_dns:other.example".into();
    })?;
    vectors.refuse("holder.stale", "by-a-second", PROOF, |draft| draft.proof()["iat"] = (NOW - 361).into())?;
    vectors.refuse("holder.future", "by-a-second", PROOF, |draft| draft.proof()["iat"] = (NOW + 61).into())?;
    // A band's own issuer-signed elements are no evidence, and what the holder signs is no claim.
    vectors.refuse("evidence.missing", "signed-by-the-issuer-alone", PROOF, |draft| {
        draft.claims.insert("band".into(), json!({"counter": 7, "worn_since": NOW - 60}));
        *draft.band() = Value::Null;
    })?;
    vectors.refuse("claims.missing", "signed-by-the-holder-alone", PROOF, |draft| {
        draft.proof()["email"] = "lin@example.com".into();
        draft.expected.requirements.claims = vec![vec!["email".into()]];
    })
}

/// At a reader.
#[expect(clippy::too_many_lines, reason = "a list")]
fn proximity(vectors: &mut Vectors) -> Result<()> {
    fn at_reader(draft: &mut Draft) {
        if draft.in_proximity().is_err() {
            draft.expected.binding = None;
        }
    }
    fn without_reader_key(draft: &mut Draft) {
        if let Some(Binding::Proximity { reader_key, .. }) = &mut draft.expected.binding {
            *reader_key = None;
        }
    }
    let (transcript, _) = session()?;
    let this = sha256_base64url(&transcript);
    for (what, auth) in [("signature", DeviceAuth::Signature), ("mac", DeviceAuth::Mac)] {
        vectors.accept(&format!("proximity-{what}"), DEVICE, |draft| {
            at_reader(draft);
            draft.mdoc().auth = auth;
        })?;
        vectors.accept(&format!("proximity-payment-{what}"), "band profile, Approval", |draft| {
            at_reader(draft);
            draft.mdoc().auth = auth;
            draft.pay("35.00");
        })?;
    }
    vectors.accept("proximity-signature-without-reader-key", DEVICE, |draft| {
        at_reader(draft);
        without_reader_key(draft);
    })?;
    vectors.accept("proximity-another-type", DEVICE, |draft| {
        draft.member();
        draft.kb = Some(json!({}));
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
    })?;
    vectors.refuse("holder.reader-key", "mac-and-no-key", MAC, |draft| {
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
        without_reader_key(draft);
    })?;
    vectors.refuse("holder.reader-key", "mac-by-redirect", MAC, |draft| {
        draft.mdoc().session =
            Some(Binding::Proximity { session_transcript: base64url(&transcript), reader_key: None }.session());
        draft.mdoc().auth = DeviceAuth::Mac;
    })?;
    vectors.refuse("holder.signature", "mac-of-another-reader", MAC, |draft| {
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
        if let Some(Binding::Proximity { reader_key, .. }) = &mut draft.expected.binding {
            *reader_key = Some(base64url(&[22; 32]));
        }
    })?;
    let thief = thief()?;
    vectors.refuse("holder.signature", "mac-by-another-band", MAC, move |draft| {
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
        draft.holder_key = thief;
    })?;
    vectors.refuse("holder.signature", "mac-cut", MAC, |draft| {
        at_reader(draft);
        draft.mdoc().auth = DeviceAuth::Mac;
        draft.mdoc().document = edit(|document| {
            let mac = document.member("deviceSigned").member("deviceAuth").member("deviceMac");
            at(mac, 3, Cbor::Bytes(Vec::new()));
        });
    })?;
    vectors.refuse("holder.signature", "of-another-session", DEVICE, |draft| {
        at_reader(draft);
        draft.mdoc().session = Some(by_redirect("n", None).session());
    })?;
    for name in ["aud", "nonce"] {
        let code = if name == "aud" { "holder.audience" } else { "holder.nonce" };
        vectors.refuse(code, "named-at-a-reader", PROOF, |draft| {
            let value = draft.proof()[name].clone();
            at_reader(draft);
            draft.proof()[name] = value;
        })?;
    }
    for name in ["iat", "jti"] {
        vectors.refuse("holder.claim", &format!("no-{name}-at-a-reader"), PROOF, |draft| {
            at_reader(draft);
            draft.proof()[name] = Value::Null;
        })?;
    }
    vectors.refuse("approval.session", "another", "band profile, Approval", |draft| {
        at_reader(draft);
        draft.approved().1["session"] = "A".repeat(43).into();
    })?;
    vectors.refuse("approval.malformed", "no-session", "band profile, Approval", |draft| {
        at_reader(draft);
        draft.approved().1["session"] = Value::Null;
    })?;
    vectors.refuse("approval.malformed", "audience-in-place-of-the-session", "band profile, Approval", |draft| {
        at_reader(draft);
        let approval = &mut draft.approved().1;
        approval["session"] = Value::Null;
        (approval["aud"], approval["nonce"]) = (AUDIENCE.into(), "n".into());
    })?;
    vectors.refuse("approval.missing", "payment-at-a-reader", "band profile, Approval", |draft| {
        at_reader(draft);
        draft.expected.transaction_data.push(payment("35.00"));
    })?;
    let near = |draft: &mut Draft, mm: u32, session: &str| {
        at_reader(draft);
        draft.claims.insert("band_measures".into(), json!(["wear", "unlock", "distance"]));
        draft.band()["distance"] = json!({"mm": mm, "method": "uwb", "session": session});
        draft.expected.requirements.distance_mm = Some(100);
    };
    vectors.accept("distance-by-the-band", PROOF, |draft| near(draft, 100, &this))?;
    vectors.accept("distance-by-channel-sounding", PROOF, |draft| {
        near(draft, 40, &this);
        draft.band()["distance"]["method"] = "cs".into();
    })?;
    vectors.accept("distance-by-the-reader", PROOF, |draft| {
        near(draft, 5_000, &this);
        draft.expected.measured_distance_mm = Some(100);
    })?;
    vectors.accept("distance-by-the-reader-alone", PROOF, |draft| {
        at_reader(draft);
        draft.expected.requirements.distance_mm = Some(100);
        draft.expected.measured_distance_mm = Some(0);
    })?;
    vectors.refuse("evidence.distance", "too-far", PROOF, |draft| near(draft, 101, &this))?;
    vectors.refuse("evidence.distance", "of-another-session", PROOF, |draft| near(draft, 40, &"A".repeat(43)))?;
    vectors.refuse("evidence.distance", "none", PROOF, |draft| {
        near(draft, 40, &this);
        draft.band()["distance"] = Value::Null;
        let band = draft.band().as_object_mut();
        band.into_iter().for_each(|band| drop(band.remove("distance")));
    })?;
    vectors.refuse("evidence.distance", "the-reader-decides", PROOF, |draft| {
        near(draft, 40, &this);
        draft.expected.measured_distance_mm = Some(101);
    })?;
    vectors.refuse("evidence.distance", "measured-outside-proximity", PROOF, |draft| {
        draft.claims.insert("band_measures".into(), json!(["wear", "unlock", "distance"]));
        draft.expected.requirements.distance_mm = Some(100);
        draft.expected.measured_distance_mm = Some(40);
    })?;
    vectors.refuse("evidence.unattested", "distance-at-a-reader", PROOF, |draft| {
        near(draft, 40, &this);
        draft.claims.insert("band_measures".into(), json!(["wear", "unlock"]));
    })?;
    for (what, distance) in [
        ("distance-by-another-method", json!({"mm": 40, "method": "rssi", "session": this})),
        ("distance-a-fraction", json!({"mm": 40.5, "method": "uwb", "session": this})),
        ("distance-negative", json!({"mm": -1, "method": "uwb", "session": this})),
        ("distance-without-session", json!({"mm": 40, "method": "uwb"})),
    ] {
        vectors.refuse("evidence.malformed", what, PROOF, |draft| {
            near(draft, 40, &this);
            draft.band()["distance"] = distance;
        })?;
    }
    vectors.accept("confirmed-at-a-reader", PROOF, |draft| {
        at_reader(draft);
        draft.band()["confirmed"] = true.into();
        draft.expected.requirements.confirmed = Some(Demand::Required);
    })
}

/// DCQL queries for mdocs.
fn queries(vectors: &mut Vectors) -> Result<()> {
    let asks = |doctype: &str, claims: Value| {
        let mut query = json!({"id": "band", "format": "mso_mdoc", "meta": {"doctype_value": doctype}});
        if !claims.is_null() {
            query["claims"] = claims;
        }
        Some(json!({"credentials": [query]}))
    };
    let path = |name: &str| json!([{"path": [BAND_DOCTYPE, name]}]);
    for (what, claims) in [
        ("type", Value::Null),
        ("element", path("family_name")),
        ("age", path("age_equal_or_over.18")),
        (
            "value",
            json!([{"path": [BAND_DOCTYPE, "age_equal_or_over.18"], "values": [true], "intent_to_retain": false}]),
        ),
    ] {
        vectors.accept(&format!("dcql-{what}"), QUERY, |draft| draft.expected.dcql = asks(BAND_DOCTYPE, claims))?;
    }
    vectors.accept("dcql-element-of-another-name-space", QUERY, |draft| {
        draft.expected.dcql = asks(BAND_DOCTYPE, json!([{"path": ["org.iso.18013.5.1", "document_number"]}]));
        draft.mdoc().elements = Some(Box::new(|elements| {
            elements.push(("org.iso.18013.5.1".into(), vec![("document_number".into(), "1".into())]));
        }));
        draft.verdict_claims = Some(json!({"org.iso.18013.5.1": {"document_number": "1"}}));
    })?;
    vectors.accept("dcql-two-documents", QUERY, |draft| {
        two_documents(draft, |_| ());
        let member = json!({"id": "member", "format": "mso_mdoc", "meta": {"doctype_value": "example.member.1"}});
        draft.expected.dcql = asks(BAND_DOCTYPE, Value::Null);
        draft.expected.dcql.iter_mut().for_each(|dcql| {
            dcql["credentials"].as_array_mut().into_iter().for_each(|queries| queries.push(member.clone()));
        });
        draft.expected.query_id = "band".into();
        draft.expected.requirements.same_holder_as = Some("member".into());
    })?;
    vectors.refuse("token.unexpected", "dcql-two-documents", QUERY, |draft| {
        two_documents(draft, |_| ());
        draft.expected.dcql = asks(BAND_DOCTYPE, Value::Null);
        draft.expected.query_id = "band".into();
    })?;
    vectors.refuse("claims.missing", "dcql-element", QUERY, |draft| {
        draft.hidden = vec!["/family_name"];
        draft.expected.dcql = asks(BAND_DOCTYPE, path("family_name"));
    })?;
    vectors.refuse("claims.missing", "dcql-another-name-space", QUERY, |draft| {
        draft.expected.dcql = asks(BAND_DOCTYPE, json!([{"path": ["org.iso.18013.5.1", "family_name"]}]));
    })?;
    vectors.refuse("claims.mismatch", "dcql", QUERY, |draft| {
        draft.expected.dcql = asks(BAND_DOCTYPE, json!([{"path": [BAND_DOCTYPE, "family_name"], "values": ["Li"]}]));
    })?;
    vectors.refuse("claims.type", "dcql", "OpenID4VP 1.0, B.2.3", |draft| {
        draft.expected.dcql = asks("example.member.1", Value::Null);
    })?;
    vectors.refuse("claims.format", "dcql-sd-jwt", "OpenID4VP 1.0, 6.1", |draft| {
        let query = json!({"id": "band", "format": "vc+sd-jwt", "meta": {"vct_values": [BAND_DOCTYPE]}});
        draft.expected.dcql = Some(json!({"credentials": [query]}));
    })?;
    for (what, path) in [
        ("dcql-path-of-one", json!([BAND_DOCTYPE])),
        ("dcql-path-of-three", json!([BAND_DOCTYPE, "nationalities", "x"])),
        ("dcql-path-with-an-index", json!([BAND_DOCTYPE, 0])),
        ("dcql-path-with-null", json!([BAND_DOCTYPE, null])),
    ] {
        vectors.refuse("challenge.malformed", what, QUERY, |draft| {
            draft.expected.dcql = asks(BAND_DOCTYPE, json!([{"path": path}]));
        })?;
    }
    Ok(())
}
