//! The host over HTTP, as merchants, their pages, wallets and operators meet it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum_server::Handle;
use bandpass::{Access, ApiKey, ClientFiles, ClientPrefix, Config, Secret, Server, ServerConfig, Store, stop};
use bandpass_conformance::RelyingParty;
use serde_json::{Map, Value, json};

use crate::certificates::Certificates;
use crate::shop::{Customer, NOW, PAYMENT, SHOP, Shop, settings};

const PAGE: &str = "https://shop.example";
const BACK: &str = "https://shop.example/paid";

/// A server, and those who call it.
struct Site {
    shop: Shop,
    address: SocketAddr,
    merchant: String,
    other: String,
    operator: String,
    server: Server,
    config: Config,
    handle: Handle<SocketAddr>,
    serving: tokio::task::JoinHandle<()>,
}

struct Said {
    status: u16,
    kind: String,
    text: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }

    /// Status and code of a problem.
    fn problem(&self) -> String {
        assert_eq!(self.kind, "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["type"], format!("urn:bandpass:error:{}", problem["code"].as_str().expect("a code")));
        format!("{} {}", self.status, problem["code"].as_str().expect("a code"))
    }
}

fn key() -> (String, ApiKey) {
    let secret = Secret::generate().expect("randomness");
    (secret.text.clone(), ApiKey { sha256: secret.sha256(), not_after: None })
}

fn id_of(key: &str) -> String {
    key.split('_').nth(1).expect("an id").into()
}

impl Site {
    async fn new() -> Self {
        let shop = Shop::new();
        let mut config = shop.config(&settings());
        let ((merchant, of_merchant), (other, of_other), (operator, of_operator)) = (key(), key(), key());
        let access = |key: &str, kept| Access {
            api_key: [(id_of(key), kept)].into(),
            origins: vec![PAGE.into()],
            redirect_uris: vec![BACK.into()],
            client: None,
            webhook: None,
        };
        let mut another = config.merchants[SHOP].clone();
        another.access = access(&other, of_other);
        // It signs its requests.
        let party = RelyingParty::new(&["another.example"]).expect("certificates");
        let (certificates, key) = (shop.path.join("another.pem"), shop.path.join("another.key"));
        std::fs::write(&certificates, party.chain).expect("written");
        std::fs::write(&key, party.key).expect("written");
        another.access.client = Some(ClientFiles { certificates, key, prefix: ClientPrefix::X509Hash });
        config.merchants.get_mut(SHOP).expect("the shop").access = access(&merchant, of_merchant);
        config.merchants.insert("another".into(), another);
        config.server = Some(ServerConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            public_url: "http://127.0.0.1".into(),
            certificate: None,
            key: None,
            behind_proxy: false,
            wallet: "openid4vp://".into(),
            rate: 1_000,
            operator_key: [(id_of(&operator), of_operator)].into(),
        });
        let host = shop.host(config.clone(), Store::in_memory().expect("a store"));
        let server = Server::new(host, &config, || NOW, true).expect("a server");
        let handle = Handle::new();
        let serving = tokio::spawn({
            let (server, config, handle) = (server.clone(), config.clone(), handle.clone());
            async move { server.serve(&config, handle).await.expect("served") }
        });
        let address = handle.listening().await.expect("it listens");
        Self { shop, address, merchant, other, operator, server, config, handle, serving }
    }

    async fn send(&self, method: &str, path: &str, key: Option<&str>, kind: &str, body: Vec<u8>) -> Said {
        let mut request = axum::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        if body.len() > 1 << 20 {
            // Whoever refuses it need not read it first.
            request = request.header("expect", "100-continue");
        }
        let request = request.body(body).expect("a request");
        let done = tokio::task::spawn_blocking(move || {
            // Whoever gives up waiting for `100 Continue` sends what nobody reads.
            let agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .allow_non_standard_methods(true)
                .timeout_await_100(Some(Duration::from_secs(30)))
                .build();
            let agent = agent.new_agent();
            // Whoever is refused while they still send may be cut off before they hear why.
            let mut answers = (0..5).map(|_| agent.run(request.clone()));
            let cut_off = |error: &ureq::Error| {
                let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                matches!(error, ureq::Error::Io(error) if kinds.contains(&error.kind()))
            };
            let answer = answers.find(|answer| !answer.as_ref().is_err_and(cut_off));
            let mut answer = answer.expect("heard").expect("an answer");
            let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let kind = kind.to_owned();
            Said { status: answer.status().as_u16(), kind, text: answer.body_mut().read_to_string().expect("text") }
        });
        done.await.expect("no panic")
    }

    async fn get(&self, path: &str, key: &str) -> Said {
        self.send("GET", path, Some(key), "", Vec::new()).await
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Said {
        self.send("POST", path, Some(key), "application/json", body.to_string().into_bytes()).await
    }

    async fn challenge(&self, amount: &str, flow: Value) -> Value {
        let said = self.post("/v1/challenges", &self.merchant, &payment(amount, &flow)).await;
        assert_eq!(said.status, 201, "{}", said.text);
        said.json()
    }

    async fn wallet(&self, form: &[(&str, &str)]) -> Said {
        let form = serde_urlencoded(form);
        self.send("POST", "/v1/responses", None, "application/x-www-form-urlencoded", form.into_bytes()).await
    }

    async fn pays(&self, challenge: &Value, customer: &mut Customer, method: &str) -> Said {
        let token = answer(challenge, customer, method);
        self.wallet(&[("vp_token", &token), ("state", challenge["id"].as_str().expect("an id"))]).await
    }

    async fn decision(&self, challenge: &Value) -> Value {
        let path = format!("/v1/decisions/{}", challenge["id"].as_str().expect("an id"));
        self.get(&path, &self.merchant).await.json()
    }
}

