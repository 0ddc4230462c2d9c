//! Every interleaving of owner, thief, band, two phones, registry and verifier, within bounds. The registry is `apply`.
//!
//! Requests travel: what owner, phones and band could have signed, whenever that was, arrives in any order, late, never
//! or more than once. The thief calls whatever takes signatures of keys that he has, with any nonce that was ever
//! handed out. A band that is taken off is locked and signs nothing.
//!
//! `MODEL=large` checks more openings.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]

use std::collections::BTreeSet;
use std::time::Instant;

use bandpass_pairing::{Code, Device, Event, Nonce, Owner, Proof, Status, StatusIndex, Thumbprint, Transition, apply};
use stateright::{Checker, HasDiscoveries, Model, Property};

const BAND: Thumbprint = Thumbprint([1; 32]);
const ACCOUNT: Thumbprint = Thumbprint([2; 32]);
/// The owner's, and the one that comes after it.
const PHONES: [Thumbprint; 2] = [Thumbprint([3; 32]), Thumbprint([4; 32])];
/// A key of the thief's own, which he uses as a phone's, a band's and an account's.
const THIEF: Thumbprint = Thumbprint([5; 32]);

/// It is always this time: when time passes, all that happened moves back. So there is no bound on it.
const NOW: u64 = 1_000_000;
/// Seconds that pass at a time: longer than an opening or a user verification lasts.
const TICK: u64 = 450;
/// Ticks for which a status list counts: 900 s.
const LIST_MAX_AGE: u8 = 2;

/// A rule that is left out, to see that the checker notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// Change of phone and deactivation leave earlier credentials as they are.
    OldCredentialsStay,
    /// A found band's credentials are valid, deactivated ones too.
    FoundRevives,
    /// A lost band's credentials stay valid.
    LostStaysValid,
    /// Any phone gets credentials.
    AnyPhone,
    /// Nobody asks whether the band is lost.
    LostPairs,
    /// Any key is the owner's.
    AnyOwner,
    /// Any key is the band's.
    AnyBand,
    /// An opening can be taken up again.
    OpeningStays,
    /// The band stays unlocked when it is taken off.
    NoLock,
    /// The verifier takes a list of any age.
    AnyAge,
}

struct Pairings {
    broken: Option<Broken>,
    openings: u8,
    credentials: usize,
    /// Whether there is a thief, or else how far the owner came is noted down: both at once is much to explore.
    thief: bool,
}

/// A request that somebody honest signed, at whatever time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Request {
    Open { fresh: bool },
    ChangePhone { fresh: bool },
    Lost,
    LostByPhone { phone: usize },
    Found { fresh: bool },
    Deactivate { fresh: bool },
    Pair { phone: usize, nonce: u8 },
    Issue { phone: usize, epoch: u64 },
}

/// What is known of a credential beside its status: who can use it, and whether it should still count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Card {
    holder: Thumbprint,
    phone: Thumbprint,
    epoch: u64,
    dead: Option<Dead>,
}

/// It belongs to no live pairing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Dead {
    /// For so many ticks, and the verifier has fetched no list since.
    For(u8),
    /// The verifier has fetched a list since.
    Told,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    registry: Device,
    cards: Vec<Card>,
    openings: u8,
    /// The verifier's status list: its age in ticks, and which are valid.
    list: Option<(u8, Vec<bool>)>,
    band_stolen: bool,
    /// Else taken off. What its owner has is worn.
    band_unlocked: bool,
    phones_stolen: [bool; 2],
    seen: Seen,
}

/// What has happened, for the properties.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Seen {
    /// Reported lost, and since then neither found nor deactivated by the true owner.
    lost: bool,
    lost_paired: bool,
    dead_paid: bool,
    dead_paid_in_time: bool,
    thief_paid: bool,
    thief_paired: bool,
    /// How far the owner came: paid, lost, deactivated, paired another phone, paid again.
    story: u8,
    /// How far the owner came: paid, lost, found, paid again.
    found: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Tick,
    FetchList,
    StealBand,
    ReturnBand,
    StealPhone(usize),
    Arrives(Request),
    Pay { card: usize, phone: usize },
    Thief(Event),
    ThiefPays { card: usize, phone: Thumbprint },
}

impl Pairings {
    fn small(broken: Option<Broken>) -> Self {
        Self { broken, openings: 3, credentials: 3, thief: true }
    }

