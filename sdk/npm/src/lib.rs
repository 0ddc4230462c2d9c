//! The verifier for JavaScript: bytes in, JSON out, as `bandpass-json` has it, and nothing else. `js/` is what people
//! call.
//!
//! Without `std`, as the component. A panic traps.
#![no_std]

extern crate alloc;

use alloc::string::String;
use core::panic::PanicInfo;

use bandpass_core::Error;
use bandpass_json::{answer, now, read};
use serde_json::Value;
use wasm_bindgen::prelude::wasm_bindgen;

#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// A verifier, or why the trust list makes none: then that is every answer.
#[wasm_bindgen]
pub struct Verifier(Result<bandpass_json::Verifier, Error>);

#[wasm_bindgen]
impl Verifier {
    /// From a trust list (JSON). [`Verifier::refusal`] tells what is wrong with it. `remember`: whether credentials
    /// that came before are remembered.
    #[must_use]
    pub fn open(trust: &[u8], remember: bool) -> Verifier {
        Self(bandpass_json::Verifier::open(trust, remember))
    }

    /// `null` if there is a verifier.
    #[must_use]
    pub fn refusal(&self) -> String {
        answer(self.0.as_ref().map(|_| Value::Null).map_err(Clone::clone))
    }

    /// Takes in a status list token. `request`: `{"now": ..}`, seconds since 1970.
    #[must_use]
    pub fn update(&mut self, token: &[u8], request: &[u8]) -> String {
        answer(self.held().and_then(|verifier| verifier.update_status(token, now(&read(request)))))
    }

    /// What each presentation that answers the request's query proves.
    #[must_use]
    pub fn verify(&mut self, token: &[u8], request: &[u8]) -> String {
        answer(self.held().and_then(|verifier| verifier.verify(token, &read(request))))
    }

    /// What came of every check of `verify`.
    #[cfg(feature = "whole")]
    #[must_use]
    pub fn explain(&mut self, token: &[u8], request: &[u8]) -> String {
        let explained = self.held().and_then(|verifier| verifier.explain(token, &read(request)));
        answer(explained.map(|explanation| bandpass_json::checks(&explanation)))
    }
}

impl Verifier {
    fn held(&mut self) -> Result<&mut bandpass_json::Verifier, Error> {
        self.0.as_mut().map_err(|error| error.clone())
    }
}

/// Headers, payloads and disclosures of a presentation. Nothing is verified.
#[cfg(feature = "whole")]
#[wasm_bindgen]
#[must_use]
pub fn inspect(token: &[u8]) -> String {
    answer(bandpass_json::inspect(token))
}
