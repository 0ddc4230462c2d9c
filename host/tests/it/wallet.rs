//! The wallet's side as processes: a registry, an owner, a band and its phones, and a shop that is paid.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::program::{self, Running, wait_for};

/// Somebody's desk, with all in folders of their own.
struct Desk {
    folder: tempfile::TempDir,
    registry: Running,
    url: String,
    operator: String,
    band: Running,
    /// The band's thumbprint.
    thumbprint: String,
}

const DEMO: &str = "bandpass-registry-demo";
const ENROL: [&str; 4] =
    ["owner", "enrol", "--authorization-server", "bandpass-registry-demo/authorization-server.jwk"];

/// Its exit code, and all that it says.
fn bandpass(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let ran = program::bandpass(folder, arguments, &[]);
    (ran.code, ran.stdout + &ran.stderr)
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string()
}

fn last_word(line: &str) -> &str {
    line.split_whitespace().next_back().expect("a word")
}

fn run_band(folder: &Path) -> Running {
    let running = Running::start(folder, &["band", "run"], &[]);
    wait_for(&running.log, "listens in");
    running
}

impl Desk {
    /// A registry, an account, and a band with its maker's attestation.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let listen = free_port();
        let registry = Running::start(path, &["registry", "serve", "--demo", "--listen", &listen], &[]);
        let url = last_word(&wait_for(&registry.said, "registry: ")).to_owned();
        let operator = last_word(&wait_for(&registry.said, "operator's key: ")).to_owned();
        let maker = last_word(&wait_for(&registry.said, "maker's key: ")).to_owned();
        wait_for(&registry.log, "listening on");
        let (code, made) = bandpass(path, &["band", "make", "--pin", "2580", "--maker", &maker]);
        assert_eq!(code, 0, "{made}");
        let thumbprint = last_word(&made).to_owned();
        let band = run_band(path);
        let desk = Self { folder, registry, url, operator, band, thumbprint };
        desk.done(&["owner", "make", "--registry", &desk.url, "--operator-key", &desk.operator], "opened account");
        desk.done(&["phone", "make"], "made phone");
        desk.done(&["phone", "make", "--folder", "other-phone"], "made phone");
        desk
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    #[track_caller]
    fn ends(&self, arguments: &[&str], code: i32, with: &str) -> String {
        let (ended, said) = bandpass(self.path(), arguments);
        assert!(ended == code && said.contains(with), "{arguments:?}: {ended} {said}");
        said
    }

    #[track_caller]
    fn done(&self, arguments: &[&str], with: &str) -> String {
        self.ends(arguments, 0, with)
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], code: &str) {
        self.ends(arguments, 2, &format!("refused: {code}: "));
    }

    /// What the owner tells the registry, or why not.
    #[track_caller]
    fn owner(&self, command: &str, code: i32, with: &str) -> String {
        let key = format!("{DEMO}/authorization-server.jwk");
        self.ends(&["owner", command, "--band", &self.thumbprint, "--authorization-server", &key], code, with)
    }

    fn put_on(&self) {
        self.done(&["band", "put-on"], "put on");
        self.done(&["band", "unlock", "--pin", "2580"], "unlocked");
    }

    fn pair<'a>(&'a self, phone: &'a str, nonce: &'a str) -> [&'a str; 10] {
        ["phone", "pair", "--folder", phone, "--registry", &self.url, "--count", "3", "--nonce", nonce]
    }

    /// Enrolled and paired with the first phone: the nonce of the opening.
    fn paired() -> (Self, String) {
        let desk = Self::new();
        desk.put_on();
        desk.done(&["band", "confirm"], "confirmed");
        desk.done(&ENROL, "unpaired, epoch 0, senses wear, unlock, confirm");
        let nonce = desk.owner("open", 0, "").trim().to_owned();
        desk.done(&["band", "confirm"], "confirmed");
        desk.done(&desk.pair("bandpass-phone", &nonce), "epoch 1, 3 credentials");
        (desk, nonce)
    }
}

/// A shop that trusts the registry.
struct Shop {
    _running: Running,
    url: String,
    key: String,
}

