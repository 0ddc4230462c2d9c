//! `bandpass wallet`

use std::path::PathBuf;

use anyhow::Result;
use bandpass_roles::{Key, Phone, os_rng};
use clap::Args;

use super::demo_host::{issue, issuer};
use super::link::Link;
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

impl Wallet {
    pub(crate) fn run(self) -> Result<Verdict> {
        let asked = Link::read(&self.link)?;
        let token = match self.decline {
            true => None,
            false => Some(self.present(&asked)?),
        };
        asked.answer(token.as_deref())
    }

    fn present(&self, asked: &Link) -> Result<String> {
        let now = input::now(None)?;
        let rng = &mut os_rng();
        let (key, phone) = (Key::generate(rng), Phone::new(Key::generate(rng)));
        let mut band = issue(&issuer(&self.folder)?, &key, &phone, now)?;
        band.put_on(now.saturating_sub(3_600));
        band.unlock(now.saturating_sub(3_000));
        let request = asked.request()?;
        let approval = phone.approve(&request, &band.thumbprint(), &[&self.method], now, rng);
        Ok(band.present(&request, &["sub"], Some(&approval), now, rng))
    }
}
