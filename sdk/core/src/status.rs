//! Token Status Lists (draft-ietf-oauth-status-list-21): which credentials were revoked or suspended since they were issued.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use serde_json::Value;

use crate::credential::{integer, numeric_date};
use crate::cwt;
use crate::encoding::{base64url, decimal, seconds};
use crate::error::{Code, Error};
use crate::expected::Challenge;
use crate::explain::Trace;
use crate::jwk::PublicKey;
use crate::jws::{Jws, JwsError};
use crate::limits::{MAX_STATUS_BYTES, MAX_STATUS_LIST_BYTES, MAX_STATUS_TOKEN_BYTES};
use crate::trust::{Purpose, Signer, Trust};

/// What a list that is held has been through.
const CHECKS_OF_LISTS: &[Code] = &[
    Code::StatusMalformed,
    Code::StatusTooLarge,
    Code::StatusAlgorithm,
    Code::StatusType,
    Code::StatusUntrusted,
    Code::StatusSignature,
    Code::StatusFuture,
    Code::StatusRollback,
];

/// What is known of the status of a credential that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The credential names no status list.
    NotReferenced,
    /// No status list was at hand, and the caller did not insist: a revoked credential would go unnoticed.
    NotChecked,
    /// The status list says that it is valid.
    Valid,
}

/// What a status list token says of itself, for whoever has to fetch the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusListInfo {
    /// `sub`: where it is published.
    pub uri: String,
    /// `iat`, seconds since 1970.
    pub issued_at: u64,
    /// `exp`, seconds since 1970: of no use from then on.
    pub expires: Option<u64>,
    /// `ttl`: seconds after which to fetch it anew.
    pub ttl: Option<u64>,
    /// Names of those in the trust list who signed it: the next of theirs with this `uri` takes its place.
    pub issuers: Vec<String>,
}

/// Where a credential's status stands (section 6.2).
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) uri: String,
    pub(crate) index: u64,
}

/// The status lists that a verifier holds, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatusLists {
    /// In the order of `uri`. Lists with one `uri` are of different issuers.
    lists: Vec<StatusList>,
}

/// A status list whose signature holds.
#[derive(Clone, Debug)]
struct StatusList {
    uri: String,
    /// Places in the trust list of those who signed it.
    issuers: Vec<usize>,
    issued_at: u64,
    expires: Option<u64>,
    /// Bits of one status: 1, 2, 4 or 8.
    bits: u8,
    statuses: Box<[u8]>,
}

/// What a status list token says, in either format. Nothing in it was verified.
pub(crate) struct Claims {
    /// `iss`, which the draft does not ask for but its examples have.
    pub(crate) issuer: Option<String>,
    pub(crate) uri: String,
    pub(crate) issued_at: u64,
    pub(crate) starts: Option<u64>,
    pub(crate) expires: Option<u64>,
    pub(crate) ttl: Option<u64>,
    pub(crate) bits: u8,
    /// Compressed.
    pub(crate) list: Vec<u8>,
}

impl StatusLists {
    /// Takes in a status list token (section 5): every check of it, in order. What is held stays as it is on an error.
    pub(crate) fn update(&mut self, token: &[u8], trust: &Trust, now: u64) -> Result<StatusListInfo, Error> {
        let (claims, issuers) = signed(token, trust, now)?;
        let latest = now.saturating_add(Challenge::DEFAULT_CLOCK_TOLERANCE.into());
        if claims.issued_at > latest || claims.starts.is_some_and(|starts| starts > latest) {
            let error = Error::new(Code::StatusFuture, "the status list comes from the future");
            return Err(error.claim("iat").expected(&decimal(latest)).actual(&decimal(claims.issued_at)));
        }
        if claims.expires.is_some_and(|expires| now >= expires) {
            return Err(stale("the status list has expired", &claims.uri));
        }
        let of_these = |list: &StatusList| list.issuers.iter().any(|issuer| issuers.contains(issuer));
        if let Some(newer) = self.of(&claims.uri).find(|list| of_these(list) && list.issued_at > claims.issued_at) {
            let error = Error::new(Code::StatusRollback, "a newer status list is held").claim(&claims.uri);
            return Err(error.expected(&decimal(newer.issued_at)).actual(&decimal(claims.issued_at)));
        }
        let statuses = inflate(&claims.list)?;
        // These issuers' earlier list goes; the list of others with the same `uri` stays theirs.
        let kept = |list: &StatusList| list.uri != claims.uri || !list.issuers.iter().all(|one| issuers.contains(one));
        let held = self.lists.iter().filter(|list| kept(list)).map(|list| list.statuses.len()).sum::<usize>();
        if held.saturating_add(statuses.len()) > MAX_STATUS_BYTES {
            return Err(Error::new(Code::StatusTooLarge, "the status lists have too many bytes together"));
        }
        self.lists.retain(kept);
        for list in self.lists.iter_mut().filter(|list| list.uri == claims.uri) {
            list.issuers.retain(|issuer| !issuers.contains(issuer));
        }
        let place = self.lists.partition_point(|list| list.uri < claims.uri);
        let Claims { uri, issued_at, expires, ttl, bits, .. } = claims;
        let names = issuers.iter().filter_map(|issuer| trust.name_at(*issuer)).map(ToOwned::to_owned).collect();
        self.lists.insert(place, StatusList { uri: uri.clone(), issuers, issued_at, expires, bits, statuses });
        Ok(StatusListInfo { uri, issued_at, expires, ttl, issuers: names })
    }

