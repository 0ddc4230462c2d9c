//! Mdocs from issuer to reader: a band answers readers that say who they are, with what they asked for.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use bandpass_conformance::Certified;
use bandpass_core::{
    Binding, Challenge, Code, Demand, Error, ReaderError, ReaderRoots, RequestedElements, Requirements, Trust,
    Verified, Verifier,
};
use bandpass_roles::cbor::Cbor;
use bandpass_roles::mdoc::{
    Answer, BAND_DOCTYPE, DeviceAuth, Mdoc, MdocDetails, Session, cose_key, device_request, issue,
};
use bandpass_roles::{Band, Key, os_rng};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};

const NOW: u64 = 1_790_000_000;
const ACCESS: &str = "bandpass.access.1";

/// A hotel's door, and a guest's band with what the hotel issued at check-in.
struct Hotel {
    door: Certified,
    roots: ReaderRoots,
    /// The door's key for this session.
    ephemeral: Key,
    session_transcript: Vec<u8>,
    band: Band,
    mdocs: [Mdoc; 2],
    verifier: Verifier,
}

fn transcript(reader: &Key) -> Vec<u8> {
    let engagement = Cbor::Map(vec![(Cbor::Integer(0), "1.0".into())]);
    Cbor::Array(vec![engagement.embedded(), cose_key(&reader.jwk()).embedded(), Cbor::Null]).embedded().encode()
}

fn proximity(session_transcript: &[u8]) -> Session {
    Session::Proximity { session_transcript: session_transcript.to_vec() }
}

impl Hotel {
    fn new() -> Self {
        let rng = &mut os_rng();
        let (issuer, door) = (Certified::document_signer().expect("made"), Certified::reader().expect("made"));
        let (key, phone, ephemeral) = (Key::generate(rng), Key::generate(rng), Key::generate(rng));
        let mut issued = |doctype: &str, elements: &Value, status| {
            let details = MdocDetails {
                doctype: doctype.into(),
                elements: vec![(doctype.into(), elements.as_object().cloned().expect("elements"))],
                device_jwk: key.jwk(),
                authorized: vec![BAND_DOCTYPE.into()],
                signed: NOW - 3_600,
                valid_until: NOW + 86_400,
                status,
            };
            issue(&issuer.key, std::slice::from_ref(&issuer.certificate), &details, rng)
        };
        let elements = json!({"pairing": {"jkt": phone.thumbprint(), "epoch": 1}, "band_measures": ["wear", "unlock"],
            "given_name": "Lin", "birthdate": "1990-05-17"});
        let mdocs = [
            issued(BAND_DOCTYPE, &elements, Some((7, "https://wallet.example/status/1".into()))),
            issued(ACCESS, &json!({"site": "hotel", "doors": ["412"], "sequence": 3}), None),
        ];
        let trust = json!({"issuers": [{"iss": "hotel", "doctypes": [BAND_DOCTYPE, ACCESS],
            "x5c_roots": [Base64::encode_string(&issuer.root)]}]});
        let mut band = Band::new(key, String::new());
        band.put_on(NOW - 600);
        band.unlock(NOW - 300);
        Self {
            roots: ReaderRoots::from_der(std::slice::from_ref(&door.root)).expect("a root"),
            session_transcript: transcript(&ephemeral),
            door,
            ephemeral,
            band,
            mdocs,
            verifier: Verifier::new(Trust::from_json(trust.to_string().as_bytes()).expect("a trust list")),
        }
    }

    /// What the door asks, signed for a session.
    fn asks(&self, requested: &[RequestedElements], session_transcript: &[u8]) -> Vec<u8> {
        let chain = std::slice::from_ref(&self.door.certificate);
        device_request(&self.door.key, chain, &proximity(session_transcript), requested)
    }

    fn answers(&mut self, request: &[u8], auth: DeviceAuth, shows: &[&str]) -> Result<Vec<u8>, ReaderError> {
        let session = proximity(&self.session_transcript);
        let answer = Answer { session: &session, auth, transaction_data: &[], approval: None, now: NOW };
        let shows = |_: &str, name: &str| shows.contains(&name);
        self.band.answer_reader(&self.mdocs, request, &self.roots, shows, &answer, &mut os_rng())
    }

    /// The door verifies one document of an answer, with the other in the same hand.
    fn verifies(&self, response: &[u8], doctype: &str) -> Result<Verified, Error> {
        let jwk = self.ephemeral.to_private_jwk();
        let reader_key = jwk.get("d").and_then(Value::as_str).and_then(|d| Base64UrlUnpadded::decode_vec(d).ok());
        let binding = Binding::Proximity { session_transcript: self.session_transcript.clone(), reader_key };
        let submission = self.verifier.submit(response, Challenge::bound(binding, NOW)?);
        // The list is not at hand.
        let requirements = Requirements {
            status: Demand::NotRequired,
            worn: if doctype == BAND_DOCTYPE { Demand::Required } else { Demand::ByProfile },
            same_holder_as: Some(if doctype == BAND_DOCTYPE { ACCESS } else { BAND_DOCTYPE }.into()),
            ..Requirements::default()
        };
        submission.verify(doctype, &requirements)
    }
}

fn asked(doctype: &str, names: &[&str]) -> RequestedElements {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    RequestedElements { doctype: doctype.into(), name_spaces: vec![(doctype.into(), names)] }
}

