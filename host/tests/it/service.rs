//! Commands that share a store, as a shop would run them: with what `bandpass demo --save` leaves.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use bandpass::digest;
use bandpass_roles::{Key, os_rng};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::program::{Ran, bandpass};

const RETAIL: &str = concat!(env!("BANDPASS_TARGET"), "/dist/plugins/retail-checkout.wasm");

struct Till {
    folder: tempfile::TempDir,
}

impl Till {
    fn new() -> Self {
        let till = Self { folder: tempfile::tempdir().expect("a folder") };
        assert_eq!(till.run(&["demo", "--save", "."]).code, 0);
        till
    }

    /// In the till's folder.
    fn run(&self, arguments: &[&str]) -> Ran {
        bandpass(self.folder.path(), arguments, &[])
    }

    fn with_store(&self, command: &str, more: &[&str]) -> Ran {
        self.run(&[&[command, "--config", "bandpass.toml", "--store", "store.sqlite"], more].concat())
    }

    fn read(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join(name)).expect("read")).expect("JSON")
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).expect("written");
    }

    fn respond(&self, challenge: &str, token: &str) -> Ran {
        self.with_store("respond", &["--json", challenge, token])
    }

    fn audit(&self, more: &[&str]) -> Ran {
        let verify = ["audit", "verify", "--store", "store.sqlite", "--key", "signing-key.jwk", "--json"];
        self.run(&[&verify, more].concat())
    }

    fn change(&self, sql: &str) {
        let store = Connection::open(self.folder.path().join("store.sqlite")).expect("opens");
        store.execute_batch(sql).expect("changed");
    }
}

#[test]
fn a_purchase_is_answered_once() {
    let till = Till::new();
    let id = till.read("challenge.json")["id"].as_str().expect("an id").to_owned();
    // At once from several processes, each with the same token: one decision.
    let answers = std::thread::scope(|scope| {
        let racers = (0..4).map(|_| scope.spawn(|| till.respond(&id, "token"))).collect::<Vec<_>>();
        racers.into_iter().map(|racer| racer.join().expect("no panic")).collect::<Vec<_>>()
    });
    for answer in &answers {
        assert_eq!((answer.code, &answer.json()["reason"]), (0, &json!("limit.within")), "{}", answer.stderr);
        assert_eq!(answer.json()["decision_id"], answers[0].json()["decision_id"]);
        assert_eq!(answer.json()["receipt"], answers[0].json()["receipt"]);
    }
    let other = till.respond(&id, "x");
    assert_eq!((other.code, &other.json()["reason"]), (2, &json!("challenge.used")));
    let unknown = till.respond("-unknown", "token");
    assert_eq!((unknown.code, &unknown.json()["reason"]), (2, &json!("challenge.unknown")));
    let decision = answers[0].json()["decision_id"].as_str().expect("an id").to_owned();
    let voided = till.with_store("void", &["--merchant", "merchant-7", "--json", &decision]);
    assert!(voided.json()["voided"].is_u64(), "{}", voided.stdout);
    let step_up = till.with_store("challenge", &["--merchant", "merchant-7", "--step-up", &decision]);
    assert_eq!(step_up.code, 1);
    assert!(step_up.stderr.contains("step-up.none"), "{}", step_up.stderr);
}

#[test]
fn a_challenge_is_made_of_what_the_policy_asks_for() {
    let till = Till::new();
    till.write(
        "transaction.json",
        &json!({"type": "urn:bandpass:payment:1", "payload": {"transaction_id": "order-1", "amount": "35.00",
            "currency": "CNY", "payee": {"name": "Corner Bookshop", "id": "merchant-7"}}})
        .to_string(),
    );
    let made = till.with_store("challenge", &["--merchant", "merchant-7", "--transaction", "transaction.json"]);
    let challenge = made.json();
    assert_eq!(challenge["audience"], json!(["x509_san_dns:shop.example"]));
    assert_eq!(challenge["dcql_query"]["credentials"][0]["id"], "band");
    assert_eq!(challenge["transaction_data"].as_array().map(Vec::len), Some(1));
    let failing = till.respond(challenge["id"].as_str().expect("an id"), "token");
    assert_eq!((failing.code, &failing.json()["reason"]), (2, &json!("holder.nonce")));
    for (merchant, file, code) in
        [("nobody", "transaction.json", "merchant.unknown"), ("merchant-7", "token", "challenge.malformed")]
    {
        let refused = till.with_store("challenge", &["--merchant", merchant, "--transaction", file]);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains(code), "{}", refused.stderr);
    }
}

