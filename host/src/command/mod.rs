//! A file a command.

pub(crate) mod conformance;
pub(crate) mod decide;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod inspect;
pub(crate) mod migrate;
pub(crate) mod verify;
