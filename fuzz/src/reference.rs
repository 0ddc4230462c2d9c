//! What a token says, read a second time and the plain way: nothing of the verifier's code is used, limits and
//! signatures are left to it. Whatever it accepted has to hold here too.

use std::collections::{HashMap, HashSet};

use bandpass_conformance::{Demand, Expected, Vector};
use bandpass_core::{Error, Status, Verified};
use bandpass_roles::sha256_base64url;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value};

use crate::certificates;
use crate::lists::List;
use crate::token::{ISSUER, jwk};

/// Claims that are never selectively disclosable, and those that bands add.
const ALWAYS: [&str; 8] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"];
const ALWAYS_BY_BANDS: [&str; 3] = ["iat", "pairing", "band_measures"];
const BAND: &str = "urn:bandpass:band:1";

/// A presentation, read.
struct Reading {
    issuer_header: Value,
    payload: Value,
    disclosures: Vec<String>,
    sd_hash: String,
    proof: Option<(Value, Value)>,
}

/// Panics if the verdict on a bare presentation can't be right. `signers`: who signed issuer-signed JWT, proof and
/// approval, as JWKs.
pub(crate) fn judge(
    token: &str,
    vector: &Vector,
    expected: &Expected,
    signers: [&Map<String, Value>; 3],
    verdict: &Result<Verified, Error>,
) {
    match verdict {
        Ok(verified) => accepted(token, vector, expected, signers, verified),
        Err(error) if error.code().as_str().starts_with("disclosure.") => {
            let reading = read(token).expect("disclosures are read after everything was parsed");
            // A band by another of its types, if the trust list allows that, has a band's claims too.
            let may_be_band = |claims: &Map<String, Value>| {
                claims.get("aka_vcts").is_some_and(|vcts| list(vcts).iter().any(|vct| **vct == BAND))
            };
            assert!(disclosed(&reading).is_none_or(|claims| may_be_band(&claims)), "{error}: the disclosures are good");
        }
        Err(_) => {}
    }
}

fn accepted(token: &str, vector: &Vector, expected: &Expected, signers: [&Map<String, Value>; 3], verified: &Verified) {
    let reading = read(token).expect("a token that can be read");
    let claims = disclosed(&reading).expect("disclosures that belong to digests");
    assert_eq!(verified.claims(), &claims, "the claims that the issuer signed");
    let types = issuer(&reading, &claims, &vector.trust, signers[0], verified);
    times(&claims, expected, verified);
    status(&claims, vector, expected, verified);
    if let Some(dcql) = &expected.dcql {
        let only = || dcql["credentials"][0]["id"].as_str().unwrap_or_default();
        let id = if expected.query_id.is_empty() { only() } else { expected.query_id.as_str() };
        assert!(sent(dcql, &[id]), "what has to be sent");
        assert!(answers(dcql, id, &types, &claims), "an answer to the query");
    }
    let is_band = types.contains(&BAND);
    let Some((header, proof)) = &reading.proof else {
        assert!(!is_band && expected.requirements.holder == Some(Demand::NotRequired), "a proof is needed");
        assert!(expected.transaction_data.is_empty() && verified.transactions().is_empty());
        assert!(verified.key_thumbprint().is_none() && verified.evidence().is_none());
        return;
    };
    assert_eq!((&header["alg"], &header["typ"]), (&"ES256".into(), &"kb+jwt".into()));
    assert!(same_key(&claims["cnf"]["jwk"], signers[1]), "the holder's key signed the proof");
    let holder = thumbprint(&claims["cnf"]["jwk"]);
    assert_eq!(verified.key_thumbprint(), Some(holder.as_str()));
    assert_eq!(proof["nonce"], expected.nonce);
    assert!(expected.audience.iter().any(|audience| proof["aud"] == *audience));
    assert_eq!(proof["sd_hash"], reading.sd_hash);
    assert!(fresh(&proof["iat"], expected), "iat {}", proof["iat"]);
    own_times(proof, expected);
    transactions(proof, expected, verified);
    assert_eq!(verified.evidence().is_some(), is_band);
    if is_band {
        evidence(&claims, proof, expected, verified);
        approval(&claims, proof, expected, signers[2], verified);
    }
}

