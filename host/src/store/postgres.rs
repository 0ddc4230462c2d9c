//! Rows in a database that hosts on several machines may share.
//!
//! A row that is not there can't be locked, so each key is locked by a number made of it (advisory lock), all keys of a
//! group in one order. What is read after that is what was committed before it: `READ COMMITTED` takes a new look with each
//! statement. Statements are sent together, so that a group costs two round trips whatever is in it.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use futures_util::TryStreamExt as _;
use futures_util::future::try_join_all;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};

use super::{
    AuditEntry, AuditPage, Backend, Keys, MAX_COUNT, Migration, PRUNED_AT_ONCE, Row, Rows, Table, failed, integer,
    is_current, natural,
};
use crate::error::Error;

/// What makes an empty database one of this version. Once published they stay as they are.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/postgres-1.sql"),
    include_str!("migrations/postgres-2.sql"),
    include_str!("migrations/postgres-3.sql"),
];
/// Whoever migrates a database holds this lock: `bandpass`.
const MIGRATING: i64 = 0x6261_6e64_7061_7373;
/// For all that a group takes, connecting included.
const PATIENCE: Duration = Duration::from_secs(5);
/// For one of several servers that a URL may name.
const CONNECT: Duration = Duration::from_secs(2);
/// Limits that the server holds in milliseconds, below [`PATIENCE`] so that it says which was reached. A host that dies
/// silently, or stops, keeps its locks no longer than that.
const LIMITS: &str =
    "SET statement_timeout = 4000; SET lock_timeout = 3000; SET idle_in_transaction_session_timeout = 5000";

/// A database on a server.
pub(super) struct Postgres {
    pool: Pool,
}

/// A connection with a transaction open on it.
struct Transaction {
    client: Object,
    deadline: Instant,
}

/// The location, if it is a URL.
pub(super) fn url(location: &str) -> Option<&str> {
    ["postgres://", "postgresql://"].iter().any(|scheme| location.starts_with(scheme)).then_some(location)
}

pub(super) fn config(url: &str) -> Result<Config, Error> {
    let tls = "the store is reached without TLS, so that `sslmode` may be `disable` or `prefer` alone";
    let mut config = url.parse::<Config>().map_err(|error| match error.source().map(ToString::to_string) {
        Some(reason) if reason.contains("sslmode") => failed(tls),
        Some(reason) => failed(format!("the URL of the store: {reason}")),
        None => failed(format!("the URL of the store: {error}")),
    })?;
    if !matches!(config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer) {
        return Err(failed(tls));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    // Of several servers the one that takes writes.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    Ok(config)
}

/// Of one connection, as there is one writer; it opens another when that is lost.
pub(super) fn pool(url: &str) -> Result<Pool, Error> {
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config(url)?, NoTls, manager);
    let check = Hook::async_fn(|client, _| {
        Box::pin(async move {
            let ready = ready(client).await;
            ready.map_err(|error| HookError::message(error.message().to_owned()))
        })
    });
    Pool::builder(manager).max_size(1).post_create(check).build().map_err(failed)
}

/// Creates the tables, or brings them up to date.
pub(super) async fn migrate(config: &Config) -> Result<Migration, Error> {
    let connected = timeout(PATIENCE, config.connect(NoTls)).await.map_err(|_| too_slow())?;
    let (mut client, connection) = connected.map_err(|error| failure(&error))?;
    let connection = tokio::spawn(connection);
    timeout(PATIENCE, durable(&client)).await.map_err(|_| too_slow())??;
    let migration = upgrade(&mut client).await;
    drop(client);
    let _ = connection.await;
    migration
}

async fn upgrade(client: &mut Client) -> Result<Migration, Error> {
    let failure = |error| failure(&error);
    let transaction = client.transaction().await.map_err(failure)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATING]).await.map_err(failure)?;
    transaction
        .batch_execute("CREATE TABLE IF NOT EXISTS bandpass_migration (version INTEGER PRIMARY KEY)")
        .await
        .map_err(failure)?;
    let version =
        transaction.query_one(VERSION, &[]).await.and_then(|row| row.try_get::<_, i32>(0)).map_err(failure)?;
    let from = u32::try_from(version).map_err(failed)?;
    is_current(from, MIGRATIONS.len())?;
    let mut to = from;
    for migration in MIGRATIONS.iter().skip(usize::try_from(from).map_err(failed)?) {
        to += 1;
        transaction.batch_execute(migration).await.map_err(failure)?;
        let version = i32::try_from(to).map_err(failed)?;
        let insert = "INSERT INTO bandpass_migration (version) VALUES ($1)";
        transaction.execute(insert, &[&version]).await.map_err(failure)?;
    }
    transaction.commit().await.map_err(failure)?;
    Ok(Migration { from, to })
}

