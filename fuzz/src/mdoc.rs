//! Mdocs and requests of readers whose bytes were changed, without the keys.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use bandpass_core::{ReaderRoots, verify_reader_auth};
use bandpass_roles::sha256_base64url;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value};

use crate::vectors::{Case, MDOCS};
use crate::verify::explains;

/// Each that is one response, as bytes.
static RESPONSES: LazyLock<Vec<(&Case, Vec<u8>)>> = LazyLock::new(|| {
    let response = |case: &'static Case| Some((case, Base64UrlUnpadded::decode_vec(&case.vector.vp_token).ok()?));
    MDOCS.iter().filter_map(response).collect()
});

/// A vector's response with bytes changed. COSE leaves headers unprotected, and of what was not returned anybody may say why:
/// so what is accepted need not be the same bytes, but it says the same.
pub(crate) fn mdoc(data: &[u8]) {
    // The bytes' end only ends the changes.
    let _ = changed(&mut Unstructured::new(data));
}

fn changed(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let (case, original) = &RESPONSES[usize::from(bytes.arbitrary::<u16>()?) % RESPONSES.len()];
    let (_, other) = &RESPONSES[usize::from(bytes.arbitrary::<u16>()?) % RESPONSES.len()];
    let mut response = original.clone();
    let changed = change(&mut response, other, bytes);
    let expected = &case.vector.expected;
    let requirements = expected.requirements.to_core();
    let judge = |response: &[u8]| case.verifier.submit(response, expected.challenge().expect("a challenge"));
    let submission = judge(&response);
    let verdict = submission.verify(&expected.query_id, &requirements);
    explains(&submission.explain(&expected.query_id, &requirements), &verdict);
    if let Ok(verified) = verdict {
        let good = judge(original).verify(&expected.query_id, &requirements).expect("accepted");
        // Anybody may leave elements away: the device does not sign which ones it returned.
        assert!(is_part(verified.claims(), good.claims()), "{}: other claims", case.vector.name);
        assert_eq!(verified.key_thumbprint(), good.key_thumbprint());
        assert_eq!(verified.transactions(), good.transactions());
        assert_eq!(verified.evidence(), good.evidence());
    }
    // It is no request of a reader, whatever it begins with.
    let roots = ReaderRoots::from_der(&[]).expect("no roots");
    assert!(verify_reader_auth(&response, other, &roots, expected.now).is_err());
    changed
}

fn is_part(some: &Map<String, Value>, all: &Map<String, Value>) -> bool {
    some.iter().all(|(name, value)| match (value, all.get(name)) {
        (Value::Object(some), Some(Value::Object(all))) => is_part(some, all),
        (value, found) => found == Some(value),
    })
}

/// Replaces stretches of bytes by other bytes, or by stretches of this or another response.
fn change(response: &mut Vec<u8>, other: &[u8], bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    for _ in 0..8 {
        if bytes.is_empty() || response.is_empty() {
            break;
        }
        let start = bytes.choose_index(response.len())?;
        let new = match bytes.int_in_range(0..=2)? {
            0 => {
                let length = usize::from(bytes.arbitrary::<u8>()? % 32).min(bytes.len());
                bytes.bytes(length)?.to_vec()
            }
            1 => stretch(other, bytes)?,
            _ => stretch(response, bytes)?,
        };
        let over = usize::from(bytes.arbitrary::<u8>()?).min(response.len() - start);
        response.splice(start..start + over, new);
    }
    Ok(())
}

fn stretch(response: &[u8], bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let start = bytes.choose_index(response.len())?;
    let length = usize::from(bytes.arbitrary::<u16>()?).min(response.len() - start);
    Ok(response[start..start + length].to_vec())
}

/// Each response as it is, and with changes that its name chooses.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, (case, _)) in (0_u16..).zip(RESPONSES.iter()) {
        let number = [number.to_le_bytes(), number.wrapping_mul(7).to_le_bytes()].concat();
        seeds.push(number.clone());
        seeds.push([&number, sha256_base64url(case.vector.name.as_bytes()).as_bytes()].concat());
    }
    seeds
}
