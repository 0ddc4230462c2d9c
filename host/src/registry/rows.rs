//! What a registry remembers, as rows.

use std::collections::BTreeMap;

use bandpass_pairing::{Credential, Device, Measure, Nonce, Opening, Status, StatusIndex, Thumbprint};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Code, Error};
use crate::runtime::digest;
use crate::store::{Record, Table};

/// An account: a key, and what credentials say of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The key's thumbprint.
    pub(crate) key: String,
    pub(crate) created: u64,
    /// `sub`, and whatever else bands of this account disclose.
    pub(crate) claims: Map<String, Value>,
}

impl Record for Account {
    const TABLE: Table = Table::Account;

    fn key(&self) -> &str {
        &self.key
    }
}

/// A [`Device`] as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Band {
    key: String,
    owner: String,
    measures: Vec<String>,
    phone: Option<String>,
    epoch: u64,
    lost: bool,
    /// Nonce, and the last second at which it can be taken up.
    opening: Option<(String, u64)>,
    /// List, index, epoch, status, and when it expires.
    credentials: Vec<(u32, u32, u64, u8, u64)>,
}

impl Record for Band {
    const TABLE: Table = Table::Band;

    fn key(&self) -> &str {
        &self.key
    }
}

impl Band {
    /// A device as it is after what was `before`. Credentials that are new expire at this time.
    pub(crate) fn new(device: &Device, before: Option<&Self>, expires: u64) -> Self {
        let known = before.into_iter().flat_map(|before| &before.credentials);
        let known = known.map(|&(list, idx, _, _, expires)| ((list, idx), expires)).collect::<BTreeMap<_, _>>();
        let credential = |one: &Credential| {
            let StatusIndex { list, idx } = one.index;
            (list, idx, one.epoch, number(one.status), known.get(&(list, idx)).copied().unwrap_or(expires))
        };
        Self {
            key: text(device.band),
            owner: text(device.owner),
            measures: device.measures.iter().map(|measure| name(*measure).to_owned()).collect(),
            phone: device.phone.map(text),
            epoch: device.epoch,
            lost: device.lost,
            opening: device.opening.map(|opening| (base64url(&opening.nonce.0), opening.expires)),
            credentials: device.credentials.iter().map(credential).collect(),
        }
    }

    /// The device. Credentials that have expired are forgotten, whatever their status is: nobody accepts them.
    pub(crate) fn device(&self, now: u64) -> Result<Device, Error> {
        self.parsed(now).ok_or_else(|| Error::host(Code::HostStore, "a row of `band` is not as written"))
    }

    fn parsed(&self, now: u64) -> Option<Device> {
        let opening = match &self.opening {
            Some((nonce, expires)) => Some(Opening { nonce: nonce_of(nonce)?, expires: *expires }),
            None => None,
        };
        let valid = self.credentials.iter().filter(|(.., expires)| now < *expires);
        let credential = |&(list, idx, epoch, status, _): &(u32, u32, u64, u8, u64)| {
            let status = [Status::Valid, Status::Deactivated, Status::Suspended]
                .into_iter()
                .find(|known| number(*known) == status)?;
            Some(Credential { index: StatusIndex { list, idx }, epoch, status })
        };
        Some(Device {
            band: thumbprint(&self.key)?,
            owner: thumbprint(&self.owner)?,
            measures: self.measures.iter().map(|name| measure(name)).collect::<Option<_>>()?,
            phone: match &self.phone {
                Some(phone) => Some(thumbprint(phone)?),
                None => None,
            },
            epoch: self.epoch,
            lost: self.lost,
            opening,
            credentials: valid.map(credential).collect::<Option<_>>()?,
        })
    }
}

/// What was handed out to be used within a time, or seen and is not to be seen again. Kept by its hash, so that nobody who
/// reads the store can use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    key: String,
    pub(crate) is: TicketKind,
    pub(crate) expires: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum TicketKind {
    /// `jti` of a `DPoP` proof.
    Seen,
    /// `c_nonce`.
    Nonce,
    /// Pre-authorized code.
    Offer(Grant),
    /// Access token.
    Access(Grant),
}

/// What a ticket is for: credentials of a pairing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) band: String,
    pub(crate) phone: String,
}

impl Record for Ticket {
    const TABLE: Table = Table::Ticket;

    fn key(&self) -> &str {
        &self.key
    }

    fn due(&self) -> Option<u64> {
        Some(self.expires)
    }
}

impl Ticket {
    pub(crate) fn new(secret: &str, is: TicketKind, expires: u64) -> Self {
        Self { key: Self::key_of(secret), is, expires }
    }

    pub(crate) fn key_of(secret: &str) -> String {
        digest(secret.as_bytes())
    }
}

/// A status list. Its entries are in [`StatusPart`]s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusListRow {
    key: String,
    pub(crate) number: u32,
    pub(crate) entries: u32,
    /// Indices that credentials have.
    pub(crate) given: u32,
    /// Grows with each change of a status.
    pub(crate) changes: u64,
}