const VERSION: &str = "SELECT coalesce(max(version), 0) FROM bandpass_migration";

/// Makes a new connection one that can be relied on, or refuses it.
async fn ready(client: &Client) -> Result<(), Error> {
    durable(client).await?;
    client.batch_execute(LIMITS).await.map_err(|error| failure(&error))?;
    let version = client.query_one(VERSION, &[]).await.and_then(|row| row.try_get::<_, i32>(0));
    let version = match version {
        Ok(version) => u32::try_from(version).map_err(failed)?,
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => 0,
        Err(error) => return Err(failure(&error)),
    };
    match is_current(version, MIGRATIONS.len())? {
        true => Ok(()),
        false => Err(failed(format!(
            "the store is of version {version}, and this program needs {}: run `bandpass migrate` on it",
            MIGRATIONS.len()
        ))),
    }
}

/// Whether the server keeps what it confirms, whatever happens to it.
async fn durable(client: &Client) -> Result<(), Error> {
    let sql =
        "SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('server_encoding')";
    let row = client.query_one(sql, &[]).await.map_err(|error| failure(&error))?;
    let setting = |at| row.try_get::<_, String>(at).map_err(|error| failure(&error));
    let (commit, sync, encoding) = (setting(0)?, setting(1)?, setting(2)?);
    if !["on", "remote_apply"].contains(&commit.as_str()) {
        return Err(failed(format!(
            "`synchronous_commit` is `{commit}`, so that the server may lose what it confirmed: \
             set it to `on` for this database"
        )));
    }
    if sync != "on" {
        return Err(failed(format!(
            "`fsync` is `{sync}`, so that the server may lose what it confirmed: set it to `on` in its configuration"
        )));
    }
    if encoding != "UTF8" {
        return Err(failed(format!("the database's encoding is `{encoding}`: create it with `ENCODING 'UTF8'`")));
    }
    // So it stays, whatever somebody changes meanwhile.
    client.batch_execute(&format!("SET synchronous_commit = {commit}")).await.map_err(|error| failure(&error))
}

type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A statement that waits to be sent with others.
struct Call<'a> {
    sql: String,
    parameters: Vec<Parameter<'a>>,
    reads: Reads,
}

/// What a statement's rows are.
#[derive(Clone, Copy)]
enum Reads {
    Nothing,
    Table(Table),
    Count(Table),
    Audit,
}

fn call(sql: impl Into<String>, parameters: Vec<Parameter<'_>>, reads: Reads) -> Call<'_> {
    Call { sql: sql.into(), parameters, reads }
}

/// Locks what `keys` name, and reads it.
fn loading(keys: &Keys) -> Vec<Call<'_>> {
    let mut calls = vec![call("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", vec![], Reads::Nothing)];
    let named = Table::ALL.iter().flat_map(|table| keys.of(*table).map(|key| lock(*table, key)));
    // What is due has one lock for all of a table.
    let named = named.chain(keys.wants_due().map(|(table, _)| lock(table, "")));
    let locks = named.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    if !locks.is_empty() {
        let sql = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key";
        calls.push(call(sql, vec![Box::new(locks)], Reads::Nothing));
    }
    for table in Table::ALL {
        let named = keys.of(table).collect::<Vec<_>>();
        if !named.is_empty() {
            let sql = format!("SELECT key, value, parent, due FROM {} WHERE key = ANY($1)", table.name());
            calls.push(call(sql, vec![Box::new(named)], Reads::Table(table)));
        }
    }
    let caps = keys.of(Table::Cap).collect::<Vec<_>>();
    if !caps.is_empty() {
        let sql = "SELECT key, value, parent, due FROM reservation WHERE parent = ANY($1) AND due <= $2";
        let parameters: Vec<Parameter<'_>> = vec![Box::new(caps), Box::new(integer(keys.now()))];
        calls.push(call(sql, parameters, Reads::Table(Table::Reservation)));
    }
    for (table, limit) in keys.wants_due() {
        let sql = format!("SELECT key, value, parent, due FROM {} WHERE due <= $1 ORDER BY due LIMIT $2", table.name());
        let parameters: Vec<Parameter<'_>> = vec![Box::new(integer(keys.now())), Box::new(i64::from(limit))];
        calls.push(call(sql, parameters, Reads::Table(table)));
    }
    for table in keys.wants_count() {
        let sql = format!("SELECT count(*) FROM (SELECT due FROM {} LIMIT {MAX_COUNT}) AS counted", table.name());
        calls.push(call(sql, vec![], Reads::Count(table)));
    }
    for table in keys.wants_whole() {
        let sql = format!("SELECT key, value, parent, due FROM {}", table.name());
        calls.push(call(sql, vec![], Reads::Table(table)));
    }
    for (table, parent) in keys.wants_parts() {
        let sql = format!("SELECT key, value, parent, due FROM {} WHERE parent = $1", table.name());
        calls.push(call(sql, vec![Box::new(parent)], Reads::Table(table)));
    }
    for AuditPage { chain, after, limit } in keys.pages() {
        let sql = "SELECT chain, seq, entry, hash FROM audit WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        let parameters: Vec<Parameter<'_>> =
            vec![Box::new(chain), Box::new(integer(*after)), Box::new(i64::from(*limit))];
        calls.push(call(sql, parameters, Reads::Audit));
    }
    calls
}

