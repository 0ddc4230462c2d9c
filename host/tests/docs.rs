//! Pages of `docs/` that are made from the code.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;

fn errors_page() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
        Made from the code: `UPDATE_DOCS=1 cargo test --release --test docs` writes it anew.\n\n\
        A code never changes its meaning. The verifier's stand in the order of its checks; the first that fails is the\n\
        result. Every one has vectors in `conformance/vectors/` that are named after it.\n\n\
        ## The verifier's\n\n| code | meaning |\n|---|---|\n",
    );
    for code in bandpass_core::Code::ALL {
        writeln!(page, "| `{code}` | {} |", code.meaning()).expect("written");
    }
    page.push_str("\n## The host's\n\n| code | meaning |\n|---|---|\n");
    for code in bandpass::Code::ALL {
        writeln!(page, "| `{}` | {} |", code.as_str(), code.meaning()).expect("written");
    }
    page
}

#[test]
fn the_page_of_error_codes_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let page = errors_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("written");
    }
    let found = std::fs::read_to_string(&path).expect("docs/errors.md");
    assert!(found == page, "docs/errors.md: run `UPDATE_DOCS=1 cargo test --release --test docs`");
}
