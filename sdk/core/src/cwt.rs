//! Status list tokens as CWT (draft-ietf-oauth-status-list-21, section 5.2).

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use crate::cose::{self, Label, Message};
use crate::error::Error;
use crate::limits::MAX_INTEGER;
use crate::status::{Claims, algorithm, bits, malformed, signers, typ};
use crate::trust::{Signer, Trust};

/// What one says, and whose list it is.
pub(crate) fn signed(token: &[u8], trust: &Trust, now: u64) -> Result<(Claims, Vec<usize>), Error> {
    let message = Message::parse_tagged(token).and_then(|message| Some((message.payload?, message)));
    let (payload, message) = message.ok_or_else(|| malformed("the status list token is not a tagged COSE_Sign1"))?;
    if !message.is_es256() {
        return Err(algorithm());
    }
    if message.media_type() != Some("application/statuslist+cwt") {
        return Err(typ("application/statuslist+cwt", message.media_type()));
    }
    let claims = claims(payload).filter(Claims::hold);
    let claims = claims.ok_or_else(|| malformed("the status list token lacks a claim, or one is malformed"))?;
    let kid = message.kid().map(core::str::from_utf8).transpose();
    let kid = kid.map_err(|_| malformed("the status list token has a `kid` that is not text"))?;
    let signer = Signer { kid, chain: message.chain() };
    let issuers = signers(&claims, trust, &signer, now, &|key| message.verified_by(key, payload))?;
    Ok((claims, issuers))
}

/// The claims set (RFC 8392, section 3).
fn claims(payload: &[u8]) -> Option<Claims> {
    let claims = cose::map(payload)?;
    let claim = |key| cose::value(&claims, Label::Number(key));
    let whole = |encoded| u64::try_from(cose::number(encoded)?).ok().filter(|number| *number <= MAX_INTEGER);
    let time = |key| match claim(key) {
        None => Some(None),
        Some(found) => whole(found).map(Some),
    };
    let list = cose::map(claim(65_533)?)?;
    let member = |name| cose::value(&list, Label::Text(name));
    Some(Claims {
        issuer: match claim(1) {
            None => None,
            Some(found) => Some(cose::text(found)?.to_owned()),
        },
        uri: claim(2).and_then(cose::text)?.to_owned(),
        issued_at: time(6)??,
        starts: time(5)?,
        expires: time(4)?,
        ttl: time(65_534)?,
        bits: bits(whole(member("bits")?)?)?,
        list: member("lst").and_then(cose::bytes)?.to_owned(),
    })
}
