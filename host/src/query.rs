//! What a wallet is asked for: the queries of a merchant's policies as one, and the transaction data that goes with it.

use bandpass_roles::{BAND_VCT, base64url};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value, json};

use crate::bindings::policy::exports::bandpass::sdk::policy::Query;
use crate::bindings::sdk::exports::bandpass::sdk::verification::{Demand, Requirements};
use crate::convert::to_sdk;
use crate::error::{Code, Error};

/// A transaction that the holder is asked to agree to.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTransaction {
    /// Its `type`, such as `urn:bandpass:payment:1`.
    pub type_id: String,
    /// Its `payload`, as the type says.
    pub payload: Map<String, Value>,
}

impl NewTransaction {
    /// Out of transaction data that was sent.
    pub(crate) fn read(sent: &str) -> Result<Self, Error> {
        let entry =
            Base64UrlUnpadded::decode_vec(sent).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
        let read = entry.and_then(|entry| {
            let payload = entry.get("payload").and_then(Value::as_object).cloned().unwrap_or_default();
            Some(Self { type_id: entry.get("type")?.as_str()?.to_owned(), payload })
        });
        read.ok_or_else(|| Error::host(Code::HostStore, "transaction data is not as it was sent"))
    }
}

/// What all of a merchant's policies ask for together.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// A DCQL query.
    pub(crate) dcql: Value,
    transaction_types: Vec<String>,
    pub(crate) requirements: Requirements,
}

impl Asked {
    /// # Errors
    /// `plugin.result` if a query is no DCQL query, `plugin.conflict` if two can't be asked together.
    pub(crate) fn together(queries: Vec<Query>) -> Result<Self, Error> {
        let (mut credentials, mut sets) = (Vec::new(), Vec::new());
        let mut requirements: Option<Requirements> = None;
        let mut transaction_types = Vec::new();
        let mut any_sets = false;
        for query in queries {
            let malformed = |why: &dyn std::fmt::Display| Error::host(Code::PluginResult, format!("the query: {why}"));
            bandpass_core::Dcql::from_json(query.dcql.as_bytes()).map_err(|error| malformed(&error))?;
            let dcql = serde_json::from_str::<Value>(&query.dcql).map_err(|error| malformed(&error))?;
            let of_query = dcql.get("credentials").and_then(Value::as_array).cloned().unwrap_or_default();
            match dcql.get("credential_sets").and_then(Value::as_array) {
                Some(own) => {
                    any_sets = true;
                    sets.extend(own.iter().cloned());
                }
                // Without sets every credential is asked for, whatever another policy leaves open.
                None => sets.extend(of_query.iter().map(|credential| json!({"options": [[credential.get("id")]]}))),
            }
            for credential in of_query {
                add_credential(&mut credentials, credential)?;
            }
            transaction_types.extend(query.transaction_types);
            let asked = to_sdk(query.requirements);
            requirements = Some(match requirements {
                Some(before) => before.and(&asked)?,
                None => asked,
            });
        }
        let mut dcql = Map::new();
        dcql.insert("credentials".into(), credentials.into());
        if any_sets {
            dcql.insert("credential_sets".into(), sets.into());
        }
        Ok(Self { dcql: dcql.into(), transaction_types, requirements: requirements.unwrap_or_default() })
    }

    /// Transaction data as it is sent, with what will be required of it (band profile, `require`).
    ///
    /// # Errors
    /// `challenge.malformed` if no policy decides on a type.
    pub(crate) fn transaction_data(&self, transactions: &[NewTransaction]) -> Result<Vec<String>, Error> {
        let require = require(&self.requirements);
        let credential_ids = self.credential_ids();
        let data = transactions.iter().map(|NewTransaction { type_id, payload }| {
            if !self.transaction_types.contains(type_id) {
                let why = format!("no policy of the merchant decides on transactions of the type `{type_id}`");
                return Err(Error::host(Code::ChallengeMalformed, why));
            }
            let mut entry = json!({"type": type_id, "credential_ids": credential_ids, "payload": payload});
            if let (Some(members), false) = (entry.as_object_mut(), require.is_empty()) {
                members.insert("require".into(), require.clone().into());
            }
            Ok(base64url(entry.to_string().as_bytes()))
        });
        data.collect()
    }

    /// Band credentials agree to transactions; where none is asked for, whatever is.
    fn credential_ids(&self) -> Vec<&str> {
        let credentials = || self.dcql.get("credentials").and_then(Value::as_array).into_iter().flatten();
        let is_band = |credential: &&Value| {
            let types = credential.pointer("/meta/vct_values").and_then(Value::as_array);
            types.is_some_and(|types| types.iter().any(|vct| vct == BAND_VCT))
        };
        let bands = credentials().filter(is_band).filter_map(|band| band.get("id")?.as_str()).collect::<Vec<_>>();
        match bands.is_empty() {
            false => bands,
            true => credentials().filter_map(|credential| credential.get("id")?.as_str()).collect(),
        }
    }
}

/// Adds a Credential Query. Two policies may ask for the same one; then all claims that either names are asked for.
fn add_credential(credentials: &mut Vec<Value>, credential: Value) -> Result<(), Error> {
    let Some(there) = credentials.iter_mut().find(|there| there.get("id") == credential.get("id")) else {
        credentials.push(credential);
        return Ok(());
    };
    if *there == credential {
        return Ok(());
    }
    let without_claims = |query: &Value| {
        let mut query = query.as_object().cloned().unwrap_or_default();
        query.retain(|name, _| name != "claims");
        query
    };
    let claims = |query: &Value| query.get("claims").and_then(Value::as_array).cloned().unwrap_or_default();
    if without_claims(there) != without_claims(&credential) || there.get("claim_sets").is_some() {
        let id = credential.get("id").and_then(Value::as_str).unwrap_or_default();
        let why = format!("two policies ask for different credentials under the id `{id}`");
        return Err(Error::host(Code::PluginConflict, why));
    }
    let mut both = claims(there);
    both.extend(claims(&credential).into_iter().filter(|claim| !both.contains(claim)).collect::<Vec<_>>());
    if let Some(members) = there.as_object_mut() {
        members.insert("claims".into(), both.into());
    }
    Ok(())
}

/// What tells the wallet beforehand what will be required (band profile, transaction data).
fn require(requirements: &Requirements) -> Map<String, Value> {
    let mut require = Map::new();
    let by_demand =
        [("approval", requirements.approval), ("worn", requirements.worn), ("confirm", requirements.confirmed)];
    for (name, demand) in by_demand {
        if demand == Demand::Required {
            require.insert(name.into(), true.into());
        }
    }
    if !requirements.methods.is_empty() {
        require.insert("methods".into(), requirements.methods.clone().into());
    }
    for (name, number) in [("unlocked_within", requirements.unlocked_within), ("distance_mm", requirements.distance_mm)]
    {
        if let Some(number) = number {
            require.insert(name.into(), number.into());
        }
    }
    require
}
