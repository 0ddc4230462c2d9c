//! A cinema: a band and a ticket with the same key get somebody in, once.

use bandpass::{Answer, Error, Host, IssuedChallenge, NewChallenge, NewTransaction, Pin, Store};
use bandpass_roles::{
    BAND_VCT, Band, BandDetails, Issuer, Key, Request, base64url, os_rng, random_id, sd_jwt, sha256_base64url,
};
use serde_json::{Value, json};

use crate::shop::{NOW, Shop, built, merchant, said};

const CINEMA: &str = "https://cinema.example";
const TICKET: &str = "urn:bandpass:cinema-ticket:1";
const ENTRANCE: &str = "entrance";
/// Some minutes from now.
const STARTS: u64 = NOW + 400;

struct Cinema {
    shop: Shop,
    key: Key,
    host: Host,
}

struct Visitor {
    key: Key,
    band: Band,
}

impl Cinema {
    fn new() -> Self {
        let (shop, key) = (Shop::new(), Key::generate(&mut os_rng()));
        let mut config = shop.config(&json!({"currency": "CNY", "passwordless_limit": "1"}));
        let sha256 = shop.install(&built("dist/plugins/cinema-ticket.wasm"));
        config.plugins.insert("cinema".into(), Pin { sha256, publisher: None });
        let settings = json!({"cinema": CINEMA, "opens_before": 600, "closes_after": 300});
        config.merchants.insert(ENTRANCE.into(), merchant(&[("cinema", settings.to_string())]));
        let issuers = [
            shop.issuer.trust_entry(&[BAND_VCT]),
            Issuer::new(CINEMA, key.clone()).trust_entry(&[TICKET]),
            Issuer::new("https://other.example", key.clone()).trust_entry(&[TICKET]),
        ];
        config.trust = json!({"issuers": issuers}).to_string().into_bytes();
        let host = shop.host(config, Store::in_memory().expect("a store"));
        Self { shop, key, host }
    }

    fn visitor(&self, born: &str) -> Visitor {
        let key = Key::generate(&mut os_rng());
        let details = BandDetails {
            band_jwk: key.jwk(),
            phone_thumbprint: Key::generate(&mut os_rng()).thumbprint(),
            epoch: 1,
            measures: vec!["wear".into(), "unlock".into()],
            issued_at: NOW,
            valid_days: 14,
            status_list: 1,
            status_index: 1,
            owner: json!({"birthdate": born}).as_object().cloned().unwrap_or_default(),
        };
        let mut band = Band::new(key.clone(), self.shop.issuer.issue(&details, &mut os_rng()).expect("issued"));
        band.put_on(NOW - 3_600);
        band.unlock(NOW - 3_000);
        Visitor { key, band }
    }

    /// A ticket for the holder of this key, with what `change` says otherwise.
    fn ticket(&self, holder: &Key, change: &Value) -> String {
        let mut claims = json!({"iss": CINEMA, "vct": TICKET, "cnf": {"jwk": holder.jwk()}, "exp": NOW + 86_400,
            "ticket_id": random_id(&mut os_rng()), "event_id": "tenet-7", "starts_at": STARTS, "seat": "F12"});
        let claims = claims.as_object_mut().expect("an object");
        claims.extend(change.as_object().cloned().unwrap_or_default());
        let header = json!({"alg": "ES256", "typ": "dc+sd-jwt"});
        sd_jwt::issue(&self.key, &header, claims.clone(), &[], &mut os_rng()).expect("issued")
    }

    async fn challenge(&self, shown: Value, rating: Option<u8>, now: u64) -> IssuedChallenge {
        let mut payload =
            json!({"transaction_id": random_id(&mut os_rng()), "event_id": "tenet-7", "starts_at": STARTS});
        let payload = payload.as_object_mut().expect("an object");
        payload.extend(shown.as_object().cloned().unwrap_or_default());
        let transactions = vec![NewTransaction { type_id: "urn:bandpass:ticket:1".into(), payload: payload.clone() }];
        let context = rating.map(|rating| json!({"rating": rating})).and_then(|context| context.as_object().cloned());
        let new = NewChallenge {
            merchant: ENTRANCE.into(),
            transactions,
            context: context.unwrap_or_default(),
            ..NewChallenge::default()
        };
        self.host.challenge(new, now).await.expect("a challenge")
    }

    /// Goes to the entrance with a band and a ticket whose holder's key is `key`.
    async fn enter(
        &self,
        visitor: &mut Visitor,
        key: &Key,
        ticket: &str,
        challenge: &IssuedChallenge,
        now: u64,
    ) -> Result<Answer, Error> {
        let request = Request {
            audience: challenge.audience[0].clone(),
            nonce: challenge.nonce.clone(),
            transaction_data: challenge.transaction_data.clone(),
        };
        let rng = &mut os_rng();
        let disclosed: &[&str] = if challenge.dcql.contains("birthdate") { &["birthdate"] } else { &[] };
        let band = visitor.band.present(&request, disclosed, None, now, rng);
        let proof = json!({"iat": now, "aud": request.audience, "nonce": request.nonce,
            "sd_hash": sha256_base64url(ticket.as_bytes())});
        let ticket = format!("{ticket}{}", key.sign(&json!({"alg": "ES256", "typ": "kb+jwt"}), &proof));
        let token = json!({"band": [band], "ticket": [ticket]}).to_string().into_bytes();
        self.host.respond(&challenge.id, token, now).await
    }
}

