//! Whose certificate it is, and who vouches for it.

use anyhow::Result;
use serde_json::{Value, json};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsages};

use super::Vectors;
use crate::certificate::{Certificate, INTERMEDIATE, LEAF, LOW_LEAF, ROOT};
use crate::draft::{Draft, NOW};

const PATH: &str = "RFC 5280, 6.1";
const X5C: &str = "RFC 7515, 4.1.6";
const VC: &str = "SD-JWT VC, 2.5";
const LIST: &str = "trust list";
/// What a certificate of the wallet's is for.
const PURPOSE: &str = "1.3.6.1.4.1.32473.2";
/// What one that signs status lists is for.
const STATUS_PURPOSE: &str = "1.3.6.1.4.1.32473.3";
/// id-kp-serverAuth and anyExtendedKeyUsage.
const SERVER: &str = "1.3.6.1.5.5.7.3.1";
const ANY: &str = "2.5.29.37.0";

/// Certificates as they are sent.
fn sent(chain: &[Certificate]) -> Result<Value> {
    chain.iter().map(Certificate::base64).collect::<Result<Vec<_>>>().map(Value::from)
}

/// A token with this chain, and an entry with these roots.
fn certified(draft: &mut Draft, chain: &Value, roots: &Value) {
    draft.member();
    with_chain(draft, chain, roots);
}

fn with_chain(draft: &mut Draft, chain: &Value, roots: &Value) {
    draft.header = json!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": chain});
    let entry = &mut draft.trust["issuers"][0];
    *entry = json!({"x5c_roots": roots, "leaf": {"san_uri": "https://wallet.example"}, "vct": entry["vct"]});
}

/// The entry.
fn entry(draft: &mut Draft) -> &mut Value {
    &mut draft.trust["issuers"][0]
}

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    names(vectors)?;
    chains(vectors)?;
    usages(vectors)?;
    paths(vectors)?;
    times(vectors)?;
    status_lists(vectors)?;
    trust_lists(vectors)
}

