//! A file a command.

pub(crate) mod audit;
pub(crate) mod band;
pub(crate) mod challenge;
pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod compose;
pub(crate) mod conformance;
pub(crate) mod decide;
pub(crate) mod demo;
mod demo_host;
mod demo_registry;
pub(crate) mod explain;
mod folder;
pub(crate) mod inspect;
pub(crate) mod key;
mod link;
pub(crate) mod merchant;
pub(crate) mod migrate;
pub(crate) mod owner;
pub(crate) mod phone;
pub(crate) mod plugin;
pub(crate) mod prune;
mod radio;
pub(crate) mod registry;
pub(crate) mod respond;
pub(crate) mod serve;
mod serving;
pub(crate) mod signing_key;
pub(crate) mod verify;
pub(crate) mod void;
pub(crate) mod wallet;

use std::path::PathBuf;
use std::time::Duration;

use anstream::println;
use anyhow::Result;
use bandpass::{Config, Error, Host, Location, Refresher, Store};
use bandpass_roles::device::Refusal;
use clap::Args;
use serde_json::{Value, json};

use self::compile::runtime;
use self::verify::is_failure;
use crate::terminal::line;
use crate::{Verdict, input};

/// How long to wait for status lists that have URLs.
const FETCH_TIME: Duration = Duration::from_secs(15);

/// A host with its store.
#[derive(Args)]
pub(crate) struct Service {
    /// The host's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where to remember: a file (`SQLite`), which is made if it is not there, or a `postgres://` URL.
    #[arg(long, value_name = "STORE")]
    store: String,
    /// Time at which to judge, in seconds since 1970; now, unless given.
    #[arg(long, value_name = "UNIX")]
    now: Option<u64>,
}

impl Service {
    pub(crate) fn now(&self) -> Result<u64> {
        input::now(self.now)
    }

    /// Opens the host for one piece of work.
    pub(crate) fn with_host<T>(&self, work: impl AsyncFnOnce(&Host) -> Result<T, Error>) -> Result<T> {
        let config = Config::from_file(&self.config)?;
        let (now, sources) = (self.now()?, config.sources.clone());
        let host = Host::open(&runtime()?, config, Store::open(&self.store)?, now)?;
        // Whoever does one piece of work only has to wait for what others refresh in the background.
        let refresher = match sources.status_lists.iter().any(|list| matches!(list, Location::Url(_))) {
            true => Some(Refresher::start(&host, &sources, move || now)?),
            false => None,
        };
        if refresher.as_ref().is_some_and(|refresher| !refresher.wait(FETCH_TIME)) {
            tracing::warn!("not every status list could be fetched in time");
        }
        Ok(block_on(work(&host))?)
    }
}

/// Runs what waits for stores and workers, which have threads of their own.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let executor = tokio::runtime::Builder::new_current_thread().build();
    executor.map_err(|error| Error::runtime(&error))?.block_on(work)
}

/// What was done: a line for people, JSON for programs.
struct Done {
    line: String,
    json: Value,
}

/// Tells what was done, or with which code it was refused.
fn tell(done: Result<Done>, json: bool) -> Result<Verdict> {
    match (done, json) {
        (Ok(done), true) => println!("{}", done.json),
        (Ok(done), false) => println!("{}", line(&done.line)),
        (Err(error), _) => {
            let refused = match error.downcast_ref::<Refusal>() {
                Some(refusal) => Error::from(*refusal),
                None => error.downcast::<Error>()?,
            };
            if !matches!(refused, Error::Refused(_)) || is_failure(refused.code()) {
                return Err(refused.into());
            }
            match json {
                true => println!("{}", json!({"error": refused.to_json()})),
                false => println!("refused: {}", line(&refused.to_string())),
            }
            return Ok(Verdict::Rejected);
        }
    }
    Ok(Verdict::Accepted)
}
