//! What a host is told: its name and key, whom it trusts, plugins by their digests, and merchants with their policies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bandpass_roles::{Key, os_rng};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bindings::sdk::exports::bandpass::sdk::verification::Requirements;
use crate::error::{Code, Error};
use crate::json::requirements_over;
use crate::refresh::{Client, Location, Sources, check_url, first_trust};
use crate::runtime::digest;

/// A host's configuration. [`Config::from_file`] reads it from TOML.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names this host: `iss` of its receipts, and its audit chain. Hosts that share a store have different names.
    pub name: String,
    /// Signs receipts and checkpoints.
    pub signing_key: Key,
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
    /// Where newer versions of trust list and status lists come from, for a [`Refresher`](crate::Refresher).
    pub sources: Sources,
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
    /// A path or a URL.
    trust: String,
    /// Paths and URLs.
    #[serde(default)]
    status_lists: Vec<String>,
    #[serde(default)]
    fetch: FetchFile,
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
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FetchFile {
    ca: Option<PathBuf>,
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
    /// there is made. A trust list that has a URL is fetched, which may take ten seconds; if it can't be had, the last good
    /// copy is used, which is kept in the folder `cache` beside the configuration. Status lists with URLs are left to a
    /// [`Refresher`](crate::Refresher).
    ///
    /// # Errors
    /// `config.malformed`, `host.input` if a file can't be read, or `fetch.*` and `trust.malformed` if no trust list can be
    /// had from its URL, and none was before.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let malformed = |why: &dyn std::fmt::Display| config_malformed(&path.display(), why);
        let text = String::from_utf8(read(path)?).map_err(|error| malformed(&error))?;
        let file = toml_edit::de::from_str::<ConfigFile>(&text).map_err(|error| malformed(&error))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut merchants = BTreeMap::new();
        for (id, MerchantFile { audience, policy, floor }) in file.merchant {
            let policies = policy.into_iter().map(|PolicyFile { plugin, settings }| PolicyConfig {
                plugin,
                settings: Value::Object(settings).to_string(),
            });
            let floor = floor.map(|floor| requirements_over(Requirements::none(), &floor)).transpose();
            let floor = floor.map_err(|why| malformed(&format!("merchant `{id}`: floor: {why}")))?;
            merchants.insert(id, Merchant { audience, policies: policies.collect(), floor });
        }
        let authorities = file.fetch.ca.map(|ca| read(&folder.join(ca))).transpose()?;
        let client = Client::new(authorities.as_deref()).map_err(|why| malformed(&format!("fetch.ca: {why}")))?;
        let location = |named: &String| match named.contains("://") {
            false => Ok(Location::File(folder.join(named))),
            true => check_url(named).map(|_| Location::Url(named.clone())).map_err(|error| malformed(&error.message())),
        };
        let locations = file.status_lists.iter().map(location).collect::<Result<Vec<_>, _>>()?;
        let status_lists = locations.iter().filter_map(|location| match location {
            Location::File(path) => Some(read(path)),
            Location::Url(_) => None,
        });
        let status_lists = status_lists.collect::<Result<_, _>>()?;
        let (trust, trust_copy) = match location(&file.trust)? {
            Location::File(path) => (read(&path)?, None),
            Location::Url(url) => {
                let copy = folder.join(format!("cache/trust-{}.json", digest(url.as_bytes())));
                (first_trust(&client, &url, &copy)?, Some(copy))
            }
        };
        let sources = Sources { trust: Some(location(&file.trust)?), trust_copy, status_lists: locations, authorities };
        let config = Self {
            name: file.name,
            signing_key: read_or_create_key(&folder.join(file.signing_key))?,
            trust,
            status_lists,
            sources,
            plugin_folder: folder.join(file.plugins),
            plugins: file.plugin,
            publishers: file.publisher.into_iter().map(|(name, publisher)| (name, publisher.jwk)).collect(),
            revoked: file.revoked,
            merchants,
            challenge_lifetime: file.challenge_lifetime,
            checkpoints: file.checkpoints.map(|file| folder.join(file)),
        };
        config.check().map_err(|why| malformed(&why))?;
        Ok(config)
    }

    /// What would otherwise be found out at a till.
    pub(crate) fn check(&self) -> Result<(), String> {
        let digests = self.plugins.values().map(|pin| &pin.sha256).chain(&self.revoked);
        for digest in digests {
            if digest.len() != 64 || !digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
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
            if merchant.policies.is_empty() {
                return Err(format!("merchant `{id}` has no policy"));
            }
            if let Some(policy) = merchant.policies.iter().find(|policy| !self.plugins.contains_key(&policy.plugin)) {
                return Err(format!("merchant `{id}`: there is no plugin `{}`", policy.plugin));
            }
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

/// A private JWK. Of two processes that make one at once, both end up with the same.
fn read_or_create_key(path: &Path) -> Result<Key, Error> {
    if !path.exists() {
        let folder = path.parent().unwrap_or(Path::new("."));
        let jwk = Key::generate(&mut os_rng()).to_private_jwk().to_string();
        // Temporary files are made 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| unreadable(path, &error))?;
        let written = file.write_all(jwk.as_bytes()).and_then(|()| file.as_file().sync_all());
        written.map_err(|error| unreadable(path, &error))?;
        let _ = file.persist_noclobber(path);
    }
    let jwk = serde_json::from_slice(&read(path)?).map_err(|error| config_malformed(&path.display(), &error))?;
    Key::from_private_jwk(&jwk).map_err(|error| config_malformed(&path.display(), &error))
}
