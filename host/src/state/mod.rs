//! What a host remembers, and every change of it: functions over rows, without clock, randomness or database.

mod audit;
mod caps;
mod challenge;
mod decision;
mod delivery;
mod retention;

pub(crate) use audit::{Chain, GENESIS, Position, append, entry_hash};
pub(crate) use caps::{Cap, Held, Reserved, Take, keys_of, release, reserve};
pub(crate) use challenge::{Challenge, Issued, Policy, STEP_UP_WITHIN, State, decline, keep, open, step_up};
pub(crate) use decision::{
    Allowed, Applied, Counter, Decision, Rules, Settled, Settlement, denied, refuse, settle, unknown_challenge,
    unknown_decision, void,
};
pub(crate) use delivery::{Delivery, claim, claim_keys, done, done_keys, put_off};
pub(crate) use retention::{remove_cap, remove_due};

#[cfg(test)]
mod tests;
