//! The gate's own types, and those of the interfaces behind it.

use alloc::vec::Vec;

use crate::bindings::bandpass::sdk::{policy, setup, verification};
use crate::bindings::exports::bandpass::sdk::gate::{
    Binding, Challenge, DcApiBinding, Demand, Failure, Obligation, PathSegment, ProximityBinding, RedirectBinding,
    Requirements, StatusState,
};

pub(crate) fn failure(failure: verification::Failure) -> Failure {
    let verification::Failure { code, message, claim, expected, actual } = failure;
    Failure { code, message, claim, expected, actual }
}

pub(crate) fn challenge(challenge: Challenge) -> setup::Challenge {
    setup::Challenge {
        binding: challenge.binding.map(binding),
        measured_distance_mm: challenge.measured_distance_mm,
        audience: challenge.audience,
        nonce: challenge.nonce,
        now: challenge.now,
        max_age: challenge.max_age,
        clock_tolerance: challenge.clock_tolerance,
        status_max_age: challenge.status_max_age,
        dcql: challenge.dcql,
        transaction_data: challenge.transaction_data,
    }
}

fn binding(binding: Binding) -> setup::Binding {
    match binding {
        Binding::Openid4vp(RedirectBinding { client_id, nonce, response_uri, jwk_thumbprint }) => {
            setup::Binding::Openid4vp(setup::RedirectBinding { client_id, nonce, response_uri, jwk_thumbprint })
        }
        Binding::DcApi(DcApiBinding { origin, nonce, jwk_thumbprint }) => {
            setup::Binding::DcApi(setup::DcApiBinding { origin, nonce, jwk_thumbprint })
        }
        Binding::Proximity(ProximityBinding { session_transcript, reader_key }) => {
            setup::Binding::Proximity(setup::ProximityBinding { session_transcript, reader_key })
        }
    }
}

pub(crate) fn obligation(obligation: policy::Obligation) -> Obligation {
    let policy::Obligation { name, parameters } = obligation;
    Obligation { name, parameters }
}

pub(crate) fn status(status: verification::StatusState) -> StatusState {
    match status {
        verification::StatusState::NotReferenced => StatusState::NotReferenced,
        verification::StatusState::NotChecked => StatusState::NotChecked,
        verification::StatusState::Valid => StatusState::Valid,
    }
}

pub(crate) fn requirements(asked: verification::Requirements) -> Requirements {
    let path = |path: Vec<verification::PathSegment>| path.into_iter().map(segment).collect();
    Requirements {
        holder: demand(asked.holder),
        status: demand(asked.status),
        approval: demand(asked.approval),
        methods: asked.methods,
        worn: demand(asked.worn),
        unlocked: demand(asked.unlocked),
        unlocked_within: asked.unlocked_within,
        confirmed: demand(asked.confirmed),
        distance_mm: asked.distance_mm,
        claims: asked.claims.into_iter().map(path).collect(),
        age_at_least: asked.age_at_least,
        same_holder_as: asked.same_holder_as,
    }
}

fn demand(demand: verification::Demand) -> Demand {
    match demand {
        verification::Demand::ByProfile => Demand::ByProfile,
        verification::Demand::Required => Demand::Required,
        verification::Demand::NotRequired => Demand::NotRequired,
    }
}

fn segment(segment: verification::PathSegment) -> PathSegment {
    match segment {
        verification::PathSegment::Key(name) => PathSegment::Key(name),
        verification::PathSegment::Index(place) => PathSegment::Index(place),
        verification::PathSegment::All => PathSegment::All,
    }
}
