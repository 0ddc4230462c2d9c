//! Policies that the host must hold, and the proof that every allow needs.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use bandpass::{Challenge, Decision, Outcome, Plugin, Request, Runtime, Verifier};
use bandpass_conformance::Vector;

struct Host {
    runtime: Runtime,
    verifier: Verifier,
    vector: Vector,
}

fn built(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("BANDPASS_TARGET")).join(path)).expect("run `cargo xtask build` first")
}

impl Host {
    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let vector = bandpass_conformance::vector("accept/payment").expect("a vector");
        let mut verifier = Verifier::open(&runtime, vector.trust.to_string().into_bytes()).expect("a verifier");
        for token in vector.status_list_tokens() {
            verifier.update_status(token, vector.expected.now).expect("a status list");
        }
        Self { runtime, verifier, vector }
    }

    fn hostile(&self) -> Plugin {
        Plugin::load(&self.runtime, &built("hostile.wasm")).expect("a plugin")
    }

    fn challenge(&self) -> Challenge {
        Challenge::from(&self.vector.expected)
    }

    fn request(&self) -> Request {
        Request { now: self.vector.expected.now, merchant: "m".into(), context: "{}".into() }
    }

    fn decide(&mut self, plugin: &Plugin, settings: &str) -> Outcome {
        let (challenge, request) = (self.challenge(), self.request());
        plugin.decide(&mut self.verifier, settings, self.vector.vp_token.as_bytes(), &challenge, &request)
    }
}

fn denied(outcome: &Outcome) -> &str {
    match &outcome.decision {
        Decision::Deny { reason, .. } => reason,
        other => panic!("not denied: {other:?}"),
    }
}

#[test]
fn every_hostile_deed_is_denied_with_its_code_and_harms_nobody() {
    let mut host = Host::new();
    let plugin = host.hostile();
    for (deed, code) in [
        ("refuse-settings", "plugin.settings"),
        ("loop-in-configure", "plugin.timeout"),
        ("loop", "plugin.timeout"),
        ("recurse", "plugin.trap"),
        ("trap", "plugin.trap"),
        ("grow-memory", "plugin.memory"),
        ("error", "plugin.error"),
        ("long-reason", "plugin.result"),
        ("huge-result", "plugin.result"),
        ("many-obligations", "plugin.result"),
        ("malformed-obligation", "plugin.result"),
        ("verify-without-end", "plugin.result"),
        ("flood-log", "done"),
        ("no-such-deed", "plugin.error"),
    ] {
        let outcome = host.decide(&plugin, deed);
        assert_eq!(denied(&outcome), code, "{deed}: {:?}", outcome.decision);
        let good = host.decide(&plugin, "allow");
        assert!(matches!(good.decision, Decision::Allow { .. }), "after {deed}: {:?}", good.decision);
    }
}

#[test]
fn a_message_by_a_plugin_has_nothing_in_it_that_a_terminal_would_act_on() {
    let mut host = Host::new();
    let plugin = host.hostile();
    let Decision::Deny { message, .. } = host.decide(&plugin, "refuse-settings").decision else { panic!("denied") };
    assert!(message.contains("no") && !message.contains('\u{1b}'), "{message:?}");
}

/// In one instance, where a policy can keep what it saw: the proof of an earlier customer is worth nothing.
#[test]
fn a_kept_handle_is_refused() {
    let mut host = Host::new();
    let plugin = host.hostile();
    let (challenge, request) = (host.challenge(), host.request());
    for deed in ["keep-handle", "read-kept-handle"] {
        let mut session = plugin.session(deed).expect("a session");
        let token = host.vector.vp_token.clone();
        let first = session.evaluate(&mut host.verifier, token.as_bytes(), &challenge, &request);
        assert_eq!(denied(&first), "done");
        assert!(first.verified);
        // Even the very same submission again is another one; so is one that would be refused.
        let again = session.evaluate(&mut host.verifier, token.as_bytes(), &challenge, &request);
        assert_eq!(denied(&again), "plugin.foreign-handle", "{deed}");
        assert!(!again.verified);
        let good = host.decide(&plugin, "allow");
        assert!(matches!(good.decision, Decision::Allow { .. }));
    }
}

