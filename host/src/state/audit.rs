//! The audit chain: each entry's hash covers the one before, so that none can be changed, added or taken away inside it.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::runtime::digest;
use crate::store::{AuditEntry, Record, Rows, Table};

/// What the first entry's hash covers in place of an entry before.
pub(crate) const GENESIS: &str = "";

/// The newest entry of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chain {
    pub(crate) name: String,
    pub(crate) seq: u64,
    pub(crate) hash: String,
}

impl Record for Chain {
    const TABLE: Table = Table::Chain;

    fn key(&self) -> &str {
        &self.name
    }
}

/// Where an entry stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    pub(crate) chain: String,
    pub(crate) seq: u64,
    pub(crate) hash: String,
}

/// SHA-256 over the hash before, a line feed and the entry, in hexadecimal.
pub(crate) fn entry_hash(before: &str, entry: &str) -> String {
    digest(format!("{before}\n{entry}").as_bytes())
}

#[derive(Serialize)]
struct Entry<'e, W> {
    seq: u64,
    at: u64,
    kind: &'e str,
    #[serde(flatten)]
    what: &'e W,
}

/// Appends what happened: an object, to which `seq`, `at` and `kind` are added.
pub(crate) fn append(
    rows: &mut Rows,
    chain: &str,
    at: u64,
    kind: &str,
    what: &impl Serialize,
) -> Result<Position, Error> {
    let head = rows.get::<Chain>(chain)?;
    let (seq, before) = head.map_or((0, GENESIS.to_owned()), |head| (head.seq, head.hash));
    let seq = seq.checked_add(1).ok_or_else(|| Error::host(Code::HostStore, "the audit chain is full"))?;
    let entry = serde_json::to_string(&Entry { seq, at, kind, what });
    let entry = entry.map_err(|error| Error::host(Code::HostStore, error))?;
    let hash = entry_hash(&before, &entry);
    rows.put(&Chain { name: chain.into(), seq, hash: hash.clone() })?;
    rows.append(AuditEntry { chain: chain.into(), seq, entry, hash: hash.clone() });
    Ok(Position { chain: chain.into(), seq, hash })
}
