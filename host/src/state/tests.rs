use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::caps::Reserved;
use super::challenge::Answered;
use super::*;
use crate::error::{Code, Error};
use crate::store::{AuditPage, Keys, Rows, Store, Table};

const NOW: u64 = 1_800_000_000;
const LAPSE: u64 = 60;

struct Till {
    store: Store,
}

impl Till {
    fn new() -> Self {
        Self { store: Store::in_memory().expect("a store") }
    }

    fn transact<T: Send + 'static>(
        &self,
        keys: Keys,
        work: impl FnOnce(&mut Rows) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.store.transact_blocking(keys, work)
    }

    fn open(&self, id: &str) {
        let challenge = challenge(id, NOW);
        self.transact(Keys::at(NOW).row(Table::Challenge, id), move |rows| open(rows, &challenge)).expect("opened");
    }

    fn step_up(&self, decision: &str, id: &str, now: u64) -> Result<(), Error> {
        let keys = Keys::at(now).row(Table::Challenge, id).row(Table::Decision, decision);
        let (decision, challenge) = (decision.to_owned(), challenge(id, now));
        self.transact(keys, move |rows| step_up(rows, &decision, &challenge))
    }

    /// What the wallet hears of a token that does not verify.
    fn refuse(&self, id: &str, token: &'static str) -> String {
        let keys = Keys::at(NOW).row(Table::Challenge, id).row(Table::Chain, "till");
        let (id, error) = (id.to_owned(), Error::host(Code::ChallengeMalformed, "bad"));
        told(&self.transact(keys, move |rows| refuse(rows, "till", &id, token, error, NOW)).expect("noted"))
    }

    fn challenge(&self, id: &str) -> Challenge {
        let key = id.to_owned();
        let keys = Keys::at(NOW).row(Table::Challenge, id);
        self.transact(keys, move |rows| rows.get::<Challenge>(&key)).expect("read").expect("there")
    }

    fn settle(&self, settlement: Settlement) -> Settled {
        self.transact(settlement.keys("shop"), move |rows| settle(rows, settlement)).expect("settled")
    }

    /// The decision's word and reason, or the code of the refusal.
    fn decides(&self, settlement: Settlement) -> String {
        told(&self.settle(settlement))
    }

    fn reserve(&self, id: &str, quantity: &str, now: u64) -> Reserved {
        let take = Take {
            id: id.into(),
            cap: Cap { id: "cap".into(), merchant: "shop".into(), name: "day".into(), taken: Decimal::ZERO, until: 0 },
            quantity: decimal(quantity),
            limit: decimal("100.00"),
            window: 3_600,
            now,
            lapses: now + LAPSE,
        };
        let keys = Keys::at(now).row(Table::Cap, "cap").row(Table::Reservation, id);
        self.transact(keys, move |rows| reserve(rows, take)).expect("asked")
    }

    fn void(&self, id: &str, held: &[Held]) -> Result<Decision, Error> {
        let keys = Keys::at(NOW).row(Table::Decision, id).row(Table::Chain, "till");
        let id = id.to_owned();
        self.transact(keys_of(keys, held), move |rows| void(rows, "till", &id, "shop", true, NOW))
    }
}

fn told(settled: &Settled) -> String {
    match settled {
        Settled::Now(decision, _) => {
            let word = |name| decision.outcome.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("{} {}", word("decision"), word("reason"))
        }
        Settled::Before(decision) => format!("before {decision}"),
        Settled::Refused(error) => error.code().to_owned(),
    }
}

fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).expect("a decimal")
}

fn taken(remaining: &str) -> Reserved {
    Reserved::Taken { remaining: decimal(remaining) }
}

fn exceeded(remaining: &str) -> Reserved {
    Reserved::Exceeded { remaining: decimal(remaining) }
}

