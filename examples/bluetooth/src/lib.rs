//! Band and reader over a virtual Bluetooth link, as `bridge.py` carries it.

pub mod pipe;
pub mod talk;
