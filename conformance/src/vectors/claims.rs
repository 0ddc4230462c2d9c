//! What was asked to be seen: DCQL, ages, and submissions of several presentations.

use anyhow::Result;
use bandpass_roles::{BAND_VCT, sha256_base64url, transaction_data};
use serde_json::{Value, json};

use super::Vectors;
use crate::Demand;
use crate::draft::{Draft, DraftEdit, ISSUER, key};

const MEMBER_VCT: &str = "urn:example:member";
const DCQL: &str = "OpenID4VP 1.0, 6";
const CREDENTIAL_QUERY: &str = "OpenID4VP 1.0, 6.1";
const AUTHORITIES: &str = "OpenID4VP 1.0, 6.1.1";
const SETS: &str = "OpenID4VP 1.0, 6.2";
const CLAIMS_QUERY: &str = "OpenID4VP 1.0, 6.3";
const SELECTING_CLAIMS: &str = "OpenID4VP 1.0, 6.4.1";
const SELECTING_CREDENTIALS: &str = "OpenID4VP 1.0, 6.4.2";
const PATHS: &str = "OpenID4VP 1.0, 7.1";
const RESPONSE: &str = "OpenID4VP 1.0, 8.1";
const MALFORMED: &str = "challenge.malformed";
const MISSING: &str = "claims.missing";
const MISMATCH: &str = "claims.mismatch";

pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    malformed_queries(vectors)?;
    submissions(vectors)?;
    kinds(vectors)?;
    claims(vectors)?;
    values(vectors)?;
    sets(vectors)?;
    several(vectors)?;
    same_holder(vectors)?;
    ages(vectors)
}

/// The same of mdocs.
pub(super) fn of_mdocs(vectors: &mut Vectors) -> Result<()> {
    sets(vectors)?;
    several(vectors)?;
    same_holder(vectors)?;
    ages(vectors)
}

/// A Credential Query for a band with these further members.
fn band_query(members: &Value) -> Value {
    query("band", BAND_VCT, members)
}

fn query(id: &str, vct: &str, members: &Value) -> Value {
    let mut query = json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}});
    for (name, value) in members.as_object().into_iter().flatten() {
        query[name] = value.clone();
    }
    query
}

/// Asks for one band.
fn ask(draft: &mut Draft, members: &Value) {
    draft.expected.dcql = Some(json!({"credentials": [band_query(members)]}));
}

/// Asks for a band and a membership, and sends both; `change` is what is different about the membership.
fn both(draft: &mut Draft, change: fn(&mut Draft)) {
    ask_both(draft);
    draft.expected.query_id = "band".into();
    draft.beside.push(membership(change));
}

fn ask_both(draft: &mut Draft) {
    let queries = [band_query(&json!({})), query("member", MEMBER_VCT, &json!({}))];
    draft.expected.dcql = Some(json!({"credentials": queries}));
}

fn membership(change: fn(&mut Draft)) -> (&'static str, DraftEdit) {
    let change = move |draft: &mut Draft| {
        draft.member();
        change(draft);
    };
    ("member", Box::new(change))
}

fn has_expired(draft: &mut Draft) {
    draft.claims.insert("exp".into(), 1_700_000_000.into());
}

/// A transaction that either credential may agree to.
fn sign_in() -> String {
    let payload = json!({"transaction_id": "t-1", "service": "mail", "action": "open"});
    transaction_data("urn:bandpass:sign-in:1", &["band", "member"], &payload)
}

fn agrees(draft: &mut Draft) {
    draft.proof()["transaction_data_hashes"] = json!([sha256_base64url(sign_in().as_bytes())]);
}

fn of_another_holder(draft: &mut Draft) {
    if let Ok(key) = key(7) {
        draft.claims.insert("cnf".into(), json!({"jwk": key.jwk()}));
        draft.holder_key = key;
    }
}

