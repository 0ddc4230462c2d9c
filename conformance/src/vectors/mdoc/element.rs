//! Elements and their digests.

use anyhow::Result;
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::{BAND_DOCTYPE, issuer_signed_item, time};
use serde_json::json;

use super::super::Vectors;
use super::{edit, in_first};
use crate::draft::NOW;

type Change = fn(&mut Vec<(String, Cbor)>);

const RESPONSE: &str = "ISO 18013-5, 8.3.2.1.2.2";
const MSO: &str = "ISO 18013-5, 9.1.2.4";
const ISSUER: &str = "ISO 18013-5, 9.3.1";
const CREDENTIAL: &str = "band profile, Credential";

/// Elements and their digests.
#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
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
