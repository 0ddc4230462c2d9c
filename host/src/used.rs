//! Which challenges were answered: each counts once.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};
use sha2::{Digest as _, Sha256};

use crate::error::{Code, Error};

/// Remembers the challenges that a verified token answered.
pub struct UsedChallenges {
    database: Connection,
}

impl UsedChallenges {
    /// In a file (`SQLite`), which processes may share. It is made if it is not there.
    ///
    /// # Errors
    /// `host.store` if it can't be opened or is something else.
    pub fn in_file(path: &Path) -> Result<Self, Error> {
        // No special names: `:memory:` and `file:` URIs would be files that nobody shares.
        let path = std::path::absolute(path).map_err(|error| Error::host(Code::HostStore, error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::new(Connection::open_with_flags(path, flags))
    }

    /// In memory, gone with the process.
    ///
    /// # Errors
    /// `host.store` if there is no memory for it.
    pub fn in_memory() -> Result<Self, Error> {
        Self::new(Connection::open_in_memory())
    }

    fn new(database: rusqlite::Result<Connection>) -> Result<Self, Error> {
        let database = database.and_then(|database| {
            database.busy_timeout(std::time::Duration::from_secs(5))?;
            database.pragma_update(None, "synchronous", "FULL")?;
            database.execute(
                "CREATE TABLE IF NOT EXISTS used_challenge (
                    nonce TEXT PRIMARY KEY, token_sha256 BLOB NOT NULL, used_at INTEGER NOT NULL
                ) STRICT",
                [],
            )?;
            Ok(database)
        });
        database.map(|database| Self { database }).map_err(store_error)
    }

    /// Uses a challenge up. Of all who try, in whatever process, one succeeds.
    ///
    /// # Errors
    /// `challenge.used` if it was used before, `host.store` if that can't be told.
    pub fn consume(&mut self, nonce: &str, vp_token: &[u8], now: u64) -> Result<(), Error> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let inserted = self
            .database
            .execute(
                "INSERT INTO used_challenge VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                params![nonce, Sha256::digest(vp_token).as_slice(), now],
            )
            .map_err(store_error)?;
        match inserted {
            1 => Ok(()),
            _ => Err(Error::host(Code::ChallengeUsed, "the challenge was answered before")),
        }
    }
}

fn store_error(error: rusqlite::Error) -> Error {
    Error::host(Code::HostStore, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_sixteen_at_once_one_wins() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let wins = std::thread::scope(|scope| {
            let tries = (0..16)
                .map(|_| scope.spawn(|| UsedChallenges::in_file(&path).expect("opens").consume("nonce", b"token", 1)));
            let results = tries.collect::<Vec<_>>().into_iter().map(|one| one.join().expect("no panic"));
            results
                .filter(|result| match result {
                    Ok(()) => true,
                    Err(error) => {
                        assert_eq!(error.code(), "challenge.used", "{error}");
                        false
                    }
                })
                .count()
        });
        assert_eq!(wins, 1);
    }

    /// `SQLite` would take this name for a database that nobody else sees.
    #[test]
    fn memory_is_a_file_like_any_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(":memory:");
        let consume = || UsedChallenges::in_file(&path).expect("opens").consume("nonce", b"token", 1);
        assert!(consume().is_ok());
        assert_eq!(consume().expect_err("used").code(), "challenge.used");
        assert!(path.is_file());
    }

    #[test]
    fn another_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("letter.txt");
        std::fs::write(&path, "Dear Sir or Madam, this is not a database at all, and it should stay as it is.")
            .expect("written");
        let before = std::fs::read(&path).expect("read");
        let refused = UsedChallenges::in_file(&path).err().expect("refused");
        assert_eq!(refused.code(), "host.store");
        assert_eq!(std::fs::read(&path).expect("read"), before);
    }
}
