//! The messages of a session (ISO/IEC 18013-5:2021, 9.1.1.4).

use alloc::vec::Vec;

use crate::cbor::{self, Map};
use crate::code::Code;

/// Keys of the messages' maps, as they are encoded.
const READER_KEY: &[u8] = b"\x6aeReaderKey";
const DATA: &[u8] = b"\x64data";
const STATUS: &[u8] = b"\x66status";

/// Status codes; each terminates the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// 10: a message could not be decrypted.
    Encryption,
    /// 11: a message could not be decoded.
    Decoding,
    /// 20: all was said.
    Termination,
}

/// The reader's first message.
pub(crate) struct SessionEstablishment<'a> {
    /// `COSE_Key`.
    pub(crate) reader_key: &'a [u8],
    pub(crate) data: &'a [u8],
}

impl<'a> SessionEstablishment<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        cbor::encoded(|cbor| {
            let writer = cbor.map(2)?.writer_mut();
            writer.extend([READER_KEY, &cbor::embedded(self.reader_key), DATA].concat());
            cbor.bytes(self.data)?;
            Ok(())
        })
    }

    pub(crate) fn read(message: &'a [u8]) -> Result<Self, Code> {
        let read = || {
            let members = Map::read(message).filter(|members| members.len() == 2)?;
            let reader_key = cbor::unembedded(members.get(READER_KEY)?)?;
            Some(Self { reader_key, data: cbor::bytes(members.get(DATA)?)? })
        };
        read().ok_or(Code::Malformed)
    }
}

/// Every other message, of both sides.
pub(crate) struct SessionData<'a> {
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) status: Option<Status>,
}

impl<'a> SessionData<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        cbor::encoded(|cbor| {
            cbor.map(u64::from(self.data.is_some()) + u64::from(self.status.is_some()))?;
            if let Some(data) = self.data {
                cbor.str("data")?.bytes(data)?;
            }
            if let Some(status) = self.status {
                cbor.str("status")?.u8(match status {
                    Status::Encryption => 10,
                    Status::Decoding => 11,
                    Status::Termination => 20,
                })?;
            }
            Ok(())
        })
    }

    /// A status that tells of an error has no data beside it.
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, Code> {
        let members = Map::read(message).ok_or(Code::Malformed)?;
        let data = members.get(DATA).map(|data| cbor::bytes(data).ok_or(Code::Malformed)).transpose()?;
        let status = members.get(STATUS).map(|status| match cbor::unsigned(status).ok_or(Code::Malformed)? {
            10 => Ok(Status::Encryption),
            11 => Ok(Status::Decoding),
            20 => Ok(Status::Termination),
            _ => Err(Code::Status),
        });
        let status = status.transpose()?;
        let known = usize::from(data.is_some()) + usize::from(status.is_some());
        let contradicts = data.is_some() && status.is_some_and(|status| status != Status::Termination);
        if known == 0 || known != members.len() || contradicts {
            return Err(Code::Malformed);
        }
        Ok(Self { data, status })
    }
}
