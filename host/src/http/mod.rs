//! The host over HTTP: what merchants, their pages, wallets and operators ask of it.

mod body;
mod caller;
mod challenges;
mod dashboard;
mod decisions;
mod operator;
mod problem;
mod responses;
mod status_lists;
mod trace;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use governor::{DefaultKeyedRateLimiter, Quota};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::sync::broadcast;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;
use utoipa::OpenApi as _;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::body::{Form, Input};
use self::caller::{Address, Directory};
pub(crate) use self::caller::{bearer, key_id};
use self::decisions::Told;
use self::operator::Recent;
pub(crate) use self::problem::{Problem, ProblemDetails};
use crate::access::{Access, ClientFiles, ClientPrefix, ServerConfig};
use crate::answer::{Answer, Remembered};
use crate::config::Config;
use crate::error::{Code, Error};
use crate::host::Host;
use crate::openid4vp::{Client, Prefix};
use crate::refresh::{Refresher, SourceState};
use crate::webhooks::Webhooks;

/// Longest body: what the verifier takes (512 KiB), encrypted and encoded.
const MAX_BODY: usize = 1 << 20;
/// Longest time that a request may take; one may wait for a decision.
const MAX_TIME: Duration = Duration::from_secs(45);
/// Longest time that a request's header may take to arrive.
const MAX_HEADER_TIME: Duration = Duration::from_secs(10);
/// Longest header list of HTTP/2, in bytes. HTTP/1 has hyper's own bounds.
const MAX_HEADERS: u32 = 16 << 10;
/// Time that is left to requests when the server is to stop.
const MAX_STOP: Duration = Duration::from_secs(40);
/// Decisions that pages may lag behind before they look for themselves.
const MAX_TOLD: usize = 1_024;
/// Between two removals of addresses that have not called for a while.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// A host's server. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    app: App,
}

/// What every request can reach. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

struct Inner {
    host: Host,
    current: RwLock<Arc<Current>>,
    clock: fn() -> u64,
    told: broadcast::Sender<String>,
    recent: Mutex<VecDeque<Recent>>,
    callers: Callers,
    status_lists: Callers,
    refresher: Mutex<Refresher>,
    webhooks: Mutex<Webhooks>,
    open_api: String,
}

/// What a configuration says of the server.
pub(crate) struct Current {
    pub(crate) directory: Directory,
    pub(crate) demo: bool,
    pub(crate) wallet: String,
    public_url: String,
    behind_proxy: bool,
    merchants: BTreeMap<String, (Access, Option<Client>)>,
}

impl Current {
    fn new(config: &Config, server: &ServerConfig, demo: bool) -> Result<Self, Error> {
        let merchant = |(id, merchant): (&String, &crate::config::Merchant)| {
            let client = merchant.access.client.as_ref().map(|files| client(files, &server.public_url)).transpose()?;
            Ok((id.clone(), (merchant.access.clone(), client)))
        };
        Ok(Self {
            directory: Directory::new(config),
            demo,
            wallet: server.wallet.clone(),
            public_url: server.public_url.clone(),
            behind_proxy: server.behind_proxy,
            merchants: config.merchants.iter().map(merchant).collect::<Result<_, Error>>()?,
        })
    }

    pub(crate) fn access(&self, merchant: &str) -> Result<&Access, Problem> {
        let access = self.merchants.get(merchant).map(|(access, _)| access);
        access.ok_or_else(|| Problem::new(Code::MerchantUnknown, "the host has this merchant no more"))
    }

    pub(crate) fn client(&self, merchant: &str) -> Option<&Client> {
        self.merchants.get(merchant)?.1.as_ref()
    }

    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// Where wallets post their answers.
    pub(crate) fn response_uri(&self) -> String {
        self.address("/v1/responses")
    }

    fn tell_expiry(&self, host: &Host) {
        let with_client = self.merchants.iter().filter_map(|(id, (_, client))| Some((id, client.as_ref()?.expires())));
        host.meters().clients_expire(with_client);
    }

