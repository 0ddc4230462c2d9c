//! The host's own refusals, with stable codes like the verifier's.

use std::fmt;

use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::bindings::sdk::exports::bandpass::sdk::verification::Failure;
use crate::limits::Limits;

bandpass_core::codes! {
    /// The plugin has too many bytes to be compiled.
    PluginTooLarge = "plugin.too-large",
    /// The plugin is no component of the policy world, or the schema of its settings is none.
    PluginMalformed = "plugin.malformed",
    /// The plugin can't be compiled in the time and memory that there is for it.
    PluginCompile = "plugin.compile",
    /// The publisher's signature over the plugin is not what it should be.
    PluginSignature = "plugin.signature",
    /// The plugin needs what this host does not offer.
    PluginImport = "plugin.import",
    /// The settings don't fit the plugin's schema, or the plugin refused them.
    PluginSettings = "plugin.settings",
    /// The plugin trapped.
    PluginTrap = "plugin.trap",
    /// The plugin took too long.
    PluginTimeout = "plugin.timeout",
    /// The plugin asked for too much memory, or too many tables or table entries.
    PluginMemory = "plugin.memory",
    /// The plugin returned something that its contract does not allow, or too much of it.
    PluginResult = "plugin.result",
    /// The plugin wrote more lines into the log than anybody would read.
    PluginLog = "plugin.log",
    /// What the plugin requires can't be asked for together with what the merchant does.
    PluginRequirements = "plugin.requirements",
    /// The plugin reported an error instead of an answer.
    PluginError = "plugin.error",
    /// The plugin's file is not there.
    PluginMissing = "plugin.missing",
    /// The plugin's file is not the one that was pinned.
    PluginDigest = "plugin.digest",
    /// The plugin's component was revoked.
    PluginRevoked = "plugin.revoked",
    /// The merchant's policies ask for what can't be asked for together.
    PluginConflict = "plugin.conflict",
    /// The plugin came with a proof of another submission.
    PluginForeignHandle = "plugin.foreign-handle",
    /// The verifier trapped; it was replaced.
    VerifierTrap = "verifier.trap",
    /// The cap would be passed.
    LedgerExceeded = "ledger.exceeded",
    /// The plugin has verified nothing yet, so nobody's cap could be looked at.
    LedgerUnverified = "ledger.unverified",
    /// What the cap is counted on was not proved: the account's `sub`, or the band's key.
    LedgerScope = "ledger.scope",
    /// Quantity and cap are no plain decimals of the same unit, or the cap has no proper name or window.
    LedgerMalformed = "ledger.malformed",
    /// This host keeps no ledger.
    LedgerUnavailable = "ledger.unavailable",
    /// The challenge is not what its format says; the caller's mistake, not the token's.
    ChallengeMalformed = "challenge.malformed",
    /// There is no such challenge, or it is no longer remembered.
    ChallengeUnknown = "challenge.unknown",
    /// The challenge has expired.
    ChallengeExpired = "challenge.expired",
    /// The challenge was answered before.
    ChallengeUsed = "challenge.used",
    /// Five answers to the challenge failed.
    ChallengeAttempts = "challenge.attempts",
    /// The wallet answered the challenge with an error; its holder may have declined.
    WalletError = "wallet.error",
    /// A policy that the challenge was made for was revoked.
    ChallengeSuperseded = "challenge.superseded",
    /// What the wallet sent is no response as OpenID4VP defines it: its parameters, or the form of what is encrypted.
    ResponseMalformed = "response.malformed",
    /// The response has more bytes than any that a wallet sends.
    ResponseTooLarge = "response.too-large",
    /// The response is not encrypted, which was asked for.
    ResponseUnencrypted = "response.unencrypted",
    /// The response is encrypted by an algorithm, or with an extension, that was not asked for.
    ResponseAlgorithm = "response.algorithm",
    /// The response is encrypted to another key than the challenge's.
    ResponseKey = "response.key",
    /// The wallet's ephemeral key is no point on P-256.
    ResponseEphemeralKey = "response.ephemeral-key",
    /// The response can't be decrypted: it was changed, or not made for the challenge's key.
    ResponseDecryption = "response.decryption",
    /// The response's `state` is another challenge's.
    ResponseState = "response.state",
    /// The band's signature counter did not grow: the token is an old one, or its key was copied.
    EvidenceCounter = "evidence.counter",
    /// The merchant's transaction was allowed before.
    TransactionUsed = "transaction.used",
    /// What was reserved lapsed before the decision.
    LedgerLapsed = "ledger.lapsed",
    /// The merchant has no such decision.
    DecisionUnknown = "decision.unknown",
    /// The decision is no allow, so it can't be taken back.
    DecisionNotAllowed = "decision.not-allowed",
    /// The decision is no step-up.
    StepUpNone = "step-up.none",
    /// The step-up was taken up before.
    StepUpUsed = "step-up.used",
    /// The step-up came too late.
    StepUpExpired = "step-up.expired",
    /// A policy asked for another step-up after the one that was taken.
    StepUpRepeated = "step-up.repeated",
    /// The host has no such merchant.
    MerchantUnknown = "merchant.unknown",
    /// The host has a merchant with this identifier already.
    MerchantKnown = "merchant.known",
    /// There is no API key with this id.
    KeyUnknown = "key.unknown",
    /// The host's configuration is not what its format says.
    ConfigMalformed = "config.malformed",
    /// The HTTP request has no key or secret that is valid here.
    RequestUnauthorized = "request.unauthorized",
    /// The caller may not do that: the origin or address is not the merchant's, or a `response_code` is missing or wrong.
    RequestForbidden = "request.forbidden",
    /// The HTTP request is not what the API says.
    RequestMalformed = "request.malformed",
    /// The HTTP request's body is too large.
    RequestTooLarge = "request.too-large",
    /// The HTTP request took too long to arrive.
    RequestTimeout = "request.timeout",
    /// Too many HTTP requests by the same caller.
    RequestRate = "request.rate",
    /// There is nothing at this address.
    RequestUnknown = "request.unknown",
    /// The address takes other HTTP methods.
    RequestMethod = "request.method",
    /// An entry of the audit chain is not what was written.
    AuditChanged = "audit.changed",
    /// An entry of the audit chain is missing.
    AuditGap = "audit.gap",
    /// The end of the audit chain is missing.
    AuditCut = "audit.cut",
    /// The audit chain was written anew: a checkpoint or a receipt says otherwise.
    AuditRewritten = "audit.rewritten",
    /// A checkpoint or a receipt was not signed by the host's key.
    AuditSignature = "audit.signature",
    /// The registry has no account with this key.
    AccountUnknown = "account.unknown",
    /// The registry has an account with this key already.
    AccountKnown = "account.known",
    /// The request has no `DPoP` proof, or several.
    DpopMissing = "dpop.missing",
    /// The `DPoP` proof is not what RFC 9449 says.
    DpopMalformed = "dpop.malformed",
    /// The `DPoP` proof was not signed by the key in it.
    DpopSignature = "dpop.signature",
    /// The `DPoP` proof is for another method, address or access token.
    DpopRequest = "dpop.request",
    /// The `DPoP` proof was made too long ago, or later than now.
    DpopStale = "dpop.stale",
    /// The `DPoP` proof was used before.
    DpopUsed = "dpop.used",
    /// The request has no access token.
    AccessTokenMissing = "access-token.missing",
    /// The access token is not what RFC 9068 says, or unknown.
    AccessTokenMalformed = "access-token.malformed",
    /// The access token was not signed by the authorization server.
    AccessTokenSignature = "access-token.signature",
    /// The access token is by another issuer, or for another audience.
    AccessTokenAudience = "access-token.audience",
    /// The access token has expired.
    AccessTokenExpired = "access-token.expired",
    /// The access token is bound to another key than that of the `DPoP` proof, or to another account.
    AccessTokenKey = "access-token.key",
    /// What a band or a phone signed is not what its type says.
    ProofMalformed = "proof.malformed",
    /// What a band or a phone should have signed was not signed by the key in it.
    ProofSignature = "proof.signature",
    /// What a band or a phone signed is for somebody else.
    ProofAudience = "proof.audience",
    /// What a band or a phone signed was signed too long ago, or later than now.
    ProofStale = "proof.stale",
    /// The nonce that a band or a phone signed is unknown, has expired or was used.
    ProofNonce = "proof.nonce",
    /// The maker's attestation is not what its type says.
    AttestationMalformed = "attestation.malformed",
    /// The registry does not know the maker.
    AttestationMaker = "attestation.maker",
    /// The maker's attestation was not signed by the maker.
    AttestationSignature = "attestation.signature",
    /// The maker attests another band.
    AttestationBand = "attestation.band",
    /// The maker's attestation has expired.
    AttestationExpired = "attestation.expired",
    /// The credential offer is unknown, has expired or was used.
    OfferUnknown = "offer.unknown",
    /// The registry issues no such credential.
    IssueConfiguration = "issue.configuration",
    /// As many keys of the band as of the phone are needed, at least one, and no more than a batch has.
    IssueBatch = "issue.batch",
    /// The band has as many credentials that have not expired as it may.
    IssueLimit = "issue.limit",
    /// A key of the batch is there twice, or is that of a band, phone or account; or the proof is by none of the batch.
    IssueKey = "issue.key",
    /// There is no such status list here.
    StatusListUnknown = "status-list.unknown",
    /// A file with a trust list or status list can't be read.
    FetchFile = "fetch.file",
    /// What is to be fetched has no `https` URL without credentials, fragment and dots, or plain `http` beyond this machine.
    FetchLocation = "fetch.location",
    /// The server has no address, or can't be reached.
    FetchConnect = "fetch.connect",
    /// The server's certificate is not trusted, or TLS failed otherwise.
    FetchTls = "fetch.tls",
    /// The server took too long.
    FetchTimeout = "fetch.timeout",
    /// The server's answer is no HTTP, or was cut off.
    FetchResponse = "fetch.response",
    /// The server answered with a status that is neither success nor `304 Not Modified`.
    FetchStatus = "fetch.status",
    /// The server sent on to where nothing may be fetched from, or too often.
    FetchRedirect = "fetch.redirect",
    /// The server's answer is of another media type.
    FetchType = "fetch.type",
    /// What was fetched has too many bytes.
    FetchTooLarge = "fetch.too-large",
    /// What was fetched is the status list of another `uri` or issuer than the one that was asked for.
    FetchOther = "fetch.other",
    /// More is asked for than this host can do at the moment. Nothing was used up.
    HostOverloaded = "host.overloaded",
    /// The state that remembers used challenges can't be read or written.
    HostStore = "host.store",
    /// The machine lacks something that the host needs.
    HostRuntime = "host.runtime",
    /// A file or an argument can't be read.
    HostInput = "host.input",
}

