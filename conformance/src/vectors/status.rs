//! Whether the credential was revoked or suspended, and whether one can know.

use anyhow::Result;
use bandpass_roles::base64url;
use serde_json::{Value, json};

use super::Vectors;
use crate::Demand;
use crate::draft::{NOW, STATUS_INDEX, StatusDraft, key};

const LIST: &str = "Token Status List, 4.1";
const JWT: &str = "Token Status List, 5.1";
const CWT: &str = "Token Status List, 5.2";
const RULES: &str = "Token Status List, 8.3";
const PROFILE: &str = "band profile, Status";

/// Changes a token once it is signed.
type TokenEdit = fn(Vec<u8>) -> Vec<u8>;

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    accepted(vectors)?;
    tokens(vectors)?;
    cwts(vectors)?;
    signers(vectors)?;
    freshness(vectors)?;
    statuses(vectors)
}

fn accepted(vectors: &mut Vectors) -> Result<()> {
    for bits in [1, 2, 4, 8] {
        vectors.accept(&format!("status-{bits}-bits"), LIST, |draft| {
            let list = draft.status();
            list.bits = bits;
            // The neighbours are not valid: nobody may look there.
            list.statuses = vec![(STATUS_INDEX - 1, 1), (STATUS_INDEX + 1, 1)];
        })?;
        vectors.accept(&format!("status-cwt-{bits}-bits"), CWT, |draft| {
            let list = draft.status().as_cwt();
            list.bits = bits;
            list.statuses = vec![(STATUS_INDEX - 1, 1), (STATUS_INDEX + 1, 1)];
        })?;
    }
    vectors.accept("status-last-index", RULES, |draft| draft.status().entries = STATUS_INDEX + 1)?;
    vectors.accept("status-without-exp", JWT, |draft| draft.status().claims["exp"] = Value::Null)?;
    vectors.accept("status-without-ttl", JWT, |draft| draft.status().claims["ttl"] = Value::Null)?;
    vectors.accept("status-past-its-ttl", PROFILE, |draft| draft.status().claims["ttl"] = 1.into())?;
    vectors.accept("status-other-claims", JWT, |draft| draft.status().claims["x"] = json!([1, {"y": null}]))?;
    vectors.accept("status-cwt-other-claims", CWT, |draft| {
        draft.status().as_cwt().claims["x"] = json!([1, {"y": true}, 1.5]);
    })?;
    vectors.accept("status-with-iss", JWT, |draft| draft.status().claims["iss"] = "https://wallet.example".into())?;
    vectors.accept("status-without-kid", RULES, |draft| draft.status().header["kid"] = Value::Null)?;
    vectors.accept("status-at-its-oldest", PROFILE, |draft| draft.status().claims["iat"] = (NOW - 900).into())?;
    vectors.accept("status-older-than-by-default", PROFILE, |draft| {
        draft.status().claims["iat"] = (NOW - 86_400).into();
        draft.expected.status_max_age = 86_400;
    })?;
    vectors.accept("status-one-second-left", PROFILE, |draft| draft.status().claims["exp"] = (NOW + 1).into())?;
    vectors.accept("status-at-its-newest", RULES, |draft| draft.status().claims["iat"] = (NOW + 60).into())?;
    vectors.accept("status-newer-list-counts", PROFILE, |draft| {
        let newer = draft.status().clone();
        draft.status().claims["iat"] = (NOW - 180).into();
        draft.status().statuses = vec![(STATUS_INDEX, 2)];
        draft.status_lists.push(newer);
    })?;
    vectors.accept("status-same-list-again", PROFILE, |draft| {
        let again = draft.status().clone();
        draft.status_lists.push(again);
    })?;
    vectors.accept("status-not-required", PROFILE, |draft| {
        draft.status_lists.clear();
        draft.expected.requirements.status = Some(Demand::NotRequired);
    })?;
    vectors.accept("status-stale-and-not-required", PROFILE, |draft| {
        draft.status().claims["iat"] = (NOW - 901).into();
        draft.expected.requirements.status = Some(Demand::NotRequired);
    })?;
    vectors.accept("status-of-another-type", RULES, |draft| {
        let status = draft.claims["status"].clone();
        draft.member();
        draft.claims.insert("status".into(), status);
        draft.status();
    })?;
    vectors.accept("status-by-another-mechanism", "Token Status List, 6.1", |draft| {
        draft.member();
        draft
            .claims
            .insert("status".into(), json!({"identifier_list": {"id": "1", "uri": "https://wallet.example/ids"}}));
    })?;
    vectors.accept("status-below-a-folder", PROFILE, |draft| {
        draft.trust["issuers"][0]["status_uris"] = json!(["https://wallet.example/status/"]);
    })?;
    vectors.accept("status-published-there", PROFILE, |draft| {
        draft.trust["issuers"][0]["status_uris"] = json!(["https://wallet.example/status/1"]);
    })
}

