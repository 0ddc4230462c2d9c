//! What the registry does to its rows: functions over rows, without clock, randomness or database.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use bandpass_pairing::{Authority, Device, Event, Proof, Status, StatusIndex, Transition, apply};
use serde_json::{Map, Value};

use super::rows::{Account, Band, StatusListRow, StatusPart, Ticket, TicketKind, text};
use crate::error::{Code, Error};
use crate::state::append;
use crate::store::{Keys, Rows, Table};

/// Credentials of a band that have not expired, at most: its row and its lists are to stay small.
const MAX_CREDENTIALS: usize = 1_000;

/// Rows that a change of this band writes; they have to be named before. `device`: as it was a moment ago.
pub(crate) fn keys_of(moment: &Moment, band: &str, device: Option<&Device>, more: &[StatusIndex]) -> Keys {
    let keys = Keys::at(moment.now).row(Table::Band, band).row(Table::Chain, &moment.chain);
    let credentials = device.into_iter().flat_map(|device| &device.credentials).map(|credential| credential.index);
    let indices = credentials.chain(more.iter().copied());
    indices.fold(keys, |keys, index| {
        keys.row(Table::StatusList, StatusListRow::key_of(index.list)).row(Table::StatusPart, StatusPart::key_of(index))
    })
}

/// A device, as a change finds it.
pub(crate) enum Found {
    /// It is so, or not there.
    Known(Option<Device>),
    /// A change takes rows that were not named, since the device changed meanwhile.
    Changed,
}

/// When and where something changes.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) now: u64,
    /// The audit chain.
    pub(crate) chain: String,
    /// When credentials that are issued now have expired for everybody.
    pub(crate) expires: u64,
}

/// The device as it is now.
pub(crate) fn device(rows: &Rows, band: &str, now: u64) -> Result<Found, Error> {
    let device = rows.get::<Band>(band)?.map(|row| row.device(now)).transpose()?;
    let named = |device: &Device| {
        device.credentials.iter().all(|credential| rows.has(Table::StatusPart, &StatusPart::key_of(credential.index)))
    };
    Ok(match device {
        Some(device) if !named(&device) => Found::Changed,
        device => Found::Known(device),
    })
}

/// Applies an event, and writes what follows from it: the band, statuses, the audit entry.
pub(crate) fn change(
    rows: &mut Rows,
    moment: &Moment,
    device: Option<&Device>,
    event: &Event,
) -> Result<Transition, Error> {
    let transition = apply(device, event, moment.now)?;
    let before = rows.get::<Band>(&text(transition.device.band))?;
    rows.put(&Band::new(&transition.device, before.as_ref(), moment.expires))?;
    let mut lists = BTreeSet::new();
    for (index, status) in &transition.statuses {
        let mut part = rows.get::<StatusPart>(&StatusPart::key_of(*index))?;
        part.get_or_insert_with(|| StatusPart::new(*index)).set(index.idx, *status);
        part.iter().try_for_each(|part| rows.put(part))?;
        // A credential that is new is valid, as its entry was before.
        if !matches!((event, status), (Event::Issue { .. }, Status::Valid)) {
            lists.insert(index.list);
        }
    }
    for list in lists {
        if let Some(mut list) = rows.get::<StatusListRow>(&StatusListRow::key_of(list))? {
            list.changes = list.changes.saturating_add(1);
            rows.put(&list)?;
        }
    }
    let (role, key) = match transition.authority {
        Authority::Owner(key) => ("owner", key),
        Authority::Phone(key) => ("phone", key),
        Authority::PhoneAndBand(key) => ("phone and band", key),
    };
    let mut what = Map::new();
    for (name, value) in [("band", text(transition.device.band)), ("by", role.into()), ("key", text(key))] {
        what.insert(name.into(), value.into());
    }
    what.insert("epoch".into(), transition.device.epoch.into());
    if let Some(phone) = transition.device.phone {
        what.insert("phone".into(), text(phone).into());
    }
    if let Event::Issue { indices, .. } = event {
        what.insert("credentials".into(), indices.len().into());
    }
    append(rows, &moment.chain, moment.now, transition.event, &what)?;
    Ok(transition)
}

