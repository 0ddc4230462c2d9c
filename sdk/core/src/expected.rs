//! What a token is judged by: the relying party's challenge, and what is asked for on top of the standards' checks.

use alloc::string::String;
use alloc::vec::Vec;

use crate::claims::ClaimPath;
use crate::dcql::Dcql;
use crate::error::{Code, Error};
use crate::limits::MAX_TRANSACTIONS;
use crate::mdoc::Session;
use crate::transaction::Transaction;

/// What an answer is bound to (band profile, section Challenge): from it follow audience and nonce of an SD-JWT's proof, and
/// the `SessionTranscript` of an mdoc's (OpenID4VP 1.0, appendix B.2.6; ISO/IEC 18013-5, section 9.1.5.1).
#[derive(Clone)]
pub enum Binding {
    /// A request by redirect.
    OpenId4Vp {
        /// The full `client_id` with its prefix: the audience.
        client_id: String,
        /// The nonce.
        nonce: String,
        /// `response_uri`, or `redirect_uri` where the response goes there.
        response_uri: String,
        /// RFC 7638 thumbprint (SHA-256, 32 bytes) of the key that the response is encrypted to, if it is.
        jwk_thumbprint: Option<Vec<u8>>,
    },
    /// A request by the Digital Credentials API.
    DcApi {
        /// The origin, such as `https://shop.example`; with `origin:` before it the audience.
        origin: String,
        /// The nonce.
        nonce: String,
        /// RFC 7638 thumbprint (SHA-256, 32 bytes) of the key that the response is encrypted to, if it is.
        jwk_thumbprint: Option<Vec<u8>>,
    },
    /// A session of ISO/IEC 18013-5.
    Proximity {
        /// `SessionTranscriptBytes`, tagged.
        session_transcript: Vec<u8>,
        /// The reader's private key for this session, 32 bytes: a secret. Without it no proof can be a MAC.
        reader_key: Option<Vec<u8>>,
    },
}

/// What the relying party handed out, and the time at which the answer is judged.
///
/// Nothing in it has a default that a caller must know of: time, audience and nonce are arguments.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// Empty in proximity.
    audience: Vec<String>,
    /// None in proximity.
    nonce: Option<String>,
    pub(crate) session: Option<Session>,
    measured_mm: Option<u32>,
    now: u64,
    max_age: u64,
    tolerance: u64,
    status_max_age: u64,
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) dcql: Option<Dcql>,
}

impl Challenge {
    /// Greatest age of a proof unless [`Challenge::max_age`] says otherwise, in seconds.
    pub const DEFAULT_MAX_AGE: u32 = 300;
    /// Clock tolerance unless [`Challenge::clock_tolerance`] says otherwise, in seconds.
    pub const DEFAULT_CLOCK_TOLERANCE: u32 = 60;
    /// Greatest age of a status list unless [`Challenge::max_status_age`] says otherwise, in seconds.
    pub const DEFAULT_STATUS_MAX_AGE: u32 = 900;

    /// For SD-JWTs alone. `audience`: what the proof's `aud` may be, any one of them. `now`: seconds since 1970 (UTC).
    ///
    /// That the nonce is unpredictable (at least 128 random bits) and used once is the caller's part.
    ///
    /// # Errors
    /// [`Code::ChallengeMalformed`] if there is no audience, or an empty one, or an empty nonce.
    pub fn new(audience: Vec<String>, nonce: String, now: u64) -> Result<Self, Error> {
        if audience.is_empty() || audience.iter().any(String::is_empty) {
            return Err(Error::new(Code::ChallengeMalformed, "a challenge has an audience").claim("audience"));
        }
        if nonce.is_empty() {
            return Err(Error::new(Code::ChallengeMalformed, "a challenge has a nonce").claim("nonce"));
        }
        Ok(Self::with(audience, Some(nonce), None, now))
    }

    /// For either format: SD-JWTs with this audience and nonce, and mdocs in this session. In proximity there are only mdocs.
    ///
    /// # Errors
    /// [`Code::ChallengeMalformed`] if a text is empty, or the session's transcript or key is none.
    pub fn bound(binding: Binding, now: u64) -> Result<Self, Error> {
        let malformed =
            |claim| Error::new(Code::ChallengeMalformed, "the binding of a challenge is malformed").claim(claim);
        let session = Some(Session::of(&binding).map_err(malformed)?);
        let (audience, nonce) = match binding {
            Binding::OpenId4Vp { client_id, nonce, .. } => (client_id, nonce),
            Binding::DcApi { origin, nonce, .. } => (["origin:", &origin].concat(), nonce),
            Binding::Proximity { .. } => return Ok(Self::with(Vec::new(), None, session, now)),
        };
        Ok(Self { session, ..Self::new([audience].into(), nonce, now)? })
    }

    fn with(audience: Vec<String>, nonce: Option<String>, session: Option<Session>, now: u64) -> Self {
        Self {
            audience,
            nonce,
            session,
            measured_mm: None,
            now,
            max_age: Self::DEFAULT_MAX_AGE.into(),
            tolerance: Self::DEFAULT_CLOCK_TOLERANCE.into(),
            status_max_age: Self::DEFAULT_STATUS_MAX_AGE.into(),
            transactions: Vec::new(),
            dcql: None,
        }
    }

