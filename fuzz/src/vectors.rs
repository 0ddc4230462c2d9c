//! The vectors, as what fuzzing starts from.

use std::sync::LazyLock;

use bandpass_conformance::{Demand, Expected, Vector, Verdict, generate};
use bandpass_core::{Challenge, ClaimPath, Demand as CoreDemand, Error, PathSegment, Requirements, Trust, Verifier};
use serde_json::Value;

/// A vector with the verifier that trusts what it says.
pub(crate) struct Case {
    pub(crate) vector: Vector,
    pub(crate) verifier: Verifier,
}

impl Case {
    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self.vector.result, Verdict::Accepted { .. })
    }
}

/// Every vector whose trust list is one, those that are accepted first.
pub(crate) static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let vectors = generate().expect("vectors are made").into_values().flat_map(|file| file.vectors);
    let cases = vectors.filter_map(|vector| {
        let verifier = Verifier::new(Trust::from_json(vector.trust.to_string().as_bytes()).ok()?);
        Some(Case { vector, verifier })
    });
    let mut cases = cases.collect::<Vec<_>>();
    cases.sort_by_key(|case| !case.is_accepted());
    cases
});

/// The case with this number, counted round.
pub(crate) fn case(number: u16) -> &'static Case {
    &CASES[usize::from(number) % CASES.len()]
}

/// A number that [`case`] takes, for each case.
pub(crate) fn numbers() -> impl Iterator<Item = u16> {
    (0..CASES.len()).map(|number| u16::try_from(number).expect("fewer than 2^16 vectors"))
}

pub(crate) fn challenge(expected: &Expected) -> Result<Challenge, Error> {
    Challenge::new(expected.audience.clone(), expected.nonce.clone(), expected.now)?
        .max_age(expected.max_age)
        .clock_tolerance(expected.clock_tolerance)
        .transaction_data(&expected.transaction_data)
}

pub(crate) fn requirements(expected: &Expected) -> Requirements {
    let asked = &expected.requirements;
    Requirements {
        holder: demand(asked.holder),
        approval: demand(asked.approval),
        methods: asked.methods.clone(),
        worn: demand(asked.worn),
        unlocked: demand(asked.unlocked),
        unlocked_within: asked.unlocked_within,
        confirmed: demand(asked.confirmed),
        distance_mm: asked.distance_mm,
        claims: asked.claims.iter().map(|steps| path(steps)).collect(),
        same_holder_as: asked.same_holder_as.clone(),
    }
}

fn demand(demand: Option<Demand>) -> CoreDemand {
    match demand {
        None => CoreDemand::ByProfile,
        Some(Demand::Required) => CoreDemand::Required,
        Some(Demand::NotRequired) => CoreDemand::NotRequired,
    }
}

fn path(steps: &[Value]) -> ClaimPath {
    let segment = |step: &Value| match step {
        Value::String(key) => PathSegment::Key(key.clone()),
        Value::Null => PathSegment::All,
        index => PathSegment::Index(index.as_u64().and_then(|index| index.try_into().ok()).expect("an index")),
    };
    ClaimPath::new(steps.iter().map(segment).collect())
}
