//! Composed policies: they decide as the host does, in Node and in workerd.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bandpass::{Challenge, Decision, Plugin, Request, Runtime, Verifier, digest};
use bandpass_conformance::{PolicyVector, policies};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::program::bandpass;
use crate::support::{Host, hostile_describing};

const POLICIES: &[&str] = &["retail-checkout", "sign-in"];

/// A folder with what `bandpass compose` and `bandpass-edge` make of these policies.
fn edge(plugins: &[PathBuf]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let program = npm().join("conformance/edge.mjs");
    let arguments = [program.as_os_str(), folder.path().as_os_str()];
    let arguments = arguments.into_iter().chain(plugins.iter().map(|path| path.as_os_str()));
    node(folder.path(), &arguments.collect::<Vec<_>>(), "");
    folder
}

fn npm() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/npm")
}

fn node(folder: &Path, arguments: &[&OsStr], input: &str) -> String {
    let mut process = Command::new("node")
        .args(arguments)
        .current_dir(folder)
        .env("BANDPASS_TARGET", env!("BANDPASS_TARGET"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    process.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("read");
    let output = process.wait_with_output().expect("ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

/// What the host decides, as the package says it.
fn by_the_host(runtime: &Runtime, plugins: &BTreeMap<&str, Plugin>, vector: &PolicyVector) -> Value {
    let PolicyVector { expected, .. } = vector;
    let decision = (|| {
        let mut verifier = Verifier::open(runtime, vector.trust.to_string().into_bytes())?;
        for token in vector.status_list_tokens() {
            verifier.update_status(token, expected.now)?;
        }
        let request = Request { now: expected.now, merchant: "merchant-7".into(), context: "{}".into() };
        let (settings, token) = (vector.settings.to_string(), vector.vp_token.as_bytes());
        let plugin = &plugins[vector.policy];
        Ok(plugin.decide(&mut verifier, &settings, token, &Challenge::from(expected), &request).decision)
    })();
    let decision = decision.unwrap_or_else(|error: bandpass::Error| Decision::Deny {
        reason: error.code().into(),
        message: error.message().into(),
    });
    let mut decision = camel(decision.to_json());
    let members = decision.as_object_mut().expect("an object");
    members.insert("name".into(), vector.name.clone().into());
    if let Some(required) = members.remove("requirements") {
        members.insert("require".into(), required);
    }
    decision
}

/// JavaScript's names for members, but not those of a policy.
fn camel(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let renamed = members.into_iter().map(|(name, member)| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        let name = words.fold(first, |name, word| {
            let (initial, rest) = word.split_at(1);
            name + &initial.to_uppercase() + rest
        });
        (name, camel(member))
    });
    Value::Object(renamed.collect())
}

#[test]
fn the_composed_one_decides_as_the_host_on_every_vector() {
    let runtime = Runtime::new().expect("a runtime");
    let paths =
        POLICIES.iter().map(|name| Path::new(env!("BANDPASS_TARGET")).join(format!("dist/plugins/{name}.wasm")));
    let paths = paths.collect::<Vec<_>>();
    let folder = edge(&paths);
    let plugins = POLICIES.iter().zip(&paths).map(|(name, path)| {
        let wasm = fs::read(path).expect("run `cargo xtask build` first");
        (*name, Plugin::load(&runtime, &wasm).expect("a plugin"))
    });
    let plugins = plugins.collect::<BTreeMap<_, _>>();

    let vectors = policies().expect("vectors");
    let lines = vectors.iter().map(|vector| serde_json::to_string(vector).expect("JSON") + "\n").collect::<String>();
    let conformance = npm().join("conformance");
    let mut count = BTreeMap::<String, usize>::new();
    let by_the_host = vectors.iter().map(|vector| by_the_host(&runtime, &plugins, vector)).collect::<Vec<_>>();
    for (vector, decided) in vectors.iter().zip(&by_the_host) {
        let obligations = vector.ruling.obligations.iter();
        let obligations = obligations.map(|(name, parameters)| json!({"name": name, "parameters": parameters}));
        assert_eq!(decided["decision"], vector.ruling.decision, "{decided}");
        assert_eq!(decided["reason"], vector.ruling.reason, "{decided}");
        assert_eq!(decided["obligations"], Value::from(obligations.collect::<Vec<_>>()), "{decided}");
        *count.entry(vector.ruling.decision.clone()).or_default() += 1;
    }
    for program in ["policies.mjs", "policies-workerd.mjs"] {
        let (hook, program) = (conformance.join("wasm-modules.mjs"), conformance.join(program));
        let mut arguments = vec!["--import".as_ref(), hook.as_os_str(), program.as_os_str(), ".".as_ref()];
        arguments.extend(POLICIES.iter().map(OsStr::new));
        let answers = node(folder.path(), &arguments, &lines);
        let mut answers = answers.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let runtime = answers.next().expect("a greeting");
        for decided in &by_the_host {
            let mut answer = answers.next().expect("an answer to each");
            let members = answer.as_object_mut().expect("an object");
            // The host has them elsewhere, and says of every decision what must be done.
            members.remove("claims");
            members.entry("obligations").or_insert(json!([]));
            assert_eq!(answer, *decided, "{runtime}");
        }
        assert_eq!(answers.next(), None);
        println!("{}: {} vectors as the host: {count:?}", runtime["verifier"], vectors.len());
    }
    assert!(count["allow"] >= 20 && count["step-up"] >= 15 && count["deny"] >= 60, "{count:?}");
}

#[test]
fn hostile_deeds_are_denied_as_in_the_host() {
    let hostile = hostile_describing(*b"noneed");
    let plugins = TempDir::new().expect("a folder");
    let path = plugins.path().join("hostile.wasm");
    fs::write(&path, &hostile).expect("written");
    let folder = edge(&[path]);
    let mut host = Host::new();
    let plugin = host.load(&hostile).expect("a plugin");
    // What takes all time or memory is for the platform to stop.
    let deeds = [
        "refuse-settings",
        "trap-in-configure",
        "recurse",
        "trap",
        "trap-after-verify",
        "error",
        "long-reason",
        "many-obligations",
        "malformed-obligation",
        "flood-log",
        "long-log",
        "reserve-unverified",
        "no-such-deed",
        "allow",
    ];
    let program = npm().join("conformance/hostile.mjs");
    let hook = npm().join("conformance/wasm-modules.mjs");
    let vector = serde_json::to_string(&host.vector).expect("JSON");
    let arguments = ["--import".as_ref(), hook.as_os_str(), program.as_os_str(), "hostile.js".as_ref()];
    let arguments = arguments.into_iter().chain(deeds.iter().map(OsStr::new)).collect::<Vec<_>>();
    let found = node(folder.path(), &arguments, &vector);
    let found = serde_json::from_str::<Map<String, Value>>(&found).expect("JSON");
    for deed in deeds {
        let outcome = match plugin.session(deed) {
            Ok(mut session) => {
                let (challenge, request) = (host.challenge(), host.request());
                let submission = host.verifier.submit(host.vector.vp_token.as_bytes(), &challenge);
                session.evaluate(&mut submission.expect("a verifier"), &request, None).expect("no ledger")
            }
            Err(error) => bandpass::Outcome::denied(&error),
        };
        // There, a reservation is refused for want of a ledger before anybody asks what was verified.
        let reason = match deed {
            "reserve-unverified" => "ledger.unavailable",
            _ => outcome.decision.reason(),
        };
        let decided = json!({"deed": reason, "afterwards": "hostile"});
        assert_eq!(found[deed], decided, "{deed}");
    }
    // The proof of the customer before: as in the host, where a session that is kept sees two.
    assert_eq!(found["keep-handle"], json!(["done", "plugin.foreign-handle"]));
    let mut session = plugin.session("keep-handle").expect("a session");
    let twice = [(); 2].map(|()| {
        let (challenge, request) = (host.challenge(), host.request());
        let submission = host.verifier.submit(host.vector.vp_token.as_bytes(), &challenge);
        let outcome = session.evaluate(&mut submission.expect("a verifier"), &request, None).expect("no ledger");
        outcome.decision.reason().to_owned()
    });
    assert_eq!(twice, ["done", "plugin.foreign-handle"]);
}

#[test]
fn what_it_was_made_of_is_told() {
    let folder = TempDir::new().expect("a folder");
    let plugin = Path::new(env!("BANDPASS_TARGET")).join("dist/plugins/sign-in.wasm");
    let plugin = plugin.to_str().expect("text");
    let ran = bandpass(folder.path(), &["compose", plugin, "-o", "out.wasm", "--json"], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let said = ran.json();
    let component = fs::read(folder.path().join("out.wasm")).expect("written");
    assert_eq!(said["sha256"], digest(&component));
    assert_eq!(said["parts"]["policy"]["sha256"], digest(&fs::read(plugin).expect("read")));
    assert_eq!(said["parts"]["verifier"]["sha256"], digest(bandpass::VERIFIER_COMPONENT));
    assert!(component.ends_with(said["parts"].to_string().as_bytes()), "the section at its end says the same");
    let again = bandpass(folder.path(), &["compose", plugin, "-o", "again.wasm"], b"");
    assert_eq!(again.code, 0);
    assert_eq!(fs::read(folder.path().join("again.wasm")).expect("written"), component);

    // What can't be composed, or is nothing of the kind, is refused, and nothing is written.
    let hostile = Path::new(env!("BANDPASS_TARGET")).join("hostile.wasm");
    for (file, code) in [(hostile.to_str().expect("text"), "plugin.import"), ("out.wasm", "plugin.malformed")] {
        let ran = bandpass(folder.path(), &["compose", file, "-o", "none.wasm", "--json"], b"");
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (1, &json!(code)), "{}", ran.stderr);
    }
    assert!(!folder.path().join("none.wasm").exists());
}
