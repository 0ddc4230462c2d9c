//! The verifier.

use std::mem::MaybeUninit;

use bandpass_core::Error;
use bandpass_json::{answer, checks, inspect};
use serde_json::{Value, json};

use crate::border::{Bytes, Held, Refusal, Slot, View, Why, free, guarded};
use crate::code::Code;
use crate::request;

/// A verifier: whom it trusts, the status lists that it took in, and what it remembers of credentials. Where several
/// threads verify at once each has its own, for one waits for the other.
#[derive(Debug)]
pub struct Verifier(Held<bandpass_json::Verifier>);

/// Makes a verifier from a trust list (JSON). `remember`: whether a credential that came before costs one signature
/// less.
///
/// `answer` may be null; otherwise it is null, or `{"error": ..}`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_verifier_open(
    trust: View,
    remember: bool,
    verifier: Option<&mut MaybeUninit<Option<Box<Verifier>>>>,
    answer: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (answer, verifier) = (Answer::new(answer), Slot::new(verifier)?);
        match bandpass_json::Verifier::open(trust.get()?, remember) {
            Ok(opened) => verifier.fill(Verifier(Held::new(opened))),
            Err(error) => return answer.give(Err(error)),
        }
        Ok(())
    })
}

/// Takes in a status list token, a JWT or a CWT. `now`: seconds since 1970. A list that is refused leaves that which
/// was there.
///
/// `answer` may be null; otherwise it says what the list says of itself, in `{"uri", "issuedAt", "expires", "ttl",
/// "issuers"}`, or is `{"error": ..}`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_verifier_update_status(
    verifier: Option<&Verifier>,
    token: View,
    now: u64,
    answer: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (answer, token) = (Answer::new(answer), token.get()?);
        answer.give(held(verifier)?.with(|verifier| verifier.update_status(token, now))?)
    })
}

/// Verifies a token: null is returned if every check passed, and in no other case. `request` (JSON) says what the
/// token is judged by; README.md lists its members.
///
/// `answer` may be null; otherwise it is an array with what each presentation proves, or `{"error": ..}`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_verifier_verify(
    verifier: Option<&Verifier>,
    token: View,
    request: View,
    answer: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (answer, verifier, token) = (Answer::new(answer), held(verifier)?, token.get()?);
        match request::read(request.get()?) {
            Ok(request) => answer.give(verifier.with(|verifier| verifier.verify(token, &request))?),
            Err(message) => answer.give_mistake(&message),
        }
    })
}

/// Comes to the same verdict as `bandpass_verifier_verify`, and says of every check what came of it: `{"code",
/// "section", "outcome"}`, whatever the verdict is. For people and tools. It is about one presentation, so `all` is
/// `c.request`.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_verifier_explain(
    verifier: Option<&Verifier>,
    token: View,
    request: View,
    answer: Option<&mut MaybeUninit<Option<Box<Bytes>>>>,
) -> Refusal {
    guarded(|| {
        let (answer, verifier, token) = (Answer::new(answer), held(verifier)?, token.get()?);
        let request = match request::read(request.get()?) {
            Ok(request) if request.get("all").is_some_and(|all| *all == true) => {
                return answer.give_mistake("`all` is not for explaining, which is about one presentation");
            }
            Ok(request) => request,
            Err(message) => return answer.give_mistake(&message),
        };
        match verifier.with(|verifier| verifier.explain(token, &request))? {
            Ok(explanation) => {
                answer.give(Ok(checks(&explanation)))?;
                explanation.error().map_or(Ok(()), |error| Err(error.code().into()))
            }
            Err(error) => answer.give(Err(error)),
        }
    })
}

/// Takes an SD-JWT apart: headers, payloads and disclosures (JSON). Nothing is verified.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_inspect(token: View, answer: Option<&mut MaybeUninit<Option<Box<Bytes>>>>) -> Refusal {
    guarded(|| Answer::new(answer).give(inspect(token.get()?)))
}

/// Frees a verifier, and makes the pointer null.
#[unsafe(no_mangle)]
pub extern "C" fn bandpass_verifier_free(verifier: Option<&mut Option<Box<Verifier>>>) {
    free(verifier);
}

fn held(verifier: Option<&Verifier>) -> Result<&Held<bandpass_json::Verifier>, Code> {
    Ok(&verifier.ok_or(Code::Null)?.0)
}

/// A place for an answer, where somebody wants it.
struct Answer<'a>(Option<Slot<'a, Bytes>>);

impl<'a> Answer<'a> {
    fn new(place: Option<&'a mut MaybeUninit<Option<Box<Bytes>>>>) -> Self {
        Self(Slot::new(place).ok())
    }

    /// Whatever came of it; a refusal is one all the same.
    fn give(self, result: Result<Value, Error>) -> Result<(), Why> {
        let code = result.as_ref().err().map(Error::code);
        if let Some(slot) = self.0 {
            slot.fill(Bytes::new(answer(result)));
        }
        code.map_or(Ok(()), |code| Err(code.into()))
    }

    fn give_mistake(self, message: &str) -> Result<(), Why> {
        let code = Code::Request;
        self.give(Ok(json!({"error": {"code": code.as_str(), "message": message}})))?;
        Err(code.into())
    }
}
