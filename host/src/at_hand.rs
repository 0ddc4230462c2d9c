//! Challenges as this host handed them out, each until its first answer. What became of one since is in the store only.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::state::{Challenge, Issued};

/// How many, and their bytes. Whatever goes is read from the store.
const MOST: usize = 10_000;
const BYTES: u64 = 16 << 20;

pub(crate) struct AtHand(Cache<String, Arc<Challenge>, Bytes>);

impl AtHand {
    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(MOST, BYTES, Bytes))
    }

    /// A challenge that was put down.
    pub(crate) fn put(&self, challenge: Arc<Challenge>) {
        self.0.insert(challenge.id.clone(), challenge);
    }

    /// The challenge, if it is there and can still be answered. It is not there again.
    pub(crate) fn take(&self, id: &str, now: u64) -> Option<Arc<Challenge>> {
        let (_, challenge) = self.0.remove(id)?;
        challenge.is_open(now).is_ok().then_some(challenge)
    }
}

/// Weighs challenges by their texts, whose length only the merchant's policies bound.
#[derive(Clone)]
struct Bytes;

impl Weighter<String, Arc<Challenge>> for Bytes {
    fn weight(&self, _: &String, challenge: &Arc<Challenge>) -> u64 {
        let Issued { audience, dcql, transaction_data, policies, context, .. } = &challenge.issued;
        let texts = audience.iter().chain(transaction_data).chain(policies.iter().map(|policy| &policy.settings));
        let bytes = texts.chain([dcql, context]).map(String::len).sum::<usize>();
        // The rest is short.
        u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(500)
    }
}