/// The types that count.
fn issuer<'a>(
    reading: &Reading,
    claims: &'a Map<String, Value>,
    trust: &Value,
    signer: &Map<String, Value>,
    verified: &Verified,
) -> Vec<&'a str> {
    let header = &reading.issuer_header;
    assert_eq!(header["alg"], "ES256");
    assert!(header.get("crit").is_none());
    if let Some(iss) = reading.payload.get("iss") {
        assert_eq!(verified.issuer(), iss);
    }
    let mut entries = trust["issuers"].as_array().expect("issuers").iter();
    let entry = entries.find(|entry| names(entry).iter().any(|name| name == verified.issuer()));
    let entry = entry.expect("a trusted issuer");
    if entry.get("x5c_roots").is_some() {
        assert!(certificates::known(&header["x5c"]), "a chain of certificates that were issued");
        assert_eq!(signer, &jwk(ISSUER), "the key that they certify");
    } else {
        assert!(reading.payload.get("iss").is_some());
        let mut keys = entry["jwks"]["keys"].as_array().expect("keys").iter();
        let fits = |key: &&Value| !header["kid"].is_string() || key.get("kid").is_none_or(|kid| *kid == header["kid"]);
        assert!(keys.any(|key| fits(&key) && same_key(key, signer)), "a key of the issuer signed the credential");
    }
    let typ = &header["typ"];
    assert!(entry.get("typ").map_or(typ == "dc+sd-jwt", |allowed| list(allowed).contains(&typ)));
    let is_allowed = |vct: &&Value| entry["any_vct"] == true || list(&entry["vct"]).contains(vct);
    let known = entry.get("aka_vcts").map_or_else(Vec::new, list);
    let others = claims.get("aka_vcts").map_or_else(Vec::new, list).into_iter().filter(|vct| known.contains(vct));
    let types = claims.get("vct").filter(is_allowed).into_iter().chain(others);
    let types = types.map(|vct| vct.as_str().expect("a type")).collect::<Vec<_>>();
    assert_eq!(verified.credential_type(), types.first().copied());
    match claims.get("vct") {
        Some(_) => assert!(!types.is_empty(), "a trusted type"),
        None => assert_ne!(typ, "dc+sd-jwt"),
    }
    types
}

/// What the issuer of an entry may be called.
fn names(entry: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let host = entry["leaf"]["san_dns"].as_str().map(|host| format!("https://{host}"));
    let leaf = &entry["leaf"];
    let iss = text(&entry["iss"]);
    let certified = [text(&leaf["san_uri"]), text(&leaf["subject"]), host.filter(|_| iss.is_none())];
    iss.clone().into_iter().chain(certified.into_iter().flatten()).collect()
}

/// Whether the status is that of a list that was taken in.
fn status(claims: &Map<String, Value>, vector: &Vector, expected: &Expected, verified: &Verified) {
    let asked = expected.requirements.status;
    let reference = claims.get("status").and_then(|status| status.get("status_list"));
    match verified.status() {
        Status::NotReferenced => assert!(reference.is_none() && asked != Some(Demand::Required)),
        Status::NotChecked => assert!(reference.is_some() && asked == Some(Demand::NotRequired)),
        Status::Valid => {
            let reference = reference.expect("a place in a status list");
            let index = reference["idx"].as_u64().expect("a number");
            let lists = vector.status_list_tokens();
            let mut lists = lists.iter().filter_map(|token| List::read(token));
            let is_valid = |list: List| {
                reference["uri"] == list.uri
                    && list.expires.is_none_or(|expires| expected.now < expires)
                    && expected.now.saturating_sub(list.issued_at) <= expected.status_max_age.into()
                    && list.status(index) == Some(0)
            };
            assert!(lists.any(is_valid), "no list says so");
        }
    }
}

/// The claims of a bare presentation; None if it is to be refused.
pub(crate) fn claims(token: &str) -> Option<Map<String, Value>> {
    disclosed(&read(token)?)
}

