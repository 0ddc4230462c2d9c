//! What a merchant's policy plugin depends on.
//!
//! A policy is a type that implements [`Policy`]; [`export_policy!`] makes a Wasm component's exports of it. Build it as a
//! `cdylib` for `wasm32-unknown-unknown` and turn the module into a component with `wit-component`. It needs no global
//! allocator: this crate brings one that suits an instance which lives for one decision.
//!
//! ```no_run
//! use bandpass_policy::{Allowance, Decision, Denial, Description, Policy, Query, Request, Requirements, Submission};
//!
//! struct OpenToMembers;
//!
//! impl Policy for OpenToMembers {
//!     fn describe() -> Description {
//!         Description {
//!             name: "open-to-members".into(),
//!             version: "0.1.0".into(),
//!             settings_schema: r#"{"type":"object","additionalProperties":false}"#.into(),
//!             capabilities: vec![],
//!         }
//!     }
//!
//!     fn configure(_settings: String) -> Result<(), String> {
//!         Ok(())
//!     }
//!
//!     fn ask(_request: Request) -> Result<Query, String> {
//!         let dcql = r#"{"credentials":[{"id":"member","format":"dc+sd-jwt","meta":{"vct_values":["urn:example:member"]}}]}"#;
//!         Ok(Query { dcql: dcql.into(), transaction_types: vec![], requirements: bandpass_policy::by_profile() })
//!     }
//!
//!     fn evaluate(submission: &Submission, _request: Request) -> Result<Decision, String> {
//!         Ok(match submission.verify("member", &bandpass_policy::by_profile()) {
//!             Ok(verified) if verified.credential_type().as_deref() == Some("urn:example:member") => {
//!                 Decision::Allow(Allowance { verified, reason: "member".into(), obligations: vec![] })
//!             }
//!             Ok(_) => Decision::Deny(Denial { reason: "member.none".into(), message: "members only".into() }),
//!             Err(failure) => Decision::Deny(failure.into()),
//!         })
//!     }
//! }
//!
//! bandpass_policy::export_policy!(OpenToMembers);
//! # fn main() {}
//! ```

#[cfg(target_family = "wasm")]
mod heap;

#[doc(hidden)]
pub mod bindings {
    #![allow(clippy::all, clippy::pedantic, missing_docs, reason = "generated, and not the same for every target")]
    wit_bindgen::generate!({
        path: "../../wit",
        world: "merchant-policy",
        pub_export_macro: true,
        default_bindings_module: "bandpass_policy::bindings",
    });
}

pub use bindings::bandpass::sdk::verification::{
    Approval, ClaimPath, CounterState, Demand, Evidence, Failure, Money, PathSegment, Payee, Payment, Requirements,
    StatusState, Submission, Transaction, Verified,
};
pub use bindings::bandpass::sdk::{ledger, log};
pub use bindings::exports::bandpass::sdk::policy::{
    Allowance, Capability, Decision, Denial, Description, Guest as Policy, Obligation, Query, Request, Step,
};

pub use rust_decimal::Decimal;

impl Money {
    /// The amount as a number to compare and add: exact, unlike a binary fraction.
    ///
    /// # Errors
    /// Never for money that the verifier handed out.
    pub fn decimal(&self) -> Result<Decimal, rust_decimal::Error> {
        Decimal::from_str_exact(&self.amount)
    }
}

/// Exports a [`Policy`] from the component.
#[macro_export]
macro_rules! export_policy {
    ($policy:ident) => {
        $crate::bindings::export!($policy with_types_in $crate::bindings);
    };
}

/// Nothing beyond what the band profile asks for: of payments the phone's approval, worn and unlocked.
#[must_use]
pub fn by_profile() -> Requirements {
    Requirements {
        holder: Demand::ByProfile,
        status: Demand::ByProfile,
        approval: Demand::ByProfile,
        methods: Vec::new(),
        worn: Demand::ByProfile,
        unlocked: Demand::ByProfile,
        unlocked_within: None,
        confirmed: Demand::ByProfile,
        distance_mm: None,
        claims: Vec::new(),
        age_at_least: None,
        same_holder_as: None,
    }
}

/// A refusal by the verifier denies with the verifier's own code.
impl From<Failure> for Denial {
    fn from(failure: Failure) -> Self {
        Self { reason: failure.code, message: failure.message }
    }
}
