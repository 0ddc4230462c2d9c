//! What goes over the characteristics, in which order (ISO/IEC 18013-5:2021, 8.3.3.1.1.5).

use alloc::vec::Vec;

use bandpass_core::limits::MAX_TOKEN_BYTES;

use super::Characteristic;
use super::chunks::{MIN_MTU, Reassembly, chunks};
use crate::code::Code;

/// Bytes of a message to a band. A request with a chain of reader certificates has some 4 KiB.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024;
/// Bytes of a message to a reader: the largest presentation, and what encryption adds.
pub const MAX_RESPONSE_BYTES: usize = MAX_TOKEN_BYTES + 64;

/// Values of the state characteristic.
const START: u8 = 1;
const END: u8 = 2;

/// Which end of the link this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// GATT server.
    Band,
    /// GATT client.
    Reader,
}

/// A value to write to a characteristic without response (reader), or to notify of (band).
pub type Value = (Characteristic, Vec<u8>);

/// What a value meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The reader is ready; messages may come.
    Started,
    /// Part of a message.
    Chunk,
    /// A whole message.
    Message(Vec<u8>),
    /// The other side has ended the link.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connected,
    Started,
    Ended,
}

/// One end of a connection in which both sides have subscribed and agreed on an MTU. What is refused ends it.
#[derive(Debug)]
pub struct Link {
    role: Role,
    mtu: u16,
    state: State,
    incoming: Reassembly,
}

impl Link {
    /// A connection with this MTU.
    ///
    /// # Errors
    /// [`Code::Mtu`] if it is below 23, which every device has.
    pub fn new(role: Role, mtu: u16) -> Result<Self, Code> {
        if mtu < MIN_MTU {
            return Err(Code::Mtu);
        }
        let max_bytes = match role {
            Role::Band => MAX_REQUEST_BYTES,
            Role::Reader => MAX_RESPONSE_BYTES,
        };
        Ok(Self { role, mtu, state: State::Connected, incoming: Reassembly::new(max_bytes) })
    }

    /// What a reader sends first.
    ///
    /// # Errors
    /// [`Code::Order`] if this is no reader, or it is not the first.
    pub fn start(&mut self) -> Result<Value, Code> {
        if (self.role, self.state) != (Role::Reader, State::Connected) {
            return Err(Code::Order);
        }
        self.state = State::Started;
        Ok((Characteristic::State, [START].into()))
    }

    /// The values that a message goes as, in this order. They have at most MTU - 3 bytes, and at most 512.
    ///
    /// # Errors
    /// [`Code::Order`] before the start or after the end.
    pub fn send(&self, message: &[u8]) -> Result<Vec<Value>, Code> {
        if self.state != State::Started {
            return Err(Code::Order);
        }
        let characteristic = match self.role {
            Role::Band => Characteristic::ServerToClient,
            Role::Reader => Characteristic::ClientToServer,
        };
        Ok(chunks(message, self.mtu).map(|chunk| (characteristic, chunk)).collect())
    }

    /// Ends the link; the value tells the other side.
    pub fn end(&mut self) -> Value {
        self.state = State::Ended;
        (Characteristic::State, [END].into())
    }

    /// Takes a value that came.
    ///
    /// # Errors
    /// [`Code::Order`], [`Code::State`], [`Code::Chunk`] or [`Code::TooLarge`]; the link is at its end then.
    pub fn received(&mut self, characteristic: Characteristic, value: &[u8]) -> Result<Event, Code> {
        let event = self.event(characteristic, value);
        match event {
            Ok(Event::Started) => self.state = State::Started,
            Ok(Event::Ended) | Err(_) => self.state = State::Ended,
            Ok(Event::Chunk | Event::Message(_)) => {}
        }
        event
    }

    fn event(&mut self, characteristic: Characteristic, value: &[u8]) -> Result<Event, Code> {
        use Characteristic::{ClientToServer, ServerToClient, State as StateOf};
        match (characteristic, self.role, self.state) {
            (_, _, State::Ended) => Err(Code::Order),
            (StateOf, Role::Band, State::Connected) if value == [START] => Ok(Event::Started),
            (StateOf, _, _) if value == [END] => Ok(Event::Ended),
            (StateOf, _, _) => Err(Code::State),
            (ClientToServer, Role::Band, State::Started) | (ServerToClient, Role::Reader, State::Started) => {
                Ok(self.incoming.push(value)?.map_or(Event::Chunk, Event::Message))
            }
            _ => Err(Code::Order),
        }
    }
}
