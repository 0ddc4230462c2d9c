//! What wallets post (OpenID4VP 1.0, sections 8.2 and 8.3, and appendix A).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::App;
use super::body::{Input, refused};
use super::caller::{Asker, Origin};
use super::challenges::{FlowRequest, Kept};
use super::problem::{Problem, ProblemDetails};
use crate::answer::Remembered;
use crate::error::Code;
use crate::host::random_id;
use crate::openid4vp::{Posted, WalletResponse};

/// What the wallet is told: where to send the user, never what was decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// The merchant's page, with a fresh `response_code`.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<String>,
}

/// What a page got from the Digital Credentials API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageResponse {
    /// The challenge's identifier.
    id: String,
    /// `data` of the credential: `{"response": ..}`, or an error as `{"error": ..}`.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

/// What a wallet posts, by the request's response mode.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the form to those who read the API")]
pub(crate) enum WalletForm {
    /// `direct_post.jwt`.
    Encrypted {
        /// Encrypted response: a compact JWE.
        response: String,
    },
    /// `direct_post`.
    Plain {
        /// Presentations by the ids of their queries (JSON).
        vp_token: String,
        /// The challenge's identifier.
        state: String,
    },
    /// The wallet does not answer.
    Error {
        /// Why, such as `access_denied`.
        error: String,
        /// The same for people.
        #[schema(nullable = false)]
        error_description: Option<String>,
        /// The challenge's identifier.
        state: String,
    },
}

/// Take a wallet's answer: from the wallet itself as a form, or from the merchant's page as JSON with the secret of its
/// challenge. A token that verifies uses the challenge up, whatever is decided; the same token again changes nothing.
#[utoipa::path(post, path = "/v1/responses", tag = "wallet",
    request_body(content((WalletForm = "application/x-www-form-urlencoded"), (PageResponse = "application/json"))),
    security((), ("page" = [])),
    responses((status = 200, body = Accepted),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn respond(
    State(app): State<App>,
    Origin(origin): Origin,
    request: Request,
) -> Result<Json<Accepted>, Problem> {
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    match is_json {
        true => from_page(&app, origin, request).await,
        false => from_wallet(&app, request).await,
    }
}

async fn from_wallet(app: &App, request: Request) -> Result<Json<Accepted>, Problem> {
    let form = Bytes::from_request(request, app).await.map_err(|error| refused(error.status(), &error.body_text()))?;
    let posted = Posted::from_form(&form)?;
    let unnamed = || Problem::new(Code::ResponseMalformed, "the response does not say which challenge it answers");
    let id = posted.challenge_id().ok_or_else(unnamed)?;
    let challenge = app.host().remembered(id, app.clock()).await?;
    let kept = Kept::of(&challenge)?;
    let FlowRequest::Redirect { redirect_uri, .. } = &kept.flow else {
        return Err(Problem::new(Code::RequestMalformed, "this challenge is answered through the merchant's page"));
    };
    let redirect_uri = redirect_uri.clone();
    let response = posted.open(&challenge.issued.id, kept.response_key()?.as_ref())?;
    take(app, &challenge, response).await?;
    let Some(redirect_uri) = redirect_uri else { return Ok(Json(Accepted { redirect_uri: None })) };
    let code = random_id()?;
    let mut kept = kept;
    kept.response_code_sha256 = Some(crate::runtime::digest(code.as_bytes()));
    app.host().keep(&challenge.issued.id, kept.to_json()?, app.clock()).await?;
    let separator = if redirect_uri.contains('?') { '&' } else { '?' };
    Ok(Json(Accepted { redirect_uri: Some(format!("{redirect_uri}{separator}response_code={code}")) }))
}

async fn from_page(app: &App, origin: Option<String>, request: Request) -> Result<Json<Accepted>, Problem> {
    let (mut parts, body) = request.into_parts();
    let asker = <Asker as axum::extract::FromRequestParts<App>>::from_request_parts(&mut parts, app).await?;
    let Input(PageResponse { id, data }) = Input::from_request(Request::from_parts(parts, body), app).await?;
    let challenge = app.host().remembered(&id, app.clock()).await?;
    let kept = Kept::of(&challenge)?;
    asker.may_see(&challenge, &kept)?;
    let FlowRequest::DcApi { origin: expected, .. } = &kept.flow else {
        return Err(Problem::new(Code::RequestMalformed, "this challenge is answered by the wallet itself"));
    };
    // The proof is bound to the origin in any case; a page elsewhere has no business with it.
    if origin.is_some_and(|origin| origin != *expected) {
        return Err(Problem::new(Code::RequestForbidden, "the page is of another origin than the challenge"));
    }
    let response = Posted::from_dc_api(&Value::Object(data))?.open(&id, kept.response_key()?.as_ref())?;
    take(app, &challenge, response).await?;
    Ok(Json(Accepted { redirect_uri: None }))
}

/// Has the host judge it, and tells everybody who waits.
async fn take(app: &App, challenge: &Remembered, response: WalletResponse) -> Result<(), Problem> {
    let id = &challenge.issued.id;
    let judged = match response {
        WalletResponse::VpToken(vp_token) => app.host().respond(id, vp_token, app.clock()).await.map(Some),
        WalletResponse::Error(error) => app.host().decline(id, &error.error, app.clock()).await.map(|()| None),
    };
    app.tell(challenge, judged.as_ref().ok().and_then(Option::as_ref));
    match judged? {
        Some(answer) if answer.decision_id.is_none() => Err(Problem::refused(answer.reason(), &answer.outcome)),
        _ => Ok(()),
    }
}
