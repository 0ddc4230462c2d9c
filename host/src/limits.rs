//! What a guest may take.

use wasmtime::ResourceLimiter;

/// Linear memory of a plugin in bytes: a policy in JavaScript needs some 4 MiB.
pub(crate) const PLUGIN_MEMORY: usize = 32 << 20;
/// Linear memory of a verifier in bytes: a submission of the greatest size needs a tenth of it.
pub(crate) const VERIFIER_MEMORY: usize = 32 << 20;
/// Entries of a guest's tables.
const TABLE_ENTRIES: usize = 20_000;
/// Core instances, tables and memories of one component.
const PARTS: usize = 32;
/// Bytes that one call may hand from a guest to the host.
pub(crate) const RESULT_BYTES: usize = 1 << 20;
/// Ticks that one call into a guest may take; see `Runtime`.
pub(crate) const CALL_TICKS: u64 = 100;

/// Limits of one store. Running into one looks like any panic of the guest, so it is written down.
#[derive(Debug)]
pub(crate) struct Limits {
    memory: usize,
    refused: bool,
}

impl Limits {
    pub(crate) fn new(memory: usize) -> Self {
        Self { memory, refused: false }
    }

    /// Whether the guest ran into a limit.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    fn allow(&mut self, allowed: bool) -> bool {
        self.refused |= !allowed;
        allowed
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.allow(desired <= self.memory))
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.allow(desired <= TABLE_ENTRIES))
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}
