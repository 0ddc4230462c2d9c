//! The registry over HTTP: what owners, phones, verifiers and the wallet provider's operators ask of it.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use axum_server::Handle;
use bandpass_pairing::{Device, Event, Nonce, State as PairingState, Thumbprint};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Registry, issuing, rows};
use crate::error::{Code, Error};
use crate::host::random_id;
use crate::http::{Callers, Input, Problem, ProblemDetails, bearer, key_id, serve_router, with_fallbacks};

/// Largest claims of an account, in bytes of JSON: a credential is to stay small.
const MAX_CLAIMS: usize = 8 << 10;

/// Claims of a band credential that say nothing of its owner (band profile, section Credential).
const NOT_THE_OWNERS: [&str; 11] =
    ["iss", "nbf", "exp", "iat", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "pairing", "band_measures"];

/// A registry's server. Cheap to clone.
#[derive(Clone)]
pub struct RegistryServer {
    app: App,
}

/// What every request can reach.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) registry: Registry,
    callers: Callers,
}

impl RegistryServer {
    /// A server for a registry.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        let callers = Callers::new(registry.config().server.rate);
        Self { app: App { registry, callers } }
    }

    /// Everything that it answers, for whoever serves it in another way.
    pub fn router(&self) -> Router {
        let (router, api) = described().split_for_parts();
        let api = Bytes::from(api.to_pretty_json().unwrap_or_default());
        let open_api = async move || ([(header::CONTENT_TYPE, "application/json")], api).into_response();
        with_fallbacks(router.route("/openapi.json", axum::routing::get(open_api)))
            .layer(from_fn_with_state(self.app.clone(), guard))
            .with_state(self.app.clone())
    }

    /// Serves until `handle` stops it; then finishes what it has begun.
    ///
    /// # Errors
    /// `config.malformed` if the certificate can't be used, or `host.runtime` if it can't listen.
    pub async fn serve(&self, handle: Handle<SocketAddr>) -> Result<(), Error> {
        serve_router(&self.app.registry.config().server, self.router(), &self.app.callers, handle).await
    }
}

/// Limits of rate and time, and what every answer carries.
async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let behind_proxy = app.registry.config().server.behind_proxy;
    app.callers.guard(behind_proxy, request, next).await
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Bandpass registry", description = "Bands, their pairings, credentials and status."),
    tags(
        (name = "owner", description = "For the owner of an account: an access token that is bound to the account's key."),
        (name = "phone", description = "For phones: a proof by the phone's key."),
        (name = "wallet", description = "For wallets (OpenID4VCI 1.0)."),
        (name = "verifier", description = "For whoever verifies (Token Status List)."),
        (name = "operator", description = "For the wallet provider."),
    ),
    modifiers(&Keys)
)]
struct Description;

struct Keys;

impl utoipa::Modify for Keys {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let token = "`DPoP` and an access token (RFC 9068) that is bound to the account's key (RFC 9449, section 7.1).";
        let owner = ApiKeyValue::with_description("Authorization", token);
        components.add_security_scheme("owner", SecurityScheme::ApiKey(ApiKey::Header(owner)));
        let proof = ApiKeyValue::with_description("DPoP", "A DPoP proof (RFC 9449).");
        components.add_security_scheme("proof", SecurityScheme::ApiKey(ApiKey::Header(proof)));
        let operator =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An operator's key.")).build();
        components.add_security_scheme("operator", SecurityScheme::Http(operator));
    }
}

/// Every route with its description.
fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(create_account))
        .routes(routes!(enrol))
        .routes(routes!(band))
        .routes(routes!(open))
        .routes(routes!(change_phone))
        .routes(routes!(pair))
        .routes(routes!(offer))
        .routes(routes!(lost))
        .routes(routes!(found))
        .routes(routes!(deactivate))
        .routes(routes!(issuing::issuer_metadata))
        .routes(routes!(issuing::server_metadata))
        .routes(routes!(issuing::key_metadata))
        .routes(routes!(issuing::token))
        .routes(routes!(issuing::nonce))
        .routes(routes!(issuing::credential))
        .routes(routes!(status_list))
        .routes(routes!(health))
}

