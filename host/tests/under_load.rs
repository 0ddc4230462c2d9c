//! `bandpass serve` under load: killed, behind a proxy, asked nonsense, and for long. `BANDPASS_ROUNDS` says how often it is
//! killed, 3 times otherwise; `BANDPASS_DECISIONS` how many it makes while its memory is looked at, 1,000 otherwise;
//! `BANDPASS_EXAMPLES` how many requests of each kind are made up, at most, 60 otherwise.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/provider.rs"]
mod provider;
#[path = "support/shop.rs"]
mod shop;
#[path = "support/site.rs"]
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bandpass::{Store, verify_audit};
use bandpass_testing::Postgres;
use provider::{Provider, clock};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use shop::{daily, settings};
use site::{Serving, Site, Till, now, transaction_id, vp_token};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Soon reached, by three accounts together.
const CAP: &str = "150.00";
/// Who pays at once, and from how many accounts.
const CLIENTS: usize = 8;
const ACCOUNTS: usize = 3;
/// Between two attempts of a client.
const PAUSE: Duration = Duration::from_millis(20);

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |number| number.parse().expect("a number"))
}

/// A payment whose challenge a customer got, and what was said of it.
struct Payment {
    account: String,
    amount: Decimal,
    id: String,
    token: String,
    /// Whether the wallet was told that its answer was taken.
    taken: bool,
    /// Whether it came too late: its band has answered another challenge since, and its counter says so.
    late: bool,
    /// What the merchant was told.
    told: Option<Value>,
}

/// The amount of a client's payment: all are within the limit of one payment.
fn amount(client: usize, number: usize) -> String {
    format!("{}.{:02}", 1 + number % 7, (number * 37 + client) % 100)
}

/// Pays until it is told to stop. What fails is not tried again.
fn pay(site: &Site, till: &Till, client: usize, stop: &AtomicBool, told: &AtomicUsize) -> Vec<Payment> {
    let account = format!("account-{}", client % ACCOUNTS);
    let mut customer = site.shop.customer_at(&account, now());
    let mut payments = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let amount = amount(client, number);
        let Ok((201, challenge)) = till.challenge(&amount, &transaction_id()) else {
            std::thread::sleep(PAUSE);
            continue;
        };
        let mut payment = Payment {
            account: account.clone(),
            amount: Decimal::from_str_exact(&amount).expect("a decimal"),
            id: challenge["id"].as_str().expect("an id").to_owned(),
            token: vp_token(&mut customer, &challenge),
            taken: false,
            late: false,
            told: None,
        };
        match till.respond(&payment.id, &payment.token) {
            Ok((200, _)) => payment.taken = true,
            Ok((503, _)) | Err(_) => {}
            Ok(other) => panic!("{other:?}"),
        }
        if let (true, Ok((200, decision))) = (payment.taken, till.decision(&payment.id)) {
            assert_eq!(decision["status"], "decided", "{decision}");
            payment.told = Some(decision);
            told.fetch_add(1, Ordering::Relaxed);
        }
        payments.push(payment);
    }
    payments
}

/// Customers pay; once some were told what became of it, `end` ends something.
fn load(site: &Site, address: SocketAddr, round: usize, end: impl FnOnce()) -> Vec<Payment> {
    let (stop, told) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let till = site.till(address);
        let client = |client| {
            let (till, stop, told) = (till.clone(), &stop, &told);
            scope.spawn(move || pay(site, &till, client, stop, told))
        };
        let clients = (0..CLIENTS).map(client).collect::<Vec<_>>();
        let start = Instant::now();
        while told.load(Ordering::Relaxed) == 0 && start.elapsed() < Duration::from_mins(1) {
            std::thread::sleep(Duration::from_millis(10));
        }
        // A moment that differs from round to round.
        std::thread::sleep(Duration::from_millis(u64::try_from(round * 7_919 % 600).expect("small")));
        end();
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect()
    })
}

