//! What goes to the wallet: Authorization Requests (`OpenID4VP` 1.0, section 5 and appendix A).

use serde_json::{Map, Value, json};

use super::client::Client;
use super::encryption::{ENC_VALUES, ResponseKey};
use crate::answer::IssuedChallenge;
use crate::error::{Code, Error};

/// The wallet, where nothing is known of it (section 5.8).
const ANY_WALLET: &str = "https://self-issued.me/v2";

/// A challenge as a wallet is asked it.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationRequest<'a> {
    /// What is asked.
    pub challenge: &'a IssuedChallenge,
    /// The key to which the response must be encrypted; none if it need not be.
    pub key: Option<&'a ResponseKey>,
}

impl AuthorizationRequest<'_> {
    /// A signed Request Object (RFC 9101), for the `request_uri`: a compact JWS, `application/oauth-authz-req+jwt`. The
    /// wallet posts its response to `response_uri`, with the challenge's identifier as `state`. `now` is in seconds since
    /// 1970; what a wallet sent as `wallet_nonce` is echoed (section 5.10).
    ///
    /// # Errors
    /// `challenge.malformed` if the challenge's query is not JSON.
    pub fn request_object(
        &self,
        client: &Client,
        response_uri: &str,
        wallet_nonce: Option<&str>,
        now: u64,
    ) -> Result<String, Error> {
        let mut claims = self.posted_to(client.client_id(), response_uri)?;
        if let Some(nonce) = wallet_nonce {
            claims.insert("wallet_nonce".into(), nonce.into());
        }
        Ok(self.signed(client, claims, now))
    }

    /// A link with the whole request in it, unsigned: whoever has the link can change it. The client is known by the
    /// `response_uri` alone ([`redirect_uri_client_id`]), which nobody vouches for: for demonstrations.
    ///
    /// # Errors
    /// `challenge.malformed` if the challenge's query is not JSON.
    pub fn unsigned_link(&self, wallet: &str, response_uri: &str) -> Result<String, Error> {
        let parameters = self.posted_to(&redirect_uri_client_id(response_uri), response_uri)?;
        // Section 5.1: what is no string goes as JSON.
        let parameters = parameters.into_iter().map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        });
        Ok(with_query(wallet, parameters))
    }

    /// A request for the Digital Credentials API, signed: `{"protocol": .., "data": {"request": ..}}`, a member of
    /// `requests` in `navigator.credentials.get`. `origins` are those of the pages that may ask, such as
    /// `https://shop.example`; proofs are addressed to the page's, see [`origin_audience`].
    ///
    /// # Errors
    /// `challenge.malformed` if the challenge's query is not JSON.
    pub fn dc_api_signed(&self, client: &Client, origins: &[String], now: u64) -> Result<Value, Error> {
        let mut claims = self.through_browser()?;
        claims.insert("client_id".into(), client.client_id().into());
        claims.insert("expected_origins".into(), origins.into());
        let request = self.signed(client, claims, now);
        Ok(json!({"protocol": "openid4vp-v1-signed", "data": {"request": request}}))
    }

    /// The same unsigned: the browser vouches for the page's origin.
    ///
    /// # Errors
    /// `challenge.malformed` if the challenge's query is not JSON.
    pub fn dc_api_unsigned(&self) -> Result<Value, Error> {
        Ok(json!({"protocol": "openid4vp-v1-unsigned", "data": self.through_browser()?}))
    }

    fn signed(&self, client: &Client, mut claims: Map<String, Value>, now: u64) -> String {
        claims.insert("aud".into(), ANY_WALLET.into());
        claims.insert("iat".into(), now.into());
        claims.insert("exp".into(), self.challenge.expires.into());
        client.sign(&claims.into())
    }

    fn posted_to(&self, client_id: &str, response_uri: &str) -> Result<Map<String, Value>, Error> {
        let mut parameters = self.parameters("direct_post")?;
        for (name, value) in
            [("client_id", client_id), ("response_uri", response_uri), ("state", self.challenge.id.as_str())]
        {
            parameters.insert(name.into(), value.into());
        }
        Ok(parameters)
    }

    fn through_browser(&self) -> Result<Map<String, Value>, Error> {
        self.parameters("dc_api")
    }

    /// What all requests have (section 5.1), with `.jwt` after the mode if the response must be encrypted.
    fn parameters(&self, mode: &str) -> Result<Map<String, Value>, Error> {
        let Self { challenge, key } = self;
        let dcql = serde_json::from_str::<Value>(&challenge.dcql);
        let dcql = dcql.map_err(|error| Error::host(Code::ChallengeMalformed, format!("the query: {error}")))?;
        let algorithms = json!({"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]});
        let mut metadata = Map::new();
        metadata.insert("vp_formats_supported".into(), json!({"dc+sd-jwt": algorithms}));
        if let Some(key) = key {
            metadata.insert("jwks".into(), json!({"keys": [key.jwk(&challenge.id)]}));
            metadata.insert("encrypted_response_enc_values_supported".into(), json!(ENC_VALUES));
        }
        let mode = if key.is_some() { format!("{mode}.jwt") } else { mode.into() };
        let mut parameters = Map::new();
        parameters.insert("response_type".into(), "vp_token".into());
        parameters.insert("response_mode".into(), mode.into());
        parameters.insert("nonce".into(), challenge.nonce.as_str().into());
        parameters.insert("dcql_query".into(), dcql);
        parameters.insert("client_metadata".into(), metadata.into());
        // An empty array is none (section 5.1).
        if !challenge.transaction_data.is_empty() {
            parameters.insert("transaction_data".into(), challenge.transaction_data.as_slice().into());
        }
        Ok(parameters)
    }
}

/// The link, or content of a QR code, that opens a wallet: `wallet` is how it begins, such as `openid4vp://`. A wallet that
/// can sends its nonce by POST; others get the Request Object.
#[must_use]
pub fn link(wallet: &str, client_id: &str, request_uri: &str) -> String {
    with_query(wallet, [("client_id", client_id), ("request_uri", request_uri), ("request_uri_method", "post")])
}

/// The client identifier of a client that signs nothing (section 5.9.3): also the audience of proofs.
#[must_use]
pub fn redirect_uri_client_id(response_uri: &str) -> String {
    format!("redirect_uri:{response_uri}")
}

/// The audience of proofs through the Digital Credentials API, of signed and unsigned requests alike (appendix A.4).
#[must_use]
pub fn origin_audience(origin: &str) -> String {
    format!("origin:{origin}")
}

fn with_query<N: AsRef<str>, V: AsRef<str>>(start: &str, parameters: impl IntoIterator<Item = (N, V)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{start}{}{query}", if start.contains('?') { '&' } else { '?' })
}

#[cfg(test)]
mod tests {
    use bandpass_conformance::RelyingParty;
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::super::Prefix;
    use super::*;

    fn challenge() -> IssuedChallenge {
        IssuedChallenge {
            id: "1".into(),
            expires: 1_800_000_300,
            audience: Vec::new(),
            nonce: "n-0S6_WzA2Mj".into(),
            dcql: r#"{"credentials":[{"id":"band"}]}"#.into(),
            transaction_data: vec!["e30".into()],
        }
    }

    fn part(jws: &str, place: usize) -> Value {
        let part = jws.split('.').nth(place).expect("a part");
        serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).expect("base64url")).expect("JSON")
    }

    #[test]
    fn a_request_object_has_all_that_the_standard_asks_for() {
        let RelyingParty { chain, key, .. } = RelyingParty::new(&["shop.example"]).expect("certificates");
        let client = Client::from_pem(chain.as_bytes(), key.as_bytes(), &Prefix::X509Hash).expect("a client");
        let (challenge, key) = (challenge(), ResponseKey::generate().expect("a key"));
        let request = AuthorizationRequest { challenge: &challenge, key: Some(&key) };
        let uri = "https://shop.example/r";
        let object = request.request_object(&client, uri, Some("w"), 1_800_000_000).expect("signed");
        let header = part(&object, 0);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("oauth-authz-req+jwt")));
        assert_eq!(header["x5c"].as_array().map(Vec::len), Some(2));
        let algorithms = json!({"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]});
        assert_eq!(
            part(&object, 1),
            json!({"aud": "https://self-issued.me/v2", "iat": 1_800_000_000, "exp": 1_800_000_300,
                "client_id": client.client_id(), "response_type": "vp_token", "response_mode": "direct_post.jwt",
                "response_uri": uri, "nonce": "n-0S6_WzA2Mj", "state": "1", "wallet_nonce": "w",
                "dcql_query": {"credentials": [{"id": "band"}]}, "transaction_data": ["e30"],
                "client_metadata": {"vp_formats_supported": {"dc+sd-jwt": algorithms}, "jwks": {"keys": [key.jwk("1")]},
                    "encrypted_response_enc_values_supported": ["A128GCM", "A256GCM"]}})
        );
        let asked = request.dc_api_signed(&client, &["https://shop.example".into()], 1_800_000_000).expect("signed");
        let claims = part(asked["data"]["request"].as_str().expect("a JWS"), 1);
        assert_eq!(claims["expected_origins"], json!(["https://shop.example"]));
        assert_eq!(claims["response_mode"], "dc_api.jwt");
        assert!(claims.get("state").is_none() && claims.get("response_uri").is_none());
    }

    #[test]
    fn what_is_not_signed_names_no_certificate() {
        let mut challenge = challenge();
        challenge.transaction_data.clear();
        let request = AuthorizationRequest { challenge: &challenge, key: None };
        let asked = request.dc_api_unsigned().expect("a request");
        assert_eq!(asked["protocol"], "openid4vp-v1-unsigned");
        for absent in ["client_id", "state", "transaction_data", "expected_origins"] {
            assert_eq!(asked["data"].get(absent), None, "{absent}");
        }
        assert_eq!(asked["data"]["client_metadata"].get("jwks"), None);

        let link = request.unsigned_link("https://wallet.example/open?x=1", "https://shop.example/r").expect("a link");
        assert!(link.starts_with("https://wallet.example/open?x=1&"), "{link}");
        let (_, query) = link.split_once('?').expect("a query");
        let parameters = form_urlencoded::parse(query.as_bytes()).collect::<Vec<_>>();
        let has = |name: &str, value: &str| parameters.iter().any(|(n, v)| n == name && v == value);
        assert!(has("client_id", "redirect_uri:https://shop.example/r") && has("response_mode", "direct_post"));
        assert!(has("dcql_query", &challenge.dcql) && has("nonce", "n-0S6_WzA2Mj") && has("state", "1"));

        challenge.dcql = "{".into();
        let request = AuthorizationRequest { challenge: &challenge, key: None };
        assert_eq!(request.dc_api_unsigned().expect_err("refused").code(), "challenge.malformed");
        assert_eq!(
            super::link("openid4vp://", "x509_san_dns:shop.example", "https://shop.example/q"),
            "openid4vp://?client_id=x509_san_dns%3Ashop.example&request_uri=https%3A%2F%2Fshop.example%2Fq\
             &request_uri_method=post"
        );
    }
}
