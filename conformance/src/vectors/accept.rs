//! What has to be accepted.

use anyhow::Result;
use serde_json::json;

use super::Vectors;
use crate::Demand;
use crate::draft::{NOW, eudi_payment, payment, with_algorithms};

const SECTION: &str = "RFC 9901, 7.1 and 7.3";
const PROFILE: &str = "band profile, Proof";

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    vectors.accept("all-disclosed", SECTION, |_| ())?;
    vectors.accept("none-disclosed", SECTION, |draft| draft.hidden.clone_from(&draft.selective))?;
    vectors.accept("some-disclosed", SECTION, |draft| {
        draft.hidden = vec!["/birthdate", "/family_name", "/nationalities/0"];
    })?;
    vectors.accept("nested-hidden", "RFC 9901, 4.2.6", |draft| {
        draft.hidden = vec!["/age_equal_or_over/14", "/age_equal_or_over/21"];
    })?;
    vectors.accept("all-elements-hidden", "RFC 9901, 4.2.4.2", |draft| {
        draft.hidden = vec!["/nationalities/0", "/nationalities/1"];
    })?;
    vectors.accept("nothing-selective", SECTION, |draft| draft.selective.clear())?;
    vectors.accept("decoy-digests", "RFC 9901, 4.2.7", |draft| {
        draft.edit_payload = Some(Box::new(|payload, _| {
            for decoy in ["decoy-1", "decoy-2"] {
                let digest = bandpass_roles::sha256_base64url(decoy.as_bytes());
                payload["_sd"].as_array_mut().into_iter().for_each(|digests| digests.push(digest.clone().into()));
            }
            let digest = bandpass_roles::sha256_base64url(b"decoy-3");
            payload["nationalities"].as_array_mut().into_iter().for_each(|items| items.push(json!({"...": digest})));
        }));
    })?;
    vectors.accept("sd-alg-absent", "RFC 9901, 4.1.1", |draft| {
        draft.edit_payload =
            Some(Box::new(|payload, _| drop(payload.as_object_mut().map(|all| all.remove("_sd_alg")))));
    })?;
    vectors.accept("empty-sd-array", "RFC 9901, 4.2.4.1", |draft| {
        draft.claims.insert("address".into(), json!({"_sd": [], "country": "CN"}));
        draft.edit_payload = Some(Box::new(|payload, _| payload["address"]["_sd"] = json!([])));
        draft.claims["address"] = json!({"country": "CN"});
    })?;
    vectors.accept("disclosures-in-any-order", "RFC 9901, 4", |draft| {
        draft.edit_payload = Some(Box::new(|_, disclosures| disclosures.reverse()));
    })?;
    vectors.accept("all-json-kinds", "RFC 8259", |draft| {
        draft.claims.insert(
            "kinds".into(),
            json!([null, true, -1, 1.5, "\u{1f600}\u{0}\"", {"": []}, 9_007_199_254_740_991_u64]),
        );
        draft.selective.push("/kinds");
    })?;
    vectors.accept("key-without-kid", "RFC 7517, 4.5", |draft| {
        draft.trust["issuers"][0]["jwks"]["keys"][0]
            .as_object_mut()
            .into_iter()
            .for_each(|key| drop(key.remove("kid")));
    })?;
    vectors.accept("vp-token-after-white-space", "RFC 8259, 2", |draft| {
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| format!("\n {}", json!({"band": [token]}))));
    })?;
    vectors.accept("approval-names-the-hash-algorithm-alone", "OpenID4VP 1.0, 8.4", |draft| {
        draft.pay("35.00");
        draft.approved().1["transaction_data_hashes_alg"] = "sha-256".into();
    })?;
    vectors.accept("no-kid", "RFC 7515, 4.1.4", |draft| draft.header = json!({"alg": "ES256", "typ": "dc+sd-jwt"}))?;
    vectors.accept("unknown-header-parameter", "RFC 7515, 4", |draft| draft.header["x"] = "y".into())?;
    vectors.accept("second-key-of-the-issuer", "RFC 7517, 5", |draft| {
        let other = bandpass_roles::Key::from_bytes(&[9; 32]).map(|key| key.jwk()).unwrap_or_default();
        let first = draft.trust["issuers"][0]["jwks"]["keys"][0].clone();
        draft.trust["issuers"][0]["jwks"]["keys"] = json!([other, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, first]);
        draft.header = json!({"alg": "ES256", "typ": "dc+sd-jwt"});
    })?;
    vectors.accept("any-vct", "SD-JWT VC, 2.2.2.1", |draft| {
        draft.trust["issuers"][0]["any_vct"] = true.into();
        draft.trust["issuers"][0].as_object_mut().into_iter().for_each(|entry| drop(entry.remove("vct")));
    })?;
    vectors.accept("another-type", "SD-JWT VC, 2", super::super::draft::Draft::member)?;
    vectors.accept("another-type-selective-iat", "SD-JWT VC, 2.2.2.2", |draft| {
        draft.member();
        draft.selective.push("/iat");
    })?;
    vectors.accept("another-type-without-proof", "RFC 9901, 7.3", |draft| {
        draft.member();
        draft.kb = None;
        draft.expected.requirements.holder = Some(Demand::NotRequired);
    })?;
    vectors.accept("plain-sd-jwt", "RFC 9901, 7.1", |draft| {
        draft.member();
        draft.claims.remove("vct");
        draft.header["typ"] = "example+sd-jwt".into();
        draft.trust["issuers"][0]["typ"] = json!(["example+sd-jwt"]);
    })?;
    vectors.accept("expires-within-the-tolerance", "RFC 7519, 4.1.4", |draft| {
        draft.claims.insert("exp".into(), (NOW - 59).into());
    })?;
    vectors.accept("starts-within-the-tolerance", "RFC 7519, 4.1.5", |draft| {
        draft.claims.insert("nbf".into(), (NOW + 60).into());
    })?;
    vectors.accept("fractional-time", "RFC 7519, 2", |draft| {
        draft.member();
        draft.claims.insert("exp".into(), json!(1_790_000_001.5));
    })?;
    vectors.accept("proof-at-its-oldest", "RFC 9901, 7.3 (5e)", |draft| {
        draft.proof()["iat"] = (NOW - 360).into();
        draft.band()["unlocked_at"] = (NOW - 3_600).into();
    })?;
    vectors.accept("proof-at-its-newest", "RFC 9901, 7.3 (5e)", |draft| draft.proof()["iat"] = (NOW + 60).into())?;
    vectors.accept("any-of-two-audiences", "RFC 9901, 7.3 (5f)", |draft| {
        draft.expected.audience.insert(0, "origin:https://shop.example".into());
    })?;
    vectors.accept("vp-token", "OpenID4VP 1.0, 8.1", |draft| {
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token]}).to_string()));
    })?;
    vectors.accept("bare-presentation-answers-a-query", "OpenID4VP 1.0, 8.1", |draft| {
        draft.expected.query_id = "band".into();
    })?;
    vectors.accept("payment", "OpenID4VP 1.0, 8.4", |draft| draft.pay("35.00"))?;
    vectors.accept("payment-in-a-query", "OpenID4VP 1.0, 8.4", |draft| {
        draft.pay("35.00");
        draft.expected.query_id = "band".into();
    })?;
    vectors.accept("payment-hash-algorithm-named", "OpenID4VP 1.0, B.3.3", |draft| {
        draft.pay("35.00");
        draft.proof()["transaction_data_hashes_alg"] = "sha-256".into();
    })?;
    for (what, amount) in [("whole", "35"), ("fraction", "35.00"), ("longest", "123456789012345.123456")] {
        vectors.accept(&format!("eudi-payment-{what}"), "EUDI TS12", |draft| {
            draft.expected.transaction_data.push(eudi_payment(amount));
            draft.approved();
        })?;
    }
    vectors.accept("payment-algorithms-offered", "OpenID4VP 1.0, B.3.3", |draft| {
        draft.expected.transaction_data.push(with_algorithms());
        draft.proof()["transaction_data_hashes_alg"] = "sha-256".into();
        draft.approved();
    })?;
    vectors.accept("payment-approved-by-pin", "band profile, Approval", |draft| {
        draft.pay("35.00");
        draft.approved().1["amr"] = json!(["pin"]);
    })?;
    vectors.accept("payment-without-approval", PROFILE, |draft| {
        draft.expected.transaction_data.push(payment("35.00"));
        draft.expected.requirements.approval = Some(Demand::NotRequired);
    })?;
    vectors.accept("payment-not-worn", PROFILE, |draft| {
        draft.pay("35.00");
        *draft.band() = json!({"counter": 1});
        draft.expected.requirements.worn = Some(Demand::NotRequired);
        draft.expected.requirements.unlocked = Some(Demand::NotRequired);
    })?;
    vectors.accept("two-transactions", "OpenID4VP 1.0, 8.4", |draft| {
        draft.pay("35.00");
        let ticket = json!({"transaction_id": "t-1", "event_id": "e-1", "starts_at": NOW + 3_600});
        let ticket = bandpass_roles::transaction_data("urn:bandpass:ticket:1", &["band"], &ticket);
        draft.expected.transaction_data.push(ticket);
    })?;
    vectors.accept("approval-by-face", "band profile, Approval", |draft| {
        draft.approved();
        draft.expected.requirements.methods = vec!["face".into()];
    })?;
    vectors
        .accept("worn-and-locked", PROFILE, |draft| *draft.band() = json!({"worn_since": NOW - 60, "counter": 1}))?;
    vectors
        .accept("unlocked-just-within", PROFILE, |draft| draft.expected.requirements.unlocked_within = Some(3_000))?;
    vectors.accept("confirmed", PROFILE, |draft| {
        draft.band()["confirmed"] = true.into();
        draft.expected.requirements.confirmed = Some(Demand::Required);
    })?;
    vectors.accept("claims-there", "OpenID4VP 1.0, 7", |draft| {
        draft.expected.requirements.claims = vec![
            vec!["sub".into()],
            vec!["age_equal_or_over".into(), "18".into()],
            vec!["nationalities".into(), json!(null)],
        ];
    })?;
    Ok(())
}