/// Writes what became of rows, and commits.
fn saving(rows: &Rows) -> Vec<Call<'_>> {
    let mut calls = Vec::new();
    for table in Table::ALL {
        let changes = || rows.changes().filter(move |(of, _, _)| *of == table);
        let (mut keys, mut values, mut parents, mut dues) = (vec![], vec![], vec![], vec![]);
        for (key, row) in changes().filter_map(|(_, key, row)| Some((key, row?))) {
            keys.push(key);
            values.push(row.value.as_str());
            parents.push(row.parent.as_deref());
            dues.push(row.due.map(integer));
        }
        if !keys.is_empty() {
            let sql = format!(
                "INSERT INTO {} (key, value, parent, due)
                     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
                     ON CONFLICT (key)
                     DO UPDATE SET value = excluded.value, parent = excluded.parent, due = excluded.due",
                table.name()
            );
            let parameters: Vec<Parameter<'_>> =
                vec![Box::new(keys), Box::new(values), Box::new(parents), Box::new(dues)];
            calls.push(call(sql, parameters, Reads::Nothing));
        }
        let removed = changes().filter(|(_, _, row)| row.is_none()).map(|(_, key, _)| key).collect::<Vec<_>>();
        if !removed.is_empty() {
            let sql = format!("DELETE FROM {} WHERE key = ANY($1)", table.name());
            calls.push(call(sql, vec![Box::new(removed)], Reads::Nothing));
        }
    }
    let (mut chains, mut seqs, mut entries, mut hashes) = (vec![], vec![], vec![], vec![]);
    for AuditEntry { chain, seq, entry, hash } in rows.entries() {
        chains.push(chain.as_str());
        seqs.push(integer(*seq));
        entries.push(entry.as_str());
        hashes.push(hash.as_str());
    }
    if !chains.is_empty() {
        let sql = "INSERT INTO audit (chain, seq, entry, hash)
                       SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])";
        let parameters: Vec<Parameter<'_>> =
            vec![Box::new(chains), Box::new(seqs), Box::new(entries), Box::new(hashes)];
        calls.push(call(sql, parameters, Reads::Nothing));
    }
    calls.push(call("COMMIT", vec![], Reads::Nothing));
    calls
}

impl Postgres {
    pub(super) async fn open(pool: Pool) -> Result<Self, Error> {
        drop(timeout(PATIENCE, connect(&pool)).await.map_err(|_| too_slow())??);
        Ok(Self { pool })
    }

    async fn begin(&self) -> Result<Transaction, Error> {
        let deadline = Instant::now() + PATIENCE;
        let client = timeout_at(deadline, connect(&self.pool)).await.map_err(|_| too_slow())??;
        Ok(Transaction { client, deadline })
    }
}

impl Backend for Postgres {
    /// The server has room for some 6,400 locks of all hosts together, unless it is told otherwise.
    const MAX_GROUP: usize = 64;
    const CONNECTS: bool = true;

