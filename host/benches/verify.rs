//! Where the time of a verification goes. Ratios within one run hold; times are the machine's.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::process::Command;

use bandpass::{Challenge, Plugin, Request, Requirements, Runtime, Verifier};
use bandpass_conformance::Vector;
use criterion::{Criterion, criterion_group, criterion_main};

fn vector() -> Vector {
    bandpass_conformance::vector("accept/payment").expect("a vector")
}

fn presentation(criterion: &mut Criterion) {
    let vector = vector();
    let trust = vector.trust.to_string();
    let mut group = criterion.benchmark_group("payment: issuer, holder and approval signatures");

    let mut verifier =
        bandpass_core::Verifier::new(bandpass_core::Trust::from_json(trust.as_bytes()).expect("a trust list"));
    let [status_list] = <[_; 1]>::try_from(vector.status_list_tokens()).expect("one");
    verifier.update_status(&status_list, vector.expected.now).expect("a status list");
    let native = bandpass_core::Expected {
        challenge: bandpass_core::Challenge::new(
            vector.expected.audience.clone(),
            vector.expected.nonce.clone(),
            vector.expected.now,
        )
        .and_then(|challenge| challenge.transaction_data(&vector.expected.transaction_data))
        .expect("a challenge"),
        requirements: bandpass_core::Requirements::default(),
    };
    group.bench_function("verify, native", |bencher| {
        bencher.iter(|| verifier.verify(black_box(&vector.vp_token), &native).expect("verifies"));
    });

    let runtime = Runtime::new().expect("a runtime");
    let mut verifier = Verifier::open(&runtime, trust.into_bytes()).expect("a verifier");
    verifier.update_status(status_list, vector.expected.now).expect("a status list");
    verifier.remember(0).expect("a verifier");
    let challenge = Challenge::from(&vector.expected);
    let requirements = Requirements::default();
    group.bench_function("verify, component", |bencher| {
        bencher.iter(|| {
            let token = black_box(vector.vp_token.as_bytes());
            verifier.verify(token, &challenge, "band", &requirements).expect("verifies")
        });
    });

    verifier.remember(1 << 18).expect("a verifier");
    group.bench_function("verify, component, a credential that came before", |bencher| {
        bencher.iter(|| {
            let token = black_box(vector.vp_token.as_bytes());
            verifier.verify(token, &challenge, "band", &requirements).expect("verifies")
        });
    });

    let wasm = std::fs::read(concat!(env!("BANDPASS_TARGET"), "/dist/plugins/retail-checkout.wasm")).expect("a plugin");
    let plugin = Plugin::load(&runtime, &wasm).expect("a plugin");
    let settings = r#"{"currency":"CNY","passwordless_limit":"200.00"}"#;
    let request = Request { now: vector.expected.now, merchant: "m".into(), context: "{}".into() };
    group.bench_function("decide, component and policy, a credential that came before", |bencher| {
        bencher.iter(|| plugin.decide(&mut verifier, settings, vector.vp_token.as_bytes(), &challenge, &request));
    });
    group.finish();

    let mut group = criterion.benchmark_group("policy, in a fresh store");
    group.bench_function("instance and settings", |bencher| {
        bencher.iter(|| plugin.session(settings).expect("a session"));
    });
    group.bench_function("instance, settings and `ask`", |bencher| {
        bencher.iter(|| plugin.session(settings).and_then(|mut session| session.ask(&request)).expect("a query"));
    });
    let mut submission = verifier.submit(vector.vp_token.as_bytes(), &challenge).expect("a submission");
    group.bench_function("instance, settings and `evaluate`, signatures verified before", |bencher| {
        bencher.iter(|| {
            let mut session = plugin.session(settings).expect("a session");
            session.evaluate(&mut submission, &request, None).expect("a decision")
        });
    });
    let mut session = plugin.session(settings).expect("a session");
    group.bench_function("of that `evaluate`", |bencher| {
        bencher.iter(|| session.evaluate(&mut submission, &request, None).expect("a decision"));
    });
    group.finish();
}

/// A whole process from start to verdict, compiled code in the cache.
fn process(criterion: &mut Criterion) {
    let vector = vector();
    let folder = tempfile::tempdir().expect("a folder");
    let trust = folder.path().join("trust.json");
    std::fs::write(&trust, vector.trust.to_string()).expect("written");
    let expected = &vector.expected;
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_bandpass"))
            .args(["verify", "--nonce", &expected.nonce, "--now", &expected.now.to_string(), "--json", "--trust"])
            .arg(&trust)
            .args(["--audience", expected.audience.first().expect("one"), &vector.vp_token])
            .output()
            .expect("starts");
        // Without its transaction data the token is refused, after every signature was verified.
        assert_eq!(output.status.code(), Some(2));
    };
    run();
    let mut group = criterion.benchmark_group("process");
    group.sample_size(20);
    group.bench_function("bandpass verify, start to exit", |bencher| bencher.iter(run));
    group.finish();
}

criterion_group!(benches, presentation, process);
criterion_main!(benches);
