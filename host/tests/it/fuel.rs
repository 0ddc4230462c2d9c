//! What hot paths take in the sandbox, in wasmtime's fuel, which no machine changes: against what is written down in
//! `conformance/instructions.json` (`UPDATE_COUNTS=1` writes it anew).

use bandpass_conformance::Vector;
use bandpass_conformance::counts::{HOT, compare};
use bandpass_conformance::scale::Scale;
use wasmtime::component::{Component, Instance, Linker, Val};
use wasmtime::{Config, Engine, Store};

use crate::shop::built;

const SETUP: &str = "bandpass:sdk/setup@0.1.0";
const VERIFICATION: &str = "bandpass:sdk/verification@0.1.0";

/// The verifier on an engine that counts.
struct Counted {
    store: Store<()>,
    verifier: Instance,
}

fn bytes(bytes: &[u8]) -> Val {
    Val::List(bytes.iter().copied().map(Val::U8).collect())
}

fn record<const N: usize>(members: [(&str, Val); N]) -> Val {
    Val::Record(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn some(value: Option<Val>) -> Val {
    Val::Option(value.map(Box::new))
}

fn texts(texts: &[String]) -> Val {
    Val::List(texts.iter().cloned().map(Val::String).collect())
}

/// What is in a `result`.
fn ok(result: Val) -> Val {
    match result {
        Val::Result(Ok(Some(value))) => *value,
        other => panic!("{other:?}"),
    }
}

impl Counted {
    fn new() -> Self {
        let mut config = Config::new();
        config.wasm_component_model(true).concurrency_support(false).consume_fuel(true);
        let engine = Engine::new(&config).expect("an engine");
        let component = Component::new(&engine, built("dist/verifier.wasm")).expect("the verifier");
        let mut store = Store::new(&engine, ());
        store.set_fuel(u64::MAX).expect("fuel");
        let verifier = Linker::new(&engine).instantiate(&mut store, &component).expect("an instance");
        Self { store, verifier }
    }

    fn call(&mut self, interface: &str, function: &str, arguments: &[Val], results: usize) -> Val {
        let interface = self.verifier.get_export_index(&mut self.store, None, interface).expect("an interface");
        let function = self.verifier.get_export_index(&mut self.store, Some(&interface), function).expect("a function");
        let function = self.verifier.get_func(&mut self.store, function).expect("a function");
        let mut found = vec![Val::Bool(false); results];
        function.call(&mut self.store, arguments, &mut found).expect("called");
        found.pop().unwrap_or(Val::Bool(false))
    }

    /// Fuel for taking a vector's token in and verifying it, lists being there, by a verifier that did so several times
    /// before.
    fn verify(&mut self, vector: &Vector, times_before: usize) -> u64 {
        let now = vector.expected.now;
        let trust = bytes(vector.trust.to_string().as_bytes());
        let verifier = ok(self.call(SETUP, "[static]verifier.open", &[trust], 1));
        for list in vector.status_list_tokens() {
            ok(self.call(SETUP, "[method]verifier.update-status", &[verifier.clone(), bytes(&list), Val::U64(now)], 1));
        }
        let arguments = [verifier, bytes(vector.vp_token.as_bytes()), challenge(vector)];
        let query = Val::String(vector.expected.query_id.clone());
        let mut verify = || {
            let before = self.store.get_fuel().expect("fuel");
            let submission = self.call(SETUP, "[method]verifier.submit", &arguments, 1);
            let arguments = [submission, query.clone(), requirements()];
            ok(self.call(VERIFICATION, "[method]submission.verify", &arguments, 1));
            before - self.store.get_fuel().expect("fuel")
        };
        for _ in 0..times_before {
            verify();
        }
        verify()
    }
}

fn challenge(vector: &Vector) -> Val {
    let expected = &vector.expected;
    let binding = expected.binding.as_ref().map(|binding| {
        let bandpass_conformance::Binding::OpenId4Vp { client_id, nonce, response_uri, .. } = binding else {
            panic!("another binding")
        };
        let text = |text: &String| Val::String(text.clone());
        let redirect = record([
            ("client-id", text(client_id)),
            ("nonce", text(nonce)),
            ("response-uri", text(response_uri)),
            ("jwk-thumbprint", some(None)),
        ]);
        Val::Variant("openid4vp".into(), Some(Box::new(redirect)))
    });
    let dcql = expected.dcql.as_ref().map(|dcql| Val::String(dcql.to_string()));
    record([
        ("binding", some(binding)),
        ("measured-distance-mm", some(None)),
        ("audience", texts(&expected.audience)),
        ("nonce", Val::String(expected.nonce.clone())),
        ("now", Val::U64(expected.now)),
        ("max-age", Val::U32(expected.max_age)),
        ("clock-tolerance", Val::U32(expected.clock_tolerance)),
        ("status-max-age", Val::U32(expected.status_max_age)),
        ("dcql", some(dcql)),
        ("transaction-data", texts(&expected.transaction_data)),
    ])
}

fn requirements() -> Val {
    let by_profile = || Val::Enum("by-profile".into());
    record([
        ("holder", by_profile()),
        ("status", by_profile()),
        ("approval", by_profile()),
        ("methods", texts(&[])),
        ("worn", by_profile()),
        ("unlocked", by_profile()),
        ("unlocked-within", some(None)),
        ("confirmed", by_profile()),
        ("distance-mm", some(None)),
        ("claims", Val::List(Vec::new())),
        ("age-at-least", some(None)),
        ("same-holder-as", some(None)),
    ])
}

/// What a verification does not depend on it does not pay for: a thousand issuers and a long status list cost as much as one
/// and a short one.
fn sizes() -> Vec<(String, Scale)> {
    let of = |name: &str, sizes: [usize; 3], scale: fn(usize) -> Scale| {
        sizes.map(|size| (format!("{name} {size}"), scale(size)))
    };
    let disclosures = of("disclosures", [1, 10, 100], |disclosures| Scale { disclosures, ..Scale::default() });
    let issuers = of("issuers", [1, 30, 1_000], |issuers| Scale { issuers, ..Scale::default() });
    let entries = of("status entries", [1 << 10, 1 << 13, 1 << 16], |entries| Scale { entries, ..Scale::default() });
    [disclosures, issuers, entries].concat()
}

#[test]
fn a_verification_takes_as_much_as_is_written_down() {
    let mut counted = Counted::new();
    let payment = bandpass_conformance::vector("accept/payment").expect("a vector");
    let returning = [("accept/payment once more", 1), ("accept/payment for the fourth time", 3)];
    let returning = returning.map(|(name, before)| (name, counted.verify(&payment, before)));
    let mut count = |vector: &Vector| counted.verify(vector, 0);
    let hot = HOT.map(|name| (name, count(&bandpass_conformance::vector(name).expect("a vector"))));
    let sizes = sizes();
    let by_size = sizes.iter().map(|(name, scale)| (name.as_str(), count(&scale.vector().expect("a vector"))));
    compare("fuel", &hot.into_iter().chain(returning).chain(by_size).collect::<Vec<_>>());
}
