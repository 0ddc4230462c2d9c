//! Tokens by libraries that nobody here wrote, and ours read by them: `conformance/peers`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bandpass::{Challenge, Demand, Requirements, Runtime, Verifier};
use bandpass_conformance::{Verdict, generate, peers::python};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Made {
    library: String,
    cases: Vec<Case>,
    refused: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    trust: Value,
    token: String,
    audience: String,
    nonce: String,
    now: u64,
    transaction_data: Vec<String>,
    holder_required: bool,
    claims: Map<String, Value>,
    code: Option<String>,
}

#[derive(Deserialize)]
struct Checked {
    results: Vec<Value>,
}

/// A library's program.
#[derive(Clone, Copy)]
enum Peer {
    /// @sd-jwt/sd-jwt-vc, for JavaScript.
    SdJwtVc,
    /// sd-jwt, for Python.
    SdJwt,
}

fn ask(peer: Peer, command: &str, input: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/peers");
    let (mut program, script) = match peer {
        Peer::SdJwtVc => (Command::new("node"), "sd-jwt-vc.mjs"),
        Peer::SdJwt => (python().expect("a folder"), "sd-jwt.py"),
    };
    let mut running = program
        .arg(folder.join(script))
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts: run `cargo xtask setup`");
    running.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    let output = running.wait_with_output().expect("it ends");
    assert!(output.status.success(), "run `cargo xtask setup`");
    output.stdout
}

fn verify(runtime: &Runtime, case: &Case) -> Result<Map<String, Value>, String> {
    let holder = if case.holder_required { Demand::ByProfile } else { Demand::NotRequired };
    let requirements = Requirements {
        holder,
        status: Demand::NotRequired,
        approval: Demand::NotRequired,
        worn: Demand::NotRequired,
        unlocked: Demand::NotRequired,
        ..Requirements::default()
    };
    let challenge = Challenge {
        transaction_data: case.transaction_data.clone(),
        ..Challenge::new(case.audience.clone(), case.nonce.clone(), case.now)
    };
    let verified = Verifier::open(runtime, case.trust.to_string().into_bytes())
        .and_then(|mut verifier| verifier.verify(case.token.as_bytes(), &challenge, "band", &requirements));
    verified.map(|accepted| accepted.claims).map_err(|error| error.code().to_owned())
}

fn theirs_get_their_verdicts(peer: Peer, good: usize, bad: usize) {
    let runtime = Runtime::new().expect("a runtime");
    let made = serde_json::from_slice::<Made>(&ask(peer, "make", "")).expect("JSON");
    assert!(made.cases.len() >= good && made.refused.len() >= bad, "{}", made.library);
    for case in made.cases.iter().chain(&made.refused) {
        let expected = match &case.code {
            None => Ok(case.claims.clone()),
            Some(code) => Err(code.clone()),
        };
        assert_eq!(verify(&runtime, case), expected, "{}: {}", made.library, case.name);
    }
}

#[test]
fn tokens_by_sd_jwt_vc_get_their_verdicts() {
    theirs_get_their_verdicts(Peer::SdJwtVc, 15, 25);
}

#[test]
fn tokens_by_sd_jwt_get_their_verdicts() {
    theirs_get_their_verdicts(Peer::SdJwt, 20, 30);
}

/// The names of those of our good vectors that a library does not verify.
fn ours_refused_by(peer: Peer) -> Vec<String> {
    let vectors = generate().expect("vectors").into_values().flat_map(|file| file.vectors);
    let cases = vectors.filter_map(|vector| {
        let Verdict::Accepted { claims, .. } = vector.result else { return None };
        let keys = vector.trust["issuers"][0]["jwks"]["keys"].as_array()?;
        let has_proof = !vector.vp_token.ends_with('~');
        (!vector.vp_token.trim_start().starts_with('{')).then(|| {
            json!({"name": vector.name, "token": vector.vp_token, "issuer_jwk": keys.last(), "claims": claims,
                "audience": vector.expected.audience.last(), "nonce": has_proof.then_some(vector.expected.nonce),
                "now": vector.expected.now})
        })
    });
    let cases = cases.collect::<Vec<_>>();
    let checked = ask(peer, "check", &json!({"cases": cases}).to_string());
    let checked = serde_json::from_slice::<Checked>(&checked).expect("JSON");
    assert_eq!(checked.results.len(), cases.len());
    let refused = checked.results.iter().filter(|result| result["ok"] != true);
    refused.filter_map(|result| result["name"].as_str().map(Into::into)).collect()
}

#[test]
fn sd_jwt_vc_verifies_ours() {
    // It knows no tolerance for clocks that differ.
    assert_eq!(
        ours_refused_by(Peer::SdJwtVc),
        ["accept/expires-within-the-tolerance", "accept/starts-within-the-tolerance"]
    );
}

#[test]
fn sd_jwt_verifies_ours() {
    assert_eq!(ours_refused_by(Peer::SdJwt), Vec::<String>::new());
}
