//! A merchant's settings for a policy, held against the policy's JSON Schema.
//!
//! The schema is a stranger's, so what checking against it may take is bounded before it is looked at: its size, with what it
//! refers to put in its place, its depth, and the size of its patterns, which a linear-time engine matches.

use jsonschema::{Draft, PatternOptions};
use serde_json::Value;

use crate::error::{Code, Error, readable};

/// Bytes of settings, and of a schema.
const MAX_BYTES: usize = 32 << 10;
/// Values in a schema, what it refers to counted each time.
const MAX_VALUES: usize = 4_096;
/// Depth of a schema, references followed.
const MAX_DEPTH: usize = 64;
/// What a keyword counts that looks at what others have seen: nested ones would take twice as long at each level.
const LOOKS_AGAIN: usize = MAX_VALUES / 4;
/// Bytes of a compiled pattern.
const MAX_PATTERN_BYTES: usize = 64 << 10;
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Whether settings fit a schema.
///
/// # Errors
/// `plugin.malformed` if the schema is none or does what is not allowed here; `plugin.settings` if the settings don't fit.
pub(crate) fn check(schema: &str, settings: &str) -> Result<(), Error> {
    let no_schema = |why: &str| {
        Error::host(Code::PluginMalformed, format!("the schema of its settings can't be used: {}", readable(why)))
    };
    let wrong = |why: &str| Error::host(Code::PluginSettings, readable(why));
    if schema.len() > MAX_BYTES {
        return Err(no_schema("it is too large"));
    }
    let schema: Value = serde_json::from_str(schema).map_err(|error| no_schema(&error.to_string()))?;
    Bounds { root: &schema, left: MAX_VALUES }.visit(&schema, 0).map_err(no_schema)?;
    let validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES))
        .offline()
        .build(&schema)
        .map_err(|error| no_schema(&error.to_string()))?;
    if settings.len() > MAX_BYTES {
        return Err(wrong("the settings are too large"));
    }
    let settings: Value = serde_json::from_str(settings).map_err(|error| wrong(&error.to_string()))?;
    validator.validate(&settings).map_err(|error| {
        let place = error.instance_path().to_string();
        wrong(&if place.is_empty() { error.to_string() } else { format!("{place}: {error}") })
    })
}

/// Counts what a validator would look at.
struct Bounds<'a> {
    root: &'a Value,
    left: usize,
}

