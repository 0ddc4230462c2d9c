//! What a host is told: its name and key, whom it trusts, plugins by their digests, and merchants with their policies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bandpass_roles::{Key, os_rng};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::access::{Access, ServerConfig, is_sha256};
use crate::bindings::sdk::exports::bandpass::sdk::verification::Requirements;
use crate::error::{Code, Error};
use crate::json::requirements_over;

/// A host's configuration. [`Config::from_file`] reads it from TOML.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names this host: `iss` of its receipts, and its audit chain. Hosts that share a store have different names.
    pub name: String,
    /// Signs receipts and checkpoints.
    pub signing_key: Key,
    /// File with the signing key and those that it replaced: a JWK or a JWK Set.
    pub signing_key_file: PathBuf,
    /// Public keys (JWK) that signed before: what they signed stays good.
    pub retired_keys: Vec<Value>,
    /// Trust list (JSON).
    pub trust: Vec<u8>,
    /// Status list tokens, JWT or CWT.
    pub status_lists: Vec<Vec<u8>>,
    /// Folder with plugins, each in a file `<sha256>.wasm`.
    pub plugin_folder: PathBuf,
    /// Plugins by their names.
    pub plugins: BTreeMap<String, Pin>,
    /// Publishers of plugins by their names: public keys (JWK).
    pub publishers: BTreeMap<String, Value>,
    /// Digests of plugins that must not decide any more, not even on challenges that were made for them.
    pub revoked: BTreeSet<String>,
    /// Merchants by their identifiers.
    pub merchants: BTreeMap<String, Merchant>,
    /// Seconds for which a challenge can be answered.
    pub challenge_lifetime: u32,
    /// File to which signed checkpoints of the audit chain are appended.
    pub checkpoints: Option<PathBuf>,
    /// How the server is reached, if there is to be one.
    pub server: Option<ServerConfig>,
}

/// Which component a plugin is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// SHA-256 of the component in hexadecimal.
    pub sha256: String,
    /// The publisher who must have signed it: `<sha256>.jws` beside the component.
    pub publisher: Option<String>,
}

/// A merchant.
#[derive(Clone, Debug)]
pub struct Merchant {
    /// What its wallets' proofs are addressed to: the full `client_id` with its prefix, or `origin:` and an origin.
    pub audience: Vec<String>,
    /// Its policies, asked in this order. Deny beats step-up beats allow.
    pub policies: Vec<PolicyConfig>,
    /// Required whatever the policies say.
    pub floor: Option<Requirements>,
    /// How it uses the server.
    pub access: Access,
}

