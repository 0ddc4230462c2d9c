//! For whoever runs the host.

use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::App;
use super::caller::Operator;
use super::problem::{Problem, ProblemDetails};
use crate::answer::{Answer, Remembered};
use crate::error::{Code, Error};
use crate::host::Metrics;
use crate::meters::Evaluations;
use crate::plugins::PluginState;
use crate::refresh::SourceState;

/// Decisions that are shown.
const MAX_RECENT: usize = 100;

/// A plugin as it is configured.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PluginResponse {
    /// Name under which it is configured.
    name: String,
    /// SHA-256 of the component that is in use, or else of the one that is pinned; hexadecimal.
    sha256: String,
    /// The plugin's own name and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Why the pinned component isn't the one in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantined: Option<Reason>,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reason {
    /// Stable code, such as `plugin.digest`.
    code: String,
    /// One sentence for people.
    message: String,
}

impl Reason {
    fn new(error: &Error) -> Self {
        Self { code: error.code().into(), message: error.message().into() }
    }
}

impl From<PluginState> for PluginResponse {
    fn from(state: PluginState) -> Self {
        let PluginState { name, sha256, described, quarantined } = state;
        Self {
            name,
            sha256,
            version: described.map(|(name, version)| format!("{name} {version}")),
            quarantined: quarantined.as_ref().map(Reason::new),
        }
    }
}

/// A decision of a moment ago, without anything that was disclosed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Recent {
    /// Seconds since 1970.
    at: u64,
    /// Identifies challenge and decision.
    id: String,
    /// The merchant's identifier.
    merchant: String,
    /// `allow`, `deny`, `step-up`, or `refused` if nothing was decided.
    decision: String,
    /// Stable code of the reason.
    reason: String,
}

impl Recent {
    pub(crate) fn new(at: u64, challenge: &Remembered, answer: &Answer) -> Self {
        Self {
            at,
            id: challenge.issued.id.clone(),
            merchant: challenge.merchant.clone(),
            decision: answer.decision_id.as_ref().map_or("refused", |_| answer.decision()).into(),
            reason: answer.reason().into(),
        }
    }
}

/// The newest are first.
pub(crate) fn remember(recent: &mut VecDeque<Recent>, one: Recent) {
    recent.truncate(MAX_RECENT - 1);
    recent.push_front(one);
}

/// What the dashboard shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    /// This host's name.
    host: String,
    /// Decisions since it was started.
    allowed: u64,
    denied: u64,
    stepped_up: u64,
    /// Answers that decided nothing.
    refused: u64,
    /// Answers that could not be judged.
    failed: u64,
    /// The newest decisions of this host, newest first.
    recent: Vec<Recent>,
    plugins: Vec<PluginOverview>,
    sources: Vec<SourceResponse>,
}

/// How fresh trust list and status lists are. Times are seconds since 1970.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceResponse {
    /// `trust` or `status`.
    kind: String,
    /// Path or URL.
    location: String,
    /// Whether the configuration names it; if not, a credential did.
    configured: bool,
    /// When it was last found good.
    last_success: Option<u64>,
    /// When it is asked for next.
    next_attempt: u64,
    /// Of a status list: from then on it does not count any more.
    fresh_until: Option<u64>,
    /// Why the last attempt failed.
    error: Option<Reason>,
}

impl From<SourceState> for SourceResponse {
    fn from(state: SourceState) -> Self {
        Self {
            kind: state.kind.as_str().into(),
            location: state.location,
            configured: state.configured,
            last_success: state.last_success,
            next_attempt: state.next_attempt,
            fresh_until: state.fresh_until,
            error: state.last_error.as_ref().map(Reason::new),
        }
    }
}

/// A plugin and how it does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PluginOverview {
    #[serde(flatten)]
    plugin: PluginResponse,
    /// Evaluations since the host was started.
    evaluations: u64,
    /// Those of them that the plugin itself ended in no proper way: it trapped, took too long, or broke its contract.
    failures: u64,
    /// Mean time of an evaluation, in microseconds; what it had the verifier do is part of it.
    mean_us: u64,
}

/// Public keys by which receipts and checkpoints are signed, retired ones too (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "merchant",
    responses((status = 200, body = Object, content_type = "application/jwk-set+json")))]
pub(crate) async fn jwks(State(app): State<App>) -> Response {
    let jwks = json!({"keys": app.host().public_keys()}).to_string();
    ([(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, "max-age=300")], jwks).into_response()
}

/// Plugins, by whether they can be used.
#[utoipa::path(get, path = "/v1/plugins", tag = "operator", security(("operator" = [])),
    responses((status = 200, body = Vec<PluginResponse>),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn plugins(State(app): State<App>, _: Operator) -> Json<Vec<PluginResponse>> {
    Json(app.host().plugins().into_iter().map(Into::into).collect())
}

/// What the dashboard shows.
#[utoipa::path(get, path = "/v1/overview", tag = "operator", security(("operator" = [])),
    responses((status = 200, body = Overview),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn overview(State(app): State<App>, _: Operator) -> Json<Overview> {
    let host = app.host();
    let Metrics { allowed, denied, stepped_up, refused, failed, .. } = host.metrics();
    let recent = app.0.recent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter().cloned().collect();
    let plugins = host.plugins().into_iter().map(|state| {
        let Evaluations { all, failed, took } = host.meters().evaluations(&state.name);
        let mean_us = took.as_micros().checked_div(all.into()).and_then(|mean| u64::try_from(mean).ok());
        PluginOverview { plugin: state.into(), evaluations: all, failures: failed, mean_us: mean_us.unwrap_or(0) }
    });
    Json(Overview {
        host: host.name(),
        allowed,
        denied,
        stepped_up,
        refused,
        failed,
        recent,
        plugins: plugins.collect(),
        sources: app.sources().into_iter().map(Into::into).collect(),
    })
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "operator", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn health() -> &'static str {
    "ok"
}

/// The store answers, so that decisions can be made. Plugins that are quarantined and lists that are stale don't keep it from
/// being ready: other merchants can go on.
#[utoipa::path(get, path = "/readyz", tag = "operator",
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    match app.host().remembered("-", app.clock()).await {
        Ok(_) | Err(Error::Host { code: Code::ChallengeUnknown, .. }) => Ok("ready"),
        Err(error) => Err(error.into()),
    }
}

/// Metrics (Prometheus, `OpenMetrics` text).
#[utoipa::path(get, path = "/metrics", tag = "operator", security(("operator" = [])),
    responses((status = 200, body = String, content_type = "application/openmetrics-text"),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn metrics(State(app): State<App>, _: Operator) -> Response {
    let text = app.host().open_metrics(&app.sources());
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}
