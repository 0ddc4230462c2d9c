//! Proximity: engagement, framing and session, as they come and on their way between a band and a reader.

use std::collections::VecDeque;

use arbitrary::{Result, Unstructured};
use bandpass_proximity::ble::{Characteristic, Event, Link, Role, Value};
use bandpass_proximity::{Band, Code, EphemeralKey, Reader, Received, Session};
use bandpass_roles::sha256_base64url;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

const SERVICE: [u8; 16] = *b"0123456789abcdef";

fn band() -> Band {
    Band::by_nfc(key(1), SERVICE)
}

fn key(seed: u8) -> EphemeralKey {
    EphemeralKey::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

fn select() -> Vec<u8> {
    band().handover_select().expect("a tap").to_vec()
}

fn establishment() -> (Session, Vec<u8>) {
    let reader = Reader::by_nfc(&select(), None).expect("an engagement");
    reader.establish(key(2), b"request").expect("a message")
}

/// The first byte says what the others are: a tap, a QR code, the first message, or what happens to a conversation.
pub(crate) fn session(data: &[u8]) {
    match data {
        [0, select @ ..] => drop(Reader::by_nfc(select, None).map(|reader| reader.establish(key(2), b""))),
        [1, text @ ..] => drop(Reader::by_qr(&String::from_utf8_lossy(text)).map(|reader| reader.service())),
        [2, message @ ..] => {
            let established = band().establish(message);
            assert_eq!(established.is_ok(), message == establishment().1, "another's message");
        }
        [_, happens @ ..] => {
            // The bytes' end only ends the conversation.
            let _ = Conversation::begin().go_on(&mut Unstructured::new(happens));
        }
        [] => {}
    }
}

/// One of the two, and what is under way to it.
struct End {
    session: Session,
    link: Link,
    under_way: VecDeque<Value>,
    /// What the other side sealed and this one has not heard.
    unheard: VecDeque<Vec<u8>>,
    is_over: bool,
}

struct Conversation {
    ends: [End; 2],
    /// Somebody did something to what was under way.
    tampered: bool,
}

impl Conversation {
    fn begin() -> Self {
        let (reader, message) = establishment();
        let (band, _) = band().establish(&message).expect("a session");
        let end = |session, role| End {
            session,
            link: Link::new(role, 40).expect("an MTU"),
            under_way: VecDeque::new(),
            unheard: VecDeque::new(),
            is_over: false,
        };
        let mut ends = [end(band, Role::Band), end(reader, Role::Reader)];
        let start = ends[1].link.start().expect("the first");
        ends[0].under_way.push_back(start);
        Self { ends, tampered: false }
    }

    fn go_on(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        while !bytes.is_empty() {
            let to = bytes.choose_index(2)?;
            match bytes.int_in_range(0..=9)? {
                0..=2 => self.say(to, bytes)?,
                3..=7 => self.hear(to),
                _ => self.tamper(to, bytes)?,
            }
        }
        Ok(())
    }

    fn say(&mut self, to: usize, bytes: &mut Unstructured<'_>) -> Result<()> {
        let plain = vec![bytes.arbitrary::<u8>()?; usize::from(bytes.arbitrary::<u8>()?)];
        let from = &mut self.ends[1 - to];
        match from.session.seal(&plain) {
            Ok(message) => {
                if let Ok(values) = from.link.send(&message) {
                    self.ends[to].under_way.extend(values);
                    self.ends[to].unheard.push_back(plain);
                } else {
                    // It is not heard, so neither is what comes after it.
                    self.tampered = true;
                }
            }
            Err(code) => assert!(from.is_over && code == Code::Ended, "{code}"),
        }
        Ok(())
    }

    fn hear(&mut self, to: usize) {
        let end = &mut self.ends[to];
        let Some((characteristic, value)) = end.under_way.pop_front() else { return };
        let received = end.link.received(characteristic, &value);
        let heard = match received {
            Ok(Event::Message(message)) => end.session.open(&message).map(Some),
            Ok(Event::Started | Event::Chunk) => Ok(None),
            Ok(Event::Ended) => Ok(Some(Received::End)),
            Err(code) => Err(code),
        };
        match heard {
            Ok(Some(Received::Data(plain) | Received::Last(plain))) => {
                assert_eq!(Some(plain), end.unheard.pop_front(), "not what was said, or not in its turn");
                assert!(!end.is_over, "heard after the end");
            }
            Ok(Some(Received::End)) | Err(_) => {
                assert!(self.tampered, "{heard:?}, and nobody did anything");
                end.session.terminate();
                end.link.end();
                end.is_over = true;
            }
            Ok(None) => {}
        }
    }

    fn tamper(&mut self, to: usize, bytes: &mut Unstructured<'_>) -> Result<()> {
        self.tampered = true;
        let under_way = &mut self.ends[to].under_way;
        if under_way.is_empty() || bytes.ratio(1, 8)? {
            let characteristic = *bytes.choose(&Characteristic::ALL)?;
            let length = usize::from(bytes.arbitrary::<u8>()? % 40).min(bytes.len());
            under_way.push_front((characteristic, bytes.bytes(length)?.to_vec()));
            return Ok(());
        }
        let place = bytes.choose_index(under_way.len())?;
        match bytes.int_in_range(0..=6)? {
            0 => drop(under_way.remove(place)),
            1 => under_way.insert(place, under_way[place].clone()),
            2 => under_way.swap(place, 0),
            3 => under_way[place].0 = *bytes.choose(&Characteristic::ALL)?,
            4 => drop(under_way[place].1.pop()),
            5 => under_way[place].1.push(bytes.arbitrary()?),
            _ => {
                let value = &mut under_way[place].1;
                if !value.is_empty() {
                    let byte = bytes.choose_index(value.len())?;
                    value[byte] ^= bytes.arbitrary::<u8>()?;
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let by_qr = Band::by_qr(key(1), SERVICE).qr_code().expect("a code");
    let first = [&[0], &select()[..]].concat();
    let mut seeds = vec![first, [&[1], by_qr.as_bytes()].concat(), [&[2], &establishment().1[..]].concat()];
    // As long as the conversation goes on.
    seeds.extend((0..200_u8).map(|number| [&[3], sha256_base64url(&[number]).repeat(2).as_bytes()].concat()));
    seeds
}