fn tokens(vectors: &mut Vectors) -> Result<()> {
    let code = "status.malformed";
    vectors.refuse(code, "not-a-jwt", JWT, |draft| draft.status().edit_token = Some(|_| b"a.b".to_vec()))?;
    vectors.refuse(code, "cut", JWT, |draft| {
        draft.status().edit_token = Some(|token| token.get(..token.len() / 2).unwrap_or_default().to_vec());
    })?;
    vectors.refuse(code, "crit", "RFC 7515, 4.1.11", |draft| draft.status().header["crit"] = json!(["x"]))?;
    for (what, claim, value) in [
        ("no-sub", "sub", Value::Null),
        ("sub-empty", "sub", json!("")),
        ("no-iat", "iat", Value::Null),
        ("iat-a-string", "iat", json!("1790000000")),
        ("iat-negative", "iat", json!(-1)),
        ("exp-a-string", "exp", json!("1790000000")),
        ("ttl-zero", "ttl", json!(0)),
        ("ttl-negative", "ttl", json!(-1)),
        ("ttl-a-string", "ttl", json!("300")),
        ("iss-a-number", "iss", json!(1)),
        ("list-a-string", "status_list", json!("x")),
        ("no-bits", "status_list", json!({"lst": "eNoDAAAAAAE"})),
        ("no-lst", "status_list", json!({"bits": 1})),
        ("bits-3", "status_list", json!({"bits": 3, "lst": "eNoDAAAAAAE"})),
        ("bits-16", "status_list", json!({"bits": 16, "lst": "eNoDAAAAAAE"})),
        ("bits-a-string", "status_list", json!({"bits": "1", "lst": "eNoDAAAAAAE"})),
        ("lst-padded", "status_list", json!({"bits": 1, "lst": "eNoDAAAAAAE="})),
        ("lst-not-zlib", "status_list", json!({"bits": 1, "lst": base64url(&[0; 64])})),
        // RFC 1951 alone, without the header and the checksum of RFC 1950.
        ("lst-bare-deflate", "status_list", json!({"bits": 1, "lst": base64url(&[0x63, 0x00, 0x00])})),
        ("lst-empty", "status_list", json!({"bits": 1, "lst": ""})),
        ("lst-checksum", "status_list", json!({"bits": 1, "lst": "eNrbuRgAAhcBXA"})),
    ] {
        vectors.refuse(code, what, JWT, move |draft| draft.status().claims[claim] = value)?;
    }
    vectors.refuse("status.algorithm", "none", JWT, |draft| draft.status().header["alg"] = "none".into())?;
    vectors.refuse("status.algorithm", "HS256", JWT, |draft| draft.status().header["alg"] = "HS256".into())?;
    for (what, typ) in [
        ("missing", Value::Null),
        ("jwt", json!("JWT")),
        ("of-a-credential", json!("dc+sd-jwt")),
        ("of-a-cwt", json!("application/statuslist+cwt")),
    ] {
        vectors.refuse("status.type", what, JWT, move |draft| draft.status().header["typ"] = typ)?;
    }
    // 16 MiB of zeros in 16 KiB.
    vectors.refuse("status.too-large", "bomb", "RFC 1950", |draft| {
        draft.status().bits = 8;
        draft.status().entries = 16 << 20;
    })?;
    vectors.refuse("status.too-large", "by-a-byte", "RFC 1950", |draft| {
        draft.status().bits = 8;
        draft.status().entries = (2 << 20) + 1;
    })
}

