//! SD-JWT: taking one apart, and putting the disclosed claims back in their place (RFC 9901, sections 4 and 7.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use serde_json::{Map, Value};

use crate::credential::BAND_VCT;
use crate::encoding::{JsonError, Places, base64url, depth, digest, json};
use crate::error::{Code, Error};
use crate::explain::Trace;
use crate::jws::{Jws, JwsError};
use crate::limits::{MAX_DEPTH, MAX_DISCLOSURES, MAX_TOKEN_BYTES};
use crate::memory::{Memory, Opened};

/// Claims that are never selectively disclosable, nor is anything inside them
/// (draft-ietf-oauth-sd-jwt-vc, section 2.2.2.2).
const ALWAYS_DISCLOSED: &[&str] = &["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"];

/// The same for band credentials (band profile, section Credential).
const ALWAYS_DISCLOSED_BY_BANDS: &[&str] = &["iat", "pairing", "band_measures"];

/// The checks that [`disclose`] does.
pub(crate) const DISCLOSURE_CHECKS: &[Code] = &[
    Code::DisclosureAlgorithm,
    Code::DisclosureMalformed,
    Code::DisclosureReserved,
    Code::DisclosureDigest,
    Code::DisclosureDuplicate,
    Code::DisclosureCollision,
    Code::DisclosureForbidden,
    Code::DisclosureUnreferenced,
];

/// A presentation that was parsed; nothing in it was verified.
#[derive(Debug)]
pub(crate) struct Presentation<'a> {
    pub(crate) issued: Issued<'a>,
    pub(crate) disclosures: Vec<&'a str>,
    /// Issuer-signed JWT and disclosures with their tildes (RFC 9901, section 4.3.1).
    pub(crate) hashed: &'a str,
    /// What `sd_hash` has to be.
    pub(crate) hash: String,
    pub(crate) kb_jwt: Option<Jws<'a>>,
}

/// The issuer-signed JWT, or what is remembered of it.
#[derive(Debug)]
pub(crate) enum Issued<'a> {
    New(Jws<'a>),
    Known(Opened),
}

impl<'a> Presentation<'a> {
    pub(crate) fn parse(token: &'a str, memory: &mut Memory, trace: &mut Trace) -> Result<Self, Error> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::new(Code::TokenTooLarge, "the token has too many bytes"));
        }
        if token.starts_with('{') {
            return Err(Error::new(Code::TokenUnsupported, "the JWS JSON serialization is not accepted"));
        }
        let (parts, kb_jwt) = token
            .rsplit_once('~')
            .ok_or_else(|| Error::new(Code::TokenMalformed, "an SD-JWT has a `~` after its issuer-signed JWT"))?;
        let hashed = token.get(..=parts.len()).unwrap_or_default();
        let mut parts = parts.split('~');
        let hash = digest(hashed.as_bytes());
        let issuer_jwt = parts.next().unwrap_or_default();
        let issued = match memory.recall(&hash) {
            Some(opened) => Issued::Known(opened),
            None => Issued::New(parse_jws(issuer_jwt, "issuer-signed JWT")?),
        };
        let disclosures = parts.collect::<Vec<_>>();
        if disclosures.len() > MAX_DISCLOSURES {
            return Err(Error::new(Code::TokenTooLarge, "the token has too many disclosures"));
        }
        let kb_jwt = match kb_jwt {
            "" => None,
            compact => Some(parse_jws(compact, "KB-JWT")?),
        };
        trace.passed(&[Code::TokenTooLarge, Code::TokenUnsupported, Code::TokenMalformed]);
        Ok(Self { issued, disclosures, hashed, hash, kb_jwt })
    }
}

fn parse_jws<'a>(compact: &'a str, part: &'static str) -> Result<Jws<'a>, Error> {
    Jws::parse(compact).map_err(|error| match error {
        JwsError::Malformed(why) => Error::new(Code::TokenMalformed, why).claim(part),
        JwsError::Unsupported(why) => Error::new(Code::TokenUnsupported, why).claim(part),
        JwsError::TooLarge => {
            Error::new(Code::TokenTooLarge, "the token is nested too deep, or has too many values").claim(part)
        }
    })
}

