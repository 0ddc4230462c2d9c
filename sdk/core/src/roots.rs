//! Issuers that are known by their certificates and the roots above them.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use const_oid::ObjectIdentifier;
use serde_json::Value;

use crate::encoding::base64;
use crate::error::{Code, Error};
use crate::jwk::PublicKey;
use crate::limits::{MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_ISSUER_KEYS};
use crate::trust::{Members, Purpose, malformed};
use crate::x509::{self, Certificate, Name, PathError};

/// Roots, and what a signer's certificate below them must be.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    roots: Vec<Vec<u8>>,
    credential: Leaf,
    #[cfg(feature = "mdoc")]
    mdoc: Leaf,
    status: Leaf,
}

/// id-mdl-kp-mdlDS: signs mdocs (ISO/IEC 18013-5, annex B.1.4).
const MDOC_SIGNER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.0.18013.5.1.2");

/// What a signer's certificate must be.
#[derive(Clone, Debug)]
struct Leaf {
    /// None: whatever it is called.
    name: Option<Name>,
    /// Object identifiers of extended key usages, as DER has them.
    purposes: Vec<Vec<u8>>,
}

impl Roots {
    /// Of an entry of the trust list, with the name by which its issuer is known.
    pub(crate) fn parse(roots: &[Value], entry: &Members<'_>, iss: Option<&str>) -> Result<(String, Self), Error> {
        if roots.is_empty() || roots.len() > MAX_ISSUER_KEYS {
            return Err(malformed("an issuer has no root, or too many").claim("x5c_roots"));
        }
        let ders = roots.iter().map(|root| root.as_str().and_then(der)).collect::<Option<Vec<_>>>();
        let roots = ders.ok_or_else(|| malformed("a root is not base64").claim("x5c_roots"))?;
        let certificates = x509::read(&roots).unwrap_or_default();
        if certificates.len() != roots.len()
            || !certificates.iter().all(|root| root.signs_certificates() && root.key().is_some())
        {
            let error = malformed("a root is not the certificate of an authority with a P-256 key");
            return Err(error.claim("x5c_roots"));
        }
        let purposes = |name| {
            let ids = entry.strings(name)?.unwrap_or_default();
            let ids = ids.iter().map(|id| ObjectIdentifier::new(id).ok().map(|id| id.as_bytes().to_vec()));
            let ids = ids.collect::<Option<Vec<_>>>();
            ids.ok_or_else(|| malformed("an extended key usage is not an object identifier").claim(name))
        };
        let name = leaf_name(entry, "leaf")?;
        if name.is_none() && !entry.is_for_mdocs_alone() {
            return Err(malformed("an issuer with roots has a `leaf`"));
        }
        let credential = Leaf { name, purposes: purposes("eku")? };
        let mut mdoc = credential.clone();
        if !entry.has("eku") {
            mdoc.purposes.push(MDOC_SIGNER.as_bytes().to_vec());
        }
        let by_default = if entry.is_for_mdocs_alone() { &mdoc } else { &credential };
        let status = Leaf {
            name: leaf_name(entry, "status_leaf")?.or_else(|| credential.name.clone()),
            purposes: if entry.has("status_eku") { purposes("status_eku")? } else { by_default.purposes.clone() },
        };
        let known_by = match &credential.name {
            None => iss.ok_or_else(|| malformed("an issuer has an `iss` or a `leaf`"))?.to_owned(),
            Some(name) => known_by(name, iss)?,
        };
        let roots = Self {
            roots,
            credential,
            #[cfg(feature = "mdoc")]
            mdoc,
            status,
        };
        Ok((known_by, roots))
    }

    /// Whether a credential's certificate bears the issuer's name. Nothing is verified yet.
    pub(crate) fn name(&self, certificate: &[u8]) -> bool {
        self.credential.name.as_ref().is_some_and(|name| name.is_in(certificate))
    }

    /// The key of the signer's certificate, once everything about its chain was checked.
    pub(crate) fn key(&self, chain: Option<&[Vec<u8>]>, now: u64, purpose: Purpose) -> Result<PublicKey, Error> {
        let leaf = match purpose {
            Purpose::Credential => &self.credential,
            #[cfg(feature = "mdoc")]
            Purpose::Mdoc => &self.mdoc,
            Purpose::StatusList => &self.status,
        };
        let chain = chain.filter(|chain| !chain.is_empty());
        leaf.certified_key(chain.ok_or_else(not_a_chain)?, &self.roots, now)
    }

    /// The authorities that the certificates of a chain name (RFC 5280, section 4.2.1.1), once [`Roots::key`] checked it.
    #[expect(clippy::unused_self, reason = "in a build without certificates there are none")]
    pub(crate) fn authority_key_ids(&self, chain: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let certificates = x509::read(chain).unwrap_or_default();
        certificates.iter().filter_map(Certificate::authority_key_id).map(ToOwned::to_owned).collect()
    }
}

