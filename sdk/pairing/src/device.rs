//! What a registry knows of a band.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The greatest epoch: a greater integer is not exact in every JSON parser.
pub const MAX_EPOCH: u64 = (1 << 53) - 1;

/// RFC 7638 thumbprint (SHA-256) of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint(pub [u8; 32]);

/// 128 random bits, chosen by the registry for one opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; 16]);

/// Where a credential's status stands: which of the registry's lists, and the index in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusIndex {
    /// The registry's number for the list.
    pub list: u32,
    /// `idx` in the list.
    pub idx: u32,
}

/// What a status list says of a credential (profile, Credential: `status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// 0.
    Valid = 0,
    /// 1, for good.
    Deactivated = 1,
    /// 2: reported lost.
    Suspended = 2,
}

/// What a band's maker attests that it senses (profile, Credential: `band_measures`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// `wear`.
    Wear,
    /// `unlock`.
    Unlock,
    /// `confirm`.
    Confirm,
    /// `distance`.
    Distance,
}

/// A credential of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credential {
    /// Never that of another credential.
    pub index: StatusIndex,
    /// The pairing's when it was issued.
    pub epoch: u64,
    /// What the status list has to say.
    pub status: Status,
}

/// A pairing that its owner opened and that no phone has taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opening {
    /// What phone and band have to sign.
    pub nonce: Nonce,
    /// The last second at which it can be taken up, since 1970 (UTC).
    pub expires: u64,
}

/// A band: the device, known by its own key and not by its credentials' (profile, Pairing).
///
/// A row of a store. [`apply`](crate::apply) makes and changes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    /// The band's own key.
    pub band: Thumbprint,
    /// The owner's account key.
    pub owner: Thumbprint,
    /// What an attestation said when it was enrolled; empty without one.
    pub measures: BTreeSet<Measure>,
    /// The phone that it is paired with.
    pub phone: Option<Thumbprint>,
    /// The newest pairing's; 0 before the first.
    pub epoch: u64,
    /// Reported lost, and neither found nor deactivated since.
    pub lost: bool,
    /// Of an unpaired device a first pairing or one anew, of a paired one the change of its phone.
    pub opening: Option<Opening>,
    /// All that were ever issued, in that order.
    pub credentials: Vec<Credential>,
}

impl Device {
    /// Which of the states of `docs/pairing.md` it is in.
    #[must_use]
    pub const fn state(&self) -> State {
        match (self.lost, self.phone.is_some(), self.opening.is_some()) {
            (true, true, _) => State::Lost,
            (true, false, _) => State::LostUnpaired,
            (false, true, true) => State::Changing,
            (false, true, false) => State::Paired,
            (false, false, true) => State::Opened,
            (false, false, false) => State::Unpaired,
        }
    }
}

/// The states of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Paired with no phone: never yet, or deactivated.
    Unpaired,
    /// Unpaired, and its owner has opened a pairing.
    Opened,
    /// Paired with one phone.
    Paired,
    /// Paired, and its owner has opened the change to another phone.
    Changing,
    /// Paired, and reported lost.
    Lost,
    /// Unpaired, and reported lost.
    LostUnpaired,
}
