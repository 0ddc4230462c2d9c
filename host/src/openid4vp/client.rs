//! Who asks: the relying party's certificate and key.

use std::fmt;

use bandpass_roles::{Key, base64url};
use base64ct::{Base64, Encoding as _};
use p256::SecretKey;
use p256::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::error::{Code, Error};

/// Certificates in a chain. Those in use have one or two below the root.
const MAX_CERTIFICATES: usize = 8;

/// How wallets know a relying party by its certificate (`OpenID4VP` 1.0, section 5.9.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `x509_hash:` and the base64url SHA-256 of the certificate. Another one with every renewal.
    X509Hash,
    /// `x509_san_dns:` and a DNS name that the certificate has: this one, the host of the `response_uri`.
    X509SanDns(String),
}

/// A relying party that signs its requests: a certificate chain, the leaf's private key, and a client identifier.
#[derive(Clone, Debug)]
pub struct Client {
    id: String,
    key: Key,
    /// The chain as it is sent (RFC 7515, section 4.1.6).
    x5c: Vec<String>,
    expires: u64,
}

impl Client {
    /// Reads a certificate chain, the leaf first and each certified by the next, and the leaf's private key on P-256, in
    /// PKCS #8 or SEC 1. Both are PEM. The root's certificate need not be in the chain.
    ///
    /// # Errors
    /// `config.malformed` if one of them is none, the key is another's, or the certificate has not the DNS name.
    pub fn from_pem(chain: &[u8], key: &[u8], prefix: &Prefix) -> Result<Self, Error> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| wrong_chain(format_args!("the PEM: {error}")))?;
        if chain.len() > MAX_CERTIFICATES {
            return Err(wrong_chain(format_args!("more than {MAX_CERTIFICATES} certificates")));
        }
        let certificates = chain.iter().zip(1..).map(|(der, place)| {
            Certificate::from_der(der).map_err(|error| wrong_chain(format_args!("certificate {place}: {error}")))
        });
        let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
        let (Some(der), Some(leaf)) = (chain.first(), certificates.first()) else {
            return Err(wrong_chain("there is no certificate"));
        };
        let by_the_next = certificates
            .iter()
            .zip(certificates.iter().skip(1))
            .all(|(one, next)| one.tbs_certificate().issuer() == next.tbs_certificate().subject());
        if !by_the_next {
            return Err(wrong_chain("a certificate is not followed by the one of its issuer; the leaf comes first"));
        }
        let key = private_key(key)?;
        let public_key = key.public_key().to_public_key_der().map_err(wrong_key)?;
        let certified = leaf.tbs_certificate().subject_public_key_info().to_der().map_err(wrong_chain)?;
        if public_key.as_bytes() != certified {
            return Err(wrong_key("it is not the key of the first certificate"));
        }
        let id = match prefix {
            Prefix::X509Hash => format!("x509_hash:{}", base64url(&Sha256::digest(der))),
            Prefix::X509SanDns(host) if has_dns_name(leaf, host) => format!("x509_san_dns:{host}"),
            Prefix::X509SanDns(host) => {
                return Err(wrong_chain(format_args!("the first certificate has no DNS name `{host}`")));
            }
        };
        let key = Key::from_bytes(&key.to_bytes()).map_err(wrong_key)?;
        let ends =
            certificates.iter().map(|one| one.tbs_certificate().validity().not_after.to_unix_duration().as_secs());
        let expires = ends.min().unwrap_or_default();
        Ok(Self { id, key, x5c: chain.iter().map(|der| Base64::encode_string(der)).collect(), expires })
    }

    /// From when on wallets refuse it: seconds since 1970 at which the first certificate of its chain ends.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// The full client identifier, with its prefix: also the audience of proofs, but for the Digital Credentials API.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.id
    }

    /// A Request Object (RFC 9101, section 4) with these claims.
    pub(super) fn sign(&self, claims: &Value) -> String {
        self.key.sign(&json!({"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": self.x5c}), claims)
    }
}

fn private_key(pem: &[u8]) -> Result<SecretKey, Error> {
    // The error may have a line of the file in it.
    let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| wrong_key("the PEM has none that can be read"))?;
    match &der {
        PrivateKeyDer::Pkcs8(der) => SecretKey::from_pkcs8_der(der.secret_pkcs8_der()).map_err(wrong_key),
        PrivateKeyDer::Sec1(der) => SecretKey::from_sec1_der(der.secret_sec1_der()).map_err(wrong_key),
        _ => Err(wrong_key("it is neither PKCS #8 nor SEC 1")),
    }
}

/// A wallet compares the name as it stands with the host of the `response_uri`; a wildcard is no such name.
fn has_dns_name(certificate: &Certificate, host: &str) -> bool {
    let names = certificate.tbs_certificate().get_extension::<SubjectAltName>().ok().flatten();
    names.is_some_and(|(_, SubjectAltName(names))| {
        names.iter().any(|name| matches!(name, GeneralName::DnsName(name) if name.as_str() == host))
    })
}