fn challenge(id: &str, now: u64) -> Challenge {
    let issued = Issued {
        audience: vec!["x509_san_dns:shop.example".into()],
        nonce: "nonce".into(),
        dcql: "{}".into(),
        transaction_data: vec![],
        policies: vec![Policy { plugin: "retail".into(), sha256: "0".repeat(64), settings: "{}".into() }],
        context: "{}".into(),
        step_up_of: None,
    };
    let (id, merchant) = (id.into(), "shop".into());
    Challenge {
        id,
        merchant,
        created: now,
        expires: now + 300,
        remembered: 86_400,
        attempts: 0,
        refusal: None,
        state: State::Open,
        issued,
        kept: None,
    }
}

/// A token `token` that is allowed on the challenge `c`.
fn allow() -> Settlement {
    Settlement {
        chain: "till".into(),
        challenge: "c".into(),
        decision: "d".into(),
        token_sha256: "token".into(),
        now: NOW,
        outcome: json!({"decision": "allow", "reason": "limit.within", "obligations": []}),
        claims: Some(json!({"sub": "account-1"})),
        counters: vec![Counter { key: "band".into(), value: 7, expires: None }],
        transactions: vec!["t1".into()],
        reservations: vec![],
        rules: Rules { iss: "till".into(), nonce: "nonce".into(), verifier: "0".repeat(64), policies: vec![] },
        webhook: true,
    }
}

#[test]
fn the_same_token_gets_the_same_decision_and_another_none() {
    let till = Till::new();
    till.open("c");
    assert_eq!(till.decides(allow()), "allow limit.within");
    assert_eq!(till.decides(Settlement { decision: "d2".into(), ..allow() }), "before d");
    assert_eq!(till.decides(Settlement { token_sha256: "other".into(), ..allow() }), "challenge.used");
    let answered = till.challenge("c");
    let State::Answered(Answered { decision, claims, .. }) = answered.state else { panic!("answered") };
    assert_eq!((decision.as_str(), claims), ("d", Some(json!({"sub": "account-1"}))));
}

#[test]
fn five_failures_close_a_challenge() {
    let till = Till::new();
    till.open("c");
    for _ in 0..4 {
        till.refuse("c", "bad");
    }
    assert!(till.challenge("c").is_open(NOW).is_ok());
    till.refuse("c", "bad");
    assert_eq!(till.challenge("c").is_open(NOW).expect_err("closed").code(), "challenge.attempts");
    assert_eq!(till.decides(allow()), "challenge.attempts");
    assert_eq!(till.refuse("c", "bad"), "challenge.attempts");
    assert_eq!(till.challenge("c").attempts, 5);
}

/// Another host may have decided while this one verified what its clock found too old.
#[test]
fn a_token_that_fails_too_late_is_told_what_became_of_the_challenge() {
    let till = Till::new();
    till.open("c");
    till.settle(allow());
    assert_eq!(till.refuse("c", "token"), "before d");
    assert_eq!(till.refuse("c", "other"), "challenge.used");
    assert_eq!(till.refuse("none", "other"), "challenge.unknown");
    assert_eq!(till.challenge("c").attempts, 0);
}

#[test]
fn an_expired_challenge_decides_nothing() {
    let till = Till::new();
    till.open("c");
    assert_eq!(till.decides(Settlement { now: NOW + 300, ..allow() }), "challenge.expired");
    assert_eq!(till.decides(Settlement { now: NOW + 299, ..allow() }), "allow limit.within");
}

#[test]
fn a_signature_counter_only_grows() {
    let till = Till::new();
    for id in ["c", "c2", "c3"] {
        till.open(id);
    }
    let with = |challenge: &str, value| Settlement {
        challenge: challenge.into(),
        decision: format!("d-{challenge}-{value}"),
        token_sha256: format!("token-{value}"),
        counters: vec![Counter { key: "band".into(), value, expires: None }],
        transactions: vec![],
        ..allow()
    };
    assert_eq!(till.decides(with("c", 7)), "allow limit.within");
    assert_eq!(till.decides(with("c2", 7)), "evidence.counter");
    assert_eq!(till.decides(with("c2", 6)), "evidence.counter");
    assert_eq!(till.challenge("c2").attempts, 2, "it failed, and used nothing up");
    // Advanced whatever is decided.
    let deny = json!({"decision": "deny", "reason": "no", "obligations": []});
    assert_eq!(till.decides(Settlement { outcome: deny, ..with("c2", 9) }), "deny no");
    assert_eq!(till.decides(with("c3", 9)), "evidence.counter");
    assert_eq!(till.decides(with("c3", 10)), "allow limit.within");
}