fn malformed_queries(vectors: &mut Vectors) -> Result<()> {
    let id = |id: Value| band_query(&json!({"id": id}));
    let claims = |claims: Value| json!({"credentials": [band_query(&json!({"claims": claims}))]});
    let with = |members: Value| json!({"credentials": [band_query(&members)]});
    let sets = |sets: Value| json!({"credentials": [band_query(&json!({}))], "credential_sets": sets});
    let without = |name: &str| {
        let mut query = band_query(&json!({}));
        query.as_object_mut().into_iter().for_each(|members| drop(members.remove(name)));
        json!({"credentials": [query]})
    };
    let two = json!([{"id": "a", "path": ["sub"]}, {"id": "b", "path": ["iat"]}]);
    for (what, section, query) in [
        ("dcql-not-an-object", DCQL, json!([])),
        ("dcql-without-credentials", DCQL, json!({})),
        ("dcql-no-credentials", DCQL, json!({"credentials": []})),
        ("dcql-credentials-not-an-array", DCQL, json!({"credentials": band_query(&json!({}))})),
        ("dcql-credential-not-an-object", DCQL, json!({"credentials": ["band"]})),
        ("dcql-without-id", CREDENTIAL_QUERY, without("id")),
        ("dcql-id-empty", CREDENTIAL_QUERY, json!({"credentials": [id("".into())]})),
        ("dcql-id-with-a-dot", CREDENTIAL_QUERY, json!({"credentials": [id("a.b".into())]})),
        ("dcql-id-not-ascii", CREDENTIAL_QUERY, json!({"credentials": [id("é".into())]})),
        ("dcql-id-not-a-string", CREDENTIAL_QUERY, json!({"credentials": [id(1.into())]})),
        ("dcql-id-twice", CREDENTIAL_QUERY, json!({"credentials": [band_query(&json!({})), band_query(&json!({}))]})),
        ("dcql-without-format", CREDENTIAL_QUERY, without("format")),
        ("dcql-format-not-a-string", CREDENTIAL_QUERY, with(json!({"format": null}))),
        ("dcql-without-meta", CREDENTIAL_QUERY, without("meta")),
        ("dcql-without-vct-values", "OpenID4VP 1.0, B.3.5", with(json!({"meta": {}}))),
        ("dcql-no-vct-values", "OpenID4VP 1.0, B.3.5", with(json!({"meta": {"vct_values": []}}))),
        ("dcql-vct-values-not-strings", "OpenID4VP 1.0, B.3.5", with(json!({"meta": {"vct_values": [1]}}))),
        ("dcql-without-doctype-value", "OpenID4VP 1.0, B.2.3", with(json!({"format": "mso_mdoc", "meta": {}}))),
        ("dcql-meta-not-an-object", CREDENTIAL_QUERY, with(json!({"format": "ldp_vc", "meta": []}))),
        ("dcql-multiple-not-a-boolean", CREDENTIAL_QUERY, with(json!({"multiple": "true"}))),
        ("dcql-binding-not-a-boolean", CREDENTIAL_QUERY, with(json!({"require_cryptographic_holder_binding": 0}))),
        ("dcql-no-claims", CREDENTIAL_QUERY, claims(json!([]))),
        ("dcql-claim-not-an-object", CLAIMS_QUERY, claims(json!([["sub"]]))),
        ("dcql-claim-without-path", CLAIMS_QUERY, claims(json!([{"id": "a"}]))),
        ("dcql-path-empty", CLAIMS_QUERY, claims(json!([{"path": []}]))),
        ("dcql-path-not-an-array", CLAIMS_QUERY, claims(json!([{"path": "sub"}]))),
        ("dcql-path-negative", PATHS, claims(json!([{"path": ["nationalities", -1]}]))),
        ("dcql-path-fraction", PATHS, claims(json!([{"path": ["nationalities", 0.5]}]))),
        ("dcql-path-boolean", PATHS, claims(json!([{"path": ["nationalities", true]}]))),
        ("dcql-claim-twice", CREDENTIAL_QUERY, claims(json!([{"path": ["sub"]}, {"path": ["sub"], "values": ["x"]}]))),
        (
            "dcql-claim-id-twice",
            CLAIMS_QUERY,
            claims(json!([{"id": "a", "path": ["sub"]}, {"id": "a", "path": ["iat"]}])),
        ),
        ("dcql-claim-id-with-a-space", CLAIMS_QUERY, claims(json!([{"id": "a b", "path": ["sub"]}]))),
        ("dcql-no-values", CLAIMS_QUERY, claims(json!([{"path": ["sub"], "values": []}]))),
        ("dcql-values-not-an-array", CLAIMS_QUERY, claims(json!([{"path": ["sub"], "values": "x"}]))),
        ("dcql-value-null", CLAIMS_QUERY, claims(json!([{"path": ["sub"], "values": [null]}]))),
        ("dcql-value-fraction", CLAIMS_QUERY, claims(json!([{"path": ["sub"], "values": [1.5]}]))),
        ("dcql-value-object", CLAIMS_QUERY, claims(json!([{"path": ["sub"], "values": [{}]}]))),
        ("dcql-claim-sets-without-claims", SELECTING_CLAIMS, with(json!({"claim_sets": [["a"]]}))),
        ("dcql-no-claim-sets", CREDENTIAL_QUERY, with(json!({"claims": two, "claim_sets": []}))),
        ("dcql-claim-set-empty", CREDENTIAL_QUERY, with(json!({"claims": two, "claim_sets": [[]]}))),
        ("dcql-claim-set-not-known", CREDENTIAL_QUERY, with(json!({"claims": two, "claim_sets": [["a"], ["c"]]}))),
        (
            "dcql-claim-sets-and-a-claim-without-id",
            CLAIMS_QUERY,
            with(json!({"claims": [{"id": "a", "path": ["sub"]}, {"path": ["iat"]}], "claim_sets": [["a"]]})),
        ),
        ("dcql-no-authorities", CREDENTIAL_QUERY, with(json!({"trusted_authorities": []}))),
        ("dcql-authority-without-type", AUTHORITIES, with(json!({"trusted_authorities": [{"values": ["AA"]}]}))),
        ("dcql-authority-without-values", AUTHORITIES, with(json!({"trusted_authorities": [{"type": "aki"}]}))),
        (
            "dcql-authority-no-values",
            AUTHORITIES,
            with(json!({"trusted_authorities": [{"type": "etsi_tl", "values": []}]})),
        ),
        (
            "dcql-aki-not-base64url",
            AUTHORITIES,
            with(json!({"trusted_authorities": [{"type": "aki", "values": ["+/8="]}]})),
        ),
        ("dcql-no-credential-sets", DCQL, sets(json!([]))),
        ("dcql-set-without-options", SETS, sets(json!([{"required": true}]))),
        ("dcql-set-no-options", SETS, sets(json!([{"options": []}]))),
        ("dcql-option-empty", SETS, sets(json!([{"options": [["band"], []]}]))),
        ("dcql-option-not-known", SETS, sets(json!([{"options": [["band"], ["ticket"]]}]))),
        ("dcql-option-not-known-in-an-optional-set", SETS, sets(json!([{"options": [["x"]], "required": false}]))),
        ("dcql-required-not-a-boolean", SETS, sets(json!([{"options": [["band"]], "required": null}]))),
    ] {
        vectors.refuse(MALFORMED, what, section, |draft| draft.expected.dcql = Some(query))?;
    }
    Ok(())
}

