//! The whole way, from a challenge to a receipt.

use std::fs;
use std::time::{Duration, Instant};

use bandpass::{
    Capability, Error, Host, IssuedChallenge, NewChallenge, Pin, Requirements, Store, digest, verify_audit,
};
use bandpass_roles::{Key, os_rng};
use base64ct::Encoding as _;
use serde_json::{Map, Value, json};

use crate::shop::{Customer, NOW, SHOP, Shop, built, daily, merchant, pay, payment, payment_of, said, settings};

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("an executor").block_on(work)
}

fn open(shop: &Shop) -> (Host, Store) {
    let store = Store::in_memory().expect("a store");
    (shop.host(shop.config(&settings()), store.clone()), store)
}

fn code<T>(result: Result<T, Error>) -> String {
    result.err().expect("refused").code().to_owned()
}

#[test]
fn a_payment_is_allowed_once_and_leaves_a_receipt() {
    let shop = Shop::new();
    let (host, store) = open(&shop);
    let mut lin = shop.customer("lin");
    run(async {
        let challenge = host.challenge(payment("35.00"), NOW).await.expect("a challenge");
        assert!(challenge.nonce.len() >= 22, "128 bits");
        let token = lin.answer(&challenge, "swk");
        let paid = host.respond(&challenge.id, token.clone(), NOW).await.expect("decided");
        assert_eq!(said(&paid), "allow limit.within");
        let presented = paid.presentations.as_ref().expect("what was disclosed");
        assert!(presented["band"][0]["claims"]["sub"].is_string());
        assert_eq!(presented["band"][0]["evidence"]["counter_state"], "advanced");

        let receipt = paid.receipt.as_ref().expect("a receipt");
        let receipt = bandpass_core::verify_jws(receipt, &shop.key.jwk(), "bandpass-receipt+jwt").expect("signed");
        assert_eq!(receipt["decision"], "allow");
        assert_eq!(receipt["merchant"], SHOP);
        assert_eq!(receipt["token_sha256"], digest(&token));
        assert_eq!(receipt["audit"]["seq"], 1);
        assert!(!paid.receipt.as_ref().is_some_and(|jws| jws.contains("sub")));

        // The same answer, by asking again and by the decision's identifier.
        assert_eq!(host.respond(&challenge.id, token, NOW + 1_000).await.expect("decided"), paid);
        let id = paid.decision_id.as_deref().expect("a decision");
        assert_eq!(host.decision(SHOP, id, NOW).await.expect("there"), paid);
        assert_eq!(code(host.decision("another", id, NOW).await), "decision.unknown");
        // Another token, though as good.
        let another = lin.answer(&challenge, "swk");
        let refused = host.respond(&challenge.id, another, NOW).await.expect("answered");
        assert_eq!((said(&refused).as_str(), &refused.receipt), ("deny challenge.used", &None));
        assert!(verify_audit(&store, &[shop.key.jwk()], &[], &[]).await.expect("read").findings.is_empty());
    });
    let metrics = host.metrics();
    assert_eq!((metrics.allowed, metrics.refused, metrics.denied, metrics.failed), (2, 1, 0, 0));
}

#[test]
fn a_challenge_asks_for_what_the_policy_does_and_says_so_to_the_wallet() {
    let shop = Shop::new();
    let mut config = shop.config(&settings());
    let floor = Requirements { unlocked_within: Some(7_200), ..Requirements::default() };
    config.merchants.get_mut(SHOP).expect("a merchant").floor = Some(floor);
    let host = shop.host(config, Store::in_memory().expect("a store"));
    run(async {
        let challenge = host.challenge(payment("35.00"), NOW).await.expect("a challenge");
        let dcql = serde_json::from_str::<Value>(&challenge.dcql).expect("JSON");
        assert_eq!(dcql["credentials"].as_array().map(Vec::len), Some(1));
        let sent = base64ct::Base64UrlUnpadded::decode_vec(&challenge.transaction_data[0]).expect("base64url");
        let sent = serde_json::from_slice::<Value>(&sent).expect("JSON");
        assert_eq!(sent["require"], json!({"approval": true, "worn": true, "unlocked_within": 7_200}));
        assert_eq!(sent["credential_ids"], json!(["band"]));

        // The floor decides as a policy does: what it refuses is a decision, and the challenge is used up.
        let mut lin = shop.customer("lin");
        lin.band.put_on(NOW - 20_000);
        lin.band.unlock(NOW - 20_000);
        let token = lin.answer(&challenge, "swk");
        let refused = host.respond(&challenge.id, token, NOW).await.expect("decided");
        assert_eq!(said(&refused), "deny evidence.unlock-stale");
        assert!(refused.decision_id.is_some() && refused.receipt.is_some());

        let other_type = NewChallenge {
            transactions: vec![bandpass::NewTransaction { type_id: "urn:x".into(), payload: Map::new() }],
            ..payment("1")
        };
        assert_eq!(code(host.challenge(other_type, NOW).await), "challenge.malformed");
        let mut no_amount = payment("1");
        no_amount.transactions[0].payload.remove("amount");
        assert_eq!(code(host.challenge(no_amount, NOW).await), "challenge.malformed");
        let stranger = NewChallenge { merchant: "stranger".into(), ..payment("1") };
        assert_eq!(code(host.challenge(stranger, NOW).await), "merchant.unknown");
    });
}

