//! The conformance vectors, run through the verifier component.

use bandpass_conformance::{Binding as Bound, Demand as Asked, Expected, Requirements as AskedFor, Vector, Verdict};
use bandpass_core::Binding as Core;
use serde_json::Value;

use crate::bindings::sdk::exports::bandpass::sdk::setup::{
    Binding, Challenge, DcApiBinding, ProximityBinding, RedirectBinding,
};
use crate::bindings::sdk::exports::bandpass::sdk::verification::{Demand, PathSegment, Requirements};
use crate::error::Error;
use crate::runtime::Runtime;
use crate::verifier::{Accepted, Verifier};

/// What the component makes of a vector.
#[must_use]
pub fn run_vector(runtime: &Runtime, vector: &Vector) -> Verdict {
    match verify(runtime, vector) {
        Ok(accepted) => Verdict::Accepted {
            claims: accepted.claims,
            transactions: accepted.transactions.into_iter().map(|transaction| transaction.id).collect(),
        },
        Err(error) => Verdict::Refused { code: error.code().into() },
    }
}

fn verify(runtime: &Runtime, vector: &Vector) -> Result<Accepted, Error> {
    let mut verifier = Verifier::open(runtime, vector.trust.to_string().into_bytes())?;
    for token in vector.status_list_tokens() {
        verifier.update_status(token, vector.expected.now)?;
    }
    let challenge = Challenge::from(&vector.expected);
    let requirements = Requirements::from(&vector.expected.requirements);
    verifier.verify(vector.vp_token.as_bytes(), &challenge, &vector.expected.query_id, &requirements)
}

impl From<&Expected> for Challenge {
    fn from(expected: &Expected) -> Self {
        Self {
            binding: expected.binding.as_ref().map(binding),
            measured_distance_mm: expected.measured_distance_mm,
            audience: expected.audience.clone(),
            nonce: expected.nonce.clone(),
            now: expected.now,
            max_age: expected.max_age,
            clock_tolerance: expected.clock_tolerance,
            status_max_age: expected.status_max_age,
            dcql: expected.dcql.as_ref().map(ToString::to_string),
            transaction_data: expected.transaction_data.clone(),
        }
    }
}

fn binding(binding: &Bound) -> Binding {
    match binding.to_core() {
        Core::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint } => {
            Binding::Openid4vp(RedirectBinding { client_id, nonce, response_uri, jwk_thumbprint })
        }
        Core::DcApi { origin, nonce, jwk_thumbprint } => Binding::DcApi(DcApiBinding { origin, nonce, jwk_thumbprint }),
        Core::Proximity { session_transcript, reader_key } => {
            Binding::Proximity(ProximityBinding { session_transcript, reader_key })
        }
    }
}

impl From<&AskedFor> for Requirements {
    fn from(asked: &AskedFor) -> Self {
        Self {
            holder: demand(asked.holder),
            status: demand(asked.status),
            approval: demand(asked.approval),
            methods: asked.methods.clone(),
            worn: demand(asked.worn),
            unlocked: demand(asked.unlocked),
            unlocked_within: asked.unlocked_within,
            confirmed: demand(asked.confirmed),
            distance_mm: asked.distance_mm,
            claims: asked.claims.iter().map(|path| path.iter().map(segment).collect()).collect(),
            age_at_least: asked.age_at_least,
            same_holder_as: asked.same_holder_as.clone(),
        }
    }
}

/// Nothing beyond what the band profile asks for.
impl Default for Requirements {
    fn default() -> Self {
        Self::from(&AskedFor::default())
    }
}

fn demand(asked: Option<Asked>) -> Demand {
    match asked {
        None => Demand::ByProfile,
        Some(Asked::Required) => Demand::Required,
        Some(Asked::NotRequired) => Demand::NotRequired,
    }
}

/// A number that is no index selects nothing.
fn segment(segment: &Value) -> PathSegment {
    match segment {
        Value::String(key) => PathSegment::Key(key.clone()),
        Value::Null => PathSegment::All,
        index => PathSegment::Index(index.as_u64().and_then(|index| index.try_into().ok()).unwrap_or(u32::MAX)),
    }
}
