//! A simulated band and a simulated phone as devices: they keep their keys and credentials, and know what they may sign for
//! whom. What they remember is JSON, for whoever keeps it.
//!
//! The band signs for the one phone that it is paired with, and only while it is worn and unlocked. It forgets both when it is
//! taken off, and is unlocked by its wearer's PIN. A counter is raised, and kept, before its key signs.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::elliptic_curve::rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::registry::{Role, Statement, key_proof};
use crate::{Band, Key, Phone, Request, sha256_base64url};

/// Wrong PINs in a row after which a band takes none any more until it is set up anew.
const MAX_WRONG_PINS: u32 = 5;

/// Why a device refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The band is not worn.
    #[serde(rename = "band.not-worn")]
    NotWorn,
    /// The band is locked.
    #[serde(rename = "band.locked")]
    Locked,
    /// Its wearer has to act on the band first.
    #[serde(rename = "band.unconfirmed")]
    Unconfirmed,
    /// It is not the PIN, or too many were wrong.
    #[serde(rename = "band.pin")]
    Pin,
    /// The band is paired with another phone.
    #[serde(rename = "band.other-phone")]
    OtherPhone,
    /// There is no credential for this key, or none that is unused.
    #[serde(rename = "band.no-credential")]
    NoCredential,
    /// What it remembers can't be kept.
    #[serde(rename = "band.store")]
    Store,
}

impl Refusal {
    /// Stable code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotWorn => "band.not-worn",
            Self::Locked => "band.locked",
            Self::Unconfirmed => "band.unconfirmed",
            Self::Pin => "band.pin",
            Self::OtherPhone => "band.other-phone",
            Self::NoCredential => "band.no-credential",
            Self::Store => "band.store",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NotWorn => "the band is not worn",
            Self::Locked => "the band is locked",
            Self::Unconfirmed => "its wearer has to act on the band first",
            Self::Pin => "it is not the PIN, or too many were wrong",
            Self::OtherPhone => "the band is paired with another phone, or with none",
            Self::NoCredential => "there is no credential for this key, or none that is unused",
            Self::Store => "what it remembers can't be kept",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Refusal {}

/// Keeps what a device remembers, durably, before it goes on.
pub trait Keep {
    /// What the device is from now on.
    ///
    /// # Errors
    /// If it can't be kept; then nothing is signed.
    fn keep(&mut self, device: &Value) -> Result<(), Refusal>;
}

/// In memory.
impl Keep for () {
    fn keep(&mut self, _: &Value) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A band.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BandDevice {
    key: Value,
    pin_sha256: String,
    wrong_pins: u32,
    worn_since: Option<u64>,
    unlocked_at: Option<u64>,
    confirmed: bool,
    /// Thumbprint of the phone's key.
    phone: Option<String>,
    /// That of the phone which its wearer last had it sign to be paired with.
    agreed: Option<String>,
    credentials: Vec<Held>,
}

/// A key of a batch, and its credential once it is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    key: Value,
    credential: Option<String>,
    /// Whom it was shown to, and to nobody else (band profile, section Credential).
    audience: Option<String>,
    counter: u64,
}

/// A batch of credentials that is to be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The registry's identifier.
    pub audience: &'a str,
    /// The registry's, for this batch.
    pub nonce: &'a str,
    /// Epoch of the pairing.
    pub epoch: u64,
    /// How many credentials.
    pub count: usize,
}

/// What a presentation shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// Names of the owner's claims.
    pub disclose: &'a [&'a str],
    /// The phone's approval.
    pub approval: Option<&'a str>,
}

impl BandDevice {
    /// A band as its maker hands it out, with the PIN that its wearer chose.
    #[must_use]
    pub fn new(pin: &str, rng: &mut impl CryptoRng) -> Self {
        Self {
            key: Key::generate(rng).to_private_jwk(),
            pin_sha256: sha256_base64url(pin.as_bytes()),
            wrong_pins: 0,
            worn_since: None,
            unlocked_at: None,
            confirmed: false,
            phone: None,
            agreed: None,
            credentials: Vec::new(),
        }
    }

