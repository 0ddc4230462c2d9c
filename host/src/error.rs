//! The host's own refusals, with stable codes like the verifier's.

use std::fmt;

use wasmtime::Trap;

use crate::bindings::sdk::exports::bandpass::sdk::verification::Failure;
use crate::limits::Limits;

/// Stable code of a refusal by the host.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The plugin is no component of the policy world.
    PluginMalformed,
    /// The plugin imports what this host does not offer.
    PluginImport,
    /// The plugin refused its settings.
    PluginSettings,
    /// The plugin trapped.
    PluginTrap,
    /// The plugin took too long.
    PluginTimeout,
    /// The plugin asked for too much memory or too many table entries.
    PluginMemory,
    /// The plugin returned something that its contract does not allow, or too much of it.
    PluginResult,
    /// The plugin reported an error instead of a decision.
    PluginError,
    /// The plugin allowed with a proof of another submission.
    PluginForeignHandle,
    /// The verifier trapped; it was replaced.
    VerifierTrap,
    /// The challenge was answered before.
    ChallengeUsed,
    /// The state that remembers used challenges can't be read or written.
    HostStore,
    /// The machine lacks something that the host needs.
    HostRuntime,
}

impl Code {
    /// The code as it is written, such as `plugin.trap`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PluginMalformed => "plugin.malformed",
            Self::PluginImport => "plugin.import",
            Self::PluginSettings => "plugin.settings",
            Self::PluginTrap => "plugin.trap",
            Self::PluginTimeout => "plugin.timeout",
            Self::PluginMemory => "plugin.memory",
            Self::PluginResult => "plugin.result",
            Self::PluginError => "plugin.error",
            Self::PluginForeignHandle => "plugin.foreign-handle",
            Self::VerifierTrap => "verifier.trap",
            Self::ChallengeUsed => "challenge.used",
            Self::HostStore => "host.store",
            Self::HostRuntime => "host.runtime",
        }
    }
}

/// Why the host could not go on.
#[derive(Debug)]
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
}

impl Error {
    pub(crate) fn host(code: Code, message: impl fmt::Display) -> Self {
        Self::Host { code, message: message.to_string() }
    }

    /// The stable code, such as `trust.malformed` or `plugin.import`.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(failure) => &failure.code,
            Self::Host { code, .. } => code.as_str(),
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Refused(failure) => &failure.message,
            Self::Host { message, .. } => message,
        }
    }

    /// What a call into a plugin ended with, by its cause.
    pub(crate) fn from_plugin_call(error: &wasmtime::Error, limits: &Limits) -> Self {
        if let Some(Self::Host { code, message }) = error.downcast_ref::<Self>() {
            return Self::host(*code, message);
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::host(Code::PluginTimeout, "the plugin took too long"),
            _ if limits.refused() => Self::host(Code::PluginMemory, "the plugin asked for too much memory"),
            Some(trap) => Self::host(Code::PluginTrap, trap),
            None => Self::host(Code::PluginResult, error.root_cause()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { code, message } => write!(f, "{}: {message}", code.as_str()),
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
