//! Whom a relying party trusts: issuers and their keys.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::credential::{integer, strings};
use crate::encoding::{Places, json_of};
use crate::error::{Code, Error};
use crate::jwk::{JwkError, PublicKey};
use crate::limits::MAX_ISSUER_KEYS;
use crate::roots::Roots;

/// A trust list: for each issuer whose signature it is known by, and the credential types that it is trusted for.
///
/// ```json
/// {"issuers": [{
///   "iss": "https://wallet.example",
///   "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "x": "...", "y": "...", "exp": 1800000000}]},
///   "vct": ["urn:bandpass:band:1"],
///   "status_uris": ["https://wallet.example/status/"]
/// }, {
///   "x5c_roots": ["MII..."],
///   "leaf": {"san_dns": "issuer.example"},
///   "eku": ["1.3.6.1.4.1.99999.1"],
///   "vct": ["urn:example:pid:de"],
///   "aka_vcts": ["urn:example:pid"]
/// }, {
///   "x5c_roots": ["-----BEGIN CERTIFICATE-----..."],
///   "iss": "https://dmv.example",
///   "doctypes": ["org.iso.18013.5.1.mDL"]
/// }]}
/// ```
///
/// `status_uris` are the status lists that the issuer publishes, or folders of them, each with a slash at its end. Without
/// it the issuer may publish anywhere.
///
/// `docs/trust-list.schema.json` is its JSON Schema. An entry has `jwks` or `x5c_roots`, never both:
///
/// - With `jwks`, `iss` names the issuer, and `kid` chooses among its keys. A key may have `nbf` and `exp` (seconds since
///   1970): it counts from the first until before the second. One with `revoked` never counts (these are the parameters of
///   `OpenID` Federation 1.0). Certificates in a token are ignored.
/// - With `x5c_roots`, a token brings its chain (`x5c`), which must lead to one of these roots (base64 of DER, or PEM), by ECDSA
///   with SHA-256 on P-256 throughout; other curves are not supported. Every certificate, the root included, must be valid
///   at the time of the challenge, without tolerance. The chain must not contain the root (HAIP 1.0, section 6.1.1).
///   `leaf` is what the signer's certificate must be called: one of `san_uri`, `san_dns` and `subject` (RFC 4514, as
///   `openssl x509 -subject -nameopt RFC2253` prints it), each compared exactly. It must have the key usage
///   `digitalSignature` and, where `eku` is given, one of these extended key usages. A certificate with extended key
///   usages of which none is in `eku` is refused, unless it has `anyExtendedKeyUsage` and `eku` is not given.
///
/// Issuers are known by `iss`. With `x5c_roots` it is the name of the leaf: the URI of `san_uri`, `https://` and the host
/// of `san_dns`, or the subject. A token's `iss`, if there is one, must be that URI; a token without one belongs to the
/// entry whose `leaf` its certificate fits. An entry with `san_dns` may have an `iss` of its own, an `https` URL with that
/// host.
///
/// - With `doctypes` besides `x5c_roots`, the issuer is trusted for mdocs of these types, whose `x5chain` must lead to one of the
///   roots (ISO/IEC 18013-5, annex B). Their signer's certificate must have the extended key usage 1.0.18013.5.1.2 unless `eku`
///   names others. An entry that has neither `vct`, `any_vct`, `aka_vcts` nor `typ` is for mdocs alone: it may leave out `leaf`,
///   then any such certificate will do, and `iss` is what the issuer is called. Another entry may have the same `iss`.
///
/// Status lists of an issuer are signed by the same keys, or below the same roots by a certificate as `status_leaf` and
/// `status_eku` say, which are `leaf` and `eku` unless given.
///
/// Instead of `vct`, `"any_vct": true` trusts the issuer for every type, which weakens the verdict. What a credential says
/// in `aka_vcts` counts only for types that the entry lists under `aka_vcts`. `"typ"` lists the
/// `typ` values that the issuer's credentials may have, `["dc+sd-jwt"]` unless given; any other makes plain SD-JWTs
/// (RFC 9901) acceptable, which need no `vct`.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Place in `issuers`, of those that are not for mdocs alone.
    by_iss: Places,
    issuers: Vec<Issuer>,
}

#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    /// `iss`, or what the certificate says in its place.
    name: String,
    anchors: Anchors,
    vct: VctRule,
    aka_vcts: Vec<String>,
    #[cfg_attr(not(feature = "mdoc"), expect(dead_code, reason = "there are no mdocs"))]
    doctypes: Vec<String>,
    typ: Vec<String>,
    status_uris: Option<Vec<String>>,
}

/// What a signature is traced to.
#[derive(Clone, Debug)]
enum Anchors {
    Keys(Vec<Key>),
    Roots(Roots),
}

