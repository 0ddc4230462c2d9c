//! The vectors against the verifier component, and what the component is.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use bandpass::{Challenge, Demand, PathSegment, Requirements, Runtime, VERIFIER_COMPONENT, Verifier};
use bandpass_conformance::{Demand as Asked, Vector, Verdict, generate};
use serde_json::Value;
use wasmtime::Engine;
use wasmtime::component::Component;

fn demand(asked: Option<Asked>) -> Demand {
    match asked {
        None => Demand::ByProfile,
        Some(Asked::Required) => Demand::Required,
        Some(Asked::NotRequired) => Demand::NotRequired,
    }
}

fn segment(segment: &Value) -> PathSegment {
    match segment {
        Value::String(key) => PathSegment::Key(key.clone()),
        Value::Null => PathSegment::All,
        index => PathSegment::Index(index.as_u64().and_then(|index| index.try_into().ok()).expect("an index")),
    }
}

fn verify(runtime: &Runtime, vector: &Vector) -> Verdict {
    let expected = &vector.expected;
    let challenge = Challenge {
        audience: expected.audience.clone(),
        nonce: expected.nonce.clone(),
        now: expected.now,
        max_age: expected.max_age,
        clock_tolerance: expected.clock_tolerance,
        transaction_data: expected.transaction_data.clone(),
    };
    let asked = &expected.requirements;
    let requirements = Requirements {
        holder: demand(asked.holder),
        approval: demand(asked.approval),
        methods: asked.methods.clone(),
        worn: demand(asked.worn),
        unlocked: demand(asked.unlocked),
        unlocked_within: asked.unlocked_within,
        confirmed: demand(asked.confirmed),
        distance_mm: asked.distance_mm,
        claims: asked.claims.iter().map(|path| path.iter().map(segment).collect()).collect(),
        same_holder_as: asked.same_holder_as.clone(),
    };
    let trust = vector.trust.to_string().into_bytes();
    let verified = Verifier::open(runtime, trust).and_then(|mut verifier| {
        verifier.verify(vector.vp_token.as_bytes(), &challenge, &expected.query_id, &requirements)
    });
    match verified {
        Ok(accepted) => Verdict::Accepted {
            claims: accepted.claims,
            transactions: accepted.transactions.into_iter().map(|transaction| transaction.id).collect(),
        },
        Err(error) => Verdict::Refused { code: error.code().into() },
    }
}

#[test]
fn every_vector_gets_its_verdict_from_the_component() {
    let runtime = Runtime::new().expect("a runtime");
    let vectors = generate().expect("vectors").into_values().flat_map(|file| file.vectors).collect::<Vec<_>>();
    let wrong = vectors.iter().filter_map(|vector| {
        let found = verify(&runtime, vector);
        (found != vector.result).then(|| format!("{}: {found:?}, not {:?}", vector.name, vector.result))
    });
    let wrong = wrong.collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{} of {} vectors:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
}

#[test]
fn the_component_imports_nothing_and_is_small() {
    assert!(VERIFIER_COMPONENT.len() < 150 * 1_024, "{} bytes", VERIFIER_COMPONENT.len());
    let engine = Engine::default();
    let component = Component::from_binary(&engine, VERIFIER_COMPONENT).expect("a component");
    let component_type = component.component_type();
    let imports = component_type.imports(&engine).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(imports, Vec::<String>::new());
    let exports = component_type.exports(&engine).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(exports, ["bandpass:sdk/verification@0.1.0", "bandpass:sdk/setup@0.1.0"]);
}