#[tokio::test]
async fn a_ticket_gets_its_holder_in_once() {
    let cinema = Cinema::new();
    let mut lin = cinema.visitor("1990-05-17");
    let key = lin.key.clone();
    let ticket = cinema.ticket(&key, &json!({}));
    let first = cinema.challenge(json!({"seat": "F12"}), None, NOW).await;
    let entered = cinema.enter(&mut lin, &key, &ticket, &first, NOW).await.expect("decided");
    assert_eq!(said(&entered), "allow ticket.valid");
    assert_eq!(entered.to_json()["obligations"][0]["parameters"]["seat"], "F12");
    // At any entrance, until nobody gets in any more.
    for (later, expected) in [(60, "deny ticket.used"), (699, "deny ticket.used"), (700, "deny ticket.late")] {
        let again = cinema.challenge(json!({}), None, NOW + later).await;
        let again = cinema.enter(&mut lin, &key, &ticket, &again, NOW + later).await.expect("decided");
        assert_eq!(said(&again), expected, "{later} seconds later");
    }
    let later = |seconds: u64| json!({"starts_at": NOW + seconds});
    for (shown, change, expected) in [
        (json!({"event_id": "another"}), json!({}), "deny ticket.event"),
        (later(7_200), json!({}), "deny ticket.event"),
        (json!({"seat": "A1"}), json!({}), "deny ticket.seat"),
        (later(601), later(601), "deny ticket.early"),
        (later(600), later(600), "allow ticket.valid"),
    ] {
        let ticket = cinema.ticket(&key, &change);
        let challenge = cinema.challenge(shown, None, NOW).await;
        let answer = cinema.enter(&mut lin, &key, &ticket, &challenge, NOW).await.expect("decided");
        assert_eq!(said(&answer), expected);
    }
    // What is refused uses nothing up.
    let ticket = cinema.ticket(&key, &json!({}));
    for (seat, expected) in [("A1", "deny ticket.seat"), ("F12", "allow ticket.valid")] {
        let challenge = cinema.challenge(json!({"seat": seat}), None, NOW).await;
        let answer = cinema.enter(&mut lin, &key, &ticket, &challenge, NOW).await.expect("decided");
        assert_eq!(said(&answer), expected);
    }
}

#[tokio::test]
async fn a_ticket_counts_with_its_own_band_and_for_those_old_enough() {
    let cinema = Cinema::new();
    let (mut lin, mut child) = (cinema.visitor("1990-05-17"), cinema.visitor("2015-01-01"));
    let (of_lin, of_child) = (lin.key.clone(), child.key.clone());
    let film = json!({"rating": 16});
    let bought = cinema.ticket(&of_lin, &film);
    // Somebody else's ticket, even if its holder proves it.
    let challenge = cinema.challenge(json!({}), Some(16), NOW).await;
    let stolen = cinema.enter(&mut child, &of_lin, &bought, &challenge, NOW).await.expect("decided");
    assert_eq!(said(&stolen), "deny holder.key");
    let own = cinema.ticket(&of_child, &film);
    let challenge = cinema.challenge(json!({}), Some(16), NOW).await;
    let young = cinema.enter(&mut child, &of_child, &own, &challenge, NOW).await.expect("decided");
    assert_eq!(said(&young), "deny claims.age");
    // The ticket says how old, whatever the entrance asked for.
    let challenge = cinema.challenge(json!({}), None, NOW).await;
    let silent = cinema.enter(&mut lin, &of_lin, &bought, &challenge, NOW).await.expect("decided");
    assert_eq!(said(&silent), "deny claims.missing");
    for (ticket, expected) in [
        (cinema.ticket(&of_lin, &json!({"iss": "https://other.example"})), "deny ticket.issuer"),
        (cinema.ticket(&of_lin, &json!({"ticket_id": ""})), "deny ticket.malformed"),
        (cinema.ticket(&of_lin, &json!({"ticket_id": base64url(&[0; 99])})), "deny ticket.malformed"),
        (cinema.ticket(&of_lin, &json!({"seat": null})), "deny ticket.malformed"),
        (bought.clone(), "allow ticket.valid"),
    ] {
        let challenge = cinema.challenge(json!({}), Some(16), NOW).await;
        let answer = cinema.enter(&mut lin, &of_lin, &ticket, &challenge, NOW).await.expect("decided");
        assert_eq!(said(&answer), expected);
    }
    lin.band.take_off();
    let challenge = cinema.challenge(json!({}), Some(16), NOW).await;
    let off = cinema.enter(&mut lin, &of_lin, &cinema.ticket(&of_lin, &film), &challenge, NOW).await.expect("decided");
    assert_eq!(said(&off), "deny evidence.not-worn");
}
