//! Status lists that wallet providers send when they change, before their `ttl` is over.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;

use super::App;
use super::problem::{Problem, ProblemDetails};
use crate::error::Code;

/// Status lists that are looked at in a second, whoever sends them: each costs a signature's verification.
pub(super) const RATE: u32 = 10;

/// Send a status list token (Token Status List, section 5) that a trusted issuer has signed. It counts from the next decision
/// on. One that is older than the one that is held is refused, as is one by a stranger.
#[utoipa::path(post, path = "/v1/status-lists", tag = "provider",
    request_body(content((String = "application/statuslist+jwt"), (Vec<u8> = "application/statuslist+cwt"))),
    responses((status = 204, description = "It is held"),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn update(State(app): State<App>, token: Bytes) -> Result<StatusCode, Problem> {
    if !app.0.status_lists.allows("") {
        return Err(Problem::new(Code::RequestRate, "too many status lists; come back in a second"));
    }
    let (host, now) = (app.host().clone(), app.clock());
    let taken = tokio::task::spawn_blocking(move || host.update_status(&token, now)).await;
    let info = taken.map_err(|error| Problem::new(Code::HostRuntime, error))??;
    tracing::info!(uri = info.uri, "a status list was sent");
    Ok(StatusCode::NO_CONTENT)
}