/// A policy of a merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyConfig {
    /// Name of the plugin.
    pub plugin: String,
    /// Its settings (JSON).
    pub settings: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    name: String,
    signing_key: PathBuf,
    trust: PathBuf,
    #[serde(default)]
    status_lists: Vec<PathBuf>,
    plugins: PathBuf,
    #[serde(default)]
    revoked: BTreeSet<String>,
    #[serde(default = "default_challenge_lifetime")]
    challenge_lifetime: u32,
    checkpoints: Option<PathBuf>,
    #[serde(default)]
    plugin: BTreeMap<String, Pin>,
    #[serde(default)]
    publisher: BTreeMap<String, PublisherFile>,
    merchant: BTreeMap<String, MerchantFile>,
    server: Option<ServerConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublisherFile {
    jwk: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MerchantFile {
    audience: Vec<String>,
    policy: Vec<PolicyFile>,
    floor: Option<Map<String, Value>>,
    #[serde(default)]
    access: Access,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    plugin: String,
    #[serde(default)]
    settings: Map<String, Value>,
}

fn default_challenge_lifetime() -> u32 {
    Config::DEFAULT_CHALLENGE_LIFETIME
}

impl Config {
    /// Seconds for which a challenge can be answered, unless the configuration says otherwise.
    pub const DEFAULT_CHALLENGE_LIFETIME: u32 = 300;

    /// Reads a configuration (TOML) and the files that it names, whose paths are relative to it. A signing key that is not
    /// there is made.
    ///
    /// # Errors
    /// `config.malformed`, or `host.input` if a file can't be read.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let malformed = |why: &dyn std::fmt::Display| config_malformed(&path.display(), why);
        let text = String::from_utf8(read(path)?).map_err(|error| malformed(&error))?;
        let file = toml_edit::de::from_str::<ConfigFile>(&text).map_err(|error| malformed(&error))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut merchants = BTreeMap::new();
        for (id, MerchantFile { audience, policy, floor, access }) in file.merchant {
            let policies = policy.into_iter().map(|PolicyFile { plugin, settings }| PolicyConfig {
                plugin,
                settings: Value::Object(settings).to_string(),
            });
            let floor = floor.map(|floor| requirements_over(Requirements::none(), &floor)).transpose();
            let floor = floor.map_err(|why| malformed(&format!("merchant `{id}`: floor: {why}")))?;
            let access = access.in_folder(folder);
            merchants.insert(id, Merchant { audience, policies: policies.collect(), floor, access });
        }
        let signing_key_file = folder.join(file.signing_key);
        let (signing_key, retired_keys) = read_or_create_keys(&signing_key_file)?;
        let config = Self {
            name: file.name,
            signing_key,
            signing_key_file,
            retired_keys,
            trust: read(&folder.join(file.trust))?,
            status_lists: file.status_lists.iter().map(|list| read(&folder.join(list))).collect::<Result<_, _>>()?,
            plugin_folder: folder.join(file.plugins),
            plugins: file.plugin,
            publishers: file.publisher.into_iter().map(|(name, publisher)| (name, publisher.jwk)).collect(),
            revoked: file.revoked,
            merchants,
            challenge_lifetime: file.challenge_lifetime,
            checkpoints: file.checkpoints.map(|file| folder.join(file)),
            server: file.server.map(|server| server.in_folder(folder)),
        };
        config.check().map_err(|why| malformed(&why))?;
        Ok(config)
    }

    /// What would otherwise be found out at a till.
    pub(crate) fn check(&self) -> Result<(), String> {
        let digests = self.plugins.values().map(|pin| &pin.sha256).chain(&self.revoked);
        for digest in digests {
            if !is_sha256(digest) {
                return Err(format!("`{digest}` is no SHA-256 in lower-case hexadecimal"));
            }
        }
        for (name, pin) in &self.plugins {
            if let Some(publisher) =
                pin.publisher.as_ref().filter(|publisher| !self.publishers.contains_key(*publisher))
            {
                return Err(format!("plugin `{name}`: there is no publisher `{publisher}`"));
            }
        }
        for (id, merchant) in &self.merchants {
            if merchant.audience.is_empty() || merchant.audience.iter().any(String::is_empty) {
                return Err(format!("merchant `{id}` has no audience"));
            }
            merchant.access.check().map_err(|why| format!("merchant `{id}`: {why}"))?;
            if merchant.policies.is_empty() {
                return Err(format!("merchant `{id}` has no policy"));
            }
            if let Some(policy) = merchant.policies.iter().find(|policy| !self.plugins.contains_key(&policy.plugin)) {
                return Err(format!("merchant `{id}`: there is no plugin `{}`", policy.plugin));
            }
        }
        if let Some(server) = &self.server {
            server.check()?;
        }
        if self.name.is_empty() || self.challenge_lifetime == 0 {
            return Err("`name` and `challenge_lifetime` can't be empty".into());
        }
        Ok(())
    }
}

fn config_malformed(file: &dyn std::fmt::Display, why: &dyn std::fmt::Display) -> Error {
    Error::host(Code::ConfigMalformed, format!("{file}: {why}"))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::host(Code::HostInput, format!("{}: {error}", path.display()))
}

/// A private JWK, or a JWK Set that begins with one and goes on with retired public keys. Of two processes that make one at
/// once, both end up with the same.
pub(crate) fn read_or_create_keys(path: &Path) -> Result<(Key, Vec<Value>), Error> {
    if !path.exists() {
        let folder = path.parent().unwrap_or(Path::new("."));
        let jwk = Key::generate(&mut os_rng()).to_private_jwk().to_string();
        // Temporary files are made 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| unreadable(path, &error))?;
        let written = file.write_all(jwk.as_bytes()).and_then(|()| file.as_file().sync_all());
        written.map_err(|error| unreadable(path, &error))?;
        let _ = file.persist_noclobber(path);
    }
    let malformed = |why: &dyn std::fmt::Display| config_malformed(&path.display(), why);
    let read = serde_json::from_slice::<Value>(&read(path)?).map_err(|error| malformed(&error))?;
    let (jwk, retired) = match read.get("keys").and_then(Value::as_array).map(Vec::as_slice) {
        Some([jwk, retired @ ..]) => (jwk.clone(), retired.to_vec()),
        Some([]) => return Err(malformed(&"there is no key in it")),
        None => (read, Vec::new()),
    };
    if retired.iter().any(|jwk| jwk.get("d").is_some()) {
        return Err(malformed(&"only the first key may be a private one"));
    }
    Ok((Key::from_private_jwk(&jwk).map_err(|error| malformed(&error))?, retired))
}
