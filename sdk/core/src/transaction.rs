//! Transaction data: what the holder agreed to (OpenID4VP 1.0, sections 5.1 and 8.4; band profile).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::credential::strings;
use crate::encoding::{base64url, decimal, digest, json_and_digits};
use crate::error::{Code, Error};
use crate::explain::Trace;
use crate::holder::TransactionHashes;

/// The types that are understood, as data.
const KINDS: &[Kind] = &[
    Kind { type_id: "urn:bandpass:payment:1", needs: &["transaction_id"], payment: Some(Amount::DecimalString) },
    // EUDI TS12: the amount is a JSON number.
    Kind { type_id: "urn:eudi:sca:payment:1", needs: &["transaction_id"], payment: Some(Amount::Number) },
    Kind { type_id: "urn:bandpass:ticket:1", needs: &["transaction_id", "event_id"], payment: None },
    Kind { type_id: "urn:bandpass:access:1", needs: &["site", "door"], payment: None },
    Kind { type_id: "urn:bandpass:sign-in:1", needs: &["transaction_id", "service", "action"], payment: None },
];

struct Kind {
    type_id: &'static str,
    /// Members of the payload that are non-empty strings.
    needs: &'static [&'static str],
    payment: Option<Amount>,
}

#[derive(Clone, Copy)]
enum Amount {
    DecimalString,
    Number,
}

/// An entry of transaction data: the relying party's, so far; part of [`Verified`](crate::Verified) once it was agreed to.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    type_id: String,
    id: Option<String>,
    payment: Option<Payment>,
    payload: Map<String, Value>,
    credential_ids: Vec<String>,
    /// Hash algorithms were offered, so the answer has to name one.
    offers_algorithms: bool,
    hash: String,
}

/// A payment that the holder agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Decimal digits with an optional fraction, such as `35.00`, as they were sent; never negative.
    pub amount: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Name of the payee, as shown to the payer.
    pub payee_name: String,
    /// The payee's stable identifier.
    pub payee_id: String,
}

impl Transaction {
    /// Parses an entry from the base64url string as sent; the hash is over that string.
    pub(crate) fn parse(sent: &str) -> Result<Self, Error> {
        let malformed = |why| Error::new(Code::ChallengeMalformed, why).claim("transaction_data");
        let bytes = base64url(sent).ok_or_else(|| malformed("transaction data is not base64url").actual(sent))?;
        let Ok((Value::Object(mut entry), digits)) = json_and_digits(&bytes, ["payload", "amount"]) else {
            return Err(malformed("transaction data is not a JSON object").actual(sent));
        };
        let Some(Value::String(type_id)) = entry.get_mut("type").map(Value::take) else {
            return Err(malformed("transaction data has no `type`"));
        };
        let credential_ids = strings(entry.get("credential_ids")).filter(|ids| !ids.is_empty());
        let credential_ids = credential_ids.ok_or_else(|| malformed("transaction data has no `credential_ids`"))?;
        if let Some(offered) = entry.get("transaction_data_hashes_alg") {
            let sha256 = strings(Some(offered)).is_some_and(|offered| offered.iter().any(|name| name == "sha-256"));
            if !sha256 {
                return Err(malformed("transaction data does not offer `sha-256`"));
            }
        }
        let payload = match entry.get_mut("payload").map(Value::take) {
            Some(Value::Object(payload)) => payload,
            Some(_) => return Err(malformed("the `payload` is not an object")),
            None => Map::new(),
        };
        let text = |name: &str| payload.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut payment = None;
        if let Some(kind) = KINDS.iter().find(|kind| kind.type_id == type_id) {
            if let Some(missing) = kind.needs.iter().find(|name| text(name).is_none()) {
                return Err(malformed("the `payload` lacks a member of its type").actual(missing));
            }
            if let Some(form) = kind.payment {
                let amount = match form {
                    Amount::DecimalString => text("amount").map(ToOwned::to_owned),
                    Amount::Number => digits.map(ToOwned::to_owned),
                };
                payment = Some(Payment::parse(&payload, amount).map_err(malformed)?);
            }
        }
        Ok(Self {
            id: text("transaction_id").map(ToOwned::to_owned),
            type_id,
            payment,
            payload,
            credential_ids,
            offers_algorithms: entry.contains_key("transaction_data_hashes_alg"),
            hash: digest(sent.as_bytes()),
        })
    }

    /// `type`, such as `urn:bandpass:payment:1`.
    #[must_use]
    pub fn type_id(&self) -> &str {
        &self.type_id
    }

    /// `transaction_id`, where the type has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Typed content of a payment.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment> {
        self.payment.as_ref()
    }

    /// `payload` as it was sent.
    #[must_use]
    pub fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }

    /// The hash of the first entry that occurs again: one signature must not count twice.
    pub(crate) fn first_sent_twice(sent: &[Self]) -> Option<&str> {
        let mut rest = sent;
        while let Some((first, others)) = rest.split_first() {
            if others.iter().any(|other| other.hash == first.hash) {
                return Some(&first.hash);
            }
            rest = others;
        }
        None
    }

    fn names(&self, query_id: Option<&str>) -> bool {
        query_id.is_none_or(|id| self.credential_ids.iter().any(|named| named == id))
    }
}

impl Payment {
    /// The amount as a number to reckon with.
    #[must_use]
    pub fn decimal(&self) -> Option<Decimal> {
        Decimal::from_str_exact(&self.amount).ok()
    }