/// A chain that is all right, below its root.
fn good() -> Result<(Value, Value)> {
    Ok((sent(&[LEAF])?, sent(&[ROOT])?))
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn names(vectors: &mut Vectors) -> Result<()> {
    let (chain, roots) = good()?;
    let subject = LEAF.subject;
    for (what, leaf, iss) in [
        ("x5c-uri", json!({"san_uri": "https://wallet.example"}), true),
        ("x5c-uri-without-iss", json!({"san_uri": "https://wallet.example"}), false),
        ("x5c-host", json!({"san_dns": "wallet.example"}), true),
        ("x5c-host-without-iss", json!({"san_dns": "wallet.example"}), false),
        ("x5c-subject", json!({"subject": subject}), false),
    ] {
        vectors.accept(what, VC, |draft| {
            certified(draft, &chain, &roots);
            entry(draft)["leaf"] = leaf;
            if !iss {
                draft.claims.remove("iss");
            }
        })?;
    }
    vectors.accept("x5c-iss-below-the-host", LIST, |draft| {
        certified(draft, &chain, &roots);
        entry(draft)["leaf"] = json!({"san_dns": "wallet.example"});
        entry(draft)["iss"] = "https://wallet.example/members".into();
        draft.claims.insert("iss".into(), "https://wallet.example/members".into());
    })?;
    vectors.accept("x5c-second-entry", LIST, |draft| {
        certified(draft, &chain, &roots);
        let second = entry(draft).clone();
        entry(draft)["leaf"] = json!({"san_dns": "other.example"});
        draft.trust["issuers"].as_array_mut().into_iter().for_each(|all| all.push(second.clone()));
        draft.claims.remove("iss");
    })?;
    let known = sent(&[Certificate { authority_key_id: Some(b"authority"), ..LEAF }])?;
    for (what, id, code) in
        [("authority", &b"authority"[..], None), ("another-authority", b"another", Some("claims.authority"))]
    {
        let dcql = json!({"credentials": [{"id": "band", "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:example:member"]},
            "trusted_authorities": [{"type": "aki", "values": [bandpass_roles::base64url(id)]}]}]});
        let change = |draft: &mut crate::draft::Draft| {
            certified(draft, &known, &roots);
            draft.expected.dcql = Some(dcql);
        };
        match code {
            None => vectors.accept(&format!("x5c-{what}"), "OpenID4VP 1.0, 6.1.1", change)?,
            Some(code) => vectors.refuse(code, &format!("x5c-{what}"), "OpenID4VP 1.0, 6.1.1", change)?,
        }
    }
    // A header never changes whom a relying party trusts.
    vectors.accept("x5c-is-ignored-with-jwks", LIST, |draft| draft.header["x5c"] = chain.clone())?;
    vectors.accept("x5c-malformed-is-ignored-with-jwks", LIST, |draft| draft.header["x5c"] = "x".into())?;
    let stranger = sent(&[Certificate { key: 9, ..LEAF }])?;
    vectors.refuse("issuer.signature", "certified-key-with-jwks", LIST, |draft| {
        draft.header["x5c"] = stranger.clone();
        draft.issuer_key = crate::draft::key(9).unwrap_or_else(|_| draft.holder_key.clone());
        draft.status_lists.clear();
    })?;
    vectors.refuse("issuer.untrusted", "certificate-and-jwks-without-iss", LIST, |draft| {
        draft.member();
        draft.header["x5c"] = chain.clone();
        draft.claims.remove("iss");
    })?;
    vectors.refuse("issuer.signature", "another-certificate-of-the-issuer", X5C, |draft| {
        certified(draft, &stranger, &roots);
    })?;
    vectors.refuse("issuer.untrusted", "iss-is-not-the-certificates", LIST, |draft| {
        certified(draft, &chain, &roots);
        draft.claims.insert("iss".into(), "https://other.example".into());
    })?;
    vectors.refuse("issuer.untrusted", "iss-below-the-certificates-host", LIST, |draft| {
        certified(draft, &chain, &roots);
        entry(draft)["leaf"] = json!({"san_dns": "wallet.example"});
        draft.claims.insert("iss".into(), "https://wallet.example/members".into());
    })?;
    vectors.refuse("issuer.untrusted", "iss-and-an-entry-by-subject", LIST, |draft| {
        certified(draft, &chain, &roots);
        entry(draft)["leaf"] = json!({"subject": subject});
    })?;
    for (what, leaf) in [
        ("certificate-of-nobody", json!({"san_uri": "https://other.example"})),
        ("certificate-of-a-parent-host", json!({"san_dns": "example"})),
        ("certificate-with-the-subject-in-part", json!({"subject": "CN=Wallet\\, Inc.,O=Example"})),
    ] {
        vectors.refuse("issuer.untrusted", what, LIST, |draft| {
            certified(draft, &chain, &roots);
            entry(draft)["leaf"] = leaf;
            draft.claims.remove("iss");
        })?;
    }
    let other = Certificate { dns: &["other.example"], uris: &["https://other.example"], ..LEAF };
    let wild = Certificate { dns: &["*.example"], uris: &[], ..LEAF };
    for (what, certificate, leaf) in [
        ("uri-of-another", &other, json!({"san_uri": "https://wallet.example"})),
        ("host-of-another", &other, json!({"san_dns": "wallet.example"})),
        ("wildcard", &wild, json!({"san_dns": "wallet.example"})),
        ("host-for-a-uri", &Certificate { uris: &[], ..LEAF }, json!({"san_uri": "https://wallet.example"})),
        ("only-in-the-subject", &Certificate { dns: &[], uris: &[], ..LEAF }, json!({"san_dns": "wallet.example"})),
    ] {
        let chain = sent(std::slice::from_ref(certificate))?;
        vectors.refuse("issuer.certificate-name", what, LIST, |draft| {
            certified(draft, &chain, &roots);
            entry(draft)["leaf"] = leaf;
        })?;
    }
    vectors.refuse("credential.claim", "band-without-iss", "band profile, Credential", |draft| {
        with_chain(draft, &chain, &roots);
        draft.status_lists.clear();
        draft.claims.remove("iss");
    })
}

