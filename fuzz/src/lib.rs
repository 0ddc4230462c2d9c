//! Fuzz targets: what reads bytes that anybody may send.
//!
//! A target is a function of bytes that fails by panicking, and an entry in [`TARGETS`] with the seeds that libFuzzer
//! starts from, made from the vectors. `cargo xtask fuzz` runs them under libFuzzer, instrumented; `cargo test` replays
//! seeds and findings without it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a target fails by panicking, and changes JSON that it made itself"
)]

mod certificates;
mod lists;
mod mdoc;
mod mutate;
mod parsers;
mod queries;
mod reference;
mod session;
mod status;
mod token;
mod vectors;
mod verify;

/// What libFuzzer runs.
#[derive(Debug)]
pub struct Target {
    /// As `cargo xtask fuzz --target` takes it.
    pub name: &'static str,
    /// Its share of the time that all targets get.
    pub weight: u32,
    /// Panics if something does not hold.
    pub run: fn(&[u8]),
    /// What fuzzing starts from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "inspect", weight: 1, run: parsers::inspect, seeds: parsers::presentations },
    Target { name: "trust", weight: 1, run: parsers::trust, seeds: parsers::trust_lists },
    Target { name: "challenge", weight: 1, run: parsers::challenge, seeds: parsers::transaction_data },
    Target { name: "vp_token", weight: 1, run: parsers::vp_token, seeds: parsers::vp_tokens },
    Target { name: "status_list", weight: 1, run: status::unsigned, seeds: status::unsigned_seeds },
    Target { name: "status_list_signed", weight: 2, run: status::signed, seeds: status::signed_seeds },
    Target { name: "x5c", weight: 1, run: certificates::x5c, seeds: certificates::x5c_seeds },
    Target { name: "mdoc", weight: 2, run: mdoc::mdoc, seeds: mdoc::seeds },
    Target { name: "dcql", weight: 1, run: queries::dcql, seeds: queries::dcql_seeds },
    Target { name: "submission", weight: 1, run: queries::submission, seeds: queries::submission_seeds },
    Target { name: "session", weight: 1, run: session::session, seeds: session::seeds },
    Target { name: "tamper", weight: 2, run: verify::tamper, seeds: verify::tamper_seeds },
    Target { name: "verify", weight: 4, run: verify::verify, seeds: verify::verify_seeds },
];

/// The target with this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
