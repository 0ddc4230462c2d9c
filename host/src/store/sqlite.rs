//! Rows in a file.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

use super::{
    AuditEntry, Backend, Keys, MAX_COUNT, Migration, PRUNED_AT_ONCE, Row, Rows, Table, failed, gone, integer,
    is_current, natural,
};
use crate::error::Error;

/// What makes an empty database one of this version. Once published they stay as they are.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/sqlite-1.sql"),
    include_str!("migrations/sqlite-2.sql"),
    include_str!("migrations/sqlite-3.sql"),
];
/// What belongs to a connection is used by one thread at a time.
const FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_CREATE).union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// Says in the file whose it is: `band`.
const APPLICATION: u32 = 0x6261_6e64;
/// Statements that stay prepared: more than there are.
const STATEMENTS: usize = 128;
/// How long to wait for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// Between two tries, where SQLite doesn't wait by itself.
const PAUSE: Duration = Duration::from_millis(5);

/// A database in a file that processes of one machine may share. Clones share one connection.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    database: Arc<Mutex<Database>>,
}

impl Sqlite {
    pub(super) fn in_file(path: &Path) -> Result<Self, Error> {
        Database::open(path).map(|(database, _)| database.shared())
    }

    /// A file in memory, which no other connection sees: what `SQLite` calls an in-memory database keeps all of its pages in the
    /// cache, and a commit may look through them.
    pub(super) fn in_memory() -> Result<Self, Error> {
        let database = Connection::open_with_flags("file:bandpass?vfs=memdb", FLAGS | OpenFlags::SQLITE_OPEN_URI);
        Database::new(database).map(|(database, _)| database.shared())
    }

    pub(super) fn migrate(path: &Path) -> Result<Migration, Error> {
        Database::open(path).map(|(_, migration)| migration)
    }

    /// The connection, if nobody uses it at the moment.
    pub(super) fn free(&self) -> Option<MutexGuard<'_, Database>> {
        self.database.try_lock().ok()
    }

    /// Whoever panicked may have left a transaction open.
    fn lock(&self) -> Result<MutexGuard<'_, Database>, Error> {
        self.database.lock().map_err(|_| gone())
    }

    /// As if the disk had room for no more.
    #[cfg(test)]
    pub(super) fn limit_pages(&self, pages: u32) {
        let database = self.lock().expect("whole");
        database.connection.pragma_update(None, "max_page_count", pages).expect("a limit");
    }
}

/// A connection, while one thread has it.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
}

impl Database {
    fn shared(self) -> Sqlite {
        Sqlite { database: Arc::new(Mutex::new(self)) }
    }

    fn open(path: &Path) -> Result<(Self, Migration), Error> {
        // No special names: `:memory:` and `file:` URIs would be files that nobody shares.
        let path = std::path::absolute(path).map_err(failed)?;
        Self::new(Connection::open_with_flags(path, FLAGS))
    }

    fn new(database: rusqlite::Result<Connection>) -> Result<(Self, Migration), Error> {
        let store = Self { connection: database.map_err(failed)? };
        store.connection.set_prepared_statement_cache_capacity(STATEMENTS);
        store.connection.busy_timeout(BUSY).map_err(failed)?;
        // Looked at before anything is written: it may be another program's.
        let from = store.version()?;
        // The log is synced at every commit, so that what was answered survives a loss of power.
        let durable = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
        let end = Instant::now() + BUSY;
        // SQLite doesn't wait by itself when another process is about to change the mode.
        while let Err(error) = store.connection.execute_batch(durable) {
            if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || Instant::now() > end {
                return Err(failed(error));
            }
            std::thread::sleep(PAUSE);
        }
        if !is_current(from, MIGRATIONS.len())? {
            store.connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
            store.upgrade()?;
        }
        let to = store.version()?;
        Ok((store, Migration { from, to }))
    }

    /// Version of the tables; 0 if there are none.
    fn version(&self) -> Result<u32, Error> {
        let sql = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
                       FROM pragma_application_id, pragma_user_version";
        let row = self.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        match row.map_err(failed)? {
            (APPLICATION, version, _) => {
                is_current(version, MIGRATIONS.len())?;
                Ok(version)
            }
            (0, 0, 0) => Ok(0),
            (_, _, _) => Err(failed("the store is another program's database")),
        }
    }

    /// Within a transaction, for others may be about to do the same.
    fn upgrade(&self) -> Result<(), Error> {
        let from = usize::try_from(self.version()?).map_err(failed)?;
        let migrations = MIGRATIONS.get(from..).unwrap_or_default().concat();
        let newest = MIGRATIONS.len();
        let end = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {newest}; COMMIT");
        self.connection.execute_batch(&(migrations + &end)).map_err(failed)
    }

    /// As [`Backend::transact`].
    pub(super) fn transact(&mut self, keys: &Keys, work: impl FnOnce(&mut Rows)) -> Result<(), Error> {
        // One that is only read would otherwise find out late that somebody else wrote.
        let begun = self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
        let done = begun.and_then(|_| self.load(keys)).and_then(|mut rows| {
            work(&mut rows);
            self.save(&rows)
        });
        done.or_else(|error| self.roll_back(error))
    }

