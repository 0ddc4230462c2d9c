//! Caps on amounts and counts: what a plugin asks for, checked, and whose it is.

use crate::bindings::policy::bandpass::sdk::ledger as wit;
use crate::bindings::policy::bandpass::sdk::verification::Money as PolicyMoney;
use crate::bindings::sdk::exports::bandpass::sdk::verification::Money;
use crate::error::{Code, Error};

pub use wit::Scope;

/// Longest name of a cap, in bytes.
const MAX_NAME: usize = 100;
/// Digits of an amount before and behind the point, as everywhere.
const MAX_DIGITS: (usize, usize) = (15, 6);

/// Where an embedder keeps the caps of one merchant. It lives for one evaluation.
pub trait Ledger: Send {
    /// Takes `quantity` from the cap called `name`, counted over the last `window` seconds, or refuses and takes nothing.
    /// Quantity and cap are of the same kind, sums of the same currency, and amounts plain decimals.
    ///
    /// # Errors
    /// Only if it can't be told: this ends the evaluation without a decision.
    fn reserve(
        &mut self,
        holder: &Holder,
        scope: Scope,
        name: &str,
        quantity: &Quantity,
        cap: &Quantity,
        window: u32,
    ) -> Result<Result<Reservation, Refusal>, Error>;
}

/// Whose cap it is: taken from what the plugin verified in this evaluation, never from what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `iss` of the credential.
    pub issuer: String,
    /// `sub`, if it was disclosed. There when the scope is the account.
    pub subject: Option<String>,
    /// RFC 7638 thumbprint of the band's key. There when the scope is the band.
    pub key_thumbprint: Option<String>,
}

/// What is taken from a cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Money. Sums of different currencies are kept apart.
    Sum(Money),
    /// Uses.
    Count(u32),
}

/// A reservation that stands until the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// What is left below the cap afterwards.
    pub remaining: Quantity,
}

/// Why nothing was reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of `ledger.*`.
    pub code: Code,
    /// What is left below the cap, when that is known.
    pub remaining: Option<Quantity>,
}

impl Refusal {
    pub(crate) fn new(code: Code) -> Self {
        Self { code, remaining: None }
    }
}

/// What a plugin asked for, well-formed.
pub(crate) struct Asked {
    pub(crate) quantity: Quantity,
    pub(crate) cap: Quantity,
}

impl Asked {
    /// `ledger.malformed` unless it can be counted.
    pub(crate) fn new(name: &str, quantity: wit::Quantity, cap: wit::Quantity, window: u32) -> Result<Self, Refusal> {
        let (quantity, cap) = (Quantity::from(quantity), Quantity::from(cap));
        let same_unit = match (&quantity, &cap) {
            (Quantity::Count(_), Quantity::Count(_)) => true,
            (Quantity::Sum(taken), Quantity::Sum(cap)) => {
                is_currency(&taken.currency)
                    && taken.currency == cap.currency
                    && is_plain_decimal(&taken.amount)
                    && is_plain_decimal(&cap.amount)
            }
            _ => false,
        };
        let named = (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control);
        match same_unit && named && window > 0 {
            true => Ok(Self { quantity, cap }),
            false => Err(Refusal::new(Code::LedgerMalformed)),
        }
    }
}

fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_plain_decimal(amount: &str) -> bool {
    let digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    match amount.split_once('.') {
        Some((whole, fraction)) => digits(whole, MAX_DIGITS.0) && digits(fraction, MAX_DIGITS.1),
        None => digits(amount, MAX_DIGITS.0),
    }
}

impl From<wit::Quantity> for Quantity {
    fn from(quantity: wit::Quantity) -> Self {
        match quantity {
            wit::Quantity::Sum(PolicyMoney { amount, currency }) => Self::Sum(Money { amount, currency }),
            wit::Quantity::Count(count) => Self::Count(count),
        }
    }
}

impl From<Quantity> for wit::Quantity {
    fn from(quantity: Quantity) -> Self {
        match quantity {
            Quantity::Sum(Money { amount, currency }) => Self::Sum(PolicyMoney { amount, currency }),
            Quantity::Count(count) => Self::Count(count),
        }
    }
}

impl From<Reservation> for wit::Reservation {
    fn from(reservation: Reservation) -> Self {
        Self { remaining: reservation.remaining.into() }
    }
}

impl From<Refusal> for wit::Refusal {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code.as_str().into(), remaining: refusal.remaining.map(Into::into) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(amount: &str, currency: &str) -> wit::Quantity {
        wit::Quantity::Sum(PolicyMoney { amount: amount.into(), currency: currency.into() })
    }

    #[test]
    fn what_cannot_be_counted_is_malformed() {
        let cap = || sum("500.00", "CNY");
        assert!(Asked::new("day", sum("35.00", "CNY"), cap(), 86_400).is_ok());
        assert!(Asked::new("day", wit::Quantity::Count(1), wit::Quantity::Count(3), 1).is_ok());
        for amount in ["", ".", "1.", ".1", "-1", "+1", "1e3", "1,0", "1_0", " 1", "1.0000000", "1000000000000000"] {
            let refused = Asked::new("day", sum(amount, "CNY"), cap(), 1).err();
            assert_eq!(refused, Some(Refusal::new(Code::LedgerMalformed)), "{amount}");
            assert!(Asked::new("day", sum("1", "CNY"), sum(amount, "CNY"), 1).is_err(), "{amount}");
        }
        assert!(Asked::new("day", sum("1", "EUR"), cap(), 1).is_err());
        assert!(Asked::new("day", sum("1", "yuan"), sum("1", "yuan"), 1).is_err());
        assert!(Asked::new("day", wit::Quantity::Count(1), cap(), 1).is_err());
        assert!(Asked::new("day", sum("1", "CNY"), cap(), 0).is_err());
        for name in ["", "a\nb", &"x".repeat(101)] {
            assert!(Asked::new(name, sum("1", "CNY"), cap(), 1).is_err(), "{name}");
        }
    }
}
