//! Trust list and status lists, kept fresh in the background.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum_server::tls_rustls::RustlsConfig;
use bandpass::{Config, Error, Host, Location, Refresher, SourceKind, SourceState, Sources, Store, digest};
use bandpass_roles::{BAND_VCT, Issuer, Key, StatusList, StatusTimes, os_rng};
use base64ct::{Base64, Encoding as _};
use serde_json::json;

use crate::certificates::Certificates;
use crate::shop::{Customer, NOW, Shop, built, pay, said, settings};
use crate::web::{Page, Web};

const LIST: &str = "/status/1";
const WAIT: Duration = Duration::from_mins(1);

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("an executor")
        .block_on(work)
}

/// A shop that trusts an issuer with this address, and has no status list.
fn shop_of(address: SocketAddr) -> (Shop, Host) {
    let mut shop = Shop::new();
    shop.issuer = Issuer::new(&format!("http://{address}"), Key::generate(&mut os_rng()));
    let host = shop.host(Config { status_lists: Vec::new(), ..shop.config(&settings()) }, store());
    (shop, host)
}

fn store() -> Store {
    Store::in_memory().expect("a store")
}

fn start(host: &Host, sources: &Sources) -> Refresher {
    Refresher::start(host, sources, || NOW).expect("a refresher")
}

fn lists(locations: impl IntoIterator<Item = Location>) -> Sources {
    Sources { status_lists: locations.into_iter().collect(), ..Sources::default() }
}

fn trust_of(issuers: &[&Issuer]) -> Vec<u8> {
    let issuers = issuers.iter().map(|issuer| issuer.trust_entry(&[BAND_VCT])).collect::<Vec<_>>();
    json!({"issuers": issuers}).to_string().into_bytes()
}

async fn verdict(host: &Host, customer: &mut Customer) -> String {
    said(&pay(host, customer, "35.00").await.expect("decided"))
}