/// Every way to change the past shows, except for a cut that nothing outside of the store knows of.
#[test]
fn changes_of_the_audit_chain_are_found() {
    let till = Till::new();
    let id = till.read("challenge.json")["id"].as_str().expect("an id").to_owned();
    let receipt = till.respond(&id, "token").json()["receipt"].as_str().expect("a receipt").to_owned();
    till.write("receipt", &receipt);
    fs::copy(till.folder.path().join("store.sqlite"), till.folder.path().join("good.sqlite")).expect("copied");
    let anchors = ["--checkpoint", "checkpoints", "--receipt", "receipt"];
    let whole = till.audit(&anchors);
    assert_eq!((whole.code, &whole.json()["findings"]), (0, &json!([])), "{}", whole.stdout);
    assert!(whole.json()["anchors"].as_u64().expect("a count") >= 2);
    let entries = whole.json()["entries"]["till-1"].as_u64().expect("a count");
    assert!(entries > 10);

    for (change, code, seq, by_itself) in [
        (
            "UPDATE audit SET entry = replace(entry, '\"at\":1', '\"at\":2') WHERE seq = 4".to_owned(),
            "audit.changed",
            4,
            true,
        ),
        ("UPDATE audit SET hash = hash || '0' WHERE seq = 4".to_owned(), "audit.changed", 4, true),
        ("DELETE FROM audit WHERE seq = 4".to_owned(), "audit.gap", 4, true),
        ("DELETE FROM audit WHERE seq = 1".to_owned(), "audit.gap", 1, true),
        (format!("DELETE FROM audit WHERE seq = {entries}"), "audit.cut", entries, true),
        (format!("DELETE FROM audit WHERE seq = {entries}; DELETE FROM chain"), "audit.cut", entries, false),
        ("DELETE FROM audit; DELETE FROM chain".to_owned(), "audit.cut", 1, false),
    ] {
        till.change(&change);
        let found = till.audit(&anchors);
        assert_eq!(found.code, 2, "{change}");
        let first = &found.json()["findings"][0];
        assert_eq!((&first["error"]["code"], &first["seq"]), (&json!(code), &json!(seq)), "{change}");
        assert_eq!(till.audit(&[]).code, if by_itself { 2 } else { 0 }, "{change}");
        fs::copy(till.folder.path().join("good.sqlite"), till.folder.path().join("store.sqlite")).expect("copied");
    }
    // Somebody with the store in hand writes all of it anew: its hashes fit, the checkpoint does not.
    let other = Till::new();
    let id = other.read("challenge.json")["id"].as_str().expect("an id").to_owned();
    assert_eq!(other.respond(&id, "token").code, 0);
    fs::copy(other.folder.path().join("store.sqlite"), till.folder.path().join("store.sqlite")).expect("copied");
    assert_eq!(till.audit(&[]).code, 0);
    assert_eq!(till.audit(&anchors).json()["findings"][0]["error"]["code"], "audit.rewritten");
    // Signed by another.
    till.write("receipt", &Key::generate(&mut os_rng()).sign(&json!({"alg": "ES256"}), &json!({})));
    assert_eq!(till.audit(&["--receipt", "receipt"]).json()["findings"][0]["error"]["code"], "audit.signature");
}

