//! Compiled code, in memory and on disk.
//!
//! Compiled code is run as it is, so of what is on disk only what this user's host wrote is loaded: the folder is the user's
//! alone, and every entry carries an HMAC whose key lies elsewhere. Entries are written to a temporary file and renamed, so that two
//! processes can't see half of one. Whatever is wrong with the cache, the component is compiled instead.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::{Code, Error};
use crate::runtime::digest;

/// Bytes of the HMAC that an entry begins with.
const TAG: usize = 32;

#[derive(Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
}

impl Cache {
    /// The cache of the user who runs this process, unless folder or key can't be trusted.
    pub(crate) fn of_user() -> Option<Self> {
        let folders = etcetera::base_strategy::Xdg::new().ok()?;
        let state = folders.state_dir().unwrap_or_else(|| folders.data_dir());
        Self::at(folders.cache_dir().join("bandpass"), &state.join("bandpass"))
    }

    pub(crate) fn at(folder: PathBuf, key_folder: &Path) -> Option<Self> {
        for private in [&folder, key_folder] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(private).ok()?;
            is_private(&fs::symlink_metadata(private).ok()?).then_some(())?;
        }
        let key = read_or_create_key(&key_folder.join("cache.key"))?;
        Some(Self { folder, key })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A component from the cache, or compiled.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        wasm: &[u8],
        compile: impl FnOnce() -> Result<Compiled, Error>,
    ) -> Result<Component, Error> {
        let mut compatibility = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        let name = format!("{}-{:016x}.cwasm", digest(wasm), compatibility.finish());
        if let Some(component) = self.load(engine, &name) {
            return Ok(component);
        }
        let compiled = compile()?;
        let component = compiled.component(engine)?;
        // A full disk or a read-only home costs time at the next start, nothing else.
        let _ = self.store(&name, &compiled.0);
        Ok(component)
    }

    fn load(&self, engine: &Engine, name: &str) -> Option<Component> {
        let entry = fs::read(self.folder.join(name)).ok()?;
        let (tag, code) = entry.split_at_checked(TAG)?;
        self.mac(name, code)?.verify_slice(tag).ok()?;
        deserialize(engine, code).ok()
    }

    fn store(&self, name: &str, code: &[u8]) -> anyhow::Result<()> {
        let tag = self.mac(name, code).ok_or_else(|| anyhow::anyhow!("no HMAC"))?.finalize().into_bytes();
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&tag)?;
        file.write_all(code)?;
        file.persist(self.folder.join(name))?;
        Ok(())
    }

    /// Over the name too, so that an entry can't stand in for another.
    fn mac(&self, name: &str, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        Some(mac)
    }
}

/// Compiled code that this host, or a child of it, made.
pub(crate) struct Compiled(Vec<u8>);

impl Compiled {
    /// The caller vouches for it: the bytes come from the engine's compiler, in this process or in a child that runs this
    /// very program.
    pub(crate) fn by_own_compiler(code: Vec<u8>) -> Self {
        Self(code)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Code that the engine has just compiled can only be refused for what its pool has no room for.
    pub(crate) fn component(&self, engine: &Engine) -> Result<Component, Error> {
        deserialize(engine, &self.0).map_err(|error| Error::host(Code::PluginMemory, error.root_cause()))
    }
}

fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    #[expect(unsafe_code, reason = "running compiled code is unsafe")]
    // SAFETY: the bytes are the compiler's own, and the engine checks that version and configuration are the same. They
    // come straight from the compiler, or from an entry whose tag proves that a host of this user wrote it.
    unsafe {
        Component::deserialize(engine, code)
    }
}

/// Owned by this user, and closed to everybody else.
fn is_private(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0 && !metadata.is_symlink()
}

fn read_or_create_key(path: &Path) -> Option<[u8; 32]> {
    if let Some(key) = read_key(path) {
        return Some(key);
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).ok()?;
    // Temporary files are made 0600. Of two processes at once, one wins and both use its key.
    let mut file = tempfile::NamedTempFile::new_in(path.parent()?).ok()?;
    file.write_all(&key).ok()?;
    let _ = file.persist_noclobber(path);
    read_key(path)
}

