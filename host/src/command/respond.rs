//! `bandpass respond`

use anstream::println;
use anyhow::Result;
use bandpass::Answer;
use clap::Args;
use serde_json::Value;

use super::Service;
use crate::terminal::line;
use crate::{Verdict, input};

/// Judge what a wallet answered to a challenge: verify it, let the merchant's policies decide, and remember the decision.
#[derive(Args)]
pub(crate) struct Respond {
    #[command(flatten)]
    service: Service,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The challenge's identifier.
    #[arg(value_name = "CHALLENGE", allow_hyphen_values = true)]
    challenge: String,
    /// The token, a file with it, or `-` for standard input.
    #[arg(value_name = "TOKEN|FILE|-")]
    token: String,
}

impl Respond {
    pub(crate) fn run(self) -> Result<Verdict> {
        let token = input::token(&self.token)?;
        let now = self.service.now()?;
        let answer = self.service.with_host(async |host| {
            let answer = host.respond(&self.challenge, token, now).await?;
            host.checkpoint(now).await?;
            Ok(answer)
        })?;
        print(&answer, self.json);
        Ok(verdict(&answer))
    }
}

/// Tells a decision.
pub(super) fn print(answer: &Answer, json: bool) {
    if json {
        println!("{}", answer.to_json());
        return;
    }
    let message = answer.outcome.get("message").and_then(Value::as_str).map(|message| format!(": {message}"));
    println!("{}: {}{}", answer.decision(), line(answer.reason()), line(&message.unwrap_or_default()));
    let obligations = answer.outcome.get("obligations").and_then(Value::as_array).into_iter().flatten();
    for obligation in obligations {
        println!("obligation: {}", line(&obligation.to_string()));
    }
    if let Some(id) = &answer.decision_id {
        println!("decision_id: {id}");
    }
    if let Some(at) = answer.voided {
        println!("voided: {at}");
    }
    if let Some(receipt) = &answer.receipt {
        println!("receipt: {receipt}");
    }
}

fn verdict(answer: &Answer) -> Verdict {
    match answer.decision() {
        "allow" => Verdict::Accepted,
        "step-up" => Verdict::StepUp,
        _ => Verdict::Rejected,
    }
}
