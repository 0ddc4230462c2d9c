//! Claims path pointers (OpenID4VP 1.0, section 7).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Map, Value};

use crate::age::{age_claim, is_at_least};
use crate::credential::Credential;
use crate::dcql::{CredentialQuery, missing};
use crate::encoding::decimal;
use crate::error::{Code, Error};
use crate::expected::{Challenge, Requirements};
use crate::explain::Trace;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathSegment {
    /// The member of an object with this name.
    Key(String),
    /// The element of an array at this place, counted from zero.
    Index(u32),
    /// Every element of an array (`null` in DCQL).
    All,
}

/// Claims path pointer: from the credential's root, a step after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<PathSegment>);

impl ClaimPath {
    /// A path of these steps. An empty one selects nothing.
    #[must_use]
    pub fn new(segments: Vec<PathSegment>) -> Self {
        Self(segments)
    }

    /// As it is displayed. Not by `fmt`, which would be kilobytes of Wasm.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (place, segment) in self.0.iter().enumerate() {
            match segment {
                PathSegment::Key(key) => {
                    text.push_str(if place == 0 { "" } else { "." });
                    text.push_str(key);
                }
                PathSegment::Index(index) => text.push_str(&["[", &decimal(*index), "]"].concat()),
                PathSegment::All => text.push_str("[*]"),
            }
        }
        text
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl From<&str> for ClaimPath {
    /// The claim at the top level that has this name.
    fn from(name: &str) -> Self {
        Self([PathSegment::Key(name.into())].into())
    }
}

/// The elements that a path selects, none if it does not fit the claims (OpenID4VP 1.0, section 7.1.1).
pub(crate) fn selected<'a>(claims: &'a Map<String, Value>, path: &ClaimPath) -> Vec<&'a Value> {
    try_select(claims, path).unwrap_or_default()
}

fn try_select<'a>(claims: &'a Map<String, Value>, path: &ClaimPath) -> Option<Vec<&'a Value>> {
    let Some((PathSegment::Key(name), rest)) = path.0.split_first() else {
        return None;
    };
    let mut selected = [claims.get(name)?].to_vec();
    for segment in rest {
        let mut next = Vec::new();
        // An element of another kind ends it all; one that lacks the member or place just drops out.
        for value in selected {
            match segment {
                PathSegment::Key(key) => next.extend(value.as_object()?.get(key)),
                PathSegment::Index(index) => next.extend(value.as_array()?.get(usize::try_from(*index).ok()?)),
                PathSegment::All => next.extend(value.as_array()?),
            }
        }
        selected = next;
    }
    Some(selected)
}

/// What a path selects: the value, or for a path through every element of an array the array of what was selected.
pub(crate) fn select(claims: &Map<String, Value>, path: &ClaimPath) -> Option<Value> {
    let gathers = path.0.contains(&PathSegment::All);
    match selected(claims, path).as_slice() {
        [] => None,
        found if gathers => Some(Value::Array(found.iter().copied().cloned().collect())),
        [found, ..] => Some((*found).clone()),
    }
}

/// What the query and the caller ask of claims, in the order of the codes.
pub(crate) fn require_claims(
    credential: &Credential,
    query: Option<&CredentialQuery>,
    challenge: &Challenge,
    requirements: &Requirements,
    trace: &mut Trace,
) -> Result<(), Error> {
    let claims = &credential.claims;
    if let Some(query) = query {
        query.check_kind(&credential.kind)?;
        trace.passed(&[Code::ClaimsFormat, Code::ClaimsType]);
        if query.names_authorities() {
            trace.passed(&[Code::ClaimsAuthority]);
        }
    }
    let years = requirements.age_at_least;
    let is_of_age = years.map_or(Ok(true), |years| is_at_least(claims, years, challenge.now()))?;
    if years.is_some() {
        trace.passed(&[Code::ClaimsMalformed]);
    }
    if let Some(path) = requirements.claims.iter().find(|path| selected(claims, path).is_empty()) {
        return Err(missing(path));
    }
    if let Some(query) = query {
        query.check_claims(claims)?;
        trace.passed(&[Code::ClaimsMismatch]);
    }
    if query.is_some() || years.is_some() || !requirements.claims.is_empty() {
        trace.passed(&[Code::ClaimsMissing]);
    }
    if !is_of_age {
        let error = Error::new(Code::ClaimsAge, "the holder is not as old as was asked for");
        return Err(error.claim(&age_claim(years.unwrap_or_default().into())));
    }
    if years.is_some() {
        trace.passed(&[Code::ClaimsAge]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use PathSegment::{All, Index, Key};
    use alloc::vec;
    use serde_json::json;

    /// The example of OpenID4VP 1.0, section 7.3.
    #[test]
    fn the_standards_example() {
        let credential = json!({
            "name": "Arthur Dent",
            "address": {"street_address": "42 Market Street", "locality": "Milliways", "postal_code": "12345"},
            "degrees": [
                {"type": "Bachelor of Science", "university": "University of Betelgeuse"},
                {"type": "Master of Science", "university": "University of Betelgeuse"}
            ],
            "nationalities": ["British", "Betelgeusian"]
        });
        let claims = credential.as_object().expect("an object");
        let find = |segments| select(claims, &ClaimPath::new(segments));
        let key = |name: &str| Key(name.into());
        assert_eq!(find(vec![key("name")]), Some(json!("Arthur Dent")));
        assert_eq!(find(vec![key("address")]), Some(credential["address"].clone()));
        assert_eq!(find(vec![key("address"), key("street_address")]), Some(json!("42 Market Street")));
        let types = json!(["Bachelor of Science", "Master of Science"]);
        assert_eq!(find(vec![key("degrees"), All, key("type")]), Some(types));
        assert_eq!(find(vec![key("nationalities"), Index(1)]), Some(json!("Betelgeusian")));
        let mixed = json!({"list": [{"a": 1}, {"b": 2}, [3]], "objects": [{"a": 1}, {"b": 2}]});
        let find_mixed =
            |name: &str| select(mixed.as_object().expect("an object"), &ClaimPath::new(vec![key(name), All, key("a")]));
        assert_eq!(find_mixed("objects"), Some(json!([1])), "an element without the member drops out");
        assert_eq!(find_mixed("list"), None, "an element that is no object ends it all");
        for nothing in [vec![], vec![All], vec![key("x")], vec![key("name"), All], vec![key("nationalities"), Index(2)]]
        {
            assert_eq!(find(nothing), None);
        }
    }
}
