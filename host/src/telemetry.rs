//! The log on standard error, and traces for whoever collects them (OpenTelemetry).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

/// How lines of the log look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Plain,
    WithTime,
    Json,
}

/// Traces on their way to a collector. What is left is sent when this is dropped.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!("the last traces are lost: {error}");
        }
    }
}

/// Writes the log from here on.
pub(crate) fn log(log: Log) {
    tracing_subscriber::registry().with(lines(log)).init();
}

/// The same, and sends traces where OpenTelemetry's environment variables say, if they do.
pub(crate) fn log_and_trace(log: Log) -> Result<Option<Traces>> {
    if !["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"].into_iter().any(is_set) {
        self::log(log);
        return Ok(None);
    }
    let exporter = SpanExporter::builder().with_http().with_http_client(Client::new()).build();
    let exporter = exporter.context("traces can't be sent as the environment says")?;
    let resource = Resource::builder();
    let resource = match is_set("OTEL_SERVICE_NAME") {
        true => resource,
        false => resource.with_service_name("bandpass"),
    };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    tracing_subscriber::registry().with(lines(log)).with(spans(provider.tracer("bandpass"))).init();
    Ok(Some(Traces { provider }))
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn lines(log: Log) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = fmt::layer().with_writer(std::io::stderr);
    match log {
        Log::Plain => lines.without_time().with_filter(LevelFilter::INFO).boxed(),
        Log::WithTime => lines.with_filter(LevelFilter::INFO).boxed(),
        Log::Json => lines.json().with_filter(LevelFilter::INFO).boxed(),
    }
}

/// Ours alone, and no lines of the log: what policies write is between them and the merchant.
fn spans<S: tracing::Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s>>(
    tracer: Tracer,
) -> impl Layer<S> {
    let ours = FilterFn::new(|metadata| metadata.is_span() && metadata.target().starts_with("bandpass"));
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
    layer.with_tracked_inactivity(false).with_filter(ours.with_max_level_hint(LevelFilter::DEBUG))
}

/// Sends batches, on the exporter's own thread.
#[derive(Debug)]
struct Client {
    agent: Agent,
}

impl Client {
    /// The exporter ends what takes longer than `OTEL_EXPORTER_OTLP_TIMEOUT`, 10 seconds by default, only between two tries.
    const TIMEOUT: Duration = Duration::from_secs(10);

    fn new() -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let agent = Agent::config_builder().tls_config(tls.build()).timeout_global(Some(Self::TIMEOUT));
        Self { agent: agent.http_status_as_error(false).max_redirects(0).build().new_agent() }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, mut body) = self.agent.run(request.map(|body| body.to_vec()))?.into_parts();
        Ok(Response::from_parts(head, body.read_to_vec()?.into()))
    }
}
