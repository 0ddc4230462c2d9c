//! Certificates from fixed keys, always the same.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bandpass_roles::Key;
use base64ct::{Base64, Encoding as _};
use p256::SecretKey;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{BitString, Ia5String, ObjectIdentifier, OctetString};
use x509_cert::der::{DateTime, Decode as _, Encode as _};
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints, SubjectAltName,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

use crate::draft::NOW;

const DAY: u64 = 86_400;

/// A certificate in the making. Whoever has a name has the key with the number that goes with it.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) subject: &'static str,
    pub(crate) key: u8,
    pub(crate) issuer: &'static str,
    pub(crate) issuer_key: u8,
    pub(crate) starts: u64,
    pub(crate) ends: u64,
    /// Of an authority.
    pub(crate) authority: Option<BasicConstraints>,
    pub(crate) usage: Option<KeyUsages>,
    pub(crate) purposes: &'static [&'static str],
    pub(crate) dns: &'static [&'static str],
    pub(crate) uris: &'static [&'static str],
    /// The only host for which an authority certifies.
    pub(crate) permitted_dns: Option<&'static str>,
    /// What the authority calls the key that it signed with.
    pub(crate) authority_key_id: Option<&'static [u8]>,
    /// An extension that nobody knows, and whether it is critical.
    pub(crate) unknown: Option<bool>,
    /// A key on another curve.
    pub(crate) p384: bool,
}

pub(crate) const ROOT: Certificate = Certificate {
    subject: "CN=Example Root,O=Example,C=FR",
    key: 11,
    issuer: "CN=Example Root,O=Example,C=FR",
    issuer_key: 11,
    starts: NOW - 1_000 * DAY,
    ends: NOW + 5_000 * DAY,
    authority: Some(BasicConstraints { ca: true, path_len_constraint: None }),
    usage: Some(KeyUsages::KeyCertSign),
    purposes: &[],
    dns: &[],
    uris: &[],
    permitted_dns: None,
    authority_key_id: None,
    unknown: None,
    p384: false,
};

pub(crate) const INTERMEDIATE: Certificate = Certificate {
    subject: "CN=Example Intermediate,O=Example,C=FR",
    key: 12,
    starts: NOW - 500 * DAY,
    ends: NOW + 500 * DAY,
    authority: Some(BasicConstraints { ca: true, path_len_constraint: Some(0) }),
    ..ROOT
};

/// By the root. Its key is the key that signs credentials.
pub(crate) const LEAF: Certificate = Certificate {
    subject: "CN=Wallet\\, Inc.,O=Example,C=FR",
    key: 1,
    starts: NOW - 30 * DAY,
    ends: NOW + 60 * DAY,
    authority: None,
    usage: Some(KeyUsages::DigitalSignature),
    dns: &["wallet.example"],
    uris: &["https://wallet.example"],
    ..ROOT
};

/// The same by the intermediate authority.
pub(crate) const LOW_LEAF: Certificate =
    Certificate { issuer: INTERMEDIATE.subject, issuer_key: INTERMEDIATE.key, ..LEAF };

/// A relying party that signs its requests, with files as it would have them. From fixed keys: for tests.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    /// Its certificate, and that of the authority which certified it (PEM).
    pub chain: String,
    /// Its private key (PEM, PKCS #8).
    pub key: String,
    /// The certificate of the root above (DER).
    pub root: Vec<u8>,
}

impl RelyingParty {
    /// One whose certificate has these DNS names.
    ///
    /// # Errors
    /// If a name is none.
    pub fn new(dns: &'static [&'static str]) -> Result<Self> {
        const KEY: u8 = 13;
        let leaf =
            Certificate { subject: "CN=Shop,C=FR", key: KEY, ends: INTERMEDIATE.ends, dns, uris: &[], ..LOW_LEAF };
        let key = SecretKey::from_slice(&[KEY; 32]).ok().context("a key")?;
        Ok(Self {
            chain: pem("CERTIFICATE", &leaf.der()?) + &pem("CERTIFICATE", &INTERMEDIATE.der()?),
            key: pem("PRIVATE KEY", key.to_pkcs8_der()?.as_bytes()),
            root: ROOT.der()?,
        })
    }
}

/// A key with a certificate in DER, and the certificate of the root above. From fixed keys: for tests.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The private key.
    pub key: Key,
    /// Its certificate.
    pub certificate: Vec<u8>,
    /// That of the root.
    pub root: Vec<u8>,
}

impl Certified {
    /// One that signs mdocs (ISO/IEC 18013-5, annex B.1.4).
    ///
    /// # Errors
    /// Never, but for a bug.
    pub fn document_signer() -> Result<Self> {
        Self::new(&Certificate { purposes: &["1.0.18013.5.1.2"], ..LEAF })
    }

