//! The registry, as owners, bands, phones, thieves and verifiers meet it.

use bandpass::{RegistryConfig, Store, verify_audit};
use bandpass_roles::device::{BandDevice, Batch, Keep, PhoneDevice, Refusal, Shown};
use bandpass_roles::registry::{Account, AuthorizationServer, Maker, Role, Statement, dpop, key_proof};
use bandpass_roles::{Key, Request, os_rng};
use bandpass_testing::Postgres;
use serde_json::{Value, json};

use crate::provider::{LOGIN, MAKER, Offline, Person, Provider, clock, code, payload, worn_band};

/// The client blocks, and the server is to go on meanwhile.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

fn in_memory() -> Store {
    Store::in_memory().expect("a store")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_band_is_lost_deactivated_and_paired_anew() {
    let store = in_memory();
    let provider = Provider::start(store.clone(), "").await;
    blocking(move || {
        let mut lin = provider.person("Lin");
        let band = lin.band.thumbprint();
        assert_eq!(provider.pair(&mut lin).expect("paired"), 1);
        let verified = provider.verify(&mut lin).expect("verifies");
        assert_eq!(verified.claims()["given_name"], "Lin");
        assert_eq!((verified.claims().get("sub"), verified.claims()["pairing"]["epoch"].as_u64()), (None, Some(1)));

        // Another phone: the owner can't open a pairing while there is one, and an old nonce is none.
        let mut second = Person { phone: PhoneDevice::new(&mut os_rng()), ..copy(&lin) };
        assert_eq!(code(provider.pair(&mut second)), "pairing.locked");

        // By the paired phone, without the owner's key.
        let key = lin.phone.key().expect("a key");
        assert_eq!(provider.client.lost_by_phone(&key, &band).expect("lost")["state"], "lost");
        assert_eq!(provider.verify(&mut lin).err().as_deref(), Some("status.suspended"));
        assert_eq!(code(provider.pair(&mut second)), "pairing.lost");
        assert_eq!(code(provider.client.offer(&key, &band).and_then(|_| provider.pair(&mut second))), "pairing.lost");

        // Found, without having been verified of late: no. Then yes.
        let stale = provider.token(&lin, Some(clock() - 301));
        let holder = bandpass::AccountHolder { key: &lin.account, access_token: &stale };
        assert_eq!(code(provider.client.found(holder, &band)), "pairing.verification");
        provider.as_owner(&lin, |client, owner| client.found(owner, &band)).expect("found");
        provider.verify(&mut lin).expect("verifies again");

        // Deactivated is for good; then it may be paired anew.
        provider.as_owner(&lin, |client, owner| client.lost(owner, &band)).expect("lost");
        provider.as_owner(&lin, |client, owner| client.deactivate(owner, &band)).expect("deactivated");
        assert_eq!(provider.verify(&mut lin).err().as_deref(), Some("status.revoked"));
        assert_eq!(provider.pair(&mut second).expect("paired"), 2);
        assert_eq!(provider.verify(&mut second).expect("verifies").claims()["pairing"]["epoch"], 2);
        // The band signs for the second phone alone.
        lin.band = second.band.clone();
        assert_eq!(provider.verify(&mut lin).err().as_deref(), Some("band.other-phone"));

        // The change of phones goes without deactivation, by the owner alone.
        let opened = provider.as_owner(&second, |client, owner| client.change_phone(owner, &band)).expect("opened");
        let mut third = Person { phone: PhoneDevice::new(&mut os_rng()), ..copy(&second) };
        provider.verify(&mut second).expect("the old pairing holds until then");
        assert_eq!(provider.take_up(&mut third, &opened.nonce).expect("paired"), 3);
        assert_eq!(provider.verify(&mut second).err().as_deref(), Some("status.revoked"));
        provider.verify(&mut third).expect("verifies");
    })
    .await;
    let report = verify_audit(&store, &[], &[], &[]).await.expect("reads");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    // Account, enrolment; pairing: open, pair, issue; lost, found, lost, deactivate; twice more a pairing.
    assert_eq!(report.entries["wallet.example"], 2 + 3 + 4 + 3 + 3);
}

fn copy(person: &Person) -> Person {
    Person {
        account: person.account.clone(),
        sub: person.sub.clone(),
        band: person.band.clone(),
        phone: person.phone.clone(),
    }
}

/// A thief has the band, or the phone, or both, and calls everything that their keys open.
#[tokio::test(flavor = "multi_thread")]
async fn a_thief_gets_nothing() {
    let provider = Provider::start(in_memory(), "").await;
    blocking(move || {
        let mut lin = provider.person("Lin");
        provider.pair(&mut lin).expect("paired");
        let band = lin.band.thumbprint();
        lin.band.take_off(&mut ()).expect("taken off");

        // Band and phone: the band was taken off, and its PIN is not known.
        let mut stolen = copy(&lin);
        assert_eq!(provider.verify(&mut stolen).err().as_deref(), Some("band.not-worn"));
        stolen.band.put_on(clock(), &mut ()).expect("put on");
        assert_eq!(provider.verify(&mut stolen).err().as_deref(), Some("band.locked"));
        for guess in ["0000", "1111", "1234", "2222", "9999", crate::provider::PIN] {
            let wrong = stolen.band.unlock(guess, clock(), &mut ());
            assert_eq!(wrong.map_err(Refusal::as_str), Err("band.pin"), "{guess}");
        }
        // With an own account, which is somebody's, and the thief's own phone.
        let thief = provider.person("Mallory");
        for refused in [
            provider.as_owner(&thief, |client, owner| client.open(owner, &band).map(drop)),
            provider.as_owner(&thief, |client, owner| client.change_phone(owner, &band).map(drop)),
            provider.as_owner(&thief, |client, owner| client.found(owner, &band).map(drop)),
            provider.as_owner(&thief, |client, owner| client.lost(owner, &band).map(drop)),
            provider.as_owner(&thief, |client, owner| client.deactivate(owner, &band).map(drop)),
        ] {
            assert_eq!(code(refused), "pairing.not-owner");
        }
        // What was open to take up was taken up.
        let nonce = bandpass_roles::random_id(&mut os_rng());
        let by_band =
            Statement { role: Role::Band, audience: &provider.address, names: &thief.phone.thumbprint(), now: clock() };
        let forged = by_band.pairing(&Key::generate(&mut os_rng()), Some(&nonce));
        let by_phone = thief.phone.pair(&provider.address, &band, &nonce, clock()).expect("signed");
        assert_eq!(code(provider.client.pair(&band, &by_phone, &forged)), "pairing.mismatch");
        assert_eq!(code(provider.client.offer(&thief.phone.key().expect("a key"), &band)), "pairing.locked");
        assert_eq!(code(provider.client.lost_by_phone(&thief.phone.key().expect("a key"), &band)), "pairing.locked");
        // With the phone alone, keys that are no band's get no credentials.
        let key = lin.phone.key().expect("a key");
        let offer = provider.client.offer(&key, &band).expect("an offer");
        let mut mine = worn_band();
        let (name, own) = (lin.phone.thumbprint(), mine.thumbprint());
        let issued = provider.client.credentials(&offer, (&mut lin.phone, &mut ()), &own, 2, &mut |batch| {
            Ok(mine.batch(batch, &name, clock(), &mut os_rng(), &mut ()).expect("signed"))
        });
        assert_eq!(code(issued), "pairing.mismatch");
        // And its owner can still pay.
        lin.band.put_on(clock() - 1, &mut ()).expect("put on");
        lin.band.unlock(crate::provider::PIN, clock() - 1, &mut ()).expect("unlocked");
        provider.verify(&mut lin).expect("verifies");
    })
    .await;
}

/// Of many phones that take one opening up at once, one is paired.
async fn one_of_many_is_paired(store: Store) {
    const PHONES: usize = 200;
    let provider = std::sync::Arc::new(Provider::start(store, "").await);
    let (lin, opened) = {
        let provider = provider.clone();
        blocking(move || {
            let lin = provider.person("Lin");
            let band = lin.band.thumbprint();
            let opened = provider.as_owner(&lin, |client, owner| client.open(owner, &band)).expect("opened");
            (lin, opened)
        })
        .await
    };
    let band = lin.band.thumbprint();
    let statements = {
        let (address, band) = (provider.address.clone(), band.clone());
        blocking(move || {
            let signed = (0..PHONES).map(|_| {
                let (mut device, phone, now) = (lin.band.clone(), PhoneDevice::new(&mut os_rng()), clock());
                device.confirm(&mut ()).expect("unlocked");
                let by_band = device.pair(&address, &phone.thumbprint(), Some(&opened.nonce), now, &mut ());
                (phone.pair(&address, &band, &opened.nonce, now).expect("signed"), by_band.expect("signed"))
            });
            signed.collect::<Vec<_>>()
        })
        .await
    };
    let tries = statements.into_iter().map(|(by_phone, by_band)| {
        let (provider, band) = (provider.clone(), band.clone());
        blocking(move || code(provider.client.pair(&band, &by_phone, &by_band)))
    });
    let mut codes = futures_util::future::join_all(tries).await;
    codes.sort();
    assert_eq!(codes.iter().filter(|code| *code == "none").count(), 1);
    assert_eq!(codes.iter().filter(|code| *code == "pairing.locked").count(), PHONES - 1, "{codes:?}");
    eprintln!("{PHONES} phones at once: 1 paired, {} pairing.locked", PHONES - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_phones_one_is_paired_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.sqlite");
    one_of_many_is_paired(Store::open(path.to_str().expect("UTF-8")).expect("opens")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_phones_one_is_paired_in_a_database() {
    let url = blocking(|| {
        let url = Postgres::shared().and_then(Postgres::database).expect("a database");
        Store::migrate(&url).expect("migrated");
        url
    })
    .await;
    one_of_many_is_paired(Store::open(&url).expect("opens")).await;
}

/// Credentials of a batch have nothing in common that others have not, and each nonce, offer and key does for one.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_unlinkable_and_asked_for_once() {
    let provider = Provider::start(in_memory(), "batch = 4\nstatus_entries = 1024").await;
    blocking(move || {
        let mut lin = provider.person("Lin");
        provider.pair(&mut lin).expect("paired");
        let (band, key) = (lin.band.thumbprint(), lin.phone.key().expect("a key"));
        let name = lin.phone.thumbprint();
        let mut issue = |count: usize, edit: &dyn Fn(&Batch<'_>, String) -> String| {
            let offer = provider.client.offer(&key, &band)?;
            let Person { band: device, phone, .. } = &mut lin;
            provider.client.credentials(&offer, (phone, &mut ()), &band, count, &mut |batch| {
                let proof = device.batch(batch, &name, clock(), &mut os_rng(), &mut ()).expect("signed");
                Ok(edit(batch, proof))
            })
        };
        let issued = issue(4, &|_, proof| proof).expect("issued");
        let claims = issued.iter().map(|one| payload(one)).collect::<Vec<_>>();
        let mut indices = Vec::new();
        for claim in &claims {
            assert_eq!(claim["band_measures"], json!(["wear", "unlock", "confirm"]));
            assert_eq!(
                (claim["iat"].as_u64().expect("a time") % 86_400, claim["exp"].as_u64().expect("a time") % 86_400),
                (0, 0)
            );
            assert_ne!(claim["pairing"]["jkt"], name, "not the phone's own key");
            assert_eq!(claim["status"]["status_list"]["uri"], format!("{}/status/1", provider.address));
            indices.push(claim["status"]["status_list"]["idx"].as_u64().expect("an index"));
        }
        let distinct = |pointer: &str| {
            let mut all =
                claims.iter().map(|claim| claim.pointer(pointer).expect("there").to_string()).collect::<Vec<_>>();
            all.sort();
            all.dedup();
            all.len()
        };
        for pointer in ["/cnf/jwk/x", "/pairing/jkt", "/status/status_list/idx"] {
            assert_eq!(distinct(pointer), 4, "{pointer}");
        }
        assert!(!indices.windows(2).all(|pair| pair[1] == pair[0] + 1), "{indices:?}");

        assert_eq!(code(issue(5, &|_, proof| proof)), "issue.batch");
        let other = Key::generate(&mut os_rng());
        let attestation = |proof: &str| {
            let header = proof.split('.').next().expect("a header");
            let header = payload(&format!(".{header}."));
            header["key_attestation"].as_str().expect("an attestation").to_owned()
        };
        let by_another = |batch: &Batch<'_>, proof: String| {
            key_proof(&other, batch.audience, batch.nonce, &attestation(&proof), clock())
        };
        assert_eq!(code(issue(2, &by_another)), "issue.key");
        let late = |batch: &Batch<'_>, proof: String| {
            key_proof(&other, batch.audience, batch.nonce, &attestation(&proof), clock() - 301)
        };
        assert_eq!(code(issue(2, &late)), "proof.stale");
        let for_others = |batch: &Batch<'_>, proof: String| {
            key_proof(&other, "https://elsewhere.example", batch.nonce, &attestation(&proof), clock())
        };
        assert_eq!(code(issue(2, &for_others)), "proof.audience");
        let of_another_nonce =
            |batch: &Batch<'_>, proof: String| key_proof(&other, batch.audience, "0", &attestation(&proof), clock());
        assert_eq!(code(issue(2, &of_another_nonce)), "proof.nonce");

        // An offer is taken up once, by its phone.
        let offer = provider.client.offer(&key, &band).expect("an offer");
        let mut take = |phone: &mut PhoneDevice| {
            let by = phone.thumbprint();
            let device = &mut lin.band;
            provider.client.credentials(&offer, (phone, &mut ()), &band, 1, &mut |batch| {
                Ok(device.batch(batch, &by, clock(), &mut os_rng(), &mut ()).expect("signed"))
            })
        };
        assert_eq!(code(take(&mut PhoneDevice::new(&mut os_rng()))), "offer.unknown");
        let phone = &mut lin.phone;
        assert_eq!(code(take(phone)), "none");
        assert_eq!(code(take(phone)), "offer.unknown");
    })
    .await;
}

