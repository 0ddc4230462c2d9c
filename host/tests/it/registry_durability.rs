//! What a registry told stays true, whenever it is killed. `BANDPASS_ROUNDS` says how often; 5 times otherwise.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bandpass::{Store, verify_audit};
use bandpass_roles::device::PhoneDevice;
use bandpass_roles::os_rng;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

use crate::provider::{Offline, Person};

/// A registry as a process, that is killed and started again.
struct Process {
    child: std::process::Child,
}

impl Process {
    fn start(folder: &Path, address: &str, store: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_bandpass"))
            .args(["registry", "serve", "--config"])
            .arg(folder.join("registry.toml"))
            .args(["--store", store])
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let place = address.trim_start_matches("http://");
        let begun = Instant::now();
        while std::net::TcpStream::connect(place).is_err() {
            assert!(begun.elapsed() < Duration::from_mins(1), "it does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child }
    }

    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }
}

/// What somebody does with a band, again and again, until the registry is gone: what was told, in order.
fn live(provider: &Offline, person: &mut Person, told: &mut Vec<String>) {
    let band = person.band.thumbprint();
    for round in 0.. {
        let done = match round % 6 {
            0 => provider.pair(person).map(|_| "issue"),
            1 => provider.client.lost_by_phone(&person.phone.key().expect("a key"), &band).map(|_| "lost"),
            2 => provider.as_owner(person, |client, owner| client.found(owner, &band)).map(|_| "found"),
            3 => provider.as_owner(person, |client, owner| client.lost(owner, &band)).map(|_| "lost"),
            4 => provider.as_owner(person, |client, owner| client.deactivate(owner, &band)).map(|_| "deactivate"),
            _ => {
                person.phone = PhoneDevice::new(&mut os_rng());
                continue;
            }
        };
        match done {
            Ok(event) => told.push(event.into()),
            Err(error) if error.code().starts_with("fetch.") => return,
            // It was done, and nobody heard of it before the registry was killed.
            Err(error) => assert!(error.code().starts_with("pairing."), "{error}"),
        }
    }
}

/// Nothing is half done.
#[test]
fn a_registry_that_is_killed_has_done_all_or_nothing() {
    let rounds = std::env::var("BANDPASS_ROUNDS").map_or(5, |rounds| rounds.parse::<u64>().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store.sqlite");
    let location = store.to_str().expect("UTF-8");
    let provider = Offline::new(folder.path());
    let mut process = Process::start(folder.path(), &provider.address, location);
    let mut people = ["Lin", "Wei", "Ana"].map(|name| (provider.person(name), Vec::new()));
    for round in 0..rounds {
        std::thread::scope(|scope| {
            for (person, told) in &mut people {
                scope.spawn(|| live(&provider, person, told));
            }
            std::thread::sleep(Duration::from_millis(300 + round * 7_919 % 700));
            process.kill();
        });
        process = Process::start(folder.path(), &provider.address, location);
    }
    process.kill();
    let told = people.iter().map(|(_, told)| told.len()).sum::<usize>();
    assert!(told > people.len(), "something was done");
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an executor");
    let opened = Store::open(location).expect("opens");
    let report = executor.block_on(verify_audit(&opened, &[], &[], &[])).expect("reads");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    drop(opened);
    let database = rusqlite::Connection::open(&store).expect("opens");
    let read = |sql: &str| {
        let mut statement = database.prepare(sql).expect("a statement");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        rows.map(|row| serde_json::from_str::<Value>(&row.expect("a row")).expect("JSON")).collect::<Vec<_>>()
    };
    let audit = read("SELECT entry FROM audit ORDER BY seq");
    let parts = read("SELECT value FROM status_part");
    for (person, told) in &people {
        let band = person.band.thumbprint();
        let device = read("SELECT value FROM band").into_iter().find(|row| row["key"] == band).expect("the band");
        let entries = audit.iter().filter(|entry| entry["band"] == band).collect::<Vec<_>>();
        // All that was told is in the audit, in that order.
        let mut events = entries.iter().map(|entry| entry["kind"].as_str().expect("a kind"));
        for told in told {
            assert!(events.any(|event| event == told), "{told} is not in the audit");
        }
        // The band is as the audit says.
        let last = entries.last().expect("enrolled");
        assert_eq!((&device["epoch"], &device["phone"]), (&last["epoch"], last.get("phone").unwrap_or(&Value::Null)));
        let lost = entries.iter().rev().find_map(|entry| match entry["kind"].as_str().expect("a kind") {
            "lost" => Some(true),
            "found" | "deactivate" => Some(false),
            _ => None,
        });
        assert_eq!(device["lost"].as_bool(), Some(lost.unwrap_or(false)));
        let issued = entries.iter().filter_map(|entry| entry["credentials"].as_u64()).sum::<u64>();
        let credentials = device["credentials"].as_array().expect("credentials");
        assert_eq!(u64::try_from(credentials.len()).expect("few"), issued);
        // And so are the status lists.
        for credential in credentials {
            let [list, idx, epoch, status] = [0, 1, 2, 3].map(|at| credential[at].as_u64().expect("a number"));
            assert_eq!(status_of(&parts, list, idx), status);
            let is = match (epoch == device["epoch"].as_u64().expect("an epoch"), device["phone"].is_string()) {
                (true, true) if device["lost"] == true => 2,
                (true, true) => 0,
                _ => 1,
            };
            assert_eq!(status, is, "{device}");
        }
    }
    eprintln!("killed {rounds} times: {told} answers heard, {} entries in the audit, all of a piece", audit.len());
}

fn status_of(parts: &[Value], list: u64, idx: u64) -> u64 {
    let key = format!("{list}/{}", idx / 4_096);
    let part = parts.iter().find(|part| part["key"] == key).expect("a part");
    let given = |name: &str, bits: u64| {
        let bytes = Base64UrlUnpadded::decode_vec(part[name].as_str().expect("text")).expect("base64url");
        let at = idx % 4_096 * bits;
        bytes
            .get(usize::try_from(at / 8).expect("small"))
            .map_or(0, |byte| u64::from(*byte >> (at % 8)) & ((1 << bits) - 1))
    };
    assert_eq!(given("given", 1), 1, "whoever has an index was given it");
    given("statuses", 2)
}
