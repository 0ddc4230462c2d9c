//! What the credential says of itself.

use anyhow::Result;
use serde_json::json;

use super::Vectors;
use crate::draft::{Draft, NOW};

const CLAIM: &str = "credential.claim";
const PROFILE: &str = "band profile, Credential";

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    for (what, section, name, value) in [
        ("vct-not-a-string", "SD-JWT VC, 2.2.2.1", "vct", json!(1)),
        ("vct-empty", "SD-JWT VC, 2.2.2.1", "vct", json!("")),
        ("sub-not-a-string", "RFC 7519, 4.1.2", "sub", json!(7)),
        ("cnf-not-an-object", "RFC 7800, 3.1", "cnf", json!("key")),
        ("status-not-an-object", "Token Status List, 6.1", "status", json!([])),
        ("exp-a-string", "RFC 7519, 4.1.4", "exp", json!("2026-12-31")),
        ("exp-negative", "RFC 7519, 4.1.4", "exp", json!(-1)),
        ("exp-null", "RFC 7519, 4.1.4", "exp", json!(null)),
        ("exp-too-great", "RFC 8259, 6", "exp", json!(1_u64 << 53)),
        ("exp-a-fraction", PROFILE, "exp", json!(1_800_000_000.5)),
        ("nbf-a-string", "RFC 7519, 4.1.5", "nbf", json!("0")),
        ("iat-a-string", "RFC 7519, 4.1.6", "iat", json!("0")),
        ("pairing-not-an-object", PROFILE, "pairing", json!("phone")),
        ("pairing-without-key", PROFILE, "pairing", json!({"epoch": 1})),
        ("pairing-key-no-thumbprint", PROFILE, "pairing", json!({"jkt": "AAAA", "epoch": 1})),
        ("pairing-epoch-a-string", PROFILE, "pairing", json!({"jkt": "A".repeat(43), "epoch": "1"})),
        ("measures-not-an-array", PROFILE, "band_measures", json!({"wear": true})),
        ("measures-not-strings", PROFILE, "band_measures", json!([1])),
    ] {
        vectors.refuse(CLAIM, what, section, |draft| drop(draft.claims.insert(name.into(), value)))?;
    }
    for (what, status) in [
        ("status-without-a-list", json!({})),
        ("status-without-index", json!({"status_list": {"uri": "https://wallet.example/status/1"}})),
        ("status-index-negative", json!({"status_list": {"idx": -1, "uri": "https://wallet.example/status/1"}})),
        ("status-without-uri", json!({"status_list": {"idx": 1}})),
    ] {
        vectors.refuse(CLAIM, what, PROFILE, |draft| drop(draft.claims.insert("status".into(), status)))?;
    }
    vectors.refuse(CLAIM, "no-vct", "SD-JWT VC, 2.2.2.1", |draft| drop(draft.claims.remove("vct")))?;
    for name in ["iat", "exp", "pairing", "band_measures", "status"] {
        vectors.refuse(CLAIM, &format!("no-{name}"), PROFILE, |draft| drop(draft.claims.remove(name)))?;
    }
    vectors.refuse("credential.type", "not-listed", "SD-JWT VC, 2.2.2.1", |draft| {
        draft.member();
        draft.claims.insert("vct".into(), "urn:example:visitor".into());
    })?;
    vectors.refuse("credential.type", "band-as-a-plain-sd-jwt", "SD-JWT VC, 2.2.2.1", |draft| {
        draft.header["typ"] = "example+sd-jwt".into();
        draft.trust["issuers"][0]["typ"] = json!(["dc+sd-jwt", "example+sd-jwt"]);
        draft.trust["issuers"][0]["vct"] = json!(["urn:example:member"]);
    })?;
    vectors.refuse(CLAIM, "band-rules-whatever-the-typ", PROFILE, |draft| {
        draft.header["typ"] = "example+sd-jwt".into();
        draft.trust["issuers"][0]["typ"] = json!(["example+sd-jwt"]);
        draft.claims.remove("pairing");
    })?;
    vectors.refuse("credential.type", "prefix-of-a-listed-one", "SD-JWT VC, 2.2.2.1", |draft| {
        draft.claims.insert("vct".into(), "urn:bandpass:band".into());
    })?;
    aka_vcts(vectors)?;
    vectors.refuse("credential.not-yet-valid", "nbf", "RFC 7519, 4.1.5", |draft| {
        draft.claims.insert("nbf".into(), (NOW + 61).into());
    })?;
    vectors.refuse("credential.not-yet-valid", "iat", "RFC 7519, 4.1.6", |draft| {
        draft.claims.insert("iat".into(), (NOW + 61).into());
    })?;
    vectors.refuse("credential.expired", "just-now", "RFC 7519, 4.1.4", |draft| {
        draft.claims.insert("exp".into(), (NOW - 60).into());
    })?;
    vectors.refuse("credential.expired", "in-1970", "RFC 7519, 4.1.4", |draft| {
        draft.claims.insert("exp".into(), 0.into());
    })
}

