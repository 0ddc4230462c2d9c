//! No nonce twice.

use std::collections::HashSet;

use bandpass_proximity::{Band, Code, Received, Session};

use super::{SERVICE, established, key};

/// With the same key and the same nonce, the same text would come out the same.
#[test]
fn the_same_text_is_never_the_same() {
    let messages = std::env::var("BANDPASS_MESSAGES").map_or(100_000, |count| count.parse::<u32>().expect("a number"));
    let (mut band, mut reader, _) = established();
    let mut seen = HashSet::new();
    for _ in 0..messages / 2 {
        let mut say = |from: &mut Session, to: &mut Session| {
            let sealed = from.seal(b"open 412").expect("sealed");
            assert_eq!(to.open(&sealed), Ok(Received::Data(b"open 412".into())));
            assert!(seen.insert(sealed), "a nonce was used twice");
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