    fn large() -> Self {
        Self { broken: None, openings: 4, credentials: 3, thief: true }
    }

    fn stories() -> Self {
        Self { thief: false, ..Self::small(None) }
    }

    /// `apply`, but for the rule that is broken.
    fn registry(&self, device: &Device, event: &Event, now: u64) -> Result<Transition, Code> {
        if self.broken.is_none() {
            return apply(Some(device), event, now);
        }
        let paired = device.phone;
        let mut device = device.clone();
        let mut event = event.clone();
        match (self.broken, &mut event) {
            (Some(Broken::LostPairs), Event::Open { .. } | Event::ChangePhone { .. } | Event::Pair { .. }) => {
                device.lost = false;
            }
            (
                Some(Broken::AnyOwner),
                Event::Open { owner, .. }
                | Event::ChangePhone { owner, .. }
                | Event::LostByOwner(owner)
                | Event::Found(owner)
                | Event::Deactivate(owner),
            ) => owner.key = device.owner,
            (Some(Broken::AnyPhone), Event::Issue { phone, .. }) if device.phone.is_some() => {
                device.phone = Some(phone.by);
            }
            (Some(Broken::AnyBand), Event::Pair { band, .. } | Event::Issue { band, .. }) => band.by = device.band,
            _ => {}
        }
        let mut done = apply(Some(&device), &event, now)?;
        match (self.broken, &event) {
            (Some(Broken::OldCredentialsStay), Event::Pair { .. } | Event::Deactivate(_))
            | (Some(Broken::LostStaysValid), Event::LostByOwner(_) | Event::LostByPhone(_)) => {
                done.device.credentials = device.credentials;
            }
            (Some(Broken::AnyPhone), Event::Issue { .. }) => done.device.phone = paired,
            (Some(Broken::FoundRevives), Event::Found(_)) => {
                for credential in &mut done.device.credentials {
                    credential.status = Status::Valid;
                }
            }
            (Some(Broken::OpeningStays), Event::Pair { .. }) => done.device.opening = device.opening,
            _ => {}
        }
        Ok(done)
    }

    /// What the registry makes of a request; `None` if it refuses.
    fn arrive(&self, world: &World, event: &Event, by_thief: bool) -> Option<World> {
        let done = self.registry(&world.registry, event, NOW).ok()?;
        let mut world = World { registry: done.device, ..world.clone() };
        let seen = &mut world.seen;
        match event {
            Event::Open { .. } | Event::ChangePhone { .. } => world.openings += 1,
            Event::Pair { phone, .. } => {
                seen.lost_paired |= seen.lost;
                seen.thief_paired |= by_thief;
                if seen.story == 3 && phone.by == PHONES[1] {
                    seen.story = 4;
                }
            }
            Event::Issue { epoch, phone, band, .. } => {
                world.cards.push(Card { holder: band.by, phone: phone.by, epoch: *epoch, dead: None });
            }
            Event::LostByOwner(_) | Event::LostByPhone(_) => {
                seen.lost = true;
                if seen.story == 1 {
                    seen.story = 2;
                }
                if seen.found == 1 {
                    seen.found = 2;
                }
            }
            Event::Found(owner) | Event::Deactivate(owner) => {
                seen.lost &= owner.key != ACCOUNT;
                if matches!(event, Event::Deactivate(_)) && seen.story == 2 {
                    seen.story = 3;
                }
                if seen.found == 2 {
                    seen.found = if matches!(event, Event::Found(_)) { 3 } else { 0 };
                }
            }
            Event::Enrol { .. } => {}
        }
        let registry = &world.registry;
        for card in &mut world.cards {
            let live = registry.phone == Some(card.phone) && registry.epoch == card.epoch && !registry.lost;
            card.dead = if live { None } else { card.dead.or(Some(Dead::For(0))) };
        }
        Some(world)
    }

    fn event(world: &World, request: &Request) -> Event {
        let owner = |fresh| Owner { key: ACCOUNT, verified_at: Some(if fresh { NOW } else { NOW - TICK }) };
        match *request {
            Request::Open { fresh } => Event::Open { owner: owner(fresh), nonce: nonce(world.openings) },
            Request::ChangePhone { fresh } => Event::ChangePhone { owner: owner(fresh), nonce: nonce(world.openings) },
            Request::Lost => Event::LostByOwner(Owner { key: ACCOUNT, verified_at: None }),
            Request::LostByPhone { phone } => Event::LostByPhone(PHONES[phone]),
            Request::Found { fresh } => Event::Found(owner(fresh)),
            Request::Deactivate { fresh } => Event::Deactivate(owner(fresh)),
            Request::Pair { phone, nonce: n } => pair(nonce(n), PHONES[phone], BAND),
            Request::Issue { phone, epoch } => issue(world, epoch, PHONES[phone], BAND),
        }
    }

