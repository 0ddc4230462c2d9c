//! A wallet provider with its registry, and people with bands and phones.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::net::TcpListener;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use axum_server::Handle;
use bandpass::{AccountHolder, Error, Registry, RegistryClient, RegistryConfig, RegistryServer, Secret, Store};
use bandpass_core::{Challenge, Expected, Requirements, Trust, Verified, Verifier};
use bandpass_roles::device::{BandDevice, PhoneDevice, Shown};
use bandpass_roles::registry::{Account, AuthorizationServer, Maker, dpop};
use bandpass_roles::{Key, Request, os_rng};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const PIN: &str = "2468";
pub(crate) const LOGIN: &str = "https://login.example";
pub(crate) const MAKER: &str = "https://bands.example";
/// Who asks a band to show something, and what for.
pub(crate) const SHOP: &str = "x509_hash:shop";
pub(crate) const NONCE: &str = "a-nonce-of-the-shop";

pub(crate) fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs()
}

/// A registry that is served until the test is over.
pub(crate) struct Provider {
    folder: TempDir,
    pub(crate) registry: Registry,
    offline: Offline,
    handle: Handle<std::net::SocketAddr>,
}

impl std::ops::Deref for Provider {
    type Target = Offline;

    fn deref(&self) -> &Offline {
        &self.offline
    }
}

