//! What happens to a device, and who has to have signed it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::device::{Measure, Nonce, StatusIndex, Thumbprint};

/// An account's key signed this request. The caller has verified it, and that it is not a request seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The account key.
    pub key: Thumbprint,
    /// When the account's user was last verified, by the registry's clock; `None` if they were not.
    pub verified_at: Option<u64>,
}

/// A key signed this request, and in it the key of another party. The caller has verified it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Proof {
    /// The key that signed.
    pub by: Thumbprint,
    /// The key that it named.
    pub naming: Thumbprint,
}

/// Something that is to happen to a device (profile, Pairing).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// An account takes a new band.
    Enrol {
        /// Whose it will be.
        owner: Owner,
        /// By the band's key, naming the account's: its proof of possession.
        band: Proof,
        /// What a verified attestation says; empty without one.
        measures: BTreeSet<Measure>,
    },
    /// The owner opens a pairing: the first, or one anew after deactivation. It takes the place of an earlier opening.
    Open {
        /// The owner, freshly verified.
        owner: Owner,
        /// The registry's.
        nonce: Nonce,
    },
    /// The owner opens the change to another phone, or a new pairing with the same one. The old one holds until then.
    ChangePhone {
        /// The owner, freshly verified.
        owner: Owner,
        /// The registry's.
        nonce: Nonce,
    },
    /// A phone takes up what was opened.
    Pair {
        /// What both signed.
        nonce: Nonce,
        /// By the phone's key, naming the band's.
        phone: Proof,
        /// By the band's key, naming the phone's.
        band: Proof,
    },
    /// A batch of credentials, the first or a renewal.
    Issue {
        /// What both signed, with the keys of the batch: else a phone alone could have keys of its own certified as a
        /// band's.
        epoch: u64,
        /// By the phone's key, naming the band's.
        phone: Proof,
        /// By the band's key, naming the phone's.
        band: Proof,
        /// One for each credential, new in all of the registry's lists.
        indices: Vec<StatusIndex>,
    },
    /// The owner reports the band lost. No fresh verification is asked for: it can only take away.
    LostByOwner(Owner),
    /// The paired phone, by its key, reports the band lost.
    LostByPhone(Thumbprint),
    /// The owner, freshly verified, has it back.
    Found(Owner),
    /// The owner, freshly verified, ends the pairing for good, and whatever was opened.
    Deactivate(Owner),
}

impl Event {
    /// What an audit calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Enrol { .. } => "enrol",
            Self::Open { .. } => "open",
            Self::ChangePhone { .. } => "change-phone",
            Self::Pair { .. } => "pair",
            Self::Issue { .. } => "issue",
            Self::LostByOwner(_) | Self::LostByPhone(_) => "lost",
            Self::Found(_) => "found",
            Self::Deactivate(_) => "deactivate",
        }
    }

    /// By whose signature it happens.
    #[must_use]
    pub const fn authority(&self) -> Authority {
        match self {
            Self::Enrol { owner, .. }
            | Self::Open { owner, .. }
            | Self::ChangePhone { owner, .. }
            | Self::LostByOwner(owner)
            | Self::Found(owner)
            | Self::Deactivate(owner) => Authority::Owner(owner.key),
            Self::Pair { phone, .. } | Self::Issue { phone, .. } => Authority::PhoneAndBand(phone.by),
            Self::LostByPhone(phone) => Authority::Phone(*phone),
        }
    }
}

/// By whose signature something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authority {
    /// The owner's account key.
    Owner(Thumbprint),
    /// This phone's key alone.
    Phone(Thumbprint),
    /// This phone's key and the band's.
    PhoneAndBand(Thumbprint),
}
