//! libFuzzer's side: `BANDPASS_FUZZ` names the target, `BANDPASS_FUZZ_SEEDS` the folder that its seeds are written to
//! first. Without a target it lists them, each with its weight.
#![no_main]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::exit;
use std::sync::OnceLock;

use bandpass_fuzz::{TARGETS, Target};

static TARGET: OnceLock<&Target> = OnceLock::new();

fn choose() {
    let Some(name) = env::var_os("BANDPASS_FUZZ") else {
        for target in TARGETS {
            println!("{} {}", target.name, target.weight);
        }
        exit(0);
    };
    let Some(target) = TARGETS.iter().find(|target| name == target.name) else {
        eprintln!("no target is called `{}`", name.display());
        exit(64);
    };
    TARGET.get_or_init(|| target);
    if let Some(folder) = env::var_os("BANDPASS_FUZZ_SEEDS").map(PathBuf::from) {
        let seeds = (target.seeds)();
        // What is made once is made here: on a busy machine it would count as the first input's time.
        if let Some(seed) = seeds.last() {
            (target.run)(seed);
        }
        for (number, seed) in seeds.iter().enumerate() {
            if let Err(error) = fs::write(folder.join(format!("seed-{number:04}")), seed) {
                eprintln!("{}: {error}", folder.display());
                exit(1);
            }
        }
    }
}

libfuzzer_sys::fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(data);
    }
});
