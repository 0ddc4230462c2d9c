//! `OpenID4VP` 1.0 on the wire: what is asked of a wallet, and what it answers. Without HTTP, store and clock.
//!
//! An [`AuthorizationRequest`] puts a challenge into a form that wallets read: a signed Request Object behind a link, or a
//! request for the browser's Digital Credentials API. What comes back is a [`Posted`]; opened with the challenge's
//! [`ResponseKey`] it is the `vp_token` that [`Host::respond`](crate::Host::respond) takes, or the wallet's error.

mod client;
mod encryption;
mod request;
mod response;

pub use client::{Client, Prefix};
pub use encryption::ResponseKey;
pub use request::{AuthorizationRequest, link, origin_audience, redirect_uri_client_id};
pub use response::{Posted, WalletError, WalletResponse};
