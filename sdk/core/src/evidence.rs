//! Evidence: what the band's proof says of the moment (band profile, section Proof).

use serde_json::Value;

use crate::approval::Approval;
use crate::credential::{Band, integer};
use crate::encoding::{decimal, seconds};
use crate::error::{Code, Error};
use crate::expected::{Challenge, Requirements};
use crate::explain::Trace;
use crate::holder::Proof;

/// What the band says of the moment at which it signed.
///
/// A measure is `Some` only if the issuer attested that this band senses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub(crate) signed_at: u64,
    pub(crate) worn_since: Option<u64>,
    pub(crate) unlocked_at: Option<u64>,
    /// Unlocked before it was put on, which no band says: refused, asked for or not.
    pub(crate) unlocked_earlier: bool,
    pub(crate) confirmed: bool,
    pub(crate) distance_mm: Option<u32>,
    pub(crate) counter: u64,
    pub(crate) approval: Option<Approval>,
    pub(crate) pairing_epoch: u64,
    pub(crate) attested: Attested,
}

/// Which measures the issuer attested (`band_measures`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the profile names four measures, each there or not")]
pub(crate) struct Attested {
    pub(crate) wear: bool,
    pub(crate) unlock: bool,
    pub(crate) confirm: bool,
    pub(crate) distance: bool,
}

impl Evidence {
    /// When the proof was signed, seconds since 1970.
    #[must_use]
    pub fn signed_at(&self) -> u64 {
        self.signed_at
    }

    /// On the wrist without a break since; bands round it down to the minute.
    #[must_use]
    pub fn worn_since(&self) -> Option<u64> {
        self.worn_since
    }

    /// Unlocked at; bands round it down to the minute.
    #[must_use]
    pub fn unlocked_at(&self) -> Option<u64> {
        self.unlocked_at
    }

    /// The wearer acted on the band after the challenge arrived.
    #[must_use]
    pub fn confirmed(&self) -> bool {
        self.confirmed
    }

    /// Distance between band and reader in millimetres, in a proximity session and bound to it: the reader's own measure, if
    /// there is one.
    #[must_use]
    pub fn distance_mm(&self) -> Option<u32> {
        self.distance_mm
    }

    /// Signature counter of the band's key. It was compared with nothing: the verifier has no memory.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// The paired phone's approval.
    #[must_use]
    pub fn approval(&self) -> Option<&Approval> {
        self.approval.as_ref()
    }

    /// Epoch of the pairing between band and phone.
    #[must_use]
    pub fn pairing_epoch(&self) -> u64 {
        self.pairing_epoch
    }

    /// The checks that hold whatever a caller requires.
    pub(crate) fn check(proof: &Proof, band: &Band, challenge: &Challenge, trace: &mut Trace) -> Result<Self, Error> {
        let Some(found) = proof.payload.get("band") else {
            return Err(Error::new(Code::EvidenceMissing, "the proof of a band carries no evidence").claim("band"));
        };
        trace.passed(&[Code::EvidenceMissing]);
        let malformed = |claim| Error::new(Code::EvidenceMalformed, "the evidence is malformed").claim(claim);
        let members = found.as_object().ok_or_else(|| malformed("band"))?;
        let time = |name, claim| match members.get(name) {
            None => Ok(None),
            found => integer(found).map(Some).ok_or_else(|| malformed(claim)),
        };
        let worn_since = time("worn_since", "band.worn_since")?;
        let unlocked_at = time("unlocked_at", "band.unlocked_at")?;
        let counter = integer(members.get("counter")).ok_or_else(|| malformed("band.counter"))?;
        let confirmed = match members.get("confirmed") {
            None => false,
            Some(Value::Bool(confirmed)) => *confirmed,
            Some(_) => return Err(malformed("band.confirmed")),
        };
        let distance = match members.get("distance") {
            None => None,
            Some(distance) => Some(Distance::parse(distance).ok_or_else(|| malformed("band.distance"))?),
        };
        trace.passed(&[Code::EvidenceMalformed]);
        for (at, claim) in [(worn_since, "band.worn_since"), (unlocked_at, "band.unlocked_at")] {
            if at.is_some_and(|at| at > proof.signed_at) {
                let error = Error::new(Code::EvidenceFuture, "the evidence speaks of a moment after the proof");
                return Err(error.claim(claim));
            }
        }
        trace.passed(&[Code::EvidenceFuture]);
        let attests = |measure: &str| band.measures.iter().any(|attested| attested == measure);
        let attested = Attested {
            wear: attests("wear"),
            unlock: attests("unlock"),
            confirm: attests("confirm"),
            distance: attests("distance"),
        };
        Ok(Self {
            signed_at: proof.signed_at,
            worn_since: worn_since.filter(|_| attested.wear),
            unlocked_at: unlocked_at.filter(|_| attested.unlock),
            unlocked_earlier: unlocked_at.is_some_and(|unlocked| worn_since.is_some_and(|worn| unlocked < worn)),
            confirmed: confirmed && attested.confirm,
            distance_mm: challenge.measured_mm().or_else(|| {
                let counts =
                    |distance: &Distance<'_>| attested.distance && Some(distance.session) == challenge.proximity();
                distance.filter(counts).map(|distance| distance.mm)
            }),
            counter,
            approval: None,
            pairing_epoch: band.epoch,
            attested,
        })
    }
}

