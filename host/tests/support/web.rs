//! A web server that serves what a test tells it to, and counts.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

/// What is at a path.
#[derive(Clone, Default)]
pub(crate) struct Page {
    /// 200 unless given.
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) delay: Duration,
    /// Answered with status 500 before it is served.
    pub(crate) failures: usize,
}

impl Page {
    pub(crate) fn new(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { headers: vec![(CONTENT_TYPE.as_str(), media_type.into())], body: body.into(), ..Self::default() }
    }

    pub(crate) fn status_list(token: impl Into<Vec<u8>>) -> Self {
        Self::new("application/statuslist+jwt", token)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Requests of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hits {
    pub(crate) all: usize,
    /// Of these answered with 304.
    pub(crate) not_modified: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Web {
    pages: Arc<Mutex<BTreeMap<String, Page>>>,
    hits: Arc<Mutex<BTreeMap<String, Hits>>>,
    posted: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Web {
    /// Serves plain HTTP until the test is over.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let web = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = web.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (web, address)
    }

    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    pub(crate) fn put(&self, path: &str, page: Page) {
        self.pages.lock().expect("no panic").insert(path.into(), page);
    }

    /// What came with bodies, headers first.
    pub(crate) fn posted(&self) -> Vec<(HeaderMap, Bytes)> {
        self.posted.lock().expect("no panic").clone()
    }

    pub(crate) fn hits(&self, path: &str) -> Hits {
        self.hits.lock().expect("no panic").get(path).copied().unwrap_or_default()
    }
}

async fn answer(State(web): State<Web>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if !body.is_empty() {
        web.posted.lock().expect("no panic").push((headers.clone(), body));
    }
    let page = web.pages.lock().expect("no panic").get(uri.path()).cloned();
    let page = page.unwrap_or(Page { status: 404, ..Page::default() });
    tokio::time::sleep(page.delay).await;
    let etag = page.headers.iter().find(|(name, _)| *name == ETAG.as_str()).map(|(_, value)| value.as_bytes());
    let known = etag.is_some() && headers.get(IF_NONE_MATCH).map(axum::http::HeaderValue::as_bytes) == etag;
    let before = {
        let mut hits = web.hits.lock().expect("no panic");
        let hits = hits.entry(uri.path().into()).or_default();
        hits.all += 1;
        hits.not_modified += usize::from(known);
        hits.all - 1
    };
    let (status, body) = match (before < page.failures, known, page.status) {
        (true, ..) => (500, Vec::new()),
        (_, true, _) => (304, Vec::new()),
        (_, _, 0) => (200, page.body),
        (_, _, status) => (status, page.body),
    };
    let mut response = Response::builder().status(StatusCode::from_u16(status).expect("a status"));
    for (name, value) in page.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).expect("a response")
}
