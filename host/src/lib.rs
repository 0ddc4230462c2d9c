//! Verifies band tokens and runs merchants' policies on them.
//!
//! The verifier is a Wasm component that is carried in this library; a merchant's policy is another, in a store of its own.
//! A policy sees the verifier only through the `verification` interface, which this host serves it. An allow can't be
//! forged: it must carry a handle that the verifier made for this very submission.
//!
//! ```no_run
//! use bandpass::{Challenge, Plugin, Request, Runtime, Verifier};
//!
//! # fn main() -> Result<(), bandpass::Error> {
//! # let (wasm, trust, status_list, settings, vp_token) = (vec![], vec![], vec![], "{}", "");
//! # let (nonce, now) = (String::new(), 0);
//! let runtime = Runtime::new()?;
//! let mut verifier = Verifier::open(&runtime, trust)?;
//! verifier.update_status(status_list, now)?;
//! let plugin = Plugin::load(&runtime, &wasm)?;
//! let challenge = Challenge::new("x509_san_dns:shop.example".into(), nonce, now);
//! let request = Request { now: challenge.now, merchant: "shop".into(), context: "{}".into() };
//! let outcome = plugin.decide(&mut verifier, settings, vp_token.as_bytes(), &challenge, &request);
//! println!("{}", outcome.decision.reason());
//! # Ok(())
//! # }
//! ```

mod bindings;
mod cache;
mod compiler;
mod conformance;
mod convert;
mod decision;
mod error;
mod guest;
mod json;
mod ledger;
mod limits;
mod plugin;
mod publisher;
mod requirements;
mod runtime;
mod settings;
mod store;
mod submission;
mod used;
mod verifier;

pub use bindings::policy::exports::bandpass::sdk::policy::{Capability, Description, Obligation, Query, Request};
pub use bindings::sdk::exports::bandpass::sdk::setup::{Challenge, Check, Outcome as CheckOutcome, StatusListInfo};
pub use bindings::sdk::exports::bandpass::sdk::verification::{
    Approval, CounterState, Demand, Distance, Evidence, Failure, Money, PathSegment, Payee, Payment, Requirements,
    StatusState, Transaction,
};
pub use compiler::{Compiler, CompilerLimits, compile_component};
pub use conformance::run_vector;
pub use decision::{Decision, Outcome, Proven};
pub use error::{Code, Error};
pub use ledger::{Holder, Ledger, Quantity, Refusal, Reservation, Scope};
pub use plugin::{Plugin, Session};
pub use publisher::verify_publisher;
pub use runtime::{Runtime, VERIFIER_COMPONENT, digest};
pub use submission::Submission;
pub use used::UsedChallenges;
pub use verifier::{Accepted, Verifier};