/// When half of a list is given, the next is begun; and a band has an end of credentials.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_given_by_half() {
    let provider = Provider::start(in_memory(), "batch = 100\nstatus_entries = 1024").await;
    blocking(move || {
        let mut lin = provider.person("Lin");
        provider.pair(&mut lin).expect("paired");
        let (band, name, key) = (lin.band.thumbprint(), lin.phone.thumbprint(), lin.phone.key().expect("a key"));
        let mut issue = || {
            let offer = provider.client.offer(&key, &band)?;
            let device = &mut lin.band;
            provider.client.credentials(&offer, (&mut lin.phone, &mut ()), &band, 100, &mut |batch| {
                Ok(device.batch(batch, &name, clock(), &mut os_rng(), &mut ()).expect("signed"))
            })
        };
        let mut given = std::collections::BTreeSet::new();
        // Three came with the pairing.
        for _ in 0..9 {
            for one in issue().expect("issued") {
                let place = payload(&one)["status"]["status_list"].clone();
                let uri = place["uri"].as_str().expect("text").to_owned();
                assert!(given.insert((uri, place["idx"].as_u64())), "an index was given twice");
            }
        }
        assert_eq!(code(issue()), "issue.limit");
        let on = |list: u32| {
            let uri = format!("{}/status/{list}", provider.address);
            given.iter().filter(|(of, _)| *of == uri).count()
        };
        assert_eq!((on(1), on(2)), (600, 300), "at 503 there was room, at 603 there is none");
    })
    .await;
}

