//! A readable tree of a token. Nothing in it is verified.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use crate::encoding::{self, base64url, digest};
use crate::error::Error;
use crate::explain::Trace;
use crate::jws::Jws;
use crate::memory::Memory;
use crate::sd_jwt::{Issued, Presentation};

/// Takes a presentation apart for people to read: headers, payloads, and each disclosure with its digest.
///
/// **Nothing is verified**: whoever wrote the token chose every word of it. For diagnosis only.
///
/// # Errors
/// [`Code::TokenTooLarge`](crate::Code::TokenTooLarge), [`Code::TokenUnsupported`](crate::Code::TokenUnsupported) or
/// [`Code::TokenMalformed`](crate::Code::TokenMalformed) when there is nothing to show.
pub fn inspect(token: &str) -> Result<Value, Error> {
    let presentation = Presentation::parse(token, &mut Memory::new(0), &mut Trace::default())?;
    let disclosures = presentation.disclosures.iter().map(|encoded| disclosure(encoded)).collect::<Vec<_>>();
    let mut tree = Map::new();
    tree.insert("verified".into(), false.into());
    if let Issued::New(issuer_jwt) = &presentation.issued {
        tree.insert("issuer_jwt".into(), jws(issuer_jwt));
    }
    tree.insert("disclosures".into(), disclosures.into());
    if let Some(kb_jwt) = &presentation.kb_jwt {
        tree.insert("kb_jwt".into(), jws(kb_jwt));
        let approval = kb_jwt.payload.get("approval").and_then(Value::as_str);
        if let Some(approval) = approval.and_then(|compact| Jws::parse(compact).ok()) {
            tree.insert("approval".into(), jws(&approval));
        }
    }
    Ok(Value::Object(tree))
}

fn jws(jws: &Jws<'_>) -> Value {
    json!({"header": jws.header.0, "payload": jws.payload})
}

fn disclosure(encoded: &str) -> Value {
    let digest: String = digest(encoded.as_bytes());
    let content = base64url(encoded).and_then(|bytes| encoding::json(&bytes).ok());
    match content.as_ref().and_then(Value::as_array).map(Vec::as_slice) {
        Some([_, name, value]) => json!({"digest": digest, "name": name, "value": value}),
        Some([_, value]) => json!({"digest": digest, "element": value}),
        _ => json!({"digest": digest, "malformed": encoded}),
    }
}
