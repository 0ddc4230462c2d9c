//! Making SD-JWTs (RFC 9901, section 5).

use std::fmt;

use p256::elliptic_curve::rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use crate::{Key, base64url, random_id, sha256_base64url};

/// A claim that was to be selectively disclosable is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueError {
    pointer: String,
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no claim at `{}`", self.pointer)
    }
}

impl std::error::Error for IssueError {}

/// Signs `claims` with those at `selective` (JSON Pointers, RFC 6901) made selectively disclosable, and returns the
/// issuer-signed JWT with every disclosure, each followed by `~`.
///
/// # Errors
/// [`IssueError`] if a pointer leads nowhere.
pub fn issue(
    key: &Key,
    header: &Value,
    claims: Map<String, Value>,
    selective: &[&str],
    rng: &mut impl CryptoRng,
) -> Result<String, IssueError> {
    let (payload, disclosures) = conceal(claims, selective, rng)?;
    Ok(join(&key.sign(header, &payload), &disclosures))
}

/// Makes the claims at `selective` (JSON Pointers, RFC 6901) selectively disclosable: the payload to sign, and the
/// disclosures.
///
/// # Errors
/// [`IssueError`] if a pointer leads nowhere.
pub fn conceal(
    claims: Map<String, Value>,
    selective: &[&str],
    rng: &mut impl CryptoRng,
) -> Result<(Value, Vec<String>), IssueError> {
    let mut payload = Value::Object(claims);
    let mut pointers = selective.to_vec();
    // What is inside first: a disclosure may hold digests of others (RFC 9901, section 4.2.6).
    pointers.sort_by_key(|pointer| std::cmp::Reverse(pointer.matches('/').count()));
    let mut disclosures = Vec::new();
    for pointer in pointers {
        let disclosure = conceal_one(&mut payload, pointer, rng);
        disclosures.push(disclosure.ok_or_else(|| IssueError { pointer: pointer.into() })?);
    }
    if let (Some(payload), false) = (payload.as_object_mut(), disclosures.is_empty()) {
        payload.insert("_sd_alg".into(), "sha-256".into());
    }
    Ok((payload, disclosures))
}

/// An issuer-signed JWT and disclosures on the wire, each followed by `~`.
#[must_use]
pub fn join<S: AsRef<str>>(jwt: &str, disclosures: &[S]) -> String {
    let mut token = format!("{jwt}~");
    for disclosure in disclosures {
        token.push_str(disclosure.as_ref());
        token.push('~');
    }
    token
}

/// A disclosure: base64url of the JSON array `[salt, name, value]`, or `[salt, value]` for an array element.
#[must_use]
pub fn disclosure(salt: &str, name: Option<&str>, value: &Value) -> String {
    let content = match name {
        Some(name) => json!([salt, name, value]),
        None => json!([salt, value]),
    };
    base64url(content.to_string().as_bytes())
}

/// Takes the claim at `pointer` out, leaves its digest, and returns its disclosure.
fn conceal_one(payload: &mut Value, pointer: &str, rng: &mut impl CryptoRng) -> Option<String> {
    let (parent, last) = pointer.rsplit_once('/')?;
    let last = last.replace("~1", "/").replace("~0", "~");
    let salt = random_id(rng);
    match payload.pointer_mut(parent)? {
        Value::Object(members) => {
            let disclosed = disclosure(&salt, Some(&last), &members.remove(&last)?);
            let digests = members.entry("_sd").or_insert_with(|| json!([])).as_array_mut()?;
            digests.push(sha256_base64url(disclosed.as_bytes()).into());
            // Sorted, so that their order tells nothing of the claims' (RFC 9901, section 4.2.4.1).
            digests.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
            Some(disclosed)
        }
        Value::Array(items) => {
            let item = items.get_mut(last.parse::<usize>().ok()?)?;
            let disclosed = disclosure(&salt, None, item);
            *item = json!({"...": sha256_base64url(disclosed.as_bytes())});
            Some(disclosed)
        }
        _ => None,
    }
}
