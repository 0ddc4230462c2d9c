//! Writes `vectors/*.json` anew; `peers` writes docs/peers.md, `run COMMAND` tries the vectors on any verifier.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use bandpass_conformance::{generate, peers};

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().map(|name| name.to_str().unwrap_or_default()) {
        None => write_vectors()?,
        Some("peers") => fs::write(peers::root()?.join(peers::PAGE), peers::page()?)?,
        Some("run") => match arguments.next() {
            Some(program) => print!("{}", peers::report(Command::new(program).args(arguments))?),
            None => bail!("`run` takes the command that starts a verifier"),
        },
        Some(_) => bail!("this takes nothing, `peers`, or `run COMMAND`"),
    }
    Ok(())
}

fn write_vectors() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    fs::create_dir_all(&folder)?;
    for (name, file) in generate()? {
        let path = folder.join(name).with_extension("json");
        fs::write(path, serde_json::to_string_pretty(&file)? + "\n")?;
        println!("{name}: {} vectors", file.vectors.len());
    }
    Ok(())
}
