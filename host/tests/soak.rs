//! Hostile and good evaluations, mixed, on a machine that has more to do than it can. A test by itself, for it looks at the
//! memory of the process. `BANDPASS_EVALUATIONS` says how many; 1,000 otherwise.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bandpass::{Decision, Plugin, Runtime};
use support::{Host, built};

/// Threads that evaluate, and others that just take time.
const WORKERS: usize = 2;
const BUSY: usize = 2;

const DEEDS: &[(&str, &str)] = &[
    ("trap", "plugin.trap"),
    ("trap-after-verify", "plugin.trap"),
    ("keep-handle", "done"),
    ("verify-without-end", "plugin.result"),
    ("huge-result", "plugin.result"),
    ("grow-memory", "plugin.memory"),
    ("flood-log", "plugin.log"),
    ("flood-ledger", "plugin.result"),
    ("recurse", "plugin.trap"),
    ("loop", "plugin.timeout"),
    ("query-without-end", "plugin.timeout"),
    ("trap-in-configure", "plugin.trap"),
];

#[test]
fn thousands_of_evaluations_leave_nothing_behind() {
    let count = std::env::var("BANDPASS_EVALUATIONS").map_or(1_000, |count| count.parse().expect("a number"));
    let runtime = Runtime::new().expect("a runtime");
    let hostile = Plugin::load(&runtime, &built("hostile.wasm")).expect("a plugin");
    let retail = Plugin::load(&runtime, &built("dist/plugins/retail-checkout.wasm")).expect("a plugin");
    let (started, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let warm = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let workers = (0..WORKERS)
            .map(|_| scope.spawn(|| work(&runtime, [&hostile, &retail], &started, count, &warm)))
            .collect::<Vec<_>>();
        let worked = workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>();
        done.store(true, Ordering::Relaxed);
        for worked in worked {
            worked.expect("no panic");
        }
    });
    let warm = warm.into_inner().expect("no panic").expect("warmed up");
    let end = resident_pages();
    eprintln!("{count} evaluations: {warm} resident pages after the first fifth, {end} at the end");
    assert!(end * 10 <= warm * 11, "{warm} resident pages became {end}");
}

fn work(
    runtime: &Runtime,
    [hostile, retail]: [&Plugin; 2],
    started: &AtomicUsize,
    count: usize,
    warm: &Mutex<Option<usize>>,
) {
    let mut host = Host::on(runtime.clone());
    let mut memory = None;
    loop {
        let number = started.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return;
        }
        if number == count / 5 {
            *warm.lock().expect("no panic") = Some(resident_pages());
        }
        let outcome = match number % 3 {
            0 => host.decide(retail, r#"{"currency":"CNY","passwordless_limit":"200.00"}"#),
            1 => host.decide(hostile, "allow"),
            _ => {
                let (deed, code) = DEEDS.iter().cycle().nth(number / 3 % DEEDS.len()).expect("a deed");
                let outcome = host.decide(hostile, deed);
                assert_eq!(outcome.decision.reason(), *code, "{deed}: {:?}", outcome.decision);
                outcome
            }
        };
        assert_eq!(matches!(outcome.decision, Decision::Allow { .. }), number % 3 < 2, "{:?}", outcome.decision);
        assert_eq!(host.verifier.handles(), 0);
        if number > count / 5 {
            let memory = *memory.get_or_insert(host.verifier.memory());
            assert_eq!(host.verifier.memory(), memory, "the verifier grew");
        }
    }
}

/// Pages of this process in memory (proc(5)).
fn resident_pages() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("proc");
    statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_else(|| panic!("{statm}"))
}
