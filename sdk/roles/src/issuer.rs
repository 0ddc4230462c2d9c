//! The wallet provider: signs band credentials.

use p256::elliptic_curve::rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use crate::{BAND_VCT, IssueError, Key, StatusList, sd_jwt};

/// An issuer of band credentials.
#[derive(Clone, Debug)]
pub struct Issuer {
    iss: String,
    key: Key,
}

/// What a band credential says (band profile, section Credential).
#[derive(Clone, Debug)]
pub struct BandDetails {
    /// The band's public key.
    pub band_jwk: Value,
    /// RFC 7638 thumbprint of the paired phone's key.
    pub phone_thumbprint: String,
    /// Epoch of the pairing.
    pub epoch: u64,
    /// What the band was attested to sense: any of `wear`, `unlock`, `confirm`, `distance`.
    pub measures: Vec<String>,
    /// Seconds since 1970; the issuer rounds it down to the day.
    pub issued_at: u64,
    /// Whole days from then until it expires.
    pub valid_days: u64,
    /// Index in the issuer's status list.
    pub status_index: usize,
    /// The owner's claims, each selectively disclosable: `sub`, `given_name`...
    pub owner: Map<String, Value>,
}

const DAY: u64 = 86_400;

impl Issuer {
    /// An issuer with this identifier (an HTTPS URL) and key.
    #[must_use]
    pub fn new(iss: &str, key: Key) -> Self {
        Self { iss: iss.into(), key }
    }

    /// The entry of a trust list that trusts this issuer for these types.
    #[must_use]
    pub fn trust_entry(&self, vct: &[&str]) -> Value {
        let mut jwk = self.key.jwk();
        if let Some(jwk) = jwk.as_object_mut() {
            jwk.insert("kid".into(), self.key.thumbprint().into());
        }
        json!({"iss": self.iss, "jwks": {"keys": [jwk]}, "vct": vct, "status_uris": [self.status_uri()]})
    }

    /// Issues a band credential with every disclosure.
    ///
    /// # Errors
    /// Never, for the owner's claims are there; the signature is that of [`sd_jwt::issue`].
    pub fn issue(&self, band: &BandDetails, rng: &mut impl CryptoRng) -> Result<String, IssueError> {
        let today = band.issued_at / DAY * DAY;
        let mut claims = band.owner.clone();
        let selective = claims.keys().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        let selective = selective.collect::<Vec<_>>();
        for (name, value) in [
            ("iss", json!(self.iss)),
            ("iat", json!(today)),
            ("exp", json!(today + band.valid_days * DAY)),
            ("vct", json!(BAND_VCT)),
            ("cnf", json!({"jwk": band.band_jwk})),
            ("status", json!({"status_list": {"idx": band.status_index, "uri": self.status_uri()}})),
            ("pairing", json!({"jkt": band.phone_thumbprint, "epoch": band.epoch})),
            ("band_measures", json!(band.measures)),
        ] {
            claims.insert(name.into(), value);
        }
        let header = json!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": self.key.thumbprint()});
        let selective = selective.iter().map(String::as_str).collect::<Vec<_>>();
        sd_jwt::issue(&self.key, &header, claims, &selective, rng)
    }

    /// Signs a status list as JWT.
    #[must_use]
    pub fn sign_status_list(&self, list: &StatusList, issued_at: u64, expires: u64) -> String {
        let header = json!({"alg": "ES256", "typ": "statuslist+jwt", "kid": self.key.thumbprint()});
        let payload = json!({"sub": self.status_uri(), "iat": issued_at, "exp": expires, "ttl": 300,
            "status_list": list.to_json()});
        self.key.sign(&header, &payload)
    }

    fn status_uri(&self) -> String {
        format!("{}/status/1", self.iss)
    }
}