fn read_key(path: &Path) -> Option<[u8; 32]> {
    let mut file = fs::File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let mut key = [0; 32];
    file.read_exact(&mut key).ok()?;
    (is_private(&metadata) && metadata.len() == 32).then_some(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::Runtime;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().expect("a folder");
        let (cache, key) = (root.path().join("cache"), root.path().join("key"));
        (root, cache, key)
    }

    fn compile(runtime: &Runtime, cache: &Cache) -> Component {
        let compile = || crate::compiler::precompile(runtime.engine(), EMPTY);
        cache.component(runtime.engine(), EMPTY, compile).expect("compiles")
    }

    fn entries(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
    }

    #[test]
    fn what_was_compiled_is_loaded_again() {
        let (_root, folder, key) = folders();
        let runtime = Runtime::without_cache().expect("a runtime");
        let cache = Cache::at(folder.clone(), &key).expect("a cache");
        compile(&runtime, &cache);
        let [entry] = &entries(&folder)[..] else { panic!("one entry") };
        let name = entry.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(cache.load(runtime.engine(), name).is_some());
        assert_eq!(fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(key.join("cache.key")).expect("a key").permissions().mode() & 0o777, 0o600);
        // Another process of this user has the same key.
        let again = Cache::at(folder, &key).expect("a cache");
        assert!(again.load(runtime.engine(), name).is_some());
    }

    #[test]
    fn what_somebody_else_wrote_is_not_loaded() {
        let (_root, folder, key) = folders();
        let runtime = Runtime::without_cache().expect("a runtime");
        let cache = Cache::at(folder.clone(), &key).expect("a cache");
        compile(&runtime, &cache);
        let [entry] = &entries(&folder)[..] else { panic!("one entry") };
        let name = entry.file_name().and_then(|name| name.to_str()).expect("a name");
        let good = fs::read(entry).expect("an entry");
        let mut forged = good.clone();
        *forged.last_mut().expect("bytes") ^= 1;
        for bad in [&forged[..], &good[..good.len() - 1], &good[..TAG], &good[..3], b""] {
            fs::write(entry, bad).expect("written");
            assert!(cache.load(runtime.engine(), name).is_none());
            compile(&runtime, &cache);
            assert_eq!(fs::read(entry).expect("an entry"), good, "and mended");
        }
        let other = format!("{}{name}", "0");
        fs::copy(entry, folder.join(&other)).expect("copied");
        assert!(cache.load(runtime.engine(), &other).is_none(), "an entry under another name");
        let (_root, _, other_key) = folders();
        let stranger = Cache::at(folder, &other_key).expect("a cache");
        assert!(stranger.load(runtime.engine(), name).is_none(), "an entry under another key");
    }

    #[test]
    fn an_open_folder_or_key_is_not_used() {
        let (_root, folder, key) = folders();
        assert!(Cache::at(folder.clone(), &key).is_some());
        for (path, open, closed) in
            [(&folder, 0o755, 0o700), (&key, 0o770, 0o700), (&key.join("cache.key"), 0o644, 0o600)]
        {
            fs::set_permissions(path, fs::Permissions::from_mode(open)).expect("opened");
            assert!(Cache::at(folder.clone(), &key).is_none(), "{}", path.display());
            fs::set_permissions(path, fs::Permissions::from_mode(closed)).expect("closed");
        }
        let link = folder.with_file_name("link");
        std::os::unix::fs::symlink(&folder, &link).expect("linked");
        assert!(Cache::at(link, &key).is_none());
    }

    #[test]
    fn processes_that_race_end_up_with_one_key_and_whole_entries() {
        let (_root, folder, key) = folders();
        let runtime = Runtime::without_cache().expect("a runtime");
        let start = std::sync::Barrier::new(8);
        let keys = std::thread::scope(|scope| {
            let racers = (0..8).map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let cache = Cache::at(folder.clone(), &key).expect("a cache");
                    compile(&runtime, &cache);
                    cache.key
                })
            });
            racers.collect::<Vec<_>>().into_iter().map(|racer| racer.join().expect("no panic")).collect::<Vec<_>>()
        });
        assert!(keys.iter().all(|other| other == &keys[0]));
        assert_eq!(entries(&folder).len(), 1, "nothing but the entry is left");
    }
}
