//! What comes in, with our own errors.

use axum::Json;
use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::error::{Code, readable};

/// A body in JSON.
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        read.map(|Json(input)| Self(input)).map_err(|error| refused(error.status(), &error.body_text()))
    }
}

/// A body of form fields.
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read: Result<axum::Form<T>, FormRejection> = axum::Form::from_request(request, state).await;
        read.map(|axum::Form(input)| Self(input)).map_err(|error| refused(error.status(), &error.body_text()))
    }
}

pub(crate) fn refused(status: StatusCode, why: &str) -> Problem {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::RequestTooLarge, "the body is too large"),
        _ => Problem::new(Code::RequestMalformed, readable(why)),
    }
}