struct Answer {
    status: u16,
    headers: ureq::http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn code(&self) -> String {
        let body = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        format!("{} {}", self.status, body["code"].as_str().unwrap_or("none"))
    }
}

fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let agent =
        ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build().new_agent();
    let request =
        headers.iter().fold(ureq::http::Request::builder().method(method).uri(url), |request, (name, value)| {
            request.header(*name, *value)
        });
    let mut answer = agent.run(request.body(body.to_owned()).expect("a request")).expect("an answer");
    let body = answer.body_mut().read_to_vec().expect("a body");
    Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body }
}

/// Each way to be refused before anything is changed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_proved_is_refused() {
    let provider = Provider::start(in_memory(), "").await;
    blocking(move || {
        let lin = provider.person("Lin");
        let band = lin.band.thumbprint();
        let (url, rng) = (format!("{}/v1/bands/{band}/open", provider.address), &mut os_rng());
        let token = provider.token(&lin, Some(clock()));
        let proof = |url: &str| dpop(&lin.account, "POST", url, Some(&token), clock(), &mut os_rng());
        let open = |token: &str, proof: &str| {
            let bearer = format!("DPoP {token}");
            ask("POST", &url, &[("authorization", &bearer), ("dpop", proof)], "")
        };

        assert_eq!(ask("POST", &url, &[], "").code(), "401 access-token.missing");
        let missing = ask("POST", &url, &[("authorization", &format!("DPoP {token}"))], "");
        assert_eq!(missing.code(), "401 dpop.missing");
        assert!(
            missing.headers["www-authenticate"]
                .to_str()
                .expect("text")
                .starts_with("DPoP error=\"invalid_dpop_proof\"")
        );
        let two = [("authorization", &*format!("DPoP {token}")), ("dpop", &proof(&url)), ("dpop", &proof(&url))];
        assert_eq!(ask("POST", &url, &two, "").code(), "401 dpop.missing");
        assert_eq!(open(&token, "no proof").code(), "401 dpop.malformed");
        let good = proof(&url);
        let (signed, _) = good.rsplit_once('.').expect("a signature");
        let other = proof(&url);
        let forged = format!("{signed}.{}", other.rsplit_once('.').expect("a signature").1);
        assert_eq!(open(&token, &forged).code(), "401 dpop.signature");
        for (method, address, with) in [
            ("GET", url.clone(), Some(&*token)),
            ("POST", url.replace("open", "found"), Some(&*token)),
            ("POST", url.replace("http://", "https://"), Some(&*token)),
            ("POST", url.clone(), None),
            ("POST", url.clone(), Some("another")),
        ] {
            let proof = dpop(&lin.account, method, &address, with, clock(), rng);
            assert_eq!(open(&token, &proof).code(), "401 dpop.request", "{method} {address}");
        }
        for at in [clock() - 302, clock() + 90] {
            let proof = dpop(&lin.account, "POST", &url, Some(&token), at, rng);
            assert_eq!(open(&token, &proof).code(), "401 dpop.stale");
        }
        assert_eq!(open(&token, &good).code(), "200 none");
        assert_eq!(open(&token, &good).code(), "401 dpop.used");
        // A query does not count.
        assert_eq!(open(&token, &proof(&format!("{url}?x=1"))).code(), "200 none");

        let thumbprint = lin.account.thumbprint();
        let account = Account { sub: &lin.sub, key_thumbprint: &thumbprint, verified_at: Some(clock()) };
        let stranger = AuthorizationServer { issuer: LOGIN.into(), key: Key::generate(rng) };
        let elsewhere =
            AuthorizationServer { issuer: "https://elsewhere.example".into(), key: provider.login.key.clone() };
        let another = Account { sub: "another", ..account };
        let bound_to_another = Account { key_thumbprint: "another", ..account };
        let unverified = Account { verified_at: None, ..account };
        let stale = Account { verified_at: Some(clock() - 302), ..account };
        let (us, now) = (&*provider.address, clock());
        for (token, code) in [
            ("no token".to_owned(), "401 access-token.malformed"),
            (stranger.access_token(us, &account, now, rng), "401 access-token.signature"),
            (elsewhere.access_token(us, &account, now, rng), "401 access-token.audience"),
            (provider.login.access_token("https://elsewhere.example", &account, now, rng), "401 access-token.audience"),
            (provider.login.access_token(us, &account, now - 301, rng), "401 access-token.expired"),
            (provider.login.access_token(us, &bound_to_another, now, rng), "401 access-token.key"),
            (provider.login.access_token(us, &another, now, rng), "401 access-token.key"),
            (provider.login.access_token(us, &unverified, now, rng), "401 pairing.verification"),
            (provider.login.access_token(us, &stale, now, rng), "401 pairing.verification"),
        ] {
            let proof = dpop(&lin.account, "POST", &url, Some(&token), clock(), rng);
            let answer = open(&token, &proof);
            assert_eq!(answer.code(), code, "{token}");
            assert!(answer.headers.contains_key("www-authenticate"));
        }
        let nobody = Key::generate(rng);
        let token =
            provider.login.access_token(us, &Account { key_thumbprint: &nobody.thumbprint(), ..account }, now, rng);
        let proof = dpop(&nobody, "POST", &url, Some(&token), clock(), rng);
        assert_eq!(open(&token, &proof).code(), "404 account.unknown");
    })
    .await;
}

