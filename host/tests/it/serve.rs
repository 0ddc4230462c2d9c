//! `bandpass serve` as a process: what somebody who tries it types.

use std::fs;
use std::path::Path;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message as _;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::program::{self, Ran, Running, wait_for};
use crate::web::{Page, Web};

/// The caller's own trace (W3C Trace Context).
const TRACE_PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

/// A server in a folder of its own.
struct Serving {
    running: Running,
    url: String,
    merchant: String,
    operator: String,
}

/// Its exit code, and everything that it says.
fn bandpass(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let Ran { code, stdout, stderr } = program::bandpass(folder, arguments, &[]);
    (code, stdout + &stderr)
}

impl Serving {
    /// On a free port.
    fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    fn start_with(folder: &Path, environment: &[(&str, String)]) -> Self {
        let listen = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let arguments = ["serve", "--demo", "--json-log", "--listen", &listen.to_string()];
        let running = Running::start(folder, &arguments, environment);
        let key = |whose: &str| wait_for(&running.said, whose).rsplit(' ').next().expect("a key").to_owned();
        let (merchant, operator) = (key("merchant's key"), key("operator's key"));
        wait_for(&running.log, "listening on");
        Self { running, url: format!("http://{listen}"), merchant, operator }
    }

    fn call(&self, method: &str, path: &str, key: &str, body: &Value) -> (u16, String) {
        let request = axum::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = request
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .header("traceparent", TRACE_PARENT);
        let agent = ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build();
        let request = request.body(if body.is_null() { String::new() } else { body.to_string() }).expect("a request");
        let mut answer = agent.new_agent().run(request).expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    }

    fn challenge(&self, key: &str) -> (u16, Value) {
        let payload = json!({"transaction_id": bandpass_roles::random_id(&mut bandpass_roles::os_rng()), "currency": "CNY",
            "amount": "35.00", "payee": {"name": "Corner Bookshop", "id": "merchant-7"}});
        let body = json!({"transactions": [{"type": "urn:bandpass:payment:1", "payload": payload}],
            "flow": {"type": "redirect"}});
        let (status, text) = self.call("POST", "/v1/challenges", key, &body);
        (status, serde_json::from_str(&text).expect("JSON"))
    }
}

