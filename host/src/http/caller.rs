//! Who calls: a merchant with its API key, a merchant's page with the secret of one challenge, or the operator.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::App;
use super::problem::Problem;
use crate::access::ApiKey;
use crate::config::Config;
use crate::error::Code;

/// Longest key that is looked at, in bytes.
const MAX_KEY: usize = 200;

/// Whose API keys there are, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Directory(HashMap<String, (Owner, ApiKey)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Merchant(String),
    Operator,
}

impl Directory {
    pub(crate) fn new(config: &Config) -> Self {
        let merchants = config.merchants.iter().flat_map(|(merchant, its)| {
            its.access.api_key.iter().map(|(id, key)| (id.clone(), (Owner::Merchant(merchant.clone()), key.clone())))
        });
        let operator = config.server.iter().flat_map(|server| &server.operator_key);
        let operator = operator.map(|(id, key)| (id.clone(), (Owner::Operator, key.clone())));
        Self(merchants.chain(operator).collect())
    }

    /// Names the caller, if its key is one.
    pub(crate) fn caller(&self, headers: &HeaderMap, now: u64) -> Option<String> {
        match self.owner(bearer(headers).ok()?, now)? {
            Owner::Merchant(merchant) => Some(format!("merchant {merchant}")),
            Owner::Operator => Some("operator".into()),
        }
    }

    /// Whose key it is, if it is one.
    fn owner(&self, presented: &str, now: u64) -> Option<&Owner> {
        let (owner, key) = self.0.get(key_id(presented)?)?;
        key.is(presented, now).then_some(owner)
    }
}

/// By which a key's hash is found.
pub(crate) fn key_id(presented: &str) -> Option<&str> {
    presented.strip_prefix("bandpass_")?.split('_').next()
}

/// The bearer token of a request (RFC 6750, section 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        value.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token {
        Some((_, token)) if token.len() <= MAX_KEY => Ok(token.trim()),
        _ => Err(unauthorized()),
    }
}

fn unauthorized() -> Problem {
    Problem::new(Code::RequestUnauthorized, "a valid key is needed: `Authorization: Bearer ...`")
}

/// A merchant, by its API key.
pub(crate) struct Merchant(pub(crate) String);

impl FromRequestParts<App> for Merchant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match app.now().directory.owner(bearer(&parts.headers)?, app.clock()) {
            Some(Owner::Merchant(id)) => Ok(Self(id.clone())),
            _ => Err(unauthorized()),
        }
    }
}

/// The operator, by an operator's key.
pub(crate) struct Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match app.now().directory.owner(bearer(&parts.headers)?, app.clock()) {
            Some(Owner::Operator) => Ok(Self),
            _ => Err(unauthorized()),
        }
    }
}

/// A merchant, or its page with the secret of a challenge, which is compared when the challenge is known.
pub(crate) enum Asker {
    Merchant(String),
    Page { secret: String },
}

impl FromRequestParts<App> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?;
        match app.now().directory.owner(token, app.clock()) {
            Some(Owner::Merchant(id)) => Ok(Self::Merchant(id.clone())),
            Some(Owner::Operator) => Err(unauthorized()),
            None => Ok(Self::Page { secret: token.to_owned() }),
        }
    }
}

/// The address of whoever calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(Option<IpAddr>);

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

impl Address {
    /// Behind a proxy it is the last address in `X-Forwarded-For`: the one that the proxy itself has put there.
    pub(crate) fn of(parts: &axum::http::Extensions, headers: &HeaderMap, behind_proxy: bool) -> Self {
        let forwarded = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
        let forwarded = forwarded.and_then(|value| value.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
        let peer = parts.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        Self(match behind_proxy {
            true => forwarded.or(peer),
            false => peer,
        })
    }
}

/// `Origin`, if the request has one (RFC 6454).
pub(crate) struct Origin(pub(crate) Option<String>);

impl FromRequestParts<App> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).map(str::to_owned)))
    }
}