/// A key of a JWKS.
#[derive(Clone, Debug)]
struct Key {
    kid: Option<String>,
    starts: u64,
    ends: u64,
    key: PublicKey,
}

#[derive(Clone, Debug)]
enum VctRule {
    Any,
    Listed(Vec<String>),
}

/// What a signed object says of whose signature it is: a JWS in `kid` and `x5c`, a COSE object in `kid` and `x5chain`.
pub(crate) struct Signer<'a> {
    pub(crate) kid: Option<&'a str>,
    /// Certificates in DER, the signer's first; empty if there are none, `None` if they can't be read.
    pub(crate) chain: Option<Vec<Vec<u8>>>,
}

/// What was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Credential,
    #[cfg(feature = "mdoc")]
    Mdoc,
    StatusList,
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
        let (mut by_iss, mut of_mdocs, mut issuers) = (Places::default(), Places::default(), Vec::new());
        for entry in document.array("issuers")?.ok_or_else(|| malformed("a trust list has `issuers`"))? {
            let entry = Members::of(entry, MEMBERS)?;
            let issuer = Issuer::parse(&entry)?;
            let names = if entry.is_for_mdocs_alone() { &mut of_mdocs } else { &mut by_iss };
            if !names.insert(issuer.name.clone(), issuers.len()) {
                return Err(malformed("an issuer is listed twice").claim("iss").actual(&issuer.name));
            }
            issuers.push(issuer);
        }
        Ok(Self { by_iss, issuers })
    }

    /// Whether the entry of this issuer names `uri` in its `status_uris`, or a folder that it is in: then a status list may
    /// be fetched from there unasked. An entry without `status_uris` names nothing, though its issuer may publish anywhere.
    #[must_use]
    pub fn names_status_uri(&self, iss: &str, uri: &str) -> bool {
        let mut named = self.issuers.iter().filter(|issuer| issuer.name == iss && issuer.status_uris.is_some());
        named.any(|issuer| issuer.publishes_at(uri))
    }

    pub(crate) fn name_at(&self, place: usize) -> Option<&str> {
        self.issuers.get(place).map(Issuer::name)
    }

    /// The issuer, and its place in the list.
    pub(crate) fn issuer(&self, iss: &str) -> Option<(usize, &Issuer)> {
        let place = self.by_iss.get(iss)?;
        Some((place, self.issuers.get(place)?))
    }

    /// The issuers that may publish a status list at `uri`, each with its place; only those that are named, where some are.
    pub(crate) fn publishers<'a>(
        &'a self,
        uri: &'a str,
        iss: Option<&'a str>,
    ) -> impl Iterator<Item = (usize, &'a Issuer)> {
        let issuers = self.issuers.iter().enumerate();
        issuers.filter(move |(_, issuer)| iss.is_none_or(|iss| issuer.name == iss) && issuer.publishes_at(uri))
    }

    /// The first entry whose `leaf` is the signer's certificate, for tokens without `iss`. Nothing is verified yet.
    pub(crate) fn issuer_of(&self, signer: &Signer<'_>) -> Option<(usize, &Issuer)> {
        let leaf = signer.chain.as_ref()?.first()?;
        self.issuers.iter().enumerate().find(|(_, issuer)| match &issuer.anchors {
            Anchors::Keys(_) => false,
            Anchors::Roots(roots) => roots.name(leaf),
        })
    }

    /// The entry that an mdoc's certificates lead to, and the signer's key: one that lists the type, if there is such a one.
    ///
    /// # Errors
    /// As [`Issuer::keys`]; of several entries that might have been the one that got furthest.
    #[cfg(feature = "mdoc")]
    pub(crate) fn issuer_of_mdoc(
        &self,
        signer: &Signer<'_>,
        doctype: &str,
        now: u64,
    ) -> Result<(usize, &Issuer, PublicKey), Error> {
        let mut furthest =
            Error::new(Code::IssuerUntrusted, "nothing tells which trusted issuer it is").claim("x5chain");
        let issuers = || self.issuers.iter().enumerate().filter(|(_, issuer)| !issuer.doctypes.is_empty());
        let lists = |issuer: &Issuer| issuer.lists_doctype(doctype);
        for (place, issuer) in issuers().filter(|(_, one)| lists(one)).chain(issuers().filter(|(_, one)| !lists(one))) {
            let Anchors::Roots(roots) = &issuer.anchors else { continue };
            match roots.key(signer.chain.as_deref(), now, Purpose::Mdoc) {
                Ok(key) => return Ok((place, issuer, key)),
                Err(error) if error.code() > furthest.code() => furthest = error,
                Err(_) => {}
            }
        }
        Err(furthest)
    }
}