fn wrong_chain(why: impl fmt::Display) -> Error {
    Error::host(Code::ConfigMalformed, format!("the client's certificates: {why}"))
}

fn wrong_key(why: impl fmt::Display) -> Error {
    Error::host(Code::ConfigMalformed, format!("the client's private key: {why}"))
}

#[cfg(test)]
mod tests {
    use bandpass_conformance::RelyingParty;
    use base64ct::Base64UrlUnpadded;

    use super::*;

    fn party() -> RelyingParty {
        RelyingParty::new(&["shop.example", "*.shop.example"]).expect("certificates")
    }

    fn refused(chain: &str, key: &str, prefix: &Prefix) -> String {
        let error = Client::from_pem(chain.as_bytes(), key.as_bytes(), prefix).expect_err("refused");
        assert_eq!(error.code(), "config.malformed");
        error.message().to_owned()
    }

    /// A private key on P-256 in SEC 1, or anything else.
    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", Base64::encode_string(der))
    }

    #[test]
    fn the_client_identifier_is_that_of_the_leaf() {
        let RelyingParty { chain, key, .. } = party();
        let client = |prefix| Client::from_pem(chain.as_bytes(), key.as_bytes(), &prefix).expect("a client");
        let dns = client(Prefix::X509SanDns("shop.example".into()));
        assert_eq!(dns.client_id(), "x509_san_dns:shop.example");
        let hash = client(Prefix::X509Hash);
        let digest = hash.client_id().strip_prefix("x509_hash:").expect("a prefix");
        let leaf = Base64::decode_vec(&hash.x5c[0]).expect("base64");
        assert_eq!(Base64UrlUnpadded::decode_vec(digest).expect("base64url"), Sha256::digest(leaf).to_vec());
        assert_eq!(hash.x5c.len(), 2);
    }

    #[test]
    fn a_key_may_be_sec_1_and_stand_among_other_things() {
        let RelyingParty { chain, key, .. } = party();
        let secret = private_key(key.as_bytes()).expect("a key");
        let sec1 = pem("EC PRIVATE KEY", &secret.to_sec1_der().expect("DER"));
        let file = format!("of the shop\n{}{sec1}", pem("EC PARAMETERS", b"\x06\x08"));
        assert!(Client::from_pem(chain.as_bytes(), file.as_bytes(), &Prefix::X509Hash).is_ok());
        assert!(Client::from_pem(format!("{sec1}{chain}").as_bytes(), file.as_bytes(), &Prefix::X509Hash).is_ok());
    }

    #[test]
    fn files_that_will_not_do_are_refused_by_what_is_wrong() {
        let RelyingParty { chain, key, .. } = party();
        let hash = &Prefix::X509Hash;
        let (leaf, above) = chain.split_at(chain.rfind("-----BEGIN").expect("a certificate"));
        let reversed = format!("{above}{leaf}");
        for (wrong_chain, why) in [
            (String::new(), "there is no certificate"),
            (key.clone(), "there is no certificate"),
            (chain.replace("-----END", "----END"), "the PEM"),
            (pem("CERTIFICATE", b"0"), "certificate 1"),
            (format!("{chain}{}", pem("CERTIFICATE", b"0")), "certificate 3"),
            (reversed, "is not followed by the one of its issuer"),
            (chain.repeat(5), "more than 8"),
        ] {
            let message = refused(&wrong_chain, &key, hash);
            assert!(message.starts_with("the client's certificates") && message.contains(why), "{message}");
        }
        let stranger = SecretKey::from_slice(&[7; 32]).expect("a key").to_sec1_der().expect("DER");
        let mut cut = stranger.clone();
        cut.truncate(20);
        let secret = Base64::encode_string(&stranger);
        for (wrong_key, why) in [
            (String::new(), "none that can be read"),
            (chain.clone(), "none that can be read"),
            (format!("-----BEGIN EC PRIVATE KEY {secret}"), "none that can be read"),
            (pem("RSA PRIVATE KEY", b"0"), "neither"),
            (pem("EC PRIVATE KEY", &cut), ""),
            (pem("PRIVATE KEY", &stranger), ""),
            (pem("EC PRIVATE KEY", &stranger), "not the key of the first certificate"),
        ] {
            let message = refused(&chain, &wrong_key, hash);
            assert!(message.starts_with("the client's private key") && message.contains(why), "{message}");
            assert!(!message.contains(&secret[20..40]), "{message}");
        }
        for host in ["example", "www.shop.example", "SHOP.example", ""] {
            assert!(refused(&chain, &key, &Prefix::X509SanDns(host.into())).contains("no DNS name"), "{host}");
        }
    }
}