/// What comes for which query.
fn submissions(vectors: &mut Vectors) -> Result<()> {
    vectors.accept("dcql", DCQL, |draft| {
        ask(draft, &json!({}));
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token]}).to_string()));
    })?;
    vectors.accept("dcql-bare-presentation-answers-the-only-query", DCQL, |draft| ask(draft, &json!({})))?;
    vectors.accept("dcql-members-not-known", DCQL, |draft| {
        let query = band_query(&json!({"purpose": [1], "claims": [{"path": ["sub"], "intent_to_retain": true}]}));
        draft.expected.dcql = Some(json!({"credentials": [query], "x": null}));
    })?;
    vectors.accept("dcql-payment", "OpenID4VP 1.0, 8.4", |draft| {
        draft.pay("35.00");
        ask(draft, &json!({"claims": [{"path": ["sub"]}]}));
    })?;
    let alternatives = json!({
        "credentials": [band_query(&json!({})), query("member", MEMBER_VCT, &json!({}))],
        "credential_sets": [{"options": [["member"], ["band"]]}],
    });
    vectors.accept("dcql-bare-presentation-answers-the-query-that-is-asked", SELECTING_CREDENTIALS, |draft| {
        draft.expected.dcql = Some(alternatives.clone());
        draft.expected.query_id = "band".into();
    })?;
    vectors.refuse("token.missing", "dcql-bare-presentation-for-one-of-two", RESPONSE, |draft| {
        draft.expected.dcql = Some(alternatives.clone());
    })?;
    vectors.refuse("token.missing", "dcql-query-that-was-not-asked", RESPONSE, |draft| {
        ask(draft, &json!({}));
        draft.expected.query_id = "ticket".into();
    })?;
    vectors.refuse("token.unexpected", "dcql-another-id", RESPONSE, |draft| {
        ask(draft, &json!({}));
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token], "ticket": [token]}).to_string()));
    })?;
    vectors.refuse("token.unexpected", "dcql-two-without-multiple", RESPONSE, |draft| {
        ask(draft, &json!({"multiple": false}));
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token, token]}).to_string()));
    })?;
    vectors.refuse("token.unexpected", "two-presentations-where-one-is-verified", RESPONSE, |draft| {
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token, token]}).to_string()));
    })?;
    vectors.refuse("token.too-large", "presentations-of-one-query", "limit", |draft| {
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": vec![token; 17]}).to_string()));
    })?;
    for (what, presentations) in [("number", json!([1])), ("object", json!([{}])), ("null", json!(null))] {
        vectors.refuse("token.malformed", &format!("presentation-is-{what}"), RESPONSE, |draft| {
            draft.edit_token = Some(Box::new(move |_| json!({"band": presentations}).to_string()));
        })?;
    }
    vectors.refuse("token.incomplete", "dcql-one-of-two", SELECTING_CREDENTIALS, |draft| {
        let queries = [band_query(&json!({})), query("member", MEMBER_VCT, &json!({}))];
        draft.expected.dcql = Some(json!({"credentials": queries}));
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token]}).to_string()));
    })?;
    vectors.refuse("token.incomplete", "dcql-bare-presentation-for-two", SELECTING_CREDENTIALS, |draft| {
        let queries = [band_query(&json!({})), query("member", MEMBER_VCT, &json!({}))];
        draft.expected.dcql = Some(json!({"credentials": queries}));
        draft.expected.query_id = "band".into();
    })?;
    vectors.refuse("token.incomplete", "dcql-nothing", SELECTING_CREDENTIALS, |draft| {
        ask(draft, &json!({}));
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|_| "{}".into()));
    })
}

