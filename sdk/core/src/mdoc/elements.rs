//! Elements that were returned: held against their digests, and as JSON.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use minicbor::Decoder;
use minicbor::data::Type;
use serde_json::{Map, Number, Value};
use sha2::{Digest as _, Sha384, Sha512};

use super::mso::{Hash, Mso};
use super::response::{Document, Entries};
use crate::age::NESTED;
use crate::cose::{self, Label};
use crate::encoding::sha256;
use crate::error::{Code, Error};
use crate::explain::Trace;
use crate::limits::MAX_VALUES;

/// Tags that say what a text is: a time, a day (RFC 8949, section 3.4.1; RFC 8943).
const TEXTS: &[u64] = &[0, 1004];

/// The elements that were returned, as claims: those of the namespace that is called as the `docType` by their names, those
/// of any other in an object of the namespace's name.
pub(super) fn disclosed(
    document: &Document<'_>,
    mso: &Mso<'_, '_>,
    trace: &mut Trace,
) -> Result<Map<String, Value>, Error> {
    let hash = mso.hash()?;
    trace.passed(&[Code::DisclosureAlgorithm]);
    let digests = mso.digests()?;
    trace.passed(&[Code::DisclosureDigest]);
    let (mut claims, mut budget) = (Map::new(), MAX_VALUES);
    for (name_space, items) in &document.name_spaces {
        let digests = digests.iter().find(|(name, _)| name == name_space).map(|(_, digests)| digests);
        let (mut placed, mut seen) = (Map::new(), Vec::new());
        for encoded in items {
            let item = Item::parse(encoded, &mut budget)?;
            if seen.contains(&item.digest_id) || placed.contains_key(item.name) {
                let error = Error::new(Code::DisclosureDuplicate, "an element was sent twice");
                return Err(error.claim(item.name));
            }
            seen.push(item.digest_id);
            let digest = digests.and_then(|digests| cose::value(digests, Label::Number(item.digest_id)));
            let digest = digest.and_then(cose::bytes).ok_or_else(|| {
                Error::new(Code::DisclosureUnreferenced, "an element belongs to no digest").claim(item.name)
            })?;
            if !hash.is_of(encoded, digest) {
                let error = Error::new(Code::DisclosureMismatch, "an element is not what the issuer signed");
                return Err(error.claim(item.name));
            }
            placed.insert(item.name.to_owned(), item.value);
        }
        let placed = match *name_space == document.doctype {
            true => nested(placed)?,
            false => Map::from_iter([((*name_space).to_owned(), Value::Object(placed))]),
        };
        for (name, value) in placed {
            insert(&mut claims, name, value)?;
        }
    }
    trace.passed(&[
        Code::DisclosureMalformed,
        Code::DisclosureDuplicate,
        Code::DisclosureCollision,
        Code::DisclosureUnreferenced,
        Code::DisclosureMismatch,
    ]);
    Ok(claims)
}

/// `IssuerSignedItem` (section 8.3.2.1.2.2).
struct Item<'a> {
    digest_id: i64,
    name: &'a str,
    value: Value,
}

impl<'a> Item<'a> {
    fn parse(encoded: &'a [u8], budget: &mut usize) -> Result<Self, Error> {
        let malformed = || Error::new(Code::DisclosureMalformed, "an element is not an `IssuerSignedItem`");
        let members = cose::embedded(encoded).and_then(cose::map).ok_or_else(malformed)?;
        let member = |name| cose::value(&members, Label::Text(name)).ok_or_else(malformed);
        let digest_id = cose::number(member("digestID")?).filter(|id| *id >= 0).ok_or_else(malformed)?;
        let name = cose::text(member("elementIdentifier")?).ok_or_else(malformed)?;
        let is_known = members.len() == 4 && cose::bytes(member("random")?).is_some();
        let value = json(member("elementValue")?, budget).map_err(|why| match why {
            Refused::Malformed => malformed().claim(name),
            Refused::TooLarge => Error::new(Code::TokenTooLarge, "the token has too many values").claim(name),
        })?;
        if is_known { Ok(Self { digest_id, name, value }) } else { Err(malformed().claim(name)) }
    }
}

