//! base64url, JSON and hashes, each in its strict form.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use sha2::{Digest as _, Sha256};

use crate::limits::{MAX_DEPTH, MAX_VALUES};

/// Decodes base64url without padding; only the canonical form (RFC 4648, sections 3.5 and 5).
#[must_use]
pub fn base64url(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

/// Decodes base64 with its padding, the form of certificates in JSON (RFC 7515, section 4.1.6); only the canonical form.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    // By way of the other alphabet: a second decoder would be kilobytes of Wasm.
    if !text.len().is_multiple_of(4) || text.contains(['-', '_']) {
        return None;
    }
    let unpadded = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let other = |character| match character {
        '+' => '-',
        '/' => '_',
        same => same,
    };
    base64url(&unpadded.chars().map(other).collect::<String>())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// base64url of the SHA-256 of `bytes`: the form of every digest in SD-JWT.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(&sha256(bytes))
}

/// Why JSON was refused.
#[derive(Debug, PartialEq, Eq)]
pub enum JsonError {
    /// Not JSON (RFC 8259), a member twice in one object, or something after the value.
    Malformed,
    /// Nested deeper than [`MAX_DEPTH`], or of more than [`MAX_VALUES`] values.
    TooLarge,
}

/// Parses one JSON value of a token. Members that occur twice in an object are refused, not merged.
pub fn json(bytes: &[u8]) -> Result<Value, JsonError> {
    json_of(bytes, MAX_VALUES)
}

/// The same with as many values as the caller trusts it to have.
pub(crate) fn json_of(bytes: &[u8], most_values: usize) -> Result<Value, JsonError> {
    Parse::new(most_values, None).strict(bytes)
}

/// Parses one JSON value of a token, and hands out the text of the number at `path` as it was sent: parsed, `11.20` would
/// be the binary fraction next to it.
pub(crate) fn json_and_digits<'b>(bytes: &'b [u8], path: [&str; 2]) -> Result<(Value, Option<&'b str>), JsonError> {
    let mut parse = Parse::new(MAX_VALUES, Some(path));
    let value = parse.strict(bytes)?;
    Ok((value, parse.wanted.and_then(|place| number_at(bytes, place))))
}

/// The number that has that many others before it, in a text that was parsed.
fn number_at(json: &[u8], place: usize) -> Option<&str> {
    let (mut rest, mut before) = (json, 0);
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'"' => loop {
                let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
                let (end, behind) = rest.get(length..)?.split_first()?;
                if *end == b'"' {
                    rest = behind;
                    break;
                }
                rest = behind.get(1..)?;
            },
            b'-' | b'0'..=b'9' => {
                let start = json.len() - rest.len() - 1;
                let in_number = |byte: &u8| matches!(byte, b'+' | b'-' | b'.' | b'0'..=b'9' | b'E' | b'e');
                let length = rest.iter().position(|byte| !in_number(byte)).unwrap_or(rest.len());
                rest = rest.get(length..)?;
                if before == place {
                    return core::str::from_utf8(json.get(start..=start + length)?).ok();
                }
                before += 1;
            }
            _ => {}
        }
    }
    None
}

/// What is known over the whole text.
struct Parse<'a> {
    /// Values that may still come.
    budget: usize,
    /// Why nothing more is read.
    refused: Option<JsonError>,
    /// The number that is wanted.
    path: Option<[&'a str; 2]>,
    /// How many numbers come before it.
    wanted: Option<usize>,
    /// Numbers that came.
    numbers: usize,
}

impl<'a> Parse<'a> {
    fn new(most_values: usize, path: Option<[&'a str; 2]>) -> Self {
        Self { budget: most_values, refused: None, path, wanted: None, numbers: 0 }
    }

    fn strict(&mut self, bytes: &[u8]) -> Result<Value, JsonError> {
        let mut parser = serde_json::Deserializer::from_slice(bytes);
        let value = Strict { depth: 0, on_path: true, parse: self }.deserialize(&mut parser);
        match (self.refused.take(), value.and_then(|value| parser.end().map(|()| value))) {
            (None, value) => value.map_err(|_| JsonError::Malformed),
            (Some(why), _) => Err(why),
        }
    }
}

/// What is refused is noted, and nothing more is read: an error of serde's making would be kilobytes of Wasm.
struct Strict<'a, 'p> {
    depth: usize,
    /// Every member on the way here is in the path.
    on_path: bool,
    parse: &'a mut Parse<'p>,
}

impl<'p> Strict<'_, 'p> {
    /// What is to be found inside; none where nothing may be.
    fn nested(&mut self, name: Option<&str>) -> Option<Strict<'_, 'p>> {
        if self.parse.refused.is_some() {
            return None;
        }
        match self.parse.budget.checked_sub(1).filter(|_| self.depth < MAX_DEPTH) {
            Some(left) => self.parse.budget = left,
            None => {
                self.parse.refused = Some(JsonError::TooLarge);
                return None;
            }
        }
        let next = self.parse.path.as_ref().and_then(|path| path.get(self.depth).copied());
        let on_path = self.on_path && next.is_some() && next == name;
        Some(Strict { depth: self.depth + 1, on_path, parse: self.parse })
    }