#[test]
fn a_transaction_is_allowed_once() {
    let till = Till::new();
    for id in ["c", "c2", "c3"] {
        till.open(id);
    }
    let with = |challenge: &str, value, outcome: &Value| Settlement {
        challenge: challenge.into(),
        decision: format!("d-{challenge}"),
        token_sha256: challenge.into(),
        counters: vec![Counter { key: "band".into(), value, expires: None }],
        outcome: outcome.clone(),
        ..allow()
    };
    let step_up = json!({"decision": "step-up", "reason": "limit.above", "obligations": []});
    assert_eq!(till.decides(with("c", 1, &step_up)), "step-up limit.above");
    assert_eq!(till.decides(with("c2", 2, &allow().outcome)), "allow limit.within");
    assert_eq!(till.decides(with("c3", 3, &allow().outcome)), "deny transaction.used");
    assert!(
        matches!(till.challenge("c3").state, State::Answered(Answered { claims: None, .. })),
        "decided, and used up"
    );
}

#[test]
fn caps_are_exact_and_slide() {
    let till = Till::new();
    assert_eq!(till.reserve("a", "0.1", NOW), taken("99.90"));
    assert_eq!(till.reserve("b", "0.2", NOW), taken("99.70"));
    assert_eq!(till.reserve("c", "99.71", NOW), exceeded("99.70"));
    assert_eq!(till.reserve("d", "99.70", NOW), taken("0.00"));
    assert_eq!(till.reserve("e", "0.01", NOW + LAPSE - 1), exceeded("0.00"));
    assert_eq!(till.reserve("f", "100.00", NOW + LAPSE), taken("0.00"), "what nobody committed lapsed");
}

#[test]
fn an_allow_commits_for_the_window_and_anything_else_releases() {
    let till = Till::new();
    for id in ["c", "c2", "c3", "c4"] {
        till.open(id);
    }
    let held = |id: &str| vec![Held { cap: "cap".into(), id: id.into() }];
    assert_eq!(till.reserve("a", "60", NOW), taken("40.00"));
    assert_eq!(till.decides(Settlement { reservations: held("a"), ..allow() }), "allow limit.within");
    // Still there when an uncommitted one would have lapsed.
    assert_eq!(till.reserve("b", "50", NOW + LAPSE), exceeded("40.00"));
    assert_eq!(till.reserve("b", "40", NOW + LAPSE), taken("0.00"));
    let deny = Settlement {
        challenge: "c2".into(),
        decision: "d2".into(),
        outcome: json!({"decision": "deny", "reason": "no", "obligations": []}),
        reservations: held("b"),
        counters: vec![],
        transactions: vec![],
        ..allow()
    };
    assert_eq!(till.decides(deny.clone()), "deny no");
    assert_eq!(till.reserve("e", "40", NOW + LAPSE), taken("0.00"));
    // Refused: the challenge is used. What was reserved for it goes back.
    let late = Settlement { challenge: "c".into(), token_sha256: "x".into(), reservations: held("e"), ..deny };
    assert_eq!(till.decides(late), "challenge.used");
    assert_eq!(till.reserve("g", "100", NOW + 3_599), exceeded("40.00"));
    assert_eq!(till.reserve("g", "100", NOW + 3_600), taken("0.00"), "the window has passed");
    // Lapsed before the decision.
    let lapsed = Settlement {
        challenge: "c3".into(),
        decision: "d3".into(),
        now: NOW + 200,
        counters: vec![],
        transactions: vec![],
        reservations: held("gone"),
        ..allow()
    };
    assert_eq!(till.decides(lapsed), "deny ledger.lapsed");
}