fn chains(vectors: &mut Vectors) -> Result<()> {
    let (chain, roots) = good()?;
    let leaf = chain[0].as_str().unwrap_or_default().to_owned();
    let text = |edit: fn(&str) -> String| json!([edit(&leaf)]);
    let malformed = [
        ("missing", Value::Null),
        ("empty", json!([])),
        ("not-an-array", chain[0].clone()),
        ("not-strings", json!([1])),
        ("empty-string", json!([""])),
        ("not-base64", json!(["###"])),
        ("base64url", json!(["-_8"])),
        ("not-padded", text(|leaf| leaf.trim_end_matches('=').to_owned() + "A")),
        ("line-break", text(|leaf| leaf.replacen('M', "M\n", 1))),
        ("pem", text(|leaf| format!("-----BEGIN CERTIFICATE-----\n{leaf}\n-----END CERTIFICATE-----"))),
        ("cut", text(|leaf| leaf.chars().take(400).collect())),
        ("not-a-certificate", json!(["BQA="])),
        ("second-not-a-certificate", json!([leaf, "BQA="])),
        ("root-sent-along", json!([chain[0], roots[0]])),
        ("root-alone", json!([roots[0]])),
    ];
    for (what, chain) in malformed {
        vectors.refuse("issuer.certificate", what, X5C, |draft| {
            certified(draft, &chain, &roots);
            if chain.is_null() {
                draft.header = json!({"alg": "ES256", "typ": "dc+sd-jwt"});
            }
        })?;
    }
    vectors.refuse("token.too-large", "certificates", "limit", |draft| {
        certified(draft, &json!(vec![chain[0].clone(); 5]), &roots);
    })?;
    vectors.refuse("token.too-large", "bytes-of-a-certificate", "limit", |draft| {
        certified(draft, &json!([chain[0], "A".repeat(8_192)]), &roots);
    })
}

fn usages(vectors: &mut Vectors) -> Result<()> {
    let roots = sent(&[ROOT])?;
    let certificate = |purposes| Certificate { purposes, ..LEAF };
    for (what, certificate, eku) in [
        ("x5c-purpose", certificate(&[SERVER, PURPOSE]), json!([PURPOSE])),
        ("x5c-one-of-two-purposes", certificate(&[PURPOSE]), json!([STATUS_PURPOSE, PURPOSE])),
        ("x5c-any-purpose", certificate(&[ANY]), Value::Null),
    ] {
        let chain = sent(&[certificate])?;
        vectors.accept(what, "RFC 5280, 4.2.1.12", |draft| {
            certified(draft, &chain, &roots);
            if !eku.is_null() {
                entry(draft)["eku"] = eku;
            }
        })?;
    }
    for (what, certificate, eku) in [
        ("no-key-usage", Certificate { usage: None, ..LEAF }, json!([])),
        ("no-digital-signature", Certificate { usage: Some(KeyUsages::KeyAgreement), ..LEAF }, json!([])),
        ("another-purpose", certificate(&[SERVER]), json!([PURPOSE])),
        ("no-purpose", certificate(&[]), json!([PURPOSE])),
        ("any-purpose", certificate(&[ANY]), json!([PURPOSE])),
        ("purpose-not-asked-for", certificate(&[SERVER]), json!([])),
        ("authority", Certificate { authority: ROOT.authority, ..LEAF }, json!([])),
        ("key-not-p-256", Certificate { p384: true, ..LEAF }, json!([])),
    ] {
        let chain = sent(&[certificate])?;
        vectors.refuse("issuer.certificate-usage", what, "RFC 5280, 4.2.1", |draft| {
            certified(draft, &chain, &roots);
            entry(draft)["eku"] = eku;
        })?;
    }
    for (what, intermediate) in [
        ("intermediate-without-cert-sign", Certificate { usage: Some(KeyUsages::CRLSign), ..INTERMEDIATE }),
        ("intermediate-for-another-purpose", Certificate { purposes: &[SERVER], ..INTERMEDIATE }),
    ] {
        let chain = sent(&[LOW_LEAF, intermediate])?;
        vectors.refuse("issuer.certificate-usage", what, PATH, |draft| certified(draft, &chain, &roots))?;
    }
    Ok(())
}

