//! `SQLite` alone.

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
    database.execute_batch(&[include_str!("../migrations/sqlite-1.sql"), rows].concat()).expect("made");
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
