//! The vectors, through C: the same verdicts as natively.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use bandpass_conformance::{Binding, Demand, File, Vector, Verdict};
use bandpass_roles::base64url;
use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use crate::program::{BOTH, Linking, build, command, package, run, shared};

/// Every vector, as it is in the files.
fn all() -> Result<Vec<Vector>> {
    let mut vectors = Vec::new();
    for entry in fs::read_dir(package().join("../../conformance/vectors"))? {
        vectors.extend(serde_json::from_slice::<File>(&fs::read(entry?.path())?)?.vectors);
    }
    Ok(vectors)
}

pub(crate) fn vector(name: &str) -> Result<Vector> {
    all()?.into_iter().find(|vector| vector.name == name).with_context(|| format!("no vector is called {name}"))
}

/// What a vector is judged by, as C says it: members that have a value.
pub(crate) fn request(vector: &Vector) -> Value {
    let (expected, required) = (&vector.expected, &vector.expected.requirements);
    let demand = |demand: Option<Demand>| demand.map(|demand| demand == Demand::Required);
    let binding = expected.binding.as_ref().map(|binding| match binding {
        Binding::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint } => json!({"type": "openid4vp",
            "clientId": client_id, "nonce": nonce, "responseUri": response_uri, "jwkThumbprint": jwk_thumbprint}),
        Binding::DcApi { origin, nonce, jwk_thumbprint } => {
            json!({"type": "dc-api", "origin": origin, "nonce": nonce, "jwkThumbprint": jwk_thumbprint})
        }
        Binding::Proximity { session_transcript, reader_key } => {
            json!({"type": "proximity", "sessionTranscript": session_transcript, "readerKey": reader_key})
        }
    });
    let mut request = json!({
        "now": expected.now,
        "audience": expected.audience,
        "nonce": expected.nonce,
        "binding": binding,
        "measuredDistanceMm": expected.measured_distance_mm,
        "maxAge": expected.max_age,
        "clockTolerance": expected.clock_tolerance,
        "statusMaxAge": expected.status_max_age,
        "transactionData": expected.transaction_data,
        "dcql": expected.dcql.as_ref().map(Value::to_string),
        "query": expected.query_id,
        "holder": demand(required.holder),
        "status": demand(required.status),
        "approval": demand(required.approval),
        "methods": required.methods,
        "worn": demand(required.worn),
        "unlocked": demand(required.unlocked),
        "unlockedWithin": required.unlocked_within,
        "confirmed": demand(required.confirmed),
        "distanceMm": required.distance_mm,
        "claims": required.claims,
        "ageAtLeast": required.age_at_least,
        "sameHolderAs": required.same_holder_as,
    });
    if let Some(members) = request.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    request
}

/// A case as `vectors.c` reads it.
fn case(trust: &Value, now: u64, lists: &[Vec<u8>], token: &[u8], request: &Value) -> Result<Vec<u8>> {
    let field = |bytes: &[u8]| Ok::<_, anyhow::Error>([&u32::try_from(bytes.len())?.to_le_bytes()[..], bytes].concat());
    let mut case = [field(trust.to_string().as_bytes())?, field(now.to_string().as_bytes())?].concat();
    case.extend(u32::try_from(lists.len())?.to_le_bytes());
    for list in lists {
        case.extend(field(list)?);
    }
    case.extend([field(token)?, field(request.to_string().as_bytes())?].concat());
    Ok(case)
}

/// What became of a case.
#[derive(Debug)]
struct Answer {
    /// Empty of what is accepted.
    code: String,
    /// That of the explanation.
    explained: String,
    answer: Value,
}

fn answers(mut output: &[u8]) -> Result<Vec<Answer>> {
    let mut field = || {
        let (length, rest) = output.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(u32::from_le_bytes(*length).try_into().ok()?)?;
        output = rest;
        Some(field)
    };
    let mut answers = Vec::new();
    while let Some(code) = field() {
        let (code, explained) = (code.to_vec(), field().context("a code")?.to_vec());
        let answer = serde_json::from_slice(field().context("an answer")?)?;
        answers.push(Answer { code: String::from_utf8(code)?, explained: String::from_utf8(explained)?, answer });
    }
    Ok(answers)
}

fn verdict(Answer { code, answer, .. }: &Answer) -> Verdict {
    if !code.is_empty() {
        assert_eq!(answer["error"]["code"], **code, "{answer}");
        return Verdict::Refused { code: code.clone() };
    }
    let proved = &answer[0];
    let transactions = proved["transactions"].as_array().into_iter().flatten();
    Verdict::Accepted {
        claims: proved["claims"].as_object().cloned().unwrap_or_default(),
        transactions: transactions.map(|one| one["id"].as_str().map(ToOwned::to_owned)).collect(),
    }
}

