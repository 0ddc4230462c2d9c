//! Whether the audit chains of a store are whole.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::error::{Code, Error};
use crate::sign::{CHECKPOINT, RECEIPT};
use crate::state::{Chain, GENESIS, Position, entry_hash};
use crate::store::{AuditEntry, AuditPage, Keys, Store, Table};

/// Entries that are read at once.
const PAGE: u32 = 1_000;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct AuditReport {
    /// How many entries each chain has.
    pub entries: BTreeMap<String, u64>,
    /// Checkpoints and receipts that were held against the chains.
    pub anchors: usize,
    /// What is wrong; nothing, if all is whole. Of each chain the first place.
    pub findings: Vec<AuditFinding>,
}

/// Something that is wrong with a chain.
#[derive(Clone, Debug)]
pub struct AuditFinding {
    /// The chain, if it is known.
    pub chain: Option<String>,
    /// Number of the entry, counted from 1.
    pub seq: u64,
    /// `audit.changed`, `audit.gap`, `audit.cut`, `audit.rewritten` or `audit.signature`.
    pub error: Error,
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.chain {
            Some(chain) => write!(f, "{}; chain `{chain}`, entry {}", self.error, self.seq),
            None => write!(f, "{}", self.error),
        }
    }
}

/// A place in a chain that somebody signed and kept outside of the store.
struct Anchor {
    what: &'static str,
    position: Position,
}

/// Holds every chain of a store against itself, and against checkpoints and receipts, which one of the keys must have signed.
///
/// Who can write to the store can cut a chain's end off, its head included: that shows only against a checkpoint or a
/// receipt that was made after the cut's place.
///
/// # Errors
/// `host.store`, if the store can't be read.
pub async fn verify_audit(
    store: &Store,
    keys: &[Value],
    checkpoints: &[String],
    receipts: &[String],
) -> Result<AuditReport, Error> {
    let mut report = AuditReport::default();
    let mut anchors = Vec::new();
    let signed = checkpoints.iter().map(|jws| ("a checkpoint", CHECKPOINT, jws));
    for (what, typ, jws) in signed.chain(receipts.iter().map(|jws| ("a receipt", RECEIPT, jws))) {
        let signed = keys.iter().find_map(|key| bandpass_core::verify_jws(jws, key, typ).ok());
        let position = signed.and_then(|payload| position(&payload));
        match position {
            Some(position) => anchors.push(Anchor { what, position }),
            None => report.findings.push(AuditFinding {
                chain: None,
                seq: 0,
                error: Error::host(Code::AuditSignature, format!("{what} was signed by none of the host's keys")),
            }),
        }
    }
    report.anchors = anchors.len();
    let heads = store.transact(Keys::at(0).whole(Table::Chain), |rows| rows.all::<Chain>()).await?;
    let mut chains = heads.into_iter().map(|head| (head.name.clone(), Some(head))).collect::<BTreeMap<_, _>>();
    for anchor in &anchors {
        chains.entry(anchor.position.chain.clone()).or_insert(None);
    }
    for (name, head) in chains {
        let of_chain = anchors.iter().filter(|anchor| anchor.position.chain == name).collect::<Vec<_>>();
        let (entries, finding) = verify_chain(store, &name, head.as_ref(), &of_chain).await?;
        report.entries.insert(name.clone(), entries);
        report.findings.extend(finding.map(|(seq, error)| AuditFinding { chain: Some(name), seq, error }));
    }
    Ok(report)
}

fn position(payload: &Map<String, Value>) -> Option<Position> {
    serde_json::from_value(payload.get("audit")?.clone()).ok()
}

/// How many entries there are, and the first place where something is wrong.
async fn verify_chain(
    store: &Store,
    name: &str,
    head: Option<&Chain>,
    anchors: &[&Anchor],
) -> Result<(u64, Option<(u64, Error)>), Error> {
    let (mut seq, mut hash) = (0, GENESIS.to_owned());
    loop {
        let page = AuditPage { chain: name.into(), after: seq, limit: PAGE };
        let keys = Keys::at(0).page(page.clone()).row(Table::Chain, name);
        let entries = store.transact(keys, move |rows| Ok(rows.page(&page))).await?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            let next = seq + 1;
            if let Err(error) = follows(&entry, next, &hash) {
                return Ok((seq, Some((next, error))));
            }
            (seq, hash) = (next, entry.hash);
            let at_odds = anchors.iter().find(|anchor| anchor.position.seq == seq && anchor.position.hash != hash);
            if let Some(anchor) = at_odds {
                let why = format!("{} says otherwise: the chain was written anew", anchor.what);
                return Ok((seq, Some((seq, Error::host(Code::AuditRewritten, why)))));
            }
        }
    }
    let finding = match (head, anchors.iter().find(|anchor| anchor.position.seq > seq)) {
        (_, Some(anchor)) => {
            let why = format!("{} names entry {}, which is gone", anchor.what, anchor.position.seq);
            Some((seq + 1, Error::host(Code::AuditCut, why)))
        }
        (Some(head), None) if head.seq > seq => {
            Some((seq + 1, Error::host(Code::AuditCut, format!("the chain had {} entries", head.seq))))
        }
        (Some(head), None) if head.seq != seq || head.hash != hash => {
            Some((seq, Error::host(Code::AuditChanged, "the chain's head is another entry's")))
        }
        (None | Some(_), None) => None,
    };
    Ok((seq, finding))
}

fn follows(entry: &AuditEntry, seq: u64, before: &str) -> Result<(), Error> {
    if entry.seq != seq {
        return Err(Error::host(Code::AuditGap, format!("entry {seq} is missing")));
    }
    let says = serde_json::from_str::<Value>(&entry.entry).ok().and_then(|entry| entry.get("seq")?.as_u64());
    match says == Some(seq) && entry_hash(before, &entry.entry) == entry.hash {
        true => Ok(()),
        false => Err(Error::host(Code::AuditChanged, "the entry is not what was written")),
    }
}
