//! `COSE_Sign1` and `COSE_Mac0` (RFC 9052, sections 4.2 and 6.2), and the CBOR in and around them.

use alloc::vec::Vec;
use core::convert::Infallible;

#[cfg(feature = "mdoc")]
use minicbor::data::Tag;
use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

use crate::jwk::PublicKey;
use crate::limits::{MAX_CBOR_MEMBERS, MAX_DEPTH};
use crate::memory::Memory;

/// Common header parameters (RFC 9052, section 3.1; RFC 9596; RFC 9360).
mod label {
    pub(super) const ALG: i64 = 1;
    pub(super) const CRIT: i64 = 2;
    pub(super) const KID: i64 = 4;
    pub(super) const TYP: i64 = 16;
    pub(super) const X5CHAIN: i64 = 33;
}

/// `alg` of ES256 (RFC 9053, section 2.1).
const ES256: i64 = -7;

/// The tag of `COSE_Sign1_Tagged`.
const SIGN1: u64 = 18;

/// The tag of CBOR in a byte string (RFC 8949, section 3.4.5.1).
#[cfg(feature = "mdoc")]
const EMBEDDED: u64 = 24;

/// A message that was parsed. Nothing in it is to be believed before it was verified.
pub(crate) struct Message<'a> {
    protected_bytes: &'a [u8],
    protected: Vec<(Label<'a>, &'a [u8])>,
    unprotected: Vec<(Label<'a>, &'a [u8])>,
    /// None if it is detached.
    pub(crate) payload: Option<&'a [u8]>,
    /// Signature or tag.
    pub(crate) authenticator: &'a [u8],
}

/// The key of a map's entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label<'a> {
    Number(i64),
    Text(&'a str),
}

impl<'a> Message<'a> {
    /// None if it is not a tagged `COSE_Sign1`, or has header parameters that must be understood.
    pub(crate) fn parse_tagged(bytes: &'a [u8]) -> Option<Self> {
        let mut tagged = Decoder::new(bytes);
        let is_sign1 = tagged.tag().ok()?.as_u64() == SIGN1;
        Self::parse(bytes.get(tagged.position()..).filter(|_| is_sign1)?)
    }

    /// None if it is not a `COSE_Sign1` or `COSE_Mac0` without a tag, or has header parameters that must be understood.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut message = Decoder::new(bytes);
        if message.array().ok()? != Some(4) {
            return None;
        }
        let protected_bytes = message.bytes().ok()?;
        let protected = match protected_bytes {
            [] => Vec::new(),
            encoded => map(encoded)?,
        };
        let unprotected = map(item(&mut message, 0)?)?;
        let payload = match message.datatype().ok()? {
            Type::Null => message.null().ok().map(|()| None)?,
            _ => Some(message.bytes().ok()?),
        };
        let authenticator = message.bytes().ok()?;
        if message.position() != bytes.len() {
            return None;
        }
        // RFC 9052, section 3: a label occurs once over both maps.
        let twice = protected.iter().any(|(label, _)| value(&unprotected, *label).is_some());
        let critical = [&protected, &unprotected].iter().any(|map| value(map, Label::Number(label::CRIT)).is_some());
        (!twice && !critical).then_some(Self { protected_bytes, protected, unprotected, payload, authenticator })
    }

    /// `alg`, where it has a number.
    pub(crate) fn algorithm(&self) -> Option<i64> {
        value(&self.protected, Label::Number(label::ALG)).and_then(number)
    }

    pub(crate) fn is_es256(&self) -> bool {
        self.algorithm() == Some(ES256)
    }

    /// `typ`, where it is a media type.
    pub(crate) fn media_type(&self) -> Option<&'a str> {
        value(&self.protected, Label::Number(label::TYP)).and_then(text)
    }

    pub(crate) fn kid(&self) -> Option<&'a [u8]> {
        let kid = Label::Number(label::KID);
        value(&self.protected, kid).or_else(|| value(&self.unprotected, kid)).and_then(bytes)
    }

    /// `x5chain`, in DER: one certificate, or an array of more. Empty if there is none, `None` if it is malformed.
    pub(crate) fn chain(&self) -> Option<Vec<Vec<u8>>> {
        let label = Label::Number(label::X5CHAIN);
        let Some(encoded) = value(&self.protected, label).or_else(|| value(&self.unprotected, label)) else {
            return Some(Vec::new());
        };
        if let Some(certificate) = bytes(encoded) {
            return Some([certificate.to_vec()].into());
        }
        let mut certificates = Decoder::new(encoded);
        let count = certificates.array().ok()?.filter(|count| (2..=MAX_CBOR_MEMBERS).contains(count))?;
        (0..count).map(|_| certificates.bytes().ok().map(<[u8]>::to_vec)).collect()
    }

    /// Whether it is this key's signature over this payload.
    pub(crate) fn verified_by(&self, key: &PublicKey, payload: &[u8]) -> bool {
        key.verifies(&self.authenticated("Signature1", payload), self.authenticator)
    }

    /// The same by a key that may verify often.
    pub(crate) fn verified_remembering(&self, key: &PublicKey, payload: &[u8], memory: &mut Memory) -> bool {
        memory.verifies(key, &self.authenticated("Signature1", payload), self.authenticator)
    }

    /// The `Sig_structure` or `MAC_structure` (RFC 9052, sections 4.4 and 6.3).
    pub(crate) fn authenticated(&self, context: &str, payload: &[u8]) -> Vec<u8> {
        encoded(|cbor| {
            cbor.array(4)?.str(context)?.bytes(self.protected_bytes)?.bytes(&[])?.bytes(payload)?;
            Ok(())
        })
    }
}