    fn of<'a>(&'a self, uri: &'a str) -> impl Iterator<Item = &'a StatusList> {
        let first = self.lists.partition_point(|list| list.uri.as_str() < uri);
        self.lists.iter().skip(first).take_while(move |list| list.uri == uri)
    }

    /// What the list of this issuer says of a credential (section 8.3, steps 2 to 6).
    pub(crate) fn check(
        &self,
        issuer: usize,
        reference: &Reference,
        challenge: &Challenge,
        trace: &mut Trace,
    ) -> Result<(), Error> {
        let Some(list) = self.of(&reference.uri).find(|list| list.issuers.contains(&issuer)) else {
            let error = Error::new(Code::StatusMissing, "the issuer's status list is not at hand");
            return Err(error.claim(&reference.uri));
        };
        trace.passed(CHECKS_OF_LISTS);
        trace.passed(&[Code::StatusMissing]);
        // Never stretched: what lost its validity between two clocks is fetched again.
        if list.expires.is_some_and(|expires| challenge.now() >= expires) {
            return Err(stale("the status list has expired", &list.uri));
        }
        let age = challenge.now().saturating_sub(list.issued_at);
        if age > challenge.status_max_age() {
            let (most, age) = (seconds(challenge.status_max_age()), seconds(age));
            return Err(stale("the status list is too old", &list.uri).expected(&most).actual(&age));
        }
        trace.passed(&[Code::StatusStale]);
        let refused = |code, why| Error::new(code, why).claim("status.status_list").actual(&decimal(reference.index));
        match list.status(reference.index) {
            None => Err(refused(Code::StatusIndex, "the status list has no such index")),
            Some(0) => {
                trace.passed(&[Code::StatusIndex, Code::StatusRevoked, Code::StatusSuspended, Code::StatusUnknown]);
                Ok(())
            }
            Some(1) => Err(refused(Code::StatusRevoked, "the credential was revoked")),
            Some(2) => Err(refused(Code::StatusSuspended, "the credential is suspended")),
            Some(_) => Err(refused(Code::StatusUnknown, "the credential has a status that is not known")),
        }
    }
}

impl Claims {
    /// Sections 5.1 and 5.2: `ttl` is a positive number.
    pub(crate) fn hold(&self) -> bool {
        self.ttl != Some(0) && !self.uri.is_empty()
    }
}

impl StatusList {
    /// Section 4.1: from the least significant bit of each byte.
    fn status(&self, index: u64) -> Option<u8> {
        let bits = u64::from(self.bits);
        let first = index.checked_mul(bits)?;
        let byte = self.statuses.get(usize::try_from(first / 8).ok()?)?;
        let shift = u32::try_from(first % 8).ok()?;
        let mask = u8::MAX.checked_shr(8_u32.saturating_sub(u32::from(self.bits)))?;
        Some(byte.checked_shr(shift)? & mask)
    }
}

