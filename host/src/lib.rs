//! Verifies band tokens and runs merchants' policies on them.
//!
//! The verifier is a Wasm component that is carried in this library; a merchant's policy is another, in a store of its own.
//! A policy sees the verifier only through the `verification` interface, which this host serves it. An allow can't be
//! forged: it must carry a handle that the verifier made for this very submission.
//!
//! [`Host`] is the whole way: challenge, answer, policies, one transaction, receipt. Its parts can be used by themselves:
//! [`Verifier`], [`Plugin`].
//!
//! ```no_run
#![doc = include_str!("../examples/embed.rs")]
//! ```

mod access;
mod activate;
mod answer;
mod at_hand;
mod audit;
mod bindings;
mod cache;
mod check;
mod compiler;
mod compose;
mod config;
mod conformance;
mod convert;
mod decision;
mod error;
mod guest;
mod host;
mod http;
mod json;
mod judge;
mod keys;
mod ledger;
mod limits;
mod merchants;
mod meters;
pub mod openid4vp;
mod plugin;
mod plugins;
mod publisher;
mod query;
mod refresh;
mod registry;
mod requirements;
mod retention;
mod runtime;
mod settings;
mod setup;
mod sign;
mod state;
mod status_lists;
mod store;
mod submission;
mod verifier;
mod webhooks;
mod workers;

pub use access::{Access, ApiKey, ClientFiles, ClientPrefix, Secret, ServerConfig, Webhook};
pub use activate::{activate_plugin, check_plugins, revoke_plugin};
pub use answer::{Answer, IssuedChallenge, NewChallenge, Remembered, Stage};
pub use audit::{AuditFinding, AuditReport, verify_audit};
pub use bindings::policy::exports::bandpass::sdk::policy::{Capability, Description, Obligation, Query, Request};
pub use bindings::sdk::exports::bandpass::sdk::setup::{
    Binding, Challenge, Check, DcApiBinding, Outcome as CheckOutcome, ProximityBinding, RedirectBinding, StatusListInfo,
};
pub use bindings::sdk::exports::bandpass::sdk::verification::{
    Approval, CounterState, Demand, Evidence, Failure, Money, PathSegment, Payee, Payment, Requirements, StatusState,
    Transaction,
};
pub use check::{ConfigProblem, check_config};
pub use compiler::{Compiler, CompilerLimits, compile_component};
pub use compose::{Composed, compose};
pub use config::{Config, Merchant, Pin, PolicyConfig};
pub use conformance::run_vector;
pub use decision::{Decision, Outcome, Proven};
pub use error::{Code, Error};
pub use host::{Host, Metrics};
pub use http::{Server, stop};
pub use keys::{KeyOwner, create_key, revoke_key, rotate_key, rotate_signing_key};
pub use ledger::{Holder, Ledger, Quantity, Refusal, Reservation, Scope};
pub use merchants::{NewMerchant, add_merchant};
pub use plugin::{Plugin, Session};
pub use plugins::PluginState;
pub use publisher::verify_publisher;
pub use query::NewTransaction;
pub use refresh::{Location, Refresher, SourceKind, SourceState, Sources};
pub use registry::{AccountHolder, CredentialOffer, Opening, Registry, RegistryClient, RegistryConfig, RegistryServer};
pub use retention::Pruned;
pub use runtime::{Runtime, VERIFIER_COMPONENT, digest};
pub use store::{Migration, Store};
pub use submission::Submission;
pub use verifier::{Accepted, Verifier};
pub use webhooks::Webhooks;
