//! Where a decision's time goes: processor time of the whole process, all of its threads, for one payment.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/shop.rs"]
mod shop;

use std::time::Duration;

use bandpass::{Challenge, Plugin, Request, Requirements, Store, Verifier};
use bandpass_roles::{Key, os_rng};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use shop::{NOW, SHOP, Shop, built, payment, settings};

const RUNS: usize = 1_000;

/// Processor time of this process so far.
fn spent() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("a duration")
}

/// Times of many runs: the fastest, and the one in the middle.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = spent();
        let done = work();
        self.0.push(spent().saturating_sub(before));
        done
    }

    fn sorted(&mut self) -> [u128; 2] {
        self.0.sort_unstable();
        [self.0[0].as_micros(), self.0[self.0.len() / 2].as_micros()]
    }
}

/// All are measured in turns, since whatever else a machine does only adds to a time.
fn main() {
    let shop = Shop::new();
    let host = shop.host(shop.config(&settings()), Store::in_memory().expect("a store"));
    let executor = tokio::runtime::Builder::new_current_thread().build().expect("an executor");
    let mut customer = shop.customer("lin");
    let mut verifier = Verifier::open(&shop.runtime, shop.config(&settings()).trust).expect("a verifier");
    verifier.update_status(shop.status_list(0).into_bytes(), NOW).expect("a status list");
    let plugin = Plugin::load(&shop.runtime, &built("dist/plugins/retail-checkout.wasm")).expect("a plugin");
    let (settings, request) =
        (settings().to_string(), Request { now: NOW, merchant: SHOP.into(), context: "{}".into() });
    let key = Key::generate(&mut os_rng());
    let receipt =
        json!({"iss": "till-1", "jti": "x".repeat(22), "policies": ["x".repeat(64)], "verifier": "x".repeat(64)});

    let (mut asks, mut decides, mut verifies, mut policies, mut signs) =
        (Times::default(), Times::default(), Times::default(), Times::default(), Times::default());
    for _ in 0..RUNS {
        let issued = asks.add(|| executor.block_on(host.challenge(payment("35.00"), NOW))).expect("a challenge");
        let token = customer.answer(&issued, "swk");
        let challenge = Challenge {
            dcql: Some(issued.dcql.clone()),
            transaction_data: issued.transaction_data.clone(),
            ..Challenge::new(issued.audience[0].clone(), issued.nonce.clone(), NOW)
        };
        verifies.add(|| verifier.verify(&token, &challenge, "band", &Requirements::default())).expect("verifies");
        policies.add(|| plugin.decide(&mut verifier, &settings, &token, &challenge, &request));
        signs.add(|| key.sign(&json!({"alg": "ES256"}), &receipt));
        let answer = decides.add(|| executor.block_on(host.respond(&issued.id, token, NOW))).expect("decided");
        assert_eq!(answer.decision(), "allow");
    }
    let (ask, decide, verify) = (asks.sorted(), decides.sorted(), verifies.sorted());
    let (policy, sign) = (policies.sorted(), signs.sorted());
    let row = |what: &str, [fastest, median]: [u128; 2]| println!("| {what} | {fastest} us | {median} us |");
    let less = |one: [u128; 2], other: [u128; 2]| [one[0].saturating_sub(other[0]), one[1].saturating_sub(other[1])];
    println!("| processor time of one payment, fastest and median of {RUNS} | fastest | median |\n|---|---|---|");
    row("`Host::challenge`", ask);
    row("`Host::respond`", decide);
    row("of that: verification in the component, two signatures of a customer who came before", verify);
    row("of that: the receipt's signature", sign);
    row("of that: everything else", less(less(decide, verify), sign));
    row("of the latter: the policy in a fresh store, with its settings", less(policy, verify));
}
