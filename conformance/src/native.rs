//! The vectors for the verifier as a library: what a vector says, in its types.

use bandpass_core::{
    Binding as CoreBinding, Challenge, ClaimPath, Dcql, Demand as CoreDemand, Error, PathSegment,
    Requirements as CoreRequirements, Submission, Trust, Verified, Verifier,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

use crate::{Binding, Demand, Expected, Requirements, Vector, Verdict};

impl Vector {
    /// A verifier with the trust list and the status lists.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn verifier(&self) -> Result<Verifier, Error> {
        let mut verifier = Verifier::new(Trust::from_json(self.trust.to_string().as_bytes())?);
        for token in self.status_list_tokens() {
            verifier.update_status(&token, self.expected.now)?;
        }
        Ok(verifier)
    }

    /// What the wallet sent, taken in.
    ///
    /// # Errors
    /// What is wrong with the lists or the challenge.
    pub fn submit(&self) -> Result<Submission, Error> {
        Ok(self.verifier()?.submit(self.vp_token.as_bytes(), self.expected.challenge()?))
    }

    /// The verdict.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify(&self) -> Result<Verified, Error> {
        self.submit()?.verify(&self.expected.query_id, &self.expected.requirements.to_core())
    }
}

impl Vector {
    /// What the verifier makes of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.verify() {
            Ok(verified) => Verdict::Accepted {
                claims: verified.claims().clone(),
                transactions: verified.transactions().iter().map(|one| one.id().map(ToOwned::to_owned)).collect(),
            },
            Err(error) => Verdict::Refused { code: error.code().as_str().into() },
        }
    }
}

impl Expected {
    /// The challenge.
    ///
    /// # Errors
    /// `challenge.malformed`.
    pub fn challenge(&self) -> Result<Challenge, Error> {
        let mut challenge = match &self.binding {
            Some(binding) => Challenge::bound(binding.to_core(), self.now)?,
            None => Challenge::new(self.audience.clone(), self.nonce.clone(), self.now)?,
        };
        if let Some(millimetres) = self.measured_distance_mm {
            challenge = challenge.measured_distance(millimetres);
        }
        let challenge = challenge
            .max_age(self.max_age)
            .clock_tolerance(self.clock_tolerance)
            .max_status_age(self.status_max_age)
            .transaction_data(&self.transaction_data)?;
        Ok(match &self.dcql {
            Some(dcql) => challenge.dcql(Dcql::from_json(dcql.to_string().as_bytes())?),
            None => challenge,
        })
    }
}

impl Binding {
    /// The same for the verifier. What is not base64url is no bytes.
    #[must_use]
    pub fn to_core(&self) -> CoreBinding {
        let bytes = |text: String| Base64UrlUnpadded::decode_vec(&text).unwrap_or_default();
        match self.clone() {
            Self::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint } => {
                CoreBinding::OpenId4Vp { client_id, nonce, response_uri, jwk_thumbprint: jwk_thumbprint.map(bytes) }
            }
            Self::DcApi { origin, nonce, jwk_thumbprint } => {
                CoreBinding::DcApi { origin, nonce, jwk_thumbprint: jwk_thumbprint.map(bytes) }
            }
            Self::Proximity { session_transcript, reader_key } => CoreBinding::Proximity {
                session_transcript: bytes(session_transcript),
                reader_key: reader_key.map(bytes),
            },
        }
    }
}

impl Requirements {
    /// The same for the verifier.
    #[must_use]
    pub fn to_core(&self) -> CoreRequirements {
        CoreRequirements {
            holder: demand(self.holder),
            status: demand(self.status),
            approval: demand(self.approval),
            methods: self.methods.clone(),
            worn: demand(self.worn),
            unlocked: demand(self.unlocked),
            unlocked_within: self.unlocked_within,
            confirmed: demand(self.confirmed),
            distance_mm: self.distance_mm,
            claims: self.claims.iter().map(|path| claim_path(path)).collect(),
            age_at_least: self.age_at_least,
            same_holder_as: self.same_holder_as.clone(),
        }
    }
}

/// A path as DCQL writes it. A number that is no index selects nothing.
#[must_use]
pub fn claim_path(path: &[Value]) -> ClaimPath {
    let segment = |segment: &Value| match segment {
        Value::String(key) => PathSegment::Key(key.clone()),
        Value::Null => PathSegment::All,
        index => PathSegment::Index(index.as_u64().and_then(|index| index.try_into().ok()).unwrap_or(u32::MAX)),
    };
    ClaimPath::new(path.iter().map(segment).collect())
}

fn demand(demand: Option<Demand>) -> CoreDemand {
    match demand {
        None => CoreDemand::ByProfile,
        Some(Demand::Required) => CoreDemand::Required,
        Some(Demand::NotRequired) => CoreDemand::NotRequired,
    }
}
