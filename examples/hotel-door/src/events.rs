//! What happened at a door: an append-only log that survives a power cut, and all that the door remembers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, params};

/// Waiting for another process that has the log, such as the last one on its way out.
const PATIENCE: Duration = Duration::from_secs(1);

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS events (
        number INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        opened INTEGER NOT NULL,
        code TEXT NOT NULL,
        band TEXT,
        counter INTEGER,
        role TEXT,
        sequence INTEGER
    ) STRICT;
    CREATE INDEX IF NOT EXISTS of_band ON events (band, counter) WHERE band IS NOT NULL;
    CREATE INDEX IF NOT EXISTS of_role ON events (role, sequence) WHERE opened;
    CREATE INDEX IF NOT EXISTS believed ON events (at) WHERE code NOT IN ('door.clock', 'door.snapshot');
    CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append only'); END;
    CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append only'); END;
";

/// Somebody was at the door. No names: the band is known by the thumbprint of its key for this hotel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Seconds since 1970, by the door's clock.
    pub at: u64,
    /// Whether the door opened.
    pub opened: bool,
    /// Why, or why not.
    pub code: String,
    /// RFC 7638 thumbprint of the band's key, if the band was verified.
    pub band: Option<String>,
    /// The counter that the band signed.
    pub counter: Option<u64>,
    /// Whose access credential opened the door.
    pub role: Option<String>,
    /// Its sequence.
    pub sequence: Option<u64>,
}

/// The log, which one process has at a time.
pub struct Events(Connection);

impl Events {
    /// Opens the log, or begins it.
    ///
    /// # Errors
    /// If another process has it, or it can't be read.
    pub fn open(file: &Path) -> Result<Self> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(PATIENCE)?;
        // Synced at every commit; the lock is held until this process ends, however it does.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(TABLES).context("the log of events")?;
        let check = connection.query_row("PRAGMA quick_check", (), |row| row.get::<_, String>(0))?;
        ensure!(check == "ok", "the log of events is damaged: {check}");
        Ok(Self(connection))
    }

    /// Adds an event. It is on the disk when this returns, with its number in the log.
    ///
    /// # Errors
    /// If it can't be written; then it is not there.
    pub fn append(&mut self, event: &Event) -> Result<i64> {
        let Event { at, opened, code, band, counter, role, sequence } = event;
        let add = "INSERT INTO events (at, opened, code, band, counter, role, sequence) VALUES (?, ?, ?, ?, ?, ?, ?)";
        self.0.prepare_cached(add)?.execute(params![at, opened, code, band, counter, role, sequence])?;
        Ok(self.0.last_insert_rowid())
    }

    /// The highest sequence that opened the door, by role.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn sequences(&self) -> Result<BTreeMap<String, u64>> {
        let highest =
            "SELECT role, max(sequence) FROM events WHERE opened AND role IS NOT NULL GROUP BY role ORDER BY role";
        let mut query = self.0.prepare_cached(highest)?;
        let rows = query.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The highest counter that a band has signed here.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn counter(&self, band: &str) -> Result<Option<u64>> {
        let highest = "SELECT max(counter) FROM events WHERE band = ?";
        Ok(self.0.prepare_cached(highest)?.query_row([band], |row| row.get(0))?)
    }

    /// How often a band has opened the door after that time.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn opened_by(&self, band: &str, after: i64) -> Result<u32> {
        let count = "SELECT count(*) FROM events WHERE band = ? AND opened AND at > ?";
        Ok(self.0.prepare_cached(count)?.query_row(params![band, after], |row| row.get(0))?)
    }

    /// The latest time at which the door's clock was believed.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn latest(&self) -> Result<Option<u64>> {
        let latest = "SELECT max(at) FROM events WHERE code NOT IN ('door.clock', 'door.snapshot')";
        Ok(self.0.prepare_cached(latest)?.query_row((), |row| row.get(0))?)
    }

    /// Every event, the first one first.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn all(&self) -> Result<Vec<Event>> {
        let mut query =
            self.0.prepare("SELECT at, opened, code, band, counter, role, sequence FROM events ORDER BY number")?;
        let rows = query.query_map((), |row| {
            Ok(Event {
                at: row.get(0)?,
                opened: row.get(1)?,
                code: row.get(2)?,
                band: row.get(3)?,
                counter: row.get(4)?,
                role: row.get(5)?,
                sequence: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
