//! Rows in the hand: loaded before work runs, saved after it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failed;
use crate::error::Error;

/// Bytes of a key or chain's name. An index of `PostgreSQL` takes some 2,700.
const MAX_NAME: usize = 1_024;

/// A table of rows that have a key, and a value in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    /// Challenges that were handed out, by their id.
    Challenge,
    /// Signature counters, by the holder key's thumbprint.
    Counter,
    /// Transactions that were allowed, by merchant and `transaction_id`.
    Allowed,
    /// What caps are filled with, by the cap.
    Cap,
    /// Parts of what a cap is filled with, by their id; the parent is the cap.
    Reservation,
    /// Decisions, by their id.
    Decision,
    /// Heads of audit chains, by the chain's name.
    Chain,
    /// What merchants are still to be told, by the message's id.
    Delivery,
    /// Accounts of a registry, by their key's thumbprint.
    Account,
    /// Bands of a registry, by their key's thumbprint.
    Band,
    /// What a registry handed out to be used once, or saw used, by its hash.
    Ticket,
    /// Status lists of a registry, by their number.
    StatusList,
    /// Parts of status lists, by list and number; the parent is the list.
    StatusPart,
}

impl Table {
    pub(crate) const ALL: [Self; 13] = [
        Self::Challenge,
        Self::Counter,
        Self::Allowed,
        Self::Cap,
        Self::Reservation,
        Self::Decision,
        Self::Chain,
        Self::Delivery,
        Self::Account,
        Self::Band,
        Self::Ticket,
        Self::StatusList,
        Self::StatusPart,
    ];

    /// Tables whose rows are of no use once they are due.
    pub(crate) const PRUNED: [Self; 3] = [Self::Challenge, Self::Counter, Self::Ticket];

    /// Its name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Counter => "counter",
            Self::Allowed => "allowed_transaction",
            Self::Cap => "cap",
            Self::Reservation => "reservation",
            Self::Decision => "decision",
            Self::Chain => "chain",
            Self::Delivery => "delivery",
            Self::Account => "account",
            Self::Band => "band",
            Self::Ticket => "ticket",
            Self::StatusList => "status_list",
            Self::StatusPart => "status_part",
        }
    }
}

/// What a table holds.
pub(crate) trait Record: Serialize + DeserializeOwned {
    const TABLE: Table;

    fn key(&self) -> &str;

    /// What it is a part of.
    fn parent(&self) -> Option<&str> {
        None
    }

    /// From when on it is of no use, counts no more, or is to be worked on; of what stays until somebody removes it, when it
    /// was written. Seconds since 1970.
    fn due(&self) -> Option<u64> {
        None
    }
}

/// A row as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) value: String,
    pub(crate) parent: Option<String>,
    pub(crate) due: Option<u64>,
}

/// An entry of an audit chain. Appended, never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    pub(crate) chain: String,
    /// Counts from 1.
    pub(crate) seq: u64,
    /// JSON.
    pub(crate) entry: String,
    /// Hexadecimal.
    pub(crate) hash: String,
}

/// Entries of a chain to be read, in order.
#[derive(Clone, Debug)]
pub(crate) struct AuditPage {
    pub(crate) chain: String,
    /// The entry before the first that is wanted.
    pub(crate) after: u64,
    pub(crate) limit: u32,
}

/// Names what a piece of work needs. Nobody else changes the rows that it names until the work is committed; but what comes
/// along with a name, such as a cap's reservations, is safe only if whoever changes it names the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    now: u64,
    rows: BTreeSet<(Table, String)>,
    pages: Vec<AuditPage>,
    whole: BTreeSet<Table>,
    parts: BTreeSet<(Table, String)>,
    /// How many at most, by table.
    due: BTreeMap<Table, u32>,
    counted: BTreeSet<Table>,
}

impl Keys {
    /// Nothing, so far. With a cap come those of its reservations that are due at this time.
    pub(crate) fn at(now: u64) -> Self {
        Self { now, ..Self::default() }
    }

    #[must_use]
    pub(crate) fn row(mut self, table: Table, key: impl Into<String>) -> Self {
        self.rows.insert((table, key.into()));
        self
    }

    #[must_use]
    pub(crate) fn page(mut self, page: AuditPage) -> Self {
        self.pages.push(page);
        self
    }

    /// All rows of a table, for [`Rows::all`]; to be read only.
    #[must_use]
    pub(crate) fn whole(mut self, table: Table) -> Self {
        self.whole.insert(table);
        self
    }

