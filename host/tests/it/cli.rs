//! The command line, as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};

use bandpass_conformance::{Binding, Expected, Vector};
use bandpass_roles::Key;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

use crate::program::{self, Ran};

const POLICY: &str = concat!(env!("BANDPASS_TARGET"), "/dist/plugins/retail-checkout.wasm");

/// A folder with what the commands read.
struct Desk {
    folder: tempfile::TempDir,
    vector: Vector,
}

fn bandpass<S: AsRef<std::ffi::OsStr>>(arguments: &[S], input: &[u8]) -> Ran {
    program::bandpass(Path::new("."), arguments, input)
}

impl Desk {
    fn new(vector: &str) -> Self {
        let vector = bandpass_conformance::vector(vector).expect("a vector");
        let desk = Self { folder: tempfile::tempdir().expect("a folder"), vector };
        desk.write("trust.json", &desk.vector.trust.to_string());
        desk.write("token", &desk.vector.vp_token);
        desk.write("status-list", &desk.vector.status_lists.concat());
        desk.write("settings.json", r#"{"currency":"CNY","passwordless_limit":"200.00"}"#);
        desk.write_challenge(|_| ());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("written");
    }

    fn write_challenge(&self, change: impl FnOnce(&mut Value)) {
        let expected = &self.vector.expected;
        let mut challenge = json!({"audience": expected.audience, "nonce": expected.nonce, "max_age": 300,
            "transaction_data": expected.transaction_data, "request": {"merchant": "m", "context": {"till": 3}}});
        change(&mut challenge);
        self.write("challenge.json", &challenge.to_string());
    }

    fn verify(&self, more: &[&str], token: &str, input: &[u8]) -> Ran {
        let expected = &self.vector.expected;
        let (trust, now) = (self.path("trust.json"), expected.now.to_string());
        let status_list = self.path("status-list");
        let mut arguments = vec!["verify", "--trust", text(&trust), "--now", &now, "--nonce", &expected.nonce];
        if !self.vector.status_lists.is_empty() {
            arguments.extend(["--status-list", text(&status_list)]);
        }
        arguments.extend(["--audience", expected.audience.first().expect("one")]);
        arguments.extend(more);
        arguments.push(token);
        bandpass(&arguments, input)
    }

    fn decide(&self, more: &[&str]) -> Ran {
        let [settings, trust, challenge, status_list, token] =
            ["settings.json", "trust.json", "challenge.json", "status-list", "token"].map(|name| self.path(name));
        let now = self.vector.expected.now.to_string();
        let mut arguments = vec!["decide", "--plugin", POLICY, "--settings", text(&settings), "--trust", text(&trust)];
        arguments.extend(["--challenge", text(&challenge), "--status-list", text(&status_list), "--now", &now]);
        arguments.extend(more);
        arguments.push(text(&token));
        bandpass(&arguments, b"")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn verify_takes_a_token_a_file_and_standard_input() {
    let desk = Desk::new("accept/some-disclosed");
    let token = desk.vector.vp_token.clone();
    let by_file = desk.verify(&["--json"], text(&desk.path("token")), b"");
    let by_input = desk.verify(&["--json"], "-", format!("{token}\n").as_bytes());
    let by_argument = desk.verify(&["--json"], &token, b"");
    for ran in [&by_file, &by_input, &by_argument] {
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let result = ran.json();
        assert_eq!(result["accepted"], true);
        assert_eq!(result["issuer"], "https://wallet.example");
        assert_eq!(result["credential_type"], "urn:bandpass:band:1");
        assert_eq!(result["claims"]["given_name"], "Lin");
        assert_eq!(result["evidence"]["counter"], 7);
        assert_eq!(result["evidence"]["counter_state"], "unchecked");
        assert_eq!(result["status"], "valid");
    }
    let for_people = desk.verify(&[], text(&desk.path("token")), b"");
    assert_eq!(for_people.code, 0);
    assert!(for_people.stdout.starts_with("accepted\n"), "{}", for_people.stdout);
}

#[test]
fn verify_says_why_it_refuses() {
    let desk = Desk::new("accept/all-disclosed");
    let token = text(&desk.path("token")).to_owned();
    let refused = desk.verify(&["--nonce", "another", "--json"], &token, b"");
    // The last of two nonces is no nonce: clap refuses the second.
    assert_eq!(refused.code, 64);
    let stale = desk.verify(&["--max-age", "1", "--clock-tolerance", "0", "--json"], &token, b"");
    assert_eq!((stale.code, &stale.json()["error"]["code"]), (2, &json!("holder.stale")));
    assert_eq!(stale.json()["accepted"], false);
    assert!(stale.json()["error"]["message"].is_string());
    let approval = desk.verify(&["--require", "approval,worn", "--json"], &token, b"");
    assert_eq!((approval.code, &approval.json()["error"]["code"]), (2, &json!("approval.missing")));
    let for_people = desk.verify(&["--require", "approval"], &token, b"");
    assert!(for_people.stdout.starts_with("rejected: approval.missing: "), "{}", for_people.stdout);
}

/// What is random is base64url, which begins with `-` once in 64 times.
#[test]
fn what_is_random_may_begin_with_a_hyphen() {
    let verify = ["--trust", "none", "x"];
    let service = ["--config", "none", "--store", "none"];
    let registry = ["--registry", "https://none.example"];
    for (command, rest) in [
        (&["verify", "--audience", "a", "--nonce", "-0abc"][..], &verify[..]),
        (&["verify", "--origin", "a", "--nonce", "a", "--jwk-thumbprint", "-0abc"], &verify),
        (&["respond", "-0abc", "x"], &service),
        (&["void", "--merchant", "a", "-0abc"], &service),
        (&["challenge", "--merchant", "a", "--step-up", "-0abc"], &service),
        (&["owner", "open", "--access-token", "t", "--band", "-0abc"], &[]),
        (&["phone", "lost", "--band", "-0abc"], &registry),
        (&["phone", "pair", "--nonce", "-0abc"], &registry),
    ] {
        let ran = bandpass(&[command, rest].concat(), b"");
        assert_eq!(ran.code, 1, "no such file, but no wrong usage either: {command:?}: {}", ran.stderr);
    }
}

#[test]
fn verify_takes_transaction_data_as_sent() {
    let desk = Desk::new("accept/payment");
    let token = text(&desk.path("token")).to_owned();
    let without = desk.verify(&["--json"], &token, b"");
    assert_eq!((without.code, &without.json()["error"]["code"]), (2, &json!("transaction.unexpected")));
    desk.write("transaction", &format!("{}\n", desk.vector.expected.transaction_data.concat()));
    let transaction = desk.path("transaction");
    let with = desk.verify(&["--transaction-data", text(&transaction), "--json"], &token, b"");
    assert_eq!(with.code, 0, "{}{}", with.stdout, with.stderr);
    assert_eq!(with.json()["transactions"][0]["payment"]["amount"], "35.00");
    assert_eq!(with.json()["evidence"]["approval"]["methods"], json!(["face"]));
    desk.write("transaction", "?");
    let malformed = desk.verify(&["--transaction-data", text(&transaction), "--json"], &token, b"");
    assert_eq!((malformed.code, &malformed.json()["error"]["code"]), (1, &json!("challenge.malformed")));
}

#[test]
fn a_proof_is_waived_in_so_many_words_only() {
    let desk = Desk::new("accept/another-type-without-proof");
    let token = text(&desk.path("token")).to_owned();
    assert_eq!(desk.verify(&["--json"], &token, b"").json()["error"]["code"], "holder.missing");
    assert_eq!(desk.verify(&["--holder", "not-required"], &token, b"").code, 0);
    assert_eq!(desk.verify(&["--holder", "no"], &token, b"").code, 64);
    let both = desk.verify(&["--require", "worn", "--worn", "not-required"], &token, b"");
    assert_eq!(both.code, 64, "{}", both.stderr);
}

/// Whatever comes in: a code, no trap, no panic, and not more memory than the limits say.
#[test]
fn hostile_input_gets_a_code() {
    let desk = Desk::new("accept/all-disclosed");
    let good = desk.vector.vp_token.clone();
    let mut noise = 1_u32;
    let random = (0..5_000).map(|_| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_be_bytes()[0]
    });
    let nested = format!("{{\"band\":{}", "[".repeat(100_000));
    for (what, input, codes) in [
        ("empty", Vec::new(), &["token.malformed"][..]),
        ("cut", good.as_bytes()[..good.len() / 2].to_vec(), &["token.malformed"]),
        ("10 MB of one letter", vec![b'A'; 10_000_000], &["token.too-large"]),
        ("10 MB of disclosures", "AAAA~".repeat(2_000_000).into_bytes(), &["token.too-large"]),
        ("10 MB of brackets", vec![b'['; 10_000_000], &["token.too-large"]),
        ("a deep vp_token", nested.into_bytes(), &["token.too-large"]),
        ("random bytes", random.collect(), &["token.malformed"]),
        ("null bytes", vec![0; 1_000], &["token.malformed"]),
    ] {
        let ran = desk.verify(&["--json"], "-", &input);
        assert_eq!(ran.code, 2, "{what}: {}", ran.stderr);
        let code = ran.json()["error"]["code"].as_str().expect("a code").to_owned();
        assert!(codes.contains(&code.as_str()), "{what}: {code}");
        assert_eq!(ran.stderr, "", "{what}");
        let inspected = bandpass(&["inspect", "--json", "-"], &input);
        assert_eq!(inspected.code, 2, "{what}");
        assert!(inspected.json()["error"]["code"].is_string(), "{what}");
    }
}

#[test]
fn verify_takes_status_lists_of_either_format() {
    let desk = Desk::new("status.suspended/2-bits");
    let token = text(&desk.path("token")).to_owned();
    let lost = desk.verify(&["--json"], &token, b"").json();
    assert_eq!((&lost["accepted"], &lost["error"]["code"]), (&json!(false), &json!("status.suspended")));
    let cwt = bandpass_conformance::vector("accept/status-cwt-2-bits").expect("a vector");
    fs::write(desk.path("status-list"), cwt.status_list_tokens().concat()).expect("written");
    assert_eq!(desk.verify(&["--json"], &token, b"").json()["status"], "valid");
    let old = desk.verify(&["--status-max-age", "119", "--json"], &token, b"");
    assert_eq!((old.code, &old.json()["error"]["code"]), (2, &json!("status.stale")));
    desk.write("status-list", "no list");
    let malformed = desk.verify(&["--json"], &token, b"");
    assert_eq!((malformed.code, &malformed.json()["error"]["code"]), (2, &json!("status.malformed")));
}

/// Of a session that is said in each of the three ways.
#[test]
fn verify_takes_mdocs() {
    for (name, mac) in [
        ("accept/all-disclosed-mdoc", false),
        ("accept/dc-api-encrypted-response-mdoc", false),
        ("accept/proximity-signature-mdoc", false),
        ("accept/proximity-mac-mdoc", true),
    ] {
        let desk = Desk::new(name);
        let Expected { binding, now, .. } = &desk.vector.expected;
        let bytes = |text: &str| Base64UrlUnpadded::decode_vec(text).expect("base64url");
        fs::write(desk.path("status-list"), &desk.vector.status_list_tokens()[0]).expect("written");
        fs::write(desk.path("response.cbor"), bytes(&desk.vector.vp_token)).expect("written");
        let mut session = match binding.clone().expect("a session") {
            Binding::OpenId4Vp { client_id, nonce, response_uri, .. } => {
                vec!["--client-id".into(), client_id, "--nonce".into(), nonce, "--response-uri".into(), response_uri]
            }
            Binding::DcApi { origin, nonce, jwk_thumbprint } => {
                let jkt = jwk_thumbprint.expect("encrypted");
                vec!["--origin".into(), origin, "--nonce".into(), nonce, "--jwk-thumbprint".into(), jkt]
            }
            Binding::Proximity { session_transcript, reader_key } => {
                let key = Key::from_bytes(&bytes(&reader_key.expect("a reader's"))).expect("a key");
                desk.write("reader.jwk", &key.to_private_jwk().to_string());
                fs::write(desk.path("transcript"), bytes(&session_transcript)).expect("written");
                let [transcript, key] = ["transcript", "reader.jwk"].map(|name| text(&desk.path(name)).to_owned());
                vec!["--session-transcript".into(), transcript, "--reader-key".into(), key]
            }
        };
        let [trust, list, file] = ["trust.json", "status-list", "response.cbor"].map(|name| desk.path(name));
        let now = now.to_string();
        let verify = |session: &[String], token: &str| {
            let given = ["verify", "--json", "--trust", text(&trust), "--status-list", text(&list), "--now", &now];
            bandpass(&[&given[..], &session.iter().map(String::as_str).collect::<Vec<_>>(), &[token]].concat(), b"")
        };
        for token in [text(&file), &desk.vector.vp_token] {
            let ran = verify(&session, token);
            assert_eq!(ran.code, 0, "{name}: {}{}", ran.stdout, ran.stderr);
            assert_eq!(ran.json()["credential_type"], "bandpass.band.1", "{name}");
        }
        let other = verify(
            &["--origin".into(), "https://other.example".into(), "--nonce".into(), "n-0S6_WzA2Mj".into()],
            text(&file),
        );
        assert_eq!(other.code, 2, "{name}");
        if mac {
            session.truncate(2);
            let without = verify(&session, text(&file));
            assert_eq!(
                (without.code, &without.json()["error"]["code"]),
                (2, &json!("holder.reader-key")),
                "{}",
                without.stdout
            );
        }
    }
}

#[test]
fn failures_and_wrong_usage_have_their_own_exit_codes() {
    let desk = Desk::new("accept/all-disclosed");
    let token = text(&desk.path("token")).to_owned();
    assert_eq!(bandpass(&["verify"], b"").code, 64);
    assert_eq!(bandpass(&["no-such-command"], b"").code, 64);
    assert_eq!(bandpass::<&str>(&[], b"").code, 64);
    assert_eq!(bandpass(&["--help"], b"").code, 0);
    desk.write("trust.json", r#"{"issuers":[{"iss":"x"}]}"#);
    let trust = desk.verify(&["--json"], &token, b"");
    assert_eq!((trust.code, &trust.json()["error"]["code"]), (1, &json!("trust.malformed")));
    fs::remove_file(desk.path("trust.json")).expect("removed");
    let missing = desk.verify(&[], &token, b"");
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("trust.json"), "{}", missing.stderr);
}

#[test]
fn decide_allows_steps_up_and_denies() {
    let approved = Desk::new("accept/payment");
    approved.write("settings.json", r#"{"currency":"CNY","passwordless_limit":"34.99"}"#);
    assert_eq!(approved.decide(&["--json"]).json()["reason"], "limit.approved");
    let unapproved = Desk::new("accept/payment-without-approval");
    let denied = unapproved.decide(&["--json"]);
    assert_eq!((denied.code, &denied.json()["reason"]), (2, &json!("approval.missing")));
    let desk = Desk::new("accept/payment-approved-by-pin");
    let allowed = desk.decide(&["--json"]);
    assert_eq!(allowed.code, 0, "{}{}", allowed.stdout, allowed.stderr);
    let expected = json!({"decision": "allow", "reason": "limit.within", "obligations": []});
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(allowed.json()[name], *value);
    }
    assert_eq!((&allowed.json()["status"], &allowed.json()["replay"]), (&json!("valid"), &json!("not-checked")));
    desk.write("settings.json", r#"{"currency":"CNY","passwordless_limit":"34.99"}"#);
    let stepped_up = desk.decide(&["--json"]);
    assert_eq!((stepped_up.code, &stepped_up.json()["decision"]), (3, &json!("step-up")));
    let needed = json!({"approval": "required", "worn": "required", "unlocked": "required", "methods": ["face"]});
    assert_eq!(stepped_up.json()["requirements"], needed);
    desk.write("settings.json", r#"{"currency":"EUR","passwordless_limit":"200.00"}"#);
    let denied = desk.decide(&["--json"]);
    assert_eq!((denied.code, &denied.json()["reason"]), (2, &json!("currency.unsupported")));
    desk.write("settings.json", "{}");
    assert_eq!(desk.decide(&["--json"]).json()["reason"], "plugin.settings");
    let for_people = desk.decide(&[]);
    assert!(for_people.stdout.starts_with("deny: plugin.settings: "), "{}", for_people.stdout);
    assert!(for_people.stderr.contains("replay: not checked"), "{}", for_people.stderr);
}

#[test]
fn decide_refuses_a_challenge_that_nobody_could_answer() {
    let desk = Desk::new("accept/payment");
    for change in [
        |challenge: &mut Value| challenge["nonce"] = "".into(),
        |challenge: &mut Value| challenge["audience"] = json!([]),
        |challenge: &mut Value| challenge["transaction_data"] = json!(["?"]),
        |challenge: &mut Value| challenge["amount"] = "35.00".into(),
        |challenge: &mut Value| drop(challenge.as_object_mut().map(|all| all.remove("request"))),
    ] {
        desk.write_challenge(change);
        let ran = desk.decide(&["--json"]);
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        assert!(ran.stderr.contains("challenge.malformed"), "{}", ran.stderr);
    }
}

#[test]
fn inspect_shows_a_token_and_says_that_nothing_is_verified() {
    let desk = Desk::new("accept/payment");
    let shown = bandpass(&["inspect", text(&desk.path("token"))], b"");
    assert_eq!(shown.code, 0);
    assert!(shown.stderr.starts_with("NOT VERIFIED"), "{}", shown.stderr);
    for part in ["issuer_jwt", "disclosures", "given_name", "kb_jwt", "approval", "band-approval+jwt"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let tree = bandpass(&["inspect", "--json", text(&desk.path("token"))], b"").json();
    assert_eq!(tree["verified"], false);
}

/// What the demo leaves behind is what the commands take.
#[test]
fn what_the_demo_saves_can_be_tried() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    assert_eq!(bandpass(&["demo", "--save", &path("")], b"").code, 0);
    let (token, trust, settings) = (path("token"), path("trust.json"), path("settings.json"));
    let (challenge, status_list) = (path("decide.json"), path("status-list"));
    let decide = ["decide", "--plugin", POLICY, "--settings", &settings, "--trust", &trust, "--challenge", &challenge];
    assert_eq!(bandpass(&[&decide[..], &["--status-list", &status_list, &token]].concat(), b"").code, 0);
    let challenge: Value = serde_json::from_slice(&fs::read(challenge).expect("read")).expect("JSON");
    let nonce = challenge["nonce"].as_str().expect("a nonce");
    let audience = challenge["audience"][0].as_str().expect("an audience");
    let transaction = path("transaction_data");
    let verify =
        ["verify", "--trust", &trust, "--audience", audience, "--nonce", nonce, "--transaction-data", &transaction];
    let accepted = bandpass(&[&verify[..], &["--status-list", &status_list, "--json", &token]].concat(), b"");
    assert_eq!((accepted.code, &accepted.json()["status"]), (0, &json!("valid")), "{}", accepted.stdout);
    assert!(bandpass(&[&verify[..], &[&token]].concat(), b"").stdout.contains("status.missing"));
    let waived = bandpass(&[&verify[..], &["--status", "not-required", "--json", &token]].concat(), b"");
    assert_eq!((waived.code, &waived.json()["status"]), (0, &json!("not-checked")), "{}", waived.stdout);
}

#[test]
fn the_demo_goes_as_it_should() {
    let told = bandpass(&["demo", "--json"], b"");
    assert_eq!(told.code, 0, "{}", told.stderr);
    let told = told.json();
    let steps = told["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| (step["decision"].as_str().expect("a decision"), step["reason"].as_str().expect("a reason")));
    let steps = steps.collect::<Vec<_>>();
    for expected in [
        ("allow", "limit.within"),
        ("step-up", "limit.above"),
        ("allow", "limit.approved"),
        ("deny", "transaction.mismatch"),
        ("deny", "holder.audience"),
        ("deny", "challenge.used"),
        ("deny", "holder.signature"),
        ("deny", "evidence.counter"),
        ("deny", "approval.missing"),
        ("deny", "approval.phone"),
        ("deny", "approval.self"),
        ("deny", "approval.transaction"),
        ("refuse", "band.not-worn"),
        ("refuse", "band.locked"),
        ("refuse", "pairing.not-owner"),
        ("deny", "status.suspended"),
        ("refuse", "pairing.lost"),
        ("deny", "status.revoked"),
    ] {
        assert!(steps.contains(&expected), "{expected:?} in {steps:?}");
    }
}

#[test]
fn the_version_tells_the_verifiers_digest() {
    let short = bandpass(&["--version"], b"");
    assert_eq!(short.stdout, format!("bandpass {}\n", env!("CARGO_PKG_VERSION")));
    let long = bandpass(&["--version", "--verbose"], b"");
    let wasm = fs::read(concat!(env!("BANDPASS_TARGET"), "/dist/verifier.wasm")).expect("a component");
    assert!(long.stdout.contains(&format!("sha256:{}", bandpass::digest(&wasm))), "{}", long.stdout);
}

#[test]
fn conformance_runs_its_vectors_and_those_in_files() {
    let known = bandpass(&["conformance", "--json"], b"");
    assert_eq!((known.code, &known.json()["failed"]), (0, &json!([])), "{}", known.stdout);
    assert!(known.json()["passed"].as_u64().expect("a count") >= 200);
    let mut vector = bandpass_conformance::vector("holder.nonce/another").expect("a vector");
    vector.result = bandpass_conformance::Verdict::Refused { code: "holder.hash".into() };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.json");
    fs::write(&file, json!({"vectors": [vector]}).to_string()).expect("written");
    let wrong = bandpass(&["conformance", text(&file)], b"");
    assert_eq!(wrong.code, 2);
    assert!(wrong.stdout.contains("holder.nonce/another: \"holder.nonce\", not \"holder.hash\""), "{}", wrong.stdout);
}
