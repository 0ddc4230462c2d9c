//! Encrypted responses (`OpenID4VP` 1.0, section 8.3): a compact JWE by `ECDH-ES` to a key of the challenge's own.

use aes_gcm::aead::{Aead, Nonce, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use bandpass_roles::base64url;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::ecdh::SharedSecret;
use p256::{NistP256, PublicKey, SecretKey};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::error::{Code, Error};

/// What responses may be encrypted by; those that HAIP 1.0 asks for.
pub(super) const ENC_VALUES: [&str; 2] = ["A128GCM", "A256GCM"];

/// Bytes of a response: base64url of the largest submission that the verifier reads, and a header.
pub(super) const MAX_RESPONSE_BYTES: usize = 768 * 1024;

/// Bytes of a JWE header in base64url. One with an ephemeral key has some 300.
const MAX_HEADER_BYTES: usize = 4 * 1024;

/// The key to which the response to one challenge is encrypted.
#[derive(Clone, Debug)]
pub struct ResponseKey {
    secret: SecretKey,
}

/// The JOSE header of a response (RFC 7516, section 4; RFC 7518, section 4.6.1). Members that are not known are ignored.
#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    kid: Option<String>,
    epk: Option<Value>,
    apu: Option<String>,
    apv: Option<String>,
    crit: Option<Value>,
    zip: Option<Value>,
}

impl ResponseKey {
    /// A fresh key.
    ///
    /// # Errors
    /// `host.runtime` if the machine has no randomness.
    pub fn generate() -> Result<Self, Error> {
        let secret = SecretKey::try_generate_from_rng(&mut getrandom::SysRng);
        secret.map(|secret| Self { secret }).map_err(|error| Error::runtime(&error))
    }

    /// A key as [`ResponseKey::to_base64url`] wrote it.
    ///
    /// # Errors
    /// `host.store` if it is none.
    pub fn from_base64url(kept: &str) -> Result<Self, Error> {
        let secret = Base64UrlUnpadded::decode_vec(kept).ok().and_then(|scalar| SecretKey::from_slice(&scalar).ok());
        secret
            .map(|secret| Self { secret })
            .ok_or_else(|| Error::host(Code::HostStore, "a response key is not as it was kept"))
    }

    /// The private scalar, to be kept with the challenge: a secret.
    #[must_use]
    pub fn to_base64url(&self) -> String {
        base64url(&self.secret.to_bytes())
    }

    /// The public key as JWK, as `client_metadata` has it. `kid` is the challenge's identifier, for a response names the
    /// key that it is encrypted to, and says by it what it answers.
    #[must_use]
    pub fn jwk(&self, kid: &str) -> Value {
        let point = self.secret.public_key().to_sec1_point(false);
        let coordinate = |bytes: Option<&p256::FieldBytes>| bytes.map(|bytes| base64url(bytes)).unwrap_or_default();
        json!({"kty": "EC", "crv": "P-256", "x": coordinate(point.x()), "y": coordinate(point.y()), "kid": kid,
            "use": "enc", "alg": "ECDH-ES"})
    }

    /// Decrypts a compact JWE that must name the key by `kid`.
    ///
    /// # Errors
    /// `response.malformed`, `response.too-large`, `response.algorithm`, `response.key`, `response.ephemeral-key`, or
    /// `response.decryption`.
    pub(super) fn decrypt(&self, jwe: &str, kid: &str) -> Result<Vec<u8>, Error> {
        let parts = Parts::of(jwe)?;
        let header = parts.header()?;
        if header.alg != "ECDH-ES" || !ENC_VALUES.contains(&header.enc.as_str()) {
            return Err(Error::host(Code::ResponseAlgorithm, "the response is encrypted by other algorithms"));
        }
        if header.crit.is_some() || header.zip.is_some() {
            return Err(Error::host(Code::ResponseAlgorithm, "`crit` and `zip` are not understood"));
        }
        if header.kid.as_deref() != Some(kid) {
            return Err(other_key());
        }
        let ephemeral = header.epk.as_ref().and_then(public_key);
        let ephemeral =
            ephemeral.ok_or_else(|| Error::host(Code::ResponseEphemeralKey, "`epk` is no public key on P-256"))?;
        let party = |info: Option<&str>| info.map_or(Ok(Vec::new()), decoded);
        let (apu, apv) = (party(header.apu.as_deref())?, party(header.apv.as_deref())?);
        // 7518, 4.6: by direct key agreement no key is encrypted; 5.3: 96 and 128 bits.
        let (iv, mut sealed, tag) = (decoded(parts.iv)?, decoded(parts.ciphertext)?, decoded(parts.tag)?);
        if !parts.encrypted_key.is_empty() || iv.len() != 12 || tag.len() != 16 {
            return Err(malformed());
        }
        sealed.extend(tag);
        let secret = self.secret.diffie_hellman(&ephemeral);
        let aad = parts.header.as_bytes();
        let opened = match header.enc.as_str() {
            "A128GCM" => open::<Aes128Gcm>(&derived::<16>(&secret, &header.enc, &apu, &apv), &iv, aad, &sealed),
            _ => open::<Aes256Gcm>(&derived::<32>(&secret, &header.enc, &apu, &apv), &iv, aad, &sealed),
        };
        opened.ok_or_else(|| Error::host(Code::ResponseDecryption, "the response can't be decrypted"))
    }
}

