//! `bandpass wallet`

use std::path::PathBuf;

use anstream::println;
use anyhow::{Context as _, Result, bail};
use axum::extract::Query;
use axum::http::Uri;
use bandpass_roles::{Key, Phone, Request, os_rng};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::demo_host::{issue, issuer};
use crate::{Verdict, input};

/// Answer a link of `bandpass serve --demo`, as a wallet of the demonstration: Lin's band and phone, with a new credential each
/// time. It takes unsigned requests only, which no real wallet should.
#[derive(Args)]
pub(crate) struct Wallet {
    /// Folder of the demonstration, with the wallet provider's key.
    #[arg(long, value_name = "FOLDER", default_value = "bandpass-demo")]
    folder: PathBuf,
    /// How the phone makes sure of its owner (RFC 8176): `swk`, its key alone, `pin`, `fpt`, `face`.
    #[arg(long, value_name = "METHOD", default_value = "swk")]
    method: String,
    /// Decline.
    #[arg(long)]
    decline: bool,
    /// `wallet_url` of a challenge, or `-` for standard input.
    #[arg(value_name = "LINK|-")]
    link: String,
}

/// An unsigned request in a link (OpenID4VP 1.0, section 5).
#[derive(Deserialize)]
struct Asked {
    client_id: String,
    response_uri: String,
    response_mode: String,
    nonce: String,
    state: String,
    dcql_query: String,
    #[serde(default)]
    transaction_data: Option<String>,
}

impl Wallet {
    pub(crate) fn run(self) -> Result<Verdict> {
        let link = match self.link.as_str() {
            "-" => String::from_utf8(input::token("-")?).context("the link is no text")?,
            link => link.to_owned(),
        };
        let (_, query) = link.trim().split_once('?').context("the link has no request in it")?;
        let uri = format!("http://localhost/?{query}").parse::<Uri>().context("the link is malformed")?;
        let Query(asked) = Query::<Asked>::try_from_uri(&uri).context("the link carries no unsigned request")?;
        if asked.response_mode != "direct_post" || asked.client_id != format!("redirect_uri:{}", asked.response_uri) {
            bail!("this wallet takes the unsigned requests of `bandpass serve --demo` only");
        }
        let form = match self.decline {
            true => vec![("error", "access_denied".to_owned()), ("state", asked.state)],
            false => vec![("vp_token", self.present(&asked)?), ("state", asked.state.clone())],
        };
        let mut answer = ureq::post(&asked.response_uri)
            .config()
            .http_status_as_error(false)
            .build()
            .send_form(form)
            .with_context(|| asked.response_uri.clone())?;
        println!("{}", answer.body_mut().read_to_string()?);
        Ok(if answer.status().is_success() { Verdict::Accepted } else { Verdict::Rejected })
    }

    /// A VP Token: for each query the same presentation would do, so the first is answered.
    fn present(&self, asked: &Asked) -> Result<String> {
        let now = input::now(None)?;
        let rng = &mut os_rng();
        let (key, phone) = (Key::generate(rng), Phone::new(Key::generate(rng)));
        let mut band = issue(&issuer(&self.folder)?, &key, &phone, now)?;
        band.put_on(now.saturating_sub(3_600));
        band.unlock(now.saturating_sub(3_000));
        let transaction_data = asked.transaction_data.as_deref().map(serde_json::from_str).transpose()?;
        let request = Request {
            audience: asked.client_id.clone(),
            nonce: asked.nonce.clone(),
            transaction_data: transaction_data.unwrap_or_default(),
        };
        let approval = phone.approve(&request, &band.thumbprint(), &[&self.method], now, rng);
        let token = band.present(&request, &["sub"], Some(&approval), now, rng);
        let dcql = serde_json::from_str::<Value>(&asked.dcql_query)?;
        let id = dcql.pointer("/credentials/0/id").and_then(Value::as_str).context("the request asks for nothing")?;
        Ok(json!({id: [token]}).to_string())
    }
}