    /// All rows of a table that are part of this, for [`Rows::parts`]; to be read only.
    #[must_use]
    pub(crate) fn parts(mut self, table: Table, parent: impl Into<String>) -> Self {
        self.parts.insert((table, parent.into()));
        self
    }

    /// Rows of a table that are due, at most so many, the longest due first; for [`Rows::due`]. They are safe if whoever
    /// changes them names this too, be it with a limit of 0.
    #[must_use]
    pub(crate) fn due(mut self, table: Table, limit: u32) -> Self {
        let held = self.due.entry(table).or_default();
        *held = limit.max(*held);
        self
    }

    /// How many rows a table has, for [`Rows::count`].
    #[must_use]
    pub(crate) fn count(mut self, table: Table) -> Self {
        self.counted.insert(table);
        self
    }

    /// What both name.
    pub(super) fn and(mut self, mut other: Self) -> Self {
        self.now = self.now.max(other.now);
        self.rows.append(&mut other.rows);
        self.pages.append(&mut other.pages);
        self.whole.append(&mut other.whole);
        self.parts.append(&mut other.parts);
        self.counted.append(&mut other.counted);
        other.due.into_iter().fold(self, |keys, (table, limit)| keys.due(table, limit))
    }

    /// Whether every backend can hold them: what one can't would fail others' work with it.
    pub(super) fn check(&self) -> Result<(), Error> {
        let names = self.rows.iter().chain(&self.parts).map(|(_, key)| key);
        let names = names.chain(self.pages.iter().map(|page| &page.chain));
        names.map(String::as_str).try_for_each(storable)
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Keys of a table, sorted.
    pub(super) fn of(&self, table: Table) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(move |(of, _)| *of == table).map(|(_, key)| key.as_str())
    }

    pub(super) fn pages(&self) -> &[AuditPage] {
        &self.pages
    }

    pub(super) fn wants_whole(&self) -> impl Iterator<Item = Table> {
        self.whole.iter().copied()
    }

    pub(super) fn wants_parts(&self) -> impl Iterator<Item = (Table, &str)> {
        self.parts.iter().map(|(table, parent)| (*table, parent.as_str()))
    }

    pub(super) fn wants_due(&self) -> impl Iterator<Item = (Table, u32)> {
        self.due.iter().map(|(table, limit)| (*table, *limit))
    }

    pub(super) fn wants_count(&self) -> impl Iterator<Item = Table> {
        self.counted.iter().copied()
    }
}

type Changes = BTreeMap<(Table, String), Option<Row>>;

/// The rows that were loaded, and what became of them.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    loaded: Changes,
    /// Of work that is done.
    kept: Changes,
    /// Of work that is being done.
    draft: Changes,
    kept_entries: Vec<AuditEntry>,
    draft_entries: Vec<AuditEntry>,
    /// Entries that were read, by chain and number.
    read: BTreeMap<(String, u64), AuditEntry>,
    counts: BTreeMap<Table, u64>,
}

impl Rows {
    /// For backends: a row that is there, or is known not to be.
    pub(super) fn load(&mut self, table: Table, key: String, row: Option<Row>) {
        self.loaded.insert((table, key), row);
    }

    /// For backends: an entry of a page that was asked for.
    pub(super) fn load_entry(&mut self, entry: AuditEntry) {
        self.read.insert((entry.chain.clone(), entry.seq), entry);
    }

    /// For backends: how many rows a table has.
    pub(super) fn load_count(&mut self, table: Table, count: u64) {
        self.counts.insert(table, count);
    }

    /// For backends: what to save, `None` being a row to remove.
    pub(super) fn changes(&self) -> impl Iterator<Item = (Table, &str, Option<&Row>)> {
        self.kept.iter().map(|((table, key), row)| (*table, key.as_str(), row.as_ref()))
    }

    /// For backends: whether a row that is to be saved is there already, and nothing but its value is new.
    pub(super) fn same_but_value(&self, table: Table, key: &str, row: &Row) -> bool {
        let before = self.loaded.get(&(table, key.to_owned())).and_then(Option::as_ref);
        before.is_some_and(|before| before.parent == row.parent && before.due == row.due)
    }

    /// For backends: entries to append.
    pub(super) fn entries(&self) -> &[AuditEntry] {
        &self.kept_entries
    }