impl Record for StatusListRow {
    const TABLE: Table = Table::StatusList;

    fn key(&self) -> &str {
        &self.key
    }
}

impl StatusListRow {
    pub(crate) fn new(number: u32, entries: u32) -> Self {
        Self { key: number.to_string(), number, entries, given: 0, changes: 0 }
    }

    pub(crate) fn key_of(number: u32) -> String {
        number.to_string()
    }
}

/// Entries of a status list that stand together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusPart {
    key: String,
    list: String,
    number: u32,
    /// Base64url of 2 bits an entry, as the list has them.
    statuses: String,
    /// Base64url of a bit an entry: whether a credential has it.
    given: String,
}

/// Entries of a part.
pub(crate) const PART: u32 = 4_096;

impl Record for StatusPart {
    const TABLE: Table = Table::StatusPart;

    fn key(&self) -> &str {
        &self.key
    }

    fn parent(&self) -> Option<&str> {
        Some(&self.list)
    }
}

impl StatusPart {
    pub(crate) fn key_of(index: StatusIndex) -> String {
        format!("{}/{}", index.list, index.idx / PART)
    }

    pub(crate) fn new(index: StatusIndex) -> Self {
        let number = index.idx / PART;
        Self {
            key: Self::key_of(index),
            list: StatusListRow::key_of(index.list),
            number,
            statuses: String::new(),
            given: String::new(),
        }
    }

    /// Notes that a credential has this index. False if one had it before.
    pub(crate) fn give(&mut self, idx: u32) -> bool {
        let mut given = Bits::<1>::read(&self.given);
        let is_new = given.get(idx % PART) == 0;
        given.set(idx % PART, 1);
        self.given = given.written();
        is_new
    }

    pub(crate) fn set(&mut self, idx: u32, status: Status) {
        let mut statuses = Bits::<2>::read(&self.statuses);
        statuses.set(idx % PART, number(status));
        self.statuses = statuses.written();
    }

    /// Indices in the list, with their statuses other than 0.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (u32, u8)> {
        let statuses = Bits::<2>::read(&self.statuses);
        let first = self.number * PART;
        (0..PART).map(move |at| (first + at, statuses.get(at))).filter(|(_, status)| *status != 0)
    }
}

/// So many bits an entry of a part, the first in the lowest bits of the first byte.
struct Bits<const WIDTH: u32>(Vec<u8>);

impl<const WIDTH: u32> Bits<WIDTH> {
    const PER_BYTE: u32 = 8 / WIDTH;
    const MASK: u8 = u8::MAX >> (8 - WIDTH);

    fn read(text: &str) -> Self {
        let mut bytes = Base64UrlUnpadded::decode_vec(text).unwrap_or_default();
        bytes.resize(usize::try_from(PART / Self::PER_BYTE).unwrap_or_default(), 0);
        Self(bytes)
    }

    fn written(&self) -> String {
        base64url(&self.0)
    }

    fn get(&self, at: u32) -> u8 {
        let byte = usize::try_from(at / Self::PER_BYTE).ok().and_then(|place| self.0.get(place));
        byte.map_or(0, |byte| byte >> (at % Self::PER_BYTE * WIDTH) & Self::MASK)
    }

    fn set(&mut self, at: u32, value: u8) {
        let shift = at % Self::PER_BYTE * WIDTH;
        if let Some(byte) = usize::try_from(at / Self::PER_BYTE).ok().and_then(|place| self.0.get_mut(place)) {
            *byte = *byte & !(Self::MASK << shift) | (value & Self::MASK) << shift;
        }
    }
}

pub(crate) fn number(status: Status) -> u8 {
    match status {
        Status::Valid => 0,
        Status::Deactivated => 1,
        Status::Suspended => 2,
    }
}

const MEASURES: [(Measure, &str); 4] = [
    (Measure::Wear, "wear"),
    (Measure::Unlock, "unlock"),
    (Measure::Confirm, "confirm"),
    (Measure::Distance, "distance"),
];

/// As `band_measures` names it.
pub(crate) fn name(measure: Measure) -> &'static str {
    MEASURES.iter().find(|(known, _)| *known == measure).map_or("", |(_, name)| name)
}

pub(crate) fn measure(name: &str) -> Option<Measure> {
    MEASURES.iter().find(|(_, known)| *known == name).map(|(measure, _)| *measure)
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// RFC 7638 thumbprint as text.
pub(crate) fn text(thumbprint: Thumbprint) -> String {
    base64url(&thumbprint.0)
}

pub(crate) fn thumbprint(text: &str) -> Option<Thumbprint> {
    Some(Thumbprint(Base64UrlUnpadded::decode_vec(text).ok()?.try_into().ok()?))
}

pub(crate) fn nonce_of(text: &str) -> Option<Nonce> {
    Some(Nonce(Base64UrlUnpadded::decode_vec(text).ok()?.try_into().ok()?))
}
