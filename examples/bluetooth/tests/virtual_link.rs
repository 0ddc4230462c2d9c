//! Band, reader and phone as processes on virtual links: bumble's, which `cargo xtask setup` installs.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

use bandpass_conformance::peers::python;
use bandpass_roles::{Key, os_rng};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bluetooth");

/// A key in a file, and its thumbprint, which begins with a hyphen, as one in 64 does: a command line has to take it.
fn key(folder: &Path, name: &str) -> (String, String) {
    let keys = || Some(Key::generate(&mut os_rng()));
    let key = std::iter::from_fn(keys).find(|key| key.thumbprint().starts_with('-')).expect("one in 64");
    let file = folder.join(name).display().to_string();
    std::fs::write(&file, key.to_private_jwk().to_string()).expect("written");
    (file, key.thumbprint())
}

/// What the two ends found: the peripheral's, and the central's.
fn run(options: &[&str], peripheral: &[&str], central: &[&str]) -> [Value; 2] {
    let bridge = Path::new(env!("CARGO_MANIFEST_DIR")).join("bridge.py");
    let mut command = python().expect("a folder");
    command.arg(bridge).args(options).arg(PROGRAM).args(peripheral).args(["--", PROGRAM]).args(central);
    let output = command.output().expect("it starts: run `cargo xtask setup`");
    let found = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{found}");
    let mut ends = found.lines().map(|line| serde_json::from_str::<Value>(line).expect(line)).collect::<Vec<_>>();
    ends.sort_by_key(|end| end["who"] == "reader" || end["who"] == "phone");
    ends.try_into().expect("two ends")
}

/// A band and a reader that lets it in.
fn at_the_door(options: &[&str], band: &[&str], reader: &[&str]) -> [Value; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, thumbprint) = key(folder.path(), "band");
    let band = [&["band", "--key", &file], band].concat();
    run(options, &band, &[&["reader", "--band", &thumbprint], reader].concat())
}

/// A proof of 2 KB from the tap to the end, with the smallest MTU, that of phones, and the largest.
#[test]
fn figures() {
    println!(
        "| MTU | to the band: bytes, fragments | to the reader: bytes, fragments | milliseconds |\n|---|---|---|---|"
    );
    for (mtu, fragments) in [(23_u16, [7, 110]), (247, [1, 9]), (517, [1, 5])] {
        let [band, reader] = at_the_door(&["--mtu", &mtu.to_string()], &[], &[]);
        assert_eq!(reader["verdict"], "let in");
        assert_eq!((&band["session"], &reader["mtu"]), (&reader["session"], &mtu.into()));
        let found = [&reader["request"]["fragments"], &reader["response"]["fragments"]];
        assert_eq!(found, [&Value::from(fragments[0]), &fragments[1].into()]);
        assert!(reader["shown"].as_u64().is_some_and(|bytes| (2_048..2_052).contains(&bytes)), "{reader}");
        let bytes = [&reader["request"]["bytes"], &reader["response"]["bytes"]];
        let milliseconds = reader["milliseconds"].as_f64().expect("a time");
        println!("| {mtu} | {}, {} | {}, {} | {milliseconds:.0} |", bytes[0], found[0], bytes[1], found[1]);
    }
}

/// The session is between band and reader, whoever carries it, and so nobody notices.
#[test]
fn a_relay_goes_unnoticed() {
    let [band, reader] = at_the_door(&["--relay"], &[], &[]);
    assert_eq!((&reader["verdict"], &band["did"]), (&"let in".into(), &"answered".into()));
    assert_eq!(band["session"], reader["session"]);
}

/// It takes the wearer for it, who is not at the door and does nothing.
#[test]
fn a_relay_is_stopped_by_a_deliberate_act() {
    let [band, reader] = at_the_door(&["--relay"], &[], &["--confirmed"]);
    assert_eq!((&reader["verdict"], &band["did"]), (&"the band ended it".into(), &"nobody confirmed".into()));
    // But not if the wearer means to act at another reader just then.
    let [_, reader] = at_the_door(&["--relay"], &["--confirms"], &["--confirmed"]);
    assert_eq!(reader["verdict"], "let in");
}

#[test]
fn a_relay_that_changes_anything_ends_the_session() {
    let [_, reader] = at_the_door(&["--relay", "--alters"], &[], &[]);
    assert_eq!(reader["verdict"], "session.encryption");
}

/// What an attacker's reader got from the band is of no use in an attacker's band: it is about another session.
#[test]
fn an_attacker_between_two_sessions_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, thumbprint) = key(folder.path(), "band");
    let kept = folder.path().join("kept").display().to_string();
    let reader = ["reader", "--band", &thumbprint];
    let [_, first] = run(&[], &["band", "--key", &file], &[&reader[..], &["--keep", &kept]].concat());
    let [_, second] = run(&[], &["band", "--key", &file, "--show", &kept], &reader);
    assert_eq!((&first["verdict"], &second["verdict"]), (&"let in".into(), &"another session".into()));
    assert_ne!(first["session"], second["session"]);
}

fn approves(options: &[&str], wrist: &[&str]) -> [Value; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let (phone_file, phone) = key(folder.path(), "phone");
    let (_, band) = key(folder.path(), "band");
    let wrist = [&["wrist", "--phone", &phone], wrist].concat();
    let paying = ["phone", "--key", &phone_file, "--band", &band, "--transaction-data", "e30"];
    run(&[&["--paired", "--mtu", "247"], options].concat(), &wrist, &paying)
}

#[test]
fn a_paired_phone_sends_an_approval() {
    let [wrist, phone] = approves(&[], &[]);
    assert_eq!((&phone["taken"], &wrist["approval"]["amr"][0]), (&true.into(), &"face".into()));
    assert_eq!((&wrist["mtu"], &phone["mtu"]), (&247.into(), &247.into()));
    // Numeric comparison: only LE Secure Connections have it.
    assert!(wrist["number"].as_str().is_some_and(|number| number.len() == 6));
    assert_eq!(wrist["number"], phone["number"]);
}

#[test]
fn a_phone_that_is_not_paired_is_not_heard() {
    let [wrist, phone] = approves(&["--stranger"], &[]);
    assert_eq!((&phone["taken"], &wrist["approval"]), (&false.into(), &Value::Null));
    assert_eq!(wrist["mtu"], Value::Null, "nothing was written");
    // The owner sees two numbers.
    let [wrist, phone] = approves(&[], &["--differs"]);
    assert_eq!((&phone["taken"], &wrist["approval"]), (&false.into(), &Value::Null));
}
