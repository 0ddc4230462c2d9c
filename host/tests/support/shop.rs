//! A shop with its host, and people with bands who pay there.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bandpass::{
    Access, Answer, Config, Error, Host, IssuedChallenge, Merchant, NewChallenge, NewTransaction, Pin, PolicyConfig,
    Runtime, Sources, Store, digest,
};
use bandpass_roles::{
    BAND_VCT, Band, BandDetails, Issuer, Key, Phone, Request, StatusList, StatusTimes, os_rng, random_id,
    sha256_base64url,
};
use serde_json::{Value, json};

/// Noon of some day.
pub(crate) const NOW: u64 = 1_800_014_400;
pub(crate) const SHOP: &str = "shop";
pub(crate) const PAYMENT: &str = "urn:bandpass:payment:1";

pub(crate) fn built(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("BANDPASS_TARGET")).join(path)).expect("run `cargo xtask build` first")
}

#[derive(Clone)]
pub(crate) struct Shop {
    /// Kept until the last clone goes; none if the folder is somebody else's.
    folder: Option<Arc<tempfile::TempDir>>,
    pub(crate) path: PathBuf,
    pub(crate) runtime: Runtime,
    pub(crate) issuer: Issuer,
    pub(crate) key: Key,
}

/// Somebody with a paired band and phone. Both are with them.
pub(crate) struct Customer {
    pub(crate) key: Key,
    pub(crate) band: Band,
    pub(crate) phone_key: Key,
    pub(crate) phone: Phone,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let shop = Self::in_folder(folder.path());
        Self { folder: Some(Arc::new(folder)), ..shop }
    }

    /// With the keys of this folder, which are made when they are not there.
    pub(crate) fn in_folder(path: &Path) -> Self {
        let key = |name: &str| {
            let path = path.join(name);
            if !path.exists() {
                fs::write(&path, Key::generate(&mut os_rng()).to_private_jwk().to_string()).expect("written");
            }
            let jwk = serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON");
            Key::from_private_jwk(&jwk).expect("a key")
        };
        let shop = Self {
            folder: None,
            path: path.into(),
            runtime: Runtime::new().expect("a runtime"),
            issuer: Issuer::new("https://wallet.example", key("issuer.jwk")),
            key: key("host.jwk"),
        };
        shop.install(&built("dist/plugins/retail-checkout.wasm"));
        shop.install(&built("hostile.wasm"));
        shop
    }

    /// Puts a component into the folder of plugins.
    pub(crate) fn install(&self, wasm: &[u8]) -> String {
        let sha256 = digest(wasm);
        let path = self.path.join(format!("{sha256}.wasm"));
        if !path.exists() {
            // Another process may be reading it.
            let written = tempfile::NamedTempFile::new_in(&self.path).expect("a file");
            fs::write(written.path(), wasm).expect("written");
            written.persist(&path).expect("renamed");
        }
        sha256
    }

    /// With one merchant, and `retail-checkout` with these settings.
    pub(crate) fn config(&self, settings: &Value) -> Config {
        let mut config = Config {
            name: "till-1".into(),
            signing_key: self.key.clone(),
            signing_key_file: self.path.join("host.jwk"),
            retired_keys: Vec::new(),
            trust: json!({"issuers": [self.issuer.trust_entry(&[BAND_VCT])]}).to_string().into_bytes(),
            status_lists: vec![self.status_list(0).into_bytes()],
            plugin_folder: self.path.clone(),
            plugins: BTreeMap::new(),
            publishers: BTreeMap::new(),
            revoked: BTreeSet::new(),
            merchants: BTreeMap::new(),
            challenge_lifetime: Config::DEFAULT_CHALLENGE_LIFETIME,
            claims_kept: Config::DEFAULT_CLAIMS_KEPT,
            checkpoints: Some(self.path.join("checkpoints")),
            server: None,
            sources: Sources::default(),
        };
        for (name, file) in [("retail", "dist/plugins/retail-checkout.wasm"), ("hostile", "hostile.wasm")] {
            config.plugins.insert(name.into(), Pin { sha256: digest(&built(file)), publisher: None });
        }
        config.merchants.insert(SHOP.into(), merchant(&[("retail", settings.to_string())]));
        config
    }

    /// The issuer's status list, with this status for everybody.
    pub(crate) fn status_list(&self, status: u8) -> String {
        self.status_list_at(status, NOW)
    }

    pub(crate) fn status_list_at(&self, status: u8, now: u64) -> String {
        let mut list = StatusList::new(2, 8).expect("two bits");
        list.set(1, status);
        self.issuer.sign_status_list(1, &list, &StatusTimes { issued_at: now, expires: now + 86_400, ttl: 300 })
    }

    pub(crate) fn host(&self, config: Config, store: Store) -> Host {
        Host::open(&self.runtime, config, store, NOW).expect("a host")
    }

    pub(crate) fn customer(&self, account: &str) -> Customer {
        self.customer_at(account, NOW)
    }

    pub(crate) fn customer_at(&self, account: &str, now: u64) -> Customer {
        let rng = &mut os_rng();
        let (key, phone_key) = (Key::generate(rng), Key::generate(rng));
        let phone = Phone::new(phone_key.clone());
        let details = BandDetails {
            band_jwk: key.jwk(),
            phone_thumbprint: phone.thumbprint(),
            epoch: 1,
            measures: vec!["wear".into(), "unlock".into(), "confirm".into()],
            issued_at: now,
            valid_days: 14,
            status_list: 1,
            status_index: 1,
            owner: json!({"sub": sha256_base64url(account.as_bytes())}).as_object().cloned().unwrap_or_default(),
        };
        let mut band = Band::new(key.clone(), self.issuer.issue(&details, rng).expect("a credential"));
        band.put_on(now - 3_600);
        band.unlock(now - 3_000);
        Customer { key, band, phone_key, phone }
    }
}

