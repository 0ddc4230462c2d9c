//! Which checks ran, in a build without diagnosis: nobody asks.

use crate::error::Code;

#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {}

#[expect(clippy::unused_self, reason = "as with diagnosis")]
impl Trace {
    pub(crate) fn passed(&mut self, _: &[Code]) {}

    pub(crate) fn then(&mut self, _: &Self) {}
}