    fn load(&self, keys: &Keys) -> rusqlite::Result<Rows> {
        let mut rows = Rows::default();
        for table in Table::ALL {
            for key in keys.of(table) {
                let sql = format!("SELECT value, parent, due FROM {} WHERE key = ?1", table.name());
                let row = self.connection.prepare_cached(&sql)?.query_row([key], |row| row_at(row, 0)).optional()?;
                rows.load(table, key.to_owned(), row);
            }
        }
        for cap in keys.of(Table::Cap) {
            let due = "SELECT key, value, parent, due FROM reservation WHERE parent = ?1 AND due <= ?2";
            let mut due = self.connection.prepare_cached(due)?;
            let mut due = due.query(params![cap, integer(keys.now())])?;
            while let Some(row) = due.next()? {
                rows.load(Table::Reservation, row.get(0)?, Some(row_at(row, 1)?));
            }
        }
        for (table, limit) in keys.wants_due() {
            let due =
                format!("SELECT key, value, parent, due FROM {} WHERE due <= ?1 ORDER BY due LIMIT ?2", table.name());
            let mut due = self.connection.prepare_cached(&due)?;
            let mut due = due.query(params![integer(keys.now()), limit])?;
            while let Some(row) = due.next()? {
                rows.load(table, row.get(0)?, Some(row_at(row, 1)?));
            }
        }
        for table in keys.wants_count() {
            let count = format!("SELECT count(*) FROM (SELECT due FROM {} LIMIT {MAX_COUNT})", table.name());
            let count = self.connection.prepare_cached(&count)?.query_row([], |row| row.get(0))?;
            rows.load_count(table, natural(count));
        }
        for table in keys.wants_whole() {
            let whole = format!("SELECT key, value, parent, due FROM {}", table.name());
            let mut whole = self.connection.prepare_cached(&whole)?;
            let mut whole = whole.query([])?;
            while let Some(row) = whole.next()? {
                rows.load(table, row.get(0)?, Some(row_at(row, 1)?));
            }
        }
        for (table, parent) in keys.wants_parts() {
            let parts = format!("SELECT key, value, parent, due FROM {} WHERE parent = ?1", table.name());
            let mut parts = self.connection.prepare_cached(&parts)?;
            let mut parts = parts.query([parent])?;
            while let Some(row) = parts.next()? {
                rows.load(table, row.get(0)?, Some(row_at(row, 1)?));
            }
        }
        for page in keys.pages() {
            let entries =
                "SELECT chain, seq, entry, hash FROM audit WHERE chain = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
            let mut entries = self.connection.prepare_cached(entries)?;
            let mut entries = entries.query(params![page.chain, integer(page.after), page.limit])?;
            while let Some(row) = entries.next()? {
                let (chain, seq, entry, hash) = (row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?, row.get(3)?);
                rows.load_entry(AuditEntry { chain, seq: natural(seq), entry, hash });
            }
        }
        Ok(rows)
    }

    fn save(&self, rows: &Rows) -> rusqlite::Result<()> {
        for (table, key, row) in rows.changes() {
            let name = table.name();
            match row {
                // Indexes stay as they are.
                Some(row) if rows.same_but_value(table, key, row) => self
                    .connection
                    .prepare_cached(&format!("UPDATE {name} SET value = ?2 WHERE key = ?1"))?
                    .execute([key, &row.value])?,
                Some(Row { value, parent, due }) => self
                    .connection
                    .prepare_cached(&format!(
                        "INSERT INTO {name} (key, value, parent, due) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) DO
                         UPDATE SET value = excluded.value, parent = excluded.parent, due = excluded.due"
                    ))?
                    .execute(params![key, value, parent, due.map(integer)])?,
                None => {
                    self.connection.prepare_cached(&format!("DELETE FROM {name} WHERE key = ?1"))?.execute([key])?
                }
            };
        }
        for AuditEntry { chain, seq, entry, hash } in rows.entries() {
            let insert = "INSERT INTO audit (chain, seq, entry, hash) VALUES (?1, ?2, ?3, ?4)";
            self.connection.prepare_cached(insert)?.execute(params![chain, integer(*seq), entry, hash])?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Ends a transaction, if there is one, without a trace.
    fn roll_back<T>(&self, error: rusqlite::Error) -> Result<T, Error> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK").map_err(failed)?;
        }
        Err(failed(error))
    }
}

impl Backend for Sqlite {
    const MAX_GROUP: usize = 256;
    const CONNECTS: bool = false;

    async fn transact(&mut self, keys: &Keys, work: impl FnOnce(&mut Rows)) -> Result<(), Error> {
        self.lock()?.transact(keys, work)
    }

    async fn prune(&mut self, now: u64) -> Result<bool, Error> {
        let database = self.lock()?;
        let mut more = false;
        for table in Table::PRUNED.map(Table::name) {
            let sql = format!(
                "DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE due <= ?1 LIMIT {PRUNED_AT_ONCE})"
            );
            let removed = database.connection.execute(&sql, [integer(now)]).map_err(failed)?;
            more |= removed >= PRUNED_AT_ONCE;
        }
        Ok(more)
    }
}

fn row_at(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Row> {
    let due = row.get::<_, Option<i64>>(first + 2)?;
    Ok(Row { value: row.get(first)?, parent: row.get(first + 1)?, due: due.map(natural) })
}
