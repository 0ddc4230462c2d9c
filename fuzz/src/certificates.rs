//! Chains of certificates, changed; the token is signed again by the key that they certify.

use std::collections::HashSet;
use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use bandpass_roles::sha256_base64url;
use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use crate::reference::jws;
use crate::token::Parts;
use crate::vectors::{CASES, Case};
use crate::verify::explains;

/// A good token with a chain.
struct Certified {
    case: &'static Case,
    parts: Parts,
    chain: Vec<Vec<u8>>,
}

static CERTIFIED: LazyLock<Vec<Certified>> = LazyLock::new(|| {
    let certified = |case: &'static Case| {
        let by_certificate = case.vector.trust["issuers"][0].get("x5c_roots").is_some();
        let parts = Parts::of(&case.vector).filter(|_| by_certificate && case.is_accepted())?;
        let chain = chain(&parts.issuer_jwt.header["x5c"])?;
        Some(Certified { case, parts, chain })
    };
    CASES.iter().filter_map(certified).collect()
});

/// Every certificate of a vector.
static KNOWN: LazyLock<HashSet<Vec<u8>>> = LazyLock::new(|| {
    let headers = CASES.iter().filter_map(|case| jws(case.vector.vp_token.split('~').next()?));
    headers.filter_map(|(header, _)| chain(&header["x5c"])).flatten().collect()
});

fn chain(x5c: &Value) -> Option<Vec<Vec<u8>>> {
    x5c.as_array()?.iter().map(|der| Base64::decode_vec(der.as_str()?).ok()).collect()
}

/// Whether there is a chain, and each of its certificates is in a vector.
pub(crate) fn known(x5c: &Value) -> bool {
    chain(x5c).is_some_and(|chain| !chain.is_empty() && chain.iter().all(|der| KNOWN.contains(der)))
}

/// A chain with other bytes, or other certificates: without the authority's key nothing new comes of it.
pub(crate) fn x5c(data: &[u8]) {
    // The bytes' end only ends the changes.
    let _ = change_chain(&mut Unstructured::new(data));
}

fn change_chain(bytes: &mut Unstructured<'_>) -> Result<()> {
    let Certified { case, parts, chain } = &CERTIFIED[bytes.choose_index(CERTIFIED.len())?];
    let mut changed = chain.clone();
    let mut end = Ok(());
    for _ in 0..4 {
        if bytes.is_empty() || changed.is_empty() || end.is_err() {
            break;
        }
        end = change(&mut changed, bytes);
    }
    let mut parts = parts.clone();
    let sent = changed.iter().map(|der| Base64::encode_string(der)).collect::<Vec<_>>();
    parts.issuer_jwt.header["x5c"] = sent.into();
    let (_, token) = parts.assemble();
    let expected = &case.vector.expected;
    let submission = case.verifier.submit(token.as_bytes(), expected.challenge().expect("a challenge"));
    let verdict = submission.verify(&expected.query_id, &expected.requirements.to_core());
    explains(&submission.explain(&expected.query_id, &expected.requirements.to_core()), &verdict);
    let known = changed.iter().all(|der| KNOWN.contains(der));
    match &verdict {
        Ok(_) => assert!(known, "{}: a new certificate", case.vector.name),
        Err(error) => {
            let code = error.code().as_str();
            // Another vector's chain can be good, and not of an authority that the query names.
            let other = known && code == "claims.authority";
            assert!(code.starts_with("issuer.") || code == "token.too-large" || other, "{error}");
            assert!(changed != *chain, "{}: {error}", case.vector.name);
        }
    }
    end
}

fn change(chain: &mut Vec<Vec<u8>>, bytes: &mut Unstructured<'_>) -> Result<()> {
    let which = bytes.choose_index(chain.len())?;
    let der = &mut chain[which];
    match bytes.int_in_range(0..=11)? {
        0..=5 if !der.is_empty() => {
            let place = usize::from(bytes.arbitrary::<u16>()?) % der.len();
            match bytes.int_in_range(0..=4)? {
                0 => der[place] ^= 1 << (bytes.arbitrary::<u8>()? % 8),
                1 => der[place] = bytes.arbitrary()?,
                2 => der[place] = der[place].wrapping_add_signed(bytes.arbitrary::<i8>()? % 4),
                3 => drop(der.remove(place)),
                _ => der.insert(place, bytes.arbitrary()?),
            }
        }
        6 => {
            let other = &CERTIFIED[bytes.choose_index(CERTIFIED.len())?].chain;
            let other = other[bytes.choose_index(other.len())?].clone();
            let (start, to) = (bytes.choose_index(other.len())?, bytes.choose_index(der.len() + 1)?);
            let length = usize::from(bytes.arbitrary::<u8>()?);
            let from = &other[start..other.len().min(start + length)];
            let over = if bytes.arbitrary()? { length } else { 0 };
            der.splice(to..der.len().min(to + over), from.iter().copied());
        }
        7 => der.truncate(bytes.choose_index(der.len() + 1)?),
        8 => der.extend(bytes.bytes(1)?),
        9 => {
            let other = &CERTIFIED[bytes.choose_index(CERTIFIED.len())?].chain;
            let new = other[bytes.choose_index(other.len())?].clone();
            chain.insert(which, new);
        }
        10 => drop(chain.remove(which)),
        _ => {
            let other = bytes.choose_index(chain.len())?;
            chain.swap(which, other);
        }
    }
    Ok(())
}

pub(crate) fn x5c_seeds() -> Vec<Vec<u8>> {
    (0..=u8::MAX)
        .flat_map(|number| [vec![number], [&[number], sha256_base64url(&[number]).as_bytes()].concat()])
        .collect()
}
