//! Framing and the link's states.

use bandpass_proximity::Code;
use bandpass_proximity::ble::{Characteristic, Event, Link, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, Role};
use proptest::prelude::*;

use Characteristic::{ClientToServer, ServerToClient, State};

/// From the smallest MTU to the largest that Android has.
const MTUS: std::ops::RangeInclusive<u16> = 23..=517;

fn connected(mtu: u16) -> (Link, Link) {
    (Link::new(Role::Band, mtu).expect("an MTU"), Link::new(Role::Reader, mtu).expect("an MTU"))
}

fn started(mtu: u16) -> (Link, Link) {
    let (mut band, mut reader) = connected(mtu);
    let (characteristic, value) = reader.start().expect("the first");
    assert_eq!((characteristic, &value[..]), (State, &[1][..]));
    assert_eq!(band.received(characteristic, &value), Ok(Event::Started));
    (band, reader)
}

/// A message, cut by a band and put together by a reader.
fn reassembled(message: &[u8], mtu: u16) -> Vec<u8> {
    let (band, mut reader) = started(mtu);
    let values = band.send(message).expect("started");
    let room = usize::from(mtu - 3).min(512);
    let (last, others) = values.split_last().expect("at least one");
    assert!(last.1.len() <= room && others.iter().all(|(_, chunk)| chunk.len() == room), "MTU {mtu}");
    for (characteristic, chunk) in others {
        assert_eq!(reader.received(*characteristic, chunk), Ok(Event::Chunk));
    }
    match reader.received(last.0, &last.1) {
        Ok(Event::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

/// Every MTU with every length about a multiple of what a chunk takes.
#[test]
fn every_mtu() {
    for mtu in MTUS {
        let room = usize::from(mtu - 3).min(512) - 1;
        for length in [1, room - 1, room, room + 1, 2 * room, 2 * room + 1, 2_048] {
            let message = (0..length).map(|place| u8::try_from(place % 251).expect("small")).collect::<Vec<_>>();
            assert_eq!(reassembled(&message, mtu), message);
        }
    }
    assert_eq!(Link::new(Role::Band, 22).err(), Some(Code::Mtu));
}

proptest! {
    #[test]
    fn any_message(message in prop::collection::vec(any::<u8>(), 1..4_000), mtu in MTUS) {
        prop_assert_eq!(reassembled(&message, mtu), message);
    }

    /// However the chunks are cut, a limit holds.
    #[test]
    fn limits(cut in prop::collection::vec(1..1_000_usize, 20..60)) {
        let (mut band, _) = started(247);
        let mut total = 0;
        for length in cut {
            total += length;
            let received = band.received(ClientToServer, &[&[1], &vec![7; length][..]].concat());
            if total > MAX_REQUEST_BYTES {
                prop_assert_eq!(received, Err(Code::TooLarge));
                break;
            }
            prop_assert_eq!(received, Ok(Event::Chunk));
        }
    }
}

#[test]
fn chunks_that_are_refused() {
    for chunk in [&[][..], &[0], &[1], &[2, 0], &[0xff, 0]] {
        let (mut band, _) = started(247);
        assert_eq!(band.received(ClientToServer, chunk), Err(Code::Chunk), "{chunk:?}");
        assert_eq!(band.received(ClientToServer, &[0, 1]), Err(Code::Order), "it is over");
    }
}

#[test]
fn a_conversation() {
    let (mut band, mut reader) = started(247);
    for through in [ClientToServer, ServerToClient] {
        let by_band = through == ServerToClient;
        let (sender, receiver) = if by_band { (&mut band, &mut reader) } else { (&mut reader, &mut band) };
        let message = vec![0x5a; 2_048];
        let values = sender.send(&message).expect("started");
        assert_eq!(values.len(), 9);
        let (last, others) = values.split_last().expect("some");
        for (characteristic, value) in others {
            assert_eq!(*characteristic, through);
            assert_eq!(receiver.received(*characteristic, value), Ok(Event::Chunk));
        }
        assert_eq!(receiver.received(last.0, &last.1), Ok(Event::Message(message)));
    }
    let (characteristic, value) = band.end();
    assert_eq!((characteristic, &value[..]), (State, &[2][..]));
    assert_eq!(reader.received(characteristic, &value), Ok(Event::Ended));
    assert_eq!(reader.send(b"x"), Err(Code::Order));
    assert_eq!(band.send(b"x"), Err(Code::Order));
    assert_eq!(reader.received(ServerToClient, &[0, 0]), Err(Code::Order));
}

#[test]
fn what_is_out_of_turn() {
    let (mut band, mut reader) = connected(247);
    assert_eq!(band.start(), Err(Code::Order));
    assert_eq!(band.send(b"x"), Err(Code::Order));
    assert_eq!(band.received(ClientToServer, &[0, 1]), Err(Code::Order));
    assert_eq!(band.received(State, &[1]), Err(Code::Order), "it is over");
    assert_eq!(reader.received(ServerToClient, &[0, 1]), Err(Code::Order));

    for (value, due) in [(&[1][..], Code::State), (&[], Code::State), (&[3], Code::State), (&[2, 0], Code::State)] {
        let (mut band, mut reader) = started(247);
        assert_eq!(band.received(State, value), Err(due));
        assert_eq!(reader.start(), Err(Code::Order));
        assert_eq!(reader.received(State, value), Err(due));
        assert_eq!(band.received(ClientToServer, &[0, 1]), Err(Code::Order), "it is over");
    }
    let (mut band, mut reader) = started(247);
    assert_eq!(band.received(ServerToClient, &[0, 1]), Err(Code::Order), "its own");
    assert_eq!(reader.received(ClientToServer, &[0, 1]), Err(Code::Order), "its own");
}

#[test]
fn what_is_too_large() {
    let limit = |link: &mut Link, through, max_bytes| {
        for left in (0..=max_bytes).rev().step_by(100) {
            let chunk = [&[1], &[0; 100][..]].concat();
            match link.received(through, &chunk) {
                Ok(_) => assert!(left >= 100),
                Err(code) => {
                    assert_eq!((code, left < 100), (Code::TooLarge, true));
                    return;
                }
            }
        }
        unreachable!("a limit");
    };
    let (mut band, mut reader) = started(247);
    limit(&mut band, ClientToServer, MAX_REQUEST_BYTES);
    limit(&mut reader, ServerToClient, MAX_RESPONSE_BYTES);
}

/// ISO/IEC 18013-5:2021, 8.3.3.1.1.4, table 11.
#[test]
fn uuids() {
    let uuids = Characteristic::ALL.map(|characteristic| super::hex(&characteristic.uuid()));
    let due = |first: u8| format!("{first:08x}a12348ce896b4c76973373e6");
    assert_eq!(uuids, [due(1), due(2), due(3)]);
}
