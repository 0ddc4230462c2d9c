//! `bandpass void`

use anyhow::Result;
use clap::Args;

use super::{Service, respond};
use crate::Verdict;

/// Take an allow back: what it took from caps counts no more.
#[derive(Args)]
pub(crate) struct Void {
    #[command(flatten)]
    service: Service,
    /// The merchant's identifier.
    #[arg(long, value_name = "ID")]
    merchant: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The decision's identifier.
    #[arg(value_name = "DECISION", allow_hyphen_values = true)]
    decision: String,
}

impl Void {
    pub(crate) fn run(self) -> Result<Verdict> {
        let now = self.service.now()?;
        let voided = self.service.with_host(async |host| {
            let voided = host.void(&self.merchant, &self.decision, now).await?;
            host.checkpoint(now).await?;
            Ok(voided)
        })?;
        respond::print(&voided, self.json);
        Ok(Verdict::Accepted)
    }
}
