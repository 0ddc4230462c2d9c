//! What owners, phones and operators ask of a registry, over HTTP.

use bandpass_roles::device::{BandDevice, Batch, Keep, PhoneDevice};
use bandpass_roles::registry::dpop;
use bandpass_roles::{Key, os_rng};
use serde_json::{Map, Value, json};

use crate::bindings::sdk::exports::bandpass::sdk::verification::Failure;
use crate::error::{Code, Error};
use crate::refresh::Client;

/// A client of a registry. It blocks. Refusals come with the registry's codes.
#[derive(Debug)]
pub struct RegistryClient {
    client: Client,
    /// The registry's identifier.
    address: String,
    clock: fn() -> u64,
}

/// The owner of an account: its key, and an access token that is bound to it.
#[derive(Clone, Copy, Debug)]
pub struct AccountHolder<'a> {
    /// The account's key.
    pub key: &'a Key,
    /// By the wallet provider's authorization server.
    pub access_token: &'a str,
}

/// A pairing that the owner opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What phone and band have to sign.
    pub nonce: String,
    /// The last second at which it can be taken up, since 1970.
    pub expires: u64,
}

/// An offer of credentials to a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialOffer {
    /// Epoch of the pairing.
    pub epoch: u64,
    /// The pre-authorized code.
    code: String,
}

