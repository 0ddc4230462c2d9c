//! Who may use the server, and how it is reached: what the configuration says beyond what a host itself needs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::error::{Code, Error};
use crate::refresh::check_url;
use crate::runtime::digest;

/// How the server is reached: `[server]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port to listen on.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// How wallets and pages reach it: `https://`, host and perhaps a path, without a slash at the end.
    pub public_url: String,
    /// PEM file with the TLS certificate and its chain; without one the server speaks plain HTTP, for a proxy before it.
    pub certificate: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    pub key: Option<PathBuf>,
    /// Whether the caller's address is the last one in `X-Forwarded-For`, since a proxy is before the server.
    #[serde(default)]
    pub behind_proxy: bool,
    /// What opens a wallet: a scheme with `//`, or an `https` address.
    #[serde(default = "default_wallet")]
    pub wallet: String,
    /// HTTP requests a second that a merchant or an address may make, and how many at once.
    #[serde(default = "default_rate")]
    pub rate: u32,
    /// Keys for the dashboard, metrics and plugins.
    #[serde(default)]
    pub operator_key: BTreeMap<String, ApiKey>,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

fn default_wallet() -> String {
    "openid4vp://".into()
}

fn default_rate() -> u32 {
    200
}

/// How a merchant uses the server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The merchant's API keys by their ids.
    #[serde(default)]
    pub api_key: BTreeMap<String, ApiKey>,
    /// Origins of the merchant's pages: for CORS, and for requests through the Digital Credentials API.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Where a wallet may send the user back to: absolute `https` addresses, matched exactly.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// How the merchant identifies itself to wallets.
    pub client: Option<ClientFiles>,
    /// Where the merchant hears of its decisions.
    pub webhook: Option<Webhook>,
}

/// The files of a client that wallets know by its certificate (OpenID4VP 1.0, section 5.9.3).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientFiles {
    /// PEM file: the certificate and its chain.
    pub certificates: PathBuf,
    /// PEM file: the certificate's private key, P-256.
    pub key: PathBuf,
    /// `x509_hash` or `x509_san_dns`.
    pub prefix: ClientPrefix,
}

/// Where a merchant hears of its decisions, after the Standard Webhooks specification.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// An `https` URL, or an `http` URL of this very machine.
    pub url: String,
    /// File with the secrets, one a line: `whsec_` and 24 to 64 bytes in base64. With each of them every message is signed.
    pub secret: PathBuf,
}

impl Webhook {
    /// Read each time, so that they can be changed without a word to the server.
    pub(crate) fn secrets(&self) -> Result<Vec<Vec<u8>>, Error> {
        let file = self.secret.display();
        let text = std::fs::read_to_string(&self.secret)
            .map_err(|error| Error::host(Code::HostInput, format!("{file}: {error}")))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let secret = |line: &str| {
            let secret = Base64::decode_vec(line.strip_prefix("whsec_")?).ok()?;
            (24..=64).contains(&secret.len()).then_some(secret)
        };
        let secrets = lines.map(secret).collect::<Option<Vec<_>>>().filter(|secrets| !secrets.is_empty());
        secrets.ok_or_else(|| {
            let why = format!("{file}: a line is not `whsec_` and 24 to 64 bytes in base64, or there is none");
            Error::host(Code::ConfigMalformed, why)
        })
    }

    fn problem(&self) -> Option<String> {
        let wrong = check_url(&self.url).map(drop).and_then(|()| self.secrets().map(drop)).err()?;
        Some(wrong.message().to_owned())
    }
}

/// Client Identifier Prefix (OpenID4VP 1.0, section 5.9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientPrefix {
    /// The hash of the certificate.
    X509Hash,
    /// A DNS name in the certificate.
    X509SanDns,
}

/// An API key as it is kept: nobody who reads this can use it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// SHA-256 of the key, in hexadecimal.
    pub sha256: String,
    /// From when on it is refused, in seconds since 1970.
    pub not_after: Option<u64>,
}

/// A key or secret of which only the hash is kept.
#[derive(Clone, Debug)]
pub struct Secret {
    /// By which its hash is found.
    pub id: String,
    /// What is handed out, once.
    pub text: String,
}

impl Secret {
    /// An API key: `bandpass_<id>_<256 random bits>`.
    ///
    /// # Errors
    /// `host.runtime` if the machine has no randomness.
    pub fn generate() -> Result<Self, Error> {
        let (mut id, mut secret) = ([0; 4], [0; 32]);
        for bytes in [&mut id[..], &mut secret[..]] {
            getrandom::fill(bytes).map_err(|error| Error::host(Code::HostRuntime, error))?;
        }
        let id = format!("{:08x}", u32::from_be_bytes(id));
        let text = format!("bandpass_{id}_{}", Base64UrlUnpadded::encode_string(&secret));
        Ok(Self { id, text })
    }

