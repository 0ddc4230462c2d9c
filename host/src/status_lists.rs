//! Status list tokens that a verifier took in, for verifiers that come after it.

use std::sync::Arc;

use crate::bindings::sdk::exports::bandpass::sdk::setup::StatusListInfo;

/// The newest status list token of each `uri` and issuer, in the order in which they came. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatusLists {
    lists: Vec<StatusListToken>,
    /// Tokens that were ever added.
    added: u64,
}

/// A status list token that was taken in.
#[derive(Clone, Debug)]
pub(crate) struct StatusListToken {
    uri: String,
    /// Those whose credentials' status the verifier reads from it.
    issuers: Vec<String>,
    issued_at: u64,
    pub(crate) token: Arc<[u8]>,
    /// Seconds since 1970.
    pub(crate) taken_in: u64,
    /// Counts those that came before it.
    pub(crate) number: u64,
}

impl StatusLists {
    /// Adds one in place of these issuers' earlier ones, as the verifier does: two issuers may publish at one `uri`.
    pub(crate) fn add(&mut self, list: StatusListToken) {
        for earlier in self.lists.iter_mut().filter(|earlier| earlier.uri == list.uri) {
            earlier.issuers.retain(|issuer| !list.issuers.contains(issuer));
        }
        self.lists.retain(|list| !list.issuers.is_empty());
        self.added = self.added.saturating_add(1);
        self.lists.push(StatusListToken { number: self.added, ..list });
    }

    /// In the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &StatusListToken> {
        self.lists.iter()
    }

    /// The number of the one that came last.
    pub(crate) fn newest(&self) -> u64 {
        self.added
    }
}

impl StatusListToken {
    pub(crate) fn new(info: &StatusListInfo, token: Arc<[u8]>, taken_in: u64) -> Self {
        let StatusListInfo { uri, issued_at, issuers, .. } = info.clone();
        Self { uri, issuers, issued_at, token, taken_in, number: 0 }
    }

    /// Whether it is the token that says this of itself.
    pub(crate) fn is(&self, info: &StatusListInfo) -> bool {
        self.uri == info.uri && self.issued_at == info.issued_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(lists: &mut StatusLists, uri: &str, issuers: &[&str]) -> u64 {
        let issuers = issuers.iter().map(ToString::to_string).collect();
        let info = StatusListInfo { uri: uri.into(), issued_at: 1, expires: None, ttl: None, issuers };
        lists.add(StatusListToken::new(&info, Arc::from(&b"token"[..]), 1));
        lists.iter().last().expect("there").number
    }

    #[test]
    fn two_issuers_keep_theirs_at_one_uri() {
        let mut lists = StatusLists::default();
        add(&mut lists, "u", &["a"]);
        add(&mut lists, "u", &["b"]);
        add(&mut lists, "v", &["a"]);
        assert_eq!(lists.iter().count(), 3);
        assert_eq!(add(&mut lists, "u", &["a"]), 4);
        assert_eq!((lists.iter().count(), lists.newest()), (3, 4));
        assert_eq!(lists.iter().last().expect("there").issuers, ["a"]);
    }

    #[test]
    fn a_list_of_two_stays_for_one_of_them() {
        let mut lists = StatusLists::default();
        add(&mut lists, "u", &["a", "b"]);
        add(&mut lists, "u", &["a"]);
        assert_eq!(lists.iter().map(|list| list.issuers.len()).collect::<Vec<_>>(), [1, 1]);
        add(&mut lists, "u", &["a", "b"]);
        assert_eq!(lists.iter().count(), 1);
    }
}