impl Shop {
    fn open(desk: &Desk) -> Self {
        let (path, config) = (desk.path(), "shop/bandpass.toml");
        desk.done(&["demo", "--save", "shop"], "");
        let trust = bandpass(path, &["registry", "trust", "--config", &format!("{DEMO}/registry.toml")]);
        assert_eq!(trust.0, 0, "{}", trust.1);
        fs::write(path.join("shop/trust.json"), trust.1).expect("written");
        let listen = free_port();
        let text = fs::read_to_string(path.join(config)).expect("a file");
        let text = text
            .replace("127.0.0.1:8080", &listen)
            .replace(r#"["status-list"]"#, &format!(r#"["{}/status/1"]"#, desk.url));
        fs::write(path.join(config), text).expect("written");
        let made = program::bandpass(path, &["key", "create", "--merchant", "merchant-7", "--config", config], &[]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let arguments = ["serve", "--demo", "--config", config, "--store", "shop/host.sqlite"];
        let running = Running::start(path, &arguments, &[]);
        wait_for(&running.log, "listening on");
        Self { _running: running, url: format!("http://{listen}"), key: made.stdout.trim().to_owned() }
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Value {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(body.to_owned())
            .expect("a request");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build();
        let mut answer = agent.new_agent().run(request).expect("an answer");
        serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON")
    }

    /// A challenge for a payment that needs no password: its id and its link.
    fn challenge(&self) -> (String, String) {
        let payload = json!({"transaction_id": bandpass_roles::random_id(&mut bandpass_roles::os_rng()),
            "currency": "CNY", "amount": "35.00", "payee": {"name": "Corner Bookshop", "id": "merchant-7"}});
        let body = json!({"transactions": [{"type": "urn:bandpass:payment:1", "payload": payload}],
            "flow": {"type": "redirect"}});
        let challenge = self.call("POST", "/v1/challenges", &body.to_string());
        let text = |pointer: &str| challenge.pointer(pointer).and_then(Value::as_str).expect("text").to_owned();
        (text("/id"), text("/redirect/wallet_url"))
    }

    /// Has a phone pay: the band's counter.
    #[track_caller]
    fn paid(&self, desk: &Desk, phone: &str) -> u64 {
        let (id, link) = self.challenge();
        desk.done(&["phone", "pay", "--folder", phone, &link], "{}");
        let decided = self.call("GET", &format!("/v1/decisions/{id}"), "");
        assert_eq!(decided["decision"], "allow", "{decided}");
        decided["presentations"]["band"][0]["evidence"]["counter"].as_u64().expect("a counter")
    }

    #[track_caller]
    fn refused(&self, desk: &Desk, phone: &str, code: &str) {
        desk.refused(&["phone", "pay", "--folder", phone, &self.challenge().1], code);
    }
}

#[test]
fn a_band_is_enrolled_and_paired_by_who_wears_it() {
    let mut desk = Desk::new();
    let maker = format!("{DEMO}/maker.jwk");
    desk.refused(&ENROL, "band.not-worn");
    desk.done(&["band", "put-on"], "put on");
    desk.refused(&ENROL, "band.locked");
    desk.refused(&["band", "unlock", "--pin", "1111"], "band.pin");
    desk.done(&["band", "unlock", "--pin", "2580"], "unlocked");
    desk.refused(&ENROL, "band.unconfirmed");
    desk.done(&["band", "confirm"], "confirmed");
    desk.done(&ENROL, "unpaired, epoch 0, senses wear, unlock, confirm");
    desk.done(&["band", "confirm"], "confirmed");
    desk.refused(&ENROL, "pairing.enrolled");

    let nonce = desk.owner("open", 0, "").trim().to_owned();
    desk.refused(&desk.pair("bandpass-phone", &nonce), "band.unconfirmed");
    desk.done(&["band", "confirm"], "confirmed");
    desk.done(&desk.pair("bandpass-phone", &nonce), "epoch 1, 3 credentials");
    desk.owner("open", 2, "refused: pairing.locked: ");
    let renew = ["phone", "renew", "--count", "2", "--json", "--registry", &desk.url];
    let renewed = program::bandpass(desk.path(), &renew, &[]).json();
    assert_eq!((&renewed["epoch"], &renewed["credentials"]), (&json!(1), &json!(2)), "{renewed}");

    // What is there stays, and one process has it.
    desk.ends(&["band", "make", "--pin", "1"], 1, "band.json");
    desk.ends(&["phone", "make"], 1, "phone.json");
    desk.ends(&["owner", "make", "--registry", &desk.url, "--operator-key", &desk.operator], 1, "already");
    desk.ends(&["band", "run"], 1, "another process has it open");
    // Nobody but the owner reads the keys.
    for file in ["bandpass-band/band.json", "bandpass-phone/phone.json", "bandpass-owner/owner.json", &maker] {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(desk.path().join(file)).expect("there").permissions(),
        );
        assert_eq!(mode & 0o077, 0, "{file}");
    }
    for running in [&mut desk.band, &mut desk.registry] {
        running.signal(Signal::TERM);
        assert!(running.ended().success());
    }
    desk.ends(&["phone", "renew", "--registry", &desk.url], 1, "bandpass-band");
}

#[test]
fn a_band_stays_with_its_phone_until_its_owner_says_otherwise() {
    let (desk, nonce) = Desk::paired();
    let other = "other-phone";
    let renew = ["phone", "renew", "--folder", other, "--registry", &desk.url];
    desk.done(&["band", "confirm"], "confirmed");
    desk.refused(&desk.pair(other, &nonce), "pairing.locked");
    desk.refused(&renew, "pairing.locked");
    let lost = ["phone", "lost", "--band", &desk.thumbprint, "--registry", &desk.url];
    desk.refused(&[&lost[..], &["--folder", other]].concat(), "pairing.locked");

    desk.done(&lost, "lost, epoch 1");
    desk.owner("open", 2, "refused: pairing.lost: ");
    desk.owner("found", 0, "paired, epoch 1");
    desk.owner("lost", 0, "lost, epoch 1");
    desk.owner("deactivate", 0, "unpaired, epoch 1");
    let nonce = desk.owner("open", 0, "").trim().to_owned();
    desk.done(&["band", "confirm"], "confirmed");
    desk.done(&desk.pair(other, &nonce), "epoch 2, 3 credentials");
    desk.refused(&["phone", "renew", "--registry", &desk.url], "pairing.locked");

    let nonce = desk.owner("change-phone", 0, "").trim().to_owned();
    desk.done(&["band", "confirm"], "confirmed");
    desk.done(&desk.pair("bandpass-phone", &nonce), "epoch 3, 3 credentials");
    desk.refused(&renew, "pairing.locked");
    // Whom the authorization server does not vouch for is not heard.
    let key = format!("{DEMO}/maker.jwk");
    let command = ["owner", "deactivate", "--band", &desk.thumbprint, "--authorization-server", &key];
    desk.refused(&command, "access-token.signature");
}

#[test]
fn no_counter_is_used_twice_whenever_the_band_is_killed() {
    let (mut desk, _) = Desk::paired();
    let shop = Shop::open(&desk);
    let (phone, mut counters) = ("bandpass-phone", vec![]);
    counters.push(shop.paid(&desk, phone));
    counters.push(shop.paid(&desk, phone));
    for _ in 0..3 {
        desk.band.signal(Signal::KILL);
        assert!(!desk.band.ended().success());
        desk.ends(&["phone", "pay", &shop.challenge().1], 1, "bandpass-band");
        desk.band = run_band(desk.path());
        shop.refused(&desk, phone, "band.not-worn");
        desk.put_on();
        counters.push(shop.paid(&desk, phone));
    }
    assert!(counters.is_sorted_by(|before, after| before < after), "{counters:?}");

    shop.refused(&desk, "other-phone", "band.other-phone");
    desk.done(&["band", "take-off"], "taken off");
    shop.refused(&desk, phone, "band.not-worn");
    desk.done(&["band", "put-on"], "put on");
    shop.refused(&desk, phone, "band.locked");
}

/// A line, made when the band's nonce is known.
type Line<'a> = &'a dyn Fn(&str) -> String;

#[test]
fn what_a_band_does_not_understand_ends_the_connection_alone() {
    let desk = Desk::new();
    let key = bandpass_roles::Key::generate(&mut bandpass_roles::os_rng());
    let header = json!({"alg": "ES256", "typ": "bandpass-link+jwt", "jwk": key.jwk()});
    let say = |socket: &str, line: Line<'_>| {
        let stream = UnixStream::connect(desk.path().join("bandpass-band").join(socket)).expect("a band");
        let (mut heard, mut said) = (stream.try_clone().expect("a stream"), stream);
        let mut greeting = [0; 35];
        if socket == "radio.sock" {
            // {"nonce":"..."} and 128 bits in base64url.
            heard.read_exact(&mut greeting[..]).expect("a greeting");
        }
        let greeting = String::from_utf8_lossy(&greeting);
        // A line that is too long may be left unread.
        let _ = said.write_all(line(greeting.get(10..32).expect("a nonce")).as_bytes());
        let mut answer = Vec::new();
        let _ = heard.read_to_end(&mut answer);
        String::from_utf8(answer).expect("text").trim().to_owned()
    };
    let signed = |payload: Value| key.sign(&header, &payload) + "\n";
    let who = |nonce: &str| signed(json!({"nonce": nonce, "do": "who"}));
    let nothing: [(&str, Line<'_>); 7] = [
        ("radio.sock", &|_| "x\n".into()),
        ("radio.sock", &|_| "x".repeat(3 << 20) + "\n"),
        ("radio.sock", &|_| who("another")),
        ("radio.sock", &|nonce| signed(json!({"nonce": nonce, "do": "whom"}))),
        ("radio.sock", &|nonce| {
            signed(json!({"nonce": nonce, "do": {"batch":
            {"audience": "a", "nonce": "n", "epoch": 1, "count": 1_000_000}}}))
        }),
        ("body.sock", &|_| "{}\n".into()),
        ("body.sock", &|_| "\"take-off\" \"confirm\"\n".into()),
    ];
    for (number, (socket, line)) in nothing.into_iter().enumerate() {
        assert_eq!(say(socket, line), "", "{number}");
    }
    // Nobody becomes the band's phone without its wearer.
    let bring = |nonce: &str| signed(json!({"nonce": nonce, "do": {"take-in": {"credentials": []}}}));
    assert_eq!(say("radio.sock", &bring), json!({"error": "band.other-phone"}).to_string());
    assert_eq!(say("radio.sock", &who), json!({"ok": desk.thumbprint}).to_string());
    assert_eq!(say("body.sock", &|_| "\"confirm\"\n".into()), json!({"error": "band.not-worn"}).to_string());
}
