//! `bandpass signing-key`

use std::path::PathBuf;

use anstream::println;
use anyhow::Result;
use bandpass::rotate_signing_key;
use clap::{Args, Subcommand};

use crate::Verdict;

/// Look after the key that signs receipts and checkpoints.
#[derive(Args)]
pub(crate) struct SigningKey {
    #[command(subcommand)]
    command: SigningKeyCommand,
}

#[derive(Subcommand)]
enum SigningKeyCommand {
    /// Make another key, and print its `kid`. The old one goes on being published at `/.well-known/jwks.json`, so that what it
    /// signed stays good. The server takes the new one with SIGHUP.
    Rotate {
        /// The host's configuration (TOML).
        #[arg(long, value_name = "FILE", default_value = "bandpass.toml")]
        config: PathBuf,
    },
}

impl SigningKey {
    pub(crate) fn run(self) -> Result<Verdict> {
        let SigningKeyCommand::Rotate { config } = self.command;
        println!("{}", rotate_signing_key(&config)?);
        Ok(Verdict::Accepted)
    }
}