/// Whether so much was sent for these queries, and nothing else (OpenID4VP 1.0, sections 6.1 and 6.4.2).
pub(crate) fn sent(dcql: &Value, ids: &[&str]) -> bool {
    let queries = list(&dcql["credentials"]);
    let asked = |id: &&str| {
        let query = queries.iter().find(|query| query["id"] == **id);
        query.is_some_and(|query| query["multiple"] == true || ids.iter().filter(|other| *other == id).count() == 1)
    };
    let came = |id: &Value| ids.iter().any(|sent| id == sent);
    let required = match dcql.get("credential_sets") {
        None => queries.iter().all(|query| came(&query["id"])),
        Some(sets) => list(sets).iter().all(|set| {
            set["required"] == false || list(&set["options"]).iter().any(|option| list(option).into_iter().all(came))
        }),
    };
    ids.iter().all(asked) && required
}

/// Whether a credential matches a Credential Query, authorities aside (section 6.4.1).
pub(crate) fn answers(dcql: &Value, id: &str, types: &[&str], claims: &Map<String, Value>) -> bool {
    let queries = list(&dcql["credentials"]);
    let Some(query) = queries.into_iter().find(|query| query["id"] == id) else { return false };
    query["format"] == "dc+sd-jwt"
        && list(&query["meta"]["vct_values"]).iter().any(|vct| types.iter().any(|found| *vct == found))
        && claims_answer(query, claims)
}

/// Whether one of the combinations of claims was disclosed.
pub(crate) fn claims_answer(query: &Value, claims: &Map<String, Value>) -> bool {
    let Some(asked) = query.get("claims").map(list) else { return true };
    let claims = Value::Object(claims.clone());
    let is_met = |asked: &Value| {
        let path = list(&asked["path"]);
        let found = select(&claims, &path);
        let allowed = asked.get("values").map(list);
        let is_same = |one: &Value, other: &Value| match (one, other) {
            (Value::Number(one), Value::Number(other)) => one.to_string() == other.to_string() && !one.is_f64(),
            _ => one == other,
        };
        !found.is_empty()
            && allowed.is_none_or(|allowed| found.iter().any(|found| allowed.iter().any(|one| is_same(one, found))))
    };
    match query.get("claim_sets").map(list) {
        None => asked.iter().all(|asked| is_met(asked)),
        Some(sets) => sets.iter().any(|set| {
            let named = |id: &&Value| asked.iter().any(|asked| asked["id"] == **id && is_met(asked));
            list(set).iter().all(named)
        }),
    }
}

/// Claims path pointers (section 7.1.1): a step that does not fit one of the values selects nothing at all.
fn select<'a>(from: &'a Value, path: &[&Value]) -> Vec<&'a Value> {
    let mut selected = vec![from];
    for step in path {
        let next = selected.iter().map(|value| match (step, value) {
            (Value::String(name), Value::Object(members)) => Some(members.get(name).into_iter().collect()),
            (Value::Null, Value::Array(items)) => Some(items.iter().collect()),
            (Value::Number(place), Value::Array(items)) => {
                let place = place.as_u64().and_then(|place| usize::try_from(place).ok());
                Some(place.and_then(|place| items.get(place)).into_iter().collect())
            }
            _ => None,
        });
        selected = next.collect::<Option<Vec<Vec<_>>>>().unwrap_or_default().concat();
    }
    selected
}

fn times(claims: &Map<String, Value>, expected: &Expected, verified: &Verified) {
    let (now, tolerance) = (seconds(&expected.now.into()), f64::from(expected.clock_tolerance));
    if let Some(exp) = claims.get("exp") {
        assert!(now < seconds(exp) + tolerance, "expired at {exp}");
    }
    assert_eq!(verified.expires().is_some(), claims.contains_key("exp"));
    for starts in ["nbf", "iat"].iter().filter_map(|name| claims.get(*name)) {
        assert!(seconds(starts).floor() <= now + tolerance, "starts at {starts}");
    }
}

