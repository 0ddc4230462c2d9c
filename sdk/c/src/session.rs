//! The encrypted session between band and reader.

use std::convert::Infallible;
use std::mem::MaybeUninit;

use bandpass_proximity::{self as proximity, EphemeralKey};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::SecretKey;
use p256::elliptic_curve::rand_core::{TryCryptoRng, TryRng};
use p256::elliptic_curve::zeroize::Zeroizing;
use serde_json::json;

use crate::border::{Bytes, Held, Refusal, Slot, View, free, guarded, text};
use crate::code::Code;

/// An ephemeral key for one session, which uses it up.
#[derive(Debug)]
pub struct Key(Held<EphemeralKey>);

/// A band that has been engaged with, and waits for a reader.
#[derive(Debug)]
pub struct Band(Held<proximity::Band>);

/// A reader that has a band's engagement.
#[derive(Debug)]
pub struct Reader(Held<proximity::Reader>);

/// An encrypted session. Whatever is refused ends it.
#[derive(Debug)]
pub struct Session(Held<proximity::Session>);

/// What came from the other side.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A request or a response.
    Data,
    /// The same, and nothing comes after it: the session is over.
    Last,
    /// The session is over. Like every status this is not authenticated, and says nothing of who ended it.
    End,
}

/// A fresh key, by the operating system's random bytes.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_key_generate(key: Option<&mut MaybeUninit<Option<Box<Key>>>>) -> Refusal {
    guarded(|| {
        let slot = Slot::new(key)?;
        let mut bytes = Zeroizing::new([0; 32]);
        let made = loop {
            getrandom::fill(&mut *bytes).map_err(|_| Code::Random)?;
            if let Some(key) = known(&bytes) {
                break key;
            }
        };
        slot.fill(Key(Held::new(made)));
        Ok(())
    })
}

/// A key from 32 bytes that are known: for vectors, and for devices with a generator of their own. A session whose
/// key came before, or can be guessed, protects nothing.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_key_from_known_bytes(
    bytes: View,
    key: Option<&mut MaybeUninit<Option<Box<Key>>>>,
) -> Refusal {
    guarded(|| {
        let slot = Slot::new(key)?;
        let bytes = Zeroizing::new(bytes.array()?);
        slot.fill(Key(Held::new(known(&bytes).ok_or(Code::Key)?)));
        Ok(())
    })
}

/// Frees a key, and makes the pointer null.
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_key_free(key: Option<&mut Option<Box<Key>>>) {
    free(key);
}

/// Engages by a tap. `service`: 16 random bytes, the UUID of the service that the band advertises, fresh for each
/// engagement. Uses up the key.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_band_by_nfc(
    key: Option<&Key>,
    service: View,
    band: Option<&mut MaybeUninit<Option<Box<Band>>>>,
) -> Refusal {
    guarded(|| {
        let (slot, service) = (Slot::new(band)?, service.array()?);
        slot.fill(Band(Held::new(proximity::Band::by_nfc(taken(key)?, service))));
        Ok(())
    })
}

/// Engages by a QR code. `service` is as in `bandpass_band_by_nfc`. Uses up the key.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_band_by_qr(
    key: Option<&Key>,
    service: View,
    band: Option<&mut MaybeUninit<Option<Box<Band>>>>,
) -> Refusal {
    guarded(|| {
        let (slot, service) = (Slot::new(band)?, service.array()?);
        slot.fill(Band(Held::new(proximity::Band::by_qr(taken(key)?, service))));
        Ok(())
    })
}

/// Engages by a handover whose messages were made elsewhere. `request` is that of a negotiated one; null, of length
/// 0, if there is none. Uses up the key.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_band_by_handover(
    key: Option<&Key>,
    select: View,
    request: View,
    band: Option<&mut MaybeUninit<Option<Box<Band>>>>,
) -> Refusal {
    guarded(|| {
        let (slot, select) = (Slot::new(band)?, select.get()?.to_vec());
        let request = request.get_any()?.map(<[u8]>::to_vec);
        slot.fill(Band(Held::new(proximity::Band::by_handover(taken(key)?, select, request)?)));
        Ok(())
    })
}

