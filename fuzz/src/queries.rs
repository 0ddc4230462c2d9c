//! DCQL queries, and submissions of several presentations.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use bandpass_conformance::{Demand, Expected, Requirements};
use bandpass_core::{Code, Dcql, Verified, Verifier};
use bandpass_roles::sha256_base64url;
use serde_json::{Map, Value, json};

use crate::reference;
use crate::token::Parts;
use crate::vectors::{CASES, case, named, presentations_in, sd_jwts};
use crate::verify::explains;

/// A DCQL query for what a vector sent: its number, then JSON.
pub(crate) fn dcql(data: &[u8]) {
    let Some((number, json)) = data.split_first_chunk() else { return };
    let Ok(dcql) = Dcql::from_json(json) else { return };
    let tree = serde_json::from_slice::<Value>(json).expect("JSON");
    assert!(Dcql::from_json(tree.to_string().as_bytes()).is_ok(), "it says the same when it is written again");
    let case = case(u16::from_le_bytes(*number));
    let expected = Expected { dcql: None, ..case.vector.expected.clone() };
    let Ok(challenge) = expected.challenge() else { return };
    let submission = case.verifier.submit(case.vector.vp_token.as_bytes(), challenge.dcql(dcql.clone()));
    let ids = tree["credentials"].as_array().expect("queries").iter().map(|query| &query["id"]);
    let ids = ids.take(4).map(|id| id.as_str().expect("an id")).chain(["", expected.query_id.as_str()]);
    // What else is asked for could be refused with the same codes.
    let requirements = Requirements { claims: Vec::new(), age_at_least: None, ..expected.requirements.clone() };
    for id in ids {
        let verdict = submission.verify(id, &requirements.to_core());
        explains(&submission.explain(id, &requirements.to_core()), &verdict);
        match &verdict {
            Ok(verified) => answered(&dcql, &tree, &case.vector.vp_token, id, verified),
            Err(error) if [Code::ClaimsMissing, Code::ClaimsMismatch].contains(&error.code()) => {
                refused(&tree, &case.vector.vp_token, id);
            }
            Err(_) => {}
        }
    }
}

/// What is accepted is an answer, for the verifier as for the reference.
fn answered(dcql: &Dcql, tree: &Value, vp_token: &str, id: &str, verified: &Verified) {
    verified.satisfies(dcql).expect("what is accepted answers the query");
    let id = if id.is_empty() { tree["credentials"][0]["id"].as_str().expect("an id") } else { id };
    let by_query = by_query(vp_token).unwrap_or_else(|| [(id.to_owned(), vec![vp_token.to_owned()])].into());
    let sent = by_query.iter().flat_map(|(id, tokens)| tokens.iter().map(|_| id.as_str())).collect::<Vec<_>>();
    assert!(reference::sent(tree, &sent), "what has to be sent");
    let text = |claim: &str| verified.claims().get(claim).and_then(Value::as_str);
    let further = verified.claims().get("aka_vcts").and_then(Value::as_array).into_iter().flatten();
    let types = text("vct").into_iter().chain(further.filter_map(Value::as_str)).collect::<Vec<_>>();
    assert!(reference::answers(tree, id, &types, verified.claims()), "an answer to the query");
    let query = tree["credentials"].as_array().expect("queries").iter().find(|query| query["id"] == id);
    let unbound = query.is_some_and(|query| query["require_cryptographic_holder_binding"] == false);
    assert!(unbound || verified.key_thumbprint().is_some(), "a proof is needed");
}

/// What lacks a claim lacks it for the reference too.
fn refused(tree: &Value, vp_token: &str, id: &str) {
    let queries = tree["credentials"].as_array().expect("queries");
    let query = if id.is_empty() { queries.first() } else { queries.iter().find(|query| query["id"] == id) };
    let (Some(query), None) = (query, by_query(vp_token)) else { return };
    let claims = reference::claims(vp_token).expect("claims that were looked at");
    assert!(!reference::claims_answer(query, &claims), "the claims are there");
}

fn by_query(vp_token: &str) -> Option<BTreeMap<String, Vec<String>>> {
    serde_json::from_str(vp_token).ok()
}

