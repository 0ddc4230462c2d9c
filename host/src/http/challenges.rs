//! Challenges as requests to wallets (OpenID4VP 1.0).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::App;
use super::body::{Form, Input};
use super::caller::{Asker, Merchant};
use super::problem::{Problem, ProblemDetails};
use crate::access::same_hash;
use crate::answer::{IssuedChallenge, NewChallenge, Remembered, Stage};
use crate::error::Code;
use crate::host::random_id;
use crate::openid4vp::{self, AuthorizationRequest, ResponseKey};
use crate::query::NewTransaction;

/// What a merchant asks a wallet for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChallengeRequest {
    /// What the holder is to agree to; may be empty if the merchant's policies ask for nothing but claims.
    #[serde(default)]
    #[schema(max_items = 16)]
    transactions: Vec<TransactionRequest>,
    /// The merchant's own words to its policies: a JSON object.
    #[serde(default)]
    #[schema(value_type = Object)]
    context: Map<String, Value>,
    /// How the wallet is reached.
    flow: FlowRequest,
}

/// A transaction that the holder is to agree to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransactionRequest {
    /// Type of transaction data, such as `urn:bandpass:payment:1`.
    r#type: String,
    /// What the type says.
    #[schema(value_type = Object)]
    payload: Map<String, Value>,
}

/// How a wallet is reached.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "type", deny_unknown_fields)]
pub(crate) enum FlowRequest {
    /// By a link or a QR code: the wallet fetches the request and posts its answer (OpenID4VP 1.0, sections 5.10 and 8.2).
    Redirect {
        /// Whether the wallet is on the device that shows the page. Then the page must prove with `response_code` that it
        /// is the one to which the wallet sent the user back.
        #[serde(default)]
        same_device: bool,
        /// Where the wallet sends the user back to: one of the merchant's `redirect_uris`. Needed on the same device.
        redirect_uri: Option<String>,
    },
    /// By the browser's Digital Credentials API (OpenID4VP 1.0, appendix A).
    DcApi {
        /// Origin of the page: one of the merchant's `origins`.
        origin: String,
        /// Whether the request is signed; needs the merchant's `client`.
        #[serde(default)]
        signed: bool,
    },
}

/// A challenge that was handed out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChallengeResponse {
    /// Identifies challenge and decision.
    id: String,
    /// Seconds since 1970 at which it expires.
    expires: u64,
    /// For the merchant's page: lets it follow this one decision, as a bearer token.
    session_secret: String,
    /// For a link or a QR code.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<RedirectRequest>,
    /// For `navigator.credentials.get({digital: {requests: [..]}})`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    dc_api: Option<Value>,
}

/// What opens a wallet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RedirectRequest {
    /// The link, to be followed or shown as a QR code.
    wallet_url: String,
    /// Client identifier with its prefix.
    client_id: String,
    /// Where the wallet fetches the request; none if the link carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_uri: Option<String>,
}

/// What the server keeps with a challenge.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    session_sha256: String,
    pub(crate) flow: FlowRequest,
    /// Private key for the response; none if it isn't encrypted.
    response_key: Option<String>,
    /// Hash of the code with which the wallet sent the user back last.
    pub(crate) response_code_sha256: Option<String>,
}

impl Kept {
    /// What is kept with a challenge of this server.
    ///
    /// # Errors
    /// `challenge.unknown` if it was handed out in another way.
    pub(crate) fn of(challenge: &Remembered) -> Result<Self, Problem> {
        let kept = challenge.kept.clone().and_then(|kept| serde_json::from_value(kept).ok());
        kept.ok_or_else(|| Problem::new(Code::ChallengeUnknown, "the challenge was not handed out over HTTP"))
    }

    pub(crate) fn is_page(&self, secret: &str) -> bool {
        same_hash(&self.session_sha256, secret)
    }

    pub(crate) fn response_key(&self) -> Result<Option<ResponseKey>, Problem> {
        Ok(self.response_key.as_deref().map(ResponseKey::from_base64url).transpose()?)
    }

    pub(crate) fn to_json(&self) -> Result<Value, Problem> {
        serde_json::to_value(self).map_err(|error| Problem::new(Code::HostRuntime, error))
    }
}

