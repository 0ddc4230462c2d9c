//! Both backends are held to the same.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bandpass_testing::Postgres;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{AuditEntry, AuditPage, Backend, Keys, Record, Rows, Store, Table, failed, postgres, sqlite};
use crate::error::Error;

/// A record of any table, by its place in [`Table::ALL`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Thing<const TABLE: usize> {
    key: String,
    parent: Option<String>,
    due: Option<u64>,
    count: u64,
}

type Challenge = Thing<0>;
type Counter = Thing<1>;
type Reservation = Thing<4>;
type Chain = Thing<6>;
type Delivery = Thing<7>;

impl<const TABLE: usize> Record for Thing<TABLE> {
    const TABLE: Table = Table::ALL[TABLE];

    fn key(&self) -> &str {
        &self.key
    }

    fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    fn due(&self) -> Option<u64> {
        self.due
    }
}

fn thing<const TABLE: usize>(key: &str, count: u64) -> Thing<TABLE> {
    Thing { key: key.into(), count, ..Thing::default() }
}

/// Where a test keeps its rows.
enum Place {
    File(TempDir),
    Database(String),
}

impl Place {
    fn file() -> Self {
        Self::File(tempfile::tempdir().expect("a folder"))
    }

    fn database() -> Self {
        let url = Postgres::shared().and_then(Postgres::database).expect("a database");
        let migration = Store::migrate(&url).expect("migrated");
        assert_eq!((migration.from, migration.to), (0, 3));
        Self::Database(url)
    }

    fn location(&self) -> String {
        match self {
            Self::File(folder) => folder.path().join("state").to_str().expect("UTF-8").into(),
            Self::Database(url) => url.clone(),
        }
    }

    fn open(&self) -> Store {
        Store::open(&self.location()).expect("opens")
    }

    /// A store that counts its transactions.
    fn counted(&self) -> (Store, Arc<AtomicUsize>) {
        let begun = Arc::<AtomicUsize>::default();
        let counter = begun.clone();
        let location = self.location();
        let store = match self {
            Self::File(_) => Store::start("test", None, move || async move {
                let inner = sqlite::Sqlite::in_file(Path::new(&location))?;
                Ok(Counted { inner, begun: counter })
            }),
            Self::Database(_) => Store::start("test", None, move || async move {
                let inner = postgres::Postgres::open(postgres::pool(&location)?).await?;
                Ok(Counted { inner, begun: counter })
            }),
        };
        (store.expect("opens"), begun)
    }
}

struct Counted<B> {
    inner: B,
    begun: Arc<AtomicUsize>,
}

impl<B: Backend> Backend for Counted<B> {
    const MAX_GROUP: usize = B::MAX_GROUP;
    const CONNECTS: bool = B::CONNECTS;

    async fn transact(&mut self, keys: &Keys, work: impl FnOnce(&mut Rows)) -> Result<(), Error> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.inner.transact(keys, work).await
    }

    async fn prune(&mut self, now: u64) -> Result<bool, Error> {
        self.inner.prune(now).await
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("an executor").block_on(future)
}

/// Makes the writer wait until what is dropped is dropped, so that what comes meanwhile is a group.
async fn hold(store: &Store) -> std::sync::mpsc::Sender<()> {
    let (release, held) = std::sync::mpsc::channel();
    let (started, is_held) = tokio::sync::oneshot::channel();
    let waiting = store.clone();
    tokio::spawn(async move {
        let wait = move |_: &mut Rows| {
            started.send(()).expect("somebody waits");
            let _ = held.recv();
            Ok(())
        };
        waiting.transact(Keys::default(), wait).await.expect("held");
    });
    is_held.await.expect("held");
    release
}

async fn put<const TABLE: usize>(store: &Store, thing: Thing<TABLE>) -> Result<(), Error> {
    let keys = Keys::default().row(Table::ALL[TABLE], thing.key.clone());
    store.transact(keys, move |rows| rows.put(&thing)).await
}

async fn get<const TABLE: usize>(store: &Store, key: &str) -> Option<Thing<TABLE>> {
    let wanted = key.to_owned();
    let keys = Keys::default().row(Table::ALL[TABLE], key);
    store.transact(keys, move |rows| rows.get(&wanted)).await.expect("read")
}

async fn append(store: &Store, chain: &str, seq: u64) -> Result<(), Error> {
    let entry = AuditEntry { chain: chain.into(), seq, entry: format!("{{\"is\":{seq}}}"), hash: "00".into() };
    let append = move |rows: &mut Rows| {
        rows.append(entry);
        Ok(())
    };
    store.transact(Keys::default().row(Table::Chain, chain), append).await
}

async fn page(store: &Store, chain: &str, after: u64, limit: u32) -> Vec<u64> {
    let page = AuditPage { chain: chain.into(), after, limit };
    let entries = store.transact(Keys::default().page(page.clone()), move |rows| Ok(rows.page(&page))).await;
    entries.expect("read").into_iter().map(|entry| entry.seq).collect()
}

