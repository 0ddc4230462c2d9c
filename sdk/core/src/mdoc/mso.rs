//! The `MobileSecurityObject` (section 9.1.2.4), once its signature holds.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use minicbor::Decoder;

use super::response::Entries;
use crate::age::date_time;
use crate::cose::{self, Label};
use crate::credential::time_error;
use crate::error::{Code, Error};
use crate::expected::Challenge;
use crate::jwk::PublicKey;
use crate::limits::{MAX_DIGESTS, MAX_INTEGER};
use crate::status::Reference;

/// What the issuer signed.
pub(super) struct Mso<'d, 'a> {
    pub(super) members: &'d Entries<'a>,
}

/// What it says of the credential.
pub(super) struct Info<'a> {
    pub(super) doctype: &'a str,
    pub(super) signed: u64,
    valid_from: u64,
    pub(super) valid_until: u64,
    pub(super) status: Option<Reference>,
}

/// `valueDigests` of one namespace.
pub(super) type Digests<'a> = Vec<(Label<'a>, &'a [u8])>;

/// A hash algorithm (table 21).
#[derive(Clone, Copy)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The device's key, and what it may sign (section 9.1.2.4, `DeviceKeyInfo`).
pub(super) struct DeviceKey<'a> {
    pub(super) x: [u8; 32],
    pub(super) y: [u8; 32],
    pub(super) key: PublicKey,
    name_spaces: Vec<&'a str>,
    elements: Vec<(&'a str, Vec<&'a str>)>,
}

/// The tag of a time as text (RFC 8949, section 3.4.1).
const DATE_TIME: u64 = 0;

impl<'a> Mso<'_, 'a> {
    pub(super) fn hash(&self) -> Result<Hash, Error> {
        match self.member("digestAlgorithm").and_then(cose::text) {
            Some("SHA-256") => Ok(Hash::Sha256),
            Some("SHA-384") => Ok(Hash::Sha384),
            Some("SHA-512") => Ok(Hash::Sha512),
            other => {
                let error = Error::new(Code::DisclosureAlgorithm, "elements are hashed with another algorithm");
                Err(error.claim("digestAlgorithm").actual(other.unwrap_or_default()))
            }
        }
    }

    /// The digests of each namespace.
    pub(super) fn digests(&self) -> Result<Vec<(&'a str, Digests<'a>)>, Error> {
        let by_namespace = |(label, digests): (Label<'a>, &'a [u8])| match label {
            Label::Text(name) => Some((name, cose::map_of(digests, MAX_DIGESTS)?)),
            Label::Number(_) => None,
        };
        let digests = self.member("valueDigests").and_then(cose::map);
        let digests = digests.and_then(|digests| digests.into_iter().map(by_namespace).collect());
        digests.ok_or_else(|| {
            Error::new(Code::DisclosureDigest, "`valueDigests` is not a map of digests").claim("valueDigests")
        })
    }

    pub(super) fn info(&self) -> Result<Info<'a>, Error> {
        if self.member("version").and_then(cose::text) != Some("1.0") {
            return Err(claim_error("version"));
        }
        let doctype = self.member("docType").and_then(cose::text).ok_or_else(|| claim_error("docType"))?;
        let validity = self.member("validityInfo").and_then(cose::map).ok_or_else(|| claim_error("validityInfo"))?;
        let time = |name| cose::value(&validity, Label::Text(name)).and_then(time).ok_or_else(|| claim_error(name));
        let (signed, valid_from, valid_until) = (time("signed")?, time("validFrom")?, time("validUntil")?);
        if valid_from < signed || valid_until < valid_from {
            return Err(claim_error("validityInfo"));
        }
        let status = match self.member("status") {
            None => None,
            Some(status) => reference(status)?,
        };
        Ok(Info { doctype, signed, valid_from, valid_until, status })
    }

    pub(super) fn device_key(&self) -> Result<DeviceKey<'a>, Error> {
        let error =
            |claim| Error::new(Code::HolderUnbound, "the credential names no holder key for ES256").claim(claim);
        let info = self.member("deviceKeyInfo").and_then(cose::map).ok_or_else(|| error("deviceKeyInfo"))?;
        let member = |name| cose::value(&info, Label::Text(name));
        let (x, y) = member("deviceKey").and_then(coordinates).ok_or_else(|| error("deviceKey"))?;
        let key = PublicKey::from_coordinates(x, y).ok_or_else(|| error("deviceKey"))?;
        let (name_spaces, elements) = match member("keyAuthorizations") {
            None => (Vec::new(), Vec::new()),
            Some(encoded) => authorizations(encoded).ok_or_else(|| error("keyAuthorizations"))?,
        };
        Ok(DeviceKey { x, y, key, name_spaces, elements })
    }

    fn member(&self, name: &str) -> Option<&'a [u8]> {
        cose::value(self.members, Label::Text(name))
    }
}

