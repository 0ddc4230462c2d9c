//! Decisions over HTTP: `bandpass serve` as a process of its own, wallets on the same machine, full verification each. Tokens
//! are made beforehand. `BANDPASS_DECISIONS` says how many for each line, 2,000 otherwise.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/shop.rs"]
mod shop;
#[path = "../tests/support/site.rs"]
mod site;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bandpass::Store;
use bandpass_testing::Postgres;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use rustix::time::{ClockId, clock_gettime};
use shop::settings;
use site::{Serving, Site, now, transaction_id, vp_token};

/// Who asks for one after the other: nothing waits, so that times are shares. And who asks at once, to fill the machine.
const CLIENTS: [usize; 2] = [1, 32];

/// What a server says of its time, in seconds, all calls together.
#[derive(Clone, Copy)]
struct Spent {
    http: f64,
    verify: f64,
    plugin: f64,
    store: f64,
    processor: f64,
}

impl Spent {
    fn of(site: &Site, serving: &Serving) -> Self {
        let text = site.metrics(serving.address);
        let sum = |name: &str, label: &str| {
            let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
            let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
            values.sum::<f64>()
        };
        Self {
            http: sum("bandpass_http_seconds_sum", "\"/v1/responses\""),
            verify: sum("bandpass_verify_seconds_sum", ""),
            plugin: sum("bandpass_plugin_seconds_sum", ""),
            store: sum("bandpass_store_seconds_sum", ""),
            processor: serving.processor_time().as_secs_f64(),
        }
    }
}

/// What was measured while so many clients asked for decisions.
struct Run {
    store: &'static str,
    clients: usize,
    asked: Times,
    answered: Times,
    before: Spent,
    after: Spent,
    client_processor: Duration,
}

/// How long calls took, sorted, and all of them together.
struct Times {
    sorted: Vec<Duration>,
    whole: Duration,
}

impl Times {
    fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.sorted.len()).expect("not that many")) / self.whole.as_secs_f64()
    }

    /// In milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let index = (self.sorted.len() * percent / 100).min(self.sorted.len() - 1);
        self.sorted[index].as_secs_f64() * 1e3
    }
}

/// Has so many threads work through their lists, and times each item.
fn timed<T: Send, U: Send>(lists: Vec<Vec<T>>, work: impl Fn(usize, T) -> U + Sync) -> (Vec<Vec<U>>, Times) {
    let begun = Instant::now();
    let done = std::thread::scope(|scope| {
        let work = &work;
        let threads = lists.into_iter().enumerate().map(|(client, list)| {
            scope.spawn(move || {
                let each = list.into_iter().map(|item| {
                    let begun = Instant::now();
                    (work(client, item), begun.elapsed())
                });
                each.unzip::<_, _, Vec<_>, Vec<_>>()
            })
        });
        let threads = threads.collect::<Vec<_>>();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
    });
    let whole = begun.elapsed();
    let (done, times): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    let mut sorted = times.into_iter().flatten().collect::<Vec<_>>();
    sorted.sort_unstable();
    (done, Times { sorted, whole })
}

fn measure(site: &Site, serving: &Serving, store: &'static str, clients: usize, count: usize) -> Run {
    site.sign_status_list();
    let tills = (0..clients).map(|_| site.till(serving.address)).collect::<Vec<_>>();
    let each = vec![vec![(); count / clients]; clients];
    let (challenges, asked) = timed(each, |client, ()| {
        let (status, challenge) = tills[client].challenge("35.00", &transaction_id()).expect("answered");
        assert_eq!(status, 201, "{challenge}");
        challenge
    });
    let tokens = challenges.into_iter().enumerate().map(|(client, challenges)| {
        let mut customer = site.shop.customer_at(&format!("account-{client}"), now());
        let answer = |challenge: serde_json::Value| {
            (challenge["id"].as_str().expect("an id").to_owned(), vp_token(&mut customer, &challenge))
        };
        challenges.into_iter().map(answer).collect::<Vec<_>>()
    });
    let tokens = tokens.collect::<Vec<_>>();
    let (before, client_before) = (Spent::of(site, serving), client_processor_time());
    let (ids, answered) = timed(tokens, |client, (id, token)| {
        let (status, said) = tills[client].respond(&id, &token).expect("answered");
        assert_eq!(status, 200, "{said}");
        id
    });
    let (after, client_processor) = (Spent::of(site, serving), client_processor_time().saturating_sub(client_before));
    for (till, ids) in tills.iter().zip(ids) {
        let (_, decision) = till.decision(ids.last().expect("some")).expect("answered");
        assert_eq!(decision["decision"], "allow", "{decision}");
    }
    Run { store, clients, asked, answered, before, after, client_processor }
}

fn client_processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("a duration")
}

/// Verifying one P-256 signature natively, the median in microseconds.
fn native_signature() -> f64 {
    let key = SigningKey::from_slice(&[7; 32]).expect("a key");
    let message = [1; 1_000];
    let (signature, public): (Signature, _) = (key.sign(&message), VerifyingKey::from(&key));
    let run = |()| {
        let begun = Instant::now();
        black_box(public.verify(black_box(&message), black_box(&signature))).expect("verifies");
        begun.elapsed()
    };
    let mut times = [(); 2_000].map(run);
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn main() {
    let count = std::env::var("BANDPASS_DECISIONS").map_or(2_000, |count| count.parse().expect("a number"));
    let site = Site::new(settings());
    let database = Postgres::start().expect("a server");
    let postgres = database.database().expect("a database");
    Store::migrate(&postgres).expect("migrated");
    let sqlite = site.folder().join("store.sqlite").to_string_lossy().into_owned();
    let mut runs = Vec::new();
    let before = native_signature();
    for (name, store) in [("SQLite", sqlite), ("PostgreSQL", postgres)] {
        let serving = site.serve("till-1", &store);
        measure(&site, &serving, name, 1, count / 10);
        runs.extend(CLIENTS.map(|clients| measure(&site, &serving, name, clients, count)));
    }
    let after = native_signature();

    println!(
        "| {count} each, clients on the same machine | clients | challenges/s | p50 | p99 | decisions/s | p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for Run { store, clients, asked, answered, .. } in &runs {
        let times = |times: &Times| {
            format!("{:.0} | {:.1} ms | {:.1} ms", times.rate(), times.percentile(50), times.percentile(99))
        };
        println!("| {store} | {clients} | {} | {} |", times(asked), times(answered));
    }
    println!();
    println!(
        "| one decision | clients | request, as the server measures it | verifying in the component, three signatures \
        | wasm besides: the policy | store, waiting included | the rest | processor time: server, client |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for Run { store, clients, answered, before, after, client_processor, .. } in &runs {
        let number = f64::from(u32::try_from(answered.sorted.len()).expect("not that many"));
        let each = |part: fn(&Spent) -> f64| (part(after) - part(before)) * 1e3 / number;
        let http = each(|spent| spent.http);
        let (verify, plugin, store_time) =
            (each(|spent| spent.verify), each(|spent| spent.plugin), each(|spent| spent.store));
        let share = |time: f64| format!("{time:.2} ms, {:.0} %", 100.0 * time / http);
        println!(
            "| {store} | {clients} | {http:.2} ms | {} | {} | {} | {} | {:.2} ms, {:.2} ms |",
            share(verify),
            share(plugin),
            share(store_time),
            share(http - verify - plugin - store_time),
            each(|spent| spent.processor),
            client_processor.as_secs_f64() * 1e3 / number,
        );
    }
    println!("\nOne P-256 signature verified natively: {before:.0} us before, {after:.0} us after.");
}