    /// For backends: whether there is nothing to save.
    pub(super) fn unchanged(&self) -> bool {
        self.kept.is_empty() && self.kept_entries.is_empty()
    }

    pub(super) fn keep(&mut self) {
        self.kept.append(&mut self.draft);
        self.kept_entries.append(&mut self.draft_entries);
    }

    pub(super) fn forget(&mut self) {
        self.draft.clear();
        self.draft_entries.clear();
    }

    /// The record with this key, if there is one.
    ///
    /// # Errors
    /// `host.store` if it was not asked for, or is not what this version wrote.
    pub(crate) fn get<R: Record>(&self, key: &str) -> Result<Option<R>, Error> {
        let at = (R::TABLE, key.to_owned());
        let row = [&self.draft, &self.kept, &self.loaded].into_iter().find_map(|rows| rows.get(&at));
        let row = row.ok_or_else(|| failed(format!("{} `{key}` was not loaded", R::TABLE.name())))?;
        row.as_ref().map(|row| parse(row)).transpose()
    }

    pub(crate) fn put<R: Record>(&mut self, record: &R) -> Result<(), Error> {
        storable(record.key())?;
        record.parent().map_or(Ok(()), storable)?;
        let value = serde_json::to_string(record).map_err(failed)?;
        let row = Row { value, parent: record.parent().map(ToOwned::to_owned), due: record.due() };
        self.draft.insert((R::TABLE, record.key().to_owned()), Some(row));
        Ok(())
    }

    pub(crate) fn delete<R: Record>(&mut self, record: &R) {
        self.draft.insert((R::TABLE, record.key().to_owned()), None);
    }

    /// How many rows the table had when this began, if that was asked for; of very many not how many exactly.
    pub(crate) fn count(&self, table: Table) -> u64 {
        self.counts.get(&table).copied().unwrap_or_default()
    }

    /// Parts of `parent`, or what is part of nothing, that are due.
    pub(crate) fn due<R: Record>(&self, parent: Option<&str>, now: u64) -> Result<Vec<R>, Error> {
        let mut all = self.loaded.iter().chain(&self.kept).chain(&self.draft).collect::<BTreeMap<_, _>>();
        all.retain(|(table, _), _| *table == R::TABLE);
        let due = all.values().filter_map(|row| row.as_ref());
        let due = due.filter(|row| row.parent.as_deref() == parent && row.due.is_some_and(|due| due <= now));
        due.map(parse).collect()
    }

    /// Whether it was asked for.
    pub(crate) fn has(&self, table: Table, key: &str) -> bool {
        self.loaded.contains_key(&(table, key.to_owned()))
    }

    /// All of the table that were loaded.
    pub(crate) fn all<R: Record>(&self) -> Result<Vec<R>, Error> {
        self.loaded_of(R::TABLE).map(parse).collect()
    }

    /// Those of the table that were loaded and are part of `parent`.
    pub(crate) fn parts<R: Record>(&self, parent: &str) -> Result<Vec<R>, Error> {
        self.loaded_of(R::TABLE).filter(|row| row.parent.as_deref() == Some(parent)).map(parse).collect()
    }

    fn loaded_of(&self, table: Table) -> impl Iterator<Item = &Row> {
        let of = self.loaded.iter().filter(move |((of, _), _)| *of == table);
        of.filter_map(|(_, row)| row.as_ref())
    }

    pub(crate) fn append(&mut self, entry: AuditEntry) {
        self.draft_entries.push(entry);
    }

    /// The entries of a page, in order. Fewer than its limit: there are no more.
    pub(crate) fn page(&self, page: &AuditPage) -> Vec<AuditEntry> {
        let from = (page.chain.clone(), page.after.saturating_add(1));
        let of_chain = self.read.range(from..).take_while(|((chain, _), _)| *chain == page.chain);
        of_chain.map(|(_, entry)| entry.clone()).take(usize::try_from(page.limit).unwrap_or(usize::MAX)).collect()
    }
}

fn storable(name: &str) -> Result<(), Error> {
    match name.len() > MAX_NAME || name.contains('\0') {
        true => Err(failed(format!("a key has a null character, or more than {MAX_NAME} bytes"))),
        false => Ok(()),
    }
}

fn parse<R: Record>(row: &Row) -> Result<R, Error> {
    let table = R::TABLE.name();
    serde_json::from_str(&row.value).map_err(|error| failed(format!("a row of `{table}` is not as written: {error}")))
}