/// Format, type, authorities and holder binding.
fn kinds(vectors: &mut Vectors) -> Result<()> {
    vectors.accept("dcql-second-type", "OpenID4VP 1.0, B.3.5", |draft| {
        ask(draft, &json!({"meta": {"vct_values": ["urn:example:x", BAND_VCT]}}));
    })?;
    vectors.refuse("claims.type", "dcql", "OpenID4VP 1.0, B.3.5", |draft| {
        ask(draft, &json!({"meta": {"vct_values": [MEMBER_VCT]}}));
    })?;
    vectors.refuse("claims.type", "dcql-only-the-beginning", "OpenID4VP 1.0, B.3.5", |draft| {
        ask(draft, &json!({"meta": {"vct_values": ["urn:bandpass:band"]}}));
    })?;
    vectors.refuse("claims.type", "dcql-plain-sd-jwt", "OpenID4VP 1.0, B.3.5", |draft| {
        draft.member();
        draft.claims.remove("vct");
        draft.header["typ"] = "example+sd-jwt".into();
        draft.trust["issuers"][0]["typ"] = json!(["example+sd-jwt"]);
        ask(draft, &json!({"meta": {"vct_values": [MEMBER_VCT]}}));
    })?;
    let aka = |draft: &mut Draft, vct: &str, aka: Value| {
        draft.member();
        draft.claims.insert("aka_vcts".into(), aka);
        ask(draft, &json!({"meta": {"vct_values": [vct]}}));
    };
    vectors.accept("dcql-further-type", "SD-JWT VC, 2.2.2.2", |draft| {
        draft.trust["issuers"][0]["aka_vcts"] = json!(["urn:example:guest"]);
        aka(draft, "urn:example:guest", json!(["urn:example:guest"]));
    })?;
    vectors.refuse(
        "claims.type",
        "dcql-further-type-that-the-issuer-is-not-trusted-for",
        "SD-JWT VC, 2.2.2.2",
        |draft| {
            draft.trust["issuers"][0]["vct"] = json!([BAND_VCT, MEMBER_VCT, "urn:example:guest"]);
            aka(draft, "urn:example:guest", json!(["urn:example:guest"]));
        },
    )?;
    vectors.refuse("claims.type", "dcql-band-as-a-further-type", "band profile, Credential", |draft| {
        aka(draft, BAND_VCT, json!([BAND_VCT]));
    })?;
    vectors.refuse("credential.claim", "aka-vcts-not-an-array", "SD-JWT VC, 2.2.2.2", |draft| {
        aka(draft, MEMBER_VCT, json!("urn:example:guest"));
    })?;
    for (format, meta) in [
        ("mso_mdoc", json!({"doctype_value": "bandpass.band.1"})),
        ("jwt_vc_json", json!({"type_values": [["BandCredential"]]})),
        ("vc+sd-jwt", json!({"vct_values": [BAND_VCT]})),
    ] {
        vectors.refuse(
            "claims.format",
            &format!("dcql-{}", format.replace(['_', '+'], "-")),
            CREDENTIAL_QUERY,
            |draft| {
                ask(draft, &json!({"format": format, "meta": meta}));
            },
        )?;
    }
    for (what, authorities) in [
        ("aki-of-an-issuer-without-chain", json!([{"type": "aki", "values": ["s9tIpPmhxdiuNkHMEWNpYim8S8Y"]}])),
        ("etsi-tl", json!([{"type": "etsi_tl", "values": ["https://lotl.example"]}])),
        ("openid-federation", json!([{"type": "openid_federation", "values": ["https://trustanchor.example"]}])),
        ("type-not-known", json!([{"type": "x", "values": [ISSUER]}])),
        ("several", json!([{"type": "etsi_tl", "values": ["x"]}, {"type": "aki", "values": ["AA"]}])),
    ] {
        vectors.refuse("claims.authority", what, AUTHORITIES, |draft| {
            ask(draft, &json!({"trusted_authorities": authorities}));
        })?;
    }
    let unbound = |draft: &mut Draft, members: Value| {
        draft.member();
        draft.kb = None;
        draft.expected.requirements.holder = Some(Demand::NotRequired);
        draft.expected.dcql = Some(json!({"credentials": [query("member", MEMBER_VCT, &members)]}));
    };
    vectors.accept("dcql-without-holder-binding", CREDENTIAL_QUERY, |draft| {
        unbound(draft, json!({"require_cryptographic_holder_binding": false}));
    })?;
    vectors
        .refuse("holder.missing", "dcql-asks-for-it-by-default", CREDENTIAL_QUERY, |draft| unbound(draft, json!({})))?;
    vectors.refuse("holder.missing", "dcql-asks-for-it", CREDENTIAL_QUERY, |draft| {
        unbound(draft, json!({"require_cryptographic_holder_binding": true}));
    })?;
    vectors.refuse("holder.missing", "dcql-alone-does-without", CREDENTIAL_QUERY, |draft| {
        unbound(draft, json!({"require_cryptographic_holder_binding": false}));
        draft.expected.requirements.holder = None;
    })
}

