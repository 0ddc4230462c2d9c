//! A wallet that nobody here wrote answers our requests: `conformance/peers/openid4vp.mjs`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bandpass::openid4vp::{
    AuthorizationRequest, Client, Posted, Prefix, ResponseKey, WalletError, WalletResponse, link, origin_audience,
    redirect_uri_client_id,
};
use bandpass::{Host, IssuedChallenge, Store};
use bandpass_conformance::RelyingParty;
use base64ct::{Base64, Encoding as _};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::shop::{NOW, SHOP, Shop, payment, said, settings};

const HOSTNAME: &str = "shop.example";
const RESPONSE_URI: &str = "https://shop.example/v1/responses";
const REQUEST_URI: &str = "https://shop.example/v1/requests/1";
const ORIGIN: &str = "https://shop.example";
const NONCE: &str = "qPmxiNFCR3QTm19POc8u";

#[derive(Deserialize)]
struct Answers {
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    name: String,
    client: Option<String>,
    fetched: Option<(String, String)>,
    posted: Option<(String, String)>,
    data: Option<Value>,
    error: Option<String>,
}

/// A challenge, how the wallet is asked it, and how it should know who asks.
struct Case {
    challenge: IssuedChallenge,
    key: Option<ResponseKey>,
    input: Value,
    client: String,
}

/// A shop that is open to wallets, and the wallet of a customer.
struct Till {
    host: Host,
    hash: Client,
    dns: Client,
    wallet: Value,
}

impl Till {
    fn new() -> Self {
        let party = RelyingParty::new(&[HOSTNAME]).expect("certificates");
        let client =
            |prefix| Client::from_pem(party.chain.as_bytes(), party.key.as_bytes(), &prefix).expect("a client");
        let (hash, dns) = (client(Prefix::X509Hash), client(Prefix::X509SanDns(HOSTNAME.into())));
        let shop = Shop::new();
        let lin = shop.customer("lin");
        let mut config = shop.config(&settings());
        config.merchants.get_mut(SHOP).expect("a merchant").audience = vec![
            hash.client_id().into(),
            dns.client_id().into(),
            redirect_uri_client_id(RESPONSE_URI),
            origin_audience(ORIGIN),
        ];
        let wallet = json!({"now": NOW, "root": Base64::encode_string(&party.root),
            "credential": lin.band.credential(), "band": lin.key.to_private_jwk(),
            "phone": lin.phone_key.to_private_jwk()});
        let host = shop.host(config, Store::in_memory().expect("a store"));
        Self { host, hash, dns, wallet }
    }