/// Waits until the only source is as is asked for.
async fn until(refresher: &Refresher, what: &str, holds: impl Fn(&SourceState) -> bool) -> SourceState {
    let started = Instant::now();
    loop {
        let sources = refresher.sources();
        match sources.as_slice() {
            [source] if holds(source) => return source.clone(),
            _ if started.elapsed() > WAIT => panic!("never {what}: {sources:?}"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn code(source: &SourceState) -> &str {
    source.last_error.as_ref().map_or("", Error::code)
}

#[test]
fn a_list_that_nobody_configured_is_fetched_for_the_next_answer() {
    run(async {
        let (web, address) = Web::start().await;
        let (shop, host) = shop_of(address);
        web.put(LIST, Page::status_list(shop.status_list(0)).with("etag", "\"1\""));
        let refresher = start(&host, &Sources::default());
        assert!(refresher.sources().is_empty());
        let mut lin = shop.customer("lin");
        let started = Instant::now();
        assert_eq!(verdict(&host, &mut lin).await, "deny status.missing");
        let source = until(&refresher, "fetched", |source| source.last_success.is_some()).await;
        println!("fetched {} ms after the answer began", started.elapsed().as_millis());
        assert_eq!((source.kind, source.configured), (SourceKind::StatusList, false));
        assert_eq!(source.location, format!("http://{address}{LIST}"));
        assert_eq!((source.last_attempt, source.fresh_until), (Some(NOW), Some(NOW + 900)));
        assert!(source.next_attempt > NOW + 200 && source.next_attempt <= NOW + 300, "{source:?}");
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        // Not modified.
        refresher.refresh_now();
        while web.hits(LIST).not_modified == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        // Reported lost.
        web.put(LIST, Page::status_list(shop.status_list(2)).with("etag", "\"2\""));
        refresher.refresh_now();
        let started = Instant::now();
        while verdict(&host, &mut lin).await != "deny status.suspended" {
            assert!(started.elapsed() < WAIT);
        }
        assert_eq!(web.hits(LIST).not_modified, 1);
        refresher.stop();
        let hits = web.hits(LIST);
        host.update_trust(&trust_of(&[])).expect("another");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(web.hits(LIST), hits, "it has stopped");
    });
}

#[test]
fn nothing_is_fetched_from_where_the_trust_list_names_nothing() {
    run(async {
        let (web, address) = Web::start().await;
        let (shop, host) = shop_of(address);
        web.put(LIST, Page::status_list(shop.status_list(0)));
        let refresher = start(&host, &Sources::default());
        let mut lin = shop.customer("lin");
        for status_uris in [None, Some(json!([])), Some(json!(["https://wallet.example/status/"]))] {
            let mut entry = shop.issuer.trust_entry(&[BAND_VCT]);
            entry.as_object_mut().expect("an object").remove("status_uris");
            if let Some(status_uris) = status_uris {
                entry["status_uris"] = status_uris;
            }
            host.update_trust(json!({"issuers": [entry]}).to_string().as_bytes()).expect("trust");
            assert_eq!(verdict(&host, &mut lin).await, "deny status.missing");
            assert!(refresher.sources().is_empty());
        }
        assert_eq!(web.hits(LIST).all, 0);
        host.update_trust(&trust_of(&[&shop.issuer])).expect("trust");
        assert_eq!(verdict(&host, &mut lin).await, "deny status.missing");
        until(&refresher, "fetched", |source| source.last_success.is_some()).await;
        // Nobody publishes there any more.
        host.update_trust(&trust_of(&[])).expect("trust");
        assert!(refresher.sources().is_empty());
    });
}

#[test]
fn a_redirect_leads_nowhere_else() {
    run(async {
        let (web, address) = Web::start().await;
        let (shop, host) = shop_of(address);
        web.put(LIST, Page { status: 302, ..Page::default() }.with("location", "/elsewhere/1"));
        web.put("/elsewhere/1", Page::status_list(shop.status_list(0)));
        let refresher = start(&host, &Sources::default());
        let mut lin = shop.customer("lin");
        assert_eq!(verdict(&host, &mut lin).await, "deny status.missing");
        until(&refresher, "refused", |source| code(source) == "fetch.redirect").await;
        assert_eq!(web.hits("/elsewhere/1").all, 0);
    });
}

#[test]
fn within_the_folder_of_its_issuer_a_list_is_followed_and_told_from_others() {
    run(async {
        let (web, address) = Web::start().await;
        let (mut shop, host) = shop_of(address);
        let key = Key::generate(&mut os_rng());
        shop.issuer = Issuer::new(&format!("http://{address}"), key.clone());
        let mut entry = shop.issuer.trust_entry(&[BAND_VCT]);
        entry["status_uris"] = json!([format!("http://{address}/status/")]);
        host.update_trust(json!({"issuers": [entry]}).to_string().as_bytes()).expect("trust");
        let header = json!({"alg": "ES256", "typ": "statuslist+jwt", "kid": key.thumbprint()});
        let payload = json!({"sub": format!("http://{address}/status/2"), "iat": NOW, "exp": NOW + 900,
            "status_list": StatusList::new(2, 8).expect("two bits").to_json()});
        web.put(LIST, Page { status: 302, ..Page::default() }.with("location", "/status/2"));
        web.put("/status/2", Page::status_list(key.sign(&header, &payload)));
        let refresher = start(&host, &Sources::default());
        let mut lin = shop.customer("lin");
        assert_eq!(verdict(&host, &mut lin).await, "deny status.missing");
        until(&refresher, "refused", |source| code(source) == "fetch.other").await;
        assert_eq!(verdict(&host, &mut lin).await, "deny status.missing");
        web.put("/status/2", Page::status_list(shop.status_list(0)));
        until(&refresher, "fetched", |source| source.last_success.is_some()).await;
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
    });
}

#[test]
fn every_failure_has_a_code_and_spoils_nothing() {
    run(async {
        let (web, address) = Web::start().await;
        let (shop, host) = shop_of(address);
        let good = shop.status_list(0);
        web.put(LIST, Page::status_list(good.clone()));
        web.put("/fails", Page { status: 500, ..Page::default() });
        web.put("/page", Page::new("text/html", "<html>"));
        web.put("/encoded", Page::status_list(good.clone()).with("content-encoding", "gzip"));
        web.put("/garbage", Page::status_list("garbage"));
        web.put("/large", Page::status_list(vec![b'x'; 5 << 20]));
        web.put("/slow", Page { delay: Duration::from_secs(30), ..Page::status_list(good.clone()) });
        web.put("/follow", Page { status: 307, ..Page::default() }.with("location", LIST));
        web.put("/loop", Page { status: 301, ..Page::default() }.with("location", "loop"));
        web.put("/away", Page { status: 301, ..Page::default() }.with("location", "http://192.0.2.1/"));
        web.put("/unasked", Page { status: 304, ..Page::default() });
        let stranger = Issuer::new(&format!("http://{address}"), Key::generate(&mut os_rng()));
        let list = StatusList::new(2, 8).expect("two bits");
        let times = StatusTimes { issued_at: NOW, expires: NOW + 900, ttl: 300 };
        web.put("/forged", Page::status_list(stranger.sign_status_list(1, &list, &times)));
        let url = |path: &str| format!("http://{address}{path}");
        let expected = [
            (url(LIST), ""),
            (url("/follow"), ""),
            (url("/fails"), "fetch.status"),
            (url("/nothing"), "fetch.status"),
            (url("/unasked"), "fetch.status"),
            (url("/page"), "fetch.type"),
            (url("/encoded"), "fetch.type"),
            (url("/garbage"), "status.malformed"),
            (url("/forged"), "status.untrusted"),
            (url("/large"), "fetch.too-large"),
            (url("/slow"), "fetch.timeout"),
            (url("/loop"), "fetch.redirect"),
            (url("/away"), "fetch.redirect"),
            (raw(b"SSH-2.0-x\r\n").await, "fetch.response"),
            (
                raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/statuslist+jwt\r\ncontent-length: 9\r\n\r\nx").await,
                "fetch.response",
            ),
            (closed().await, "fetch.connect"),
            ("https://no-such-host.invalid/".into(), "fetch.connect"),
            ("http://wallet.example/status/1".into(), "fetch.location"),
        ];
        let urls = expected.iter().map(|(url, _)| Location::Url(url.clone()));
        let files = [shop.path.join("no-such-file"), shop.path.join("large")];
        fs::write(&files[1], vec![b'x'; 5 << 20]).expect("written");
        let refresher = start(&host, &lists(urls.chain(files.map(Location::File))));
        assert!(tokio::task::block_in_place(|| refresher.wait(WAIT)));
        let sources = refresher.sources();
        let found = sources.iter().map(|source| (source.location.clone(), code(source))).collect::<Vec<_>>();
        assert_eq!(&found[..expected.len()], expected);
        let of_files = sources[expected.len()..].iter().map(code).collect::<Vec<_>>();
        assert_eq!(of_files, ["fetch.file", "fetch.too-large"]);
        let mut lin = shop.customer("lin");
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
    });
}

/// The URL of a server that sends this, whatever it is asked, and hangs up.
async fn raw(answer: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(answer).await;
        }
    });
    format!("http://{address}/")
}

/// The URL of a server that is gone.
async fn closed() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}/", listener.local_addr().expect("an address"))
}