/// What a band or its maker has to have signed for an enrolment.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_signed_is_not_enrolled() {
    let provider = Provider::start(in_memory(), "").await;
    blocking(move || {
        let lin = provider.person("Lin");
        let (band, us, now, rng) = (lin.band.thumbprint(), &*provider.address, clock(), &mut os_rng());
        let nobody = Key::generate(rng);
        let owned = lin.account.thumbprint();
        let key = Key::generate(rng);
        let says = Statement { role: Role::Band, audience: us, names: &owned, now };
        let maker = |name: &str, key: &Key| Maker { name: name.into(), key: key.clone() };
        let (ours, mine) = (&provider.maker, key.thumbprint());
        let dated = |exp: u64| {
            let payload = json!({"iss": MAKER, "cnf": {"jkt": mine}, "band_measures": [], "exp": exp});
            ours.key.sign(&json!({"alg": "ES256", "typ": "bandpass-attestation+jwt"}), &payload)
        };
        let good = says.pairing(&key, None);
        let (head, _) = good.rsplit_once('.').expect("a signature");
        for (proof, attestation, code) in [
            ("no proof".into(), None, "proof.malformed"),
            (Statement { role: Role::Phone, ..says }.pairing(&key, None), None, "proof.malformed"),
            (Statement { names: "nobody", ..says }.pairing(&key, None), None, "proof.malformed"),
            (
                format!("{head}.{}", says.pairing(&nobody, None).rsplit_once('.').expect("a signature").1),
                None,
                "proof.signature",
            ),
            (Statement { audience: "https://elsewhere.example", ..says }.pairing(&key, None), None, "proof.audience"),
            (Statement { now: now - 302, ..says }.pairing(&key, None), None, "proof.stale"),
            (Statement { names: &band, ..says }.pairing(&key, None), None, "pairing.mismatch"),
            (good.clone(), Some("none".into()), "attestation.malformed"),
            (good.clone(), Some(ours.attest(&mine, &["telepathy"], now)), "attestation.malformed"),
            (
                good.clone(),
                Some(maker("https://other.example", &ours.key).attest(&mine, &[], now)),
                "attestation.maker",
            ),
            (good.clone(), Some(maker(MAKER, &nobody).attest(&mine, &[], now)), "attestation.signature"),
            (good.clone(), Some(ours.attest(&band, &[], now)), "attestation.band"),
            (good.clone(), Some(dated(now - 1)), "attestation.expired"),
            (good.clone(), Some(dated(now + 60)), "none"),
            (good.clone(), None, "pairing.enrolled"),
        ] {
            let enrolled = provider.as_owner(&lin, |client, owner| client.enrol(owner, &proof, attestation.as_deref()));
            assert_eq!(crate::provider::code(enrolled), code);
        }
        // Without an attestation it senses nothing.
        let bare = says.pairing(&nobody, None);
        let enrolled = provider.as_owner(&lin, |client, owner| client.enrol(owner, &bare, None)).expect("enrolled");
        assert_eq!((&enrolled["band_measures"], &enrolled["state"]), (&json!([]), &json!("unpaired")));
    })
    .await;
}