#[test]
fn a_void_gives_back_once() {
    let till = Till::new();
    till.open("c");
    let held = [Held { cap: "cap".into(), id: "a".into() }];
    assert_eq!(till.reserve("a", "60", NOW), taken("40.00"));
    assert_eq!(till.decides(Settlement { reservations: held.to_vec(), ..allow() }), "allow limit.within");
    assert_eq!(till.void("d", &held).expect("voided").voided, Some(NOW));
    assert_eq!(till.void("d", &held).expect("nothing more").voided, Some(NOW));
    assert_eq!(till.reserve("b", "100", NOW), taken("0.00"));
    assert_eq!(till.void("x", &[]).expect_err("unknown").code(), "decision.unknown");
    till.open("c2");
    let deny = json!({"decision": "deny", "reason": "no", "obligations": []});
    let counters = vec![];
    till.settle(Settlement { challenge: "c2".into(), decision: "d2".into(), outcome: deny, counters, ..allow() });
    assert_eq!(till.void("d2", &[]).expect_err("no allow").code(), "decision.not-allowed");
}

#[test]
fn a_step_up_leads_on_once_and_soon() {
    let till = Till::new();
    till.open("c");
    till.open("c2");
    let step_up = json!({"decision": "step-up", "reason": "limit.above", "obligations": []});
    till.settle(Settlement { outcome: step_up, ..allow() });
    till.settle(Settlement { challenge: "c2".into(), decision: "d2".into(), counters: vec![], ..allow() });
    let code = |result: Result<(), Error>| result.expect_err("refused").code().to_owned();
    assert_eq!(code(till.step_up("d", "s", NOW + 301)), "step-up.expired");
    assert_eq!(code(till.step_up("d2", "s", NOW)), "step-up.none");
    assert_eq!(code(till.step_up("x", "s", NOW)), "decision.unknown");
    till.step_up("d", "s", NOW + 300).expect("soon enough");
    assert!(till.challenge("s").is_open(NOW + 300).is_ok());
    assert_eq!(code(till.step_up("d", "s2", NOW)), "step-up.used");
}

#[test]
fn a_message_is_put_down_with_what_it_tells_of_and_taken_by_one() {
    let till = Till::new();
    till.open("c");
    till.open("c2");
    let claim = |now, paused: &[(&str, u64)]| {
        let paused = paused.iter().map(|(merchant, until)| ((*merchant).to_owned(), *until)).collect();
        let (claimed, _) =
            till.transact(claim_keys(now, 16), move |rows| claim(rows, now, 16, now + 60, &paused)).expect("taken");
        claimed
    };
    let ids = |claimed: &[Delivery]| claimed.iter().map(|delivery| delivery.id.clone()).collect::<Vec<_>>();
    assert!(claim(NOW, &[]).is_empty());
    till.decides(Settlement { webhook: false, ..allow() });
    assert!(claim(NOW, &[]).is_empty(), "the merchant wants none");
    let second =
        Settlement { challenge: "c2".into(), decision: "d2".into(), counters: vec![], transactions: vec![], ..allow() };
    till.decides(second.clone());
    till.decides(second);
    assert!(claim(NOW, &[("shop", NOW + 10)]).is_empty(), "its server fails");
    assert!(claim(NOW + 9, &[]).is_empty());
    let made = claim(NOW + 10, &[]);
    assert_eq!(ids(&made), ["made_d2"], "once, however often it is asked for");
    assert!(claim(NOW + 69, &[]).is_empty(), "somebody sends it");
    assert_eq!(ids(&claim(NOW + 70, &[])), ["made_d2"], "who did not tell how it went");
    let body = serde_json::from_str::<Value>(&made[0].body).expect("JSON");
    let data =
        json!({"id": "d2", "merchant": "shop", "decision": "allow", "reason": "limit.within", "obligations": []});
    assert_eq!(body, json!({"type": "decision.made", "timestamp": "2027-01-15T08:00:00Z", "data": data}));
    let put_off_until = |due| {
        let delivery = made[0].clone();
        till.transact(done_keys(&delivery, NOW), move |rows| put_off(rows, &delivery, due)).expect("put off");
    };
    put_off_until(NOW + 100);
    let again = claim(NOW + 100, &[]);
    assert_eq!((ids(&again), again[0].failures), (vec!["made_d2".to_owned()], 1));
    let delivery = made[0].clone();
    let done = move |rows: &mut Rows| {
        done(rows, &delivery);
        Ok(())
    };
    till.transact(done_keys(&made[0], NOW), done).expect("done");
    put_off_until(NOW + 200);
    assert!(claim(NOW + 300, &[]).is_empty(), "delivered by somebody else");
    till.void("d2", &[]).expect("voided");
    till.void("d2", &[]).expect("nothing more");
    let voided = claim(NOW + 300, &[]);
    assert_eq!(ids(&voided), ["voided_d2"]);
    assert!(voided[0].body.contains("decision.voided"));
}