fn paths(vectors: &mut Vectors) -> Result<()> {
    let second_root =
        Certificate { subject: "CN=Second Root", key: 13, issuer: "CN=Second Root", issuer_key: 13, ..ROOT };
    let impostor = Certificate { key: 13, issuer_key: 13, ..ROOT };
    let low = Certificate { subject: "CN=Low", key: 14, issuer: INTERMEDIATE.subject, issuer_key: 12, ..INTERMEDIATE };
    let low_leaf = Certificate { issuer: low.subject, issuer_key: low.key, ..LEAF };
    let deep =
        Certificate { authority: Some(BasicConstraints { ca: true, path_len_constraint: Some(1) }), ..INTERMEDIATE };
    for (what, chain, roots) in [
        ("x5c-intermediate", vec![LOW_LEAF, INTERMEDIATE], vec![ROOT]),
        ("x5c-two-intermediates", vec![low_leaf.clone(), low.clone(), deep.clone()], vec![ROOT]),
        ("x5c-intermediates-in-any-order", vec![low_leaf.clone(), deep.clone(), low.clone()], vec![ROOT]),
        ("x5c-intermediate-as-root", vec![LOW_LEAF], vec![INTERMEDIATE]),
        ("x5c-second-root", vec![LEAF], vec![second_root.clone(), ROOT]),
        (
            "x5c-permitted-host",
            vec![LOW_LEAF, Certificate { permitted_dns: Some("example"), ..INTERMEDIATE }],
            vec![ROOT],
        ),
        ("x5c-unknown-extension", vec![Certificate { unknown: Some(false), ..LEAF }], vec![ROOT]),
    ] {
        // A constraint on hosts says nothing of URIs, which webpki therefore refuses.
        let host_only = what == "x5c-permitted-host";
        let chain = match host_only {
            true => sent(&[Certificate { uris: &[], ..LOW_LEAF }, chain[1].clone()])?,
            false => sent(&chain)?,
        };
        let roots = sent(&roots)?;
        vectors.accept(what, PATH, |draft| {
            certified(draft, &chain, &roots);
            if host_only {
                entry(draft)["leaf"] = json!({"san_dns": "wallet.example"});
            }
        })?;
    }
    let second_low = Certificate { subject: "CN=Second", key: 15, ..INTERMEDIATE };
    let by_leaf = Certificate { subject: "CN=Below", key: 1, issuer: LEAF.subject, issuer_key: 9, ..LEAF };
    let own = Certificate { issuer: LEAF.subject, issuer_key: 1, ..LEAF };
    for (what, chain, roots) in [
        ("another-root", vec![LEAF], vec![second_root]),
        ("another-root-of-the-same-name", vec![LEAF], vec![impostor]),
        ("self-signed", vec![own], vec![ROOT]),
        ("no-intermediate", vec![LOW_LEAF], vec![ROOT]),
        ("certificate-beside-the-path", vec![LOW_LEAF, INTERMEDIATE, second_low], vec![ROOT]),
        ("intermediate-twice", vec![LOW_LEAF, INTERMEDIATE, INTERMEDIATE], vec![ROOT]),
        ("path-too-long", vec![low_leaf, low, INTERMEDIATE], vec![ROOT]),
        ("below-a-leaf", vec![by_leaf, Certificate { key: 9, usage: None, ..LEAF }], vec![ROOT]),
        ("critical-extension", vec![Certificate { unknown: Some(true), ..LEAF }], vec![ROOT]),
        (
            "critical-extension-of-the-intermediate",
            vec![LOW_LEAF, Certificate { unknown: Some(true), ..INTERMEDIATE }],
            vec![ROOT],
        ),
        (
            "host-not-permitted",
            vec![
                Certificate { uris: &[], ..LOW_LEAF },
                Certificate { permitted_dns: Some("other.example"), ..INTERMEDIATE },
            ],
            vec![ROOT],
        ),
        ("signed-by-another-key", vec![Certificate { issuer_key: 13, ..LEAF }], vec![ROOT]),
        ("expired-root", vec![LEAF], vec![Certificate { ends: NOW - 1, ..ROOT }]),
        ("root-not-yet-valid", vec![LEAF], vec![Certificate { starts: NOW + 1, ..ROOT }]),
        ("root-is-no-authority", vec![LEAF], vec![Certificate { authority: None, ..ROOT }]),
    ] {
        let (chain, roots) = (sent(&chain)?, sent(&roots)?);
        vectors.refuse("issuer.certificate-path", what, PATH, |draft| {
            certified(draft, &chain, &roots);
            if what == "host-not-permitted" {
                entry(draft)["leaf"] = json!({"san_dns": "wallet.example"});
            }
        })?;
    }
    Ok(())
}