    /// What a verifier says of a payment with a card, its holder's proof being good, approved by a phone.
    fn accepts(&self, world: &World, card: usize, phone: Thumbprint) -> bool {
        let Some((age, valid)) = &world.list else { return false };
        let fresh = *age <= LIST_MAX_AGE || self.broken == Some(Broken::AnyAge);
        fresh && valid.get(card) == Some(&true) && world.cards[card].phone == phone
    }

    fn pay(&self, world: &World, card: usize, phone: Thumbprint) -> Option<World> {
        if !self.accepts(world, card, phone) {
            return None;
        }
        let mut world = world.clone();
        let seen = &mut world.seen;
        match world.cards[card].dead {
            Some(Dead::For(ticks)) if ticks <= LIST_MAX_AGE => seen.dead_paid_in_time = !self.thief,
            Some(_) => seen.dead_paid = true,
            None if self.thief => {}
            None => {
                seen.story = match seen.story {
                    0 => 1,
                    4 => 5,
                    as_before => as_before,
                };
                seen.found = match seen.found {
                    0 => 1,
                    3 => 4,
                    as_before => as_before,
                };
            }
        }
        Some(world)
    }

    fn stolen_keys(world: &World) -> Vec<Thumbprint> {
        let mut keys = vec![THIEF];
        keys.extend((0..2).filter(|&phone| world.phones_stolen[phone]).map(|phone| PHONES[phone]));
        if world.band_stolen && world.band_unlocked {
            keys.push(BAND);
        }
        keys
    }

    /// Every request for which stolen keys suffice, or would if the registry did not look.
    fn thefts(world: &World) -> Vec<Event> {
        let keys = Self::stolen_keys(world);
        let mut events = Vec::new();
        for &key in &keys {
            let owner = Owner { key, verified_at: Some(NOW) };
            events.extend([
                Event::Open { owner, nonce: nonce(world.openings) },
                Event::ChangePhone { owner, nonce: nonce(world.openings) },
                Event::LostByOwner(owner),
                Event::LostByPhone(key),
                Event::Found(owner),
                Event::Deactivate(owner),
            ]);
            events.extend(keys.iter().map(|&band| enrol(key, band)));
            for &band in &keys {
                events.extend((0..world.openings).map(|n| pair(nonce(n), key, band)));
                events.extend((0..=world.registry.epoch).map(|epoch| issue(world, epoch, key, band)));
            }
        }
        events
    }

    /// Every request that may be under way. Owners' are new or old, phones' for any nonce and epoch that there was.
    fn requests(world: &World) -> Vec<Request> {
        let mut requests = vec![Request::Lost];
        for fresh in [true, false] {
            requests.extend([
                Request::Open { fresh },
                Request::ChangePhone { fresh },
                Request::Found { fresh },
                Request::Deactivate { fresh },
            ]);
        }
        // The phones are alike, so whichever is paired first is the first.
        for phone in if world.registry.epoch > 0 { 0..2 } else { 0..1 } {
            requests.push(Request::LostByPhone { phone });
            requests.extend((0..world.openings).map(|nonce| Request::Pair { phone, nonce }));
            requests.extend((1..=world.registry.epoch).map(|epoch| Request::Issue { phone, epoch }));
        }
        requests
    }

    fn within(&self, world: &World, event: &Event) -> bool {
        match event {
            Event::Open { .. } | Event::ChangePhone { .. } => world.openings < self.openings,
            Event::Issue { .. } => world.cards.len() < self.credentials,
            _ => true,
        }
    }
}

fn nonce(number: u8) -> Nonce {
    Nonce([number; 16])
}

fn enrol(account: Thumbprint, band: Thumbprint) -> Event {
    let owner = Owner { key: account, verified_at: Some(NOW) };
    Event::Enrol { owner, band: Proof { by: band, naming: account }, measures: BTreeSet::new() }
}