#[test]
fn a_failing_token_leaves_the_challenge_open_five_times() {
    let shop = Shop::new();
    let (host, _) = open(&shop);
    let mut lin = shop.customer("lin");
    run(async {
        let (challenge, other) =
            (host.challenge(payment("35.00"), NOW).await, host.challenge(payment("35.00"), NOW).await);
        let (challenge, other) = (challenge.expect("a challenge"), other.expect("a challenge"));
        for _ in 0..4 {
            let wrong = lin.answer(&other, "swk");
            let refused = host.respond(&challenge.id, wrong, NOW).await.expect("answered");
            assert_eq!(said(&refused), "deny holder.nonce");
            assert_eq!(refused.decision_id, None);
        }
        let good = lin.answer(&challenge, "swk");
        assert_eq!(said(&host.respond(&challenge.id, good, NOW).await.expect("decided")), "allow limit.within");

        for _ in 0..5 {
            host.respond(&other.id, b"x".to_vec(), NOW).await.expect("answered");
        }
        let late = lin.answer(&other, "swk");
        assert_eq!(said(&host.respond(&other.id, late, NOW).await.expect("answered")), "deny challenge.attempts");
        let unknown = host.respond("none", b"x".to_vec(), NOW).await.expect("answered");
        assert_eq!(said(&unknown), "deny challenge.unknown");
        let third = host.challenge(payment("1.00"), NOW).await.expect("a challenge");
        let token = lin.answer(&third, "swk");
        assert_eq!(said(&host.respond(&third.id, token, NOW + 300).await.expect("answered")), "deny challenge.expired");
    });
}

/// The host that handed a challenge out has it at hand as it was then.
#[test]
fn what_another_host_did_is_found_out_when_an_answer_is_put_down() {
    let shop = Shop::new();
    let (host, store) = open(&shop);
    let other = shop.host(shop.config(&settings()), store);
    let mut lin = shop.customer("lin");
    run(async {
        for later in [0, 1_000] {
            let challenge = host.challenge(payment("35.00"), NOW).await.expect("a challenge");
            let token = lin.answer(&challenge, "swk");
            let paid = other.respond(&challenge.id, token.clone(), NOW).await.expect("decided");
            assert_eq!(said(&paid), "allow limit.within");
            assert_eq!(host.respond(&challenge.id, token, NOW + later).await.expect("decided"), paid);
        }
        let attempts: [fn(&mut Customer, &IssuedChallenge) -> Vec<u8>; 2] =
            [|lin, challenge| lin.answer(challenge, "swk"), |_, _| b"x".to_vec()];
        for attempt in attempts {
            let challenge = host.challenge(payment("35.00"), NOW).await.expect("a challenge");
            let token = lin.answer(&challenge, "swk");
            let paid = other.respond(&challenge.id, token, NOW).await.expect("decided");
            assert_eq!(said(&paid), "allow limit.within");
            let refused = host.respond(&challenge.id, attempt(&mut lin, &challenge), NOW).await.expect("answered");
            assert_eq!(said(&refused), "deny challenge.used");

            let challenge = host.challenge(payment("35.00"), NOW).await.expect("a challenge");
            other.decline(&challenge.id, "access_denied", NOW).await.expect("closed");
            let refused = host.respond(&challenge.id, attempt(&mut lin, &challenge), NOW).await.expect("answered");
            assert_eq!(said(&refused), "deny challenge.attempts");
        }
    });
}

