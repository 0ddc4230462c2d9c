//! What comes out: allow, deny or step-up.

use crate::bindings::policy::exports::bandpass::sdk::policy::Obligation;
use crate::bindings::sdk::exports::bandpass::sdk::verification::{Requirements, StatusState};
use crate::error::Error;

/// Proof that the verifier accepted the very submission that was decided on. Only the host makes one, from a handle that
/// only the verifier makes.
#[derive(Clone, Debug)]
pub struct Proven {
    issuer: String,
    key_thumbprint: Option<String>,
    status: StatusState,
}

impl Proven {
    /// The caller has asked the verifier whether the handle belongs to the submission.
    pub(crate) fn after_belongs(issuer: String, key_thumbprint: Option<String>, status: StatusState) -> Self {
        Self { issuer, key_thumbprint, status }
    }

    /// `iss` of the credential.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// RFC 7638 thumbprint of the holder's key.
    #[must_use]
    pub fn key_thumbprint(&self) -> Option<&str> {
        self.key_thumbprint.as_deref()
    }

    /// Whether the credential's status was looked up.
    #[must_use]
    pub fn status(&self) -> StatusState {
        self.status
    }
}

/// A merchant's decision on a submission.
#[derive(Debug)]
pub enum Decision {
    /// Yes.
    Allow {
        /// What the allow rests on.
        proven: Proven,
        /// Stable code, the policy's own.
        reason: String,
        /// What the merchant must do.
        obligations: Vec<Obligation>,
    },
    /// No.
    Deny {
        /// Stable code: the policy's, the verifier's or the host's.
        reason: String,
        /// One sentence for people.
        message: String,
    },
    /// Not yet.
    StepUp {
        /// Stable code, the policy's own.
        reason: String,
        /// One sentence for people.
        message: String,
        /// What would do.
        requirements: Box<Requirements>,
    },
}

impl Decision {
    /// Denies, for whatever went wrong.
    pub(crate) fn deny(error: &Error) -> Self {
        Self::Deny { reason: error.code().into(), message: error.message().into() }
    }

    /// `allow`, `deny` or `step-up`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Deny { .. } => "deny",
            Self::StepUp { .. } => "step-up",
        }
    }

    /// Stable code of the reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Allow { reason, .. } | Self::Deny { reason, .. } | Self::StepUp { reason, .. } => reason,
        }
    }
}

/// A decision, and whether it used the challenge up.
#[derive(Debug)]
pub struct Outcome {
    /// The decision.
    pub decision: Decision,
    /// Whether the submission was verified, which uses its challenge up whatever was decided.
    pub verified: bool,
}

impl Outcome {
    /// Denied before anything was verified.
    #[must_use]
    pub fn denied(error: &Error) -> Self {
        Self { decision: Decision::deny(error), verified: false }
    }
}
