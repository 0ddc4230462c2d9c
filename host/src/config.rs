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
use crate::refresh::{Client, Location, Sources, check_url, first_trust};
use crate::runtime::digest;
use crate::state::STEP_UP_WITHIN;

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
    /// Seconds for which an expired challenge is remembered, and with it what was disclosed for it.
    pub claims_kept: u32,
    /// File to which signed checkpoints of the audit chain are appended.
    pub checkpoints: Option<PathBuf>,
    /// How the server is reached, if there is to be one.
    pub server: Option<ServerConfig>,
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
pub(crate) struct ConfigFile {
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
    #[serde(default = "default_claims_kept")]
    claims_kept: u32,
    checkpoints: Option<PathBuf>,
    #[serde(default)]
    plugin: BTreeMap<String, Pin>,
    #[serde(default)]
    publisher: BTreeMap<String, PublisherFile>,
    merchant: BTreeMap<String, MerchantFile>,
    server: Option<ServerConfig>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FetchFile {
    pub(crate) ca: Option<PathBuf>,
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

fn default_claims_kept() -> u32 {
    Config::DEFAULT_CLAIMS_KEPT
}

impl Config {
    /// Seconds for which a challenge can be answered, unless the configuration says otherwise.
    pub const DEFAULT_CHALLENGE_LIFETIME: u32 = 300;

    /// Seconds for which an expired challenge is remembered, unless the configuration says otherwise: a day.
    pub const DEFAULT_CLAIMS_KEPT: u32 = 86_400;

    /// Reads a configuration (TOML) and the files that it names, whose paths are relative to it. A signing key that is not
    /// there is made. A trust list that has a URL is fetched, which may take ten seconds; if it can't be had, the last good
    /// copy is used, which is kept in the folder `cache` beside the configuration. Status lists with URLs are left to a
    /// [`Refresher`](crate::Refresher).
    ///
    /// # Errors
    /// `config.malformed`, `host.input` if a file can't be read, or `fetch.*` and `trust.malformed` if no trust list can be
    /// had from its URL, and none was before.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = text(path)?;
        let file = toml_edit::de::from_str::<ConfigFile>(&text);
        let file = file.map_err(|error| config_malformed(&path.display(), &error))?;
        let mut problems = Problems::default();
        let config = Self::assemble(file, path.parent().unwrap_or(Path::new(".")), &mut problems);
        match (config, problems.0.into_iter().next()) {
            (Some(config), None) => Ok(config),
            (_, Some(Problem { at, error })) => Err(match error {
                // Others name what they are about.
                Error::Host { code: code @ Code::ConfigMalformed, message } => {
                    Error::host(code, format!("{}: {}: {message}", path.display(), at.join(".")))
                }
                other => other,
            }),
            (None, None) => Err(config_malformed(&path.display(), &"it can't be read")),
        }
    }

    /// Reads what a configuration names, and holds it against itself. None if something that it can't do without is not there.
    pub(crate) fn assemble(file: ConfigFile, folder: &Path, problems: &mut Problems) -> Option<Self> {
        let authorities = problems.all(&["fetch", "ca"], file.fetch.ca.map(|ca| read(&folder.join(ca))).transpose());
        let client = authorities.as_ref().and_then(|authorities| {
            let client = Client::new(authorities.as_deref()).map_err(|why| Error::host(Code::ConfigMalformed, why));
            problems.all(&["fetch", "ca"], client)
        });
        let location = |named: &str| match named.contains("://") {
            false => Ok(Location::File(folder.join(named))),
            true => check_url(named).map(|_| Location::Url(named.to_owned())),
        };
        let (mut locations, mut status_lists) = (Vec::new(), Vec::new());
        for named in &file.status_lists {
            if let Some(location) = problems.all(&["status_lists"], location(named)) {
                if let Location::File(path) = &location {
                    status_lists.extend(problems.all(&["status_lists"], read(path)));
                }
                locations.push(location);
            }
        }
        let trust_location = problems.all(&["trust"], location(&file.trust));
        let (trust, trust_copy) = match (&trust_location, client) {
            (Some(Location::File(path)), _) => (problems.all(&["trust"], read(path)), None),
            (Some(Location::Url(url)), Some(client)) => {
                let copy = folder.join(format!("cache/trust-{}.json", digest(url.as_bytes())));
                (problems.all(&["trust"], first_trust(&client, url, &copy)), Some(copy))
            }
            _ => (None, None),
        };
        let mut merchants = BTreeMap::new();
        for (id, MerchantFile { audience, policy, floor, access }) in file.merchant {
            let policies = policy.into_iter().map(|PolicyFile { plugin, settings }| PolicyConfig {
                plugin,
                settings: Value::Object(settings).to_string(),
            });
            let floor = floor.map(|floor| requirements_over(Requirements::none(), &floor)).transpose();
            let floor = floor.map_err(|why| Error::host(Code::ConfigMalformed, why));
            let floor = problems.all(&["merchant", &id, "floor"], floor).flatten();
            let access = access.in_folder(folder);
            merchants.insert(id, Merchant { audience, policies: policies.collect(), floor, access });
        }
        let signing_key_file = folder.join(file.signing_key);
        let keys = problems.all(&["signing_key"], read_or_create_keys(&signing_key_file));
        let (signing_key, retired_keys) = keys?;
        let config = Self {
            name: file.name,
            signing_key,
            signing_key_file,
            retired_keys,
            trust: trust?,
            status_lists,
            sources: Sources { trust: trust_location, trust_copy, status_lists: locations, authorities: authorities? },
            plugin_folder: folder.join(file.plugins),
            plugins: file.plugin,
            publishers: file.publisher.into_iter().map(|(name, publisher)| (name, publisher.jwk)).collect(),
            revoked: file.revoked,
            merchants,
            challenge_lifetime: file.challenge_lifetime,
            claims_kept: file.claims_kept,
            checkpoints: file.checkpoints.map(|file| folder.join(file)),
            server: file.server.map(|server| server.in_folder(folder)),
        };
        config.find(problems);
        Some(config)
    }

    /// What would otherwise be found out at a till.
    ///
    /// # Errors
    /// The first of it, as `config.malformed`.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut problems = Problems::default();
        self.find(&mut problems);
        match problems.0.into_iter().next() {
            None => Ok(()),
            Some(Problem { at, error }) => {
                Err(Error::host(Code::ConfigMalformed, format!("{}: {}", at.join("."), error.message())))
            }
        }
    }

