//! The vectors, a file a stage.

mod accept;
mod approval;
mod certificate;
mod claims;
mod credential;
mod disclosure;
mod evidence;
mod holder;
mod issuer;
mod mdoc;
mod status;
mod token;
mod transaction;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::draft::Draft;
use crate::{File, Vector};

type Add = fn(&mut Vectors) -> Result<()>;

pub(crate) fn all() -> Result<BTreeMap<&'static str, File>> {
    let stages: [(&'static str, Add); 13] = [
        ("accept", accept::add),
        ("token", token::add),
        ("issuer", issuer::add),
        ("certificate", certificate::add),
        ("disclosure", disclosure::add),
        ("credential", credential::add),
        ("holder", holder::add),
        ("transaction", transaction::add),
        ("status", status::add),
        ("approval", approval::add),
        ("evidence", evidence::add),
        ("claims", claims::add),
        ("mdoc", mdoc::add),
    ];
    let mut files = BTreeMap::new();
    let mut names = std::collections::BTreeSet::new();
    for (stage, add) in stages {
        let mut vectors = Vectors::default();
        add(&mut vectors)?;
        for vector in &vectors.made {
            ensure!(names.insert(vector.name.clone()), "two vectors are called {}", vector.name);
        }
        files.insert(stage, File { vectors: vectors.made });
    }
    Ok(files)
}

/// Vectors as they are made.
#[derive(Default)]
struct Vectors {
    made: Vec<Vector>,
    /// As mdocs. Those that are named here are about what only an SD-JWT has.
    as_mdocs: Option<&'static [&'static str]>,
}

impl Vectors {
    /// A token that has to be accepted.
    fn accept(&mut self, what: &str, section: &str, change: impl FnOnce(&mut Draft)) -> Result<()> {
        self.make(&format!("accept/{what}"), section, None, change)
    }

    /// A token that has to be refused with this code.
    fn refuse(&mut self, code: &str, what: &str, section: &str, change: impl FnOnce(&mut Draft)) -> Result<()> {
        self.make(&format!("{code}/{what}"), section, Some(code), change)
    }

    fn make(&mut self, name: &str, section: &str, code: Option<&str>, change: impl FnOnce(&mut Draft)) -> Result<()> {
        let Some(left_out) = self.as_mdocs else {
            let mut draft = Draft::new(name)?;
            change(&mut draft);
            self.made.push(draft.finish(name, section, code)?);
            return Ok(());
        };
        if !left_out.contains(&name) {
            let name = format!("{name}-mdoc");
            let mut draft = Draft::new(&name)?;
            draft.become_mdoc();
            change(&mut draft);
            self.made.push(draft.finish(&name, section, code)?);
        }
        Ok(())
    }
}