/// RFC 7519's own times, in a proof or approval.
fn own_times(payload: &Value, expected: &Expected) {
    let (now, tolerance) = (seconds(&expected.now.into()), f64::from(expected.clock_tolerance));
    assert!(payload.get("exp").is_none_or(|exp| now < seconds(exp) + tolerance));
    assert!(payload.get("nbf").is_none_or(|nbf| seconds(nbf).floor() <= now + tolerance));
}

fn fresh(at: &Value, expected: &Expected) -> bool {
    let (now, tolerance) = (seconds(&expected.now.into()), f64::from(expected.clock_tolerance));
    let age = now - seconds(at).floor();
    -tolerance <= age && age <= f64::from(expected.max_age) + tolerance
}

fn transactions(proof: &Value, expected: &Expected, verified: &Verified) {
    let sent = &expected.transaction_data;
    let mut hashes = sent.iter().map(|sent| sha256_base64url(sent.as_bytes())).collect::<Vec<_>>();
    let mut agreed = proof.get("transaction_data_hashes").map_or_else(Vec::new, list);
    hashes.sort();
    agreed.sort_by_key(|hash| hash.as_str());
    assert!(hashes.iter().eq(agreed.iter().copied()), "agreed to what was sent, each once, and nothing else");
    assert!(proof.get("transaction_data_hashes_alg").is_none_or(|alg| alg == "sha-256"));
    assert_eq!(verified.transactions().len(), sent.len());
    for (sent, found) in sent.iter().zip(verified.transactions()) {
        let sent = json(sent).expect("transaction data");
        assert_eq!(found.type_id(), sent["type"]);
        assert_eq!(Some(found.payload()), sent.get("payload").map_or(Some(&Map::new()), Value::as_object));
        let is_payment = ["urn:bandpass:payment:1", "urn:eudi:sca:payment:1"].iter().any(|kind| sent["type"] == *kind);
        assert_eq!(found.payment().is_some(), is_payment);
        let Some(payment) = found.payment() else { continue };
        match &sent["payload"]["amount"] {
            Value::Number(amount) => assert_eq!(payment.amount.parse().ok(), amount.as_f64()),
            amount => assert_eq!(payment.amount, *amount),
        }
        assert_eq!(payment.currency, sent["payload"]["currency"]);
        assert_eq!(payment.payee_id, sent["payload"]["payee"]["id"]);
        assert!(payment.amount.parse::<f64>().is_ok_and(|amount| amount >= 0.0));
        assert!(payment.amount.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()));
    }
}

fn evidence(claims: &Map<String, Value>, proof: &Value, expected: &Expected, verified: &Verified) {
    let evidence = verified.evidence().expect("evidence of a band");
    let (band, asked) = (&proof["band"], &expected.requirements);
    let measures = list(&claims["band_measures"]);
    let attests = |measure: &str| measures.iter().any(|attested| *attested == measure);
    let (worn, unlocked) = (band["worn_since"].as_u64(), band["unlocked_at"].as_u64());
    assert_eq!(evidence.worn_since(), worn.filter(|_| attests("wear")));
    assert_eq!(evidence.unlocked_at(), unlocked.filter(|_| attests("unlock")));
    assert_eq!(evidence.confirmed(), band["confirmed"] == true && attests("confirm"));
    assert_eq!(Some(evidence.counter()), band["counter"].as_u64());
    assert!(evidence.counter() < 1 << 53);
    assert_eq!(Some(evidence.pairing_epoch()), claims["pairing"]["epoch"].as_u64());
    let signed_at = seconds(&proof["iat"]).floor();
    assert!((seconds(&evidence.signed_at().into()) - signed_at).abs() < f64::EPSILON);
    if let (Some(worn), Some(unlocked)) = (worn, unlocked) {
        assert!(worn <= unlocked, "unlocked before it was put on");
    }
    for at in [worn, unlocked].into_iter().flatten() {
        assert!(seconds(&at.into()) <= signed_at, "after the proof");
    }
    let pays = verified.transactions().iter().any(|transaction| transaction.payment().is_some());
    let needs = |demand: Option<Demand>, by_profile| demand.map_or(by_profile, |demand| demand == Demand::Required);
    let needs_unlocked = needs(asked.unlocked, pays) || asked.unlocked_within.is_some();
    assert!(!needs_unlocked || evidence.unlocked_at().is_some() && evidence.worn_since().is_some());
    assert!(!needs(asked.worn, pays) || evidence.worn_since().is_some());
    assert!(!needs(asked.confirmed, false) || evidence.confirmed());
    assert!(asked.distance_mm.is_none(), "no distance counts outside proximity");
    if let (Some(most), Some(at)) = (asked.unlocked_within, evidence.unlocked_at()) {
        assert!(expected.now.saturating_sub(at) <= most.into());
    }
    assert!(!needs(asked.approval, pays) && asked.methods.is_empty() || evidence.approval().is_some());
}

