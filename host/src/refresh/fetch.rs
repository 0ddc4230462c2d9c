//! Reading trust lists and status lists: from files, and over HTTP.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bandpass_core::limits::MAX_STATUS_TOKEN_BYTES;
use ureq::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use ureq::http::{HeaderName, Response, StatusCode, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};

use crate::error::{Code, Error, readable};

/// From the first byte of a request to the last of its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of these for the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a trust list.
const MAX_TRUST_BYTES: usize = 4 << 20;
/// Bytes of an answer to what was posted.
const MAX_ANSWER_BYTES: u64 = 1 << 20;
/// Times that a server may send on.
const MAX_REDIRECTS: usize = 3;

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A trust list (JSON).
    Trust,
    /// A status list token.
    StatusList,
}

impl SourceKind {
    /// `trust` or `status-list`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::StatusList => "status-list",
        }
    }

    pub(super) fn limit(self) -> usize {
        match self {
            Self::Trust => MAX_TRUST_BYTES,
            Self::StatusList => MAX_STATUS_TOKEN_BYTES,
        }
    }

    fn accept(self) -> &'static str {
        match self {
            Self::Trust => "application/json",
            // Token Status List, section 8.1.
            Self::StatusList => "application/statuslist+jwt, application/statuslist+cwt",
        }
    }

    /// Token Status List, section 8.2. Of a trust list its strict syntax says enough.
    fn takes(self, media_type: &str) -> bool {
        match self {
            Self::Trust => true,
            Self::StatusList => ["application/statuslist+jwt", "application/statuslist+cwt"].contains(&media_type),
        }
    }
}

/// What came of a fetch.
pub(super) enum Fetched {
    New { body: Vec<u8>, etag: Option<String>, max_age: Option<u64> },
    NotModified { max_age: Option<u64> },
}

/// Fetches over HTTPS, and over plain HTTP from this very machine. Blocks.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
}

impl Client {
    /// `authorities`: certificates (PEM) of those who may vouch for servers, in place of those that the platform trusts.
    ///
    /// # Errors
    /// What is wrong with `authorities`.
    pub(crate) fn new(authorities: Option<&[u8]>) -> Result<Self, String> {
        let roots = match authorities {
            None => RootCerts::PlatformVerifier,
            Some(pem) => {
                let items = parse_pem(pem).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
                let certificates = items.into_iter().filter_map(|item| match item {
                    PemItem::Certificate(certificate) => Some(certificate),
                    _ => None,
                });
                let certificates = certificates.collect::<Vec<_>>();
                if certificates.is_empty() {
                    return Err("there is no certificate in it".into());
                }
                RootCerts::from(certificates)
            }
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("bandpass/", env!("CARGO_PKG_VERSION")));
        Ok(Self { agent: agent.build().new_agent() })
    }

    /// Fetches what changed since `etag`. Redirects are followed (RFC 9110, section 15.4; Token Status List, section 8.2)
    /// where `may_fetch` and the rules for URLs allow it, and never from `https` to `http`.
    ///
    /// # Errors
    /// `fetch.*`.
    pub(super) fn fetch(
        &self,
        kind: SourceKind,
        url: &str,
        etag: Option<&str>,
        may_fetch: &dyn Fn(&str) -> bool,
    ) -> Result<Fetched, Error> {
        let mut uri = check_url(url)?;
        for _ in 0..=MAX_REDIRECTS {
            let mut response = self.get(kind, &uri, etag)?;
            let status = response.status();
            let max_age = max_age(&response);
            if status == StatusCode::NOT_MODIFIED && etag.is_some() {
                return Ok(Fetched::NotModified { max_age });
            }
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                let target = header(&response, LOCATION).unwrap_or_default();
                uri = redirected(&uri, target, may_fetch)?;
                continue;
            }
            if !status.is_success() {
                return Err(refused(&uri, status));
            }
            let media_type = header(&response, CONTENT_TYPE).unwrap_or_default();
            let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if !kind.takes(&media_type)
                || header(&response, CONTENT_ENCODING).is_some_and(|coding| coding != "identity")
            {
                let why =
                    format!("`{uri}` answered with `{}`, or encoded, not {}", readable(&media_type), kind.accept());
                return Err(Error::host(Code::FetchType, why));
            }
            let etag = header(&response, ETAG).map(ToOwned::to_owned);
            let limit = u64::try_from(kind.limit()).unwrap_or(u64::MAX);
            let body = response.body_mut().with_config().limit(limit).read_to_vec();
            let body = body.map_err(|error| failed(&uri, &error))?;
            return Ok(Fetched::New { body, etag, max_age });
        }
        Err(Error::host(Code::FetchRedirect, format!("`{url}` was sent on more than {MAX_REDIRECTS} times")))
    }

    /// Posts, and waits until the server has taken it. Redirects are not followed.
    ///
    /// # Errors
    /// `fetch.*`.
    pub(crate) fn post(
        &self,
        url: &str,
        media_type: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Result<(), Error> {
        let (status, _) = self.post_for(url, media_type, headers, body)?;
        match status.is_success() {
            true => Ok(()),
            false => Err(refused(&check_url(url)?, status)),
        }
    }

    /// The same for what the server answers.
    ///
    /// # Errors
    /// `fetch.*`.
    pub(crate) fn post_for(
        &self,
        url: &str,
        media_type: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Result<(StatusCode, Vec<u8>), Error> {
        let uri = check_url(url)?;
        let request = self.agent.post(uri.clone()).header(CONTENT_TYPE, media_type);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let mut answer = request.send(body).map_err(|error| failed(&uri, &error))?;
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        Ok((answer.status(), body.map_err(|error| failed(&uri, &error))?))
    }

    fn get(&self, kind: SourceKind, uri: &Uri, etag: Option<&str>) -> Result<Response<Body>, Error> {
        let mut request = self.agent.get(uri.clone()).header(ACCEPT, kind.accept());
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        request.call().map_err(|error| failed(uri, &error))
    }
}

/// Whether something may be fetched from there at all.
///
/// # Errors
/// `fetch.location`.
pub(crate) fn check_url(url: &str) -> Result<Uri, Error> {
    let refused = |why: &str| Err(Error::host(Code::FetchLocation, format!("`{}` {why}", readable(url))));
    let Ok(uri) = url.parse::<Uri>() else { return refused("is not a URL") };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return refused("is not an absolute URL");
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if scheme != "https" && !(scheme == "http" && is_here) {
        return refused("is neither `https` nor `http` to this machine");
    }
    if authority.as_str().contains('@') || url.contains('#') {
        return refused("has credentials or a fragment");
    }
    // A server may take them for the folder above, which nobody listed.
    let path = uri.path().to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace('\\', "/");
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return refused("has dots in place of a folder");
    }
    Ok(uri)
}

