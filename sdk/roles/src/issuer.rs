//! The wallet provider: signs band credentials.

use p256::elliptic_curve::rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use crate::status_list::{encoded, sign1};
use crate::{BAND_VCT, IssueError, Key, StatusList, sd_jwt};

/// An issuer of band credentials.
#[derive(Clone, Debug)]
pub struct Issuer {
    iss: String,
    key: Key,
    chain: Vec<Vec<u8>>,
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
    /// Which of the issuer's status lists, counted from 1.
    pub status_list: u32,
    /// Index in it.
    pub status_index: usize,
    /// The owner's claims, each selectively disclosable: `sub`, `given_name`...
    pub owner: Map<String, Value>,
}

/// How long a status list token counts. Seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusTimes {
    /// `iat`, since 1970.
    pub issued_at: u64,
    /// `exp`, since 1970.
    pub expires: u64,
    /// `ttl`: after how long to fetch it again.
    pub ttl: u64,
}

const DAY: u64 = 86_400;

impl Issuer {
    /// An issuer with this identifier (an HTTPS URL) and key.
    #[must_use]
    pub fn new(iss: &str, key: Key) -> Self {
        Self { iss: iss.into(), key, chain: Vec::new() }
    }

    /// The same with a certificate in DER, and those of authorities below the root: its lists in CWT are known by them.
    #[must_use]
    pub fn certified(self, chain: Vec<Vec<u8>>) -> Self {
        Self { chain, ..self }
    }

    /// The entry of a trust list that trusts this issuer for these types.
    #[must_use]
    pub fn trust_entry(&self, vct: &[&str]) -> Value {
        let mut jwk = self.key.jwk();
        if let Some(jwk) = jwk.as_object_mut() {
            jwk.insert("kid".into(), self.key.thumbprint().into());
        }
        json!({"iss": self.iss, "jwks": {"keys": [jwk]}, "vct": vct, "status_uris": [format!("{}/status/", self.iss)]})
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
            ("status", json!({"status_list": {"idx": band.status_index, "uri": self.status_uri(band.status_list)}})),
            ("pairing", json!({"jkt": band.phone_thumbprint, "epoch": band.epoch})),
            ("band_measures", json!(band.measures)),
        ] {
            claims.insert(name.into(), value);
        }
        let header = json!({"alg": "ES256", "typ": "dc+sd-jwt", "kid": self.key.thumbprint()});
        let selective = selective.iter().map(String::as_str).collect::<Vec<_>>();
        sd_jwt::issue(&self.key, &header, claims, &selective, rng)
    }

    /// Signs a status list as JWT (Token Status List, section 5.1).
    #[must_use]
    pub fn sign_status_list(&self, number: u32, list: &StatusList, times: &StatusTimes) -> String {
        let header = json!({"alg": "ES256", "typ": "statuslist+jwt", "kid": self.key.thumbprint()});
        let StatusTimes { issued_at, expires, ttl } = times;
        let payload = json!({"sub": self.status_uri(number), "iat": issued_at, "exp": expires, "ttl": ttl,
            "status_list": list.to_json()});
        self.key.sign(&header, &payload)
    }

    /// The same as CWT (section 5.2).
    #[must_use]
    pub fn sign_status_list_cwt(&self, number: u32, list: &StatusList, times: &StatusTimes) -> Vec<u8> {
        // RFC 9052, RFC 9596; RFC 8392 and the draft.
        let [alg, kid, typ, x5chain, es256] = [1, 4, 16, 33, -7];
        let [sub, exp, iat, ttl, status_list] = [2, 4, 6, 65_534, 65_533];
        let header = encoded(|cbor| {
            cbor.map(3)?.i64(alg)?.i64(es256)?.i64(typ)?.str("application/statuslist+cwt")?;
            match self.chain.as_slice() {
                [] => cbor.i64(kid)?.bytes(self.key.thumbprint().as_bytes())?,
                [certificate] => cbor.i64(x5chain)?.bytes(certificate)?,
                chain => {
                    cbor.i64(x5chain)?.array(u64::try_from(chain.len()).unwrap_or(u64::MAX))?;
                    chain.iter().try_fold(cbor, |cbor, certificate| cbor.bytes(certificate))?
                }
            };
            Ok(())
        });
        let claims = encoded(|cbor| {
            cbor.map(5)?.i64(sub)?.str(&self.status_uri(number))?.i64(exp)?.u64(times.expires)?;
            cbor.i64(iat)?.u64(times.issued_at)?.i64(status_list)?;
            cbor.writer_mut().extend_from_slice(&list.to_cbor());
            cbor.i64(ttl)?.u64(times.ttl)?;
            Ok(())
        });
        sign1(&self.key, &header, &encoded(|cbor| cbor.map(0).map(drop)), &claims)
    }

    /// Where a status list is published.
    #[must_use]
    pub fn status_uri(&self, number: u32) -> String {
        format!("{}/status/{number}", self.iss)
    }
}
