//! Device engagement (ISO/IEC 18013-5:2021, 8.2.1 and 8.2.2), and the sessions that come of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::PublicKey;

use crate::ble::Uuid;
use crate::cbor::{self, Map};
use crate::cipher::Side;
use crate::code::Code;
use crate::key::{EphemeralKey, public_key};
use crate::message::SessionEstablishment;
use crate::ndef;
use crate::session::Session;
use crate::transcript::{Handover, transcript};

/// What a device engagement in a QR code begins with (section 8.2.2.3).
const QR_SCHEME: &str = "mdoc:";

/// A band that has been engaged with, and waits for a reader.
pub struct Band {
    key: EphemeralKey,
    device_engagement: Vec<u8>,
    handover: Handover,
}

impl Band {
    /// Engages by a tap: static handover to Bluetooth Low Energy in mdoc peripheral server mode. `service` is fresh: who
    /// sees it twice knows the band again.
    #[must_use]
    pub fn by_nfc(key: EphemeralKey, service: Uuid) -> Self {
        let device_engagement = device_engagement(&key, None);
        let select = ndef::handover_select(&device_engagement, service);
        Self { key, device_engagement, handover: Handover::Nfc { select, request: None } }
    }

    /// Engages by a handover whose messages were made elsewhere, `request` in a negotiated one.
    ///
    /// # Errors
    /// If the select message is malformed, or its device engagement is not for this key.
    pub fn by_handover(key: EphemeralKey, select: Vec<u8>, request: Option<Vec<u8>>) -> Result<Self, Code> {
        let device_engagement = ndef::Selected::read(&select)?.device_engagement.to_vec();
        if Some(DeviceEngagement::read(&device_engagement)?.key) != public_key(&key.cose_key()) {
            return Err(Code::OtherKey);
        }
        Ok(Self { key, device_engagement, handover: Handover::Nfc { select, request } })
    }

    /// Engages by a QR code: Bluetooth Low Energy in mdoc peripheral server mode.
    #[must_use]
    pub fn by_qr(key: EphemeralKey, service: Uuid) -> Self {
        Self { device_engagement: device_engagement(&key, Some(service)), key, handover: Handover::Qr }
    }

    /// The handover select message, an NDEF message, that the reader gets by a tap.
    #[must_use]
    pub fn handover_select(&self) -> Option<&[u8]> {
        match &self.handover {
            Handover::Nfc { select, .. } => Some(select),
            Handover::Qr => None,
        }
    }

    /// What the QR code says.
    #[must_use]
    pub fn qr_code(&self) -> Option<String> {
        let encoded = || [QR_SCHEME, &Base64UrlUnpadded::encode_string(&self.device_engagement)].concat();
        matches!(self.handover, Handover::Qr).then(encoded)
    }

    /// Takes the reader's `SessionEstablishment`; with the session comes its request. There is one attempt: who sends a
    /// wrong message has the owner tap again.
    ///
    /// # Errors
    /// Whatever is wrong with it; [`Code::reply`] tells the reader.
    pub fn establish(self, message: &[u8]) -> Result<(Session, Vec<u8>), Code> {
        let SessionEstablishment { reader_key, data } = SessionEstablishment::read(message)?;
        let transcript = transcript(&self.device_engagement, reader_key, &self.handover);
        let reader_key = public_key(reader_key).ok_or(Code::Key)?;
        let mut session = Session::derive(Side::Band, self.key, &reader_key, transcript);
        let request = session.open_data(data)?;
        Ok((session, request))
    }
}

impl fmt::Debug for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Band").finish_non_exhaustive()
    }
}

/// A reader that has a band's engagement.
pub struct Reader {
    device_key: PublicKey,
    device_engagement: Vec<u8>,
    handover: Handover,
    service: Option<Uuid>,
}

impl Reader {
    /// By a handover select message, as it was read from the band; in a negotiated handover `request` is what was sent
    /// before.
    ///
    /// # Errors
    /// If the message or the device engagement in it is malformed or not supported.
    pub fn by_nfc(select: &[u8], request: Option<&[u8]>) -> Result<Self, Code> {
        let ndef::Selected { device_engagement, service } = ndef::Selected::read(select)?;
        Ok(Self {
            device_key: DeviceEngagement::read(device_engagement)?.key,
            device_engagement: device_engagement.to_vec(),
            handover: Handover::Nfc { select: select.to_vec(), request: request.map(<[u8]>::to_vec) },
            service,
        })
    }

