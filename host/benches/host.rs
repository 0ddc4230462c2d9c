//! Where a decision's time goes: processor time of the whole process, all of its threads, for one payment; and what follows
//! on what while the caller waits.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/shop.rs"]
mod shop;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bandpass::{Challenge, Host, Requirements, Store, Verifier};
use bandpass_roles::{Key, os_rng};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use shop::{Customer, NOW, Shop, payment, settings};
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

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
    let key = Key::generate(&mut os_rng());
    let receipt =
        json!({"iss": "till-1", "jti": "x".repeat(22), "policies": ["x".repeat(64)], "verifier": "x".repeat(64)});

    let reference = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key");
    let signature: p256::ecdsa::Signature = reference.sign(receipt.to_string().as_bytes());

    let [mut asks, mut decides, mut verifies, mut signs, mut references] = [(); 5].map(|()| Times::default());
    for _ in 0..RUNS {
        let issued = asks.add(|| executor.block_on(host.challenge(payment("35.00"), NOW))).expect("a challenge");
        let token = customer.answer(&issued, "swk");
        let challenge = Challenge {
            dcql: Some(issued.dcql.clone()),
            transaction_data: issued.transaction_data.clone(),
            ..Challenge::new(issued.audience[0].clone(), issued.nonce.clone(), NOW)
        };
        verifies.add(|| verifier.verify(&token, &challenge, "band", &Requirements::default())).expect("verifies");
        signs.add(|| key.sign(&json!({"alg": "ES256"}), &receipt));
        references
            .add(|| reference.verifying_key().verify(receipt.to_string().as_bytes(), &signature))
            .expect("verifies");
        let answer = decides.add(|| executor.block_on(host.respond(&issued.id, token, NOW))).expect("decided");
        assert_eq!(answer.decision(), "allow");
    }
    let (ask, decide, verify) = (asks.sorted(), decides.sorted(), verifies.sorted());
    let (sign, reference) = (signs.sorted(), references.sorted());
    let row = |what: &str, [fastest, median]: [u128; 2]| println!("| {what} | {fastest} us | {median} us |");
    let less = |one: [u128; 2], other: [u128; 2]| [one[0].saturating_sub(other[0]), one[1].saturating_sub(other[1])];
    println!("| processor time of one payment, fastest and median of {RUNS} | fastest | median |\n|---|---|---|");
    row("`Host::challenge`", ask);
    row("`Host::respond`", decide);
    row("of that: verification in the component, two signatures of a customer who came before", verify);
    row("of that: the receipt's signature", sign);
    row("of that: everything else", less(less(decide, verify), sign));
    row("to compare: p256 verifies one signature natively", reference);
    timeline(&executor, &host, &mut customer);
}

/// A span of the host's: its name, and when it was opened and closed.
type Span = (&'static str, Instant, Instant);

#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Span>>>);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Spans {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        context.span(id).expect("a span").extensions_mut().insert(Instant::now());
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).expect("a span");
        let opened = *span.extensions().get::<Instant>().expect("noted");
        self.0.lock().expect("whole").push((span.name(), opened, Instant::now()));
    }
}

/// When each part of a decision begins and ends, after the caller asked: the median of each.
fn timeline(executor: &Runtime, host: &Host, customer: &mut Customer) {
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let mut moments: BTreeMap<_, [Vec<u128>; 2]> = BTreeMap::new();
    for _ in 0..RUNS {
        let issued = executor.block_on(host.challenge(payment("35.00"), NOW)).expect("a challenge");
        let token = customer.answer(&issued, "swk");
        spans.0.lock().expect("whole").clear();
        let asked = Instant::now();
        executor.block_on(host.respond(&issued.id, token, NOW)).expect("decided");
        let answered = ("receipt signed, answered", asked, Instant::now());
        for (name, opened, closed) in spans.0.lock().expect("whole").drain(..).chain([answered]) {
            let [begins, ends] = moments.entry(name).or_default();
            begins.push((opened - asked).as_micros());
            ends.push((closed - asked).as_micros());
        }
    }
    let median = |mut moments: Vec<u128>| {
        moments.sort_unstable();
        moments[moments.len() / 2]
    };
    let mut rows = moments.into_iter().map(|(name, moments)| (moments.map(median), name)).collect::<Vec<_>>();
    rows.sort_unstable_by_key(|([_, ends], _)| *ends);
    println!("\n| one payment, median of {RUNS}, after it was asked for | begins | ends |\n|---|---|---|");
    for ([begins, ends], name) in rows {
        println!("| {name} | {begins} us | {ends} us |");
    }
}
