//! Links that open a wallet, of `bandpass serve --demo`.

use anstream::println;
use anyhow::{Context as _, Result, bail};
use axum::extract::Query;
use axum::http::Uri;
use bandpass_roles::Request;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Verdict, input};

/// An unsigned request in a link (OpenID4VP 1.0, section 5).
#[derive(Deserialize)]
pub(super) struct Link {
    client_id: String,
    response_uri: String,
    response_mode: String,
    nonce: String,
    state: String,
    dcql_query: String,
    #[serde(default)]
    transaction_data: Option<String>,
}

impl Link {
    /// `-`: from standard input.
    pub(super) fn read(link: &str) -> Result<Self> {
        let link = match link {
            "-" => String::from_utf8(input::token("-")?).context("the link is no text")?,
            link => link.to_owned(),
        };
        let (_, query) = link.trim().split_once('?').context("the link has no request in it")?;
        let uri = format!("http://localhost/?{query}").parse::<Uri>().context("the link is malformed")?;
        let Query(asked) = Query::<Self>::try_from_uri(&uri).context("the link carries no unsigned request")?;
        if asked.response_mode != "direct_post" || asked.client_id != format!("redirect_uri:{}", asked.response_uri) {
            bail!("this wallet takes the unsigned requests of `bandpass serve --demo` only");
        }
        Ok(asked)
    }

    /// What is to be signed.
    pub(super) fn request(&self) -> Result<Request> {
        let transaction_data = self.transaction_data.as_deref().map(serde_json::from_str).transpose()?;
        Ok(Request {
            audience: self.client_id.clone(),
            nonce: self.nonce.clone(),
            transaction_data: transaction_data.unwrap_or_default(),
        })
    }

    /// Sends a presentation, or that the user declines; prints what comes back.
    pub(super) fn answer(&self, presentation: Option<&str>) -> Result<Verdict> {
        let answer = match presentation {
            Some(presentation) => ("vp_token", self.vp_token(presentation)?),
            None => ("error", "access_denied".to_owned()),
        };
        let mut answer = ureq::post(&self.response_uri)
            .config()
            .http_status_as_error(false)
            .build()
            .send_form([answer, ("state", self.state.clone())])
            .with_context(|| self.response_uri.clone())?;
        println!("{}", answer.body_mut().read_to_string()?);
        Ok(if answer.status().is_success() { Verdict::Accepted } else { Verdict::Rejected })
    }

    /// A VP Token: for each query the same presentation would do, so the first is answered.
    fn vp_token(&self, presentation: &str) -> Result<String> {
        let dcql = serde_json::from_str::<Value>(&self.dcql_query)?;
        let id = dcql.pointer("/credentials/0/id").and_then(Value::as_str).context("the request asks for nothing")?;
        Ok(json!({id: [presentation]}).to_string())
    }
}
