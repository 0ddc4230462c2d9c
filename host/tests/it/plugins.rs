//! Policies that the host must hold, and the proof that every allow needs.

use std::time::{Duration, Instant};

use bandpass::{Capability, Decision, Outcome, Plugin, Requirements, Runtime};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::support::{Host, built, denied, hostile_describing};

/// Longest time that a denial may take here: the wall limit of a plugin, doubled for machines with more to do than threads.
const DEADLINE: Duration = Duration::from_secs(2);

fn is_allowed(outcome: &Outcome) -> bool {
    matches!(outcome.decision, Decision::Allow { .. })
}

#[test]
fn every_hostile_deed_is_denied_with_its_code_and_harms_nobody() {
    let mut host = Host::new();
    let plugin = host.hostile();
    let memory = host.verifier.memory();
    for (deed, code) in [
        ("refuse-settings", "plugin.settings"),
        ("trap-in-configure", "plugin.trap"),
        ("loop-in-configure", "plugin.timeout"),
        ("grow-memory-in-configure", "plugin.memory"),
        ("huge-refusal-of-settings", "plugin.result"),
        ("loop", "plugin.timeout"),
        ("query-without-end", "plugin.timeout"),
        ("recurse", "plugin.trap"),
        ("trap", "plugin.trap"),
        ("trap-after-verify", "plugin.trap"),
        ("grow-memory", "plugin.memory"),
        ("error", "plugin.error"),
        ("long-reason", "plugin.result"),
        ("huge-result", "plugin.result"),
        ("many-obligations", "plugin.result"),
        ("malformed-obligation", "plugin.result"),
        ("verify-without-end", "plugin.result"),
        ("flood-log", "plugin.log"),
        ("long-log", "done"),
        ("flood-ledger", "plugin.result"),
        ("no-such-deed", "plugin.error"),
    ] {
        let start = Instant::now();
        let outcome = host.decide(&plugin, deed);
        assert!(start.elapsed() < DEADLINE, "{deed} took {:?}", start.elapsed());
        assert_eq!(denied(&outcome), code, "{deed}: {:?}", outcome.decision);
        assert_eq!(host.verifier.handles(), 0, "{deed}");
        let good = host.decide(&plugin, "allow");
        assert!(is_allowed(&good), "after {deed}: {:?}", good.decision);
    }
    assert!(host.verifier.memory() <= memory + (4 << 20), "{memory} bytes became {}", host.verifier.memory());
}

#[test]
fn a_hostile_question_is_refused_with_its_code() {
    let host = Host::new();
    let plugin = host.hostile();
    for (deed, code) in [
        ("trap-in-ask", "plugin.trap"),
        ("loop-in-ask", "plugin.timeout"),
        ("grow-memory-in-ask", "plugin.memory"),
        ("huge-query", "plugin.result"),
        ("allow", "plugin.error"),
    ] {
        let asked = plugin.session(deed).expect("a session").ask(&host.request());
        assert_eq!(asked.expect_err("refused").code(), code, "{deed}");
    }
}

#[test]
fn a_hostile_description_is_refused_with_its_code() {
    let host = Host::new();
    let describing = |word: [u8; 6]| host.load(&hostile_describing(word));
    for (word, code) in [
        (*b"trap__", "plugin.trap"),
        (*b"loop__", "plugin.timeout"),
        (*b"memory", "plugin.memory"),
        (*b"huge__", "plugin.result"),
        (*b"noname", "plugin.result"),
        (*b"escape", "plugin.result"),
    ] {
        assert_eq!(describing(word).err().expect("refused").code(), code);
    }
    let plugin = describing(*b"schema").expect("a plugin");
    assert_eq!(plugin.check_settings("\"allow\"").expect_err("refused").code(), "plugin.malformed");
    let plugin = describing(*b"answer").expect("a plugin");
    assert_eq!(plugin.description().name, "hostile");
    plugin.check_settings("\"allow\"").expect("settings");
    for refused in ["allow", "1", "\"refuse-settings\""] {
        assert_eq!(plugin.check_settings(refused).expect_err("refused").code(), "plugin.settings");
    }
    assert!(plugin.needs(Capability::Ledger) && !plugin.needs(Capability::Log));
}

