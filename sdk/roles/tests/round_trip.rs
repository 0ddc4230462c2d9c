//! Issue, present, verify: for any tree of claims, with any of them selectively disclosable, and any of those disclosed.
//!
//! `PROPTEST_CASES` sets the number of cases, `PROPTEST_RNG_SEED` the seed; what failed once is kept beside this file.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use bandpass_core::{Challenge, Code, Error, Expected, Requirements, Trust, Verified, Verifier};
use bandpass_roles::{
    Band, BandDetails, Issuer, Key, Phone, Request, StatusList, StatusTimes, base64url, sd_jwt, sha256_base64url,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{FailurePersistence, FileFailurePersistence};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde_json::{Map, Value, json};

const NOW: u64 = 1_790_000_000;
const AUDIENCE: &str = "x509_san_dns:shop.example";
const NONCE: &str = "n-0S6_WzA2Mj";

/// Names that mean something to somebody: they would be read, or they are reserved.
const TAKEN: &[&str] = &[
    "_sd",
    "_sd_alg",
    "...",
    "iss",
    "iat",
    "nbf",
    "exp",
    "vct",
    "vct#integrity",
    "aka_vcts",
    "cnf",
    "status",
    "sub",
    "pairing",
    "band_measures",
];

fn text() -> impl Strategy<Value = String> {
    const ODD: &[&str] =
        &["", "_x", "_SD", "..", "....", "a/b", "~", "~1", "0", "\u{0}", "\"", "\\", "\u{e9}", "e\u{301}"];
    prop_oneof![
        prop::sample::select(ODD).prop_map(ToOwned::to_owned),
        "[a-z]{1,8}",
        vec(any::<char>(), 0..6).prop_map(|characters| characters.into_iter().collect()),
    ]
}

fn name() -> impl Strategy<Value = String> {
    text().prop_filter("a name that is free", |name| !TAKEN.contains(&name.as_str()))
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Quarters, which any reader keeps.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 4.0)),
        text().prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(name(), inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(name(), value(), 0..5).prop_map(|members| members.into_iter().collect())
}

/// JSON Pointers to everything below the root.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(place, item)| (place.to_string(), item)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.replace('~', "~0").replace('/', "~1"), member)).collect()
        }
        _ => Vec::new(),
    };
    for (step, value) in below {
        let place = format!("{here}/{step}");
        places(value, &place, found);
        found.push(place);
    }
}

