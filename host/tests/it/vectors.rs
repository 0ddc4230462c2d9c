//! The vectors against the verifier component, and what the component is.

use bandpass::{Runtime, VERIFIER_COMPONENT, run_vector};
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

#[test]
fn the_component_imports_nothing_and_is_small() {
    assert!(VERIFIER_COMPONENT.len() < 300 * 1_024, "{} bytes", VERIFIER_COMPONENT.len());
    let engine = Engine::default();
    let component = Component::from_binary(&engine, VERIFIER_COMPONENT).expect("a component");
    let component_type = component.component_type();
    let imports = component_type.imports(&engine).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(imports, Vec::<String>::new());
    let exports = component_type.exports(&engine).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(exports, ["bandpass:sdk/verification@0.1.0", "bandpass:sdk/setup@0.1.0"]);
}
