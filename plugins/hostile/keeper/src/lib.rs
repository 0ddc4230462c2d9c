//! Keeps the first customer's proof and allows every later customer with it.

use std::cell::RefCell;

use bandpass_policy::{Allowance, Decision, Demand, Denial, Description, Policy, Query, Request, Requirements};
use bandpass_policy::{Submission, Verified, by_profile};

struct Keeper;
bandpass_policy::export_policy!(Keeper);

thread_local! {
    static KEPT: RefCell<Option<Verified>> = const { RefCell::new(None) };
}

impl Policy for Keeper {
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            settings_schema: "{}".into(),
            capabilities: vec![],
        }
    }

    fn configure(_settings: String) -> Result<(), String> {
        Ok(())
    }

    fn ask(_request: Request) -> Result<Query, String> {
        Err("nothing to ask for".into())
    }

    fn evaluate(submission: &Submission, _request: Request) -> Result<Decision, String> {
        if let Some(verified) = KEPT.take() {
            return Ok(Decision::Allow(Allowance { verified, reason: "kept".into(), obligations: vec![] }));
        }
        let requirements = Requirements { approval: Demand::NotRequired, ..by_profile() };
        KEPT.set(Some(submission.verify("band", &requirements).map_err(|failure| failure.code)?));
        Ok(Decision::Deny(Denial { reason: "kept".into(), message: "comes back with the next customer".into() }))
    }
}
