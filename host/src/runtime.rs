//! The engine that guests run on.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::cache::{Cache, Compiled};
use crate::compiler::{Compiler, precompile};
use crate::error::{Code, Error};
use crate::limits::{PLUGIN_MEMORY, TABLE_ENTRIES, VERIFIER_MEMORY};

/// The verifier component that this host carries.
pub const VERIFIER_COMPONENT: &[u8] = include_bytes!(concat!(env!("BANDPASS_TARGET"), "/dist/verifier.wasm"));

/// What Pulley's code is called as a target.
const INTERPRETER: &str = if cfg!(target_endian = "little") { "pulley64" } else { "pulley64be" };
/// How often guests are asked whether their time is up.
const TICK: Duration = Duration::from_millis(10);
/// Bytes of a plugin. A policy in Python has 18 MB.
const MAX_COMPONENT_BYTES: usize = 32 << 20;
/// Components, core instances, memories and tables that can exist at a time where memory is set aside for them.
const POOL: u32 = 256;
/// Bytes of each memory that are cleared and kept when it is given back, instead of being returned to the system.
const RESIDENT_BYTES: usize = 256 << 10;

/// Compiles and runs components. One per process is enough; it is cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    cache: Option<Cache>,
    compiler: Option<Arc<Compiler>>,
}

impl Runtime {
    /// A runtime that keeps compiled code in the user's cache folder, where that can be done safely.
    ///
    /// # Errors
    /// `host.runtime` if the machine can't run compiled Wasm.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { cache: Cache::of_user(), ..Self::without_cache()? })
    }

    /// A runtime that compiles anew each time.
    ///
    /// # Errors
    /// `host.runtime` if the machine can't run compiled Wasm.
    pub fn without_cache() -> Result<Self, Error> {
        Self::with(&config())
    }

    /// A runtime that interprets (Pulley) in place of running machine code, and keeps what it interprets in the user's cache
    /// folder: slower, for where memory is small, or may not be made executable.
    ///
    /// # Errors
    /// `host.runtime`.
    pub fn interpreting() -> Result<Self, Error> {
        let mut config = config();
        config.target(INTERPRETER).map_err(|error| Error::host(Code::HostRuntime, error))?;
        Ok(Self { cache: Cache::of_user(), ..Self::with(&config)? })
    }

    fn with(config: &Config) -> Result<Self, Error> {
        // Address space for the pool is set aside at once, which not every machine allows.
        let engine = Engine::new(config.clone().allocation_strategy(pool())).or_else(|_| Engine::new(config));
        let engine = engine.map_err(|error| Error::host(Code::HostRuntime, error))?;
        let weak = engine.weak();
        std::thread::Builder::new()
            .name("bandpass-ticks".into())
            .spawn(move || {
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            })
            .map_err(|error| Error::host(Code::HostRuntime, error))?;
        Ok(Self { engine, cache: None, compiler: None })
    }

    /// Has plugins compiled by another process. Without it they are compiled in this one, where nothing bounds what a
    /// hostile plugin takes to compile.
    #[must_use]
    pub fn compiling_apart(self, compiler: Compiler) -> Self {
        Self { compiler: Some(Arc::new(compiler)), ..self }
    }

    /// Where compiled code is kept, if it is.
    #[must_use]
    pub fn cache_folder(&self) -> Option<&std::path::Path> {
        self.cache.as_ref().map(Cache::folder)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The verifier, compiled: here and as fast as can be, for it is no stranger.
    pub(crate) fn verifier(&self) -> Result<Component, Error> {
        let compiled = self.component(VERIFIER_COMPONENT, || precompile(&self.engine, VERIFIER_COMPONENT));
        compiled.map_err(|error| Error::host(Code::HostRuntime, error.message()))
    }

    /// A plugin, compiled.
    pub(crate) fn plugin(&self, wasm: &[u8]) -> Result<Component, Error> {
        if wasm.len() > MAX_COMPONENT_BYTES {
            let message = format!("the plugin has {} bytes, {MAX_COMPONENT_BYTES} are allowed", wasm.len());
            return Err(Error::host(Code::PluginTooLarge, message));
        }
        self.component(wasm, || match &self.compiler {
            Some(compiler) => compiler.compile(wasm),
            None => precompile(&self.engine, wasm),
        })
    }

    /// From the cache, or compiled.
    fn component(&self, wasm: &[u8], compile: impl FnOnce() -> Result<Compiled, Error>) -> Result<Component, Error> {
        match &self.cache {
            Some(cache) => cache.component(&self.engine, wasm, compile),
            None => compile()?.component(&self.engine),
        }
    }
}

/// What compiled code depends on. The pool is no part of it.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    // Guests are synchronous; the support for concurrent ones makes each small call several times slower.
    config.wasm_component_model(true).concurrency_support(false).epoch_interruption(true);
    config
}

fn pool() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL)
        .total_core_instances(POOL)
        .total_memories(POOL)
        .total_tables(POOL)
        .max_memory_size(PLUGIN_MEMORY.max(VERIFIER_MEMORY))
        .table_elements(TABLE_ENTRIES)
        .max_tables_per_module(4)
        .linear_memory_keep_resident(RESIDENT_BYTES)
        .table_keep_resident(RESIDENT_BYTES);
    InstanceAllocationStrategy::Pooling(pool)
}

/// SHA-256 of a component in hexadecimal: what its publisher would state.
#[must_use]
pub fn digest(wasm: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(wasm))
}
