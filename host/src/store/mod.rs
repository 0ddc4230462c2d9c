//! State that survives: rows in `SQLite` or `PostgreSQL`, changed in transactions that are committed in groups.
//!
//! What a decision changes is written once, as functions over [`Rows`]; a backend only loads and saves rows. A writer takes
//! what waits, begins one transaction for all of it, loads every row that it names, runs each piece of work, and commits.
//! Nobody hears of a result before the commit is durable. Work that is refused writes nothing, and harms no other in its
//! group. A thread that may wait for the disk commits to `SQLite` by itself while nobody else writes, and wakes nobody.

mod postgres;
mod rows;
mod sqlite;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tracing::Instrument as _;

pub(crate) use rows::{AuditEntry, AuditPage, Keys, Record, Row, Rows, Table};

use crate::error::{Code, Error};

/// Pieces of work that may wait. Whoever comes later waits outside.
const MAX_QUEUE: usize = 1_024;
/// Between two removals of rows whose time is over.
const PRUNE_EVERY: Duration = Duration::from_mins(1);
/// Rows of a table that are removed together, while work waits.
const PRUNED_AT_ONCE: usize = 1_000;
/// Rows that are counted: of more nobody needs to know how many.
const MAX_COUNT: u32 = 10_000;

/// Where a host keeps its state. Cheap to clone; the clones share one writer. When the last of them is dropped, it waits
/// until the writer has done what it accepted and has closed the database.
#[derive(Clone, Debug)]
pub struct Store {
    writer: Arc<Writer>,
}

#[derive(Debug)]
struct Writer {
    /// Both are there until this is dropped.
    queue: Option<mpsc::Sender<Box<dyn Work>>>,
    thread: Option<JoinHandle<()>>,
    /// What it writes to, if others can do that meanwhile.
    shared: Option<sqlite::Sqlite>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        // It says itself what goes wrong there.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Store {
    /// Opens the `PostgreSQL` database at this URL (`postgres://` or `postgresql://`), which [`Store::migrate`] has prepared,
    /// or else the file (`SQLite`) at this path, which is made if it is not there. Processes may share either. It may take
    /// some 5 seconds to fail, in which the thread waits.
    ///
    /// # Errors
    /// `host.store` if it can't be opened, is something else or of another version, or would lose what it confirmed.
    pub fn open(location: &str) -> Result<Self, Error> {
        if let Some(url) = postgres::url(location) {
            let pool = postgres::pool(url)?;
            return Self::start("bandpass-postgres", None, || postgres::Postgres::open(pool));
        }
        Self::sharing(sqlite::Sqlite::in_file(Path::new(location))?)
    }

    /// In memory, gone with the process; 1 GiB at most.
    ///
    /// # Errors
    /// `host.store` if there is no memory for it.
    pub fn in_memory() -> Result<Self, Error> {
        Self::sharing(sqlite::Sqlite::in_memory()?)
    }

    /// Brings the database at this URL to the version that this program needs. Whoever opens a file has that done by the way.
    ///
    /// # Errors
    /// `host.store` if it can't be opened, is something else or of a newer version.
    pub fn migrate(location: &str) -> Result<Migration, Error> {
        let Some(url) = postgres::url(location) else {
            return sqlite::Sqlite::migrate(Path::new(location));
        };
        let config = postgres::config(url)?;
        // A thread of its own, for this one may have an executor.
        let migrate = || executor(true)?.block_on(postgres::migrate(&config));
        std::thread::scope(|scope| scope.spawn(migrate).join()).map_err(|_| gone())?
    }

    fn sharing(database: sqlite::Sqlite) -> Result<Self, Error> {
        let shared = Some(database.clone());
        Self::start("bandpass-sqlite", shared, || std::future::ready(Ok(database)))
    }