/// Runs `vectors.c` over vectors, and compares.
fn try_all(vectors: &[Vector], linking: Linking, valgrind: bool) -> Result<()> {
    let program = build("tests/c/vectors.c", linking)?;
    let mut input = Vec::new();
    for vector in vectors {
        let (token, now) = (vector.vp_token.as_bytes(), vector.expected.now);
        input.extend(case(&vector.trust, now, &vector.status_list_tokens(), token, &request(vector))?);
    }
    let output = run(&mut command(&program, valgrind), &input)?;
    let answers = answers(&output.stdout)?;
    ensure!(answers.len() == vectors.len(), "{} answers", answers.len());
    let differs =
        |vector: &Vector, answer: &Answer| verdict(answer) != vector.verdict() || answer.explained != answer.code;
    let wrong = vectors.iter().zip(&answers).filter(|(vector, answer)| differs(vector, answer));
    let wrong = wrong.map(|(vector, answer)| format!("{}: {answer:?}", vector.name)).collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{linking:?}: other verdicts than natively:\n{}", wrong.join("\n"));
    println!("{linking:?}: {} vectors", vectors.len());
    Ok(())
}

#[test]
fn have_their_verdicts_through_the_shared_library() -> Result<()> {
    let vectors = all()?;
    ensure!(vectors.len() > 1_000);
    try_all(&vectors, Linking::Shared, false)
}

#[test]
fn some_have_them_through_the_static_one_under_valgrind() -> Result<()> {
    let names = [
        "accept/payment",
        "accept/dcql-multiple-beside-the-band-mdoc",
        "holder.nonce/another",
        "status.revoked/1-bits-mdoc",
        "token.malformed/cut-mdoc",
    ];
    let vectors = names.iter().map(|name| vector(name)).collect::<Result<Vec<_>>>()?;
    try_all(&vectors, Linking::Static, true)
}

/// The response of ISO/IEC 18013-5:2021, annex D, and the same with a byte changed.
#[test]
fn the_standards_own_response_verifies() -> Result<()> {
    let Some(data) = shared("annex-d.json") else { return Ok(()) };
    let data: Value = serde_json::from_str(&data)?;
    let bytes = |name: &str| crate::sessions::unhex(data[name].as_str().unwrap_or_default());
    let root = Base64::encode_string(&bytes("iaca_root_der")?);
    let trust = json!({"issuers": [{"iss": "utopia", "x5c_roots": [root], "doctypes": ["org.iso.18013.5.1.mDL"]}]});
    let binding = json!({"type": "proximity", "sessionTranscript": base64url(&bytes("session_transcript_bytes")?),
        "readerKey": base64url(&bytes("ereader_private_key_d")?)});
    let request = json!({"now": data["valid_at"], "binding": binding});
    let response = bytes("device_response")?;
    let mut changed = response.clone();
    *changed.last_mut().context("a byte")? ^= 1;
    let input = [case(&trust, 0, &[], &response, &request)?, case(&trust, 0, &[], &changed, &request)?].concat();
    for linking in BOTH {
        let program = build("tests/c/vectors.c", linking)?;
        let output = run(&mut command(&program, false), &input)?;
        let answers = answers(&output.stdout)?;
        let [accepted, refused] = &answers[..] else { panic!("{answers:?}") };
        let name = &accepted.answer[0]["claims"]["org.iso.18013.5.1"]["family_name"];
        assert_eq!((accepted.code.as_str(), name), ("", &json!("Doe")));
        assert!(refused.code.starts_with("token."), "{refused:?}");
    }
    Ok(())
}

/// A query may be the text of one, as above, or an object; and all of its presentations may be asked for.
#[test]
fn requests_that_no_vector_has() -> Result<()> {
    let vector = vector("token.unexpected/dcql-multiple-where-one-is-verified")?;
    let mut input = Vec::new();
    for all in [false, true] {
        let mut request = request(&vector);
        request["dcql"] = vector.expected.dcql.clone().context("a query")?;
        request["all"] = all.into();
        let (token, now) = (vector.vp_token.as_bytes(), vector.expected.now);
        input.extend(case(&vector.trust, now, &vector.status_list_tokens(), token, &request)?);
    }
    let program = build("tests/c/vectors.c", Linking::Shared)?;
    let answers = answers(&run(&mut command(&program, false), &input)?.stdout)?;
    let [one, all] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(verdict(one), vector.result);
    assert_eq!((all.code.as_str(), all.answer.as_array().map(Vec::len)), ("", Some(2)));
    assert_eq!(all.explained, "c.request");
    Ok(())
}
