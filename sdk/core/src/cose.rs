//! `COSE_Sign1` (RFC 9052, section 4.2), ES256 only, and the CBOR maps in it.

use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

use crate::jwk::PublicKey;
use crate::limits::{MAX_CBOR_MEMBERS, MAX_DEPTH};

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

/// A signed message that was parsed. Nothing in it is to be believed before [`Sign1::verified_by`] said yes.
pub(crate) struct Sign1<'a> {
    protected: Vec<(Label<'a>, &'a [u8])>,
    unprotected: Vec<(Label<'a>, &'a [u8])>,
    pub(crate) payload: &'a [u8],
    /// The `Sig_structure` (RFC 9052, section 4.4).
    signed: Vec<u8>,
    signature: &'a [u8],
}

/// The key of a map's entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label<'a> {
    Number(i64),
    Text(&'a str),
}

impl<'a> Sign1<'a> {
    /// None if it is not a tagged `COSE_Sign1` with its payload in it, or has header parameters that must be understood.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut message = Decoder::new(bytes);
        if message.tag().ok()?.as_u64() != SIGN1 || message.array().ok()? != Some(4) {
            return None;
        }
        let protected_bytes = message.bytes().ok()?;
        let protected = match protected_bytes {
            [] => Vec::new(),
            encoded => map(encoded)?,
        };
        let unprotected = map(item(&mut message, 0)?)?;
        let payload = message.bytes().ok()?;
        let signature = message.bytes().ok()?;
        if message.position() != bytes.len() {
            return None;
        }
        // RFC 9052, section 3: a label occurs once over both maps.
        let twice = protected.iter().any(|(label, _)| value(&unprotected, *label).is_some());
        let critical = [&protected, &unprotected].iter().any(|map| value(map, Label::Number(label::CRIT)).is_some());
        if twice || critical {
            return None;
        }
        let mut signed = Encoder::new(Buffer(Vec::new()));
        signed.array(4).ok()?.str("Signature1").ok()?.bytes(protected_bytes).ok()?;
        signed.bytes(&[]).ok()?.bytes(payload).ok()?;
        Some(Self { protected, unprotected, payload, signed: signed.into_writer().0, signature })
    }

    pub(crate) fn is_es256(&self) -> bool {
        value(&self.protected, Label::Number(label::ALG)).and_then(number) == Some(ES256)
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

    pub(crate) fn verified_by(&self, key: &PublicKey) -> bool {
        key.verifies(&self.signed, self.signature)
    }
}

/// What minicbor writes to.
struct Buffer(Vec<u8>);

impl Write for Buffer {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// The entries of a map, each value as it is encoded. None if there is anything else, or a key occurs twice.
pub(crate) fn map(encoded: &[u8]) -> Option<Vec<(Label<'_>, &[u8])>> {
    let mut decoder = Decoder::new(encoded);
    let count = decoder.map().ok()?.filter(|count| *count <= MAX_CBOR_MEMBERS)?;
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
        Type::Bool | Type::Null => decoder.set_position(start + 1),
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
