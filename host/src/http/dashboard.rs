//! The operator's page: static files in the program, which ask for `/v1/overview`.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::App;

/// Nothing from elsewhere, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(async || file("text/html", include_str!("dashboard/index.html"))))
        .route("/dashboard.css", get(async || file("text/css", include_str!("dashboard/dashboard.css"))))
        .route("/dashboard.js", get(async || file("text/javascript", include_str!("dashboard/dashboard.js"))))
}

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    let kind = format!("{kind}; charset=utf-8");
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY.to_owned())], content)
}
