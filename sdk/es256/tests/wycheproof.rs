//! Every P-256 case with SHA-256 that Wycheproof has.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use bandpass_es256::{PrecomputedKey, PublicKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Verifies the cases of a file of the crate `wycheproof-ng-ecdsa`. What has not the form that `read` reads is no
/// signature.
fn all(file: &str, read: impl Fn(&[u8]) -> Option<[u8; 64]>) -> usize {
    let folder = bandpass_conformance::published("wycheproof-ng-ecdsa").expect("fetched");
    let file = std::fs::read(folder.join("src/data").join(file)).expect("a file");
    let file: Value = serde_json::from_slice(&file).expect("JSON");
    let mut count = 0;
    for group in file["testGroups"].as_array().expect("groups") {
        let key = PublicKey::from_sec1(&base16(&group["publicKey"]["uncompressed"])).expect("a key");
        let precomputed = PrecomputedKey::from(&key);
        for case in group["tests"].as_array().expect("tests") {
            let prehash = Sha256::digest(base16(&case["msg"])).into();
            let signature = read(&base16(&case["sig"]));
            let is_valid = case["result"] == "valid";
            assert_eq!(signature.is_some_and(|signature| key.verify_vartime(&prehash, &signature)), is_valid, "{case}");
            let verifies = signature.is_some_and(|signature| precomputed.verify_vartime(&prehash, &signature));
            assert_eq!(verifies, is_valid, "precomputed: {case}");
            count += 1;
        }
    }
    count
}

fn base16(text: &Value) -> Vec<u8> {
    let digits = text.as_str().expect("hexadecimal").as_bytes().chunks(2);
    let digits = digits.map(|pair| core::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("a digit")).collect()
}

#[test]
fn signatures_as_jws_has_them() {
    let count = all("ecdsa_secp256r1_sha256_p1363_test.json", |signature| signature.try_into().ok());
    assert!(count > 200, "{count} cases");
}

#[test]
fn signatures_in_der() {
    let count = all("ecdsa_secp256r1_sha256_test.json", |signature| {
        Some(p256::ecdsa::Signature::from_der(signature).ok()?.to_bytes().into())
    });
    assert!(count > 400, "{count} cases");
}