    async fn case(&self, encrypted: bool, client: &str, ask: impl FnOnce(&AuthorizationRequest<'_>) -> Value) -> Case {
        let challenge = self.host.challenge(payment("35.00"), NOW).await.expect("a challenge");
        let key = encrypted.then(|| ResponseKey::generate().expect("a key"));
        let input = ask(&AuthorizationRequest { challenge: &challenge, key: key.as_ref() });
        Case { challenge, key, input, client: client.into() }
    }

    fn ask(&self, cases: &[(&str, Case)]) -> Vec<Answer> {
        let mut input = self.wallet.clone();
        let cases = cases.iter().map(|(name, case)| {
            let mut input = case.input.clone();
            input["name"] = (*name).into();
            input
        });
        input["cases"] = cases.collect::<Vec<_>>().into();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/peers/openid4vp.mjs");
        let mut node = Command::new("node");
        node.arg("--no-warnings").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = node.spawn().expect("it starts: run `cargo xtask setup`");
        running.stdin.take().expect("a pipe").write_all(input.to_string().as_bytes()).expect("written");
        let output = running.wait_with_output().expect("it ends");
        assert!(output.status.success(), "run `cargo xtask setup`");
        serde_json::from_slice::<Answers>(&output.stdout).expect("JSON").answers
    }
}

fn posted(answer: &Answer) -> Posted {
    match (&answer.posted, &answer.data) {
        (Some((url, body)), None) => {
            assert_eq!(url, RESPONSE_URI, "{}", answer.name);
            Posted::from_form(body.as_bytes()).expect("a response")
        }
        (None, Some(data)) => Posted::from_dc_api(data).expect("a response"),
        _ => panic!("{}: {:?}", answer.name, answer.error),
    }
}

fn by_link(client: &Client, request_object: &str, enc: &str) -> Value {
    json!({"link": link("openid4vp://", client.client_id(), REQUEST_URI), "request_object": request_object, "enc": enc})
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("an executor").block_on(work)
}

#[test]
fn a_wallet_answers_whichever_way_it_is_asked() {
    let till = Till::new();
    let (hash, dns) = (&till.hash, &till.dns);
    let origins = [ORIGIN.to_owned(), "https://other.example".into()];
    run(async {
        let cases = [
            (
                "x509_hash, with the wallet's nonce",
                till.case(true, hash.client_id(), |request| {
                    let object = request.request_object(hash, RESPONSE_URI, Some(NONCE), NOW).expect("signed");
                    let mut input = by_link(hash, &object, "A256GCM");
                    input["wallet_nonce"] = NONCE.into();
                    input
                })
                .await,
            ),
            (
                "x509_san_dns",
                till.case(true, dns.client_id(), |request| {
                    let object = request.request_object(dns, RESPONSE_URI, None, NOW).expect("signed");
                    by_link(dns, &object, "A128GCM")
                })
                .await,
            ),
            (
                "redirect_uri",
                till.case(false, &redirect_uri_client_id(RESPONSE_URI), |request| {
                    json!({"link": request.unsigned_link("openid4vp://", RESPONSE_URI).expect("a link")})
                })
                .await,
            ),
            (
                "Digital Credentials API, signed",
                till.case(true, hash.client_id(), |request| {
                    let asked = request.dc_api_signed(hash, &origins, NOW).expect("signed");
                    json!({"dc_api": asked, "origin": ORIGIN, "enc": "A256GCM"})
                })
                .await,
            ),
            (
                "Digital Credentials API, signed, the response in the clear",
                till.case(false, dns.client_id(), |request| {
                    json!({"dc_api": request.dc_api_signed(dns, &origins, NOW).expect("signed"), "origin": ORIGIN})
                })
                .await,
            ),
            (
                "Digital Credentials API, unsigned",
                till.case(true, &origin_audience(ORIGIN), |request| {
                    let asked = request.dc_api_unsigned().expect("a request");
                    json!({"dc_api": asked, "origin": ORIGIN, "enc": "A128GCM"})
                })
                .await,
            ),
            (
                "Digital Credentials API, unsigned, the response in the clear",
                till.case(false, &origin_audience(ORIGIN), |request| {
                    json!({"dc_api": request.dc_api_unsigned().expect("a request"), "origin": ORIGIN})
                })
                .await,
            ),
        ];
        let answers = till.ask(&cases);
        assert_eq!(answers.len(), cases.len());
        for ((name, case), answer) in cases.into_iter().zip(answers) {
            assert_eq!((answer.name.as_str(), &answer.error), (name, &None));
            assert_eq!(answer.client.as_ref(), Some(&case.client), "{name}");
            if let Some((method, url)) = &answer.fetched {
                assert_eq!((method.to_lowercase().as_str(), url.as_str()), ("post", REQUEST_URI), "{name}");
            }
            let posted = posted(&answer);
            let named = answer.posted.is_some() || case.key.is_some();
            assert_eq!(posted.challenge_id(), named.then_some(case.challenge.id.as_str()), "{name}");
            let Ok(WalletResponse::VpToken(vp_token)) = posted.open(&case.challenge.id, case.key.as_ref()) else {
                panic!("{name}: no vp_token");
            };
            let decided = till.host.respond(&case.challenge.id, vp_token, NOW).await.expect("judged");
            assert_eq!(said(&decided), "allow limit.within", "{name}: {}", decided.outcome);
        }
    });
}

#[test]
fn a_wallet_refuses_what_is_not_as_it_should_be_and_says_so() {
    let till = Till::new();
    let (hash, dns) = (&till.hash, &till.dns);
    let other = RelyingParty::new(&["other.example"]).expect("certificates");
    let prefix = Prefix::X509SanDns("other.example".into());
    let other = Client::from_pem(other.chain.as_bytes(), other.key.as_bytes(), &prefix).expect("a client");
    run(async {
        let cases = [
            (
                "another host's response_uri",
                till.case(true, "", |request| {
                    let object = request.request_object(&other, RESPONSE_URI, None, NOW).expect("signed");
                    by_link(&other, &object, "A128GCM")
                })
                .await,
            ),
            (
                "another client's request",
                till.case(true, "", |request| {
                    let object = request.request_object(dns, RESPONSE_URI, None, NOW).expect("signed");
                    by_link(hash, &object, "A128GCM")
                })
                .await,
            ),
            (
                "a request that was changed",
                till.case(true, "", |request| {
                    let object = request.request_object(hash, RESPONSE_URI, None, NOW).expect("signed");
                    let (signed, _) = object.rsplit_once('.').expect("a signature");
                    let another = request.request_object(hash, RESPONSE_URI, None, NOW + 1).expect("signed");
                    let (_, signature) = another.rsplit_once('.').expect("a signature");
                    by_link(hash, &format!("{signed}.{signature}"), "A128GCM")
                })
                .await,
            ),
            (
                "another page's origin",
                till.case(true, "", |request| {
                    let asked = request.dc_api_signed(hash, &["https://other.example".into()], NOW).expect("signed");
                    json!({"dc_api": asked, "origin": ORIGIN, "enc": "A128GCM"})
                })
                .await,
            ),
        ];
        for ((name, case), answer) in cases.iter().zip(till.ask(&cases)) {
            assert!(answer.error.is_some(), "{name}");
            let posted = posted(&answer);
            let named = answer.posted.is_some();
            assert_eq!(posted.challenge_id(), named.then_some(case.challenge.id.as_str()), "{name}");
            match posted.open(&case.challenge.id, case.key.as_ref()) {
                Ok(WalletResponse::Error(WalletError { error, description })) => {
                    assert_eq!((error.as_str(), description), ("invalid_request", answer.error), "{name}");
                }
                response => panic!("{name}: {response:?}"),
            }
        }
    });
}
