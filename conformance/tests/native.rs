//! The vectors against the native verifier.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use bandpass_conformance::{File, Vector, Verdict, claim_path, generate};
use bandpass_core::{Code, Date, Dcql, Error, Explanation, Memory, Outcome, Requirements, Verified};
use serde_json::{Value, json};

static FILES: LazyLock<BTreeMap<&str, File>> = LazyLock::new(|| generate().expect("vectors are made"));

fn files() -> Vec<(&'static str, &'static File)> {
    FILES.iter().map(|(name, file)| (*name, file)).collect()
}

fn vector(name: &str) -> &'static Vector {
    let mut vectors = FILES.values().flat_map(|file| &file.vectors);
    vectors.find(|vector| vector.name == name).unwrap_or_else(|| unreachable!("no vector is called {name}"))
}

#[test]
fn every_vector_gets_its_verdict() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (_, file) in files() {
        for vector in &file.vectors {
            count += 1;
            let found = vector.verdict();
            if found != vector.result {
                let details = vector.verify().err().map(|error| error.to_string());
                wrong.push(format!("{}: {found:?} {details:?}, not {:?}", vector.name, vector.result));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} vectors:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} vectors");
}

/// The explanation comes to the same verdict, names the same check, and lets none pass that comes after it.
#[test]
fn every_vector_is_explained() {
    let (mut passed, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for vector in files().into_iter().flat_map(|(_, file)| &file.vectors) {
        let Ok(submission) = vector.submit() else { continue };
        let requirements = vector.expected.requirements.to_core();
        let explanation = submission.explain(&vector.expected.query_id, &requirements);
        assert_eq!(explanation.error(), vector.verify().err().as_ref(), "{}", vector.name);
        assert!(explanation.checks().iter().map(|(code, _)| code).eq(Code::ALL), "{}", vector.name);
        let with = |wanted| explanation.checks().iter().filter(move |(_, outcome)| *outcome == wanted);
        let codes = with(Outcome::Failed).map(|(code, _)| code.as_str()).collect::<Vec<_>>();
        match &vector.result {
            Verdict::Refused { code } => assert_eq!(codes, [code], "{}", vector.name),
            Verdict::Accepted { .. } => {
                assert_eq!((codes, with(Outcome::NotReached).count()), (Vec::new(), 0), "{}", vector.name);
                passed.extend(with(Outcome::Passed).map(|(code, _)| *code));
            }
        }
        failed.extend(with(Outcome::Failed).map(|(code, _)| *code));
    }
    let never = |code: &Code, found: &BTreeSet<Code>| !found.contains(code);
    let unpassed = Code::ALL.iter().filter(|code| never(code, &passed)).map(|code| code.as_str()).collect::<Vec<_>>();
    assert!(unpassed.is_empty(), "{unpassed:?}");
    // Refused before there was anything to explain.
    let unfailed = Code::ALL.iter().filter(|code| never(code, &failed)).map(|code| code.as_str()).collect::<Vec<_>>();
    let of_lists =
        |code: &&str| ["trust.malformed", "challenge.malformed"].contains(code) || code.starts_with("status.");
    assert!(unfailed.iter().all(of_lists), "{unfailed:?}");
}

/// One memory for all of them, whatever list each is judged by: what came before changes no verdict, nor why.
#[test]
fn what_is_remembered_changes_nothing() {
    let mut memory = Memory::new(1 << 20);
    let vectors = files().into_iter().flat_map(|(_, file)| &file.vectors).collect::<Vec<_>>();
    for vector in vectors.iter().chain(&vectors) {
        let (Ok(verifier), Ok(challenge)) = (vector.verifier(), vector.expected.challenge()) else { continue };
        let requirements = vector.expected.requirements.to_core();
        let submission = verifier.submit_remembering(vector.vp_token.as_bytes(), challenge, &mut memory);
        let (found, fresh) = (submission.explain(&vector.expected.query_id, &requirements), vector.submit());
        let fresh = fresh.map(|submission| submission.explain(&vector.expected.query_id, &requirements));
        assert_eq!(fresh.as_ref().map(Explanation::checks), Ok(found.checks()), "{}", vector.name);
        assert_eq!(fresh.as_ref().map(Explanation::error), Ok(found.error()), "{}", vector.name);
        let verified = submission.verify(&vector.expected.query_id, &requirements);
        assert_eq!(
            verified.as_ref().map(Verified::claims),
            vector.verify().as_ref().map(Verified::claims),
            "{}",
            vector.name
        );
    }
    let payment = vector("accept/payment");
    let (verifier, challenge) = (payment.verifier().expect("a verifier"), payment.expected.challenge().expect("one"));
    let accepted = |token: &str, memory: &mut Memory| {
        let submission = verifier.submit_remembering(token.as_bytes(), challenge.clone(), memory);
        submission.verify(&payment.expected.query_id, &payment.expected.requirements.to_core()).is_ok()
    };
    assert!(accepted(&payment.vp_token, &mut memory));
    // The signature is part of what is remembered: its last character has bits to spare, so the one before it.
    let end = payment.vp_token.find('~').expect("disclosures") - 2;
    let other = if payment.vp_token[end..].starts_with('A') { "B" } else { "A" };
    let forged = [&payment.vp_token[..end], other, &payment.vp_token[end + 1..]].concat();
    assert!(!accepted(&forged, &mut memory));
}

#[test]
fn the_files_are_what_is_made() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let found = std::fs::read_dir(&folder).expect("vectors").map(|entry| entry.expect("an entry").path());
    let found = found.collect::<BTreeSet<_>>();
    let made = files().into_iter().map(|(name, file)| {
        let path = folder.join(name).with_extension("json");
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        let made = serde_json::to_string_pretty(&file).expect("JSON") + "\n";
        assert!(stored == made, "{}: run `cargo run --release -p bandpass-conformance`", path.display());
        path
    });
    assert_eq!(made.collect::<BTreeSet<_>>(), found);
}

