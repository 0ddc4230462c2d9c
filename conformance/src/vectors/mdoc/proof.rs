//! What the device signed.

use anyhow::Result;
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::BAND_DOCTYPE;
use serde_json::{Value, json};

use super::super::Vectors;
use super::{at, edit};
use crate::Demand;
use crate::draft::{AUDIENCE, NOW};
use crate::mdoc::thief;

type Change = fn(&mut Cbor);

const RESPONSE: &str = "ISO 18013-5, 8.3.2.1.2.2";
const MSO: &str = "ISO 18013-5, 9.1.2.4";
const DEVICE: &str = "ISO 18013-5, 9.1.3";
const KEYS: &str = "ISO 18013-5, 9.3.3";
const PROOF: &str = "band profile, Proof";

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
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
