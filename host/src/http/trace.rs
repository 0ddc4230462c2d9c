//! A span for each request (OpenTelemetry's semantic conventions for HTTP servers). Verifying, policies and the store have
//! spans of their own below it.

use axum::extract::Request;
use axum::http::StatusCode;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// `known`: the caller has a key, so its trace is taken up (W3C Trace Context); anybody else's is not.
pub(super) fn span(request: &Request, route: &str, known: bool) -> Span {
    let method = request.method();
    let span = tracing::debug_span!(
        "http",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %method,
        http.route = route,
        http.response.status_code = Empty,
    );
    if known && !span.is_disabled() {
        // Fails where spans go elsewhere than to OpenTelemetry.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(request.headers())));
    }
    span
}

pub(super) fn ended(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}