    fn parse(payload: &Map<String, Value>, amount: Option<String>) -> Result<Self, &'static str> {
        let text = |value: Option<&Value>| {
            value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
        };
        let payee = payload.get("payee");
        let amount = amount.filter(|amount| is_decimal(amount));
        let currency = text(payload.get("currency"));
        let is_code = |code: &String| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        Ok(Self {
            amount: amount.ok_or("`amount` is not in plain decimals such as 35.00, or not of its type's form")?,
            currency: currency.filter(is_code).ok_or("`currency` is not an ISO 4217 code")?,
            payee_name: text(payee.and_then(|payee| payee.get("name"))).ok_or("`payee.name` is missing")?,
            payee_id: text(payee.and_then(|payee| payee.get("id"))).ok_or("`payee.id` is missing")?,
        })
    }
}

/// At most 15 digits before the point and 6 after, as no currency needs more; no sign, no exponent, no leading zero.
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    digits(whole, 15) && !leading_zero && fraction.is_none_or(|fraction| digits(fraction, 6))
}

/// The transactions that one presentation agrees to. Every entry that was sent must be agreed to by exactly one of the
/// presentations that it names, and nothing else may be agreed to.
pub(crate) fn agreed<'t>(
    sent: &'t [Transaction],
    query_id: Option<&str>,
    mine: Option<&TransactionHashes>,
    others: &[(&str, &TransactionHashes)],
    trace: &mut Trace,
) -> Result<Vec<&'t Transaction>, Error> {
    let no_hashes = Vec::new();
    let hashes = mine.map_or(&no_hashes, |mine| &mine.hashes);
    let algorithm = mine.and_then(|mine| mine.algorithm.as_deref());
    if let Some(algorithm) = algorithm.filter(|algorithm| *algorithm != "sha-256") {
        let error = Error::new(Code::TransactionAlgorithm, "transactions are hashed with another algorithm");
        return Err(error.claim("transaction_data_hashes_alg").expected("sha-256").actual(algorithm));
    }
    // OpenID4VP 1.0, appendix B.3.3.
    if let Some(offering) = sent.iter().find(|sent| sent.offers_algorithms && hashes.contains(&sent.hash))
        && algorithm.is_none()
    {
        let why = "algorithms were offered, and the proof names none";
        return Err(error(Code::TransactionAlgorithm, why, offering).claim("transaction_data_hashes_alg"));
    }
    if mine.is_some() {
        trace.passed(&[Code::TransactionAlgorithm]);
    }
    let (mut agreed, mut missing, mut counted) = (Vec::new(), None, 0);
    for transaction in sent {
        let count = |hashes: &[String]| hashes.iter().filter(|hash| **hash == transaction.hash).count();
        let here = if transaction.names(query_id) { count(hashes) } else { 0 };
        let elsewhere = others
            .iter()
            .filter(|(id, _)| transaction.names(Some(id)))
            .map(|(_, theirs)| count(&theirs.hashes))
            .sum::<usize>();
        match (here, elsewhere) {
            (1, 0) => {
                agreed.push(transaction);
                counted += 1;
            }
            (0, 0) => missing = missing.or(Some(transaction)),
            (0, 1) => {}
            _ => {
                return Err(error(
                    Code::TransactionUnexpected,
                    "a transaction was agreed to more than once",
                    transaction,
                ));
            }
        }
    }
    match missing {
        Some(transaction) if hashes.len() > counted => {
            Err(error(Code::TransactionMismatch, "the holder agreed to another transaction", transaction))
        }
        Some(transaction) => {
            Err(error(Code::TransactionMissing, "the holder did not agree to the transaction", transaction))
        }
        None if hashes.len() > counted => {
            let error =
                Error::new(Code::TransactionUnexpected, "the proof carries a transaction that was not sent to it");
            Err(error.claim("transaction_data_hashes").expected(&decimal(counted)).actual(&decimal(hashes.len())))
        }
        None => {
            if !sent.is_empty() {
                trace.passed(&[Code::TransactionMismatch, Code::TransactionMissing]);
            }
            trace.passed(&[Code::TransactionUnexpected]);
            Ok(agreed)
        }
    }
}

fn error(code: Code, message: &'static str, transaction: &Transaction) -> Error {
    Error::new(code, message).claim("transaction_data_hashes").expected(&transaction.hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;
    use base64ct::{Base64UrlUnpadded, Encoding as _};

    #[test]
    fn a_numbers_digits_are_those_that_were_sent() {
        for digits in ["35.00", "0.1", "123456789012345.123456", "900719925474099.300000", "100.000000"] {
            let entry = format!(
                r#"{{"type":"urn:eudi:sca:payment:1","credential_ids":["band"],"amount":1,"x":{{"amount":2}},"payload":
                {{"transaction_id":"t","amount": {digits} ,"currency":"EUR","payee":{{"name":"n","id":"i","amount":3}}}}}}"#
            );
            let parsed = Transaction::parse(&Base64UrlUnpadded::encode_string(entry.as_bytes())).expect("a payment");
            let payment = parsed.payment().expect("a payment");
            assert_eq!(payment.amount, digits);
            assert_eq!(payment.decimal().map(|amount| amount.to_string()).as_deref(), Some(digits));
        }
    }

    #[test]
    fn amounts_are_plain_decimals() {
        for good in ["0", "35", "35.00", "0.5", "900.00", "123456789012345.123456"] {
            assert!(is_decimal(good), "{good}");
        }
        for bad in ["", ".", "35.", ".5", "-1", "+1", "1e3", "1,00", " 1", "035", "٣", "1.1234567", "1234567890123456"]
        {
            assert!(!is_decimal(bad), "{bad}");
        }
    }
}
