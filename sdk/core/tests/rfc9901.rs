//! The example tokens of RFC 9901 with the issuer's key that the RFC publishes, as the crate `ssi-sd-jwt` ships them.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bandpass_conformance::published;
use bandpass_core::{Challenge, Code, Demand, Error, Expected, Requirements, Trust, Verified, Verifier};
use serde_json::{Value, json};

/// RFC 9901, appendix A.5.
const ISSUER_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
    "y":"Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8"}"#;
/// RFC 9901, section 5.3: what its presentation was made for.
const AUDIENCE: &str = "https://verifier.example.org";
const NONCE: &str = "1234567890";

/// The string literals that follow each `macro_name!(` in a source file.
fn literals<'a>(source: &'a str, macro_name: &str) -> Vec<&'a str> {
    let call = format!("{macro_name}!(");
    let after = source.split(call.as_str()).skip(1);
    after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next()).collect()
}

/// The RFC's presentation with key binding (section 5.3).
fn presentation() -> String {
    let source = std::fs::read_to_string(published("ssi-sd-jwt").expect("fetched").join("src/kb.rs")).expect("a file");
    let found = literals(&source, "sd_jwt").into_iter().find(|token| token.starts_with("eyJ")).expect("a token");
    found.to_owned()
}

/// The RFC's appendices A.1 and A.2: issuer-signed JWT and all disclosures.
fn appendix(name: &str) -> String {
    let source = std::fs::read_to_string(published("ssi-sd-jwt").expect("fetched").join("tests/rfc_examples.rs"))
        .expect("a file");
    let test = source.split(&format!("async fn {name}")).nth(1).expect("the example");
    let test = test.split("#[async_std::test]").next().expect("the example");
    let jwt = literals(test, "jws")[0];
    let disclosures = literals(test, "disclosure");
    let listed = test.split("disclosures: vec![").nth(1).expect("a list").split(']').next().expect("a list");
    assert_eq!(listed.matches("DISCLOSURE").count(), disclosures.len());
    format!("{jwt}~{}~", disclosures.join("~"))
}

fn verify(token: &str, now: u64, holder: Demand, change: impl FnOnce(&mut Value)) -> Result<Verified, Error> {
    let mut trust = json!({"issuers": [{
        "iss": "https://issuer.example.com",
        "jwks": {"keys": [serde_json::from_str::<Value>(ISSUER_JWK).expect("JSON")]},
        "typ": ["example+sd-jwt"],
    }]});
    change(&mut trust);
    let challenge = Challenge::new(vec![AUDIENCE.into()], NONCE.into(), now)?;
    let requirements = Requirements { holder, ..Requirements::default() };
    Verifier::new(Trust::from_json(trust.to_string().as_bytes())?).verify(token, &Expected { challenge, requirements })
}

/// `iat` of the presentation's key-binding JWT.
fn signed_at(token: &str) -> u64 {
    let tree = bandpass_core::inspect(token).expect("a token");
    tree["kb_jwt"]["payload"]["iat"].as_u64().expect("a time")
}

#[test]
fn the_presentation_of_section_5_3_verifies() {
    let token = presentation();
    let verified = verify(&token, signed_at(&token) + 10, Demand::ByProfile, |_| ()).expect("verifies");
    assert_eq!(verified.issuer(), "https://issuer.example.com");
    let mut claims = Value::Object(verified.claims().clone());
    assert!(claims["cnf"]["jwk"].is_object());
    claims.as_object_mut().expect("an object").remove("cnf");
    let expected = json!({
        "iss": "https://issuer.example.com", "iat": 1_683_000_000, "exp": 1_883_000_000, "sub": "user_42",
        "given_name": "John", "family_name": "Doe", "nationalities": ["US"],
        "address": {"street_address": "123 Main St", "locality": "Anytown", "region": "Anystate", "country": "US"},
    });
    assert_eq!(claims, expected);
}

