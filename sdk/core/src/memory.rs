//! Credentials that came before: what follows from their bytes is found out once.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::mem;

use serde_json::{Map, Value};

use crate::jwk::PublicKey;
use crate::jws::Header;

/// Credentials whose signature was found good, so that the next presentation of one costs one signature less.
///
/// Only what follows from a credential's bytes is kept: its claims as they were disclosed, and the key by which its signature
/// verifies. Whether that key is the issuer's, whether it counts now, and whether the credential has expired or was revoked is
/// asked anew each time. So a change of trust, of status or of the time needs nothing here, and it does not matter which
/// [`Verifier`](crate::Verifier) a memory is used with.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Bytes of credentials that each generation may have.
    room: usize,
    taken: usize,
    /// By the digest that a proof is over (`sd_hash`).
    young: BTreeMap<String, Opened>,
    old: BTreeMap<String, Opened>,
}

/// What follows from the bytes of a credential with its disclosures.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) header: Header,
    /// With what was disclosed in its place.
    pub(crate) claims: Map<String, Value>,
    /// It verifies the signature.
    pub(crate) key: PublicKey,
}

impl Memory {
    /// Bytes for a verifier that serves many: some hundred bands.
    pub const DEFAULT_BYTES: usize = 256 * 1024;

    /// A memory for so many bytes of credentials with their disclosures, as they are sent; one has some 2,000, and takes
    /// about four times as much when it is kept. What was not seen for longest goes first. Zero: nothing is remembered.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { room: bytes / 2, taken: 0, young: BTreeMap::new(), old: BTreeMap::new() }
    }

    /// What is known of a credential; it counts as seen.
    pub(crate) fn recall(&mut self, hash: &str, length: usize) -> Option<Opened> {
        if let Some(opened) = self.old.remove(hash) {
            self.keep(hash, length, || opened);
        }
        self.young.get(hash).cloned()
    }

    pub(crate) fn keep(&mut self, hash: &str, length: usize, opened: impl FnOnce() -> Opened) {
        if length > self.room {
            return;
        }
        if self.taken.saturating_add(length) > self.room {
            (self.old, self.taken) = (mem::take(&mut self.young), 0);
        }
        if self.young.insert(hash.into(), opened()).is_none() {
            self.taken = self.taken.saturating_add(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use bandpass_roles::{Key, os_rng};

    use super::*;

    #[test]
    fn what_was_not_seen_for_longest_goes_first() {
        let jwk = Key::generate(&mut os_rng()).jwk();
        let key = PublicKey::from_jwk(jwk.as_object().expect("an object")).expect("a key");
        let opened = || Opened { header: Header::default(), claims: Map::new(), key: key.clone() };
        let mut memory = Memory::new(2_000);
        for number in 0..5 {
            memory.keep(&format!("{number}"), 400, opened);
            assert!(memory.recall("0", 400).is_some(), "seen after each");
        }
        assert!(memory.recall("1", 400).is_none());
        assert!(memory.recall("4", 400).is_some());
        memory.keep("large", 1_001, opened);
        assert!(memory.recall("large", 1_001).is_none());
        assert!(memory.young.len() <= 2 && memory.old.len() <= 2);
        let mut none = Memory::new(0);
        none.keep("1", 1, opened);
        assert!(none.recall("1", 1).is_none());
    }
}