    /// The writer has a thread of its own with an executor on it, so that embedders need none.
    fn start<B: Backend, F: Future<Output = Result<B, Error>>>(
        name: &str,
        shared: Option<sqlite::Sqlite>,
        open: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Self, Error> {
        let (queue, waiting) = mpsc::channel(MAX_QUEUE);
        let (opened, is_open) = std::sync::mpsc::channel();
        let writer = move || {
            let executor = match executor(B::CONNECTS) {
                Ok(executor) => executor,
                Err(error) => return drop(opened.send(Err(error))),
            };
            executor.block_on(async {
                match open().await {
                    Ok(backend) => {
                        let _ = opened.send(Ok(()));
                        write(backend, waiting).await;
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            });
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(writer).map_err(failed)?;
        is_open.recv().map_err(|_| gone())??;
        Ok(Self { writer: Arc::new(Writer { queue: Some(queue), thread: Some(thread), shared }) })
    }

    fn queue(&self) -> Result<&mpsc::Sender<Box<dyn Work>>, Error> {
        self.writer.queue.as_ref().ok_or_else(gone)
    }

    /// Runs `work` on the rows that `keys` name, in a transaction, and returns what it returned once that is durable. If it
    /// returns an error nothing is written.
    pub(crate) async fn transact<T: Send + 'static>(
        &self,
        keys: Keys,
        work: impl FnOnce(&mut Rows) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        keys.check()?;
        let (reply, answer) = oneshot::channel();
        let task = Task::boxed(keys, work, move |done| drop(reply.send(done)));
        let asked = async {
            self.queue()?.send(task).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        asked.instrument(tracing::debug_span!("store")).await
    }

    /// The same for a thread without an executor.
    pub(crate) fn transact_blocking<T: Send + 'static>(
        &self,
        keys: Keys,
        work: impl FnOnce(&mut Rows) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.begin(keys, work, move |done| drop(reply.send(done)), true);
        answer.blocking_recv().map_err(|_| gone())?
    }

    /// The same for a thread without an executor that need not wait for it: `answer` is called on the writer's thread or on
    /// this one, and must not keep it. It must not hold the last [`Store`] either, which would wait for itself. `may_wait`:
    /// whether this thread may be kept until it is durable; then it commits by itself if nobody else writes.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        keys: Keys,
        work: impl FnOnce(&mut Rows) -> Result<T, Error> + Send + 'static,
        answer: impl FnOnce(Result<T, Error>) + Send + 'static,
        may_wait: bool,
    ) {
        let storable = keys.check();
        let span = tracing::debug_span!("store");
        let mut task = Task::boxed(keys, work, move |done| {
            drop(span);
            answer(done);
        });
        let queue = match storable.and_then(|()| self.queue()) {
            Ok(queue) => queue,
            Err(error) => return task.reply(Err(error)),
        };
        if may_wait && let Some(mut free) = self.writer.shared.as_ref().and_then(sqlite::Sqlite::free) {
            let keys = task.take_keys();
            let committed = noted(free.transact(&keys, |rows| run(rows, std::slice::from_mut(&mut task))));
            drop(free);
            return task.reply(committed);
        }
        if let Err(refused) = queue.blocking_send(task) {
            refused.0.reply(Err(gone()));
        }
    }
}

/// What became of a database that was migrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Version before; 0: it was empty.
    pub from: u32,
    /// Version now.
    pub to: u32,
}

/// What keeps rows.
trait Backend: Sized + 'static {
    /// Pieces of work that are committed together.
    const MAX_GROUP: usize;
    /// Whether it needs an executor with connections and timers.
    const CONNECTS: bool;

    /// Loads what `keys` name, has `work` change it, and commits that durably, in a transaction in which nobody else changes
    /// it. Whatever goes wrong, nothing is left half done; but who loses the connection while it commits can't tell whether
    /// it did.
    async fn transact(&mut self, keys: &Keys, work: impl FnOnce(&mut Rows)) -> Result<(), Error>;

