//! What a registry is told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bandpass_roles::{BAND_VCT, Issuer, Key};
use serde::Deserialize;
use serde_json::Value;

use super::proofs::AuthorizationServer;
use crate::access::ServerConfig;
use crate::config::{FetchFile, read_or_create_keys, text};
use crate::error::{Code, Error};
use crate::refresh::{Client, check_url};

/// Credentials of a batch at most, whatever the configuration says: each is signed while its request waits.
const MAX_BATCH: u32 = 100;
/// Entries of a status list at most: what verifiers take (1 MiB).
const MAX_ENTRIES: u32 = 1 << 22;

/// A registry's configuration. [`RegistryConfig::from_file`] reads it from TOML.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Names its audit chain. Registries that share a store have different names.
    pub name: String,
    /// Signs credentials and status lists.
    pub signing_key: Key,
    /// Public keys (JWK) that signed before, named by their thumbprints.
    pub retired_keys: Vec<Value>,
    /// How it is reached. Its `public_url` is the issuer's identifier: `iss` of credentials.
    pub server: ServerConfig,
    /// Days for which a credential is valid.
    pub valid_days: u32,
    /// Credentials that a batch has at most.
    pub batch: u32,
    /// Entries of a status list. When half of them are given, the next list is begun.
    pub status_entries: u32,
    /// Seconds after which verifiers are to fetch a status list again.
    pub status_ttl: u32,
    /// Seconds for which a status list can be used by whoever is offline.
    pub status_lifetime: u32,
    /// Hosts that are sent each status list when it changes: URLs that end in `/v1/status-lists`.
    pub tell: Vec<String>,
    pub(super) client: Arc<Client>,
    pub(super) authorization_server: AuthorizationServer,
    /// Keys of bands' makers, by their `iss`.
    pub(super) makers: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    signing_key: PathBuf,
    #[serde(default = "two_weeks")]
    valid_days: u32,
    #[serde(default = "ten")]
    batch: u32,
    #[serde(default = "a_million")]
    status_entries: u32,
    #[serde(default = "five_minutes")]
    status_ttl: u32,
    #[serde(default = "a_day")]
    status_lifetime: u32,
    #[serde(default)]
    tell: Vec<String>,
    #[serde(default)]
    fetch: FetchFile,
    server: ServerConfig,
    authorization_server: Keys,
    #[serde(default)]
    maker: Vec<Keys>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    issuer: String,
    /// A JWK Set.
    jwks: PathBuf,
}

fn two_weeks() -> u32 {
    14
}

fn ten() -> u32 {
    10
}

fn a_million() -> u32 {
    1 << 20
}

fn five_minutes() -> u32 {
    300
}

fn a_day() -> u32 {
    86_400
}

impl RegistryConfig {
    /// Reads a configuration (TOML) and the files that it names, whose paths are relative to it. A signing key that is not
    /// there is made.
    ///
    /// # Errors
    /// `config.malformed`, or `host.input` if a file can't be read.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let malformed =
            |why: &dyn std::fmt::Display| Error::host(Code::ConfigMalformed, format!("{}: {why}", path.display()));
        let file = toml_edit::de::from_str::<File>(&text(path)?).map_err(|error| malformed(&error))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let server = file.server.in_folder(folder);
        if let Some((key, why)) = server.problems().into_iter().next() {
            return Err(malformed(&format!("server.{key}: {why}")));
        }
        for (name, number, bounds) in [
            ("valid_days", file.valid_days, 1..=3_650),
            ("batch", file.batch, 1..=MAX_BATCH),
            ("status_entries", file.status_entries, 1_024..=MAX_ENTRIES),
            ("status_ttl", file.status_ttl, 1..=86_400),
            ("status_lifetime", file.status_lifetime, 1..=31 * 86_400),
        ] {
            if !bounds.contains(&number) {
                return Err(malformed(&format!("{name}: it has to be from {} to {}", bounds.start(), bounds.end())));
            }
        }
        if file.name.is_empty() {
            return Err(malformed(&"name: a name is needed"));
        }
        if let Some(error) = file.tell.iter().find_map(|url| check_url(url).err()) {
            return Err(malformed(&format!("tell: {error}")));
        }
        let authorities = file.fetch.ca.map(|ca| std::fs::read(folder.join(ca)));
        let authorities = authorities.transpose().map_err(|error| malformed(&format!("fetch.ca: {error}")))?;
        let client = Client::new(authorities.as_deref()).map_err(|why| malformed(&format!("fetch.ca: {why}")))?;
        let keys = |keys: Keys| {
            let path = folder.join(keys.jwks);
            let set = serde_json::from_str::<Value>(&text(&path)?).ok();
            let found = set.as_ref().and_then(|set| set.get("keys")?.as_array()).filter(|keys| !keys.is_empty());
            let public = found.filter(|keys| keys.iter().all(|jwk| bandpass_core::jwk_thumbprint(jwk).is_some()));
            let found = public.ok_or_else(|| malformed(&format!("{}: no JWK Set of P-256 keys", path.display())))?;
            Ok::<_, Error>((keys.issuer, found.clone()))
        };
        let (issuer, by) = keys(file.authorization_server)?;
        let (signing_key, mut retired_keys) = read_or_create_keys(&folder.join(file.signing_key))?;
        for jwk in &mut retired_keys {
            let kid = bandpass_core::jwk_thumbprint(jwk);
            let kid = kid.ok_or_else(|| malformed(&"signing_key: a retired key is no public P-256 key"))?;
            if let Some(jwk) = jwk.as_object_mut() {
                jwk.insert("kid".into(), kid.into());
            }
        }
        Ok(Self {
            name: file.name,
            signing_key,
            retired_keys,
            server,
            valid_days: file.valid_days,
            batch: file.batch,
            status_entries: file.status_entries,
            status_ttl: file.status_ttl,
            status_lifetime: file.status_lifetime,
            tell: file.tell,
            client: Arc::new(client),
            authorization_server: AuthorizationServer { issuer, keys: by },
            makers: file.maker.into_iter().map(keys).collect::<Result<_, Error>>()?,
        })
    }

    /// Its entry in a trust list: with the keys that signed before, whose credentials are still shown.
    #[must_use]
    pub fn trust_entry(&self) -> Value {
        let mut entry = self.issuer().trust_entry(&[BAND_VCT]);
        if let Some(keys) = entry.pointer_mut("/jwks/keys").and_then(Value::as_array_mut) {
            keys.extend(self.retired_keys.iter().cloned());
        }
        entry
    }

    pub(super) fn issuer(&self) -> Issuer {
        Issuer::new(&self.server.public_url, self.signing_key.clone())
    }
}
