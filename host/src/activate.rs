//! Changing which component a plugin is, in the configuration's file.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::config::{Config, Pin};
use crate::error::{Code, Error};
use crate::plugins::{PluginState, Plugins, component_path, signature_path};
use crate::runtime::{Runtime, digest};
use crate::setup::check_plugin;

/// Tries a component as the plugin `name`: its publisher's signature if one is configured, its imports, and the settings of
/// every merchant that uses it. If all holds it is copied into the folder of plugins, and its digest written into the
/// configuration. If not, nothing changes, and the state says why.
///
/// # Errors
/// `config.malformed` or `host.input`, if files can't be read or written.
pub fn activate_plugin(
    runtime: &Runtime,
    config_path: &Path,
    name: &str,
    wasm: &[u8],
    signature: Option<&str>,
) -> Result<PluginState, Error> {
    let mut config = Config::from_file(config_path)?;
    let sha256 = digest(wasm);
    let publisher = config.plugins.get(name).and_then(|pin| pin.publisher.clone());
    config.plugins.insert(name.into(), Pin { sha256: sha256.clone(), publisher });
    let (component, signed) =
        (component_path(&config.plugin_folder, &sha256), signature_path(&config.plugin_folder, &sha256));
    let new = !component.exists();
    write(&component, wasm)?;
    if let Some(signature) = signature {
        write(&signed, signature.trim().as_bytes())?;
    }
    let state = check_plugin(&Plugins::new(runtime.clone()), &config, name);
    if state.quarantined.is_some() {
        if new {
            let _ = fs::remove_file(component);
            let _ = fs::remove_file(signed);
        }
        return Ok(state);
    }
    edit(config_path, |document| {
        let plugins = document.entry("plugin").or_insert(Item::Table(Table::new()));
        let plugin = plugins.as_table_like_mut()?.entry(name).or_insert(Item::Table(Table::new()));
        plugin.as_table_like_mut()?.insert("sha256", value(sha256));
        Some(())
    })?;
    Ok(state)
}

/// Writes into the configuration that a component must not decide any more.
///
/// # Errors
/// `config.malformed` or `host.input`.
pub fn revoke_plugin(config_path: &Path, sha256: &str) -> Result<(), Error> {
    let mut config = Config::from_file(config_path)?;
    if !config.revoked.insert(sha256.into()) {
        return Ok(());
    }
    config.check()?;
    edit(config_path, |document| {
        let revoked = document.entry("revoked").or_insert(value(Array::new()));
        revoked.as_array_mut()?.push(sha256);
        Some(())
    })
}

/// Loads every plugin of a configuration.
///
/// # Errors
/// `config.malformed` or `host.input`.
pub fn check_plugins(runtime: &Runtime, config_path: &Path) -> Result<Vec<PluginState>, Error> {
    let config = Config::from_file(config_path)?;
    let plugins = Plugins::new(runtime.clone());
    Ok(config.plugins.keys().map(|name| check_plugin(&plugins, &config, name)).collect())
}

/// Changes the file as its author wrote it, comments included.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&mut DocumentMut) -> Option<()>) -> Result<(), Error> {
    write(path, edited(path, change)?.as_bytes())
}

/// What would be in the file then.
pub(crate) fn edited(path: &Path, change: impl FnOnce(&mut DocumentMut) -> Option<()>) -> Result<String, Error> {
    let malformed =
        |why: &dyn std::fmt::Display| Error::host(Code::ConfigMalformed, format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| unwritten(path, &error))?;
    let mut document = text.parse::<DocumentMut>().map_err(|error| malformed(&error))?;
    change(&mut document).ok_or_else(|| malformed(&"it has another form than what is to be changed"))?;
    Ok(document.to_string())
}

/// All of a file or nothing of it.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        if let Ok(before) = fs::metadata(path) {
            file.as_file().set_permissions(before.permissions())?;
        }
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| unwritten(path, &error))
}

pub(crate) fn unwritten(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::host(Code::HostInput, format!("{}: {error}", path.display()))
}