fn times(vectors: &mut Vectors) -> Result<()> {
    for (what, chain, roots) in [
        ("x5c-in-its-last-second", vec![Certificate { ends: NOW, ..LEAF }], vec![ROOT]),
        ("x5c-in-its-first-second", vec![Certificate { starts: NOW, ..LEAF }], vec![ROOT]),
        ("x5c-one-root-expired", vec![LEAF], vec![Certificate { ends: NOW - 1, ..ROOT }, ROOT]),
    ] {
        let (chain, roots) = (sent(&chain)?, sent(&roots)?);
        vectors.accept(what, "RFC 5280, 4.1.2.5", |draft| certified(draft, &chain, &roots))?;
    }
    for (code, what, chain) in [
        ("issuer.expired", "certificate", vec![Certificate { ends: NOW - 1, ..LEAF }]),
        ("issuer.expired", "intermediate", vec![LOW_LEAF, Certificate { ends: NOW - 1, ..INTERMEDIATE }]),
        ("issuer.not-yet-valid", "certificate", vec![Certificate { starts: NOW + 1, ..LEAF }]),
        ("issuer.not-yet-valid", "intermediate", vec![LOW_LEAF, Certificate { starts: NOW + 1, ..INTERMEDIATE }]),
    ] {
        let (chain, roots) = (sent(&chain)?, sent(&[ROOT])?);
        vectors.refuse(code, what, "RFC 5280, 4.1.2.5", |draft| certified(draft, &chain, &roots))?;
    }
    Ok(())
}

fn status_lists(vectors: &mut Vectors) -> Result<()> {
    let section = "Token Status List, 11.3";
    let (chain, roots) = good()?;
    let provider = Certificate {
        subject: "CN=Status",
        key: 9,
        dns: &["status.example"],
        uris: &[],
        purposes: &[STATUS_PURPOSE],
        ..LEAF
    };
    let other = Certificate { dns: &["other.example"], ..provider.clone() };
    let unnamed = Certificate { purposes: &[], ..provider.clone() };
    let (provider, other, unnamed) = (sent(&[provider])?, sent(&[other])?, sent(&[unnamed])?);
    let by_provider = |draft: &mut Draft, certificates: &Value| {
        with_chain(draft, &chain, &roots);
        entry(draft)["status_leaf"] = json!({"san_dns": "status.example"});
        entry(draft)["status_eku"] = json!([STATUS_PURPOSE]);
        draft.status().header["kid"] = Value::Null;
        draft.status().header["x5c"] = certificates.clone();
        draft.status().key = crate::draft::key(9).unwrap_or_else(|_| draft.holder_key.clone());
    };
    vectors.accept("x5c-band", section, |draft| {
        with_chain(draft, &chain, &roots);
        draft.status().header = json!({"alg": "ES256", "typ": "statuslist+jwt", "x5c": chain});
    })?;
    vectors.accept("x5c-band-cwt", section, |draft| {
        with_chain(draft, &chain, &roots);
        draft.status().as_cwt().header["x5c"] = chain.clone();
    })?;
    let (low, root) = (sent(&[LOW_LEAF, INTERMEDIATE])?, sent(&[ROOT])?);
    vectors.accept("x5c-band-cwt-with-two-certificates", section, |draft| {
        with_chain(draft, &low, &root);
        draft.status().as_cwt().header["x5c"] = low.clone();
    })?;
    vectors.refuse("status.untrusted", "cwt-with-a-malformed-chain", section, |draft| {
        with_chain(draft, &chain, &roots);
        draft.status().as_cwt().header["x5c"] = json!([]);
    })?;
    vectors.accept("x5c-status-provider", section, |draft| by_provider(draft, &provider))?;
    for (what, certificates) in [("certificate-of-another", &other), ("certificate-for-another-use", &unnamed)] {
        vectors.refuse("status.untrusted", what, section, |draft| by_provider(draft, certificates))?;
    }
    vectors.refuse("status.untrusted", "issuer-in-place-of-its-status-provider", section, |draft| {
        by_provider(draft, &chain);
        draft.status().key = draft.issuer_key.clone();
    })?;
    vectors.refuse("status.untrusted", "no-certificate", section, |draft| {
        with_chain(draft, &chain, &roots);
    })
}

