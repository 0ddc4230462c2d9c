//! Requests: JSON of the caller's, in which a mistake must not turn into a requirement less.

use serde::Deserialize;
use serde_json::Value;

/// A request as `bandpass-json` takes it, if every member of it is one that is known, and of its type.
pub(crate) fn read(request: &[u8]) -> Result<Value, String> {
    let mut request = bandpass_core::json(request).map_err(|_| "this is not JSON".to_owned())?;
    Request::deserialize(&request).map_err(|error| error.to_string())?;
    if let Some(dcql) = request.get_mut("dcql").filter(|dcql| dcql.is_object()) {
        *dcql = dcql.to_string().into();
    }
    Ok(request)
}

#[expect(dead_code, reason = "that it can be read is what matters")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Request {
    now: u64,
    audience: Option<Vec<String>>,
    nonce: Option<String>,
    binding: Option<Binding>,
    measured_distance_mm: Option<u32>,
    max_age: Option<u32>,
    clock_tolerance: Option<u32>,
    status_max_age: Option<u32>,
    transaction_data: Option<Vec<String>>,
    dcql: Option<Dcql>,
    query: Option<String>,
    all: Option<bool>,
    holder: Option<bool>,
    status: Option<bool>,
    approval: Option<bool>,
    methods: Option<Vec<String>>,
    worn: Option<bool>,
    unlocked: Option<bool>,
    unlocked_within: Option<u32>,
    confirmed: Option<bool>,
    distance_mm: Option<u32>,
    claims: Option<Vec<Vec<Segment>>>,
    age_at_least: Option<u8>,
    same_holder_as: Option<String>,
}

#[expect(dead_code, reason = "that it can be read is what matters")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Binding {
    #[serde(rename = "openid4vp")]
    OpenId4Vp {
        client_id: String,
        nonce: String,
        response_uri: String,
        jwk_thumbprint: Option<String>,
    },
    DcApi {
        origin: String,
        nonce: String,
        jwk_thumbprint: Option<String>,
    },
    Proximity {
        session_transcript: String,
        reader_key: Option<String>,
    },
}

/// A query, or the text of one.
#[expect(dead_code, reason = "that it can be read is what matters")]
#[derive(Deserialize)]
#[serde(untagged)]
enum Dcql {
    Query(serde_json::Map<String, Value>),
    Text(String),
}

/// A name, an index, or every element.
#[expect(dead_code, reason = "that it can be read is what matters")]
#[derive(Deserialize)]
#[serde(untagged)]
enum Segment {
    Name(String),
    Index(u64),
    All(()),
}
