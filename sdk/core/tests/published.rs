//! The examples of RFC 9901, SD-JWT VC and Token Status List with the issuer's key that they publish, as the crate
//! `identity-kit` ships them.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::LazyLock;

use bandpass_conformance::published;
use bandpass_core::{Challenge, Code, Demand, Error, Expected, Requirements, Trust, Verified, Verifier, inspect};
use serde_json::{Value, json};

/// RFC 9901, appendix A.5.
const ISSUER_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
    "y":"Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8"}"#;
/// What every presentation with a proof was made for.
const NONCE: &str = "1234567890";

fn read(name: &str) -> String {
    static FOLDER: LazyLock<PathBuf> =
        LazyLock::new(|| published("identity-kit").expect("fetched").join("tests/vectors"));
    std::fs::read_to_string(FOLDER.join(name)).expect(name).trim().to_owned()
}

/// Judges a token ten seconds after its proof was signed, by a trust list that holds just its issuer, type and `typ`.
fn verify(token: &str, holder: Demand) -> Result<Verified, Error> {
    let parts = inspect(token).expect("a token");
    let (header, payload) = (&parts["issuer_jwt"]["header"], &parts["issuer_jwt"]["payload"]);
    let proof = &parts["kb_jwt"]["payload"];
    let trust = json!({"issuers": [{
        "iss": payload.get("iss").unwrap_or(&json!("https://issuer.example")),
        "jwks": {"keys": [serde_json::from_str::<Value>(ISSUER_JWK).expect("JSON")]},
        "typ": [header["typ"]],
        "vct": payload.get("vct").map_or(json!([]), |vct| json!([vct])),
    }]});
    let verifier = Verifier::new(Trust::from_json(trust.to_string().as_bytes()).expect("a trust list"));
    let audience = proof["aud"].as_str().unwrap_or("https://verifier.example").to_owned();
    let now = proof["iat"].as_u64().unwrap_or(1_700_000_000) + 10;
    let challenge = Challenge::new(vec![audience], NONCE.into(), now)?;
    // The lists that some of them name were never published.
    let requirements = Requirements { holder, status: Demand::NotRequired, ..Requirements::default() };
    verifier.verify(token, &Expected { challenge, requirements })
}

#[test]
fn presentations_with_a_proof_verify() {
    for folder in ["sd_jwt/simple", "sd_jwt/sd_jwt_vc", "sd_jwt_vc/identity_credential", "sd_jwt_vc/pid"] {
        let verified = verify(&read(&format!("{folder}/presentation.txt")), Demand::ByProfile);
        let verified = verified.unwrap_or_else(|error| panic!("{folder}: {error}"));
        let expected = serde_json::from_str::<Value>(&read(&format!("{folder}/verified.json"))).expect("JSON");
        assert_eq!(Value::Object(verified.claims().clone()), expected, "{folder}");
    }
}

#[test]
fn presentations_without_a_proof_verify_where_none_is_needed() {
    for (token, expected) in [
        ("sd_jwt/complex_ekyc/presentation.txt", "sd_jwt/complex_ekyc/verified.json"),
        ("sd_jwt/simple_structured/presentation.txt", "sd_jwt/simple_structured/verified.json"),
        ("sd_jwt_vc/identity_credential/presentation_no_kb.txt", "sd_jwt_vc/identity_credential/verified_no_kb.json"),
    ] {
        let verified = verify(&read(token), Demand::NotRequired);
        let verified = verified.unwrap_or_else(|error| panic!("{token}: {error}"));
        let expected = serde_json::from_str::<Value>(&read(expected)).expect("JSON");
        assert_eq!(Value::Object(verified.claims().clone()), expected, "{token}");
        assert_eq!(verify(&read(token), Demand::ByProfile).expect_err(token).code(), Code::HolderMissing);
    }
}

/// As issued, with every disclosure, and no claim left hidden.
#[test]
fn what_was_issued_verifies_with_all_its_disclosures() {
    for token in [
        "sd_jwt/simple/issuance.txt",
        "sd_jwt/sd_jwt_vc/issuance.txt",
        "sd_jwt_vc/identity_credential/issuance.txt",
        "sd_jwt_vc/pid/issuance.txt",
        "status_list/referenced_sd_jwt.txt",
    ] {
        let verified = verify(&read(token), Demand::NotRequired);
        let verified = verified.unwrap_or_else(|error| panic!("{token}: {error}"));
        let claims = Value::Object(verified.claims().clone()).to_string();
        assert!(!claims.contains("\"_sd\"") && !claims.contains("\"...\""), "{token}: {claims}");
    }
}

/// Appendix A.4 of RFC 9901 has `issuer` in place of `iss`: nobody to trust.
#[test]
fn a_credential_that_names_no_issuer_is_refused() {
    let error = verify(&read("sd_jwt/w3c_vcdm/presentation.txt"), Demand::ByProfile).expect_err("refused");
    assert_eq!(error.code(), Code::IssuerUntrusted);
}
