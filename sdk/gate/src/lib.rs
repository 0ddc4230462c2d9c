//! The host's rule in Wasm, between a verifier and a policy: no allow without a proof that the verifier made for the very
//! submission that is being decided on. Without `std`, as the verifier. A panic traps.
#![no_std]
#![expect(unsafe_code, reason = "the exports that wit-bindgen makes")]

extern crate alloc;

mod plain;

mod bindings {
    #![expect(clippy::pedantic, reason = "generated from the WIT package")]
    wit_bindgen::generate!({ path: "../../wit", world: "gateway" });
}

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::panic::PanicInfo;

use bindings::bandpass::sdk::policy;
use bindings::bandpass::sdk::setup::{self, Verifier};
use bindings::bandpass::sdk::verification::Submission;
use bindings::exports::bandpass::sdk::gate::{
    Challenge, Denial, Description, Failure, Guest, Outcome, Permission, Query, StatusListInfo, Step,
};

/// As in the host: longest text of a decision in bytes, and most obligations.
const MAX_TEXT: usize = 1_000;
const MAX_OBLIGATIONS: usize = 16;
/// Characters of why something went wrong.
const MAX_MESSAGE: usize = 200;

#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Gate;
bindings::export!(Gate with_types_in bindings);

/// What `open` made.
struct Opened(OnceCell<Verifier>);
static OPENED: Opened = Opened(OnceCell::new());
/// SAFETY: a component without threads has one.
unsafe impl Sync for Opened {}

impl Opened {
    /// Before `open` there is nothing to decide with: a panic.
    #[expect(clippy::expect_used, reason = "traps, as the contract says")]
    fn verifier() -> &'static Verifier {
        OPENED.0.get().expect("`open` comes first")
    }
}

impl Guest for Gate {
    fn open(trust: Vec<u8>, settings: String) -> Result<(), Failure> {
        let verifier = Verifier::open(&trust).map_err(plain::failure)?;
        policy::configure(&settings).map_err(|why| failure("plugin.settings", &why))?;
        let opened = OPENED.0.set(verifier);
        assert!(opened.is_ok(), "`open` comes once");
        Ok(())
    }

    fn update_status(status_list_token: Vec<u8>, now: u64) -> Result<StatusListInfo, Failure> {
        let info = Opened::verifier().update_status(&status_list_token, now).map_err(plain::failure)?;
        let setup::StatusListInfo { uri, issued_at, expires, ttl, issuers } = info;
        Ok(StatusListInfo { uri, issued_at, expires, ttl, issuers })
    }

    fn describe() -> Description {
        let policy::Description { name, version, settings_schema, .. } = policy::describe();
        Description { name, version, settings_schema }
    }

    fn ask(now: u64, merchant: String, context: String) -> Result<Query, Failure> {
        let asked = policy::ask(&policy::Request { now, merchant, context });
        let policy::Query { dcql, transaction_types, requirements } =
            asked.map_err(|why| failure("plugin.error", &why))?;
        Ok(Query { dcql, transaction_types, requirements: plain::requirements(requirements) })
    }

    fn decide(vp_token: Vec<u8>, challenge: Challenge, merchant: String, context: String) -> Outcome {
        let request = policy::Request { now: challenge.now, merchant, context };
        let submission = Opened::verifier().submit(&vp_token, &plain::challenge(challenge));
        match policy::evaluate(&submission, &request) {
            Ok(decision) => decided(&submission, decision).unwrap_or_else(Outcome::Deny),
            Err(why) => Outcome::Deny(denial("plugin.error", &why)),
        }
    }
}

/// What a policy says is a stranger's: text of bounded size, and an allow only with a proof of this submission.
fn decided(submission: &Submission, decision: policy::Decision) -> Result<Outcome, Denial> {
    match decision {
        policy::Decision::Allow(allowance) => allowed(submission, allowance).map(Outcome::Allow),
        policy::Decision::Deny(policy::Denial { reason, message }) => {
            Ok(Outcome::Deny(Denial { reason: text(reason)?, message: text(message)? }))
        }
        policy::Decision::StepUp(policy::Step { reason, message, requirements }) => Ok(Outcome::StepUp(Step {
            reason: text(reason)?,
            message: text(message)?,
            requirements: plain::requirements(requirements),
        })),
    }
}

fn allowed(submission: &Submission, allowance: policy::Allowance) -> Result<Permission, Denial> {
    let policy::Allowance { verified, reason, obligations } = allowance;
    if obligations.len() > MAX_OBLIGATIONS || !obligations.iter().all(is_proper) {
        return Err(denial("plugin.result", "the obligations are malformed, or there are too many"));
    }
    if !setup::belongs(submission, &verified) {
        return Err(denial("plugin.foreign-handle", "the plugin came with a proof of another submission"));
    }
    Ok(Permission {
        reason: text(reason)?,
        obligations: obligations.into_iter().map(plain::obligation).collect(),
        issuer: verified.issuer(),
        key_thumbprint: verified.key_thumbprint(),
        status: plain::status(verified.status()),
        claims: verified.claims(),
    })
}

fn is_proper(policy::Obligation { name, parameters }: &policy::Obligation) -> bool {
    name.len() <= MAX_TEXT && parameters.len() <= MAX_TEXT
}

fn text(text: String) -> Result<String, Denial> {
    match text.len() {
        0..=MAX_TEXT => Ok(text),
        _ => Err(denial("plugin.result", "a text of the decision is too long")),
    }
}

fn denial(code: &str, why: &str) -> Denial {
    Denial { reason: code.into(), message: readable(why) }
}

fn failure(code: &str, why: &str) -> Failure {
    Failure { code: code.into(), message: readable(why), claim: None, expected: None, actual: None }
}

/// Cut to a readable length, on one line.
fn readable(why: &str) -> String {
    why.chars().take(MAX_MESSAGE).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
