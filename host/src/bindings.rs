//! What `bindgen!` makes of the WIT package: calls into the verifier, and both directions for policies.
#![expect(unreachable_pub, reason = "generated from the WIT package, where every item is documented")]
#![allow(clippy::pedantic, reason = "generated")]

pub mod sdk {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "sdk",
        additional_derives: [Eq, PartialEq],
    });
}

pub mod policy {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "merchant-policy",
        imports: { default: trappable },
        with: {
            "bandpass:sdk/verification.submission": crate::guest::SubmissionHandle,
            "bandpass:sdk/verification.verified": crate::guest::VerifiedHandle,
        },
    });
}