/// Sends again what was not answered, and holds everything against what was said before.
fn settle(till: &Till, payments: &mut [Payment]) {
    for payment in payments {
        let id = &payment.id;
        let (status, decision) = till.decision(id).expect("answered");
        assert_eq!(status, 200, "{id} is lost: {decision}");
        assert!(!payment.taken || decision["status"] == "decided", "what was answered is lost: {decision}");
        if decision["status"] == "pending" && !payment.late {
            let (status, said) = till.respond(id, &payment.token).expect("answered");
            assert!(matches!((status, said["code"].as_str()), (200, _) | (422, Some("evidence.counter"))), "{said}");
            (payment.taken, payment.late) = (status == 200, status != 200);
        }
        if payment.late {
            continue;
        }
        let (_, decision) = till.decision(id).expect("answered");
        assert_eq!(decision["status"], "decided", "{id}");
        let told = payment.told.get_or_insert_with(|| decision.clone());
        assert_eq!(*told, decision, "{id}: what was told is lost");
    }
}

/// Whatever is sent now, these are decided, and the audit says the same.
fn check(site: &Site, till: &Till, names: &[&str], entries: &[Value], store: &str, payments: &[Payment]) {
    let mut allowed = BTreeMap::<&str, Decimal>::new();
    let mut receipts = BTreeSet::new();
    for Payment { account, amount, id, told, .. } in payments {
        let Some(told) = told else { continue };
        assert!(receipts.insert(till.receipt(id).expect("a receipt")), "{id}: another's receipt");
        if told["decision"] == "allow" {
            *allowed.entry(account).or_default() += amount;
        }
        let (status, said) = till.respond(id, r#"{"band":["another"]}"#).expect("answered");
        assert_eq!((status, said["code"].as_str()), (409, Some("challenge.used")), "{id}");
    }
    let cap = Decimal::from_str_exact(CAP).expect("a decimal");
    assert!(allowed.values().all(|sum| *sum <= cap), "a cap is passed: {allowed:?}");
    audit(site, store, names, entries, receipts);
    eprintln!("{} challenges, allowed {allowed:?}", payments.len());
}

/// Every chain is whole, with these receipts and the checkpoints in it. No challenge is decided twice, and these receipts are
/// of all decisions.
fn audit(site: &Site, store: &str, names: &[&str], entries: &[Value], receipts: BTreeSet<String>) {
    let executor = tokio::runtime::Builder::new_current_thread().build().expect("an executor");
    let checkpoints = names.iter().map(|name| site.folder().join(format!("{name}.checkpoints")));
    let checkpoints = checkpoints.filter_map(|path| fs::read_to_string(path).ok()).collect::<String>();
    let checkpoints = checkpoints.lines().map(str::to_owned).collect::<Vec<_>>();
    let receipts = receipts.into_iter().collect::<Vec<_>>();
    let store = Store::open(store).expect("it opens again");
    let report = executor.block_on(verify_audit(&store, &[site.shop.key.jwk()], &checkpoints, &receipts));
    let report = report.expect("read");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.entries.keys().collect::<Vec<_>>(), names);

    let mut decided =
        entries.iter().filter(|entry| entry["kind"] == "decided").map(|entry| entry["challenge"].as_str());
    let mut challenges = BTreeSet::new();
    assert!(decided.by_ref().all(|challenge| challenges.insert(challenge)), "a challenge is decided twice");
    assert_eq!(challenges.len(), receipts.len());
    assert!(!receipts.is_empty());
    eprintln!("{} decided, audit {:?}", receipts.len(), report.entries);
}

/// What is in the audit chains.
fn entries_of_sqlite(store: &str) -> Vec<Value> {
    let connection = rusqlite::Connection::open(store).expect("it opens");
    let mut statement = connection.prepare("SELECT entry FROM audit").expect("a query");
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    rows.map(|entry| serde_json::from_str(&entry.expect("a row")).expect("JSON")).collect()
}

fn entries_of_postgres(database: &Postgres, store: &str) -> Vec<Value> {
    let entries = database.sql(store, "SELECT entry FROM audit").expect("rows");
    entries.lines().map(|entry| serde_json::from_str(entry).expect("JSON")).collect()
}