#[test]
fn every_code_has_a_vector_that_is_named_after_it() {
    let named = files().into_iter().flat_map(|(_, file)| &file.vectors).map(|vector| {
        let (code, _) = vector.name.split_once('/').expect("a name");
        if let Verdict::Refused { code: refused } = &vector.result {
            assert_eq!(refused, code);
        }
        code.to_owned()
    });
    let named = named.collect::<BTreeSet<_>>();
    let missing = Code::ALL.iter().map(|code| code.as_str()).filter(|code| !named.contains(*code)).collect::<Vec<_>>();
    assert!(missing.is_empty(), "no vector for {missing:?}");
}

/// Nothing that is cut or changed anywhere gets through, and nothing panics.
#[test]
fn a_token_that_was_tampered_with_is_refused() {
    let vector = vector("accept/payment");
    let mut tried = 0;
    for length in 0..vector.vp_token.len() {
        let cut = Vector { vp_token: vector.vp_token.chars().take(length).collect(), ..vector.clone() };
        assert!(cut.verify().is_err(), "cut to {length} bytes");
        tried += 1;
    }
    for place in 0..vector.vp_token.len() {
        for other in ["A", ".", "~", "é"] {
            let (before, after) = vector.vp_token.split_at(place);
            let mut after = after.chars();
            if after.next().is_some_and(|replaced| other.starts_with(replaced)) {
                continue;
            }
            let changed = Vector { vp_token: format!("{before}{other}{}", after.as_str()), ..vector.clone() };
            assert!(changed.verify().is_err(), "`{other}` at {place}");
            tried += 1;
        }
    }
    println!("{tried} tokens");
}

/// What `verify_all` makes of a vector's submission.
fn verify_all(name: &str, query_id: &str, requirements: &Requirements) -> Result<Vec<Verified>, Error> {
    let submission = vector(name).submit().expect("a submission");
    submission.verify_all(query_id, requirements)
}

fn code<T>(verdict: Result<T, Error>) -> Option<Code> {
    verdict.err().map(|error| error.code())
}

#[test]
fn several_presentations_are_verified_together() {
    let plain = Requirements::default();
    let count = |name, query_id, requirements| verify_all(name, query_id, requirements).map(|all| all.len());
    for (name, query_id, expected) in [
        ("token.unexpected/dcql-multiple-where-one-is-verified", "band", Ok(2)),
        ("token.unexpected/two-presentations-where-one-is-verified", "band", Ok(2)),
        ("token.unexpected/dcql-two-without-multiple", "band", Err(Code::TokenUnexpected)),
        ("accept/dcql-multiple-beside-the-band", "member", Ok(2)),
        ("accept/dcql-multiple-beside-the-band", "band", Ok(1)),
        ("accept/dcql-multiple-beside-the-band", "ticket", Err(Code::TokenMissing)),
        ("claims.incomplete/dcql-one-of-multiple-is-refused", "member", Err(Code::CredentialExpired)),
        ("accept/payment", "band", Ok(1)),
    ] {
        assert_eq!(count(name, query_id, &plain).map_err(|error| error.code()), expected, "{name}");
    }
    let among_themselves = Requirements { same_holder_as: Some("member".into()), ..Requirements::default() };
    assert_eq!(count("accept/dcql-multiple-beside-the-band", "member", &among_themselves), Ok(2));
    let two_holders = "holder.key/dcql-one-of-multiple-is-from-another-holder";
    assert_eq!(code(count(two_holders, "member", &among_themselves)), Some(Code::HolderKey));
    assert_eq!(
        code(count("accept/same-holder", "member", &among_themselves)),
        Some(Code::HolderKey),
        "there is no other"
    );
    let transactions = |query_id| {
        let verified = verify_all("accept/transaction-of-one-of-two", query_id, &plain).expect("accepted");
        verified.iter().map(|one| one.transactions().len()).sum::<usize>()
    };
    assert_eq!((transactions("band"), transactions("member")), (1, 0), "the band agreed");
}

