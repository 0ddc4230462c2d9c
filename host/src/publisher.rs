//! A publisher's signature over a plugin.

use serde_json::Value;

use crate::error::{Code, Error};

/// Media type of the signature's JWS.
const TYPE: &str = "bandpass-plugin+jwt";

/// Whether a publisher signed the plugin with this digest. The signature is a compact JWS with ES256, `typ`
/// `bandpass-plugin+jwt` and the payload `{"name", "version", "sha256"}`; `jwk` is the publisher's public key, `sha256` what
/// [`digest`](crate::digest) says of the plugin.
///
/// # Errors
/// `plugin.signature`
pub fn verify_publisher(jws: &str, jwk: &Value, sha256: &str) -> Result<(), Error> {
    let refused = |why: String| Error::host(Code::PluginSignature, why);
    let payload = bandpass_core::verify_jws(jws, jwk, TYPE)
        .map_err(|error| refused(format!("the publisher's signature is refused: {error}")))?;
    let text = |name: &str| {
        let found = payload.get(name).and_then(Value::as_str);
        found.ok_or_else(|| refused(format!("the publisher's signature has no `{name}`")))
    };
    text("name")?;
    text("version")?;
    match text("sha256")? == sha256 {
        true => Ok(()),
        false => Err(refused("the publisher signed another plugin".into())),
    }
}

#[cfg(test)]
mod tests {
    use bandpass_roles::{Key, os_rng};
    use serde_json::json;

    use super::*;
    use crate::digest;

    #[test]
    fn a_signature_is_the_publishers_and_over_this_plugin() {
        let (publisher, stranger) = (Key::generate(&mut os_rng()), Key::generate(&mut os_rng()));
        let sha256 = digest(b"plugin");
        let header = json!({"alg": "ES256", "typ": TYPE});
        let payload = json!({"name": "retail-checkout", "version": "1.0.0", "sha256": sha256});
        let signed = publisher.sign(&header, &payload);
        verify_publisher(&signed, &publisher.jwk(), &sha256).expect("signed");
        let other_type = publisher.sign(&json!({"alg": "ES256", "typ": "JWT"}), &payload);
        let nameless = publisher.sign(&header, &json!({"version": "1.0.0", "sha256": sha256}));
        for (jws, jwk, sha256) in [
            (&signed, stranger.jwk(), sha256.as_str()),
            (&signed, publisher.jwk(), &digest(b"another")),
            (&other_type, publisher.jwk(), &sha256),
            (&nameless, publisher.jwk(), &sha256),
            (&"x".to_owned(), publisher.jwk(), &sha256),
            (&signed, json!({}), &sha256),
        ] {
            let refused = verify_publisher(jws, &jwk, sha256).expect_err("refused");
            assert_eq!(refused.code(), "plugin.signature");
        }
    }
}
