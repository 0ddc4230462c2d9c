//! Whose signature it is.

use anyhow::Result;
use serde_json::{Value, json};

use super::Vectors;
use crate::draft::{Draft, NOW, key};

/// Changes a signature.
type Edit = fn(&str) -> String;

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    let stranger = key(9)?;
    vectors.refuse("issuer.algorithm", "none", "RFC 9901, 7.1 (2a)", |draft| {
        draft.header["alg"] = "none".into();
        draft.edit_token = Some(Box::new(|token| {
            let (signed, rest) = token.split_once('~').unwrap_or_default();
            format!("{}.~{rest}", signed.rsplit_once('.').unwrap_or_default().0)
        }));
    })?;
    for algorithm in ["HS256", "ES384", "es256", "ES256K", "EdDSA"] {
        vectors.refuse("issuer.algorithm", algorithm, "RFC 9901, 7.1 (2a)", |draft| {
            draft.header["alg"] = algorithm.into();
        })?;
    }
    vectors
        .refuse("issuer.algorithm", "missing", "RFC 7515, 4.1.1", |draft| draft.header = json!({"typ": "dc+sd-jwt"}))?;
    vectors.refuse("issuer.algorithm", "not-a-string", "RFC 7515, 4.1.1", |draft| {
        draft.header["alg"] = json!(["ES256"]);
    })?;
    vectors.refuse("issuer.untrusted", "another-issuer", "RFC 9901, 7.1 (2b)", |draft| {
        draft.claims.insert("iss".into(), "https://other.example".into());
    })?;
    vectors.refuse("issuer.untrusted", "trailing-slash", "RFC 9901, 7.1 (2b)", |draft| {
        draft.claims.insert("iss".into(), "https://wallet.example/".into());
    })?;
    vectors.refuse("issuer.untrusted", "no-issuer", "RFC 9901, 7.1 (2b)", |draft| drop(draft.claims.remove("iss")))?;
    vectors.refuse("issuer.untrusted", "issuer-not-a-string", "RFC 7519, 4.1.1", |draft| {
        draft.claims.insert("iss".into(), json!(["https://wallet.example"]));
    })?;
    vectors.refuse("issuer.untrusted", "another-kid", "RFC 7515, 4.1.4", |draft| draft.header["kid"] = "2".into())?;
    vectors.refuse("issuer.untrusted", "empty-trust-list", "RFC 9901, 7.1 (2b)", |draft| {
        draft.trust = json!({"issuers": []});
        draft.status_lists.clear();
    })?;
    for typ in ["vc+sd-jwt", "JWT", "DC+SD-JWT", "application/dc+sd-jwt", "kb+jwt", ""] {
        vectors.refuse("issuer.type", &format!("typ-{typ}"), "SD-JWT VC, 2.2.1", |draft| {
            draft.header["typ"] = typ.into();
        })?;
    }
    vectors.refuse("issuer.type", "missing", "SD-JWT VC, 2.2.1", |draft| {
        draft.header = json!({"alg": "ES256", "kid": "1"});
    })?;
    vectors.refuse("issuer.type", "plain-only", "RFC 8725, 3.11", |draft| {
        draft.trust["issuers"][0]["typ"] = json!(["example+sd-jwt"]);
    })?;
    vectors
        .refuse("issuer.signature", "another-key", "RFC 9901, 7.1 (2c)", move |draft| draft.issuer_key = stranger)?;
    vectors.refuse("issuer.signature", "by-the-holder", "RFC 9901, 7.1 (2c)", |draft| {
        draft.issuer_key = draft.holder_key.clone();
    })?;
    let edits: [(_, Edit); 6] = [
        ("payload-changed", |signature| signature.to_owned()),
        ("empty", |_| String::new()),
        ("short", |signature| signature.chars().take(84).collect()),
        ("long", |signature| format!("{signature}AAAA")),
        ("zeros", |_| "A".repeat(86)),
        ("der", |_| {
            "MEQCIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQ".into()
        }),
    ];
    for (what, edit) in edits {
        vectors.refuse("issuer.signature", what, "RFC 7518, 3.4", |draft| {
            change_jwt(draft, what == "payload-changed", edit);
        })?;
    }
    key_times(vectors)
}

