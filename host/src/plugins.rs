//! The plugins of a host: each by its digest, so that what decides is what was pinned.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::config::{Config, Pin};
use crate::error::{Code, Error};
use crate::plugin::Plugin;
use crate::publisher::verify_publisher;
use crate::runtime::{Runtime, digest};

/// A plugin that is configured, and whether it can be used.
#[derive(Clone, Debug)]
pub struct PluginState {
    /// Its name in the configuration.
    pub name: String,
    /// Digest of the component that decides.
    pub sha256: String,
    /// Name and version that it gives itself; none if it could not be loaded.
    pub described: Option<(String, String)>,
    /// Why the pinned component is not used: none decides, or the one before goes on.
    pub quarantined: Option<Error>,
}

/// Components that were loaded, by their digests.
pub(crate) struct Plugins {
    runtime: Runtime,
    loaded: Mutex<BTreeMap<String, Arc<Plugin>>>,
}

impl Plugins {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self { runtime, loaded: Mutex::new(BTreeMap::new()) }
    }

    /// The component with this digest, from the folder unless it was loaded before.
    ///
    /// # Errors
    /// `plugin.missing`, `plugin.digest`, or whatever is wrong with the component.
    pub(crate) fn get(&self, folder: &Path, sha256: &str) -> Result<Arc<Plugin>, Error> {
        if let Some(plugin) = self.lock().get(sha256) {
            return Ok(plugin.clone());
        }
        // Compiling takes long: others go on meanwhile, and of two who load the same one wins.
        let path = component_path(folder, sha256);
        let wasm = fs::read(&path)
            .map_err(|error| Error::host(Code::PluginMissing, format!("{}: {error}", path.display())))?;
        if digest(&wasm) != sha256 {
            let why = format!("{} was changed: it is not the component that was pinned", path.display());
            return Err(Error::host(Code::PluginDigest, why));
        }
        let plugin = Arc::new(Plugin::load(&self.runtime, &wasm)?);
        Ok(self.lock().entry(sha256.into()).or_insert(plugin).clone())
    }

    /// The component that a plugin is pinned to, signed by its publisher if it must be.
    ///
    /// # Errors
    /// As [`Plugins::get`], and `plugin.signature`.
    pub(crate) fn pinned(&self, config: &Config, pin: &Pin) -> Result<Arc<Plugin>, Error> {
        if let Some(publisher) = &pin.publisher {
            let path = signature_path(&config.plugin_folder, &pin.sha256);
            let unsigned = |why: &dyn std::fmt::Display| {
                Error::host(Code::PluginSignature, format!("not signed by `{publisher}`: {why}"))
            };
            let signature =
                fs::read_to_string(&path).map_err(|error| unsigned(&format!("{}: {error}", path.display())))?;
            let key = config.publishers.get(publisher).unwrap_or(&Value::Null);
            verify_publisher(signature.trim(), key, &pin.sha256)?;
        }
        self.get(&config.plugin_folder, &pin.sha256)
    }

    /// Forgets every component but these. One that is asked for again is loaded again.
    pub(crate) fn keep_only(&self, wanted: &BTreeSet<String>) {
        self.lock().retain(|sha256, _| wanted.contains(sha256));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Plugin>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the component with this digest is.
pub(crate) fn component_path(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(format!("{sha256}.wasm"))
}

/// Where its publisher's signature is.
pub(crate) fn signature_path(folder: &Path, sha256: &str) -> PathBuf {
    folder.join(format!("{sha256}.jws"))
}
