//! Removing what nobody needs any more.

use super::caps::{Cap, Reservation};
use crate::error::Error;
use crate::store::{Record, Rows};

/// Removes the rows that are due and were asked for. Says how many.
pub(crate) fn remove_due<R: Record>(rows: &mut Rows, before: u64) -> Result<usize, Error> {
    let due = rows.due::<R>(None, before)?;
    for row in &due {
        rows.delete(row);
    }
    Ok(due.len())
}

/// Removes a cap of which nothing counts any more since then, and what was taken from it. Whether there was one.
pub(crate) fn remove_cap(rows: &mut Rows, id: &str, before: u64) -> Result<bool, Error> {
    let lapsed = rows.due::<Reservation>(Some(id), before)?;
    let Some(mut cap) = rows.get::<Cap>(id)?.filter(|cap| cap.until <= before) else { return Ok(false) };
    for reservation in lapsed {
        cap.taken = cap.taken.saturating_sub(reservation.quantity);
        rows.delete(&reservation);
    }
    match cap.taken.is_zero() {
        true => rows.delete(&cap),
        false => rows.put(&cap)?,
    }
    Ok(cap.taken.is_zero())
}
