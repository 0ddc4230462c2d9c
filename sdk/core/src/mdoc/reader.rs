//! Readers that say who they are (section 9.1.4): the holder's side, which answers nobody else.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use const_oid::ObjectIdentifier;

use super::session::{array, text};
use crate::cose::{self, Label, Message};
use crate::limits::{MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_PRESENTATIONS, MAX_TOKEN_BYTES};
use crate::x509::{self, Certificate};

/// id-mdl-kp-mdlReaderAuth: authenticates readers (annex B.1.7).
const READER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.0.18013.5.1.6");

/// Why a reader's request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReaderError {
    /// Not a well-formed `DeviceRequest`, or one without reader authentication.
    Malformed,
    /// The reader's certificates lead to none of the roots that are valid now, or are not for readers.
    Untrusted,
    /// The reader's signature does not verify: another key, another session or another request.
    Signature,
}

impl ReaderError {
    /// Stable code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "reader.malformed",
            Self::Untrusted => "reader.untrusted",
            Self::Signature => "reader.signature",
        }
    }
}

impl fmt::Display for ReaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for ReaderError {}

/// Authorities whose readers are answered.
#[derive(Clone, Debug)]
pub struct ReaderRoots(Vec<Vec<u8>>);

impl ReaderRoots {
    /// Of certificates in DER, each of an authority.
    ///
    /// # Errors
    /// [`ReaderError::Untrusted`] if one is none.
    pub fn from_der(roots: &[Vec<u8>]) -> Result<Self, ReaderError> {
        let certificates = x509::read(roots).map_err(|_| ReaderError::Untrusted)?;
        match certificates.iter().all(Certificate::signs_certificates) {
            true => Ok(Self(roots.to_vec())),
            false => Err(ReaderError::Untrusted),
        }
    }
}

/// What an authenticated reader asks for of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedElements {
    /// `docType`.
    pub doctype: String,
    /// For each namespace the elements.
    pub name_spaces: Vec<(String, Vec<String>)>,
}

/// What a reader asks for, once every part of its request was signed for this session by a reader under these roots.
///
/// `device_request`: the `DeviceRequest` (section 8.3.2.1.2.1). `session_transcript`: `SessionTranscriptBytes`, tagged. `now`:
/// seconds since 1970.
///
/// # Errors
/// A [`ReaderError`].
pub fn verify_reader_auth(
    device_request: &[u8],
    session_transcript: &[u8],
    roots: &ReaderRoots,
    now: u64,
) -> Result<Vec<RequestedElements>, ReaderError> {
    let requests = requests(device_request).ok_or(ReaderError::Malformed)?;
    let transcript = cose::embedded(session_transcript).ok_or(ReaderError::Malformed)?;
    for (items, auth, _) in &requests {
        let chain = auth.chain().filter(|chain| !chain.is_empty()).ok_or(ReaderError::Malformed)?;
        let is_too_large = chain.len() > MAX_CERTIFICATES || chain.iter().any(|der| der.len() > MAX_CERTIFICATE_BYTES);
        let certificates = x509::read(&chain).map_err(|_| ReaderError::Untrusted)?;
        let (leaf, others) = certificates.split_first().ok_or(ReaderError::Malformed)?;
        let is_reader = leaf.signs()
            && leaf.has_purpose(&[READER.as_bytes().to_vec()])
            && others.iter().all(Certificate::signs_certificates);
        let key = leaf.key().filter(|_| is_reader && !is_too_large).ok_or(ReaderError::Untrusted)?;
        x509::verify_path(&chain, &roots.0, now).map_err(|_| ReaderError::Untrusted)?;
        // 9.1.4.4: ReaderAuthenticationBytes.
        let signed = cose::embed(&array(&[text("ReaderAuthentication"), transcript.to_vec(), items.to_vec()]));
        if !auth.is_es256() || !auth.verified_by(&key, &signed) {
            return Err(ReaderError::Signature);
        }
    }
    Ok(requests.into_iter().map(|(_, _, requested)| requested).collect())
}

/// Each `ItemsRequestBytes`, tagged, with its signature and what it says. None if anything is malformed.
fn requests(device_request: &[u8]) -> Option<Vec<(&[u8], Message<'_>, RequestedElements)>> {
    let request = cose::map(device_request).filter(|_| device_request.len() <= MAX_TOKEN_BYTES)?;
    if cose::value(&request, Label::Text("version")).and_then(cose::text)? != "1.0" {
        return None;
    }
    let documents = cose::value(&request, Label::Text("docRequests")).and_then(cose::array)?;
    if documents.is_empty() || documents.len() > MAX_PRESENTATIONS {
        return None;
    }
    let mut requests = Vec::new();
    for document in documents {
        let document = cose::map(document)?;
        let items = cose::value(&document, Label::Text("itemsRequest"))?;
        let auth = cose::value(&document, Label::Text("readerAuth")).and_then(Message::parse)?;
        let requested = requested(cose::embedded(items)?).filter(|_| auth.payload.is_none())?;
        requests.push((items, auth, requested));
    }
    Some(requests)
}

/// `ItemsRequest`.
fn requested(encoded: &[u8]) -> Option<RequestedElements> {
    let items = cose::map(encoded)?;
    let doctype = cose::value(&items, Label::Text("docType")).and_then(cose::text)?.to_owned();
    let mut name_spaces = Vec::new();
    for (label, elements) in cose::value(&items, Label::Text("nameSpaces")).and_then(cose::map)? {
        let name = |(label, _): (Label<'_>, &[u8])| match label {
            Label::Text(name) => Some(name.to_owned()),
            Label::Number(_) => None,
        };
        name_spaces
            .push((name((label, elements))?, cose::map(elements)?.into_iter().map(name).collect::<Option<_>>()?));
    }
    Some(RequestedElements { doctype, name_spaces })
}
