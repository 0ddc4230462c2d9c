//! Errors as problem details (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::bindings::sdk::exports::bandpass::sdk::verification::Failure;
use crate::error::{Code, Error};

/// Why a request was not fulfilled (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemDetails {
    /// `urn:bandpass:error:` and the code.
    r#type: String,
    /// One sentence for people.
    title: String,
    /// The HTTP status.
    status: u16,
    /// Stable code, such as `challenge.unknown`.
    code: String,
    /// The claim or path that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    /// What should be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<String>,
}

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) Error);

impl Problem {
    pub(crate) fn new(code: Code, message: impl std::fmt::Display) -> Self {
        Self(Error::host(code, message))
    }
}

impl Problem {
    /// What [`crate::Host::respond`] answers when nothing was decided.
    pub(crate) fn refused(code: &str, outcome: &serde_json::Value) -> Self {
        let message = outcome.get("message").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Self(match Code::ALL.iter().find(|known| known.as_str() == code) {
            Some(code) => Error::host(*code, message),
            None => Error::Refused(Failure { code: code.into(), message, claim: None, expected: None, actual: None }),
        })
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = status(&self.0);
        let title = match status.is_server_error() {
            // What a store or a machine says is for the log.
            true => {
                tracing::error!("{}", self.0);
                "the host can't do that at the moment; nothing was decided".to_owned()
            }
            false => self.0.message().to_owned(),
        };
        let code = self.0.code().to_owned();
        let scheme = scheme(&self.0);
        let (claim, expected, actual) = match self.0 {
            Error::Refused(Failure { claim, expected, actual, .. }) => (claim, expected, actual),
            Error::Host { .. } | Error::Pairing(_) => (None, None, None),
        };
        let details = ProblemDetails {
            r#type: format!("urn:bandpass:error:{code}"),
            title,
            status: status.as_u16(),
            code,
            claim,
            expected,
            actual,
        };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

fn status(error: &Error) -> StatusCode {
    let code = match error {
        Error::Refused(_) => return StatusCode::UNPROCESSABLE_ENTITY,
        Error::Pairing(code) => return pairing_status(*code),
        Error::Host { code, .. } => code,
    };
    match code {
        Code::HostOverloaded | Code::HostStore | Code::HostRuntime => StatusCode::SERVICE_UNAVAILABLE,
        Code::RequestUnauthorized
        | Code::DpopMissing
        | Code::DpopMalformed
        | Code::DpopSignature
        | Code::DpopRequest
        | Code::DpopStale
        | Code::DpopUsed
        | Code::AccessTokenMissing
        | Code::AccessTokenMalformed
        | Code::AccessTokenSignature
        | Code::AccessTokenAudience
        | Code::AccessTokenExpired
        | Code::AccessTokenKey => StatusCode::UNAUTHORIZED,
        Code::RequestForbidden => StatusCode::FORBIDDEN,
        Code::RequestMalformed
        | Code::ChallengeMalformed
        | Code::ResponseMalformed
        | Code::ResponseUnencrypted
        | Code::ResponseAlgorithm
        | Code::ResponseKey
        | Code::ResponseEphemeralKey
        | Code::ResponseDecryption
        | Code::ResponseState => StatusCode::BAD_REQUEST,
        Code::RequestTooLarge | Code::ResponseTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::RequestRate => StatusCode::TOO_MANY_REQUESTS,
        Code::RequestUnknown
        | Code::ChallengeUnknown
        | Code::DecisionUnknown
        | Code::MerchantUnknown
        | Code::AccountUnknown
        | Code::StatusListUnknown => StatusCode::NOT_FOUND,
        Code::RequestMethod => StatusCode::METHOD_NOT_ALLOWED,
        Code::ChallengeExpired | Code::StepUpExpired => StatusCode::GONE,
        Code::AccountKnown
        | Code::ChallengeUsed
        | Code::ChallengeAttempts
        | Code::ChallengeSuperseded
        | Code::WalletError
        | Code::DecisionNotAllowed
        | Code::StepUpNone
        | Code::StepUpUsed
        | Code::StepUpRepeated => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn pairing_status(code: bandpass_pairing::Code) -> StatusCode {
    use bandpass_pairing::Code;
    match code {
        Code::Unknown => StatusCode::NOT_FOUND,
        Code::NotOwner => StatusCode::FORBIDDEN,
        Code::Verification => StatusCode::UNAUTHORIZED,
        Code::Mismatch | Code::Key => StatusCode::UNPROCESSABLE_ENTITY,
        Code::Expired => StatusCode::GONE,
        _ => StatusCode::CONFLICT,
    }
}

/// What is asked of whoever is not authorized (RFC 6750, section 3; RFC 9449, section 7.1; RFC 9470, section 3).
fn scheme(error: &Error) -> &'static str {
    match error {
        Error::Host { code: Code::RequestUnauthorized, .. } => "Bearer",
        Error::Pairing(_) => r#"DPoP error="insufficient_user_authentication", max_age=300, algs="ES256""#,
        Error::Host { code, .. } if code.as_str().starts_with("dpop.") => {
            r#"DPoP error="invalid_dpop_proof", algs="ES256""#
        }
        Error::Host { .. } | Error::Refused(_) => r#"DPoP error="invalid_token", algs="ES256""#,
    }
}