fn cwts(vectors: &mut Vectors) -> Result<()> {
    let code = "status.malformed";
    let edits: [(&str, TokenEdit); 5] = [
        ("cwt-tag", |token| [&[0xd8, 0x3d], token.as_slice()].concat()),
        ("cwt-mac", |mut token| {
            token.splice(..1, [0xd1]);
            token
        }),
        ("cwt-byte-after", |token| [token, vec![0]].concat()),
        ("cwt-cut", |mut token| {
            token.truncate(token.len() / 2);
            token
        }),
        ("cwt-indefinite-array", |mut token| {
            token.splice(1..2, [0x9f]);
            token.push(0xff);
            token
        }),
    ];
    for (what, edit) in edits {
        vectors.refuse(code, what, CWT, move |draft| draft.status().as_cwt().edit_token = Some(edit))?;
    }
    vectors.refuse(code, "cwt-crit", "RFC 9052, 3.1", |draft| draft.status().as_cwt().header["crit"] = json!(["x"]))?;
    for (what, claim, value) in [
        ("cwt-no-sub", "sub", Value::Null),
        ("cwt-sub-a-number", "sub", json!(1)),
        ("cwt-no-iat", "iat", Value::Null),
        ("cwt-iat-negative", "iat", json!(-1)),
        ("cwt-exp-a-string", "exp", json!("1790000000")),
        ("cwt-ttl-zero", "ttl", json!(0)),
        ("cwt-no-bits", "status_list", json!({"lst": "eNoDAAAAAAE"})),
        ("cwt-bits-3", "status_list", json!({"bits": 3, "lst": "eNoDAAAAAAE"})),
        ("cwt-lst-text", "status_list", json!({"bits": 1, "lst": "="})),
        ("cwt-lst-not-zlib", "status_list", json!({"bits": 1, "lst": base64url(&[0; 64])})),
    ] {
        vectors.refuse(code, what, CWT, move |draft| draft.status().as_cwt().claims[claim] = value)?;
    }
    vectors.refuse("status.algorithm", "cwt", CWT, |draft| draft.status().as_cwt().header["alg"] = json!(-35))?;
    vectors
        .refuse("status.algorithm", "cwt-missing", CWT, |draft| draft.status().as_cwt().header["alg"] = Value::Null)?;
    vectors
        .refuse("status.type", "cwt", CWT, |draft| draft.status().as_cwt().header["typ"] = "application/cwt".into())?;
    vectors.refuse("status.type", "cwt-missing", CWT, |draft| draft.status().as_cwt().header["typ"] = Value::Null)?;
    vectors.refuse("status.revoked", "cwt", CWT, |draft| draft.status().as_cwt().statuses = vec![(STATUS_INDEX, 1)])?;
    vectors.refuse("status.signature", "cwt", CWT, |draft| {
        draft.status().as_cwt().edit_token = Some(|mut token| {
            token.pop();
            token.push(0);
            token
        });
    })
}

fn signers(vectors: &mut Vectors) -> Result<()> {
    let keys = "Token Status List, 11.3";
    let stranger = key(9)?;
    vectors.refuse("status.signature", "another-key", keys, {
        let stranger = stranger.clone();
        move |draft| draft.status().key = stranger
    })?;
    vectors.refuse("status.signature", "holder-key", keys, |draft| draft.status().key = draft.holder_key.clone())?;
    vectors.refuse("status.untrusted", "another-kid", keys, |draft| draft.status().header["kid"] = "2".into())?;
    vectors.refuse("status.untrusted", "another-issuer", keys, |draft| {
        draft.status().claims["iss"] = "https://other.example".into();
    })?;
    vectors.refuse("status.untrusted", "published-elsewhere", PROFILE, |draft| {
        draft.trust["issuers"][0]["status_uris"] = json!(["https://wallet.example/status/2"]);
    })?;
    // A folder ends with a slash: `/status/1` is no folder of `/status/1/x`, nor of `/status/11`.
    vectors.refuse("status.untrusted", "beside-what-is-published", PROFILE, |draft| {
        draft.trust["issuers"][0]["status_uris"] = json!(["https://wallet.example/status"]);
    })?;
    // Another trusted issuer may publish what it likes: it says nothing of this issuer's credentials.
    vectors.refuse("status.missing", "of-another-issuer", keys, move |draft| {
        let mut jwk = stranger.jwk();
        jwk["kid"] = "9".into();
        let other = json!({"iss": "https://other.example", "jwks": {"keys": [jwk]}, "vct": ["urn:example:other"]});
        draft.trust["issuers"].as_array_mut().into_iter().for_each(|issuers| issuers.push(other.clone()));
        draft.status().key = stranger;
        draft.status().header["kid"] = "9".into();
    })?;
    vectors.accept("status-beside-another-issuers", keys, |draft| {
        let stranger = draft.phone_key.clone();
        let mut jwk = stranger.jwk();
        jwk["kid"] = "9".into();
        let other = json!({"iss": "https://other.example", "jwks": {"keys": [jwk]}, "vct": ["urn:example:other"]});
        draft.trust["issuers"].as_array_mut().into_iter().for_each(|issuers| issuers.push(other.clone()));
        let mut theirs = StatusDraft::new(&stranger);
        theirs.header["kid"] = "9".into();
        theirs.claims["iat"] = NOW.into();
        theirs.statuses = vec![(STATUS_INDEX, 1)];
        draft.status_lists.push(theirs);
    })
}

/// The same of mdocs.
pub(super) fn of_mdocs(vectors: &mut Vectors) -> Result<()> {
    freshness(vectors)?;
    statuses(vectors)
}

