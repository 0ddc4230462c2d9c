//! Credentials that came before: what follows from their bytes is found out once. Keys that verified before.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::mem;

use serde_json::{Map, Value};

use crate::es256::PrecomputedKey;
use crate::jwk::PublicKey;
use crate::jws::Header;

/// Signatures that a key verifies before tables are made for it, which pay off with the second after that.
const TIMES: u8 = 3;
/// What a key weighs against credentials, which take four times their bytes: its tables, and before it has any.
const TABLES: usize = 1_024;
const COUNT: usize = 64;

/// Credentials whose signature was found good, so that the next presentation of one costs one signature less, and the keys of
/// issuers and holders that verified before, so that one more costs half.
///
/// Only what follows from a credential's bytes is kept: its claims as they were disclosed, and the key by which its signature
/// verifies. Whether that key is the issuer's, whether it counts now, and whether the credential has expired or was revoked is
/// asked anew each time. So a change of trust, of status or of the time needs nothing here, and it does not matter which
/// [`Verifier`](crate::Verifier) a memory is used with.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Bytes that each generation may have.
    room: usize,
    taken: usize,
    /// Credentials by the digest that a proof is over (`sd_hash`), keys by their thumbprint. Both are SHA-256, of texts that
    /// are never the same.
    young: BTreeMap<String, Known>,
    old: BTreeMap<String, Known>,
}

#[derive(Clone, Debug)]
enum Known {
    /// With the bytes of the credential.
    Credential(usize, Opened),
    /// A key, and how many signatures it verified so far.
    Key(u8),
    Precomputed(PrecomputedKey),
}

impl Known {
    fn weight(&self) -> usize {
        match self {
            Self::Credential(length, _) => *length,
            Self::Key(_) => COUNT,
            Self::Precomputed(_) => TABLES,
        }
    }
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
    /// about four times as much when it is kept, and a key that verified three times 4 KiB. What was not seen for longest
    /// goes first. Zero: nothing is remembered.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { room: bytes / 2, taken: 0, young: BTreeMap::new(), old: BTreeMap::new() }
    }

    /// What is known of a credential; it counts as seen.
    pub(crate) fn recall(&mut self, hash: &str) -> Option<Opened> {
        match self.seen(hash) {
            Some(Known::Credential(_, opened)) => Some(opened.clone()),
            _ => None,
        }
    }

    pub(crate) fn keep(&mut self, hash: &str, length: usize, opened: impl FnOnce() -> Opened) {
        if length <= self.room {
            self.put(hash, Known::Credential(length, opened()));
        }
    }

    /// [`PublicKey::verifies`], in half the time for a key that does so often.
    pub(crate) fn verifies(&mut self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let times = match self.seen(key.thumbprint()) {
            Some(Known::Precomputed(key)) => return key.verifies(message, signature),
            Some(Known::Key(times)) => *times,
            _ => 0,
        };
        let verifies = key.verifies(message, signature);
        if verifies && TABLES <= self.room {
            let known = match times + 1 {
                TIMES => Known::Precomputed(key.precomputed()),
                times => Known::Key(times),
            };
            self.put(key.thumbprint(), known);
        }
        verifies
    }

    /// What is there, which is as young from now on as what comes now.
    fn seen(&mut self, name: &str) -> Option<&Known> {
        if !self.young.contains_key(name) {
            let known = self.old.remove(name)?;
            self.put(name, known);
        }
        self.young.get(name)
    }

    fn put(&mut self, name: &str, known: Known) {
        let weight = known.weight();
        if self.taken.saturating_add(weight) > self.room {
            (self.old, self.taken) = (mem::take(&mut self.young), 0);
        }
        let before = self.young.insert(name.into(), known).map_or(0, |before| before.weight());
        self.taken = self.taken.saturating_sub(before).saturating_add(weight);
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
            assert!(memory.recall("0").is_some(), "seen after each");
        }
        assert!(memory.recall("1").is_none());
        assert!(memory.recall("4").is_some());
        memory.keep("large", 1_001, opened);
        assert!(memory.recall("large").is_none());
        assert!(memory.young.len() <= 2 && memory.old.len() <= 2);
        let mut none = Memory::new(0);
        none.keep("1", 1, opened);
        assert!(none.recall("1").is_none());
    }

    #[test]
    fn a_key_that_verifies_often_does_so_by_tables_and_no_other_verdict() {
        let key = Key::generate(&mut os_rng());
        let public = |key: &Key| PublicKey::from_jwk(key.jwk().as_object().expect("an object")).expect("a key");
        let (ours, other) = (public(&key), public(&Key::generate(&mut os_rng())));
        let sign = |message: &str| {
            let jws = key.sign_text("{}", message);
            let (signed, signature) = jws.rsplit_once('.').expect("a signature");
            (String::from(signed), crate::encoding::base64url(signature).expect("base64url"))
        };
        let mut memory = Memory::new(10_000);
        for number in 0..6 {
            let (signed, mut signature) = sign(&format!("{number}"));
            assert!(memory.verifies(&ours, signed.as_bytes(), &signature));
            assert!(!memory.verifies(&other, signed.as_bytes(), &signature));
            assert!(!memory.verifies(&ours, b"another", &signature));
            signature[40] ^= 1;
            assert!(!memory.verifies(&ours, signed.as_bytes(), &signature));
            assert!(!memory.verifies(&ours, signed.as_bytes(), &signature[..63]));
            let has_tables = matches!(memory.seen(ours.thumbprint()), Some(Known::Precomputed(_)));
            assert_eq!(has_tables, number >= 2, "after {} good ones", number + 1);
            assert_eq!(memory.taken, if has_tables { TABLES } else { COUNT });
        }
        assert!(memory.seen(other.thumbprint()).is_none(), "what never verified is not remembered");
        let mut small = Memory::new(2 * TABLES - 1);
        let (signed, signature) = sign("small");
        for _ in 0..4 {
            assert!(small.verifies(&ours, signed.as_bytes(), &signature));
        }
        assert!(small.young.is_empty() && small.old.is_empty());
    }
}
