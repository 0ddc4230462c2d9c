//! Writes `vectors/*.json` anew.

use std::fs;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    fs::create_dir_all(&folder)?;
    for (name, file) in bandpass_conformance::generate()? {
        let path = folder.join(name).with_extension("json");
        fs::write(path, serde_json::to_string_pretty(&file)? + "\n")?;
        println!("{name}: {} vectors", file.vectors.len());
    }
    Ok(())
}
