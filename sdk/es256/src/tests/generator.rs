//! `generator.rs` is what its test makes of the generator.

use core::fmt::Write as _;
use std::path::Path;
use std::string::String;

use crate::multiples::tables;
use crate::point::Affine;

/// The generator (SP 800-186, section 3.2.1.3).
pub(super) const X: [u64; 4] =
    [0xf4a1_3945_d898_c296, 0x7703_7d81_2deb_33a0, 0xf8bc_e6e5_63a4_40f2, 0x6b17_d1f2_e12c_4247];
pub(super) const Y: [u64; 4] =
    [0xcbb6_4068_37bf_51f5, 0x2bce_3357_6b31_5ece, 0x8ee7_eb4a_7c0f_9e16, 0x4fe3_42e2_fe1a_7f9b];

#[test]
fn the_tables_are_those_of_the_generator() {
    let mut source = String::from(
        "//! The tables of the generator. Made from the code: `UPDATE_TABLES=1 cargo test -p bandpass-es256` writes them anew.\n\
         #![expect(clippy::unreadable_literal, reason = \"nobody reads them\")]\n\n\
         use crate::point::Affine;\n",
    );
    let all = tables(&Affine::from_integers(&X, &Y).expect("on the curve"));
    // Each by itself: what verifies without the others has no room for them.
    for (name, table) in ["TIMES_1", "TIMES_64", "TIMES_128", "TIMES_192"].into_iter().zip(all) {
        writeln!(source, "\n#[rustfmt::skip]\npub(crate) static {name}: [Affine; 16] = [").expect("a string");
        for Affine { x, y } in table {
            let words = |words: [u64; 4]| words.map(|word| std::format!("{word:#018x}")).join(", ");
            writeln!(source, "    Affine {{ x: [{}],\n        y: [{}] }},", words(x), words(y)).expect("a string");
        }
        source.push_str("];\n");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generator.rs");
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(&path, &source).expect("a file");
    }
    assert!(source == std::fs::read_to_string(path).expect("a file"), "UPDATE_TABLES=1 cargo test -p bandpass-es256");
}
