//! DCQL queries for mdocs.

use anyhow::Result;
use bandpass_roles::mdoc::BAND_DOCTYPE;
use serde_json::{Value, json};

use super::super::Vectors;
use super::two_documents;

const QUERY: &str = "OpenID4VP 1.0, B.2.4";

/// DCQL queries for mdocs.
pub(super) fn add(vectors: &mut Vectors) -> Result<()> {
    let asks = |doctype: &str, claims: Value| {
        let mut query = json!({"id": "band", "format": "mso_mdoc", "meta": {"doctype_value": doctype}});
        if !claims.is_null() {
            query["claims"] = claims;
        }
        Some(json!({"credentials": [query]}))
    };
    let path = |name: &str| json!([{"path": [BAND_DOCTYPE, name]}]);
    for (what, claims) in [
        ("type", Value::Null),
        ("element", path("family_name")),
        ("age", path("age_equal_or_over.18")),
        (
            "value",
            json!([{"path": [BAND_DOCTYPE, "age_equal_or_over.18"], "values": [true], "intent_to_retain": false}]),
        ),
    ] {
        vectors.accept(&format!("dcql-{what}"), QUERY, |draft| draft.expected.dcql = asks(BAND_DOCTYPE, claims))?;
    }
    vectors.accept("dcql-element-of-another-name-space", QUERY, |draft| {
        draft.expected.dcql = asks(BAND_DOCTYPE, json!([{"path": ["org.iso.18013.5.1", "document_number"]}]));
        draft.mdoc().elements = Some(Box::new(|elements| {
            elements.push(("org.iso.18013.5.1".into(), vec![("document_number".into(), "1".into())]));
        }));
        draft.verdict_claims = Some(json!({"org.iso.18013.5.1": {"document_number": "1"}}));
    })?;
    vectors.accept("dcql-two-documents", QUERY, |draft| {
        two_documents(draft, |_| ());
        let member = json!({"id": "member", "format": "mso_mdoc", "meta": {"doctype_value": "example.member.1"}});
        draft.expected.dcql = asks(BAND_DOCTYPE, Value::Null);
        draft.expected.dcql.iter_mut().for_each(|dcql| {
            dcql["credentials"].as_array_mut().into_iter().for_each(|queries| queries.push(member.clone()));
        });
        draft.expected.query_id = "band".into();
        draft.expected.requirements.same_holder_as = Some("member".into());
    })?;
    vectors.refuse("token.unexpected", "dcql-two-documents", QUERY, |draft| {
        two_documents(draft, |_| ());
        draft.expected.dcql = asks(BAND_DOCTYPE, Value::Null);
        draft.expected.query_id = "band".into();
    })?;
    vectors.refuse("claims.missing", "dcql-element", QUERY, |draft| {
        draft.hidden = vec!["/family_name"];
        draft.expected.dcql = asks(BAND_DOCTYPE, path("family_name"));
    })?;
    vectors.refuse("claims.missing", "dcql-another-name-space", QUERY, |draft| {
        draft.expected.dcql = asks(BAND_DOCTYPE, json!([{"path": ["org.iso.18013.5.1", "family_name"]}]));
    })?;
    vectors.refuse("claims.mismatch", "dcql", QUERY, |draft| {
        draft.expected.dcql = asks(BAND_DOCTYPE, json!([{"path": [BAND_DOCTYPE, "family_name"], "values": ["Li"]}]));
    })?;
    vectors.refuse("claims.type", "dcql", "OpenID4VP 1.0, B.2.3", |draft| {
        draft.expected.dcql = asks("example.member.1", Value::Null);
    })?;
    vectors.refuse("claims.format", "dcql-sd-jwt", "OpenID4VP 1.0, 6.1", |draft| {
        let query = json!({"id": "band", "format": "vc+sd-jwt", "meta": {"vct_values": [BAND_DOCTYPE]}});
        draft.expected.dcql = Some(json!({"credentials": [query]}));
    })?;
    for (what, path) in [
        ("dcql-path-of-one", json!([BAND_DOCTYPE])),
        ("dcql-path-of-three", json!([BAND_DOCTYPE, "nationalities", "x"])),
        ("dcql-path-with-an-index", json!([BAND_DOCTYPE, 0])),
        ("dcql-path-with-null", json!([BAND_DOCTYPE, null])),
    ] {
        vectors.refuse("challenge.malformed", what, QUERY, |draft| {
            draft.expected.dcql = asks(BAND_DOCTYPE, json!([{"path": path}]));
        })?;
    }
    Ok(())
}
