//! `bandpass merchant`

use std::path::PathBuf;

use anstream::{eprintln, println};
use anyhow::{Context as _, Result};
use bandpass::{ConfigProblem, NewMerchant, add_merchant};
use clap::{Args, Subcommand};

use super::compile::runtime;
use crate::terminal::line;
use crate::{Verdict, input};

/// Look after merchants.
#[derive(Args)]
pub(crate) struct Merchant {
    /// The host's configuration (TOML).
    #[arg(long, value_name = "FILE", global = true, default_value = "bandpass.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: MerchantCommand,
}

#[derive(Subcommand)]
enum MerchantCommand {
    /// Write a merchant with one policy into the configuration. Everything is tried first that `bandpass check` tries; if
    /// anything is wrong, nothing is written. `bandpass key create` makes its key. The server takes it with SIGHUP.
    Add {
        /// The merchant's identifier.
        #[arg(value_name = "ID")]
        id: String,
        /// What wallets' proofs are addressed to: the full `client_id` with its prefix, or `origin:` and an origin. May be
        /// given several times.
        #[arg(long, value_name = "AUDIENCE", required = true)]
        audience: Vec<String>,
        /// Name of a plugin of the configuration.
        #[arg(long, value_name = "PLUGIN")]
        policy: String,
        /// The policy's settings (a JSON object).
        #[arg(long, value_name = "FILE")]
        settings: PathBuf,
    },
}

impl Merchant {
    pub(crate) fn run(self) -> Result<Verdict> {
        let MerchantCommand::Add { id, audience, policy, settings } = self.command;
        let read = serde_json::from_slice(&input::file(&settings)?);
        let settings = read.with_context(|| format!("{} is no JSON object", settings.display()))?;
        let new = NewMerchant { id, audience, policy, settings };
        let problems = add_merchant(&runtime()?, &self.config, new)?;
        for ConfigProblem { at, error, .. } in &problems {
            println!("{}: {}", line(at), line(&error.to_string()));
        }
        match problems.is_empty() {
            true => eprintln!("added; send the server SIGHUP"),
            false => eprintln!("nothing was written"),
        }
        Ok(if problems.is_empty() { Verdict::Accepted } else { Verdict::Rejected })
    }
}
