//! Status list tokens: as they come, and signed by a key that is trusted.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use bandpass_conformance::{Expected, Vector};
use bandpass_core::{Code, Error, Status, StatusListInfo, Trust, Verified, Verifier};
use bandpass_roles::status_list::sign1;
use bandpass_roles::{Key, StatusList, base64url, sha256_base64url};
use serde_json::{Value, json};

use crate::lists::{self, Cbor, List};
use crate::mutate::change_tree;
use crate::reference::jws;
use crate::token::{HOLDER, ISSUER, Parts, jwk, signature};
use crate::vectors::{named, sd_jwts};

/// The greatest difference between clocks that lists may have.
const TOLERANCE: u64 = 60;

/// What the draft prints.
static PUBLISHED: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../conformance/published/status-list.json")).expect("JSON"));

static TOKENS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut tokens = sd_jwts().flat_map(|vector| vector.status_list_tokens()).collect::<Vec<_>>();
    tokens.push(PUBLISHED["jwt"].as_str().expect("a JWT").into());
    let digits = PUBLISHED["cwt"].as_str().expect("a CWT").as_bytes().chunks(2);
    let digits = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16));
    tokens.push(digits.collect::<std::result::Result<_, _>>().expect("digits"));
    tokens.sort();
    tokens.dedup();
    tokens
});

/// A verifier that trusts whoever signed the vectors' lists and the published ones.
struct Known {
    verifier: Verifier,
    now: u64,
    /// What is signed of each token, and what was made of it.
    said: Vec<(Vec<u8>, StatusListInfo)>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let Vector { trust, expected, .. } = &named("accept/x5c-subject").vector;
    let mut by_certificate = trust["issuers"][0].clone();
    by_certificate["vct"] = json!(["x"]);
    let trust = json!({"issuers": [
        {"iss": "https://wallet.example", "vct": ["x"], "jwks": {"keys": [jwk(ISSUER)]}},
        {"iss": "https://example.com", "vct": ["x"], "jwks": {"keys": [PUBLISHED["key"]]}},
        by_certificate,
    ]});
    let trust = Trust::from_json(trust.to_string().as_bytes()).expect("a trust list");
    let verifier = Verifier::new(trust);
    let said = TOKENS.iter().filter_map(|token| {
        let info = verifier.clone().update_status(token, expected.now).ok()?;
        Some((lists::signed(token).expect("a token"), info))
    });
    Known { said: said.collect(), now: expected.now, verifier }
});

/// A status list token of any bytes: nobody signs here, so what is accepted is what a vector says.
pub(crate) fn unsigned(data: &[u8]) {
    if let Ok(info) = KNOWN.verifier.clone().update_status(data, KNOWN.now) {
        let signed = lists::signed(data).expect("a token that can be read");
        assert!(KNOWN.said.contains(&(signed, info)), "nobody signed this");
    }
}

pub(crate) fn unsigned_seeds() -> Vec<Vec<u8>> {
    assert!(KNOWN.said.len() > 10, "seeds are accepted");
    TOKENS.clone()
}

/// A token in the making.
#[derive(Clone)]
struct Draft {
    header: Value,
    claims: Value,
    /// Of a CWT.
    unprotected: Value,
    signer: u8,
    cwt: bool,
    /// Bytes put over the claims as they are encoded: where, and what.
    over: Option<(usize, Vec<u8>)>,
}

/// Each JWT of a vector; as a CWT it says the same.
static DRAFTS: LazyLock<Vec<Draft>> = LazyLock::new(|| {
    let read = TOKENS.iter().filter_map(|token| jws(std::str::from_utf8(token).ok()?));
    // Of most the first few bytes of the list are enough to be changed.
    let read = read.filter(|(_, claims)| claims.to_string().len() < 2_000);
    let draft =
        |(header, claims)| Draft { header, claims, unprotected: json!({}), signer: ISSUER, cwt: false, over: None };
    read.map(draft).collect()
});

/// A band's token, whose credential names another place in a list each time.
static BAND: LazyLock<Parts> =
    LazyLock::new(|| Parts::of(&named("accept/no-kid").vector).expect("a token made of JSON objects"));

static EXPECTED: LazyLock<&Expected> = LazyLock::new(|| &named("accept/no-kid").vector.expected);

static WORDS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let now = EXPECTED.now;
    let texts = "sub iat exp nbf ttl iss status_list bits lst alg typ kid x5c crit ES256 1 2 statuslist+jwt \
        application/statuslist+cwt https://wallet.example https://other.example https://wallet.example/status/1 \
        https://wallet.example/status/2 https://elsewhere.example/1";
    let texts = texts.split_whitespace().map(Value::from);
    let numbers = [1, 2, 3, 4, 8, now - 901, now - 900, now - 60, now, now + 1, now + 60, now + 61, 1 << 53];
    texts.chain(numbers.map(Value::from)).chain([json!("")]).collect()
});

/// Lists that the issuer or another one signed, one after the other, and then a credential.
pub(crate) fn signed(data: &[u8]) {
    // The bytes' end only ends the changes.
    let _ = signed_lists(&mut Unstructured::new(data));
}

