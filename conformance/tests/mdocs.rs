//! Mdocs by libraries that nobody here wrote, and ours read by them: `peers/mdoc.mjs`.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use bandpass_conformance::Certified;
use bandpass_conformance::peers::root;
use bandpass_core::{Binding, Challenge, Code, Requirements, Trust, Verified, Verifier};
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::{Answer, DeviceAuth, MdocDetails, Session, cose_key, device_response, issue};
use bandpass_roles::{Band, Key, base64url, os_rng};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

const DOCTYPE: &str = "org.iso.18013.5.1.mDL";
const NAMESPACE: &str = "org.iso.18013.5.1";

/// A session, and who takes part in it.
struct Case {
    issuer: Certified,
    device: Key,
    reader: Key,
    session_transcript: Vec<u8>,
    now: u64,
}

impl Case {
    fn new() -> Self {
        let (device, reader) = (Key::generate(&mut os_rng()), Key::generate(&mut os_rng()));
        // Section 8.2.1.1: cipher suite 1 and the device's own key for the session.
        let security = Cbor::Array(vec![Cbor::Integer(1), cose_key(&device.jwk()).embedded()]);
        let engagement = Cbor::Map(vec![(Cbor::Integer(0), "1.0".into()), (Cbor::Integer(1), security)]);
        let transcript = [engagement.embedded(), cose_key(&reader.jwk()).embedded(), Cbor::Null];
        Self {
            issuer: Certified::document_signer().expect("made"),
            device,
            reader,
            session_transcript: Cbor::Array(transcript.to_vec()).embedded().encode(),
            now: SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs(),
        }
    }

    /// What the libraries make, and what they make of these responses.
    fn ask(&self, responses: &[Value]) -> Value {
        let pem = |der: &[u8]| {
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", Base64::encode_string(der))
        };
        let input = json!({"now": self.now, "root": pem(&self.issuer.root), "certificate": pem(&self.issuer.certificate),
            "issuer": self.issuer.key.to_private_jwk(), "device": self.device.to_private_jwk(),
            "reader": self.reader.to_private_jwk(), "session_transcript": base64url(&self.session_transcript),
            "responses": responses});
        let script = root().expect("a folder").join("conformance/peers/mdoc.mjs");
        let mut node = Command::new("node");
        let node = node.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = node.spawn().expect("it starts: run `cargo xtask setup`");
        running.stdin.take().expect("a pipe").write_all(input.to_string().as_bytes()).expect("written");
        let output = running.wait_with_output().expect("it ends");
        assert!(output.status.success(), "run `cargo xtask setup`");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn verify(&self, response: &[u8]) -> Result<Verified, Code> {
        let trust = json!({"issuers": [{"iss": "dmv", "x5c_roots": [Base64::encode_string(&self.issuer.root)],
            "doctypes": [DOCTYPE]}]});
        let verifier = Verifier::new(Trust::from_json(trust.to_string().as_bytes()).expect("a trust list"));
        let jwk = self.reader.to_private_jwk();
        let reader_key = Base64UrlUnpadded::decode_vec(jwk["d"].as_str().expect("a key")).expect("base64url");
        let session_transcript = self.session_transcript.clone();
        let binding = Binding::Proximity { session_transcript, reader_key: Some(reader_key) };
        let challenge = Challenge::bound(binding, self.now).expect("a challenge");
        let verified = verifier.submit(response, challenge).verify("", &Requirements::default());
        verified.map_err(|error| error.code())
    }

    /// One of ours.
    fn response(&self, auth: DeviceAuth) -> Vec<u8> {
        let elements =
            json!({"family_name": "Jones", "given_name": "Ava", "document_number": "7", "age_over_18": true});
        let details = MdocDetails {
            doctype: DOCTYPE.into(),
            elements: vec![(NAMESPACE.into(), elements.as_object().cloned().expect("elements"))],
            device_jwk: self.device.jwk(),
            authorized: Vec::new(),
            signed: self.now,
            valid_until: self.now + 86_400,
            status: None,
        };
        let rng = &mut os_rng();
        let mdoc = issue(&self.issuer.key, std::slice::from_ref(&self.issuer.certificate), &details, rng);
        let session = Session::Proximity { session_transcript: self.session_transcript.clone() };
        let answer = Answer { session: &session, auth, transaction_data: &[], approval: None, now: self.now };
        let mut band = Band::new(self.device.clone(), String::new());
        let document = band.present_mdoc(&mdoc, |_, name| name != "document_number", &answer, rng);
        device_response(vec![document.expect("a document")]).encode()
    }
}

#[test]
fn what_the_libraries_make_gets_its_verdict() {
    let case = Case::new();
    let answers = case.ask(&[]);
    let mut names = Vec::new();
    for made in answers["made"].as_array().expect("an array") {
        let name = made["name"].as_str().expect("a name");
        let response = made["response"].as_str().unwrap_or_else(|| panic!("{name}: {}", made["error"]));
        let verdict = case.verify(&Base64UrlUnpadded::decode_vec(response).expect("base64url"));
        match (name, verdict) {
            // It leaves the empty `external_aad` out of the `MAC_structure` (RFC 9052, section 6.3).
            ("@owf/mdoc: MAC", verdict) => assert_eq!(verdict.expect_err(name), Code::HolderSignature),
            (name, verdict) => {
                let verified = verdict.unwrap_or_else(|code| panic!("{name}: {code}"));
                assert_eq!(verified.claims()[NAMESPACE]["family_name"], "Jones", "{name}");
                assert_eq!(verified.key_thumbprint(), Some(&*case.device.thumbprint()), "{name}");
            }
        }
        names.push(name);
    }
    assert_eq!(names, ["@auth0/mdl: signature", "@auth0/mdl: MAC", "@owf/mdoc: signature", "@owf/mdoc: MAC"]);
}

#[test]
fn the_libraries_read_ours() {
    let case = Case::new();
    let responses = [("signature", DeviceAuth::Signature), ("MAC", DeviceAuth::Mac)].map(|(name, auth)| {
        let response = case.response(auth);
        assert!(case.verify(&response).is_ok(), "{name}");
        json!({"name": name, "response": base64url(&response)})
    });
    let answers = case.ask(&responses);
    let read = answers["read"].as_array().expect("an array");
    assert_eq!(read.len(), 4);
    for answer in read {
        // It takes the algorithm of a MAC by its name, compares it with its number, and so takes none.
        let expected = answer["name"] != "MAC" || answer["by"] != "@owf/mdoc";
        assert_eq!(answer["ok"], expected, "{answer}");
    }
}

/// Another's key, session or response is refused by them too, so that what they accept means something.
#[test]
fn the_libraries_refuse_what_is_not_of_the_session() {
    let (case, other) = (Case::new(), Case::new());
    let responses = [("signature", DeviceAuth::Signature), ("MAC", DeviceAuth::Mac)]
        .map(|(name, auth)| json!({"name": name, "response": base64url(&other.response(auth))}));
    let answers = case.ask(&responses);
    let read = answers["read"].as_array().expect("an array");
    assert!(read.iter().all(|answer| answer["ok"] == false), "{read:?}");
    assert_eq!(case.verify(&other.response(DeviceAuth::Mac)).err(), Some(Code::HolderSignature));
}
