//! Taking a `DeviceResponse` apart (section 8.3.2.1.2.2). Nothing is verified here.

use alloc::vec::Vec;

use crate::cose::{self, Label, Message};
use crate::error::{Code, Error};
use crate::limits::{MAX_DISCLOSURES, MAX_PRESENTATIONS, MAX_TOKEN_BYTES};

/// A document of a response.
pub(crate) struct Document<'a> {
    pub(super) doctype: &'a str,
    /// For each namespace `IssuerSignedItemBytes`, tagged.
    pub(super) name_spaces: Vec<(&'a str, Vec<&'a [u8]>)>,
    pub(super) issuer_auth: Message<'a>,
    /// `MobileSecurityObjectBytes`, tagged.
    pub(super) mso_bytes: &'a [u8],
    /// What is in them.
    pub(super) mso: Entries<'a>,
    pub(super) device_signed: Option<DeviceSigned<'a>>,
}

/// What the device signed.
pub(super) struct DeviceSigned<'a> {
    /// `DeviceNameSpacesBytes`, tagged.
    pub(super) name_spaces_bytes: &'a [u8],
    pub(super) name_spaces: Vec<(&'a str, Entries<'a>)>,
    pub(super) auth: Message<'a>,
    pub(super) is_mac: bool,
}

/// The entries of a map, each value as it is encoded.
pub(super) type Entries<'a> = Vec<(Label<'a>, &'a [u8])>;

/// The documents of a response, at least one.
///
/// # Errors
/// `token.*`.
pub(crate) fn documents(response: &[u8]) -> Result<Vec<Document<'_>>, Error> {
    if response.len() > MAX_TOKEN_BYTES {
        return Err(too_large("the token has too many bytes"));
    }
    let members = members(response, &["version", "documents", "documentErrors", "status"], "DeviceResponse")?;
    let version = member(&members, "version").and_then(cose::text).ok_or_else(|| malformed("version"))?;
    if version != "1.0" {
        let error = Error::new(Code::TokenUnsupported, "the response is of another version");
        return Err(error.claim("version").expected("1.0").actual(version));
    }
    if member(&members, "status").and_then(cose::number).ok_or_else(|| malformed("status"))? != 0 {
        return Err(Error::new(Code::TokenStatus, "the wallet says that it could not answer").claim("status"));
    }
    if let Some(errors) = member(&members, "documentErrors") {
        cose::array(errors).ok_or_else(|| malformed("documentErrors"))?;
    }
    let missing = || Error::new(Code::TokenMissing, "the response has no document");
    let encoded = cose::array(member(&members, "documents").ok_or_else(missing)?);
    let encoded = encoded.ok_or_else(|| malformed("documents"))?;
    if encoded.len() > MAX_PRESENTATIONS {
        return Err(too_large("the response has too many documents"));
    }
    if encoded.is_empty() {
        return Err(missing());
    }
    encoded.into_iter().map(Document::parse).collect()
}

impl<'a> Document<'a> {
    pub(crate) fn doctype(&self) -> &'a str {
        self.doctype
    }

    fn parse(encoded: &'a [u8]) -> Result<Self, Error> {
        let document = members(encoded, &["docType", "issuerSigned", "deviceSigned", "errors"], "Document")?;
        let doctype = member(&document, "docType").and_then(cose::text).ok_or_else(|| malformed("docType"))?;
        if member(&document, "errors").is_some_and(|errors| cose::map(errors).is_none()) {
            return Err(malformed("errors"));
        }
        let issuer_signed = member(&document, "issuerSigned").ok_or_else(|| malformed("issuerSigned"))?;
        let issuer_signed = members(issuer_signed, &["nameSpaces", "issuerAuth"], "issuerSigned")?;
        let name_spaces = match member(&issuer_signed, "nameSpaces") {
            None => Vec::new(),
            Some(encoded) => by_namespace(encoded, cose::array).ok_or_else(|| malformed("issuerSigned.nameSpaces"))?,
        };
        if name_spaces.iter().map(|(_, items)| items.len()).sum::<usize>() > MAX_DISCLOSURES {
            return Err(too_large("the token has too many disclosures"));
        }
        let issuer_auth = || malformed("issuerAuth");
        let signed = member(&issuer_signed, "issuerAuth").and_then(Message::parse).ok_or_else(issuer_auth)?;
        let mso_bytes = signed.payload.ok_or_else(issuer_auth)?;
        let mso = cose::embedded(mso_bytes).and_then(cose::map).ok_or_else(issuer_auth)?;
        let device_signed = member(&document, "deviceSigned").map(DeviceSigned::parse).transpose()?;
        Ok(Self { doctype, name_spaces, issuer_auth: signed, mso_bytes, mso, device_signed })
    }
}

impl<'a> DeviceSigned<'a> {
    fn parse(encoded: &'a [u8]) -> Result<Self, Error> {
        let signed = members(encoded, &["nameSpaces", "deviceAuth"], "deviceSigned")?;
        let name_spaces_bytes = member(&signed, "nameSpaces").ok_or_else(|| malformed("deviceSigned.nameSpaces"))?;
        let name_spaces = cose::embedded(name_spaces_bytes).and_then(|encoded| by_namespace(encoded, cose::map));
        let name_spaces = name_spaces.ok_or_else(|| malformed("deviceSigned.nameSpaces"))?;
        let auth = || malformed("deviceAuth");
        let device_auth = cose::map(member(&signed, "deviceAuth").ok_or_else(auth)?).ok_or_else(auth)?;
        let (message, is_mac) = match device_auth.as_slice() {
            [(Label::Text("deviceSignature"), message)] => (*message, false),
            [(Label::Text("deviceMac"), message)] => (*message, true),
            _ => return Err(auth()),
        };
        // 9.1.3.4: the payload is detached.
        let message = Message::parse(message).filter(|message| message.payload.is_none()).ok_or_else(auth)?;
        Ok(Self { name_spaces_bytes, name_spaces, auth: message, is_mac })
    }
}

/// A map from namespaces, with what `read` makes of each value, which must not be empty.
fn by_namespace<'a, T>(encoded: &'a [u8], read: fn(&'a [u8]) -> Option<Vec<T>>) -> Option<Vec<(&'a str, Vec<T>)>> {
    let entry = |(label, value): (Label<'a>, &'a [u8])| match label {
        Label::Text(name) => Some((name, read(value).filter(|items| !items.is_empty())?)),
        Label::Number(_) => None,
    };
    cose::map(encoded)?.into_iter().map(entry).collect()
}

/// A map with no members but those that are known: under another name one would count as left out.
fn members<'a>(encoded: &'a [u8], known: &[&str], what: &str) -> Result<Entries<'a>, Error> {
    let members = cose::map(encoded).ok_or_else(|| malformed(what))?;
    let is_known = |label: &Label<'_>| matches!(label, Label::Text(name) if known.contains(name));
    match members.iter().all(|(label, _)| is_known(label)) {
        true => Ok(members),
        false => Err(malformed(what)),
    }
}

fn member<'a>(members: &Entries<'a>, name: &str) -> Option<&'a [u8]> {
    cose::value(members, Label::Text(name))
}

fn malformed(what: &str) -> Error {
    Error::new(Code::TokenMalformed, "the token is not a well-formed `DeviceResponse`").claim(what)
}

fn too_large(why: &'static str) -> Error {
    Error::new(Code::TokenTooLarge, why)
}
