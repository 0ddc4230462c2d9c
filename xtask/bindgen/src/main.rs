//! Makes the JavaScript next to the npm package's WebAssembly: `bandpass-bindgen MODULE NAME FOLDER`.

use std::env;

use anyhow::{Context as _, Result};
use wasm_bindgen_cli_support::{Bindgen, EncodeInto};

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1);
    let (module, name, folder) = (arguments.next(), arguments.next(), arguments.next());
    let name = name.context("a name")?.into_string().ok().context("a name")?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module.context("a module")?).out_name(&name).web(true)?.typescript(false);
    // Every module of the package says where its WebAssembly is; strings come as bytes; a trap takes a fresh instance.
    bindgen.omit_default_module_path(true).encode_into(EncodeInto::Always).reset_state_function(true);
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.generate(folder.context("a folder")?)
}
