//! Where a decision's time goes: processor time of the whole process, all of its threads, for one payment; and what follows
//! on what while the caller waits.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/shop.rs"]
mod shop;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bandpass::Store;
use bandpass_roles::{Key, os_rng};
use futures_util::future::try_join_all;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use shop::{NOW, Shop, payment, settings};
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

const RUNS: usize = 500;
/// The host's span around verification.
const VERIFY: &str = "verify";

/// Whether every span is noted; otherwise only what verifies is, since noting takes time itself.
static TIMELINE: AtomicBool = AtomicBool::new(false);

fn main() {
    let spans = Spans::default();
    let noted = dynamic_filter_fn(|span, _| span.name() == VERIFY || TIMELINE.load(Ordering::Relaxed));
    let subscriber = tracing_subscriber::registry().with(noted).with(spans.clone());
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let shop = Shop::new();
    for at_once in [1, 16] {
        let took = payments(&shop, &spans, at_once);
        println!("| processor time of a payment, {at_once} at a time, {RUNS} times | a tenth takes less | median |");
        println!("|---|---|---|");
        for (what, times) in [
            ("`Host::challenge`", &took.asks),
            ("`Host::respond`", &took.decides),
            ("of that: verification in the component, two signatures of a customer who came before", &took.verifies),
            ("of that: the receipt's signature", &took.signs),
            ("of that: everything else", &took.rest),
            ("to compare: p256 verifies one signature natively", &took.references),
        ] {
            println!("| {what} | {} us | {} us |", times.quantile(10), times.quantile(2));
        }
        println!();
    }
    TIMELINE.store(true, Ordering::Relaxed);
    let medians = |(name, times): (_, [Times; 2])| (times.map(|times| times.quantile(2)), name);
    let mut rows = payments(&shop, &spans, 1).moments.into_iter().map(medians).collect::<Vec<_>>();
    rows.sort_unstable_by_key(|([_, ends], _)| *ends);
    println!("| one payment, median of {RUNS}, after it was asked for | begins | ends |\n|---|---|---|");
    for ([begins, ends], name) in rows {
        println!("| {name} | {begins} us | {ends} us |");
    }
}

/// Times of each payment; and when each of its spans began and ended, after it was asked for.
#[derive(Default)]
struct Took {
    asks: Times,
    decides: Times,
    verifies: Times,
    signs: Times,
    rest: Times,
    references: Times,
    moments: BTreeMap<&'static str, [Times; 2]>,
}

/// So many at a time by as many customers, again and again. Everything is measured in turns, since whatever else a machine
/// does only adds to a time.
fn payments(shop: &Shop, spans: &Spans, at_once: u32) -> Took {
    let host = shop.host(shop.config(&settings()), Store::in_memory().expect("a store"));
    let executor = tokio::runtime::Builder::new_current_thread().build().expect("an executor");
    let mut customers = (0..at_once).map(|number| shop.customer(&number.to_string())).collect::<Vec<_>>();
    let key = Key::generate(&mut os_rng());
    let receipt =
        json!({"iss": "till-1", "jti": "x".repeat(22), "policies": ["x".repeat(64)], "verifier": "x".repeat(64)});
    let reference = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key");
    let signature: p256::ecdsa::Signature = reference.sign(receipt.to_string().as_bytes());

    let mut took = Took::default();
    for _ in 0..RUNS {
        let challenges = took.asks.add(at_once, || {
            executor.block_on(try_join_all(customers.iter().map(|_| host.challenge(payment("35.00"), NOW))))
        });
        let answers = challenges.expect("challenges").into_iter().zip(&mut customers);
        let answers = answers.map(|(issued, customer)| (customer.answer(&issued, "swk"), issued.id));
        let answers = answers.collect::<Vec<_>>();
        took.signs.add(1, || key.sign(&json!({"alg": "ES256"}), &receipt));
        took.references
            .add(1, || reference.verifying_key().verify(receipt.to_string().as_bytes(), &signature))
            .expect("verifies");
        spans.0.lock().expect("whole").clear();
        let asked = Instant::now();
        let decided = took.decides.add(at_once, || {
            let respond = answers.into_iter().map(async |(token, id)| host.respond(&id, token, NOW).await);
            executor.block_on(try_join_all(respond))
        });
        let answered = Span { name: "receipt signed, answered", opened: asked, closed: Instant::now(), spent: None };
        assert!(decided.expect("decided").iter().all(|answer| answer.decision() == "allow"));
        let mut verifying = Duration::ZERO;
        for Span { name, opened, closed, spent } in spans.0.lock().expect("whole").drain(..).chain([answered]) {
            let [begins, ends] = took.moments.entry(name).or_default();
            begins.0.push(opened - asked);
            ends.0.push(closed - asked);
            verifying += spent.unwrap_or_default();
        }
        let parts = verifying / at_once + took.signs.last();
        took.rest.0.push(took.decides.last().saturating_sub(parts));
        took.verifies.0.push(verifying / at_once);
    }
    took
}

/// Processor time so far, of this thread or of all.
fn spent(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().expect("a duration")
}

/// Times of many runs.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    /// Of as many pieces of work, each.
    fn add<T>(&mut self, pieces: u32, work: impl FnOnce() -> T) -> T {
        let before = spent(ClockId::ProcessCPUTime);
        let done = work();
        self.0.push(spent(ClockId::ProcessCPUTime).saturating_sub(before) / pieces);
        done
    }

    fn last(&self) -> Duration {
        self.0[self.0.len() - 1]
    }

    /// Microseconds below which this part of them is.
    fn quantile(&self, part: usize) -> u128 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[sorted.len() / part].as_micros()
    }
}

/// A span of the host's.
struct Span {
    name: &'static str,
    opened: Instant,
    closed: Instant,
    /// Processor time of its thread, if it verifies.
    spent: Option<Duration>,
}

#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Span>>>);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Spans {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).expect("a span");
        span.extensions_mut().insert(Instant::now());
        if span.name() == VERIFY {
            span.extensions_mut().insert(spent(ClockId::ThreadCPUTime));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let (span, closed) = (context.span(&id).expect("a span"), Instant::now());
        let opened = *span.extensions().get::<Instant>().expect("noted");
        let before = span.extensions().get::<Duration>().copied();
        let spent = before.map(|before| spent(ClockId::ThreadCPUTime).saturating_sub(before));
        self.0.lock().expect("whole").push(Span { name: span.name(), opened, closed, spent });
    }
}
