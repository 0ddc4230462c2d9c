//! What verifying a presentation takes of the heap.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "an allocator that counts is one that hands on what it is asked for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bandpass_core::{Expected, Requirements, Trust, Verifier};
use bandpass_roles::{Issuer, Key, StatusList, StatusTimes};
use serde_json::json;

/// Whatever is allocated for a presentation of 2 KB, freed again or not.
const LIMIT: usize = 64 * 1024;

#[derive(Clone, Copy, Default)]
struct Count {
    /// Bytes, however soon they were freed; what grows counts anew in its whole size.
    total: usize,
    live: usize,
    /// The most that was live at once.
    peak: usize,
    calls: usize,
}

thread_local! {
    /// Of the thread that counts; `None` elsewhere.
    static COUNT: Cell<Option<Count>> = const { Cell::new(None) };
}

struct Counting;

fn count(allocated: usize, freed: usize) {
    // A thread that ends no longer counts.
    let _ = COUNT.try_with(|cell| {
        if let Some(mut count) = cell.get() {
            count.total += allocated;
            count.calls += usize::from(allocated > 0);
            count.live = (count.live + allocated).saturating_sub(freed);
            count.peak = count.peak.max(count.live);
            cell.set(Some(count));
        }
    });
}

// SAFETY: each call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn verifying(name: &str) -> (usize, Count) {
    let vector = bandpass_conformance::vector(name).expect("a vector");
    let verifier = vector.verifier().expect("a verifier");
    let challenge = vector.expected.challenge().expect("a challenge");
    let expected = Expected { challenge, requirements: Requirements::default() };
    COUNT.set(Some(Count::default()));
    let verified = verifier.verify(&vector.vp_token, &expected);
    let count = COUNT.take().expect("it counted");
    verified.expect("verifies");
    (vector.vp_token.len(), count)
}

#[test]
fn a_presentation_of_2_kb_takes_at_most_64_kib() {
    // With transaction data and approval it is no longer 2 KB, and stays within the limit all the same.
    for name in ["accept/another-type", "accept/some-disclosed", "accept/payment"] {
        let (bytes, Count { total, live, peak, calls }) = verifying(name);
        println!("{name}, {bytes} bytes: {total} bytes in {calls} allocations, at most {peak} at once, {live} kept");
        assert!(peak <= total && total <= LIMIT, "{name}: {total} bytes");
    }
}

/// A list of 2^20 entries costs what its bits take, decoded, and at most 1 KiB.
#[test]
fn a_status_list_takes_its_decoded_bytes() {
    const ENTRIES: usize = 1 << 20;
    let issuer = Issuer::new("https://wallet.example", Key::from_bytes(&[1; 32]).expect("a key"));
    let trust = json!({"issuers": [issuer.trust_entry(&["urn:bandpass:band:1"])]});
    for bits in [1, 2, 4, 8] {
        let mut list = StatusList::new(bits, ENTRIES).expect("bits");
        (0..ENTRIES).step_by(97).for_each(|index| assert!(list.set(index, 1)));
        let times = StatusTimes { issued_at: 1_790_000_000, expires: 1_790_003_600, ttl: 300 };
        let token = issuer.sign_status_list(1, &list, &times);
        let mut verifier = Verifier::new(Trust::from_json(trust.to_string().as_bytes()).expect("a trust list"));
        COUNT.set(Some(Count::default()));
        let info = verifier.update_status(token.as_bytes(), 1_790_000_000);
        let count = COUNT.take().expect("it counted");
        // What the caller gets is the caller's.
        let mine = count.live - info.expect("a status list").uri.len();
        let decoded = ENTRIES * usize::from(bits) / 8;
        println!("{bits} bits: {decoded} bytes decoded, {mine} kept");
        assert!(mine <= decoded + 1_024, "{bits} bits: {mine} bytes");
    }
}