/// Claims stay out of whatever is kept for long, and out of what is said on the way.
#[test]
fn nothing_that_was_disclosed_is_written_down_for_long() {
    let till = Till::new();
    let id = till.read("challenge.json")["id"].as_str().expect("an id").to_owned();
    let answer = till.respond(&id, "token");
    let claims = &answer.json()["presentations"]["band"][0]["claims"];
    let subject = claims["sub"].as_str().expect("disclosed").to_owned();
    let store = Connection::open(till.folder.path().join("store.sqlite")).expect("opens");
    let holds = |sql: &str| {
        let mut rows = store.prepare(sql).expect("SQL");
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        rows.filter(|row| row.as_ref().expect("text").contains(&subject)).count()
    };
    assert_eq!(holds("SELECT value FROM challenge"), 3, "those that were allowed, for a day");
    for table in ["counter", "allowed_transaction", "cap", "reservation", "decision", "chain"] {
        assert_eq!(holds(&format!("SELECT key || value FROM {table}")), 0, "{table}");
    }
    assert_eq!(holds("SELECT entry FROM audit"), 0);
    assert!(!answer.stderr.contains(&subject));
    let receipt = answer.json()["receipt"].as_str().expect("a receipt").to_owned();
    let payload = Base64UrlUnpadded::decode_vec(receipt.split('.').nth(1).expect("a payload")).expect("base64url");
    assert!(!String::from_utf8(payload).expect("text").contains(&subject));
}

#[test]
fn a_plugin_is_activated_by_its_digest_or_not_at_all() {
    let till = Till::new();
    let config = || fs::read_to_string(till.folder.path().join("bandpass.toml")).expect("read");
    till.write("bandpass.toml", &format!("# Ours.\n{}", config()));
    let plugin = |more: &[&str]| till.run(&[&["plugin", "--json", "--config", "bandpass.toml"], more].concat());
    assert_eq!(plugin(&["check"]).json()["describes"], "retail-checkout");

    let mut newer = fs::read(RETAIL).expect("read");
    newer.extend([0, 2, 1, b'x']);
    fs::write(till.folder.path().join("newer.wasm"), &newer).expect("written");
    let before = config();
    for bad in ["token", "bandpass.toml"] {
        let refused = plugin(&["activate", "retail-checkout", bad]);
        assert_eq!((refused.code, &refused.json()["error"]["code"]), (2, &json!("plugin.malformed")));
        assert_eq!(config(), before);
    }
    let activated = plugin(&["activate", "retail-checkout", "newer.wasm"]);
    assert_eq!((activated.code, &activated.json()["sha256"]), (0, &json!(digest(&newer))), "{}", activated.stderr);
    assert!(config().starts_with("# Ours.\n") && config().contains(&digest(&newer)));
    // What waits was made for the older version, which decides it.
    let id = till.read("challenge.json")["id"].as_str().expect("an id").to_owned();
    let old = digest(&fs::read(RETAIL).expect("read"));
    assert_eq!(plugin(&["revoke", &old]).code, 0);
    assert_eq!(till.respond(&id, "token").json()["reason"], "challenge.superseded");
    assert_eq!(plugin(&["revoke", "x"]).code, 1);
    // A file that merely changes.
    fs::write(till.folder.path().join(format!("plugins/{}.wasm", digest(&newer))), fs::read(RETAIL).expect("read"))
        .expect("written");
    let changed = plugin(&["check"]);
    assert_eq!((changed.code, &changed.json()["error"]["code"]), (2, &json!("plugin.digest")));
}

#[test]
fn a_configuration_that_is_not_understood_is_refused() {
    let till = Till::new();
    let good = fs::read_to_string(till.folder.path().join("bandpass.toml")).expect("read");
    for (from, to) in [
        ("name = \"till-1\"", "nam = \"till-1\""),
        ("name = \"till-1\"", "name = \"till-1\"\nfloor = 1"),
        ("sha256 = \"", "sha256 = \"X"),
        ("plugin = \"retail-checkout\", settings", "plugin = \"other\", settings"),
        ("audience = [\"x509_san_dns:shop.example\"]", "audience = []"),
        ("audience = [\"x509_san_dns:shop.example\"]", "audience = [\"a\"]\nfloor = { worn = \"perhaps\" }"),
    ] {
        assert!(good.contains(from), "{from}");
        till.write("bandpass.toml", &good.replacen(from, to, 1));
        let refused = till.respond("x", "token");
        assert_eq!(refused.code, 1, "{to}");
        assert!(refused.stderr.contains("config.malformed"), "{to}: {}", refused.stderr);
    }
}