fn signed_lists(bytes: &mut Unstructured<'_>) -> Result<()> {
    static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
        let mut own = jwk(ISSUER);
        own.insert("kid".into(), "1".into());
        let trust = json!({"issuers": [
            {"iss": NAMES[0], "vct": ["urn:bandpass:band:1"], "jwks": {"keys": [own]}},
            {"iss": NAMES[1], "vct": ["x"], "jwks": {"keys": [jwk(HOLDER)]}, "status_uris": [FOLDER]},
        ]});
        Verifier::new(Trust::from_json(trust.to_string().as_bytes()).expect("a trust list"))
    });
    let expected = *EXPECTED;
    let (mut verifier, mut held) = (VERIFIER.clone(), Vec::new());
    let mut uri = Value::from("https://wallet.example/status/1");
    for _ in 0..=bytes.int_in_range(0..=2)? {
        let mut draft = DRAFTS[bytes.choose_index(DRAFTS.len())?].clone();
        draft.cwt = bytes.arbitrary()?;
        if draft.cwt {
            draft.header["typ"] = "application/statuslist+cwt".into();
        }
        if bytes.arbitrary()? {
            draft.issued(bytes)?;
        }
        if bytes.arbitrary()? {
            draft.statuses(bytes)?;
        }
        for _ in 0..bytes.int_in_range(0..=3)? {
            change(&mut draft, bytes)?;
        }
        let token = draft.sign();
        take_in(&mut verifier, &token, &draft, expected.now, &mut held);
        if draft.claims["sub"].is_string() {
            uri = draft.claims["sub"].clone();
        }
    }
    let index = match bytes.int_in_range(0..=3)? {
        0 => bytes.arbitrary::<u64>()? >> 11,
        1 => bytes.arbitrary::<u16>()?.into(),
        _ => bytes.int_in_range(0..=63)?,
    };
    // That nothing is held needs to be seen now and then only.
    if held.is_empty() && bytes.ratio(7, 8)? {
        return Ok(());
    }
    let mut parts = BAND.clone();
    parts.issuer_jwt.payload["status"] = json!({"status_list": {"idx": index, "uri": uri}});
    let (_, token) = parts.assemble();
    let submission = verifier.submit(token.as_bytes(), expected.challenge().expect("a challenge"));
    let found = submission.verify("", &expected.requirements.to_core());
    let status = found.as_ref().map(Verified::status).map_err(Error::code);
    let list = held.iter().find(|(signer, list)| *signer == ISSUER && uri == list.uri).map(|(_, list)| list);
    let due = match list {
        _ if uri == "" => Err(Code::CredentialClaim),
        None => Err(Code::StatusMissing),
        Some(list) if expected.now.saturating_sub(list.issued_at) > expected.status_max_age.into() => {
            Err(Code::StatusStale)
        }
        Some(list) => match list.status(index) {
            None => Err(Code::StatusIndex),
            Some(0) => Ok(Status::Valid),
            Some(1) => Err(Code::StatusRevoked),
            Some(2) => Err(Code::StatusSuspended),
            Some(_) => Err(Code::StatusUnknown),
        },
    };
    assert_eq!(status, due, "index {index}");
    Ok(())
}

static KEYS: LazyLock<[Key; 2]> =
    LazyLock::new(|| [ISSUER, HOLDER].map(|number| Key::from_bytes(&[number; 32]).expect("a key")));

/// The issuers, and the only place at which the second one publishes.
const NAMES: [&str; 2] = ["https://wallet.example", "https://other.example"];
const FOLDER: &str = "https://wallet.example/status/";

/// What the verifier says has to be what the token says; `held`: each list with its signer.
fn take_in(verifier: &mut Verifier, token: &[u8], draft: &Draft, now: u64, held: &mut Vec<(u8, List)>) {
    let newer = |held: &[(u8, List)], list: &List| {
        let same = |(signer, other): &&(u8, List)| *signer == draft.signer && other.uri == list.uri;
        held.iter().filter(same).any(|(_, other)| other.issued_at > list.issued_at)
    };
    match verifier.update_status(token, now) {
        Ok(info) => {
            let list = List::read(token).expect("a status list token that can be read");
            assert_eq!(info.uri, list.uri);
            assert_eq!((info.issued_at, info.expires, info.ttl), (list.issued_at, list.expires, list.ttl));
            assert!(!list.uri.is_empty() && list.ttl != Some(0) && list.statuses.is_some());
            assert!(list.issued_at <= now + TOLERANCE && list.starts.is_none_or(|starts| starts <= now + TOLERANCE));
            assert!(list.expires.is_none_or(|expires| now < expires));
            let (name, publishes) = match draft.signer {
                ISSUER => (NAMES[0], list.kid.as_deref().is_none_or(|kid| kid == "1")),
                _ => (NAMES[1], list.uri.starts_with(FOLDER)),
            };
            assert!(publishes && list.issuer.as_deref().is_none_or(|issuer| issuer == name), "not this issuer's");
            assert!(!newer(held, &list), "an older list");
            held.retain(|(signer, other)| *signer != draft.signer || other.uri != list.uri);
            held.push((draft.signer, list));
        }
        Err(error) => {
            assert!(error.code().as_str().starts_with("status."), "{error}");
            let list = List::read(token);
            let is_older = || list.is_some_and(|list| newer(held, &list));
            assert!(error.code() != Code::StatusRollback || is_older(), "no newer list is held");
        }
    }
}

