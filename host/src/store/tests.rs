//! Both backends are held to the same.

mod databases;
mod files;
mod syncs;

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