#[test]
fn a_server_that_fails_is_asked_again() {
    run(async {
        let (web, address) = Web::start().await;
        let (shop, host) = shop_of(address);
        web.put(LIST, Page { failures: 2, ..Page::status_list(shop.status_list(0)) });
        let refresher = start(&host, &lists([Location::Url(format!("http://{address}{LIST}"))]));
        let failed = until(&refresher, "failed", |source| code(source) == "fetch.status").await;
        assert!(failed.configured && failed.last_success.is_none() && failed.next_attempt <= NOW + 2);
        until(&refresher, "recovered", |source| code(source).is_empty() && source.last_success.is_some()).await;
        assert_eq!(web.hits(LIST).all, 3);
        let mut lin = shop.customer("lin");
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        // One that does not verify leaves the one that is held in place, and so does one that is older.
        let older = StatusTimes { issued_at: NOW - 1, expires: NOW + 900, ttl: 300 };
        let older = shop.issuer.sign_status_list(1, &StatusList::new(2, 8).expect("two bits"), &older);
        for (page, why) in [(b"garbage".to_vec(), "status.malformed"), (older.into_bytes(), "status.rollback")] {
            web.put(LIST, Page::status_list(page));
            refresher.refresh_now();
            let kept = until(&refresher, why, |source| code(source) == why).await;
            assert_eq!((kept.last_success, kept.fresh_until), (Some(NOW), Some(NOW + 900)));
            assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        }
    });
}

