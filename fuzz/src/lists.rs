//! Status list tokens, read a second time and the plain way, and CBOR for those that are CWTs.

use std::io::Read as _;
use std::str;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use flate2::read::ZlibDecoder;
use serde_json::Value;

use crate::reference::jws;

/// What a status list token says.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) issuer: Option<String>,
    pub(crate) uri: String,
    pub(crate) issued_at: u64,
    pub(crate) starts: Option<u64>,
    pub(crate) expires: Option<u64>,
    pub(crate) ttl: Option<u64>,
    pub(crate) kid: Option<String>,
    pub(crate) bits: u32,
    /// None if it is not ZLIB.
    pub(crate) statuses: Option<Vec<u8>>,
}

impl List {
    /// None for what is no status list token.
    pub(crate) fn read(token: &[u8]) -> Option<Self> {
        if token.first()? & 0xe0 == 0xc0 { Self::of_cwt(token) } else { Self::of_jwt(str::from_utf8(token).ok()?) }
    }

    fn of_jwt(token: &str) -> Option<Self> {
        let (header, claims) = jws(token.trim_ascii())?;
        if header["alg"] != "ES256" || header["typ"] != "statuslist+jwt" || header.get("crit").is_some() {
            return None;
        }
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let lst = Base64UrlUnpadded::decode_vec(claims["status_list"]["lst"].as_str()?).ok()?;
        let read = Self {
            issuer: optional(claims.get("iss"), text).ok()?,
            uri: text(&claims["sub"])?,
            issued_at: time(&claims["iat"])?,
            starts: optional(claims.get("nbf"), time).ok()?,
            expires: optional(claims.get("exp"), time).ok()?,
            ttl: optional(claims.get("ttl"), time).ok()?,
            kid: text(&header["kid"]),
            bits: claims["status_list"]["bits"].as_u64()?.try_into().ok()?,
            statuses: inflate(&lst),
        };
        [1, 2, 4, 8].contains(&read.bits).then_some(read)
    }

    fn of_cwt(token: &[u8]) -> Option<Self> {
        let (protected, unprotected, payload) = sign1(token)?;
        let (headers, claims) = (Cbor::read(&protected)?, Cbor::read(&payload)?);
        if headers.member(&Cbor::Integer(1))? != &Cbor::Integer(-7)
            || headers.member(&Cbor::Integer(16))? != &Cbor::Text("application/statuslist+cwt".into())
            || headers.member(&Cbor::Integer(2)).is_some()
        {
            return None;
        }
        let claim = |number| claims.member(&Cbor::Integer(number));
        let list = claim(65_533)?;
        let Cbor::Bytes(lst) = list.member(&Cbor::Text("lst".into()))? else { return None };
        let kid = Cbor::Integer(4);
        let kid = headers.member(&kid).or_else(|| unprotected.member(&kid));
        let read = Self {
            issuer: optional(claim(1), Cbor::text).ok()?,
            uri: claim(2)?.text()?,
            issued_at: claim(6)?.whole()?,
            starts: optional(claim(5), Cbor::whole).ok()?,
            expires: optional(claim(4), Cbor::whole).ok()?,
            ttl: optional(claim(65_534), Cbor::whole).ok()?,
            kid: match kid {
                Some(Cbor::Bytes(kid)) => Some(String::from_utf8(kid.clone()).ok()?),
                _ => None,
            },
            bits: list.member(&Cbor::Text("bits".into()))?.whole()?.try_into().ok()?,
            statuses: inflate(lst),
        };
        [1, 2, 4, 8].contains(&read.bits).then_some(read)
    }

    /// Statuses are digits of each byte, the least first.
    pub(crate) fn status(&self, index: u64) -> Option<u8> {
        let (per_byte, base) = (u64::from(8 / self.bits), 2_u32.pow(self.bits));
        let byte = *self.statuses.as_ref()?.get(usize::try_from(index / per_byte).ok()?)?;
        let place = u32::try_from(index % per_byte).ok()?;
        u8::try_from(u32::from(byte) / base.pow(place) % base).ok()
    }
}

/// An error where there is something that is not what it should be.
fn optional<T, R>(value: Option<&T>, read: impl Fn(&T) -> Option<R>) -> Result<Option<R>, ()> {
    value.map(|value| read(value).ok_or(())).transpose()
}

fn time(value: &Value) -> Option<u64> {
    let seconds = value.as_f64()?.floor();
    (seconds >= 0.0).then(|| format!("{seconds:.0}").parse().ok()).flatten()
}

fn inflate(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut statuses = Vec::new();
    ZlibDecoder::new(compressed).take(4 << 20).read_to_end(&mut statuses).ok()?;
    Some(statuses)
}

/// What is signed of a token: the bytes before a JWT's last dot; protected header and payload of a CWT.
pub(crate) fn signed(token: &[u8]) -> Option<Vec<u8>> {
    if let Some((protected, _, payload)) = sign1(token) {
        return Some([protected, payload].join(&0));
    }
    let token = token.trim_ascii();
    let end = token.iter().rposition(|byte| *byte == b'.')?;
    Some(token[..end].to_vec())
}

/// Protected header, unprotected header and payload of a tagged `COSE_Sign1`.
fn sign1(token: &[u8]) -> Option<(Vec<u8>, Cbor, Vec<u8>)> {
    let Cbor::Tagged(18, message) = Cbor::read(token)? else { return None };
    let Cbor::Array(parts) = *message else { return None };
    match parts.as_slice() {
        [Cbor::Bytes(protected), unprotected @ Cbor::Map(_), Cbor::Bytes(payload), Cbor::Bytes(_)] => {
            Some((protected.clone(), unprotected.clone(), payload.clone()))
        }
        _ => None,
    }
}

