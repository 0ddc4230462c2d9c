//! Status lists by libraries that nobody here wrote: `peers/status-list.mjs` and `peers/status-list.py`.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use bandpass_conformance::peers::{python, root};
use bandpass_core::{Challenge, Code, Demand, Expected, Requirements, Status, Trust, Verifier};
use bandpass_roles::{Issuer, Key, StatusList, StatusTimes};
use base64ct::{Base64UrlUnpadded, Encoding as _};
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

/// What comes of a credential at this index, by an issuer with two keys: the peer's, which signed the list, and ours.
fn verdict(verifier: &Verifier, issuer: &Key, case: &Value, index: usize) -> Result<Status, Code> {
    let entry = &case["trust"]["issuers"][0];
    let claims = json!({"iss": entry["iss"], "vct": entry["vct"][0],
        "status": {"status_list": {"idx": index, "uri": case["uri"]}}});
    let header = json!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": "ours"});
    let token = format!("{}~", issuer.sign(&header, &claims));
    let now = case["now"].as_u64().expect("a time");
    let challenge = Challenge::new(vec!["audience".into()], "nonce".into(), now).expect("a challenge");
    let requirements = Requirements { holder: Demand::NotRequired, ..Requirements::default() };
    let verified = verifier.verify(&token, &Expected { challenge, requirements });
    verified.map(|verified| verified.status()).map_err(|error| error.code())
}

/// A verifier that trusts the peer's key and ours, with the peer's list.
fn verifier(case: &Value, issuer: &Key) -> Result<Verifier, Code> {
    let mut trust = case["trust"].clone();
    let mut jwk = issuer.jwk();
    jwk["kid"] = "ours".into();
    trust["issuers"][0]["jwks"]["keys"].as_array_mut().expect("keys").push(jwk);
    let mut verifier = Verifier::new(Trust::from_json(trust.to_string().as_bytes()).expect("a trust list"));
    let token = case["token"].as_str().expect("a token");
    let token = match case["format"] == "cwt" {
        true => Base64UrlUnpadded::decode_vec(token).expect("base64url"),
        false => token.as_bytes().to_vec(),
    };
    let info = verifier.update_status(&token, case["now"].as_u64().expect("a time")).map_err(|error| error.code())?;
    assert!(info.issued_at > 0);
    Ok(verifier)
}

#[test]
fn lists_by_the_libraries_get_their_verdicts() {
    let issuer = Key::from_bytes(&[7; 32]).expect("a key");
    for maker in [Peer::Npm, Peer::PyPi] {
        let made = ask(maker, "make", "");
        let mut looked_up = 0;
        for case in array(&made["cases"]) {
            let name = &case["name"];
            let verifier = verifier(case, &issuer).unwrap_or_else(|code| panic!("{name}: {code}"));
            let values = array(&case["values"]);
            // Every one of a short list, some fifty of a long one, the last always.
            let places = (0..values.len()).filter(|place| place % values.len().div_ceil(50) == 0);
            for place in places.chain([values.len() - 1]) {
                let expected = match values[place].as_u64() {
                    Some(0) => Ok(Status::Valid),
                    Some(1) => Err(Code::StatusRevoked),
                    Some(2) => Err(Code::StatusSuspended),
                    _ => Err(Code::StatusUnknown),
                };
                assert_eq!(verdict(&verifier, &issuer, case, place), expected, "{name}, {place}");
                looked_up += 1;
            }
            assert_eq!(verdict(&verifier, &issuer, case, values.len() + 8), Err(Code::StatusIndex), "{name}");
        }
        for case in array(&made["refused"]) {
            let refused = verifier(case, &issuer).and_then(|verifier| verdict(&verifier, &issuer, case, 0));
            assert_eq!(refused.expect_err("refused").as_str(), case["code"], "{}", case["name"]);
        }
        assert!(looked_up > 500, "{maker:?}: {looked_up}");
    }
}

/// Ours, read by them.
#[test]
fn the_libraries_read_ours() {
    let issuer = Issuer::new("https://wallet.example", Key::from_bytes(&[1; 32]).expect("a key"));
    let entry = issuer.trust_entry(&["urn:bandpass:band:1"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let mut cases = Vec::new();
    for bits in [1_u8, 2, 4, 8] {
        let values =
            (0..1_000_u32).map(|place| u8::try_from(place * 7 % (1 << bits)).expect("fits")).collect::<Vec<_>>();
        let mut list = StatusList::new(bits, values.len()).expect("bits");
        values.iter().enumerate().for_each(|(place, value)| assert!(list.set(place, *value)));
        let times = StatusTimes { issued_at: now - 60, expires: now + 3_600, ttl: 300 };
        cases.push(json!({"name": format!("{bits} bits"), "format": "jwt", "trust": {"issuers": [entry]},
            "token": issuer.sign_status_list(1, &list, &times), "now": now, "values": values,
            "uri": issuer.status_uri(1)}));
    }
    for reader in [Peer::Npm, Peer::PyPi] {
        assert_eq!(refused_by(reader, &cases), Vec::<String>::new(), "{reader:?}");
    }
}
