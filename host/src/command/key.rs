//! `bandpass key`

use std::path::PathBuf;

use anstream::{eprintln, println};
use anyhow::Result;
use bandpass::{KeyOwner, Secret, create_key, revoke_key, rotate_key};
use clap::{Args, Subcommand};

use crate::{Verdict, input};

/// Make, replace and take away API keys. The configuration keeps only their hashes; the server takes them with SIGHUP.
#[derive(Args)]
pub(crate) struct Key {
    /// The host's configuration (TOML).
    #[arg(long, value_name = "FILE", global = true, default_value = "bandpass.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Make a key, and print it: it can't be shown again.
    Create {
        /// For this merchant.
        #[arg(long, value_name = "ID", required_unless_present = "operator", conflicts_with = "operator")]
        merchant: Option<String>,
        /// For whoever runs the host: dashboard, metrics, plugins.
        #[arg(long)]
        operator: bool,
    },
    /// Make another key for whoever has this one, and print it.
    Rotate {
        /// The key's id: what stands between the first two underscores of it.
        #[arg(value_name = "KEY-ID")]
        id: String,
        /// How long the old one stays valid, such as `1h` or `2days`.
        #[arg(long, value_name = "TIME", default_value = "1h")]
        keep: humantime::Duration,
    },
    /// Take a key away.
    Revoke {
        /// The key's id.
        #[arg(value_name = "KEY-ID")]
        id: String,
    },
}

impl Key {
    pub(crate) fn run(self) -> Result<Verdict> {
        let secret = match self.command {
            KeyCommand::Create { merchant: Some(merchant), .. } => {
                create_key(&self.config, &KeyOwner::Merchant(merchant))?
            }
            KeyCommand::Create { merchant: None, .. } => create_key(&self.config, &KeyOwner::Operator)?,
            KeyCommand::Rotate { id, keep } => {
                let not_after = input::now(None)?.saturating_add(keep.as_secs());
                rotate_key(&self.config, &id, not_after)?
            }
            KeyCommand::Revoke { id } => {
                revoke_key(&self.config, &id)?;
                eprintln!("revoked; send the server SIGHUP");
                return Ok(Verdict::Accepted);
            }
        };
        let Secret { id, text } = secret;
        eprintln!("key {id}; it is not kept and can't be shown again. Send the server SIGHUP");
        println!("{text}");
        Ok(Verdict::Accepted)
    }
}