/// Rotation of keys (`OpenID` Federation 1.0, section 8.7.2, for the members of a key).
fn key_times(vectors: &mut Vectors) -> Result<()> {
    let section = "trust list";
    let old = key(9)?;
    for (what, nbf, exp) in [("key-in-its-first-second", NOW, NOW + 1), ("key-in-its-last-second", NOW - 1, NOW + 1)] {
        vectors.accept(what, section, |draft| first_key(draft, &json!({"nbf": nbf, "exp": exp})))?;
    }
    vectors.accept("key-rotated", section, |draft| {
        rotate(draft, &old.jwk(), &json!({"kid": "0", "exp": NOW - 1}));
        draft.header["kid"] = "1".into();
    })?;
    vectors.accept("key-rotated-without-kid", section, |draft| {
        rotate(draft, &old.jwk(), &json!({"exp": NOW - 1}));
        draft.header = json!({"alg": "ES256", "typ": "dc+sd-jwt"});
    })?;
    vectors.accept("key-that-is-not-revoked-yet", section, |draft| {
        rotate(draft, &old.jwk(), &json!({"kid": "1", "revoked": {"revoked_at": NOW - 1}}));
    })?;
    vectors.refuse("issuer.expired", "key", section, |draft| first_key(draft, &json!({"exp": NOW})))?;
    vectors.refuse("issuer.expired", "key-of-before", section, |draft| {
        rotate(draft, &old.jwk(), &json!({"kid": "0", "exp": NOW - 1}));
        draft.header["kid"] = "0".into();
        draft.issuer_key = old.clone();
        draft.status_lists.clear();
    })?;
    vectors.refuse("issuer.not-yet-valid", "key", section, |draft| first_key(draft, &json!({"nbf": NOW + 1})))?;
    vectors.refuse("issuer.signature", "key-of-before-without-kid", section, |draft| {
        rotate(draft, &old.jwk(), &json!({"exp": NOW - 1}));
        draft.header = json!({"alg": "ES256", "typ": "dc+sd-jwt"});
        draft.issuer_key = old.clone();
        draft.status_lists.clear();
    })?;
    vectors.refuse("issuer.untrusted", "key-revoked", section, |draft| {
        rotate(draft, &old.jwk(), &json!({"kid": "0", "revoked": {"revoked_at": NOW - 1}}));
        draft.header["kid"] = "0".into();
        draft.issuer_key = old.clone();
        draft.status_lists.clear();
    })?;
    for (what, member, value) in [
        ("key-time-a-string", "exp", json!("2027-01-01")),
        ("key-time-a-fraction", "nbf", json!(0.5)),
        ("key-time-negative", "exp", json!(-1)),
        ("key-time-null", "nbf", json!(null)),
    ] {
        vectors.refuse("trust.malformed", what, section, |draft| first_key(draft, &json!({member: value})))?;
    }
    Ok(())
}

/// Adds to the issuer's key. Its status lists go, for they would be refused before the credential.
fn first_key(draft: &mut Draft, members: &Value) {
    draft.member();
    for (name, value) in members.as_object().into_iter().flatten() {
        draft.trust["issuers"][0]["jwks"]["keys"][0][name] = value.clone();
    }
}

/// Puts another key before the issuer's.
fn rotate(draft: &mut Draft, other: &Value, members: &Value) {
    let mut other = other.clone();
    for (name, value) in members.as_object().into_iter().flatten() {
        other[name] = value.clone();
    }
    draft.trust["issuers"][0]["jwks"]["keys"].as_array_mut().into_iter().for_each(|keys| keys.insert(0, other.clone()));
}

/// Changes the issuer's signature, or the payload under it.
fn change_jwt(draft: &mut Draft, change_payload: bool, edit: Edit) {
    let mut claims = draft.claims.clone();
    claims.insert("band_measures".into(), json!(["wear", "unlock", "confirm", "distance"]));
    draft.edit_token = Some(Box::new(move |token| {
        let (jwt, rest) = token.split_once('~').unwrap_or_default();
        let parts = jwt.split('.').collect::<Vec<_>>();
        let [header, payload, signature] = parts.as_slice() else { return token };
        let other = bandpass_roles::base64url(serde_json::Value::Object(claims).to_string().as_bytes());
        let payload = if change_payload { &other } else { *payload };
        format!("{header}.{payload}.{}~{rest}", edit(signature))
    }));
}