    /// Its hash, as it is kept.
    #[must_use]
    pub fn sha256(&self) -> String {
        digest(self.text.as_bytes())
    }
}

impl ApiKey {
    /// Whether it is this key, and valid. Takes as long whatever was presented.
    pub(crate) fn is(&self, presented: &str, now: u64) -> bool {
        same_hash(&self.sha256, presented) && self.not_after.is_none_or(|not_after| now < not_after)
    }
}

/// Whether a secret has this hash (hexadecimal), compared in constant time.
pub(crate) fn same_hash(sha256: &str, presented: &str) -> bool {
    sha256.as_bytes().ct_eq(digest(presented.as_bytes()).as_bytes()).into()
}

impl ServerConfig {
    /// Paths are relative to the configuration's folder.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        for file in [&mut self.certificate, &mut self.key].into_iter().flatten() {
            *file = folder.join(&*file);
        }
        self
    }

    /// What is wrong, by the key that it is about.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !is_address(&self.public_url) || self.public_url.ends_with('/') {
            let why = format!("`{}` is no `https` address without a slash at its end", self.public_url);
            problems.push(("public_url", why));
        }
        if self.certificate.is_some() != self.key.is_some() {
            problems.push(("certificate", "`certificate` and `key` belong together".into()));
        }
        if self.rate == 0 {
            problems.push(("rate", "it can't be 0".into()));
        }
        problems.extend(wrong_keys(&self.operator_key).map(|why| ("operator_key", why)));
        problems
    }
}

impl Access {
    /// Paths are relative to the configuration's folder.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        if let Some(ClientFiles { certificates, key, .. }) = &mut self.client {
            for file in [certificates, key] {
                *file = folder.join(&*file);
            }
        }
        if let Some(Webhook { secret, .. }) = &mut self.webhook {
            *secret = folder.join(&*secret);
        }
        self
    }

    /// What is wrong, by the key that it is about.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let is_origin = |origin: &str| {
            is_address(origin) && origin.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']))
        };
        let wrong = self.origins.iter().filter(|origin| !is_origin(origin));
        let origins =
            wrong.map(|origin| ("origins", format!("`{origin}` is no origin, such as `https://shop.example`")));
        let wrong = self.redirect_uris.iter().filter(|uri| !is_address(uri) || uri.contains('#'));
        let uris = wrong.map(|uri| ("redirect_uris", format!("`{uri}` is no `https` address to send users back to")));
        let keys = wrong_keys(&self.api_key).map(|why| ("api_key", why));
        let webhook = self.webhook.iter().filter_map(Webhook::problem).map(|why| ("webhook", why));
        origins.chain(uris).chain(keys).chain(webhook).collect()
    }
}

fn wrong_keys(keys: &BTreeMap<String, ApiKey>) -> impl Iterator<Item = String> {
    let wrong = keys.iter().filter(|(_, key)| !is_sha256(&key.sha256));
    wrong.map(|(id, _)| format!("`{id}`: `sha256` is no SHA-256 in lower-case hexadecimal"))
}

pub(crate) fn is_sha256(digest: &str) -> bool {
    digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `https`, or `http` on this machine.
fn is_address(address: &str) -> bool {
    let Ok(uri) = address.parse::<axum::http::Uri>() else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => !host.is_empty(),
        (Some("http"), Some(host)) => matches!(host, "localhost" | "127.0.0.1" | "[::1]"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_hash_until_it_ends() {
        let secret = Secret::generate().expect("randomness");
        let key = ApiKey { sha256: secret.sha256(), not_after: Some(10) };
        assert!(key.is(&secret.text, 9));
        assert!(!key.is(&secret.text, 10));
        assert!(!key.is(&secret.text[1..], 9));
        assert!(!key.is("", 9));
        assert_ne!(Secret::generate().expect("randomness").text, secret.text);
    }

    #[test]
    fn addresses_are_encrypted_or_stay_on_the_machine() {
        for address in ["https://pay.example", "https://pay.example:8443/x", "http://localhost:8080", "http://[::1]:1"]
        {
            assert!(is_address(address), "{address}");
        }
        for address in ["", "pay.example", "http://pay.example", "ftp://localhost", "https://", "javascript:alert(1)"] {
            assert!(!is_address(address), "{address}");
        }
        let origins = |origin: &str| Access { origins: vec![origin.into()], ..Access::default() }.problems();
        assert_eq!(origins("https://shop.example"), []);
        assert_eq!(origins("https://shop.example/").len(), 1);
    }
}
