//! Sessions that are known, through C: both sides, byte for byte, and over links.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::program::{BOTH, build, command, package, run, shared};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

pub(crate) fn unhex(digits: &str) -> Result<Vec<u8>> {
    let digits = digits.trim().as_bytes().chunks(2).map(std::str::from_utf8);
    digits.map(|pair| Ok(u8::from_str_radix(pair?, 16)?)).collect()
}

/// Plays sessions, as `sessions.c` reads them.
fn play(sessions: &str, names: &[&str]) -> Result<()> {
    for linking in BOTH {
        let program = build("tests/c/sessions.c", linking)?;
        for valgrind in [false, true] {
            let output = run(&mut command(&program, valgrind), sessions.as_bytes())?;
            assert_eq!(String::from_utf8(output.stdout)?.lines().collect::<Vec<_>>(), names);
        }
    }
    Ok(())
}

/// `conformance/proximity.json`.
#[test]
fn ours() -> Result<()> {
    let file: Value = serde_json::from_slice(&fs::read(package().join("../../conformance/proximity.json"))?)?;
    let mut sessions = String::new();
    for vector in file.as_array().context("vectors")? {
        let text = |name: &str| vector[name].as_str().unwrap_or_default();
        let engagement = match text("name") {
            "qr" => hex(text("engagement").as_bytes()),
            _ => text("engagement").to_owned(),
        };
        let [band, reader] = [text("band_private_key"), text("reader_private_key")];
        writeln!(sessions, "{}\n{band}\n{reader}\n{}\n{engagement}\n", text("name"), text("service"))?;
        for name in ["session_transcript_bytes", "session", "session_establishment", "request"] {
            writeln!(sessions, "{}", text(name))?;
        }
        for (word, plain, message) in [
            ("more", "response", "session_data_1"),
            ("more", "request_2", "session_data_2"),
            ("last", "response_2", "session_data_3"),
        ] {
            writeln!(sessions, "{word}\n{}\n{}", text(plain), text(message))?;
        }
        sessions += "end\n";
    }
    play(&sessions, &["nfc", "qr"])
}

/// The session of ISO/IEC 18013-5:2021, annex D, by a negotiated handover. Its first request is what the band decrypts.
#[test]
fn the_standards_own() -> Result<()> {
    let Some(others) = shared("annex-d.json") else { return Ok(()) };
    let others: Value = serde_json::from_str(&others)?;
    let file = |name: &str| unhex(&shared(&format!("annex-d-session/{name}.hex")).context("a file")?);
    let transcript = file("session_transcript")?;
    let at = |what: &[u8]| transcript.windows(what.len()).position(|bytes| bytes == what).context("a message");
    // Handover select and request message are the two last byte strings of the transcript.
    let (select, request) = (at(&[0x91, 0x02, 0x0f])?, at(&[0x91, 0x02, 0x25])?);
    let lines = [
        "handover".to_owned(),
        hex(&file("e_device_key")?),
        others["ereader_private_key_d"].as_str().context("a key")?.to_owned(),
        String::new(),
        hex(&transcript[select..request - 2]),
        hex(&transcript[request..]),
        hex(&transcript),
        hex(&Sha256::digest(&transcript)),
        hex(&file("session_establishment")?),
        String::new(),
        "end\n".to_owned(),
    ];
    play(&lines.join("\n"), &["handover"])
}