pub(crate) fn dcql_seeds() -> Vec<Vec<u8>> {
    let seed = |number: usize, dcql: &Value| {
        [&u16::try_from(number).expect("fewer than 2^16 vectors").to_le_bytes(), dcql.to_string().as_bytes()].concat()
    };
    let with_case = CASES.iter().enumerate();
    let with_case = with_case.filter_map(|(number, case)| Some(seed(number, case.vector.expected.dcql.as_ref()?)));
    // Those that are refused as they are have no token that is worth it.
    let all = sd_jwts().filter(|vector| vector.name.starts_with("challenge."));
    with_case.chain(all.filter_map(|vector| Some(seed(0, &vector.expected.dcql?)))).collect()
}

/// A presentation that is good by itself.
struct Presentation {
    parts: Parts,
    claims: Map<String, Value>,
}

static EXPECTED: LazyLock<&Expected> = LazyLock::new(|| &named("accept/no-kid").vector.expected);
static VERIFIER: LazyLock<&Verifier> = LazyLock::new(|| &named("accept/no-kid").verifier);

/// Whatever vectors sent, if it is accepted for one and the same challenge, with its nonce.
static PRESENTATIONS: LazyLock<Vec<Presentation>> = LazyLock::new(|| {
    let sent = CASES.iter().filter(|case| case.is_accepted() && case.vector.expected.transaction_data.is_empty());
    let vectors = sent.flat_map(|case| {
        presentations_in(&case.vector.vp_token).into_iter().map(|vp_token| {
            let mut vector = case.vector.clone();
            vector.vp_token = vp_token;
            vector
        })
    });
    let presentation = |vector| {
        let mut parts = Parts::of(&vector)?;
        parts.nonce(&EXPECTED.nonce);
        let token = parts.assemble().1;
        let verified = VERIFIER.submit(token.as_bytes(), challenge(None)).verify("", &lenient().to_core()).ok()?;
        Some(Presentation { parts, claims: verified.claims().clone() })
    };
    vectors.filter_map(presentation).collect()
});

fn challenge(dcql: Option<&Value>) -> bandpass_core::Challenge {
    Expected { dcql: dcql.cloned(), ..EXPECTED.clone() }.challenge().expect("a challenge")
}

/// Credentials of members do without a proof.
fn lenient() -> Requirements {
    Requirements { holder: Some(Demand::NotRequired), ..Requirements::default() }
}

const IDS: [&str; 4] = ["band", "member", "other", "a"];

/// Several presentations under several ids.
pub(crate) fn submission(data: &[u8]) {
    // The bytes' end only ends what is sent.
    let _ = submit(&mut Unstructured::new(data));
}

fn submit(bytes: &mut Unstructured<'_>) -> Result<()> {
    let dcql = match bytes.int_in_range(0..=2)? {
        0 => None,
        _ => Some(query(bytes)?),
    };
    let (mut by_query, mut sent) = (Map::new(), Vec::new());
    let mut foreign = false;
    for _ in 0..=bytes.int_in_range(0..=3)? {
        let presentation = &PRESENTATIONS[bytes.choose_index(PRESENTATIONS.len())?];
        let id = *bytes.choose(&IDS)?;
        let mut parts = presentation.parts.clone();
        let is_foreign = parts.kb_jwt.is_some() && bytes.ratio(1, 8)?;
        if is_foreign {
            parts.nonce("another");
        }
        foreign |= is_foreign;
        let token = parts.assemble().1;
        // The same one twice, or under two ids.
        for id in [Some(id), bytes.choose(&[None, None, None, Some(id), Some("other")])?.as_ref().copied()] {
            let Some(id) = id else { continue };
            let tokens = by_query.entry(id).or_insert_with(|| json!([]));
            tokens.as_array_mut().expect("an array").push(token.clone().into());
            sent.push((id, presentation, parts.kb_jwt.is_some()));
        }
    }
    let submission = VERIFIER.submit(Value::Object(by_query).to_string().as_bytes(), challenge(dcql.as_ref()));
    let mut requirements = lenient();
    requirements.same_holder_as = bytes.choose(&[None, None, Some("member")])?.map(Into::into);
    for id in IDS.into_iter().chain(["", "ticket"]) {
        let all = submission.verify_all(id, &requirements.to_core());
        let one = submission.verify(id, &requirements.to_core());
        explains(&submission.explain(id, &requirements.to_core()), &one);
        let under = sent.iter().filter(|(other, ..)| *other == id).collect::<Vec<_>>();
        if foreign {
            let code = all.expect_err("a proof is for another nonce").code().as_str();
            assert!(code.starts_with("holder.") || dcql.is_some() && code.starts_with("token."), "{code}");
            assert!(one.is_err());
            continue;
        }
        // Whose key it is only counts where it is asked for: every proof here is of the same one.
        let is_bound = |id: &str| sent.iter().filter(|(other, ..)| *other == id).all(|(.., bound)| *bound);
        let has = |id: &str| sent.iter().filter(|(other, ..)| *other == id).count();
        let same_holder = requirements.same_holder_as.as_deref().is_none_or(|other| {
            let others = has(other) - usize::from(other == id && has(other) > 0);
            others > 0 && is_bound(other) && is_bound(id)
        });
        let due = !under.is_empty() && same_holder;
        match &all {
            Ok(all) => {
                assert!(due, "{id}: nothing answers it");
                assert_eq!(one.is_ok(), under.len() == 1);
                assert_eq!(all.len(), under.len());
                for (verified, (_, presentation, is_bound)) in all.iter().zip(&under) {
                    assert_eq!(verified.claims(), &presentation.claims, "{id}: what was sent for it");
                    assert_eq!(verified.key_thumbprint().is_some(), *is_bound);
                }
                if let Some(dcql) = &dcql {
                    asked(dcql, &sent, all);
                }
            }
            Err(error) => {
                assert!(one.is_err());
                assert!(!due || dcql.is_some(), "{id}: {error}, and each is good by itself");
            }
        }
    }
    Ok(())
}