#[test]
fn a_step_up_leads_to_an_allow_once() {
    let shop = Shop::new();
    let (host, _) = open(&shop);
    let mut lin = shop.customer("lin");
    run(async {
        let large = host.challenge(payment("900.00"), NOW).await.expect("a challenge");
        let token = lin.answer(&large, "swk");
        let step_up = host.respond(&large.id, token, NOW).await.expect("decided");
        assert_eq!(said(&step_up), "step-up limit.above");
        assert_eq!(step_up.presentations, None);
        let id = step_up.decision_id.expect("a decision");
        assert_eq!(code(host.step_up("another", &id, None, NOW).await), "decision.unknown");
        assert_eq!(code(host.step_up(SHOP, &id, None, NOW + 301).await), "step-up.expired");
        let more = host.step_up(SHOP, &id, None, NOW + 300).await.expect("a challenge");
        assert_eq!(code(host.step_up(SHOP, &id, None, NOW).await), "step-up.used");
        let sent = base64ct::Base64UrlUnpadded::decode_vec(&more.transaction_data[0]).expect("base64url");
        let sent = serde_json::from_slice::<Value>(&sent).expect("JSON");
        assert_eq!(sent["require"]["methods"], json!(["face"]));
        // Without the face there is no other step-up.
        let token = lin.answer(&more, "face");
        let allowed = host.respond(&more.id, token, NOW).await.expect("decided");
        assert_eq!(said(&allowed), "allow limit.approved");
        let allowed = allowed.decision_id.expect("a decision");
        assert_eq!(code(host.step_up(SHOP, &allowed, None, NOW).await), "step-up.none");

        let large = host.challenge(payment("900.00"), NOW).await.expect("a challenge");
        let token = lin.answer(&large, "swk");
        let step_up = host.respond(&large.id, token, NOW).await.expect("decided").decision_id.expect("a decision");
        let more = host.step_up(SHOP, &step_up, None, NOW).await.expect("a challenge");
        let token = lin.answer(&more, "pin");
        assert_eq!(said(&host.respond(&more.id, token, NOW).await.expect("decided")), "deny step-up.repeated");
    });
}

#[test]
fn a_transaction_is_allowed_once_and_a_copied_key_is_caught() {
    let shop = Shop::new();
    let (host, _) = open(&shop);
    let mut lin = shop.customer("lin");
    run(async {
        for told in ["allow limit.within", "deny transaction.used"] {
            let challenge = host.challenge(payment_of("35.00", "order-1"), NOW).await.expect("a challenge");
            let token = lin.answer(&challenge, "swk");
            assert_eq!(said(&host.respond(&challenge.id, token, NOW).await.expect("decided")), told);
        }
        // A copy of the band that was made before: its counter stands still.
        let copied = lin.band.clone();
        assert_eq!(said(&pay(&host, &mut lin, "1.00").await.expect("decided")), "allow limit.within");
        lin.band = copied;
        assert_eq!(said(&pay(&host, &mut lin, "1.00").await.expect("answered")), "deny evidence.counter");
        assert_eq!(said(&pay(&host, &mut lin, "1.00").await.expect("decided")), "allow limit.within");
    });
}