/// What the reader is to get: the handover select message, or what the QR code says.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_band_engagement(
    band: Option<&Band>,
    engagement: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let slot = Slot::new(engagement)?;
        let engagement = band.ok_or(Code::Null)?.0.with(|band| match band.handover_select() {
            Some(select) => select.to_vec(),
            None => band.qr_code().unwrap_or_default().into_bytes(),
        })?;
        slot.fill(Bytes::new(engagement));
        Ok(())
    })
}

/// Takes the reader's `SessionEstablishment`; with the session comes its request. Uses up the band, whatever comes of
/// it: who sends a wrong message has the owner tap again.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_band_establish(
    band: Option<&Band>,
    message: View,
    session: Option<&mut MaybeUninit<Option<Box<Session>>>>,
    request: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (session, request, message) = (Slot::new(session), Slot::new(request), message.get()?);
        let (session, request, band) = (session?, request?, band.ok_or(Code::Null)?.0.take()?);
        let (established, asked) = band.establish(message)?;
        session.fill(Session(Held::new(established)));
        request.fill(Bytes::new(asked));
        Ok(())
    })
}

/// Frees a band, and makes the pointer null.
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_band_free(band: Option<&mut Option<Box<Band>>>) {
    free(band);
}

/// A reader, by a handover select message as it was read from the band. `request` is what was sent before in a
/// negotiated handover; null, of length 0, if nothing was.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_reader_by_nfc(
    select: View,
    request: View,
    reader: Option<&mut MaybeUninit<Option<Box<Reader>>>>,
) -> Refusal {
    guarded(|| {
        let slot = Slot::new(reader)?;
        slot.fill(Reader(Held::new(proximity::Reader::by_nfc(select.get()?, request.get_any()?)?)));
        Ok(())
    })
}

/// A reader, by what a QR code says.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_reader_by_qr(code: View, reader: Option<&mut MaybeUninit<Option<Box<Reader>>>>) -> Refusal {
    guarded(|| {
        let slot = Slot::new(reader)?;
        let code = str::from_utf8(code.get()?).map_err(|_| proximity::Code::Engagement)?;
        slot.fill(Reader(Held::new(proximity::Reader::by_qr(code)?)));
        Ok(())
    })
}

/// The UUID of the service that the band advertises: 16 bytes.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_reader_service(
    reader: Option<&Reader>,
    service: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let slot = Slot::new(service)?;
        slot.fill(Bytes::new(reader.ok_or(Code::Null)?.0.with(|reader| reader.service())??));
        Ok(())
    })
}

/// `SessionTranscriptBytes` of the session that reader and key establish: what a first request is signed over by a
/// reader that says who it is. Uses up neither.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_reader_transcript(
    reader: Option<&Reader>,
    key: Option<&Key>,
    transcript: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let slot = Slot::new(transcript)?;
        let (reader, key) = (reader.ok_or(Code::Null)?, key.ok_or(Code::Null)?);
        slot.fill(Bytes::new(reader.0.with(|reader| key.0.with(|key| reader.transcript(key)))??));
        Ok(())
    })
}

/// Establishes the session with a first request. `message` is the `SessionEstablishment` to send. Uses up reader and
/// key, whatever comes of it.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_reader_establish(
    reader: Option<&Reader>,
    key: Option<&Key>,
    request: View,
    session: Option<&mut MaybeUninit<Option<Box<Session>>>>,
    message: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (session, message, request) = (Slot::new(session), Slot::new(message), request.get()?);
        let (session, message, reader) = (session?, message?, reader.ok_or(Code::Null)?);
        let key = taken(key)?;
        let (established, establishment) = reader.0.take()?.establish(key, request)?;
        session.fill(Session(Held::new(established)));
        message.fill(Bytes::new(establishment));
        Ok(())
    })
}

/// Frees a reader, and makes the pointer null.
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_reader_free(reader: Option<&mut Option<Box<Reader>>>) {
    free(reader);
}

/// Encrypts a request or a response into a `SessionData` message.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_session_seal(
    session: Option<&Session>,
    plain: View,
    message: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (slot, plain) = (Slot::new(message)?, plain.get()?);
        slot.fill(Bytes::new(held(session)?.with(|session| session.seal(plain))??));
        Ok(())
    })
}

/// The same, and terminates the session (status 20).
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_session_seal_last(
    session: Option<&Session>,
    plain: View,
    message: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (slot, plain) = (Slot::new(message)?, plain.get()?);
        slot.fill(Bytes::new(held(session)?.with(|session| session.seal_last(plain))??));
        Ok(())
    })
}

