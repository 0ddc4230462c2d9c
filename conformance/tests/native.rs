//! The vectors against the native verifier.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use bandpass_conformance::{Demand, File, Vector, Verdict, generate};
use bandpass_core::{
    Challenge, ClaimPath, Code, Demand as CoreDemand, Error, PathSegment, Requirements, Trust, Verified, Verifier,
};
use serde_json::Value;

fn files() -> Vec<(&'static str, File)> {
    generate().expect("vectors are made").into_iter().collect()
}

fn demand(demand: Option<Demand>) -> CoreDemand {
    match demand {
        None => CoreDemand::ByProfile,
        Some(Demand::Required) => CoreDemand::Required,
        Some(Demand::NotRequired) => CoreDemand::NotRequired,
    }
}

fn path(path: &[Value]) -> ClaimPath {
    let segment = |segment: &Value| match segment {
        Value::String(key) => PathSegment::Key(key.clone()),
        Value::Null => PathSegment::All,
        index => PathSegment::Index(index.as_u64().and_then(|index| index.try_into().ok()).expect("an index")),
    };
    ClaimPath::new(path.iter().map(segment).collect())
}

fn verify(vector: &Vector) -> Result<Verified, Error> {
    let expected = &vector.expected;
    let mut verifier = Verifier::new(Trust::from_json(vector.trust.to_string().as_bytes())?);
    for token in vector.status_list_tokens().expect("status lists") {
        verifier.update_status(&token, expected.now)?;
    }
    let challenge = Challenge::new(expected.audience.clone(), expected.nonce.clone(), expected.now)?
        .max_age(expected.max_age)
        .clock_tolerance(expected.clock_tolerance)
        .max_status_age(expected.status_max_age)
        .transaction_data(&expected.transaction_data)?;
    let asked = &expected.requirements;
    let requirements = Requirements {
        holder: demand(asked.holder),
        status: demand(asked.status),
        approval: demand(asked.approval),
        methods: asked.methods.clone(),
        worn: demand(asked.worn),
        unlocked: demand(asked.unlocked),
        unlocked_within: asked.unlocked_within,
        confirmed: demand(asked.confirmed),
        distance_mm: asked.distance_mm,
        claims: asked.claims.iter().map(|steps| path(steps)).collect(),
        same_holder_as: asked.same_holder_as.clone(),
    };
    verifier.submit(vector.vp_token.as_bytes(), challenge).verify(&expected.query_id, &requirements)
}

#[test]
fn every_vector_gets_its_verdict() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (_, file) in files() {
        for vector in file.vectors {
            count += 1;
            let verdict = verify(&vector);
            let found = match &verdict {
                Ok(verified) => Verdict::Accepted {
                    claims: verified.claims().clone(),
                    transactions: verified.transactions().iter().map(|one| one.id().map(Into::into)).collect(),
                },
                Err(error) => Verdict::Refused { code: error.code().as_str().into() },
            };
            if found != vector.result {
                let details = verdict.err().map(|error| error.to_string());
                wrong.push(format!("{}: {found:?} {details:?}, not {:?}", vector.name, vector.result));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} vectors:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} vectors");
}

#[test]
fn the_files_are_what_is_made() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let found = std::fs::read_dir(&folder).expect("vectors").map(|entry| entry.expect("an entry").path());
    let found = found.collect::<BTreeSet<_>>();
    let made = files().into_iter().map(|(name, file)| {
        let path = folder.join(name).with_extension("json");
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        let made = serde_json::to_string_pretty(&file).expect("JSON") + "\n";
        assert!(stored == made, "{}: run `cargo run --release -p bandpass-conformance`", path.display());
        path
    });
    assert_eq!(made.collect::<BTreeSet<_>>(), found);
}

#[test]
fn every_code_has_a_vector_that_is_named_after_it() {
    let named = files().into_iter().flat_map(|(_, file)| file.vectors).map(|vector| {
        let (code, _) = vector.name.split_once('/').expect("a name");
        if let Verdict::Refused { code: refused } = &vector.result {
            assert_eq!(refused, code);
        }
        code.to_owned()
    });
    let named = named.collect::<BTreeSet<_>>();
    let missing = Code::ALL.iter().map(|code| code.as_str()).filter(|code| !named.contains(*code)).collect::<Vec<_>>();
    assert!(missing.is_empty(), "no vector for {missing:?}");
}

/// Nothing that is cut or changed anywhere gets through, and nothing panics.
#[test]
fn a_token_that_was_tampered_with_is_refused() {
    let vector = bandpass_conformance::vector("accept/payment").expect("a vector");
    let mut tried = 0;
    for length in 0..vector.vp_token.len() {
        let cut = Vector { vp_token: vector.vp_token.chars().take(length).collect(), ..vector.clone() };
        assert!(verify(&cut).is_err(), "cut to {length} bytes");
        tried += 1;
    }
    for place in 0..vector.vp_token.len() {
        for other in ["A", "_", ".", "~", "=", "\u{0}", "é"] {
            let (before, after) = vector.vp_token.split_at(place);
            let mut after = after.chars();
            if after.next().is_some_and(|replaced| other.starts_with(replaced)) {
                continue;
            }
            let changed = Vector { vp_token: format!("{before}{other}{}", after.as_str()), ..vector.clone() };
            assert!(verify(&changed).is_err(), "`{other}` at {place}");
            tried += 1;
        }
    }
    println!("{tried} tokens");
}
