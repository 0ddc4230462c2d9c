//! `bandpass explain`

use anstream::println;
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use bandpass::{Check, CheckOutcome};
use bandpass_core::Code;
use clap::Args;
use serde_json::{Value, json};

use super::verify::{Case, Judged, is_failure};
use crate::Verdict;
use crate::terminal::line;

/// Say of every check what came of it: for people and tools, never for authorising.
///
/// It takes what `verify` takes and comes to the same verdict. The checks stand in their order; the first that fails is why
/// the token is refused, and those after it are not reached.
#[derive(Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) judged: Judged,
}

impl Explain {
    pub(crate) fn run(self) -> Result<Verdict> {
        let Case { mut verifier, token, challenge, requirements, refused } = self.judged.case()?;
        let checks = match refused {
            Some(refused) => refused_before(refused.code()),
            None => verifier.explain(&token, &challenge, self.judged.query_id(), &requirements)?,
        };
        let failed = checks.iter().find(|check| check.outcome == CheckOutcome::Failed);
        if failed.is_some_and(|check| is_failure(&check.code)) {
            verifier.verify(&token, &challenge, self.judged.query_id(), &requirements)?;
        }
        match self.judged.json {
            true => {
                let listed = checks
                    .iter()
                    .map(|check| json!({"code": check.code, "section": check.section, "outcome": word(check.outcome)}));
                println!("{}", json!({"accepted": failed.is_none(), "checks": listed.collect::<Vec<Value>>()}));
            }
            false => checks.iter().for_each(print),
        }
        Ok(if failed.is_none() { Verdict::Accepted } else { Verdict::Rejected })
    }
}

/// A status list was refused: nothing else was looked at.
fn refused_before(code: &str) -> Vec<Check> {
    let outcome = |check: &Code| if check.as_str() == code { CheckOutcome::Failed } else { CheckOutcome::NotReached };
    let checks = Code::ALL.iter().map(|check| Check {
        code: check.as_str().into(),
        section: check.section().into(),
        outcome: outcome(check),
    });
    checks.collect()
}

fn print(check: &Check) {
    let style = match check.outcome {
        CheckOutcome::Passed => Style::new().fg_color(Some(AnsiColor::Green.into())),
        CheckOutcome::Failed => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
        CheckOutcome::NotReached | CheckOutcome::NotApplicable => Style::new().dimmed(),
    };
    let word = word(check.outcome);
    println!("{style}{word:14}{style:#} {:26} {}", line(&check.code), line(&check.section));
}

fn word(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Passed => "passed",
        CheckOutcome::Failed => "failed",
        CheckOutcome::NotReached => "not-reached",
        CheckOutcome::NotApplicable => "not-applicable",
    }
}
