//! What callers get wrong.

use std::fs;

use anyhow::{Context as _, Result};
use bandpass_c::Code;

use crate::program::{BOTH, build, command, package, run};
use crate::vectors::{request, vector};

#[test]
fn is_a_code() -> Result<()> {
    let vector = vector("accept/payment")?;
    let list = vector.status_lists.first().context("a status list")?;
    let mut request = request(&vector);
    request["status"] = false.into();
    let texts = [vector.trust.to_string(), vector.vp_token.clone(), request.to_string(), list.clone()];
    for linking in BOTH {
        let program = build("tests/c/misuse.c", linking)?;
        for valgrind in [false, true] {
            run(command(&program, valgrind).args(&texts), &[])?;
        }
    }
    Ok(())
}

/// But for that of mistakes in the library, which a unit test has.
#[test]
fn has_a_case_for_every_code() -> Result<()> {
    let cases = fs::read_to_string(package().join("tests/c/misuse.c"))?;
    for code in Code::ALL.iter().filter(|code| **code != Code::Panic) {
        assert!(cases.contains(&format!("\"{code}\"")), "{code}");
    }
    Ok(())
}
