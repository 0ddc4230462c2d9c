//! `bandpass challenge`

use anstream::println;
use anyhow::{Context as _, Result};
use bandpass::{IssuedChallenge, NewChallenge, NewTransaction};
use clap::Args;
use serde_json::{Map, Value};

use super::Service;
use crate::{Verdict, input};

/// Make a challenge for a merchant, as its policies ask, and remember it.
#[derive(Args)]
pub(crate) struct Challenge {
    #[command(flatten)]
    service: Service,
    /// The merchant's identifier.
    #[arg(long, value_name = "ID")]
    merchant: String,
    /// What the holder is to agree to: a file (JSON) with `type` and `payload`. May be repeated.
    #[arg(long, value_name = "FILE", conflicts_with = "step_up")]
    transaction: Vec<std::path::PathBuf>,
    /// The merchant's own words to its policies: a file with a JSON object.
    #[arg(long, value_name = "FILE", conflicts_with = "step_up")]
    context: Option<std::path::PathBuf>,
    /// Take up the step-up that this decision asked for.
    #[arg(long, value_name = "DECISION", allow_hyphen_values = true)]
    step_up: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct TransactionFile {
    r#type: String,
    payload: Map<String, Value>,
}

impl Challenge {
    pub(crate) fn run(self) -> Result<Verdict> {
        let transactions = self.transaction.iter().map(|path| {
            let file = serde_json::from_slice::<TransactionFile>(&input::file(path)?)
                .map_err(|error| bandpass::Error::challenge_malformed(&path.display(), &error))?;
            Ok(NewTransaction { type_id: file.r#type, payload: file.payload })
        });
        let transactions = transactions.collect::<Result<_>>()?;
        let context = match &self.context {
            Some(path) => serde_json::from_slice(&input::file(path)?).with_context(|| path.display().to_string())?,
            None => Map::new(),
        };
        let now = self.service.now()?;
        let issued: IssuedChallenge = self.service.with_host(async |host| match &self.step_up {
            Some(decision) => host.step_up(&self.merchant, decision, None, now).await,
            None => {
                let merchant = self.merchant.clone();
                host.challenge(NewChallenge { merchant, transactions, context, ..NewChallenge::default() }, now).await
            }
        })?;
        println!("{}", issued.to_json());
        Ok(Verdict::Accepted)
    }
}
