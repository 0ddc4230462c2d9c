//! Claims path pointers (OpenID4VP 1.0, section 7).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Map, Value};

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
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.0.iter().enumerate() {
            match segment {
                PathSegment::Key(key) if place == 0 => write!(f, "{key}")?,
                PathSegment::Key(key) => write!(f, ".{key}")?,
                PathSegment::Index(index) => write!(f, "[{index}]")?,
                PathSegment::All => write!(f, "[*]")?,
            }
        }
        Ok(())
    }
}

/// What a path selects: the value, or for a path through every element of an array the array of what was selected.
pub(crate) fn select(claims: &Map<String, Value>, path: &ClaimPath) -> Option<Value> {
    let (first, rest) = path.0.split_first()?;
    let PathSegment::Key(name) = first else {
        return None;
    };
    let mut selected = [claims.get(name)?].to_vec();
    let mut gathers = false;
    for segment in rest {
        selected = match segment {
            PathSegment::Key(key) => selected.into_iter().filter_map(|value| value.as_object()?.get(key)).collect(),
            PathSegment::Index(index) => {
                selected.into_iter().filter_map(|value| value.as_array()?.get(usize::try_from(*index).ok()?)).collect()
            }
            PathSegment::All => {
                gathers = true;
                selected.into_iter().filter_map(Value::as_array).flatten().collect()
            }
        };
    }
    match (gathers, selected.as_slice()) {
        (_, []) => None,
        (true, found) => Some(Value::Array(found.iter().copied().cloned().collect())),
        (false, found) => found.first().copied().cloned(),
    }
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
        for nothing in [vec![], vec![All], vec![key("x")], vec![key("name"), All], vec![key("nationalities"), Index(2)]]
        {
            assert_eq!(find(nothing), None);
        }
    }
}
