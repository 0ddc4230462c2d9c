//! The transitions, one function an event.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::code::Code;
use crate::device::{Credential, Device, MAX_EPOCH, Measure, Nonce, Opening, Status, StatusIndex, Thumbprint};
use crate::event::{Authority, Event, Owner, Proof};

/// Seconds for which the verification of a user counts as fresh.
pub const VERIFICATION_MAX_AGE: u64 = 300;
/// Seconds for which an opened pairing can be taken up.
pub const OPENING_LIFETIME: u64 = 300;

/// What has to be put down, in one transaction, once an event is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The device as it is now.
    pub device: Device,
    /// Entries of status lists that are written anew.
    pub statuses: Vec<(StatusIndex, Status)>,
    /// For the audit: what happened, by [`Event::name`] ...
    pub event: &'static str,
    /// ... and by whose signature. Epoch and phone are the device's.
    pub authority: Authority,
}

/// What becomes of a device by an event at the time `now`, in seconds since 1970 (UTC); `None` is a band that is not
/// enrolled.
///
/// # Errors
///
/// The first [`Code`] that holds, in their order.
pub fn apply(device: Option<&Device>, event: &Event, now: u64) -> Result<Transition, Code> {
    let (device, statuses) = match (device, event) {
        (device, Event::Enrol { owner, band, measures }) => (enrol(device, owner.key, *band, measures)?, Vec::new()),
        (None, _) => return Err(Code::Unknown),
        (Some(device), Event::Open { owner, nonce }) => (device.open(*owner, *nonce, now)?, Vec::new()),
        (Some(device), Event::ChangePhone { owner, nonce }) => (device.change_phone(*owner, *nonce, now)?, Vec::new()),
        (Some(device), Event::Pair { nonce, phone, band }) => device.pair(*nonce, *phone, *band, now)?,
        (Some(device), Event::Issue { epoch, phone, band, indices }) => device.issue(*epoch, *phone, *band, indices)?,
        (Some(device), Event::LostByOwner(owner)) => {
            device.owned_by(owner.key)?;
            device.report_lost()?
        }
        (Some(device), Event::LostByPhone(phone)) => device.report_lost_by(*phone)?,
        (Some(device), Event::Found(owner)) => device.found(*owner, now)?,
        (Some(device), Event::Deactivate(owner)) => device.deactivate(*owner, now)?,
    };
    Ok(Transition { device, statuses, event: event.name(), authority: event.authority() })
}

fn enrol(
    device: Option<&Device>,
    owner: Thumbprint,
    band: Proof,
    measures: &BTreeSet<Measure>,
) -> Result<Device, Code> {
    if device.is_some() {
        return Err(Code::Enrolled);
    }
    if band.naming != owner {
        return Err(Code::Mismatch);
    }
    if band.by == owner {
        return Err(Code::Key);
    }
    Ok(Device {
        band: band.by,
        owner,
        measures: measures.clone(),
        phone: None,
        epoch: 0,
        lost: false,
        opening: None,
        credentials: Vec::new(),
    })
}

/// A device, and what its credentials' status lists have to say from now on.
type Changed = (Device, Vec<(StatusIndex, Status)>);

impl Device {
    fn open(&self, owner: Owner, nonce: Nonce, now: u64) -> Result<Self, Code> {
        self.owned_by_verified(owner, now)?;
        self.not_lost()?;
        if self.phone.is_some() {
            return Err(Code::Locked);
        }
        Ok(self.opened(nonce, now))
    }

    fn change_phone(&self, owner: Owner, nonce: Nonce, now: u64) -> Result<Self, Code> {
        self.owned_by_verified(owner, now)?;
        self.not_lost()?;
        if self.phone.is_none() {
            return Err(Code::Unpaired);
        }
        Ok(self.opened(nonce, now))
    }

    fn opened(&self, nonce: Nonce, now: u64) -> Self {
        let opening = Opening { nonce, expires: now.saturating_add(OPENING_LIFETIME) };
        Self { opening: Some(opening), ..self.clone() }
    }