/// Claims, paths and combinations.
fn claims(vectors: &mut Vectors) -> Result<()> {
    let identity = |draft: &mut Draft| {
        let address = json!({"street_address": "42 Market Street", "locality": "Milliways", "postal_code": "90210"});
        draft.claims.insert("address".into(), address);
        draft.selective.extend(["/address/street_address", "/address/postal_code", "/address"]);
    };
    // The example of section 6.4.3 and those of appendix D, for a band.
    let simple = json!({"claims": [
        {"path": ["family_name"]}, {"path": ["given_name"]}, {"path": ["address", "street_address"]}]});
    vectors.accept("dcql-claims", "OpenID4VP 1.0, 6.4.3", |draft| {
        identity(draft);
        ask(draft, &simple);
    })?;
    vectors.accept("dcql-more-than-was-asked", SELECTING_CLAIMS, |draft| {
        ask(draft, &json!({"claims": [{"path": ["given_name"]}]}));
    })?;
    vectors.refuse(MISSING, "dcql-member-of-a-claim", "OpenID4VP 1.0, 6.4.3", |draft| {
        identity(draft);
        draft.hidden = vec!["/address/street_address"];
        ask(draft, &simple);
    })?;
    vectors.refuse(MISSING, "dcql", SELECTING_CLAIMS, |draft| {
        draft.hidden = vec!["/given_name"];
        ask(draft, &json!({"claims": [{"path": ["family_name"]}, {"path": ["given_name"]}]}));
    })?;
    vectors.refuse(MISSING, "requirement", PATHS, |draft| {
        draft.hidden = vec!["/sub"];
        draft.expected.requirements.claims = vec![vec!["sub".into()]];
    })?;
    let combinations = json!({
        "claims": [
            {"id": "over-18", "path": ["age_equal_or_over", "18"]},
            {"id": "born", "path": ["birthdate"]},
            {"id": "name", "path": ["family_name"]},
        ],
        "claim_sets": [["over-18"], ["born", "name"]],
    });
    let over_18 = ["/age_equal_or_over/14", "/age_equal_or_over/18", "/age_equal_or_over/21", "/age_equal_or_over"];
    vectors.accept("dcql-first-combination", SELECTING_CLAIMS, |draft| {
        draft.hidden = vec!["/birthdate", "/family_name"];
        ask(draft, &combinations);
    })?;
    vectors.accept("dcql-second-combination", SELECTING_CLAIMS, |draft| {
        draft.hidden = over_18.to_vec();
        ask(draft, &combinations);
    })?;
    vectors.refuse(MISSING, "dcql-no-combination", SELECTING_CLAIMS, |draft| {
        draft.hidden = [&over_18[..], &["/family_name"]].concat();
        ask(draft, &combinations);
    })?;
    for (what, path) in [
        ("every-element", json!(["nationalities", null])),
        ("an-element", json!(["nationalities", 1])),
        ("member-of-a-claim", json!(["age_equal_or_over", "18"])),
        ("not-selective", json!(["pairing", "epoch"])),
        ("whole-claim", json!(["age_equal_or_over"])),
    ] {
        vectors
            .accept(&format!("dcql-path-{what}"), PATHS, |draft| ask(draft, &json!({"claims": [{"path": path}]})))?;
    }
    for (what, path) in [
        ("past-the-end", json!(["nationalities", 2])),
        ("index-into-an-object", json!(["age_equal_or_over", 18])),
        ("name-into-an-array", json!(["nationalities", "0"])),
        ("every-element-of-a-string", json!(["given_name", null])),
        ("into-a-string", json!(["given_name", "x"])),
        ("every-claim", json!([null])),
        ("index-at-the-root", json!([0])),
        ("index-beyond-32-bits", json!(["nationalities", 4_294_967_295_u32])),
        ("elements-of-several-kinds", json!(["mixed", null, "a"])),
        ("no-element", json!(["empty", null])),
    ] {
        vectors.refuse(MISSING, &format!("dcql-path-{what}"), PATHS, |draft| {
            draft.claims.insert("mixed".into(), json!([{"a": 1}, "b"]));
            draft.claims.insert("empty".into(), json!([]));
            ask(draft, &json!({"claims": [{"path": path}]}));
        })?;
    }
    Ok(())
}

