//! Caps: what was taken from each over its window. A reservation counts at once; it goes when it is released, when nobody
//! decided in time, or when the window has passed over it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::{Keys, Record, Rows, Table};

/// What a cap is filled with at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cap {
    /// Digest of merchant, scope, holder, name and unit.
    pub(crate) id: String,
    /// For whoever looks into the store.
    pub(crate) merchant: String,
    pub(crate) name: String,
    pub(crate) taken: Decimal,
    /// When the last of it no longer counts.
    #[serde(default)]
    pub(crate) until: u64,
}

impl Record for Cap {
    const TABLE: Table = Table::Cap;

    fn key(&self) -> &str {
        &self.id
    }

    fn due(&self) -> Option<u64> {
        Some(self.until)
    }
}

/// A part of what a cap is filled with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reservation {
    id: String,
    cap: String,
    pub(super) quantity: Decimal,
    /// When it was taken, and for how many seconds it counts from then on.
    at: u64,
    window: u32,
    /// When it no longer counts: soon, unless an allow commits it.
    until: u64,
}

impl Record for Reservation {
    const TABLE: Table = Table::Reservation;

    fn key(&self) -> &str {
        &self.id
    }

    fn parent(&self) -> Option<&str> {
        Some(&self.cap)
    }

    fn due(&self) -> Option<u64> {
        Some(self.until)
    }
}

/// Names a reservation and its cap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) cap: String,
    pub(crate) id: String,
}

/// The rows of these reservations.
pub(crate) fn keys_of(keys: Keys, held: &[Held]) -> Keys {
    held.iter().fold(keys, |keys, Held { cap, id }| keys.row(Table::Cap, cap).row(Table::Reservation, id))
}

/// What is to be taken from a cap.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) id: String,
    /// With `taken` at zero.
    pub(crate) cap: Cap,
    pub(crate) quantity: Decimal,
    pub(crate) limit: Decimal,
    pub(crate) window: u32,
    pub(crate) now: u64,
    /// When it lapses unless a decision commits it.
    pub(crate) lapses: u64,
}

/// What is left below the cap, and whether something was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    Taken { remaining: Decimal },
    Exceeded { remaining: Decimal },
}

/// Takes a quantity, or nothing if that would pass the limit.
pub(crate) fn reserve(rows: &mut Rows, take: Take) -> Result<Reserved, Error> {
    let Take { id, cap, quantity, limit, window, now, lapses } = take;
    let mut cap = rows.get::<Cap>(&cap.id)?.unwrap_or(cap);
    for gone in rows.due::<Reservation>(Some(&cap.id), now)? {
        cap.taken = cap.taken.saturating_sub(gone.quantity);
        rows.delete(&gone);
    }
    let after = cap.taken.checked_add(quantity).filter(|after| *after <= limit);
    let reserved = match after {
        Some(after) => {
            cap.taken = after;
            cap.until = cap.until.max(lapses).max(now.saturating_add(window.into()));
            rows.put(&Reservation { id, cap: cap.id.clone(), quantity, at: now, window, until: lapses })?;
            Reserved::Taken { remaining: limit.saturating_sub(after) }
        }
        None => Reserved::Exceeded { remaining: limit.saturating_sub(cap.taken).max(Decimal::ZERO) },
    };
    rows.put(&cap)?;
    Ok(reserved)
}

/// Whether all are still held: one that lapsed may have been given to somebody else.
pub(super) fn all_held(rows: &Rows, held: &[Held], now: u64) -> Result<bool, Error> {
    for Held { id, .. } in held {
        if rows.get::<Reservation>(id)?.is_none_or(|reservation| reservation.until <= now) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes reservations count for their windows.
pub(super) fn commit(rows: &mut Rows, held: &[Held]) -> Result<(), Error> {
    for Held { id, .. } in held {
        if let Some(reservation) = rows.get::<Reservation>(id)? {
            let until = reservation.at.saturating_add(reservation.window.into());
            rows.put(&Reservation { until, ..reservation })?;
        }
    }
    Ok(())
}

/// Gives back what is still held.
pub(crate) fn release(rows: &mut Rows, held: &[Held]) -> Result<(), Error> {
    for Held { cap, id } in held {
        let (reservation, cap) = (rows.get::<Reservation>(id)?, rows.get::<Cap>(cap)?);
        if let (Some(reservation), Some(mut cap)) = (reservation, cap) {
            cap.taken = cap.taken.saturating_sub(reservation.quantity);
            rows.put(&cap)?;
            rows.delete(&reservation);
        }
    }
    Ok(())
}