impl Hash {
    fn is_of(self, bytes: &[u8], digest: &[u8]) -> bool {
        match self {
            Self::Sha256 => sha256(bytes) == digest,
            Self::Sha384 => Sha384::digest(bytes).as_slice() == digest,
            Self::Sha512 => Sha512::digest(bytes).as_slice() == digest,
        }
    }
}

fn insert(claims: &mut Map<String, Value>, name: String, value: Value) -> Result<(), Error> {
    if claims.contains_key(&name) {
        return Err(Error::new(Code::DisclosureCollision, "a disclosed claim is there already").claim(&name));
    }
    claims.insert(name, value);
    Ok(())
}

/// `age_equal_or_over.18` becomes a member of `age_equal_or_over`, as SD-JWTs have it.
fn nested(elements: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let (mut claims, mut members) = (Map::new(), Map::new());
    for (name, value) in elements {
        match name.split_once('.') {
            Some((NESTED, member)) => members.insert(member.to_owned(), value),
            _ => claims.insert(name, value),
        };
    }
    if !members.is_empty() {
        insert(&mut claims, NESTED.to_owned(), members.into())?;
    }
    Ok(claims)
}

/// Elements as JSON. None if one has no such form, or there are too many values.
pub(super) fn object(elements: &Entries<'_>, budget: &mut usize) -> Option<Map<String, Value>> {
    let member = |(label, value): &(Label<'_>, &[u8])| match label {
        Label::Text(name) => Some(((*name).to_owned(), json(value, budget).ok()?)),
        Label::Number(_) => None,
    };
    elements.iter().map(member).collect()
}

/// Why there is no JSON of a value.
enum Refused {
    Malformed,
    TooLarge,
}

/// A value as JSON: bytes as base64url, times and days as texts. It was skipped before, so that its depth has a limit.
fn json(encoded: &[u8], budget: &mut usize) -> Result<Value, Refused> {
    *budget = budget.checked_sub(1).ok_or(Refused::TooLarge)?;
    let mut decoder = Decoder::new(encoded);
    let malformed = |_| Refused::Malformed;
    match decoder.datatype().map_err(malformed)? {
        Type::String => decoder.str().map(Into::into).map_err(malformed),
        Type::Bytes => Ok(Base64UrlUnpadded::encode_string(decoder.bytes().map_err(malformed)?).into()),
        Type::Bool => decoder.bool().map(Value::Bool).map_err(malformed),
        Type::Null => Ok(Value::Null),
        Type::F32 => number(decoder.f32().map_err(malformed)?.into()),
        Type::F64 => number(decoder.f64().map_err(malformed)?),
        Type::Array => {
            let items = cose::array(encoded).ok_or(Refused::Malformed)?;
            items.into_iter().map(|item| json(item, budget)).collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        Type::Map => {
            let mut members = Map::new();
            for (label, value) in cose::map(encoded).ok_or(Refused::Malformed)? {
                let Label::Text(name) = label else { return Err(Refused::Malformed) };
                members.insert(name.to_owned(), json(value, budget)?);
            }
            Ok(Value::Object(members))
        }
        Type::Tag => match TEXTS.contains(&decoder.tag().map_err(malformed)?.as_u64()) {
            true => decoder.str().map(Into::into).map_err(malformed),
            false => Err(Refused::Malformed),
        },
        _ => {
            let number = i128::from(decoder.int().map_err(malformed)?);
            Number::from_i128(number).map(Value::Number).ok_or(Refused::Malformed)
        }
    }
}

fn number(number: f64) -> Result<Value, Refused> {
    Number::from_f64(number).map(Value::Number).ok_or(Refused::Malformed)
}