    /// Sets the distance to the band in millimetres that the reader measured itself, in a proximity session and bound to it.
    /// It decides, whatever the band says.
    #[must_use]
    pub fn measured_distance(mut self, millimetres: u32) -> Self {
        self.measured_mm = Some(millimetres);
        self
    }

    /// Sets the greatest age of the proof, in seconds.
    #[must_use]
    pub fn max_age(mut self, seconds: u32) -> Self {
        self.max_age = seconds.into();
        self
    }

    /// Sets by how many seconds clocks may differ.
    #[must_use]
    pub fn clock_tolerance(mut self, seconds: u32) -> Self {
        self.tolerance = seconds.into();
        self
    }

    /// Sets the greatest age of a status list, counted from its `iat`, in seconds. It ends with its `exp` in any case.
    #[must_use]
    pub fn max_status_age(mut self, seconds: u32) -> Self {
        self.status_max_age = seconds.into();
        self
    }

    /// Sets the transaction data: base64url strings, as sent to the wallet.
    ///
    /// # Errors
    /// [`Code::ChallengeMalformed`] if an entry is not what its type says, or there are too many.
    pub fn transaction_data<S: AsRef<str>>(mut self, sent: &[S]) -> Result<Self, Error> {
        if sent.len() > MAX_TRANSACTIONS {
            let error = Error::new(Code::ChallengeMalformed, "a challenge has too many transactions");
            return Err(error.claim("transaction_data"));
        }
        self.transactions = sent.iter().map(|entry| Transaction::parse(entry.as_ref())).collect::<Result<_, _>>()?;
        if let Some(twice) = Transaction::first_sent_twice(&self.transactions) {
            let error = Error::new(Code::ChallengeMalformed, "a challenge has the same transaction twice");
            return Err(error.claim("transaction_data").actual(twice));
        }
        Ok(self)
    }

    /// Sets the query that was sent to the wallet: every submission must be an answer to it, whatever else is required.
    #[must_use]
    pub fn dcql(mut self, query: Dcql) -> Self {
        self.dcql = Some(query);
        self
    }

    pub(crate) fn audience(&self) -> &[String] {
        &self.audience
    }

    pub(crate) fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Base64url of the SHA-256 of `SessionTranscriptBytes`; none outside proximity.
    pub(crate) fn proximity(&self) -> Option<&str> {
        self.session.as_ref()?.id()
    }

    /// The reader's own measure, in proximity.
    pub(crate) fn measured_mm(&self) -> Option<u32> {
        self.measured_mm.filter(|_| self.proximity().is_some())
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn tolerance(&self) -> u64 {
        self.tolerance
    }

    pub(crate) fn status_max_age(&self) -> u64 {
        self.status_max_age
    }

    pub(crate) fn earliest_proof(&self) -> u64 {
        self.now.saturating_sub(self.max_age).saturating_sub(self.tolerance)
    }
}

/// Whether something is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// As the band profile says: payments ask for approval, worn and unlocked; a holder's proof is always asked for.
    #[default]
    ByProfile,
    /// Refuse without it.
    Required,
    /// Accept without it. Weakens the verdict; what is present is checked all the same.
    NotRequired,
}

impl Demand {
    pub(crate) fn holds(self, by_profile: bool) -> bool {
        match self {
            Self::ByProfile => by_profile,
            Self::Required => true,
            Self::NotRequired => false,
        }
    }
}

/// What a caller asks for on top of the checks that the standards make mandatory; those always run.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    /// Key binding (RFC 9901, section 7.3). `NotRequired` accepts a credential that anyone could have copied, and is
    /// refused for band credentials.
    pub holder: Demand,
    /// The credential's status, from a list that is at hand and not too old. By profile it is asked for wherever the
    /// credential names a status list. `NotRequired` accepts credentials that may have been revoked.
    pub status: Demand,
    /// The paired phone's approval.
    pub approval: Demand,
    /// Authentication methods that the approval must name, all of them (RFC 8176). Any asks for the approval.
    pub methods: Vec<String>,
    /// The band was on the wrist when it signed.
    pub worn: Demand,
    /// The band was unlocked, on the wrist, when it signed.
    pub unlocked: Demand,
    /// Greatest age of that unlock in seconds. Asks for unlocked.
    pub unlocked_within: Option<u32>,
    /// The wearer acted on the band after the challenge arrived.
    pub confirmed: Demand,
    /// Greatest distance between band and reader in millimetres.
    pub distance_mm: Option<u32>,
    /// Claims that must have been disclosed.
    pub claims: Vec<ClaimPath>,
    /// The holder has at least that many full years, by `birthdate` or `age_equal_or_over`.
    pub age_at_least: Option<u8>,
    /// The presentation of this query must prove the same holder key; all of them, if there are several.
    pub same_holder_as: Option<String>,
}

impl Requirements {
    /// What stands whatever a caller requires, and the status as the caller does.
    pub(crate) fn of_others(&self) -> Self {
        let no = Demand::NotRequired;
        let status = self.status;
        Self { holder: no, status, approval: no, worn: no, unlocked: no, confirmed: no, ..Self::default() }
    }
}

/// What a token is judged by.
#[derive(Clone, Debug)]
pub struct Expected {
    /// What was handed out.
    pub challenge: Challenge,
    /// What is asked for on top.
    pub requirements: Requirements,
}