/// Why the host could not go on.
#[derive(Clone, Debug)]
pub enum Error {
    /// The verifier refused what it was given; the code is the verifier's own.
    Refused(Failure),
    /// The host refused or failed.
    Host {
        /// Stable code.
        code: Code,
        /// One sentence for people.
        message: String,
    },
    /// The registry refused what would change a pairing.
    Pairing(bandpass_pairing::Code),
}

impl Error {
    pub(crate) fn host(code: Code, message: impl fmt::Display) -> Self {
        Self::Host { code, message: message.to_string() }
    }

    /// The machine lacks something that the host needs.
    pub fn runtime(error: &impl fmt::Display) -> Self {
        Self::host(Code::HostRuntime, error)
    }

    /// The file with a challenge can't be read as one.
    pub fn challenge_malformed(file: &impl fmt::Display, error: &impl fmt::Display) -> Self {
        Self::host(Code::ChallengeMalformed, format!("{file}: {error}"))
    }

    /// Whether it says nothing of token, plugin or challenge, so that nothing may be decided or used up by it.
    pub(crate) fn is_no_verdict(&self) -> bool {
        matches!(self, Self::Host { code: Code::HostStore | Code::HostOverloaded | Code::HostRuntime, .. })
    }

    /// The stable code, such as `trust.malformed` or `plugin.import`.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(failure) => &failure.code,
            Self::Host { code, .. } => code.as_str(),
            Self::Pairing(code) => code.as_str(),
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Refused(failure) => &failure.message,
            Self::Host { message, .. } => message,
            Self::Pairing(code) => code.meaning(),
        }
    }

    /// No instance could be made, for too many are there.
    pub(crate) fn overloaded() -> Self {
        Self::host(Code::HostOverloaded, "too many guests run at once")
    }

    /// What a call into a plugin ended with, by its cause.
    pub(crate) fn from_plugin_call(error: &wasmtime::Error, limits: &Limits) -> Self {
        if let Some(Self::Host { code, message }) = error.downcast_ref::<Self>() {
            return Self::host(*code, message);
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return Self::overloaded();
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::host(Code::PluginTimeout, "the plugin took too long"),
            _ if limits.refused() => Self::host(Code::PluginMemory, "the plugin asked for too much memory"),
            Some(trap) => Self::host(Code::PluginTrap, trap),
            None => Self::host(Code::PluginResult, readable(&error.root_cause().to_string())),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { code, message } => write!(f, "{}: {message}", code.as_str()),
            Self::Pairing(code) => write!(f, "{code}: {}", code.meaning()),
            Self::Refused(Failure { code, message, claim, expected, actual }) => {
                write!(f, "{code}: {message}")?;
                for (name, value) in [("claim", claim), ("expected", expected), ("found", actual)] {
                    if let Some(value) = value {
                        write!(f, "; {name} `{value}`")?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<bandpass_pairing::Code> for Error {
    fn from(code: bandpass_pairing::Code) -> Self {
        Self::Pairing(code)
    }
}

impl From<bandpass_roles::device::Refusal> for Error {
    fn from(refusal: bandpass_roles::device::Refusal) -> Self {
        Self::Refused(Failure {
            code: refusal.as_str().into(),
            message: refusal.meaning().into(),
            claim: None,
            expected: None,
            actual: None,
        })
    }
}

impl From<bandpass_core::Error> for Error {
    fn from(error: bandpass_core::Error) -> Self {
        Self::Refused(Failure {
            code: error.code().as_str().into(),
            message: error.message().into(),
            claim: error.claim_path().map(Into::into),
            expected: error.expected_value().map(Into::into),
            actual: error.actual_value().map(Into::into),
        })
    }
}

/// Longest text by a stranger in a message, in characters.
const MAX_TEXT: usize = 1_000;

/// Text by a stranger in a message: cut, and nothing in it that a terminal would act on.
pub(crate) fn readable(text: &str) -> String {
    text.chars()
        .take(MAX_TEXT)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}
