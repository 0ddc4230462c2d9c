//! A status list of many credentials, of which a hundredth is deactivated: what it takes to publish, to send and to hold, and
//! how long after a report of loss a host refuses a band: one that is told, and one that fetches the list when its `ttl` is
//! over. `BANDPASS_ENTRIES` says of how many credentials, 2^20 otherwise.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/provider.rs"]
mod provider;
#[path = "../tests/support/shop.rs"]
mod shop;

use std::hint::black_box;
use std::time::{Duration, Instant};

use axum_server::Handle;
use bandpass::{
    Host, Location, NewChallenge, NewTransaction, Refresher, Server, ServerConfig, Sources, Store, Verifier,
};
use bandpass_roles::Request;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use provider::{Person, Provider, clock};
use serde_json::json;
use shop::{PAYMENT, SHOP, Shop, settings};

/// Entries of a part, as the registry keeps them.
const PART: u32 = 4_096;
/// What the host that polls is told to wait; it waits no shorter.
const TTL: u64 = 30;

fn main() {
    let entries = std::env::var("BANDPASS_ENTRIES").map_or(1 << 20, |count| count.parse().expect("a number"));
    let executor = tokio::runtime::Runtime::new().expect("an executor");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("registry.sqlite");
    let store = Store::open(path.to_str().expect("UTF-8")).expect("opens");
    let revoked = fill(&path, entries);

    let till = Till::new();
    let tell = format!("tell = [\"http://{}/v1/status-lists\"]", till.address);
    let more = format!("status_entries = {entries}\nstatus_ttl = {TTL}\n{tell}");
    let provider = executor.block_on(Provider::start(store, &more));
    let mut lin = provider.person("Lin");
    provider.pair(&mut lin).expect("paired");

    let begun = Instant::now();
    let jwt = provider.status_list("application/statuslist+jwt");
    let published = begun.elapsed();
    let begun = Instant::now();
    let cwt = black_box(provider.status_list("application/statuslist+cwt"));
    let served = begun.elapsed();

    let trust = json!({"issuers": [provider.registry.trust_entry()]}).to_string().into_bytes();
    let mut verifier = Verifier::open(&till.shop.runtime, trust.clone()).expect("a verifier");
    let before = verifier.memory();
    let begun = Instant::now();
    verifier.update_status(jwt.clone(), clock()).expect("a status list");
    let taken_in = begun.elapsed();
    let held = verifier.memory() - before;

    println!("| status list | |\n|---|---|");
    println!("| entries, deactivated | {entries}, {revoked} |");
    println!("| read, packed and signed, in both forms | {:.1} ms |", millis(published));
    println!("| served again | {:.1} ms |", millis(served));
    println!("| JWT, CWT | {}, {} bytes |", jwt.len(), cwt.len());
    println!("| taken in by a verifier (component) | {:.1} ms |", millis(taken_in));
    println!("| memory that the verifier takes for it | {held} bytes |");

    let told = executor.block_on(till.refuses(&provider, &mut lin, &trust, false));
    println!("| lost, refused by a host that is told | {:.0} ms |", millis(told));
    let polled = executor.block_on(till.refuses(&provider, &mut lin, &trust, true));
    println!("| lost, refused by a host that polls, `ttl` {TTL} s | {:.1} s |", polled.as_secs_f64());
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// As if so many credentials had been issued, and a hundredth of them deactivated at random: how many these are.
fn fill(path: &std::path::Path, entries: u32) -> u32 {
    let mut database = rusqlite::Connection::open(path).expect("opens");
    let transaction = database.transaction().expect("a transaction");
    let mut revoked = 0;
    for part in 0..entries.div_ceil(PART) {
        let mut statuses = vec![0_u8; usize::try_from(PART / 4).expect("small")];
        for entry in 0..usize::try_from(PART).expect("small") {
            if getrandom::u32().expect("randomness").is_multiple_of(100) {
                statuses[entry / 4] |= 1 << (entry % 4 * 2);
                revoked += 1;
            }
        }
        // Half of the list is free, so that there is room for more.
        let given = vec![0x55_u8; usize::try_from(PART / 8).expect("small")];
        let row = json!({"key": format!("1/{part}"), "list": "1", "number": part,
            "statuses": Base64UrlUnpadded::encode_string(&statuses), "given": Base64UrlUnpadded::encode_string(&given)});
        let sql = "INSERT INTO status_part (key, value, parent) VALUES (?1, ?2, '1')";
        transaction.execute(sql, (format!("1/{part}"), row.to_string())).expect("written");
    }
    let list = json!({"key": "1", "number": 1, "entries": entries, "given": entries / 2 - 1, "changes": 1}).to_string();
    transaction.execute("INSERT INTO status_list (key, value) VALUES ('1', ?1)", [list]).expect("written");
    transaction.commit().expect("committed");
    revoked
}

/// A shop that asks a host again and again.
struct Till {
    shop: Shop,
    address: String,
}

impl Till {
    fn new() -> Self {
        Self { shop: Shop::new(), address: provider::free_address().trim_start_matches("http://").to_owned() }
    }

    /// How long after the report of a loss the band is refused. Then it is found again.
    async fn refuses(&self, provider: &Provider, lin: &mut Person, trust: &[u8], polls: bool) -> Duration {
        let mut config = self.shop.config(&settings());
        config.trust = trust.to_vec();
        config.status_lists = Vec::new();
        config.server = Some(ServerConfig {
            listen: self.address.parse().expect("an address"),
            public_url: format!("http://{}", self.address),
            certificate: None,
            key: None,
            behind_proxy: false,
            wallet: "openid4vp://".into(),
            rate: 1_000,
            operator_key: [].into(),
        });
        let host = Host::open(&self.shop.runtime, config.clone(), Store::in_memory().expect("a store"), clock());
        let host = host.expect("a host");
        let list = Location::Url(format!("{}/status/1", provider.address));
        let sources = Sources { status_lists: vec![list], ..Sources::default() };
        let refresher = Refresher::start(&host, &sources, clock).expect("a refresher");
        assert!(refresher.wait(Duration::from_secs(10)), "the list is there");
        let handle = Handle::new();
        let serving = match polls {
            true => None,
            false => {
                let server = Server::new(host.clone(), &config, clock, true).expect("a server");
                let handle = handle.clone();
                Some(tokio::spawn(async move { server.serve(&config, handle).await.expect("served") }))
            }
        };
        if serving.is_some() {
            handle.listening().await.expect("it listens");
        }
        assert_eq!(self.ask(&host, lin).await, "allow limit.within");
        let band = lin.band.thumbprint();
        tokio::task::block_in_place(|| provider.as_owner(lin, |client, owner| client.lost(owner, &band)))
            .expect("lost");
        let begun = Instant::now();
        loop {
            match self.ask(&host, lin).await.as_str() {
                "deny status.suspended" => break,
                "allow limit.within" => tokio::time::sleep(Duration::from_millis(2)).await,
                other => panic!("{other}"),
            }
        }
        let took = begun.elapsed();
        tokio::task::block_in_place(|| provider.as_owner(lin, |client, owner| client.found(owner, &band)))
            .expect("found");
        handle.shutdown();
        if let Some(serving) = serving {
            serving.await.expect("no panic");
        }
        refresher.stop();
        took
    }

    async fn ask(&self, host: &Host, lin: &mut Person) -> String {
        let payload = json!({"transaction_id": bandpass_roles::random_id(&mut bandpass_roles::os_rng()),
            "payee": {"name": "Shop", "id": "7"}, "currency": "CNY", "amount": "1.00"});
        let payload = payload.as_object().cloned().expect("an object");
        let transactions = vec![NewTransaction { type_id: PAYMENT.into(), payload }];
        let new = NewChallenge { merchant: SHOP.into(), transactions, ..NewChallenge::default() };
        let challenge = host.challenge(new, clock()).await.expect("a challenge");
        let request = Request {
            audience: challenge.audience[0].clone(),
            nonce: challenge.nonce.clone(),
            transaction_data: challenge.transaction_data.clone(),
        };
        let token = lin.answer(&request, &["sub"]).expect("signed");
        let answer = host.respond(&challenge.id, token.into_bytes(), clock()).await.expect("an answer");
        format!("{} {}", answer.decision(), answer.reason())
    }
}
