//! A ledger for composed policies that have none: every reservation is refused with `ledger.unavailable`.
#![no_std]
#![expect(unsafe_code, reason = "the exports that wit-bindgen makes")]

extern crate alloc;

mod bindings {
    #![expect(clippy::pedantic, reason = "generated from the WIT package")]
    wit_bindgen::generate!({ path: "../../wit", world: "no-ledger" });
}

use alloc::string::String;
use core::panic::PanicInfo;

use bindings::exports::bandpass::sdk::ledger::{Guest, Quantity, Refusal, Reservation, Scope};

#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct NoLedger;
bindings::export!(NoLedger with_types_in bindings);

impl Guest for NoLedger {
    fn reserve(_: Scope, _: String, _: Quantity, _: Quantity, _: u32) -> Result<Reservation, Refusal> {
        Err(Refusal { code: "ledger.unavailable".into(), remaining: None })
    }
}