    async fn transact(&mut self, keys: &Keys, work: impl FnOnce(&mut Rows)) -> Result<(), Error> {
        let transaction = self.begin().await?;
        let done = async {
            let mut rows = Rows::default();
            for table in Table::ALL {
                keys.of(table).for_each(|key| rows.load(table, key.to_owned(), None));
            }
            for (reads, row) in transaction.run(loading(keys)).await? {
                load(&mut rows, reads, &row).map_err(|error| failure(&error))?;
            }
            work(&mut rows);
            let calls = match rows.unchanged() {
                true => vec![call("ROLLBACK", vec![], Reads::Nothing)],
                false => saving(&rows),
            };
            transaction.run(calls).await
        };
        match done.await {
            Ok(_) => Ok(()),
            Err(error) => Err(transaction.abandon(error)),
        }
    }

    async fn prune(&mut self, now: u64) -> Result<bool, Error> {
        let transaction = self.begin().await?;
        let prune = |table| {
            let sql = format!(
                "DELETE FROM {table} WHERE key IN (
                     SELECT key FROM {table} WHERE due <= $1 LIMIT {PRUNED_AT_ONCE} FOR UPDATE SKIP LOCKED
                 ) RETURNING true",
            );
            call(sql, vec![Box::new(integer(now))], Reads::Nothing)
        };
        match transaction.run(Table::PRUNED.map(Table::name).map(prune).into()).await {
            Ok(removed) => Ok(removed.len() >= PRUNED_AT_ONCE),
            Err(error) => Err(transaction.abandon(error)),
        }
    }
}

impl Transaction {
    /// Sends all of it at once, and returns the rows that came back.
    async fn run(&self, calls: Vec<Call<'_>>) -> Result<Vec<(Reads, tokio_postgres::Row)>, Error> {
        let run = async {
            let mut prepared = Vec::with_capacity(calls.len());
            for Call { sql, parameters, reads } in calls {
                prepared.push((self.client.prepare_cached(&sql).await?, parameters, reads));
            }
            // Each is sent when it is first asked for its result: in their order, and none after one that can't be sent.
            let sent = prepared.into_iter().map(|(statement, parameters, reads)| async move {
                let rows = self.client.query_raw(&statement, parameters).await?;
                rows.map_ok(|row| (reads, row)).try_collect::<Vec<_>>().await
            });
            try_join_all(sent).await
        };
        let rows = timeout_at(self.deadline, run).await.map_err(|_| too_slow())?;
        Ok(rows.map_err(|error| failure(&error))?.into_iter().flatten().collect())
    }

    /// Closes the connection, for nobody knows in what state it is. What was not committed is rolled back by that.
    fn abandon(self, error: Error) -> Error {
        drop(Object::take(self.client));
        error
    }
}

async fn connect(pool: &Pool) -> Result<Object, Error> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => failure(&error),
        PoolError::PostCreateHook(HookError::Message(message)) => failed(message),
        error => failed(error),
    })
}

fn load(rows: &mut Rows, reads: Reads, row: &tokio_postgres::Row) -> Result<(), tokio_postgres::Error> {
    match reads {
        Reads::Nothing => {}
        Reads::Table(table) => {
            let due = row.try_get::<_, Option<i64>>(3)?.map(natural);
            let read = Row { value: row.try_get(1)?, parent: row.try_get(2)?, due };
            rows.load(table, row.try_get(0)?, Some(read));
        }
        Reads::Count(table) => rows.load_count(table, natural(row.try_get(0)?)),
        Reads::Audit => rows.load_entry(AuditEntry {
            chain: row.try_get(0)?,
            seq: natural(row.try_get(1)?),
            entry: row.try_get(2)?,
            hash: row.try_get(3)?,
        }),
    }
    Ok(())
}

/// The number to lock for a row. That of two rows may be the same, which makes one wait for the other.
fn lock(table: Table, key: &str) -> i64 {
    let digest = Sha256::new().chain_update(table.name()).chain_update([0]).chain_update(key).finalize();
    digest.first_chunk().copied().map_or(0, i64::from_be_bytes)
}

/// What the server said, without the values that it may say it of.
fn failure(error: &tokio_postgres::Error) -> Error {
    if let Some(said) = error.as_db_error() {
        let hint = said.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        return failed(format!("PostgreSQL says {}: {}{hint}", said.code().code(), said.message()));
    }
    match error.source() {
        Some(cause) => failed(format!("{error}: {cause}")),
        None => failed(error),
    }
}

fn too_slow() -> Error {
    failed(format!("PostgreSQL gave no answer within {} s", PATIENCE.as_secs()))
}