fn refusal<T>(result: Result<T, Error>) -> String {
    let error = result.err().expect("refused");
    assert_eq!(error.code(), "host.store", "{error}");
    error.message().to_owned()
}

macro_rules! on_both {
    ($($test:ident)*) => {
        mod in_a_file { $(#[test] fn $test() { super::block_on(super::$test(&super::Place::file())); })* }
        mod in_postgres { $(#[test] fn $test() { super::block_on(super::$test(&super::Place::database())); })* }
    };
}

on_both! {
    rows_come_back
    what_is_due_comes_with_its_cap
    what_is_due_comes_when_asked_for
    chains_and_pages_come_back
    refused_work_harms_nobody
    a_group_that_fails_leaves_nothing
    what_no_backend_can_hold_is_refused
    what_waits_is_one_transaction
    no_increment_is_lost
    what_is_due_is_pruned
    threads_without_an_executor_are_served
}

async fn rows_come_back(place: &Place) {
    async fn of_table<const TABLE: usize>(place: &Place) {
        let store = place.open();
        let text = "Größe \" ' \\ \n ☃";
        let whole = Thing::<TABLE> { key: text.into(), parent: Some(text.into()), due: Some(7), count: u64::MAX };
        assert_eq!(get::<TABLE>(&store, text).await, None);
        put(&store, whole.clone()).await.expect("written");
        assert_eq!(get(&store, text).await, Some(whole.clone()));
        let bare = Thing::<TABLE> { parent: None, due: None, count: 0, ..whole };
        put(&store, bare.clone()).await.expect("written");
        drop(store);
        let store = place.open();
        assert_eq!(get(&store, text).await, Some(bare.clone()));
        let keys = Keys::default().row(Table::ALL[TABLE], text);
        let delete = move |rows: &mut Rows| {
            rows.delete(&bare);
            assert_eq!(rows.get::<Thing<TABLE>>(text)?, None);
            Ok(())
        };
        store.transact(keys, delete).await.expect("removed");
        assert_eq!(get::<TABLE>(&store, text).await, None);
    }
    of_table::<0>(place).await;
    of_table::<1>(place).await;
    of_table::<2>(place).await;
    of_table::<3>(place).await;
    of_table::<4>(place).await;
    of_table::<5>(place).await;
    of_table::<6>(place).await;
    of_table::<7>(place).await;
}

async fn what_is_due_comes_with_its_cap(place: &Place) {
    let store = place.open();
    for (key, parent, due) in [("a", "cap", 10), ("b", "cap", 20), ("c", "cap", 21), ("d", "other", 10)] {
        let part = Reservation { key: key.into(), parent: Some(parent.into()), due: Some(due), count: 1 };
        put(&store, part).await.expect("written");
    }
    let due = |now| {
        let keys = Keys::at(now).row(Table::Cap, "cap");
        let work = move |rows: &mut Rows| rows.due::<Reservation>(Some("cap"), now);
        let store = store.clone();
        async move { store.transact(keys, work).await.expect("read").into_iter().map(|row| row.key).collect::<Vec<_>>() }
    };
    assert_eq!(due(9).await, Vec::<String>::new());
    assert_eq!(due(20).await, ["a", "b"]);
    // Work of another time in the same group changes nothing.
    let held = hold(&store).await;
    let both = tokio::spawn(futures_util::future::join(due(9), due(30)));
    tokio::task::yield_now().await;
    drop(held);
    assert_eq!(both.await.expect("done"), (vec![], vec!["a".into(), "b".into(), "c".into()]));
}

async fn what_is_due_comes_when_asked_for(place: &Place) {
    let store = place.open();
    for (key, due) in [("a", 30), ("b", 10), ("c", 20), ("d", 40)] {
        put(&store, Delivery { key: key.into(), due: Some(due), ..Delivery::default() }).await.expect("written");
    }
    let due = |now, limit| {
        let keys = Keys::at(now).due(Table::Delivery, limit).count(Table::Delivery);
        let work = move |rows: &mut Rows| Ok((rows.due::<Delivery>(None, now)?, rows.count(Table::Delivery)));
        let store = store.clone();
        async move {
            let (due, count) = store.transact(keys, work).await.expect("read");
            assert_eq!(count, 4);
            due.into_iter().map(|row| row.key).collect::<Vec<_>>()
        }
    };
    assert_eq!(due(9, 10).await, Vec::<String>::new());
    assert_eq!(due(30, 0).await, Vec::<String>::new());
    assert_eq!(due(30, 2).await, ["b", "c"], "the longest due first");
    assert_eq!(due(30, 10).await, ["a", "b", "c"]);
}

async fn chains_and_pages_come_back(place: &Place) {
    let store = place.open();
    for chain in ["one", "two"] {
        put(&store, thing::<6>(chain, 0)).await.expect("written");
        for seq in 1..=5 {
            append(&store, chain, seq).await.expect("written");
        }
    }
    let store = place.open();
    assert_eq!(page(&store, "one", 0, 10).await, [1, 2, 3, 4, 5]);
    assert_eq!(page(&store, "one", 2, 2).await, [3, 4]);
    assert_eq!(page(&store, "one", 5, 2).await, [0_u64; 0]);
    assert_eq!(page(&store, "three", 0, 2).await, [0_u64; 0]);
    let chains = store.transact(Keys::default().whole(Table::Chain), |rows| rows.all::<Chain>()).await.expect("read");
    assert_eq!(chains.into_iter().map(|chain| chain.key).collect::<Vec<_>>(), ["one", "two"]);
    assert!(refusal(append(&store, "one", 3).await).to_lowercase().contains("unique"));
}

async fn refused_work_harms_nobody(place: &Place) {
    let (store, begun) = place.counted();
    let held = hold(&store).await;
    let works = (0..20).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let key = number.to_string();
            let work = move |rows: &mut Rows| {
                rows.put(&thing::<1>(&key, 1))?;
                let shared = rows.get::<Counter>("shared")?.map_or(0, |shared| shared.count);
                rows.put(&thing::<1>("shared", shared + 1))?;
                rows.append(AuditEntry { chain: key, seq: 1, entry: "{}".into(), hash: "00".into() });
                if number % 2 == 1 { Err(failed("odd")) } else { Ok(()) }
            };
            store.transact(Keys::default().row(Table::Counter, "shared"), work).await
        })
    });
    let works = works.collect::<Vec<_>>();
    while store.queue().expect("open").capacity() + works.len() > store.queue().expect("open").max_capacity() {
        tokio::task::yield_now().await;
    }
    drop(held);
    for (number, done) in join_all(works).await.into_iter().enumerate() {
        assert_eq!(done.expect("no panic").is_ok(), number % 2 == 0, "{number}");
    }
    assert_eq!(begun.load(Ordering::Relaxed), 2);
    for number in 0..20 {
        let key = number.to_string();
        assert_eq!(get::<1>(&store, &key).await.is_some(), number % 2 == 0, "{number}");
        assert_eq!(page(&store, &key, 0, 1).await.len(), 1 - number % 2, "{number}");
    }
    assert_eq!(get::<1>(&store, "shared").await.expect("there").count, 10);
}

