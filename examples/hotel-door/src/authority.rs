//! A certification authority, as a hotel or a wallet provider has one.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bandpass_roles::{Key, os_rng};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{DateTime, Decode as _, Encode as _, ErrorKind};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

const YEAR: u64 = 365 * 86_400;
/// Signs mdocs (ISO/IEC 18013-5, annex B.1.4).
const DOCUMENT_SIGNER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.0.18013.5.1.2");
/// A reader (annex B.1.7).
const READER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.0.18013.5.1.6");

/// An authority with a key of its own.
pub struct Authority {
    name: Name,
    key: SigningKey,
    certificate: Vec<u8>,
    now: u64,
}

/// A key with its certificate in DER.
#[derive(Clone)]
pub struct Certified {
    /// The private key.
    pub key: Key,
    /// Its certificate.
    pub certificate: Vec<u8>,
}

impl Authority {
    /// A new one, good for ten years from `now`, seconds since 1970.
    ///
    /// # Errors
    /// If the name is none.
    pub fn new(name: &str, now: u64) -> Result<Self> {
        let (_, key) = new_key()?;
        let name = name.parse::<Name>()?;
        let extensions = Extensions::Authority;
        let certificate = certificate(&name, &key, &name, &key, extensions, (now, now + 10 * YEAR))?;
        Ok(Self { name, key, certificate, now })
    }

    /// Its certificate in base64 of DER, as in a trust list.
    #[must_use]
    pub fn root(&self) -> String {
        Base64::encode_string(&self.certificate)
    }

    /// A new key that signs mdocs.
    ///
    /// # Errors
    /// If the name is none.
    pub fn document_signer(&self, name: &str) -> Result<Certified> {
        self.certified(name, DOCUMENT_SIGNER)
    }

    /// A new reader's key.
    ///
    /// # Errors
    /// If the name is none.
    pub fn reader(&self, name: &str) -> Result<Certified> {
        self.certified(name, READER)
    }

    fn certified(&self, name: &str, purpose: ObjectIdentifier) -> Result<Certified> {
        let (key, signing_key) = new_key()?;
        let extensions = Extensions::For(purpose);
        let times = (self.now, self.now + YEAR);
        let certificate = certificate(&name.parse()?, &signing_key, &self.name, &self.key, extensions, times)?;
        Ok(Certified { key, certificate })
    }
}

fn new_key() -> Result<(Key, SigningKey)> {
    let key = Key::generate(&mut os_rng());
    let jwk = key.to_private_jwk();
    let scalar = jwk.get("d").and_then(serde_json::Value::as_str).context("a private key")?;
    let scalar = Base64UrlUnpadded::decode_vec(scalar).ok().context("base64url")?;
    Ok((key, SigningKey::from_slice(&scalar).ok().context("a scalar")?))
}

fn certificate(
    subject: &Name,
    key: &SigningKey,
    issuer: &Name,
    issuer_key: &SigningKey,
    extensions: Extensions,
    (starts, ends): (u64, u64),
) -> Result<Vec<u8>> {
    let time = |seconds| Ok::<_, anyhow::Error>(DateTime::from_unix_duration(Duration::from_secs(seconds))?.into());
    let key = SubjectPublicKeyInfoOwned::from_der(key.verifying_key().to_public_key_der()?.as_bytes())?;
    let profile = Profile { subject: subject.clone(), issuer: issuer.clone(), extensions };
    let serial_number = SerialNumber::generate(&mut os_rng());
    let builder = CertificateBuilder::new(profile, serial_number, Validity::new(time(starts)?, time(ends)?), key)?;
    Ok(builder.build::<_, DerSignature>(issuer_key)?.to_der()?)
}

#[derive(Clone, Copy)]
enum Extensions {
    Authority,
    For(ObjectIdentifier),
}

struct Profile {
    subject: Name,
    issuer: Name,
    extensions: Extensions,
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
        let extensions = |name: &Name| match self.extensions {
            Extensions::Authority => Ok::<_, x509_cert::der::Error>(vec![
                BasicConstraints { ca: true, path_len_constraint: Some(0) }.to_extension(name, &[])?,
                KeyUsage(KeyUsages::KeyCertSign.into()).to_extension(name, &[])?,
            ]),
            Extensions::For(purpose) => Ok(vec![
                KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(name, &[])?,
                ExtendedKeyUsage(vec![purpose]).to_extension(name, &[])?,
            ]),
        };
        extensions(tbs.subject()).map_err(|_| ErrorKind::Failed.to_error().into())
    }
}
