//! Certificates of issuers (RFC 5280), with P-256 keys and ECDSA over SHA-256.
//!
//! `rustls-webpki` builds and checks the path. Read here is what it passes over: for what use a certificate is, its subject,
//! its key.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
    alg_id,
};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};

#[cfg(feature = "mdoc")]
use crate::age::date_time;
use crate::jwk::PublicKey;

/// id-ce-keyUsage and id-ce-extKeyUsage, 2.5.29.15 and .37 (RFC 5280, section 4.2.1).
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// id-ce-authorityKeyIdentifier, 2.5.29.35, and its `keyIdentifier` (RFC 5280, section 4.2.1.1).
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];
const KEY_ID: u8 = 0x80;
/// anyExtendedKeyUsage, 2.5.29.37.0 (RFC 5280, section 4.2.1.12).
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 37, 0];
/// Bits of `KeyUsage` as they stand in its first octet (RFC 5280, section 4.2.1.3).
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_CERT_SIGN: u8 = 0x04;
/// Tags (X.680, section 8.6; RFC 5280, section 4.1).
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const EXTENSIONS: u8 = 0xa3;
#[cfg(feature = "mdoc")]
const UTC_TIME: u8 = 0x17;
#[cfg(feature = "mdoc")]
const GENERALIZED_TIME: u8 = 0x18;

/// A certificate that was read. Who vouches for it is for [`verify_path`] to find out.
pub(crate) struct Certificate<'a> {
    #[cfg_attr(not(feature = "mdoc"), expect(dead_code, reason = "webpki checks it"))]
    validity: Item<'a>,
    subject: Item<'a>,
    spki: Item<'a>,
    key_usage: Option<u8>,
    purposes: Option<Vec<Item<'a>>>,
    authority_key_id: Option<Item<'a>>,
}

impl<'a> Certificate<'a> {
    /// None if it is not DER of a certificate, as far as it is read here.
    fn parse(der: &'a [u8]) -> Option<Self> {
        let certificate = parts(only(der)?)?;
        let tbs = parts(*certificate.first()?)?;
        // Only version 3 gets through webpki, so that the version is there.
        let [_version, _serial, _algorithm, _issuer, validity, subject, spki, rest @ ..] = tbs.as_slice() else {
            return None;
        };
        let mut certificate = Self {
            validity: *validity,
            subject: *subject,
            spki: *spki,
            key_usage: None,
            purposes: None,
            authority_key_id: None,
        };
        let Some(extensions) = rest.iter().find(|item| item.tag == EXTENSIONS) else { return Some(certificate) };
        for extension in parts(*parts(*extensions)?.first()?)? {
            let extension = parts(extension)?;
            let value = only(extension.last()?.value);
            match extension.first()?.value {
                // A BIT STRING: how many bits of the last octet are unused, then the octets.
                KEY_USAGE => certificate.key_usage = Some(value?.value.get(1).copied().unwrap_or_default()),
                EXTENDED_KEY_USAGE => certificate.purposes = Some(parts(value?)?),
                AUTHORITY_KEY_ID => {
                    certificate.authority_key_id = parts(value?)?.into_iter().find(|part| part.tag == KEY_ID);
                }
                _ => {}
            }
        }
        Some(certificate)
    }

    /// The key, if it is on P-256.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        let spki = parts(self.spki)?;
        let is_p256 = spki.first()?.value == alg_id::ECDSA_P256.as_ref();
        PublicKey::from_point(spki.last()?.value.strip_prefix(&[0]).filter(|_| is_p256)?)
    }

    /// Whether it is valid at a time, seconds since 1970 (RFC 5280, section 4.1.2.5).
    #[cfg(feature = "mdoc")]
    pub(crate) fn is_valid_at(&self, at: u64) -> bool {
        let times = parts(self.validity).unwrap_or_default();
        let times = times.iter().map(|time| time.seconds()).collect::<Option<Vec<_>>>();
        times.is_some_and(|times| matches!(times.as_slice(), [starts, ends] if (starts..=ends).contains(&&at)))
    }

    /// Which key signed it, as its authority calls that key.
    pub(crate) fn authority_key_id(&self) -> Option<&'a [u8]> {
        self.authority_key_id.map(|id| id.value)
    }

    /// Whether it is for digital signatures, in so many words.
    pub(crate) fn signs(&self) -> bool {
        self.key_usage.is_some_and(|bits| bits & DIGITAL_SIGNATURE != 0)
    }

    /// Whether it may sign certificates, if it is an authority's. One without `KeyUsage` may (RFC 5280, section 6.1.4 (n)).
    pub(crate) fn signs_certificates(&self) -> bool {
        self.key_usage.is_none_or(|bits| bits & KEY_CERT_SIGN != 0)
    }

    /// Whether one of these is named among its purposes.
    pub(crate) fn has_purpose(&self, any_of: &[Vec<u8>]) -> bool {
        let mut purposes = self.purposes.iter().flatten();
        purposes.any(|purpose| any_of.iter().any(|allowed| allowed == purpose.value))
    }

    /// Whether its purposes, if it has some, leave room for one of these. Those that name others don't.
    pub(crate) fn allows_purpose(&self, any_of: &[Vec<u8>]) -> bool {
        let any = |purposes: &Vec<Item<'_>>| purposes.iter().any(|purpose| purpose.value == ANY_PURPOSE);
        self.purposes.as_ref().is_none_or(any) || self.has_purpose(any_of)
    }

    /// The subject as a string (RFC 4514). None if it has attributes that have no name here, or values that are no strings.
    fn subject(&self) -> Option<String> {
        let mut name = String::new();
        for attributes in parts(self.subject)?.into_iter().rev() {
            let mut separator = if name.is_empty() { "" } else { "," };
            for attribute in parts(attributes)? {
                name.push_str(separator);
                separator = "+";
                let attribute = parts(attribute)?;
                write_attribute(&mut name, *attribute.first()?, *attribute.last()?)?;
            }
        }
        Some(name)
    }
}

