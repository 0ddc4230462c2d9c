//! What became of a challenge.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::caller::{Asker, Merchant};
use super::challenges::{FlowRequest, Kept};
use super::problem::{Problem, ProblemDetails};
use crate::access::same_hash;
use crate::answer::{Answer, Stage};
use crate::error::{Code, Error};

/// Longest time that a request waits for a decision, in seconds.
const MAX_WAIT: u64 = 30;
/// Another host of the fleet may have decided: nobody tells this one.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What became of a challenge.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct DecisionResponse {
    /// Identifies challenge and decision.
    id: String,
    status: Status,
    /// Why there is no decision yet: code of the last answer that failed (`holder.nonce`), or of the wallet's error.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// `allow`, `deny` or `step-up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    /// Stable code of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The reason for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// What the merchant must do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    obligations: Vec<Value>,
    /// Of a step-up: what would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    requirements: Option<Value>,
    /// Of an allow, for the merchant only, for a day unless the host is told otherwise: what each presentation proves, by the id of its query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    presentations: Option<Value>,
    /// Seconds since 1970 at which the merchant took the allow back.
    #[serde(skip_serializing_if = "Option::is_none")]
    voided: Option<u64>,
}

/// Whether there is a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// Not yet.
    Pending,
    /// Nobody answered in time.
    Expired,
    /// The wallet answered with an error, or too many answers failed.
    Closed,
    /// There is.
    Decided,
}

/// How a decision is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionQuery {
    /// Seconds to wait for a decision, at most 30.
    #[param(maximum = 30)]
    wait: Option<u64>,
    /// What the wallet sent the user back with. The page on the same device needs it.
    response_code: Option<String>,
}