/// Accounts are the operator's, and what is known of a band is its owner's and its phone's.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_refused() {
    let provider = Provider::start(in_memory(), "").await;
    blocking(move || {
        let lin = provider.person("Lin");
        let (band, us, rng) = (lin.band.thumbprint(), &*provider.address, &mut os_rng());
        let nobody = Key::generate(rng);
        let (owned, mine) = (lin.account.thumbprint(), Key::generate(rng).thumbprint());
        // Accounts are the operator's.
        let accounts = format!("{us}/v1/accounts");
        let key = format!("Bearer {}", provider.operator_key);
        let with = |body: &Value| {
            ask("POST", &accounts, &[("authorization", &key), ("content-type", "application/json")], &body.to_string())
        };
        assert_eq!(
            ask("POST", &accounts, &[("content-type", "application/json")], "{}").code(),
            "401 request.unauthorized"
        );
        assert_eq!(with(&json!({"key": owned})).code(), "409 account.known");
        for wrong in [
            json!({"key": "short"}),
            json!({"key": mine, "claims": {"cnf": {}}}),
            json!({"key": mine, "claims": {"_sd": []}}),
            json!({"key": mine, "claims": {"sub": ""}}),
            json!({"key": mine, "claims": {"given_name": "x".repeat(9_000)}}),
            json!({"key": mine, "more": 1}),
        ] {
            assert!(["400 request.malformed", "422 request.malformed"].contains(&&*with(&wrong).code()), "{wrong}");
        }
        assert_eq!(with(&json!({"key": mine, "claims": {"sub": "account-7"}})).code(), "201 none");

        // Whoever is neither owner nor paired phone sees nothing of a band.
        let look = |key: &Key| {
            let url = format!("{us}/v1/bands/{band}");
            let proof = dpop(key, "GET", &url, None, clock(), &mut os_rng());
            ask("GET", &url, &[("dpop", &proof)], "").code()
        };
        assert_eq!(look(&nobody), "403 pairing.not-owner");
        let unknown = format!("{us}/v1/bands/{}", Key::generate(rng).thumbprint());
        let proof = dpop(&nobody, "GET", &unknown, None, clock(), rng);
        assert_eq!(ask("GET", &unknown, &[("dpop", &proof)], "").code(), "404 pairing.unknown");
        assert_eq!(ask("GET", &format!("{us}/nowhere"), &[], "").code(), "404 request.unknown");
        assert_eq!(ask("DELETE", &accounts, &[], "").code(), "405 request.method");
    })
    .await;
}

