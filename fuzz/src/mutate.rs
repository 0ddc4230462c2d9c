//! Changes to a token's JSON, as the fuzzer's bytes say.

use arbitrary::{Result, Unstructured};
use bandpass_conformance::{Demand, Expected};
use serde_json::{Map, Number, Value, json};

use crate::token::{APPROVAL, Focus, HOLDER, ISSUER, PHONE, Part, Parts, SD_HASH, digest_mark, jwk};

/// Changes in one input: with more, hardly any token would come through the first checks.
const MOST_CHANGES: u8 = 6;

/// Names and values that mean something somewhere.
const WORDS: &[&str] = &[
    "iss",
    "iat",
    "exp",
    "nbf",
    "sub",
    "aud",
    "vct",
    "vct#integrity",
    "aka_vcts",
    "cnf",
    "jwk",
    "status",
    "status_list",
    "idx",
    "uri",
    "pairing",
    "jkt",
    "epoch",
    "band_measures",
    "wear",
    "unlock",
    "confirm",
    "distance",
    "_sd",
    "_sd_alg",
    "...",
    "sha-256",
    "sha-512",
    "nonce",
    "sd_hash",
    "jti",
    "transaction_data_hashes",
    "transaction_data_hashes_alg",
    "approval",
    "band",
    "worn_since",
    "unlocked_at",
    "counter",
    "confirmed",
    "amr",
    "face",
    "band_jkt",
    "session",
    "alg",
    "typ",
    "kid",
    "crit",
    "x5c",
    "kty",
    "crv",
    "x",
    "y",
    "d",
    "ES256",
    "none",
    "kb+jwt",
    "dc+sd-jwt",
    "band-approval+jwt",
    "urn:bandpass:band:1",
    "urn:example:member",
    "https://wallet.example",
    "x509_san_dns:shop.example",
    "type",
    "credential_ids",
    "payload",
    "transaction_id",
    "amount",
    "currency",
    "payee",
    "name",
    "id",
    "35.00",
    "urn:bandpass:payment:1",
    "urn:bandpass:ticket:1",
    "age_equal_or_over",
    "18",
    "given_name",
    "",
    "_x",
    "a",
    "\u{e9}",
    "\u{1f600}",
    "\u{0}",
    SD_HASH,
    APPROVAL,
];

/// Applies changes until the bytes are used up.
pub(crate) fn change(parts: &mut Parts, expected: &mut Expected, bytes: &mut Unstructured<'_>) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    parts.focus = *bytes.choose(&[
        Focus::Everything,
        Focus::Everything,
        Focus::Credential,
        Focus::Disclosures,
        Focus::Proof,
        Focus::Approval,
        Focus::Transactions,
    ])?;
    for _ in 0..=bytes.arbitrary::<u8>()? % MOST_CHANGES {
        if bytes.is_empty() {
            break;
        }
        change_once(parts, expected, bytes)?;
    }
    Ok(())
}