/// What was accepted was asked for.
fn asked(dcql: &Value, sent: &[(&str, &Presentation, bool)], all: &[Verified]) {
    assert!(reference::sent(dcql, &sent.iter().map(|(id, ..)| *id).collect::<Vec<_>>()), "what has to be sent");
    let parsed = Dcql::from_json(dcql.to_string().as_bytes()).expect("a query");
    for verified in all {
        verified.satisfies(&parsed).expect("what is accepted answers the query");
    }
    // Every option that is needed has presentations that match, each of them.
    let is_met = |id: &str| {
        sent.iter().filter(|(other, ..)| *other == id).all(|(_, presentation, is_bound)| {
            let vct = presentation.claims.get("vct").and_then(Value::as_str).unwrap_or_default();
            let query = dcql["credentials"].as_array().expect("queries").iter().find(|query| query["id"] == id);
            let unbound = query.is_some_and(|query| query["require_cryptographic_holder_binding"] == false);
            (unbound || *is_bound) && reference::answers(dcql, id, &[vct], &presentation.claims)
        })
    };
    let met = sent.iter().map(|(id, ..)| *id).filter(|id| is_met(id)).collect::<Vec<_>>();
    assert!(reference::sent(dcql, &met), "another query that must be answered");
}

/// A DCQL query for some of the ids.
fn query(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let (band, member) = ("urn:bandpass:band:1", "urn:example:member");
    let mut credentials = Vec::new();
    let chosen = bytes.int_in_range(1..=15_u8)?;
    for (place, id) in IDS.iter().enumerate().filter(|(place, _)| chosen >> place & 1 == 1) {
        let values =
            bytes.choose(&[json!([band, member]), json!([band, member]), json!([band]), json!([member])])?.clone();
        let mut query = json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": values}});
        query["multiple"] = bytes.arbitrary::<bool>()?.into();
        if bytes.ratio(1, 2)? {
            query["require_cryptographic_holder_binding"] = false.into();
        }
        match place + bytes.int_in_range(0..=5)? {
            5 => query["claims"] = json!([{"path": ["given_name"]}]),
            6 => query["claims"] = json!([{"path": ["nationalities", null], "values": ["FR"]}]),
            7 => query["claims"] = json!([{"path": ["family_name"], "values": ["Li"]}]),
            _ => {}
        }
        credentials.push(query);
    }
    let mut dcql = json!({"credentials": credentials});
    if bytes.arbitrary()? {
        let ids = credentials.iter().map(|query| query["id"].clone()).collect::<Vec<_>>();
        let mut sets = Vec::new();
        for _ in 0..=bytes.int_in_range(0..=1)? {
            let mut options = Vec::new();
            for _ in 0..=bytes.int_in_range(0..=2)? {
                options.push(json!([bytes.choose(&ids)?, bytes.choose(&ids)?]));
            }
            sets.push(json!({"options": options, "required": bytes.ratio(3, 4)?}));
        }
        dcql["credential_sets"] = sets.into();
    }
    Ok(dcql)
}

pub(crate) fn submission_seeds() -> Vec<Vec<u8>> {
    assert!(PRESENTATIONS.len() > 20, "presentations are good by themselves");
    (0..=u8::MAX).map(|number| [&[number], sha256_base64url(&[number]).as_bytes()].concat()).collect()
}
