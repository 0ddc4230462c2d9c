//! A policy, the verifier and the gate as one component, for embedders without a host.

use serde_json::{Map, Value, json};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};
use wasm_encoder::{ComponentSection as _, CustomSection};

use crate::bindings::policy::exports::bandpass::sdk::policy::Capability;
use crate::error::{Code, Error, readable};
use crate::plugin::Plugin;
use crate::runtime::{Runtime, VERIFIER_COMPONENT, digest};

/// The host's rule in Wasm: no allow without a proof that belongs to the very submission.
const GATE: &[u8] = include_bytes!(concat!(env!("BANDPASS_TARGET"), "/gate.wasm"));
/// Refuses every reservation with `ledger.unavailable`.
const NO_LEDGER: &[u8] = include_bytes!(concat!(env!("BANDPASS_TARGET"), "/no-ledger.wasm"));

const VERIFICATION: &str = "bandpass:sdk/verification@0.1.0";
const SETUP: &str = "bandpass:sdk/setup@0.1.0";
const POLICY: &str = "bandpass:sdk/policy@0.1.0";
const LEDGER: &str = "bandpass:sdk/ledger@0.1.0";
const EXPORTED: &str = "bandpass:sdk/gate@0.1.0";
/// Custom section that says what the component was made of.
const PARTS: &str = "bandpass-parts";

/// Policy and verifier in one component.
pub struct Composed {
    /// It exports `gate`, and imports at most `log`.
    pub component: Vec<u8>,
    /// Names of its parts, each with its `sha256` in hexadecimal: what the custom section `bandpass-parts` says as JSON.
    pub parts: Map<String, Value>,
}

/// Joins a policy with this host's verifier and the gate. The same policy gives the same bytes.
///
/// # Errors
/// As [`Plugin::load`]; `plugin.import` if the policy needs a ledger, which a composed one has not.
pub fn compose(runtime: &Runtime, plugin: &[u8]) -> Result<Composed, Error> {
    if Plugin::load(runtime, plugin)?.needs(Capability::Ledger) {
        let message = "the plugin needs a ledger, which a composed policy has not";
        return Err(Error::host(Code::PluginImport, message));
    }
    let mut component =
        join(plugin).map_err(|error| Error::host(Code::PluginMalformed, readable(&error.to_string())))?;
    let parts = [("policy", plugin), ("verifier", VERIFIER_COMPONENT), ("gate", GATE), ("no-ledger", NO_LEDGER)];
    let parts = parts.map(|(name, part)| (name.to_owned(), json!({"sha256": digest(part)})));
    let parts = Map::from_iter(parts);
    let listed = json!(parts).to_string();
    CustomSection { name: PARTS.into(), data: listed.as_bytes().into() }.append_to_component(&mut component);
    Ok(Composed { component, parts })
}

fn join(plugin: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let verifier = Part::new(&mut graph, "bandpass:verifier", VERIFIER_COMPONENT)?;
    let ledger = Part::new(&mut graph, "bandpass:no-ledger", NO_LEDGER)?;
    let policy = Part::new(&mut graph, "bandpass:policy", plugin)?;
    let gate = Part::new(&mut graph, "bandpass:gate", GATE)?;
    for (from, interface, to) in [
        (&verifier, VERIFICATION, &policy),
        (&ledger, LEDGER, &policy),
        (&verifier, VERIFICATION, &gate),
        (&verifier, SETUP, &gate),
        (&policy, POLICY, &gate),
    ] {
        // A policy imports only what it uses.
        if graph.types()[graph[to.package].ty()].imports.contains_key(interface) {
            let export = graph.alias_instance_export(from.instance, interface)?;
            graph.set_instantiation_argument(to.instance, interface, export)?;
        }
    }
    let exported = graph.alias_instance_export(gate.instance, EXPORTED)?;
    graph.export(exported, EXPORTED)?;
    Ok(graph.encode(EncodeOptions::default())?)
}

struct Part {
    package: PackageId,
    instance: NodeId,
}

impl Part {
    fn new(graph: &mut CompositionGraph, name: &str, component: &[u8]) -> anyhow::Result<Self> {
        let package = Package::from_bytes(name, None, component, graph.types_mut())?;
        let package = graph.register_package(package)?;
        Ok(Self { package, instance: graph.instantiate(package) })
    }
}
