//! The vectors, as what fuzzing starts from.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bandpass_conformance::{Vector, Verdict, generate};
use bandpass_core::Verifier;

/// A vector with the verifier that trusts what it says.
pub(crate) struct Case {
    pub(crate) vector: Vector,
    pub(crate) verifier: Verifier,
}

impl Case {
    fn of(vector: Vector) -> Option<Self> {
        let verifier = vector.verifier().ok()?;
        Some(Self { vector, verifier })
    }

    pub(crate) fn is_accepted(&self) -> bool {
        matches!(self.vector.result, Verdict::Accepted { .. })
    }
}

/// Every vector of SD-JWTs whose trust and status lists are such, those that are accepted first.
pub(crate) static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut cases = sd_jwts().filter_map(Case::of).collect::<Vec<_>>();
    cases.sort_by_key(|case| !case.is_accepted());
    cases
});

/// Every vector of mdocs that is accepted.
pub(crate) static MDOCS: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let cases = of_mdocs(true).filter_map(Case::of);
    cases.filter(Case::is_accepted).collect()
});

/// Every vector of SD-JWTs.
pub(crate) fn sd_jwts() -> impl Iterator<Item = Vector> {
    of_mdocs(false)
}

fn of_mdocs(are: bool) -> impl Iterator<Item = Vector> {
    let files = generate().expect("vectors are made").into_iter().filter(move |(name, _)| (*name == "mdoc") == are);
    files.flat_map(|(_, file)| file.vectors)
}

/// The case of a vector.
pub(crate) fn named(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.vector.name == name).expect("a vector")
}

/// The case with this number, counted round.
pub(crate) fn case(number: u16) -> &'static Case {
    &CASES[usize::from(number) % CASES.len()]
}

/// A number that [`case`] takes, for each case.
pub(crate) fn numbers() -> impl Iterator<Item = u16> {
    (0..CASES.len()).map(|number| u16::try_from(number).expect("fewer than 2^16 vectors"))
}

/// Every presentation of a submission.
pub(crate) fn presentations_in(vp_token: &str) -> Vec<String> {
    match serde_json::from_str::<BTreeMap<String, Vec<String>>>(vp_token) {
        Ok(by_query) => by_query.into_values().flatten().collect(),
        Err(_) => vec![vp_token.into()],
    }
}