#[test]
fn a_daily_limit_counts_what_was_allowed_and_a_void_gives_it_back() {
    let shop = Shop::new();
    let settings = daily("100.00");
    let host = shop.host(shop.config(&settings), Store::in_memory().expect("a store"));
    let (mut lin, mut wei) = (shop.customer("lin"), shop.customer("wei"));
    // The same account with another band.
    let mut lin_too = shop.customer("lin");
    run(async {
        let first = pay(&host, &mut lin, "60.00").await.expect("decided");
        assert_eq!(said(&first), "allow limit.within");
        assert_eq!(said(&pay(&host, &mut lin, "40.01").await.expect("decided")), "deny limit.daily");
        assert_eq!(said(&pay(&host, &mut lin_too, "40.01").await.expect("decided")), "deny limit.daily");
        assert_eq!(said(&pay(&host, &mut wei, "100.00").await.expect("decided")), "allow limit.within");
        assert_eq!(said(&pay(&host, &mut lin, "40.00").await.expect("decided")), "allow limit.within");
        // A refusal after the reservation gives it back: the transaction was allowed before.
        let id = first.decision_id.expect("a decision");
        let voided = host.void(SHOP, &id, NOW + 5).await.expect("voided");
        assert_eq!(voided.voided, Some(NOW + 5));
        assert_eq!(host.void(SHOP, &id, NOW + 9).await.expect("voided").voided, Some(NOW + 5));
        assert_eq!(said(&pay(&host, &mut lin_too, "60.00").await.expect("decided")), "allow limit.within");
        assert_eq!(said(&pay(&host, &mut lin, "0.01").await.expect("decided")), "deny limit.daily");
    });
}

#[test]
fn caps_are_never_passed_by_payments_at_once() {
    let shop = Shop::new();
    let settings = daily("100.00");
    let host = shop.host(shop.config(&settings), Store::in_memory().expect("a store"));
    let allowed = run(async {
        let payments = (0..32).map(|_| {
            let (host, mut lin) = (host.clone(), shop.customer("lin"));
            tokio::spawn(async move { said(&pay(&host, &mut lin, "30.00").await.expect("decided")) })
        });
        let mut allowed = 0;
        for payment in payments.collect::<Vec<_>>() {
            match payment.await.expect("no panic").as_str() {
                "allow limit.within" => allowed += 1,
                other => assert_eq!(other, "deny limit.daily"),
            }
        }
        allowed
    });
    assert_eq!(allowed, 3);
}

/// Whoever asks may go at any moment: the same token is decided on once, and takes from the cap once.
#[test]
fn a_caller_who_goes_leaves_nothing_half_done() {
    const ROUNDS: u64 = 20;
    let shop = Shop::new();
    // One payment more than there are rounds.
    let host = shop.host(shop.config(&daily("210.00")), Store::in_memory().expect("a store"));
    let mut lin = shop.customer("lin");
    run(async {
        for round in 0..ROUNDS {
            let challenge = host.challenge(payment("10.00"), NOW).await.expect("a challenge");
            let token = lin.answer(&challenge, "swk");
            let (gone, id, answer) = (host.clone(), challenge.id.clone(), token.clone());
            let asked = tokio::spawn(async move { gone.respond(&id, answer, NOW).await });
            std::thread::sleep(Duration::from_micros(round * 150));
            asked.abort();
            let again = host.respond(&challenge.id, token, NOW).await.expect("decided");
            assert_eq!(said(&again), "allow limit.within");
        }
        // What was begun last may not be at its end yet.
        let begun = Instant::now();
        while said(&pay(&host, &mut lin, "10.00").await.expect("decided")) != "allow limit.within" {
            assert!(begun.elapsed() < Duration::from_secs(10), "something was taken twice");
        }
        assert_eq!(said(&pay(&host, &mut lin, "0.01").await.expect("decided")), "deny limit.daily");
    });
}

#[test]
fn deny_beats_step_up_beats_allow() {
    let shop = Shop::new();
    let store = Store::in_memory().expect("a store");
    let mut config = shop.config(&settings());
    let strict = json!({"currency": "CNY", "passwordless_limit": "10.00"}).to_string();
    let euro = json!({"currency": "EUR", "passwordless_limit": "10.00"}).to_string();
    let retail = settings().to_string();
    for (id, policies) in [
        ("allow", vec![("retail", retail.clone()), ("retail", retail.clone())]),
        ("step-up", vec![("retail", retail.clone()), ("retail", strict.clone())]),
        ("deny", vec![("retail", strict), ("retail", euro), ("retail", retail)]),
    ] {
        config.merchants.insert(id.into(), merchant(&policies));
    }
    let host = shop.host(config, store);
    let mut lin = shop.customer("lin");
    run(async {
        for (id, told) in
            [("allow", "allow limit.within"), ("step-up", "step-up limit.above"), ("deny", "deny currency.unsupported")]
        {
            let challenge = host.challenge(NewChallenge { merchant: id.into(), ..payment("35.00") }, NOW).await;
            let challenge = challenge.expect("a challenge");
            let token = lin.answer(&challenge, "swk");
            assert_eq!(said(&host.respond(&challenge.id, token, NOW).await.expect("decided")), told);
        }
    });
}