#[test]
fn sqlite_keeps_what_was_answered() {
    let site = Site::new(daily(CAP));
    let store = site.folder().join("store.sqlite").to_string_lossy().into_owned();
    let mut all = Vec::new();
    for round in 0..number("BANDPASS_ROUNDS", 3) {
        site.sign_status_list();
        let mut serving = site.serve("till-1", &store);
        let address = serving.address;
        let mut payments = load(&site, address, round, || serving.kill());
        let serving = site.serve("till-1", &store);
        settle(&site.till(serving.address), &mut payments);
        all.append(&mut payments);
    }
    let serving = site.serve("till-1", &store);
    let till = site.till(serving.address);
    settle(&till, &mut all);
    check(&site, &till, &["till-1"], &entries_of_sqlite(&store), &store, &all);
}

/// In turns the host is killed, the database is, and both are.
#[test]
fn postgres_keeps_what_was_answered() {
    let site = Site::new(daily(CAP));
    let mut database = Postgres::start().expect("a server");
    let store = database.database().expect("a database");
    Store::migrate(&store).expect("migrated");
    let mut all = Vec::new();
    for round in 0..number("BANDPASS_ROUNDS", 3) {
        site.sign_status_list();
        let mut serving = site.serve("till-1", &store);
        let address = serving.address;
        let mut payments = load(&site, address, round, || {
            if round % 3 != 1 {
                serving.kill();
            }
            if round % 3 != 0 {
                database.kill().expect("killed");
                database.start_again().expect("started");
                // A host that is left finds it again.
                std::thread::sleep(Duration::from_millis(500));
            }
            serving.kill();
        });
        let serving = site.serve("till-1", &store);
        settle(&site.till(serving.address), &mut payments);
        all.append(&mut payments);
    }
    let serving = site.serve("till-1", &store);
    let till = site.till(serving.address);
    settle(&till, &mut all);
    check(&site, &till, &["till-1"], &entries_of_postgres(&database, &store), &store, &all);
}