async fn a_group_that_fails_leaves_nothing(place: &Place) {
    let store = place.open();
    put(&store, thing::<1>("a", 1)).await.expect("written");
    let held = hold(&store).await;
    let (one, two, three) = (store.clone(), store.clone(), store.clone());
    let works = [
        tokio::spawn(async move { put(&one, thing::<1>("a", 2)).await }),
        tokio::spawn(async move { append(&two, "chain", 1).await }),
        tokio::spawn(async move { append(&three, "chain", 1).await }),
    ];
    while store.queue().expect("open").capacity() + works.len() > store.queue().expect("open").max_capacity() {
        tokio::task::yield_now().await;
    }
    drop(held);
    for done in join_all(works).await {
        refusal(done.expect("no panic"));
    }
    assert_eq!(get::<1>(&store, "a").await.expect("there").count, 1);
    assert_eq!(page(&store, "chain", 0, 9).await, [0_u64; 0]);
    append(&store, "chain", 1).await.expect("the next goes on");
    put(&store, thing::<1>("a", 3)).await.expect("the next goes on");
    let store = place.open();
    assert_eq!(get::<1>(&store, "a").await.expect("there").count, 3);
    assert_eq!(page(&store, "chain", 0, 9).await, [1]);
}

async fn what_no_backend_can_hold_is_refused(place: &Place) {
    let (store, begun) = place.counted();
    for key in ["a\0b".to_owned(), "a".repeat(1_025)] {
        refusal(put(&store, thing::<1>(&key, 1)).await);
        let part = Reservation { key: "part".into(), parent: Some(key.clone()), due: None, count: 1 };
        refusal(store.transact(Keys::default(), move |rows| rows.put(&part)).await);
        refusal(store.transact(Keys::default().page(AuditPage { chain: key, after: 0, limit: 1 }), |_| Ok(())).await);
    }
    refusal(store.transact(Keys::default(), |rows| rows.get::<Counter>("a")).await);
    assert_eq!(begun.load(Ordering::Relaxed), 3);
    // Incompressible, so that it is as long for the index.
    let longest =
        (0..1_024_u32).map(|at| char::from(b' ' + u8::try_from(at * at % 90).expect("small"))).collect::<String>();
    let part = Reservation { key: longest.clone(), parent: Some(longest), due: Some(1), count: 1 };
    put(&store, part).await.expect("written");
}

async fn what_waits_is_one_transaction(place: &Place) {
    let (store, begun) = place.counted();
    let held = hold(&store).await;
    let works = (0..60).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { put(&store, thing::<1>(&number.to_string(), 1)).await })
    });
    let works = works.collect::<Vec<_>>();
    while store.queue().expect("open").capacity() + works.len() > store.queue().expect("open").max_capacity() {
        tokio::task::yield_now().await;
    }
    drop(held);
    for done in join_all(works).await {
        done.expect("no panic").expect("written");
    }
    assert_eq!(begun.load(Ordering::Relaxed), 2);
}

