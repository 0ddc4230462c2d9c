//! `PostgreSQL` alone.

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