#[test]
fn a_newcomer_pays_changes_keys_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut serving = Serving::start(folder.path());
    let config = folder.path().join("bandpass-demo/bandpass.toml").to_string_lossy().into_owned();
    assert_eq!(bandpass(folder.path(), &["check", "--config", &config]).0, 0);

    let (_, challenge) = serving.challenge(&serving.merchant);
    let link = challenge["redirect"]["wallet_url"].as_str().expect("a link");
    assert_eq!(bandpass(folder.path(), &["wallet", link]), (0, "{}\n".into()));
    let id = challenge["id"].as_str().expect("an id");
    let (_, decided) = serving.call("GET", &format!("/v1/decisions/{id}"), &serving.merchant, &Value::Null);
    let decided = serde_json::from_str::<Value>(&decided).expect("JSON");
    assert_eq!(decided["decision"], "allow");
    let (_, declined) = serving.challenge(&serving.merchant);
    let link = declined["redirect"]["wallet_url"].as_str().expect("a link");
    assert_eq!(bandpass(folder.path(), &["wallet", "--decline", link]).0, 0);

    // What was disclosed is told to the merchant, and nowhere else.
    let line = wait_for(&serving.running.log, "answered");
    assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON")["fields"]["decision"], "allow");
    let sub = decided["presentations"]["band"][0]["claims"]["sub"].as_str().expect("a subject");
    let mut log = vec![line];

    let receipt = serving.call("GET", &format!("/v1/receipts/{id}"), &serving.merchant, &Value::Null).1;
    let id_of = |key: &str| key.split('_').nth(1).expect("an id").to_owned();
    let (code, made) =
        bandpass(folder.path(), &["key", "rotate", &id_of(&serving.merchant), "--keep", "1h", "--config", &config]);
    assert_eq!(code, 0, "{made}");
    let new = made.lines().next().expect("a key").to_owned();
    assert_eq!(bandpass(folder.path(), &["signing-key", "rotate", "--config", &config]).0, 0);
    assert_eq!(serving.challenge(&new).0, 401);
    serving.running.signal(Signal::HUP);
    wait_for(&serving.running.log, "taken anew");
    assert_eq!((serving.challenge(&new).0, serving.challenge(&serving.merchant).0), (201, 201));
    let keys = serving.call("GET", "/.well-known/jwks.json", "", &Value::Null).1;
    let keys = serde_json::from_str::<Value>(&keys).expect("JSON")["keys"].as_array().expect("keys").clone();
    let signed_by = |key: &Value| bandpass_core::verify_jws(&receipt, key, "bandpass-receipt+jwt").is_ok();
    assert_eq!(keys.iter().map(signed_by).collect::<Vec<_>>(), [false, true]);

    assert_eq!(bandpass(folder.path(), &["key", "revoke", &id_of(&serving.merchant), "--config", &config]).0, 0);
    serving.running.signal(Signal::HUP);
    wait_for(&serving.running.log, "taken anew");
    assert_eq!((serving.challenge(&new).0, serving.challenge(&serving.merchant).0), (201, 401));
    let unknown = bandpass(folder.path(), &["key", "revoke", "nobody", "--config", &config]);
    assert!(unknown.0 == 1 && unknown.1.contains("key.unknown"), "{unknown:?}");

    // What is wrong leaves everything as it was.
    let good = fs::read_to_string(&config).expect("a file");
    fs::write(&config, good.replace("[server]", "[server]\nnonsense = 1")).expect("written");
    serving.running.signal(Signal::HUP);
    wait_for(&serving.running.log, "stays as it was");
    assert_eq!(
        (serving.challenge(&new).0, serving.call("GET", "/metrics", &serving.operator, &Value::Null).0),
        (201, 200)
    );

    serving.running.signal(Signal::TERM);
    assert!(serving.running.ended().success());
    log.extend(serving.running.log.try_iter());
    assert!(
        !log.iter().any(|line| line.contains(sub) || line.contains("vp_token") || line.contains("eyJ")),
        "{log:#?}"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(bandpass(folder.path(), &["demo", "--save", "shop"]).0, 0);
    let path = folder.path().join("shop/bandpass.toml");
    let good = fs::read_to_string(&path).expect("a file");
    let bad = good
        .replace("trust = \"trust.json\"", "trust = \"nowhere.json\"\nchallenge_lifetime = \"long\"")
        .replace("public_url = \"", "colour = \"green\"\npublic_url = \"ftp://")
        .replacen("plugin = \"retail-checkout\"", "plugin = \"other\"", 1)
        .replacen("origins = [\"", "origins = [\"shop.example", 1);
    fs::write(&path, &bad).expect("written");
    let (code, found) = bandpass(folder.path(), &["check", "--json", "--config", "shop/bandpass.toml"]);
    assert_eq!(code, 2, "{found}");
    let found = serde_json::from_str::<Value>(&found).expect("JSON");
    let found = found["problems"].as_array().expect("problems").iter();
    let found = found.map(|problem| (problem["line"].as_u64().expect("a line"), problem["at"].as_str().expect("keys")));
    let line = |text: &str| {
        u64::try_from(bad.lines().position(|line| line.contains(text)).expect("there") + 1).expect("small")
    };
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            (line("nowhere.json"), "trust"),
            (line("challenge_lifetime"), "challenge_lifetime"),
            (line("colour"), "server.colour"),
        ]
    );
    // What needs the whole of it to be looked at comes when that can be.
    fs::write(&path, bad.replace("nowhere.json", "trust.json")).expect("written");
    let (_, found) = bandpass(folder.path(), &["check", "--config", "shop/bandpass.toml"]);
    for what in ["there is no plugin `other`", "ftp://", "shop.example", "long", "colour"] {
        assert!(found.contains(what), "{what}: {found}");
    }
    fs::write(&path, "name = [").expect("written");
    let (code, found) = bandpass(folder.path(), &["check", "--config", "shop/bandpass.toml"]);
    assert!(code == 2 && found.starts_with("shop/bandpass.toml:1: "), "{found}");
}

