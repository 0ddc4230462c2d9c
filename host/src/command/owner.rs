//! `bandpass owner`

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bandpass::{AccountHolder, Opening, RegistryClient};
use bandpass_roles::registry::{Account as Subject, AuthorizationServer};
use bandpass_roles::{Key, os_rng};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::radio::{Ask, Enrolment, ask};
use super::serving::clock;
use super::{Done, folder, tell};
use crate::{Verdict, input};

/// Be the owner of an account at a registry, whose key is on neither phone nor band.
#[derive(Args)]
pub(crate) struct Owner {
    /// Where the account's key is kept.
    #[arg(long, value_name = "FOLDER", global = true, default_value = "bandpass-owner")]
    folder: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    command: OwnerCommand,
}

#[derive(Subcommand)]
enum OwnerCommand {
    Make(Make),
    Enrol(Enrol),
    /// Open a pairing of a band that is paired with no phone: prints the nonce that `bandpass phone pair` takes.
    Open(Of),
    /// The same for a band that is paired with another phone, which stays so until the new one takes it up.
    ChangePhone(Of),
    /// Report a band lost.
    Lost(Of),
    /// Say that it was found.
    Found(Of),
    /// End its pairing for good.
    Deactivate(Of),
}

/// Make an account's key, and open the account.
#[derive(Args)]
struct Make {
    /// The registry's identifier: its `public_url`.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// A key of one of the registry's operators.
    #[arg(long, value_name = "KEY", env = "BANDPASS_OPERATOR_KEY", hide_env_values = true)]
    operator_key: String,
    /// What the account's bands may disclose of their owner: a file with a JSON object.
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
}

/// Enrol a band that is worn, unlocked and confirmed.
#[derive(Args)]
struct Enrol {
    /// Folder of the band.
    #[arg(long, value_name = "FOLDER", default_value = "bandpass-band")]
    band: PathBuf,
    #[command(flatten)]
    authorized: Authorized,
}

/// A band of the account.
#[derive(Args)]
struct Of {
    /// The band's thumbprint.
    #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
    band: String,
    #[command(flatten)]
    authorized: Authorized,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Authorized {
    /// Access token by the wallet provider's authorization server, bound to the account's key.
    #[arg(long, value_name = "TOKEN", env = "BANDPASS_ACCESS_TOKEN", hide_env_values = true)]
    access_token: Option<String>,
    /// The authorization server's own key, to make a token with: a file with a private JWK and `iss`. For trying.
    #[arg(long, value_name = "FILE")]
    authorization_server: Option<PathBuf>,
}

/// An account, as it is kept.
#[derive(Serialize, Deserialize)]
struct Account {
    key: Value,
    registry: String,
    sub: String,
}

const FILE: &str = "owner.json";

impl Owner {
    pub(crate) fn run(self) -> Result<Verdict> {
        let done = match &self.command {
            OwnerCommand::Make(make) => make.run(&self.folder),
            OwnerCommand::Enrol(enrol) => At::registry(&self.folder, &enrol.authorized).and_then(|at| enrol.run(&at)),
            OwnerCommand::Open(of) => of.opened(&self.folder, RegistryClient::open),
            OwnerCommand::ChangePhone(of) => of.opened(&self.folder, RegistryClient::change_phone),
            OwnerCommand::Lost(of) => of.changed(&self.folder, RegistryClient::lost),
            OwnerCommand::Found(of) => of.changed(&self.folder, RegistryClient::found),
            OwnerCommand::Deactivate(of) => of.changed(&self.folder, RegistryClient::deactivate),
        };
        tell(done, self.json)
    }
}

/// An owner who is known at the registry.
struct At {
    client: RegistryClient,
    key: Key,
    access_token: String,
}

impl At {
    fn registry(folder: &Path, authorized: &Authorized) -> Result<Self> {
        let Account { key, registry, sub } = folder::read(&folder.join(FILE))?;
        let key = Key::from_private_jwk(&key)?;
        let now = input::now(None)?;
        let access_token = match (&authorized.access_token, &authorized.authorization_server) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => {
                let (issuer, by) = folder::signer(file)?;
                let account = Subject { sub: &sub, key_thumbprint: &key.thumbprint(), verified_at: Some(now) };
                AuthorizationServer { issuer, key: by }.access_token(&registry, &account, now, &mut os_rng())
            }
            (None, None) => bail!("an access token is needed"),
        };
        Ok(Self { client: RegistryClient::new(&registry, None, clock)?, key, access_token })
    }

    fn holder(&self) -> AccountHolder<'_> {
        AccountHolder { key: &self.key, access_token: &self.access_token }
    }
}

impl Make {
    fn run(&self, folder: &Path) -> Result<Done> {
        if folder.join(FILE).exists() {
            bail!("{}: there is an owner already", folder.display());
        }
        let claims = match &self.claims {
            Some(file) => folder::read::<Map<String, Value>>(file)?,
            None => Map::new(),
        };
        let key = Key::generate(&mut os_rng());
        let client = RegistryClient::new(&self.registry, None, clock)?;
        let sub = client.create_account(&self.operator_key, &key.thumbprint(), &claims)?;
        let line = format!("opened account {sub}");
        let json = json!({"sub": sub, "key": key.thumbprint()});
        folder::make(folder, FILE, &Account { key: key.to_private_jwk(), registry: self.registry.clone(), sub })?;
        Ok(Done { line, json })
    }
}

impl Enrol {
    fn run(&self, at: &At) -> Result<Done> {
        let enrol = Ask::Enrol { audience: at.client.identifier().into() };
        let Enrolment { proof, attestation } = ask(&self.band, &at.key, &enrol)?;
        Ok(band(at.client.enrol(at.holder(), &proof, attestation.as_deref())?))
    }
}

impl Of {
    fn opened(
        &self,
        folder: &Path,
        open: impl Fn(&RegistryClient, AccountHolder<'_>, &str) -> Result<Opening, bandpass::Error>,
    ) -> Result<Done> {
        let at = At::registry(folder, &self.authorized)?;
        let Opening { nonce, expires } = open(&at.client, at.holder(), &self.band)?;
        Ok(Done { line: nonce.clone(), json: json!({"nonce": nonce, "expires": expires}) })
    }

    fn changed(
        &self,
        folder: &Path,
        change: impl Fn(&RegistryClient, AccountHolder<'_>, &str) -> Result<Value, bandpass::Error>,
    ) -> Result<Done> {
        let at = At::registry(folder, &self.authorized)?;
        Ok(band(change(&at.client, at.holder(), &self.band)?))
    }
}

/// What the registry knows of a band now.
pub(super) fn band(known: Value) -> Done {
    let text = |name: &str| known.get(name).and_then(Value::as_str).unwrap_or_default();
    let measures = known.get("band_measures").and_then(Value::as_array).into_iter().flatten();
    let measures = measures.filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let measures = if measures.is_empty() { "nothing".into() } else { measures };
    let epoch = known.get("epoch").and_then(Value::as_u64).unwrap_or_default();
    let line = format!("band {}: {}, epoch {epoch}, senses {measures}", text("band"), text("state"));
    Done { line, json: known }
}