    fn is_page(&self, origin: &str) -> bool {
        self.merchants.values().any(|(access, _)| access.origins.iter().any(|known| known == origin))
    }
}

impl App {
    pub(crate) fn host(&self) -> &Host {
        &self.0.host
    }

    pub(crate) fn now(&self) -> Arc<Current> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn clock(&self) -> u64 {
        (self.0.clock)()
    }

    pub(crate) fn listen(&self) -> Told {
        Told(self.0.told.subscribe())
    }

    /// Tells everybody who waits that something became of a challenge.
    fn tell(&self, challenge: &Remembered, answer: Option<&Answer>) {
        // Nobody may be waiting.
        let _ = self.0.told.send(challenge.issued.id.clone());
        if let Some(answer) = answer {
            let (id, merchant) = (&*challenge.issued.id, &*challenge.merchant);
            let decision = answer.decision_id.as_ref().map_or("refused", |_| answer.decision());
            tracing::info!(id, merchant, decision, reason = answer.reason(), "answered");
            let mut recent = self.0.recent.lock().unwrap_or_else(PoisonError::into_inner);
            operator::remember(&mut recent, Recent::new(self.clock(), challenge, answer));
        }
    }

    fn sources(&self) -> Vec<SourceState> {
        self.0.refresher.lock().unwrap_or_else(PoisonError::into_inner).sources()
    }
}

/// Who called of late. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Callers(Arc<DefaultKeyedRateLimiter<String>>);

impl Callers {
    /// `rate`: requests a second of each.
    pub(crate) fn new(rate: u32) -> Self {
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        Self(Arc::new(DefaultKeyedRateLimiter::keyed(Quota::per_second(rate))))
    }

    /// Whether the caller may go on.
    fn allows(&self, caller: &str) -> bool {
        self.0.check_key(&caller.to_owned()).is_ok()
    }

    /// Answers within limits of rate and time.
    async fn limit(&self, caller: &str, request: Request, next: Next) -> Response {
        let mut response = match self.allows(caller) {
            false => Problem::new(Code::RequestRate, "too many requests; come back in a second").into_response(),
            true => match tokio::time::timeout(MAX_TIME, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Problem::new(Code::RequestTimeout, "the request took too long").into_response(),
            },
        };
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        }
        response
    }

    /// The same for callers who are known by nothing but their address.
    pub(crate) async fn guard(&self, behind_proxy: bool, request: Request, next: Next) -> Response {
        let address = Address::of(request.extensions(), request.headers(), behind_proxy);
        self.limit(&address.to_string(), request, next).await
    }
}

impl Server {
    /// A server for a host. `clock`: seconds since 1970 (UTC). With `demo` merchants without a certificate may send unsigned
    /// requests, which nobody but a wallet that is being tried should take.
    ///
    /// # Errors
    /// `config.malformed` if the configuration has no `[server]`, or a merchant's certificate can't be used.
    pub fn new(host: Host, config: &Config, clock: fn() -> u64, demo: bool) -> Result<Self, Error> {
        let server = server_of(config)?;
        let refresher = Refresher::start(&host, &config.sources, clock)?;
        let webhooks = Webhooks::start(&host, config.sources.authorities.as_deref(), clock)?;
        let current = Current::new(config, server, demo)?;
        current.tell_expiry(&host);
        let app = App(Arc::new(Inner {
            host,
            current: RwLock::new(Arc::new(current)),
            clock,
            told: broadcast::channel(MAX_TOLD).0,
            recent: Mutex::default(),
            callers: Callers::new(server.rate),
            status_lists: Callers::new(status_lists::RATE),
            refresher: Mutex::new(refresher),
            webhooks: Mutex::new(webhooks),
            open_api: Self::open_api(),
        }));
        Ok(Self { app })
    }