    /// RFC 7638 thumbprint of the band's own key.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        key(&self.key).map(|key| key.thumbprint()).unwrap_or_default()
    }

    /// The phone that it signs for.
    #[must_use]
    pub fn phone(&self) -> Option<&str> {
        self.phone.as_deref()
    }

    /// Puts it on. It is locked until [`BandDevice::unlock`].
    ///
    /// # Errors
    /// [`Refusal::Store`].
    pub fn put_on(&mut self, now: u64, keep: &mut impl Keep) -> Result<(), Refusal> {
        (self.worn_since, self.unlocked_at, self.confirmed) = (Some(now), None, false);
        self.kept(keep)
    }

    /// Takes it off, which locks it.
    ///
    /// # Errors
    /// [`Refusal::Store`].
    pub fn take_off(&mut self, keep: &mut impl Keep) -> Result<(), Refusal> {
        (self.worn_since, self.unlocked_at, self.confirmed) = (None, None, false);
        self.kept(keep)
    }

    /// Unlocks it on the wrist.
    ///
    /// # Errors
    /// [`Refusal::NotWorn`], [`Refusal::Pin`] or [`Refusal::Store`].
    pub fn unlock(&mut self, pin: &str, now: u64, keep: &mut impl Keep) -> Result<(), Refusal> {
        let worn = self.worn_since.ok_or(Refusal::NotWorn)?;
        if self.wrong_pins >= MAX_WRONG_PINS || sha256_base64url(pin.as_bytes()) != self.pin_sha256 {
            self.wrong_pins = self.wrong_pins.saturating_add(1);
            self.kept(keep)?;
            return Err(Refusal::Pin);
        }
        (self.wrong_pins, self.unlocked_at) = (0, Some(now.max(worn)));
        self.kept(keep)
    }

    /// Its wearer acts on it: counts for what it signs next.
    ///
    /// # Errors
    /// [`Refusal::NotWorn`], [`Refusal::Locked`] or [`Refusal::Store`].
    pub fn confirm(&mut self, keep: &mut impl Keep) -> Result<(), Refusal> {
        self.is_unlocked()?;
        self.confirmed = true;
        self.kept(keep)
    }

    /// Signs to be enrolled (no nonce) or paired (the opening's), naming the account's or the phone's key. Its wearer has to
    /// have acted on it: a phone alone can't ask for that.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn pair(
        &mut self,
        audience: &str,
        names: &str,
        nonce: Option<&str>,
        now: u64,
        keep: &mut impl Keep,
    ) -> Result<String, Refusal> {
        self.is_unlocked()?;
        if !std::mem::take(&mut self.confirmed) {
            return Err(Refusal::Unconfirmed);
        }
        if nonce.is_some() {
            self.agreed = Some(names.into());
        }
        self.kept(keep)?;
        Ok(Statement { role: Role::Band, audience, names, now }.pairing(&key(&self.key)?, nonce))
    }

    /// Makes keys for a batch, and signs for them: the proof by one of them, with the band's statement on all of them in its
    /// header. Any phone may ask: the registry knows which one is paired.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn batch(
        &mut self,
        batch: &Batch<'_>,
        phone: &str,
        now: u64,
        rng: &mut impl CryptoRng,
        keep: &mut impl Keep,
    ) -> Result<String, Refusal> {
        self.is_unlocked()?;
        let &Batch { audience, nonce, epoch, count } = batch;
        let keys = (0..count).map(|_| Key::generate(rng)).collect::<Vec<_>>();
        // Those of an earlier batch that never came are given up.
        self.credentials.retain(|held| held.credential.is_some());
        self.credentials.extend(keys.iter().map(|key| Held {
            key: key.to_private_jwk(),
            credential: None,
            audience: None,
            counter: 0,
        }));
        self.kept(keep)?;
        let statement = Statement { role: Role::Band, audience, names: phone, now };
        let attestation = statement.keys(&key(&self.key)?, nonce, epoch, &keys);
        let first = keys.first().ok_or(Refusal::NoCredential)?;
        Ok(key_proof(first, audience, nonce, &attestation, now))
    }

    /// Takes the credentials of a batch in. From then on it signs for the phone that brought them, and for no other: what an
    /// earlier one brought is given up. Its wearer has to have agreed to that phone ([`BandDevice::pair`]).
    ///
    /// # Errors
    /// [`Refusal::OtherPhone`] if they are brought by neither, [`Refusal::NoCredential`] if they are for other keys than the
    /// batch's, or [`Refusal::Store`].
    pub fn take_in(&mut self, phone: &str, credentials: &[String], keep: &mut impl Keep) -> Result<(), Refusal> {
        let mut changed = self.clone();
        if changed.phone.as_deref() != Some(phone) {
            if changed.agreed.as_deref() != Some(phone) {
                return Err(Refusal::OtherPhone);
            }
            changed.credentials.retain(|held| held.credential.is_none());
        }
        for credential in credentials {
            let bound = claim(credential, "/cnf/jwk/x");
            let mut waiting = changed.credentials.iter_mut().filter(|held| held.credential.is_none());
            let held = waiting.find(|held| bound.is_some() && held.key.get("x") == bound.as_ref());
            held.ok_or(Refusal::NoCredential)?.credential = Some(credential.clone());
        }
        changed.phone = Some(phone.into());
        *self = changed;
        self.kept(keep)
    }

    /// The credential that is for this audience: thumbprints of its own key and of the phone's key that it names. The first
    /// time one that nobody has seen is taken.
    ///
    /// # Errors
    /// [`Refusal::OtherPhone`], [`Refusal::NoCredential`] or [`Refusal::Store`].
    pub fn choose(&mut self, phone: &str, audience: &str, keep: &mut impl Keep) -> Result<Chosen, Refusal> {
        self.is_paired_with(phone)?;
        let place = |wanted: Option<&str>| {
            let is = |held: &Held| held.credential.is_some() && held.audience.as_deref() == wanted;
            self.credentials.iter().position(is)
        };
        let place = place(Some(audience)).or_else(|| place(None)).ok_or(Refusal::NoCredential)?;
        let held = self.credentials.get_mut(place).ok_or(Refusal::NoCredential)?;
        held.audience = Some(audience.into());
        let names = held.credential.as_deref().and_then(|credential| claim(credential, "/pairing/jkt"));
        let chosen = Chosen {
            band_thumbprint: key(&held.key)?.thumbprint(),
            phone_thumbprint: names.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        self.kept(keep)?;
        Ok(chosen)
    }

    /// Signs a presentation for the phone that it is paired with.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn present(
        &mut self,
        phone: &str,
        request: &Request,
        shown: &Shown<'_>,
        now: u64,
        rng: &mut impl CryptoRng,
        keep: &mut impl Keep,
    ) -> Result<String, Refusal> {
        self.is_paired_with(phone)?;
        self.is_unlocked()?;
        let (worn_since, unlocked_at) = (self.worn_since, self.unlocked_at);
        let confirmed = std::mem::take(&mut self.confirmed);
        let mut held = self.credentials.iter_mut();
        let held =
            held.find(|held| held.audience.as_deref() == Some(&request.audience)).ok_or(Refusal::NoCredential)?;
        let credential = held.credential.clone().ok_or(Refusal::NoCredential)?;
        let counter = held.counter;
        held.counter = counter.checked_add(1).ok_or(Refusal::NoCredential)?;
        let mut band = Band { key: key(&held.key)?, credential, worn_since, unlocked_at, confirmed, counter };
        // Kept before it signs: whatever happens then, no counter is used twice.
        self.kept(keep)?;
        Ok(band.present(request, shown.disclose, shown.approval, now, rng))
    }

    fn is_unlocked(&self) -> Result<(), Refusal> {
        match (self.worn_since, self.unlocked_at) {
            (None, _) => Err(Refusal::NotWorn),
            (_, None) => Err(Refusal::Locked),
            _ => Ok(()),
        }
    }

    fn is_paired_with(&self, phone: &str) -> Result<(), Refusal> {
        match self.phone.as_deref() == Some(phone) {
            true => Ok(()),
            false => Err(Refusal::OtherPhone),
        }
    }

    fn kept(&self, keep: &mut impl Keep) -> Result<(), Refusal> {
        keep.keep(&serde_json::to_value(self).map_err(|_| Refusal::Store)?)
    }
}

