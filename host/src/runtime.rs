//! The engine that guests run on.

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

use crate::cache::Cache;
use crate::error::{Code, Error};

/// The verifier component that this host carries.
pub const VERIFIER_COMPONENT: &[u8] = include_bytes!(concat!(env!("BANDPASS_TARGET"), "/dist/verifier.wasm"));

/// How often guests are asked whether their time is up.
const TICK: Duration = Duration::from_millis(10);

/// Compiles and runs components. One per process is enough; it is cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    cache: Option<Cache>,
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
        let mut config = Config::new();
        // Guests are synchronous; the support for concurrent ones makes each small call several times slower.
        config.wasm_component_model(true).concurrency_support(false).epoch_interruption(true);
        let engine = Engine::new(&config).map_err(|error| Error::host(Code::HostRuntime, error))?;
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
        Ok(Self { engine, cache: None })
    }

    /// Where compiled code is kept, if it is.
    #[must_use]
    pub fn cache_folder(&self) -> Option<&std::path::Path> {
        self.cache.as_ref().map(Cache::folder)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles a component, or takes it from the cache.
    pub(crate) fn compile(&self, wasm: &[u8]) -> wasmtime::Result<Component> {
        match &self.cache {
            Some(cache) => cache.compile(&self.engine, wasm),
            None => Component::from_binary(&self.engine, wasm),
        }
    }
}

/// SHA-256 of a component in hexadecimal: what its publisher would state.
#[must_use]
pub fn digest(wasm: &[u8]) -> String {
    Sha256::digest(wasm).iter().fold(String::new(), |mut digest, byte| {
        let _ = write!(digest, "{byte:02x}");
        digest
    })
}