/// The `kid` of a compact JWE, before anything is decrypted: which challenge it answers.
///
/// # Errors
/// `response.malformed`, `response.too-large`, or `response.key` if it has none.
pub(super) fn kid(jwe: &str) -> Result<String, Error> {
    Parts::of(jwe)?.header()?.kid.ok_or_else(other_key)
}

/// A compact JWE (RFC 7516, section 7.1).
struct Parts<'a> {
    header: &'a str,
    encrypted_key: &'a str,
    iv: &'a str,
    ciphertext: &'a str,
    tag: &'a str,
}

impl<'a> Parts<'a> {
    fn of(jwe: &'a str) -> Result<Self, Error> {
        if jwe.len() > MAX_RESPONSE_BYTES {
            return Err(Error::host(Code::ResponseTooLarge, "the response is too large"));
        }
        let mut parts = jwe.split('.');
        let mut next = || parts.next().ok_or_else(malformed);
        let parts_of = Self { header: next()?, encrypted_key: next()?, iv: next()?, ciphertext: next()?, tag: next()? };
        match parts.next() {
            None if parts_of.header.len() <= MAX_HEADER_BYTES => Ok(parts_of),
            _ => Err(malformed()),
        }
    }

    fn header(&self) -> Result<Header, Error> {
        serde_json::from_slice(&decoded(self.header)?).map_err(|_| malformed())
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, Error> {
    Base64UrlUnpadded::decode_vec(part).map_err(|_| malformed())
}

fn malformed() -> Error {
    Error::host(Code::ResponseMalformed, "`response` is no compact JWE")
}

fn other_key() -> Error {
    Error::host(Code::ResponseKey, "`kid` is not that of the challenge's key")
}

/// A JWK (RFC 7518, section 6.2.1). That the point is on the curve is checked.
fn public_key(jwk: &Value) -> Option<PublicKey> {
    let member = |name| jwk.get(name).and_then(Value::as_str);
    let coordinate = |name| Base64UrlUnpadded::decode_vec(member(name)?).ok().filter(|bytes| bytes.len() == 32);
    let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
    (member("kty")? == "EC" && member("crv")? == "P-256").then(|| PublicKey::from_sec1_bytes(&point).ok())?
}

/// Concat KDF (RFC 7518, section 4.6.2) for keys of at most 256 bits, which are one round of it.
fn derived<const BYTES: usize>(secret: &SharedSecret<NistP256>, enc: &str, apu: &[u8], apv: &[u8]) -> [u8; BYTES] {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let mut hash = Sha256::new_with_prefix(1_u32.to_be_bytes());
    hash.update(secret.raw_secret_bytes());
    for information in [enc.as_bytes(), apu, apv] {
        hash.update(length(information.len()));
        hash.update(information);
    }
    hash.update(length(BYTES * 8));
    let mut key = [0; BYTES];
    key.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    key
}

fn open<C: Aead + KeyInit>(key: &[u8], iv: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = C::new_from_slice(key).ok()?;
    cipher.decrypt(&Nonce::<C>::try_from(iv).ok()?, Payload { msg: sealed, aad }).ok()
}
