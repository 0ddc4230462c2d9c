//! What a verification proves.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::age::Date;
use crate::claims::{ClaimPath, select, selected};
use crate::dcql::{CredentialQuery, Dcql, Kind};
use crate::error::{Code, Error};
use crate::evidence::Evidence;
use crate::holder::no_proof;
use crate::jwk::jwk;
use crate::status::Status;
use crate::transaction::Transaction;

/// Proof that every check passed. Only [`Verifier`](crate::Verifier) and [`Submission`](crate::Submission) make one.
#[derive(Clone, Debug)]
pub struct Verified {
    pub(crate) issuer: String,
    pub(crate) credential_type: Option<String>,
    /// None for a bare presentation, unless a query was asked for.
    pub(crate) query_id: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) claims: Map<String, Value>,
    pub(crate) expires: Option<u64>,
    pub(crate) status: Status,
    pub(crate) key_thumbprint: Option<String>,
    pub(crate) key_coordinates: Option<[[u8; 32]; 2]>,
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) evidence: Option<Evidence>,
}

impl Verified {
    /// `iss` of the credential, or what stands for it in the trust list where its certificate names the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `vct` of the credential; `None` for a plain SD-JWT without one. If the issuer is not trusted for it but for one of
    /// the credential's `aka_vcts`, that one.
    #[must_use]
    pub fn credential_type(&self) -> Option<&str> {
        self.credential_type.as_deref()
    }

    /// `sub`, if it was disclosed: stable per account, so it links what one person does at different relying parties.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims.get("sub").and_then(Value::as_str)
    }

    /// The disclosed claims: the processed SD-JWT payload (RFC 9901, section 7.1).
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// One claim by its path; `None` if it was not disclosed.
    #[must_use]
    pub fn claim(&self, path: &ClaimPath) -> Option<Value> {
        select(&self.claims, path)
    }

    /// A claim that is a string; `None` if it was not disclosed or is something else.
    #[must_use]
    pub fn claim_text(&self, path: &ClaimPath) -> Option<&str> {
        self.only(path)?.as_str()
    }

    /// A claim that is an array of strings, such as `nationalities`, or strings in an array; `None` if it was not
    /// disclosed or if anything in it is something else.
    #[must_use]
    pub fn claim_texts(&self, path: &ClaimPath) -> Option<Vec<&str>> {
        let found = selected(&self.claims, path);
        let items = match found.as_slice() {
            [] => return None,
            [Value::Array(items)] => items.iter().collect(),
            _ => found,
        };
        items.into_iter().map(Value::as_str).collect()
    }

    /// A claim that is true or false, such as `age_equal_or_over.18`; `None` if it was not disclosed or is something
    /// else.
    #[must_use]
    pub fn claim_bool(&self, path: &ClaimPath) -> Option<bool> {
        self.only(path)?.as_bool()
    }

    /// A claim that is an integer; `None` if it was not disclosed, or is something else, a number with a fraction or an
    /// exponent included.
    #[must_use]
    pub fn claim_integer(&self, path: &ClaimPath) -> Option<i64> {
        self.only(path)?.as_i64()
    }

    /// `birthdate`; `None` if it was not disclosed or is not a day.
    #[must_use]
    pub fn birthdate(&self) -> Option<Date> {
        self.claim_text(&"birthdate".into()).and_then(Date::parse)
    }

    fn only(&self, path: &ClaimPath) -> Option<&Value> {
        match selected(&self.claims, path).as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether this credential meets the Credential Query that it answers: the one with the id under which it was
    /// submitted or asked for; for a bare presentation that nobody gave an id any one of them.
    ///
    /// Other Credential Queries and `credential_sets` are about submissions and not looked at.
    ///
    /// # Errors
    /// [`Code::TokenUnexpected`] if there is no such Credential Query, [`Code::HolderMissing`] if it demands a proof and
    /// there was none, and the codes of `claims.` for what it asks; of the first one if any would do and none does.
    pub fn satisfies(&self, dcql: &Dcql) -> Result<(), Error> {
        let meets = |query: &CredentialQuery| {
            if query.holder_binding() && self.key_thumbprint.is_none() {
                return Err(no_proof());
            }
            query.check_kind(&self.kind)?;
            query.check_claims(&self.claims)
        };
        if let Some(id) = &self.query_id {
            let unasked = || Error::new(Code::TokenUnexpected, "a presentation answers no query").claim(id);
            return meets(dcql.query(id).ok_or_else(unasked)?);
        }
        let mut results = dcql.queries().iter().map(meets);
        let first = results.next().unwrap_or(Ok(()));
        if first.is_ok() || results.any(|result| result.is_ok()) { Ok(()) } else { first }
    }

    /// `exp` of the credential, seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// Whether the credential's status was looked up.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// RFC 7638 thumbprint of the holder's key; `None` if no proof was required and none was there.
    #[must_use]
    pub fn key_thumbprint(&self) -> Option<&str> {
        self.key_thumbprint.as_deref()
    }

    /// The holder's public key as JWK, for whoever issues that holder something else; `None` as for its thumbprint.
    #[must_use]
    pub fn key_jwk(&self) -> Option<String> {
        self.key_coordinates.as_ref().map(jwk)
    }

    /// Transactions that the holder agreed to, in the order in which they were sent.
    #[must_use]
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// What the proof says of the moment; `None` for credentials that are not a band's.
    #[must_use]
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }
}
