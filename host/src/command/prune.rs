//! `bandpass prune`

use std::path::PathBuf;

use anstream::println;
use anyhow::{Result, bail};
use bandpass::{Config, Pruned, Store};
use clap::Args;
use serde_json::json;

use crate::{Verdict, input};

/// Remove old decisions from a store.
///
/// With them go transactions that were allowed, whose `transaction_id` could then be allowed again, and caps of which nothing
/// counts any more. The audit chain stays as it is, for without its entries nobody could verify it; of holders it has nothing
/// but hashes. Hosts may use the store meanwhile.
#[derive(Args)]
pub(crate) struct Prune {
    /// The host's configuration (TOML), which says how long challenges are remembered: their decisions stay.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where it is remembered: a file (`SQLite`), or a `postgres://` URL.
    #[arg(long, value_name = "STORE", env = "BANDPASS_STORE", hide_env_values = true)]
    store: String,
    /// Age from which on decisions are removed, such as `2y` or `400days`.
    #[arg(long, value_name = "TIME")]
    decisions_older_than: humantime::Duration,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Time from which to count, in seconds since 1970; now, unless given.
    #[arg(long, value_name = "UNIX")]
    now: Option<u64>,
}

impl Prune {
    pub(crate) fn run(self) -> Result<Verdict> {
        let config = Config::from_file(&self.config)?;
        let (age, now) = (self.decisions_older_than.as_secs(), input::now(self.now)?);
        let least = u64::from(config.challenge_lifetime).saturating_add(config.claims_kept.into());
        if age <= least {
            bail!("challenges are remembered for {least} s, and decisions must not be forgotten before them");
        }
        let Pruned { decisions, transactions, caps } = Store::open(&self.store)?.prune(now.saturating_sub(age))?;
        match self.json {
            true => {
                println!("{}", json!({"decisions": decisions, "transactions": transactions, "caps": caps}));
            }
            false => println!("removed {decisions} decisions, {transactions} transactions and {caps} caps"),
        }
        Ok(Verdict::Accepted)
    }
}