async fn no_increment_is_lost(place: &Place) {
    let hosts = [place.open(), place.open()];
    let written = Arc::<AtomicU64>::default();
    let tasks = (0..64).map(|task| {
        let store = hosts[task % 2].clone();
        let written = written.clone();
        tokio::spawn(async move {
            for round in 0..10 {
                // Another row beside it, so that sets of keys overlap in every order.
                let other = ((task + round) % 7).to_string();
                let keys = Keys::default().row(Table::Counter, "all").row(Table::Counter, other.clone());
                let raise = move |rows: &mut Rows| {
                    for key in ["all", &other] {
                        let count = rows.get::<Counter>(key)?.map_or(0, |row| row.count);
                        rows.put(&thing::<1>(key, count + 1))?;
                    }
                    Ok(())
                };
                // Some wait for the writer, and some write themselves if nobody else does.
                let raised = match round % 2 {
                    0 => store.transact(keys, raise).await,
                    _ => tokio::task::block_in_place(|| store.transact_blocking(keys, raise)),
                };
                raised.expect("raised");
                written.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for done in join_all(tasks.collect::<Vec<_>>()).await {
        done.expect("no panic");
    }
    let store = place.open();
    assert_eq!(get::<1>(&store, "all").await.expect("there").count, 640);
    assert_eq!(written.load(Ordering::Relaxed), 640);
    let others = join_all((0..7).map(|other| {
        let store = store.clone();
        async move { get::<1>(&store, &other.to_string()).await.expect("there").count }
    }));
    assert_eq!(others.await.into_iter().sum::<u64>(), 640);
}

async fn what_is_due_is_pruned(place: &Place) {
    let store = place.open();
    let fill = |rows: &mut Rows| {
        for number in 0..2_500_u64 {
            rows.put(&Challenge { key: number.to_string(), parent: None, due: Some(100), count: 0 })?;
        }
        rows.put(&Challenge { key: "later".into(), parent: None, due: Some(101), count: 0 })?;
        rows.put(&Reservation { key: "part".into(), parent: Some("cap".into()), due: Some(1), count: 0 })
    };
    store.transact(Keys::at(0), fill).await.expect("written");
    // The next writer begins by pruning, and goes on with each group until nothing is left to do.
    let store = place.open();
    for _ in 0..4 {
        store.transact(Keys::at(100), |_| Ok(())).await.expect("read");
    }
    let keys = (0..2_500).fold(Keys::at(0), |keys, number| keys.row(Table::Challenge, number.to_string()));
    let left = store.transact(keys, |rows| Ok(rows.all::<Challenge>()?.len())).await.expect("read");
    assert_eq!(left, 0);
    assert!(get::<0>(&store, "later").await.is_some());
    assert!(get::<4>(&store, "part").await.is_some());
}

async fn threads_without_an_executor_are_served(place: &Place) {
    let store = place.open();
    let threads = (0..4).map(|_| {
        let store = store.clone();
        let work = |rows: &mut Rows| {
            let count = rows.get::<Counter>("a")?.map_or(0, |row| row.count);
            rows.put(&thing::<1>("a", count + 1))
        };
        std::thread::spawn(move || store.transact_blocking(Keys::default().row(Table::Counter, "a"), work))
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().expect("no panic").expect("written");
    }
    let twice = |rows: &mut Rows| {
        let entry = AuditEntry { chain: "chain".into(), seq: 1, entry: "{}".into(), hash: "00".into() };
        rows.append(entry.clone());
        rows.append(entry);
        rows.put(&thing::<1>("a", 0))
    };
    let failing = store.clone();
    let failed = move || failing.transact_blocking(Keys::default().row(Table::Counter, "a"), twice);
    assert!(refusal(std::thread::spawn(failed).join().expect("no panic")).to_lowercase().contains("unique"));
    assert_eq!(get::<1>(&store, "a").await.expect("there").count, 4);
}

mod files {
    use super::*;

    /// `SQLite` would take these names for databases that nobody else sees.
    #[test]
    fn special_names_are_files_like_any_other() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [":memory:", "file:x?mode=memory", "postgres:x"] {
            let path = folder.path().join(name);
            let location = path.to_str().expect("UTF-8");
            block_on(put(&Store::open(location).expect("opens"), thing::<1>("a", 1))).expect("written");
            assert!(block_on(get::<1>(&Store::open(location).expect("opens"), "a")).is_some());
            assert!(path.is_file());
        }
    }

    /// What the first version wrote gets the times by which it can be removed.
    #[test]
    fn a_file_of_the_first_version_is_brought_up_to_date() {
        let place = Place::file();
        let database = rusqlite::Connection::open(place.location()).expect("opens");
        let rows = r#"INSERT INTO decision VALUES ('d', '{"at": 7}', NULL, NULL);
            INSERT INTO allowed_transaction VALUES ('t', '{"key": "t", "decision": "d"}', NULL, NULL);
            INSERT INTO cap VALUES ('c', '{}', NULL, NULL), ('e', '{}', NULL, NULL);
            INSERT INTO reservation VALUES ('r', '{}', 'c', 8), ('s', '{}', 'c', 9);
            PRAGMA application_id = 0x62616e64; PRAGMA user_version = 1"#;
        database.execute_batch(&[include_str!("migrations/sqlite-1.sql"), rows].concat()).expect("made");
        let migration = Store::migrate(&place.location()).expect("migrated");
        assert_eq!((migration.from, migration.to), (1, 3));
        let sql = "SELECT group_concat(key || due, ' ') FROM (SELECT key, due FROM decision UNION ALL
            SELECT key, due FROM allowed_transaction UNION ALL SELECT key, due FROM cap ORDER BY key)";
        let dues = database.query_row(sql, [], |row| row.get::<_, String>(0)).expect("read");
        assert_eq!(dues, "c9 d7 e0 t7");
    }

    #[test]
    fn what_is_something_else_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let letter = folder.path().join("letter.txt");
        std::fs::write(&letter, "Dear Sir or Madam, this is not a database at all, and it should stay as it is.")
            .expect("written");
        let other = folder.path().join("other.sqlite");
        let database = rusqlite::Connection::open(&other).expect("opens");
        database.execute_batch("CREATE TABLE counter (key TEXT)").expect("made");
        drop(database);
        let newer = folder.path().join("newer.sqlite");
        drop(Store::open(newer.to_str().expect("UTF-8")).expect("opens"));
        let database = rusqlite::Connection::open(&newer).expect("opens");
        database.execute_batch("PRAGMA user_version = 4; PRAGMA wal_checkpoint(TRUNCATE)").expect("set");
        drop(database);
        for (path, reason) in [(letter, "not a database"), (other, "another program's"), (newer, "newer than")] {
            let before = std::fs::read(&path).expect("read");
            for refused in [Store::open, |path: &str| Store::migrate(path).and_then(|_| Store::in_memory())] {
                let message = refusal(refused(path.to_str().expect("UTF-8")));
                assert!(message.contains(reason), "{message}");
            }
            assert_eq!(std::fs::read(&path).expect("read"), before, "{}", path.display());
        }
    }

    #[test]
    fn a_folder_is_no_store_and_none_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        refusal(Store::open(folder.path().to_str().expect("UTF-8")));
        refusal(Store::open(folder.path().join("missing/state").to_str().expect("UTF-8")));
        assert!(!folder.path().join("missing").exists());
    }

    #[test]
    fn many_may_open_a_new_one_at_once() {
        for _ in 0..3 {
            let place = Place::file();
            std::thread::scope(|scope| {
                for opened in (0..8).map(|_| scope.spawn(|| place.open())).collect::<Vec<_>>() {
                    opened.join().expect("opens");
                }
            });
        }
    }

    #[test]
    fn one_that_somebody_else_is_about_to_make_is_waited_for() {
        let place = Place::file();
        let database = rusqlite::Connection::open(place.location()).expect("opens");
        database.execute_batch("BEGIN IMMEDIATE").expect("begun");
        std::thread::scope(|scope| {
            let opening = scope.spawn(|| place.open());
            std::thread::sleep(Duration::from_millis(300));
            database.execute_batch("ROLLBACK").expect("ended");
            opening.join().expect("opens");
        });
    }

    #[test]
    fn memory_is_one_store_for_all_clones() {
        let store = Store::in_memory().expect("opens");
        let clone = store.clone();
        block_on(put(&store, thing::<1>("a", 1))).expect("written");
        assert!(block_on(get::<1>(&clone, "a")).is_some());
    }

    #[test]
    fn stores_in_memory_are_apart() {
        let [one, other] = [(); 2].map(|()| Store::in_memory().expect("opens"));
        block_on(put(&one, thing::<1>("a", 1))).expect("written");
        assert!(block_on(get::<1>(&one, "a")).is_some());
        assert_eq!(block_on(get::<1>(&other, "a")), None);
        assert!(!Path::new("bandpass").is_file());
    }

    #[test]
    fn a_full_disk_leaves_nothing_half_done() {
        let place = Place::file();
        let location = place.location();
        let open = move || {
            let inner = sqlite::Sqlite::in_file(Path::new(&location));
            inner.inspect(|inner| inner.limit_pages(40))
        };
        let store = Store::start("test", None, move || std::future::ready(open())).expect("opens");
        block_on(async {
            put(&store, thing::<1>("a", 1)).await.expect("written");
            let too_much = |rows: &mut Rows| {
                rows.put(&thing::<1>("a", 2))?;
                (0..5_000_u64).try_for_each(|number| rows.put(&thing::<5>(&number.to_string(), number)))
            };
            let keys = Keys::default().row(Table::Counter, "a");
            assert!(refusal(store.transact(keys, too_much).await).contains("full"));
            assert_eq!(get::<1>(&store, "a").await.expect("there").count, 1);
            assert_eq!(get::<5>(&store, "0").await, None);
            put(&store, thing::<1>("a", 3)).await.expect("the next goes on");
            assert_eq!(get::<1>(&place.open(), "a").await.expect("there").count, 3);
        });
    }
}

mod databases {
    use super::*;

    fn sql(url: &str, sql: &str) -> String {
        Postgres::shared().expect("a server").sql(url, sql).expect("runs")
    }

    /// Changes a setting of the whole server.
    fn set(server: &Postgres, url: &str, setting: &str, value: &str) {
        server.sql(url, &format!("ALTER SYSTEM SET {setting} = {value}")).expect("set");
        server.sql(url, "SELECT pg_reload_conf()").expect("set");
        while server.sql(url, &format!("SHOW {setting}")).expect("shown") != value.trim_matches('\'') {}
    }

    #[test]
    fn one_that_was_not_migrated_is_refused() {
        let url = Postgres::shared().and_then(Postgres::database).expect("a database");
        let message = refusal(Store::open(&url));
        assert!(message.contains("bandpass migrate"), "{message}");
        Store::migrate(&url).expect("migrated");
        Store::open(&url).expect("opens");
        sql(&url, "INSERT INTO bandpass_migration VALUES (4)");
        for message in [refusal(Store::open(&url)), refusal(Store::migrate(&url))] {
            assert!(message.contains("newer than"), "{message}");
        }
    }

    /// As for a file.
    #[test]
    fn one_of_the_first_version_is_brought_up_to_date() {
        let Place::Database(url) = Place::database() else { panic!("a database") };
        let rows = r#"DROP TABLE delivery, account, band, ticket, status_list, status_part;
            DROP INDEX decision_due, allowed_transaction_due, cap_due;
            DELETE FROM bandpass_migration WHERE version > 1;
            INSERT INTO decision VALUES ('d', '{"at": 7}', NULL, NULL);
            INSERT INTO allowed_transaction VALUES ('t', '{"key": "t", "decision": "d"}', NULL, NULL);
            INSERT INTO cap VALUES ('c', '{}', NULL, NULL), ('e', '{}', NULL, NULL);
            INSERT INTO reservation VALUES ('r', '{}', 'c', 8), ('s', '{}', 'c', 9)"#;
        sql(&url, rows);
        let migration = Store::migrate(&url).expect("migrated");
        assert_eq!((migration.from, migration.to), (1, 3));
        let dues = "SELECT string_agg(key || due, ' ' ORDER BY key) FROM (SELECT key, due FROM decision UNION ALL
            SELECT key, due FROM allowed_transaction UNION ALL SELECT key, due FROM cap) AS migrated";
        assert_eq!(sql(&url, dues), "c9 d7 e0 t7");
    }

    #[test]
    fn many_may_migrate_at_once() {
        let url = Postgres::shared().and_then(Postgres::database).expect("a database");
        let migrations = std::thread::scope(|scope| {
            let threads = (0..8).map(|_| scope.spawn(|| Store::migrate(&url).expect("migrated"))).collect::<Vec<_>>();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
        });
        assert_eq!(migrations.iter().filter(|migration| migration.from == 0).count(), 1);
        assert!(migrations.iter().all(|migration| migration.to == 3));
        Store::open(&url).expect("opens");
    }

    #[test]
    fn tables_of_others_are_left_alone() {
        let url = Postgres::shared().and_then(Postgres::database).expect("a database");
        sql(&url, "CREATE TABLE reservation (seat INTEGER)");
        refusal(Store::migrate(&url));
        assert_eq!(sql(&url, "SELECT string_agg(relname, ' ') FROM pg_stat_user_tables"), "reservation");
    }

    #[test]
    fn one_that_could_lose_what_it_confirmed_is_refused() {
        let Place::Database(url) = Place::database() else { panic!("a database") };
        let name = url.rsplit('/').next().expect("a name");
        for value in ["off", "local", "remote_write"] {
            sql(&url, &format!("ALTER DATABASE {name} SET synchronous_commit = {value}"));
            for message in [refusal(Store::open(&url)), refusal(Store::migrate(&url))] {
                assert!(message.contains("synchronous_commit") && message.contains(value), "{message}");
            }
        }
        sql(&url, &format!("ALTER DATABASE {name} SET synchronous_commit = remote_apply"));
        Store::open(&url).expect("opens");
    }

    #[test]
    fn one_that_can_only_be_read_is_refused() {
        let Place::Database(url) = Place::database() else { panic!("a database") };
        let name = url.rsplit('/').next().expect("a name");
        sql(&url, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
        refusal(Store::open(&url));
    }

    #[test]
    fn encryption_that_is_not_offered_is_refused() {
        for mode in ["require", "verify-ca", "verify-full", "allow"] {
            for location in ["postgres://localhost/x", "postgresql://localhost/x"] {
                let message = refusal(Store::open(&format!("{location}?sslmode={mode}")));
                assert!(message.contains("without TLS"), "{message}");
            }
        }
        let message = refusal(Store::open("postgres://user:secret@localhost/x?sslrootcert=x"));
        assert!(message.contains("sslrootcert") && !message.contains("secret"), "{message}");
    }

    #[test]
    fn one_that_is_not_there_is_refused() {
        refusal(Store::open("postgres://postgres@%2Fmissing/x"));
        refusal(Store::migrate("postgres://postgres@127.0.0.1:1/x"));
    }

    #[test]
    fn a_lost_connection_fails_one_group() {
        let place = Place::database();
        let store = place.open();
        block_on(async {
            put(&store, thing::<1>("a", 1)).await.expect("written");
            let held = hold(&store).await;
            let one = store.clone();
            let lost = tokio::spawn(async move { put(&one, thing::<1>("a", 2)).await });
            let url = place.location();
            let others = "pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()";
            assert_eq!(sql(&url, &format!("SELECT count(pg_terminate_backend(pid)) FROM {others}")), "1");
            while sql(&url, &format!("SELECT count(*) FROM {others}")) != "0" {}
            drop(held);
            // Whoever held the connection lost it; whoever came later has another.
            lost.await.expect("no panic").expect("written");
            assert_eq!(get::<1>(&store, "a").await.expect("there").count, 2);
        });
    }

    #[test]
    fn a_connection_lost_with_changes_fails_their_group_alone() {
        let place = Place::database();
        let store = place.open();
        block_on(async {
            put(&store, thing::<1>("a", 1)).await.expect("written");
            let url = place.location();
            let terminate = move |rows: &mut Rows| {
                rows.put(&thing::<1>("a", 2))?;
                let others = "pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()";
                sql(&url, &format!("SELECT pg_terminate_backend(pid) FROM {others}"));
                Ok(())
            };
            refusal(store.transact(Keys::default().row(Table::Counter, "a"), terminate).await);
            assert_eq!(get::<1>(&store, "a").await.expect("there").count, 1);
            put(&store, thing::<1>("a", 3)).await.expect("the next goes on");
        });
    }

    #[test]
    fn whoever_waits_too_long_for_a_row_is_told() {
        let place = Place::database();
        let (one, two) = (place.open(), place.open());
        let keys = || Keys::default().row(Table::Counter, "a");
        block_on(async {
            put(&one, thing::<1>("a", 1)).await.expect("written");
            let (release, held) = std::sync::mpsc::channel::<()>();
            let (started, is_held) = tokio::sync::oneshot::channel();
            let holding = tokio::spawn(async move {
                let hold = move |rows: &mut Rows| {
                    started.send(()).expect("somebody waits");
                    let _ = held.recv();
                    rows.put(&thing::<1>("a", 2))
                };
                one.transact(keys(), hold).await
            });
            is_held.await.expect("held");
            let start = Instant::now();
            let message = refusal(put(&two, thing::<1>("a", 3)).await);
            assert!(message.contains("lock timeout"), "{message}");
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
            put(&two, thing::<1>("b", 1)).await.expect("other rows are free");
            // Whoever holds rows for too long loses them.
            tokio::time::sleep(Duration::from_secs(3)).await;
            put(&two, thing::<1>("a", 4)).await.expect("written");
            drop(release);
            refusal(holding.await.expect("no panic"));
            assert_eq!(get::<1>(&two, "a").await.expect("there").count, 4);
        });
    }

    /// A server of its own, as it is stopped, killed and misconfigured.
    #[test]
    fn a_server_in_trouble_loses_nothing() {
        let mut server = Postgres::start().expect("a server");
        let url = server.database().expect("a database");
        Store::migrate(&url).expect("migrated");
        let store = Store::open(&url).expect("opens");
        block_on(put(&store, thing::<1>("a", 1))).expect("written");
        // The first group is followed by a removal, which should not be what waits.
        block_on(get::<1>(&store, "a")).expect("there");

        server.signal(rustix::process::Signal::STOP).expect("stopped");
        let start = Instant::now();
        refusal(block_on(put(&store, thing::<1>("a", 2))));
        refusal(Store::open(&url));
        refusal(Store::migrate(&url));
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        server.signal(rustix::process::Signal::CONT).expect("goes on");
        block_on(put(&store, thing::<1>("a", 3))).expect("written");

        server.kill().expect("killed");
        let start = Instant::now();
        refusal(block_on(put(&store, thing::<1>("a", 4))));
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        server.start_again().expect("started");
        assert_eq!(block_on(get::<1>(&store, "a")).expect("there").count, 3);

        // Another server has to confirm, and there is none: nobody is told that it did.
        set(&server, &url, "synchronous_standby_names", "'elsewhere'");
        let start = Instant::now();
        refusal(block_on(put(&store, thing::<1>("b", 1))));
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        set(&server, &url, "synchronous_standby_names", "''");
        block_on(put(&store, thing::<1>("b", 2))).expect("written");

        set(&server, &url, "fsync", "off");
        let message = refusal(Store::open(&url));
        assert!(message.contains("fsync"), "{message}");
    }
}

/// What was written to a log and synced between two answers.
mod syncs {
    use std::collections::HashMap;
    use std::ffi::OsStr;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ANSWERS: usize = 20;
    const CALLS: &str = "trace=write,pwrite64,fsync,fdatasync,sendto";

    #[derive(Clone, Copy, Debug, Default)]
    struct Answer {
        /// Writes to the log that were synced.
        synced: usize,
        /// Writes to the log that were not.
        unsynced: usize,
    }

    /// Reads what strace wrote.
    fn answers(trace: &str, log: &str, answer: &str) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut current = Answer::default();
        // By the process, how many writes a sync covers that has begun.
        let mut syncing = HashMap::new();
        for line in trace.lines() {
            let (process, call) = line.split_once(' ').expect("a process and its call");
            let call = call.trim_start();
            let of_log = call.split_once('>').is_some_and(|(start, _)| start.contains(log));
            if call.contains(answer) {
                answers.push(current);
                current.synced = 0;
            } else if of_log && call.starts_with("pwrite64(") {
                current.unsynced += 1;
            } else if of_log && (call.starts_with("fdatasync(") || call.starts_with("fsync(")) {
                syncing.insert(process, current.unsynced);
            }
            if call.contains("sync") && call.ends_with(" = 0") {
                let covered = syncing.remove(process).unwrap_or_default().min(current.unsynced);
                current.synced += covered;
                current.unsynced -= covered;
            }
        }
        answers
    }

    async fn answer(store: &Store, mut say: impl FnMut(usize)) {
        for number in 1..=ANSWERS {
            put(store, thing::<1>(&number.to_string(), 1)).await.expect("written");
            say(number);
        }
    }

    fn say(number: usize) {
        let mut out = std::io::stdout();
        out.write_all(format!("answer {number}\n").as_bytes()).and_then(|()| out.flush()).expect("printed");
    }

    #[test]
    fn what_was_not_synced_is_found() {
        let trace = r#"
1 pwrite64(3</x/log>, "a"..., 4096, 0) = 4096
2 pwrite64(4</x/other>, "a"..., 4096, 0) = 4096
1 fdatasync(3</x/log> <unfinished ...>
2 write(1</dev/null>, "answer 1\n", 9) = 9
1 <... fdatasync resumed>) = 0
2 write(1</dev/null>, "answer 2\n", 9) = 9
1 pwrite64(3</x/log>, "a"..., 4096, 0) = 4096
1 fdatasync(3</x/log>) = 0
1 pwrite64(3</x/log>, "a"..., 4096, 0) = 4096
1 fdatasync(4</x/other>) = 0
2 write(1</dev/null>, "answer 3\n", 9) = 9
1 fdatasync(3</x/log>) = -1 EIO (Input/output error)
2 write(1</dev/null>, "answer 4\n", 9) = 9"#;
        let found = answers(trace.trim(), "/log", "\"answer ");
        let found = found.iter().map(|answer| (answer.synced, answer.unsynced)).collect::<Vec<_>>();
        assert_eq!(found, [(0, 1), (1, 0), (1, 1), (0, 1)]);
    }

    #[test]
    #[ignore = "a test traces this in a process of its own"]
    fn is_traced() {
        if let Ok(location) = std::env::var("BANDPASS_TRACED_STORE") {
            block_on(answer(&Store::open(&location).expect("opens"), say));
        }
    }

    #[test]
    fn a_file_is_synced_before_each_answer() {
        let place = Place::file();
        let trace = tempfile::NamedTempFile::new().expect("a file");
        let status = Command::new("strace")
            .args(["-f", "-y", "-e", CALLS, "-e", "signal=none", "-o"])
            .arg(trace.path())
            .arg(std::env::current_exe().expect("this program"))
            .args(["store::tests::syncs::is_traced", "--exact", "--ignored", "--nocapture"])
            .env("BANDPASS_TRACED_STORE", place.location())
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.expect("strace runs").success());
        let trace = std::fs::read_to_string(trace.path()).expect("read");
        let answers = answers(&trace, "/state-wal", "\"answer ");
        assert_eq!(answers.len(), ANSWERS, "{trace}");
        assert!(answers.iter().all(|answer| answer.synced > 0 && answer.unsynced == 0), "{answers:?}");
    }

    #[test]
    fn a_server_syncs_before_each_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        // The server may run as another user.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("opened");
        let trace = folder.path().join("trace");
        let strace = ["strace", "-D", "-f", "-y", "-e", CALLS, "-e", "signal=none", "-o"];
        let strace = strace.map(OsStr::new).into_iter().chain([trace.as_os_str()]).collect::<Vec<_>>();
        let server = Postgres::start_with(&strace).expect("a server");
        let url = server.database().expect("a database");
        Store::migrate(&url).expect("migrated");
        let store = Store::open(&url).expect("opens");
        let before = std::fs::read_to_string(&trace).expect("read").len();
        block_on(answer(&store, |_| ()));
        drop(server);
        let trace = std::fs::read_to_string(&trace).expect("read");
        // Between a sync and the answer the server's other processes may write more.
        let answers = answers(&trace[before..], "/pg_wal/", "COMMIT\\0");
        assert_eq!(answers.len(), ANSWERS);
        assert!(answers.iter().all(|answer| answer.synced > 0), "{answers:?}");
    }
}
