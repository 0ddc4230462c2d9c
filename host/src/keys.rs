//! Keys in the configuration's file: of merchants and operators, and the host's own.

use std::path::Path;

use bandpass_roles::{Key, os_rng};
use serde_json::json;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use crate::access::Secret;
use crate::activate::{edit, write};
use crate::config::{Config, read_or_create_keys};
use crate::error::{Code, Error};

/// Whose an API key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// A merchant's, by its identifier.
    Merchant(String),
    /// An operator's.
    Operator,
}

/// Makes an API key, of which the configuration keeps the hash. It is valid once the server takes the configuration anew.
///
/// # Errors
/// `merchant.unknown`, `config.malformed` if there is no such merchant or no `[server]`, or `host.input`.
pub fn create_key(config_path: &Path, owner: &KeyOwner) -> Result<Secret, Error> {
    let config = Config::from_file(config_path)?;
    let secret = Secret::generate()?;
    match owner {
        KeyOwner::Merchant(id) if !config.merchants.contains_key(id) => {
            return Err(Error::host(Code::MerchantUnknown, format!("there is no merchant `{id}`")));
        }
        KeyOwner::Operator if config.server.is_none() => {
            return Err(Error::host(Code::ConfigMalformed, "the configuration has no `[server]`"));
        }
        _ => {}
    }
    edit(config_path, |document| {
        let keys = match owner {
            KeyOwner::Merchant(id) => table(table(table(document.as_table_mut(), "merchant")?, id)?, "access")?,
            KeyOwner::Operator => table(document.as_table_mut(), "server")?,
        };
        let keys = table(keys, key_table(owner))?;
        table(keys, &secret.id)?.insert("sha256", value(secret.sha256()));
        Some(())
    })?;
    Ok(secret)
}

/// Makes another key for whoever has this one, which stays valid until `not_after` (seconds since 1970).
///
/// # Errors
/// `key.unknown`, or as [`create_key`].
pub fn rotate_key(config_path: &Path, id: &str, not_after: u64) -> Result<Secret, Error> {
    let owner = owner_of(config_path, id)?;
    let secret = create_key(config_path, &owner)?;
    edit_key(config_path, &owner, id, |keys| {
        let end = i64::try_from(not_after).ok()?;
        keys.get_mut(id)?.as_table_like_mut()?.insert("not_after", value(end));
        Some(())
    })?;
    Ok(secret)
}

/// Takes a key away.
///
/// # Errors
/// `key.unknown`, or as [`create_key`].
pub fn revoke_key(config_path: &Path, id: &str) -> Result<(), Error> {
    let owner = owner_of(config_path, id)?;
    edit_key(config_path, &owner, id, |keys| keys.remove(id).map(drop))
}

/// Makes another key for receipts and checkpoints. What the old one signed stays good: its public key goes on being
/// published.
///
/// # Errors
/// `config.malformed` or `host.input`.
pub fn rotate_signing_key(config_path: &Path) -> Result<String, Error> {
    let config = Config::from_file(config_path)?;
    let key = Key::generate(&mut os_rng());
    let mut old = config.signing_key.jwk();
    if let Some(members) = old.as_object_mut() {
        members.insert("kid".into(), config.signing_key.thumbprint().into());
    }
    let mut keys = vec![key.to_private_jwk(), old];
    keys.extend(config.retired_keys);
    write(&config.signing_key_file, json!({"keys": keys}).to_string().as_bytes())?;
    read_or_create_keys(&config.signing_key_file)?;
    Ok(key.thumbprint())
}

fn key_table(owner: &KeyOwner) -> &'static str {
    match owner {
        KeyOwner::Merchant(_) => "api_key",
        KeyOwner::Operator => "operator_key",
    }
}

fn owner_of(config_path: &Path, id: &str) -> Result<KeyOwner, Error> {
    let config = Config::from_file(config_path)?;
    let merchant = config.merchants.iter().find(|(_, merchant)| merchant.access.api_key.contains_key(id));
    if let Some((merchant, _)) = merchant {
        return Ok(KeyOwner::Merchant(merchant.clone()));
    }
    match config.server.is_some_and(|server| server.operator_key.contains_key(id)) {
        true => Ok(KeyOwner::Operator),
        false => Err(Error::host(Code::KeyUnknown, format!("there is no key `{id}`"))),
    }
}

fn edit_key(
    config_path: &Path,
    owner: &KeyOwner,
    id: &str,
    change: impl FnOnce(&mut dyn TableLike) -> Option<()>,
) -> Result<(), Error> {
    let unknown = || Error::host(Code::KeyUnknown, format!("there is no key `{id}`"));
    let mut found = false;
    edit(config_path, |document: &mut DocumentMut| {
        let keys = match owner {
            KeyOwner::Merchant(id) => table(table(table(document.as_table_mut(), "merchant")?, id)?, "access")?,
            KeyOwner::Operator => table(document.as_table_mut(), "server")?,
        };
        found = change(table(keys, key_table(owner))?).is_some();
        Some(())
    })?;
    found.then_some(()).ok_or_else(unknown)
}

/// The table of this name, made if it is not there.
fn table<'a>(parent: &'a mut dyn TableLike, name: &str) -> Option<&'a mut dyn TableLike> {
    let mut empty = Table::new();
    empty.set_implicit(true);
    parent.entry(name).or_insert(Item::Table(empty)).as_table_like_mut()
}
