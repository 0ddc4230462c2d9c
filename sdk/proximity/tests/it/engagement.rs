//! Device engagement, as others publish it and as nobody should.

use bandpass_proximity::{Band, Code, Reader};

use super::{SERVICE, band_and_reader, hex, key, unhex};

/// ISO/IEC 18013-5:2021, D.3.1: a band in mdoc central client mode.
const PUBLISHED: &str = "a30063312e30018201d818584ba4010220012158205a88d182bce5f42efa59943f33359d2e8a968ff289d93e5f\
    a444b624343167fe225820b16e8cf858ddc7690407ba61d4c338237a8cfcf3de6aa672fc60a557aa32fc670281830201a300f401f50b5045ef\
    ef742b2c4837a9a3b0e1d05a6917";

/// As [`PUBLISHED`], but in mdoc peripheral server mode.
fn peripheral() -> String {
    PUBLISHED.replace("a300f401f50b50", "a300f501f40a50")
}

fn by_qr(hex: &str) -> Result<Reader, Code> {
    let digits = unhex(hex);
    let encoded = <base64ct::Base64UrlUnpadded as base64ct::Encoding>::encode_string(&digits);
    Reader::by_qr(&format!("mdoc:{encoded}"))
}

#[test]
fn published() {
    assert_eq!(by_qr(PUBLISHED).expect("read").service(), Err(Code::Carrier));
    let service = by_qr(&peripheral()).expect("read").service().expect("a peripheral");
    assert_eq!(hex(&service), "45efef742b2c4837a9a3b0e1d05a6917");
}

#[test]
fn ours() {
    let band = Band::by_qr(key(&[1; 32]), SERVICE);
    let text = band.qr_code().expect("a code");
    assert_eq!(band.handover_select(), None);
    let reader = Reader::by_qr(&text).expect("read");
    assert_eq!(reader.service(), Ok(SERVICE));
    let (reader, message) = reader.establish(key(&[2; 32]), b"request").expect("a message");
    let (band, _) = band.establish(&message).expect("a session");
    assert_eq!(band.digest(), reader.digest());

    let (band, reader) = band_and_reader();
    assert_eq!(band.qr_code(), None);
    assert_eq!(reader.service(), Ok(SERVICE));
}

#[test]
fn what_is_refused() {
    let good = peripheral();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        by_qr(&good.replacen(from, to, 1)).err()
    };
    assert_eq!(changed("63312e30", "63322e30"), Some(Code::Unsupported), "version");
    assert_eq!(changed("63312e30", "63312e31"), None, "a later version with the same members");
    assert_eq!(changed("8201d8", "8202d8"), Some(Code::Unsupported), "cipher suite");
    assert_eq!(changed("a4010220", "a4010320"), Some(Code::Key), "kty");
    assert_eq!(changed("2001215820", "2002215820"), Some(Code::Key), "crv");
    assert_eq!(changed("584ba4010220", "584da50102032620"), Some(Code::Key), "a member more");
    assert_eq!(changed("5a88d1", "5a88d2"), Some(Code::Key), "off the curve");
    assert_eq!(changed("fc670281", "fc660281"), Some(Code::Key), "off the curve");
    assert_eq!(changed("a30063", "a20063"), Some(Code::Engagement), "something after the end");
    assert_eq!(changed("a300f5", "a301f5"), Some(Code::Engagement), "a key twice");
    assert_eq!(changed("0a5045", "0b5045"), Some(Code::Engagement), "a peripheral without a service");
    assert_eq!(changed("0281830201", "0281830202"), None, "another version of a method");
    assert_eq!(changed("0281830201", "0381830201"), None, "no method");
    for text in ["", "mdoc:", "MDOC:owBj", "mdoc://owBj", "mdoc:owBj=", "mdoc:*"] {
        assert_eq!(Reader::by_qr(text).expect_err(text), Code::Engagement);
    }
}

/// A service alone makes no peripheral, nor does a carrier that is not the engagement's.
#[test]
fn carriers() {
    let (band, _) = band_and_reader();
    let select = hex(band.handover_select().expect("a tap"));
    let changed = |from: &str, to: &str| {
        assert_eq!(select.matches(from).count(), 1, "{from}");
        Reader::by_nfc(&unhex(&select.replace(from, to)), None).map(|reader| reader.service())
    };
    // LE roles: peripheral only, central only, both.
    assert_eq!(changed("021c001107", "021c001107").expect("read"), Ok(SERVICE));
    assert_eq!(changed("021c001107", "021c011107").expect("read"), Err(Code::Carrier));
    assert_eq!(changed("021c001107", "021c021107").expect("read"), Ok(SERVICE));
    assert_eq!(changed("021c001107", "021c041107").expect("read"), Err(Code::Carrier));
    assert_eq!(changed("01013001046d646f63", "01013001046d646f64").expect("read"), Err(Code::Carrier));
    assert_eq!(changed("01013001046d646f63", "01013101046d646f63").expect("read"), Err(Code::Carrier));
    assert_eq!(changed("1107", "1207").expect_err("beyond its end"), Code::Handover);
    assert_eq!(changed("487315", "487325").expect_err("version 2"), Code::Handover);
}

/// Nothing that a tap may bring is read beyond its end, and what is read is what is in the transcript.
#[test]
fn every_byte_of_a_tap() {
    let (band, _) = band_and_reader();
    let select = band.handover_select().expect("a tap").to_vec();
    let mut same = Vec::new();
    for place in 0..select.len() {
        assert!(Reader::by_nfc(&select[..place], None).is_err(), "cut at {place}");
        for bit in 0..8 {
            let mut altered = select.clone();
            altered[place] ^= 1 << bit;
            let Ok(reader) = Reader::by_nfc(&altered, None) else { continue };
            if reader.service() == Ok(SERVICE) {
                same.push(place);
            }
            let (_, message) = reader.establish(key(&[2; 32]), b"request").expect("a message");
            let band = Band::by_nfc(key(&[1; 32]), SERVICE);
            assert_eq!(band.establish(&message).expect_err("another transcript"), Code::Encryption, "byte {place}");
        }
    }
    // Minor versions of handover and engagement, the carrier's power state and role.
    same.dedup();
    assert!(same.len() < 8, "{same:?}");
}
