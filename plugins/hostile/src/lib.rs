//! Does what its settings name, to show that the host holds. Settings are a bare word, no JSON.

use std::cell::RefCell;
use std::hint::black_box;

use bandpass_policy::{
    Allowance, Decision, Demand, Denial, Description, Obligation, Policy, Query, Request, Requirements,
};
use bandpass_policy::{Submission, Verified, by_profile, log};

struct Hostile;
bandpass_policy::export_policy!(Hostile);

thread_local! {
    static DEED: RefCell<String> = const { RefCell::new(String::new()) };
    static KEPT: RefCell<Option<Verified>> = const { RefCell::new(None) };
}

impl Policy for Hostile {
    fn describe() -> Description {
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            settings_schema: "{}".into(),
            capabilities: vec![],
        }
    }

    fn configure(settings: String) -> Result<(), String> {
        match settings.as_str() {
            "refuse-settings" => return Err("no\u{1b}[31m".into()),
            "loop-in-configure" => endless(),
            _ => DEED.set(settings),
        }
        Ok(())
    }

    fn ask(_request: Request) -> Result<Query, String> {
        Err("nothing to ask for".into())
    }

    fn evaluate(submission: &Submission, _request: Request) -> Result<Decision, String> {
        let deed = DEED.with_borrow(Clone::clone);
        let verify = || {
            let requirements = Requirements { approval: Demand::NotRequired, ..by_profile() };
            submission.verify("band", &requirements).map_err(|failure| failure.code)
        };
        match deed.as_str() {
            // Allows with the proof of the customer before.
            "keep-handle" => match KEPT.take() {
                Some(verified) => return Ok(allow(verified)),
                None => KEPT.set(Some(verify()?)),
            },
            // Reads the proof of the customer before.
            "read-kept-handle" => match KEPT.take() {
                Some(verified) => return Err(verified.claims()),
                None => KEPT.set(Some(verify()?)),
            },
            "loop" => endless(),
            "recurse" => drop(recurse(1)),
            "grow-memory" => {
                let mut held = Vec::new();
                loop {
                    held.push(vec![1_u8; 1 << 16]);
                }
            }
            "trap" => panic_without_words(),
            "error" => return Err("x".repeat(100_000)),
            "long-reason" => return Ok(deny("x".repeat(100_000))),
            "huge-result" => return Ok(deny("x".repeat(8 << 20))),
            "many-obligations" => {
                let obligation = Obligation { name: "x".into(), parameters: "{}".into() };
                let obligations = vec![obligation; 1_000];
                return Ok(Decision::Allow(Allowance { verified: verify()?, reason: "x".into(), obligations }));
            }
            "malformed-obligation" => {
                let obligations = vec![Obligation { name: "x".into(), parameters: "{".into() }];
                return Ok(Decision::Allow(Allowance { verified: verify()?, reason: "x".into(), obligations }));
            }
            "verify-without-end" => {
                let mut held = Vec::new();
                loop {
                    held.push(verify()?);
                }
            }
            "flood-log" => (0..10_000).for_each(|_| log::write(log::Level::Warn, "\u{1b}[31mred\u{1b}[0m")),
            // A good one, for comparison.
            "allow" => return Ok(allow(verify()?)),
            other => return Err(format!("no such deed: {other}")),
        }
        Ok(deny("done".into()))
    }
}

fn allow(verified: Verified) -> Decision {
    Decision::Allow(Allowance { verified, reason: "hostile".into(), obligations: vec![] })
}

fn deny(reason: String) -> Decision {
    Decision::Deny(Denial { reason, message: String::new() })
}

fn endless() {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

fn recurse(depth: u64) -> u64 {
    match black_box(depth) {
        u64::MAX => 0,
        depth => black_box(recurse(depth + 1)) + 1,
    }
}

fn panic_without_words() {
    std::process::abort();
}
