//! `bandpass audit`

use std::path::PathBuf;

use anstream::println;
use anyhow::{Context as _, Result};
use bandpass::{Store, verify_audit};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::block_on;
use crate::terminal::line;
use crate::{Verdict, input};

/// Look after the audit chains.
#[derive(Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand)]
enum AuditCommand {
    Verify(Verify),
}

/// Find any change, gap or cut in the audit chains of a store, and say where. A cut after the newest checkpoint or receipt
/// that is given can't be seen.
#[derive(Args)]
struct Verify {
    /// A file (`SQLite`) or a `postgres://` URL.
    #[arg(long, value_name = "STORE")]
    store: String,
    /// The host's public keys: a file with a JWK or a JWK Set, of which private members are passed over.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Checkpoints: a file with one on each line. May be repeated.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A receipt in a file. May be repeated.
    #[arg(long, value_name = "FILE")]
    receipt: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(crate) fn json(&self) -> bool {
        let AuditCommand::Verify(verify) = &self.command;
        verify.json
    }

    pub(crate) fn run(self) -> Result<Verdict> {
        let AuditCommand::Verify(verify) = self.command;
        verify.run()
    }
}

impl Verify {
    fn run(self) -> Result<Verdict> {
        let mut read = serde_json::from_slice::<Value>(&input::file(&self.key)?)
            .with_context(|| self.key.display().to_string())?;
        let mut keys = match read.get_mut("keys").map(Value::take) {
            Some(Value::Array(keys)) => keys,
            _ => vec![read],
        };
        // Where a public key is wanted, a private one is refused.
        for key in keys.iter_mut().filter_map(Value::as_object_mut) {
            key.remove("d");
        }
        let lines = |paths: &[PathBuf]| -> Result<Vec<String>> {
            let texts = paths.iter().map(|path| input::text(path)).collect::<Result<Vec<_>>>()?;
            Ok(texts.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty()).map(str::to_owned).collect())
        };
        let (checkpoints, receipts) = (lines(&self.checkpoint)?, lines(&self.receipt)?);
        let store = Store::open(&self.store)?;
        let report = block_on(verify_audit(&store, &keys, &checkpoints, &receipts))?;
        match self.json {
            true => {
                let findings = report.findings.iter().map(
                    |finding| json!({"chain": finding.chain, "seq": finding.seq, "error": finding.error.to_json()}),
                );
                println!(
                    "{}",
                    json!({"entries": report.entries, "anchors": report.anchors, "findings": findings.collect::<Vec<_>>()})
                );
            }
            false => {
                for (chain, entries) in &report.entries {
                    println!("chain `{}`: {entries} entries", line(chain));
                }
                println!("held against {} checkpoints and receipts", report.anchors);
                for finding in &report.findings {
                    println!("{}", line(&finding.to_string()));
                }
            }
        }
        Ok(if report.findings.is_empty() { Verdict::Accepted } else { Verdict::Rejected })
    }
}
