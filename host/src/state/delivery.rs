//! What a merchant is to be told of its decisions: messages that wait until somebody took them.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::decision::Decision;
use crate::error::Error;
use crate::store::{Keys, Record, Rows, Table};

/// The last second of the year 9999, after which RFC 3339 has no times.
const LAST_SECOND: u64 = 253_402_300_799;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// The same whoever sends it, and how often.
    pub(crate) id: String,
    pub(crate) merchant: String,
    /// JSON, as it is sent.
    pub(crate) body: String,
    pub(crate) created: u64,
    /// Attempts that failed.
    pub(crate) failures: u32,
    /// When it is to be sent.
    pub(crate) due: u64,
}

impl Record for Delivery {
    const TABLE: Table = Table::Delivery;

    fn key(&self) -> &str {
        &self.id
    }

    fn due(&self) -> Option<u64> {
        Some(self.due)
    }
}

/// What happened to a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Made,
    Voided,
}

/// Puts down what the merchant is to be told: nothing that the holder disclosed, nor words for people.
pub(super) fn announce(rows: &mut Rows, event: Event, decision: &Decision, now: u64) -> Result<(), Error> {
    let (word, kind) = match event {
        Event::Made => ("made", "decision.made"),
        Event::Voided => ("voided", "decision.voided"),
    };
    let time = UNIX_EPOCH + Duration::from_secs(now.min(LAST_SECOND));
    let outcome = |name| decision.outcome.get(name);
    let body = json!({
        "type": kind,
        "timestamp": humantime::format_rfc3339_seconds(time).to_string(),
        "data": {
            "id": decision.id,
            "merchant": decision.merchant,
            "decision": outcome("decision"),
            "reason": outcome("reason"),
            "obligations": outcome("obligations"),
        },
    });
    rows.put(&Delivery {
        id: format!("{word}_{}", decision.id),
        merchant: decision.merchant.clone(),
        body: body.to_string(),
        created: now,
        failures: 0,
        due: now,
    })
}

/// What [`claim`] needs: at most so many messages.
pub(crate) fn claim_keys(now: u64, limit: u32) -> Keys {
    Keys::at(now).due(Table::Delivery, limit)
}

/// Takes messages that are due until then, so that nobody else sends them meanwhile. Those to merchants that are in `paused`
/// are put off until the time there. Says also how many were due.
pub(crate) fn claim(
    rows: &mut Rows,
    now: u64,
    limit: u32,
    until: u64,
    paused: &BTreeMap<String, u64>,
) -> Result<(Vec<Delivery>, usize), Error> {
    let mut due = rows.due::<Delivery>(None, now)?;
    due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let (mut claimed, found) = (Vec::new(), due.len());
    for delivery in due {
        match paused.get(&delivery.merchant).filter(|until| **until > now) {
            Some(until) => rows.put(&Delivery { due: *until, ..delivery })?,
            None => {
                let delivery = Delivery { due: until, ..delivery };
                rows.put(&delivery)?;
                claimed.push(delivery);
            }
        }
    }
    Ok((claimed, found))
}

/// What [`done`] and [`put_off`] need.
pub(crate) fn done_keys(delivery: &Delivery, now: u64) -> Keys {
    Keys::at(now).row(Table::Delivery, &delivery.id).due(Table::Delivery, 0)
}

/// Takes a message away.
pub(crate) fn done(rows: &mut Rows, delivery: &Delivery) {
    rows.delete(delivery);
}

/// Leaves a message that could not be delivered for later, unless somebody else has delivered it meanwhile.
pub(crate) fn put_off(rows: &mut Rows, delivery: &Delivery, due: u64) -> Result<(), Error> {
    match rows.get::<Delivery>(&delivery.id)? {
        None => Ok(()),
        Some(held) => rows.put(&Delivery { failures: held.failures.saturating_add(1), due, ..held }),
    }
}