fn serde_urlencoded(form: &[(&str, &str)]) -> String {
    let encode = |text: &str| {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect::<String>()
    };
    form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

fn payment(amount: &str, flow: &Value) -> Value {
    let payload = json!({"transaction_id": bandpass_roles::random_id(&mut bandpass_roles::os_rng()), "currency": "CNY",
        "amount": amount, "payee": {"name": "Corner Bookshop", "id": SHOP}});
    json!({"transactions": [{"type": PAYMENT, "payload": payload}], "flow": flow})
}

fn link() -> Value {
    json!({"type": "redirect"})
}

/// What a link asks.
fn asked(challenge: &Value) -> Map<String, Value> {
    let link = challenge["redirect"]["wallet_url"].as_str().expect("a link");
    let query = link.split_once('?').expect("a query").1;
    let uri = format!("http://localhost/?{query}").parse().expect("an address");
    axum::extract::Query::try_from_uri(&uri).expect("parameters").0
}

/// A VP Token that answers it.
fn answer(challenge: &Value, customer: &mut Customer, method: &str) -> String {
    let asked = asked(challenge);
    let text = |name: &str| asked[name].as_str().expect("text").to_owned();
    let request = bandpass_roles::Request {
        audience: text("client_id"),
        nonce: text("nonce"),
        transaction_data: serde_json::from_str(&text("transaction_data")).expect("a list"),
    };
    let rng = &mut bandpass_roles::os_rng();
    let approval = customer.phone.approve(&request, &customer.band.thumbprint(), &[method], NOW, rng);
    let token = customer.band.present(&request, &["sub"], Some(&approval), NOW, rng);
    let dcql = serde_json::from_str::<Value>(&text("dcql_query")).expect("JSON");
    json!({dcql["credentials"][0]["id"].as_str().expect("an id"): [token]}).to_string()
}

fn json_path(id: &Value, rest: &str) -> String {
    format!("/v1/decisions/{}{rest}", id.as_str().expect("an id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_pays_and_learns_nothing() {
    let site = Site::new().await;
    let mut customer = site.shop.customer("lin");
    let challenge = site.challenge("35.00", link()).await;
    assert_eq!(site.decision(&challenge).await, json!({"id": challenge["id"], "status": "pending"}));

    let token = answer(&challenge, &mut customer, "swk");
    let id = challenge["id"].as_str().expect("an id");
    for _ in 0..2 {
        let told = site.wallet(&[("vp_token", &token), ("state", id)]).await;
        assert_eq!((told.status, told.text.as_str()), (200, "{}"));
    }
    let another = answer(&challenge, &mut customer, "swk");
    assert_eq!(site.wallet(&[("vp_token", &another), ("state", id)]).await.problem(), "409 challenge.used");

    let decided = site.decision(&challenge).await;
    assert_eq!(
        (&decided["status"], &decided["decision"], &decided["reason"]),
        (&json!("decided"), &json!("allow"), &json!("limit.within"))
    );
    assert!(decided["presentations"]["band"][0]["claims"]["sub"].is_string(), "{decided}");
    // The page sees the decision, but nothing that was disclosed.
    let secret = challenge["session_secret"].as_str().expect("a secret");
    let seen = site.get(&json_path(&challenge["id"], ""), secret).await.json();
    assert_eq!((&seen["decision"], seen.get("presentations")), (&json!("allow"), None));

    let receipt = site.get(&format!("/v1/receipts/{id}"), &site.merchant).await;
    let keys = site.get("/.well-known/jwks.json", "").await.json();
    let said = bandpass_core::verify_jws(&receipt.text, &keys["keys"][0], "bandpass-receipt+jwt").expect("signed");
    assert_eq!((said["decision"].as_str(), said["jti"].as_str()), (Some("allow"), Some(id)));

    assert_eq!(
        site.post(&json_path(&challenge["id"], "/void"), &site.merchant, &json!({})).await.json()["voided"],
        NOW
    );
    assert_eq!(site.decision(&challenge).await["voided"], NOW);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_concerned_see_a_decision() {
    let site = Site::new().await;
    let (one, two) = (site.challenge("35.00", link()).await, site.challenge("35.00", link()).await);
    let path = json_path(&one["id"], "");
    assert_eq!(site.send("GET", &path, None, "", Vec::new()).await.problem(), "401 request.unauthorized");
    assert_eq!(site.get(&path, &site.other).await.problem(), "404 decision.unknown");
    assert_eq!(site.get(&path, &site.operator).await.problem(), "401 request.unauthorized");
    assert_eq!(
        site.get(&path, two["session_secret"].as_str().expect("a secret")).await.problem(),
        "401 request.unauthorized"
    );
    for rest in ["/void", "/step-up"] {
        let said = site.post(&json_path(&one["id"], rest), &site.other, &json!({})).await;
        assert_eq!(said.problem(), "404 decision.unknown", "{rest}");
    }
    assert_eq!(site.get("/v1/receipts/x", &site.merchant).await.problem(), "404 decision.unknown");
    let wrong = format!("{}x", site.merchant);
    assert_eq!(
        site.post("/v1/challenges", &wrong, &payment("1.00", &link())).await.problem(),
        "401 request.unauthorized"
    );
    for path in ["/v1/plugins", "/v1/overview", "/metrics"] {
        assert_eq!(site.get(path, &site.merchant).await.problem(), "401 request.unauthorized", "{path}");
        assert_eq!(site.get(path, &site.operator).await.status, 200, "{path}");
    }
    let signed = site.post("/v1/challenges", &site.other, &payment("1.00", &link())).await.json();
    assert!(signed["redirect"]["wallet_url"].as_str().expect("a link").contains("client_id=x509_hash%3A"), "{signed}");
    let metrics = site.get("/metrics", &site.operator).await.text;
    let ends = "bandpass_client_expires_timestamp_seconds{merchant=\"another\"} 1833200000\n";
    assert!(metrics.contains(ends), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_same_device_the_page_proves_that_the_wallet_came_back_to_it() {
    let site = Site::new().await;
    let flow = json!({"type": "redirect", "same_device": true, "redirect_uri": BACK});
    let challenge = site.challenge("35.00", flow).await;
    let told = site.pays(&challenge, &mut site.shop.customer("lin"), "swk").await.json();
    let back = told["redirect_uri"].as_str().expect("an address");
    let code = back.strip_prefix(&format!("{BACK}?response_code=")).expect("a code");
    let (path, secret) = (json_path(&challenge["id"], ""), challenge["session_secret"].as_str().expect("a secret"));
    assert_eq!(site.get(&path, secret).await.problem(), "403 request.forbidden");
    assert_eq!(site.get(&format!("{path}?response_code=guessed"), secret).await.problem(), "403 request.forbidden");
    assert_eq!(site.get(&format!("{path}?response_code={code}"), secret).await.json()["decision"], "allow");

    let elsewhere = json!({"type": "redirect", "redirect_uri": "https://shop.example/other"});
    let refused = site.post("/v1/challenges", &site.merchant, &payment("1.00", &elsewhere)).await;
    assert_eq!(refused.problem(), "403 request.forbidden");
    let nowhere = json!({"type": "redirect", "same_device": true});
    let refused = site.post("/v1/challenges", &site.merchant, &payment("1.00", &nowhere)).await;
    assert_eq!(refused.problem(), "400 request.malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_up_leads_to_an_allow() {
    let site = Site::new().await;
    let mut customer = site.shop.customer("lin");
    let large = site.challenge("900.00", link()).await;
    assert_eq!(site.pays(&large, &mut customer, "swk").await.status, 200);
    let decided = site.decision(&large).await;
    assert_eq!((&decided["decision"], &decided["requirements"]["methods"]), (&json!("step-up"), &json!(["face"])));
    let secret = large["session_secret"].as_str().expect("a secret");
    let more = site.post(&json_path(&large["id"], "/step-up"), secret, &json!({})).await;
    assert_eq!(more.status, 201, "{}", more.text);
    let again = site.post(&json_path(&large["id"], "/step-up"), &site.merchant, &json!({})).await;
    assert_eq!(again.problem(), "409 step-up.used");
    let more = more.json();
    assert_eq!(site.pays(&more, &mut customer, "face").await.status, 200);
    assert_eq!(site.decision(&more).await["decision"], "allow");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_says_why_and_decides_nothing() {
    let site = Site::new().await;
    let mut customer = site.shop.customer("lin");
    let (one, two) = (site.challenge("35.00", link()).await, site.challenge("35.00", link()).await);
    let id = one["id"].as_str().expect("an id");
    let token = answer(&two, &mut customer, "swk");
    for _ in 0..5 {
        assert_eq!(site.wallet(&[("vp_token", &token), ("state", id)]).await.problem(), "422 holder.nonce");
        assert_eq!(site.decision(&one).await["refusal"], "holder.nonce");
    }
    assert_eq!(site.wallet(&[("vp_token", &token), ("state", id)]).await.problem(), "409 challenge.attempts");
    assert_eq!(site.decision(&one).await["status"], "closed");

    let id = two["id"].as_str().expect("an id");
    let declined = site.wallet(&[("error", "access_denied"), ("state", id)]).await;
    assert_eq!((declined.status, declined.text.as_str()), (200, "{}"));
    assert_eq!(site.decision(&two).await, json!({"id": id, "status": "closed", "refusal": "wallet.error"}));
    assert_eq!(site.wallet(&[("vp_token", &token), ("state", id)]).await.problem(), "409 challenge.attempts");
    let nobody = site.wallet(&[("vp_token", &token), ("state", "nobody")]).await;
    assert_eq!(nobody.problem(), "404 challenge.unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told() {
    let site = Site::new().await;
    let challenge = site.challenge("35.00", link()).await;
    let begun = Instant::now();
    let path = json_path(&challenge["id"], "?wait=1");
    assert_eq!(site.get(&path, &site.merchant).await.json()["status"], "pending");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let (waits, listens) = (json_path(&challenge["id"], "?wait=30"), json_path(&challenge["id"], "/events"));
    let mut customer = site.shop.customer("lin");
    let secret = challenge["session_secret"].as_str().expect("a secret");
    let (waited, heard, paid) = tokio::join!(site.get(&waits, &site.merchant), site.get(&listens, secret), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        site.pays(&challenge, &mut customer, "swk").await
    });
    assert_eq!((paid.status, waited.json()["decision"].as_str()), (200, Some("allow")));
    assert_eq!(heard.kind, "text/event-stream");
    let events = heard.text.lines().filter_map(|line| line.strip_prefix("data:"));
    let events = events.map(|data| serde_json::from_str::<Value>(data.trim()).expect("JSON")).collect::<Vec<_>>();
    let statuses = events.iter().map(|event| event["status"].as_str().expect("a status")).collect::<Vec<_>>();
    assert_eq!(statuses, ["pending", "decided"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_problems() {
    let site = Site::new().await;
    let json_kind = "application/json";
    let key = Some(site.merchant.as_str());
    for (method, path, kind, body, problem) in [
        ("POST", "/v1/challenges", json_kind, "{", "400 request.malformed"),
        ("POST", "/v1/challenges", json_kind, "{}", "400 request.malformed"),
        ("POST", "/v1/challenges", json_kind, r#"{"flow":{"type":"redirect"},"x":1}"#, "400 request.malformed"),
        ("POST", "/v1/challenges", "text/plain", "{}", "400 request.malformed"),
        ("POST", "/v1/responses", "application/x-www-form-urlencoded", "x=y", "400 response.malformed"),
        ("POST", "/v1/responses", json_kind, "[]", "400 request.malformed"),
        ("GET", "/v1/decisions/x?wait=soon", "", "", "400 request.malformed"),
        ("GET", "/v1/decisions/x?wait=31", "", "", "400 request.malformed"),
        ("GET", "/v1/decisions/x", "", "", "404 decision.unknown"),
        ("GET", "/v1/decisions/%00", "", "", "404 decision.unknown"),
        ("GET", "/v1/requests/x", "", "", "404 challenge.unknown"),
        ("POST", "/v1/responses", json_kind, r#"{"id":"\u0000","data":{}}"#, "404 challenge.unknown"),
        ("GET", "/nothing", "", "", "404 request.unknown"),
        ("DELETE", "/v1/challenges", "", "", "405 request.method"),
    ] {
        let said = site.send(method, path, key, kind, body.into()).await;
        assert_eq!(said.problem(), problem, "{method} {path} {body}");
    }
    let large = vec![b' '; 2 << 20];
    let said = site.send("POST", "/v1/challenges", key, json_kind, large).await;
    assert_eq!(said.problem(), "413 request.too-large");
    let other = json!({"transactions": [{"type": "urn:example:other", "payload": {}}], "flow": link()});
    assert_eq!(site.post("/v1/challenges", &site.merchant, &other).await.problem(), "400 challenge.malformed");
    assert_eq!(site.get("/healthz", "").await.text, "ok");
    assert_eq!(site.get("/readyz", "").await.text, "ready");
    let api = site.get("/openapi.json", "").await.json();
    assert_eq!(api["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_with_the_configuration() {
    let site = Site::new().await;
    let (new, kept) = key();
    let mut config = site.config.clone();
    let keys = &mut config.merchants.get_mut(SHOP).expect("the shop").access.api_key;
    *keys = [(id_of(&new), kept)].into();
    site.server.reload(config.clone()).expect("taken");
    let challenge = |key: String| {
        let site = &site;
        async move { site.post("/v1/challenges", &key, &payment("1.00", &link())).await.status }
    };
    assert_eq!((challenge(new.clone()).await, challenge(site.merchant.clone()).await), (201, 401));
    config.server = None;
    site.server.reload(config).expect_err("there must be a server");
    assert_eq!(challenge(new).await, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_is_finished() {
    let site = Site::new().await;
    let challenge = site.challenge("35.00", link()).await;
    let path = json_path(&challenge["id"], "?wait=2");
    let (waited, ()) = tokio::join!(site.get(&path, &site.merchant), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop(&site.handle);
    });
    assert_eq!(waited.json()["status"], "pending");
    tokio::time::timeout(Duration::from_secs(10), site.serving).await.expect("it ends").expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_what_is_decided() {
    let site = Site::new().await;
    let mut customer = site.shop.customer("lin");
    for (amount, method) in [("35.00", "swk"), ("900.00", "swk")] {
        let challenge = site.challenge(amount, link()).await;
        assert_eq!(site.pays(&challenge, &mut customer, method).await.status, 200);
    }
    let (asked, other) = (site.challenge("1.00", link()).await, site.challenge("2.00", link()).await);
    let token = answer(&other, &mut customer, "swk");
    site.wallet(&[("vp_token", &token), ("state", asked["id"].as_str().expect("an id"))]).await;

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/peers/dashboard.mjs");
    let pictures = concat!(env!("BANDPASS_TARGET"), "/pictures");
    std::fs::create_dir_all(pictures).expect("a folder");
    let (url, key) = (format!("http://{}/", site.address), site.operator.clone());
    let look = move || std::process::Command::new("node").args([script, &url, &key, pictures]).output();
    let seen = tokio::task::spawn_blocking(look).await.expect("no panic").expect("node");
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
    let seen = serde_json::from_slice::<Value>(&seen.stdout).expect("JSON");

    assert_eq!(seen["refusal"], "This is not an operator's key.");
    assert_eq!((&seen["state"], &seen["asksForKey"]), (&json!("Connected"), &json!(false)));
    let answers = json!({"Allowed": "1", "Denied": "0", "Stepped up": "1", "Refused": "1", "Failed": "0"});
    assert_eq!(seen["answers"], answers);
    let recent =
        seen["recent"].as_array().expect("rows").iter().map(|row| format!("{} {}", row[2], row[3]).replace('"', ""));
    assert_eq!(recent.collect::<Vec<_>>(), ["refused holder.nonce", "step-up limit.above", "allow limit.within"]);
    let plugins = seen["plugins"].as_array().expect("rows");
    let plugins = plugins.iter().map(|row| (row[0].as_str(), row[1].as_str(), row[4].as_str())).collect::<Vec<_>>();
    assert_eq!(
        plugins,
        [("hostile", "in use", "0"), ("retail", "in use", "2")].map(|(a, b, c)| (Some(a), Some(b), Some(c)))
    );
    assert_eq!((&seen["left"], &seen["kept"], &seen["overflows"]), (&json!(true), &json!(0), &json!(false)));
    assert_eq!((&seen["troubles"], &seen["elsewhere"]), (&json!([]), &json!([])));
}

/// As wallets do (RFC 7516, RFC 7518, section 4.6): ECDH-ES with A128GCM.
fn encrypted(to: &Value, content: &Value) -> String {
    use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use p256::elliptic_curve::Generate as _;
    use p256::elliptic_curve::sec1::ToSec1Point as _;
    use sha2::Digest as _;
    let coordinate =
        |name: &str| Base64UrlUnpadded::decode_vec(to[name].as_str().expect("a coordinate")).expect("base64url");
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let public = p256::PublicKey::from_sec1_bytes(&point).expect("a point");
    let secret = p256::SecretKey::generate_from_rng(&mut bandpass_roles::os_rng());
    let shared = p256::elliptic_curve::ecdh::diffie_hellman(secret.to_nonzero_scalar(), public.as_affine());
    let length = |number: u32| number.to_be_bytes().to_vec();
    let parts = [
        length(1),
        shared.raw_secret_bytes().to_vec(),
        length(7),
        b"A128GCM".to_vec(),
        length(0),
        length(0),
        length(128),
    ];
    let key = sha2::Sha256::digest(parts.concat());
    let point = secret.public_key().to_sec1_point(false);
    let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    let epk =
        json!({"kty": "EC", "crv": "P-256", "x": encode(point.x().expect("x")), "y": encode(point.y().expect("y"))});
    let header = json!({"alg": "ECDH-ES", "enc": "A128GCM", "kid": to["kid"], "epk": epk}).to_string();
    let header = encode(header.as_bytes());
    let (nonce, text) = ([7; 12], content.to_string());
    let cipher = aes_gcm::Aes128Gcm::new_from_slice(&key[..16]).expect("16 bytes");
    let sealed =
        cipher.encrypt(&nonce.into(), Payload { msg: text.as_bytes(), aad: header.as_bytes() }).expect("sealed");
    let (sealed, tag) = sealed.split_at(sealed.len() - 16);
    format!("{header}..{}.{}.{}", encode(&nonce), encode(sealed), encode(tag))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_passes_on_what_the_browser_got() {
    let site = Site::new().await;
    let mut customer = site.shop.customer("lin");
    let challenge = site.challenge("35.00", json!({"type": "dc-api", "origin": PAGE})).await;
    let request = &challenge["dc_api"];
    assert_eq!(
        (&request["protocol"], &request["data"]["response_mode"]),
        (&json!("openid4vp-v1-unsigned"), &json!("dc_api.jwt"))
    );
    let answered = |audience: String, customer: &mut Customer| {
        let data = request["data"]["transaction_data"].as_array().expect("a list").iter();
        let asked = bandpass_roles::Request {
            audience,
            nonce: request["data"]["nonce"].as_str().expect("a nonce").into(),
            transaction_data: data.map(|entry| entry.as_str().expect("text").to_owned()).collect(),
        };
        let rng = &mut bandpass_roles::os_rng();
        let approval = customer.phone.approve(&asked, &customer.band.thumbprint(), &["swk"], NOW, rng);
        let token = customer.band.present(&asked, &["sub"], Some(&approval), NOW, rng);
        let jwe =
            encrypted(&request["data"]["client_metadata"]["jwks"]["keys"][0], &json!({"vp_token": {"band": [token]}}));
        json!({"id": challenge["id"], "data": {"response": jwe}})
    };
    let secret = challenge["session_secret"].as_str().expect("a secret");
    let wrong = answered("origin:https://other.example".into(), &mut customer);
    assert_eq!(site.post("/v1/responses", secret, &wrong).await.problem(), "422 holder.audience");
    let right = answered(format!("origin:{PAGE}"), &mut customer);
    assert_eq!(site.post("/v1/responses", "somebody-else", &right).await.problem(), "401 request.unauthorized");
    let clear = json!({"id": challenge["id"], "data": {"vp_token": {"band": ["x"]}}});
    assert_eq!(site.post("/v1/responses", secret, &clear).await.problem(), "400 response.unencrypted");
    assert_eq!(site.post("/v1/responses", secret, &right).await.text, "{}");
    assert_eq!(site.decision(&challenge).await["decision"], "allow");
    let elsewhere = payment("1.00", &json!({"type": "dc-api", "origin": "https://other.example"}));
    assert_eq!(site.post("/v1/challenges", &site.merchant, &elsewhere).await.problem(), "403 request.forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_it_speaks_tls() {
    let site = Site::new().await;
    let certificates = Certificates::new(41);
    let pem = |name: &str, what: &str, der: &[u8]| {
        let text = <base64ct::Base64 as base64ct::Encoding>::encode_string(der);
        let path = site.shop.path.join(name);
        std::fs::write(&path, format!("-----BEGIN {what}-----\n{text}\n-----END {what}-----\n")).expect("written");
        Some(path)
    };
    let mut config = site.config.clone();
    let server = config.server.as_mut().expect("a server");
    server.certificate = pem("tls.pem", "CERTIFICATE", &certificates.server);
    server.key = pem("tls.key", "PRIVATE KEY", &certificates.server_key);
    let handle = Handle::new();
    tokio::spawn({
        let (server, config, handle) = (site.server.clone(), config.clone(), handle.clone());
        async move { server.serve(&config, handle).await.expect("served") }
    });
    let port = handle.listening().await.expect("it listens").port();
    let ready = move |authority: Vec<u8>| {
        let roots = ureq::tls::RootCerts::from([ureq::tls::Certificate::from_der(&authority).to_owned()]);
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = ureq::tls::TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider);
        let agent = ureq::Agent::config_builder().tls_config(tls.build()).build().new_agent();
        agent.get(format!("https://localhost:{port}/readyz")).call().map(|answer| answer.status().as_u16())
    };
    let stranger = Certificates::new(51).authority;
    let asked = tokio::task::spawn_blocking(move || (ready(certificates.authority), ready(stranger)));
    let (trusted, untrusted) = asked.await.expect("no panic");
    assert_eq!(trusted.expect("an answer"), 200);
    untrusted.expect_err("nobody vouches for it");

    // What is no key keeps the server from starting.
    config.server.as_mut().expect("a server").key = Some(site.shop.path.join("host.jwk"));
    let refused = site.server.serve(&config, Handle::new()).await.expect_err("refused");
    assert_eq!(refused.code(), "config.malformed");
}