/// RFC 4514, sections 2.3 and 2.4.
fn write_attribute(name: &mut String, id: Item<'_>, value: Item<'_>) -> Option<()> {
    // id-at, 2.5.4: those of RFC 4514, section 3, then those by which persons are told apart (ETSI EN 319 412).
    name.push_str(match id.value.strip_prefix(&[0x55, 4])? {
        [3] => "CN=",
        [6] => "C=",
        [7] => "L=",
        [8] => "ST=",
        [9] => "STREET=",
        [10] => "O=",
        [11] => "OU=",
        [4] => "SN=",
        [5] => "serialNumber=",
        [42] => "GN=",
        [97] => "organizationIdentifier=",
        _ => return None,
    });
    if !matches!(value.tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING) {
        return None;
    }
    let text = core::str::from_utf8(value.value).ok()?;
    for (place, character) in text.char_indices() {
        let last = place + character.len_utf8() == text.len();
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => name.push('\\'),
            '#' | ' ' if place == 0 => name.push('\\'),
            ' ' if last => name.push('\\'),
            '\0' => return None,
            _ => {}
        }
        name.push(character);
    }
    Some(())
}

/// A value in DER with its tag (X.690). webpki reads whatever decides about trust; this finds what it passes over.
#[derive(Clone, Copy)]
struct Item<'a> {
    tag: u8,
    value: &'a [u8],
}

#[cfg(feature = "mdoc")]
impl Item<'_> {
    /// `UTCTime` or `GeneralizedTime` in the form that certificates have (RFC 5280, section 4.1.2.5), as seconds since 1970.
    fn seconds(self) -> Option<u64> {
        let digits = core::str::from_utf8(self.value).ok()?.strip_suffix('Z')?;
        let (century, digits) = match self.tag {
            UTC_TIME => (if digits < "50" { "20" } else { "19" }, digits),
            GENERALIZED_TIME => digits.split_at_checked(2)?,
            _ => return None,
        };
        let part = |from| digits.get(from..from + 2);
        let (year, month, day, hours) = (part(0)?, part(2)?, part(4)?, part(6)?);
        let (minutes, seconds) = (part(8)?, digits.get(10..)?);
        date_time(&[century, year, "-", month, "-", day, "T", hours, ":", minutes, ":", seconds, "Z"].concat())
    }
}