/// Further types of a credential count only where the trust list says so.
fn aka_vcts(vectors: &mut Vectors) -> Result<()> {
    const SECTION: &str = "SD-JWT VC, 2.2.2.2";
    const BAND: &str = "urn:bandpass:band:1";
    let member = |draft: &mut Draft, aka_vcts: serde_json::Value| {
        draft.member();
        draft.claims.insert("aka_vcts".into(), aka_vcts);
    };
    let listed = |draft: &mut Draft| draft.trust["issuers"][0]["aka_vcts"] = json!(["urn:example:visitor"]);
    vectors.accept("aka-vcts-not-listed", SECTION, |draft| member(draft, json!(["urn:example:visitor"])))?;
    vectors.accept("aka-vcts-listed", SECTION, |draft| {
        member(draft, json!(["urn:example:visitor", "urn:example:other"]));
        listed(draft);
    })?;
    vectors.accept("aka-vcts-of-a-type-that-is-not-listed", SECTION, |draft| {
        member(draft, json!(["urn:example:visitor"]));
        draft.claims.insert("vct".into(), "urn:example:visitor:2".into());
        listed(draft);
    })?;
    vectors.accept("aka-vcts-band-not-listed", PROFILE, |draft| member(draft, json!([BAND])))?;
    vectors.accept("aka-vcts-band", PROFILE, |draft| {
        draft.claims.insert("vct".into(), "urn:example:member".into());
        draft.claims.insert("aka_vcts".into(), json!([BAND]));
        draft.trust["issuers"][0]["aka_vcts"] = json!([BAND]);
        draft.pay("35.00");
    })?;
    vectors.refuse(CLAIM, "aka-vcts-band-without-its-claims", PROFILE, |draft| {
        member(draft, json!([BAND]));
        draft.trust["issuers"][0]["aka_vcts"] = json!([BAND]);
    })?;
    vectors.refuse("approval.missing", "aka-vcts-band-not-listed", PROFILE, |draft| {
        draft.claims.insert("vct".into(), "urn:example:member".into());
        draft.claims.insert("aka_vcts".into(), json!([BAND]));
        draft.pay("35.00");
    })?;
    vectors.refuse("credential.type", "aka-vcts-not-listed", SECTION, |draft| {
        member(draft, json!(["urn:example:member"]));
        draft.claims.insert("vct".into(), "urn:example:visitor".into());
    })?;
    vectors.refuse("credential.type", "aka-vcts-others-listed", SECTION, |draft| {
        member(draft, json!(["urn:example:other"]));
        draft.claims.insert("vct".into(), "urn:example:third".into());
        listed(draft);
    })?;
    for (what, aka_vcts) in [
        ("aka-vcts-a-string", json!("urn:example:visitor")),
        ("aka-vcts-empty", json!([])),
        ("aka-vcts-not-strings", json!([1])),
        ("aka-vcts-an-empty-string", json!([""])),
        ("aka-vcts-null", json!(null)),
        ("aka-vcts-with-vct", json!(["urn:example:visitor", "urn:example:member"])),
    ] {
        vectors.refuse(CLAIM, what, SECTION, |draft| member(draft, aka_vcts))?;
    }
    vectors.refuse("disclosure.forbidden", "aka-vcts", "SD-JWT VC, 2.2.2.3", |draft| {
        member(draft, json!(["urn:example:visitor"]));
        draft.selective.push("/aka_vcts");
    })
}
