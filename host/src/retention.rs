//! Removing decisions that are old.

use crate::error::Error;
use crate::state::{Allowed, Cap, Decision, remove_cap, remove_due};
use crate::store::{Keys, Record, Store, Table};

/// Rows that are removed in a transaction, so that nobody waits long for it.
const BATCH: u32 = 200;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Decisions: they can't be asked for or taken back any more.
    pub decisions: usize,
    /// Transactions that were allowed: their `transaction_id` could be allowed again.
    pub transactions: usize,
    /// Caps of which nothing counts any more.
    pub caps: usize,
}

impl Store {
    /// Removes what is at least as old as `before` (seconds since 1970): decisions, transactions that were allowed, and caps from
    /// which nothing was taken since that still counts. The audit chain stays whole. Others may use the store meanwhile. For a
    /// thread without an executor.
    ///
    /// # Errors
    /// `host.store`; what was removed until then stays removed.
    pub fn prune(&self, before: u64) -> Result<Pruned, Error> {
        Ok(Pruned {
            decisions: self.prune_all::<Decision>(before)?,
            transactions: self.prune_all::<Allowed>(before)?,
            caps: self.prune_caps(before)?,
        })
    }

    fn prune_all<R: Record>(&self, before: u64) -> Result<usize, Error> {
        let mut all = 0;
        loop {
            let keys = Keys::at(before).due(R::TABLE, BATCH);
            match self.transact_blocking(keys, move |rows| remove_due::<R>(rows, before))? {
                0 => return Ok(all),
                removed => all += removed,
            }
        }
    }

    fn prune_caps(&self, before: u64) -> Result<usize, Error> {
        let mut all = 0;
        loop {
            let keys = Keys::at(before).due(Table::Cap, BATCH);
            let due = self.transact_blocking(keys, move |rows| rows.due::<Cap>(None, before))?;
            // What is named comes with its reservations.
            let keys = due.iter().fold(Keys::at(before), |keys, cap| keys.row(Table::Cap, &cap.id));
            let remove = move |rows: &mut _| {
                let removed = due.iter().map(|cap| remove_cap(rows, &cap.id, before));
                Ok(removed.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|removed| *removed).count())
            };
            match self.transact_blocking(keys, remove)? {
                0 => return Ok(all),
                removed => all += removed,
            }
        }
    }
}
