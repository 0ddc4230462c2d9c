//! Every seed and every finding, without libFuzzer.

use std::fs;
use std::path::Path;

use bandpass_fuzz::{TARGETS, target};

#[test]
fn seeds() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        for seed in &seeds {
            (target.run)(seed);
        }
        println!("{}: {} seeds", target.name, seeds.len());
    }
}

/// What fuzzing found once: `findings/TARGET/*`.
#[test]
fn findings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings");
    let Ok(folders) = fs::read_dir(folder) else { return };
    for folder in folders {
        let folder = folder.expect("a folder");
        let target = target(&folder.file_name().to_string_lossy()).expect("a folder is named after its target");
        for finding in fs::read_dir(folder.path()).expect("findings") {
            (target.run)(&fs::read(finding.expect("a finding").path()).expect("bytes"));
        }
    }
}