/// A certificate as it stands in a trust list: base64 of DER, or PEM (RFC 7468).
fn der(text: &str) -> Option<Vec<u8>> {
    let Some(text) = text.trim_ascii().strip_prefix("-----BEGIN CERTIFICATE-----") else { return base64(text) };
    let text = text.strip_suffix("-----END CERTIFICATE-----")?;
    base64(&text.chars().filter(|character| !character.is_ascii_whitespace()).collect::<String>())
}

/// By what an issuer is known: what its certificate is called, or an `iss` that fits it.
fn known_by(name: &Name, iss: Option<&str>) -> Result<String, Error> {
    let known_by = match name {
        Name::Uri(name) | Name::Subject(name) => name.clone(),
        Name::Dns(host) => ["https://", host].concat(),
    };
    match (iss, name) {
        (None, _) => Ok(known_by),
        (Some(iss), Name::Dns(_)) if iss.strip_prefix(&known_by).is_some_and(|path| path.starts_with('/')) => {
            Ok(iss.to_owned())
        }
        (Some(iss), Name::Dns(_) | Name::Uri(_)) if iss == known_by => Ok(known_by),
        (Some(iss), _) => Err(malformed("`iss` is not what `leaf` names").claim("iss").actual(iss)),
    }
}

/// What a certificate must be called: an object with one member.
fn leaf_name(entry: &Members<'_>, name: &str) -> Result<Option<Name>, Error> {
    let Some(found) = entry.0.get(name) else { return Ok(None) };
    let leaf = Members::of(found, &["san_dns", "san_uri", "subject"])?;
    let text = |member| Ok::<_, Error>(leaf.text(member)?.filter(|text| !text.is_empty()).map(ToOwned::to_owned));
    match (leaf.0.len(), text("san_dns")?, text("san_uri")?, text("subject")?) {
        (1, Some(host), None, None) => Ok(Some(Name::Dns(host))),
        (1, None, Some(uri), None) => Ok(Some(Name::Uri(uri))),
        (1, None, None, Some(subject)) => Ok(Some(Name::Subject(subject))),
        _ => Err(malformed("a certificate is named by one of `san_dns`, `san_uri` and `subject`").claim(name)),
    }
}

fn not_a_chain() -> Error {
    Error::new(Code::IssuerCertificate, "the signer sends no chain of certificates").claim("x5c")
}

impl Leaf {
    /// The key of the first certificate, once everything about its chain was checked.
    fn certified_key(&self, chain: &[Vec<u8>], roots: &[Vec<u8>], now: u64) -> Result<PublicKey, Error> {
        let refused = |code, why| Err(Error::new(code, why).claim("x5c"));
        if chain.len() > MAX_CERTIFICATES || chain.iter().any(|der| der.len() > MAX_CERTIFICATE_BYTES) {
            return refused(Code::TokenTooLarge, "the chain has too many certificates, or too large ones");
        }
        let path_error = |error| match error {
            PathError::Malformed => not_a_chain(),
            PathError::Authority => {
                Error::new(Code::IssuerCertificateUsage, "the certificate is an authority's").claim("x5c")
            }
            PathError::NotYetValid => {
                Error::new(Code::IssuerNotYetValid, "a certificate is not valid yet").claim("x5c")
            }
            PathError::Expired => Error::new(Code::IssuerExpired, "a certificate has expired").claim("x5c"),
            PathError::Refused => {
                let why = "the certificates are no path to a root that is trusted and valid now";
                Error::new(Code::IssuerCertificatePath, why).claim("x5c")
            }
        };
        let certificates = x509::read(chain).map_err(path_error)?;
        // HAIP 1.0, section 6.1.1: the trust anchor is not sent.
        if chain.iter().any(|der| roots.contains(der)) {
            return refused(Code::IssuerCertificate, "the signer sends the root along");
        }
        let Some(((leaf, others), der)) = certificates.split_first().zip(chain.first()) else {
            return Err(not_a_chain());
        };
        if self.name.as_ref().is_some_and(|name| !name.is_in(der)) {
            return refused(Code::IssuerCertificateName, "the certificate does not bear the issuer's name");
        }
        let named = self.purposes.is_empty() || leaf.has_purpose(&self.purposes);
        let allowed = certificates.iter().all(|certificate| certificate.allows_purpose(&self.purposes));
        if !(leaf.signs() && named && allowed && others.iter().all(Certificate::signs_certificates)) {
            return refused(Code::IssuerCertificateUsage, "a certificate is not for signing this");
        }
        let Some(key) = leaf.key() else {
            return refused(Code::IssuerCertificateUsage, "the key of the certificate is not for ES256");
        };
        x509::verify_path(chain, roots, now).map_err(path_error)?;
        Ok(key)
    }
}
