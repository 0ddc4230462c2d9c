//! The wallet provider's registry: whose a band is, which phone it is paired with, its credentials and their status.
//!
//! What becomes of a pairing is decided by [`bandpass_pairing`]; here signatures are verified before, and what follows is
//! written in one transaction.

mod changes;
mod client;
mod config;
mod http;
mod issuing;
mod lists;
mod proofs;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Method};
use bandpass_pairing::{Device, Event, Owner, StatusIndex, Thumbprint, Transition};
use bandpass_roles::{BandDetails, Issuer, os_rng};
use serde_json::{Map, Value};

pub use client::{AccountHolder, CredentialOffer, Opening, RegistryClient};
pub use config::RegistryConfig;
pub use http::RegistryServer;

use self::changes::{Batch, Found, Moment};
use self::lists::Published;
use self::proofs::{Authorized, Dpop, KEY_ATTESTATION, PAIRING, Role};
use self::rows::{Account, Band, Grant, StatusListRow, Ticket, TicketKind};
use crate::error::{Code, Error};
use crate::host::random_id;
use crate::store::{Keys, Store, Table};

/// Times that a change is tried anew because its band changed meanwhile.
const MAX_TRIES: u32 = 8;
/// Seconds for which an offer, an access token or a nonce can be used.
const TICKET_LIFETIME: u64 = 300;

/// A registry. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    config: RegistryConfig,
    issuer: Issuer,
    store: Store,
    clock: fn() -> u64,
    published: Mutex<BTreeMap<u32, Published>>,
    publishing: tokio::sync::Mutex<()>,
    tell: Option<lists::Teller>,
}

impl Registry {
    /// A registry that remembers in `store`. `clock`: seconds since 1970 (UTC).
    ///
    /// # Errors
    /// `host.runtime` if there is no thread to be had for telling hosts.
    pub fn new(config: RegistryConfig, store: Store, clock: fn() -> u64) -> Result<Self, Error> {
        let issuer = config.issuer();
        let tell = (!config.tell.is_empty()).then(|| lists::Teller::start(&config)).transpose()?;
        Ok(Self(Arc::new(Inner {
            config,
            issuer,
            store,
            clock,
            published: Mutex::default(),
            publishing: tokio::sync::Mutex::default(),
            tell,
        })))
    }

    /// Its entry in a trust list.
    #[must_use]
    pub fn trust_entry(&self) -> Value {
        self.config().trust_entry()
    }

    fn now(&self) -> u64 {
        (self.0.clock)()
    }

    fn moment(&self) -> Moment {
        let now = self.now();
        // A day more than they say, for verifiers whose clocks are behind.
        let expires = now.saturating_add((u64::from(self.config().valid_days) + 1) * 86_400);
        Moment { now, chain: self.config().name.clone(), expires }
    }

    fn config(&self) -> &RegistryConfig {
        &self.0.config
    }