fn pair(nonce: Nonce, phone: Thumbprint, band: Thumbprint) -> Event {
    Event::Pair { nonce, phone: Proof { by: phone, naming: BAND }, band: Proof { by: band, naming: phone } }
}

fn issue(world: &World, epoch: u64, phone: Thumbprint, band: Thumbprint) -> Event {
    let indices = vec![StatusIndex { list: 0, idx: u32::try_from(world.cards.len()).expect("few") }];
    let (phone, band) = (Proof { by: phone, naming: BAND }, Proof { by: band, naming: phone });
    Event::Issue { epoch, phone, band, indices }
}

impl Model for Pairings {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            registry: apply(None, &enrol(ACCOUNT, BAND), NOW).expect("enrolled").device,
            cards: Vec::new(),
            openings: 0,
            list: None,
            band_stolen: false,
            band_unlocked: true,
            phones_stolen: [false; 2],
            seen: Seen::default(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend([Action::Tick, Action::FetchList]);
        actions.extend(Self::requests(world).into_iter().map(Action::Arrives));
        for card in 0..world.cards.len() {
            actions.extend((0..2).map(|phone| Action::Pay { card, phone }));
        }
        if !self.thief {
            return;
        }
        actions.extend([Action::StealBand, Action::ReturnBand, Action::StealPhone(0), Action::StealPhone(1)]);
        actions.extend(Self::thefts(world).into_iter().map(Action::Thief));
        for card in 0..world.cards.len() {
            actions.extend(Self::stolen_keys(world).into_iter().map(|phone| Action::ThiefPays { card, phone }));
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        // Most of these are refused, so there is no copy before.
        match &action {
            Action::Arrives(request) => {
                let event = Self::event(world, request);
                return self.within(world, &event).then(|| self.arrive(world, &event, false))?;
            }
            Action::Thief(event) => return self.within(world, event).then(|| self.arrive(world, event, true))?,
            Action::ThiefPays { card, phone } => {
                let his = Self::stolen_keys(world).contains(&world.cards[*card].holder);
                let paid = Seen { thief_paid: true, ..world.seen.clone() };
                return (his && self.accepts(world, *card, *phone)).then(|| World { seen: paid, ..world.clone() });
            }
            // Whoever holds the phone, and be it by a relay: the band is worn by its owner.
            Action::Pay { card, phone } => {
                let worn = !world.band_stolen && world.cards[*card].holder == BAND;
                return worn.then(|| self.pay(world, *card, PHONES[*phone]))?;
            }
            _ => {}
        }
        let mut next = world.clone();
        match action {
            Action::Tick => {
                // Past the greatest age it does not matter how old.
                let older = |age: u8| (age + 1).min(LIST_MAX_AGE + 1);
                if let Some(opening) = &mut next.registry.opening {
                    opening.expires = NOW.saturating_sub(TICK);
                }
                for age in next.list.iter_mut().map(|(age, _)| age) {
                    *age = older(*age);
                }
                for dead in next.cards.iter_mut().filter_map(|card| card.dead.as_mut()) {
                    if let Dead::For(ticks) = *dead {
                        *dead = Dead::For(older(ticks));
                    }
                }
            }
            Action::FetchList => {
                let credentials = &world.registry.credentials;
                next.list =
                    Some((0, credentials.iter().map(|credential| credential.status == Status::Valid).collect()));
                for dead in next.cards.iter_mut().filter_map(|card| card.dead.as_mut()) {
                    *dead = Dead::Told;
                }
            }
            Action::StealBand if !world.band_stolen => {
                next.band_stolen = true;
                next.band_unlocked &= self.broken == Some(Broken::NoLock);
            }
            Action::ReturnBand => (next.band_stolen, next.band_unlocked) = (false, true),
            Action::StealPhone(phone) => next.phones_stolen[phone] = true,
            _ => return None,
        }
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(ONE_PAIRING, |_, world: &World| {
                let registry = &world.registry;
                let live = registry.credentials.iter().zip(&world.cards);
                live.filter(|(credential, _)| credential.status != Status::Deactivated).all(|(credential, card)| {
                    let suspended = credential.status == Status::Suspended;
                    Some(card.phone) == registry.phone && card.epoch == registry.epoch && suspended == registry.lost
                })
            }),
            Property::always(LOST_STAYS, |_, world: &World| !world.seen.lost_paired),
            Property::always(OPENED_ONCE, |_, world: &World| world.registry.epoch <= u64::from(world.openings)),
            Property::always(DEAD_PAYS_NOT, |_, world: &World| !world.seen.dead_paid),
            Property::always(THIEF_PAYS_NOT, |_, world: &World| !world.seen.thief_paid),
            Property::always(THIEF_PAIRS_NOT, |_, world: &World| !world.seen.thief_paired),
        ];
        if self.thief {
            properties.push(Property::sometimes(
                "a thief has band and phone, and only the lock is in his way",
                |model: &Self, world: &World| {
                    let phone = (0..2).find(|&phone| world.registry.phone == Some(PHONES[phone]));
                    let phone = phone.filter(|&phone| world.phones_stolen[phone] && world.band_stolen);
                    let accepted = |card| phone.is_some_and(|phone| model.accepts(world, card, PHONES[phone]));
                    !world.band_unlocked && (0..world.cards.len()).any(accepted)
                },
            ));
        } else {
            properties.extend([
                Property::sometimes(
                    "the owner pays, loses the band, deactivates, pairs another phone, pays",
                    |_, world: &World| world.seen.story == 5,
                ),
                Property::sometimes("the owner pays, loses the band, finds it, pays", |_, world: &World| {
                    world.seen.found == 4
                }),
                Property::sometimes("a dead credential pays until the next list", |_, world: &World| {
                    world.seen.dead_paid_in_time
                }),
            ]);
        }
        properties
    }
}

