//! Between the verifier's types and the policy's: `bindgen!` makes both, one for each side of the host.

use crate::bindings::policy::bandpass::sdk::verification as policy;
use crate::bindings::sdk::exports::bandpass::sdk::verification as sdk;

/// What the verifier said, for the policy.
pub(crate) fn to_policy<T, U: From<T>>(found: T) -> U {
    found.into()
}

/// What the policy asks for, for the verifier.
pub(crate) fn to_sdk(requirements: policy::Requirements) -> sdk::Requirements {
    sdk::Requirements {
        holder: demand(requirements.holder),
        status: demand(requirements.status),
        approval: demand(requirements.approval),
        methods: requirements.methods,
        worn: demand(requirements.worn),
        unlocked: demand(requirements.unlocked),
        unlocked_within: requirements.unlocked_within,
        confirmed: demand(requirements.confirmed),
        distance_mm: requirements.distance_mm,
        claims: requirements.claims.into_iter().map(to_sdk_path).collect(),
        age_at_least: requirements.age_at_least,
        same_holder_as: requirements.same_holder_as,
    }
}

fn demand(demand: policy::Demand) -> sdk::Demand {
    match demand {
        policy::Demand::ByProfile => sdk::Demand::ByProfile,
        policy::Demand::Required => sdk::Demand::Required,
        policy::Demand::NotRequired => sdk::Demand::NotRequired,
    }
}

pub(crate) fn to_sdk_path(path: policy::ClaimPath) -> sdk::ClaimPath {
    let segment = |segment| match segment {
        policy::PathSegment::Key(key) => sdk::PathSegment::Key(key),
        policy::PathSegment::Index(index) => sdk::PathSegment::Index(index),
        policy::PathSegment::All => sdk::PathSegment::All,
    };
    path.into_iter().map(segment).collect()
}

impl From<sdk::Failure> for policy::Failure {
    fn from(sdk::Failure { code, message, claim, expected, actual }: sdk::Failure) -> Self {
        Self { code, message, claim, expected, actual }
    }
}

impl From<sdk::Transaction> for policy::Transaction {
    fn from(sdk::Transaction { type_id, id, payment, payload }: sdk::Transaction) -> Self {
        Self { type_id, id, payment: payment.map(Into::into), payload }
    }
}

impl From<sdk::Payment> for policy::Payment {
    fn from(sdk::Payment { sum, payee }: sdk::Payment) -> Self {
        Self {
            sum: policy::Money { amount: sum.amount, currency: sum.currency },
            payee: policy::Payee { name: payee.name, id: payee.id },
        }
    }
}

impl From<sdk::Evidence> for policy::Evidence {
    fn from(evidence: sdk::Evidence) -> Self {
        Self {
            signed_at: evidence.signed_at,
            worn_since: evidence.worn_since,
            unlocked_at: evidence.unlocked_at,
            confirmed: evidence.confirmed,
            distance_mm: evidence.distance_mm,
            counter: evidence.counter,
            counter_state: match evidence.counter_state {
                sdk::CounterState::Unchecked => policy::CounterState::Unchecked,
                sdk::CounterState::Advanced => policy::CounterState::Advanced,
            },
            approval: evidence
                .approval
                .map(|sdk::Approval { signed_at, methods }| policy::Approval { signed_at, methods }),
            pairing_epoch: evidence.pairing_epoch,
        }
    }
}

impl From<sdk::StatusState> for policy::StatusState {
    fn from(status: sdk::StatusState) -> Self {
        match status {
            sdk::StatusState::NotReferenced => Self::NotReferenced,
            sdk::StatusState::NotChecked => Self::NotChecked,
            sdk::StatusState::Valid => Self::Valid,
        }
    }
}
