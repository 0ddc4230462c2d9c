//! How many instructions a verification takes natively: callgrind counts them, so that no time is measured.
//!
//! `UPDATE_COUNTS=1 cargo test --release --test instructions` writes them down anew.
#![cfg_attr(not(debug_assertions), expect(clippy::expect_used, reason = "a test fails by panicking"))]
#![cfg(not(debug_assertions))]

use std::path::Path;
use std::process::Command;

use bandpass_conformance::Vector;
use bandpass_conformance::counts::{HOT, compare};
use bandpass_core::{Expected, Requirements};

/// Where the counted process finds a vector, and how often it verifies it.
const COUNTED: [&str; 2] = ["BANDPASS_COUNTED", "BANDPASS_TIMES"];

/// Not a test of its own: what callgrind counts.
#[test]
fn counted() {
    let [Ok(file), Ok(times)] = COUNTED.map(std::env::var) else { return };
    let vector: Vector = serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("a vector");
    let (verifier, challenge) = (vector.verifier().expect("lists"), vector.expected.challenge().expect("a challenge"));
    let expected = Expected { challenge, requirements: Requirements::default() };
    for _ in 0..times.parse::<u32>().expect("a number") {
        let submission = verifier.submit(vector.vp_token.as_bytes(), expected.challenge.clone());
        submission.verify(&vector.expected.query_id, &expected.requirements).expect("verifies");
    }
}

/// Instructions of the whole process.
fn instructions(file: &Path, times: u32) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("this test"))
        .args(["counted", "--exact"])
        .env(COUNTED[0], file)
        .env(COUNTED[1], times.to_string())
        .output()
        .expect("valgrind: run `cargo xtask setup`");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")).expect("a count").1;
    collected.trim().parse().expect("a number")
}

#[test]
fn a_verification_takes_as_much_as_is_written_down() {
    const TIMES: u32 = 10;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let count = |name: &str| {
        let vector = bandpass_conformance::vector(name).expect("a vector");
        std::fs::write(file.path(), serde_json::to_vec(&vector).expect("JSON")).expect("written");
        (instructions(file.path(), TIMES + 1) - instructions(file.path(), 1)) / u64::from(TIMES)
    };
    compare("native", &HOT.map(|name| (name, count(name))));
}