/// Requests for credentials that are refused before any proof is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_no_credentials_is_refused() {
    let provider = Provider::start(in_memory(), "").await;
    blocking(move || {
        let mut lin = provider.person("Lin");
        provider.pair(&mut lin).expect("paired");
        let (key, us) = (lin.phone.key().expect("a key"), &*provider.address);
        let post = |key: &Key, path: &str, token: Option<&str>, kind: &str, body: &str| {
            let url = format!("{us}{path}");
            let proof = dpop(key, "POST", &url, token, clock(), &mut os_rng());
            let bearer = token.map(|token| format!("DPoP {token}"));
            let mut headers = vec![("dpop", &*proof), ("content-type", kind)];
            headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
            ask("POST", &url, &headers, body)
        };
        let json_of = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).expect("JSON");
        let (json_kind, form) = ("application/json", "application/x-www-form-urlencoded");
        let grant = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
        let offer = post(&key, &format!("/v1/bands/{}/offer", lin.band.thumbprint()), None, json_kind, "");
        let code = json_of(&offer)["credential_offer"]["grants"][grant]["pre-authorized_code"].clone();
        let code = code.as_str().expect("a code");
        let by = |grant: &str| format!("grant_type={grant}&pre-authorized_code={code}");
        assert_eq!(post(&key, "/token", None, form, &by("authorization_code")).code(), "400 request.malformed");
        let token = json_of(&post(&key, "/token", None, form, &by(grant)))["access_token"].clone();
        let token = token.as_str().expect("a token");
        let request = |configuration: &str, proofs: &[&str]| {
            let proofs = json!({"jwt": proofs});
            json!({"credential_configuration_id": configuration, "proofs": proofs, "phone_key_attestation": "x"})
                .to_string()
        };
        for (key, token, body, code) in [
            (&key, token, request("another", &["x"]), "400 issue.configuration"),
            (&key, token, request("band", &[]), "400 proof.malformed"),
            (&key, token, request("band", &["x", "y"]), "400 proof.malformed"),
            (&key, token, request("band", &["x"]), "400 proof.malformed"),
            (&key, token, "{}".into(), "400 request.malformed"),
            (&key, "another", request("band", &["x"]), "401 access-token.expired"),
            (&lin.account, token, request("band", &["x"]), "401 access-token.key"),
        ] {
            assert_eq!(post(key, "/credential", Some(token), json_kind, &body).code(), code, "{body}");
        }
    })
    .await;
}