/// What a status list token says, and whose list it is.
fn signed(token: &[u8], trust: &Trust, now: u64) -> Result<(Claims, Vec<usize>), Error> {
    if token.len() > MAX_STATUS_TOKEN_BYTES {
        return Err(Error::new(Code::StatusTooLarge, "the status list token has too many bytes"));
    }
    match token.first() {
        // A tagged item of CBOR; no JWT starts like that.
        Some(0xc0..) => cwt::signed(token, trust, now),
        _ => signed_jwt(token, trust, now),
    }
}

/// Section 5.1, and whose list it is.
fn signed_jwt(token: &[u8], trust: &Trust, now: u64) -> Result<(Claims, Vec<usize>), Error> {
    let token = core::str::from_utf8(token).map_err(|_| malformed("the status list token is neither JWT nor CWT"))?;
    let jws = Jws::parse(token.trim_ascii()).map_err(|error| match error {
        JwsError::Malformed(why) | JwsError::Unsupported(why) => malformed(why),
        JwsError::TooLarge => Error::new(Code::StatusTooLarge, "the status list token has too many values"),
    })?;
    if !jws.header.is_es256() {
        return Err(algorithm());
    }
    if jws.header.text("typ") != Some("statuslist+jwt") {
        return Err(typ("statuslist+jwt", jws.header.text("typ")));
    }
    let claims = jwt_claims(&jws)
        .filter(Claims::hold)
        .ok_or_else(|| malformed("the status list token lacks a claim, or one is malformed"))?;
    let issuers = signers(&claims, trust, &jws.header.signer(), now, &|key| jws.verified_by(key))?;
    Ok((claims, issuers))
}

/// Section 5.1: the claims set.
fn jwt_claims(jws: &Jws<'_>) -> Option<Claims> {
    let time = |name| match jws.payload.get(name) {
        None => Some(None),
        Some(found) => numeric_date(found).map(Some),
    };
    let text = |name| jws.payload.get(name).and_then(Value::as_str);
    let list = jws.payload.get("status_list")?;
    Some(Claims {
        issuer: match jws.payload.get("iss") {
            None => None,
            Some(_) => Some(text("iss")?.to_owned()),
        },
        uri: text("sub")?.to_owned(),
        issued_at: time("iat")??,
        starts: time("nbf")?,
        expires: time("exp")?,
        ttl: time("ttl")?,
        bits: bits(integer(list.get("bits"))?)?,
        list: base64url(list.get("lst")?.as_str()?)?,
    })
}

pub(crate) fn bits(found: u64) -> Option<u8> {
    [1, 2, 4, 8].into_iter().find(|bits| u64::from(*bits) == found)
}

/// Section 11.3: the issuers of the trust list who signed the token and publish at this `uri`.
pub(crate) fn signers(
    claims: &Claims,
    trust: &Trust,
    signer: &Signer<'_>,
    now: u64,
    verified_by: &dyn Fn(&PublicKey) -> bool,
) -> Result<Vec<usize>, Error> {
    let (mut signers, mut tried) = (Vec::new(), false);
    for (place, issuer) in trust.publishers(&claims.uri, claims.issuer.as_deref()) {
        if let Ok(keys) = issuer.keys(signer, now, Purpose::StatusList) {
            tried = true;
            if keys.iter().any(verified_by) {
                signers.push(place);
            }
        }
    }
    match (signers.is_empty(), tried) {
        (false, _) => Ok(signers),
        (true, true) => Err(Error::new(Code::StatusSignature, "the status list's signature does not verify")),
        (true, false) => {
            let error = Error::new(Code::StatusUntrusted, "no trusted issuer publishes this status list with that key");
            Err(error.claim(&claims.uri))
        }
    }
}

fn inflate(compressed: &[u8]) -> Result<Box<[u8]>, Error> {
    match decompress_to_vec_zlib_with_limit(compressed, MAX_STATUS_LIST_BYTES) {
        Ok(statuses) => Ok(statuses.into_boxed_slice()),
        Err(error) if error.status == miniz_oxide::inflate::TINFLStatus::HasMoreOutput => {
            Err(Error::new(Code::StatusTooLarge, "the status list has too many bytes once it is decompressed"))
        }
        Err(_) => Err(malformed("the status list is not ZLIB")),
    }
}

pub(crate) fn malformed(why: &'static str) -> Error {
    Error::new(Code::StatusMalformed, why)
}