    /// By what a QR code says.
    ///
    /// # Errors
    /// If the device engagement is malformed or not supported.
    pub fn by_qr(text: &str) -> Result<Self, Code> {
        let decoded = text.strip_prefix(QR_SCHEME).map(Base64UrlUnpadded::decode_vec);
        let device_engagement = decoded.and_then(Result::ok).ok_or(Code::Engagement)?;
        let DeviceEngagement { key, service } = DeviceEngagement::read(&device_engagement)?;
        Ok(Self { device_key: key, device_engagement, handover: Handover::Qr, service })
    }

    /// The service that the band advertises, in mdoc peripheral server mode.
    ///
    /// # Errors
    /// [`Code::Carrier`] if it offers no such service.
    pub fn service(&self) -> Result<Uuid, Code> {
        self.service.ok_or(Code::Carrier)
    }

    /// `SessionTranscriptBytes` of the session that this key establishes: what the reader's own authentication in its request
    /// is made over.
    #[must_use]
    pub fn transcript(&self, key: &EphemeralKey) -> Vec<u8> {
        transcript(&self.device_engagement, &key.cose_key(), &self.handover)
    }

    /// Establishes the session with a first request; the message is the `SessionEstablishment` to send.
    ///
    /// # Errors
    /// [`Code::TooLarge`] if no such request can be encrypted.
    pub fn establish(self, key: EphemeralKey, request: &[u8]) -> Result<(Session, Vec<u8>), Code> {
        let reader_key = key.cose_key();
        let transcript = transcript(&self.device_engagement, &reader_key, &self.handover);
        let mut session = Session::derive(Side::Reader, key, &self.device_key, transcript);
        let data = session.seal_data(request)?;
        Ok((session, SessionEstablishment { reader_key: &reader_key, data: &data }.encode()))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("service", &self.service).finish_non_exhaustive()
    }
}

/// `DeviceEngagement`; the transport is in it only if it comes as QR code.
fn device_engagement(key: &EphemeralKey, service: Option<Uuid>) -> Vec<u8> {
    cbor::encoded(|cbor| {
        cbor.map(2 + u64::from(service.is_some()))?.u8(0)?.str("1.0")?;
        cbor.u8(1)?.array(2)?.u8(1)?.writer_mut().extend(cbor::embedded(&key.cose_key()));
        if let Some(service) = service {
            cbor.u8(2)?.array(1)?.array(3)?.u8(2)?.u8(1)?;
            cbor.map(3)?.u8(0)?.bool(true)?.u8(1)?.bool(false)?.u8(10)?.bytes(&service)?;
        }
        Ok(())
    })
}

/// What is needed of a `DeviceEngagement`. Members for future use are let pass, as section 8.2.1.1 has it.
struct DeviceEngagement {
    key: PublicKey,
    /// Of mdoc peripheral server mode.
    service: Option<Uuid>,
}

impl DeviceEngagement {
    fn read(encoded: &[u8]) -> Result<Self, Code> {
        let members = Map::read(encoded).ok_or(Code::Engagement)?;
        let version = members.get(&[0]).and_then(cbor::text).ok_or(Code::Engagement)?;
        let security = members.get(&[1]).and_then(cbor::array).ok_or(Code::Engagement)?;
        let [suite, key] = security[..] else { return Err(Code::Engagement) };
        if !version.starts_with("1.") || suite != [1] {
            return Err(Code::Unsupported);
        }
        let service = match members.get(&[2]) {
            Some(methods) => service(methods)?,
            None => None,
        };
        let key = cbor::unembedded(key).ok_or(Code::Engagement)?;
        Ok(Self { key: public_key(key).ok_or(Code::Key)?, service })
    }
}

/// The first service in mdoc peripheral server mode among the `DeviceRetrievalMethods`.
fn service(methods: &[u8]) -> Result<Option<Uuid>, Code> {
    let mut first = None;
    for method in cbor::array(methods).ok_or(Code::Engagement)? {
        let method = cbor::array(method).ok_or(Code::Engagement)?;
        let [kind, version, options] = method[..] else { return Err(Code::Engagement) };
        // Type 2 in version 1: Bluetooth Low Energy.
        if (kind, version) != (&[2], &[1]) {
            continue;
        }
        let options = Map::read(options).ok_or(Code::Engagement)?;
        // CBOR's true.
        if options.get(&[0]).ok_or(Code::Engagement)? == [0xf5] {
            let uuid = options.get(&[10]).and_then(cbor::bytes).and_then(|uuid| uuid.try_into().ok());
            first = first.or(Some(uuid.ok_or(Code::Engagement)?));
        }
    }
    Ok(first)
}