/// What both keys of a batch signed.
pub(crate) struct Batch {
    pub(crate) epoch: u64,
    pub(crate) phone: Proof,
    pub(crate) band: Proof,
    pub(crate) count: usize,
    /// Of the registry, for this batch.
    pub(crate) nonce: String,
}

/// Issues a batch: takes its indices from `candidates`, which are of one list. `None` if too few of them are free.
pub(crate) fn issue(
    rows: &mut Rows,
    moment: &Moment,
    device: Option<&Device>,
    batch: &Batch,
    list: StatusListRow,
    candidates: &[StatusIndex],
) -> Result<Option<(Transition, Vec<StatusIndex>)>, Error> {
    if device.is_some_and(|device| device.credentials.len().saturating_add(batch.count) > MAX_CREDENTIALS) {
        let why = format!("a band has at most {MAX_CREDENTIALS} credentials that have not expired");
        return Err(Error::host(Code::IssueLimit, why));
    }
    let (mut parts, mut indices) = (BTreeMap::new(), Vec::new());
    for index in candidates {
        let key = StatusPart::key_of(*index);
        let part = match parts.entry(key.clone()) {
            Entry::Occupied(part) => part.into_mut(),
            Entry::Vacant(place) => {
                place.insert(rows.get::<StatusPart>(&key)?.unwrap_or_else(|| StatusPart::new(*index)))
            }
        };
        if indices.len() < batch.count && part.give(index.idx) {
            indices.push(*index);
        }
    }
    if indices.len() < batch.count {
        return Ok(None);
    }
    use_nonce(rows, &batch.nonce, moment.now)?;
    parts.values().try_for_each(|part| rows.put(part))?;
    let mut list = rows.get::<StatusListRow>(&StatusListRow::key_of(list.number))?.unwrap_or(list);
    list.given = list.given.saturating_add(u32::try_from(indices.len()).unwrap_or(u32::MAX));
    rows.put(&list)?;
    let &Batch { epoch, phone, band, .. } = batch;
    let event = Event::Issue { epoch, phone, band, indices: indices.clone() };
    change(rows, moment, device, &event).map(|transition| Some((transition, indices)))
}

/// Puts a new account down.
///
/// # Errors
/// `account.known`.
pub(crate) fn add_account(rows: &mut Rows, chain: &str, account: &Account) -> Result<(), Error> {
    if rows.get::<Account>(&account.key)?.is_some() {
        return Err(Error::host(Code::AccountKnown, "there is an account with this key already"));
    }
    rows.put(account)?;
    let mut what = Map::new();
    what.insert("key".into(), Value::from(account.key.as_str()));
    append(rows, chain, account.created, "account", &what).map(drop)
}

/// The account with this key.
///
/// # Errors
/// `account.unknown`.
pub(crate) fn account(rows: &Rows, key: &str) -> Result<Account, Error> {
    let unknown = || Error::host(Code::AccountUnknown, "there is no account with this key");
    rows.get::<Account>(key)?.ok_or_else(unknown)
}

/// The ticket of a secret, if it is there and its time is not over.
pub(crate) fn ticket(rows: &Rows, secret: &str, now: u64) -> Result<Option<Ticket>, Error> {
    Ok(rows.get::<Ticket>(&Ticket::key_of(secret))?.filter(|ticket| now < ticket.expires))
}

/// Uses the nonce of a batch up.
///
/// # Errors
/// `proof.nonce`.
fn use_nonce(rows: &mut Rows, nonce: &str, now: u64) -> Result<(), Error> {
    match ticket(rows, nonce, now)? {
        Some(ticket) if ticket.is == TicketKind::Nonce => {
            rows.delete(&ticket);
            Ok(())
        }
        _ => Err(Error::host(Code::ProofNonce, "the nonce is unknown, has expired or was used")),
    }
}