pub(crate) fn algorithm() -> Error {
    Error::new(Code::StatusAlgorithm, "the status list is not signed with ES256")
}

pub(crate) fn typ(expected: &str, found: Option<&str>) -> Error {
    let error = Error::new(Code::StatusType, "the status list token is of another media type");
    error.claim("typ").expected(expected).actual(found.unwrap_or_default())
}

fn stale(why: &'static str, uri: &str) -> Error {
    Error::new(Code::StatusStale, why).claim(uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cose::{self, Label};
    use alloc::string::ToString as _;
    use serde_json::json;

    /// What the draft prints: lists, their statuses, and a token of each format with the key that signed it.
    fn published() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/published/status-list.json");
        serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
    }

    fn base16(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).expect("ASCII"));
        digits.map(|pair| u8::from_str_radix(pair, 16).expect("a digit")).collect()
    }

    #[test]
    fn every_index_that_the_draft_prints() {
        let published = published();
        let mut printed = 0;
        for list in published["lists"].as_array().expect("lists") {
            let cbor = base16(list["cbor"].as_str().expect("CBOR"));
            let members = cose::map(&cbor).expect("a map");
            let from_cbor = cose::value(&members, Label::Text("lst")).and_then(cose::bytes).expect("bytes");
            let from_json = base64url(list["lst"].as_str().expect("text")).expect("base64url");
            let bits = bits(list["bits"].as_u64().expect("a number")).expect("bits");
            let entries = list["entries"].as_u64().expect("a number");
            for compressed in [from_cbor, from_json.as_slice()] {
                let statuses = inflate(compressed).expect("ZLIB");
                let list =
                    StatusList { uri: String::new(), issuers: Vec::new(), issued_at: 0, expires: None, bits, statuses };
                let mut expected = std::vec![0; usize::try_from(entries).expect("a size")];
                for pair in published_statuses(&published, bits, entries) {
                    expected[pair.0] = pair.1;
                    printed += 1;
                }
                let found = (0..entries).map(|index| list.status(index).expect("in bounds")).collect::<Vec<_>>();
                assert!(found == expected, "{bits} bits, {entries} entries");
                assert_eq!(list.status(entries), None);
                assert_eq!(list.status(u64::MAX), None);
            }
        }
        // 16 + 12 + 11 + 11 + 15 + 256, in either encoding.
        assert_eq!(printed, 2 * 321);
    }

    fn published_statuses(published: &Value, bits: u8, entries: u64) -> Vec<(usize, u8)> {
        let mut lists = published["lists"].as_array().expect("lists").iter();
        let list = lists.find(|list| list["bits"] == bits && list["entries"] == entries).expect("a list");
        serde_json::from_value(list["statuses"].clone()).expect("statuses")
    }

    #[test]
    fn the_drafts_tokens_verify() {
        let published = published();
        let trust =
            json!({"issuers": [{"iss": "https://example.com", "vct": ["x"], "jwks": {"keys": [published["key"]]}}]});
        let trust = Trust::from_json(trust.to_string().as_bytes()).expect("a trust list");
        let jwt = published["jwt"].as_str().expect("a JWT").as_bytes().to_vec();
        let cwt = base16(published["cwt"].as_str().expect("a CWT"));
        for token in [jwt, cwt] {
            let mut lists = StatusLists::default();
            let info = lists.update(&token, &trust, 1_686_920_170).expect("verifies");
            assert_eq!(info.uri, "https://example.com/statuslists/1");
            assert_eq!((info.issued_at, info.expires, info.ttl), (1_686_920_170, Some(2_291_720_170), Some(43_200)));
            let statuses = (0..16).map(|index| lists.lists[0].status(index).expect("in bounds"));
            assert!(statuses.eq([1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]));
            // Of a CWT the unprotected header may be changed: what it says is not signed.
            for place in 0..token.len() {
                let mut changed = token.clone();
                changed[place] ^= 1;
                let mut held = StatusLists::default();
                if let Ok(found) = held.update(&changed, &trust, 1_686_920_170) {
                    assert!(token[0] == 0xd2, "byte {place}");
                    assert_eq!((found, &held.lists[0].statuses), (info.clone(), &lists.lists[0].statuses));
                }
            }
        }
    }
}
