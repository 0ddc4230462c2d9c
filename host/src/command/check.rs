//! `bandpass check`

use std::path::PathBuf;

use anstream::println;
use anyhow::Result;
use bandpass::{ConfigProblem, check_config};
use clap::Args;
use serde_json::json;

use super::compile::runtime;
use crate::Verdict;
use crate::terminal::line;

/// Find everything that is wrong with a configuration and with what it names: files, keys, certificates, plugins and their
/// settings.
#[derive(Args)]
pub(crate) struct Check {
    /// The host's configuration (TOML).
    #[arg(long, value_name = "FILE", default_value = "bandpass.toml")]
    config: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Check {
    pub(crate) fn run(self) -> Result<Verdict> {
        let problems = check_config(&runtime()?, &self.config)?;
        if self.json {
            let problem = |problem: &ConfigProblem| json!({"line": problem.line, "at": problem.at, "error": problem.error.to_json()});
            println!("{}", json!({"problems": problems.iter().map(problem).collect::<Vec<_>>()}));
        } else {
            for ConfigProblem { line: number, at, error } in &problems {
                println!("{}:{number}: {}: {}", self.config.display(), line(at), line(&error.to_string()));
            }
            if problems.is_empty() {
                println!("{}: nothing is wrong", self.config.display());
            }
        }
        Ok(if problems.is_empty() { Verdict::Accepted } else { Verdict::Rejected })
    }
}
