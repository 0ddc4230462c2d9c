//! Does what its settings name, to show that the host holds. Settings are a word, with or without the quotes of JSON.

use std::cell::RefCell;
use std::hint::black_box;

use bandpass_policy::ledger::{self, Quantity, Scope};
use bandpass_policy::{
    Allowance, Capability, Decision, Demand, Denial, Description, Money, Obligation, Policy, Query, Request,
    Requirements,
};
use bandpass_policy::{Submission, Verified, by_profile, log};

struct Hostile;
bandpass_policy::export_policy!(Hostile);

/// `describe` has no settings: what it does is written over the last word, in the component's bytes.
static DESCRIBES: [u8; 32] = *b"bandpass hostile describe:answer";

const DCQL: &str = r#"{"credentials":[{"id":"band","format":"dc+sd-jwt","meta":{"vct_values":["urn:bandpass:band:1"]},"claims":[{"path":["sub"]}]}]}"#;

thread_local! {
    static DEED: RefCell<String> = const { RefCell::new(String::new()) };
    static KEPT: RefCell<Option<Verified>> = const { RefCell::new(None) };
}

impl Policy for Hostile {
    fn describe() -> Description {
        let mut description = Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            settings_schema: r#"{"type": "string"}"#.into(),
            capabilities: vec![Capability::Ledger],
        };
        match &black_box(&DESCRIBES)[26..] {
            b"trap__" => panic_without_words(),
            b"loop__" => endless(),
            b"memory" => grow_memory(),
            b"huge__" => description.settings_schema = "x".repeat(8 << 20),
            b"noneed" => description.capabilities.clear(),
            b"noname" => description.name.clear(),
            b"escape" => description.name = "\u{1b}[31m".into(),
            b"schema" => description.settings_schema = r#"{"type": 1}"#.into(),
            _ => {}
        }
        description
    }

    fn configure(settings: String) -> Result<(), String> {
        // A shop's settings, for whoever has only one kind of them.
        let deed = if settings.starts_with('{') { "trap-for-nowhere" } else { settings.trim_matches('"') };
        match deed {
            "refuse-settings" => return Err("no\u{1b}[31m".into()),
            "trap-in-configure" => panic_without_words(),
            "loop-in-configure" => endless(),
            "grow-memory-in-configure" => grow_memory(),
            "huge-refusal-of-settings" => return Err("x".repeat(8 << 20)),
            _ => {}
        }
        DEED.set(deed.to_owned());
        Ok(())
    }

    fn ask(_request: Request) -> Result<Query, String> {
        match DEED.with_borrow(Clone::clone).as_str() {
            "trap-in-ask" => panic_without_words(),
            "loop-in-ask" => endless(),
            "grow-memory-in-ask" => grow_memory(),
            "huge-query" => {
                let dcql = "x".repeat(8 << 20);
                return Ok(Query { dcql, transaction_types: vec![], requirements: by_profile() });
            }
            "trap-for-nowhere" => {
                let transaction_types = vec!["urn:bandpass:payment:1".into()];
                return Ok(Query { dcql: DCQL.into(), transaction_types, requirements: by_profile() });
            }
            _ => {}
        }
        Err("nothing to ask for".into())
    }

    fn evaluate(submission: &Submission, request: Request) -> Result<Decision, String> {
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
            "grow-memory" => grow_memory(),
            "trap" => panic_without_words(),
            "trap-for-nowhere" => {
                let verified = verify()?;
                match request.context.contains("XX") {
                    true => panic_without_words(),
                    false => return Ok(allow(verified)),
                }
            }
            "trap-after-verify" => {
                let _verified = verify()?;
                panic_without_words();
            }
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
            // Has the verifier do the work.
            "query-without-end" => {
                let verified = verify()?;
                let query = r#"{"id":"x","format":"dc+sd-jwt","meta":{"vct_values":["x"]}},"#.repeat(900);
                let query = format!(r#"{{"credentials":[{}]}}"#, query.trim_end_matches(','));
                loop {
                    let _ = black_box(verified.satisfies(&query));
                }
            }
            "flood-log" => loop {
                log::write(log::Level::Warn, "\u{1b}[31mred\u{1b}[0m");
            },
            "long-log" => (0..200).for_each(|_| log::write(log::Level::Warn, &"\u{1b}[31mred".repeat(1_000))),
            "flood-ledger" => {
                let _verified = verify()?;
                loop {
                    let _ = ledger::reserve(Scope::Merchant, "day", &Quantity::Count(1), &Quantity::Count(1_000), 1);
                }
            }
            "reserve-unverified" => return Ok(reserve(Scope::Band, &sum("35.00", "CNY"))),
            // Good ones, for comparison.
            "reserve" | "reserve-account" | "reserve-euros" | "reserve-nonsense" => {
                let verified = verify()?;
                let (scope, quantity) = match deed.as_str() {
                    "reserve-account" => (Scope::Account, sum("35.00", "CNY")),
                    "reserve-euros" => (Scope::Band, sum("35.00", "EUR")),
                    "reserve-nonsense" => (Scope::Band, sum("-35", "CNY")),
                    _ => (Scope::Band, sum("35.00", "CNY")),
                };
                return Ok(match reserve(scope, &quantity) {
                    Decision::Deny(Denial { reason, .. }) if reason == "reserved" => allow(verified),
                    denied => denied,
                });
            }
            "tell-counter" => {
                let state = verify()?.evidence().map(|evidence| evidence.counter_state);
                return Ok(deny(format!("{state:?}")));
            }
            "allow" => return Ok(allow(verify()?)),
            other => return Err(format!("no such deed: {other}")),
        }
        Ok(deny("done".into()))
    }
}

/// Denies with `reserved`, or with the ledger's code.
fn reserve(scope: Scope, quantity: &Quantity) -> Decision {
    match ledger::reserve(scope, "day", quantity, &sum("100.00", "CNY"), 86_400) {
        Ok(_) => deny("reserved".into()),
        Err(refusal) => deny(refusal.code),
    }
}

fn sum(amount: &str, currency: &str) -> Quantity {
    Quantity::Sum(Money { amount: amount.into(), currency: currency.into() })
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

fn grow_memory() {
    let mut held = Vec::new();
    loop {
        // Not written to, which would take most of the time that it has.
        held.push(black_box(Vec::<u8>::with_capacity(1 << 20)));
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