    fn pair(&self, nonce: Nonce, phone: Proof, band: Proof, now: u64) -> Result<Changed, Code> {
        self.name_each_other(phone, band)?;
        // The owner's key has to be on neither of them, or who has that one could do what only the owner may.
        if phone.by == self.band || phone.by == self.owner {
            return Err(Code::Key);
        }
        self.not_lost()?;
        // Of many that take up one opening, the first closes it: the others find the band paired.
        let Some(opening) = self.opening else {
            let taken = self.phone.is_some_and(|paired| paired != phone.by);
            return Err(if taken { Code::Locked } else { Code::Superseded });
        };
        if opening.nonce != nonce {
            return Err(Code::Superseded);
        }
        if now > opening.expires {
            return Err(Code::Expired);
        }
        if self.epoch >= MAX_EPOCH {
            return Err(Code::Exhausted);
        }
        let epoch = self.epoch.saturating_add(1);
        let device = Self { phone: Some(phone.by), epoch, opening: None, ..self.clone() };
        Ok(device.set(Status::Deactivated, |status| status != Status::Deactivated))
    }

    fn issue(&self, epoch: u64, phone: Proof, band: Proof, indices: &[StatusIndex]) -> Result<Changed, Code> {
        self.name_each_other(phone, band)?;
        self.not_lost()?;
        self.paired_with(phone.by)?;
        if epoch != self.epoch {
            return Err(Code::Superseded);
        }
        let mut device = self.clone();
        for &index in indices {
            if device.credentials.iter().any(|credential| credential.index == index) {
                return Err(Code::Index);
            }
            device.credentials.push(Credential { index, epoch, status: Status::Valid });
        }
        Ok((device, indices.iter().map(|&index| (index, Status::Valid)).collect()))
    }

    fn report_lost_by(&self, phone: Thumbprint) -> Result<Changed, Code> {
        self.not_lost()?;
        self.paired_with(phone)?;
        self.report_lost()
    }

    fn report_lost(&self) -> Result<Changed, Code> {
        self.not_lost()?;
        // What was opened before is not to come true once it is found.
        let device = Self { lost: true, opening: None, ..self.clone() };
        Ok(device.set(Status::Suspended, |status| status == Status::Valid))
    }

    fn found(&self, owner: Owner, now: u64) -> Result<Changed, Code> {
        self.owned_by_verified(owner, now)?;
        if !self.lost {
            return Err(Code::NotLost);
        }
        Ok(Self { lost: false, ..self.clone() }.set(Status::Valid, |status| status == Status::Suspended))
    }

    fn deactivate(&self, owner: Owner, now: u64) -> Result<Changed, Code> {
        self.owned_by_verified(owner, now)?;
        if self.phone.is_none() && self.opening.is_none() && !self.lost {
            return Err(Code::Unpaired);
        }
        let device = Self { phone: None, lost: false, opening: None, ..self.clone() };
        Ok(device.set(Status::Deactivated, |status| status != Status::Deactivated))
    }

    /// Gives the credentials whose status is one of `these` another.
    fn set(mut self, status: Status, these: fn(Status) -> bool) -> Changed {
        let mut statuses = Vec::new();
        for credential in self.credentials.iter_mut().filter(|credential| these(credential.status)) {
            credential.status = status;
            statuses.push((credential.index, status));
        }
        (self, statuses)
    }

    fn owned_by(&self, key: Thumbprint) -> Result<(), Code> {
        if key == self.owner { Ok(()) } else { Err(Code::NotOwner) }
    }

    fn owned_by_verified(&self, owner: Owner, now: u64) -> Result<(), Code> {
        self.owned_by(owner.key)?;
        let age = owner.verified_at.and_then(|at| now.checked_sub(at));
        if age.is_some_and(|age| age <= VERIFICATION_MAX_AGE) { Ok(()) } else { Err(Code::Verification) }
    }

    fn name_each_other(&self, phone: Proof, band: Proof) -> Result<(), Code> {
        let matching = band.by == self.band && phone.naming == self.band && band.naming == phone.by;
        if matching { Ok(()) } else { Err(Code::Mismatch) }
    }

    fn not_lost(&self) -> Result<(), Code> {
        if self.lost { Err(Code::Lost) } else { Ok(()) }
    }

    fn paired_with(&self, phone: Thumbprint) -> Result<(), Code> {
        match self.phone {
            Some(paired) if paired == phone => Ok(()),
            Some(_) => Err(Code::Locked),
            None => Err(Code::Unpaired),
        }
    }
}