fn freshness(vectors: &mut Vectors) -> Result<()> {
    vectors.refuse("status.stale", "too-old", PROFILE, |draft| draft.status().claims["iat"] = (NOW - 901).into())?;
    vectors.refuse("status.stale", "older-than-asked-for", PROFILE, |draft| draft.expected.status_max_age = 119)?;
    vectors.refuse("status.stale", "expired-just-now", PROFILE, |draft| draft.status().claims["exp"] = NOW.into())?;
    vectors.refuse("status.future", "by-a-second", RULES, |draft| draft.status().claims["iat"] = (NOW + 61).into())?;
    vectors
        .refuse("status.future", "nbf", "RFC 7519, 4.1.5", |draft| draft.status().claims["nbf"] = (NOW + 61).into())?;
    vectors.refuse("status.rollback", "older-by-a-second", PROFILE, |draft| {
        let mut older = draft.status().clone();
        older.claims["iat"] = (NOW - 121).into();
        draft.status_lists.push(older);
    })?;
    vectors.refuse("status.rollback", "cwt-after-jwt", PROFILE, |draft| {
        let mut older = draft.status().clone();
        older.as_cwt().claims["iat"] = (NOW - 121).into();
        draft.status_lists.push(older);
    })?;
    vectors.refuse("status.missing", "no-list", PROFILE, |draft| draft.status_lists.clear())?;
    vectors.refuse("status.missing", "of-another-uri", RULES, |draft| {
        draft.status().claims["sub"] = "https://wallet.example/status/2".into();
    })?;
    vectors.refuse("status.missing", "of-another-type", RULES, |draft| {
        let status = draft.claims["status"].clone();
        draft.member();
        draft.claims.insert("status".into(), status);
    })?;
    vectors.refuse("status.unreferenced", "no-status", RULES, |draft| {
        draft.member();
        draft.expected.requirements.status = Some(Demand::Required);
    })?;
    vectors.refuse("status.unreferenced", "another-mechanism", "Token Status List, 6.1", |draft| {
        draft.member();
        draft
            .claims
            .insert("status".into(), json!({"identifier_list": {"id": "1", "uri": "https://wallet.example/ids"}}));
        draft.expected.requirements.status = Some(Demand::Required);
    })
}

fn statuses(vectors: &mut Vectors) -> Result<()> {
    let types = "Token Status List, 7.1";
    for bits in [1, 2, 4, 8] {
        vectors.refuse("status.revoked", &format!("{bits}-bits"), types, move |draft| {
            draft.status().bits = bits;
            draft.status().statuses = vec![(STATUS_INDEX, 1)];
        })?;
    }
    for bits in [2, 4, 8] {
        vectors.refuse("status.suspended", &format!("{bits}-bits"), types, move |draft| {
            draft.status().bits = bits;
            draft.status().statuses = vec![(STATUS_INDEX, 2)];
        })?;
    }
    for (bits, status) in [(2, 3), (4, 3), (4, 12), (4, 15), (8, 4), (8, 255)] {
        vectors.refuse("status.unknown", &format!("{status}-of-{bits}-bits"), types, move |draft| {
            draft.status().bits = bits;
            draft.status().statuses = vec![(STATUS_INDEX, status)];
        })?;
    }
    vectors.refuse("status.revoked", "though-not-required", PROFILE, |draft| {
        draft.status().statuses = vec![(STATUS_INDEX, 1)];
        draft.expected.requirements.status = Some(Demand::NotRequired);
    })?;
    vectors.refuse("status.suspended", "newer-list-counts", PROFILE, |draft| {
        let mut newer = draft.status().clone();
        newer.claims["iat"] = (NOW - 60).into();
        newer.statuses = vec![(STATUS_INDEX, 2)];
        draft.status_lists.push(newer);
    })?;
    // The list has as many entries as fill its last byte.
    vectors.refuse("status.index", "by-one", RULES, |draft| draft.status().entries = STATUS_INDEX)?;
    vectors.refuse("status.index", "empty-list", RULES, |draft| draft.status().entries = 0)?;
    vectors.refuse("status.index", "greatest", RULES, |draft| {
        draft.claims["status"]["status_list"]["idx"] = ((1_u64 << 53) - 1).into();
    })?;
    // What is wrong with the credential itself comes first.
    vectors.refuse("credential.expired", "and-revoked", RULES, |draft| {
        draft.claims.insert("exp".into(), (NOW - 61).into());
        draft.status().statuses = vec![(STATUS_INDEX, 1)];
    })?;
    for (what, claim, value) in [
        ("status-idx-negative", "idx", json!(-1)),
        ("status-idx-a-string", "idx", json!("412")),
        ("status-uri-a-number", "uri", json!(1)),
    ] {
        vectors.refuse("credential.claim", what, "Token Status List, 6.2", move |draft| {
            draft.member();
            draft.claims.insert("status".into(), json!({"status_list": {"idx": 1, "uri": "https://wallet.example/1"}}));
            draft.claims["status"]["status_list"][claim] = value;
        })?;
    }
    Ok(())
}