const ONE_PAIRING: &str = "a band has never two live pairings";
const LOST_STAYS: &str = "a lost band is not paired before its owner finds or deactivates it";
const OPENED_ONCE: &str = "what the owner opened pairs once";
const DEAD_PAYS_NOT: &str = "no approval by an unpaired phone counts once the status list is fresh";
const THIEF_PAYS_NOT: &str = "a thief with band, phone or both gets nothing accepted";
const THIEF_PAIRS_NOT: &str = "a thief with band, phone or both pairs nothing";

#[test]
fn every_interleaving_within_bounds_holds() {
    let model = if std::env::var("MODEL").is_ok_and(|size| size == "large") {
        Pairings::large()
    } else {
        Pairings::small(None)
    };
    let begun = Instant::now();
    let checked = model.checker().threads(2).spawn_bfs().join();
    let (states, depth) = (checked.unique_state_count(), checked.max_depth());
    println!("{states} states, {depth} steps deep, in {:.1} s", begun.elapsed().as_secs_f64());
    checked.assert_properties();
}

#[test]
fn an_owner_can_do_all_that_is_meant_for_them() {
    let model = Pairings::stories();
    let sometimes = model.properties().into_iter().filter(|property| !property.expectation.discovery_is_failure());
    let until = HasDiscoveries::AllOf(sometimes.map(|property| property.name).collect());
    let checked = model.checker().threads(2).finish_when(until).spawn_bfs().join();
    println!("{} states without a thief", checked.unique_state_count());
    checked.assert_properties();
}

#[test]
fn the_checker_notices_every_rule_that_is_left_out() {
    for (broken, property) in [
        (Broken::OldCredentialsStay, ONE_PAIRING),
        (Broken::FoundRevives, ONE_PAIRING),
        (Broken::AnyPhone, ONE_PAIRING),
        (Broken::LostPairs, LOST_STAYS),
        (Broken::AnyOwner, LOST_STAYS),
        (Broken::OpeningStays, OPENED_ONCE),
        (Broken::OldCredentialsStay, DEAD_PAYS_NOT),
        (Broken::LostStaysValid, DEAD_PAYS_NOT),
        (Broken::AnyPhone, DEAD_PAYS_NOT),
        (Broken::AnyAge, DEAD_PAYS_NOT),
        (Broken::AnyBand, THIEF_PAYS_NOT),
        (Broken::NoLock, THIEF_PAYS_NOT),
        (Broken::AnyBand, THIEF_PAIRS_NOT),
        (Broken::NoLock, THIEF_PAIRS_NOT),
    ] {
        let until = HasDiscoveries::AnyOf(BTreeSet::from([property]));
        let checked = Pairings::small(Some(broken)).checker().threads(2).finish_when(until).spawn_bfs().join();
        let found = checked.discovery(property);
        let path = found.unwrap_or_else(|| panic!("{broken:?} goes unnoticed by: {property}"));
        println!("{broken:?}: {} steps to break: {property}", path.into_actions().len());
    }
}
