//! What `apply` does: every refusal, what holds after any events, and the page that tells it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod page;
mod refusals;
mod walk;

use std::collections::BTreeSet;

use bandpass_pairing::{Code, Device, Event, Measure, Nonce, Owner, Proof, StatusIndex, Thumbprint, apply};

const BAND: Thumbprint = Thumbprint([1; 32]);
const ACCOUNT: Thumbprint = Thumbprint([2; 32]);
const PHONE: Thumbprint = Thumbprint([3; 32]);
const NEW_PHONE: Thumbprint = Thumbprint([4; 32]);
const NOW: u64 = 1_800_000_000;
/// The owner, verified a moment ago.
const OWNER: Owner = Owner { key: ACCOUNT, verified_at: Some(NOW) };

fn enrol() -> Event {
    let band = Proof { by: BAND, naming: ACCOUNT };
    Event::Enrol { owner: OWNER, band, measures: BTreeSet::from([Measure::Wear, Measure::Unlock]) }
}

fn open(nonce: u8) -> Event {
    Event::Open { owner: OWNER, nonce: Nonce([nonce; 16]) }
}

fn change_phone(nonce: u8) -> Event {
    Event::ChangePhone { owner: OWNER, nonce: Nonce([nonce; 16]) }
}

fn pair(nonce: u8, phone: Thumbprint) -> Event {
    let (by_phone, by_band) = (Proof { by: phone, naming: BAND }, Proof { by: BAND, naming: phone });
    Event::Pair { nonce: Nonce([nonce; 16]), phone: by_phone, band: by_band }
}

fn issue(epoch: u64, phone: Thumbprint, indices: &[u32]) -> Event {
    let (phone, band) = (Proof { by: phone, naming: BAND }, Proof { by: BAND, naming: phone });
    let indices = indices.iter().map(|&idx| StatusIndex { list: 0, idx }).collect();
    Event::Issue { epoch, phone, band, indices }
}

fn report_lost() -> Event {
    Event::LostByOwner(Owner { key: ACCOUNT, verified_at: None })
}

/// What becomes of a new band by these.
fn after(events: &[Event]) -> Device {
    let new = apply(None, &enrol(), NOW).expect("enrolled").device;
    events.iter().fold(new, |device, event| apply(Some(&device), event, NOW).expect("allowed").device)
}

/// A band that is paired with `PHONE`, with a credential.
fn paired() -> Vec<Event> {
    vec![open(1), pair(1, PHONE), issue(1, PHONE, &[0])]
}

fn paired_and(event: Event) -> Device {
    after(&[paired(), vec![event]].concat())
}

fn refusal(device: &Device, event: &Event) -> Option<Code> {
    apply(Some(device), event, NOW).err()
}
