//! The wallet's side: issuer, band and phone, as far as making tokens goes.
//!
//! For tests, demonstrations and simulators. Keys live in memory; a real band keeps its key in a secure element.
//!
//! Randomness is an argument everywhere: [`os_rng`] outside tests, a seeded generator where vectors must repeat.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::expect_used, reason = "a test fails by panicking"))]

mod band;
pub mod cbor;
pub mod device;
mod issuer;
mod key;
pub mod mdoc;
mod phone;
pub mod registry;
pub mod sd_jwt;
pub mod status_list;

pub use band::Band;
pub use issuer::{BandDetails, Issuer, StatusTimes};
pub use key::{Key, KeyError, os_rng};
pub use phone::Phone;
pub use sd_jwt::IssueError;
pub use status_list::StatusList;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::elliptic_curve::rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// `vct` of a band credential.
pub const BAND_VCT: &str = "urn:bandpass:band:1";

/// What a relying party asks a wallet to prove.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The audience to sign for: the full `client_id`, or `origin:` and an origin.
    pub audience: String,
    /// The relying party's nonce.
    pub nonce: String,
    /// Transaction data as sent: base64url strings.
    pub transaction_data: Vec<String>,
}

impl Request {
    /// `transaction_data_hashes` of this request (OpenID4VP 1.0, section 8.4).
    fn transaction_hashes(&self) -> Vec<String> {
        self.transaction_data.iter().map(|sent| sha256_base64url(sent.as_bytes())).collect()
    }
}

/// An entry of transaction data as a relying party sends it: base64url of JSON.
#[must_use]
pub fn transaction_data(type_id: &str, credential_ids: &[&str], payload: &Value) -> String {
    base64url(json!({"type": type_id, "credential_ids": credential_ids, "payload": payload}).to_string().as_bytes())
}

/// base64url without padding.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// base64url of the SHA-256 of `bytes`.
#[must_use]
pub fn sha256_base64url(bytes: &[u8]) -> String {
    base64url(&Sha256::digest(bytes))
}

/// 128 random bits as base64url: salts, nonces and token identifiers.
#[must_use]
pub fn random_id(rng: &mut impl CryptoRng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    base64url(&bytes)
}
