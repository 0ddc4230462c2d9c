//! What comes from the wallet: Authorization Responses (`OpenID4VP` 1.0, section 8 and appendix A.4).

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::encryption::{MAX_RESPONSE_BYTES, ResponseKey, kid, object};
use crate::error::{Code, Error, readable};

/// What a wallet, or the page that called it, sent: not decrypted yet.
#[derive(Clone, Debug)]
pub struct Posted {
    state: Option<String>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Encrypted { jwe: String, kid: String },
    Plain(WalletResponse),
}

/// What a wallet answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletResponse {
    /// A VP Token: a JSON object, presentations by the id of the query that they answer. Verified by
    /// [`Host::respond`](crate::Host::respond).
    VpToken(Vec<u8>),
    /// The wallet, or its owner, does not answer. Nobody vouches for that.
    Error(WalletError),
}

/// An Authorization Error Response (section 8.5). What it says is a stranger's: cut, and without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletError {
    /// Such as `access_denied` or `invalid_request`.
    pub error: String,
    /// For developers.
    pub description: Option<String>,
}

/// The parameters that are known. Others are ignored (RFC 6749, section 4.1.2), one that comes twice is not.
#[derive(Default, Deserialize)]
struct Parameters {
    response: Option<String>,
    vp_token: Option<VpToken>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

impl Posted {
    /// Reads what was posted to the `response_uri`: the body, `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// `response.malformed`, `response.too-large`, or `response.key` if it is encrypted to a key without a name.
    pub fn from_form(body: &[u8]) -> Result<Self, Error> {
        // Encoded, a VP Token can be half as large again.
        if body.len() > MAX_RESPONSE_BYTES * 3 / 2 {
            return Err(too_large());
        }
        let mut parameters = Parameters::default();
        for (name, value) in form_urlencoded::parse(body) {
            let twice = match name.as_ref() {
                "vp_token" => {
                    let vp_token = serde_json::from_str(&value).map_err(|_| malformed(NO_VP_TOKEN))?;
                    parameters.vp_token.replace(vp_token).is_some()
                }
                "response" => parameters.response.replace(value.into()).is_some(),
                "state" => parameters.state.replace(value.into()).is_some(),
                "error" => parameters.error.replace(value.into()).is_some(),
                "error_description" => parameters.error_description.replace(value.into()).is_some(),
                _ => false,
            };
            if twice {
                return Err(malformed("a parameter comes twice"));
            }
        }
        parameters.posted()
    }

    /// Reads the `data` of what the Digital Credentials API returned to a page.
    ///
    /// # Errors
    /// As [`Posted::from_form`].
    pub fn from_dc_api(data: &Value) -> Result<Self, Error> {
        let parameters = Parameters::deserialize(data).ok().filter(|_| data.is_object());
        parameters.ok_or_else(|| malformed(NO_PARAMETERS))?.posted()
    }

    /// The challenge that the wallet says it answers: the `kid` of what is encrypted, or `state`. Through the Digital
    /// Credentials API what is not encrypted names none, and the page has to say it.
    #[must_use]
    pub fn challenge_id(&self) -> Option<&str> {
        match &self.body {
            Body::Encrypted { kid, .. } => Some(kid),
            Body::Plain(_) => self.state.as_deref(),
        }
    }

