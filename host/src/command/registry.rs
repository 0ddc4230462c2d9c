//! `bandpass registry`

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anstream::println;
use anyhow::Result;
use bandpass::{Error, RegistryConfig, RegistryServer, Secret, Store};
use bandpass_roles::registry::{AuthorizationServer, Maker};
use bandpass_roles::{Key, os_rng};
use clap::{Args, Subcommand};
use serde_json::json;

use super::demo_host::{remove, write};
use super::folder::write_signer;
use super::serving::{clock, until_told};
use crate::Verdict;
use crate::telemetry::{Log, log_and_trace};

/// Keep whose bands are, which phones they are paired with, their credentials and their status.
#[derive(Args)]
pub(crate) struct Registry {
    #[command(subcommand)]
    command: RegistryCommand,
}

#[derive(Subcommand)]
enum RegistryCommand {
    Serve(Serve),
    Trust(Trust),
}

/// Serve owners, phones and verifiers over HTTP.
///
/// SIGTERM and SIGINT end the server once it has answered what it has begun.
#[derive(Args)]
struct Serve {
    /// The registry's configuration (TOML).
    #[arg(long, value_name = "FILE", required_unless_present = "demo")]
    config: Option<PathBuf>,
    /// Where to remember: a file (`SQLite`), which is made if it is not there, or a `postgres://` URL.
    #[arg(
        long,
        value_name = "STORE",
        env = "BANDPASS_STORE",
        hide_env_values = true,
        required_unless_present = "demo"
    )]
    store: Option<String>,
    /// Make a registry to try in the folder `bandpass-registry-demo`, in place of one that is there, and print what
    /// owners, bands and phones have to be told.
    #[arg(long, conflicts_with = "config")]
    demo: bool,
    /// Address and port of the registry that `--demo` makes.
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN, conflicts_with = "config")]
    listen: SocketAddr,
    /// Write each line of the log, on standard error, as JSON.
    #[arg(long)]
    json_log: bool,
}

/// Print the trust list by which verifiers know the registry.
#[derive(Args)]
struct Trust {
    /// The registry's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

const DEMO: &str = "bandpass-registry-demo";
/// Beside the host of `bandpass serve --demo`.
const LISTEN: &str = "127.0.0.1:8090";
const AUTHORIZATION_SERVER: &str = "https://login.example";
const AUTHORIZATION_SERVER_FILE: &str = "authorization-server.jwk";
const MAKER: &str = "https://maker.example";
const MAKER_FILE: &str = "maker.jwk";

impl Registry {
    /// Whether it sets up its own log.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.command, RegistryCommand::Serve(_))
    }

    pub(crate) fn run(self) -> Result<Verdict> {
        match self.command {
            RegistryCommand::Serve(serve) => serve.run(),
            RegistryCommand::Trust(Trust { config }) => {
                println!("{}", json!({"issuers": [RegistryConfig::from_file(&config)?.trust_entry()]}));
                Ok(Verdict::Accepted)
            }
        }
    }
}

impl Serve {
    fn run(self) -> Result<Verdict> {
        let _traces = log_and_trace(if self.json_log { Log::Json } else { Log::WithTime })?;
        let folder = Path::new(DEMO);
        let path = match self.config {
            Some(path) => path,
            None => {
                let demo = write_registry(folder, self.listen)?;
                println!("registry: {}", demo.address);
                println!("operator's key: {}", demo.operator_key);
                println!("authorization server's key: {}", folder.join(AUTHORIZATION_SERVER_FILE).display());
                println!("maker's key: {}", folder.join(MAKER_FILE).display());
                demo.config
            }
        };
        let store = self.store.unwrap_or_else(|| folder.join("store.sqlite").to_string_lossy().into_owned());
        let registry = bandpass::Registry::new(RegistryConfig::from_file(&path)?, Store::open(&store)?, clock)?;
        let server = RegistryServer::new(registry);
        let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        executor.map_err(|error| Error::runtime(&error))?.block_on(async {
            let handle = axum_server::Handle::new();
            until_told(handle.clone(), server.serve(handle)).await
        })?;
        Ok(Verdict::Accepted)
    }
}

/// A registry to try, and those whom it trusts.
pub(super) struct DemoRegistry {
    pub(super) config: PathBuf,
    pub(super) address: String,
    pub(super) operator_key: String,
    pub(super) login: AuthorizationServer,
    pub(super) maker: Maker,
}

/// A registry's configuration with all that it names, and the keys of those whom it trusts. Its store is a new one.
pub(super) fn write_registry(folder: &Path, listen: SocketAddr) -> Result<DemoRegistry> {
    let Secret { id, text } = &Secret::generate()?;
    let sha256 = bandpass::digest(text.as_bytes());
    let config = format!(
        r#"name = "registry-1"
signing_key = "signing-key.jwk"

[server]
listen = "{listen}"
public_url = "http://{listen}"

[server.operator_key.{id}]
sha256 = "{sha256}"

[authorization_server]
issuer = "{AUTHORIZATION_SERVER}"
jwks = "authorization-server.jwks"

[[maker]]
issuer = "{MAKER}"
jwks = "maker.jwks"
"#
    );
    fs::create_dir_all(folder)?;
    // A list that was signed by the same key would say something else of the same place.
    remove(folder, &["store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "signing-key.jwk"])?;
    write(folder, "registry.toml", config.as_bytes())?;
    let signer = |file: &str, issuer: &str| {
        let key = Key::generate(&mut os_rng());
        write_signer(&folder.join(file), issuer, &key)?;
        let mut public = key.jwk();
        if let Some(public) = public.as_object_mut() {
            public.insert("kid".into(), key.thumbprint().into());
        }
        write(folder, &format!("{file}s"), json!({"keys": [public]}).to_string().as_bytes())?;
        anyhow::Ok((issuer.to_owned(), key))
    };
    let (issuer, login) = signer(AUTHORIZATION_SERVER_FILE, AUTHORIZATION_SERVER)?;
    let (name, maker) = signer(MAKER_FILE, MAKER)?;
    Ok(DemoRegistry {
        config: folder.join("registry.toml"),
        address: format!("http://{listen}"),
        operator_key: text.clone(),
        login: AuthorizationServer { issuer, key: login },
        maker: Maker { name, key: maker },
    })
}