    /// Removes at most [`PRUNED_AT_ONCE`] rows of each of [`Table::PRUNED`] that are due. Whether more may be.
    async fn prune(&mut self, now: u64) -> Result<bool, Error>;
}

/// The writer: until every [`Store`] is gone and nothing waits.
async fn write<B: Backend>(mut backend: B, mut waiting: mpsc::Receiver<Box<dyn Work>>) {
    let mut group = Vec::new();
    let mut prune_at = Instant::now();
    while waiting.recv_many(&mut group, B::MAX_GROUP).await > 0 {
        let keys = group.iter_mut().fold(Keys::default(), |keys, work| keys.and(work.take_keys()));
        let committed = noted(backend.transact(&keys, |rows| run(rows, &mut group)).await);
        for work in group.drain(..) {
            work.reply(committed.clone());
        }
        if committed.is_ok() && Instant::now() >= prune_at {
            let more = backend.prune(keys.now()).await.unwrap_or_else(|error| {
                tracing::warn!("rows whose time is over stay: {error}");
                false
            });
            if !more {
                prune_at = Instant::now() + PRUNE_EVERY;
            }
        }
    }
}

fn run(rows: &mut Rows, group: &mut [Box<dyn Work>]) {
    for work in group {
        match work.run(rows) {
            true => rows.keep(),
            false => rows.forget(),
        }
    }
}

/// A store that fails is told to whoever runs it, too.
fn noted(committed: Result<(), Error>) -> Result<(), Error> {
    committed.inspect_err(|error| tracing::error!("{error}"))
}

/// A piece of work that waits for its transaction.
trait Work: Send {
    /// What it needs, once.
    fn take_keys(&mut self) -> Keys;
    /// Whether what it changed is to be kept.
    fn run(&mut self, rows: &mut Rows) -> bool;
    fn reply(self: Box<Self>, committed: Result<(), Error>);
}

struct Task<T, F, A> {
    keys: Keys,
    work: Option<F>,
    done: Option<Result<T, Error>>,
    answer: A,
}

impl<T, F, A> Task<T, F, A>
where
    T: Send + 'static,
    F: FnOnce(&mut Rows) -> Result<T, Error> + Send + 'static,
    A: FnOnce(Result<T, Error>) + Send + 'static,
{
    fn boxed(keys: Keys, work: F, answer: A) -> Box<dyn Work> {
        Box::new(Self { keys, work: Some(work), done: None, answer })
    }
}

impl<T, F, A> Work for Task<T, F, A>
where
    T: Send,
    F: FnOnce(&mut Rows) -> Result<T, Error> + Send,
    A: FnOnce(Result<T, Error>) + Send,
{
    fn take_keys(&mut self) -> Keys {
        std::mem::take(&mut self.keys)
    }

    fn run(&mut self, rows: &mut Rows) -> bool {
        self.done = self.work.take().map(|work| work(rows));
        matches!(self.done, Some(Ok(_)))
    }

    fn reply(self: Box<Self>, committed: Result<(), Error>) {
        let done = self.done.unwrap_or_else(|| Err(gone()));
        // Whoever asked may have gone; what was decided stands.
        (self.answer)(committed.and(done));
    }
}

/// `connects`: with connections and timers, without which a thread is woken at less cost.
fn executor(connects: bool) -> Result<tokio::runtime::Runtime, Error> {
    let mut executor = tokio::runtime::Builder::new_current_thread();
    let executor = if connects { executor.enable_all() } else { &mut executor };
    executor.build().map_err(failed)
}

/// What database and program are to each other.
fn is_current(version: u32, newest: usize) -> Result<bool, Error> {
    let version = usize::try_from(version).map_err(failed)?;
    match version > newest {
        true => Err(failed(format!("the store is of version {version}, newer than this program's {newest}"))),
        false => Ok(version == newest),
    }
}

/// Times and counts are far below what overflows.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::host(Code::HostStore, error)
}

fn gone() -> Error {
    failed("the store stopped")
}
