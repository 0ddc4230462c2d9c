//! Every code, by a test of its name.

use bandpass_pairing::{Code, Device, Event, MAX_EPOCH, Owner, Proof, Thumbprint, VERIFICATION_MAX_AGE, apply};

use super::{
    ACCOUNT, BAND, NEW_PHONE, NOW, OWNER, PHONE, after, change_phone, enrol, issue, open, pair, paired, paired_and,
    refusal, report_lost,
};

/// A test for each code, and one that none is left out.
macro_rules! refusals {
    ($($code:ident $name:ident $test:block)+) => {
        $(#[test]
        fn $name() {
            let refused: Vec<Option<Code>> = $test;
            assert!(!refused.is_empty());
            assert!(refused.iter().all(|code| *code == Some(Code::$code)), "{refused:?}");
        })+

        #[test]
        fn every_code_has_a_test() {
            assert_eq!([$(Code::$code),+].as_slice(), Code::ALL);
        }
    };
}

const THIEF: Thumbprint = Thumbprint([9; 32]);

/// Each event that the owner has to sign with fresh user verification.
fn verified(owner: Owner) -> [Event; 4] {
    let nonce = bandpass_pairing::Nonce([7; 16]);
    [Event::Open { owner, nonce }, Event::ChangePhone { owner, nonce }, Event::Found(owner), Event::Deactivate(owner)]
}

fn all(device: &Device, events: &[Event]) -> Vec<Option<Code>> {
    events.iter().map(|event| refusal(device, event)).collect()
}

fn with_proofs(event: Event, new_phone: Proof, new_band: Proof) -> Event {
    match event {
        Event::Pair { nonce, .. } => Event::Pair { nonce, phone: new_phone, band: new_band },
        Event::Issue { epoch, indices, .. } => Event::Issue { epoch, indices, phone: new_phone, band: new_band },
        other => other,
    }
}

