//! The phone: approves what its band is about to sign.

use p256::elliptic_curve::rand_core::CryptoRng;
use serde_json::json;

use crate::{Key, Request, random_id};

/// A phone with its approval key.
#[derive(Clone, Debug)]
pub struct Phone {
    key: Key,
}

impl Phone {
    /// A phone with this key.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { key }
    }

    /// RFC 7638 thumbprint of the phone's key: what a pairing names.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.key.thumbprint()
    }

    /// Approves a request for a band, the owner having been authenticated by these methods (RFC 8176).
    #[must_use]
    pub fn approve(
        &self,
        request: &Request,
        band_thumbprint: &str,
        methods: &[&str],
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> String {
        let mut payload = json!({
            "aud": request.audience,
            "nonce": request.nonce,
            "iat": now,
            "jti": random_id(rng),
            "band_jkt": band_thumbprint,
            "amr": methods,
        });
        if let (Some(members), false) = (payload.as_object_mut(), request.transaction_data.is_empty()) {
            members.insert("transaction_data_hashes".into(), request.transaction_hashes().into());
            members.insert("transaction_data_hashes_alg".into(), "sha-256".into());
        }
        self.key.sign(&json!({"alg": "ES256", "typ": "band-approval+jwt", "jwk": self.key.jwk()}), &payload)
    }
}
