//! Other people's libraries against the vectors.

use bandpass_conformance::peers::{PAGE, page, root};

#[test]
fn the_page_is_what_is_made() {
    let stored = std::fs::read_to_string(root().expect("a folder").join(PAGE)).unwrap_or_default();
    // Not `assert_eq`: the page is long.
    assert!(page().expect("run `cargo xtask setup`") == stored, "{PAGE}: run `cargo xtask peers`");
}