#[test]
fn a_bad_plugin_is_quarantined_and_keeps_nobody_else_from_working() {
    let shop = Shop::new();
    let mut config = shop.config(&settings());
    let (publisher, name) = (Key::generate(&mut os_rng()), |name: &str| name.to_owned());
    let retail = built("dist/plugins/retail-checkout.wasm");
    // The folder's file was changed after it was pinned.
    let changed = digest(b"something else");
    fs::write(shop.path.join(format!("{changed}.wasm")), &retail).expect("written");
    let garbage = shop.install(b"not wasm");
    config.publishers.insert(name("acme"), publisher.jwk());
    for (plugin, sha256, publisher) in [
        ("missing", "0".repeat(64), None),
        ("changed", changed, None),
        ("garbage", garbage, None),
        ("unsigned", digest(&retail), Some(name("acme"))),
        ("unfit", digest(&retail), None),
        ("revoked", digest(&built("hostile.wasm")), None),
    ] {
        config.plugins.insert(plugin.into(), Pin { sha256, publisher });
        config.merchants.insert(plugin.into(), merchant(&[(plugin, settings().to_string())]));
    }
    config.merchants.insert(name("unfit"), merchant(&[("unfit", "{}".into())]));
    config.revoked.insert(digest(&built("hostile.wasm")));
    config.plugins.remove("hostile");
    let host = shop.host(config.clone(), Store::in_memory().expect("a store"));
    let quarantined =
        host.plugins().into_iter().filter_map(|state| Some((state.name, state.quarantined?.code().to_owned())));
    let told = [
        ("changed", "plugin.digest"),
        ("garbage", "plugin.malformed"),
        ("missing", "plugin.missing"),
        ("revoked", "plugin.revoked"),
        ("unfit", "plugin.settings"),
        ("unsigned", "plugin.signature"),
    ];
    assert_eq!(quarantined.collect::<Vec<_>>(), told.map(|(name, code)| (name.to_owned(), code.to_owned())));
    assert_eq!(host.metrics().quarantined, told.len());
    let mut lin = shop.customer("lin");
    run(async {
        for (merchant, code_told) in told {
            let new = NewChallenge { merchant: merchant.into(), ..payment("1.00") };
            assert_eq!(code(host.challenge(new, NOW).await), code_told);
        }
        assert_eq!(said(&pay(&host, &mut lin, "35.00").await.expect("decided")), "allow limit.within");
    });
    // Signed, it is good.
    let payload = json!({"name": "retail-checkout", "version": "0.1.0", "sha256": digest(&retail)});
    let signature = publisher.sign(&json!({"alg": "ES256", "typ": "bandpass-plugin+jwt"}), &payload);
    fs::write(shop.path.join(format!("{}.jws", digest(&retail))), signature).expect("written");
    host.reload(config, NOW).expect("reloaded");
    assert!(host.plugins().iter().all(|state| state.name != "unsigned" || state.quarantined.is_none()));
}

