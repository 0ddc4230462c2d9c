//! A whole presentation, signed by its issuer and its holder: the vector that docs/benchmarks.md has in JavaScript too.

use anyhow::{Context as _, Result, ensure};
use bandpass_core::{Challenge, Expected, Requirements, Trust, Verifier};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};
use jsonwebtoken_9::DecodingKey as DecodingKey9;
use sd_jwt_rs::{SDJWTSerializationFormat, SDJWTVerifier};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use crate::Contender;
use crate::signature::Signed;

mod bindings {
    wasmtime::component::bindgen!({ path: "../../../../wit", world: "sdk" });
}
use bindings::Sdk;
use bindings::exports::bandpass::sdk::setup::Challenge as ComponentChallenge;
use bindings::exports::bandpass::sdk::verification::{Demand, Requirements as ComponentRequirements};

pub(crate) const NAME: &str = "accept/another-type";
pub(crate) const SD_JWT_RS: &str = "sd-jwt-rs 0.7.1";

pub(crate) struct Presentation {
    token: String,
    trust: Vec<u8>,
    issuer_key: Value,
    audience: String,
    nonce: String,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

impl Presentation {
    pub(crate) fn read() -> Result<Self> {
        let vectors: Value = serde_json::from_str(include_str!("../../../../vectors/accept.json"))?;
        let mut vectors = vectors.get("vectors").and_then(Value::as_array).into_iter().flatten();
        let is_it = |vector: &&Value| vector.get("name").is_some_and(|name| name == NAME);
        let vector = vectors.find(is_it).with_context(|| format!("no {NAME}"))?;
        let at = |pointer| vector.pointer(pointer).context(pointer);
        let text = |pointer| at(pointer)?.as_str().map(str::to_owned).context(pointer);
        Ok(Self {
            token: text("/vp_token")?,
            trust: at("/trust")?.to_string().into_bytes(),
            issuer_key: at("/trust/issuers/0/jwks/keys/0")?.clone(),
            audience: text("/expected/audience/0")?,
            nonce: text("/expected/nonce")?,
            now: at("/expected/now")?.as_u64().context("no time")?,
        })
    }

    fn issuer_jwt(&self) -> Result<&str> {
        Ok(self.token.split_once('~').context("no disclosures")?.0)
    }

    pub(crate) fn issuer_signature(&self) -> Result<Signed> {
        let (message, signature) = self.issuer_jwt()?.rsplit_once('.').context("no JWS")?;
        let octets = |text: &str| Base64UrlUnpadded::decode_vec(text).ok().context("no base64url");
        let coordinate = |name: &str| octets(self.issuer_key.get(name).and_then(Value::as_str).context("no key")?);
        Ok(Signed {
            key: [vec![4], coordinate("x")?, coordinate("y")?].concat(),
            message: message.into(),
            digest: Sha256::digest(message).into(),
            signature: octets(signature)?.try_into().ok().context("a signature has 64 octets")?,
        })
    }

    pub(crate) fn contenders(&self, engine: &Engine, verifier: &[u8]) -> Result<Vec<Contender>> {
        let component = Component::new(engine, verifier)?;
        Ok(vec![
            self.native()?,
            self.component("the verifier component under wasmtime", &component, false)?,
            self.component("the same, credential and keys having come before", &component, true)?,
            self.sd_jwt_rs()?,
            self.jsonwebtoken()?,
        ])
    }

    fn native(&self) -> Result<Contender> {
        let challenge = Challenge::new(vec![self.audience.clone()], self.nonce.clone(), self.now)?;
        let expected = Expected { challenge, requirements: Requirements::default() };
        let (verifier, token) = (Verifier::new(Trust::from_json(&self.trust)?), self.token.clone());
        Ok(Contender::new("`bandpass-core`, natively", move || {
            verifier.verify(&token, &expected)?;
            Ok(())
        }))
    }

    fn component(&self, name: &'static str, component: &Component, remembers: bool) -> Result<Contender> {
        let challenge = ComponentChallenge {
            binding: None,
            measured_distance_mm: None,
            audience: vec![self.audience.clone()],
            nonce: self.nonce.clone(),
            now: self.now,
            max_age: Challenge::DEFAULT_MAX_AGE,
            clock_tolerance: Challenge::DEFAULT_CLOCK_TOLERANCE,
            status_max_age: Challenge::DEFAULT_STATUS_MAX_AGE,
            dcql: None,
            transaction_data: Vec::new(),
        };
        let requirements = ComponentRequirements {
            holder: Demand::ByProfile,
            status: Demand::ByProfile,
            approval: Demand::ByProfile,
            methods: Vec::new(),
            worn: Demand::ByProfile,
            unlocked: Demand::ByProfile,
            unlocked_within: None,
            confirmed: Demand::ByProfile,
            distance_mm: None,
            claims: Vec::new(),
            age_at_least: None,
            same_holder_as: None,
        };
        let mut store = Store::new(component.engine(), ());
        store.set_epoch_deadline(1);
        let sdk = Sdk::instantiate(&mut store, component, &Linker::new(component.engine()))?;
        let setup = sdk.bandpass_sdk_setup().verifier();
        let opened = setup.call_open(&mut store, &self.trust)?.ok().context("a trust list")?;
        if !remembers {
            setup.call_remember(&mut store, opened, 0)?;
        }
        let token = self.token.clone().into_bytes();
        Ok(Contender::new(name, move || {
            let verification = sdk.bandpass_sdk_verification();
            let submission = sdk.bandpass_sdk_setup().verifier().call_submit(&mut store, opened, &token, &challenge)?;
            let verified = verification.submission().call_verify(&mut store, submission, "", &requirements)?;
            let verified = verified.ok().context("refused")?;
            let claims = verification.verified().call_claims(&mut store, verified)?;
            verified.resource_drop(&mut store)?;
            submission.resource_drop(&mut store)?;
            ensure!(!claims.is_empty(), "no claims");
            Ok(())
        }))
    }

    fn sd_jwt_rs(&self) -> Result<Contender> {
        let key = DecodingKey9::from_jwk(&serde_json::from_value(self.issuer_key.clone())?)?;
        let (token, audience, nonce) = (self.token.clone(), self.audience.clone(), self.nonce.clone());
        Ok(Contender::new(SD_JWT_RS, move || {
            let key = key.clone();
            let (audience, nonce) = (Some(audience.clone()), Some(nonce.clone()));
            let format = SDJWTSerializationFormat::Compact;
            SDJWTVerifier::new(token.clone(), Box::new(move |_, _| key.clone()), audience, nonce, format)?;
            Ok(())
        }))
    }

    fn jsonwebtoken(&self) -> Result<Contender> {
        let key = DecodingKey::from_jwk(&serde_json::from_value::<Jwk>(self.issuer_key.clone())?)?;
        let (jwt, validation) = (self.issuer_jwt()?.to_owned(), Validation::new(Algorithm::ES256));
        Ok(Contender::new("jsonwebtoken 11.1.0 (aws-lc-rs), the issuer's JWT alone", move || {
            jsonwebtoken::decode::<Map<String, Value>>(&jwt, &key, &validation)?;
            Ok(())
        }))
    }
}