impl<'a> Bounds<'a> {
    fn visit(&mut self, value: &'a Value, depth: usize) -> Result<(), &'static str> {
        const TOO_LARGE: &str = "it is too large or refers to itself";
        let cost = match value {
            Value::Object(members)
                if ["unevaluatedItems", "unevaluatedProperties"].iter().any(|name| members.contains_key(*name)) =>
            {
                LOOKS_AGAIN
            }
            _ => 1,
        };
        self.left = self.left.checked_sub(cost).filter(|_| depth <= MAX_DEPTH).ok_or(TOO_LARGE)?;
        match value {
            Value::Array(elements) => elements.iter().try_for_each(|element| self.visit(element, depth + 1)),
            Value::Object(members) => members.iter().try_for_each(|(name, member)| match name.as_str() {
                "$schema" if member.as_str().is_none_or(|dialect| dialect.trim_end_matches('#') != DIALECT) => {
                    Err("it is of another dialect than 2020-12")
                }
                "$id" if depth > 0 => Err("`$id` has no place within it"),
                "$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$recursiveRef" | "$vocabulary" => {
                    Err("of references only `$ref` with a JSON pointer is understood")
                }
                "$ref" => self.visit(self.target(member)?, depth + 1),
                _ => self.visit(member, depth + 1),
            }),
            _ => Ok(()),
        }
    }

    fn target(&self, reference: &Value) -> Result<&'a Value, &'static str> {
        let pointer = reference.as_str().and_then(|reference| reference.strip_prefix('#'));
        let target = pointer.filter(|pointer| !pointer.contains('%')).and_then(|pointer| self.root.pointer(pointer));
        target.ok_or("a `$ref` is no JSON pointer to something within it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(schema: &str, settings: &str) -> &'static str {
        match check(schema, settings) {
            Ok(()) => "fits",
            Err(Error::Host { code, .. }) => code.as_str(),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn settings_are_held_against_the_schema() {
        let schema = r##"{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://shop.example/s",
            "type": "object", "properties": {"limit": {"$ref": "#/$defs/amount"}, "name": {"pattern": "^[a-z]+$"}},
            "required": ["limit"], "unevaluatedProperties": false,
            "$defs": {"amount": {"type": "string", "pattern": "^[0-9]+$"}}}"##;
        assert_eq!(code(schema, r#"{"limit": "20"}"#), "fits");
        for bad in ["", "limit", "[]", "{}", r#"{"limit": 20}"#, r#"{"limit": "20", "x": 1}"#, r#"{"limit": "-"}"#] {
            assert_eq!(code(schema, bad), "plugin.settings", "{bad}");
        }
        let long = format!(r#"{{"limit": "{}"}}"#, "1".repeat(MAX_BYTES));
        assert_eq!(code(schema, &long), "plugin.settings");
        assert_eq!(code("true", "1"), "fits");
        assert_eq!(code("false", "1"), "plugin.settings");
    }

    #[test]
    fn what_is_no_schema_is_told_apart() {
        for schema in [
            "",
            "1",
            r#"{"type": "objet"}"#,
            r#"{"$schema": "http://json-schema.org/draft-07/schema#"}"#,
            r#"{"$ref": "https://elsewhere.example/schema"}"#,
            r#"{"$ref": "file:///etc/passwd"}"#,
            r#"{"$ref": "other.json"}"#,
            r##"{"$ref": "#/nowhere"}"##,
            r##"{"$ref": "#a", "$defs": {"x": {"$anchor": "a"}}}"##,
            r#"{"properties": {"x": {"$id": "https://shop.example/other"}}}"#,
            r#"{"pattern": "(a"}"#,
            r#"{"pattern": "(?=a)"}"#,
            r#"{"pattern": "((a{1,100}){1,100}){1,100}"}"#,
        ] {
            assert_eq!(code(schema, "{}"), "plugin.malformed", "{schema}");
        }
    }

    /// Schemas on which a validator would never end, or run out of stack.
    #[test]
    fn what_would_take_too_long_is_no_schema() {
        let doubling = |levels: usize| {
            let levels = (0..levels).map(|level| {
                let next = level + 1;
                format!(r##""{level}": {{"allOf": [{{"$ref": "#/$defs/{next}"}}, {{"$ref": "#/$defs/{next}"}}]}}"##)
            });
            format!(r##"{{"$ref": "#/$defs/0", "$defs": {{{}, "40": true}}}}"##, levels.collect::<Vec<_>>().join(", "))
        };
        let nested = |keyword: &str, levels: usize| {
            format!("{}true{}", format!("{{\"{keyword}\": ").repeat(levels), "}".repeat(levels))
        };
        for schema in [
            r##"{"$ref": "#"}"##.to_owned(),
            r##"{"allOf": [{"$ref": "#"}]}"##.to_owned(),
            r##"{"properties": {"x": {"$ref": "#"}}}"##.to_owned(),
            r##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}"##.to_owned(),
            doubling(40),
            nested("not", 100),
            nested("unevaluatedProperties", 20),
            format!(r#"{{"enum": [{}]}}"#, "1, ".repeat(5_000) + "1"),
            format!(r#"{{"title": "{}"}}"#, "x".repeat(MAX_BYTES)),
        ] {
            assert_eq!(code(&schema, "{}"), "plugin.malformed", "{schema}");
        }
        assert_eq!(code(&nested("not", 20), "{}"), "fits");
    }
}