#[test]
fn changed_files_count_from_the_next_decision_on() {
    run(async {
        let (_, address) = Web::start().await;
        let (shop, host) = shop_of(address);
        let stranger = Issuer::new("https://other.example", Key::generate(&mut os_rng()));
        let (trust, list) = (shop.path.join("trust.json"), shop.path.join("list"));
        fs::write(&trust, trust_of(&[&stranger])).expect("written");
        fs::write(&list, shop.status_list(0)).expect("written");
        let sources = Sources { trust: Some(Location::File(trust.clone())), ..lists([Location::File(list.clone())]) };
        let refresher = start(&host, &sources);
        let mut lin = shop.customer("lin");
        let mut becomes = async |told: &str| {
            let started = Instant::now();
            loop {
                match verdict(&host, &mut lin).await {
                    said if said == told => return,
                    said if started.elapsed() > WAIT => panic!("never {told}: {said}"),
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        becomes("deny issuer.untrusted").await;
        assert_eq!(refresher.sources().len(), 2);
        // The list was nobody's until now.
        fs::write(&trust, trust_of(&[&shop.issuer, &stranger])).expect("written");
        becomes("allow limit.within").await;
        fs::write(&list, shop.status_list(1)).expect("written");
        // Both tokens have the same length; a later time tells them apart where clocks are coarse.
        let later = std::time::SystemTime::now() + Duration::from_secs(2);
        fs::File::options().append(true).open(&list).expect("opens").set_modified(later).expect("set");
        becomes("deny status.revoked").await;
        fs::write(&trust, "garbage").expect("written");
        refresher.refresh_now();
        let started = Instant::now();
        while code(&refresher.sources()[0]) != "trust.malformed" {
            assert!(started.elapsed() < WAIT);
        }
        assert_eq!(verdict(&host, &mut lin).await, "deny status.revoked");
    });
}

#[test]
fn a_new_trust_list_keeps_the_lists_that_hold_under_it() {
    run(async {
        let (_, address) = Web::start().await;
        let (shop, host) = shop_of(address);
        host.update_status(shop.status_list(0).as_bytes(), NOW).expect("taken in");
        let mut lin = shop.customer("lin");
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        // Another issuer, whose list has the same `uri`.
        let rival_key = Key::generate(&mut os_rng());
        let rival = Issuer::new("https://rival.example", rival_key.clone());
        let mut entry = rival.trust_entry(&["urn:example:card"]);
        entry["status_uris"] = json!([format!("http://{address}{LIST}")]);
        let trust = json!({"issuers": [entry, shop.issuer.trust_entry(&[BAND_VCT])]}).to_string();
        assert!(host.update_trust(trust.as_bytes()).expect("trust"));
        assert!(!host.update_trust(trust.as_bytes()).expect("the same"));
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        let mut all_revoked = StatusList::new(2, 8).expect("two bits");
        all_revoked.set(1, 1);
        let header = json!({"alg": "ES256", "typ": "statuslist+jwt", "kid": rival_key.thumbprint()});
        let payload = json!({"sub": format!("http://{address}{LIST}"), "iat": NOW, "exp": NOW + 900, "ttl": 300,
            "status_list": all_revoked.to_json()});
        host.update_status(rival_key.sign(&header, &payload).as_bytes(), NOW).expect("taken in");
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        // New verifiers get both.
        assert!(host.update_trust(&trust_of(&[&shop.issuer, &rival])).expect("trust"));
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        assert_eq!(host.update_trust(b"{}").expect_err("refused").code(), "trust.malformed");
        assert!(host.update_trust(&trust_of(&[&rival])).expect("trust"));
        assert_eq!(verdict(&host, &mut lin).await, "deny issuer.untrusted");
        // It was given up with its issuer.
        assert!(host.update_trust(&trust_of(&[&shop.issuer])).expect("trust"));
        assert_eq!(verdict(&host, &mut lin).await, "deny status.missing");
        // A configuration with another trust list keeps them too.
        host.update_status(shop.status_list(0).as_bytes(), NOW).expect("taken in");
        let config = Config { status_lists: Vec::new(), ..shop.config(&settings()) };
        host.reload(Config { trust: trust_of(&[&rival, &shop.issuer]), ..config }, NOW).expect("reloaded");
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
    });
}

#[test]
fn a_server_is_known_by_its_certificate() {
    run(async {
        let certificates = Certificates::new(21);
        let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificates.server.clone().into()],
                certificates.server_key.clone().try_into().expect("a key"),
            )
            .expect("a certificate");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("set");
        let port = listener.local_addr().expect("an address").port();
        let web = Web::default();
        let serving = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(tls)));
        tokio::spawn(serving.expect("a server").serve(web.router().into_make_service()));

        let mut shop = Shop::new();
        shop.issuer = Issuer::new(&format!("https://localhost:{port}"), Key::generate(&mut os_rng()));
        let host = shop.host(Config { status_lists: Vec::new(), ..shop.config(&settings()) }, store());
        web.put(LIST, Page::status_list(shop.status_list(0)));
        let list = Location::Url(format!("https://localhost:{port}{LIST}"));
        let mut lin = shop.customer("lin");
        for authorities in [None, Some(pem(&Certificates::new(31).authority))] {
            let refresher = start(&host, &Sources { authorities, ..lists([list.clone()]) });
            until(&refresher, "refused", |source| code(source) == "fetch.tls").await;
            assert_eq!(verdict(&host, &mut lin).await, "deny status.missing");
        }
        assert_eq!(web.hits(LIST).all, 0);
        let sources = Sources { authorities: Some(pem(&certificates.authority)), ..lists([list]) };
        let refresher = start(&host, &sources);
        until(&refresher, "fetched", |source| source.last_success.is_some()).await;
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        let refused = Refresher::start(&host, &Sources { authorities: Some(b"x".to_vec()), ..sources }, || NOW);
        assert_eq!(refused.err().expect("no certificate").code(), "config.malformed");
    });
}

