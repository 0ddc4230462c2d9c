//! Who presents it.

use anyhow::Result;
use serde_json::{Value, json};

use super::Vectors;
use crate::Demand;
use crate::draft::{NOW, key};

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    vectors.refuse("holder.missing", "stripped", "RFC 9901, 7.3 (2)", |draft| draft.kb = None)?;
    vectors.refuse("holder.missing", "band-not-required", "band profile, Proof", |draft| {
        draft.kb = None;
        draft.expected.requirements.holder = Some(Demand::NotRequired);
    })?;
    vectors.refuse("holder.missing", "another-type", "RFC 9901, 7.3 (2)", |draft| {
        draft.member();
        draft.kb = None;
    })?;
    vectors.refuse("holder.algorithm", "none", "RFC 9901, 7.3 (5b)", |draft| {
        draft.kb_header["alg"] = "none".into();
        draft.edit_token = Some(Box::new(|token| format!("{}.", token.rsplit_once('.').unwrap_or_default().0)));
    })?;
    vectors
        .refuse("holder.algorithm", "ES384", "RFC 9901, 7.3 (5b)", |draft| draft.kb_header["alg"] = "ES384".into())?;
    for typ in ["JWT", "kb+JWT", "dc+sd-jwt", "band-approval+jwt"] {
        vectors.refuse("holder.type", typ, "RFC 9901, 7.3 (5d)", |draft| draft.kb_header["typ"] = typ.into())?;
    }
    vectors
        .refuse("holder.type", "missing", "RFC 9901, 7.3 (5d)", |draft| draft.kb_header = json!({"alg": "ES256"}))?;
    let off_curve = "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ";
    for (what, cnf) in [
        ("none", Value::Null),
        ("by-thumbprint", json!({"jkt": "A".repeat(43)})),
        ("by-kid", json!({"kid": "1"})),
        ("another-curve", json!({"jwk": {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}})),
        ("rsa", json!({"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}})),
        ("off-the-curve", json!({"jwk": {"kty": "EC", "crv": "P-256", "x": off_curve, "y": off_curve}})),
        ("at-infinity", json!({"jwk": {"kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43)}})),
        ("short-coordinate", json!({"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}})),
        ("for-encryption", json!({"use": "enc"})),
        ("with-its-private-part", json!({"d": "A".repeat(43)})),
    ] {
        vectors.refuse("holder.unbound", what, "RFC 7800, 3.2", |draft| match cnf {
            Value::Null => drop(draft.claims.remove("cnf")),
            cnf if cnf.get("use").or(cnf.get("d")).is_some() => {
                for (name, value) in cnf.as_object().into_iter().flatten() {
                    draft.claims["cnf"]["jwk"][name] = value.clone();
                }
            }
            cnf => drop(draft.claims.insert("cnf".into(), cnf)),
        })?;
    }
    let thief = key(8)?;
    vectors
        .refuse("holder.signature", "by-another-band", "RFC 9901, 7.3 (5c)", move |draft| draft.holder_key = thief)?;
    vectors.refuse("holder.signature", "by-the-issuer", "RFC 9901, 7.3 (5c)", |draft| {
        draft.holder_key = draft.issuer_key.clone();
    })?;
    vectors.refuse("holder.signature", "by-the-phone", "RFC 9901, 7.3 (5c)", |draft| {
        draft.holder_key = draft.phone_key.clone();
    })?;
    vectors.refuse("holder.signature", "cut", "RFC 7518, 3.4", |draft| {
        draft.edit_token = Some(Box::new(|token| token.chars().take(token.len() - 2).collect()));
    })?;
    for name in ["aud", "nonce", "iat", "sd_hash", "jti"] {
        let section = if name == "jti" { "band profile, Proof" } else { "RFC 9901, 4.3" };
        vectors.refuse("holder.claim", &format!("no-{name}"), section, |draft| {
            draft.proof()[name] = Value::Null;
        })?;
    }
    for (what, name, value) in [
        ("aud-an-array", "aud", json!(["x509_san_dns:shop.example"])),
        ("nonce-a-number", "nonce", json!(1)),
        ("iat-a-string", "iat", json!("1790000000")),
        ("exp-a-string", "exp", json!("1790000000")),
        ("transaction-hashes-a-string", "transaction_data_hashes", json!("x")),
        ("transaction-hashes-of-numbers", "transaction_data_hashes", json!([1])),
    ] {
        let section = if name == "transaction_data_hashes" { "OpenID4VP 1.0, B.3.3" } else { "RFC 9901, 4.3" };
        vectors.refuse("holder.claim", what, section, |draft| draft.proof()[name] = value)?;
    }
    vectors
        .refuse("holder.nonce", "another", "RFC 9901, 7.3 (5f)", |draft| draft.proof()["nonce"] = "another".into())?;
    vectors.refuse("holder.nonce", "empty", "RFC 9901, 7.3 (5f)", |draft| draft.proof()["nonce"] = "".into())?;
    vectors.refuse("holder.nonce", "prefix", "RFC 9901, 7.3 (5f)", |draft| {
        draft.proof()["nonce"] = draft.expected.nonce.chars().take(10).collect::<String>().into();
    })?;
    for (what, audience) in [
        ("another-shop", "x509_san_dns:other.example"),
        ("without-its-prefix", "shop.example"),
        ("upper-case", "X509_SAN_DNS:SHOP.EXAMPLE"),
        ("empty", ""),
    ] {
        vectors
            .refuse("holder.audience", what, "RFC 9901, 7.3 (5f)", |draft| draft.proof()["aud"] = audience.into())?;
    }
    vectors.refuse("holder.stale", "by-a-second", "RFC 9901, 7.3 (5e)", |draft| {
        draft.proof()["iat"] = (NOW - 361).into();
    })?;
    vectors.refuse("holder.stale", "by-a-year", "RFC 9901, 7.3 (5e)", |draft| {
        draft.proof()["iat"] = (NOW - 31_536_000).into();
    })?;
    vectors
        .refuse("holder.stale", "its-own-exp", "RFC 7519, 4.1.4", |draft| draft.proof()["exp"] = (NOW - 60).into())?;
    vectors.refuse("holder.future", "by-a-second", "RFC 9901, 7.3 (5e)", |draft| {
        draft.proof()["iat"] = (NOW + 61).into();
    })?;
    vectors
        .refuse("holder.future", "its-own-nbf", "RFC 7519, 4.1.5", |draft| draft.proof()["nbf"] = (NOW + 61).into())?;
    vectors.refuse("holder.hash", "another", "RFC 9901, 7.3 (5g)", |draft| {
        draft.proof()["sd_hash"] = bandpass_roles::sha256_base64url(b"x").into();
    })?;
    vectors.refuse("holder.hash", "disclosure-removed", "RFC 9901, 7.3 (5g)", |draft| {
        draft.edit_token = Some(Box::new(|token| {
            let mut parts = token.split('~').collect::<Vec<_>>();
            let birthdate = parts.len() - 3;
            parts.remove(birthdate);
            parts.join("~")
        }));
    })?;
    vectors.refuse("holder.hash", "disclosures-reordered", "RFC 9901, 7.3 (5g)", |draft| {
        draft.edit_token = Some(Box::new(|token| {
            let mut parts = token.split('~').collect::<Vec<_>>();
            parts.swap(1, 2);
            parts.join("~")
        }));
    })?;
    vectors.refuse("holder.hash", "without-the-last-tilde", "RFC 9901, 4.3.1", |draft| {
        draft.selective.clear();
        let (issuer, header) = (draft.issuer_key.clone(), draft.header.clone());
        let jwt = issuer.sign(&header, &Value::Object(draft.claims.clone()));
        draft.proof()["sd_hash"] = bandpass_roles::sha256_base64url(jwt.as_bytes()).into();
    })?;
    vectors.refuse("holder.nonce", "one-of-two-presentations", "OpenID4VP 1.0, 8.6", |draft| {
        draft.expected.query_id = "band".into();
        let mut other = draft.proof().clone();
        other["nonce"] = "another".into();
        let (holder, header) = (draft.holder_key.clone(), draft.kb_header.clone());
        draft.edit_token = Some(Box::new(move |token| {
            let presented = token.split_inclusive('~').collect::<Vec<_>>();
            let presented = presented.split_last().map(|(_, rest)| rest.concat()).unwrap_or_default();
            other["sd_hash"] = bandpass_roles::sha256_base64url(presented.as_bytes()).into();
            json!({"band": [token], "ticket": [format!("{presented}{}", holder.sign(&header, &other))]}).to_string()
        }));
    })?;
    vectors.refuse("holder.key", "same-holder-elsewhere", "band profile, Access and tickets", |draft| {
        draft.expected.query_id = "band".into();
        draft.expected.requirements.same_holder_as = Some("ticket".into());
        draft.edit_token = Some(Box::new(|token| json!({"band": [token]}).to_string()));
    })
}
