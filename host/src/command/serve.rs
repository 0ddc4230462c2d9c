//! `bandpass serve`

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstream::println;
use anyhow::{Context as _, Result};
use bandpass::{Config, Error, Host, KeyOwner, Server, Store, create_key};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::compile::runtime;
use super::demo_host::{LISTEN, MERCHANT, built_plugin, issuer, status_list, write_host};
use super::serving::{clock, until_told};
use crate::telemetry::{Log, log_and_trace};
use crate::{Verdict, input};

/// Serve challenges and decisions over HTTP.
///
/// SIGHUP takes the configuration anew; what is wrong with it is told, and leaves everything as it was. SIGTERM and SIGINT end
/// the server once it has answered what it has begun.
///
/// Traces go by OTLP over HTTP where `OTEL_EXPORTER_OTLP_ENDPOINT` says, if it is set.
#[derive(Args)]
pub(crate) struct Serve {
    /// The host's configuration (TOML) with a `[server]`.
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
    /// Let merchants without a certificate send unsigned requests, which `bandpass wallet` answers: for trying. Without
    /// `--config`, make a host for it in the folder `bandpass-demo`.
    #[arg(long)]
    demo: bool,
    /// Address and port of the host that `--demo` makes.
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN, conflicts_with = "config")]
    listen: SocketAddr,
    /// Write each line of the log, on standard error, as JSON.
    #[arg(long)]
    json_log: bool,
}

const DEMO: &str = "bandpass-demo";
/// Verifiers take a status list for 15 minutes.
const SIGN_EVERY: Duration = Duration::from_mins(5);

impl Serve {
    pub(crate) fn run(self) -> Result<Verdict> {
        let _traces = log_and_trace(if self.json_log { Log::Json } else { Log::WithTime })?;
        let folder = Path::new(DEMO);
        let path = match &self.config {
            Some(path) => path.clone(),
            None => {
                fs::create_dir_all(folder)?;
                write_host(folder, &input::file(&built_plugin()?)?, &self.listen.to_string(), clock())?;
                folder.join("bandpass.toml")
            }
        };
        let store = self.store.unwrap_or_else(|| folder.join("store.sqlite").to_string_lossy().into_owned());
        let keys = match self.config {
            Some(_) => None,
            None => Some((
                create_key(&path, &KeyOwner::Merchant(MERCHANT.into()))?,
                create_key(&path, &KeyOwner::Operator)?,
            )),
        };
        let config = Config::from_file(&path)?;
        let host = Host::open(&runtime()?, config.clone(), Store::open(&store)?, clock())?;
        let server = Server::new(host.clone(), &config, clock, self.demo)?;
        let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        executor.map_err(|error| Error::runtime(&error))?.block_on(async {
            if let Some((merchant, operator)) = keys {
                println!("merchant's key: {}", merchant.text);
                println!("operator's key: {}", operator.text);
                tokio::spawn(sign_status_lists(folder.to_owned(), host.clone()));
            }
            serve(&path, &config, &host, &server).await
        })?;
        Ok(Verdict::Accepted)
    }
}

/// As a wallet provider does.
async fn sign_status_lists(folder: PathBuf, host: Host) -> Result<()> {
    let issuer = issuer(&folder)?;
    loop {
        tokio::time::sleep(SIGN_EVERY).await;
        let list = status_list(&issuer, clock())?;
        host.update_status(list.as_bytes(), clock())?;
    }
}

async fn serve(path: &Path, config: &Config, host: &Host, server: &Server) -> Result<()> {
    let handle = axum_server::Handle::new();
    let reloading = tokio::spawn(reload_on_hangup(path.to_owned(), server.clone()));
    let served = until_told(handle.clone(), server.serve(config, handle)).await;
    reloading.abort();
    served?;
    host.checkpoint(clock()).await?;
    Ok(())
}

async fn reload_on_hangup(path: PathBuf, server: Server) -> Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    while let Some(()) = hangup.recv().await {
        let (path, server) = (path.clone(), server.clone());
        // Plugins may be compiled.
        let reloaded = tokio::task::spawn_blocking(move || server.reload(Config::from_file(&path)?)).await;
        match reloaded.context("reloading ended in a panic")? {
            Ok(()) => tracing::info!("the configuration was taken anew"),
            Err(error) => tracing::error!("the configuration stays as it was: {error}"),
        }
    }
    Ok(())
}
