//! `bandpass decide`

use std::path::PathBuf;

use anstream::{eprintln, println};
use anyhow::{Context as _, Result};
use bandpass::{Challenge, Decision, Outcome, Plugin, Request, Verifier};
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::command::compile::runtime;
use crate::terminal::line;
use crate::{Verdict, input};

/// Let a policy decide on a token, for those who write policies. Nothing is remembered: a token can be replayed, and there
/// are no caps.
#[derive(Args)]
pub(crate) struct Decide {
    /// The policy: a Wasm component.
    #[arg(long, value_name = "FILE")]
    plugin: PathBuf,
    /// The merchant's settings for it (JSON).
    #[arg(long, value_name = "FILE")]
    settings: PathBuf,
    /// Trust list (JSON).
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// The challenge that the token answers (JSON).
    #[arg(long, value_name = "FILE")]
    challenge: PathBuf,
    /// Status list token: a file with a JWT or a CWT. May be repeated.
    #[arg(long, value_name = "FILE")]
    status_list: Vec<PathBuf>,
    /// Time at which to judge, in seconds since 1970; now, unless given.
    #[arg(long, value_name = "UNIX")]
    now: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The token, a file with it, or `-` for standard input.
    #[arg(value_name = "TOKEN|FILE|-")]
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChallengeFile {
    audience: Vec<String>,
    nonce: String,
    #[serde(default)]
    transaction_data: Vec<String>,
    #[serde(default)]
    dcql: Option<Value>,
    #[serde(default = "default_max_age")]
    max_age: u32,
    #[serde(default = "default_clock_tolerance")]
    clock_tolerance: u32,
    #[serde(default = "default_status_max_age")]
    status_max_age: u32,
    request: RequestFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestFile {
    merchant: String,
    #[serde(default)]
    context: Map<String, Value>,
}

fn default_max_age() -> u32 {
    bandpass_core::Challenge::DEFAULT_MAX_AGE
}

fn default_clock_tolerance() -> u32 {
    bandpass_core::Challenge::DEFAULT_CLOCK_TOLERANCE
}

fn default_status_max_age() -> u32 {
    bandpass_core::Challenge::DEFAULT_STATUS_MAX_AGE
}

impl Decide {
    pub(crate) fn run(self) -> Result<Verdict> {
        let token = input::token(&self.token)?;
        let file = serde_json::from_slice::<ChallengeFile>(&input::file(&self.challenge)?)
            .map_err(|error| bandpass::Error::challenge_malformed(&self.challenge.display(), &error))?;
        let now = input::now(self.now)?;
        let challenge = Challenge {
            binding: None,
            measured_distance_mm: None,
            audience: file.audience,
            nonce: file.nonce,
            now,
            max_age: file.max_age,
            clock_tolerance: file.clock_tolerance,
            status_max_age: file.status_max_age,
            dcql: file.dcql.map(|dcql| dcql.to_string()),
            transaction_data: file.transaction_data,
        };
        // A challenge that nobody could answer is the caller's mistake, no verdict on the token.
        bandpass_core::Challenge::new(challenge.audience.clone(), challenge.nonce.clone(), now)?
            .transaction_data(&challenge.transaction_data)?;
        challenge.dcql.as_deref().map(|dcql| bandpass_core::Dcql::from_json(dcql.as_bytes())).transpose()?;
        let context = Value::Object(file.request.context).to_string();
        let request = Request { now, merchant: file.request.merchant, context };
        let settings = String::from_utf8(input::file(&self.settings)?).context("the settings are not text")?;
        let runtime = runtime()?;
        let mut verifier = Verifier::open(&runtime, input::file(&self.trust)?)?;
        let listed = input::status_lists(&mut verifier, &self.status_list, now)?;
        let plugin = Plugin::load(&runtime, &input::file(&self.plugin)?);
        let outcome = match listed.and(plugin) {
            Ok(plugin) => plugin.decide(&mut verifier, &settings, &token, &challenge, &request),
            Err(error) => Outcome::denied(&error),
        };
        let decision = outcome.decision;
        self.print(&decision);
        Ok(match decision {
            Decision::Allow { .. } => Verdict::Accepted,
            Decision::Deny { .. } => Verdict::Rejected,
            Decision::StepUp { .. } => Verdict::StepUp,
        })
    }

    fn print(&self, decision: &Decision) {
        if self.json {
            let mut result = decision.to_json();
            if let Some(members) = result.as_object_mut() {
                members.insert("replay".into(), "not-checked".into());
            }
            println!("{result}");
            return;
        }
        match decision {
            Decision::Allow { reason, obligations, .. } => {
                println!("allow: {}", line(reason));
                for obligation in obligations {
                    println!("obligation: {} {}", line(&obligation.name), line(&obligation.parameters));
                }
            }
            Decision::Deny { reason, message } => println!("deny: {}: {}", line(reason), line(message)),
            Decision::StepUp { reason, message, .. } => println!("step-up: {}: {}", line(reason), line(message)),
        }
        eprintln!("replay: not checked; `bandpass respond` remembers challenges");
    }
}