fn change_once(parts: &mut Parts, expected: &mut Expected, bytes: &mut Unstructured<'_>) -> Result<()> {
    match bytes.int_in_range(0..=31)? {
        0..=1 => {
            let new = value(parts, bytes)?;
            *node(parts, bytes)? = new;
        }
        2 => remove_child(node(parts, bytes)?, bytes)?,
        3..=4 => {
            let (name, new) = (name(bytes)?, value(parts, bytes)?);
            insert(node(parts, bytes)?, name, new, bytes)?;
        }
        5 => {
            let node = node(parts, bytes)?;
            let (name, copy) = (name(bytes)?, child(node, bytes)?.cloned());
            insert(node, name, copy.unwrap_or_default(), bytes)?;
        }
        6 => {
            let one = node(parts, bytes)?.clone();
            let other = std::mem::replace(node(parts, bytes)?, one);
            *node(parts, bytes)? = other;
        }
        7 => {
            let to = name(bytes)?;
            if let Value::Object(members) = node(parts, bytes)?
                && !members.is_empty()
            {
                let from = members.keys().nth(bytes.choose_index(members.len())?).cloned();
                if let Some(member) = from.and_then(|from| members.remove(&from)) {
                    members.insert(to, member);
                }
            }
        }
        8..=12 => tweak(node(parts, bytes)?, bytes)?,
        13..=16 => conceal(parts, bytes)?,
        17 => {
            let (name, node) = (name(bytes)?, node(parts, bytes)?);
            let inner = node.take();
            *node = if bytes.arbitrary()? { json!([inner]) } else { json!({name: inner}) };
        }
        18..=20 => reorder(parts, bytes)?,
        21..=22 => {
            let splice = splice(parts, bytes)?;
            let mut jws = parts.jws();
            let part = bytes.choose_index(jws.len())?;
            jws[part].splices.push(splice);
        }
        23 => {
            let mut jws = parts.jws();
            let part = bytes.choose_index(jws.len())?;
            jws[part].signer = *bytes.choose(&[ISSUER, HOLDER, PHONE])?;
        }
        24..=25 => match bytes.int_in_range(0..=2)? {
            0 => parts.kb_jwt = None,
            1 => parts.approval = None,
            _ => approve(parts, expected),
        },
        26..=29 => expect(parts, expected, bytes)?,
        30 => {
            let mark = mark(parts, bytes)?;
            if let Value::Object(members) = node(parts, bytes)? {
                match members.entry("_sd").or_insert_with(|| json!([])) {
                    Value::Array(digests) => digests.push(mark.into()),
                    other => *other = json!([mark]),
                }
            }
        }
        _ => {
            let mark = mark(parts, bytes)?;
            if let Value::Array(items) = node(parts, bytes)? {
                items.push(json!({"...": mark}));
            }
        }
    }
    Ok(())
}

/// Changes something in a tree: to values from `words`, or close to what is there.
pub(crate) fn change_tree(tree: &mut Value, words: &[Value], bytes: &mut Unstructured<'_>) -> Result<()> {
    let node = nth(tree, bytes.choose_index(size(tree))?);
    match bytes.int_in_range(0..=7)? {
        0..=1 => *node = word(words, bytes)?,
        2..=3 => {
            let (name, new) = (word(words, bytes)?, word(words, bytes)?);
            insert(node, name.as_str().unwrap_or("x").to_owned(), new, bytes)?;
        }
        4 => remove_child(node, bytes)?,
        5 => *node = json!([node.take()]),
        _ => tweak(node, bytes)?,
    }
    Ok(())
}

fn word(words: &[Value], bytes: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match bytes.int_in_range(0..=7)? {
        0 => bytes.arbitrary::<i8>()?.into(),
        1 => bytes.arbitrary::<u64>()?.into(),
        2 => Value::Null,
        3 => json!({}),
        _ => bytes.choose(words)?.clone(),
    })
}

/// Text that JSON values have no form for: a member twice, white space, anything.
fn splice(parts: &mut Parts, bytes: &mut Unstructured<'_>) -> Result<(usize, usize, Vec<u8>)> {
    let place = usize::from(bytes.arbitrary::<u16>()?);
    Ok(match bytes.int_in_range(0..=3)? {
        0 | 1 => (1, 0, format!("{}:{},", Value::from(name(bytes)?), value(parts, bytes)?).into_bytes()),
        2 => (place, 0, bytes.choose(&[" ", "\n", "\t", "0", ".0", "e1", "\u{b}"])?.as_bytes().to_vec()),
        _ => {
            let over = usize::from(bytes.arbitrary::<u8>()? % 8);
            let length = usize::from(bytes.arbitrary::<u8>()? % 24).min(bytes.len());
            (place, over, bytes.bytes(length)?.to_vec())
        }
    })
}

/// What the relying party asked for, and when it looks.
fn expect(parts: &mut Parts, expected: &mut Expected, bytes: &mut Unstructured<'_>) -> Result<()> {
    let demand =
        |bytes: &mut Unstructured<'_>| Ok(*bytes.choose(&[None, Some(Demand::Required), Some(Demand::NotRequired)])?);
    let asked = &mut expected.requirements;
    match bytes.int_in_range(0..=13)? {
        11 => asked.status = demand(bytes)?,
        12 => expected.status_max_age = bytes.arbitrary::<u16>()?.into(),
        0 => expected.now = expected.now.saturating_add_signed(bytes.arbitrary::<i32>()?.into()),
        1 => expected.now = expected.now.saturating_add_signed(bytes.arbitrary::<i8>()?.into()),
        2 => expected.max_age = bytes.arbitrary::<u16>()?.into(),
        3 => expected.clock_tolerance = bytes.arbitrary::<u8>()?.into(),
        4 => asked.holder = demand(bytes)?,
        5 => asked.approval = demand(bytes)?,
        6 => asked.worn = demand(bytes)?,
        7 => asked.unlocked = demand(bytes)?,
        8 => asked.confirmed = demand(bytes)?,
        9 => asked.unlocked_within = Some(bytes.arbitrary::<u16>()?.into()),
        10 => expected.now = bytes.arbitrary()?,
        _ => {
            let copy =
                parts.transactions.first().cloned().unwrap_or_else(|| json!({"type": "t", "credential_ids": ["band"]}));
            parts.transactions.push(copy);
        }
    }
    Ok(())
}

