//! Runs the vectors through sd-jwt-rs, with every check on that the library offers and none added to it. The protocol is in
//! `conformance/README.md`. The library reads no status list.

mod clock;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonwebtoken::{DecodingKey, Header, jwk::Jwk};
use sd_jwt_rs::{SDJWTSerializationFormat, SDJWTVerifier};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A panic is reported as the refusal that it is.
    std::panic::set_hook(Box::new(|_| ()));
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", json!({"verifier": "sd-jwt-rs 0.7.1"}))?;
    for line in std::io::stdin().lines() {
        let vector: Value = serde_json::from_str(&line?)?;
        clock::set(vector["expected"]["now"].as_u64().unwrap_or_default());
        let answer = match catch_unwind(AssertUnwindSafe(|| verify(&vector))) {
            Ok(Ok(claims)) => json!({"name": vector["name"], "result": "accepted", "claims": claims}),
            Ok(Err(error)) => json!({"name": vector["name"], "result": "refused", "error": error}),
            Err(panic) => {
                let refused = panic.is::<NoSuchKey>();
                let error = if refused { "the caller knows no such issuer or key" } else { "panic" };
                json!({"name": vector["name"], "result": "refused", "error": error, "crashed": !refused})
            }
        };
        writeln!(output, "{answer}")?;
    }
    Ok(())
}

/// What the callback panics with, since it can't say no otherwise.
struct NoSuchKey;

fn verify(vector: &Value) -> Result<Value, String> {
    let token = vector["vp_token"].as_str().unwrap_or_default();
    let expected = &vector["expected"];
    let with_proof = expected["requirements"]["holder"] != "not-required" || !token.ends_with('~');
    let audiences = expected["audience"].as_array().into_iter().flatten();
    let audiences = audiences.map(|audience| audience.as_str().map(str::to_owned)).collect::<Vec<_>>();
    let mut refusal = Err("nothing to verify with".to_owned());
    // It takes one audience and one key; any of these will do.
    for audience in if with_proof { audiences } else { vec![None] } {
        for place in 0..most_keys(&vector["trust"]) {
            let trust = vector["trust"].clone();
            let nonce = audience.is_some().then(|| expected["nonce"].as_str().unwrap_or_default().to_owned());
            let key = Box::new(move |issuer: &str, header: &Header| issuer_key(&trust, issuer, header, place));
            let format = SDJWTSerializationFormat::Compact;
            let once = || SDJWTVerifier::new(token.to_owned(), key, audience.clone(), nonce, format);
            match catch_unwind(AssertUnwindSafe(once)) {
                Ok(Ok(verifier)) => return Ok(verifier.verified_claims),
                Ok(Err(error)) => refusal = Err(error.to_string()),
                Err(panic) if place > 0 && panic.is::<NoSuchKey>() => break,
                Err(panic) => resume_unwind(panic),
            }
        }
    }
    refusal
}

fn most_keys(trust: &Value) -> usize {
    let issuers = trust["issuers"].as_array().into_iter().flatten();
    issuers.map(|entry| entry["jwks"]["keys"].as_array().map_or(0, Vec::len)).max().unwrap_or_default()
}

/// Which keys to verify with is the caller's part: of the issuer that the token names, by `kid`. One of them, by its place.
fn issuer_key(trust: &Value, issuer: &str, header: &Header, place: usize) -> DecodingKey {
    let entries = trust["issuers"].as_array().into_iter().flatten().filter(|entry| entry["iss"] == issuer);
    let mut keys = entries.flat_map(|entry| entry["jwks"]["keys"].as_array().into_iter().flatten()).filter(|key| {
        let by_kid = match (&header.kid, key["kid"].as_str()) {
            (Some(wanted), Some(kid)) => wanted == kid,
            _ => true,
        };
        key["kty"] == "EC" && key["crv"] == "P-256" && by_kid
    });
    let jwk = keys.nth(place).and_then(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
    match jwk.and_then(|jwk| DecodingKey::from_jwk(&jwk).ok()) {
        Some(key) => key,
        None => std::panic::panic_any(NoSuchKey),
    }
}