/// Members of an entry.
const MEMBERS: &[&str] = &[
    "iss",
    "jwks",
    "x5c_roots",
    "leaf",
    "eku",
    "status_leaf",
    "status_eku",
    "vct",
    "any_vct",
    "aka_vcts",
    "doctypes",
    "typ",
    "status_uris",
];

impl Issuer {
    fn parse(entry: &Members<'_>) -> Result<Self, Error> {
        let iss = entry.text("iss")?;
        let (name, anchors) = match (entry.0.get("jwks"), entry.array("x5c_roots")?) {
            (Some(jwks), None) => {
                if let Some(other) =
                    ["leaf", "eku", "status_leaf", "status_eku", "doctypes"].iter().find(|name| entry.has(name))
                {
                    return Err(malformed("only an entry with `x5c_roots` has this member").claim(other));
                }
                (iss.ok_or_else(|| malformed("an issuer has an `iss`"))?.to_owned(), Anchors::keys(jwks)?)
            }
            (None, Some(roots)) => {
                let (name, roots) = Roots::parse(roots, entry, iss)?;
                (name, Anchors::Roots(roots))
            }
            _ => return Err(malformed("an issuer has `jwks` or `x5c_roots`, and not both").claim("jwks")),
        };
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
            (false, None) if !entry.is_for_mdocs_alone() && typ.iter().any(|typ| typ == SD_JWT_VC) => {
                return Err(
                    malformed("an issuer lists its `vct`; `any_vct` would trust it for every type").claim("vct")
                );
            }
            (false, listed) => VctRule::Listed(listed.unwrap_or_default()),
        };
        let aka_vcts = entry.strings("aka_vcts")?.unwrap_or_default();
        let doctypes = entry.strings("doctypes")?.unwrap_or_default();
        Ok(Self { name, anchors, vct, aka_vcts, doctypes, typ, status_uris: entry.strings("status_uris")? })
    }

    /// Whether `uri` is one of `status_uris`, or below one that ends with a slash. Without `status_uris` any will do.
    fn publishes_at(&self, uri: &str) -> bool {
        let covers = |listed: &String| listed == uri || listed.ends_with('/') && uri.starts_with(listed.as_str());
        self.status_uris.as_ref().is_none_or(|listed| listed.iter().any(covers))
    }

    /// `iss`, or what the signer's certificate says in its place.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The keys that may have signed, at least one: those of the JWKS that fit, or that of the signer's certificate, whose
    /// chain is checked here. Whether one of them did sign is for the caller to find out.
    ///
    /// # Errors
    /// [`Code::IssuerUntrusted`], `issuer.certificate*`, [`Code::IssuerNotYetValid`], [`Code::IssuerExpired`] or
    /// [`Code::TokenTooLarge`], in the order of the codes.
    pub(crate) fn keys(&self, signer: &Signer<'_>, now: u64, purpose: Purpose) -> Result<Vec<PublicKey>, Error> {
        match &self.anchors {
            Anchors::Keys(keys) => keys_at(keys, signer.kid, now),
            Anchors::Roots(roots) => roots.key(signer.chain.as_deref(), now, purpose).map(|key| [key].into()),
        }
    }

    /// The authorities that the certificates of a chain name (RFC 5280, section 4.2.1.1), once [`Issuer::keys`] checked it.
    pub(crate) fn authority_key_ids(&self, signer: &Signer<'_>) -> Vec<Vec<u8>> {
        match &self.anchors {
            Anchors::Keys(_) => Vec::new(),
            Anchors::Roots(roots) => roots.authority_key_ids(signer.chain.as_deref().unwrap_or_default()),
        }
    }

    /// The checks that [`Issuer::keys`] does beyond finding a key.
    pub(crate) fn checks_of_keys(&self) -> &'static [Code] {
        match &self.anchors {
            Anchors::Keys(_) => &[Code::IssuerNotYetValid, Code::IssuerExpired],
            Anchors::Roots(_) => &[
                Code::IssuerCertificate,
                Code::IssuerCertificateName,
                Code::IssuerCertificateUsage,
                Code::IssuerCertificatePath,
                Code::IssuerNotYetValid,
                Code::IssuerExpired,
            ],
        }
    }

    pub(crate) fn allows_typ(&self, typ: &str) -> bool {
        self.typ.iter().any(|allowed| allowed == typ)
    }

    pub(crate) fn typ(&self) -> &[String] {
        &self.typ
    }

    #[cfg(feature = "mdoc")]
    pub(crate) fn lists_doctype(&self, doctype: &str) -> bool {
        self.doctypes.iter().any(|listed| listed == doctype)
    }

    /// The types of a credential that count: its `vct` if it is allowed, and of its `aka_vcts` those that are listed.
    pub(crate) fn types(&self, vct: Option<&str>, aka_vcts: &[String]) -> Vec<String> {
        let allowed = |vct: &&str| match &self.vct {
            VctRule::Any => true,
            VctRule::Listed(listed) => listed.iter().any(|allowed| allowed == vct),
        };
        let aka_vcts = aka_vcts.iter().filter(|aka| self.aka_vcts.contains(aka)).map(String::as_str);
        vct.filter(allowed).into_iter().chain(aka_vcts).map(ToOwned::to_owned).collect()
    }
}