/// The wallet provider's operator, by an operator's key.
struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let presented = bearer(&parts.headers)?;
        let key = key_id(presented).and_then(|id| app.registry.config().server.operator_key.get(id));
        match key.is_some_and(|key| key.is(presented, app.registry.now())) {
            true => Ok(Self),
            false => Err(Problem::new(Code::RequestUnauthorized, "this is no operator's key")),
        }
    }
}

/// An account to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRequest {
    /// RFC 7638 thumbprint (SHA-256) of the account's key, which is on neither phone nor band.
    #[schema(min_length = 43, max_length = 43)]
    key: String,
    /// What the account's bands may disclose, each claim by itself: `given_name`, `birthdate` ... `sub` is made up if it is
    /// not there.
    #[serde(default)]
    #[schema(value_type = Object)]
    claims: Map<String, Value>,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountResponse {
    /// RFC 7638 thumbprint of its key.
    key: String,
    /// Names the account to whoever is shown it.
    sub: String,
}

/// Open an account for an owner whose identity the wallet provider has made sure of.
#[utoipa::path(post, path = "/v1/accounts", tag = "operator", request_body = AccountRequest, security(("operator" = [])),
    responses((status = 201, body = AccountResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn create_account(
    State(app): State<App>,
    _: Operator,
    Input(request): Input<AccountRequest>,
) -> Result<(StatusCode, Json<AccountResponse>), Problem> {
    let AccountRequest { key, claims } = request;
    let malformed = |why: &str| Problem::new(Code::RequestMalformed, why);
    let key = rows::thumbprint(&key).ok_or_else(|| malformed("`key` is no RFC 7638 thumbprint"))?;
    let is_ours = |name: &str| NOT_THE_OWNERS.contains(&name) || name.starts_with("_sd") || name == "...";
    if let Some(name) = claims.keys().find(|name| is_ours(name)) {
        return Err(malformed(&format!("`{name}` is no claim of an owner")));
    }
    if claims.get("sub").is_some_and(|sub| !sub.as_str().is_some_and(|sub| (1..=255).contains(&sub.len()))) {
        return Err(malformed("`sub` has to be a text of 1 to 255 bytes"));
    }
    if Value::from(claims.clone()).to_string().len() > MAX_CLAIMS {
        return Err(malformed("the claims are too many"));
    }
    let account = app.registry.add_account(key, claims).await?;
    let sub = account.claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok((StatusCode::CREATED, Json(AccountResponse { key: account.key, sub })))
}

/// What is known of a band, for its owner and for the phone that it is paired with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BandResponse {
    /// RFC 7638 thumbprint of the band's key.
    band: String,
    /// Its state.
    state: &'static str,
    /// What its maker attests that it senses.
    band_measures: Vec<&'static str>,
    /// RFC 7638 thumbprint of the key of the phone that it is paired with.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// Epoch of the newest pairing; 0 before the first.
    epoch: u64,
}

impl BandResponse {
    fn of(device: &Device) -> Self {
        let state = match device.state() {
            PairingState::Unpaired => "unpaired",
            PairingState::Opened => "opened",
            PairingState::Paired => "paired",
            PairingState::Changing => "changing",
            PairingState::Lost => "lost",
            PairingState::LostUnpaired => "lost-unpaired",
        };
        Self {
            band: rows::text(device.band),
            state,
            band_measures: device.measures.iter().map(|measure| rows::name(*measure)).collect(),
            phone: device.phone.map(rows::text),
            epoch: device.epoch,
        }
    }
}

/// A band that is to be an account's.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolRequest {
    /// By the band's key (`bandpass-pairing+jwt`): `role` `band`, `aud`, `iat`, and `names` the account's key.
    proof: String,
    /// By the band's maker (`bandpass-attestation+jwt`): `iss`, `cnf.jkt` the band's key, `band_measures`. Without it the band
    /// counts as one that senses nothing.
    attestation: Option<String>,
}

