//! Everything that is wrong with a configuration, at once.

use std::collections::BTreeMap;
use std::path::Path;

use toml_edit::{Document, DocumentMut, Item};

use crate::config::{Config, ConfigFile, Problem, Problems, text};
use crate::error::{Code, Error};
use crate::http;
use crate::plugins::Plugins;
use crate::runtime::Runtime;
use crate::setup::check_plugin;
use crate::verifier::Verifier;

/// More problems than anybody reads at once.
const MAX_PROBLEMS: usize = 100;

/// What is wrong in a configuration.
#[derive(Clone, Debug)]
pub struct ConfigProblem {
    /// Line of the file, from 1.
    pub line: usize,
    /// Keys that lead to it, with dots between them.
    pub at: String,
    /// What is wrong.
    pub error: Error,
}

/// Reads a configuration (TOML) and all that it names, and tries its plugins: everything that [`Config::from_file`],
/// [`Host::open`](crate::Host::open) and [`Server::new`](crate::Server::new) would refuse or put into quarantine, in the order
/// of the lines.
///
/// # Errors
/// `host.input` if the file can't be read.
pub fn check_config(runtime: &Runtime, path: &Path) -> Result<Vec<ConfigProblem>, Error> {
    let text = text(path)?;
    let mut problems = Problems::default();
    let document = match Document::parse(text.as_str()) {
        Ok(document) => document,
        Err(error) => {
            let line = line_at(&text, error.span().map_or(0, |span| span.start));
            let error = Error::host(Code::ConfigMalformed, error.message());
            return Ok(vec![ConfigProblem { line, at: String::new(), error }]);
        }
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let config = read(&text, &mut problems).and_then(|file| Config::assemble(file, folder, &mut problems));
    if let Some(config) = config {
        try_out(runtime, &config, &mut problems);
    }
    let mut found = BTreeMap::new();
    for Problem { at, error } in problems.0 {
        let line = line_at(&text, offset(document.as_item(), &at));
        found.insert((line, at.join("."), error.to_string()), error);
    }
    Ok(found.into_iter().map(|((line, at, _), error)| ConfigProblem { line, at, error }).collect())
}

/// What is left when everything is taken away that has not the form that it should.
fn read(text: &str, problems: &mut Problems) -> Option<ConfigFile> {
    let mut document = text.parse::<DocumentMut>().ok()?;
    for _ in 0..MAX_PROBLEMS {
        let deserializer = toml_edit::de::Deserializer::from(document.clone());
        let error = match serde_path_to_error::deserialize::<_, ConfigFile>(deserializer) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let at = error.path().iter().map(ToString::to_string).collect::<Vec<_>>();
        let keys = at.iter().map(String::as_str).collect::<Vec<_>>();
        problems.add(&keys, Error::host(Code::ConfigMalformed, error.inner().message()));
        remove(document.as_item_mut(), &keys)?;
    }
    None
}

/// Takes away what is there, or what it is part of if that can't be told.
fn remove(item: &mut Item, keys: &[&str]) -> Option<()> {
    let (key, rest) = keys.split_first()?;
    let table = item.as_table_like_mut()?;
    if let (Some(inner), false) = (table.get_mut(key), rest.is_empty())
        && remove(inner, rest).is_some()
    {
        return Some(());
    }
    table.remove(key).map(drop)
}

/// What only shows when it is used.
fn try_out(runtime: &Runtime, config: &Config, problems: &mut Problems) {
    if let Some(mut verifier) = problems.all(&["trust"], Verifier::open(runtime, config.trust.clone())) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        for list in &config.status_lists {
            problems.all(&["status_lists"], verifier.update_status(list.clone(), now));
        }
    }
    let plugins = Plugins::new(runtime.clone());
    for name in config.plugins.keys() {
        if let Some(error) = check_plugin(&plugins, config, name).quarantined {
            problems.add(&["plugin", name], error);
        }
    }
    if let Some(server) = &config.server {
        for (id, error) in http::wrong_clients(config, server) {
            problems.add(&["merchant", &id, "access", "client"], error);
        }
    }
}

/// Where the last of these keys begins that is there.
fn offset(item: &Item, keys: &[String]) -> usize {
    let Some((key, rest)) = keys.split_first() else { return item.span().map_or(0, |span| span.start) };
    let table = item.as_table_like();
    match table.and_then(|table| table.get_key_value(key)) {
        Some((key, inner)) => match offset(inner, rest) {
            // Tables that only lead to others stand nowhere.
            0 => key.span().map_or(0, |span| span.start),
            deeper if rest.is_empty() => key.span().map_or(deeper, |span| span.start),
            deeper => deeper,
        },
        None => item.span().map_or(0, |span| span.start),
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