/// What a claim must be.
fn values(vectors: &mut Vectors) -> Result<()> {
    let odd = |draft: &mut Draft| {
        draft.claims.insert("level".into(), json!(3));
        draft.claims.insert("level_text".into(), json!("3"));
        draft.claims.insert("level_fraction".into(), json!(3.0));
        draft.claims.insert("below".into(), json!(-3));
        draft.claims.insert("great".into(), json!(9_007_199_254_740_993_u64));
        draft.claims.insert("nothing".into(), json!(null));
        draft.claims.insert("degrees".into(), json!([{"type": "BSc"}, {"type": "MSc"}, {"year": 1990}]));
    };
    for (what, path, values) in [
        ("string", json!(["family_name"]), json!(["Li", "Zhào"])),
        ("boolean", json!(["age_equal_or_over", "18"]), json!([true])),
        ("integer", json!(["level"]), json!([1, 2, 3])),
        ("negative", json!(["below"]), json!([-3])),
        ("beyond-53-bits", json!(["great"]), json!([9_007_199_254_740_993_u64])),
        ("one-of-the-elements", json!(["nationalities", null]), json!(["FR", "DE"])),
        ("one-of-the-members", json!(["degrees", null, "type"]), json!(["MSc"])),
        ("an-element", json!(["nationalities", 1]), json!(["FR"])),
        ("of-several-types", json!(["level"]), json!(["3", true, 3])),
    ] {
        vectors.accept(&format!("dcql-value-{what}"), CLAIMS_QUERY, |draft| {
            odd(draft);
            ask(draft, &json!({"claims": [{"path": path, "values": values}]}));
        })?;
    }
    for (what, path, values) in [
        ("another", json!(["family_name"]), json!(["Li"])),
        ("of-another-case", json!(["family_name"]), json!(["ZHÀO"])),
        ("decomposed", json!(["family_name"]), json!(["Zha\u{300}o"])),
        ("string-for-an-integer", json!(["level"]), json!(["3"])),
        ("integer-for-a-string", json!(["level_text"]), json!([3])),
        ("integer-for-a-fraction", json!(["level_fraction"]), json!([3])),
        ("integer-for-a-boolean", json!(["age_equal_or_over", "18"]), json!([1, "true"])),
        ("false-for-true", json!(["age_equal_or_over", "18"]), json!([false])),
        ("neighbour-beyond-53-bits", json!(["great"]), json!([9_007_199_254_740_992_u64])),
        ("for-null", json!(["nothing"]), json!(["", 0, false])),
        ("for-an-object", json!(["age_equal_or_over"]), json!([true])),
        ("for-an-array", json!(["nationalities"]), json!(["FR"])),
        ("another-element", json!(["nationalities", 0]), json!(["FR"])),
        ("none-of-the-elements", json!(["nationalities", null]), json!(["DE"])),
    ] {
        vectors.refuse(MISMATCH, what, CLAIMS_QUERY, |draft| {
            odd(draft);
            ask(draft, &json!({"claims": [{"path": path, "values": values}]}));
        })?;
    }
    vectors.refuse(MISSING, "dcql-before-values", SELECTING_CLAIMS, |draft| {
        draft.hidden = vec!["/given_name"];
        ask(draft, &json!({"claims": [{"path": ["family_name"], "values": ["Li"]}, {"path": ["given_name"]}]}));
    })?;
    vectors.accept("dcql-value-in-the-second-combination", SELECTING_CLAIMS, |draft| {
        let claims = json!([{"id": "a", "path": ["family_name"], "values": ["Li"]}, {"id": "b", "path": ["sub"]}]);
        ask(draft, &json!({"claims": claims, "claim_sets": [["a", "b"], ["b"]]}));
    })
}