/// Enrol a band.
#[utoipa::path(post, path = "/v1/bands", tag = "owner", request_body = EnrolRequest, security(("owner" = [], "proof" = [])),
    responses((status = 201, body = BandResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn enrol(
    State(app): State<App>,
    headers: HeaderMap,
    Input(request): Input<EnrolRequest>,
) -> Result<(StatusCode, Json<BandResponse>), Problem> {
    let owner = app.registry.owner(&headers, &Method::POST, "/v1/bands").await?;
    let enrolled = app.registry.enrol(owner, &request.proof, request.attestation.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(BandResponse::of(&enrolled.device))))
}

/// Look at a band.
#[utoipa::path(get, path = "/v1/bands/{band}", tag = "owner",
    params(("band" = String, Path, description = "RFC 7638 thumbprint of the band's key")),
    security(("owner" = [], "proof" = []), ("proof" = [])),
    responses((status = 200, body = BandResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn band(
    State(app): State<App>,
    headers: HeaderMap,
    Path(band): Path<String>,
) -> Result<Json<BandResponse>, Problem> {
    let path = format!("/v1/bands/{band}");
    let asker = Asker::of(&app, &headers, &Method::GET, &path).await?;
    let device = app.registry.device(&band).await?.ok_or(Error::from(bandpass_pairing::Code::Unknown))?;
    match asker {
        Asker::Owner(owner) if owner.key == device.owner => Ok(Json(BandResponse::of(&device))),
        Asker::Phone(phone) if device.phone == Some(phone) => Ok(Json(BandResponse::of(&device))),
        _ => Err(Error::from(bandpass_pairing::Code::NotOwner).into()),
    }
}

/// The owner, or a phone.
enum Asker {
    Owner(bandpass_pairing::Owner),
    Phone(Thumbprint),
}

impl Asker {
    /// Whoever has an access token is an owner.
    async fn of(app: &App, headers: &HeaderMap, method: &Method, path: &str) -> Result<Self, Error> {
        match headers.contains_key(header::AUTHORIZATION) {
            true => app.registry.owner(headers, method, path).await.map(Self::Owner),
            false => app.registry.phone(headers, method, path).await.map(Self::Phone),
        }
    }
}

/// A band in an address.
fn named(band: &str) -> Result<Thumbprint, Problem> {
    rows::thumbprint(band).ok_or_else(|| Error::from(bandpass_pairing::Code::Unknown).into())
}

/// A pairing that was opened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpeningResponse {
    /// What phone and band have to sign.
    nonce: String,
    /// The last second at which it can be taken up, since 1970.
    expires: u64,
}

/// Open a pairing: the first, or one anew after deactivation. The owner's user was verified within 300 s.
#[utoipa::path(post, path = "/v1/bands/{band}/open", tag = "owner",
    params(("band" = String, Path, description = "RFC 7638 thumbprint of the band's key")),
    security(("owner" = [], "proof" = [])),
    responses((status = 200, body = OpeningResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn open(
    State(app): State<App>,
    headers: HeaderMap,
    Path(band): Path<String>,
) -> Result<Json<OpeningResponse>, Problem> {
    let owner = app.registry.owner(&headers, &Method::POST, &format!("/v1/bands/{band}/open")).await?;
    opened(&app, &band, |nonce| Event::Open { owner, nonce }).await
}

/// Open the change to another phone. The present pairing holds until it is taken up. The owner's user was verified within
/// 300 s.
#[utoipa::path(post, path = "/v1/bands/{band}/change-phone", tag = "owner",
    params(("band" = String, Path, description = "RFC 7638 thumbprint of the band's key")),
    security(("owner" = [], "proof" = [])),
    responses((status = 200, body = OpeningResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn change_phone(
    State(app): State<App>,
    headers: HeaderMap,
    Path(band): Path<String>,
) -> Result<Json<OpeningResponse>, Problem> {
    let owner = app.registry.owner(&headers, &Method::POST, &format!("/v1/bands/{band}/change-phone")).await?;
    opened(&app, &band, |nonce| Event::ChangePhone { owner, nonce }).await
}

async fn opened(app: &App, band: &str, event: impl FnOnce(Nonce) -> Event) -> Result<Json<OpeningResponse>, Problem> {
    let nonce = random_id()?;
    let drawn = rows::nonce_of(&nonce).ok_or_else(|| Error::runtime(&"a nonce is not of 128 bits"))?;
    let changed = app.registry.change(named(band)?, event(drawn)).await?;
    let expires = changed.device.opening.map_or(0, |opening| opening.expires);
    Ok(Json(OpeningResponse { nonce, expires }))
}

/// What phone and band signed to be paired.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PairRequest {
    /// By the phone's key (`bandpass-pairing+jwt`): `role` `phone`, `aud`, `iat`, `nonce`, and `names` the band's key.
    phone: String,
    /// By the band's key: the same with `role` `band`, and `names` the phone's key.
    band: String,
}

/// A pairing, or an offer to one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OfferResponse {
    /// Epoch of the pairing.
    epoch: u64,
    /// For the phone: an offer of credentials (`OpenID4VCI` 1.0, section 4.1.1), good for 300 s.
    #[schema(value_type = Object)]
    credential_offer: Value,
}

/// Pair a band with a phone. What they signed is all that is needed.
#[utoipa::path(post, path = "/v1/bands/{band}/pair", tag = "phone", request_body = PairRequest,
    params(("band" = String, Path, description = "RFC 7638 thumbprint of the band's key")),
    responses((status = 200, body = OfferResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn pair(
    State(app): State<App>,
    Path(band): Path<String>,
    Input(request): Input<PairRequest>,
) -> Result<Json<OfferResponse>, Problem> {
    let band = named(&band)?;
    let paired = app.registry.pair(band, &request.phone, &request.band).await?;
    let phone = paired.device.phone.ok_or(Error::from(bandpass_pairing::Code::Unpaired))?;
    offered(&app, band, phone, paired.device.epoch).await
}

/// Ask for an offer of further credentials, to renew those that are there.
#[utoipa::path(post, path = "/v1/bands/{band}/offer", tag = "phone", security(("proof" = [])),
    params(("band" = String, Path, description = "RFC 7638 thumbprint of the band's key")),
    responses((status = 200, body = OfferResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn offer(
    State(app): State<App>,
    headers: HeaderMap,
    Path(band): Path<String>,
) -> Result<Json<OfferResponse>, Problem> {
    let phone = app.registry.phone(&headers, &Method::POST, &format!("/v1/bands/{band}/offer")).await?;
    let device = app.registry.device(&band).await?.ok_or(Error::from(bandpass_pairing::Code::Unknown))?;
    offered(&app, named(&band)?, phone, device.epoch).await
}

async fn offered(app: &App, band: Thumbprint, phone: Thumbprint, epoch: u64) -> Result<Json<OfferResponse>, Problem> {
    let code = app.registry.offer(band, phone).await?;
    Ok(Json(OfferResponse { epoch, credential_offer: issuing::offer(&app.registry, &code) }))
}

/// Report a band lost: its owner, or the phone that it is paired with. Its credentials are suspended at once.
#[utoipa::path(post, path = "/v1/bands/{band}/lost", tag = "owner",
    params(("band" = String, Path, description = "RFC 7638 thumbprint of the band's key")),
    security(("owner" = [], "proof" = []), ("proof" = [])),
    responses((status = 200, body = BandResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn lost(
    State(app): State<App>,
    headers: HeaderMap,
    Path(band): Path<String>,
) -> Result<Json<BandResponse>, Problem> {
    let event = match Asker::of(&app, &headers, &Method::POST, &format!("/v1/bands/{band}/lost")).await? {
        Asker::Owner(owner) => Event::LostByOwner(owner),
        Asker::Phone(phone) => Event::LostByPhone(phone),
    };
    changed(&app, &band, event).await
}

/// Have a lost band back. The owner's user was verified within 300 s.
#[utoipa::path(post, path = "/v1/bands/{band}/found", tag = "owner",
    params(("band" = String, Path, description = "RFC 7638 thumbprint of the band's key")),
    security(("owner" = [], "proof" = [])),
    responses((status = 200, body = BandResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn found(
    State(app): State<App>,
    headers: HeaderMap,
    Path(band): Path<String>,
) -> Result<Json<BandResponse>, Problem> {
    let owner = app.registry.owner(&headers, &Method::POST, &format!("/v1/bands/{band}/found")).await?;
    changed(&app, &band, Event::Found(owner)).await
}

/// End a pairing for good; the band may then be paired anew. The owner's user was verified within 300 s.
#[utoipa::path(post, path = "/v1/bands/{band}/deactivate", tag = "owner",
    params(("band" = String, Path, description = "RFC 7638 thumbprint of the band's key")),
    security(("owner" = [], "proof" = [])),
    responses((status = 200, body = BandResponse),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn deactivate(
    State(app): State<App>,
    headers: HeaderMap,
    Path(band): Path<String>,
) -> Result<Json<BandResponse>, Problem> {
    let owner = app.registry.owner(&headers, &Method::POST, &format!("/v1/bands/{band}/deactivate")).await?;
    changed(&app, &band, Event::Deactivate(owner)).await
}

async fn changed(app: &App, band: &str, event: Event) -> Result<Json<BandResponse>, Problem> {
    let changed = app.registry.change(named(band)?, event).await?;
    Ok(Json(BandResponse::of(&changed.device)))
}

const STATUS_JWT: &str = "application/statuslist+jwt";
const STATUS_CWT: &str = "application/statuslist+cwt";

/// A status list (Token Status List, section 8): JWT, or CWT where `Accept` asks for it.
#[utoipa::path(get, path = "/status/{number}", tag = "verifier",
    params(("number" = u32, Path, description = "Number of the list, as credentials name it")),
    responses((status = 200, content((String = "application/statuslist+jwt"), (Vec<u8> = "application/statuslist+cwt"))),
        (status = 304, description = "It is as it was"),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn status_list(
    State(app): State<App>,
    headers: HeaderMap,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(Code::StatusListUnknown, "there is no such status list");
    let list = app.registry.status_list(number.parse().map_err(|_| unknown())?).await?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let place = |media_type: &str| {
        accept.split(',').position(|one| one.split(';').next().unwrap_or_default().trim() == media_type)
    };
    let cwt = match (place(STATUS_CWT), place(STATUS_JWT)) {
        (Some(cwt), Some(jwt)) => cwt < jwt,
        (cwt, None) => cwt.is_some(),
        (None, _) => false,
    };
    let etag = format!("\"{}{}\"", list.etag, if cwt { "-cwt" } else { "" });
    let age = app.registry.now().saturating_sub(list.issued_at);
    let max_age = u64::from(app.registry.config().status_ttl).saturating_sub(age);
    let is_known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|known| {
        known.split(',').any(|known| [etag.as_str(), "*"].contains(&known.trim().trim_start_matches("W/")))
    });
    let mut response = match (is_known, cwt) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, true) => ([(header::CONTENT_TYPE, STATUS_CWT)], list.cwt.to_vec()).into_response(),
        (false, false) => ([(header::CONTENT_TYPE, STATUS_JWT)], list.jwt.to_string()).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, format!("public, max-age={max_age}")),
        (header::VARY, "accept".to_owned()),
        // Pages and edge functions verify too.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*".to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// Whether the registry can do its work.
#[utoipa::path(get, path = "/healthz", tag = "operator",
    responses((status = 204, description = "It can"),
        (status = "default", body = ProblemDetails, content_type = "application/problem+json")))]
async fn health(State(app): State<App>) -> Result<StatusCode, Problem> {
    app.registry.device("").await?;
    Ok(StatusCode::NO_CONTENT)
}
