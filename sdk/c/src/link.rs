//! Bluetooth Low Energy: what goes over the characteristics of the band's service.

use std::collections::VecDeque;
use std::mem::MaybeUninit;

use bandpass_proximity::ble::{self, Characteristic, Role, Value};

use crate::border::{Bytes, Held, Refusal, Slot, View, free, guarded};
use crate::code::Code;

/// Number of a characteristic: start and end. With these numbers their UUIDs begin,
/// `00000001-A123-48CE-896B-4C76973373E6`.
pub const STATE: u8 = 1;
/// Number of a characteristic: what the reader sends.
pub const CLIENT_TO_SERVER: u8 = 2;
/// Number of a characteristic: what the band sends.
pub const SERVER_TO_CLIENT: u8 = 3;

/// What a value meant.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The reader is ready; messages may come.
    Started,
    /// Part of a message.
    Chunk,
    /// A whole message.
    Message,
    /// The other side has ended the link.
    Ended,
}

/// One end of a connection in which both sides have subscribed and agreed on an MTU. What is refused ends it.
#[derive(Debug)]
pub struct Link(Held<Ends>);

#[derive(Debug)]
struct Ends {
    link: ble::Link,
    /// What is still to be sent.
    waiting: VecDeque<Value>,
}

/// The end of the band, GATT server.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_link_of_band(mtu: u16, link: Option<&mut MaybeUninit<Option<Box<Link>>>>) -> Refusal {
    connected(Role::Band, mtu, link)
}

/// The end of the reader, GATT client.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_link_of_reader(mtu: u16, link: Option<&mut MaybeUninit<Option<Box<Link>>>>) -> Refusal {
    connected(Role::Reader, mtu, link)
}

fn connected(role: Role, mtu: u16, link: Option<&mut MaybeUninit<Option<Box<Link>>>>) -> Refusal {
    guarded(|| {
        let slot = Slot::new(link)?;
        slot.fill(Link(Held::new(Ends { link: ble::Link::new(role, mtu)?, waiting: VecDeque::new() })));
        Ok(())
    })
}

/// Starts, as a reader does first. `bandpass_link_next` has what to send.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_link_start(link: Option<&Link>) -> Refusal {
    guarded(|| {
        Ok(held(link)?.with(|ends| {
            let value = ends.link.start()?;
            ends.waiting.push_back(value);
            Ok::<_, bandpass_proximity::Code>(())
        })??)
    })
}

/// Sends a message. `bandpass_link_next` has the values that it goes as.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_link_send(link: Option<&Link>, message: View) -> Refusal {
    guarded(|| {
        let message = message.get()?;
        Ok(held(link)?.with(|ends| {
            let values = ends.link.send(message)?;
            ends.waiting.extend(values);
            Ok::<_, bandpass_proximity::Code>(())
        })??)
    })
}

/// Ends the link. `bandpass_link_next` has the value that tells the other side, after what was still to be sent.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_link_end(link: Option<&Link>) -> Refusal {
    guarded(|| {
        Ok(held(link)?.with(|ends| {
            let value = ends.link.end();
            ends.waiting.push_back(value);
        })?)
    })
}

/// The next value to write to a characteristic without response (reader), or to notify of (band). `value` is null
/// when there is none.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_link_next(
    link: Option<&Link>,
    characteristic: Option<&mut MaybeUninit<u8>>,
    value: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (slot, characteristic) = (Slot::new(value)?, characteristic.ok_or(Code::Null)?);
        let number = characteristic.write(0);
        if let Some((through, value)) = held(link)?.with(|ends| ends.waiting.pop_front())? {
            *number = match through {
                Characteristic::State => STATE,
                Characteristic::ClientToServer => CLIENT_TO_SERVER,
                Characteristic::ServerToClient => SERVER_TO_CLIENT,
            };
            slot.fill(Bytes::new(value));
        }
        Ok(())
    })
}

/// Takes a value that came. `message` is null unless `event` is `BANDPASS_EVENT_MESSAGE`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_link_received(
    link: Option<&Link>,
    characteristic: u8,
    value: View,
    event: Option<&mut MaybeUninit<Event>>,
    message: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (slot, event) = (Slot::new(message)?, event.ok_or(Code::Null)?);
        let event = event.write(Event::Ended);
        let characteristic = match characteristic {
            STATE => Characteristic::State,
            CLIENT_TO_SERVER => Characteristic::ClientToServer,
            SERVER_TO_CLIENT => Characteristic::ServerToClient,
            _ => return Err(Code::Characteristic.into()),
        };
        let value = value.get()?;
        *event = match held(link)?.with(|ends| ends.link.received(characteristic, value))?? {
            ble::Event::Started => Event::Started,
            ble::Event::Chunk => Event::Chunk,
            ble::Event::Message(message) => {
                slot.fill(Bytes::new(message));
                Event::Message
            }
            ble::Event::Ended => Event::Ended,
        };
        Ok(())
    })
}

/// Frees a link, and makes the pointer null.
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_link_free(link: Option<&mut Option<Box<Link>>>) {
    free(link);
}

fn held(link: Option<&Link>) -> Result<&Held<Ends>, Code> {
    Ok(&link.ok_or(Code::Null)?.0)
}