/// An approval for what the proof says.
fn approve(parts: &mut Parts, expected: &Expected) {
    let Some(proof) = parts.kb_jwt.as_mut().and_then(|kb_jwt| kb_jwt.payload.as_object_mut()) else { return };
    let mut payload = json!({"amr": ["face"], "iat": expected.now, "jti": "1"});
    for name in ["aud", "nonce", "transaction_data_hashes", "transaction_data_hashes_alg"] {
        if let Some(value) = proof.get(name) {
            payload[name] = value.clone();
        }
    }
    let key = bandpass_roles::Key::from_bytes(&[HOLDER; 32]).expect("a key");
    payload["band_jkt"] = key.thumbprint().into();
    let header = json!({"typ": "band-approval+jwt", "alg": "ES256", "jwk": jwk(PHONE)});
    parts.approval = Some(Part { header, payload, signer: PHONE, splices: Vec::new() });
    proof.insert("approval".into(), APPROVAL.into());
}

/// Moves a value into a disclosure.
fn conceal(parts: &mut Parts, bytes: &mut Unstructured<'_>) -> Result<()> {
    let number = parts.disclosures.len();
    let disclosure = match node(parts, bytes)? {
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(bytes.choose_index(members.len())?).cloned().unwrap_or_default();
            let value = members.remove(&name);
            match members.entry("_sd").or_insert_with(|| json!([])) {
                Value::Array(digests) => digests.push(digest_mark(number).into()),
                other => *other = json!([digest_mark(number)]),
            }
            json!(["salt", name, value])
        }
        Value::Array(items) if !items.is_empty() => {
            let place = bytes.choose_index(items.len())?;
            let item = std::mem::replace(&mut items[place], json!({"...": digest_mark(number)}));
            json!(["salt", item])
        }
        _ => return Ok(()),
    };
    parts.disclosures.push(disclosure);
    parts.sent.push(number);
    Ok(())
}

fn reorder(parts: &mut Parts, bytes: &mut Unstructured<'_>) -> Result<()> {
    if parts.disclosures.is_empty() {
        return Ok(());
    }
    let which = bytes.choose_index(parts.disclosures.len())?;
    let place = bytes.choose_index(parts.sent.len() + 1)?;
    match bytes.int_in_range(0..=2)? {
        0 => parts.sent.insert(place, which),
        1 if place < parts.sent.len() => drop(parts.sent.remove(place)),
        _ => {
            if let Some(from) = parts.sent.iter().position(|sent| *sent == which) {
                let moved = parts.sent.remove(from);
                parts.sent.insert(place.min(parts.sent.len()), moved);
            }
        }
    }
    Ok(())
}

fn tweak(node: &mut Value, bytes: &mut Unstructured<'_>) -> Result<()> {
    let delta = bytes.arbitrary::<i8>()?;
    *node = match &*node {
        Value::Number(number) => match (number.as_i64(), delta) {
            (Some(whole), i8::MIN) => number_of(precise(whole) + 0.5),
            (Some(whole), i8::MAX) => whole.to_string().into(),
            (Some(whole), delta) => whole.saturating_add(delta.into()).into(),
            (None, delta) => number_of(number.as_f64().unwrap_or_default() + f64::from(delta)),
        },
        Value::Bool(found) => (!found).into(),
        Value::String(text) => {
            let mut characters = text.chars().collect::<Vec<_>>();
            let new = *bytes.choose(&['A', '_', '.', '~', ' ', '\u{0}', '\u{e9}', '\u{1f600}', '"', '9'])?;
            let place = bytes.choose_index(characters.len() + 1)?;
            match delta % 3 {
                0 if place < characters.len() => drop(characters.remove(place)),
                1 if place < characters.len() => characters[place] = new,
                _ => characters.insert(place, new),
            }
            characters.into_iter().collect::<String>().into()
        }
        _ => Value::Null,
    };
    Ok(())
}