/// Where a server sends on to.
fn redirected(from: &Uri, target: &str, may_fetch: &dyn Fn(&str) -> bool) -> Result<Uri, Error> {
    let authority = from.authority().map(ToString::to_string).unwrap_or_default();
    let scheme = from.scheme_str().unwrap_or_default();
    let url = match target {
        absolute if absolute.contains("://") => absolute.to_owned(),
        same_scheme if same_scheme.starts_with("//") => format!("{scheme}:{same_scheme}"),
        same_host if same_host.starts_with('/') => format!("{scheme}://{authority}{same_host}"),
        beside => {
            let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{beside}")
        }
    };
    let allowed =
        check_url(&url).ok().filter(|to| !target.is_empty() && may_fetch(&url) && to.scheme() == from.scheme());
    allowed.ok_or_else(|| {
        let why = format!("`{from}` sent on to `{}`, from where nothing is fetched", readable(target));
        Error::host(Code::FetchRedirect, why)
    })
}

fn header(response: &Response<Body>, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// RFC 9111, section 5.2.2, in seconds.
fn max_age(response: &Response<Body>) -> Option<u64> {
    let directives = header(response, CACHE_CONTROL)?.split(',').map(str::trim);
    directives.filter_map(|directive| directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok()).min()
}

fn refused(uri: &Uri, status: StatusCode) -> Error {
    Error::host(Code::FetchStatus, format!("`{uri}` answered with status {}", status.as_u16()))
}

fn failed(uri: &Uri, error: &ureq::Error) -> Error {
    let code = match error {
        ureq::Error::Timeout(_) => Code::FetchTimeout,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Code::FetchConnect,
        ureq::Error::BodyExceedsLimit(_) => Code::FetchTooLarge,
        ureq::Error::Tls(_) | ureq::Error::Pem(_) | ureq::Error::Rustls(_) => Code::FetchTls,
        ureq::Error::Io(error) => match error.kind() {
            _ if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) => {
                Code::FetchTls
            }
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Code::FetchTimeout,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Code::FetchResponse
            }
            _ => Code::FetchConnect,
        },
        _ => Code::FetchResponse,
    };
    Error::host(code, format!("`{uri}`: {}", readable(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_https_or_here() {
        for good in [
            "https://wallet.example/status/1",
            "https://wallet.example:8443/status/1?page=2",
            "http://127.0.0.1:80/x",
            "http://localhost/x",
            "http://[::1]:8080/x",
            "https://wallet.example/a..b/...",
        ] {
            check_url(good).expect(good);
        }
        for bad in [
            "http://wallet.example/status/1",
            "http://127.0.0.1.example/x",
            "http://localhost.example/x",
            "ftp://127.0.0.1/x",
            "file:///etc/passwd",
            "https://user:secret@wallet.example/",
            "https://wallet.example/#x",
            "/status/1",
            "wallet.example",
            "",
            "https:///x",
            "https://wallet.example/status/../admin",
            "https://wallet.example/status/%2e%2E/admin",
            "https://wallet.example/status/x%2f..%2fadmin",
            "https://wallet.example/status/.",
        ] {
            assert_eq!(check_url(bad).expect_err(bad).code(), "fetch.location", "{bad}");
        }
    }

    #[test]
    fn redirects_stay_where_may_be_fetched() {
        let from = "https://wallet.example/status/1".parse::<Uri>().expect("a URL");
        let below = |url: &str| url.starts_with("https://wallet.example/status/");
        for (target, to) in [
            ("2", "https://wallet.example/status/2"),
            ("/status/a/3", "https://wallet.example/status/a/3"),
            ("//wallet.example/status/4", "https://wallet.example/status/4"),
            ("https://wallet.example/status/5", "https://wallet.example/status/5"),
        ] {
            assert_eq!(redirected(&from, target, &below).expect(target).to_string(), to);
        }
        for target in [
            "",
            "/",
            "../x",
            "/admin",
            "https://other.example/status/1",
            "//other.example/status/1",
            "http://localhost/x",
        ] {
            let refused = redirected(&from, target, &below).expect_err(target);
            assert_eq!(refused.code(), "fetch.redirect", "{target}");
        }
        assert!(redirected(&from, "http://localhost/x", &|_| true).is_err(), "never to plain HTTP");
        assert!(redirected(&from, "https://other.example/", &|_| true).is_ok());
    }
}
