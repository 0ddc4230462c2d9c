//! Rows in a file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::{AuditEntry, Backend, Keys, Row, Rows, Table, failed};
use crate::error::Error;

/// How long to wait for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// A database in a file that processes of one machine may share.
pub(super) struct Sqlite {
    database: Connection,
}

impl Sqlite {
    pub(super) fn in_file(path: &Path) -> Result<Self, Error> {
        // No special names: `:memory:` and `file:` URIs would be files that nobody shares.
        let path = std::path::absolute(path).map_err(failed)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::new(Connection::open_with_flags(path, flags)).map_err(failed)
    }

    pub(super) fn in_memory() -> Result<Self, Error> {
        Self::new(Connection::open_in_memory()).map_err(failed)
    }

    fn new(database: rusqlite::Result<Connection>) -> rusqlite::Result<Self> {
        let database = database?;
        database.busy_timeout(BUSY)?;
        // The log is synced at every commit, so that what was answered survives a loss of power.
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.execute_batch(&migrations(Table::ALL))?;
        Ok(Self { database })
    }

    fn load(&self, keys: &Keys) -> rusqlite::Result<Rows> {
        let mut rows = Rows::default();
        for table in Table::ALL {
            let name = table.name();
            let sql = format!("SELECT value, parent, due FROM {name} WHERE key = ?1");
            for key in keys.of(table) {
                let row = self.database.prepare_cached(&sql)?.query_row([key], |row| row_at(row, 0)).optional()?;
                rows.load(table, key.to_owned(), row);
            }
        }
        for cap in keys.of(Table::Cap) {
            let due = "SELECT key, value, parent, due FROM reservation WHERE parent = ?1 AND due <= ?2";
            let mut due = self.database.prepare_cached(due)?;
            let mut due = due.query(params![cap, integer(keys.now())])?;
            while let Some(row) = due.next()? {
                rows.load(Table::Reservation, row.get(0)?, Some(row_at(row, 1)?));
            }
        }
        if keys.wants_chains() {
            let mut chains = self.database.prepare_cached("SELECT key, value, parent, due FROM chain")?;
            let mut chains = chains.query([])?;
            while let Some(row) = chains.next()? {
                rows.load(Table::Chain, row.get(0)?, Some(row_at(row, 1)?));
            }
        }
        for page in keys.pages() {
            let entries =
                "SELECT chain, seq, entry, hash FROM audit WHERE chain = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
            let mut entries = self.database.prepare_cached(entries)?;
            let mut entries = entries.query(params![page.chain, integer(page.after), page.limit])?;
            while let Some(row) = entries.next()? {
                let (chain, seq, entry, hash) = (row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?, row.get(3)?);
                rows.load_entry(AuditEntry { chain, seq: u64::try_from(seq).unwrap_or(0), entry, hash });
            }
        }
        Ok(rows)
    }

    fn save(&self, rows: &Rows) -> rusqlite::Result<()> {
        for (table, key, row) in rows.changes() {
            let name = table.name();
            match row {
                Some(Row { value, parent, due }) => self
                    .database
                    .prepare_cached(&format!(
                        "INSERT INTO {name} (key, value, parent, due) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) DO
                         UPDATE SET value = excluded.value, parent = excluded.parent, due = excluded.due"
                    ))?
                    .execute(params![key, value, parent, due.map(integer)])?,
                None => self.database.prepare_cached(&format!("DELETE FROM {name} WHERE key = ?1"))?.execute([key])?,
            };
        }
        for AuditEntry { chain, seq, entry, hash } in rows.entries() {
            let insert = "INSERT INTO audit (chain, seq, entry, hash) VALUES (?1, ?2, ?3, ?4)";
            self.database.prepare_cached(insert)?.execute(params![chain, integer(*seq), entry, hash])?;
        }
        self.database.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Ends a transaction, if there is one, without a trace.
    fn roll_back<T>(&self, error: rusqlite::Error) -> Result<T, Error> {
        if !self.database.is_autocommit() {
            self.database.execute_batch("ROLLBACK").map_err(failed)?;
        }
        Err(failed(error))
    }
}

impl Backend for Sqlite {
    async fn begin(&mut self, keys: &Keys) -> Result<Rows, Error> {
        // One that is only read would otherwise find out late that somebody else wrote.
        let begun = self.database.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
        begun.and_then(|_| self.load(keys)).or_else(|error| self.roll_back(error))
    }

    async fn commit(&mut self, rows: &Rows) -> Result<(), Error> {
        self.save(rows).or_else(|error| self.roll_back(error))
    }

    async fn prune(&mut self, now: u64) -> Result<(), Error> {
        for table in Table::PRUNED {
            let name = table.name();
            self.database
                .execute(&format!("DELETE FROM {name} WHERE parent IS NULL AND due <= ?1"), [integer(now)])
                .map_err(failed)?;
        }
        Ok(())
    }
}

fn row_at(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Row> {
    let due = row.get::<_, Option<i64>>(first + 2)?;
    let due = due.map(|due| u64::try_from(due).unwrap_or(0));
    Ok(Row { value: row.get(first)?, parent: row.get(first + 1)?, due })
}

/// Times and counts are far below what overflows.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn migrations(tables: [Table; 7]) -> String {
    let mut sql = String::new();
    for table in tables {
        let name = table.name();
        sql += &format!(
            "CREATE TABLE IF NOT EXISTS {name} (key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER)
                 STRICT, WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS {name}_due ON {name} (parent, due);\n"
        );
    }
    sql + "CREATE TABLE IF NOT EXISTS audit (
               chain TEXT NOT NULL, seq INTEGER NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (chain, seq)
           ) STRICT, WITHOUT ROWID;\n"
}
