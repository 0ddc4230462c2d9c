//! No nonce twice.

use std::collections::HashSet;

use bandpass_proximity::{Band, Code, Received, Session};

use super::{SERVICE, established, key};

/// A million, unless nothing is optimised.
const MESSAGES: u32 = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };

/// With the same key and the same nonce, the same text would come out the same.
#[test]
fn the_same_text_is_never_the_same() {
    let (mut band, mut reader, _) = established();
    let mut seen = HashSet::new();
    for _ in 0..MESSAGES / 2 {
        let mut say = |from: &mut Session, to: &mut Session| {
            let sealed = from.seal(b"open 412").expect("sealed");
            assert_eq!(to.open(&sealed), Ok(Received::Data(b"open 412".into())));
            let tag = sealed.last_chunk::<16>().expect("a tag");
            assert!(seen.insert(*tag), "a nonce was used twice");
        };
        say(&mut band, &mut reader);
        say(&mut reader, &mut band);
    }
    println!("{} messages", seen.len());
}

/// A band that is engaged with anew has other keys, whatever the reader sends again.
#[test]
fn a_message_of_another_session_is_refused() {
    let (_, _, message) = established();
    let band = Band::by_nfc(key(&[3; 32]), SERVICE);
    assert_eq!(band.establish(&message).expect_err("another key"), Code::Encryption);
}
