//! Tokens that are none.

use anyhow::Result;
use serde_json::json;

use super::Vectors;

const MALFORMED: &str = "token.malformed";
const UNSUPPORTED: &str = "token.unsupported";
const TOO_LARGE: &str = "token.too-large";

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    let mut wire = |code: &str, what: &str, section: &str, edit: fn(String) -> String| {
        vectors.refuse(code, what, section, |draft| draft.edit_token = Some(Box::new(edit)))
    };
    wire(MALFORMED, "empty", "RFC 9901, 4", |_| String::new())?;
    wire(MALFORMED, "plain-jwt", "RFC 9901, 4", |token| token.split('~').next().unwrap_or_default().into())?;
    wire(MALFORMED, "one-part", "RFC 7515, 7.1", |_| "abc~".into())?;
    wire(MALFORMED, "only-tildes", "RFC 9901, 4", |_| "~~~".into())?;
    wire(MALFORMED, "four-parts", "RFC 7515, 7.1", |token| token.replacen('~', ".AA~", 1))?;
    wire(MALFORMED, "padded", "RFC 7515, 2", |token| token.replacen('.', "=.", 1))?;
    wire(MALFORMED, "standard-base64", "RFC 7515, 2", |token| format!("+/{token}"))?;
    wire(MALFORMED, "line-break", "RFC 7515, 2", |token| token.replacen('.', "\n.", 1))?;
    wire(MALFORMED, "null-byte", "RFC 7515, 2", |token| format!("{token}\0"))?;
    wire(MALFORMED, "not-ascii", "RFC 7515, 2", |token| format!("é{token}"))?;
    wire(MALFORMED, "truncated-in-the-header", "RFC 7515, 7.1", |token| {
        token.chars().take(20).collect::<String>() + "~"
    })?;
    wire(MALFORMED, "truncated-in-the-proof", "RFC 9901, 4", |token| {
        let dot = token.rfind('.').unwrap_or_default();
        token.chars().take(dot).collect()
    })?;
    wire(MALFORMED, "header-not-json", "RFC 7515, 4", |token| {
        format!("YWJj.{}", token.split_once('.').unwrap_or_default().1)
    })?;
    wire(MALFORMED, "header-not-an-object", "RFC 7515, 4", |token| {
        format!("W10.{}", token.split_once('.').unwrap_or_default().1)
    })?;
    wire(MALFORMED, "header-member-twice", "RFC 7515, 4", |token| {
        let header = bandpass_roles::base64url(br#"{"alg":"ES256","alg":"ES256","typ":"dc+sd-jwt"}"#);
        format!("{header}.{}", token.split_once('.').unwrap_or_default().1)
    })?;
    wire(MALFORMED, "header-with-something-after", "RFC 8259, 2", |token| {
        let header = bandpass_roles::base64url(br#"{"alg":"ES256","typ":"dc+sd-jwt"}{}"#);
        format!("{header}.{}", token.split_once('.').unwrap_or_default().1)
    })?;
    wire(MALFORMED, "vp-token-cut", "OpenID4VP 1.0, 8.1", |token| format!("{{\"band\":[\"{token}\""))?;
    wire(MALFORMED, "vp-token-not-arrays", "OpenID4VP 1.0, 8.1", |token| json!({"band": token}).to_string())?;
    wire(MALFORMED, "vp-token-empty-array", "OpenID4VP 1.0, 8.1", |_| json!({"band": []}).to_string())?;
    wire(MALFORMED, "vp-token-query-twice", "RFC 8259, 4", |token| {
        format!("{{\"band\":[\"{token}\"],\"band\":[\"{token}\"]}}")
    })?;
    wire(MALFORMED, "vp-token-query-without-id", "OpenID4VP 1.0, 8.1", |token| json!({"": [token]}).to_string())?;
    wire(TOO_LARGE, "vp-token-values", "limit", |_| json!({"band": vec![0; 5_000]}).to_string())?;
    wire(UNSUPPORTED, "json-serialization", "RFC 9901, 8", |token| {
        let mut parts = token.split(['.', '~']);
        let mut part = || parts.next().unwrap_or_default().to_owned();
        json!({"protected": part(), "payload": part(), "signature": part()}).to_string()
    })?;
    wire(UNSUPPORTED, "encrypted", "RFC 7516, 7.1", |token| token.replacen('~', ".AA.AA~", 1))?;
    wire(TOO_LARGE, "bytes", "limit", |token| {
        let filler = "A".repeat(128 * 1_024);
        token.replacen('~', &format!("~{filler}~"), 1)
    })?;
    wire(TOO_LARGE, "disclosures", "limit", |token| token.replacen('~', &"~WyJhIiwxXQ".repeat(513), 1))?;
    wire(TOO_LARGE, "vp-token-depth", "limit", |_| format!("{{\"band\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000)))?;
    wire(TOO_LARGE, "presentations", "limit", |token| {
        let queries = (0..17).map(|number| (number.to_string(), json!([token])));
        serde_json::Value::Object(queries.collect()).to_string()
    })?;
    vectors.refuse(TOO_LARGE, "values-in-the-proof", "limit", |draft| draft.proof()["junk"] = json!(vec![0; 5_000]))?;
    vectors.refuse(TOO_LARGE, "payload-depth", "limit", |draft| {
        let mut nested = json!(1);
        (0..30).for_each(|_| nested = json!([nested]));
        draft.claims.insert("deep".into(), nested);
    })?;
    vectors.refuse(TOO_LARGE, "depth-through-disclosures", "limit", |draft| {
        let deep = |levels: usize| (0..levels).fold(json!(1), |nested, _| json!([nested]));
        draft.claims.insert("deep".into(), deep(13));
        draft.edit_payload = Some(Box::new(move |payload, disclosures| {
            let inner = bandpass_roles::sd_jwt::disclosure("salt", None, &deep(13));
            let digest = bandpass_roles::sha256_base64url(inner.as_bytes());
            payload["deep"] = (0..13).fold(json!({"...": digest}), |nested, _| json!([nested]));
            disclosures.push(inner);
        }));
    })?;
    vectors.refuse(UNSUPPORTED, "crit", "RFC 7515, 4.1.11", |draft| {
        draft.header["crit"] = json!(["b64"]);
        draft.header["b64"] = false.into();
    })?;
    vectors.refuse(UNSUPPORTED, "crit-in-the-proof", "RFC 7515, 4.1.11", |draft| {
        draft.kb_header["crit"] = json!(["exp"]);
    })?;
    vectors.refuse("token.missing", "another-query", "OpenID4VP 1.0, 8.1", |draft| {
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"ticket": [token]}).to_string()));
    })?;
    vectors.refuse("token.missing", "no-query", "OpenID4VP 1.0, 8.1", |draft| {
        draft.edit_token = Some(Box::new(|token| json!({"band": [token]}).to_string()));
    })?;
    vectors.refuse("trust.malformed", "not-json", "trust list", |draft| draft.trust = "x".into())?;
    for (what, edit) in [
        ("member-not-known", json!({"x5c_root": []})),
        ("vct-and-any-vct", json!({"any_vct": true})),
        ("vct-not-strings", json!({"vct": [1]})),
        ("no-keys", json!({"jwks": {"keys": []}})),
        ("private-key", json!({"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}]}})),
    ] {
        vectors.refuse("trust.malformed", what, "trust list", |draft| {
            for (name, value) in edit.as_object().into_iter().flatten() {
                draft.trust["issuers"][0][name] = value.clone();
            }
        })?;
    }
    vectors.refuse("trust.malformed", "issuer-twice", "trust list", |draft| {
        let entry = draft.trust["issuers"][0].clone();
        draft.trust["issuers"].as_array_mut().into_iter().for_each(|issuers| issuers.push(entry.clone()));
    })?;
    vectors.refuse("challenge.malformed", "no-audience", "RFC 9901, 7.3", |draft| draft.expected.audience.clear())?;
    vectors.refuse("challenge.malformed", "empty-nonce", "RFC 9901, 7.3", |draft| draft.expected.nonce.clear())?;
    vectors.refuse("challenge.malformed", "transaction-twice", "OpenID4VP 1.0, 5.1", |draft| {
        draft.pay("35.00");
        draft.pay("35.00");
    })?;
    for (what, sent) in [
        ("transaction-not-base64url", "###".to_owned()),
        ("transaction-not-json", bandpass_roles::base64url(b"{")),
        ("transaction-without-type", bandpass_roles::base64url(br#"{"credential_ids":["band"]}"#)),
        ("transaction-for-no-credential", bandpass_roles::transaction_data("urn:example:x", &[], &json!({}))),
        ("amount-not-decimal", crate::draft::payment("35,00")),
        ("amount-negative", crate::draft::payment("-35.00")),
        ("amount-exponent", crate::draft::payment("3e1")),
        ("eudi-amount-exponent", crate::draft::eudi_payment("3.5e1")),
        ("eudi-amount-negative", crate::draft::eudi_payment("-35.00")),
        ("eudi-amount-a-string", crate::draft::eudi_payment(r#""35.00""#)),
        ("eudi-amount-an-object", crate::draft::eudi_payment(r#"{"payload":{"amount":35.00}}"#)),
        ("eudi-amount-too-precise", crate::draft::eudi_payment("35.0000001")),
        (
            "transaction-without-sha-256",
            bandpass_roles::base64url(
                br#"{"type":"x","credential_ids":["band"],"transaction_data_hashes_alg":["sha-512"]}"#,
            ),
        ),
    ] {
        vectors.refuse("challenge.malformed", what, "OpenID4VP 1.0, 5.1", |draft| {
            draft.expected.transaction_data.push(sent.clone());
        })?;
    }
    Ok(())
}