/// A credential that a band has chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Of the credential's key.
    pub band_thumbprint: String,
    /// Of the phone's key that the credential names.
    pub phone_thumbprint: String,
}

/// A phone: its own key, and one for each credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PhoneDevice {
    key: Value,
    keys: Vec<Value>,
}

impl PhoneDevice {
    /// A new phone.
    #[must_use]
    pub fn new(rng: &mut impl CryptoRng) -> Self {
        Self { key: Key::generate(rng).to_private_jwk(), keys: Vec::new() }
    }

    /// The phone's own key.
    ///
    /// # Errors
    /// [`Refusal::Store`] if what was kept is no phone.
    pub fn key(&self) -> Result<Key, Refusal> {
        key(&self.key)
    }

    /// RFC 7638 thumbprint of the phone's own key.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.key().map(|key| key.thumbprint()).unwrap_or_default()
    }

    /// Signs to be paired with a band, over the opening's nonce.
    ///
    /// # Errors
    /// As [`PhoneDevice::key`].
    pub fn pair(&self, audience: &str, band: &str, nonce: &str, now: u64) -> Result<String, Refusal> {
        Ok(Statement { role: Role::Phone, audience, names: band, now }.pairing(&self.key()?, Some(nonce)))
    }

    /// Makes keys for a batch, and signs for them.
    ///
    /// # Errors
    /// [`Refusal::Store`].
    pub fn batch(
        &mut self,
        batch: &Batch<'_>,
        band: &str,
        now: u64,
        rng: &mut impl CryptoRng,
        keep: &mut impl Keep,
    ) -> Result<String, Refusal> {
        let &Batch { audience, nonce, epoch, count } = batch;
        let keys = (0..count).map(|_| Key::generate(rng)).collect::<Vec<_>>();
        self.keys.extend(keys.iter().map(Key::to_private_jwk));
        keep.keep(&serde_json::to_value(&*self).map_err(|_| Refusal::Store)?)?;
        Ok(Statement { role: Role::Phone, audience, names: band, now }.keys(&self.key()?, nonce, epoch, &keys))
    }

    /// Approves what a band is about to sign with a credential, by the phone's key that this names.
    ///
    /// # Errors
    /// [`Refusal::NoCredential`] if it names a key that is not this phone's.
    pub fn approve(
        &self,
        request: &Request,
        chosen: &Chosen,
        methods: &[&str],
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<String, Refusal> {
        let mut keys = self.keys.iter().filter_map(|jwk| key(jwk).ok());
        let key = keys.find(|key| key.thumbprint() == chosen.phone_thumbprint).ok_or(Refusal::NoCredential)?;
        Ok(Phone::new(key).approve(request, &chosen.band_thumbprint, methods, now, rng))
    }
}

fn key(jwk: &Value) -> Result<Key, Refusal> {
    Key::from_private_jwk(jwk).map_err(|_| Refusal::Store)
}

/// What a credential says there; nobody has verified it.
fn claim(credential: &str, pointer: &str) -> Option<Value> {
    let payload = Base64UrlUnpadded::decode_vec(credential.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&payload).ok()?.pointer(pointer).cloned()
}