    /// Takes a changed configuration, the host's part too.
    ///
    /// # Errors
    /// As [`Server::new`] and [`Host::reload`]; then everything stays as it was.
    pub fn reload(&self, config: Config) -> Result<(), Error> {
        let current = Current::new(&config, server_of(&config)?, self.app.now().demo)?;
        let sources = config.sources.clone();
        self.app.host().reload(config, self.app.clock())?;
        let refresher = Refresher::start(self.app.host(), &sources, self.app.0.clock)?;
        let webhooks = Webhooks::start(self.app.host(), sources.authorities.as_deref(), self.app.0.clock)?;
        *self.app.0.refresher.lock().unwrap_or_else(PoisonError::into_inner) = refresher;
        *self.app.0.webhooks.lock().unwrap_or_else(PoisonError::into_inner) = webhooks;
        current.tell_expiry(self.app.host());
        *self.app.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
        Ok(())
    }

    /// The API, described (`OpenAPI` 3.1, JSON).
    #[must_use]
    pub fn open_api() -> String {
        let mut api = described().split_for_parts().1;
        close_flows(&mut api);
        api.to_pretty_json().unwrap_or_default()
    }

    /// Everything that it answers, for whoever serves it in another way.
    pub fn router(&self) -> Router {
        let app = &self.app;
        let cors = {
            let app = app.clone();
            let is_page =
                move |origin: &HeaderValue, _: &_| origin.to_str().is_ok_and(|origin| app.now().is_page(origin));
            CorsLayer::new()
                .allow_origin(AllowOrigin::predicate(is_page))
                .allow_methods([Method::GET, Method::POST])
                .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
                .max_age(Duration::from_hours(1))
        };
        let (router, _) = described().split_for_parts();
        with_fallbacks(router.route("/openapi.json", axum::routing::get(open_api)).merge(dashboard::routes()))
            .layer(cors)
            .layer(from_fn_with_state(app.clone(), guard))
            .with_state(app.clone())
    }

    /// Serves until `handle` stops it; then finishes what it has begun.
    ///
    /// # Errors
    /// `config.malformed` if the certificate can't be used, or `host.runtime` if it can't listen.
    pub async fn serve(&self, config: &Config, handle: Handle<SocketAddr>) -> Result<(), Error> {
        serve_router(server_of(config)?, self.router(), &self.app.0.callers, handle).await
    }
}

/// What every server of ours does with what it does not know, and with a panic.
pub(crate) fn with_fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(async || Problem::new(Code::RequestUnknown, "there is nothing at this address"))
        .method_not_allowed_fallback(async || Problem::new(Code::RequestMethod, "another HTTP method is needed here"))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(Code::HostRuntime, "a request ended in a panic").into_response()
        }))
}

/// Serves a router until `handle` stops it; then finishes what it has begun.
pub(crate) async fn serve_router(
    server: &ServerConfig,
    router: Router,
    callers: &Callers,
    handle: Handle<SocketAddr>,
) -> Result<(), Error> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let callers = callers.clone();
    let forgetting = tokio::spawn(async move {
        loop {
            tokio::time::sleep(FORGET_EVERY).await;
            callers.0.retain_recent();
        }
    });
    let failed = |error: std::io::Error| Error::host(Code::HostRuntime, format!("{}: {error}", server.listen));
    let served = match (&server.certificate, &server.key) {
        (Some(certificate), Some(key)) => {
            let malformed = |error: std::io::Error| {
                Error::host(Code::ConfigMalformed, format!("{}: {error}", certificate.display()))
            };
            let tls = RustlsConfig::from_pem_file(certificate, key).await.map_err(malformed)?;
            let mut serving = axum_server::bind_rustls(server.listen, tls).handle(handle);
            limit(serving.http_builder());
            serving.serve(service).await.map_err(failed)
        }
        _ => {
            let mut serving = axum_server::bind(server.listen).handle(handle);
            limit(serving.http_builder());
            serving.serve(service).await.map_err(failed)
        }
    };
    forgetting.abort();
    served
}

/// A merchant as wallets know it.
fn client(files: &ClientFiles, public_url: &str) -> Result<Client, Error> {
    let read = |path: &Path| {
        let failed = |error| Error::host(Code::HostInput, format!("{}: {error}", path.display()));
        std::fs::read(path).map_err(failed)
    };
    let prefix = match files.prefix {
        ClientPrefix::X509Hash => Prefix::X509Hash,
        ClientPrefix::X509SanDns => {
            let uri = public_url.parse::<axum::http::Uri>().ok();
            Prefix::X509SanDns(uri.and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default())
        }
    };
    Client::from_pem(&read(&files.certificates)?, &read(&files.key)?, &prefix)
}

