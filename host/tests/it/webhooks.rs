//! What merchants are told of their decisions.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::HeaderMap;
use bandpass::{Config, Host, Store, Webhook, Webhooks};
use bandpass_testing::Postgres;
use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::shop::{NOW, SHOP, Shop, pay, said, settings};
use crate::web::{Page, Web};

const HOOK: &str = "/hook";
const SECRETS: [&[u8]; 2] = [b"the one that goes out soon", b"the one that came in just now, and is long"];

/// Seconds that pass as they do, and more when they are told to.
#[derive(Clone)]
struct Clock {
    begun: Instant,
    ahead: Arc<AtomicU64>,
}

impl Clock {
    fn new() -> Self {
        Self { begun: Instant::now(), ahead: Arc::default() }
    }

    fn start(&self, host: &Host) -> Webhooks {
        let Self { begun, ahead } = self.clone();
        let clock = move || NOW + begun.elapsed().as_secs() + ahead.load(Ordering::Relaxed);
        Webhooks::start(host, None, clock).expect("started")
    }
}

fn config(shop: &Shop, address: SocketAddr) -> Config {
    let secret = shop.path.join("webhook-secret");
    let lines = SECRETS.map(|secret| format!("whsec_{}\n", Base64::encode_string(secret)));
    fs::write(&secret, lines.concat()).expect("written");
    let mut config = shop.config(&settings());
    let merchant = config.merchants.get_mut(SHOP).expect("the shop");
    merchant.access.webhook = Some(Webhook { url: format!("http://{address}{HOOK}"), secret });
    config
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !is() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// By the definition (RFC 2104), and not by what signed.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

/// Its id and body, if everything is as the specification says.
fn opened((headers, body): &(HeaderMap, Bytes)) -> (String, Value) {
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    assert!(timestamp.parse::<u64>().expect("seconds") >= NOW);
    assert_eq!(header("content-type"), "application/json");
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signatures = SECRETS.map(|secret| format!("v1,{}", Base64::encode_string(&hmac(secret, &signed))));
    assert_eq!(header("webhook-signature"), signatures.join(" "));
    (id, serde_json::from_slice(body).expect("JSON"))
}

fn ids(web: &Web) -> BTreeMap<String, usize> {
    let mut ids = BTreeMap::new();
    for posted in web.posted() {
        *ids.entry(opened(&posted).0).or_default() += 1;
    }
    ids
}

fn metric(host: &Host, name: &str) -> Option<String> {
    host.open_metrics(&[]).lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_is_told_until_it_listens_and_of_no_claims() {
    let (web, address) = Web::start().await;
    web.put(HOOK, Page { failures: 1, ..Page::default() });
    let shop = Shop::new();
    let host = shop.host(config(&shop, address), Store::in_memory().expect("a store"));
    let webhooks = Clock::new().start(&host);
    let paid = pay(&host, &mut shop.customer("lin"), "35.00").await.expect("answered");
    assert_eq!(said(&paid), "allow limit.within");
    let decision = paid.decision_id.clone().expect("an id");
    until("told twice", || web.hits(HOOK).all >= 2).await;
    until("counted", || metric(&host, "bandpass_webhook_deliveries_total{outcome=\"delivered\"}").is_some()).await;
    assert_eq!(metric(&host, "bandpass_webhook_deliveries_total{outcome=\"failed\"}").as_deref(), Some("1"));
    assert!(metric(&host, "bandpass_webhooks_waiting").is_some());
    host.void(SHOP, &decision, NOW).await.expect("voided");
    until("told of the void", || web.hits(HOOK).all >= 3).await;
    let posted = web.posted();
    let [failed, made, voided] = [0, 1, 2].map(|number| opened(&posted[number]));
    assert_eq!(failed, made, "the same message");
    let data = json!({"id": decision, "merchant": SHOP, "decision": "allow", "reason": "limit.within",
        "obligations": paid.outcome["obligations"]});
    let body = json!({"type": "decision.made", "timestamp": "2027-01-15T12:00:00Z", "data": data});
    assert_eq!(made, (format!("made_{decision}"), body));
    assert_eq!((voided.0, &voided.1["type"]), (format!("voided_{decision}"), &json!("decision.voided")));
    let claims = paid.presentations.expect("claims")["band"][0]["claims"].clone();
    let sub = claims["sub"].as_str().expect("a claim");
    for (_, body) in &posted {
        assert!(!String::from_utf8_lossy(body).contains(sub), "nothing that was disclosed");
    }
    webhooks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing() {
    let (web, address) = Web::start().await;
    let shop = Shop::new();
    let store = shop.path.join("store.sqlite");
    let open = || shop.host(config(&shop, address), Store::open(store.to_str().expect("UTF-8")).expect("a store"));
    let clock = Clock::new();
    let host = open();
    let webhooks = clock.start(&host);
    let mut lin = shop.customer("lin");
    // There is nothing at the address.
    pay(&host, &mut lin, "35.00").await.expect("answered");
    until("tried", || web.hits(HOOK).all >= 1).await;
    webhooks.stop();
    // Nobody sends.
    pay(&host, &mut lin, "35.00").await.expect("answered");
    drop(host);
    assert_eq!(ids(&web).len(), 1);
    web.put(HOOK, Page::default());
    let host = open();
    let webhooks = clock.start(&host);
    until("both", || ids(&web).len() == 2).await;
    until("taken", || {
        metric(&host, "bandpass_webhook_deliveries_total{outcome=\"delivered\"}").as_deref() == Some("2")
    })
    .await;
    webhooks.stop();
    let told = web.posted().len();
    let webhooks = clock.start(&host);
    tokio::time::sleep(Duration::from_millis(500)).await;
    webhooks.stop();
    assert_eq!(web.posted().len(), told, "what was taken is not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_three_days_it_is_given_up() {
    let (web, address) = Web::start().await;
    let shop = Shop::new();
    let host = shop.host(config(&shop, address), Store::in_memory().expect("a store"));
    let clock = Clock::new();
    let webhooks = clock.start(&host);
    pay(&host, &mut shop.customer("lin"), "35.00").await.expect("answered");
    until("tried", || web.hits(HOOK).all >= 1).await;
    clock.ahead.store(3 * 86_400, Ordering::Relaxed);
    until("given up", || metric(&host, "bandpass_webhook_deliveries_total{outcome=\"given-up\"}").is_some()).await;
    until("nothing waits", || metric(&host, "bandpass_webhooks_waiting").as_deref() == Some("0")).await;
    webhooks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hosts_one_sends() {
    const PAYMENTS: usize = 20;
    let url = Postgres::shared().and_then(Postgres::database).expect("a database");
    Store::migrate(&url).expect("migrated");
    let (web, address) = Web::start().await;
    web.put(HOOK, Page::default());
    let shop = Shop::new();
    let hosts = ["till-1", "till-2"].map(|name| {
        let mut config = config(&shop, address);
        config.name = name.into();
        shop.host(config, Store::open(&url).expect("a store"))
    });
    let clock = Clock::new();
    let webhooks = [clock.start(&hosts[0]), clock.start(&hosts[1])];
    let mut lin = shop.customer("lin");
    for number in 0..PAYMENTS {
        let paid = pay(&hosts[number % 2], &mut lin, "1.00").await.expect("answered");
        assert_eq!(paid.decision(), "allow");
    }
    until("all", || ids(&web).len() == PAYMENTS).await;
    let [delivered, other] =
        hosts.each_ref().map(|host| metric(host, "bandpass_webhook_deliveries_total{outcome=\"delivered\"}"));
    for webhooks in webhooks {
        webhooks.stop();
    }
    assert!(delivered.is_some() || other.is_some());
    assert_eq!(web.posted().len(), PAYMENTS, "none twice, where nothing failed");
}

#[test]
fn a_webhook_that_can_not_be_is_refused() {
    let shop = Shop::new();
    let good = config(&shop, ([127, 0, 0, 1], 9).into());
    let webhook = good.merchants[SHOP].access.webhook.clone().expect("a webhook");
    let opens = |webhook: Webhook| {
        let mut config = good.clone();
        config.merchants.get_mut(SHOP).expect("the shop").access.webhook = Some(webhook);
        Host::open(&shop.runtime, config, Store::in_memory().expect("a store"), NOW).map(drop)
    };
    opens(webhook.clone()).expect("good");
    let short = shop.path.join("short");
    fs::write(&short, "whsec_c2hvcnQ=\n").expect("written");
    for webhook in [
        Webhook { url: "http://shop.example/hook".into(), ..webhook.clone() },
        Webhook { url: "https://user:secret@shop.example/hook".into(), ..webhook.clone() },
        Webhook { secret: shop.path.join("missing"), ..webhook.clone() },
        Webhook { secret: short, ..webhook },
    ] {
        let refused = opens(webhook.clone()).expect_err("refused");
        assert_eq!(refused.code(), "config.malformed", "{webhook:?}");
        assert!(!refused.message().contains("c2hvcnQ"));
    }
}