/// A policy in so few words that it can do what no Rust would: `evaluate` returns what stands at 128, where `body` may put
/// a handle.
fn by_hand(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (memory (export "memory") 1)
            (table 1 funcref)
            (data (i32.const 0) "hand")
            (data (i32.const 16) "\00\00\00\00\04\00\00\00\00\00\00\00\04\00\00\00")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
            (func (export "bandpass:sdk/policy@0.1.0#describe") (result i32) i32.const 16)
            (func (export "bandpass:sdk/policy@0.1.0#configure") (param i32 i32) (result i32) i32.const 64)
            (func (export "bandpass:sdk/policy@0.1.0#ask") (param i64 i32 i32 i32 i32) (result i32) unreachable)
            (func (export "bandpass:sdk/policy@0.1.0#evaluate")
                (param $submission i32) (param i64 i32 i32 i32 i32) (result i32)
                {body}
                i32.const 128))"#
    );
    let mut module = wat::parse_str(text).expect("a module");
    let mut resolve = wit_parser::Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    let (package, _) = resolve.push_dir(wit).expect("the WIT package");
    let world = resolve.select_world(&[package], Some("merchant-policy")).expect("a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embedded");
    ComponentEncoder::default().validate(true).module(&module).expect("a module").encode().expect("a component")
}