/// What the band measured.
struct Distance<'a> {
    mm: u32,
    /// Base64url of the SHA-256 of `SessionTranscriptBytes`.
    session: &'a str,
}

impl<'a> Distance<'a> {
    fn parse(distance: &'a Value) -> Option<Self> {
        let text = |name| distance.get(name).and_then(Value::as_str);
        let is_method = ["uwb", "cs"].contains(&text("method")?);
        let mm = u32::try_from(integer(distance.get("mm"))?).ok()?;
        Some(Self { mm, session: text("session").filter(|_| is_method)? })
    }
}

/// What a caller asks of the evidence; `pays`: a payment is agreed to.
pub(crate) fn require_evidence(
    evidence: Option<&Evidence>,
    pays: bool,
    challenge: &Challenge,
    requirements: &Requirements,
    trace: &mut Trace,
) -> Result<(), Error> {
    let unlocked = requirements.unlocked.holds(pays) || requirements.unlocked_within.is_some();
    let worn = requirements.worn.holds(pays) || unlocked;
    let confirmed = requirements.confirmed.holds(false);
    let Some(evidence) = evidence else {
        return match worn || confirmed || requirements.distance_mm.is_some() {
            true => Err(Error::new(Code::EvidenceMissing, "only a band's proof carries evidence").claim("band")),
            false => Ok(()),
        };
    };
    let attested = evidence.attested;
    for (needed, attested, measure) in [
        (worn, attested.wear, "wear"),
        (unlocked, attested.unlock, "unlock"),
        (confirmed, attested.confirm, "confirm"),
        (requirements.distance_mm.is_some() && challenge.measured_mm().is_none(), attested.distance, "distance"),
    ] {
        if needed && !attested {
            let error = Error::new(Code::EvidenceUnattested, "nobody attested that this band senses it");
            return Err(error.claim("band_measures").expected(measure));
        }
    }
    if worn || confirmed || requirements.distance_mm.is_some() {
        trace.passed(&[Code::EvidenceUnattested]);
    }
    if worn && evidence.worn_since.is_none() {
        return Err(Error::new(Code::EvidenceNotWorn, "the band was not on the wrist").claim("band.worn_since"));
    }
    if worn {
        trace.passed(&[Code::EvidenceNotWorn]);
    }
    if evidence.unlocked_earlier {
        let error = Error::new(Code::EvidenceLocked, "the band was unlocked before it was put on");
        return Err(error.claim("band.unlocked_at"));
    }
    if unlocked {
        let Some(unlocked_at) = evidence.unlocked_at else {
            return Err(Error::new(Code::EvidenceLocked, "the band was locked").claim("band.unlocked_at"));
        };
        trace.passed(&[Code::EvidenceLocked]);
        let age = challenge.now().saturating_sub(unlocked_at);
        if let Some(most) = requirements.unlocked_within
            && age > u64::from(most)
        {
            let error = Error::new(Code::EvidenceUnlockStale, "the band was unlocked too long ago");
            let (most, age) = (seconds(u64::from(most)), seconds(age));
            return Err(error.claim("band.unlocked_at").expected(&most).actual(&age));
        }
    }
    if requirements.unlocked_within.is_some() {
        trace.passed(&[Code::EvidenceUnlockStale]);
    }
    if confirmed && !evidence.confirmed {
        let error = Error::new(Code::EvidenceUnconfirmed, "the wearer did not confirm on the band");
        return Err(error.claim("band.confirmed"));
    }
    if confirmed {
        trace.passed(&[Code::EvidenceUnconfirmed]);
    }
    if let Some(most) = requirements.distance_mm {
        if evidence.distance_mm.is_none_or(|found| found > most) {
            let error = Error::new(Code::EvidenceDistance, "no distance that counts is short enough");
            let found = evidence.distance_mm.map(decimal).unwrap_or_default();
            return Err(error.claim("band.distance").expected(&decimal(most)).actual(&found));
        }
        trace.passed(&[Code::EvidenceDistance]);
    }
    Ok(())
}