/// A key that signed before is still in the trust list, by the name that credentials have for it.
#[test]
fn a_key_that_is_replaced_is_still_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    Offline::new(folder.path());
    let file = folder.path().join("registry.toml");
    let first = RegistryConfig::from_file(&file).expect("a configuration").trust_entry();
    let old = first["jwks"]["keys"][0].clone();
    let set = json!({"keys": [Key::generate(&mut os_rng()).to_private_jwk(), old]}).to_string();
    std::fs::write(folder.path().join("registry.jwk"), set).expect("written");
    let then = RegistryConfig::from_file(&file).expect("a configuration").trust_entry();
    assert_eq!((&then["jwks"]["keys"][1], then["jwks"]["keys"].as_array().map(Vec::len)), (&old, Some(2)));
}

/// What verifiers fetch (Token Status List, section 8).
#[tokio::test(flavor = "multi_thread")]
async fn status_lists_are_served_in_both_forms() {
    let provider = Provider::start(in_memory(), "status_ttl = 120").await;
    blocking(move || {
        let url = format!("{}/status/1", provider.address);
        assert_eq!(ask("GET", &url, &[], "").code(), "404 status-list.unknown");
        let mut lin = provider.person("Lin");
        provider.pair(&mut lin).expect("paired");
        let (jwt, cwt) = ("application/statuslist+jwt", "application/statuslist+cwt");
        for (accept, is) in [(None, jwt), (Some(jwt), jwt), (Some(cwt), cwt), (Some("*/*"), jwt)] {
            let headers = accept.map(|accept| vec![("accept", accept)]).unwrap_or_default();
            let answer = ask("GET", &url, &headers, "");
            assert_eq!((answer.status, answer.headers["content-type"].to_str().expect("text")), (200, is));
            let etag = answer.headers["etag"].to_str().expect("text").to_owned();
            let max_age = answer.headers["cache-control"].to_str().expect("text").strip_prefix("public, max-age=");
            assert!((110..=120).contains(&max_age.expect("an age").parse::<u32>().expect("seconds")));
            let again = ask("GET", &url, &[headers, vec![("if-none-match", &*etag)]].concat(), "");
            assert_eq!((again.status, again.body.len()), (304, 0));
            let other =
                ask("GET", &url, &[("if-none-match", &*etag), ("accept", if is == jwt { cwt } else { jwt })], "");
            assert_eq!(other.status, 200, "the other form has another tag");
        }
        let claims = payload(&String::from_utf8(provider.status_list(jwt)).expect("text"));
        assert_eq!((claims["sub"].as_str(), claims["ttl"].as_u64()), (Some(&*url), Some(120)));
        let (issued, expires) = (claims["iat"].as_u64().expect("a time"), claims["exp"].as_u64().expect("a time"));
        assert_eq!(expires - issued, 86_400);
        let before = ask("GET", &url, &[], "");
        provider.as_owner(&lin, |client, owner| client.lost(owner, &lin.band.thumbprint())).expect("lost");
        let etag = before.headers["etag"].to_str().expect("text").to_owned();
        assert_eq!(ask("GET", &url, &[("if-none-match", &etag)], "").status, 200, "at once");
    })
    .await;
}