    fn find(&self, problems: &mut Problems) {
        for (name, pin) in &self.plugins {
            if !is_sha256(&pin.sha256) {
                problems.say(&["plugin", name, "sha256"], NO_SHA256);
            }
            if pin.publisher.as_ref().is_some_and(|publisher| !self.publishers.contains_key(publisher)) {
                problems.say(&["plugin", name, "publisher"], "there is no such publisher");
            }
        }
        if self.revoked.iter().any(|digest| !is_sha256(digest)) {
            problems.say(&["revoked"], NO_SHA256);
        }
        for (id, merchant) in &self.merchants {
            if merchant.audience.is_empty() || merchant.audience.iter().any(String::is_empty) {
                problems.say(&["merchant", id, "audience"], "an audience is needed");
            }
            if merchant.policies.is_empty() {
                problems.say(&["merchant", id, "policy"], "a policy is needed");
            }
            for policy in merchant.policies.iter().filter(|policy| !self.plugins.contains_key(&policy.plugin)) {
                problems.say(&["merchant", id, "policy"], format!("there is no plugin `{}`", policy.plugin));
            }
            for (name, why) in merchant.access.problems() {
                problems.say(&["merchant", id, "access", name], why);
            }
        }
        for (name, why) in self.server.iter().flat_map(ServerConfig::problems) {
            problems.say(&["server", name], why);
        }
        if self.name.is_empty() {
            problems.say(&["name"], "a name is needed");
        }
        if self.challenge_lifetime == 0 {
            problems.say(&["challenge_lifetime"], "it can't be 0");
        }
        if u64::from(self.claims_kept) < STEP_UP_WITHIN {
            let why = format!("a step-up needs its challenge for {STEP_UP_WITHIN} s");
            problems.say(&["claims_kept"], why);
        }
    }
}

const NO_SHA256: &str = "this is no SHA-256 in lower-case hexadecimal";

/// What is wrong, and where.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

#[derive(Debug)]
pub(crate) struct Problem {
    /// Keys that lead to it.
    pub(crate) at: Vec<String>,
    pub(crate) error: Error,
}

impl Problems {
    fn say(&mut self, at: &[&str], why: impl std::fmt::Display) {
        self.add(at, Error::host(Code::ConfigMalformed, why));
    }

    pub(crate) fn add(&mut self, at: &[&str], error: Error) {
        self.0.push(Problem { at: at.iter().map(|key| (*key).to_owned()).collect(), error });
    }

    /// What is there, or else a problem more.
    pub(crate) fn all<T>(&mut self, at: &[&str], result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.add(at, error)).ok()
    }
}

pub(crate) fn text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read(path)?).map_err(|error| config_malformed(&path.display(), &error))
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
