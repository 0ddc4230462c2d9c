//! Making Token Status Lists (draft-ietf-oauth-status-list-21).

use minicbor::Encoder;
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::{Value, json};

use crate::{Key, base64url};

/// A status list in the making.
#[derive(Clone, Debug)]
pub struct StatusList {
    bits: u8,
    statuses: Vec<u8>,
}

impl StatusList {
    /// A list in which everybody is valid, for at least so many entries of 1, 2, 4 or 8 bits; none for other bits.
    #[must_use]
    pub fn new(bits: u8, entries: usize) -> Option<Self> {
        let per_byte = [8, 4, 2, 1].into_iter().find(|per_byte| usize::from(bits) * per_byte == 8)?;
        Some(Self { bits, statuses: vec![0; entries.div_ceil(per_byte)] })
    }

    /// Sets the status at an index. False, and nothing is changed, if the list is too short or the status too great.
    pub fn set(&mut self, index: usize, status: u8) -> bool {
        let first = index * usize::from(self.bits);
        let mask = u8::MAX >> (8 - self.bits);
        let Some(byte) = self.statuses.get_mut(first / 8).filter(|_| status <= mask) else {
            return false;
        };
        let shift = first % 8;
        *byte = *byte & !(mask << shift) | status << shift;
        true
    }

    /// ZLIB of the statuses (section 4.1).
    #[must_use]
    pub fn compressed(&self) -> Vec<u8> {
        const BEST: u8 = 9;
        compress_to_vec_zlib(&self.statuses, BEST)
    }

    /// The claim `status_list` of a JWT (section 4.2).
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"bits": self.bits, "lst": base64url(&self.compressed())})
    }

    /// The claim `status_list` of a CWT (section 4.3).
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        encoded(|cbor| {
            cbor.map(2)?.str("bits")?.u8(self.bits)?.str("lst")?.bytes(&self.compressed())?;
            Ok(())
        })
    }
}

/// Signs a `COSE_Sign1_Tagged` (RFC 9052, section 4.2) over CBOR maps that are encoded already: what they say is up to the
/// caller.
#[must_use]
pub fn sign1(key: &Key, protected: &[u8], unprotected: &[u8], payload: &[u8]) -> Vec<u8> {
    let signed = encoded(|cbor| {
        cbor.array(4)?.str("Signature1")?.bytes(protected)?.bytes(&[])?.bytes(payload)?;
        Ok(())
    });
    encoded(|cbor| {
        cbor.tag(minicbor::data::Tag::new(18))?.array(4)?.bytes(protected)?;
        cbor.writer_mut().extend_from_slice(unprotected);
        cbor.bytes(payload)?.bytes(&key.sign_bytes(&signed))?;
        Ok(())
    })
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

/// CBOR as `write` puts it. Writing to memory does not fail.
pub fn encoded(write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Written) -> Vec<u8> {
    let mut cbor = Encoder::new(Vec::new());
    match write(&mut cbor) {
        Ok(()) => cbor.into_writer(),
        Err(_) => Vec::new(),
    }
}
