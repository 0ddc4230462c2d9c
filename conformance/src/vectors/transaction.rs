//! What the holder agreed to.

use anyhow::Result;
use bandpass_roles::{sha256_base64url, transaction_data};
use serde_json::json;

use super::Vectors;
use crate::draft::{payment, with_algorithms};

const SECTION: &str = "OpenID4VP 1.0, 8.4";

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    for (what, algorithm) in [("sha-512", "sha-512"), ("upper-case", "SHA-256"), ("empty", "")] {
        vectors.refuse("transaction.algorithm", what, "OpenID4VP 1.0, B.3.3", |draft| {
            draft.pay("35.00");
            draft.proof()["transaction_data_hashes_alg"] = algorithm.into();
        })?;
    }
    vectors.refuse("transaction.algorithm", "offered-and-not-named", "OpenID4VP 1.0, B.3.3", |draft| {
        draft.expected.transaction_data.push(with_algorithms());
    })?;
    vectors.refuse("transaction.missing", "no-hashes", SECTION, |draft| {
        draft.pay("35.00");
        draft.proof()["transaction_data_hashes"] = json!(null);
    })?;
    vectors.refuse("transaction.missing", "one-of-two", SECTION, |draft| {
        draft.pay("35.00");
        draft.proof()["transaction_data_hashes"] = json!([sha256_base64url(payment("35.00").as_bytes())]);
        draft.expected.transaction_data.push(payment("36.00"));
    })?;
    vectors.refuse("transaction.missing", "for-another-credential", SECTION, |draft| {
        draft.expected.query_id = "ticket".into();
        draft.expected.transaction_data.push(payment("35.00"));
        draft.proof()["transaction_data_hashes"] = json!([]);
    })?;
    vectors.refuse("transaction.missing", "without-proof", SECTION, |draft| {
        draft.member();
        draft.kb = None;
        draft.expected.requirements.holder = Some(crate::Demand::NotRequired);
        draft.expected.transaction_data.push(payment("35.00"));
    })?;
    vectors.refuse("transaction.mismatch", "another-amount", SECTION, |draft| {
        draft.pay("900.00");
        draft.proof()["transaction_data_hashes"] = json!([sha256_base64url(payment("35.00").as_bytes())]);
    })?;
    vectors.refuse("transaction.mismatch", "same-content-other-bytes", SECTION, |draft| {
        draft.pay("35.00");
        let spaced = format!("{} ", String::from_utf8_lossy(b"{\"type\":\"x\"}"));
        draft.proof()["transaction_data_hashes"] = json!([sha256_base64url(spaced.as_bytes())]);
    })?;
    vectors.refuse("transaction.mismatch", "hash-of-the-decoded-json", SECTION, |draft| {
        let payload = json!({"transaction_id": "t-1", "service": "mail", "action": "open"});
        draft.expected.transaction_data.push(transaction_data("urn:bandpass:sign-in:1", &["band"], &payload));
        let decoded = json!({"type": "urn:bandpass:sign-in:1", "credential_ids": ["band"], "payload": payload});
        draft.proof()["transaction_data_hashes"] = json!([sha256_base64url(decoded.to_string().as_bytes())]);
    })?;
    vectors.refuse("transaction.unexpected", "nothing-was-sent", SECTION, |draft| {
        draft.proof()["transaction_data_hashes"] = json!([sha256_base64url(payment("35.00").as_bytes())]);
    })?;
    vectors.refuse("transaction.unexpected", "one-more", SECTION, |draft| {
        draft.pay("35.00");
        let hashes = [payment("35.00"), payment("36.00")].map(|sent| sha256_base64url(sent.as_bytes()));
        draft.proof()["transaction_data_hashes"] = json!(hashes);
    })?;
    vectors.refuse("transaction.unexpected", "twice", SECTION, |draft| {
        draft.pay("35.00");
        let hash = sha256_base64url(payment("35.00").as_bytes());
        draft.proof()["transaction_data_hashes"] = json!([hash, hash]);
    })
}