fn pem(der: &[u8]) -> Vec<u8> {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", Base64::encode_string(der)).into_bytes()
}

#[test]
fn a_host_starts_with_the_last_trust_list_that_was_good() {
    run(async {
        let (web, address) = Web::start().await;
        let (shop, _) = shop_of(address);
        let path = shop.path.join("bandpass.toml");
        let read = |trust: &str, lists: &str| {
            let text = format!(
                "name = \"till-1\"\nsigning_key = \"signing-key.jwk\"\ntrust = \"{trust}\"\nstatus_lists = [{lists}]\n\
                plugins = \".\"\n[plugin.retail]\nsha256 = \"{}\"\n[merchant.shop]\naudience = [\"x509_san_dns:shop.example\"]\n\
                policy = [{{ plugin = \"retail\", settings = {{ currency = \"CNY\", passwordless_limit = \"200.00\" }} }}]\n",
                digest(&built("dist/plugins/retail-checkout.wasm")),
            );
            fs::write(&path, text).expect("written");
            tokio::task::block_in_place(|| Config::from_file(&path))
        };
        let refused = |result: Result<Config, Error>| result.expect_err("refused").code().to_owned();
        let url = format!("http://{address}/trust.json");
        assert_eq!(refused(read(&url, "")), "fetch.status");
        web.put("/trust.json", Page::new("application/json", "{}"));
        assert_eq!(refused(read(&url, "")), "trust.malformed");
        let trust = trust_of(&[&shop.issuer]);
        web.put("/trust.json", Page::new("application/json", trust.clone()));
        web.put(LIST, Page::status_list(shop.status_list(0)));
        let config = read(&url, &format!("\"http://{address}{LIST}\"")).expect("read");
        assert_eq!((&config.trust, config.sources.status_lists.len()), (&trust, 1));
        assert!(config.status_lists.is_empty());

        let (host, sources) = (shop.host(config.clone(), store()), config.sources);
        let refresher = start(&host, &sources);
        assert!(tokio::task::block_in_place(|| refresher.wait(WAIT)));
        let mut lin = shop.customer("lin");
        assert_eq!(verdict(&host, &mut lin).await, "allow limit.within");
        // A newer one is taken over, and kept.
        let newer = trust_of(&[]);
        web.put("/trust.json", Page::new("application/json", newer.clone()));
        refresher.refresh_now();
        let started = Instant::now();
        while verdict(&host, &mut lin).await != "deny issuer.untrusted" {
            assert!(started.elapsed() < WAIT);
        }
        refresher.stop();
        web.put("/trust.json", Page { status: 500, ..Page::default() });
        assert_eq!(read(&url, "").expect("from the copy").trust, newer);
        assert_eq!(refused(read(&format!("{url}?another"), "")), "fetch.status");

        for bad in ["http://wallet.example/trust.json", "ftp://localhost/trust.json"] {
            assert_eq!(refused(read(bad, "")), "fetch.location");
        }
        fs::write(shop.path.join("trust.json"), &trust).expect("written");
        assert_eq!(
            read("trust.json", "").expect("read").sources.trust,
            Some(Location::File(shop.path.join("trust.json")))
        );
    });
}
