//! The response of ISO/IEC 18013-5:2021, annex D: other people's bytes, with their root, session and reader's key.
#![cfg(feature = "mdoc")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bandpass_conformance::peers::python;
use bandpass_core::{Binding, Challenge, Code, Error, Requirements, Trust, Verified, Verifier};
use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/annex-d.json");

struct AnnexD {
    response: Vec<u8>,
    verifier: Verifier,
    binding: Binding,
    now: u64,
}

impl AnnexD {
    /// None in a clone that lies alone, without the folder of other people's vectors beside it.
    fn read() -> Option<Self> {
        let Ok(file) = std::fs::read(PATH) else {
            println!("left out: {PATH} is not there");
            return None;
        };
        let data: Value = serde_json::from_slice(&file).expect("JSON");
        let bytes = |name: &str| base16(data[name].as_str().expect(name));
        let root = Base64::encode_string(&bytes("iaca_root_der"));
        let trust = json!({"issuers": [{"iss": "utopia", "x5c_roots": [root], "doctypes": ["org.iso.18013.5.1.mDL"]}]});
        Some(Self {
            response: bytes("device_response"),
            verifier: Verifier::new(Trust::from_json(trust.to_string().as_bytes()).expect("a trust list")),
            binding: Binding::Proximity {
                session_transcript: bytes("session_transcript_bytes"),
                reader_key: Some(bytes("ereader_private_key_d")),
            },
            now: data["valid_at"].as_u64().expect("a time"),
        })
    }

    fn verify(&self, response: &[u8], binding: Binding, now: u64) -> Result<Verified, Error> {
        let challenge = Challenge::bound(binding, now)?;
        self.verifier.submit(response, challenge).verify("", &Requirements::default())
    }

    fn code(&self, binding: Binding, now: u64) -> Option<Code> {
        self.verify(&self.response, binding, now).err().map(|error| error.code())
    }
}

fn base16(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("a digit")).collect()
}

#[test]
fn it_verifies_with_its_chain_and_its_mac() {
    let Some(data) = AnnexD::read() else { return };
    let verified = data.verify(&data.response, data.binding.clone(), data.now).expect("verifies");
    assert_eq!((verified.issuer(), verified.credential_type()), ("utopia", Some("org.iso.18013.5.1.mDL")));
    let elements = verified.claims()["org.iso.18013.5.1"].as_object().expect("elements");
    assert_eq!(elements["family_name"], "Doe");
    assert_eq!(elements["issue_date"], "2019-10-20");
    assert_eq!(elements.len(), 6);
    assert!(verified.evidence().is_none());
}

#[test]
fn another_time_session_or_key_is_refused() {
    let Some(data) = AnnexD::read() else { return };
    let Binding::Proximity { session_transcript, reader_key } = data.binding.clone() else { unreachable!("it is") };
    let year = 366 * 86_400;
    assert_eq!(data.code(data.binding.clone(), data.now - year), Some(Code::IssuerNotYetValid));
    assert_eq!(data.code(data.binding.clone(), data.now + year), Some(Code::IssuerExpired));
    let without = Binding::Proximity { session_transcript: session_transcript.clone(), reader_key: None };
    assert_eq!(data.code(without, data.now), Some(Code::HolderReaderKey));
    let mut other = reader_key.clone().expect("a key");
    other[31] ^= 1;
    let other = Binding::Proximity { session_transcript: session_transcript.clone(), reader_key: Some(other) };
    assert_eq!(data.code(other, data.now), Some(Code::HolderSignature));
    let mut other = session_transcript;
    *other.last_mut().expect("a byte") ^= 1;
    let other = Binding::Proximity { session_transcript: other, reader_key };
    assert_eq!(data.code(other, data.now), Some(Code::HolderSignature));
}

/// Python's `pymdoccbor` 1.4.0 has the same response, but for a MAC that is another's. Everything up to it holds.
#[test]
fn the_copy_with_another_mac_is_refused_for_that() {
    const FIND: &str = "import importlib.util as u; print(u.find_spec('pymdoccbor').submodule_search_locations[0])";
    let Some(data) = AnnexD::read() else { return };
    let output = python().expect("a folder").args(["-c", FIND]).output().expect("run `cargo xtask setup`");
    assert!(output.status.success(), "run `cargo xtask setup`");
    let folder = PathBuf::from(String::from_utf8(output.stdout).expect("UTF-8").trim());
    let file = std::fs::read_to_string(folder.join("tests/test_01_mdoc_parser.py")).expect("a file");
    let copy = file.split('"').find(|text| text.starts_with("a36776657273696f6e")).expect("a response");
    let copy = base16(copy);
    let tag = copy.iter().zip(&data.response).position(|(theirs, ours)| theirs != ours).expect("they differ");
    assert_eq!(copy[tag + 32..], data.response[tag + 32..], "nothing but the tag differs");
    let error = data.verify(&copy, data.binding.clone(), data.now).expect_err("refused");
    assert_eq!(error.code(), Code::HolderSignature);
}

/// Each bit; each byte, made each other one, if `ANNEX_D_BYTES` is set.
#[test]
fn every_bit_counts() {
    let Some(data) = AnnexD::read() else { return };
    let changes = match std::env::var_os("ANNEX_D_BYTES") {
        None => (0..8).map(|bit| 1 << bit).collect::<Vec<u8>>(),
        Some(_) => (1..=255).collect(),
    };
    let next = AtomicUsize::new(0);
    let each_byte = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let mut changed = data.response.clone();
            let Some(byte) = changed.get(place).copied() else { break };
            for change in &changes {
                changed[place] = byte ^ change;
                let verified = data.verify(&changed, data.binding.clone(), data.now);
                assert!(verified.is_err(), "byte {place} ^ {change}");
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(each_byte);
        }
    });
    println!("{} responses", data.response.len() * changes.len());
}
