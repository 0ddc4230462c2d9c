//! The vectors against the verifier component, and what the component is.

use bandpass::{Challenge, Requirements, Runtime, VERIFIER_COMPONENT, Verifier, run_vector};
use bandpass_conformance::generate;
use wasmtime::Engine;
use wasmtime::component::Component;

#[test]
fn every_vector_gets_its_verdict_from_the_component() {
    let runtime = Runtime::new().expect("a runtime");
    let vectors = generate().expect("vectors").into_values().flat_map(|file| file.vectors).collect::<Vec<_>>();
    let wrong = vectors.iter().filter_map(|vector| {
        let found = run_vector(&runtime, vector);
        (found != vector.result).then(|| format!("{}: {found:?}, not {:?}", vector.name, vector.result))
    });
    let wrong = wrong.collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{} of {} vectors:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
}

/// A credential that came before is judged by the trust, the lists and the time of now.
#[test]
fn what_is_remembered_changes_no_verdict() {
    let vector = bandpass_conformance::vector("accept/payment").expect("a vector");
    let mut verifier =
        Verifier::open(&Runtime::new().expect("a runtime"), vector.trust.to_string().into_bytes()).expect("a verifier");
    let (challenge, requirements) = (Challenge::from(&vector.expected), Requirements::default());
    let lists = vector.status_list_tokens();
    let verdict = |verifier: &mut Verifier, now: u64| {
        let verified = verifier.verify(
            vector.vp_token.as_bytes(),
            &Challenge { now, ..challenge.clone() },
            &vector.expected.query_id,
            &requirements,
        );
        verified.map_or_else(|error| error.code().to_owned(), |accepted| accepted.issuer)
    };
    let (now, years) = (vector.expected.now, 100 * 31_536_000);
    assert_eq!(verdict(&mut verifier, now), "status.missing");
    verifier.update_status(lists[0].clone(), now).expect("a status list");
    for _ in 0..2 {
        assert_eq!(verdict(&mut verifier, now), "https://wallet.example");
    }
    assert_eq!(verdict(&mut verifier, now + years), "credential.expired");
    verifier.remember(0).expect("a verifier");
    assert_eq!(verdict(&mut verifier, now), "https://wallet.example");
    assert_eq!(verdict(&mut verifier, now + years), "credential.expired");
}

#[test]
fn the_component_imports_nothing_and_is_small() {
    assert!(VERIFIER_COMPONENT.len() < 310 * 1_024, "{} bytes", VERIFIER_COMPONENT.len());
    let engine = Engine::default();
    let component = Component::from_binary(&engine, VERIFIER_COMPONENT).expect("a component");
    let component_type = component.component_type();
    let imports = component_type.imports(&engine).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(imports, Vec::<String>::new());
    let exports = component_type.exports(&engine).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(exports, ["bandpass:sdk/verification@0.1.0", "bandpass:sdk/setup@0.1.0"]);
}