/// What became of a challenge: for its merchant, or for its page.
#[utoipa::path(get, path = "/v1/decisions/{id}", tag = "merchant",
    params(("id" = String, Path, description = "The challenge's identifier"), DecisionQuery),
    security(("merchant" = []), ("page" = [])),
    responses((status = 200, body = DecisionResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn decision(
    State(app): State<App>,
    Path(id): Path<String>,
    query: Result<Query<DecisionQuery>, axum::extract::rejection::QueryRejection>,
    asker: Asker,
) -> Result<Json<DecisionResponse>, Problem> {
    let query = query.map_err(|error| Problem::new(Code::RequestMalformed, error.body_text()))?;
    let Query(DecisionQuery { wait, response_code }) = query;
    let wait = wait.unwrap_or(0);
    if wait > MAX_WAIT {
        return Err(Problem::new(Code::RequestMalformed, format!("`wait` is at most {MAX_WAIT}")));
    }
    let until = Instant::now() + Duration::from_secs(wait);
    let mut told = app.listen();
    loop {
        let decision = look(&app, &id, &asker, response_code.as_deref()).await?;
        if decision.status != Status::Pending || Instant::now() >= until {
            return Ok(Json(decision));
        }
        told.about(&id, until).await;
    }
}

/// A server-sent event.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the event to those who read the API")]
pub(crate) struct DecisionEvent {
    /// `decision`.
    event: String,
    /// A `DecisionResponse` (JSON).
    data: String,
}

/// The same as server-sent events: `decision` with what [`decision`] answers, at once and whenever it changes, until it does
/// no more.
#[utoipa::path(get, path = "/v1/decisions/{id}/events", tag = "merchant",
    params(("id" = String, Path, description = "The challenge's identifier")),
    security(("merchant" = []), ("page" = [])),
    responses((status = 200, body = DecisionEvent, content_type = "text/event-stream"),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn events(State(app): State<App>, Path(id): Path<String>, asker: Asker) -> Result<Response, Problem> {
    let mut told = app.listen();
    let first = look(&app, &id, &asker, None).await?;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Event, Infallible>>(1);
    tokio::spawn(async move {
        let mut now = first;
        loop {
            let event = Event::default().event("decision").json_data(&now).unwrap_or_default();
            if sender.send(Ok(event)).await.is_err() || now.status != Status::Pending {
                return;
            }
            loop {
                told.about(&id, Instant::now() + LOOK_AGAIN).await;
                match look(&app, &id, &asker, None).await {
                    Ok(then) if then == now && !sender.is_closed() => {}
                    Ok(then) => {
                        now = then;
                        break;
                    }
                    Err(_) => return,
                }
            }
        }
    });
    let events = tokio_stream::wrappers::ReceiverStream::new(receiver);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// Take an allow back: what it took from caps counts no more.
#[utoipa::path(post, path = "/v1/decisions/{id}/void", tag = "merchant",
    params(("id" = String, Path, description = "The decision's identifier")),
    security(("merchant" = [])),
    responses((status = 200, body = DecisionResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn void(
    State(app): State<App>,
    Path(id): Path<String>,
    Merchant(merchant): Merchant,
) -> Result<Json<DecisionResponse>, Problem> {
    let voided = app.host().void(&merchant, &id, app.clock()).await?;
    Ok(Json(DecisionResponse::decided(id, voided, true)))
}

/// The signed receipt of a decision: a compact JWS (`bandpass-receipt+jwt`) by a key of `/.well-known/jwks.json`.
#[utoipa::path(get, path = "/v1/receipts/{id}", tag = "merchant",
    params(("id" = String, Path, description = "The decision's identifier")),
    security(("merchant" = [])),
    responses((status = 200, body = String, content_type = "application/jose"),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn receipt(
    State(app): State<App>,
    Path(id): Path<String>,
    Merchant(merchant): Merchant,
) -> Result<Response, Problem> {
    let answer = app.host().decision(&merchant, &id, app.clock()).await?;
    Ok(([(header::CONTENT_TYPE, "application/jose")], answer.receipt.unwrap_or_default()).into_response())
}

/// What became of it so far.
async fn look(app: &App, id: &str, asker: &Asker, response_code: Option<&str>) -> Result<DecisionResponse, Problem> {
    let now = app.clock();
    let challenge = match (app.host().remembered(id, now).await, asker) {
        // Its merchant may ask for a decision long after the challenge is forgotten.
        (Err(Error::Host { code: Code::ChallengeUnknown, .. }), Asker::Merchant(merchant)) => {
            let answer = app.host().decision(merchant, id, now).await?;
            return Ok(DecisionResponse::decided(id.into(), answer, true));
        }
        (found, _) => found?,
    };
    let kept = Kept::of(&challenge)?;
    asker.may_see(&challenge, &kept)?;
    let is_merchant = matches!(asker, Asker::Merchant(_));
    if let (FlowRequest::Redirect { same_device: true, .. }, Asker::Page { .. }, Stage::Decided) =
        (&kept.flow, asker, challenge.stage)
    {
        // Somebody else's wallet may have answered what this page was made to show.
        let is_code = |code: &str| kept.response_code_sha256.as_ref().is_some_and(|sha256| same_hash(sha256, code));
        if !response_code.is_some_and(is_code) {
            let why = "`response_code` is needed, as the wallet sent the user back with it";
            return Err(Problem::new(Code::RequestForbidden, why));
        }
    }
    let status = match challenge.stage {
        Stage::Decided => {
            let answer = app.host().decision(&challenge.merchant, id, now).await?;
            return Ok(DecisionResponse::decided(id.into(), answer, is_merchant));
        }
        Stage::Open => Status::Pending,
        Stage::Expired => Status::Expired,
        Stage::Closed => Status::Closed,
    };
    Ok(DecisionResponse { refusal: challenge.refusal, ..DecisionResponse::undecided(id.into(), status) })
}

impl DecisionResponse {
    fn undecided(id: String, status: Status) -> Self {
        Self {
            id,
            status,
            refusal: None,
            decision: None,
            reason: None,
            message: None,
            obligations: Vec::new(),
            requirements: None,
            presentations: None,
            voided: None,
        }
    }

    /// What was disclosed is for the merchant, not for its page.
    fn decided(id: String, answer: Answer, with_claims: bool) -> Self {
        let Answer { outcome, presentations, voided, .. } = answer;
        let mut outcome = match outcome {
            Value::Object(outcome) => outcome,
            _ => Map::new(),
        };
        let mut text = |name: &str| match outcome.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (decision, reason, message) = (text("decision"), text("reason"), text("message"));
        let obligations = match outcome.remove("obligations") {
            Some(Value::Array(obligations)) => obligations,
            _ => Vec::new(),
        };
        Self {
            decision,
            reason,
            message,
            obligations,
            requirements: outcome.remove("requirements"),
            presentations: presentations.filter(|_| with_claims),
            voided,
            ..Self::undecided(id, Status::Decided)
        }
    }
}

/// Hears of what this host decided.
pub(crate) struct Told(pub(crate) tokio::sync::broadcast::Receiver<String>);

impl Told {
    /// Until something became of this challenge, or it is time to look again.
    async fn about(&mut self, id: &str, until: Instant) {
        let until = until.min(Instant::now() + LOOK_AGAIN);
        while let Ok(told) = timeout_at(until, self.0.recv()).await {
            match told {
                Ok(told) if told != id => {}
                // Having missed some, it may be any.
                Ok(_) | Err(_) => return,
            }
        }
    }
}