#[test]
fn a_fresh_instance_remembers_nobody() {
    let mut host = Host::new();
    let plugin = host.hostile();
    for _ in 0..3 {
        assert_eq!(denied(&host.decide(&plugin, "keep-handle")), "done");
    }
}

/// Handles are given back after every evaluation, whatever the policy did: else this would run out of memory.
#[test]
fn a_thousand_evaluations_leave_nothing_behind() {
    let mut host = Host::new();
    let plugin = host.hostile();
    for round in 0..1_000 {
        let deed = ["allow", "keep-handle", "trap", "verify-without-end"][round % 4];
        let outcome = host.decide(&plugin, deed);
        assert_eq!(matches!(outcome.decision, Decision::Allow { .. }), deed == "allow", "{deed}");
    }
}

/// One instance that is kept, as an embedder may.
#[test]
fn a_kept_session_goes_on_and_on() {
    let mut host = Host::new();
    let mut session = host.hostile().session("allow").expect("a session");
    let (challenge, request) = (host.challenge(), host.request());
    for _ in 0..1_100 {
        let outcome = session.evaluate(&mut host.verifier, host.vector.vp_token.as_bytes(), &challenge, &request);
        assert!(matches!(outcome.decision, Decision::Allow { .. }), "{:?}", outcome.decision);
    }
    let refused = session.evaluate(&mut host.verifier, b"x", &challenge, &request);
    assert_eq!(denied(&refused), "plugin.error");
    assert!(!refused.verified, "nothing was verified, so nothing is used up");
}

#[test]
fn what_is_no_policy_is_refused() {
    let host = Host::new();
    let load = |wasm: &[u8]| Plugin::load(&host.runtime, wasm).err().expect("refused");
    let text = |text: &str| wat::parse_str(text).expect("a component");
    for malformed in [b"".to_vec(), b"not wasm".to_vec(), text("(module)"), text("(component)")] {
        assert_eq!(load(&malformed).code(), "plugin.malformed");
    }
    for (import, shown) in [
        ("wasi:cli/environment@0.2.0", "`wasi:cli/environment@0.2.0`"),
        ("bandpass:sdk/setup@0.1.0", "`bandpass:sdk/setup@0.1.0`"),
        ("bandpass:sdk/ledger@0.1.0", "`bandpass:sdk/ledger@0.1.0`"),
        ("bandpass:sdk/verification@0.2.0", "`bandpass:sdk/verification@0.2.0`"),
    ] {
        let refused = load(&text(&format!("(component (import \"{import}\" (instance)))")));
        assert_eq!(refused.code(), "plugin.import");
        assert!(refused.message().contains(shown), "{refused}");
    }
}

#[test]
fn the_sample_policy_imports_the_verifier_alone() {
    let engine = wasmtime::Engine::default();
    let wasm = built("dist/plugins/retail-checkout.wasm");
    let component = wasmtime::component::Component::from_binary(&engine, &wasm).expect("a component");
    let component_type = component.component_type();
    let imports = component_type.imports(&engine).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(imports, ["bandpass:sdk/verification@0.1.0"]);
}

#[test]
fn settings_of_the_sample_policy_are_checked() {
    let host = Host::new();
    let plugin = Plugin::load(&host.runtime, &built("dist/plugins/retail-checkout.wasm")).expect("a plugin");
    assert!(plugin.session(r#"{"currency":"CNY","passwordless_limit":"200.00"}"#).is_ok());
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"currency":"CNY"}"#,
        r#"{"currency":"yuan","passwordless_limit":"200.00"}"#,
        r#"{"currency":"CNY","passwordless_limit":200}"#,
        r#"{"currency":"CNY","passwordless_limit":"-1"}"#,
        r#"{"currency":"CNY","passwordless_limit":"2e9"}"#,
        r#"{"currency":"CNY","passwordless_limit":"200.00","passwordles_limit":"9"}"#,
        r#"{"currency":"CNY","currency":"EUR","passwordless_limit":"200.00"}"#,
    ] {
        assert_eq!(plugin.session(bad).err().expect("refused").code(), "plugin.settings", "{bad}");
    }
}