/// `credential_sets`, and whether what else must be there holds.
fn sets(vectors: &mut Vectors) -> Result<()> {
    vectors.accept("dcql-band-and-membership", SELECTING_CREDENTIALS, |draft| {
        both(draft, |_| ());
    })?;
    vectors.accept("dcql-membership-beside-the-band", SELECTING_CREDENTIALS, |draft| {
        draft.member();
        draft.status();
        ask_both(draft);
        draft.expected.query_id = "member".into();
        draft.beside.push(("band", Box::new(|_| ())));
    })?;
    vectors.refuse("claims.incomplete", "dcql-the-other-is-by-a-stranger", SELECTING_CREDENTIALS, |draft| {
        both(draft, |member| drop(member.claims.insert("iss".into(), "https://other.example".into())));
    })?;
    vectors.refuse("claims.incomplete", "dcql-the-other-has-expired", SELECTING_CREDENTIALS, |draft| {
        both(draft, has_expired);
    })?;
    vectors.refuse("claims.incomplete", "dcql-the-other-is-of-another-type", SELECTING_CREDENTIALS, |draft| {
        draft.trust["issuers"][0]["vct"] = json!([BAND_VCT, MEMBER_VCT, "urn:example:guest"]);
        both(draft, |member| drop(member.claims.insert("vct".into(), "urn:example:guest".into())));
    })?;
    vectors.refuse("claims.incomplete", "dcql-the-other-has-no-proof", CREDENTIAL_QUERY, |draft| {
        both(draft, |member| member.kb = None);
    })?;
    vectors.refuse(
        "claims.incomplete",
        "dcql-the-other-agrees-to-what-was-not-sent",
        "OpenID4VP 1.0, 8.4",
        |draft| {
            both(draft, agrees);
        },
    )?;
    vectors.refuse("issuer.untrusted", "dcql-before-what-the-others-are", SELECTING_CREDENTIALS, |draft| {
        draft.trust["issuers"][0]["vct"] = json!([BAND_VCT]);
        draft.claims.insert("iss".into(), "https://other.example".into());
        both(draft, |_| ());
    })?;
    vectors.refuse("holder.nonce", "dcql-of-the-other", RESPONSE, |draft| {
        both(draft, |member| member.proof()["nonce"] = "another".into());
    })?;
    // Appendix D: one credential or another or two smaller ones, and one that is nice to have.
    let options = json!({
        "credentials": [
            query("pid", "urn:example:pid", &json!({})),
            band_query(&json!({"claims": [{"path": ["given_name"]}]})),
            query("member", MEMBER_VCT, &json!({})),
            query("rewards", "urn:example:rewards", &json!({})),
        ],
        "credential_sets": [
            {"options": [["pid"], ["band"], ["member", "rewards"]]},
            {"options": [["rewards"]], "required": false},
        ],
    });
    let sent = |draft: &mut Draft, others: Value| {
        draft.expected.dcql = Some(options.clone());
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(move |token| {
            let mut sent = others;
            sent["band"] = json!([token]);
            sent.to_string()
        }));
    };
    vectors.accept("dcql-one-option", SELECTING_CREDENTIALS, |draft| sent(draft, json!({})))?;
    vectors.accept("dcql-optional-credential-is-refused", SELECTING_CREDENTIALS, |draft| {
        sent(draft, json!({"rewards": ["x"]}));
    })?;
    vectors
        .accept("dcql-other-option-is-refused", SELECTING_CREDENTIALS, |draft| sent(draft, json!({"pid": ["x"]})))?;
    vectors.refuse(MISSING, "dcql-one-option-asks-for-it", SELECTING_CREDENTIALS, |draft| {
        draft.hidden = vec!["/given_name"];
        sent(draft, json!({}));
    })?;
    let only_member = |draft: &mut Draft, others: Value| {
        draft.member();
        draft.expected.dcql = Some(options.clone());
        draft.expected.query_id = "member".into();
        draft.edit_token = Some(Box::new(move |token| {
            let mut sent = others;
            sent["member"] = json!([token]);
            sent.to_string()
        }));
    };
    vectors.refuse("token.incomplete", "dcql-half-an-option", SELECTING_CREDENTIALS, |draft| {
        only_member(draft, json!({}));
    })?;
    vectors.refuse("claims.incomplete", "dcql-half-an-option-is-refused", SELECTING_CREDENTIALS, |draft| {
        only_member(draft, json!({"rewards": ["x"]}));
    })?;
    vectors.refuse("token.missing", "dcql-optional", SELECTING_CREDENTIALS, |draft| {
        sent(draft, json!({}));
        draft.expected.query_id = "rewards".into();
    })
}

/// `multiple`.
fn several(vectors: &mut Vectors) -> Result<()> {
    vectors.accept("dcql-multiple-and-one-came", CREDENTIAL_QUERY, |draft| {
        ask(draft, &json!({"multiple": true}));
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token]}).to_string()));
    })?;
    vectors.refuse("token.unexpected", "dcql-multiple-where-one-is-verified", CREDENTIAL_QUERY, |draft| {
        ask(draft, &json!({"multiple": true}));
        draft.expected.query_id = "band".into();
        draft.edit_token = Some(Box::new(|token| json!({"band": [token, token]}).to_string()));
    })?;
    let members = |draft: &mut Draft, second: fn(&mut Draft)| {
        let queries = [band_query(&json!({})), query("member", MEMBER_VCT, &json!({"multiple": true}))];
        draft.expected.dcql = Some(json!({"credentials": queries}));
        draft.expected.query_id = "band".into();
        draft.beside.extend([membership(|_| ()), membership(second)]);
    };
    vectors.accept("dcql-multiple-beside-the-band", CREDENTIAL_QUERY, |draft| members(draft, |_| ()))?;
    vectors.refuse("claims.incomplete", "dcql-one-of-multiple-is-refused", SELECTING_CREDENTIALS, |draft| {
        members(draft, has_expired);
    })?;
    vectors.accept("dcql-multiple-of-the-same-holder", "band profile, Access and tickets", |draft| {
        members(draft, |_| ());
        draft.expected.requirements.same_holder_as = Some("member".into());
    })?;
    vectors.refuse(
        "holder.key",
        "dcql-one-of-multiple-is-from-another-holder",
        "band profile, Access and tickets",
        |draft| {
            members(draft, of_another_holder);
            draft.expected.requirements.same_holder_as = Some("member".into());
        },
    )?;
    vectors.refuse("transaction.unexpected", "agreed-to-by-two", "OpenID4VP 1.0, 8.4", |draft| {
        draft.expected.transaction_data.push(sign_in());
        both(draft, agrees);
    })?;
    vectors.refuse("transaction.unexpected", "agreed-to-by-two-of-multiple", "OpenID4VP 1.0, 8.4", |draft| {
        members(draft, agrees);
        draft.beside.push(membership(agrees));
        draft.proof()["transaction_data_hashes"] = json!([]);
        draft.expected.transaction_data.push(sign_in());
    })?;
    vectors.accept("transaction-of-one-of-two", "OpenID4VP 1.0, 8.4", |draft| {
        draft.expected.transaction_data.push(sign_in());
        both(draft, |_| ());
    })
}

