//! What tests of plugins share.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bandpass::{
    Challenge, Code, Decision, Error, Holder, Ledger, Outcome, Plugin, Quantity, Refusal, Request, Requirements,
    Reservation, Runtime, Scope, Verifier,
};
use bandpass_conformance::Vector;

pub(crate) fn built(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("BANDPASS_TARGET")).join(path)).expect("run `cargo xtask build` first")
}

/// The hostile policy, whose `describe` does what the word says.
pub(crate) fn hostile_describing(word: [u8; 6]) -> Vec<u8> {
    let mut wasm = built("hostile.wasm");
    let marker = b"bandpass hostile describe:";
    let place = wasm.windows(marker.len()).position(|bytes| bytes == marker).expect("it is there") + marker.len();
    wasm.get_mut(place..place + word.len()).expect("a word's room").copy_from_slice(&word);
    wasm
}

fn vector() -> Vector {
    static VECTOR: OnceLock<Vector> = OnceLock::new();
    VECTOR.get_or_init(|| bandpass_conformance::vector("accept/payment").expect("a vector")).clone()
}

pub(crate) fn denied(outcome: &Outcome) -> &str {
    match &outcome.decision {
        Decision::Deny { reason, .. } => reason,
        other => panic!("not denied: {other:?}"),
    }
}

/// One that a shop has at its till.
pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) verifier: Verifier,
    pub(crate) vector: Vector,
    pub(crate) caps: Caps,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::on(Runtime::new().expect("a runtime"))
    }

    pub(crate) fn on(runtime: Runtime) -> Self {
        let vector = vector();
        let mut verifier = Verifier::open(&runtime, vector.trust.to_string().into_bytes()).expect("a verifier");
        for token in vector.status_list_tokens() {
            verifier.update_status(token, vector.expected.now).expect("a status list");
        }
        Self { runtime, verifier, vector, caps: Caps::default() }
    }

    pub(crate) fn load(&self, wasm: &[u8]) -> Result<Plugin, Error> {
        Plugin::load(&self.runtime, wasm)
    }

    pub(crate) fn hostile(&self) -> Plugin {
        self.load(&built("hostile.wasm")).expect("a plugin")
    }

    pub(crate) fn challenge(&self) -> Challenge {
        Challenge::from(&self.vector.expected)
    }

    pub(crate) fn request(&self) -> Request {
        Request { now: self.vector.expected.now, merchant: "m".into(), context: "{}".into() }
    }

    /// As a server would: everything that goes wrong denies.
    pub(crate) fn decide(&mut self, plugin: &Plugin, settings: &str) -> Outcome {
        self.try_decide(plugin, settings).expect("the ledger works")
    }

    pub(crate) fn try_decide(&mut self, plugin: &Plugin, settings: &str) -> Result<Outcome, Error> {
        let (challenge, request) = (self.challenge(), self.request());
        let mut session = match plugin.session(settings) {
            Ok(session) => session,
            Err(error) => return Ok(Outcome::denied(&error)),
        };
        let submission = self.verifier.submit(self.vector.vp_token.as_bytes(), &challenge);
        session.evaluate(&mut submission.expect("a verifier"), &request, Some(Box::new(self.caps.clone())))
    }

    /// What the verifier says on its own.
    pub(crate) fn verify(&mut self) -> Result<bandpass::Accepted, Error> {
        let challenge = self.challenge();
        self.verifier.verify(self.vector.vp_token.as_bytes(), &challenge, "band", &Requirements::default())
    }
}

/// Caps in memory, without a window: enough to see what is asked of a ledger.
#[derive(Clone, Default)]
pub(crate) struct Caps {
    pub(crate) taken: Arc<Mutex<BTreeMap<String, u32>>>,
    pub(crate) asked: Arc<Mutex<Vec<Holder>>>,
    pub(crate) broken: bool,
    /// How long it takes to answer.
    pub(crate) delay: Duration,
}

impl Ledger for Caps {
    fn reserve(
        &mut self,
        holder: &Holder,
        scope: Scope,
        name: &str,
        quantity: &Quantity,
        cap: &Quantity,
        window: u32,
    ) -> Result<Result<Reservation, Refusal>, Error> {
        if self.broken {
            return Err(Error::Host { code: Code::HostStore, message: "the store is gone".into() });
        }
        std::thread::sleep(self.delay);
        assert!(window > 0 && !name.is_empty());
        self.asked.lock().expect("no panic").push(holder.clone());
        let whole = |quantity: &Quantity| match quantity {
            Quantity::Sum(money) => money.amount.split('.').next().expect("digits").parse::<u32>().expect("digits"),
            Quantity::Count(count) => *count,
        };
        let mut taken = self.taken.lock().expect("no panic");
        let taken = taken.entry(format!("{scope:?} {name}")).or_default();
        let remaining = |taken: u32| match cap {
            Quantity::Sum(money) => {
                let amount = (whole(cap) - taken).to_string();
                Quantity::Sum(bandpass::Money { amount, currency: money.currency.clone() })
            }
            Quantity::Count(count) => Quantity::Count(count - taken),
        };
        if *taken + whole(quantity) > whole(cap) {
            return Ok(Err(Refusal { code: Code::LedgerExceeded, remaining: Some(remaining(*taken)) }));
        }
        *taken += whole(quantity);
        Ok(Ok(Reservation { remaining: remaining(*taken) }))
    }
}