fn approval(
    claims: &Map<String, Value>,
    proof: &Value,
    expected: &Expected,
    signer: &Map<String, Value>,
    verified: &Verified,
) {
    let found = verified.evidence().and_then(|evidence| evidence.approval());
    let Some(compact) = proof.get("approval") else {
        assert!(found.is_none());
        return;
    };
    let found = found.expect("an approval that is there is checked");
    let parts = compact.as_str().expect("a JWS").split('.').collect::<Vec<_>>();
    let (header, payload) = (json(parts[0]).expect("JSON"), json(parts[1]).expect("JSON"));
    assert_eq!(header.as_object().expect("an object").keys().collect::<Vec<_>>(), ["alg", "jwk", "typ"]);
    assert_eq!((&header["alg"], &header["typ"]), (&"ES256".into(), &"band-approval+jwt".into()));
    let phone = thumbprint(&header["jwk"]);
    assert!(same_key(&header["jwk"], signer), "the phone's key signed the approval");
    assert_eq!(claims["pairing"]["jkt"], phone);
    let holder = thumbprint(&claims["cnf"]["jwk"]);
    assert_ne!(phone, holder);
    assert_eq!(payload["band_jkt"], holder);
    assert_eq!((&payload["aud"], &payload["nonce"]), (&proof["aud"], &proof["nonce"]));
    let hashes = |payload: &Value| {
        payload.get("transaction_data_hashes").map_or_else(Vec::new, |all| list(all).into_iter().cloned().collect())
    };
    assert_eq!(hashes(&payload), hashes(proof));
    assert!(fresh(&payload["iat"], expected));
    own_times(&payload, expected);
    assert_eq!(Some(found.signed_at()), payload["iat"].as_u64());
    assert!(!found.methods().is_empty() && list(&payload["amr"]).iter().copied().eq(found.methods()));
    assert!(expected.requirements.methods.iter().all(|method| found.methods().contains(method)));
}

fn read(token: &str) -> Option<Reading> {
    let (presented, proof) = token.rsplit_once('~')?;
    let mut parts = presented.split('~');
    let (issuer_header, payload) = jws(parts.next()?)?;
    let proof = if proof.is_empty() { None } else { Some(jws(proof)?) };
    let disclosures = parts.map(ToOwned::to_owned).collect();
    let sd_hash = sha256_base64url(format!("{presented}~").as_bytes());
    Some(Reading { issuer_header, payload, disclosures, sd_hash, proof })
}

/// Header and payload.
pub(crate) fn jws(compact: &str) -> Option<(Value, Value)> {
    let parts = compact.split('.').collect::<Vec<_>>();
    let [header, payload, _signature] = parts[..] else { return None };
    Some((json(header)?, json(payload)?)).filter(|(header, payload)| header.is_object() && payload.is_object())
}

/// None for JSON that has the same member twice.
fn json(part: &str) -> Option<Value> {
    let bytes = Base64UrlUnpadded::decode_vec(part).ok()?;
    let value = serde_json::from_slice(&bytes).ok()?;
    (written_members(&bytes) == members(&value)).then_some(value)
}

/// Colons outside of strings.
fn written_members(text: &[u8]) -> usize {
    let (mut count, mut quoted, mut escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b':' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Object(all) => all.values().map(|member| 1 + members(member)).sum(),
        _ => 0,
    }
}

