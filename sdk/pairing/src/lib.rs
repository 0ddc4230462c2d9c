//! The pairing of a band with a phone, as a state machine without clock, store or cryptography.
//!
//! [`apply`] is every change that a wallet provider's registry makes to a [`Device`]. Whoever calls it has verified the
//! signatures; what they prove comes in as [`Owner`] and [`Proof`]. It answers with the device as it is then, the
//! status entries that change with it, and what to audit, all of which belong into one transaction. Or it refuses with
//! a [`Code`], and nothing has changed.
//!
//! Sections named here are those of the band profile. `docs/pairing.md` has a diagram, and what each event does in each
//! state.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod apply;
mod code;
mod device;
mod event;

pub use apply::{OPENING_LIFETIME, Transition, VERIFICATION_MAX_AGE, apply};
pub use code::Code;
pub use device::{Credential, Device, MAX_EPOCH, Measure, Nonce, Opening, State, Status, StatusIndex, Thumbprint};
pub use event::{Authority, Event, Owner, Proof};