refusals! {
    Unknown unknown {
        let events = [open(1), pair(1, PHONE), issue(1, PHONE, &[0]), report_lost(), Event::Deactivate(OWNER)];
        events.iter().map(|event| apply(None, event, NOW).err()).collect()
    }
    Enrolled enrolled {
        let thief = Event::Enrol {
            owner: Owner { key: THIEF, verified_at: Some(NOW) },
            band: Proof { by: BAND, naming: THIEF },
            measures: std::collections::BTreeSet::new(),
        };
        let deactivated = paired_and(Event::Deactivate(OWNER));
        vec![refusal(&after(&[]), &enrol()), refusal(&deactivated, &thief)]
    }
    NotOwner not_owner {
        let mut refused = Vec::new();
        for key in [THIEF, PHONE, BAND] {
            let owner = Owner { key, verified_at: Some(NOW) };
            refused.extend(all(&after(&paired()), &verified(owner)));
            refused.push(refusal(&after(&paired()), &Event::LostByOwner(owner)));
            refused.extend(all(&paired_and(report_lost()), &verified(owner)));
        }
        refused
    }
    Verification verification {
        let just = Some(NOW - VERIFICATION_MAX_AGE);
        let fresh = Event::Deactivate(Owner { key: ACCOUNT, verified_at: just });
        assert_eq!(refusal(&after(&paired()), &fresh), None);
        let times = [None, Some(NOW - VERIFICATION_MAX_AGE - 1), Some(NOW + 1)];
        let owners = times.map(|verified_at| Owner { key: ACCOUNT, verified_at });
        owners.iter().flat_map(|&owner| all(&after(&paired()), &verified(owner))).collect()
    }
    Mismatch mismatch {
        let (phone, band) = (Proof { by: PHONE, naming: BAND }, Proof { by: BAND, naming: PHONE });
        let mut refused = Vec::new();
        for (device, event) in [(after(&[open(1)]), pair(1, PHONE)), (after(&paired()), issue(1, PHONE, &[1]))] {
            assert_eq!(refusal(&device, &event), None);
            for (phone, band) in [
                (phone, Proof { by: THIEF, ..band }),
                (phone, Proof { naming: THIEF, ..band }),
                (Proof { naming: THIEF, ..phone }, band),
                (Proof { by: THIEF, ..phone }, band),
            ] {
                refused.push(refusal(&device, &with_proofs(event.clone(), phone, band)));
            }
        }
        let measures = std::collections::BTreeSet::new();
        let other = Event::Enrol { owner: OWNER, band: Proof { by: BAND, naming: THIEF }, measures };
        refused.push(apply(None, &other, NOW).err());
        refused
    }
    Key key {
        let itself = Proof { by: ACCOUNT, naming: ACCOUNT };
        let enrol = Event::Enrol { owner: OWNER, band: itself, measures: std::collections::BTreeSet::new() };
        let opened = after(&[open(1)]);
        vec![apply(None, &enrol, NOW).err(), refusal(&opened, &pair(1, BAND)), refusal(&opened, &pair(1, ACCOUNT))]
    }
    Lost lost {
        // What was opened before it was lost is no way in either.
        let lost_while_changing = after(&[paired(), vec![change_phone(2), report_lost()]].concat());
        let events = [
            open(3), change_phone(3), pair(2, NEW_PHONE), pair(1, PHONE), issue(1, PHONE, &[1]), report_lost(),
            Event::LostByPhone(PHONE),
        ];
        all(&lost_while_changing, &events)
    }
    NotLost not_lost {
        vec![refusal(&after(&paired()), &Event::Found(OWNER)), refusal(&after(&[]), &Event::Found(OWNER))]
    }
    Locked locked {
        let events = [open(2), pair(1, NEW_PHONE), issue(1, NEW_PHONE, &[1]), Event::LostByPhone(NEW_PHONE)];
        all(&after(&paired()), &events)
    }
    Unpaired unpaired {
        let events = [
            change_phone(2), issue(0, PHONE, &[1]), Event::LostByPhone(PHONE), Event::Deactivate(OWNER),
        ];
        [after(&[]), paired_and(Event::Deactivate(OWNER))].iter().flat_map(|device| all(device, &events)).collect()
    }
    Superseded superseded {
        let again = after(&[paired(), vec![change_phone(2), pair(2, PHONE)]].concat());
        vec![
            // Overtaken by another opening, and by a report of loss, after which it was found.
            refusal(&after(&[open(1), open(2)]), &pair(1, PHONE)),
            refusal(&after(&[open(1), report_lost(), Event::Found(OWNER)]), &pair(1, PHONE)),
            refusal(&after(&[paired(), vec![change_phone(2)]].concat()), &pair(1, NEW_PHONE)),
            // Used up.
            refusal(&after(&paired()), &pair(1, PHONE)),
            refusal(&after(&[]), &pair(1, PHONE)),
            refusal(&again, &issue(1, PHONE, &[1])),
        ]
    }
    Expired expired {
        let opened = after(&[open(1)]);
        let end = NOW + bandpass_pairing::OPENING_LIFETIME;
        assert!(apply(Some(&opened), &pair(1, PHONE), end).is_ok());
        vec![apply(Some(&opened), &pair(1, PHONE), end + 1).err()]
    }
    Index index {
        let repaired = after(&[paired(), vec![change_phone(2), pair(2, NEW_PHONE)]].concat());
        vec![
            refusal(&after(&paired()), &issue(1, PHONE, &[1, 0])),
            refusal(&after(&paired()), &issue(1, PHONE, &[1, 1])),
            refusal(&repaired, &issue(2, NEW_PHONE, &[0])),
        ]
    }
    Exhausted exhausted {
        let opened = |epoch| Device { epoch, ..after(&[open(1)]) };
        assert_eq!(refusal(&opened(MAX_EPOCH - 1), &pair(1, PHONE)), None);
        vec![refusal(&opened(MAX_EPOCH), &pair(1, PHONE))]
    }
}

#[test]
fn of_many_phones_that_take_up_one_opening_one_is_paired_and_the_others_are_locked_out() {
    let mut device = after(&[open(1)]);
    let mut codes = Vec::new();
    for phone in (10..210).map(|number| Thumbprint([number; 32])) {
        match apply(Some(&device), &pair(1, phone), NOW) {
            Ok(done) => device = done.device,
            Err(code) => codes.push(code),
        }
    }
    assert_eq!(device.phone, Some(Thumbprint([10; 32])));
    assert_eq!(codes, vec![Code::Locked; 199]);
}