/// A disclosure (RFC 9901, section 4.2).
enum Disclosure {
    Property { name: String, value: Value },
    Element { value: Value },
}

impl Disclosure {
    fn parse(encoded: &str) -> Result<Self, Error> {
        let malformed = |why| Error::new(Code::DisclosureMalformed, why).actual(encoded);
        let bytes = base64url(encoded).ok_or_else(|| malformed("a disclosure is not base64url"))?;
        let value = json(&bytes).map_err(|error| match error {
            JsonError::Malformed => malformed("a disclosure is not JSON"),
            JsonError::TooLarge => too_deep(),
        })?;
        let Value::Array(mut items) = value else {
            return Err(malformed("a disclosure is not a JSON array"));
        };
        match items.as_mut_slice() {
            [Value::String(_salt), value] => Ok(Self::Element { value: value.take() }),
            [Value::String(_salt), Value::String(name), value] => {
                Ok(Self::Property { name: mem::take(name), value: value.take() })
            }
            _ => Err(malformed("a disclosure is a salt, the name of a claim where it has one, and a value")),
        }
    }
}

fn too_deep() -> Error {
    Error::new(Code::TokenTooLarge, "the token is nested too deep")
}

/// Replaces digests by what was disclosed for them, and removes what is left of them (RFC 9901, section 7.1, step 3).
pub(crate) fn disclose(
    payload: Map<String, Value>,
    encoded: &[&str],
    trace: &mut Trace,
) -> Result<Map<String, Value>, Error> {
    match payload.get("_sd_alg") {
        None => {}
        Some(algorithm) if algorithm == "sha-256" => {}
        Some(other) => {
            let error = Error::new(Code::DisclosureAlgorithm, "disclosures are hashed with another algorithm");
            return Err(error.claim("_sd_alg").expected("sha-256").actual(other.as_str().unwrap_or("not a string")));
        }
    }
    trace.passed(&[Code::DisclosureAlgorithm]);
    let (mut by_digest, mut disclosures) = (Places::default(), Vec::new());
    for encoded in encoded {
        let disclosure = Disclosure::parse(encoded)?;
        if !by_digest.insert(digest(encoded.as_bytes()), disclosures.len()) {
            return Err(Error::new(Code::DisclosureDuplicate, "a disclosure was sent twice").actual(encoded));
        }
        disclosures.push(Some(disclosure));
    }
    let also = payload.get("aka_vcts").and_then(Value::as_array).into_iter().flatten();
    let is_band = payload.get("vct").into_iter().chain(also).any(|vct| vct == BAND_VCT);
    let mut placing = Placing { by_digest, disclosures, seen: Places::default(), is_band };
    let payload = placing.object(payload, Place { depth: 1, root: None })?;
    trace.passed(&[
        Code::DisclosureMalformed,
        Code::DisclosureReserved,
        Code::DisclosureDigest,
        Code::DisclosureDuplicate,
        Code::DisclosureCollision,
        Code::DisclosureForbidden,
    ]);
    match placing.disclosures.into_iter().flatten().next() {
        None => {
            trace.passed(&[Code::DisclosureUnreferenced]);
            Ok(payload)
        }
        Some(left) => {
            let error = Error::new(Code::DisclosureUnreferenced, "a disclosure belongs to no digest");
            Err(match left {
                Disclosure::Property { name, .. } => error.claim(&name),
                Disclosure::Element { .. } => error,
            })
        }
    }
}

struct Placing {
    /// Place in `disclosures`.
    by_digest: Places,
    /// Taken out where the digest is found.
    disclosures: Vec<Option<Disclosure>>,
    /// Every digest found, and how many there were before it.
    seen: Places,
    is_band: bool,
}

/// Where in the payload a value stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    depth: usize,
    /// The claim at the top level that the value is in.
    root: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn below(self, name: &'a str) -> Self {
        Self { depth: self.depth + 1, root: self.root.or(Some(name)) }
    }
}

