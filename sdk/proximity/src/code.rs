//! Why a session is refused, or ended.

use alloc::vec::Vec;

use crate::message::{SessionData, Status};

bandpass_core::codes! {
    /// The NFC handover is not a well-formed handover select message with a device engagement in it.
    Handover = "session.handover" in "ISO/IEC 18013-5, 8.2.2.1",
    /// The device engagement is malformed.
    Engagement = "session.engagement" in "ISO/IEC 18013-5, 8.2.1.1",
    /// The device engagement is of another version or cipher suite.
    Unsupported = "session.unsupported" in "ISO/IEC 18013-5, 8.2.1.1",
    /// The band does not offer Bluetooth Low Energy in mdoc peripheral server mode.
    Carrier = "session.carrier" in "ISO/IEC 18013-5, 8.2.1.1",
    /// An ephemeral public key is not an uncompressed point of P-256.
    Key = "session.key" in "ISO/IEC 18013-5, 9.1.1.4",
    /// The handover that a band is to engage by is for another key than the band's.
    OtherKey = "session.other-key" in "ISO/IEC 18013-5, 9.1.1.4",
    /// The MTU is smaller than any that Bluetooth Low Energy has.
    Mtu = "session.mtu" in "Bluetooth Core 5.2, 3.G.5.2.1",
    /// A value came on a characteristic that is not for it, before the session was started, or after its end.
    Order = "session.order" in "ISO/IEC 18013-5, 8.3.3.1.1.5",
    /// The state characteristic got a value that is neither start nor end, or start a second time.
    State = "session.state" in "ISO/IEC 18013-5, 8.3.3.1.1.5",
    /// A chunk of a message is empty, or begins with neither 0 nor 1.
    Chunk = "session.chunk" in "ISO/IEC 18013-5, 8.3.3.1.1.6",
    /// A message passes the limit on its size.
    TooLarge = "session.too-large" in "limit",
    /// A message is not a well-formed `SessionEstablishment` or `SessionData`.
    Malformed = "session.malformed" in "ISO/IEC 18013-5, 9.1.1.4",
    /// A message does not decrypt: changed, sent again, in another order, or by somebody else.
    Encryption = "session.encryption" in "ISO/IEC 18013-5, 9.1.1.5",
    /// A message has a status code that the standard does not know.
    Status = "session.status" in "ISO/IEC 18013-5, 9.1.1.4",
    /// The other side could not decrypt a message (status 10).
    PeerEncryption = "session.peer-encryption" in "ISO/IEC 18013-5, 9.1.1.4",
    /// The other side could not decode a message (status 11).
    PeerDecoding = "session.peer-decoding" in "ISO/IEC 18013-5, 9.1.1.4",
    /// The transport closed before the session was terminated.
    Cut = "session.cut" in "ISO/IEC 18013-5, 9.1.1.4",
    /// The session is over.
    Ended = "session.ended" in "ISO/IEC 18013-5, 9.1.1.4",
    /// As many messages were encrypted as there are counters.
    Exhausted = "session.exhausted" in "ISO/IEC 18013-5, 9.1.1.5",
}

impl core::error::Error for Code {}

impl Code {
    /// The message that tells the other side, where the standard has a status for this: 10 or 11.
    #[must_use]
    pub fn reply(self) -> Option<Vec<u8>> {
        let status = match self {
            Self::Encryption => Status::Encryption,
            Self::Malformed | Self::Key | Self::Status => Status::Decoding,
            _ => return None,
        };
        Some(SessionData { data: None, status: Some(status) }.encode())
    }
}