impl Anchors {
    fn keys(jwks: &Value) -> Result<Self, Error> {
        let mut keys = Vec::new();
        // RFC 7517, section 5: members of a set that are not understood are ignored.
        let jwks = jwks.get("keys").and_then(Value::as_array);
        for jwk in jwks.ok_or_else(|| malformed("`jwks` has `keys`").claim("jwks"))? {
            let jwk = jwk.as_object().ok_or_else(|| malformed("a key is not an object").claim("jwks"))?;
            let time = |name, default| match jwk.get(name) {
                None => Ok(default),
                found => integer(found).ok_or_else(|| malformed("a time of a key is no whole number").claim(name)),
            };
            let (starts, ends) = (time("nbf", 0)?, time("exp", u64::MAX)?);
            match PublicKey::from_jwk(jwk) {
                Ok(_) if jwk.contains_key("revoked") => {}
                Ok(key) => {
                    let kid = jwk.get("kid").and_then(Value::as_str).map(ToOwned::to_owned);
                    keys.push(Key { kid, starts, ends, key });
                }
                Err(JwkError::OtherUse) => {}
                Err(JwkError::Malformed(why)) => return Err(malformed(why).claim("jwks")),
            }
        }
        if keys.is_empty() || keys.len() > MAX_ISSUER_KEYS {
            return Err(malformed("an issuer has no ES256 key, or too many").claim("jwks"));
        }
        Ok(Self::Keys(keys))
    }
}

/// The keys that fit the `kid` of a header and count now. Those without `kid`, in the header or in the list, fit any.
fn keys_at(keys: &[Key], kid: Option<&str>, now: u64) -> Result<Vec<PublicKey>, Error> {
    let fitting = keys.iter().filter(|key| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid);
    let (mut counting, mut early, mut late) = (Vec::new(), false, false);
    for key in fitting {
        match (now < key.starts, now >= key.ends) {
            (false, false) => counting.push(key.key.clone()),
            (_, true) => late = true,
            (true, false) => early = true,
        }
    }
    let error = match (counting.is_empty(), early, late) {
        (false, _, _) => return Ok(counting),
        (true, _, true) => Error::new(Code::IssuerExpired, "the issuer's key is not valid any more"),
        (true, true, false) => Error::new(Code::IssuerNotYetValid, "the issuer's key is not valid yet"),
        (true, false, false) => Error::new(Code::IssuerUntrusted, "the issuer has no such key in the trust list"),
    };
    Err(error.claim("kid").actual(kid.unwrap_or_default()))
}

/// An object that has no members but those that are known.
pub(crate) struct Members<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Members<'a> {
    pub(crate) fn of(value: &'a Value, known: &[&str]) -> Result<Self, Error> {
        let members = value.as_object().ok_or_else(|| malformed("a trust list is made of objects"))?;
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self(members)),
            Some(unknown) => Err(malformed("a member is not known").claim(unknown)),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether an entry is for mdocs, and can't be for anything else.
    pub(crate) fn is_for_mdocs_alone(&self) -> bool {
        cfg!(feature = "mdoc")
            && self.has("doctypes")
            && !["vct", "any_vct", "aka_vcts", "typ"].iter().any(|name| self.has(name))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, Error> {
        let text = |value: &'a Value| value.as_str().ok_or_else(|| malformed("a member is not a string").claim(name));
        self.0.get(name).map(text).transpose()
    }

    fn array(&self, name: &str) -> Result<Option<&'a Vec<Value>>, Error> {
        let array =
            |value: &'a Value| value.as_array().ok_or_else(|| malformed("a member is not an array").claim(name));
        self.0.get(name).map(array).transpose()
    }

    pub(crate) fn strings(&self, name: &str) -> Result<Option<Vec<String>>, Error> {
        if !self.has(name) {
            return Ok(None);
        }
        let found =
            strings(self.0.get(name)).ok_or_else(|| malformed("a member is not an array of strings").claim(name));
        found.map(Some)
    }
}

pub(crate) fn malformed(why: &'static str) -> Error {
    Error::new(Code::TrustMalformed, why)
}
