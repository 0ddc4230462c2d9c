//! The verifier, with tokens that were changed: signed again, or not.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use bandpass_conformance::Vector;
use bandpass_core::{Error, Expected, Explanation, Outcome};
use bandpass_roles::sha256_base64url;
use serde_json::{Map, Value};

use crate::mutate;
use crate::reference;
use crate::token::{HOLDER, ISSUER, PHONE, Parts, jwk};
use crate::vectors::{CASES, Case, case, numbers};

/// Public keys by number.
static KEYS: LazyLock<[Map<String, Value>; 3]> = LazyLock::new(|| [ISSUER, HOLDER, PHONE].map(jwk));

fn key(signer: u8) -> &'static Map<String, Value> {
    &KEYS[usize::from(signer - ISSUER)]
}

/// A vector's token, taken apart, changed as the bytes say, and signed again: what is accepted has to hold by the
/// reference too, and what is refused for its disclosures to be wrong by it.
pub(crate) fn verify(data: &[u8]) {
    // The bytes' end only ends the changes.
    let _ = verify_changed(&mut Unstructured::new(data));
}

fn verify_changed(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    static PARTS: LazyLock<Vec<Option<Parts>>> =
        LazyLock::new(|| CASES.iter().map(|case| Parts::of(&case.vector)).collect());
    let number = bytes.arbitrary::<u16>()?;
    let Some(mut parts) = PARTS[usize::from(number) % PARTS.len()].clone() else { return Ok(()) };
    let case = case(number);
    let mut expected = case.vector.expected.clone();
    let changed = mutate::change(&mut parts, &mut expected, bytes);
    let (transactions, token) = parts.assemble();
    expected.transaction_data = transactions;
    let signer = |part: Option<u8>| key(part.unwrap_or(ISSUER));
    let signers = [
        signer(Some(parts.issuer_jwt.signer)),
        signer(parts.kb_jwt.as_ref().map(|part| part.signer)),
        signer(parts.approval.as_ref().map(|part| part.signer)),
    ];
    let Ok(challenge) = expected.challenge() else { return Ok(()) };
    let (submission, requirements) =
        (case.verifier.submit(token.as_bytes(), challenge), expected.requirements.to_core());
    let verdict = submission.verify(&expected.query_id, &requirements);
    reference::judge(&token, &case.vector, &expected, signers, &verdict);
    explains(&submission.explain(&expected.query_id, &requirements), &verdict);
    changed
}

/// An explanation comes to the same as verifying, and says of one check at most that it failed.
pub(crate) fn explains<T>(explained: &Explanation, verdict: &Result<T, Error>) {
    let error = verdict.as_ref().err();
    assert_eq!(explained.error(), error);
    let with = |outcome| explained.checks().iter().filter(move |(_, found)| *found == outcome).map(|(check, _)| *check);
    assert!(with(Outcome::Failed).eq(error.map(Error::code)));
    assert!(error.is_some() || with(Outcome::NotReached).count() == 0, "accepted, and not everything was checked");
    assert!(with(Outcome::NotReached).all(|check| error.is_some_and(|error| check > error.code())));
}

/// Every vector as it is, and each with changes that its name chooses.
pub(crate) fn verify_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, case) in numbers().zip(CASES.iter()) {
        let number = number.to_le_bytes();
        seeds.push(number.to_vec());
        seeds.push([&number, sha256_base64url(case.vector.name.as_bytes()).as_bytes()].concat());
    }
    seeds
}

/// A vector's token with bytes changed, without the keys: only the token itself is accepted.
pub(crate) fn tamper(data: &[u8]) {
    let _ = verify_tampered(&mut Unstructured::new(data));
}

fn verify_tampered(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    static SIGNED: LazyLock<Vec<&Case>> = LazyLock::new(|| {
        let signed = |case: &&Case| {
            let Vector { vp_token, expected, .. } = &case.vector;
            // Without the id it does not tell which of several queries it answers.
            let needs_id = expected.dcql.is_some() && !expected.query_id.is_empty();
            case.is_accepted() && !vp_token.ends_with('~') && !vp_token.contains('{') && !needs_id
        };
        CASES.iter().filter(signed).collect()
    });
    let case = SIGNED[usize::from(bytes.arbitrary::<u8>()?) % SIGNED.len()];
    let other = SIGNED[usize::from(bytes.arbitrary::<u8>()?) % SIGNED.len()];
    let original = case.vector.vp_token.as_bytes();
    let mut token = original.to_vec();
    let changed = change_bytes(&mut token, other.vector.vp_token.as_bytes(), bytes);
    let expected = &case.vector.expected;
    let challenge = expected.challenge().expect("a challenge");
    let requirements = expected.requirements.to_core();
    let verdict = case.verifier.submit(&token, challenge.clone()).verify(&expected.query_id, &requirements);
    assert_eq!(verdict.is_ok(), token == original, "{}", case.vector.name);
    if let Ok(text) = std::str::from_utf8(&token) {
        let bare = case.verifier.verify(text, &Expected { challenge, requirements });
        assert_eq!(bare.is_ok(), token == original, "{}", case.vector.name);
    }
    changed
}

/// Replaces stretches of bytes by other bytes, or by stretches of this or another good token.
fn change_bytes(token: &mut Vec<u8>, other: &[u8], bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    for _ in 0..8 {
        if bytes.is_empty() || token.is_empty() {
            break;
        }
        let start = bytes.choose_index(token.len())?;
        let new = match bytes.int_in_range(0..=4)? {
            0 => [bytes.arbitrary::<u8>()?].to_vec(),
            1 => Vec::new(),
            2 => {
                let length = usize::from(bytes.arbitrary::<u8>()? % 32).min(bytes.len());
                bytes.bytes(length)?.to_vec()
            }
            3 => stretch(other, bytes)?,
            _ => stretch(token, bytes)?,
        };
        // Mostly whole parts, otherwise a few bytes.
        let rest = &token[start..];
        let over = match bytes.int_in_range(0..=3)? {
            0 => rest.iter().position(|byte| b".~".contains(byte)).unwrap_or(rest.len()),
            1 => rest.iter().rposition(|byte| b".~".contains(byte)).unwrap_or(rest.len()),
            _ => usize::from(bytes.arbitrary::<u8>()? % 4).min(rest.len()),
        };
        token.splice(start..start + over, new);
    }
    Ok(())
}

/// From one separator to another.
fn stretch(token: &[u8], bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let mut ends = token.iter().enumerate().filter(|(_, byte)| b".~".contains(byte)).map(|(place, _)| place);
    let mut ends = [0].into_iter().chain(ends.by_ref()).chain([token.len()]).collect::<Vec<_>>();
    ends.dedup();
    let one = *bytes.choose(&ends)?;
    let two = *bytes.choose(&ends)?;
    Ok(token[one.min(two)..one.max(two)].to_vec())
}

pub(crate) fn tamper_seeds() -> Vec<Vec<u8>> {
    let seed = |number: u8| {
        let random = sha256_base64url(&[number]);
        [&[number, number.wrapping_mul(7)], random.as_bytes()].concat()
    };
    (0..=u8::MAX).flat_map(|number| [vec![number, 0], seed(number)]).collect()
}
