//! What a controller reads: how the door is set up, and what it was told of the world when it last had a network.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bandpass_roles::{Key, base64url};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::authority::Certified;

/// How a door is set up: `door.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The policy, a component, in a file.
    pub plugin: PathBuf,
    /// SHA-256 of it in hexadecimal: no other is loaded.
    pub plugin_sha256: String,
    /// The policy's settings.
    pub settings: Value,
    /// The greatest age of the snapshot in seconds.
    pub snapshot_max_age: u64,
    /// By how much the clock may drift, in seconds for a million.
    pub drift_ppm: u64,
    /// The reader's key and certificate, with which the door says who it is.
    pub reader: KeyFile,
}

/// Trust and status as they were when the door last had a network: `snapshot.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// When, in seconds since 1970, by the network's clock, which the door's was set to.
    pub taken_at: u64,
    /// The trust list.
    pub trust: Value,
    /// Status list tokens in base64url.
    pub status_lists: Vec<String>,
}

/// A key with its certificate, in a file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// The private key.
    key: Value,
    /// DER in base64.
    certificate: String,
}

// The key is a secret.
impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFile").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl From<&Certified> for KeyFile {
    fn from(certified: &Certified) -> Self {
        let Certified { key, certificate } = certified;
        Self { key: key.to_private_jwk(), certificate: Base64::encode_string(certificate) }
    }
}

impl KeyFile {
    /// # Errors
    /// If it is none.
    pub fn read(&self) -> Result<Certified> {
        let certificate = Base64::decode_vec(&self.certificate).ok().context("a certificate in base64")?;
        Ok(Certified { key: Key::from_private_jwk(&self.key)?, certificate })
    }
}

impl Snapshot {
    /// One with these status list tokens.
    #[must_use]
    pub fn new(taken_at: u64, trust: Value, status_lists: &[Vec<u8>]) -> Self {
        Self { taken_at, trust, status_lists: status_lists.iter().map(|token| base64url(token)).collect() }
    }

    /// The status list tokens.
    ///
    /// # Errors
    /// If one is not in base64url.
    pub fn status_list_tokens(&self) -> Result<Vec<Vec<u8>>> {
        let tokens = self.status_lists.iter().map(|token| Base64UrlUnpadded::decode_vec(token).ok());
        tokens.collect::<Option<_>>().context("a status list token in base64url")
    }
}

/// Reads JSON.
///
/// # Errors
/// If the file is not there, or is something else.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let json = fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&json).with_context(|| file.display().to_string())
}

/// Writes JSON in place of what was there: after a power cut there is one or the other. Only its owner may read it.
///
/// # Errors
/// If it can't be written; then what was there still is.
pub fn write<T: Serialize>(file: &Path, what: &T) -> Result<()> {
    let folder = file.parent().context("a file in a folder")?;
    let mut written = tempfile::NamedTempFile::new_in(folder)?;
    written.write_all(&serde_json::to_vec_pretty(what)?)?;
    written.as_file().sync_all()?;
    written.persist(file)?;
    Ok(File::open(folder)?.sync_all()?)
}