#[test]
fn old_decisions_are_removed_and_the_audit_chain_stays() {
    let till = Till::new();
    let id = till.read("challenge.json")["id"].as_str().expect("an id").to_owned();
    assert_eq!(till.respond(&id, "token").code, 0);
    let prune = |more: &[&str]| till.with_store("prune", &[&["--json"], more].concat());
    let removed = |ran: Ran| {
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        [&ran.json()["decisions"], &ran.json()["transactions"]].map(|count| count.as_u64().expect("a number"))
    };
    assert_eq!(removed(prune(&["--decisions-older-than", "2y"])), [0, 0]);
    let soon = prune(&["--decisions-older-than", "1h"]);
    assert_eq!((soon.code, &soon.json()["error"]["code"]), (1, &json!("host.input")), "challenges outlive them");
    let later = ["--decisions-older-than", "2y", "--now", "4000000000"];
    assert!(removed(prune(&later)).iter().all(|count| *count > 0), "those of the demonstration too");
    assert_eq!(removed(prune(&later)), [0, 0]);
    assert_eq!(till.audit(&[]).code, 0);
    let gone = till.with_store("void", &["--merchant", "merchant-7", &id]);
    assert!(gone.stderr.contains("decision.unknown"), "{}", gone.stderr);
}

#[test]
fn a_merchant_is_added_whole_or_not_at_all() {
    let till = Till::new();
    let path = till.folder.path().join("bandpass.toml");
    let commented = format!("# kept\n{}", fs::read_to_string(&path).expect("read"));
    till.write("bandpass.toml", &commented);
    till.write("settings.json", r#"{"currency": "CNY", "passwordless_limit": "50.00"}"#);
    till.write("wrong.json", r#"{"currency": "CNY", "passwordless_limit": 50}"#);
    till.write("null.json", r#"{"currency": null}"#);
    let add = |id: &str, plugin: &str, settings: &str| {
        till.run(&[
            "merchant",
            "add",
            id,
            "--audience",
            "origin:https://new.example",
            "--policy",
            plugin,
            "--settings",
            settings,
        ])
    };
    for (id, plugin, settings, code, why) in [
        ("merchant-7", "retail-checkout", "settings.json", 1, "merchant.known"),
        ("new", "other", "settings.json", 2, "there is no plugin `other`"),
        ("new", "retail-checkout", "wrong.json", 2, "plugin.settings"),
        ("new", "retail-checkout", "null.json", 1, "can't be in TOML"),
        ("new", "retail-checkout", "missing.json", 1, "missing.json"),
    ] {
        let refused = add(id, plugin, settings);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert_eq!(refused.code, code, "{said}");
        assert!(said.contains(why), "{said}");
        assert_eq!(fs::read_to_string(&path).expect("read"), commented, "{why}");
    }
    let before = fs::read_dir(till.folder.path()).expect("a folder").count();
    let added = add("new", "retail-checkout", "settings.json");
    assert_eq!(added.code, 0, "{}{}", added.stdout, added.stderr);
    assert_eq!(fs::read_dir(till.folder.path()).expect("a folder").count(), before, "nothing is left over");
    assert!(fs::read_to_string(&path).expect("read").starts_with("# kept\n"));
    assert_eq!(till.run(&["check"]).code, 0);
    let key = till.run(&["key", "create", "--merchant", "new"]);
    assert_eq!(key.code, 0, "{}", key.stderr);
    assert_eq!(till.with_store("challenge", &["--merchant", "new"]).code, 0);
}

/// The example of the library's documentation.
#[test]
fn the_example_runs() {
    let till = Till::new();
    let program = std::env::current_exe().expect("a program");
    let program = program.ancestors().map(|folder| folder.join("examples/embed")).find(|path| path.is_file());
    let mut example = Command::new(program.expect("cargo builds examples with tests"))
        .current_dir(till.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    example.stdin.take().expect("a pipe").write_all(b"no token\n").expect("written");
    let output = example.wait_with_output().expect("ends");
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).expect("text");
    let said = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).collect::<Vec<_>>();
    assert_eq!(said.len(), 2);
    assert_eq!(said[0]["audience"], json!(["x509_san_dns:shop.example"]));
    assert_eq!(said[1]["reason"], "token.malformed");
}