fn precise(whole: i64) -> f64 {
    i32::try_from(whole).map_or(f64::MAX, f64::from)
}

fn number_of(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn name(bytes: &mut Unstructured<'_>) -> Result<String> {
    Ok((*bytes.choose(WORDS)?).to_owned())
}

fn mark(parts: &Parts, bytes: &mut Unstructured<'_>) -> Result<String> {
    // One more than there are: a decoy.
    Ok(digest_mark(bytes.choose_index(parts.disclosures.len() + 1)?))
}

fn value(parts: &mut Parts, bytes: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match bytes.int_in_range(0..=9)? {
        0 => name(bytes)?.into(),
        1 => bytes.arbitrary::<i8>()?.into(),
        2 => bytes.arbitrary::<u64>()?.into(),
        3 => number_of(bytes.arbitrary()?),
        4 => bytes.arbitrary::<bool>()?.into(),
        5 => match bytes.int_in_range(0..=5)? {
            0 => Value::Null,
            1 => json!([]),
            2 => json!({}),
            3 => json!({"...": mark(parts, bytes)?}),
            4 => json!({"_sd": [mark(parts, bytes)?]}),
            _ => Value::Object(jwk(*bytes.choose(&[ISSUER, HOLDER, PHONE])?)),
        },
        6 => {
            let length = usize::from(bytes.arbitrary::<u8>()? % 16).min(bytes.len());
            String::from_utf8_lossy(bytes.bytes(length)?).into_owned().into()
        }
        7 => mark(parts, bytes)?.into(),
        _ => node(parts, bytes)?.clone(),
    })
}

/// Some value somewhere.
fn node<'a>(parts: &'a mut Parts, bytes: &mut Unstructured<'_>) -> Result<&'a mut Value> {
    let mut trees = parts.trees();
    let tree = trees.swap_remove(bytes.choose_index(trees.len())?);
    // Rarely the root: what is no object is no token.
    let size = size(tree);
    let place = if size == 1 || bytes.ratio(1, 32)? { 0 } else { 1 + bytes.choose_index(size - 1)? };
    Ok(nth(tree, place))
}

fn size(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.values().map(size).sum(),
        _ => 0,
    }
}

/// The values of a tree are numbered from its root down.
fn nth(tree: &mut Value, place: usize) -> &mut Value {
    if place == 0 {
        return tree;
    }
    let mut left = place - 1;
    let children: &mut dyn Iterator<Item = &mut Value> = match tree {
        Value::Array(items) => &mut items.iter_mut(),
        Value::Object(members) => &mut members.values_mut(),
        _ => &mut std::iter::empty(),
    };
    for child in children {
        match size(child) {
            size if left < size => return nth(child, left),
            size => left -= size,
        }
    }
    panic!("no value at {place}")
}

fn child<'a>(node: &'a Value, bytes: &mut Unstructured<'_>) -> Result<Option<&'a Value>> {
    Ok(match node {
        Value::Array(items) if !items.is_empty() => items.get(bytes.choose_index(items.len())?),
        Value::Object(members) if !members.is_empty() => members.values().nth(bytes.choose_index(members.len())?),
        _ => None,
    })
}

fn remove_child(node: &mut Value, bytes: &mut Unstructured<'_>) -> Result<()> {
    match node {
        Value::Array(items) if !items.is_empty() => drop(items.remove(bytes.choose_index(items.len())?)),
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(bytes.choose_index(members.len())?).cloned();
            if let Some(name) = name {
                members.remove(&name);
            }
        }
        other => *other = Value::Object(Map::new()),
    }
    Ok(())
}

fn insert(node: &mut Value, name: String, new: Value, bytes: &mut Unstructured<'_>) -> Result<()> {
    match node {
        Value::Array(items) => items.insert(bytes.choose_index(items.len() + 1)?, new),
        Value::Object(members) => drop(members.insert(name, new)),
        _ => {}
    }
    Ok(())
}
