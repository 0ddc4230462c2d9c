//! What is read before a signature says whose it is.

use std::str;

use bandpass_conformance::Verdict;
use bandpass_core::{Challenge, Trust};
use bandpass_roles::{base64url, sha256_base64url};
use serde_json::Value;

use crate::reference;
use crate::vectors::{self, CASES, case, presentations_in};
use crate::verify::explains;

/// A presentation, to be shown.
pub(crate) fn inspect(data: &[u8]) {
    let Ok(token) = str::from_utf8(data) else { return };
    let Ok(tree) = bandpass_core::inspect(token) else { return };
    assert_eq!(tree["verified"], Value::Bool(false));
    let sent = token.split('~').collect::<Vec<_>>();
    let shown = tree["disclosures"].as_array().expect("an array");
    assert_eq!(shown.len() + 2, sent.len(), "each disclosure is shown");
    for (shown, sent) in shown.iter().zip(&sent[1..]) {
        assert_eq!(shown["digest"], sha256_base64url(sent.as_bytes()));
    }
    assert_eq!(tree.get("kb_jwt").is_some(), !token.ends_with('~'));
}

pub(crate) fn presentations() -> Vec<Vec<u8>> {
    CASES.iter().map(|case| case.vector.vp_token.clone().into_bytes()).collect()
}

/// A trust list.
pub(crate) fn trust(data: &[u8]) {
    if Trust::from_json(data).is_ok() {
        let again = serde_json::from_slice::<Value>(data).expect("JSON").to_string();
        assert!(Trust::from_json(again.as_bytes()).is_ok(), "it says the same when it is written again");
    }
}

pub(crate) fn trust_lists() -> Vec<Vec<u8>> {
    let mut lists = CASES.iter().map(|case| case.vector.trust.to_string().into_bytes()).collect::<Vec<_>>();
    lists.sort();
    lists.dedup();
    lists
}

/// Transaction data: each line is an entry before base64url, or, where it starts with `=`, as it was sent.
pub(crate) fn challenge(data: &[u8]) {
    let entries = data.split(|byte| *byte == b'\n').map(|line| match line {
        [b'=', sent @ ..] => String::from_utf8_lossy(sent).into_owned(),
        entry => base64url(entry),
    });
    let entries = entries.collect::<Vec<_>>();
    let challenge = Challenge::new(vec!["audience".into()], "nonce".into(), 0).expect("a challenge");
    if challenge.clone().transaction_data(&entries).is_ok() {
        for (place, entry) in entries.iter().enumerate() {
            assert!(!entries[..place].contains(entry), "the same entry twice");
            assert!(challenge.clone().transaction_data(&[entry]).is_ok(), "each is good by itself");
        }
    }
}

pub(crate) fn transaction_data() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for case in CASES.iter() {
        let sent = case.vector.expected.transaction_data.iter();
        let plain = sent.clone().map(|sent| {
            let decoded = <base64ct::Base64UrlUnpadded as base64ct::Encoding>::decode_vec(sent);
            decoded.unwrap_or_else(|_| format!("={sent}").into_bytes())
        });
        seeds.push(plain.collect::<Vec<_>>().join(&b'\n'));
        seeds.push(sent.map(|sent| format!("={sent}")).collect::<Vec<_>>().join("\n").into_bytes());
    }
    seeds.sort();
    seeds.dedup();
    seeds
}

/// A submission, with the challenge of a vector: its number, then bytes. Nobody signs here, so what is accepted is what
/// the vector says.
pub(crate) fn vp_token(data: &[u8]) {
    let Some((number, submitted)) = data.split_first_chunk() else { return };
    let case = case(u16::from_le_bytes(*number));
    let expected = &case.vector.expected;
    let Ok(challenge) = expected.challenge() else { return };
    let submission = case.verifier.submit(submitted, challenge);
    for query in [expected.query_id.as_str(), "", "band", "other"] {
        let Ok(verified) = submission.verify(query, &expected.requirements.to_core()) else { continue };
        let explained = submission.explain(query, &expected.requirements.to_core());
        explains(&explained, &Ok(()));
        match &case.vector.result {
            // Any of those that were sent may be sent for another query.
            Verdict::Accepted { .. } => {
                let sent = presentations_in(&case.vector.vp_token);
                let mut sent = sent.iter().filter_map(|token| reference::claims(token));
                // Without a proof anybody may leave disclosures away.
                let is_bound = verified.key_thumbprint().is_some();
                assert!(sent.any(|claims| match is_bound {
                    true => claims == *verified.claims(),
                    false => verified.claims().keys().all(|name| claims.contains_key(name)),
                }));
            }
            // What its maker spoilt, anybody may mend: leave away, put back in order, wrap as another query.
            Verdict::Refused { .. } => {}
        }
    }
}

pub(crate) fn vp_tokens() -> Vec<Vec<u8>> {
    let seed = |number: u16| [&number.to_le_bytes(), case(number).vector.vp_token.as_bytes()].concat();
    vectors::numbers().map(seed).collect()
}