    /// What the wallet answers to a challenge. With a `key` it must be encrypted; errors need not be (section 8.3.1).
    ///
    /// # Errors
    /// `response.*`: it is not encrypted as was asked, or another challenge's.
    pub fn open(self, challenge_id: &str, key: Option<&ResponseKey>) -> Result<WalletResponse, Error> {
        let (states, response) = match (self.body, key) {
            (Body::Plain(WalletResponse::VpToken(_)), Some(_)) => {
                let why = "the response is not encrypted, which was asked for";
                return Err(Error::host(Code::ResponseUnencrypted, why));
            }
            (Body::Plain(response), _) => ([self.state, None], response),
            (Body::Encrypted { .. }, None) => {
                let why = "the response is encrypted, and the challenge has no key";
                return Err(Error::host(Code::ResponseKey, why));
            }
            (Body::Encrypted { jwe, .. }, Some(key)) => {
                let content = object::<Parameters>(&key.decrypt(&jwe, challenge_id)?);
                let content = content.ok_or_else(|| malformed(NO_PARAMETERS))?;
                let Self { state, body: Body::Plain(response) } = content.posted()? else {
                    return Err(malformed("what is encrypted is encrypted again"));
                };
                ([self.state, state], response)
            }
        };
        match states.iter().flatten().all(|state| state == challenge_id) {
            true => Ok(response),
            false => Err(Error::host(Code::ResponseState, "`state` is not the challenge's")),
        }
    }
}

impl Parameters {
    fn posted(self) -> Result<Posted, Error> {
        let Self { response, vp_token, state, error, error_description } = self;
        let body = match (response, vp_token, error) {
            (Some(jwe), None, None) => Body::Encrypted { kid: kid(&jwe)?, jwe },
            (None, Some(VpToken(vp_token)), None) => {
                Body::Plain(WalletResponse::VpToken(Value::Object(vp_token).to_string().into_bytes()))
            }
            (None, None, Some(error)) => Body::Plain(WalletResponse::Error(WalletError {
                error: readable(&error),
                description: error_description.as_deref().map(readable),
            })),
            _ => return Err(malformed("it is not exactly one of `response`, `vp_token` and `error`")),
        };
        Ok(Posted { state, body })
    }
}

const NO_VP_TOKEN: &str = "`vp_token` is no JSON object, or has a query twice";
const NO_PARAMETERS: &str = "it is no JSON object, or a parameter has not its type or comes twice";

fn malformed(why: &str) -> Error {
    Error::host(Code::ResponseMalformed, format!("the wallet's response: {why}"))
}

fn too_large() -> Error {
    Error::host(Code::ResponseTooLarge, "the response is too large")
}

/// Presentations by the id of their query. One id twice is refused: which of them counts is nobody's to guess.
struct VpToken(Map<String, Value>);

impl<'de> Deserialize<'de> for VpToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = VpToken;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("presentations by the ids of queries")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<VpToken, A::Error> {
                let mut members = Map::new();
                while let Some((id, presentations)) = access.next_entry::<String, Value>()? {
                    if members.insert(id, presentations).is_some() {
                        return Err(serde::de::Error::custom("a query comes twice"));
                    }
                }
                Ok(VpToken(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::encryption::tests::{KID, encrypt_content};
    use super::*;

    fn code<T>(result: Result<T, Error>) -> String {
        result.err().map_or("accepted".into(), |error| error.code().into())
    }

    fn form(parameters: &[(&str, &str)]) -> Result<Posted, Error> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        Posted::from_form(body.as_bytes())
    }

    #[test]
    fn what_is_not_encrypted_is_a_vp_token_or_an_error() {
        let posted = form(&[("vp_token", r#" {"b": ["x~"], "a": ["é"]}"#), ("state", "1"), ("iss", "w"), ("iss", "v")]);
        let posted = posted.expect("read");
        assert_eq!(posted.challenge_id(), Some("1"));
        let expected = r#"{"a":["é"],"b":["x~"]}"#.as_bytes().to_vec();
        assert_eq!(posted.clone().open("1", None).expect("open"), WalletResponse::VpToken(expected.clone()));
        assert_eq!(code(posted.clone().open("2", None)), "response.state");
        let key = ResponseKey::generate().expect("a key");
        assert_eq!(code(posted.open("1", Some(&key))), "response.unencrypted");

        let posted = Posted::from_dc_api(&json!({"vp_token": {"b": ["x~"], "a": ["é"]}})).expect("read");
        assert_eq!(posted.challenge_id(), None);
        assert_eq!(posted.open("1", None).expect("open"), WalletResponse::VpToken(expected));

        let error = [("error", "access_denied"), ("error_description", "no\u{1b}[2J"), ("state", "1")];
        let error = form(&error).expect("read").open("1", Some(&key)).expect("open");
        let WalletResponse::Error(WalletError { error, description }) = error else { panic!("a vp_token") };
        assert_eq!((error.as_str(), description.as_deref()), ("access_denied", Some("no\\u{1b}[2J")));
        assert!(Posted::from_dc_api(&json!({"error": "invalid_request"})).is_ok());
    }

    #[test]
    fn what_is_encrypted_says_by_its_key_what_it_answers() {
        let key = ResponseKey::generate().expect("a key");
        let open = |content: &str, state: &str, key: Option<&ResponseKey>, sealed_for: &ResponseKey| {
            let jwe = encrypt_content(sealed_for, content, |_| ());
            let posted = form(&[("response", &jwe), ("state", state)]).expect("read");
            assert_eq!(posted.challenge_id(), Some(KID));
            posted.open(KID, key)
        };
        let whole = format!(r#"{{"vp_token":{{"a":["x~"]}},"state":"{KID}"}}"#);
        let vp_token = WalletResponse::VpToken(br#"{"a":["x~"]}"#.to_vec());
        assert_eq!(open(&whole, KID, Some(&key), &key).expect("open"), vp_token);
        let refused = r#"{"error":"access_denied"}"#;
        let error = WalletError { error: "access_denied".into(), description: None };
        assert_eq!(open(refused, KID, Some(&key), &key).expect("open"), WalletResponse::Error(error));
        let nested = json!({"response": encrypt_content(&key, &whole, |_| ())}).to_string();
        for (content, state, expected) in [
            (whole.as_str(), "another", "response.state"),
            (r#"{"vp_token":{},"state":"another"}"#, KID, "response.state"),
            (r#"{"vp_token":{},"error":"access_denied"}"#, KID, "response.malformed"),
            (r#"{"vp_token":{},"vp_token":{}}"#, KID, "response.malformed"),
            ("[null,{},null,null,null]", KID, "response.malformed"),
            (nested.as_str(), KID, "response.malformed"),
            ("ey~", KID, "response.malformed"),
        ] {
            assert_eq!(code(open(content, state, Some(&key), &key)), expected, "{content}");
        }
        assert_eq!(code(open(&whole, KID, None, &key)), "response.key");
        let jwe = encrypt_content(&key, &whole, |_| ());
        assert_eq!(code(form(&[("response", &jwe)]).expect("read").open("challenge-2", Some(&key))), "response.key");
    }

    #[test]
    fn anything_else_is_refused() {
        let jwe = "e30..AAAA.AAAA.AAAA";
        for parameters in [
            &[][..],
            &[("state", "1")],
            &[("Response", "x")],
            &[("response", "x")],
            &[("response", jwe), ("vp_token", "{}")],
            &[("response", jwe), ("error", "access_denied")],
            &[("vp_token", "{}"), ("error", "access_denied")],
            &[("vp_token", "{}"), ("vp_token", "{}")],
            &[("vp_token", "{}"), ("state", "1"), ("state", "1")],
            &[("error", "a"), ("error", "a")],
            &[("vp_token", "ey~")],
            &[("vp_token", r#""ey~""#)],
            &[("vp_token", "[]")],
            &[("vp_token", "{} {}")],
            &[("vp_token", r#"{"a": ["x"], "a": ["y"]}"#)],
            &[("vp_token", &"[".repeat(100_000))],
        ] {
            assert_eq!(code(form(parameters)), "response.malformed", "{parameters:.60?}");
        }
        assert_eq!(code(form(&[("vp_token", &" ".repeat(MAX_RESPONSE_BYTES * 3 / 2))])), "response.too-large");
        for data in [json!(null), json!([]), json!("x"), json!({}), json!({"vp_token": "ey~"}), json!({"error": 1})] {
            assert_eq!(code(Posted::from_dc_api(&data)), "response.malformed", "{data}");
        }
    }
}
