//! `SessionTranscript` (ISO/IEC 18013-5:2021, 9.1.5.1).

use alloc::vec::Vec;

use crate::cbor;

/// How the device engagement came to the reader.
pub(crate) enum Handover {
    /// As QR code.
    Qr,
    /// By NFC: the handover select message, and of a negotiated handover the request message before it.
    Nfc { select: Vec<u8>, request: Option<Vec<u8>> },
}

/// `SessionTranscriptBytes`, of `DeviceEngagement` and `EReaderKey` as they were sent.
pub(crate) fn transcript(device_engagement: &[u8], reader_key: &[u8], handover: &Handover) -> Vec<u8> {
    let transcript = cbor::encoded(|cbor| {
        cbor.array(3)?;
        cbor.writer_mut().extend(cbor::embedded(device_engagement));
        cbor.writer_mut().extend(cbor::embedded(reader_key));
        match handover {
            Handover::Qr => cbor.null()?,
            Handover::Nfc { select, request: None } => cbor.array(2)?.bytes(select)?.null()?,
            Handover::Nfc { select, request: Some(request) } => cbor.array(2)?.bytes(select)?.bytes(request)?,
        };
        Ok(())
    });
    cbor::embedded(&transcript)
}
