//! Whom a relying party trusts: issuers and their keys.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::credential::strings;
use crate::encoding::json_of;
use crate::error::{Code, Error};
use crate::jwk::{JwkError, PublicKey};
use crate::limits::MAX_ISSUER_KEYS;

/// A trust list: for each issuer its keys and the credential types that it is trusted for.
///
/// ```json
/// {"issuers": [{
///   "iss": "https://wallet.example",
///   "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "x": "...", "y": "..."}]},
///   "vct": ["urn:bandpass:band:1"],
///   "status_uris": ["https://wallet.example/status/"]
/// }]}
/// ```
///
/// `status_uris` are the status lists that the issuer publishes, or folders of them, each with a slash at its end. Without
/// it the issuer may publish anywhere.
///
/// Instead of `vct`, `"any_vct": true` trusts the issuer for every type, which weakens the verdict. `"typ"` lists the
/// `typ` values that the issuer's credentials may have, `["dc+sd-jwt"]` unless given; any other makes plain SD-JWTs
/// (RFC 9901) acceptable, which need no `vct`.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Place in `issuers`. One map type serves the whole crate, since each costs kilobytes of Wasm.
    by_iss: BTreeMap<String, usize>,
    issuers: Vec<Issuer>,
}

#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    keys: Vec<(Option<String>, PublicKey)>,
    vct: VctRule,
    typ: Vec<String>,
    status_uris: Option<Vec<String>>,
}

#[derive(Clone, Debug)]
enum VctRule {
    Any,
    Listed(Vec<String>),
}

/// `typ` of an SD-JWT VC (draft-ietf-oauth-sd-jwt-vc, section 2.2.1).
pub(crate) const SD_JWT_VC: &str = "dc+sd-jwt";

impl Trust {
    /// Parses a trust list. Members that are not known are refused: one of them might have been a restriction.
    ///
    /// Keys of a JWKS that are not for ES256 are passed over (RFC 7517, section 5), malformed ones are not.
    ///
    /// # Errors
    /// [`Code::TrustMalformed`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let document = json_of(bytes, usize::MAX).map_err(|_| malformed("the trust list is not JSON"))?;
        let document = Members::of(&document, &["issuers"])?;
        let (mut by_iss, mut issuers) = (BTreeMap::new(), Vec::new());
        for entry in document.array("issuers")?.ok_or_else(|| malformed("a trust list has `issuers`"))? {
            let entry = Members::of(entry, &["iss", "jwks", "vct", "any_vct", "typ", "status_uris"])?;
            let iss = entry.text("iss")?.ok_or_else(|| malformed("an issuer has an `iss`"))?;
            let issuer = Issuer::parse(&entry).map_err(|error| error.actual(iss))?;
            if by_iss.insert(iss.to_owned(), issuers.len()).is_some() {
                return Err(malformed("an issuer is listed twice").claim("iss").actual(iss));
            }
            issuers.push(issuer);
        }
        Ok(Self { by_iss, issuers })
    }

    /// The issuer, and its place in the list.
    pub(crate) fn issuer(&self, iss: &str) -> Option<(usize, &Issuer)> {
        let place = *self.by_iss.get(iss)?;
        Some((place, self.issuers.get(place)?))
    }

    /// The issuers that may publish a status list at `uri`, each with its place; only the one that is named, where one is.
    pub(crate) fn publishers(&self, uri: &str, iss: Option<&str>) -> impl Iterator<Item = (usize, &Issuer)> {
        let named = iss.map(|iss| self.by_iss.get(iss));
        let places = self.issuers.iter().enumerate();
        places.filter(move |(place, issuer)| named.is_none_or(|named| named == Some(place)) && issuer.publishes_at(uri))
    }
}