impl Info<'_> {
    pub(super) fn check_validity(&self, challenge: &Challenge) -> Result<(), Error> {
        let (now, tolerance) = (challenge.now(), challenge.tolerance());
        let latest = now.saturating_add(tolerance);
        // Never later than `valid_from`: what was signed in the future is not valid yet either.
        if self.valid_from > latest {
            let why = "the credential is not valid yet";
            return Err(time_error(Code::CredentialNotYetValid, why, "validFrom", latest, self.valid_from));
        }
        if now >= self.valid_until.saturating_add(tolerance) {
            let why = "the credential has expired";
            return Err(time_error(Code::CredentialExpired, why, "validUntil", now, self.valid_until));
        }
        Ok(())
    }
}

impl DeviceKey<'_> {
    /// `KeyAuthorizations`.
    pub(super) fn may_sign(&self, name_space: &str, element: &str) -> bool {
        let listed = |(name, elements): &(&str, Vec<&str>)| *name == name_space && elements.contains(&element);
        self.name_spaces.contains(&name_space) || self.elements.iter().any(listed)
    }
}

/// x and y of a `COSE_Key` on P-256 (RFC 9053, section 7.1.1), with both coordinates.
pub(super) fn coordinates(encoded: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let key = cose::map(encoded)?;
    let member = |label| cose::value(&key, Label::Number(label));
    let is_p256 = member(1).and_then(cose::number) == Some(2) && member(-1).and_then(cose::number) == Some(1);
    let coordinate = |label| member(label).and_then(cose::bytes)?.try_into().ok();
    Some((coordinate(-2).filter(|_| is_p256)?, coordinate(-3)?))
}

/// Namespaces that a key may sign whole, and elements of others.
type Authorized<'a> = (Vec<&'a str>, Vec<(&'a str, Vec<&'a str>)>);

fn authorizations(encoded: &[u8]) -> Option<Authorized<'_>> {
    let members = cose::map(encoded)?;
    let name_spaces = match cose::value(&members, Label::Text("nameSpaces")) {
        None => Vec::new(),
        Some(found) => texts(found)?,
    };
    let mut elements = Vec::new();
    if let Some(found) = cose::value(&members, Label::Text("dataElements")) {
        for (label, names) in cose::map(found)? {
            let Label::Text(name_space) = label else { return None };
            elements.push((name_space, texts(names)?));
        }
    }
    Some((name_spaces, elements))
}

fn texts(encoded: &[u8]) -> Option<Vec<&str>> {
    cose::array(encoded)?.into_iter().map(cose::text).collect()
}

/// Draft-ietf-oauth-status-list-21, section 6.3. Other status mechanisms are passed over.
fn reference(encoded: &[u8]) -> Result<Option<Reference>, Error> {
    let error = || claim_error("status.status_list");
    let members = cose::map(encoded).ok_or_else(error)?;
    let Some(list) = cose::value(&members, Label::Text("status_list")) else { return Ok(None) };
    let list = cose::map(list).ok_or_else(error)?;
    let member = |name| cose::value(&list, Label::Text(name));
    let index = member("idx").and_then(cose::number).and_then(|index| u64::try_from(index).ok());
    let index = index.filter(|index| *index <= MAX_INTEGER).ok_or_else(error)?;
    let uri = member("uri").and_then(cose::text).filter(|uri| !uri.is_empty()).ok_or_else(error)?;
    Ok(Some(Reference { uri: uri.to_owned(), index }))
}

fn claim_error(claim: &str) -> Error {
    Error::new(Code::CredentialClaim, "a member of the credential is missing, or of the wrong type").claim(claim)
}

/// `tdate`, without fractions of seconds and in UTC (section 9.1.2.4).
fn time(encoded: &[u8]) -> Option<u64> {
    let mut decoder = Decoder::new(encoded);
    let is_time = decoder.tag().ok()?.as_u64() == DATE_TIME;
    date_time(decoder.str().ok().filter(|_| is_time)?)
}
