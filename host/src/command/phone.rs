//! `bandpass phone`

use std::path::{Path, PathBuf};

use anyhow::Result;
use bandpass::{CredentialOffer, RegistryClient};
use bandpass_roles::device::{Chosen, PhoneDevice};
use bandpass_roles::os_rng;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::folder::{self, Folder};
use super::link::Link;
use super::radio::{Ask, ask};
use super::serving::clock;
use super::{Done, owner, tell};
use crate::{Verdict, input};

/// Be a simulated phone, which is paired with a band.
#[derive(Args)]
pub(crate) struct Phone {
    /// Where the phone keeps its keys.
    #[arg(long, value_name = "FOLDER", global = true, default_value = "bandpass-phone")]
    folder: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    command: PhoneCommand,
}

#[derive(Subcommand)]
enum PhoneCommand {
    /// Make a phone.
    Make,
    Pair(Pair),
    Renew(Renew),
    Lost(Lost),
    Pay(Pay),
}

/// Pair the phone with a band that is worn, unlocked and confirmed, and bring it its first credentials.
#[derive(Args)]
struct Pair {
    #[command(flatten)]
    renew: Renew,
    /// What `bandpass owner open` or `change-phone` printed.
    #[arg(long, value_name = "NONCE", allow_hyphen_values = true)]
    nonce: String,
}

/// Bring the band further credentials.
#[derive(Args)]
struct Renew {
    /// Folder of the band.
    #[arg(long, value_name = "FOLDER", default_value = "bandpass-band")]
    band: PathBuf,
    /// The registry's identifier: its `public_url`.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// How many credentials.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    count: u8,
}

/// Report the band lost that the phone is paired with.
#[derive(Args)]
struct Lost {
    /// The band's thumbprint.
    #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
    band: String,
    /// The registry's identifier: its `public_url`.
    #[arg(long, value_name = "URL")]
    registry: String,
}

/// Answer a link of `bandpass serve --demo` with the band. It takes unsigned requests only, which no real wallet
/// should.
#[derive(Args)]
struct Pay {
    /// Folder of the band.
    #[arg(long, value_name = "FOLDER", default_value = "bandpass-band")]
    band: PathBuf,
    /// How the phone makes sure of its owner (RFC 8176): `swk`, its key alone, `pin`, `fpt`, `face`.
    #[arg(long, value_name = "METHOD", default_value = "swk")]
    method: String,
    /// `wallet_url` of a challenge, or `-` for standard input.
    #[arg(value_name = "LINK|-")]
    link: String,
}

const FILE: &str = "phone.json";

impl Phone {
    pub(crate) fn run(self) -> Result<Verdict> {
        let folder = &self.folder;
        let done = match &self.command {
            PhoneCommand::Make => make(folder),
            PhoneCommand::Pair(pair) => pair.run(folder),
            PhoneCommand::Renew(renew) => renew.run(folder),
            PhoneCommand::Lost(lost) => lost.run(folder),
            PhoneCommand::Pay(pay) => {
                let answered = pay.present(folder).and_then(|(link, token)| link.answer(Some(&token)));
                return answered.or_else(|error| tell(Err(error), self.json));
            }
        };
        tell(done, self.json)
    }
}

fn make(folder: &Path) -> Result<Done> {
    let phone = PhoneDevice::new(&mut os_rng());
    folder::make(folder, FILE, &phone)?;
    let phone = phone.thumbprint();
    Ok(Done { line: format!("made phone {phone}"), json: json!({"phone": phone}) })
}

impl Pair {
    fn run(&self, folder: &Path) -> Result<Done> {
        let (folder, mut phone) = Folder::open::<PhoneDevice>(folder, FILE)?;
        let Renew { band, registry, .. } = &self.renew;
        let (client, key) = (RegistryClient::new(registry, None, clock)?, phone.key()?);
        let thumbprint = ask::<String>(band, &key, &Ask::Who)?;
        let asked = Ask::Pair { audience: client.identifier().into(), nonce: self.nonce.clone() };
        let by_band = ask::<String>(band, &key, &asked)?;
        let by_phone = phone.pair(client.identifier(), &thumbprint, &self.nonce, input::now(None)?)?;
        let offer = client.pair(&thumbprint, &by_phone, &by_band)?;
        self.renew.bring(&client, &offer, (folder, &mut phone), &thumbprint)
    }
}

impl Renew {
    fn run(&self, folder: &Path) -> Result<Done> {
        let (folder, mut phone) = Folder::open::<PhoneDevice>(folder, FILE)?;
        let (client, key) = (RegistryClient::new(&self.registry, None, clock)?, phone.key()?);
        let thumbprint = ask::<String>(&self.band, &key, &Ask::Who)?;
        let offer = client.offer(&key, &thumbprint)?;
        self.bring(&client, &offer, (folder, &mut phone), &thumbprint)
    }

    /// Fetches the credentials of an offer for the band.
    fn bring(
        &self,
        client: &RegistryClient,
        offer: &CredentialOffer,
        (mut folder, phone): (Folder, &mut PhoneDevice),
        band: &str,
    ) -> Result<Done> {
        let key = phone.key()?;
        let count = self.count;
        let credentials = client.credentials(offer, (phone, &mut folder), band, count.into(), &mut |batch| {
            let (audience, nonce) = (batch.audience.to_owned(), batch.nonce.to_owned());
            ask(&self.band, &key, &Ask::Batch { audience, nonce, epoch: batch.epoch, count })
        })?;
        let (brought, epoch) = (credentials.len(), offer.epoch);
        ask::<Value>(&self.band, &key, &Ask::TakeIn { credentials })?;
        Ok(Done {
            line: format!("band {band}: paired with {}, epoch {epoch}, {brought} credentials", key.thumbprint()),
            json: json!({"band": band, "phone": key.thumbprint(), "epoch": epoch, "credentials": brought}),
        })
    }
}

impl Lost {
    fn run(&self, folder: &Path) -> Result<Done> {
        let (_folder, phone) = Folder::open::<PhoneDevice>(folder, FILE)?;
        let client = RegistryClient::new(&self.registry, None, clock)?;
        Ok(owner::band(client.lost_by_phone(&phone.key()?, &self.band)?))
    }
}

impl Pay {
    /// The band's presentation, which the phone has approved.
    fn present(&self, folder: &Path) -> Result<(Link, String)> {
        let (_folder, phone) = Folder::open::<PhoneDevice>(folder, FILE)?;
        let link = Link::read(&self.link)?;
        let (key, request) = (phone.key()?, link.request()?);
        let chosen = ask::<Chosen>(&self.band, &key, &Ask::Choose { audience: request.audience.clone() })?;
        let approval = phone.approve(&request, &chosen, &[&self.method], input::now(None)?, &mut os_rng())?;
        let present = Ask::Present { request, disclose: vec!["sub".into()], approval: Some(approval) };
        let token = ask(&self.band, &key, &present)?;
        Ok((link, token))
    }
}
