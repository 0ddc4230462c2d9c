//! What the phone said.

use anyhow::Result;
use serde_json::{Value, json};

use super::Vectors;
use crate::Demand;
use crate::draft::{NOW, key, payment};

const SECTION: &str = "band profile, Approval";

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    vectors.refuse("approval.missing", "payment", SECTION, |draft| {
        draft.expected.transaction_data.push(payment("35.00"));
    })?;
    vectors.refuse("approval.missing", "required", SECTION, |draft| {
        draft.expected.requirements.approval = Some(Demand::Required);
    })?;
    vectors.refuse("approval.missing", "method-asked-for", SECTION, |draft| {
        draft.expected.requirements.methods = vec!["pin".into()];
    })?;
    vectors.refuse("approval.missing", "another-type", SECTION, |draft| {
        draft.member();
        draft.expected.requirements.approval = Some(Demand::Required);
    })?;
    for (what, approval) in [("not-a-string", json!({})), ("not-a-jws", json!("abc")), ("cut", json!("e30.e30"))] {
        vectors.refuse("approval.malformed", what, SECTION, |draft| draft.proof()["approval"] = approval)?;
    }
    for (what, name, value) in [
        ("header-kid", "kid", json!("1")),
        ("header-crit", "crit", json!(["x"])),
        ("no-key", "jwk", Value::Null),
        ("key-not-an-object", "jwk", json!("key")),
    ] {
        vectors.refuse("approval.malformed", what, SECTION, |draft| draft.approved().0[name] = value)?;
    }
    vectors.refuse("approval.malformed", "private-key", SECTION, |draft| {
        let mut jwk = draft.phone_key.jwk();
        jwk["d"] = "A".repeat(43).into();
        draft.approved().0["jwk"] = jwk;
    })?;
    for name in ["aud", "nonce", "iat", "jti", "band_jkt", "amr"] {
        vectors.refuse("approval.malformed", &format!("no-{name}"), SECTION, |draft| {
            draft.approved().1[name] = Value::Null;
        })?;
    }
    for (what, methods) in [("amr-empty", json!([])), ("amr-a-string", json!("face")), ("amr-of-numbers", json!([1]))] {
        vectors.refuse("approval.malformed", what, "RFC 8176, 2", |draft| draft.approved().1["amr"] = methods)?;
    }
    for (what, name, value) in
        [("kb-jwt", "typ", json!("kb+jwt")), ("no-typ", "typ", Value::Null), ("alg-none", "alg", json!("none"))]
    {
        vectors.refuse("approval.type", what, SECTION, |draft| draft.approved().0[name] = value)?;
    }
    let stranger = key(9)?;
    vectors.refuse("approval.phone", "another-phone", SECTION, {
        let stranger = stranger.clone();
        move |draft| {
            draft.approved();
            draft.phone_key = stranger;
        }
    })?;
    vectors.refuse("approval.phone", "the-band-itself", SECTION, |draft| {
        draft.approved();
        draft.phone_key = draft.holder_key.clone();
    })?;
    vectors.refuse("approval.self", "band-paired-with-itself", SECTION, |draft| {
        draft.approved();
        draft.phone_key = draft.holder_key.clone();
        draft.claims["pairing"]["jkt"] = draft.holder_key.thumbprint().into();
    })?;
    vectors.refuse("approval.signature", "another-key", SECTION, move |draft| {
        draft.approved().0["jwk"] = draft.phone_key.jwk();
        draft.phone_key = stranger;
    })?;
    vectors.refuse("approval.audience", "another", SECTION, |draft| {
        draft.approved().1["aud"] = "origin:https://x.example".into();
    })?;
    vectors.refuse("approval.nonce", "another", SECTION, |draft| draft.approved().1["nonce"] = "another".into())?;
    vectors
        .refuse("approval.band", "another", SECTION, |draft| draft.approved().1["band_jkt"] = "A".repeat(43).into())?;
    vectors.refuse("approval.transaction", "another", SECTION, |draft| {
        draft.pay("35.00");
        let other = bandpass_roles::sha256_base64url(payment("900.00").as_bytes());
        draft.approved().1["transaction_data_hashes"] = json!([other]);
    })?;
    vectors.refuse("approval.transaction", "none", SECTION, |draft| {
        draft.pay("35.00");
        draft.approved().1["transaction_data_hashes"] = Value::Null;
    })?;
    vectors.refuse("approval.transaction", "another-algorithm", SECTION, |draft| {
        draft.pay("35.00");
        draft.approved().1["transaction_data_hashes_alg"] = "sha-512".into();
    })?;
    vectors.refuse("approval.stale", "by-a-second", SECTION, |draft| draft.approved().1["iat"] = (NOW - 361).into())?;
    vectors.refuse("approval.stale", "its-own-exp", "RFC 7519, 4.1.4", |draft| {
        draft.approved().1["exp"] = (NOW - 60).into();
    })?;
    vectors.refuse("approval.future", "its-own-nbf", "RFC 7519, 4.1.5", |draft| {
        draft.approved().1["nbf"] = (NOW + 61).into();
    })?;
    vectors.refuse("approval.malformed", "exp-a-string", "RFC 7519, 4.1.4", |draft| {
        draft.approved().1["exp"] = "0".into();
    })?;
    vectors.refuse("approval.future", "by-a-second", SECTION, |draft| draft.approved().1["iat"] = (NOW + 61).into())?;
    vectors.refuse("approval.method", "pin-for-face", SECTION, |draft| {
        draft.approved().1["amr"] = json!(["pin"]);
        draft.expected.requirements.methods = vec!["face".into()];
    })?;
    vectors.refuse("approval.method", "one-of-two", SECTION, |draft| {
        draft.approved();
        draft.expected.requirements.methods = vec!["face".into(), "pin".into()];
    })
}
