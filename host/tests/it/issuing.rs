//! A wallet that nobody here wrote takes credentials from the registry: `conformance/peers/issue.mjs`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bandpass::Store;
use bandpass_roles::{Band, Key, Phone, Request, os_rng};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::provider::{NONCE, Provider, SHOP, clock};
use crate::registry::blocking;

const WANTED: usize = 3;

#[derive(Deserialize)]
struct Wallet {
    library: String,
    issuer: Value,
    batch: Vec<Issued>,
    again: Value,
}

#[derive(Deserialize)]
struct Issued {
    credential: String,
    claims: Value,
    band: Value,
    phone: Value,
}

fn wallet(input: &Value) -> Wallet {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/peers/issue.mjs");
    let mut node = Command::new("node");
    let mut running = node.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node starts");
    running.stdin.take().expect("a pipe").write_all(input.to_string().as_bytes()).expect("written");
    let output = running.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_wallet_takes_credentials() {
    let provider = Provider::start(Store::in_memory().expect("a store"), "batch = 4").await;
    blocking(move || {
        let mut lin = provider.person("Lin");
        let epoch = provider.pair(&mut lin).expect("paired");
        let devices = [serde_json::to_value(&lin.band), serde_json::to_value(&lin.phone)];
        let [band, phone] = devices.map(|device| device.expect("a device")["key"].take());
        let offer = provider.offer_link(&lin);
        let wallet = wallet(&json!({"offer": offer, "band": band, "phone": phone, "epoch": epoch, "count": WANTED}));

        assert_eq!(wallet.issuer["version"], "V1", "{}", wallet.library);
        assert_eq!(wallet.issuer["batch_credential_issuance"]["batch_size"], 4);
        assert_eq!(wallet.again["error"], "invalid_grant");
        assert_eq!(wallet.batch.len(), WANTED);
        for issued in wallet.batch {
            assert_eq!((&issued.claims["given_name"], &issued.claims["sub"]), (&json!("Lin"), &json!(lin.sub)));
            assert_eq!(issued.claims["pairing"]["epoch"], epoch);
            let key = |jwk| Key::from_private_jwk(jwk).expect("a key");
            let (band, phone) = (key(&issued.band), Phone::new(key(&issued.phone)));
            assert_eq!(issued.claims["pairing"]["jkt"], phone.thumbprint());
            let mut band = Band::new(band, issued.credential);
            band.put_on(clock() - 60);
            band.unlock(clock() - 60);
            let request = Request { audience: SHOP.into(), nonce: NONCE.into(), transaction_data: Vec::new() };
            let approval = phone.approve(&request, &band.thumbprint(), &["face"], clock(), &mut os_rng());
            let token = band.present(&request, &["given_name"], Some(&approval), clock(), &mut os_rng());
            let verified = provider.verify_token(&token).expect("verifies");
            assert_eq!(verified.claims()["given_name"], "Lin");
        }
    })
    .await;
}