/// The first value, and what is behind it. None for tags of several octets, which certificates don't have.
fn item(der: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let ([tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        ..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            // X.690, section 10.1: in the least number of octets.
            let is_shortest = length >= 0x80 && octets.first() != Some(&0);
            (Some(length).filter(|_| is_shortest)?, rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    (tag & 0x1f != 0x1f).then_some((Item { tag: *tag, value }, rest))
}

/// The value, if nothing is behind it.
fn only(der: &[u8]) -> Option<Item<'_>> {
    item(der).and_then(|(item, rest)| rest.is_empty().then_some(item))
}

/// What a constructed value is made of.
fn parts(value: Item<'_>) -> Option<Vec<Item<'_>>> {
    let mut rest = value.value;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (part, behind) = item(rest)?;
        parts.push(part);
        rest = behind;
    }
    Some(parts)
}

/// r and s side by side (RFC 7518, section 3.4) of an ECDSA signature as certificates have it (RFC 3279, section 2.2.3).
pub(crate) fn signature(der: &[u8]) -> Option<[u8; 64]> {
    let pair = parts(only(der).filter(|pair| pair.tag == SEQUENCE)?)?;
    let [r, s] = pair.as_slice() else { return None };
    let mut signature = [0; 64];
    for (integer, place) in [r, s].into_iter().zip(signature.chunks_exact_mut(32)) {
        // X.690, section 8.3: positive, and in the least number of octets.
        let octets = match integer.value {
            [0, octets @ ..] if octets.first().is_some_and(|first| *first >= 0x80) => octets,
            octets @ [0x01..=0x7f, ..] => octets,
            _ => return None,
        };
        let start = place.len().checked_sub(octets.len()).filter(|_| integer.tag == INTEGER)?;
        place.get_mut(start..)?.copy_from_slice(octets);
    }
    Some(signature)
}

/// What a certificate has to be called, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A `dNSName` among the subject's alternative names.
    Dns(String),
    /// A `uniformResourceIdentifier` among them.
    Uri(String),
    /// The subject (RFC 4514).
    Subject(String),
}

impl Name {
    /// Whether the certificate bears this name.
    pub(crate) fn is_in(&self, der: &[u8]) -> bool {
        let der = CertificateDer::from(der);
        let Ok(certificate) = EndEntityCert::try_from(&der) else { return false };
        match self {
            Self::Dns(name) => certificate.valid_dns_names().any(|found| found == name),
            Self::Uri(name) => certificate.valid_uri_names().any(|found| found == name),
            Self::Subject(name) => {
                Certificate::parse(&der).and_then(|certificate| certificate.subject()).as_ref() == Some(name)
            }
        }
    }
}

/// Why a chain leads nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PathError {
    /// A certificate is none.
    Malformed,
    /// The first certificate is an authority's.
    Authority,
    /// A certificate is not valid yet.
    NotYetValid,
    /// A certificate is not valid any more.
    Expired,
    /// Anything else: another root, a signature, an extension, a constraint.
    Refused,
}

/// Reads every certificate of a chain.
pub(crate) fn read(chain: &[Vec<u8>]) -> Result<Vec<Certificate<'_>>, PathError> {
    let mut read = Vec::new();
    for der in chain {
        EndEntityCert::try_from(&CertificateDer::from(der.as_slice()))?;
        read.push(Certificate::parse(der).ok_or(PathError::Malformed)?);
    }
    Ok(read)
}

/// Finds and checks the path from the first certificate to one of the roots that are valid now (RFC 5280, section 6.1).
pub(crate) fn verify_path(chain: &[Vec<u8>], roots: &[Vec<u8>], now: u64) -> Result<(), PathError> {
    let (chain, roots) = (certificates(chain), certificates(roots));
    let mut anchors = Vec::new();
    for root in &roots {
        // webpki looks at no validity of roots. Asked for a path from one, it looks at that first, and then says this.
        if path(root, &[], &[], now) == Err(PathError::Authority) {
            anchors.extend(anchor_from_trusted_cert(root));
        }
    }
    let (leaf, others) = chain.split_first().ok_or(PathError::Malformed)?;
    path(leaf, others, &anchors, now)
}

fn certificates(ders: &[Vec<u8>]) -> Vec<CertificateDer<'_>> {
    ders.iter().map(|der| CertificateDer::from(der.as_slice())).collect()
}

fn path(
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    now: u64,
) -> Result<(), PathError> {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let leaf = EndEntityCert::try_from(leaf)?;
    let path = leaf.verify_for_usage(&[&Es256], anchors, others, now, AnyUsage, None, None)?;
    // RFC 7515, section 4.1.6: what is sent is the path. Nobody vouches for a certificate beside it.
    if path.intermediate_certificates().count() == others.len() { Ok(()) } else { Err(PathError::Refused) }
}

impl From<webpki::Error> for PathError {
    fn from(error: webpki::Error) -> Self {
        match error {
            webpki::Error::BadDer
            | webpki::Error::BadDerTime
            | webpki::Error::TrailingData(_)
            | webpki::Error::UnsupportedCertVersion => Self::Malformed,
            webpki::Error::CaUsedAsEndEntity => Self::Authority,
            webpki::Error::CertNotValidYet { .. } => Self::NotYetValid,
            webpki::Error::CertExpired { .. } => Self::Expired,
            _ => Self::Refused,
        }
    }
}

/// Purposes are looked at with the rest of what certificates are for, in [`Certificate::allows_purpose`].
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, mut purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        purposes.try_for_each(|purpose| purpose.map(|_| ()))
    }
}

#[derive(Debug)]
struct Es256;

impl SignatureVerificationAlgorithm for Es256 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let verifies = |key: PublicKey| key.verifies_der(message, signature);
        if PublicKey::from_point(key).is_some_and(verifies) { Ok(()) } else { Err(InvalidSignature) }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}