#[test]
fn the_presentation_of_section_5_3_is_refused_where_it_should_be() {
    let token = presentation();
    let now = signed_at(&token) + 10;
    let code = |token: &str, now, change: fn(&mut Value)| {
        verify(token, now, Demand::ByProfile, change).expect_err("refused").code()
    };
    let stripped = token.rsplit_once('~').expect("a proof").0.to_owned() + "~";
    assert_eq!(code(&stripped, now, |_| ()), Code::HolderMissing);
    assert_eq!(code(&token, now + 31_536_000, |_| ()), Code::HolderStale);
    assert_eq!(code(&token, 1_883_000_060, |_| ()), Code::CredentialExpired);
    assert_eq!(
        code(&token, now, |trust| trust["issuers"][0]["iss"] = "https://other.example".into()),
        Code::IssuerUntrusted
    );
    // The RFC's own `typ` is for plain SD-JWTs; an SD-JWT VC would say so.
    let vc_only = |trust: &mut Value| trust["issuers"][0]["typ"] = json!(["dc+sd-jwt", "vc+sd-jwt"]);
    let vc_only_code = verify(&token, now, Demand::ByProfile, |trust| {
        vc_only(trust);
        trust["issuers"][0]["any_vct"] = true.into();
    });
    assert_eq!(vc_only_code.expect_err("refused").code(), Code::IssuerType);
    let mut fewer = token.split('~').collect::<Vec<_>>();
    fewer.remove(1);
    assert_eq!(code(&fewer.join("~"), now, |_| ()), Code::HolderHash);
}

#[test]
fn appendix_a_1_with_every_disclosure_verifies() {
    let token = appendix("rfc_a_1_example_2_verification");
    let verified = verify(&token, 1_700_000_000, Demand::NotRequired, |_| ()).expect("verifies");
    let expected = json!({
        "iss": "https://issuer.example.com", "iat": 1_683_000_000, "exp": 1_883_000_000,
        "sub": "6c5c0a49-b589-431d-bae7-219122a9ec2c",
        "given_name": "太郎", "family_name": "山田", "email": "\"unusual email address\"@example.jp",
        "phone_number": "+81-80-1234-5678", "birthdate": "1940-01-01",
        "address": {"street_address": "東京都港区芝公園４丁目２−８", "locality": "東京都", "region": "港区", "country": "JP"},
    });
    assert_eq!(Value::Object(verified.claims().clone()), expected);
    assert_eq!(
        verify(&token, 1_700_000_000, Demand::ByProfile, |_| ()).expect_err("refused").code(),
        Code::HolderMissing
    );
}

#[test]
fn appendix_a_2_with_its_nested_disclosures_verifies() {
    let token = appendix("rfc_a_2_example_3_verification");
    let verified = verify(&token, 1_700_000_000, Demand::NotRequired, |_| ()).expect("verifies");
    let claims = Value::Object(verified.claims().clone());
    assert_eq!(claims["verified_claims"]["verification"]["trust_framework"], "de_aml");
    assert!(!claims.to_string().contains("_sd"), "{claims}");
}

/// Every disclosure of every example, left out by itself and with every byte of it changed.
#[test]
fn no_disclosure_of_the_examples_can_be_changed() {
    for name in ["rfc_a_1_example_2_verification", "rfc_a_2_example_3_verification"] {
        let token = appendix(name);
        let parts = token.trim_end_matches('~').split('~').collect::<Vec<_>>();
        for place in 1..parts.len() {
            for byte in 0..parts[place].len() {
                let mut changed = parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
                let other = if parts[place].as_bytes()[byte] == b'A' { "B" } else { "A" };
                changed[place].replace_range(byte..=byte, other);
                let refused = verify(&(changed.join("~") + "~"), 1_700_000_000, Demand::NotRequired, |_| ());
                let code = refused.expect_err("refused").code();
                assert!([Code::DisclosureMalformed, Code::DisclosureUnreferenced].contains(&code), "{code}");
            }
        }
    }
}
