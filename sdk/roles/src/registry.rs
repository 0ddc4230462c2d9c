//! What owners, bands, phones and makers sign for a wallet provider's registry.

use p256::elliptic_curve::rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use crate::{Key, random_id, sha256_base64url};

/// Who signs: what one key signed in a role does not do for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The band.
    Band,
    /// The phone.
    Phone,
}

impl Role {
    /// `band` or `phone`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Band => "band",
            Self::Phone => "phone",
        }
    }
}

/// What every statement of a band or a phone says.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// Who signs.
    pub role: Role,
    /// The registry's identifier.
    pub audience: &'a str,
    /// RFC 7638 thumbprint of the other's key: at enrolment the account's, else the phone's or the band's.
    pub names: &'a str,
    /// Seconds since 1970.
    pub now: u64,
}

impl Statement<'_> {
    fn payload(&self) -> Map<String, Value> {
        let Self { role, audience, names, now } = *self;
        let mut payload = Map::new();
        for (name, value) in
            [("role", json!(role.as_str())), ("aud", json!(audience)), ("iat", json!(now)), ("names", json!(names))]
        {
            payload.insert(name.into(), value);
        }
        payload
    }

    /// To be enrolled (no nonce), or to be paired (that of the opening).
    #[must_use]
    pub fn pairing(&self, key: &Key, nonce: Option<&str>) -> String {
        let mut payload = self.payload();
        payload.extend(nonce.map(|nonce| ("nonce".to_owned(), json!(nonce))));
        key.sign(&header("bandpass-pairing+jwt", key), &payload.into())
    }

    /// On the keys of a batch of credentials (`OpenID4VCI` 1.0, appendix D.1), good for 300 s.
    #[must_use]
    pub fn keys(&self, key: &Key, nonce: &str, epoch: u64, attested: &[Key]) -> String {
        let mut payload = self.payload();
        let attested = attested.iter().map(Key::jwk).collect::<Vec<_>>();
        for (name, value) in [
            ("exp", json!(self.now + 300)),
            ("nonce", json!(nonce)),
            ("epoch", json!(epoch)),
            ("attested_keys", json!(attested)),
        ] {
            payload.insert(name.into(), value);
        }
        key.sign(&header("key-attestation+jwt", key), &payload.into())
    }
}

/// The proof by one key of a batch (`OpenID4VCI` 1.0, appendix F.1). `attestation`: the band's statement on all of them.
#[must_use]
pub fn key_proof(key: &Key, audience: &str, nonce: &str, attestation: &str, now: u64) -> String {
    let mut header = header("openid4vci-proof+jwt", key);
    if let Some(header) = header.as_object_mut() {
        header.insert("key_attestation".into(), attestation.into());
    }
    key.sign(&header, &json!({"aud": audience, "iat": now, "nonce": nonce}))
}

/// A `DPoP` proof for one request (RFC 9449, section 4).
#[must_use]
pub fn dpop(
    key: &Key,
    method: &str,
    uri: &str,
    access_token: Option<&str>,
    now: u64,
    rng: &mut impl CryptoRng,
) -> String {
    let mut payload = json!({"htm": method, "htu": uri, "iat": now, "jti": random_id(rng)});
    if let (Some(payload), Some(token)) = (payload.as_object_mut(), access_token) {
        payload.insert("ath".into(), sha256_base64url(token.as_bytes()).into());
    }
    key.sign(&header("dpop+jwt", key), &payload)
}

/// A maker, who attests what its bands sense.
#[derive(Clone, Debug)]
pub struct Maker {
    /// `iss`.
    pub name: String,
    /// Its key.
    pub key: Key,
}

impl Maker {
    /// Attests what the band with this key senses: any of `wear`, `unlock`, `confirm`, `distance`.
    #[must_use]
    pub fn attest(&self, band_thumbprint: &str, measures: &[&str], now: u64) -> String {
        let header = json!({"alg": "ES256", "typ": "bandpass-attestation+jwt"});
        let payload = json!({"iss": self.name, "iat": now, "cnf": {"jkt": band_thumbprint}, "band_measures": measures});
        self.key.sign(&header, &payload)
    }
}

/// An authorization server, which says whose an account is.
#[derive(Clone, Debug)]
pub struct AuthorizationServer {
    /// `iss`.
    pub issuer: String,
    /// Its key.
    pub key: Key,
}

/// Whom an access token is for.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The account's name at the registry.
    pub sub: &'a str,
    /// RFC 7638 thumbprint of its key.
    pub key_thumbprint: &'a str,
    /// When its user was last verified, in seconds since 1970.
    pub verified_at: Option<u64>,
}

impl AuthorizationServer {
    /// An access token (RFC 9068) that is bound to the account's key (RFC 9449, section 6), good for 300 s.
    #[must_use]
    pub fn access_token(&self, audience: &str, account: &Account<'_>, now: u64, rng: &mut impl CryptoRng) -> String {
        let mut payload = json!({
            "iss": self.issuer,
            "aud": audience,
            "sub": account.sub,
            "client_id": "wallet",
            "iat": now,
            "exp": now + 300,
            "jti": random_id(rng),
            "cnf": {"jkt": account.key_thumbprint},
        });
        if let (Some(payload), Some(at)) = (payload.as_object_mut(), account.verified_at) {
            payload.insert("auth_time".into(), at.into());
        }
        self.key.sign(&json!({"alg": "ES256", "typ": "at+jwt", "kid": self.key.thumbprint()}), &payload)
    }
}

fn header(typ: &str, key: &Key) -> Value {
    json!({"alg": "ES256", "typ": typ, "jwk": key.jwk()})
}
