//! Issuing as `OpenID4VCI` 1.0 has it: an offer with a pre-authorized code, a token that is bound to the phone's key by
//! `DPoP`, a nonce, and a batch of credentials for keys that prove themselves.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bandpass_roles::BAND_VCT;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::http::App;
use super::rows::TicketKind;
use super::{Registry, TICKET_LIFETIME};
use crate::error::{Code, Error};
use crate::http::{Form, Input, Problem, ProblemDetails};

/// `credential_configuration_id` of band credentials.
const BAND: &str = "band";
const PRE_AUTHORIZED: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

/// A credential offer (section 4.1.1).
pub(super) fn offer(registry: &Registry, code: &str) -> Value {
    json!({
        "credential_issuer": registry.identifier(),
        "credential_configuration_ids": [BAND],
        "grants": {PRE_AUTHORIZED: {"pre-authorized_code": code}},
    })
}

/// An error as OAuth has it (RFC 6749, section 5.2; `OpenID4VCI` 1.0, section 8.3.1).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OAuthError {
    /// As the standard has it, such as `invalid_proof`.
    error: &'static str,
    /// One sentence for people.
    error_description: String,
    /// Stable code, such as `pairing.lost`.
    code: String,
}

/// An error on its way out.
pub(crate) struct Refused(Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Problem> for Refused {
    fn from(Problem(error): Problem) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let error = match &self.0 {
            Error::Host { code, .. } => match code {
                Code::ProofNonce => "invalid_nonce",
                Code::ProofMalformed
                | Code::ProofSignature
                | Code::ProofAudience
                | Code::ProofStale
                | Code::IssueKey
                | Code::IssueBatch => "invalid_proof",
                Code::IssueConfiguration => "unknown_credential_configuration",
                Code::IssueLimit => "credential_request_denied",
                Code::OfferUnknown => "invalid_grant",
                Code::RequestMalformed => "invalid_request",
                code if code.as_str().starts_with("dpop.") => "invalid_dpop_proof",
                code if code.as_str().starts_with("access-token.") => "invalid_token",
                // Limits, and what goes wrong here.
                _ => return Problem(self.0).into_response(),
            },
            Error::Pairing(_) => "credential_request_denied",
            Error::Refused(_) => "invalid_credential_request",
        };
        let status = match error {
            "invalid_token" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        let (code, error_description) = (self.0.code().to_owned(), self.0.message().to_owned());
        let mut response = (status, Json(OAuthError { error, error_description, code })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let asked = HeaderValue::from_static(r#"DPoP error="invalid_token", algs="ES256""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, asked);
        }
        response
    }
}

/// Metadata of the credential issuer (section 12.2).
#[utoipa::path(get, path = "/.well-known/openid-credential-issuer", tag = "wallet", responses((status = 200, body = Object)))]
pub(crate) async fn issuer_metadata(State(app): State<App>) -> Json<Value> {
    let registry = &app.registry;
    Json(json!({
        "credential_issuer": registry.identifier(),
        "credential_endpoint": registry.address("/credential"),
        "nonce_endpoint": registry.address("/nonce"),
        "batch_credential_issuance": {"batch_size": registry.config().batch.max(2)},
        "credential_configurations_supported": {BAND: {
            "format": "dc+sd-jwt",
            "vct": BAND_VCT,
            "cryptographic_binding_methods_supported": ["jwk"],
            "credential_signing_alg_values_supported": ["ES256"],
            "proof_types_supported": {"jwt": {
                "proof_signing_alg_values_supported": ["ES256"],
                "key_attestations_required": {},
            }},
            "credential_metadata": {"display": [{"name": "Band"}]},
        }},
    }))
}

/// Metadata of the server that takes offers up (RFC 8414).
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "wallet",
    responses((status = 200, body = Object)))]
pub(crate) async fn server_metadata(State(app): State<App>) -> Json<Value> {
    let registry = &app.registry;
    Json(json!({
        "issuer": registry.identifier(),
        "token_endpoint": registry.address("/token"),
        "grant_types_supported": [PRE_AUTHORIZED],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "pre-authorized_grant_anonymous_access_supported": true,
    }))
}