#[test]
fn a_credential_is_held_against_a_query() {
    let accepted = |name: &str| vector(name).verify().expect("accepted");
    let query = |id: &str, vct: &str, path: Option<&str>, binding: bool| {
        let mut query = json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]},
            "require_cryptographic_holder_binding": binding});
        if let Some(path) = path {
            query["claims"] = json!([{"path": [path]}]);
        }
        query
    };
    let dcql =
        |queries: &[Value]| Dcql::from_json(json!({"credentials": queries}).to_string().as_bytes()).expect("a query");
    let (band_vct, member_vct) = ("urn:bandpass:band:1", "urn:example:member");
    let band = query("band", band_vct, Some("given_name"), true);
    let (bare, named) = (accepted("accept/all-disclosed"), accepted("accept/vp-token"));
    assert_eq!(bare.satisfies(&dcql(&[query("other", member_vct, None, true), band.clone()])), Ok(()), "any one");
    assert_eq!(code(bare.satisfies(&dcql(&[query("other", member_vct, None, true)]))), Some(Code::ClaimsType));
    assert_eq!(named.satisfies(&dcql(std::slice::from_ref(&band))), Ok(()));
    assert_eq!(code(named.satisfies(&dcql(&[query("other", band_vct, None, true)]))), Some(Code::TokenUnexpected));
    let twice = [query("band", member_vct, None, true), query("other", band_vct, None, true)];
    assert_eq!(code(named.satisfies(&dcql(&twice))), Some(Code::ClaimsType), "its own query decides");
    assert_eq!(code(named.satisfies(&dcql(&[query("band", band_vct, Some("x"), true)]))), Some(Code::ClaimsMissing));
    let unbound = accepted("accept/another-type-without-proof");
    assert_eq!(code(unbound.satisfies(&dcql(&[query("m", member_vct, None, true)]))), Some(Code::HolderMissing));
    assert_eq!(unbound.satisfies(&dcql(&[query("m", member_vct, None, false)])), Ok(()));
    // The query that was asked with the challenge gives a bare presentation its id.
    let asked = accepted("accept/dcql-bare-presentation-answers-the-only-query");
    assert_eq!(code(asked.satisfies(&dcql(&[query("other", band_vct, None, true)]))), Some(Code::TokenUnexpected));
}

#[test]
fn claims_are_read_by_their_types() {
    let verified = vector("accept/all-disclosed").verify().expect("accepted");
    let at = |steps: &Value| claim_path(steps.as_array().expect("steps"));
    let over_18 = at(&json!(["age_equal_or_over", "18"]));
    let (epoch, elements) = (at(&json!(["pairing", "epoch"])), at(&json!(["nationalities", null])));
    assert_eq!(verified.claim_text(&"given_name".into()), Some("Lin"));
    assert_eq!(verified.claim_texts(&"nationalities".into()), Some(vec!["CN", "FR"]));
    assert_eq!(verified.claim_texts(&elements), Some(vec!["CN", "FR"]));
    assert_eq!(verified.claim_bool(&over_18), Some(true));
    assert_eq!(verified.claim_integer(&epoch), Some(3));
    let birthdate = verified.birthdate().expect("a date");
    assert_eq!(birthdate, Date { year: 1990, month: 5, day: 17 });
    assert_eq!(birthdate.years_at(1_790_000_000), Some(36));
    assert_eq!(verified.claim_text(&over_18), None);
    assert_eq!(verified.claim_text(&elements), None, "two are not one");
    assert_eq!(verified.claim_texts(&at(&json!(["age_equal_or_over"]))), None);
    assert_eq!(verified.claim_bool(&"given_name".into()), None);
    assert_eq!(verified.claim_integer(&over_18), None);
    assert_eq!(verified.claim_text(&"x".into()), None);
}

#[test]
fn a_malformed_query_says_where() {
    let query = json!({"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["x"]},
        "claims": [{"path": ["a"]}, {"path": "b"}]}]});
    let error = Dcql::from_json(query.to_string().as_bytes()).expect_err("a path is an array");
    assert_eq!(error.claim_path(), Some("$.credentials[0].claims[1].path"));
    let error = Dcql::from_json(br#"{"credentials":[{}]}"#).expect_err("no id");
    assert_eq!(error.claim_path(), Some("$.credentials[0].id"));
    for text in ["", "{", "null", r#"{"credentials":[],"credentials":[]}"#] {
        assert_eq!(code(Dcql::from_json(text.as_bytes())), Some(Code::ChallengeMalformed), "{text}");
    }
}