/// What a band is asked to sign for a batch; it brings the proof.
type SignBatch<'a> = &'a mut dyn FnMut(&Batch<'_>) -> Result<String, Error>;

impl RegistryClient {
    /// A client of the registry with this identifier, the `public_url` of its configuration. `authorities`: certificates (PEM)
    /// of those who may vouch for it, in place of those that the platform trusts.
    ///
    /// # Errors
    /// `config.malformed` if the authorities are no certificates.
    pub fn new(identifier: &str, authorities: Option<&[u8]>, clock: fn() -> u64) -> Result<Self, Error> {
        let client = Client::new(authorities).map_err(|why| Error::host(Code::ConfigMalformed, why))?;
        Ok(Self { client, address: identifier.to_owned(), clock })
    }

    /// The registry's identifier.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.address
    }

    /// Opens an account, with the key of an operator: its `sub`.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn create_account(
        &self,
        operator_key: &str,
        account: &str,
        claims: &Map<String, Value>,
    ) -> Result<String, Error> {
        let headers = [("authorization", format!("Bearer {operator_key}"))];
        let body = json!({"key": account, "claims": claims});
        let answer = self.post("/v1/accounts", &headers, "application/json", &body.to_string())?;
        text(&answer, "/sub")
    }

    /// Enrols a band, by what it signed and what its maker attests.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn enrol(&self, owner: AccountHolder<'_>, proof: &str, attestation: Option<&str>) -> Result<Value, Error> {
        let mut body = json!({"proof": proof});
        if let (Some(attestation), Some(body)) = (attestation, body.as_object_mut()) {
            body.insert("attestation".into(), attestation.into());
        }
        self.as_owner(owner, "/v1/bands", &body.to_string())
    }

    /// Opens a pairing of a band that is paired with none.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn open(&self, owner: AccountHolder<'_>, band: &str) -> Result<Opening, Error> {
        opening(&self.as_owner(owner, &format!("/v1/bands/{band}/open"), "")?)
    }

    /// Opens the change to another phone.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn change_phone(&self, owner: AccountHolder<'_>, band: &str) -> Result<Opening, Error> {
        opening(&self.as_owner(owner, &format!("/v1/bands/{band}/change-phone"), "")?)
    }

    /// Reports a band lost.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn lost(&self, owner: AccountHolder<'_>, band: &str) -> Result<Value, Error> {
        self.as_owner(owner, &format!("/v1/bands/{band}/lost"), "")
    }

    /// The same by the phone that it is paired with.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn lost_by_phone(&self, phone: &Key, band: &str) -> Result<Value, Error> {
        self.as_phone(phone, &format!("/v1/bands/{band}/lost"), None, "application/json", "")
    }

    /// Says that a band was found.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn found(&self, owner: AccountHolder<'_>, band: &str) -> Result<Value, Error> {
        self.as_owner(owner, &format!("/v1/bands/{band}/found"), "")
    }

    /// Ends a band's pairing for good.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn deactivate(&self, owner: AccountHolder<'_>, band: &str) -> Result<Value, Error> {
        self.as_owner(owner, &format!("/v1/bands/{band}/deactivate"), "")
    }

    /// Pairs a band with a phone, by what both signed.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn pair(&self, band: &str, by_phone: &str, by_band: &str) -> Result<CredentialOffer, Error> {
        let body = json!({"phone": by_phone, "band": by_band}).to_string();
        offered(&self.post(&format!("/v1/bands/{band}/pair"), &[], "application/json", &body)?)
    }

    /// Asks for an offer of further credentials.
    ///
    /// # Errors
    /// As the registry says, or `fetch.*`.
    pub fn offer(&self, phone: &Key, band: &str) -> Result<CredentialOffer, Error> {
        offered(&self.as_phone(phone, &format!("/v1/bands/{band}/offer"), None, "application/json", "")?)
    }

    /// Takes an offer up: the credentials of a batch. `by_band` has the band sign for it.
    ///
    /// # Errors
    /// As the registry says, `fetch.*`, or what `by_band` fails with.
    pub fn credentials(
        &self,
        offer: &CredentialOffer,
        (phone, keep): (&mut PhoneDevice, &mut impl Keep),
        band: &str,
        count: usize,
        by_band: SignBatch<'_>,
    ) -> Result<Vec<String>, Error> {
        let key = phone.key()?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:pre-authorized_code")
            .append_pair("pre-authorized_code", &offer.code)
            .finish();
        let token = self.as_phone(&key, "/token", None, "application/x-www-form-urlencoded", &form)?;
        let token = text(&token, "/access_token")?;
        let nonce = text(&self.post("/nonce", &[], "application/json", "")?, "/c_nonce")?;
        let batch = Batch { audience: &self.address, nonce: &nonce, epoch: offer.epoch, count };
        let proof = by_band(&batch)?;
        let by_phone = phone.batch(&batch, band, (self.clock)(), &mut os_rng(), keep)?;
        let body = json!({
            "credential_configuration_id": "band",
            "proofs": {"jwt": [proof]},
            "phone_key_attestation": by_phone,
        });
        let issued = self.as_phone(&key, "/credential", Some(&token), "application/json", &body.to_string())?;
        let credentials = issued.pointer("/credentials").and_then(Value::as_array).ok_or_else(malformed)?;
        credentials.iter().map(|one| text(one, "/credential")).collect()
    }

    /// Pairs a band that is at hand with a phone, and brings it its first credentials.
    ///
    /// # Errors
    /// As the registry says, `fetch.*`, or what one of the devices refuses.
    pub fn pair_devices(
        &self,
        (band, band_keep): (&mut BandDevice, &mut impl Keep),
        (phone, phone_keep): (&mut PhoneDevice, &mut impl Keep),
        nonce: &str,
        count: usize,
    ) -> Result<u64, Error> {
        let (thumbprint, name) = (band.thumbprint(), phone.thumbprint());
        let now = (self.clock)();
        let by_band = band.pair(&self.address, &name, Some(nonce), now, band_keep)?;
        let by_phone = phone.pair(&self.address, &thumbprint, nonce, now)?;
        let offer = self.pair(&thumbprint, &by_phone, &by_band)?;
        let credentials = self.credentials(&offer, (phone, phone_keep), &thumbprint, count, &mut |batch| {
            band.batch(batch, &name, (self.clock)(), &mut os_rng(), band_keep).map_err(Error::from)
        })?;
        band.take_in(&name, &credentials, band_keep)?;
        Ok(offer.epoch)
    }

    fn as_owner(&self, owner: AccountHolder<'_>, path: &str, body: &str) -> Result<Value, Error> {
        let AccountHolder { key, access_token } = owner;
        let proof = self.proof(key, path, Some(access_token));
        let headers = [("authorization", format!("DPoP {access_token}")), ("dpop", proof)];
        self.post(path, &headers, "application/json", body)
    }

    fn as_phone(
        &self,
        key: &Key,
        path: &str,
        access_token: Option<&str>,
        media_type: &str,
        body: &str,
    ) -> Result<Value, Error> {
        let mut headers = vec![("dpop", self.proof(key, path, access_token))];
        headers.extend(access_token.map(|token| ("authorization", format!("DPoP {token}"))));
        self.post(path, &headers, media_type, body)
    }

    fn proof(&self, key: &Key, path: &str, access_token: Option<&str>) -> String {
        dpop(key, "POST", &format!("{}{path}", self.address), access_token, (self.clock)(), &mut os_rng())
    }

    fn post(&self, path: &str, headers: &[(&str, String)], media_type: &str, body: &str) -> Result<Value, Error> {
        let url = format!("{}{path}", self.address);
        let (status, body) = self.client.post_for(&url, media_type, headers, body)?;
        let answer = serde_json::from_slice::<Value>(&body).map_err(|_| malformed())?;
        let said = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        match (status.is_success(), said("code")) {
            (true, _) => Ok(answer),
            (false, Some(code)) => {
                let message = said("title").or_else(|| said("error_description")).unwrap_or_default();
                Err(Error::Refused(Failure { code, message, claim: None, expected: None, actual: None }))
            }
            (false, None) => Err(malformed()),
        }
    }
}

fn opening(answer: &Value) -> Result<Opening, Error> {
    let expires = answer.get("expires").and_then(Value::as_u64).ok_or_else(malformed)?;
    Ok(Opening { nonce: text(answer, "/nonce")?, expires })
}

fn offered(answer: &Value) -> Result<CredentialOffer, Error> {
    let epoch = answer.get("epoch").and_then(Value::as_u64).ok_or_else(malformed)?;
    let code = "/credential_offer/grants/urn:ietf:params:oauth:grant-type:pre-authorized_code/pre-authorized_code";
    Ok(CredentialOffer { epoch, code: text(answer, code)? })
}

fn text(answer: &Value, pointer: &str) -> Result<String, Error> {
    answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned).ok_or_else(malformed)
}

fn malformed() -> Error {
    Error::host(Code::FetchResponse, "the registry's answer is not what was asked for")
}
