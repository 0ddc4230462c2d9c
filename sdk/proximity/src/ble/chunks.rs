//! Messages in chunks (ISO/IEC 18013-5:2021, 8.3.3.1.1.6).

use alloc::vec::Vec;

use crate::code::Code;

/// The smallest MTU (Bluetooth Core 5.2, 3.G.5.2.1): the one before any other is agreed on.
pub(super) const MIN_MTU: u16 = 23;
/// The longest value of an attribute, whatever the MTU (Bluetooth Core 5.2, 3.F.3.2.9).
const MAX_CHUNK: u16 = 512;

/// What a chunk begins with.
const LAST: u8 = 0;
const MORE: u8 = 1;

/// A message in chunks of at most MTU - 3 bytes, the first of which tells whether more come. The MTU is at least [`MIN_MTU`].
pub(super) fn chunks(message: &[u8], mtu: u16) -> impl Iterator<Item = Vec<u8>> {
    let parts = message.chunks(usize::from(MAX_CHUNK.min(mtu - 3)) - 1);
    let last = parts.len().saturating_sub(1);
    parts.enumerate().map(move |(place, part)| [&[if place == last { LAST } else { MORE }], part].concat())
}

/// Puts chunks together again.
#[derive(Debug)]
pub(super) struct Reassembly {
    message: Vec<u8>,
    max_bytes: usize,
}

impl Reassembly {
    /// Of messages that have at most so many bytes.
    pub(super) const fn new(max_bytes: usize) -> Self {
        Self { message: Vec::new(), max_bytes }
    }

    /// Takes the next chunk. With the last one of a message comes the message.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<Option<Vec<u8>>, Code> {
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
