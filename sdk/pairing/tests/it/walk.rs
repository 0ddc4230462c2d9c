//! What holds after any events, most of them nearly right and some wrong.

use std::collections::BTreeMap;

use bandpass_pairing::{Device, Event, Nonce, Owner, Proof, Status, StatusIndex, Thumbprint, Transition, apply};
use proptest::prelude::*;

use super::{ACCOUNT, BAND, NEW_PHONE, NOW, PHONE, after};

/// Right most of the time.
fn mostly(right: Thumbprint) -> impl Strategy<Value = Thumbprint> {
    prop_oneof![9 => Just(right), 1 => Just(BAND), 1 => Just(ACCOUNT), 1 => Just(PHONE), 1 => Just(NEW_PHONE)]
}

fn owner() -> impl Strategy<Value = Owner> {
    let verified_at = prop_oneof![5 => Just(Some(NOW)), 1 => Just(None), 1 => Just(Some(NOW - 100_000))];
    (mostly(ACCOUNT), verified_at).prop_map(|(key, verified_at)| Owner { key, verified_at })
}

fn nonce() -> impl Strategy<Value = Nonce> {
    (0..3_u8).prop_map(|number| Nonce([number; 16]))
}

fn proofs() -> impl Strategy<Value = (Proof, Proof)> {
    let phone = prop_oneof![3 => Just(PHONE), 3 => Just(NEW_PHONE), 1 => Just(ACCOUNT), 1 => Just(BAND)];
    phone.prop_flat_map(|phone| {
        (mostly(phone), mostly(BAND), mostly(BAND), mostly(phone)).prop_map(
            |(by_phone, naming_band, by_band, naming)| {
                (Proof { by: by_phone, naming: naming_band }, Proof { by: by_band, naming })
            },
        )
    })
}

fn event() -> impl Strategy<Value = Event> {
    let indices = prop::collection::vec((0..40_u32).prop_map(|idx| StatusIndex { list: 0, idx }), 0..3);
    prop_oneof![
        2 => (owner(), nonce()).prop_map(|(owner, nonce)| Event::Open { owner, nonce }),
        2 => (owner(), nonce()).prop_map(|(owner, nonce)| Event::ChangePhone { owner, nonce }),
        4 => (nonce(), proofs()).prop_map(|(nonce, (phone, band))| Event::Pair { nonce, phone, band }),
        4 => (0..4_u64, proofs(), indices)
            .prop_map(|(epoch, (phone, band), indices)| Event::Issue { epoch, phone, band, indices }),
        1 => owner().prop_map(Event::LostByOwner),
        1 => mostly(PHONE).prop_map(Event::LostByPhone),
        2 => owner().prop_map(Event::Found),
        1 => owner().prop_map(Event::Deactivate),
    ]
}

/// The event with verifications as old as they were at `NOW`.
fn at(mut event: Event, now: u64) -> Event {
    if let Event::Open { owner, .. }
    | Event::ChangePhone { owner, .. }
    | Event::LostByOwner(owner)
    | Event::Found(owner)
    | Event::Deactivate(owner) = &mut event
    {
        owner.verified_at = owner.verified_at.map(|at| at + (now - NOW));
    }
    event
}

/// The event as it would be allowed, if it can be in this state: chance alone seldom gets far.
fn put_right(event: Event, device: &Device) -> Event {
    let proofs = |phone| (Proof { by: phone, naming: BAND }, Proof { by: BAND, naming: phone });
    match event {
        Event::Pair { nonce, .. } => {
            let (phone, band) = proofs(if device.phone == Some(PHONE) { NEW_PHONE } else { PHONE });
            Event::Pair { nonce: device.opening.map_or(nonce, |opening| opening.nonce), phone, band }
        }
        Event::Issue { .. } => {
            let (phone, band) = proofs(device.phone.unwrap_or(PHONE));
            let idx = 100 + u32::try_from(device.credentials.len()).expect("few");
            Event::Issue { epoch: device.epoch, phone, band, indices: vec![StatusIndex { list: 0, idx }] }
        }
        other => other,
    }
}

/// What any device must be, whatever happened to it.
fn holds(device: &Device) {
    for credential in &device.credentials {
        let of_the_pairing = device.phone.is_some() && credential.epoch == device.epoch;
        let status = match (of_the_pairing, device.lost) {
            (false, _) => Status::Deactivated,
            (true, true) => Status::Suspended,
            (true, false) => Status::Valid,
        };
        assert_eq!(credential.status, status, "{credential:?} of {device:?}");
    }
    assert!(!(device.lost && device.opening.is_some()), "a way in while it is lost: {device:?}");
    assert!(device.phone.is_none_or(|phone| phone != device.band && phone != device.owner), "{device:?}");
}

/// What any step must be.
fn follows(before: &Device, event: &Event, now: u64, done: &Transition) {
    let device = &done.device;
    let grows = u64::from(matches!(event, Event::Pair { .. }));
    assert_eq!(device.epoch, before.epoch + grows);
    assert_eq!((device.band, device.owner), (before.band, before.owner));
    match event {
        Event::Pair { nonce, .. } => {
            let opening = before.opening.expect("opened");
            assert!(opening.nonce == *nonce && now <= opening.expires && !before.lost, "{before:?}");
        }
        Event::Issue { phone, .. } => assert_eq!(before.phone, Some(phone.by)),
        Event::LostByPhone(phone) => assert_eq!(before.phone, Some(*phone)),
        Event::Enrol { owner, .. }
        | Event::Open { owner, .. }
        | Event::ChangePhone { owner, .. }
        | Event::LostByOwner(owner)
        | Event::Found(owner)
        | Event::Deactivate(owner) => assert_eq!(owner.key, ACCOUNT),
    }
    if device.phone != before.phone {
        assert!(matches!(event, Event::Pair { .. } | Event::Deactivate(_)), "{event:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn after_any_events(events in prop::collection::vec((event(), 0..120_u64, prop::bool::weighted(0.7)), 1..80)) {
        let mut device = after(&[]);
        // As the registry's lists have it, from what it was told to write alone.
        let mut lists = BTreeMap::new();
        let mut now = NOW;
        for (event, seconds, right) in events {
            now += seconds;
            let event = at(if right { put_right(event, &device) } else { event }, now);
            let Ok(done) = apply(Some(&device), &event, now) else { continue };
            follows(&device, &event, now, &done);
            for (index, status) in &done.statuses {
                let was = lists.insert(*index, *status);
                prop_assert!(was != Some(Status::Deactivated), "final, but written anew: {index:?}");
                prop_assert!(was != Some(*status), "written without need: {index:?}");
            }
            let credentials = done.device.credentials.iter();
            let wanted: BTreeMap<_, _> = credentials.map(|credential| (credential.index, credential.status)).collect();
            prop_assert_eq!(wanted.len(), done.device.credentials.len(), "an index was given twice");
            prop_assert_eq!(&wanted, &lists);
            holds(&done.device);
            device = done.device;
        }
    }
}