/// Passes connections on in turns, past who does not answer.
async fn proxy(listener: TcpListener, hosts: [SocketAddr; 2]) {
    for turn in 0.. {
        let Ok((mut client, _)) = listener.accept().await else { return };
        tokio::spawn(async move {
            for host in [hosts[turn % 2], hosts[(turn + 1) % 2]] {
                if let Ok(mut server) = TcpStream::connect(host).await {
                    // Whoever ends it: both ends are closed then.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
            }
        });
    }
}

/// Until it is decided, whatever fails on the way; then its identifier and how often something failed.
fn insist(till: &Till, site: &Site, client: usize, number: usize) -> (String, usize) {
    let mut customer = site.shop.customer_at(&format!("account-{client}"), now());
    let transaction_id = transaction_id();
    let mut failed = 0;
    let mut until_it_works = |ask: &dyn Fn() -> site::Said, wanted: u16| {
        let start = Instant::now();
        loop {
            match ask() {
                Ok((status, said)) if status == wanted => return said,
                Ok((503, _)) | Err(_) => failed += 1,
                Ok(other) => panic!("{other:?}"),
            }
            assert!(start.elapsed() < Duration::from_secs(30), "nobody answers");
            std::thread::sleep(PAUSE);
        }
    };
    let amount = amount(client, number);
    let challenge = until_it_works(&|| till.challenge(&amount, &transaction_id), 201);
    let id = challenge["id"].as_str().expect("an id");
    let token = vp_token(&mut customer, &challenge);
    until_it_works(&|| till.respond(id, &token), 200);
    let decision = until_it_works(&|| till.decision(id), 200);
    assert_eq!((decision["status"].as_str(), decision["decision"].as_str()), (Some("decided"), Some("allow")));
    (id.to_owned(), failed)
}

#[test]
fn of_two_hosts_one_may_be_killed() {
    const PAYMENTS: usize = 20;
    let site = Site::new(settings());
    let database = Postgres::shared().expect("a server");
    let store = database.database().expect("a database");
    Store::migrate(&store).expect("migrated");
    let names = ["till-1", "till-2"];
    let [mut killed, left] = names.map(|name| site.serve(name, &store));
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let executor = executor.expect("an executor");
    let listener = executor.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    executor.spawn(proxy(listener, [killed.address, left.address]));

    let done = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    let ids = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (site, done, failed, ids) = (&site, &done, &failed, &ids);
            scope.spawn(move || {
                // Each has connections of its own, half of them to the host that is killed.
                let till = site.till(address);
                for number in 0..PAYMENTS {
                    let (id, failures) = insist(&till, site, client, number);
                    assert!(ids.lock().expect("no panic").insert(id), "two payments have one decision");
                    failed.fetch_add(failures, Ordering::Relaxed);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while done.load(Ordering::Relaxed) < CLIENTS * PAYMENTS / 3 {
            std::thread::sleep(Duration::from_millis(5));
        }
        killed.kill();
    });
    let (till, ids) = (site.till(left.address), ids.into_inner().expect("no panic"));
    assert_eq!(ids.len(), CLIENTS * PAYMENTS);
    let receipts = ids.iter().map(|id| till.receipt(id).expect("a receipt")).collect();
    audit(&site, &store, &names, &entries_of_postgres(database, &store), receipts);
    let failed = failed.into_inner();
    eprintln!("{} payments, {failed} attempts failed", ids.len());
    assert!(failed > 0, "nobody noticed that a host was killed");
}

/// How it is asked nonsense, and what is expected of it.
const NONSENSE: &str = r#"
seed = 5
[checks]
# What keeps to the description may still be no challenge's answer, or come too late.
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = ["4xx"]
"#;

/// The API held against its own description, with requests that keep to it and others that do not.
#[test]
fn nonsense_is_refused() {
    let mut site = Site::new(settings());
    // Whoever follows a decision, which nobody makes, is not to wait long.
    site.challenge_lifetime = 1;
    let store = site.folder().join("store.sqlite").to_string_lossy().into_owned();
    fs::write(site.folder().join("schemathesis.toml"), NONSENSE).expect("written");
    let mut serving = site.serve("till-1", &store);
    let ask = |key: &str, which: &[&str]| {
        let header = format!("Authorization: Bearer {key}");
        let arguments = [&["--header", &header], which].concat();
        schemathesis(site.folder(), &serving.address.to_string(), &arguments, "host_hooks.py", &[])
    };
    let as_merchant = ask(site.merchant_key(), &[]);
    let as_operator = ask(site.operator_key(), &["--include-tag", "operator"]);
    let refused = refused(&site, serving.address);
    eprintln!("{as_merchant} requests as a merchant, {as_operator} as the operator; {refused} refused with 4xx");
    assert!(as_merchant + as_operator >= 1_000 && refused >= 1_000);
    assert!(serving.is_running());
    let log = serving.log();
    assert!(!log.contains("panicked"), "{log}");
}

/// How many requests the server has refused so far.
fn refused(site: &Site, address: SocketAddr) -> usize {
    let asked = ureq::get(format!("http://{address}/metrics"))
        .header("authorization", format!("Bearer {}", site.operator_key()))
        .call();
    let metrics = asked.expect("metrics").body_mut().read_to_string().expect("text");
    let refused = metrics.lines().filter_map(|line| {
        let (labels, count) = line.strip_prefix("bandpass_http_seconds_count{")?.split_once("} ")?;
        labels.contains("status=\"4").then_some(count.parse::<usize>().ok()?)
    });
    refused.sum()
}

/// Returns how many requests were made, each as it should be answered.
fn schemathesis(folder: &Path, address: &str, arguments: &[&str], hooks: &str, environment: &[(&str, &str)]) -> usize {
    let program = Path::new(env!("BANDPASS_TARGET")).join("python/bin/schemathesis");
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/peers").join(hooks);
    let output = Command::new(program)
        .current_dir(folder)
        .args(["run", &format!("http://{address}/openapi.json")])
        .args(["--max-examples", &number("BANDPASS_EXAMPLES", 60).to_string()])
        .args(arguments)
        .env("SCHEMATHESIS_HOOKS", hooks)
        .envs(environment.iter().copied())
        .output()
        .expect("run `cargo xtask setup` first");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let count = said.lines().find_map(|line| line.trim().split_once(" generated,")?.0.parse().ok());
    count.unwrap_or_else(|| panic!("{said}"))
}

/// The same for a registry: by nobody, and by those who have keys there, on their bands.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_by_a_registry() {
    let store = Store::in_memory().expect("a store");
    let provider = Provider::start(store.clone(), "").await;
    let asked = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().expect("a folder");
        let mut lin = provider.person("Lin");
        provider.pair(&mut lin).expect("paired");
        let mut wei = provider.person("Wei");
        provider.pair(&mut wei).expect("paired");
        let devices = [serde_json::to_value(&lin.band), serde_json::to_value(&lin.phone)];
        let [band, phone] = devices.map(|device| device.expect("a device")["key"].take());
        let known = json!({
            "address": provider.address,
            "operator_key": provider.operator_key,
            "bands": [lin.band.thumbprint(), wei.band.thumbprint()],
            "access_token": provider.token(&lin, Some(clock())),
            "owner": lin.account.to_private_jwk(),
            "phone": phone,
            "band": band,
            "stranger": wei.account.to_private_jwk(),
        });
        let address = provider.address.trim_start_matches("http://");
        fs::write(folder.path().join("schemathesis.toml"), NONSENSE).expect("written");
        let by_nobody = schemathesis(folder.path(), address, &["--phases", "coverage"], "host_hooks.py", &[]);
        // Whoever leaves key or proof out is given one.
        let more = format!("{NONSENSE}ignored_auth.enabled = false\nmissing_required_header.enabled = false\n");
        fs::write(folder.path().join("schemathesis.toml"), more).expect("written");
        let known = [("BANDPASS_REGISTRY", &*known.to_string())];
        let with_keys = ["--phases", "coverage,fuzzing"];
        (by_nobody, schemathesis(folder.path(), address, &with_keys, "registry_hooks.py", &known))
    });
    let (by_nobody, with_keys) = asked.await.expect("no panic");
    eprintln!("{by_nobody} requests by nobody, {with_keys} with keys");
    assert!(by_nobody >= 200 && with_keys >= 500);
    let report = verify_audit(&store, &[], &[], &[]).await.expect("read");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    // For each of two: account, enrolment; open, pair, issue. What is more was asked for with keys.
    assert!(report.entries["wallet.example"] > 2 * 5, "{:?}", report.entries);
}