/// What minicbor writes to.
pub(crate) struct Buffer(pub(crate) Vec<u8>);

type Written = Result<(), minicbor::encode::Error<Infallible>>;

/// CBOR as `write` puts it. Writing to memory does not fail.
pub(crate) fn encoded(write: impl FnOnce(&mut Encoder<Buffer>) -> Written) -> Vec<u8> {
    let mut cbor = Encoder::new(Buffer(Vec::new()));
    match write(&mut cbor) {
        Ok(()) => cbor.into_writer().0,
        Err(_) => Vec::new(),
    }
}

/// CBOR in a byte string, tagged as such.
#[cfg(feature = "mdoc")]
pub(crate) fn embed(item: &[u8]) -> Vec<u8> {
    encoded(|cbor| {
        cbor.tag(Tag::new(EMBEDDED))?.bytes(item)?;
        Ok(())
    })
}

/// What [`embed`] made something of, with nothing behind it.
#[cfg(feature = "mdoc")]
pub(crate) fn embedded(encoded: &[u8]) -> Option<&[u8]> {
    let mut decoder = Decoder::new(encoded);
    let is_embedded = decoder.tag().ok()?.as_u64() == EMBEDDED;
    let inside = decoder.bytes().ok()?;
    (is_embedded && decoder.position() == encoded.len()).then_some(inside)
}

impl Write for Buffer {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// The entries of a map, each value as it is encoded. None if there is anything else, or a key occurs twice.
pub(crate) fn map(encoded: &[u8]) -> Option<Vec<(Label<'_>, &[u8])>> {
    map_of(encoded, MAX_CBOR_MEMBERS)
}

/// The same with as many entries as the caller allows.
pub(crate) fn map_of(encoded: &[u8], most: u64) -> Option<Vec<(Label<'_>, &[u8])>> {
    let mut decoder = Decoder::new(encoded);
    let count = decoder.map().ok()?.filter(|count| *count <= most)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let label = match decoder.datatype().ok()? {
            Type::String => Label::Text(decoder.str().ok()?),
            _ => Label::Number(decoder.int().ok()?.try_into().ok()?),
        };
        let encoded = item(&mut decoder, 0)?;
        if value(&entries, label).is_some() {
            return None;
        }
        entries.push((label, encoded));
    }
    (decoder.position() == encoded.len()).then_some(entries)
}

/// The items of an array, each as it is encoded. None if there is anything else.
#[cfg(feature = "mdoc")]
pub(crate) fn array(encoded: &[u8]) -> Option<Vec<&[u8]>> {
    let mut decoder = Decoder::new(encoded);
    let count = decoder.array().ok()??;
    // Each takes a byte at least, so that a count that is not true ends soon.
    let items = (0..count).map(|_| item(&mut decoder, 0)).collect::<Option<_>>()?;
    (decoder.position() == encoded.len()).then_some(items)
}

/// The next item as it is encoded. Definite lengths only, and no deeper than [`MAX_DEPTH`].
fn item<'a>(decoder: &mut Decoder<'a>, depth: usize) -> Option<&'a [u8]> {
    let start = decoder.position();
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
        // RFC 8949, section 3.3: what stands behind the first octet has a fixed length. Whether it is there is seen below.
        // @auth0/mdl has an undefined `kid` in its headers.
        Type::Bool | Type::Null | Type::Undefined => decoder.set_position(start + 1),
        Type::F32 => decoder.set_position(start + 5),
        Type::F64 => decoder.set_position(start + 9),
        _ => drop(decoder.int().ok()?),
    }
    if depth > MAX_DEPTH {
        return None;
    }
    for _ in 0..inside {
        item(decoder, depth + 1)?;
    }
    decoder.input().get(start..decoder.position())
}

pub(crate) fn value<'a>(map: &[(Label<'_>, &'a [u8])], label: Label<'_>) -> Option<&'a [u8]> {
    map.iter().find(|(found, _)| *found == label).map(|(_, value)| *value)
}

pub(crate) fn number(encoded: &[u8]) -> Option<i64> {
    Decoder::new(encoded).int().ok()?.try_into().ok()
}

pub(crate) fn text(encoded: &[u8]) -> Option<&str> {
    Decoder::new(encoded).str().ok()
}

pub(crate) fn bytes(encoded: &[u8]) -> Option<&[u8]> {
    Decoder::new(encoded).bytes().ok()
}