/// Band and membership in one hand.
fn same_holder(vectors: &mut Vectors) -> Result<()> {
    const SECTION: &str = "band profile, Access and tickets";
    vectors.accept("same-holder", SECTION, |draft| {
        both(draft, |_| ());
        draft.expected.requirements.same_holder_as = Some("member".into());
    })?;
    vectors.accept("another-holder-where-nobody-asked", SECTION, |draft| {
        both(draft, of_another_holder);
    })?;
    vectors.refuse("holder.key", "another-holder", SECTION, |draft| {
        both(draft, of_another_holder);
        draft.expected.requirements.same_holder_as = Some("member".into());
    })?;
    vectors.refuse("holder.key", "the-other-was-refused", SECTION, |draft| {
        both(draft, has_expired);
        draft.expected.requirements.same_holder_as = Some("member".into());
    })
}

/// At least that old.
fn ages(vectors: &mut Vectors) -> Result<()> {
    const SECTION: &str = "band profile, Credential";
    let told = |draft: &mut Draft, birthdate: Option<Value>, over: Option<Value>| {
        draft.selective.retain(|pointer| !pointer.starts_with("/age") && *pointer != "/birthdate");
        for (name, value) in [("birthdate", birthdate), ("age_equal_or_over", over)] {
            match value {
                Some(value) => drop(draft.claims.insert(name.into(), value)),
                None => drop(draft.claims.remove(name)),
            }
        }
        draft.expected.requirements.age_at_least = Some(18);
    };
    // Vectors are judged on 2026-09-21, in UTC.
    for (what, birthdate, over) in [
        ("birthday-is-today", Some(json!("2008-09-21")), None),
        ("over", None, Some(json!({"18": true}))),
        ("over-more", None, Some(json!({"21": true, "65": false}))),
        ("both", Some(json!("1990-05-17")), Some(json!({"18": true}))),
    ] {
        vectors.accept(&format!("age-{what}"), SECTION, |draft| told(draft, birthdate, over))?;
    }
    vectors.accept("age-by-one-disclosure", SECTION, |draft| {
        draft.hidden = vec!["/birthdate", "/age_equal_or_over/14", "/age_equal_or_over/21"];
        draft.expected.requirements.age_at_least = Some(18);
    })?;
    vectors.accept("age-leap-day", SECTION, |draft| {
        told(draft, Some(json!("2004-02-29")), None);
        leap_year(draft, 1_646_092_800);
    })?;
    vectors.refuse("claims.age", "leap-day-in-a-common-year", SECTION, |draft| {
        told(draft, Some(json!("2004-02-29")), None);
        leap_year(draft, 1_646_092_799);
    })?;
    for (what, birthdate, over) in [
        ("birthday-is-tomorrow", Some(json!("2008-09-22")), None),
        ("born-in-the-future", Some(json!("2090-01-01")), None),
        ("not-over", None, Some(json!({"18": false}))),
        ("not-over-less", None, Some(json!({"16": false}))),
        ("not-over-less-and-yet-over", None, Some(json!({"16": false, "18": true}))),
        ("old-enough-and-yet-not-over", Some(json!("1990-05-17")), Some(json!({"18": false}))),
        ("too-young-and-yet-over", Some(json!("2010-05-17")), Some(json!({"18": true}))),
    ] {
        vectors.refuse("claims.age", what, SECTION, |draft| told(draft, birthdate, over))?;
    }
    for (what, over) in
        [("age", None), ("age-only-less", Some(json!({"16": true}))), ("age-only-not-more", Some(json!({"21": false})))]
    {
        vectors.refuse(MISSING, what, SECTION, |draft| told(draft, None, over))?;
    }
    for (what, birthdate, over) in [
        ("birthdate-is-a-year", Some(json!("1990")), None),
        ("no-such-day", Some(json!("1990-02-30")), None),
        ("birthdate-is-a-number", Some(json!(19_900_517)), None),
        ("birthdate-beside-over", Some(json!("17.05.1990")), Some(json!({"18": true}))),
        ("over-is-an-array", None, Some(json!([18]))),
        ("over-is-text", None, Some(json!({"18": "true"}))),
    ] {
        vectors.refuse("claims.malformed", what, SECTION, |draft| told(draft, birthdate, over))?;
    }
    Ok(())
}

/// Moves everything to another time.
fn leap_year(draft: &mut Draft, now: u64) {
    let day = now / 86_400 * 86_400;
    draft.claims.insert("iat".into(), day.into());
    draft.claims.insert("exp".into(), (day + 86_400 * 7).into());
    draft.proof()["iat"] = (now - 5).into();
    *draft.band() = json!({"worn_since": now - 3_600, "unlocked_at": now - 3_000, "counter": 7});
    draft.status().claims["iat"] = (now - 120).into();
    draft.status().claims["exp"] = (now + 600).into();
    draft.expected.now = now;
}