/// What a decision leaves in memory is not kept.
#[test]
fn memory_stays_as_it_is() {
    let count = number("BANDPASS_DECISIONS", 1_000);
    let site = Site::new(settings());
    let store = site.folder().join("store.sqlite").to_string_lossy().into_owned();
    let serving = site.serve("till-1", &store);
    let (started, warm) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (site, serving, started, warm) = (&site, &serving, &started, &warm);
            scope.spawn(move || customer(site, serving, client, count, started, warm));
        }
    });
    let (warm, end) = (warm.into_inner(), resident(&serving));
    eprintln!("{count} decisions: {warm} KiB resident after the first fifth, {end} KiB at the end");
    assert!(end * 10 <= warm * 11, "{warm} KiB became {end}");
}

fn resident(serving: &Serving) -> usize {
    usize::try_from(serving.resident()).expect("a size")
}

fn customer(site: &Site, serving: &Serving, client: usize, count: usize, started: &AtomicUsize, warm: &AtomicUsize) {
    let till = site.till(serving.address);
    loop {
        let number = started.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return;
        }
        if number == count / 5 {
            warm.store(resident(serving), Ordering::Relaxed);
        }
        if number % 5_000 == 4_999 {
            site.sign_status_list();
        }
        insist(&till, site, client, number);
    }
}