/// Hand out a challenge: what the merchant's policies ask for, as a request to a wallet.
#[utoipa::path(post, path = "/v1/challenges", tag = "merchant", request_body = ChallengeRequest,
    security(("merchant" = [])),
    responses((status = 201, body = ChallengeResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(app): State<App>,
    Merchant(merchant): Merchant,
    Input(request): Input<ChallengeRequest>,
) -> Result<(StatusCode, Json<ChallengeResponse>), Problem> {
    let ChallengeRequest { transactions, context, flow } = request;
    let transactions = transactions
        .into_iter()
        .map(|TransactionRequest { r#type, payload }| NewTransaction { type_id: r#type, payload })
        .collect();
    let now = app.clock();
    let session = Session::new(&app, &merchant, flow)?;
    let new = NewChallenge {
        merchant: merchant.clone(),
        transactions,
        context,
        audience: session.audience.clone(),
        kept: Some(session.kept.to_json()?),
    };
    let issued = app.host().challenge(new, now).await?;
    Ok((StatusCode::CREATED, Json(session.handed_out(&app, &merchant, issued, now)?)))
}

/// Take up a step-up: a new challenge for the same transactions, once and within five minutes.
#[utoipa::path(post, path = "/v1/decisions/{id}/step-up", tag = "merchant",
    params(("id" = String, Path, description = "The decision's identifier")),
    security(("merchant" = []), ("page" = [])),
    responses((status = 201, body = ChallengeResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn step_up(
    State(app): State<App>,
    Path(id): Path<String>,
    asker: Asker,
) -> Result<(StatusCode, Json<ChallengeResponse>), Problem> {
    let now = app.clock();
    let before = app.host().remembered(&id, now).await?;
    let kept = Kept::of(&before)?;
    asker.may_see(&before, &kept)?;
    let session = Session::new(&app, &before.merchant, kept.flow)?;
    let issued = app.host().step_up(&before.merchant, &id, Some(session.kept.to_json()?), now).await?;
    Ok((StatusCode::CREATED, Json(session.handed_out(&app, &before.merchant, issued, now)?)))
}

/// The signed request of a challenge (RFC 9101), for the wallet.
#[utoipa::path(get, path = "/v1/requests/{id}", tag = "wallet",
    params(("id" = String, Path, description = "The challenge's identifier")),
    responses((status = 200, body = String, content_type = "application/oauth-authz-req+jwt"),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn request(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    signed_request(&app, &id, None).await
}

/// What a wallet may say when it fetches the request (OpenID4VP 1.0, section 5.10).
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct WalletRequest {
    /// Comes back in the signed request.
    #[schema(max_length = 512)]
    wallet_nonce: Option<String>,
}

/// The same with the wallet's own nonce (OpenID4VP 1.0, section 5.10).
#[utoipa::path(post, path = "/v1/requests/{id}", tag = "wallet",
    params(("id" = String, Path, description = "The challenge's identifier")),
    request_body(content = WalletRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "application/oauth-authz-req+jwt"),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
pub(crate) async fn request_with_nonce(
    State(app): State<App>,
    Path(id): Path<String>,
    Form(wallet): Form<WalletRequest>,
) -> Result<Response, Problem> {
    signed_request(&app, &id, wallet.wallet_nonce.as_deref()).await
}

async fn signed_request(app: &App, id: &str, wallet_nonce: Option<&str>) -> Result<Response, Problem> {
    let now = app.clock();
    let challenge = app.host().remembered(id, now).await?;
    if challenge.stage != Stage::Open {
        return Err(Problem::new(Code::ChallengeExpired, "the challenge is not open any more"));
    }
    let kept = Kept::of(&challenge)?;
    let current = app.now();
    let client = current.client(&challenge.merchant);
    let (FlowRequest::Redirect { .. }, Some(client)) = (&kept.flow, client) else {
        return Err(Problem::new(Code::ChallengeUnknown, "the challenge has no signed request"));
    };
    let key = kept.response_key()?;
    let request = AuthorizationRequest { challenge: &challenge.issued, key: key.as_ref() };
    let signed = request.request_object(client, &current.response_uri(), wallet_nonce, now)?;
    Ok(([(header::CONTENT_TYPE, "application/oauth-authz-req+jwt")], signed).into_response())
}

/// A challenge on its way out.
struct Session {
    secret: String,
    audience: Vec<String>,
    kept: Kept,
}

impl Session {
    /// Checks what the merchant may ask for, before a challenge is made.
    fn new(app: &App, merchant: &str, flow: FlowRequest) -> Result<Self, Problem> {
        let current = app.now();
        let access = current.access(merchant)?;
        let client = current.client(merchant);
        let malformed = |why: &str| Err(Problem::new(Code::RequestMalformed, why));
        let forbidden = |why: &str| Err(Problem::new(Code::RequestForbidden, why));
        let (audience, encrypted) = match &flow {
            FlowRequest::Redirect { same_device: true, redirect_uri: None } => {
                return malformed("on the same device `redirect_uri` is needed");
            }
            FlowRequest::Redirect { redirect_uri: Some(uri), .. } if !access.redirect_uris.contains(uri) => {
                return forbidden("the address is none of the merchant's `redirect_uris`");
            }
            FlowRequest::Redirect { .. } => match client {
                Some(client) => (client.client_id().to_owned(), true),
                None if current.demo => (openid4vp::redirect_uri_client_id(&current.response_uri()), false),
                None => return malformed("the merchant has no `client`, so it can't sign a request"),
            },
            FlowRequest::DcApi { origin, .. } if !access.origins.contains(origin) => {
                return forbidden("the origin is none of the merchant's `origins`");
            }
            FlowRequest::DcApi { signed: true, .. } if client.is_none() => {
                return malformed("the merchant has no `client`, so it can't sign a request");
            }
            FlowRequest::DcApi { origin, .. } => (openid4vp::origin_audience(origin), true),
        };
        let secret = random_id()?;
        let response_key = match encrypted {
            true => Some(ResponseKey::generate()?.to_base64url()),
            false => None,
        };
        let session_sha256 = crate::runtime::digest(secret.as_bytes());
        let kept = Kept { session_sha256, flow, response_key, response_code_sha256: None };
        Ok(Self { secret, audience: vec![audience], kept })
    }

    fn handed_out(
        self,
        app: &App,
        merchant: &str,
        issued: IssuedChallenge,
        now: u64,
    ) -> Result<ChallengeResponse, Problem> {
        let current = app.now();
        let client = current.client(merchant);
        let key = self.kept.response_key()?;
        let request = AuthorizationRequest { challenge: &issued, key: key.as_ref() };
        let (redirect, dc_api) = match (&self.kept.flow, client) {
            (FlowRequest::Redirect { .. }, Some(client)) => {
                let (client_id, request_uri) =
                    (client.client_id(), current.address(&format!("/v1/requests/{}", issued.id)));
                let wallet_url = openid4vp::link(&current.wallet, client_id, &request_uri);
                let client_id = client_id.to_owned();
                (Some(RedirectRequest { wallet_url, client_id, request_uri: Some(request_uri) }), None)
            }
            (FlowRequest::Redirect { .. }, None) => {
                let response_uri = current.response_uri();
                let client_id = openid4vp::redirect_uri_client_id(&response_uri);
                let wallet_url = request.unsigned_link(&current.wallet, &response_uri)?;
                (Some(RedirectRequest { wallet_url, client_id, request_uri: None }), None)
            }
            (FlowRequest::DcApi { origin, signed: true }, Some(client)) => {
                (None, Some(request.dc_api_signed(client, std::slice::from_ref(origin), now)?))
            }
            (FlowRequest::DcApi { .. }, _) => (None, Some(request.dc_api_unsigned()?)),
        };
        Ok(ChallengeResponse { id: issued.id, expires: issued.expires, session_secret: self.secret, redirect, dc_api })
    }
}

/// Whoever follows a decision may see that challenge only: its merchant, or the page that it was handed out to.
impl Asker {
    pub(crate) fn may_see(&self, challenge: &Remembered, kept: &Kept) -> Result<(), Problem> {
        match self {
            Self::Merchant(merchant) if *merchant == challenge.merchant => Ok(()),
            Self::Merchant(_) => Err(Problem::new(Code::DecisionUnknown, "the merchant has no such decision")),
            Self::Page { secret } if kept.is_page(secret) => Ok(()),
            Self::Page { .. } => Err(Problem::new(Code::RequestUnauthorized, "this is not the challenge's secret")),
        }
    }
}
