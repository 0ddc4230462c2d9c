//! Everything but load and memory, as one program: each would take as long to link.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/provider.rs"]
mod provider;
#[path = "../support/shop.rs"]
mod shop;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/web.rs"]
mod web;

mod cli;
mod compile;
mod composed;
mod docs;
mod durability;
mod fleet;
mod fuel;
mod host;
mod http;
mod issuing;
mod openid4vp;
mod peers;
mod plugins;
mod refresh;
mod registry;
mod registry_durability;
mod serve;
mod service;
mod tickets;
mod vectors;
mod wallet;
mod webhooks;