fn is_inside(place: &str, outer: &str) -> bool {
    place.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// What is to be seen when these are not disclosed.
fn seen(value: &Value, here: &str, hidden: &[&str]) -> Value {
    let shown = |step: &str, inner: &Value| {
        let place = format!("{here}/{step}");
        (!hidden.contains(&place.as_str())).then(|| seen(inner, &place, hidden))
    };
    match value {
        Value::Array(items) => {
            items.iter().enumerate().filter_map(|(place, item)| shown(&place.to_string(), item)).collect()
        }
        Value::Object(members) => {
            let member = |(name, inner): (&String, &Value)| {
                Some((name.clone(), shown(&name.replace('~', "~0").replace('/', "~1"), inner)?))
            };
            members.iter().filter_map(member).collect()
        }
        scalar => scalar.clone(),
    }
}

/// A credential with its claims, and its disclosures by the place of each, what is inside first.
struct Issued {
    claims: Map<String, Value>,
    jwt: String,
    disclosures: Vec<(String, String)>,
}

fn key(number: u8) -> Key {
    Key::from_bytes(&[number; 32]).expect("a key")
}

/// Issues these claims, with digests that stand for nothing in so many objects and arrays.
fn issue(claims: &Map<String, Value>, mut selective: Vec<&str>, decoys: usize) -> Issued {
    let mut claims = claims.clone();
    for (name, value) in [
        ("iss", json!("https://issuer.example")),
        ("vct", json!("urn:example:member")),
        ("exp", json!(NOW + 1)),
        ("cnf", json!({"jwk": key(2).jwk()})),
    ] {
        claims.insert(name.into(), value);
    }
    selective.sort_by_key(|place| std::cmp::Reverse(place.matches('/').count()));
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let (mut payload, disclosures) = sd_jwt::conceal(claims.clone(), &selective, &mut rng).expect("places");
    add_decoys(&mut payload, &mut (0..decoys));
    let header = json!({"alg": "ES256", "typ": "dc+sd-jwt"});
    let jwt = key(1).sign(&header, &payload);
    Issued { claims, jwt, disclosures: selective.into_iter().map(ToOwned::to_owned).zip(disclosures).collect() }
}

fn add_decoys(value: &mut Value, numbers: &mut std::ops::Range<usize>) {
    match value {
        Value::Object(members) => {
            members
                .iter_mut()
                .filter(|(name, _)| !["cnf", "_sd"].contains(&name.as_str()))
                .for_each(|(_, member)| add_decoys(member, numbers));
            let digests = members.entry("_sd").or_insert_with(|| json!([]));
            let decoys =
                numbers.next().map(|number| Value::from(sha256_base64url(format!("decoy {number}").as_bytes())));
            digests.as_array_mut().expect("digests").extend(decoys);
        }
        Value::Array(items) => {
            let is_digest = |item: &Value| item.get("...").is_some();
            items.iter_mut().filter(|item| !is_digest(item)).for_each(|item| add_decoys(item, numbers));
            let decoy = |number| json!({"...": sha256_base64url(format!("decoy {number}").as_bytes())});
            items.extend(numbers.next().map(decoy));
        }
        _ => {}
    }
}

/// Presents these disclosures, in this order.
fn present(issued: &Issued, disclosures: &[&str]) -> String {
    let presented = sd_jwt::join(&issued.jwt, disclosures);
    let proof = json!({"iat": NOW, "aud": AUDIENCE, "nonce": NONCE, "sd_hash": sha256_base64url(presented.as_bytes())});
    presented + &key(2).sign(&json!({"alg": "ES256", "typ": "kb+jwt"}), &proof)
}

fn verify(token: &str) -> Result<Verified, Error> {
    let trust = json!({"issuers": [
        {"iss": "https://issuer.example", "jwks": {"keys": [key(1).jwk()]}, "vct": ["urn:example:member"]},
    ]});
    let challenge = Challenge::new(vec![AUDIENCE.into()], NONCE.into(), NOW)?;
    let expected = Expected { challenge, requirements: Requirements::default() };
    Verifier::new(Trust::from_json(trust.to_string().as_bytes())?).verify(token, &expected)
}

/// Claims, and for each place in them whether it is selectively disclosable, whether it stays hidden, and when its
/// disclosure comes.
#[derive(Clone, Debug)]
struct Case {
    claims: Map<String, Value>,
    choices: Vec<(bool, bool, u8)>,
    decoys: usize,
}

fn case() -> impl Strategy<Value = Case> {
    let choices = vec((any::<bool>(), any::<bool>(), any::<u8>()), 1..64);
    (claims(), choices, 0..6_usize).prop_map(|(claims, choices, decoys)| Case { claims, choices, decoys })
}

impl Case {
    /// The places that are selectively disclosable, those that stay hidden, and when each comes.
    fn places(&self) -> Vec<(String, bool, u8)> {
        let mut found = Vec::new();
        places(&Value::Object(self.claims.clone()), "", &mut found);
        let chosen = found.into_iter().zip(self.choices.iter().cycle());
        chosen
            .filter(|(_, (selective, ..))| *selective)
            .map(|(place, (_, hidden, when))| (place, *hidden, *when))
            .collect()
    }
}

fn config() -> ProptestConfig {
    let kept: Box<dyn FailurePersistence> = Box::new(FileFailurePersistence::WithSource("regressions"));
    ProptestConfig { failure_persistence: Some(kept), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// What was issued comes out, but for what was not disclosed.
    #[test]
    fn what_is_disclosed_is_seen(case in case()) {
        let places = case.places();
        let issued = issue(&case.claims, places.iter().map(|(place, ..)| place.as_str()).collect(), case.decoys);
        // What is in something that stays hidden stays hidden too.
        let hides = |inner: &str| places.iter().any(|(place, hidden, _)| *hidden && (inner == place || is_inside(inner, place)));
        let mut shown = issued.disclosures.iter().filter(|(place, _)| !hides(place)).collect::<Vec<_>>();
        shown.sort_by_key(|(place, _)| places.iter().find(|(found, ..)| found == place).map(|(.., when)| *when));
        let shown = shown.into_iter().map(|(_, disclosure)| disclosure.as_str()).collect::<Vec<_>>();
        let hidden = places.iter().filter(|(place, ..)| hides(place)).map(|(place, ..)| place.as_str()).collect::<Vec<_>>();
        let expected = seen(&Value::Object(issued.claims.clone()), "", &hidden);
        let verified = verify(&present(&issued, &shown)).expect("verifies");
        prop_assert_eq!(&Value::Object(verified.claims().clone()), &expected);
    }

    /// Without what it is in, a disclosure belongs to nothing.
    #[test]
    fn a_child_without_its_parent_is_refused(case in case(), levels in 1..4_usize) {
        let mut claims = case.claims.clone();
        let inner = Value::Object(claims.clone());
        claims.insert("outer".into(), (0..levels).fold(inner, |inner, _| json!({"level": [inner]})));
        let mut selective = vec!["/outer".to_owned()];
        selective.extend((1..=levels).map(|level| "/outer".to_owned() + &"/level/0".repeat(level)));
        let issued = issue(&claims, selective.iter().map(String::as_str).collect(), case.decoys);
        let missing = &selective[usize::from(case.choices.first().map_or(0, |choice| choice.2)) % levels];
        let shown = issued.disclosures.iter().filter(|(place, _)| place != missing);
        let shown = shown.map(|(_, disclosure)| disclosure.as_str()).collect::<Vec<_>>();
        let refused = verify(&present(&issued, &shown)).expect_err("refused");
        prop_assert_eq!(refused.code(), Code::DisclosureUnreferenced);
    }

    /// Neither twice nor beside what was issued.
    #[test]
    fn a_disclosure_counts_once_and_only_where_it_was_issued(case in case(), place in any::<prop::sample::Index>(),
            name in name(), value in value()) {
        let mut claims = case.claims.clone();
        claims.insert("one".into(), 1.into());
        let places = case.places();
        let selective = places.iter().map(|(place, ..)| place.as_str()).filter(|place| *place != "/one");
        let issued = issue(&claims, selective.chain(["/one"]).collect(), case.decoys);
        let all = issued.disclosures.iter().map(|(_, disclosure)| disclosure.as_str()).collect::<Vec<_>>();
        verify(&present(&issued, &all)).expect("verifies");

        let twice = [&all[..], &[*place.get(&all)]].concat();
        let refused = verify(&present(&issued, &twice)).expect_err("refused");
        prop_assert_eq!(refused.code(), Code::DisclosureDuplicate);

        let foreign = sd_jwt::disclosure("another salt", Some(&name), &value);
        let refused = verify(&present(&issued, &[&all[..], &[&foreign]].concat())).expect_err("refused");
        prop_assert_eq!(refused.code(), Code::DisclosureUnreferenced);

        // The same content in another spelling has another digest.
        let respelt = base64url(&[b" ", json!(["another salt", name, value]).to_string().as_bytes()].concat());
        let refused = verify(&present(&issued, &[&all[..], &[&respelt]].concat())).expect_err("refused");
        prop_assert_eq!(refused.code(), Code::DisclosureUnreferenced);
    }

    /// Once the proof is signed, no disclosure can be left away or moved.
    #[test]
    fn the_proof_holds_for_just_these_disclosures(case in case(), place in any::<prop::sample::Index>()) {
        let mut claims = case.claims.clone();
        claims.insert("one".into(), 1.into());
        claims.insert("two".into(), 2.into());
        let issued = issue(&claims, vec!["/one", "/two"], case.decoys);
        let token = present(&issued, &issued.disclosures.iter().map(|(_, disclosure)| disclosure.as_str()).collect::<Vec<_>>());
        verify(&token).expect("verifies");
        let mut parts = token.split('~').collect::<Vec<_>>();
        parts.swap(1, 2);
        prop_assert_eq!(verify(&parts.join("~")).expect_err("refused").code(), Code::HolderHash);
        parts.remove(1 + place.index(2));
        prop_assert_eq!(verify(&parts.join("~")).expect_err("refused").code(), Code::HolderHash);
    }

    /// Issuer, phone and band themselves: whatever the owner's claims are, and whichever are disclosed.
    #[test]
    fn a_band_shows_what_its_owner_discloses(case in case(), amount in 0..1_000_000_u32) {
        let mut rng = ChaCha20Rng::from_seed([8; 32]);
        let (issuer, phone) = (Issuer::new("https://wallet.example", key(1)), Phone::new(key(3)));
        let details = BandDetails {
            band_jwk: key(2).jwk(),
            phone_thumbprint: phone.thumbprint(),
            epoch: 1,
            measures: vec!["wear".into(), "unlock".into()],
            issued_at: NOW,
            valid_days: 14,
            status_list: 1,
            status_index: 412,
            owner: case.claims.clone(),
        };
        let mut band = Band::new(key(2), issuer.issue(&details, &mut rng).expect("claims"));
        band.put_on(NOW - 600);
        band.unlock(NOW - 300);
        let payment = json!({"transaction_id": "t-1", "payee": {"name": "Shop", "id": "7"}, "currency": "CNY",
            "amount": format!("{amount}.00")});
        let transaction_data = vec![bandpass_roles::transaction_data("urn:bandpass:payment:1", &["band"], &payment)];
        let request = Request { audience: AUDIENCE.into(), nonce: NONCE.into(), transaction_data: transaction_data.clone() };
        let approval = phone.approve(&request, &band.thumbprint(), &["face"], NOW, &mut rng);
        let disclosed = case.claims.keys().zip(case.choices.iter().cycle()).filter(|(_, choice)| choice.0);
        let disclosed = disclosed.map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        let token = band.present(&request, &disclosed, Some(&approval), NOW, &mut rng);

        let trust = json!({"issuers": [issuer.trust_entry(&["urn:bandpass:band:1"])]}).to_string();
        let mut verifier = Verifier::new(Trust::from_json(trust.as_bytes()).expect("a trust list"));
        let (list, times) = (StatusList::new(2, 1_024).expect("two bits"), StatusTimes { issued_at: NOW - 60, expires: NOW + 600, ttl: 300 });
        let (jwt, cwt) = (issuer.sign_status_list(1, &list, &times), issuer.sign_status_list_cwt(1, &list, &times));
        for token in [jwt.as_bytes(), &cwt] {
            let info = verifier.update_status(token, NOW).expect("a status list");
            prop_assert_eq!((info.uri, info.ttl), (issuer.status_uri(1), Some(300)));
        }
        let challenge = Challenge::new(vec![AUDIENCE.into()], NONCE.into(), NOW).and_then(|challenge| challenge.transaction_data(&transaction_data));
        let expected = Expected { challenge: challenge.expect("a challenge"), requirements: Requirements::default() };
        let verified = verifier.verify(&token, &expected).expect("verifies");
        for (name, value) in &case.claims {
            let seen = verified.claims().get(name);
            prop_assert_eq!(seen, disclosed.contains(&name.as_str()).then_some(value));
        }
        let paid = verified.transactions().first().and_then(|transaction| transaction.payment()).expect("a payment");
        prop_assert_eq!(&paid.amount, &format!("{amount}.00"));
    }
}