fn trust_lists(vectors: &mut Vectors) -> Result<()> {
    let (chain, roots) = good()?;
    let jwks = |draft: &Draft| json!({"keys": [draft.issuer_key.jwk()]});
    let p384 = sent(&[Certificate { p384: true, ..ROOT }])?;
    let signs_nothing = sent(&[Certificate { usage: Some(KeyUsages::DigitalSignature), ..ROOT }])?;
    for (what, edit) in [
        ("roots-empty", json!({"x5c_roots": []})),
        ("roots-not-an-array", json!({"x5c_roots": roots[0]})),
        ("roots-too-many", json!({"x5c_roots": vec![roots[0].clone(); 17]})),
        ("root-not-base64", json!({"x5c_roots": ["###"]})),
        ("root-not-a-certificate", json!({"x5c_roots": ["BQA="]})),
        ("root-not-p-256", json!({"x5c_roots": p384})),
        ("root-not-for-certificates", json!({"x5c_roots": signs_nothing})),
        ("no-leaf", json!({"leaf": null})),
        ("leaf-without-a-name", json!({"leaf": {}})),
        ("leaf-with-two-names", json!({"leaf": {"san_dns": "a.example", "san_uri": "https://a.example"}})),
        ("leaf-with-an-empty-name", json!({"leaf": {"san_dns": ""}})),
        ("leaf-by-another-name", json!({"leaf": {"san_ip": "192.0.2.1"}})),
        ("leaf-a-string", json!({"leaf": "wallet.example"})),
        ("status-leaf-without-a-name", json!({"status_leaf": {}})),
        ("purpose-a-string", json!({"eku": PURPOSE})),
        ("purpose-no-identifier", json!({"eku": ["serverAuth"]})),
        ("status-purpose-no-identifier", json!({"status_eku": ["1"]})),
        ("iss-of-another-host", json!({"leaf": {"san_dns": "wallet.example"}, "iss": "https://wallet.example.org/"})),
        ("iss-of-another-uri", json!({"iss": "https://wallet.example/"})),
        ("iss-with-a-subject", json!({"leaf": {"subject": "CN=Wallet"}, "iss": "https://wallet.example"})),
        ("aka-vcts-not-strings", json!({"aka_vcts": [1]})),
    ] {
        vectors.refuse("trust.malformed", what, LIST, |draft| {
            certified(draft, &chain, &roots);
            for (name, value) in edit.as_object().into_iter().flatten() {
                entry(draft)[name] = value.clone();
            }
            entry(draft).as_object_mut().into_iter().for_each(|entry| entry.retain(|_, value| !value.is_null()));
        })?;
    }
    vectors.refuse("trust.malformed", "jwks-and-roots", LIST, |draft| {
        certified(draft, &chain, &roots);
        entry(draft)["jwks"] = jwks(draft);
    })?;
    vectors.refuse("trust.malformed", "neither-jwks-nor-roots", LIST, |draft| {
        entry(draft).as_object_mut().into_iter().for_each(|entry| drop(entry.remove("jwks")));
    })?;
    for name in ["leaf", "eku", "status_leaf", "status_eku"] {
        vectors.refuse("trust.malformed", &format!("jwks-and-{name}"), LIST, |draft| {
            entry(draft)[name] =
                if name.ends_with("leaf") { json!({"san_dns": "a.example"}) } else { json!([PURPOSE]) };
        })?;
    }
    vectors.refuse("trust.malformed", "issuer-by-key-and-by-certificate", LIST, |draft| {
        let by_key = entry(draft).clone();
        certified(draft, &chain, &roots);
        entry(draft)["leaf"] = json!({"san_dns": "wallet.example"});
        draft.trust["issuers"].as_array_mut().into_iter().for_each(|all| all.push(by_key.clone()));
    })
}
