//! What was told stays true, whatever is killed and whenever. `BANDPASS_ROUNDS` says how often; 5 times otherwise.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bandpass::{Store, verify_audit};
use bandpass_testing::Postgres;
use rust_decimal::Decimal;

use crate::shop::{NOW, SHOP, Shop, daily};

/// Soon reached, by three accounts together.
const CAP: &str = "150.00";

/// A payment that was asked for, and what was told of it.
struct Asked {
    account: String,
    amount: Decimal,
    token: String,
    told: Option<Told>,
}

struct Told {
    decision: String,
    id: String,
    receipt: String,
}

fn rounds() -> u64 {
    std::env::var("BANDPASS_ROUNDS").map_or(5, |rounds| rounds.parse().expect("a number"))
}

fn load(shop: &Path, store: &str, name: &str, output: &Path) -> Child {
    let program = std::env::current_exe().expect("a program");
    let program = program.ancestors().map(|folder| folder.join("examples/load")).find(|path| path.is_file());
    Command::new(program.expect("cargo builds examples with tests"))
        .args([shop.as_os_str(), store.as_ref(), name.as_ref()])
        .stdout(Stdio::from(File::create(output).expect("a file")))
        .spawn()
        .expect("starts")
}

/// Waits until something was told, and then for a moment that differs from round to round.
fn wait(output: &Path, round: u64) {
    let start = Instant::now();
    while !fs::read_to_string(output).expect("a file").contains("\ntold ") {
        assert!(start.elapsed() < Duration::from_mins(1), "nobody was told anything");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(round * 7_919 % 600));
}

/// Adds what a program said before it was killed; its last line may be half a line.
fn heard(output: &Path, asked: &mut BTreeMap<String, Asked>) {
    let said = fs::read_to_string(output).expect("a file");
    let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["ask", challenge, account, amount, token] => {
                let amount = Decimal::from_str_exact(amount).expect("a decimal");
                let payment = Asked { account: (*account).into(), amount, token: (*token).into(), told: None };
                assert!(asked.insert((*challenge).into(), payment).is_none(), "{challenge} was handed out twice");
            }
            ["told", challenge, decision, _, id, receipt] => {
                let told = Told { decision: (*decision).into(), id: (*id).into(), receipt: (*receipt).into() };
                asked.get_mut(*challenge).expect("asked before").told = Some(told);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Asks for everything again, and holds it against what was told.
fn check(shop: &Shop, store: &str, asked: &BTreeMap<String, Asked>, names: &[&str]) {
    let store = Store::open(store).expect("it opens again");
    let host = shop.host(shop.config(&daily(CAP)), store.clone());
    let executor = tokio::runtime::Builder::new_current_thread().build().expect("an executor");
    let mut allowed = BTreeMap::<&str, Decimal>::new();
    let mut receipts = Vec::new();
    executor.block_on(async {
        for (challenge, payment) in asked {
            let answer = host.respond(challenge, payment.token.clone().into_bytes(), NOW).await.expect("answered");
            if let Some(told) = &payment.told {
                let said = (answer.decision(), answer.decision_id.as_deref().unwrap_or("-"));
                assert_eq!(said, (told.decision.as_str(), told.id.as_str()), "{challenge}: what was told is lost");
                assert_eq!(answer.receipt.as_deref().unwrap_or("-"), told.receipt);
            }
            receipts.extend(answer.receipt.clone());
            if answer.decision() == "allow" {
                *allowed.entry(&payment.account).or_default() += payment.amount;
                // Whatever else is sent now, this challenge is answered.
                let again = host.respond(challenge, b"another".to_vec(), NOW).await.expect("answered");
                assert_eq!(again.reason(), "challenge.used");
                let id = answer.decision_id.as_deref().expect("a decision");
                assert_eq!(host.decision(SHOP, id, NOW).await.expect("there").outcome, answer.outcome);
            }
        }
        let report = verify_audit(&store, &[shop.key.jwk()], &[], &receipts).await.expect("read");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        for name in names {
            assert!(report.entries.contains_key(*name), "{name}");
        }
    });
    let cap = Decimal::from_str_exact(CAP).expect("a decimal");
    assert!(allowed.values().all(|sum| *sum <= cap), "a cap is passed: {allowed:?}");
    let told = asked.values().filter(|payment| payment.told.is_some()).count();
    eprintln!("{} asked, {told} told before a kill, {} decided, allowed {allowed:?}", asked.len(), receipts.len());
    assert!(told > 0 && !receipts.is_empty());
}

struct Round {
    folder: tempfile::TempDir,
    shop: Shop,
}

impl Round {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { shop: Shop::in_folder(folder.path()), folder }
    }

    fn output(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.output"))
    }
}

#[test]
fn sqlite_keeps_what_was_told() {
    let round = Round::new();
    let store = round.folder.path().join("store.sqlite").to_string_lossy().into_owned();
    let mut asked = BTreeMap::new();
    for number in 0..rounds() {
        let output = round.output("till-1");
        let mut program = load(round.folder.path(), &store, "till-1", &output);
        wait(&output, number);
        program.kill().expect("killed");
        program.wait().expect("ended");
        heard(&output, &mut asked);
    }
    check(&round.shop, &store, &asked, &["till-1"]);
}

/// Two hosts on one database. In turns a host is killed, the server is, and both are.
#[test]
fn postgres_keeps_what_was_told() {
    let round = Round::new();
    let mut server = Postgres::start().expect("a server");
    let url = server.database().expect("a database");
    Store::migrate(&url).expect("migrated");
    let mut asked = BTreeMap::new();
    for number in 0..rounds() {
        let names = ["till-1", "till-2"];
        let mut programs = names.map(|name| load(round.folder.path(), &url, name, &round.output(name)));
        for name in names {
            wait(&round.output(name), number);
        }
        if number % 3 != 1 {
            programs[0].kill().expect("killed");
        }
        if number % 3 != 0 {
            server.kill().expect("killed");
            server.start_again().expect("started");
            // The hosts that are left find it again.
            std::thread::sleep(Duration::from_millis(500));
        }
        for (program, name) in programs.iter_mut().zip(names) {
            program.kill().expect("killed");
            program.wait().expect("ended");
            heard(&round.output(name), &mut asked);
        }
    }
    check(&round.shop, &url, &asked, &["till-1", "till-2"]);
}