    /// A reader (annex B.1.7).
    ///
    /// # Errors
    /// Never, but for a bug.
    pub fn reader() -> Result<Self> {
        Self::new(&Certificate { subject: "CN=Door,C=FR", key: 15, purposes: &["1.0.18013.5.1.6"], ..LEAF })
    }

    /// The root of others, in DER.
    ///
    /// # Errors
    /// Never, but for a bug.
    pub fn stranger() -> Result<Vec<u8>> {
        Certificate { key: 16, issuer_key: 16, ..ROOT }.der()
    }

    /// As long as the root, for libraries that judge by the clock.
    fn new(certificate: &Certificate) -> Result<Self> {
        let certificate = Certificate { starts: ROOT.starts, ends: ROOT.ends, ..certificate.clone() };
        Ok(Self { key: Key::from_bytes(&[certificate.key; 32])?, certificate: certificate.der()?, root: ROOT.der()? })
    }
}

/// RFC 7468, with lines of any length.
fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", Base64::encode_string(der))
}

impl Certificate {
    pub(crate) fn der(&self) -> Result<Vec<u8>> {
        let time = |seconds| Ok::<_, anyhow::Error>(DateTime::from_unix_duration(Duration::from_secs(seconds))?.into());
        let validity = Validity::new(time(self.starts)?, time(self.ends)?);
        let mut key = SubjectPublicKeyInfoOwned::from_der(
            signing_key(self.key)?.verifying_key().to_public_key_der()?.as_bytes(),
        )?;
        if self.p384 {
            let secp384r1 = ObjectIdentifier::new("1.3.132.0.34")?;
            key.algorithm.parameters = Some((&secp384r1).into());
            key.subject_public_key = BitString::from_bytes(&[&[4][..], &[1; 96]].concat())?;
        }
        let profile =
            Profile { certificate: self.clone(), subject: self.subject.parse()?, issuer: self.issuer.parse()? };
        let builder = CertificateBuilder::new(profile, SerialNumber::from(u32::from(self.key) + 4_096), validity, key)?;
        let certificate = builder.build::<_, DerSignature>(&signing_key(self.issuer_key)?)?;
        Ok(certificate.to_der()?)
    }

    /// As in `x5c` and in trust lists.
    pub(crate) fn base64(&self) -> Result<String> {
        Ok(Base64::encode_string(&self.der()?))
    }

    fn extensions(&self, subject: &Name) -> Result<Vec<Extension>> {
        let mut all = Vec::new();
        if let Some(constraints) = &self.authority {
            all.push(constraints.to_extension(subject, &[])?);
        }
        if let Some(usage) = self.usage {
            all.push((&KeyUsage(usage.into())).to_extension(subject, &[])?);
        }
        if !self.purposes.is_empty() {
            let purposes = self.purposes.iter().map(|purpose| ObjectIdentifier::new(purpose));
            all.push((&ExtendedKeyUsage(purposes.collect::<Result<_, _>>()?)).to_extension(subject, &[])?);
        }
        let mut names = Vec::new();
        for name in self.dns {
            names.push(GeneralName::DnsName(Ia5String::new(name)?));
        }
        for name in self.uris {
            names.push(GeneralName::UniformResourceIdentifier(Ia5String::new(name)?));
        }
        if !names.is_empty() {
            all.push((&SubjectAltName(names)).to_extension(subject, &[])?);
        }
        if let Some(host) = self.permitted_dns {
            let base = GeneralName::DnsName(Ia5String::new(host)?);
            let permitted = vec![GeneralSubtree { base, minimum: 0, maximum: None }];
            let constraints = NameConstraints { permitted_subtrees: Some(permitted), excluded_subtrees: None };
            all.push((&constraints).to_extension(subject, &[])?);
        }
        if let Some(id) = self.authority_key_id {
            let id = AuthorityKeyIdentifier { key_identifier: Some(OctetString::new(id)?), ..Default::default() };
            all.push((&id).to_extension(subject, &[])?);
        }
        if let Some(critical) = self.unknown {
            let extn_id = ObjectIdentifier::new("1.3.6.1.4.1.32473.1")?;
            all.push(Extension { extn_id, critical, extn_value: OctetString::new([5, 0])? });
        }
        Ok(all)
    }
}

fn signing_key(number: u8) -> Result<SigningKey> {
    SigningKey::from_slice(&[number; 32]).ok().context("a key")
}

struct Profile {
    certificate: Certificate,
    subject: Name,
    issuer: Name,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        // Object identifiers and names are those above; what can be wrong about them is an encoding error.
        self.certificate.extensions(tbs.subject()).map_err(|_| x509_cert::der::ErrorKind::Failed.to_error().into())
    }
}
