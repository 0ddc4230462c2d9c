//! A shop's hosts as processes of their own (`bandpass serve`), and customers who pay there over HTTP.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use axum::extract::Query;
use bandpass::{Secret, digest};
use bandpass_roles::{BAND_VCT, Request, os_rng, random_id};
use serde_json::{Map, Value, json};

use crate::shop::{Customer, PAYMENT, SHOP, Shop, built};

/// Wallets' answers are addressed to it; where a server really listens changes with each start.
const PUBLIC_URL: &str = "http://127.0.0.1";
const PATIENCE: Duration = Duration::from_secs(20);

/// Seconds since 1970: a process has no other clock than this.
pub(crate) fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs()
}

/// What a shop's hosts share.
pub(crate) struct Site {
    pub(crate) shop: Shop,
    settings: Value,
    /// Seconds for which a challenge can be answered.
    pub(crate) challenge_lifetime: u32,
    merchant: Secret,
    operator: Secret,
}

impl Site {
    /// With one merchant, and `retail-checkout` with these settings.
    pub(crate) fn new(settings: Value) -> Self {
        let secret = || Secret::generate().expect("randomness");
        let site =
            Self { shop: Shop::new(), settings, challenge_lifetime: 3_600, merchant: secret(), operator: secret() };
        let trust = json!({"issuers": [site.shop.issuer.trust_entry(&[BAND_VCT])]});
        fs::write(site.shop.path.join("trust.json"), trust.to_string()).expect("written");
        site.sign_status_list();
        site
    }

    /// Verifiers take a status list for 15 minutes; servers look at the file every few seconds.
    pub(crate) fn sign_status_list(&self) {
        let (new, path) = (self.shop.path.join("status-list.new"), self.shop.path.join("status-list"));
        fs::write(&new, self.shop.status_list_at(0, now())).expect("written");
        fs::rename(new, path).expect("renamed");
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.shop.path
    }

    /// Writes the configuration of the host of this name, and starts it.
    pub(crate) fn serve(&self, name: &str, store: &str) -> Serving {
        let key = |secret: &Secret| json!({(secret.id.clone()): {"sha256": secret.sha256()}});
        let policy = json!({"plugin": "retail", "settings": self.settings});
        let config = json!({
            "name": name,
            "signing_key": "host.jwk",
            "trust": "trust.json",
            "status_lists": ["status-list"],
            "plugins": ".",
            "checkpoints": format!("{name}.checkpoints"),
            "challenge_lifetime": self.challenge_lifetime,
            "server": {
                "listen": "127.0.0.1:0",
                "public_url": PUBLIC_URL,
                "rate": 1_000_000,
                "operator_key": key(&self.operator),
            },
            "plugin": {"retail": {"sha256": digest(&built("dist/plugins/retail-checkout.wasm"))}},
            "merchant": {(SHOP): {
                "audience": ["x509_san_dns:shop.example"],
                "policy": [policy],
                "access": {"api_key": key(&self.merchant), "redirect_uris": ["https://shop.example/paid"],
                    "origins": ["https://shop.example"]},
            }},
        });
        let path = self.folder().join(format!("{name}.toml"));
        fs::write(&path, toml_edit::ser::to_string(&config).expect("TOML")).expect("written");
        Serving::start(&path, store)
    }

    /// Somebody at the till of a server at this address.
    pub(crate) fn till(&self, address: SocketAddr) -> Till {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Till { agent: config.build().new_agent(), address, key: self.merchant.text.clone() }
    }

    pub(crate) fn merchant_key(&self) -> &str {
        &self.merchant.text
    }

    pub(crate) fn operator_key(&self) -> &str {
        &self.operator.text
    }

    /// What the operator reads of a server.
    pub(crate) fn metrics(&self, address: SocketAddr) -> String {
        let url = format!("http://{address}/metrics");
        let key = format!("Bearer {}", self.operator.text);
        let mut answer = ureq::get(url).header("authorization", key).call().expect("metrics");
        answer.body_mut().read_to_string().expect("text")
    }
}

