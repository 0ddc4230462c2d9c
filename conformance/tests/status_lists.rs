//! Status lists by libraries that nobody here wrote: `peers/status-list.mjs` and `peers/status-list.py`.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use bandpass_conformance::peers::{python, root};
use serde_json::{Value, json};

/// A program around a library.
#[derive(Clone, Copy, Debug)]
enum Peer {
    /// @sd-jwt/jwt-status-list and jose, @owf/token-status-list, for JavaScript.
    Npm,
    /// openvc-core, for Python. It has no CWTs.
    PyPi,
}

fn ask(peer: Peer, command: &str, input: &str) -> Value {
    let folder = root().expect("a folder").join("conformance/peers");
    let (mut program, script) = match peer {
        Peer::Npm => (Command::new("node"), "status-list.mjs"),
        Peer::PyPi => (python().expect("a folder"), "status-list.py"),
    };
    let program = program.arg(folder.join(script)).arg(command).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = program.spawn().expect("it starts: run `cargo xtask setup`");
    running.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    let output = running.wait_with_output().expect("it ends");
    assert!(output.status.success(), "run `cargo xtask setup`");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

/// Names of those that the peer does not read as they were made.
fn refused_by(peer: Peer, cases: &[Value]) -> Vec<String> {
    let with_key = cases.iter().map(|case| {
        let mut case = case.clone();
        case["issuer_jwk"] = case["trust"]["issuers"][0]["jwks"]["keys"][0].clone();
        case
    });
    let checked = ask(peer, "check", &json!({"cases": with_key.collect::<Vec<_>>()}).to_string());
    assert_eq!(array(&checked["results"]).len(), cases.len());
    let refused = array(&checked["results"]).iter().filter(|result| result["ok"] != true);
    refused.filter_map(|result| result["name"].as_str().map(Into::into)).collect()
}

/// What a peer reads wrong would say nothing about our lists, so each reads the other's first.
#[test]
fn the_libraries_read_each_others() {
    for (maker, reader) in [(Peer::Npm, Peer::PyPi), (Peer::PyPi, Peer::Npm), (Peer::Npm, Peer::Npm)] {
        let made = ask(maker, "make", "");
        let readable = |case: &&Value| case["format"] == "jwt" || matches!((maker, reader), (Peer::Npm, Peer::Npm));
        let cases = array(&made["cases"]).iter().filter(readable).cloned().collect::<Vec<_>>();
        assert!(cases.len() >= 28, "{maker:?}");
        assert_eq!(refused_by(reader, &cases), Vec::<String>::new(), "by {maker:?}, read by {reader:?}");
        let bad = array(&made["refused"]).iter().filter(readable).cloned().collect::<Vec<_>>();
        let names = bad.iter().filter_map(|case| case["name"].as_str());
        // How old a list may be is the verifier's own to say.
        let expected = names.filter(|name| !name.ends_with("made a day ago")).collect::<Vec<_>>();
        assert_eq!(refused_by(reader, &bad), expected, "by {maker:?}, read by {reader:?}");
    }
}
