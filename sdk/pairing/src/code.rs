//! Why an event is refused.

use core::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)+) => {
        /// Stable code of a refusal: one code, one cause.
        ///
        /// They stand in the order in which [`apply`](crate::apply) looks; the first that holds is the result.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, in the order of the checks.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code as it is written, such as `pairing.locked`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// What the code means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    /// No such band is enrolled.
    Unknown = "pairing.unknown",
    /// The band is enrolled already, by whichever account.
    Enrolled = "pairing.enrolled",
    /// The account key that signed is not that of the band's owner.
    NotOwner = "pairing.not-owner",
    /// The owner's user verification is missing, too old, or later than now.
    Verification = "pairing.verification",
    /// The proofs are not by this band and the other party, each naming the other.
    Mismatch = "pairing.mismatch",
    /// One key stands in two roles, of band, phone and account.
    Key = "pairing.key",
    /// The band is reported lost.
    Lost = "pairing.lost",
    /// The band is not reported lost.
    NotLost = "pairing.not-lost",
    /// The band is paired, and not with the phone that asks.
    Locked = "pairing.locked",
    /// The band is paired with no phone.
    Unpaired = "pairing.unpaired",
    /// The nonce or the epoch is not the present one: overtaken by a later one, or used up.
    Superseded = "pairing.superseded",
    /// The pairing was opened too long ago.
    Expired = "pairing.expired",
    /// The status index has been given to a credential before.
    Index = "pairing.index",
    /// The band has been paired so often that the epoch can't grow any more.
    Exhausted = "pairing.exhausted",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for Code {}
