//! Every message of a session altered, cut, sent again, left out, and in another order.

use bandpass_proximity::{Code, Received, Session};

use super::{band_and_reader, established, key};

/// What reader and band say after the session is established: who, and whether it is the last.
const TALK: [(Side, bool); 4] = [(Side::Band, false), (Side::Reader, false), (Side::Reader, false), (Side::Band, true)];

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Band,
    Reader,
}

/// The messages of a talk, which are always the same: keys are.
fn talk() -> Vec<Vec<u8>> {
    let (mut band, mut reader, _) = established();
    let say = |(place, (side, last)): (usize, &(Side, bool))| {
        let text = [b'0' + u8::try_from(place).expect("few")];
        let (from, to) = match side {
            Side::Band => (&mut band, &mut reader),
            Side::Reader => (&mut reader, &mut band),
        };
        let message = if *last { from.seal_last(&text) } else { from.seal(&text) }.expect("sealed");
        let received = to.open(&message).expect("opened");
        assert_eq!(received, if *last { Received::Last(text.into()) } else { Received::Data(text.into()) });
        message
    };
    TALK.iter().enumerate().map(say).collect()
}

/// A session in which so much of the talk was heard; what comes next is for the one that is given.
fn listener(messages: &[Vec<u8>], heard: usize) -> Session {
    let (mut band, mut reader, _) = established();
    for (message, (side, _)) in messages.iter().zip(TALK).take(heard) {
        let to = if side == Side::Band { &mut reader } else { &mut band };
        to.open(message).expect("opened");
    }
    if TALK[heard].0 == Side::Band { reader } else { band }
}

fn is_over(mut session: Session, good: &[u8]) {
    assert_eq!(session.open(good), Err(Code::Ended));
    assert_eq!(session.seal(b""), Err(Code::Ended));
    assert_eq!(session.seal_last(b""), Err(Code::Ended));
    assert_eq!(session.closed(), Ok(()));
}

/// A message with each bit of one byte changed.
fn flipped(message: &[u8], place: usize) -> Vec<Vec<u8>> {
    let flip = |bit| {
        let mut altered = message.to_vec();
        altered[place] ^= 1_u8 << bit;
        altered
    };
    (0..8).map(flip).collect()
}

#[test]
fn altered_and_cut() {
    let messages = talk();
    for (heard, message) in messages.iter().enumerate() {
        for place in 0..message.len() {
            let mut altered = flipped(message, place);
            altered.push(message[..place].to_vec());
            altered.push([&message[..place], &message[place + 1..]].concat());
            altered.push([&message[..place], &[0], &message[place..]].concat());
            for altered in altered.iter().filter(|altered| *altered != message) {
                let mut session = listener(&messages, heard);
                let code = session.open(altered).expect_err("altered");
                let known = [Code::Malformed, Code::Encryption, Code::Status];
                assert!(known.contains(&code) && code.reply().is_some(), "{code}");
                is_over(session, message);
            }
        }
    }
}

#[test]
fn the_first_altered_and_cut() {
    let (_, _, message) = established();
    for place in 0..message.len() {
        let mut altered = flipped(&message, place);
        altered.push(message[..place].to_vec());
        for altered in altered {
            let code = band_and_reader().0.establish(&altered).expect_err("altered");
            assert!([Code::Malformed, Code::Encryption, Code::Key].contains(&code), "{code}");
            assert!(code.reply().is_some(), "{code}");
        }
    }
}

#[test]
fn sent_again_left_out_and_reordered() {
    let messages = talk();
    let (_, _, first) = established();
    for heard in 0..TALK.len() {
        // Any message but the one whose turn it is; those of the listener itself too, and that of the establishment.
        for other in (0..TALK.len()).filter(|other| *other != heard) {
            let mut session = listener(&messages, heard);
            assert_eq!(session.open(&messages[other]), Err(Code::Encryption), "{other} in place of {heard}");
            is_over(session, &messages[heard]);
        }
        let mut session = listener(&messages, heard);
        assert_eq!(session.open(&first), Err(Code::Malformed));
        is_over(session, &messages[heard]);
    }
}

#[test]
fn of_another_reader() {
    let (mut band, _, _) = established();
    let (other, reader) = band_and_reader();
    let (mut reader, message) = reader.establish(key(&[3; 32]), b"request").expect("a message");
    other.establish(&message).expect("a session of its own");
    assert_eq!(band.open(&reader.seal(b"x").expect("sealed")), Err(Code::Encryption));
}

/// Each status, whoever sends it, ends the session.
#[test]
fn statuses() {
    let cases = [
        (b"\xa1\x66status\x0a".to_vec(), Err(Code::PeerEncryption)),
        (b"\xa1\x66status\x0b".to_vec(), Err(Code::PeerDecoding)),
        (b"\xa1\x66status\x14".to_vec(), Ok(Received::End)),
        (b"\xa1\x66status\x00".to_vec(), Err(Code::Status)),
        (b"\xa1\x66status\x18\xff".to_vec(), Err(Code::Status)),
        (b"\xa1\x66status\x20".to_vec(), Err(Code::Malformed)),
        (b"\xa1\x66status\x18\x14".to_vec(), Err(Code::Malformed)),
        (b"\xa2\x66status\x14\x66status\x14".to_vec(), Err(Code::Malformed)),
        (b"\xa2\x66status\x14\x61x\x14".to_vec(), Err(Code::Malformed)),
        (b"\xa0".to_vec(), Err(Code::Malformed)),
        (b"".to_vec(), Err(Code::Malformed)),
    ];
    for (message, due) in cases {
        let (mut band, mut reader, _) = established();
        assert_eq!(band.open(&message), due, "{}", message.escape_ascii());
        is_over(band, &reader.seal(b"x").expect("sealed"));
    }
    let (mut band, mut reader, _) = established();
    let end = band.terminate();
    assert_eq!(end, b"\xa1\x66status\x14");
    assert_eq!(reader.open(&end), Ok(Received::End));
    is_over(band, b"");
    is_over(reader, b"");
    assert_eq!(Code::Encryption.reply().as_deref(), Some(&b"\xa1\x66status\x0a"[..]));
    assert_eq!(Code::Malformed.reply().as_deref(), Some(&b"\xa1\x66status\x0b"[..]));
    assert_eq!(Code::PeerEncryption.reply(), None, "nobody answers an answer");
}

/// Data beside a status that tells of an error, and members in another order.
#[test]
fn data_and_status() {
    for (status, due) in [(0x14, Ok(Received::Last(b"x".into()))), (0x0a, Err(Code::Malformed))] {
        let (mut band, mut reader, _) = established();
        let message = band.seal(b"x").expect("sealed");
        let message = [b"\xa2\x66status", &[status][..], &message[1..]].concat();
        assert_eq!(reader.open(&message), due);
    }
}

#[test]
fn cut_off() {
    let (mut band, mut reader, _) = established();
    assert_eq!(band.closed(), Err(Code::Cut));
    is_over(band, &reader.seal(b"x").expect("sealed"));
    reader.terminate();
    assert_eq!(reader.closed(), Ok(()));
}

/// The key for `DeviceMac` is the one in the first message, and only the reader has it.
#[test]
fn reader_key() {
    let (band, reader, _) = established();
    assert_eq!(band.reader_key(), None);
    assert_eq!(reader.reader_key(), Some(&[2; 32]));
}
