//! Merchants in the configuration's file.

use std::path::Path;

use serde::Serialize as _;
use serde_json::{Map, Value};
use toml_edit::ser::ValueSerializer;
use toml_edit::{Array, ArrayOfTables, Item, Table, value};

use crate::activate::{edited, unwritten, write};
use crate::check::{ConfigProblem, check_config};
use crate::config::Config;
use crate::error::{Code, Error};
use crate::runtime::Runtime;

/// A merchant to be.
#[derive(Clone, Debug)]
pub struct NewMerchant {
    /// Its identifier.
    pub id: String,
    /// What its wallets' proofs are addressed to: the full `client_id` with its prefix, or `origin:` and an origin.
    pub audience: Vec<String>,
    /// Name of its policy's plugin, which the configuration has.
    pub policy: String,
    /// The policy's settings.
    pub settings: Map<String, Value>,
}

/// Writes a merchant into the configuration, which everything is tried on that [`check_config`] tries before the file is
/// changed. If anything is wrong then, nothing changes, and that is what is returned.
///
/// # Errors
/// `merchant.known` if there is one with this identifier, `config.malformed`, or `host.input`.
pub fn add_merchant(runtime: &Runtime, config_path: &Path, merchant: NewMerchant) -> Result<Vec<ConfigProblem>, Error> {
    let NewMerchant { id, audience, policy, settings } = merchant;
    if Config::from_file(config_path)?.merchants.contains_key(&id) {
        return Err(Error::host(Code::MerchantKnown, format!("there is a merchant `{id}` already")));
    }
    let settings = Value::Object(settings).serialize(ValueSerializer::new());
    let settings =
        settings.map_err(|error| Error::host(Code::HostInput, format!("the settings can't be in TOML: {error}")))?;
    let text = edited(config_path, |document| {
        let mut implicit = Table::new();
        implicit.set_implicit(true);
        let merchants = document.entry("merchant").or_insert(Item::Table(implicit)).as_table_like_mut()?;
        let mut of_policy = Table::new();
        of_policy.insert("plugin", value(policy));
        of_policy.insert("settings", Item::Value(settings));
        let mut policies = ArrayOfTables::new();
        policies.push(of_policy);
        let mut merchant = Table::new();
        merchant.insert("audience", value(audience.into_iter().collect::<Array>()));
        merchant.insert("policy", Item::ArrayOfTables(policies));
        merchants.insert(&id, Item::Table(merchant));
        Some(())
    })?;
    // Beside the file, for what it names is found from there.
    let folder = config_path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = tempfile::NamedTempFile::new_in(folder).map_err(|error| unwritten(config_path, &error))?;
    write(draft.path(), text.as_bytes())?;
    let problems = check_config(runtime, draft.path())?;
    if problems.is_empty() {
        write(config_path, text.as_bytes())?;
    }
    Ok(problems)
}
