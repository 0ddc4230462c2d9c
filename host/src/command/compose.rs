//! `bandpass compose`

use std::fs;
use std::path::PathBuf;

use anstream::println;
use anyhow::{Context as _, Result};
use bandpass::{compose, digest};
use clap::Args;
use serde_json::json;

use super::compile::runtime;
use crate::{Verdict, input};

/// Join a policy and the verifier into one component, for an edge function or a browser.
///
/// It decides as `decide` does, and takes and gives plain data (`wit/gate.wit`). It has no ledger, so a policy that needs one
/// is refused. `npx bandpass-edge` makes a JavaScript module of it.
#[derive(Args)]
pub(crate) struct Compose {
    /// The policy: a Wasm component.
    #[arg(value_name = "PLUGIN")]
    plugin: PathBuf,
    /// Where to write the component.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Compose {
    pub(crate) fn run(self) -> Result<Verdict> {
        let composed = compose(&runtime()?, &input::file(&self.plugin)?)?;
        fs::write(&self.output, &composed.component).with_context(|| self.output.display().to_string())?;
        let (sha256, bytes) = (digest(&composed.component), composed.component.len());
        if self.json {
            println!("{}", json!({"sha256": sha256, "bytes": bytes, "parts": composed.parts}));
        } else {
            println!("{sha256}  {bytes} bytes");
            for (name, part) in &composed.parts {
                println!("{}  {name}", part["sha256"].as_str().unwrap_or_default());
            }
        }
        Ok(Verdict::Accepted)
    }
}
