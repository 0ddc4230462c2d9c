//! What this example's band shows: a statement about one session, signed by the band's key. A door (`examples/hotel-door`)
//! asks for mdocs in its place, whose `DeviceAuth` signs the same session transcript.

use anyhow::{Result, ensure};
use bandpass_core::verify_self_signed;
use bandpass_proximity::Session;
use bandpass_roles::{Key, base64url};
use serde_json::json;

const TYPE: &str = "example-proof+jwt";

/// What a proof says that holds.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) confirmed: bool,
}

/// A proof for this session of at least so many bytes, as large as a presentation that it stands for.
pub(crate) fn prove(key: &Key, session: &Session, confirmed: bool, bytes: usize) -> String {
    let header = json!({"alg": "ES256", "typ": TYPE, "jwk": key.jwk()});
    let sign = |padding| {
        let session = base64url(&session.digest());
        key.sign(&header, &json!({"session": session, "confirmed": confirmed, "padding": "x".repeat(padding)}))
    };
    let missing = bytes.saturating_sub(sign(0).len());
    // Four characters of base64url for three bytes.
    sign(missing.div_ceil(4) * 3)
}

/// Whether the band with this thumbprint signed it, for this session.
pub(crate) fn check(proof: &[u8], session: &Session, band: &str) -> Result<Proof> {
    let signed = verify_self_signed(std::str::from_utf8(proof)?, TYPE, &[]);
    let signed = signed.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    ensure!(signed.thumbprint == band, "another band");
    let about = signed.payload.get("session").and_then(|session| session.as_str());
    ensure!(about == Some(&base64url(&session.digest())), "another session");
    Ok(Proof { confirmed: signed.payload.get("confirmed").is_some_and(|confirmed| confirmed == true) })
}