/// A span as a collector gets it.
#[derive(Debug)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    attributes: Vec<KeyValue>,
}

impl Span {
    fn attribute(&self, key: &str) -> Option<String> {
        let found = self.attributes.iter().find(|attribute| attribute.key == key)?.value.clone();
        match found {
            Some(AnyValue { value: Some(any_value::Value::StringValue(text)) }) => Some(text),
            Some(AnyValue { value: Some(any_value::Value::IntValue(number)) }) => Some(number.to_string()),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_go_to_a_collector_and_say_nothing_of_the_holder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (collector, address) = Web::start().await;
    collector.put("/v1/traces", Page::new("application/x-protobuf", Vec::new()));
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret".into()),
    ];
    let story = tokio::task::spawn_blocking(move || {
        let mut serving = Serving::start_with(folder.path(), &environment);
        let (_, challenge) = serving.challenge(&serving.merchant);
        let link = challenge["redirect"]["wallet_url"].as_str().expect("a link");
        assert_eq!(bandpass(folder.path(), &["wallet", link]), (0, "{}\n".into()));
        let id = challenge["id"].as_str().expect("an id");
        let (_, decided) = serving.call("GET", &format!("/v1/decisions/{id}"), &serving.merchant, &Value::Null);
        // Whoever has no key can't have its trace taken up.
        assert_eq!(serving.call("GET", "/healthz", "nobody", &Value::Null).0, 200);
        serving.running.signal(Signal::TERM);
        assert!(serving.running.ended().success());
        serde_json::from_str::<Value>(&decided).expect("JSON")
    });
    let decided = story.await.expect("no panic");
    assert_eq!(decided["decision"], "allow");

    let sent = collector.posted();
    let claims = decided["presentations"]["band"][0]["claims"].as_object().expect("claims");
    let mut spans = Vec::new();
    for (headers, body) in &sent {
        assert_eq!(headers["api-key"], "secret");
        let text = String::from_utf8_lossy(body);
        for secret in claims["sub"].as_str().into_iter().chain(["vp_token", "eyJ", "bandpass_"]) {
            assert!(!text.contains(secret), "{secret}");
        }
        let batch = ExportTraceServiceRequest::decode(body.clone()).expect("OTLP");
        for resource in batch.resource_spans {
            let attributes = resource.resource.expect("a resource").attributes;
            assert!(attributes.iter().any(|attribute| attribute.key == "service.name"
                && attribute.value
                    == Some(AnyValue { value: Some(any_value::Value::StringValue("bandpass".into())) })));
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let (trace, id, parent) = (span.trace_id, span.span_id, span.parent_span_id);
                spans.push(Span { trace, id, parent, name: span.name, attributes: span.attributes });
            }
        }
    }
    let only = |name: &str| {
        let found = spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{name}: {spans:#?}");
        found[0]
    };
    let (asked, answered, alive) = (only("POST /v1/challenges"), only("POST /v1/responses"), only("GET /healthz"));
    assert_eq!(asked.attribute("http.response.status_code").as_deref(), Some("201"));
    assert_eq!(answered.attribute("http.route").as_deref(), Some("/v1/responses"));
    assert_eq!([asked, answered, alive].map(|span| span.trace == TRACE.to_be_bytes()), [true, false, false]);
    let (verify, policy) = (only("verify"), only("policy"));
    for below in [verify, policy] {
        assert_eq!((&below.trace, &below.parent), (&answered.trace, &answered.id));
    }
    let said = ["plugin", "decision", "reason"].map(|key| policy.attribute(key).expect("an attribute"));
    assert_eq!(said, ["retail-checkout", "allow", "limit.within"]);
    assert!(spans.iter().any(|span| span.name == "store" && span.parent == answered.id));
}
