//! Encrypted responses (`OpenID4VP` 1.0, section 8.3): a compact JWE by `ECDH-ES` to a key of the challenge's own.

use aes_gcm::aead::{Aead, Nonce, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use bandpass_roles::base64url;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::ecdh::SharedSecret;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{NistP256, PublicKey, SecretKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
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
        object(&decoded(self.header)?).ok_or_else(malformed)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, Error> {
    Base64UrlUnpadded::decode_vec(part).map_err(|_| malformed())
}

/// A JSON object as a struct, which serde would take out of an array too. A member that is known comes once.
pub(super) fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice(json).ok().filter(|_| json.trim_ascii_start().starts_with(b"{"))
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::openid4vp) const KID: &str = "challenge-1";

    fn code<T>(result: Result<T, Error>) -> String {
        result.err().map_or("accepted".into(), |error| error.code().into())
    }

    fn encrypt(key: &ResponseKey, change: impl FnOnce(&mut Value)) -> String {
        encrypt_content(key, r#"{"vp_token":{}}"#, change)
    }

    /// What a wallet does, with anything in the header.
    pub(in crate::openid4vp) fn encrypt_content(
        key: &ResponseKey,
        content: &str,
        change: impl FnOnce(&mut Value),
    ) -> String {
        let ephemeral = ResponseKey::generate().expect("a key");
        let mut header = ephemeral.jwk("");
        let members = header.as_object_mut().expect("an object");
        members.retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
        let mut header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": KID, "epk": header, "apv": "Tm9uY2U"});
        change(&mut header);
        let text = |name: &str| header[name].as_str().unwrap_or_default().to_owned();
        let party = |name: &str| Base64UrlUnpadded::decode_vec(&text(name)).unwrap_or_default();
        let secret = ephemeral.secret.diffie_hellman(&key.secret.public_key());
        let protected = base64url(header.to_string().as_bytes());
        let payload = Payload { msg: content.as_bytes(), aad: protected.as_bytes() };
        let nonce = Nonce::<Aes256Gcm>::default();
        let sealed = match text("enc").as_str() {
            "A128GCM" => {
                let key = derived::<16>(&secret, "A128GCM", &party("apu"), &party("apv"));
                Aes128Gcm::new_from_slice(&key).expect("a key").encrypt(&nonce, payload)
            }
            enc => {
                let key = derived::<32>(&secret, enc, &party("apu"), &party("apv"));
                Aes256Gcm::new_from_slice(&key).expect("a key").encrypt(&nonce, payload)
            }
        };
        let sealed = sealed.expect("encrypted");
        let (ciphertext, tag) = sealed.split_at(sealed.len() - 16);
        format!("{protected}..{}.{}.{}", base64url(&nonce), base64url(ciphertext), base64url(tag))
    }

    fn part(jwe: &str, place: usize, part: &str) -> String {
        let mut parts = jwe.split('.').collect::<Vec<_>>();
        parts[place] = part;
        parts.join(".")
    }

    #[test]
    fn keys_are_derived_as_in_rfc_7518_appendix_c() {
        let bob = ResponseKey::from_base64url("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").expect("a key");
        let alice = public_key(&json!({"kty": "EC", "crv": "P-256",
            "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}));
        let secret = bob.secret.diffie_hellman(&alice.expect("a key"));
        assert_eq!(secret.raw_secret_bytes()[..4], [158, 86, 217, 29]);
        assert_eq!(base64url(&derived::<16>(&secret, "A128GCM", b"Alice", b"Bob")), "VqqN6vgjbSBcIijNcacQGg");
    }

    /// `OpenID4VP` 1.0, section 8.3.
    #[test]
    fn the_example_of_the_standard_is_read() {
        let jwe = "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOEdDTSIsImtpZCI6ImFjIiwiZXBrIjp7Imt0eSI6IkVDIiwieCI6Im5ubVZwbTNWM2piaGNhZlFhUkJrU1ZOSGx3Wkh3dC05ck9wSnVmeVlJdWsiLCJ5IjoicjRmakRxd0p5czlxVU9QLV9iM21SNVNaRy0tQ3dPMm1pYzVWU05UWU45ZyIsImNydiI6IlAtMjU2In19..uAYcHRUSSn2X0WPX.yVzlGSYG4qbg0bq18JcUiDRw56yVnbKR8E7S7YlEtzT00RqE3Pw5oTpUG3hdLN4taHZ9gC1kwak8JOnJgQ.1wR024_3-qtAlx1oFIUpQQ";
        let key = ResponseKey::from_base64url("Et-3ce0omz8_TuZ96Df9lp0GAaaDoUnDe6X-CRO7Aww").expect("a key");
        assert_eq!(key.jwk("ac")["x"], "YO4epjifD-KWeq1sL2tNmm36BhXnkJ0He-WqMYrp9Fk");
        assert_eq!(kid(jwe).expect("a kid"), "ac");
        let content = serde_json::from_slice::<Value>(&key.decrypt(jwe, "ac").expect("decrypted")).expect("JSON");
        assert_eq!(content, json!({"vp_token": {"example_credential_id": ["eyJhb...YMetA"]}}));
    }

    #[test]
    fn what_was_encrypted_for_the_challenge_is_read() {
        let key = ResponseKey::generate().expect("a key");
        let key = ResponseKey::from_base64url(&key.to_base64url()).expect("the same key");
        for (enc, apu, apv) in [("A128GCM", json!("QWxpY2U"), json!("Qm9i")), ("A256GCM", Value::Null, Value::Null)] {
            let jwe = encrypt(&key, |header| {
                header["enc"] = enc.into();
                header["apu"] = apu;
                header["apv"] = apv;
            });
            assert_eq!(kid(&jwe).expect("a kid"), KID);
            assert_eq!(key.decrypt(&jwe, KID).expect("decrypted"), br#"{"vp_token":{}}"#);
        }
        for kept in ["", "AA", "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw="] {
            assert_eq!(code(ResponseKey::from_base64url(kept)), "host.store");
        }
    }

    #[test]
    fn a_header_that_is_not_as_asked_is_refused_by_what_is_wrong() {
        let key = ResponseKey::generate().expect("a key");
        let stranger = ResponseKey::generate().expect("a key").jwk("");
        let off_the_curve = json!({"kty": "EC", "crv": "P-256", "x": stranger["x"], "y": stranger["x"]});
        let short = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": stranger["y"]});
        let wrong: [(&str, Value, &str); 16] = [
            ("alg", json!("ECDH-ES+A128KW"), "response.algorithm"),
            ("alg", json!("dir"), "response.algorithm"),
            ("alg", Value::Null, "response.malformed"),
            ("enc", json!("A192GCM"), "response.algorithm"),
            ("enc", json!("A128CBC-HS256"), "response.algorithm"),
            ("crit", json!(["exp"]), "response.algorithm"),
            ("zip", json!("DEF"), "response.algorithm"),
            ("kid", json!("challenge-2"), "response.key"),
            ("kid", Value::Null, "response.key"),
            ("epk", Value::Null, "response.ephemeral-key"),
            ("epk", off_the_curve, "response.ephemeral-key"),
            ("epk", short, "response.ephemeral-key"),
            ("epk", json!({"kty": "EC", "crv": "P-384"}), "response.ephemeral-key"),
            ("epk", stranger, "response.decryption"),
            ("apu", json!("="), "response.malformed"),
            ("apv", json!(1), "response.malformed"),
        ];
        for (name, value, expected) in wrong {
            let jwe = encrypt(&key, |header| header[name] = value.clone());
            assert_eq!(code(key.decrypt(&jwe, KID)), expected, "{name} {value}");
        }
        let unnamed = encrypt(&key, |header| header["kid"] = Value::Null);
        assert_eq!(code(kid(&unnamed)), "response.key");
    }

    #[test]
    fn what_was_changed_on_the_way_is_refused() {
        let key = ResponseKey::generate().expect("a key");
        let jwe = encrypt(&key, |_| ());
        let other_nonce = base64url(&[1; 12]);
        let other_tag = base64url(&[1; 16]);
        let other_header = encrypt(&key, |_| ());
        let other_header = other_header.split('.').next().expect("a header");
        for (changed, expected) in [
            (part(&jwe, 0, other_header), "response.decryption"),
            (part(&jwe, 1, "AA"), "response.malformed"),
            (part(&jwe, 2, &other_nonce), "response.decryption"),
            (part(&jwe, 2, "AA"), "response.malformed"),
            (part(&jwe, 3, ""), "response.decryption"),
            (part(&jwe, 3, "="), "response.malformed"),
            (part(&jwe, 4, &other_tag), "response.decryption"),
            (part(&jwe, 4, ""), "response.malformed"),
            (part(&jwe, 4, &base64url(&[1; 15])), "response.malformed"),
            (format!("{jwe}."), "response.malformed"),
            (part(&jwe, 0, &base64url(b"{")), "response.malformed"),
            (part(&jwe, 0, &base64url(br#"["ECDH-ES","A128GCM","1",0,"","",0,0]"#)), "response.malformed"),
            (part(&jwe, 0, &base64url(br#"{"alg":"dir","alg":"ECDH-ES","enc":"A128GCM"}"#)), "response.malformed"),
            (part(&jwe, 0, &"A".repeat(MAX_HEADER_BYTES + 1)), "response.malformed"),
            (part(&jwe, 3, &"A".repeat(MAX_RESPONSE_BYTES)), "response.too-large"),
            ("e30".into(), "response.malformed"),
            (String::new(), "response.malformed"),
        ] {
            assert_eq!(code(key.decrypt(&changed, KID)), expected, "{changed:.400}");
        }
        let stranger = ResponseKey::generate().expect("a key");
        assert_eq!(code(stranger.decrypt(&jwe, KID)), "response.decryption");
    }
}