/// Nobody keeps a connection by sending a header slowly, or fills memory with one.
fn limit(http: &mut Builder<TokioExecutor>) {
    http.http1().timer(TokioTimer::new()).header_read_timeout(MAX_HEADER_TIME);
    http.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEADERS).keep_alive_interval(MAX_HEADER_TIME);
}

/// Merchants whose certificates can't be used, and why.
pub(crate) fn wrong_clients(config: &Config, server: &ServerConfig) -> Vec<(String, Error)> {
    let wrong = |(id, merchant): (&String, &crate::config::Merchant)| {
        let files = merchant.access.client.as_ref()?;
        Some((id.clone(), client(files, &server.public_url).err()?))
    };
    config.merchants.iter().filter_map(wrong).collect()
}

fn server_of(config: &Config) -> Result<&ServerConfig, Error> {
    let missing = || Error::host(Code::ConfigMalformed, "the configuration has no `[server]`");
    config.server.as_ref().ok_or_else(missing)
}

/// Stops a server; what it has begun it finishes.
pub fn stop(handle: &Handle<SocketAddr>) {
    handle.graceful_shutdown(Some(MAX_STOP));
}

/// Limits of rate and time, and what every answer carries.
async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let current = app.now();
    let address = Address::of(request.extensions(), request.headers(), current.behind_proxy);
    let known = current.directory.caller(request.headers(), app.clock());
    let route = request.extensions().get::<MatchedPath>().map_or("other", |path| path.as_str()).to_owned();
    let span = trace::span(&request, &route, known.is_some());
    let caller = known.unwrap_or_else(|| address.to_string());
    let response = app.0.callers.limit(&caller, request, next).instrument(span.clone()).await;
    trace::ended(&span, response.status());
    app.host().meters().http(&route, response.status().as_u16(), begun.elapsed());
    response
}

async fn open_api(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.0.open_api.clone()).into_response()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Bandpass", description = "Challenges for band tokens, and decisions on them."),
    tags(
        (name = "merchant", description = "For merchants' servers, and for their pages with the secret of one challenge."),
        (name = "wallet", description = "For wallets (OpenID4VP 1.0)."),
        (name = "provider", description = "For wallet providers (Token Status List)."),
        (name = "operator", description = "For whoever runs the host."),
    ),
    modifiers(&Keys)
)]
struct Description;

struct Keys;

impl utoipa::Modify for Keys {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        for (name, what) in [
            ("merchant", "A merchant's API key."),
            ("page", "The `session_secret` of a challenge."),
            ("operator", "An operator's key."),
        ] {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// A flow takes no members that it does not know, which the derived schema does not say of an enum's variants.
fn close_flows(api: &mut utoipa::openapi::OpenApi) {
    let flows = api.components.iter_mut().filter_map(|components| components.schemas.get_mut("FlowRequest"));
    for flow in flows {
        let RefOr::T(Schema::OneOf(flows)) = flow else { continue };
        for flow in &mut flows.items {
            if let RefOr::T(Schema::Object(flow)) = flow {
                flow.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
        }
    }
}

/// Every route with its description.
fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(challenges::create))
        .routes(routes!(challenges::request, challenges::request_with_nonce))
        .routes(routes!(responses::respond))
        .routes(routes!(decisions::decision))
        .routes(routes!(decisions::events))
        .routes(routes!(decisions::void))
        .routes(routes!(challenges::step_up))
        .routes(routes!(decisions::receipt))
        .routes(routes!(status_lists::update))
        .routes(routes!(operator::jwks))
        .routes(routes!(operator::plugins))
        .routes(routes!(operator::overview))
        .routes(routes!(operator::health))
        .routes(routes!(operator::ready))
        .routes(routes!(operator::metrics))
}