/// RFC 9901, section 7.1, step 3, from the top down; None where the token is to be refused.
fn disclosed(reading: &Reading) -> Option<Map<String, Value>> {
    let mut payload = reading.payload.clone();
    let algorithm = payload.as_object_mut()?.remove("_sd_alg");
    if algorithm.is_some_and(|algorithm| algorithm != "sha-256") {
        return None;
    }
    let mut disclosures = HashMap::new();
    for encoded in &reading.disclosures {
        let content = json(encoded)?;
        let arity = content.as_array()?.len();
        let named = arity == 3 && content[1].is_string();
        if !content[0].is_string() || !(arity == 2 || named) {
            return None;
        }
        if disclosures.insert(sha256_base64url(encoded.as_bytes()), content).is_some() {
            return None;
        }
    }
    let mut seen = HashSet::new();
    place(&mut payload, &mut disclosures, &mut seen)?;
    let Value::Object(claims) = payload else { return None };
    let is_band = claims.get("vct").is_some_and(|vct| vct == BAND);
    let by_bands = ALWAYS_BY_BANDS.iter().filter(|_| is_band);
    // They stand in the payload itself as they came out, but for digests that nothing was disclosed for.
    let plain = |name: &&str| {
        let mut before = reading.payload.get(*name).cloned();
        before.as_mut().into_iter().for_each(strip);
        claims.get(*name) == before.as_ref()
    };
    (disclosures.is_empty() && ALWAYS.iter().chain(by_bands).all(plain)).then_some(claims)
}

fn place(value: &mut Value, disclosures: &mut HashMap<String, Value>, seen: &mut HashSet<String>) -> Option<()> {
    match value {
        Value::Object(all) => {
            let digests = all.remove("_sd").unwrap_or_else(|| Value::Array(Vec::new()));
            for digest in digests.as_array()? {
                let digest = digest.as_str()?;
                if !seen.insert(digest.to_owned()) {
                    return None;
                }
                if let Some(content) = disclosures.remove(digest) {
                    let [_, name, value] = content.as_array()?.as_slice() else { return None };
                    let name = name.as_str()?;
                    if ["_sd", "...", "_sd_alg"].contains(&name) || all.insert(name.to_owned(), value.clone()).is_some()
                    {
                        return None;
                    }
                }
            }
            if all.contains_key("...") || all.contains_key("_sd_alg") {
                return None;
            }
            all.values_mut().try_for_each(|member| place(member, disclosures, seen))
        }
        Value::Array(items) => {
            let mut placed = Vec::new();
            for mut item in std::mem::take(items) {
                let digest = item.as_object().filter(|all| all.len() == 1).and_then(|all| all.get("..."));
                if let Some(digest) = digest {
                    let digest = digest.as_str()?;
                    if !seen.insert(digest.to_owned()) {
                        return None;
                    }
                    let Some(content) = disclosures.remove(digest) else { continue };
                    let [_, value] = content.as_array()?.as_slice() else { return None };
                    item = value.clone();
                }
                place(&mut item, disclosures, seen)?;
                placed.push(item);
            }
            *items = placed;
            Some(())
        }
        _ => Some(()),
    }
}

/// Removes digests.
fn strip(value: &mut Value) {
    match value {
        Value::Object(all) => {
            all.remove("_sd");
            all.values_mut().for_each(strip);
        }
        Value::Array(items) => {
            items.retain(|item| item.as_object().is_none_or(|all| all.len() != 1 || !all.contains_key("...")));
            items.iter_mut().for_each(strip);
        }
        _ => {}
    }
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().expect("an array").iter().collect()
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn same_key(one: &Value, other: &Map<String, Value>) -> bool {
    ["kty", "crv", "x", "y"].iter().all(|name| Some(&one[*name]) == other.get(*name))
}

/// RFC 7638.
fn thumbprint(jwk: &Value) -> String {
    let required = ["crv", "kty", "x", "y"].map(|name| format!("\"{name}\":{}", jwk[name]));
    sha256_base64url(format!("{{{}}}", required.join(",")).as_bytes())
}