/// Keys that credentials are signed by (SD-JWT VC, section on JWT VC Issuer Metadata).
#[utoipa::path(get, path = "/.well-known/jwt-vc-issuer", tag = "verifier", responses((status = 200, body = Object)))]
pub(crate) async fn key_metadata(State(app): State<App>) -> Json<Value> {
    let entry = app.registry.trust_entry();
    Json(json!({"issuer": entry.get("iss"), "jwks": entry.get("jwks")}))
}

/// A phone takes an offer up.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TokenRequest {
    /// `urn:ietf:params:oauth:grant-type:pre-authorized_code`
    grant_type: String,
    /// Of the offer.
    #[serde(rename = "pre-authorized_code")]
    code: String,
}

/// An access token (RFC 6749, section 5.1; RFC 9449, section 5).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenResponse {
    access_token: String,
    /// `DPoP`
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
}

/// Take an offer up: by the phone that it was made to, once.
#[utoipa::path(post, path = "/token", tag = "wallet", security(("proof" = [])),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = TokenResponse),
        (status = "default", content((OAuthError = "application/json"), (ProblemDetails = "application/problem+json")))))]
pub(crate) async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    request: Result<Form<TokenRequest>, Problem>,
) -> Result<Json<TokenResponse>, Refused> {
    let Form(request) = request?;
    let phone = app.registry.phone(&headers, &Method::POST, "/token").await?;
    if request.grant_type != PRE_AUTHORIZED {
        return Err(Error::host(Code::RequestMalformed, "`grant_type` has to be that of a pre-authorized code").into());
    }
    let access_token = app.registry.take_up(&request.code, phone).await?;
    Ok(Json(TokenResponse { access_token, token_type: "DPoP", expires_in: TICKET_LIFETIME }))
}

/// A nonce (section 7.2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NonceResponse {
    c_nonce: String,
}

/// Ask for a nonce for one batch.
#[utoipa::path(post, path = "/nonce", tag = "wallet",
    responses((status = 200, body = NonceResponse),
        (status = "default", content((OAuthError = "application/json"), (ProblemDetails = "application/problem+json")))))]
pub(crate) async fn nonce(State(app): State<App>) -> Result<Json<NonceResponse>, Refused> {
    Ok(Json(NonceResponse { c_nonce: app.registry.hand_out(TicketKind::Nonce).await? }))
}

/// What credentials are asked for (section 8.2).
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CredentialRequest {
    /// `band`
    credential_configuration_id: String,
    proofs: Proofs,
    /// By the phone's key (`key-attestation+jwt`): `role` `phone`, `aud`, `iat`, `exp`, `nonce`, `epoch`, `names` the band's
    /// key, and `attested_keys`, as many as the band's.
    phone_key_attestation: String,
}

/// Proofs of the band's keys (appendix F.1).
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Proofs {
    /// One, by any of the batch's keys; its header's `key_attestation` is by the band's key: `role` `band`, `aud`, `iat`, `exp`,
    /// `nonce`, `epoch`, `names` the phone's key, and `attested_keys`.
    #[schema(min_items = 1, max_items = 1)]
    jwt: Vec<String>,
}

/// A batch (section 8.3).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialResponse {
    credentials: Vec<IssuedCredential>,
}

/// A credential of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuedCredential {
    /// SD-JWT with all its disclosures.
    credential: String,
}

/// Ask for a batch of credentials.
#[utoipa::path(post, path = "/credential", tag = "wallet", security(("proof" = [])), request_body = CredentialRequest,
    responses((status = 200, body = CredentialResponse),
        (status = "default", content((OAuthError = "application/json"), (ProblemDetails = "application/problem+json")))))]
pub(crate) async fn credential(
    State(app): State<App>,
    headers: HeaderMap,
    request: Result<Input<CredentialRequest>, Problem>,
) -> Result<Json<CredentialResponse>, Refused> {
    let Input(request) = request?;
    let grant = app.registry.granted(&headers, &Method::POST, "/credential").await?;
    if request.credential_configuration_id != BAND {
        return Err(
            Error::host(Code::IssueConfiguration, format!("the one credential that there is is `{BAND}`")).into()
        );
    }
    let [proof] = request.proofs.jwt.as_slice() else {
        return Err(Error::host(Code::ProofMalformed, "one proof is needed").into());
    };
    let issued = app.registry.issue(&grant, proof, &request.phone_key_attestation).await?;
    let credentials = issued.into_iter().map(|credential| IssuedCredential { credential }).collect();
    Ok(Json(CredentialResponse { credentials }))
}