impl Customer {
    /// What band and phone answer, the phone having authenticated its owner by this method.
    pub(crate) fn answer(&mut self, challenge: &IssuedChallenge, method: &str) -> Vec<u8> {
        self.answer_at(challenge, method, NOW)
    }

    pub(crate) fn answer_at(&mut self, challenge: &IssuedChallenge, method: &str, now: u64) -> Vec<u8> {
        let request = Request {
            audience: challenge.audience.first().expect("an audience").clone(),
            nonce: challenge.nonce.clone(),
            transaction_data: challenge.transaction_data.clone(),
        };
        self.present(&request, method, now).into_bytes()
    }

    pub(crate) fn present(&mut self, request: &Request, method: &str, now: u64) -> String {
        let rng = &mut os_rng();
        let approval = self.phone.approve(request, &self.band.thumbprint(), &[method], now, rng);
        self.band.present(request, &["sub"], Some(&approval), now, rng)
    }
}

pub(crate) fn merchant(policies: &[(&str, String)]) -> Merchant {
    let policies =
        policies.iter().map(|(plugin, settings)| PolicyConfig { plugin: (*plugin).into(), settings: settings.clone() });
    Merchant {
        audience: vec!["x509_san_dns:shop.example".into()],
        policies: policies.collect(),
        floor: None,
        access: Access::default(),
    }
}

pub(crate) fn settings() -> Value {
    json!({"currency": "CNY", "passwordless_limit": "200.00"})
}

/// The same, and a greatest sum for each account and day.
pub(crate) fn daily(limit: &str) -> Value {
    json!({"currency": "CNY", "passwordless_limit": "200.00", "daily_limit": limit})
}

pub(crate) fn payment(amount: &str) -> NewChallenge {
    payment_of(amount, &random_id(&mut os_rng()))
}

pub(crate) fn payment_of(amount: &str, transaction_id: &str) -> NewChallenge {
    let payload = json!({"transaction_id": transaction_id, "currency": "CNY", "amount": amount,
        "payee": {"name": "Corner Bookshop", "id": SHOP}});
    let payload = payload.as_object().cloned().unwrap_or_default();
    let transactions = vec![NewTransaction { type_id: PAYMENT.into(), payload }];
    NewChallenge { merchant: SHOP.into(), transactions, ..NewChallenge::default() }
}

/// Pays at a host, and says what came of it: `allow limit.within`.
pub(crate) async fn pay(host: &Host, customer: &mut Customer, amount: &str) -> Result<Answer, Error> {
    let challenge = host.challenge(payment(amount), NOW).await?;
    host.respond(&challenge.id, customer.answer(&challenge, "swk"), NOW).await
}

pub(crate) fn said(answer: &Answer) -> String {
    format!("{} {}", answer.decision(), answer.reason())
}
