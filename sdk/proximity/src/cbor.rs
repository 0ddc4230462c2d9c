//! CBOR in its strict form: definite lengths, shortest heads, no key twice, nothing after the end.

use alloc::vec::Vec;
use core::convert::Infallible;

use bandpass_core::limits::{MAX_CBOR_MEMBERS, MAX_DEPTH};
use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

/// The tag of CBOR in a byte string (RFC 8949, section 3.4.5.1).
const ENCODED_CBOR: u64 = 24;

type Written = Result<(), minicbor::encode::Error<Infallible>>;

/// CBOR as `write` puts it. Writing to memory does not fail.
pub(crate) fn encoded(write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Written) -> Vec<u8> {
    let mut cbor = Encoder::new(Vec::new());
    match write(&mut cbor) {
        Ok(()) => cbor.into_writer(),
        Err(_) => Vec::new(),
    }
}

/// `#6.24(bstr .cbor T)`.
pub(crate) fn embedded(cbor: &[u8]) -> Vec<u8> {
    encoded(|writer| {
        writer.tag(Tag::new(ENCODED_CBOR))?.bytes(cbor)?;
        Ok(())
    })
}

/// The entries of a map: each key and each value as it is encoded. What is encoded in one way only is equal when its
/// bytes are.
pub(crate) struct Map<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Map<'a> {
    /// None if there is anything else, or a key occurs twice.
    pub(crate) fn read(encoded: &'a [u8]) -> Option<Self> {
        let mut decoder = whole(encoded)?;
        let count = decoder.map().ok()??;
        let mut entries = Self(Vec::new());
        for _ in 0..Some(count).filter(|count| *count <= MAX_CBOR_MEMBERS)? {
            let (key, value) = (item(&mut decoder, 0)?, item(&mut decoder, 0)?);
            if entries.get(key).is_some() {
                return None;
            }
            entries.0.push((key, value));
        }
        Some(entries)
    }

    /// The value of a key, both as they are encoded.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.0.iter().find(|(found, _)| *found == key).map(|(_, value)| *value)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The items of an array, each as it is encoded.
pub(crate) fn array(encoded: &[u8]) -> Option<Vec<&[u8]>> {
    let mut decoder = whole(encoded)?;
    let count = decoder.array().ok()??;
    (0..Some(count).filter(|count| *count <= MAX_CBOR_MEMBERS)?).map(|_| item(&mut decoder, 0)).collect()
}

pub(crate) fn bytes(encoded: &[u8]) -> Option<&[u8]> {
    whole(encoded)?.bytes().ok()
}

pub(crate) fn text(encoded: &[u8]) -> Option<&str> {
    whole(encoded)?.str().ok()
}

pub(crate) fn unsigned(encoded: &[u8]) -> Option<u64> {
    whole(encoded)?.u64().ok()
}

/// What is in a `#6.24(bstr .cbor T)`.
pub(crate) fn unembedded(encoded: &[u8]) -> Option<&[u8]> {
    let mut decoder = whole(encoded)?;
    (decoder.tag().ok()?.as_u64() == ENCODED_CBOR).then(|| decoder.bytes().ok())?
}

/// A decoder of one strict item, and nothing after it.
fn whole(encoded: &[u8]) -> Option<Decoder<'_>> {
    (item(&mut Decoder::new(encoded), 0)?.len() == encoded.len()).then(|| Decoder::new(encoded))
}

/// The next item as it is encoded.
fn item<'a>(decoder: &mut Decoder<'a>, depth: usize) -> Option<&'a [u8]> {
    let start = decoder.position();
    if depth > MAX_DEPTH || !is_shortest(decoder.input().get(start..)?) {
        return None;
    }
    let mut inside = 0;
    match decoder.datatype().ok()? {
        Type::Array => inside = decoder.array().ok()??,
        Type::Map => inside = decoder.map().ok()??.checked_mul(2)?,
        Type::Tag => {
            decoder.tag().ok()?;
            inside = 1;
        }
        Type::Bytes => drop(decoder.bytes().ok()?),
        Type::String => drop(decoder.str().ok()?),
        Type::Bool => drop(decoder.bool().ok()?),
        Type::Null => decoder.null().ok()?,
        _ => drop(decoder.int().ok()?),
    }
    for _ in 0..inside {
        item(decoder, depth + 1)?;
    }
    decoder.input().get(start..decoder.position())
}

/// Whether an item's head has no shorter form (RFC 8949, section 4.1).
fn is_shortest(item: &[u8]) -> bool {
    match item {
        [first, rest @ ..] => match (first & 0x1f, rest) {
            (24, [value, ..]) => *value >= 24,
            (25, [0, ..]) | (26, [0, 0, ..]) | (27, [0, 0, 0, 0, ..]) => false,
            _ => true,
        },
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_shorter_form_is_refused() {
        for strict in [&[0x17][..], &[0x18, 24], &[0x19, 1, 0], &[0x1a, 0, 1, 0, 0], &[0x41, 0], &[0x81, 0xf6], &[0xf5]]
        {
            assert!(whole(strict).is_some(), "{strict:x?}");
        }
        for refused in [
            &[][..],
            &[0x18, 23],
            &[0x19, 0, 255],
            &[0x1a, 0, 0, 255, 255],
            &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
            &[0x58, 1, 0],
            &[0x5f, 0x41, 0, 0xff],
            &[0x81, 0x18, 0],
            &[0x98, 1, 0],
            &[0xb8, 0],
            &[0xd8, 1, 0],
            &[0x82, 0],
            &[0, 0],
            &[0xf8, 20],
        ] {
            assert!(whole(refused).is_none(), "{refused:x?}");
        }
    }

    #[test]
    fn a_key_occurs_once() {
        assert_eq!(Map::read(&[0xa2, 0, 1, 1, 2]).expect("a map").get(&[1]), Some(&[2][..]));
        assert!(Map::read(&[0xa2, 0, 1, 0, 2]).is_none());
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth| [alloc::vec![0x81; depth], alloc::vec![0]].concat();
        assert!(whole(&nested(MAX_DEPTH)).is_some());
        assert!(whole(&nested(MAX_DEPTH + 1)).is_none());
        assert!(whole(&nested(100_000)).is_none());
    }
}