fn change(draft: &mut Draft, bytes: &mut Unstructured<'_>) -> Result<()> {
    match bytes.int_in_range(0..=11)? {
        0..=3 => change_tree(&mut draft.claims, &WORDS, bytes)?,
        4 => change_tree(&mut draft.header, &WORDS, bytes)?,
        5 => change_tree(&mut draft.unprotected, &WORDS, bytes)?,
        6 => draft.signer = *bytes.choose(&[ISSUER, HOLDER])?,
        7 => draft.statuses(bytes)?,
        8 => draft.issued(bytes)?,
        9 => {
            // What is there, compressed as it is, with a byte changed; or any bytes.
            let lst = draft.claims["status_list"]["lst"].as_str().unwrap_or_default();
            let lst = <base64ct::Base64UrlUnpadded as base64ct::Encoding>::decode_vec(lst);
            let mut lst = lst.unwrap_or_default();
            if lst.is_empty() || bytes.arbitrary()? {
                let length = usize::from(bytes.arbitrary::<u8>()?).min(bytes.len());
                lst = bytes.bytes(length)?.to_vec();
            } else {
                let place = bytes.choose_index(lst.len())?;
                lst[place] = bytes.arbitrary()?;
            }
            if let Some(list) = draft.claims.get_mut("status_list").and_then(Value::as_object_mut) {
                list.insert("lst".into(), base64url(&lst).into());
            }
        }
        10 => {
            let now = EXPECTED.now;
            let name = *bytes.choose(&["iat", "exp", "nbf"])?;
            if let Some(claims) = draft.claims.as_object_mut() {
                claims.insert(name.into(), now.saturating_add_signed(bytes.arbitrary::<i16>()?.into()).into());
            }
        }
        _ => {
            let length = usize::from(bytes.arbitrary::<u8>()? % 4).min(bytes.len());
            draft.over = Some((bytes.arbitrary::<u16>()?.into(), bytes.bytes(length)?.to_vec()));
        }
    }
    Ok(())
}

impl Draft {
    /// Another list.
    fn statuses(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let (bits, entries) = (*bytes.choose(&[1, 2, 4, 8])?, bytes.int_in_range(1..=64_u8)?);
        let mut list = StatusList::new(bits, entries.into()).expect("bits");
        for _ in 0..bytes.int_in_range(0..=16)? {
            list.set((bytes.arbitrary::<u8>()? % entries).into(), bytes.arbitrary::<u8>()? & 3);
        }
        if let Some(claims) = self.claims.as_object_mut() {
            claims.insert("status_list".into(), list.to_json());
        }
        Ok(())
    }

    /// Another time, not far from what is too old or from the future.
    fn issued(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let at = EXPECTED.now + 64 - 4 * u64::from(bytes.arbitrary::<u8>()?);
        if let Some(claims) = self.claims.as_object_mut() {
            claims.insert("iat".into(), at.into());
        }
        Ok(())
    }

    fn sign(&self) -> Vec<u8> {
        if !self.cwt {
            let claims = self.spoilt(self.claims.to_string().into_bytes());
            let signed = format!("{}.{}", base64url(self.header.to_string().as_bytes()), base64url(&claims));
            let signature = signature(self.signer, &signed);
            return format!("{signed}.{signature}").into_bytes();
        }
        let headers = [("alg", 1), ("crit", 2), ("kid", 4), ("typ", 16), ("x5c", 33)];
        let claims =
            [("iss", 1), ("sub", 2), ("exp", 4), ("nbf", 5), ("iat", 6), ("status_list", 65_533), ("ttl", 65_534)];
        let encoded = |value: &Value, labels: &[(&str, i128)]| {
            let mut bytes = Vec::new();
            Cbor::of(value, labels, &["kid", "lst"]).write(&mut bytes);
            bytes
        };
        let claims = self.spoilt(encoded(&self.claims, &claims));
        sign1(
            &KEYS[usize::from(self.signer - ISSUER)],
            &encoded(&self.header, &headers),
            &encoded(&self.unprotected, &headers),
            &claims,
        )
    }

    fn spoilt(&self, mut encoded: Vec<u8>) -> Vec<u8> {
        if let Some((place, over)) = &self.over {
            let place = place % (encoded.len() + 1);
            let end = encoded.len().min(place + over.len());
            encoded.splice(place..end, over.iter().copied());
        }
        encoded
    }
}

pub(crate) fn signed_seeds() -> Vec<Vec<u8>> {
    let seed = |number: u16| sha256_base64url(&number.to_le_bytes()).repeat(3).into_bytes();
    (0..1_000).map(seed).collect()
}
