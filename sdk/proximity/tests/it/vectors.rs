//! `conformance/proximity.json`: whole sessions from fixed keys, for whoever writes the other side.
//!
//! `UPDATE_DOCS=1 cargo test -p bandpass-proximity` writes them anew.

use std::fs;
use std::path::Path;

use bandpass_proximity::{Band, Reader, Received};

use super::{SERVICE, hex, key};

fn session(name: &str, band: Band, engagement: &str, reader: Reader) -> String {
    let (mut reader, establishment) = reader.establish(key(&[2; 32]), b"request").expect("a message");
    let (mut band, _) = band.establish(&establishment).expect("a session");
    let response = band.seal(b"response").expect("sealed");
    assert_eq!(reader.open(&response), Ok(Received::Data(b"response".into())));
    let second = reader.seal(b"request 2").expect("sealed");
    assert_eq!(band.open(&second), Ok(Received::Data(b"request 2".into())));
    let last = band.seal_last(b"response 2").expect("sealed");
    assert_eq!(reader.open(&last), Ok(Received::Last(b"response 2".into())));
    assert_eq!(band.transcript(), reader.transcript());
    let members = [
        ("name", name.to_owned()),
        ("band_private_key", hex(&[1; 32])),
        ("reader_private_key", hex(&[2; 32])),
        ("service", hex(&SERVICE)),
        ("engagement", engagement.to_owned()),
        ("session_transcript_bytes", hex(band.transcript())),
        ("session", hex(&band.digest())),
        ("request", hex(b"request")),
        ("session_establishment", hex(&establishment)),
        ("response", hex(b"response")),
        ("session_data_1", hex(&response)),
        ("request_2", hex(b"request 2")),
        ("session_data_2", hex(&second)),
        ("response_2", hex(b"response 2")),
        ("session_data_3", hex(&last)),
    ];
    let lines = members.map(|(name, value)| format!("    \"{name}\": \"{value}\""));
    format!("  {{\n{}\n  }}", lines.join(",\n"))
}

#[test]
fn are_as_they_were() {
    let by_nfc = Band::by_nfc(key(&[1; 32]), SERVICE);
    let select = by_nfc.handover_select().expect("a tap").to_vec();
    let nfc = Reader::by_nfc(&select, None).expect("an engagement");
    let by_qr = Band::by_qr(key(&[1; 32]), SERVICE);
    let code = by_qr.qr_code().expect("a code");
    let qr = Reader::by_qr(&code).expect("an engagement");
    let made = [session("nfc", by_nfc, &hex(&select), nfc), session("qr", by_qr, &code, qr)];
    let made = format!("[\n{}\n]\n", made.join(",\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/proximity.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &made).expect("written");
    }
    assert!(fs::read_to_string(&path).expect("the vectors") == made, "UPDATE_DOCS=1 writes them anew");
}