    /// The issuer's identifier, and what is signed for it is addressed to.
    fn identifier(&self) -> &str {
        &self.config().server.public_url
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.identifier())
    }

    /// Puts an account down, with what its bands disclose of their owner. A `sub` is made up if there is none.
    async fn add_account(&self, key: Thumbprint, mut claims: Map<String, Value>) -> Result<Account, Error> {
        if !claims.contains_key("sub") {
            claims.insert("sub".into(), random_id()?.into());
        }
        let account = Account { key: rows::text(key), created: self.now(), claims };
        let chain = self.config().name.clone();
        let keys = Keys::at(account.created).row(Table::Account, &account.key).row(Table::Chain, &chain);
        let put = account.clone();
        self.0.store.transact(keys, move |rows| changes::add_account(rows, &chain, &put)).await?;
        Ok(account)
    }

    /// A `DPoP` proof for a request to this path.
    fn dpop(&self, headers: &HeaderMap, method: &Method, path: &str, token: Option<&str>) -> Result<Dpop, Error> {
        proofs::dpop(headers, method, &self.address(path), token, self.now())
    }

    /// Notes a proof, which must not have been seen before.
    async fn first_seen(&self, proof: Dpop) -> Result<(), Error> {
        let now = self.now();
        let seen = Ticket::new(&proof.id, TicketKind::Seen, now + 2 * proofs::PROOF_LIFETIME);
        let keys = Keys::at(now).row(Table::Ticket, Ticket::key_of(&proof.id));
        let unseen = self.0.store.transact(keys, move |rows| {
            let unseen = changes::ticket(rows, &proof.id, now)?.is_none();
            rows.put(&seen)?;
            Ok(unseen)
        });
        match unseen.await? {
            true => Ok(()),
            false => Err(Error::host(Code::DpopUsed, "the `DPoP` proof was used before")),
        }
    }

    /// The account's owner who makes a request: by an access token that is bound to the account's key.
    async fn owner(&self, headers: &HeaderMap, method: &Method, path: &str) -> Result<Owner, Error> {
        let token = proofs::bearer(headers)?;
        let proof = self.dpop(headers, method, path, Some(token))?;
        let by = &self.config().authorization_server;
        let Authorized { owner, sub } = proofs::access_token(token, by, self.identifier(), proof.key, self.now())?;
        self.first_seen(proof).await?;
        let name = rows::text(owner.key);
        let keys = Keys::at(self.now()).row(Table::Account, &name);
        let account = self.0.store.transact(keys, move |rows| changes::account(rows, &name)).await?;
        match account.claims.get("sub").and_then(Value::as_str) == Some(&sub) {
            true => Ok(owner),
            false => Err(Error::host(Code::AccessTokenKey, "the access token is another account's")),
        }
    }

    /// The phone that makes a request, by its key alone.
    async fn phone(&self, headers: &HeaderMap, method: &Method, path: &str) -> Result<Thumbprint, Error> {
        let proof = self.dpop(headers, method, path, None)?;
        let key = proof.key;
        self.first_seen(proof).await?;
        Ok(key)
    }

    /// What is known of a band.
    async fn device(&self, band: &str) -> Result<Option<Device>, Error> {
        let key = band.to_owned();
        let keys = Keys::at(self.now()).row(Table::Band, band);
        let row = self.0.store.transact(keys, move |rows| rows.get::<Band>(&key)).await?;
        row.map(|row| row.device(self.now())).transpose()
    }

    /// Applies an event to a band, in one transaction with all that follows from it.
    async fn change(&self, band: Thumbprint, event: Event) -> Result<Transition, Error> {
        let band = rows::text(band);
        for _ in 0..MAX_TRIES {
            let moment = self.moment();
            let known = self.device(&band).await?;
            let keys = changes::keys_of(&moment, &band, known.as_ref(), &[]);
            let (key, event) = (band.clone(), event.clone());
            let changed = self.0.store.transact(keys, move |rows| match changes::device(rows, &key, moment.now)? {
                Found::Known(device) => changes::change(rows, &moment, device.as_ref(), &event).map(Some),
                Found::Changed => Ok(None),
            });
            if let Some(transition) = changed.await? {
                self.published_is_old(transition.statuses.iter().map(|(index, _)| index.list));
                let (event, epoch) = (transition.event, transition.device.epoch);
                tracing::debug!(band, event, epoch, "changed");
                return Ok(transition);
            }
        }
        Err(Error::host(Code::HostOverloaded, "the band changes all the time"))
    }

    /// Enrols a band, by what it signed and what its maker attests.
    async fn enrol(&self, owner: Owner, proof: &str, attestation: Option<&str>) -> Result<Transition, Error> {
        let now = self.now();
        let band = proofs::statement(proof, PAIRING, Role::Band, self.identifier(), now)?.proof;
        let measures = match attestation {
            Some(attestation) => proofs::attested(attestation, &self.config().makers, band.by, now)?,
            None => BTreeSet::new(),
        };
        self.change(band.by, Event::Enrol { owner, band, measures }).await
    }

    /// Pairs a band with a phone, by what both signed over the nonce that the owner was given.
    async fn pair(&self, band: Thumbprint, phone: &str, by_band: &str) -> Result<Transition, Error> {
        let (now, us) = (self.now(), self.identifier());
        let phone = proofs::statement(phone, PAIRING, Role::Phone, us, now)?;
        let by_band = proofs::statement(by_band, PAIRING, Role::Band, us, now)?;
        let nonce = phone.text("nonce")?;
        if nonce != by_band.text("nonce")? || by_band.proof.by != band {
            return Err(bandpass_pairing::Code::Mismatch.into());
        }
        let nonce = rows::nonce_of(nonce);
        let nonce = nonce.ok_or_else(|| Error::host(Code::ProofMalformed, "`nonce` is none of this registry's"))?;
        self.change(band, Event::Pair { nonce, phone: phone.proof, band: by_band.proof }).await
    }

    /// Hands a ticket out: its secret.
    async fn hand_out(&self, is: TicketKind) -> Result<String, Error> {
        let (secret, now) = (random_id()?, self.now());
        let ticket = Ticket::new(&secret, is, now + TICKET_LIFETIME);
        let keys = Keys::at(now).row(Table::Ticket, Ticket::key_of(&secret));
        self.0.store.transact(keys, move |rows| rows.put(&ticket)).await?;
        Ok(secret)
    }

    /// An offer of credentials to the phone that a band is paired with.
    async fn offer(&self, band: Thumbprint, phone: Thumbprint) -> Result<String, Error> {
        let device = self.device(&rows::text(band)).await?.ok_or(bandpass_pairing::Code::Unknown)?;
        match device.phone {
            Some(paired) if paired == phone => {
                self.hand_out(TicketKind::Offer(Grant { band: rows::text(band), phone: rows::text(phone) })).await
            }
            Some(_) => Err(bandpass_pairing::Code::Locked.into()),
            None => Err(bandpass_pairing::Code::Unpaired.into()),
        }
    }

    /// Takes an offer up: an access token for the phone that it was made to.
    async fn take_up(&self, code: &str, phone: Thumbprint) -> Result<String, Error> {
        let (secret, now) = (random_id()?, self.now());
        let keys = Keys::at(now).row(Table::Ticket, Ticket::key_of(code)).row(Table::Ticket, Ticket::key_of(&secret));
        let (code, access) = (code.to_owned(), secret.clone());
        let taken = self.0.store.transact(keys, move |rows| {
            let unknown = || {
                Error::host(Code::OfferUnknown, "the offer is unknown, has expired, was used or is not to this phone")
            };
            let ticket = changes::ticket(rows, &code, now)?.ok_or_else(unknown)?;
            let TicketKind::Offer(grant) = ticket.is.clone() else { return Err(unknown()) };
            if grant.phone != rows::text(phone) {
                return Err(unknown());
            }
            rows.delete(&ticket);
            rows.put(&Ticket::new(&access, TicketKind::Access(grant), now + TICKET_LIFETIME))
        });
        taken.await.map(|()| secret)
    }

    /// What the access token of a request for credentials is for.
    async fn granted(&self, headers: &HeaderMap, method: &Method, path: &str) -> Result<Grant, Error> {
        let token = proofs::bearer(headers)?.to_owned();
        let proof = self.dpop(headers, method, path, Some(&token))?;
        let (key, now) = (rows::text(proof.key), self.now());
        let keys = Keys::at(now).row(Table::Ticket, Ticket::key_of(&token));
        let ticket = self.0.store.transact(keys, move |rows| changes::ticket(rows, &token, now)).await?;
        let grant = match ticket.map(|ticket| ticket.is) {
            Some(TicketKind::Access(grant)) if grant.phone == key => grant,
            Some(TicketKind::Access(_)) => {
                return Err(Error::host(Code::AccessTokenKey, "the access token is bound to another key"));
            }
            _ => return Err(Error::host(Code::AccessTokenExpired, "the access token is unknown or has expired")),
        };
        self.first_seen(proof).await?;
        Ok(grant)
    }

    /// Issues a batch of credentials: one for each key of the band, with the phone's key in the same place.
    ///
    /// `proof` is by one of the band's keys and carries the band's statement on all of them; `by_phone` is the phone's
    /// statement on its keys.
    async fn issue(&self, grant: &Grant, proof: &str, by_phone: &str) -> Result<Vec<String>, Error> {
        let (now, us) = (self.now(), self.identifier());
        let (proof, by_band) = proofs::key_proof(proof, us, now)?;
        let by_band = proofs::statement(&by_band, KEY_ATTESTATION, Role::Band, us, now)?;
        let by_phone = proofs::statement(by_phone, KEY_ATTESTATION, Role::Phone, us, now)?;
        let (band_keys, phone_keys) = (by_band.keys()?, by_phone.keys()?);
        if band_keys.is_empty()
            || band_keys.len() != phone_keys.len()
            || band_keys.len() > usize::try_from(self.config().batch).unwrap_or(usize::MAX)
        {
            return Err(Error::host(
                Code::IssueBatch,
                format!("from 1 to {} keys of the band, and as many of the phone", self.config().batch),
            ));
        }
        let (nonce, epoch) = (by_band.text("nonce")?.to_owned(), by_band.number("epoch")?);
        let nonces = [by_phone.text("nonce")?, proof.payload.get("nonce").and_then(Value::as_str).unwrap_or_default()];
        if nonces.iter().any(|other| *other != nonce) {
            return Err(Error::host(Code::ProofNonce, "not all is signed for one nonce"));
        }
        if by_phone.number("epoch")? != epoch {
            return Err(bandpass_pairing::Code::Superseded.into());
        }
        let names = rows::text;
        if names(by_band.proof.by) != grant.band {
            return Err(bandpass_pairing::Code::Mismatch.into());
        }
        let known = self.device(&grant.band).await?.ok_or(bandpass_pairing::Code::Unknown)?;
        // No two keys are one, nor a device's or an account's: they would link what is to be unlinkable.
        let mut keys = [known.band, known.owner, by_phone.proof.by].map(names).to_vec();
        keys.extend(band_keys.iter().chain(&phone_keys).map(|(_, thumbprint)| thumbprint.clone()));
        let count = keys.len();
        keys.sort();
        keys.dedup();
        if keys.len() < count || band_keys.iter().all(|(_, thumbprint)| *thumbprint != proof.thumbprint) {
            return Err(Error::host(
                Code::IssueKey,
                "a key is there twice, or a device's or account's; or the proof is by none of the batch",
            ));
        }
        let batch = Batch { epoch, phone: by_phone.proof, band: by_band.proof, count: band_keys.len(), nonce };
        let (device, account, indices) = self.allot(&grant.band, batch).await?;
        let measures = device.measures.iter().map(|measure| rows::name(*measure).to_owned()).collect::<Vec<_>>();
        let keys = band_keys.iter().zip(phone_keys.iter().zip(&indices));
        let credentials = keys.map(|((jwk, _), ((_, phone), index))| {
            let details = BandDetails {
                band_jwk: jwk.clone(),
                phone_thumbprint: phone.clone(),
                epoch,
                measures: measures.clone(),
                issued_at: now,
                valid_days: self.config().valid_days.into(),
                status_list: index.list,
                status_index: usize::try_from(index.idx).unwrap_or(usize::MAX),
                owner: account.claims.clone(),
            };
            self.0.issuer.issue(&details, &mut os_rng()).map_err(|error| Error::runtime(&error))
        });
        credentials.collect()
    }

    /// Gives a batch its status indices, in one transaction with all that follows from it.
    async fn allot(&self, band: &str, batch: Batch) -> Result<(Device, Account, Vec<StatusIndex>), Error> {
        let batch = Arc::new(batch);
        for _ in 0..MAX_TRIES {
            let moment = self.moment();
            let known = self.device(band).await?.ok_or(bandpass_pairing::Code::Unknown)?;
            let list = self.open_list().await?;
            let candidates = lists::candidates(&list, batch.count)?;
            let owner = rows::text(known.owner);
            let keys = changes::keys_of(&moment, band, Some(&known), &candidates)
                .row(Table::Ticket, Ticket::key_of(&batch.nonce))
                .row(Table::Account, &owner);
            let (key, batch) = (band.to_owned(), batch.clone());
            let issued = self.0.store.transact(keys, move |rows| {
                let Found::Known(device) = changes::device(rows, &key, moment.now)? else { return Ok(None) };
                let account = changes::account(rows, &owner)?;
                let issued = changes::issue(rows, &moment, device.as_ref(), &batch, list, &candidates)?;
                Ok(issued.map(|(transition, indices)| (transition.device, account, indices)))
            });
            if let Some(issued) = issued.await? {
                return Ok(issued);
            }
        }
        Err(Error::host(Code::HostOverloaded, "the band changes all the time"))
    }

    /// The list that new credentials get their indices in.
    async fn open_list(&self) -> Result<StatusListRow, Error> {
        let keys = Keys::at(self.now()).whole(Table::StatusList);
        let lists = self.0.store.transact(keys, |rows| rows.all::<StatusListRow>()).await?;
        let newest = lists.into_iter().max_by_key(|list| list.number);
        let next = newest.as_ref().map_or(1, |list| list.number.saturating_add(1));
        Ok(match newest {
            Some(list) if list.given < list.entries / 2 => list,
            _ => StatusListRow::new(next, self.config().status_entries),
        })
    }
}