/// Decrypts a `SessionData` message. `plain` is null where `received` is `BANDPASS_RECEIVED_END`. After a refusal the
/// session is over, and `bandpass_reply` has what to tell the other side.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_session_open(
    session: Option<&Session>,
    message: View,
    received: Option<&mut MaybeUninit<Received>>,
    plain: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (slot, received) = (Slot::new(plain)?, received.ok_or(Code::Null)?);
        let received = received.write(Received::End);
        let message = message.get()?;
        let (kind, plain) = match held(session)?.with(|session| session.open(message))?? {
            proximity::Received::Data(plain) => (Received::Data, plain),
            proximity::Received::Last(plain) => (Received::Last, plain),
            proximity::Received::End => return Ok(()),
        };
        *received = kind;
        slot.fill(Bytes::new(plain));
        Ok(())
    })
}

/// Ends the session; the message says so to the other side (status 20).
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_session_terminate(
    session: Option<&Session>,
    message: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let slot = Slot::new(message)?;
        slot.fill(Bytes::new(held(session)?.with(proximity::Session::terminate)?));
        Ok(())
    })
}

/// To be called when the transport has closed. `session.cut` if the session was not over: what the other side still
/// had to say is missing.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_session_closed(session: Option<&Session>) -> Refusal {
    guarded(|| Ok(held(session)?.with(proximity::Session::closed)??))
}

/// `SessionTranscriptBytes`: what band and reader sign or authenticate in this session.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_session_transcript(
    session: Option<&Session>,
    transcript: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let slot = Slot::new(transcript)?;
        slot.fill(Bytes::new(held(session)?.with(|session| session.transcript().to_vec())?));
        Ok(())
    })
}

/// SHA-256 of the transcript, 32 bytes: what the band profile calls `session`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_session_digest(
    session: Option<&Session>,
    digest: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let slot = Slot::new(digest)?;
        slot.fill(Bytes::new(held(session)?.with(|session| session.digest())?));
        Ok(())
    })
}

/// The `binding` of a request for `bandpass_verifier_verify` (JSON): what is shown must have been made for this
/// session. A reader's has the private half of its ephemeral key in it, which checking a MAC takes: a secret.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_session_binding(
    session: Option<&Session>,
    binding: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let slot = Slot::new(binding)?;
        let binding = held(session)?.with(|session| {
            let base64url = Base64UrlUnpadded::encode_string;
            let mut binding = json!({"type": "proximity", "sessionTranscript": base64url(session.transcript())});
            if let (Some(key), Some(members)) = (session.reader_key(), binding.as_object_mut()) {
                members.insert("readerKey".into(), base64url(key).into());
            }
            binding.to_string()
        })?;
        slot.fill(Bytes::new(binding));
        Ok(())
    })
}

/// Frees a session, and makes the pointer null.
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_session_free(session: Option<&mut Option<Box<Session>>>) {
    free(session);
}

/// The message that tells the other side of a refusal, where the standard has a status for it (10 or 11); null where
/// it has none. `code` is what `bandpass_session_open` or `bandpass_band_establish` returned.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_reply(code: Refusal, message: Option<&mut MaybeUninit<Option<Box<Bytes>>>>) -> Refusal {
    guarded(|| {
        let (slot, code) = (Slot::new(message)?, text(code));
        let code = proximity::Code::ALL.iter().find(|known| Some(known.as_c_str()) == code);
        if let Some(reply) = code.and_then(|code| code.reply()) {
            slot.fill(Bytes::new(reply));
        }
        Ok(())
    })
}

fn held(session: Option<&Session>) -> Result<&Held<proximity::Session>, Code> {
    Ok(&session.ok_or(Code::Null)?.0)
}

fn taken(key: Option<&Key>) -> Result<EphemeralKey, Code> {
    key.ok_or(Code::Null)?.0.take()
}

/// None if these bytes are no key.
fn known(bytes: &[u8; 32]) -> Option<EphemeralKey> {
    SecretKey::from_slice(bytes).ok()?;
    Some(EphemeralKey::generate(&mut Known(bytes)))
}

/// A generator that gives a key which is known.
struct Known<'a>(&'a [u8; 32]);

impl TryRng for Known<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("keys are filled")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("keys are filled")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Known<'_> {}
