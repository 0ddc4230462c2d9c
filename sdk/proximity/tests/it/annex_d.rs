//! The session of ISO/IEC 18013-5:2021, annex D, from `../shared/data`; a lone clone of the project lacks it.

use std::fs;
use std::path::Path;

use bandpass_proximity::{Band, Code, EphemeralKey, Reader, Received};
use p256::ecdh::diffie_hellman;
use p256::{PublicKey, SecretKey};

use super::{hex, key, unhex};

struct AnnexD {
    device_key: Vec<u8>,
    reader_key: Vec<u8>,
    establishment: Vec<u8>,
    transcript: Vec<u8>,
    shared_secret: Vec<u8>,
    reader_session_key: Vec<u8>,
}

impl AnnexD {
    fn read() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let Some(others) = read("annex-d.json") else {
            println!("left out: annex D, for ../shared/data is not there");
            return None;
        };
        let (_, reader_key) = others.split_once(r#""ereader_private_key_d": ""#).expect("the reader's key");
        let hex_file = |name| unhex(&read(&format!("annex-d-session/{name}.hex")).expect("a file"));
        Some(Self {
            device_key: hex_file("e_device_key"),
            reader_key: unhex(&reader_key[..64]),
            establishment: hex_file("session_establishment"),
            transcript: hex_file("session_transcript"),
            shared_secret: hex_file("shared_secret"),
            reader_session_key: hex_file("reader_session_key"),
        })
    }

    /// Handover select and request message, the two last byte strings of the transcript.
    fn handover(&self) -> (Vec<u8>, Vec<u8>) {
        let at = |what: &[u8]| self.transcript.windows(what.len()).position(|bytes| bytes == what).expect("there");
        let (select, request) = (at(&[0x91, 0x02, 0x0f]), at(&[0x91, 0x02, 0x25]));
        (self.transcript[select..request - 2].to_vec(), self.transcript[request..].to_vec())
    }

    fn band(&self, key: EphemeralKey) -> Result<Band, Code> {
        let (select, request) = self.handover();
        Band::by_handover(key, select, Some(request))
    }
}

#[test]
fn both_sides() {
    let Some(annex) = AnnexD::read() else { return };
    let band = annex.band(key(&annex.device_key)).expect("an engagement");
    let (mut band, request) = band.establish(&annex.establishment).expect("a session");
    assert_eq!(hex(band.transcript()), hex(&annex.transcript));
    assert!(request.starts_with(b"\xa2\x67version\x631.0"), "a DeviceRequest");

    let (select, handover_request) = annex.handover();
    let reader = Reader::by_nfc(&select, Some(&handover_request)).expect("an engagement");
    // Annex D's band is a central.
    assert_eq!(reader.service().expect_err("no peripheral"), Code::Carrier);
    let (mut reader, establishment) = reader.establish(key(&annex.reader_key), &request).expect("a message");
    assert_eq!(hex(&establishment), hex(&annex.establishment));
    assert_eq!(reader.digest(), band.digest());

    let response = band.seal_last(b"response").expect("a message");
    assert_eq!(reader.open(&response).expect("the response"), Received::Last(b"response".into()));
}

/// What the session's keys come from, by the same crates without the session.
#[test]
fn keys() {
    let Some(annex) = AnnexD::read() else { return };
    let secret = |bytes: &[u8]| SecretKey::from_slice(bytes).expect("a key");
    let (device, reader) = (secret(&annex.device_key), secret(&annex.reader_key));
    let point = |key: &SecretKey| PublicKey::from_secret_scalar(&key.to_nonzero_scalar());
    for (own, other) in [(&device, point(&reader)), (&reader, point(&device))] {
        let shared = diffie_hellman(own.to_nonzero_scalar(), other.as_affine());
        assert_eq!(hex(shared.raw_secret_bytes()), hex(&annex.shared_secret));
        let mut reader_session_key = [0; 32];
        let salt = <sha2::Sha256 as sha2::Digest>::digest(&annex.transcript);
        let derived = shared.extract::<sha2::Sha256>(Some(&salt));
        derived.expand(b"SKReader", &mut reader_session_key).expect("32 bytes");
        assert_eq!(hex(&reader_session_key), hex(&annex.reader_session_key));
    }
}

#[test]
fn every_bit_counts() {
    let Some(annex) = AnnexD::read() else { return };
    for place in 0..annex.establishment.len() {
        let mut altered = annex.establishment.clone();
        altered[place] ^= 1 << (place % 8);
        let band = annex.band(key(&annex.device_key)).expect("an engagement");
        assert!(band.establish(&altered).is_err(), "byte {place}");
    }
    let other = annex.band(key(&annex.reader_key));
    assert_eq!(other.expect_err("the engagement names another key"), Code::OtherKey);
}