    fn number(self, number: Number) -> Value {
        if self.on_path && self.parse.path.is_some_and(|path| path.len() == self.depth) {
            self.parse.wanted = Some(self.parse.numbers);
        }
        self.parse.numbers += 1;
        Value::Number(number)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_, '_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(self.number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(self.number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        let Some(number) = Number::from_f64(value) else {
            self.parse.refused = Some(JsonError::Malformed);
            return Ok(Value::Null);
        };
        Ok(self.number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(inner) = self.nested(None)
            && let Some(item) = access.next_element_seed(inner)?
        {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()?
            && let Some(inner) = self.nested(Some(&name))
        {
            let value = access.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                self.parse.refused = Some(JsonError::Malformed);
                break;
            }
        }
        Ok(Value::Object(members))
    }
}

/// Places in a list by name. One map type serves the whole crate, since each costs kilobytes of Wasm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Map<String, Value>);

impl Places {
    /// False if the name was there.
    pub(crate) fn insert(&mut self, name: String, place: usize) -> bool {
        self.0.insert(name, place.into()).is_none()
    }

    pub(crate) fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name)?.as_u64()?.try_into().ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A number in decimal, as JSON has it: formatting by `core::fmt` would be kilobytes of Wasm.
pub(crate) fn decimal(number: impl Into<Number>) -> String {
    fn text(number: Number) -> String {
        serde_json::to_string(&Value::Number(number)).unwrap_or_default()
    }
    text(number.into())
}

/// A duration as errors tell it.
pub(crate) fn seconds(number: u64) -> String {
    [&decimal(number), " s"].concat()
}

/// Depth of nested arrays and objects: 0 for a scalar.
pub(crate) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_canonical() {
        assert_eq!(base64url("_-8"), Some([0xff, 0xef].into()));
        for refused in ["_-8=", "_-9", "/+8", "_-8 ", "_-8\n", "_", "\u{e9}"] {
            assert_eq!(base64url(refused), None, "{refused}");
        }
    }

    #[test]
    fn base64_is_canonical() {
        for (text, bytes) in [("", &b""[..]), ("+/8=", &[0xfb, 0xff]), ("+w==", &[0xfb]), ("+/+/", &[0xfb, 0xff, 0xbf])]
        {
            assert_eq!(base64(text).as_deref(), Some(bytes), "{text}");
        }
        for refused in ["+/8", "-_8=", "+/9=", "+x==", "+===", "====", "=", "+/8= ", "+/8\n", "+/==+/8=", "\u{e9}AA"] {
            assert_eq!(base64(refused), None, "{refused}");
        }
    }

    #[test]
    fn json_is_strict() {
        assert!(json(br#" {"a":[1,-1,1.5,"x",null,true]} "#).is_ok());
        for refused in [
            &br#"{"a":1,"a":1}"#[..],
            br#"{"a":{"b":1,"\u0062":2}}"#,
            b"{} x",
            b"",
            b"{\"a\":1,}",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
            br#""\ud800""#,
            b"NaN",
            b"1e999",
            b"01",
        ] {
            assert_eq!(json(refused), Err(JsonError::Malformed), "{}", refused.escape_ascii());
        }
    }

    #[test]
    fn json_depth_is_limited() {
        let nested = |depth| ["[".repeat(depth), "]".repeat(depth)].concat();
        let deepest = json(nested(MAX_DEPTH).as_bytes()).expect("at the limit");
        assert_eq!(depth(&deepest), MAX_DEPTH);
        assert_eq!(json(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::TooLarge));
        assert_eq!(json("[".repeat(100_000).as_bytes()), Err(JsonError::TooLarge));
    }

    #[test]
    fn json_values_are_counted() {
        let array = |values: usize| ["[", &"0,".repeat(values - 1), "0]"].concat();
        assert!(json(array(MAX_VALUES - 1).as_bytes()).is_ok());
        assert_eq!(json(array(MAX_VALUES + 1).as_bytes()), Err(JsonError::TooLarge));
        assert!(json_of(array(MAX_VALUES + 1).as_bytes(), usize::MAX).is_ok());
    }
}