impl Placing {
    fn check_disclosed(&self, place: Place<'_>, name: Option<&str>, value: &Value) -> Result<(), Error> {
        if let Some(claim) = place.root.or(name)
            && (ALWAYS_DISCLOSED.contains(&claim) || self.is_band && ALWAYS_DISCLOSED_BY_BANDS.contains(&claim))
        {
            let error = Error::new(Code::DisclosureForbidden, "the claim must not be selectively disclosable");
            return Err(error.claim(claim));
        }
        if place.depth + depth(value) > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(())
    }

    /// What was disclosed for a digest, if anything: an undisclosed claim's digest and a decoy look alike.
    fn take(&mut self, found: Value) -> Result<Option<Disclosure>, Error> {
        let Value::String(found) = found else {
            return Err(Error::new(Code::DisclosureDigest, "a digest is not a string"));
        };
        let place = self.by_digest.get(&found);
        let disclosure = place.and_then(|place| self.disclosures.get_mut(place)).and_then(Option::take);
        if self.seen.get(&found).is_some() {
            return Err(Error::new(Code::DisclosureDuplicate, "a digest occurs more than once").actual(&found));
        }
        self.seen.insert(found, self.seen.len());
        Ok(disclosure)
    }

    fn value(&mut self, value: Value, place: Place<'_>) -> Result<Value, Error> {
        Ok(match value {
            Value::Object(members) => Value::Object(self.object(members, place)?),
            Value::Array(items) => Value::Array(self.array(items, place)?),
            scalar => scalar,
        })
    }

    fn object(&mut self, mut members: Map<String, Value>, place: Place<'_>) -> Result<Map<String, Value>, Error> {
        let digests = match members.get_mut("_sd").map(Value::take) {
            None => Vec::new(),
            Some(Value::Array(digests)) => digests,
            Some(_) => return Err(Error::new(Code::DisclosureDigest, "`_sd` is not an array")),
        };
        for reserved in ["...", "_sd_alg"] {
            // The algorithm is named beside the claims, and nowhere else.
            if members.contains_key(reserved) && (reserved == "..." || place.depth > 1) {
                return Err(reserved_name(reserved));
            }
        }
        let mut placed = Map::new();
        for (name, value) in members {
            if ["_sd", "_sd_alg"].contains(&name.as_str()) {
                continue;
            }
            let value = self.value(value, place.below(&name))?;
            placed.insert(name, value);
        }
        for found in digests {
            let (name, value) = match self.take(found)? {
                None => continue,
                Some(Disclosure::Property { name, value }) => (name, value),
                Some(Disclosure::Element { .. }) => {
                    return Err(Error::new(Code::DisclosureMalformed, "an array element was disclosed for a claim"));
                }
            };
            if ["_sd", "...", "_sd_alg"].contains(&name.as_str()) {
                return Err(reserved_name(&name));
            }
            self.check_disclosed(place, Some(&name), &value)?;
            if placed.contains_key(&name) {
                let error = Error::new(Code::DisclosureCollision, "a disclosed claim is there already");
                return Err(error.claim(&name));
            }
            let value = self.value(value, place.below(&name))?;
            placed.insert(name, value);
        }
        Ok(placed)
    }

    fn array(&mut self, items: Vec<Value>, place: Place<'_>) -> Result<Vec<Value>, Error> {
        let mut placed = Vec::new();
        let inner = Place { depth: place.depth + 1, ..place };
        for item in items {
            match item {
                Value::Object(mut members) if members.len() == 1 && members.contains_key("...") => {
                    match self.take(members.get_mut("...").map(Value::take).unwrap_or_default())? {
                        None => {}
                        Some(Disclosure::Element { value }) => {
                            self.check_disclosed(place, None, &value)?;
                            placed.push(self.value(value, inner)?);
                        }
                        Some(Disclosure::Property { .. }) => {
                            let why = "a claim was disclosed for an array element";
                            return Err(Error::new(Code::DisclosureMalformed, why));
                        }
                    }
                }
                other => placed.push(self.value(other, inner)?),
            }
        }
        Ok(placed)
    }
}

fn reserved_name(name: &str) -> Error {
    Error::new(Code::DisclosureReserved, "a reserved name stands where it must not").claim(name)
}
