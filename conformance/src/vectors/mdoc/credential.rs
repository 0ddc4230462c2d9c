//! What the credential says of itself.

use anyhow::Result;
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::{BAND_DOCTYPE, time};
use serde_json::json;

use super::super::Vectors;
use super::{edit, trusts};
use crate::draft::NOW;
use crate::mdoc::DOCUMENT_SIGNER;

type Change = fn(&mut Cbor);

const MSO: &str = "ISO 18013-5, 9.1.2.4";
const ISSUER: &str = "ISO 18013-5, 9.3.1";
const CREDENTIAL: &str = "band profile, Credential";
const LIST: &str = "trust list";
const DAY: u64 = 86_400;

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
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
