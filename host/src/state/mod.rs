//! What a host remembers, and every change of it: functions over rows, without clock, randomness or database.

mod audit;
mod caps;
mod challenge;
mod decision;

pub(crate) use audit::{Chain, GENESIS, Position, entry_hash};
pub(crate) use caps::{Cap, Held, Reserved, Take, keys_of, release, reserve};
pub(crate) use challenge::{Answered, Challenge, Issued, Policy, State, decline, fail, keep, open, step_up};
pub(crate) use decision::{Counter, Decision, Settled, Settlement, denied, settle, unknown_challenge, void};

#[cfg(test)]
mod tests;
