//! An authority for one test, and its certificate for `localhost`.

use std::time::{Duration, SystemTime};

use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::Ia5String;
use x509_cert::der::{DateTime, Decode as _, Encode as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

pub(crate) struct Certificates {
    /// Of the authority, in DER.
    pub(crate) authority: Vec<u8>,
    /// For `localhost`, in DER.
    pub(crate) server: Vec<u8>,
    /// Its private key, PKCS #8 in DER.
    pub(crate) server_key: Vec<u8>,
}

impl Certificates {
    /// `number` tells authorities apart.
    pub(crate) fn new(number: u8) -> Self {
        let key = |number: u8| SigningKey::from_slice(&[number; 32]).expect("a key");
        let (authority_key, server_key) = (key(number), key(number + 1));
        Self {
            authority: certificate(&authority_key, &authority_key, true),
            server: certificate(&server_key, &authority_key, false),
            server_key: server_key.to_pkcs8_der().expect("PKCS #8").as_bytes().to_vec(),
        }
    }
}

fn certificate(key: &SigningKey, signer: &SigningKey, is_authority: bool) -> Vec<u8> {
    let public = key.verifying_key().to_public_key_der().expect("DER");
    let public = SubjectPublicKeyInfoOwned::from_der(public.as_bytes()).expect("a key");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let time = |since_1970| DateTime::from_unix_duration(since_1970).expect("a time").into();
    let hour = Duration::from_hours(1);
    let validity = Validity::new(time(now.saturating_sub(hour)), time(now + hour));
    let builder = CertificateBuilder::new(Profile { is_authority }, SerialNumber::from(4_097_u32), validity, public);
    builder.expect("a builder").build::<_, DerSignature>(signer).expect("signed").to_der().expect("DER")
}

struct Profile {
    is_authority: bool,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _subject: &Name) -> Name {
        "CN=Test authority".parse().expect("a name")
    }

    fn get_subject(&self) -> Name {
        if self.is_authority { "CN=Test authority" } else { "CN=localhost" }.parse().expect("a name")
    }

    fn build_extensions(
        &self,
        _key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let subject = tbs.subject();
        let usage = if self.is_authority { KeyUsages::KeyCertSign } else { KeyUsages::DigitalSignature };
        let basic = BasicConstraints { ca: self.is_authority, path_len_constraint: None };
        let mut all = vec![(&basic).to_extension(subject, &[])?, (&KeyUsage(usage.into())).to_extension(subject, &[])?];
        if !self.is_authority {
            let name = GeneralName::DnsName(Ia5String::new("localhost").expect("ASCII"));
            all.push((&SubjectAltName(vec![name])).to_extension(subject, &[])?);
        }
        Ok(all)
    }
}