/// A running `bandpass serve`. Dropped, it is killed.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Everything that it says once it listens.
    log: Option<JoinHandle<String>>,
}

impl Serving {
    fn start(config: &Path, store: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bandpass"))
            .args(["serve", "--demo", "--store", store, "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let mut said = String::new();
        let address = lines.by_ref().find_map(|line| {
            said += &line;
            Some(line.rsplit_once("listening on ")?.1.trim().parse().expect("an address"))
        });
        let address = address.ok_or(said).expect("it listens");
        // Somebody has to read it, or the server would wait.
        let log = std::thread::spawn(move || lines.map(|line| line + "\n").collect());
        Self { child, address, log: Some(log) }
    }

    /// Kills it, and returns what it said.
    pub(crate) fn log(mut self) -> String {
        self.kill();
        self.log.take().expect("asked once").join().expect("no panic")
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Resident memory in KiB (proc(5)).
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// User and system time (proc(5)), in hundredths on every Linux that Rust runs on.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("proc");
        let fields = stat.rsplit_once(") ").expect("a name").1.split(' ').skip(11).take(2);
        Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().expect("a number") * 10).sum())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server said: an HTTP status, and JSON or else nothing.
pub(crate) type Said = Result<(u16, Value), ureq::Error>;

/// A merchant's till, and the way to it for its customers.
#[derive(Clone)]
pub(crate) struct Till {
    agent: ureq::Agent,
    address: SocketAddr,
    key: String,
}

impl Till {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What is asked of whoever pays this amount.
    pub(crate) fn challenge(&self, amount: &str, transaction_id: &str) -> Said {
        let payload = json!({"transaction_id": transaction_id, "currency": "CNY", "amount": amount,
            "payee": {"name": "Corner Bookshop", "id": SHOP}});
        let asked = json!({"transactions": [{"type": PAYMENT, "payload": payload}], "flow": {"type": "redirect"}});
        let sent = self.agent.post(self.url("/v1/challenges")).header("content-type", "application/json");
        said(sent.header("authorization", format!("Bearer {}", self.key)).send(asked.to_string())?)
    }

    /// Posts a wallet's answer.
    pub(crate) fn respond(&self, challenge: &str, vp_token: &str) -> Said {
        said(self.agent.post(self.url("/v1/responses")).send_form([("vp_token", vp_token), ("state", challenge)])?)
    }

    pub(crate) fn decision(&self, id: &str) -> Said {
        said(self.get(&format!("/v1/decisions/{id}"))?)
    }

    pub(crate) fn receipt(&self, id: &str) -> Result<String, ureq::Error> {
        self.get(&format!("/v1/receipts/{id}"))?.body_mut().read_to_string()
    }

    fn get(&self, path: &str) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        self.agent.get(self.url(path)).header("authorization", format!("Bearer {}", self.key)).call()
    }
}

fn said(mut answer: ureq::http::Response<ureq::Body>) -> Said {
    let text = answer.body_mut().read_to_string()?;
    Ok((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or_default()))
}

/// A payment's transaction identifier.
pub(crate) fn transaction_id() -> String {
    random_id(&mut os_rng())
}

/// The VP Token by which a customer answers a challenge with an unsigned request.
pub(crate) fn vp_token(customer: &mut Customer, challenge: &Value) -> String {
    let link = challenge["redirect"]["wallet_url"].as_str().expect("a link");
    let query = link.split_once('?').expect("a query").1;
    let uri = format!("http://localhost/?{query}").parse().expect("an address");
    let Query(asked) = Query::<Map<String, Value>>::try_from_uri(&uri).expect("parameters");
    let text = |name: &str| asked[name].as_str().expect("text").to_owned();
    let request = Request {
        audience: text("client_id"),
        nonce: text("nonce"),
        transaction_data: serde_json::from_str(&text("transaction_data")).expect("a list"),
    };
    let dcql = serde_json::from_str::<Value>(&text("dcql_query")).expect("JSON");
    let token = customer.present(&request, "swk", now());
    json!({dcql["credentials"][0]["id"].as_str().expect("an id"): [token]}).to_string()
}