/// An item of CBOR.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cbor {
    Integer(i128),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Cbor>),
    Map(Vec<(Cbor, Cbor)>),
    Tagged(u64, Box<Cbor>),
    /// `false`, `true`, `null` and their like, by number.
    Simple(u8),
    Float(f64),
}

impl Cbor {
    /// None if it is anything but one item of definite length.
    pub(crate) fn read(mut bytes: &[u8]) -> Option<Self> {
        let item = Self::next(&mut bytes, 64)?;
        bytes.is_empty().then_some(item)
    }

    fn next(bytes: &mut &[u8], depth: u8) -> Option<Self> {
        let depth = depth.checked_sub(1)?;
        let first = *take(bytes, 1)?.first()?;
        let (major, information) = (first >> 5, first & 31);
        let width = match information {
            ..24 => 0,
            24..28 => 1_usize << (information - 24),
            _ => return None,
        };
        let head = take(bytes, width)?;
        let long = head.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let argument = if width == 0 { information.into() } else { long };
        let length = usize::try_from(argument).ok()?;
        Some(match major {
            0 => Self::Integer(argument.into()),
            1 => Self::Integer(-1 - i128::from(argument)),
            2 => Self::Bytes(take(bytes, length)?.to_vec()),
            3 => Self::Text(str::from_utf8(take(bytes, length)?).ok()?.to_owned()),
            4 => Self::Array((0..argument).map(|_| Self::next(bytes, depth)).collect::<Option<_>>()?),
            5 => {
                let mut members = Vec::new();
                for _ in 0..argument {
                    members.push((Self::next(bytes, depth)?, Self::next(bytes, depth)?));
                }
                Self::Map(members)
            }
            6 => Self::Tagged(argument, Box::new(Self::next(bytes, depth)?)),
            _ => match width {
                0 | 1 => Self::Simple(argument.try_into().ok()?),
                4 => Self::Float(f32::from_bits(argument.try_into().ok()?).into()),
                8 => Self::Float(f64::from_bits(argument)),
                _ => Self::Float(f64::NAN),
            },
        })
    }

    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Integer(number) if *number < 0 => write_head(to, 1, u64::try_from(-1 - number).unwrap_or(u64::MAX)),
            Self::Integer(number) => write_head(to, 0, u64::try_from(*number).unwrap_or(u64::MAX)),
            Self::Bytes(bytes) => {
                write_head(to, 2, u64::try_from(bytes.len()).expect("a length"));
                to.extend(bytes);
            }
            Self::Text(text) => {
                write_head(to, 3, u64::try_from(text.len()).expect("a length"));
                to.extend(text.as_bytes());
            }
            Self::Array(items) => {
                write_head(to, 4, u64::try_from(items.len()).expect("a length"));
                for item in items {
                    item.write(to);
                }
            }
            Self::Map(members) => {
                write_head(to, 5, u64::try_from(members.len()).expect("a length"));
                for (name, value) in members {
                    name.write(to);
                    value.write(to);
                }
            }
            Self::Tagged(tag, inner) => {
                write_head(to, 6, *tag);
                inner.write(to);
            }
            Self::Simple(number) => write_head(to, 7, (*number).into()),
            Self::Float(number) => {
                to.push(0xfb);
                to.extend(number.to_be_bytes());
            }
        }
    }

    /// The same as JSON says; of a name in `labels` its number, and bytes where `bytes` says so.
    pub(crate) fn of(value: &Value, labels: &[(&str, i128)], bytes: &[&str]) -> Self {
        match value {
            Value::Null => Self::Simple(22),
            Value::Bool(value) => Self::Simple(if *value { 21 } else { 20 }),
            Value::Number(number) => match number.as_i128() {
                Some(number) => Self::Integer(number),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::Array(items.iter().map(|item| Self::of(item, &[], bytes)).collect()),
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| {
                    let label = labels.iter().find(|(known, _)| known == name);
                    let label = label.map_or_else(|| Self::Text(name.clone()), |(_, number)| Self::Integer(*number));
                    let value = match value.as_str() {
                        Some("ES256") if name == "alg" => Self::Integer(-7),
                        Some(text) if bytes.contains(&name.as_str()) => match Base64UrlUnpadded::decode_vec(text) {
                            Ok(decoded) if name == "lst" => Self::Bytes(decoded),
                            _ => Self::Bytes(text.as_bytes().to_vec()),
                        },
                        _ => Self::of(value, &[], bytes),
                    };
                    (label, value)
                };
                Self::Map(members.iter().map(member).collect())
            }
        }
    }

    /// None, too, where it is there twice.
    fn member(&self, name: &Self) -> Option<&Self> {
        let Self::Map(members) = self else { return None };
        let mut found = members.iter().filter(|(found, _)| found == name).map(|(_, value)| value);
        found.next().filter(|_| found.next().is_none())
    }

    fn text(&self) -> Option<String> {
        if let Self::Text(text) = self { Some(text.clone()) } else { None }
    }

    fn whole(&self) -> Option<u64> {
        if let Self::Integer(number) = self { (*number).try_into().ok() } else { None }
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// In the shortest form.
fn write_head(to: &mut Vec<u8>, major: u8, argument: u64) {
    let bytes = argument.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let (information, width) = match 8 - zeros {
        0 | 1 if bytes[7] < 24 => (bytes[7], 0),
        0 | 1 => (24, 1),
        2 => (25, 2),
        3 | 4 => (26, 4),
        _ => (27, 8),
    };
    to.push(major << 5 | information);
    to.extend(&bytes[8 - width..]);
}
