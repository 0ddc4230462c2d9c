//! Messages in chunks (ISO/IEC 18013-5:2021, 8.3.3.1.1.6).

use alloc::vec::Vec;

use crate::code::Code;

/// The smallest MTU (Bluetooth Core 5.2, 3.F.3.2.8): the one before any other is agreed on.
pub const MIN_MTU: u16 = 23;
/// The longest value of an attribute, whatever the MTU (Bluetooth Core 5.2, 3.F.3.2.9).
pub const MAX_CHUNK: u16 = 512;

/// What a chunk begins with.
const LAST: u8 = 0;
const MORE: u8 = 1;

/// A message in chunks of at most MTU - 3 bytes, the first of which tells whether more come. An empty message has none.
///
/// # Errors
/// [`Code::Mtu`] if the MTU is below [`MIN_MTU`].
pub fn chunks(message: &[u8], mtu: u16) -> Result<impl Iterator<Item = Vec<u8>>, Code> {
    if mtu < MIN_MTU {
        return Err(Code::Mtu);
    }
    let room = usize::from(MAX_CHUNK.min(mtu - 3)) - 1;
    let count = message.len().div_ceil(room);
    let prefix = move |place| if place + 1 == count { LAST } else { MORE };
    Ok(message.chunks(room).enumerate().map(move |(place, part)| [&[prefix(place)], part].concat()))
}

/// Puts chunks together again.
#[derive(Debug)]
pub struct Reassembly {
    message: Vec<u8>,
    max_bytes: usize,
}

impl Reassembly {
    /// Of messages that have at most so many bytes.
    #[must_use]
    pub const fn new(max_bytes: usize) -> Self {
        Self { message: Vec::new(), max_bytes }
    }

    /// Takes the next chunk. With the last one of a message comes the message.
    ///
    /// # Errors
    /// [`Code::Chunk`], or [`Code::TooLarge`] with the chunk that is too much.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<Vec<u8>>, Code> {
        let (more, part) = match chunk {
            [MORE, part @ ..] => (true, part),
            [LAST, part @ ..] => (false, part),
            _ => return Err(Code::Chunk),
        };
        if part.is_empty() {
            return Err(Code::Chunk);
        }
        if part.len() > self.max_bytes - self.message.len() {
            return Err(Code::TooLarge);
        }
        self.message.extend(part);
        Ok((!more).then(|| core::mem::take(&mut self.message)))
    }
}
