//! CBOR in the making (RFC 8949): a value that can be put together, changed, and encoded in its shortest form.

use serde_json::Value;

use crate::status_list::encoded;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cbor {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A binary fraction of 64 bits.
    Float(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// An array.
    Array(Vec<Self>),
    /// A map, in this order.
    Map(Vec<(Self, Self)>),
    /// A tagged value.
    Tag(u64, Box<Self>),
    /// Whatever was encoded already.
    Encoded(Vec<u8>),
}

/// The tag of CBOR in a byte string.
const EMBEDDED: u64 = 24;

impl Cbor {
    /// A map with these members, in this order.
    #[must_use]
    pub fn members<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Map(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// The bytes of this value in a byte string, tagged as such.
    #[must_use]
    pub fn embedded(&self) -> Self {
        Self::Tag(EMBEDDED, Box::new(Self::Bytes(self.encode())))
    }

    /// The member of a map; made if it is not there. What is no map becomes one.
    pub fn member(&mut self, name: &str) -> &mut Self {
        if !matches!(self, Self::Map(_)) {
            *self = Self::Map(Vec::new());
        }
        let Self::Map(members) = self else { unreachable!("it is a map now") };
        let key = Self::from(name);
        if !members.iter().any(|(found, _)| *found == key) {
            members.push((key.clone(), Self::Null));
        }
        let Some((_, value)) = members.iter_mut().find(|(found, _)| *found == key) else {
            unreachable!("it is there now")
        };
        value
    }

    /// Takes the member of a map out.
    pub fn remove(&mut self, name: &str) {
        if let Self::Map(members) = self {
            members.retain(|(found, _)| *found != Self::from(name));
        }
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Null => encoded(|cbor| cbor.null().map(drop)),
            Self::Bool(value) => encoded(|cbor| cbor.bool(*value).map(drop)),
            Self::Integer(value) => encoded(|cbor| cbor.i64(*value).map(drop)),
            Self::Float(value) => encoded(|cbor| cbor.f64(*value).map(drop)),
            Self::Bytes(value) => encoded(|cbor| cbor.bytes(value).map(drop)),
            Self::Text(value) => encoded(|cbor| cbor.str(value).map(drop)),
            Self::Array(items) => {
                let head = encoded(|cbor| cbor.array(count(items)).map(drop));
                items.iter().fold(head, |bytes, item| [bytes, item.encode()].concat())
            }
            Self::Map(members) => {
                let head = encoded(|cbor| cbor.map(count(members)).map(drop));
                members.iter().fold(head, |bytes, (key, value)| [bytes, key.encode(), value.encode()].concat())
            }
            Self::Tag(tag, value) => {
                let head = encoded(|cbor| cbor.tag(minicbor::data::Tag::new(*tag)).map(drop));
                [head, value.encode()].concat()
            }
            Self::Encoded(bytes) => bytes.clone(),
        }
    }
}

fn count<T>(items: &[T]) -> u64 {
    items.len().try_into().unwrap_or(u64::MAX)
}

impl From<&str> for Cbor {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<&Value> for Cbor {
    /// The same value. Integers beyond 63 bits become fractions.
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Integer(number),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::Array(items.iter().map(Into::into).collect()),
            Value::Object(members) => {
                Self::Map(members.iter().map(|(name, value)| (name.as_str().into(), value.into())).collect())
            }
        }
    }
}