#[test]
fn what_is_old_is_removed_and_the_chain_stays() {
    let till = Till::new();
    till.open("c");
    till.open("c2");
    let held = |id: &str| vec![Held { cap: "cap".into(), id: id.into() }];
    assert_eq!(till.reserve("a", "60", NOW), taken("40.00"));
    till.decides(Settlement { reservations: held("a"), ..allow() });
    let later = Settlement {
        challenge: "c2".into(),
        decision: "d2".into(),
        now: NOW + 100,
        counters: vec![],
        transactions: vec!["t2".into()],
        ..allow()
    };
    till.decides(later);
    let prune = |before| till.store.prune(before).expect("pruned");
    assert_eq!(prune(NOW - 1), crate::Pruned::default());
    assert_eq!(prune(NOW + 99), crate::Pruned { decisions: 1, transactions: 1, caps: 0 });
    assert_eq!(till.void("d", &held("a")).expect_err("gone").code(), "decision.unknown");
    assert_eq!(till.reserve("b", "50", NOW + 3_599), exceeded("40.00"), "it still counts");
    assert_eq!(prune(NOW + 3_599), crate::Pruned { decisions: 1, transactions: 1, caps: 0 });
    assert_eq!(prune(NOW + 3_600), crate::Pruned { decisions: 0, transactions: 0, caps: 1 });
    assert_eq!(till.reserve("b", "100", NOW + 3_600), taken("0.00"));
    let page = AuditPage { chain: "till".into(), after: 0, limit: 10 };
    let entries = till.transact(Keys::at(NOW).page(page.clone()), move |rows| Ok(rows.page(&page))).expect("read");
    assert_eq!(entries.len(), 2);
}

#[test]
fn what_happened_is_chained() {
    let till = Till::new();
    till.open("c");
    till.refuse("c", "bad");
    till.settle(allow());
    let page = AuditPage { chain: "till".into(), after: 0, limit: 10 };
    let keys = Keys::at(NOW).page(page.clone()).row(Table::Chain, "till");
    let (entries, head) =
        till.transact(keys, move |rows| Ok((rows.page(&page), rows.get::<Chain>("till")?))).expect("read");
    let mut before = GENESIS.to_owned();
    for (entry, seq) in entries.iter().zip(1..) {
        before = entry_hash(&before, &entry.entry);
        assert_eq!((entry.seq, &entry.hash), (seq, &before));
        assert!(!entry.entry.contains("account-1"), "nothing that was disclosed");
    }
    let kinds = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.entry).expect("JSON")["kind"].clone());
    assert_eq!(kinds.collect::<Vec<_>>(), ["refused", "decided"]);
    assert_eq!(head.expect("a head"), Chain { name: "till".into(), seq: 2, hash: before });
}
