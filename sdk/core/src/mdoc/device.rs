//! The holder's proof: what the device signed, or made a MAC over (sections 9.1.3 and 9.3.2).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::{AffinePoint, SecretKey};
use serde_json::Map;
use sha2::Sha256;

use super::mso::{DeviceKey, Mso};
use super::response::{DeviceSigned, Document};
use super::session::{Session, array, text};
use super::{BAND, elements};
use crate::cose;
use crate::encoding::sha256;
use crate::error::{Code, Error};
use crate::expected::Challenge;
use crate::explain::Trace;
use crate::holder::{Proof, claim_error, no_proof};
use crate::limits::MAX_VALUES;
use crate::memory::Memory;

/// `alg` of HMAC 256/256 (RFC 9053, section 3.1).
const HMAC_256: i64 = 5;

/// Every check of the proof, in order.
pub(super) fn check(
    document: &Document<'_>,
    mso: &Mso<'_, '_>,
    is_band: bool,
    memory: &mut Memory,
    challenge: &Challenge,
    trace: &mut Trace,
) -> Result<Proof, Error> {
    let signed = document.device_signed.as_ref().ok_or_else(no_proof)?;
    trace.passed(&[Code::HolderMissing]);
    let session = challenge.session.as_ref().ok_or_else(|| {
        Error::new(Code::HolderSession, "the challenge has no session that an mdoc's proof could be of")
    })?;
    trace.passed(&[Code::HolderSession]);
    let has_algorithm = if signed.is_mac { signed.auth.algorithm() == Some(HMAC_256) } else { signed.auth.is_es256() };
    if !has_algorithm {
        let error = Error::new(Code::HolderAlgorithm, "the proof is by another algorithm than ES256 or HMAC 256/256");
        return Err(error.claim("deviceAuth"));
    }
    trace.passed(&[Code::HolderAlgorithm]);
    let device = mso.device_key()?;
    trace.passed(&[Code::HolderUnbound]);
    // 9.1.3.4: DeviceAuthenticationBytes.
    let authentication = cose::embed(&array(&[
        text("DeviceAuthentication"),
        session.transcript.clone(),
        text(document.doctype),
        signed.name_spaces_bytes.to_vec(),
    ]));
    let holds = match signed.is_mac {
        false => signed.auth.verified_remembering(&device.key, &authentication, memory),
        true => {
            let key = session.reader_key.as_ref().ok_or_else(|| {
                Error::new(Code::HolderReaderKey, "the proof is a MAC, and there is no reader's key to check it with")
            })?;
            trace.passed(&[Code::HolderReaderKey]);
            mac_holds(signed, &device, key, session, &authentication).unwrap_or(false)
        }
    };
    if !holds {
        return Err(Error::new(Code::HolderSignature, "the holder's signature, or MAC, does not verify"));
    }
    trace.passed(&[Code::HolderSignature]);
    // 9.3.2: each element as the issuer authorized.
    let (mut payload, mut budget) = (Map::new(), MAX_VALUES);
    for (name_space, signed) in &signed.name_spaces {
        for (label, _) in signed {
            let cose::Label::Text(name) = label else { return Err(claim_error(name_space)) };
            if !device.may_sign(name_space, name) {
                let error = Error::new(Code::HolderUnauthorized, "the holder may not sign this element");
                return Err(error.claim(name));
            }
        }
        if *name_space == BAND {
            payload = elements::object(signed, &mut budget).ok_or_else(|| claim_error(BAND))?;
        }
    }
    trace.passed(&[Code::HolderUnauthorized]);
    let needed: &[&str] = match (is_band, challenge.proximity()) {
        (false, _) => &[],
        (true, None) => &["aud", "nonce", "iat", "jti"],
        (true, Some(_)) => &["iat", "jti"],
    };
    Proof::of(&device.key, payload, needed, challenge, trace)
}

/// Section 9.1.3.5: HMAC 256/256 with a key from both sides' keys and the session. None if the keys are none.
fn mac_holds(
    signed: &DeviceSigned<'_>,
    device: &DeviceKey<'_>,
    reader_key: &[u8],
    session: &Session,
    authentication: &[u8],
) -> Option<bool> {
    let reader = SecretKey::from_slice(reader_key).ok()?;
    let point: Option<AffinePoint> = AffinePoint::from_coordinates(&device.x.into(), &device.y.into()).into();
    let secret = diffie_hellman(reader.to_nonzero_scalar(), point?);
    let salt = sha256(&cose::embed(&session.transcript));
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(&salt), secret.raw_secret_bytes()).expand(b"EMacKey", &mut key).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(&signed.auth.authenticated("MAC0", authentication));
    Some(mac.verify_slice(signed.auth.authenticator).is_ok())
}
