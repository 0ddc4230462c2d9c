//! Trust lists against their JSON Schema.

use std::path::Path;

use bandpass_conformance::{Verdict, generate};

/// What a schema can't say: how members hang together by their values, and what is in base64.
const BEYOND: &[&str] = &[
    "issuer-twice",
    "issuer-by-key-and-by-certificate",
    "iss-of-another-host",
    "iss-of-another-uri",
    "root-cut-mdoc",
    "root-not-a-certificate",
    "root-not-p-256",
    "root-not-for-certificates",
];

#[test]
fn the_schema_says_what_the_verifier_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/trust-list.schema.json");
    let schema = serde_json::from_slice(&std::fs::read(path).expect("a schema")).expect("JSON");
    assert!(jsonschema::meta::is_valid(&schema));
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let mut beyond = Vec::new();
    for vector in generate().expect("vectors").into_values().flat_map(|file| file.vectors) {
        let refused = matches!(&vector.result, Verdict::Refused { code } if code == "trust.malformed");
        let errors = schema.iter_errors(&vector.trust).map(|error| error.to_string()).collect::<Vec<_>>();
        match vector.name.strip_prefix("trust.malformed/") {
            Some(what) if refused && errors.is_empty() => beyond.push(what.to_owned()),
            _ => assert_eq!(!errors.is_empty(), refused, "{}: {errors:?}", vector.name),
        }
    }
    beyond.sort_unstable();
    let mut expected = BEYOND.to_vec();
    expected.sort_unstable();
    assert_eq!(beyond, expected);
}