/// A wallet provider whose registry somebody else serves.
pub(crate) struct Offline {
    pub(crate) address: String,
    pub(crate) login: AuthorizationServer,
    pub(crate) maker: Maker,
    pub(crate) operator_key: String,
    pub(crate) client: RegistryClient,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// Writes what a registry at this address needs: its operator's key.
pub(crate) fn write_registry(folder: &Path, address: &str, login: &Key, maker: &Key, more: &str) -> String {
    let operator = Secret::generate().expect("randomness");
    let jwks = |key: &Key| json!({"keys": [key.jwk()]}).to_string();
    std::fs::write(folder.join("login.jwks"), jwks(login)).expect("written");
    std::fs::write(folder.join("maker.jwks"), jwks(maker)).expect("written");
    let listen = address.trim_start_matches("http://");
    let config = format!(
        r#"name = "wallet.example"
signing_key = "registry.jwk"
{more}
[server]
listen = "{listen}"
public_url = "{address}"
rate = 10000
[server.operator_key.{}]
sha256 = "{}"
[authorization_server]
issuer = "{LOGIN}"
jwks = "login.jwks"
[[maker]]
issuer = "{MAKER}"
jwks = "maker.jwks"
"#,
        operator.id,
        operator.sha256()
    );
    std::fs::write(folder.join("registry.toml"), config).expect("written");
    operator.text
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

impl Provider {
    /// `more`: further lines of its configuration.
    pub(crate) async fn start(store: Store, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let offline = Offline::with(folder.path(), more);
        let config = RegistryConfig::from_file(&folder.path().join("registry.toml")).expect("a configuration");
        let registry = Registry::new(config, store, clock).expect("a registry");
        let handle = Handle::new();
        let (server, serving) = (RegistryServer::new(registry.clone()), handle.clone());
        tokio::spawn(async move { server.serve(serving).await.expect("serves") });
        handle.listening().await.expect("listens");
        Self { folder, registry, offline, handle }
    }

    /// What the registry publishes, in the form that `accept` asks for.
    pub(crate) fn status_list(&self, accept: &str) -> Vec<u8> {
        let answer = ureq::get(format!("{}/status/1", self.address)).header("accept", accept).call();
        answer.expect("a list").body_mut().read_to_vec().expect("bytes")
    }

    /// A relying party with the registry's newest status list verifies what a band shows.
    pub(crate) fn verify(&self, person: &mut Person) -> Result<Verified, String> {
        let token = person.show(SHOP, NONCE).map_err(|refusal| refusal.to_string())?;
        self.verify_token(&token)
    }

    pub(crate) fn verify_token(&self, token: &str) -> Result<Verified, String> {
        let trust = json!({"issuers": [self.registry.trust_entry()]}).to_string();
        let mut verifier = Verifier::new(Trust::from_json(trust.as_bytes()).expect("a trust list"));
        for accept in ["application/statuslist+jwt", "application/statuslist+cwt"] {
            verifier.update_status(&self.status_list(accept), clock()).expect("a status list");
        }
        let challenge = Challenge::new(vec![SHOP.into()], NONCE.into(), clock());
        let requirements = Requirements::default();
        let expected = Expected { challenge: challenge.expect("a challenge"), requirements };
        verifier.verify(token, &expected).map_err(|error| error.code().as_str().to_owned())
    }
}

impl Offline {
    /// Writes a registry's configuration into the folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self::with(folder, "")
    }

    fn with(folder: &Path, more: &str) -> Self {
        let address = free_address();
        let (login, maker) = (Key::generate(&mut os_rng()), Key::generate(&mut os_rng()));
        let operator_key = write_registry(folder, &address, &login, &maker, more);
        Self {
            client: RegistryClient::new(&address, None, clock).expect("a client"),
            address,
            login: AuthorizationServer { issuer: LOGIN.into(), key: login },
            maker: Maker { name: MAKER.into(), key: maker },
            operator_key,
        }
    }

    /// Somebody with an account, a band on the wrist and a phone; the band is enrolled.
    pub(crate) fn person(&self, name: &str) -> Person {
        let account = Key::generate(&mut os_rng());
        let claims = json!({"given_name": name, "birthdate": "1990-05-17"});
        let claims = claims.as_object().expect("an object");
        let sub = self.client.create_account(&self.operator_key, &account.thumbprint(), claims).expect("an account");
        let mut person = Person { account, sub, band: worn_band(), phone: PhoneDevice::new(&mut os_rng()) };
        let (band, now) = (person.band.thumbprint(), clock());
        person.band.confirm(&mut ()).expect("unlocked");
        let proof = person.band.pair(&self.address, &person.account.thumbprint(), None, now, &mut ());
        let attestation = self.maker.attest(&band, &["wear", "unlock", "confirm"], now);
        let proof = proof.expect("signed");
        self.as_owner(&person, |client, owner| client.enrol(owner, &proof, Some(&attestation))).expect("enrolled");
        person
    }

    /// What the owner asks for, after being verified just now.
    pub(crate) fn as_owner<T>(&self, person: &Person, ask: impl FnOnce(&RegistryClient, AccountHolder<'_>) -> T) -> T {
        let token = self.token(person, Some(clock()));
        ask(&self.client, AccountHolder { key: &person.account, access_token: &token })
    }

    pub(crate) fn token(&self, person: &Person, verified_at: Option<u64>) -> String {
        let key_thumbprint = person.account.thumbprint();
        let account = Account { sub: &person.sub, key_thumbprint: &key_thumbprint, verified_at };
        self.login.access_token(&self.address, &account, clock(), &mut os_rng())
    }

    /// The owner opens a pairing, and band and phone take it up: the epoch.
    pub(crate) fn pair(&self, person: &mut Person) -> Result<u64, Error> {
        let band = person.band.thumbprint();
        let nonce = self.as_owner(person, |client, owner| client.open(owner, &band))?.nonce;
        self.take_up(person, &nonce)
    }

    /// An offer of credentials to somebody's phone, as a wallet is given it (`OpenID4VCI` 1.0, section 4.1).
    pub(crate) fn offer_link(&self, person: &Person) -> String {
        let url = format!("{}/v1/bands/{}/offer", self.address, person.band.thumbprint());
        let proof = dpop(&person.phone.key().expect("a key"), "POST", &url, None, clock(), &mut os_rng());
        let mut answer = ureq::post(url).header("dpop", proof).send_empty().expect("an offer");
        let answer = answer.body_mut().read_to_string().expect("text");
        let answer = serde_json::from_str::<Value>(&answer).expect("JSON");
        let mut link = form_urlencoded::Serializer::new("openid-credential-offer://?".to_owned());
        link.append_pair("credential_offer", &answer["credential_offer"].to_string()).finish()
    }

    pub(crate) fn take_up(&self, person: &mut Person, nonce: &str) -> Result<u64, Error> {
        person.band.confirm(&mut ()).expect("unlocked");
        let (band, phone) = (&mut person.band, &mut person.phone);
        self.client.pair_devices((band, &mut ()), (phone, &mut ()), nonce, 3)
    }
}

pub(crate) fn worn_band() -> BandDevice {
    let mut band = BandDevice::new(PIN, &mut os_rng());
    let now = clock() - 60;
    band.put_on(now, &mut ()).expect("put on");
    band.unlock(PIN, now, &mut ()).expect("unlocked");
    band
}

pub(crate) struct Person {
    pub(crate) account: Key,
    pub(crate) sub: String,
    pub(crate) band: BandDevice,
    pub(crate) phone: PhoneDevice,
}

impl Person {
    /// What band and phone answer to somebody who asks for the given name.
    pub(crate) fn show(&mut self, audience: &str, nonce: &str) -> Result<String, bandpass_roles::device::Refusal> {
        let request = Request { audience: audience.into(), nonce: nonce.into(), transaction_data: Vec::new() };
        self.answer(&request, &["given_name"])
    }

    pub(crate) fn answer(
        &mut self,
        request: &Request,
        disclose: &[&str],
    ) -> Result<String, bandpass_roles::device::Refusal> {
        let phone = self.phone.thumbprint();
        let chosen = self.band.choose(&phone, &request.audience, &mut ())?;
        let approval = self.phone.approve(request, &chosen, &["face"], clock(), &mut os_rng())?;
        let shown = Shown { disclose, approval: Some(&approval) };
        self.band.present(&phone, request, &shown, clock(), &mut os_rng(), &mut ())
    }
}

/// The code of a refusal.
pub(crate) fn code<T>(result: Result<T, Error>) -> String {
    result.err().map_or_else(|| "none".into(), |error| error.code().to_owned())
}

/// What a JSON Web Token says.
pub(crate) fn payload(jwt: &str) -> Value {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let payload = jwt.split('.').nth(1).expect("a payload");
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(payload).expect("base64url")).expect("JSON")
}
