//! The band: knows whether it is worn and unlocked, and signs that with every proof.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::elliptic_curve::rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use crate::{Key, Request, random_id, sha256_base64url};

/// A band with the credential that it holds.
#[derive(Clone, Debug)]
pub struct Band {
    pub(crate) key: Key,
    pub(crate) credential: String,
    pub(crate) worn_since: Option<u64>,
    pub(crate) unlocked_at: Option<u64>,
    pub(crate) confirmed: bool,
    pub(crate) counter: u64,
}

impl Band {
    /// A band that holds a credential (with its disclosures), not worn yet.
    #[must_use]
    pub fn new(key: Key, credential: String) -> Self {
        Self { key, credential, worn_since: None, unlocked_at: None, confirmed: false, counter: 0 }
    }

    /// The same after so many signatures.
    #[must_use]
    pub fn after(self, counter: u64) -> Self {
        Self { counter, ..self }
    }

    /// How many signatures it has made.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// RFC 7638 thumbprint of the band's key.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.key.thumbprint()
    }

    /// The credential with its disclosures: what a thief can copy.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// Puts the band on; it is locked until [`Band::unlock`].
    pub fn put_on(&mut self, now: u64) {
        self.take_off();
        self.worn_since = Some(now);
    }

    /// Takes the band off, which locks it.
    pub fn take_off(&mut self) {
        self.worn_since = None;
        self.lock();
    }

    /// Unlocks the band on the wrist. A band that isn't worn stays locked.
    pub fn unlock(&mut self, now: u64) {
        self.unlocked_at = self.worn_since.map(|worn| now.max(worn));
    }

    /// Locks the band.
    pub fn lock(&mut self) {
        self.unlocked_at = None;
    }

    /// The wearer acts on the band: counts for the next proof.
    pub fn confirm(&mut self) {
        self.confirmed = true;
    }

    /// Signs a presentation of the credential that discloses the claims named.
    #[must_use]
    pub fn present(
        &mut self,
        request: &Request,
        disclose: &[&str],
        approval: Option<&str>,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> String {
        let evidence = self.evidence();
        let presented = select(&self.credential, disclose);
        let mut payload = json!({
            "iat": now,
            "aud": request.audience,
            "nonce": request.nonce,
            "sd_hash": sha256_base64url(presented.as_bytes()),
            "jti": random_id(rng),
            "band": evidence,
        });
        if let Some(members) = payload.as_object_mut() {
            if !request.transaction_data.is_empty() {
                members.insert("transaction_data_hashes".into(), request.transaction_hashes().into());
                members.insert("transaction_data_hashes_alg".into(), "sha-256".into());
            }
            if let Some(approval) = approval {
                members.insert("approval".into(), approval.into());
            }
        }
        let proof = self.key.sign(&json!({"alg": "ES256", "typ": "kb+jwt"}), &payload);
        format!("{presented}{proof}")
    }

    /// What the band says of the moment, with the next signature's counter.
    pub(crate) fn evidence(&mut self) -> Map<String, Value> {
        self.counter += 1;
        let mut evidence = Map::new();
        evidence.insert("counter".into(), self.counter.into());
        for (name, at) in [("worn_since", self.worn_since), ("unlocked_at", self.unlocked_at)] {
            if let Some(at) = at {
                evidence.insert(name.into(), (at / 60 * 60).into());
            }
        }
        if std::mem::take(&mut self.confirmed) {
            evidence.insert("confirmed".into(), true.into());
        }
        evidence
    }
}

/// The credential with the disclosures of the claims named, and of what is inside them.
fn select(credential: &str, names: &[&str]) -> String {
    let mut parts = credential.split_inclusive('~');
    let mut presented = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let disclosure = Base64UrlUnpadded::decode_vec(part.trim_end_matches('~')).unwrap_or_default();
        let disclosure = serde_json::from_slice::<Vec<Value>>(&disclosure).unwrap_or_default();
        if disclosure.get(1).and_then(Value::as_str).is_some_and(|name| names.contains(&name)) {
            presented.push_str(part);
        }
    }
    presented
}
