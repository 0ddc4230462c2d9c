//! What servers have in common: they say where they listen, and finish what they have begun.

use std::net::SocketAddr;

use anstream::eprintln;
use anyhow::Result;
use axum_server::Handle;
use bandpass::{Error, stop};
use tokio::signal::unix::{SignalKind, signal};

use crate::input;

/// Serves until SIGTERM or SIGINT.
pub(super) async fn until_told(
    handle: Handle<SocketAddr>,
    serving: impl Future<Output = Result<(), Error>>,
) -> Result<()> {
    let listening = tokio::spawn({
        let handle = handle.clone();
        async move {
            if let Some(address) = handle.listening().await {
                eprintln!("bandpass: listening on {address}");
            }
        }
    });
    let stopping = tokio::spawn(async move {
        told_to_stop().await?;
        tracing::info!("finishing what was begun");
        stop(&handle);
        anyhow::Ok(())
    });
    let served = serving.await;
    stopping.abort();
    listening.abort();
    Ok(served?)
}

/// Waits for SIGTERM or SIGINT.
pub(super) async fn told_to_stop() -> Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Seconds since 1970.
pub(super) fn clock() -> u64 {
    input::now(None).unwrap_or(0)
}