#[test]
fn forged_handles_and_growing_tables_are_refused_with_their_codes() {
    let mut host = Host::new();
    let good = host.hostile();
    for (what, body, code) in [
        ("a handle that never was", "(i32.store (i32.const 136) (i32.const 77))", "plugin.result"),
        ("no handle", "(i32.store (i32.const 136) (i32.const 0))", "plugin.result"),
        ("the submission as a proof", "(i32.store (i32.const 136) (local.get $submission))", "plugin.result"),
        (
            "text outside of memory",
            "(i32.store (i32.const 132) (i32.const 1)) (i32.store (i32.const 136) (i32.const -1))
            (i32.store (i32.const 140) (i32.const 9))",
            "plugin.result",
        ),
        ("a decision that is none", "(i32.store (i32.const 132) (i32.const 9))", "plugin.result"),
        (
            "a table that grows",
            "(loop (br_if 0 (i32.ne (table.grow 0 (ref.null func) (i32.const 1000)) (i32.const -1)))) unreachable",
            "plugin.memory",
        ),
        (
            "a memory that grows",
            "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
            "plugin.memory",
        ),
        (
            "recursion",
            "(drop (call 4 (local.get 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
            "plugin.trap",
        ),
    ] {
        let plugin = host.load(&by_hand(body)).expect(what);
        let outcome = host.decide(&plugin, "{}");
        assert_eq!(denied(&outcome), code, "{what}: {:?}", outcome.decision);
        assert!(!outcome.verified);
        assert!(is_allowed(&host.decide(&good, "allow")), "after {what}");
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
    let (challenge, request, token) = (host.challenge(), host.request(), host.vector.vp_token.clone());
    for deed in ["keep-handle", "read-kept-handle"] {
        let mut session = plugin.session(deed).expect("a session");
        let mut evaluate = |session: &mut bandpass::Session| {
            let mut submission = host.verifier.submit(token.as_bytes(), &challenge).expect("a verifier");
            // Even the same submission again is another evaluation, with proofs of its own.
            let first = session.evaluate(&mut submission, &request, None).expect("a decision");
            (first, session.evaluate(&mut submission, &request, None).expect("a decision"))
        };
        let (first, second) = evaluate(&mut session);
        assert_eq!(denied(&first), "done");
        assert!(first.verified);
        assert_eq!(denied(&second), "plugin.foreign-handle", "{deed}");
        assert!(!second.verified);
        let good = host.decide(&plugin, "allow");
        assert!(is_allowed(&good));
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

/// One instance that is kept, as an embedder may.
#[test]
fn a_kept_session_goes_on_and_on() {
    let mut host = Host::new();
    let mut session = host.hostile().session("allow").expect("a session");
    let (challenge, request, token) = (host.challenge(), host.request(), host.vector.vp_token.clone());
    let mut submission = host.verifier.submit(token.as_bytes(), &challenge).expect("a verifier");
    for _ in 0..1_100 {
        let outcome = session.evaluate(&mut submission, &request, None).expect("a decision");
        assert!(is_allowed(&outcome), "{:?}", outcome.decision);
    }
    drop(submission);
    let mut submission = host.verifier.submit(b"x", &challenge).expect("a verifier");
    let refused = session.evaluate(&mut submission, &request, None).expect("a decision");
    assert_eq!(denied(&refused), "plugin.error");
    assert!(!refused.verified, "nothing was verified, so nothing is used up");
}

#[test]
fn a_chain_of_plugins_shares_one_submission() {
    let mut host = Host::new();
    let plugins = [host.hostile(), host.load(&built("dist/plugins/retail-checkout.wasm")).expect("a plugin")];
    let settings = ["allow", r#"{"currency":"CNY","passwordless_limit":"200.00"}"#];
    let (challenge, request, token) = (host.challenge(), host.request(), host.vector.vp_token.clone());
    let trapping = plugins[0].session("trap-after-verify");
    let mut sessions =
        plugins.iter().zip(settings).map(|(plugin, settings)| plugin.session(settings)).collect::<Vec<_>>();
    sessions.insert(1, trapping);
    let mut submission = host.verifier.submit(token.as_bytes(), &challenge).expect("a verifier");
    let mut decide = |session: Result<bandpass::Session, bandpass::Error>| {
        session.expect("a session").evaluate(&mut submission, &request, None).expect("a decision")
    };
    let [first, second, third] = <[_; 3]>::try_from(sessions).ok().expect("three");
    assert!(is_allowed(&decide(first)));
    assert_eq!(denied(&decide(second)), "plugin.trap");
    assert!(is_allowed(&decide(third)), "what one of the chain did harms no other");
    let accepted = submission.verify("band", &Requirements::default()).expect("accepted");
    assert_eq!(accepted.claims.get("sub").and_then(|sub| sub.as_str()), accepted.subject.as_deref());
    let all = submission.verify_all("band", &Requirements::default()).expect("accepted");
    assert_eq!(all.len(), 1);
    drop(submission);
    assert_eq!(host.verifier.handles(), 0);
}

#[test]
fn what_the_merchant_requires_holds_for_every_plugin() {
    let mut host = Host::new();
    let plugin = host.hostile();
    let (challenge, request, token) = (host.challenge(), host.request(), host.vector.vp_token.clone());
    let floor = |floor: Requirements, host: &mut Host| {
        let submission = host.verifier.submit(token.as_bytes(), &challenge).expect("a verifier");
        let mut submission = submission.with_floor(floor);
        let outcome = plugin.session("allow").expect("a session").evaluate(&mut submission, &request, None);
        let own = submission.verify("band", &Requirements::default());
        (outcome.expect("a decision"), own)
    };
    let (outcome, own) = floor(Requirements::default(), &mut host);
    assert!(is_allowed(&outcome) && own.is_ok());
    let (outcome, own) = floor(Requirements { age_at_least: Some(99), ..Requirements::default() }, &mut host);
    let Decision::Deny { message, .. } = &outcome.decision else { panic!("denied") };
    let refused = own.expect_err("refused");
    assert!(refused.code().starts_with("claims."), "{refused}");
    assert_eq!((denied(&outcome), message.as_str()), ("plugin.error", refused.code()));
    assert!(!outcome.verified);
}

#[test]
fn the_band_counter_is_what_the_embedder_says() {
    let mut host = Host::new();
    let plugin = host.hostile();
    let (challenge, request, token) = (host.challenge(), host.request(), host.vector.vp_token.clone());
    let mut submission = host.verifier.submit(token.as_bytes(), &challenge).expect("a verifier");
    let tell = |submission: &mut bandpass::Submission<'_>| {
        plugin.session("tell-counter").expect("a session").evaluate(submission, &request, None).expect("a decision")
    };
    assert_eq!(denied(&tell(&mut submission)), "Some(CounterState::Unchecked)");
    let mut submission = submission.remembering_counters();
    assert_eq!(denied(&tell(&mut submission)), "Some(CounterState::Advanced)");
    let accepted = submission.verify("band", &Requirements::default()).expect("accepted");
    assert_eq!(accepted.evidence.expect("evidence").counter_state, bandpass::CounterState::Advanced);
}

#[test]
fn a_cap_is_counted_on_what_was_verified() {
    let mut host = Host::new();
    let plugin = host.hostile();
    assert_eq!(denied(&host.decide(&plugin, "reserve-unverified")), "ledger.unverified");
    assert!(host.caps.asked.lock().expect("no panic").is_empty());
    for _ in 0..2 {
        assert!(is_allowed(&host.decide(&plugin, "reserve")));
    }
    assert_eq!(denied(&host.decide(&plugin, "reserve")), "ledger.exceeded");
    assert!(is_allowed(&host.decide(&plugin, "reserve-account")));
    assert_eq!(denied(&host.decide(&plugin, "reserve-euros")), "ledger.malformed");
    assert_eq!(denied(&host.decide(&plugin, "reserve-nonsense")), "ledger.malformed");
    let accepted = host.verify().expect("accepted");
    for holder in host.caps.asked.lock().expect("no panic").iter() {
        assert_eq!(holder.issuer, accepted.issuer);
        assert_eq!(holder.subject, accepted.subject);
        assert_eq!(holder.key_thumbprint, accepted.key_thumbprint);
    }
}

/// What the host waits for is not the plugin's time.
#[test]
fn a_slow_ledger_is_not_the_plugins_fault() {
    let mut host = Host::new();
    let plugin = host.hostile();
    host.caps.delay = Duration::from_millis(1_200);
    assert!(is_allowed(&host.decide(&plugin, "reserve")));
}

#[test]
fn a_ledger_that_is_missing_refuses_and_one_that_fails_ends_it() {
    let mut host = Host::new();
    let plugin = host.hostile();
    host.caps.broken = true;
    let failed = host.try_decide(&plugin, "reserve").expect_err("no decision");
    assert_eq!(failed.code(), "host.store");
    assert_eq!(host.verifier.handles(), 0);
    let (challenge, request, token) = (host.challenge(), host.request(), host.vector.vp_token.clone());
    let mut submission = host.verifier.submit(token.as_bytes(), &challenge).expect("a verifier");
    let outcome = plugin.session("reserve").expect("a session").evaluate(&mut submission, &request, None);
    assert_eq!(denied(&outcome.expect("a decision")), "ledger.unavailable");
    drop(submission);
    let alone = plugin.decide(&mut host.verifier, "allow", token.as_bytes(), &challenge, &request);
    assert_eq!(denied(&alone), "plugin.import");
}

#[test]
fn what_is_no_policy_is_refused() {
    let host = Host::new();
    let load = |wasm: &[u8]| host.load(wasm).err().expect("refused");
    let text = |text: &str| wat::parse_str(text).expect("a component");
    for malformed in [b"".to_vec(), b"not wasm".to_vec(), text("(module)"), text("(component)")] {
        assert_eq!(load(&malformed).code(), "plugin.malformed");
    }
    for (import, shown) in [
        ("wasi:cli/environment@0.2.0", "`wasi:cli/environment@0.2.0`"),
        ("bandpass:sdk/setup@0.1.0", "`bandpass:sdk/setup@0.1.0`"),
        ("bandpass:sdk/verification@0.2.0", "`bandpass:sdk/verification@0.2.0`"),
    ] {
        let refused = load(&text(&format!("(component (import \"{import}\" (instance)))")));
        assert_eq!(refused.code(), "plugin.import");
        assert!(refused.message().contains(shown), "{refused}");
    }
    assert_eq!(load(&vec![0; (32 << 20) + 1]).code(), "plugin.too-large");
    let greedy = text("(component (core module $m (memory 2000)) (core instance (instantiate $m)))");
    assert_eq!(load(&greedy).code(), "plugin.memory");
}

#[test]
fn the_sample_policy_imports_verifier_and_ledger_alone() {
    let engine = wasmtime::Engine::default();
    let wasm = built("dist/plugins/retail-checkout.wasm");
    let component = wasmtime::component::Component::from_binary(&engine, &wasm).expect("a component");
    let component_type = component.component_type();
    let imports = component_type.imports(&engine).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(imports, ["bandpass:sdk/verification@0.1.0", "bandpass:sdk/ledger@0.1.0"]);
}

#[test]
fn settings_of_the_sample_policy_are_checked() {
    let host = Host::new();
    let plugin = host.load(&built("dist/plugins/retail-checkout.wasm")).expect("a plugin");
    assert!(!plugin.needs(Capability::Ledger) && !plugin.needs(Capability::Log));
    let good = r#"{"currency":"CNY","passwordless_limit":"200.00"}"#;
    assert!(plugin.session(good).is_ok());
    plugin.check_settings(good).expect("settings");
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
        r#"{"currency":"CNY","passwordless_limit":"200.00","daily_limit":"much"}"#,
    ] {
        assert_eq!(plugin.session(bad).err().expect("refused").code(), "plugin.settings", "{bad}");
        assert_eq!(plugin.check_settings(bad).expect_err("refused").code(), "plugin.settings", "{bad}");
    }
}

/// More instances than there is room for is an error of the machine's, not of the plugin's, and passes.
#[test]
fn too_many_instances_are_refused_until_some_are_gone() {
    let host = Host::on(Runtime::new().expect("a runtime"));
    let plugin: Plugin = host.hostile();
    let mut sessions = Vec::new();
    let refused = loop {
        match plugin.session("allow") {
            Ok(session) => sessions.push(session),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code(), "host.overloaded");
    assert!(sessions.len() > 64, "{}", sessions.len());
    sessions.truncate(10);
    assert!(plugin.session("allow").is_ok());
}