impl Issuer {
    fn parse(entry: &Members<'_>) -> Result<Self, Error> {
        let mut keys = Vec::new();
        // RFC 7517, section 5: members of a set that are not understood are ignored.
        let jwks = entry.0.get("jwks").and_then(|jwks| jwks.get("keys")).and_then(Value::as_array);
        for jwk in jwks.ok_or_else(|| malformed("an issuer has `jwks` with `keys`"))? {
            let jwk = jwk.as_object().ok_or_else(|| malformed("a key is not an object"))?;
            match PublicKey::from_jwk(jwk) {
                Ok(key) => keys.push((jwk.get("kid").and_then(Value::as_str).map(ToOwned::to_owned), key)),
                Err(JwkError::OtherUse) => {}
                Err(JwkError::Malformed(why)) => return Err(malformed(why).claim("jwks")),
            }
        }
        if keys.is_empty() || keys.len() > MAX_ISSUER_KEYS {
            return Err(malformed("an issuer has no ES256 key, or too many").claim("jwks"));
        }
        let typ = entry.strings("typ")?.unwrap_or_else(|| [SD_JWT_VC.to_owned()].into());
        let any_vct = match entry.0.get("any_vct") {
            None => false,
            Some(any_vct) => {
                any_vct.as_bool().ok_or_else(|| malformed("a member is not true or false").claim("any_vct"))?
            }
        };
        let vct = match (any_vct, entry.strings("vct")?) {
            (true, None) => VctRule::Any,
            (true, Some(_)) => return Err(malformed("`vct` and `any_vct` exclude each other").claim("vct")),
            (false, None) if typ.iter().any(|typ| typ == SD_JWT_VC) => {
                return Err(
                    malformed("an issuer lists its `vct`; `any_vct` would trust it for every type").claim("vct")
                );
            }
            (false, listed) => VctRule::Listed(listed.unwrap_or_default()),
        };
        Ok(Self { keys, vct, typ, status_uris: entry.strings("status_uris")? })
    }

    /// Whether `uri` is one of `status_uris`, or below one that ends with a slash. Without `status_uris` any will do.
    fn publishes_at(&self, uri: &str) -> bool {
        let covers = |listed: &String| listed == uri || listed.ends_with('/') && uri.starts_with(listed.as_str());
        self.status_uris.as_ref().is_none_or(|listed| listed.iter().any(covers))
    }

    /// The keys that fit the `kid` of a header; all of them when it names none. A key without one fits any.
    pub(crate) fn keys<'a>(&'a self, kid: Option<&'a str>) -> impl Iterator<Item = &'a PublicKey> {
        self.keys
            .iter()
            .filter(move |(known, _)| kid.is_none() || known.is_none() || known.as_deref() == kid)
            .map(|(_, key)| key)
    }

    pub(crate) fn allows_typ(&self, typ: &str) -> bool {
        self.typ.iter().any(|allowed| allowed == typ)
    }

    pub(crate) fn typ(&self) -> &[String] {
        &self.typ
    }

    pub(crate) fn allows_vct(&self, vct: &str) -> bool {
        match &self.vct {
            VctRule::Any => true,
            VctRule::Listed(listed) => listed.iter().any(|allowed| allowed == vct),
        }
    }
}

/// An object that has no members but those that are known.
struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    fn of(value: &'a Value, known: &[&str]) -> Result<Self, Error> {
        let members = value.as_object().ok_or_else(|| malformed("a trust list is made of objects"))?;
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self(members)),
            Some(unknown) => Err(malformed("a member is not known").claim(unknown)),
        }
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, Error> {
        let text = |value: &'a Value| value.as_str().ok_or_else(|| malformed("a member is not a string").claim(name));
        self.0.get(name).map(text).transpose()
    }

    fn array(&self, name: &str) -> Result<Option<&'a Vec<Value>>, Error> {
        let array =
            |value: &'a Value| value.as_array().ok_or_else(|| malformed("a member is not an array").claim(name));
        self.0.get(name).map(array).transpose()
    }

    fn strings(&self, name: &str) -> Result<Option<Vec<String>>, Error> {
        if !self.0.contains_key(name) {
            return Ok(None);
        }
        let found =
            strings(self.0.get(name)).ok_or_else(|| malformed("a member is not an array of strings").claim(name));
        found.map(Some)
    }
}

fn malformed(why: &'static str) -> Error {
    Error::new(Code::TrustMalformed, why)
}