#[test]
fn a_challenge_keeps_its_policy_until_that_is_revoked() {
    let shop = Shop::new();
    let (host, _) = open(&shop);
    let (mut lin, before) = (shop.customer("lin"), shop.config(&settings()));
    // Another version: the same component with a section more, so with another digest.
    let mut newer = built("dist/plugins/retail-checkout.wasm");
    newer.extend([0, 2, 1, b'x']);
    let mut after = shop.config(&json!({"currency": "CNY", "passwordless_limit": "10.00"}));
    after.plugins.insert("retail".into(), Pin { sha256: shop.install(&newer), publisher: None });
    run(async {
        let challenge = host.challenge(payment("35.00"), NOW).await.expect("a challenge");
        let waits = host.challenge(payment("35.00"), NOW).await.expect("a challenge");
        host.reload(after.clone(), NOW).expect("reloaded");
        assert_eq!(
            host.plugins().iter().find(|state| state.name == "retail").map(|state| state.sha256.clone()),
            Some(digest(&newer))
        );
        // By the old rules for what was asked under them, by the new ones from now on.
        let token = lin.answer(&challenge, "swk");
        assert_eq!(said(&host.respond(&challenge.id, token, NOW).await.expect("decided")), "allow limit.within");
        assert_eq!(said(&pay(&host, &mut lin, "35.00").await.expect("decided")), "step-up limit.above");
        let mut revoked = after.clone();
        revoked.revoked.insert(before.plugins["retail"].sha256.clone());
        host.reload(revoked, NOW).expect("reloaded");
        let token = lin.answer(&waits, "swk");
        assert_eq!(said(&host.respond(&waits.id, token, NOW).await.expect("answered")), "deny challenge.superseded");
        // A version that can't be used leaves the one before in place, and says why.
        let mut bad = after.clone();
        bad.plugins.insert("retail".into(), Pin { sha256: shop.install(b"not wasm"), publisher: None });
        host.reload(bad, NOW).expect("reloaded");
        let state = host.plugins().into_iter().find(|state| state.name == "retail").expect("there");
        assert_eq!(
            (state.sha256, state.quarantined.expect("why").code().to_owned()),
            (digest(&newer), "plugin.malformed".into())
        );
        assert_eq!(said(&pay(&host, &mut lin, "5.00").await.expect("decided")), "allow limit.within");
    });
}

#[test]
fn a_status_list_reaches_every_worker() {
    let shop = Shop::new();
    let (host, _) = open(&shop);
    let mut lin = shop.customer("lin");
    run(async {
        for (status, told) in [(2, "deny status.suspended"), (0, "allow limit.within"), (1, "deny status.revoked")] {
            host.update_status(shop.status_list(status).as_bytes(), NOW).expect("taken in");
            for _ in 0..8 {
                assert_eq!(said(&pay(&host, &mut lin, "1.00").await.expect("answered")), told);
            }
        }
        assert_eq!(code(host.update_status(b"x", NOW)), "status.malformed");
    });
}

#[test]
fn too_many_answers_at_once_are_sent_away_with_nothing_used_up() {
    let shop = Shop::new();
    let (host, _) = open(&shop);
    run(async {
        let mut challenges = Vec::new();
        for _ in 0..500 {
            challenges.push(host.challenge(payment("35.00"), NOW).await.expect("a challenge"));
        }
        let mut lin = shop.customer("lin");
        // Another challenge's: it takes its time to refuse.
        let wrong = lin.answer(&challenges[0], "swk");
        let answers = challenges.iter().skip(1).map(|challenge| {
            let (host, id, wrong) = (host.clone(), challenge.id.clone(), wrong.clone());
            tokio::spawn(async move { host.respond(&id, wrong, NOW).await })
        });
        let mut sent_away = Vec::new();
        for (answer, challenge) in answers.collect::<Vec<_>>().into_iter().zip(&challenges[1..]) {
            if let Err(error) = answer.await.expect("no panic") {
                assert_eq!(error.code(), "host.overloaded");
                sent_away.push(challenge);
            }
        }
        let challenge = sent_away.first().expect("more than wait");
        let answer = host.respond(&challenge.id, lin.answer(challenge, "swk"), NOW).await.expect("decided");
        assert_eq!(said(&answer), "allow limit.within");
    });
    assert!(host.metrics().failed > 0);
}

#[test]
fn the_policy_of_another_merchant_has_other_caps() {
    let shop = Shop::new();
    let settings = daily("100.00");
    let mut config = shop.config(&settings);
    config.merchants.insert("another".into(), merchant(&[("retail", settings.to_string())]));
    let host = shop.host(config, Store::in_memory().expect("a store"));
    let mut lin = shop.customer("lin");
    run(async {
        assert_eq!(said(&pay(&host, &mut lin, "100.00").await.expect("decided")), "allow limit.within");
        let new = NewChallenge { merchant: "another".into(), ..payment("100.00") };
        let challenge = host.challenge(new, NOW).await.expect("a challenge");
        let token = lin.answer(&challenge, "swk");
        assert_eq!(said(&host.respond(&challenge.id, token, NOW).await.expect("decided")), "allow limit.within");
    });
    let retail = bandpass::Plugin::load(&shop.runtime, &built("dist/plugins/retail-checkout.wasm")).expect("a plugin");
    assert!(!retail.needs(Capability::Ledger), "without a daily limit it works without");
}
