//! The wallet provider of the demonstration with its registry, and Lin's band and phones as devices.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, Result};
use axum_server::Handle;
use bandpass::{AccountHolder, Error, RegistryClient, RegistryConfig, RegistryServer, Store};
use bandpass_roles::device::{BandDevice, PhoneDevice, Refusal, Shown};
use bandpass_roles::registry::{Account, AuthorizationServer};
use bandpass_roles::{Key, Request, os_rng};
use serde_json::{Value, json};

use super::registry::{DemoRegistry, write_registry};
use super::serving::clock;

const PIN: &str = "2468";
/// Seconds for which the bands of the story have been worn.
const WORN: u64 = 3_600;

/// A registry that is served until the story is over.
pub(super) struct Provider {
    demo: DemoRegistry,
    client: RegistryClient,
    trust_entry: Value,
    handle: Handle<SocketAddr>,
    /// Serves meanwhile.
    _executor: tokio::runtime::Runtime,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

impl Provider {
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?;
        let demo = write_registry(folder, address)?;
        let config = RegistryConfig::from_file(&demo.config)?;
        let trust_entry = config.trust_entry();
        let server = RegistryServer::new(bandpass::Registry::new(config, Store::in_memory()?, clock)?);
        let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let handle = Handle::new();
        executor.spawn({
            let handle = handle.clone();
            async move { server.serve(handle).await }
        });
        executor.block_on(handle.listening()).context("the registry does not listen")?;
        let client = RegistryClient::new(&demo.address, None, clock)?;
        Ok(Self { demo, client, trust_entry, handle, _executor: executor })
    }

    pub(super) fn trust_entry(&self) -> &Value {
        &self.trust_entry
    }

    /// The status list as it is now.
    pub(super) fn status_list(&self) -> Result<Vec<u8>> {
        let url = format!("{}/status/1", self.demo.address);
        Ok(ureq::get(&url).call().with_context(|| url.clone())?.body_mut().read_to_vec()?)
    }

    /// Somebody with an account, an enrolled band on the wrist, and a phone.
    pub(super) fn person(&self, name: &str) -> Result<Person> {
        let account = Key::generate(&mut os_rng());
        let claims = json!({"given_name": name});
        let claims = claims.as_object().cloned().unwrap_or_default();
        let sub = self.client.create_account(&self.demo.operator_key, &account.thumbprint(), &claims)?;
        let mut person =
            Person { account, sub, band: BandDevice::new(PIN, &mut os_rng()), phone: PhoneDevice::new(&mut os_rng()) };
        person.wear()?;
        person.band.confirm(&mut ())?;
        let proof = person.band.pair(&self.demo.address, &person.account.thumbprint(), None, clock(), &mut ())?;
        let measures = ["wear", "unlock", "confirm"];
        let attestation = self.demo.maker.attest(&person.band.thumbprint(), &measures, clock());
        self.as_owner(&person, |client, owner| client.enrol(owner, &proof, Some(&attestation)))?;
        Ok(person)
    }

    /// What an account's owner asks for, who was verified just now.
    pub(super) fn as_owner<T>(
        &self,
        person: &Person,
        ask: impl FnOnce(&RegistryClient, AccountHolder<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let key_thumbprint = person.account.thumbprint();
        let account = Account { sub: &person.sub, key_thumbprint: &key_thumbprint, verified_at: Some(clock()) };
        let login: &AuthorizationServer = &self.demo.login;
        let access_token = login.access_token(&self.demo.address, &account, clock(), &mut os_rng());
        ask(&self.client, AccountHolder { key: &person.account, access_token: &access_token })
    }

    /// The phone reports the band lost.
    pub(super) fn lost_by_phone(&self, person: &Person) -> Result<()> {
        self.client.lost_by_phone(&person.phone.key()?, &person.band.thumbprint())?;
        Ok(())
    }

    /// The owner opens a pairing, and band and phone take it up: the epoch.
    pub(super) fn pair(&self, person: &mut Person) -> Result<u64, Error> {
        let band = person.band.thumbprint();
        let opened = self.as_owner(person, |client, owner| client.open(owner, &band))?;
        person.band.confirm(&mut ())?;
        let (band, phone) = (&mut person.band, &mut person.phone);
        self.client.pair_devices((band, &mut ()), (phone, &mut ()), &opened.nonce, 3)
    }
}

/// Somebody with an account, a band and a phone.
#[derive(Clone)]
pub(super) struct Person {
    account: Key,
    sub: String,
    pub(super) band: BandDevice,
    pub(super) phone: PhoneDevice,
}

impl Person {
    pub(super) fn wear(&mut self) -> Result<(), Refusal> {
        let since = clock().saturating_sub(WORN);
        self.band.put_on(since, &mut ())?;
        self.band.unlock(PIN, since, &mut ())
    }

    pub(super) fn change_phone(&mut self) {
        self.phone = PhoneDevice::new(&mut os_rng());
    }

    /// What band and phone answer.
    pub(super) fn present(&mut self, request: &Request) -> Result<String, Refusal> {
        let (phone, rng) = (self.phone.thumbprint(), &mut os_rng());
        let chosen = self.band.choose(&phone, &request.audience, &mut ())?;
        let approval = self.phone.approve(request, &chosen, &["swk"], clock(), rng)?;
        let shown = Shown { disclose: &["sub"], approval: Some(&approval) };
        self.band.present(&phone, request, &shown, clock(), rng, &mut ())
    }
}
