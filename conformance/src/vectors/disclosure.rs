//! Disclosures that break the rules.

use anyhow::Result;
use bandpass_roles::{base64url, sd_jwt, sha256_base64url};
use serde_json::{Value, json};

use super::Vectors;
use crate::draft::Draft;

const PROCESSING: &str = "RFC 9901, 7.1 (3)";
const ALWAYS_DISCLOSED: &str = "SD-JWT VC, 2.2.2.2";
const ALWAYS_DISCLOSED_BY_BANDS: &str = "band profile, Credential";

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    for (what, algorithm) in [
        ("sha-512", json!("sha-512")),
        ("upper-case", json!("SHA-256")),
        ("md5", json!("md5")),
        ("not-a-string", json!(["sha-256"])),
        ("null", json!(null)),
    ] {
        vectors.refuse("disclosure.algorithm", what, "RFC 9901, 4.1.1", |draft| {
            draft.edit_payload = Some(Box::new(move |payload, _| payload["_sd_alg"] = algorithm));
        })?;
    }
    for (what, content) in [
        ("not-json", "[\"salt\","),
        ("an-object", r#"{"salt":"x","sub":"y"}"#),
        ("empty-array", "[]"),
        ("one-element", r#"["salt"]"#),
        ("four-elements", r#"["salt","nickname","Lily",1]"#),
        ("salt-not-a-string", r#"[1,"nickname","Lily"]"#),
        ("name-not-a-string", r#"["salt",1,"Lily"]"#),
        ("member-twice", r#"["salt","nickname",{"a":1,"a":2}]"#),
        ("something-after", r#"["salt","nickname","Lily"] x"#),
        ("element-for-a-claim", r#"["salt","Lily"]"#),
    ] {
        let encoded = base64url(content.as_bytes());
        vectors.refuse("disclosure.malformed", what, "RFC 9901, 4.2", |draft| add_claim(draft, encoded))?;
    }
    vectors.refuse("disclosure.malformed", "claim-for-an-element", PROCESSING, |draft| {
        let claim = sd_jwt::disclosure("salt", Some("nickname"), &json!("Lily"));
        draft.edit_payload = Some(Box::new(move |payload, disclosures| {
            let item = json!({"...": sha256_base64url(claim.as_bytes())});
            payload["nationalities"].as_array_mut().into_iter().for_each(|items| items.push(item.clone()));
            disclosures.push(claim);
        }));
    })?;
    vectors.refuse("disclosure.malformed", "padded", "RFC 7515, 2", |draft| {
        add_claim(draft, base64url(br#"["salt","nickname","Lily!"]"#) + "=");
    })?;
    vectors.refuse("disclosure.malformed", "empty", "RFC 9901, 4", |draft| {
        draft.edit_payload = Some(Box::new(|_, disclosures| disclosures.push(String::new())));
    })?;
    for name in ["_sd", "...", "_sd_alg"] {
        vectors.refuse("disclosure.reserved", &format!("claim-named-{name}"), PROCESSING, |draft| {
            add_claim(draft, sd_jwt::disclosure("salt", Some(name), &json!("x")));
        })?;
    }
    vectors.refuse("disclosure.reserved", "nested-sd-alg", "RFC 9901, 4.1.1", |draft| {
        draft.claims.insert("address".into(), json!({"_sd_alg": "sha-256", "country": "CN"}));
    })?;
    vectors.refuse("disclosure.reserved", "dots-beside-others", "RFC 9901, 4.2.4.2", |draft| {
        draft.claims.insert("address".into(), json!([{"...": "x", "country": "CN"}]));
    })?;
    vectors.refuse("disclosure.reserved", "dots-outside-an-array", "RFC 9901, 4.2.4.2", |draft| {
        draft.claims.insert("address".into(), json!({"...": sha256_base64url(b"x")}));
    })?;
    for (what, place, value) in [
        ("sd-not-an-array", "/_sd", json!("x")),
        ("sd-null", "/_sd", json!(null)),
        ("sd-of-numbers", "/_sd", json!([1])),
        ("sd-of-arrays", "/_sd", json!([["x"]])),
        ("dots-not-a-string", "/nationalities/0", json!({"...": 1})),
        ("dots-null", "/nationalities/0", json!({"...": null})),
    ] {
        vectors.refuse("disclosure.digest", what, PROCESSING, |draft| {
            draft.selective.clear();
            draft.edit_payload = Some(Box::new(move |payload, _| match payload.pointer_mut(place) {
                Some(found) => *found = value,
                None => payload["_sd"] = value,
            }));
        })?;
    }
    vectors.refuse("disclosure.duplicate", "digest-twice", "RFC 9901, 7.1 (4)", |draft| {
        draft.edit_payload = Some(Box::new(|payload, _| {
            let digest = payload["_sd"][0].clone();
            payload["_sd"].as_array_mut().into_iter().for_each(|digests| digests.push(digest.clone()));
        }));
    })?;
    vectors.refuse("disclosure.duplicate", "digest-at-two-levels", "RFC 9901, 7.1 (4)", |draft| {
        draft.edit_payload =
            Some(Box::new(|payload, _| payload["address"] = json!({"_sd": [payload["_sd"][0].clone()]})));
    })?;
    vectors.refuse("disclosure.duplicate", "decoy-twice", "RFC 9901, 7.1 (4)", |draft| {
        draft.edit_payload = Some(Box::new(|payload, _| {
            let digest = sha256_base64url(b"decoy");
            payload["nationalities"].as_array_mut().into_iter().for_each(|items| {
                items.extend([json!({"...": digest}), json!({"...": digest})]);
            });
        }));
    })?;
    vectors.refuse("disclosure.duplicate", "disclosure-sent-twice", "RFC 9901, 7.1 (3)", |draft| {
        draft.edit_payload = Some(Box::new(|_, disclosures| disclosures.extend(disclosures.first().cloned())));
    })?;
    vectors.refuse("disclosure.duplicate", "digest-inside-its-own-disclosure", "RFC 9901, 7.1 (4)", |draft| {
        draft.edit_payload = Some(Box::new(|payload, disclosures| {
            let digest = payload["_sd"][0].clone();
            let outer = sd_jwt::disclosure("salt", Some("outer"), &json!({"_sd": [digest]}));
            payload["_sd"]
                .as_array_mut()
                .into_iter()
                .for_each(|all| all.push(sha256_base64url(outer.as_bytes()).into()));
            disclosures.push(outer);
        }));
    })?;
    vectors.refuse("disclosure.collision", "with-a-plain-claim", PROCESSING, |draft| {
        draft.claims.insert("nickname".into(), "Lin".into());
        add_claim(draft, sd_jwt::disclosure("salt", Some("nickname"), &json!("Lily")));
    })?;
    vectors.refuse("disclosure.collision", "with-another-disclosure", PROCESSING, |draft| {
        add_claim(draft, sd_jwt::disclosure("salt", Some("given_name"), &json!("Mallory")));
    })?;
    for claim in ["/iss", "/exp", "/cnf", "/vct", "/status", "/iat", "/pairing", "/band_measures"] {
        let name = claim.trim_start_matches('/');
        let section = if ["iat", "pairing", "band_measures"].contains(&name) {
            ALWAYS_DISCLOSED_BY_BANDS
        } else {
            ALWAYS_DISCLOSED
        };
        // Without `iss` no issuer can be found, without `vct` no rule of its type applies: those fail earlier.
        let code = if name == "iss" { "issuer.untrusted" } else { "disclosure.forbidden" };
        vectors.refuse(code, &format!("selective-{name}"), section, |draft| draft.selective.push(claim))?;
    }
    vectors.refuse("disclosure.forbidden", "selective-nbf", ALWAYS_DISCLOSED, |draft| {
        draft.claims.insert("nbf".into(), 1.into());
        draft.selective.push("/nbf");
    })?;
    for (what, claim) in [
        ("inside-cnf", "/cnf/jwk"),
        ("deep-inside-cnf", "/cnf/jwk/x"),
        ("inside-status", "/status/status_list"),
        ("inside-pairing", "/pairing/jkt"),
        ("element-of-band-measures", "/band_measures/0"),
    ] {
        let section = if claim.contains("/cnf") || claim.contains("/status") {
            ALWAYS_DISCLOSED
        } else {
            ALWAYS_DISCLOSED_BY_BANDS
        };
        vectors.refuse("disclosure.forbidden", what, section, |draft| draft.selective.push(claim))?;
    }
    vectors.refuse("disclosure.forbidden", "vct-integrity", ALWAYS_DISCLOSED, |draft| {
        draft.member();
        draft.claims.insert("vct#integrity".into(), "sha256-AAAA".into());
        draft.selective.push("/vct#integrity");
    })?;
    vectors.refuse("disclosure.unreferenced", "claim", "RFC 9901, 7.1 (5)", |draft| {
        let extra = sd_jwt::disclosure("salt", Some("member"), &json!(true));
        draft.edit_payload = Some(Box::new(move |_, disclosures| disclosures.push(extra)));
    })?;
    vectors.refuse("disclosure.unreferenced", "element", "RFC 9901, 7.1 (5)", |draft| {
        let extra = sd_jwt::disclosure("salt", None, &json!("XX"));
        draft.edit_payload = Some(Box::new(move |_, disclosures| disclosures.push(extra)));
    })?;
    vectors.refuse("disclosure.unreferenced", "parent-hidden", "RFC 9901, 7.1 (5)", |draft| {
        draft.hidden = vec!["/age_equal_or_over"];
    })?;
    vectors.refuse("disclosure.unreferenced", "digest-of-the-decoded-form", "RFC 9901, 4.2.3", |draft| {
        let content = json!(["salt", "nickname", "Lily"]).to_string();
        let encoded = base64url(content.as_bytes());
        let digest = sha256_base64url(content.as_bytes());
        draft.edit_payload = Some(Box::new(move |payload, disclosures| {
            payload["_sd"].as_array_mut().into_iter().for_each(|digests| digests.push(digest.clone().into()));
            disclosures.push(encoded);
        }));
    })?;
    Ok(())
}

/// Adds a disclosure and its digest at the top level.
fn add_claim(draft: &mut Draft, encoded: String) {
    draft.edit_payload = Some(Box::new(move |payload: &mut Value, disclosures: &mut Vec<String>| {
        let digest = sha256_base64url(encoded.as_bytes());
        payload["_sd"].as_array_mut().into_iter().for_each(|digests| digests.push(digest.clone().into()));
        disclosures.push(encoded);
    }));
}
