//! The table of codes in `docs/proximity.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bandpass_proximity::Code;

const BEGIN: &str = "<!-- codes: made by `UPDATE_DOCS=1 cargo test -p bandpass-proximity` -->\n";

#[test]
fn lists_every_code() {
    let mut table = "| code | standard | what |\n|---|---|---|\n".to_owned();
    for code in Code::ALL {
        writeln!(table, "| `{code}` | {} | {} |", code.section(), code.meaning()).expect("text");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/proximity.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("a place for the table");
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    let made = format!("{before}{BEGIN}{table}\n{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &made).expect("written");
        return;
    }
    assert!(page == made, "UPDATE_DOCS=1 writes it anew");
}