/// A counter is kept before its key signs: whatever happens between, none is used twice.
#[tokio::test(flavor = "multi_thread")]
async fn counters_are_kept_before_a_key_signs() {
    struct Kept(Vec<Value>, bool);
    impl Keep for Kept {
        fn keep(&mut self, device: &Value) -> Result<(), Refusal> {
            self.0.push(device.clone());
            if self.1 { Err(Refusal::Store) } else { Ok(()) }
        }
    }
    let provider = Provider::start(in_memory(), "").await;
    blocking(move || {
        let mut lin = provider.person("Lin");
        provider.pair(&mut lin).expect("paired");
        let (phone, shop) = (lin.phone.thumbprint(), "x509_hash:shop");
        let request = Request { audience: shop.into(), nonce: "a nonce".into(), transaction_data: Vec::new() };
        lin.band.choose(&phone, shop, &mut ()).expect("a credential");
        let present = |band: &mut BandDevice, kept: &mut Kept| {
            let token = band.present(&phone, &request, &Shown::default(), clock(), &mut os_rng(), kept)?;
            let proof = payload(token.rsplit('~').next().expect("a proof"));
            Ok(proof["band"]["counter"].as_u64().expect("a counter"))
        };
        let mut kept = Kept(Vec::new(), false);
        assert_eq!(present(&mut lin.band, &mut kept), Ok(1));
        // What it would be after a loss of power in that moment.
        let again =
            |kept: &mut Kept| serde_json::from_value::<BandDevice>(kept.0.pop().expect("kept")).expect("a band");
        assert_eq!(present(&mut again(&mut kept), &mut kept), Ok(2));
        kept.1 = true;
        assert_eq!(present(&mut lin.band, &mut kept), Err(Refusal::Store), "nothing is signed that was not kept");
        kept.1 = false;
        assert_eq!(present(&mut again(&mut kept), &mut kept), Ok(3));
    })
    .await;
}
