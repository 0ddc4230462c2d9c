//! `bandpass plugin`

use std::path::PathBuf;

use anstream::println;
use anyhow::Result;
use bandpass::{PluginState, activate_plugin, check_plugins, revoke_plugin};
use clap::{Args, Subcommand};
use serde_json::json;

use super::compile::runtime;
use crate::terminal::line;
use crate::{Verdict, input};

/// Look after the plugins of a host.
#[derive(Args)]
pub(crate) struct Plugin {
    /// The host's configuration (TOML).
    #[arg(long, value_name = "FILE", global = true, default_value = "bandpass.toml")]
    config: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Subcommand)]
enum PluginCommand {
    /// Try a component as a plugin, with the settings of every merchant that uses it; if it holds, copy it into the folder
    /// of plugins and pin its digest. A running host takes it when it reads its configuration again.
    Activate {
        /// The plugin's name in the configuration.
        #[arg(value_name = "NAME")]
        name: String,
        /// The component.
        #[arg(value_name = "FILE")]
        component: PathBuf,
        /// The publisher's signature (compact JWS).
        #[arg(long, value_name = "FILE")]
        signature: Option<PathBuf>,
    },
    /// Say that a component must not decide any more, not even on challenges that are out.
    Revoke {
        /// Digest of the component.
        #[arg(value_name = "SHA256")]
        sha256: String,
    },
    /// Load every plugin and say which can be used.
    Check,
}

impl Plugin {
    pub(crate) fn run(self) -> Result<Verdict> {
        let states = match &self.command {
            PluginCommand::Activate { name, component, signature } => {
                let signature = signature.as_deref().map(input::text).transpose()?;
                let component = input::file(component)?;
                vec![activate_plugin(&runtime()?, &self.config, name, &component, signature.as_deref())?]
            }
            PluginCommand::Revoke { sha256 } => {
                revoke_plugin(&self.config, sha256)?;
                vec![]
            }
            PluginCommand::Check => check_plugins(&runtime()?, &self.config)?,
        };
        let rejected = states.iter().any(|state| state.quarantined.is_some());
        for state in &states {
            self.print(state);
        }
        Ok(if rejected { Verdict::Rejected } else { Verdict::Accepted })
    }

    fn print(&self, state: &PluginState) {
        let PluginState { name, sha256, described, quarantined } = state;
        if self.json {
            let (described, version) = described.clone().unzip();
            let error = quarantined.as_ref().map(bandpass::Error::to_json);
            println!(
                "{}",
                json!({"name": name, "sha256": sha256, "describes": described, "version": version, "error": error})
            );
            return;
        }
        match (quarantined, described) {
            (Some(error), _) => println!("{}: quarantined: {}", line(name), line(&error.to_string())),
            (None, Some((described, version))) => {
                println!("{}: {} {}, {sha256}", line(name), line(described), line(version));
            }
            (None, None) => println!("{}: {sha256}", line(name)),
        }
    }
}
