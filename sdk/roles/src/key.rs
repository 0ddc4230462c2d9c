//! Signing keys.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use getrandom::SysRng;
use p256::PublicKey;
use p256::ecdh::diffie_hellman;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::rand_core::{CryptoRng, UnwrapErr};
use serde_json::{Value, json};

use crate::{base64url, sha256_base64url};

/// The operating system's randomness. Panics if there is none.
#[must_use]
pub fn os_rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// A P-256 key that signs ES256.
#[derive(Clone)]
pub struct Key {
    key: SigningKey,
    x: String,
    y: String,
}

/// No P-256 private key: not 32 bytes, zero, not below the group's order, or beside a public key that is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a P-256 private key")
    }
}

impl std::error::Error for KeyError {}

impl Key {
    /// A fresh key.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::new(SigningKey::generate_from_rng(rng))
    }

    /// The key with this private scalar, big-endian.
    ///
    /// # Errors
    /// [`KeyError`] if the bytes are none.
    pub fn from_bytes(scalar: &[u8]) -> Result<Self, KeyError> {
        SigningKey::from_slice(scalar).map(Self::new).map_err(|_| KeyError)
    }

    fn new(key: SigningKey) -> Self {
        let point = key.verifying_key().to_sec1_point(false);
        let coordinate = |bytes: Option<&_>| bytes.map(|bytes: &p256::FieldBytes| base64url(bytes)).unwrap_or_default();
        Self { x: coordinate(point.x()), y: coordinate(point.y()), key }
    }

    /// The key in a private JWK (RFC 7518, section 6.2.2): `d` counts, and `x` and `y` must fit it.
    ///
    /// # Errors
    /// [`KeyError`] if it is none on P-256.
    pub fn from_private_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let member = |name| jwk.get(name).and_then(Value::as_str).ok_or(KeyError);
        let scalar = Base64UrlUnpadded::decode_vec(member("d")?).map_err(|_| KeyError)?;
        let key = Self::from_bytes(&scalar)?;
        let fits = (member("kty")?, member("crv")?, member("x")?, member("y")?) == ("EC", "P-256", &key.x, &key.y);
        fits.then_some(key).ok_or(KeyError)
    }

    /// The private key as JWK: a secret.
    #[must_use]
    pub fn to_private_jwk(&self) -> Value {
        let Self { key, x, y } = self;
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": base64url(&key.to_bytes())})
    }

    /// The public key as JWK.
    #[must_use]
    pub fn jwk(&self) -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": self.x, "y": self.y})
    }

    /// RFC 7638 thumbprint with SHA-256.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let Self { x, y, .. } = self;
        sha256_base64url(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes())
    }

    /// A compact JWS over any header and payload: what they say is up to the caller.
    #[must_use]
    pub fn sign(&self, header: &Value, payload: &Value) -> String {
        self.sign_text(&header.to_string(), &payload.to_string())
    }

    /// The same over JSON as it is written.
    #[must_use]
    pub fn sign_text(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
        format!("{signed}.{}", base64url(&self.sign_bytes(signed.as_bytes())))
    }

    /// The secret that this key shares with another one (ECDH; SEC 1, section 3.3.1); none if `jwk` is no public P-256 key.
    #[must_use]
    pub fn shared_secret(&self, jwk: &Value) -> Option<Vec<u8>> {
        let coordinate = |name| Base64UrlUnpadded::decode_vec(jwk.get(name)?.as_str()?).ok();
        let public = PublicKey::from_sec1_bytes(&[&[4][..], &coordinate("x")?, &coordinate("y")?].concat()).ok()?;
        let secret = diffie_hellman(self.key.as_nonzero_scalar(), public.as_affine());
        Some(secret.raw_secret_bytes().to_vec())
    }

    /// An ES256 signature: r and s, 32 bytes each.
    #[must_use]
    pub fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.key.sign(message);
        signature.to_bytes().to_vec()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.thumbprint())
    }
}
