//! A session that is established.

use alloc::vec::Vec;
use core::fmt;

use p256::PublicKey;
use p256::elliptic_curve::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};

use crate::cipher::{Opening, Sealing, Side};
use crate::code::Code;
use crate::key::EphemeralKey;
use crate::message::{SessionData, Status};

/// An encrypted session (ISO/IEC 18013-5:2021, 9.1.1). Whatever is refused ends it, and what encrypts is gone then.
pub struct Session {
    /// None once it is over.
    halves: Option<(Sealing, Opening)>,
    transcript: Vec<u8>,
    reader_key: Option<Zeroizing<[u8; 32]>>,
}

/// What came from the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A request or a response.
    Data(Vec<u8>),
    /// The same, and nothing comes after it: the session is over.
    Last(Vec<u8>),
    /// The session is over. Like every status this is not authenticated, and says nothing of who ended it.
    End,
}

impl Session {
    /// Derives the keys (section 9.1.1.5), for the side that has `key`.
    pub(crate) fn derive(side: Side, key: EphemeralKey, other: &PublicKey, transcript: Vec<u8>) -> Self {
        let derived = key.agree(other).extract::<Sha256>(Some(&Sha256::digest(&transcript)));
        let expand = |info: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            #[expect(clippy::expect_used, reason = "HKDF gives up to 255 times 32 bytes")]
            derived.expand(info, &mut *key).expect("32 bytes");
            key
        };
        let (band, reader) = (expand(b"SKDevice"), expand(b"SKReader"));
        let (halves, reader_key) = match side {
            Side::Band => ((Sealing::new(side, &band), Opening::new(Side::Reader, &reader)), None),
            Side::Reader => {
                let reader_key = Zeroizing::new(key.into_bytes());
                ((Sealing::new(side, &reader), Opening::new(Side::Band, &band)), Some(reader_key))
            }
        };
        Self { halves: Some(halves), transcript, reader_key }
    }

    /// Encrypts a request or a response into a `SessionData` message.
    ///
    /// # Errors
    /// [`Code::Ended`] if the session is over, [`Code::Exhausted`] after 2^32 - 1 messages.
    pub fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, Code> {
        let data = self.seal_data(plain)?;
        Ok(SessionData { data: Some(&data), status: None }.encode())
    }

    /// The same, and terminates the session (status 20).
    ///
    /// # Errors
    /// As [`Session::seal`].
    pub fn seal_last(&mut self, plain: &[u8]) -> Result<Vec<u8>, Code> {
        let data = self.seal_data(plain)?;
        self.halves = None;
        Ok(SessionData { data: Some(&data), status: Some(Status::Termination) }.encode())
    }

    /// Ends the session; the message says so to the other side (status 20).
    pub fn terminate(&mut self) -> Vec<u8> {
        self.halves = None;
        SessionData { data: None, status: Some(Status::Termination) }.encode()
    }

    /// Decrypts a `SessionData` message.
    ///
    /// # Errors
    /// Whatever is wrong with it; the session is over then, and [`Code::reply`] tells the other side.
    pub fn open(&mut self, message: &[u8]) -> Result<Received, Code> {
        // Taken out: what returns early leaves the session ended.
        let mut halves = self.halves.take().ok_or(Code::Ended)?;
        let message = SessionData::read(message)?;
        let plain = message.data.map(|data| halves.1.open(data)).transpose()?;
        match (plain, message.status) {
            (Some(plain), None) => {
                self.halves = Some(halves);
                Ok(Received::Data(plain))
            }
            (Some(plain), Some(_)) => Ok(Received::Last(plain)),
            (None, Some(Status::Encryption)) => Err(Code::PeerEncryption),
            (None, Some(Status::Decoding)) => Err(Code::PeerDecoding),
            (None, _) => Ok(Received::End),
        }
    }

    /// To be called when the transport has closed.
    ///
    /// # Errors
    /// [`Code::Cut`] if the session was not over: what the other side still had to say is missing.
    pub fn closed(&mut self) -> Result<(), Code> {
        self.halves.take().map_or(Ok(()), |_| Err(Code::Cut))
    }

    /// `SessionTranscriptBytes` (section 9.1.5.1): what band and reader sign or authenticate in this session.
    #[must_use]
    pub fn transcript(&self) -> &[u8] {
        &self.transcript
    }

    /// SHA-256 of [`Session::transcript`]: what the band profile calls `session`.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.transcript).into()
    }

    /// The private half of `EReaderKey`, which checking a `DeviceMac` takes (section 9.1.3.5); none in a band. A secret.
    #[must_use]
    pub fn reader_key(&self) -> Option<&[u8; 32]> {
        self.reader_key.as_deref()
    }

    /// Ends the session if it fails.
    pub(crate) fn seal_data(&mut self, plain: &[u8]) -> Result<Vec<u8>, Code> {
        let mut halves = self.halves.take().ok_or(Code::Ended)?;
        let data = halves.0.seal(plain)?;
        self.halves = Some(halves);
        Ok(data)
    }

    /// Ends the session if it fails.
    pub(crate) fn open_data(&mut self, data: &[u8]) -> Result<Vec<u8>, Code> {
        let mut halves = self.halves.take().ok_or(Code::Ended)?;
        let plain = halves.1.open(data)?;
        self.halves = Some(halves);
        Ok(plain)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("is_over", &self.halves.is_none()).finish_non_exhaustive()
    }
}