fn band_and_room() -> [RequestedElements; 2] {
    [asked(BAND_DOCTYPE, &["pairing", "band_measures"]), asked(ACCESS, &["site", "doors", "sequence"])]
}

#[test]
fn a_door_opens_for_a_band_and_its_room() {
    for auth in [DeviceAuth::Signature, DeviceAuth::Mac] {
        let mut hotel = Hotel::new();
        let request = hotel.asks(&band_and_room(), &hotel.session_transcript);
        let response = hotel.answers(&request, auth, &["site", "doors", "sequence"]).expect("answered");
        let band = hotel.verifies(&response, BAND_DOCTYPE).expect("verified");
        let names = band.claims().keys().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(names, ["band_measures", "pairing"]);
        assert_eq!(band.evidence().and_then(bandpass_core::Evidence::worn_since), Some((NOW - 600) / 60 * 60));
        let room = hotel.verifies(&response, ACCESS).expect("verified");
        assert_eq!(room.claims().get("doors"), Some(&json!(["412"])));
        assert_eq!(room.key_thumbprint(), band.key_thumbprint());
    }
}

/// Of what it asks for only what the wearer lets doors see, and of another door's mdoc nothing.
#[test]
fn a_door_that_asks_for_more_does_not_get_it() {
    let mut hotel = Hotel::new();
    let more = [
        asked(BAND_DOCTYPE, &["pairing", "given_name", "birthdate", "email"]),
        asked(ACCESS, &["site", "doors", "sequence"]),
        asked("org.iso.18013.5.1.mDL", &["family_name"]),
    ];
    let request = hotel.asks(&more, &hotel.session_transcript);
    let response = hotel.answers(&request, DeviceAuth::Signature, &["site", "doors"]).expect("answered");
    let band = hotel.verifies(&response, BAND_DOCTYPE).expect("verified");
    assert!(["given_name", "birthdate", "email"].iter().all(|name| !band.claims().contains_key(*name)));
    let room = hotel.verifies(&response, ACCESS).expect("verified");
    assert_eq!(room.claims().keys().map(String::as_str).collect::<Vec<_>>(), ["doors", "site"]);
    let other = hotel.verifies(&response, "org.iso.18013.5.1.mDL").expect_err("not there");
    assert_eq!(other.code(), Code::TokenMissing);
    // What it did not ask for it does not get either, whatever the wearer would show.
    let request = hotel.asks(&band_and_room(), &hotel.session_transcript);
    let response = hotel.answers(&request, DeviceAuth::Signature, &["given_name", "site"]).expect("answered");
    let band = hotel.verifies(&response, BAND_DOCTYPE).expect("verified");
    assert!(!band.claims().contains_key("given_name"));
}

#[test]
fn a_reader_that_is_none_gets_nothing() {
    let mut hotel = Hotel::new();
    let session = proximity(&hotel.session_transcript);
    let counter = |hotel: &Hotel| format!("{:?}", hotel.band);
    let before = counter(&hotel);
    let request =
        |key: &Key, certificate: &[u8]| device_request(key, &[certificate.to_vec()], &session, &band_and_room());
    let issuer = Certified::document_signer().expect("made");
    let good = hotel.asks(&band_and_room(), &hotel.session_transcript);
    let other = hotel.asks(&band_and_room(), &transcript(&Key::generate(&mut os_rng())));
    let mut renamed = good.clone();
    let place = renamed.windows(4).position(|found| found == b"site").expect("asked for");
    renamed.splice(place..place + 4, *b"door");
    let unsigned =
        Cbor::members([("version", "1.0".into()), ("docRequests", Cbor::Array(vec![Cbor::Map(Vec::new())]))]);
    for (what, request, refused) in [
        ("a certificate for issuing", request(&issuer.key, &issuer.certificate), ReaderError::Untrusted),
        ("no certificate", request(&hotel.door.key, b"0"), ReaderError::Untrusted),
        ("another's certificate", request(&issuer.key, &hotel.door.certificate), ReaderError::Signature),
        ("another session", other, ReaderError::Signature),
        ("another element", renamed, ReaderError::Signature),
        ("no signature", unsigned.encode(), ReaderError::Malformed),
        ("cut", good.get(..good.len() - 1).unwrap_or_default().to_vec(), ReaderError::Malformed),
    ] {
        assert_eq!(hotel.answers(&request, DeviceAuth::Signature, &["site"]), Err(refused), "{what}");
    }
    // An authority that the band does not know.
    let stranger = Certified::stranger().expect("made");
    hotel.roots = ReaderRoots::from_der(&[stranger]).expect("a root");
    assert_eq!(hotel.answers(&good, DeviceAuth::Signature, &["site"]), Err(ReaderError::Untrusted));
    assert_eq!(counter(&hotel), before, "nothing was signed");
}

/// An answer that was made for one door does not open another.
#[test]
fn an_answer_is_of_one_session() {
    for auth in [DeviceAuth::Signature, DeviceAuth::Mac] {
        let mut hotel = Hotel::new();
        let request = hotel.asks(&band_and_room(), &hotel.session_transcript);
        let response = hotel.answers(&request, auth, &["site", "doors", "sequence"]).expect("answered");
        hotel.ephemeral = Key::generate(&mut os_rng());
        hotel.session_transcript = transcript(&hotel.ephemeral);
        let error = hotel.verifies(&response, BAND_DOCTYPE).expect_err("of another session");
        assert_eq!(error.code(), Code::HolderSignature);
    }
}
