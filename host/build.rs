//! Finds the components that the host carries in it.

use std::path::{Path, PathBuf};

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    // OUT_DIR is below the target folder, how deep depends on `--target`.
    let target = out.ancestors().find(|folder| folder.join("dist/verifier.wasm").is_file());
    match target.and_then(Path::to_str) {
        Some(target) => {
            println!("cargo::rustc-env=BANDPASS_TARGET={target}");
            for component in ["dist/verifier.wasm", "gate.wasm", "no-ledger.wasm"] {
                println!("cargo::rerun-if-changed={target}/{component}");
            }
        }
        None => println!("cargo::error=the verifier component is not built yet: run `cargo xtask build` first"),
    }
}
