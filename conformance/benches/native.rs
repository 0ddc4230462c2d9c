//! The verifier itself, natively: signatures, and everything else. Ratios within one run hold; times are the machine's.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bandpass_conformance::Vector;
use bandpass_core::{Expected, Requirements};
use bandpass_es256::PublicKey;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A key, and what it signed.
type Signed = (PublicKey, String, [u8; 64]);

/// The signatures that the verifier verifies for this token: holder's and phone's keys come out of it, the issuer's is there.
fn signatures(vector: &Vector) -> Vec<Signed> {
    let json = |part: &str| -> Value {
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).expect("base64url")).expect("JSON")
    };
    let signed = |jwk: &Value, compact: &str| {
        let coordinate = |name| Base64UrlUnpadded::decode_vec(jwk.get(name)?.as_str()?).ok();
        let point = [vec![4], coordinate("x").expect("x"), coordinate("y").expect("y")].concat();
        let (signed, signature) = compact.rsplit_once('.').expect("a JWS");
        let signature = Base64UrlUnpadded::decode_vec(signature).expect("base64url");
        let key = PublicKey::from_sec1(&point).expect("a key");
        (key, signed.to_owned(), signature.try_into().expect("64 bytes"))
    };
    let (issuer_jwt, _) = vector.vp_token.split_once('~').expect("disclosures");
    let (_, kb_jwt) = vector.vp_token.rsplit_once('~').expect("a proof");
    let payload = |compact: &str| json(compact.split('.').nth(1).expect("a payload"));
    let key = vector.trust.pointer("/issuers/0/jwks/keys/0").expect("the issuer's key");
    let mut all = vec![signed(key, issuer_jwt)];
    all.push(signed(payload(issuer_jwt).pointer("/cnf/jwk").expect("the holder's key"), kb_jwt));
    if let Some(approval) = payload(kb_jwt).get("approval").and_then(Value::as_str) {
        let header = json(approval.split('.').next().expect("a header"));
        all.push(signed(header.get("jwk").expect("the phone's key"), approval));
    }
    all
}

/// Times of many runs: the fastest, and the one in the middle.
struct Times {
    fastest: Duration,
    median: Duration,
}

impl Times {
    fn of(mut runs: Vec<Duration>) -> Self {
        runs.sort_unstable();
        let median = runs.get(runs.len() / 2).copied().unwrap_or_default();
        Self { fastest: runs.first().copied().unwrap_or_default(), median }
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

/// Signatures take nearly all of the time, and vary by more than the rest is: both are measured in turns, many times,
/// and the fastest runs compared, since whatever else a machine does only adds to a time.
fn main() {
    const RUNS: usize = 4_000;
    println!(
        "| native, fastest (median) of {RUNS} runs | verify | signatures alone | the rest | share of signatures |"
    );
    println!("|---|---|---|---|---|");
    for name in ["accept/another-type", "accept/some-disclosed", "accept/payment"] {
        let vector = bandpass_conformance::vector(name).expect("a vector");
        let signatures = signatures(&vector);
        let verifier = vector.verifier().expect("a verifier");
        let challenge = vector.expected.challenge().expect("a challenge");
        let expected = Expected { challenge, requirements: Requirements::default() };
        let (mut whole, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            whole.push(timed(|| verifier.verify(black_box(&vector.vp_token), &expected).expect("verifies")));
            alone.push(timed(|| {
                for (key, signed, signature) in black_box(&signatures) {
                    assert!(key.verify_vartime(&Sha256::digest(signed).into(), signature));
                }
            }));
        }
        let (whole, alone) = (Times::of(whole), Times::of(alone));
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let rest = |whole, alone| micros(whole) - micros(alone);
        println!(
            "| `{name}`: {} bytes, {} signatures | {:.0} ({:.0}) us | {:.0} ({:.0}) us | {:.0} ({:.0}) us | {:.0} % |",
            vector.vp_token.len(),
            signatures.len(),
            micros(whole.fastest),
            micros(whole.median),
            micros(alone.fastest),
            micros(alone.median),
            rest(whole.fastest, alone.fastest),
            rest(whole.median, alone.median),
            100.0 * micros(alone.fastest) / micros(whole.fastest),
        );
    }
}
