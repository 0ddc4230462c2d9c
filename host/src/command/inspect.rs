//! `bandpass inspect`

use std::collections::BTreeMap;

use anstream::{eprintln, println};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::terminal::line;
use crate::{Verdict, input};

/// Show what is in a token. Nothing is verified.
#[derive(Args)]
pub(crate) struct Inspect {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The token, a file with it, or `-` for standard input.
    #[arg(value_name = "TOKEN|FILE|-")]
    token: String,
}

impl Inspect {
    pub(crate) fn run(self) -> Result<Verdict> {
        let token = input::token(&self.token)?;
        let tree = match inspected(&token) {
            Ok(tree) => tree,
            Err(error) => {
                match self.json {
                    true => {
                        println!("{}", json!({"error": {"code": error.code().as_str(), "message": error.message()}}));
                    }
                    false => println!("unreadable: {error}"),
                }
                return Ok(Verdict::Rejected);
            }
        };
        if self.json {
            println!("{tree}");
            return Ok(Verdict::Accepted);
        }
        eprintln!("NOT VERIFIED: whoever wrote this token chose every word of it");
        let mut lines = Vec::new();
        describe(&tree, 0, &mut lines);
        for (depth, line) in lines {
            println!("{:width$}{line}", "", width = 2 * depth);
        }
        Ok(Verdict::Accepted)
    }
}

/// A presentation, or each of those in a `vp_token` by the query that it answers.
fn inspected(token: &[u8]) -> Result<Value, bandpass_core::Error> {
    match serde_json::from_slice::<BTreeMap<String, Vec<String>>>(token) {
        Err(_) => bandpass_core::inspect(&String::from_utf8_lossy(token)),
        Ok(by_query) => {
            let presentations = by_query.into_iter().map(|(query_id, presentations)| {
                let trees = presentations.iter().map(|token| bandpass_core::inspect(token));
                Ok((query_id, trees.collect::<Result<Value, _>>()?))
            });
            Ok(Value::Object(presentations.collect::<Result<_, _>>()?))
        }
    }
}

/// A line for each member. Text stays in its JSON form, where control characters are escaped.
fn describe(value: &Value, depth: usize, lines: &mut Vec<(usize, String)>) {
    let mut entry = |name: String, value: &Value| match value {
        Value::Object(_) | Value::Array(_) if *value != json!({}) && *value != json!([]) => {
            lines.push((depth, name));
            describe(value, depth + 1, lines);
        }
        scalar => lines.push((depth, format!("{name}: {}{}", line(&scalar.to_string()), time(&name, scalar)))),
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| entry(line(name), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(place, item)| entry(format!("[{place}]"), item)),
        scalar => lines.push((depth, line(&scalar.to_string()))),
    }
}

/// What a number means where it is a time.
fn time(name: &str, value: &Value) -> String {
    let is_time = ["iat", "exp", "nbf", "worn_since", "unlocked_at"].contains(&name);
    let seconds = value.as_u64().filter(|_| is_time).map(std::time::Duration::from_secs);
    match seconds.and_then(|seconds| std::time::UNIX_EPOCH.checked_add(seconds)) {
        Some(time) => format!("  ({})", humantime::format_rfc3339_seconds(time)),
        None => String::new(),
    }
}
