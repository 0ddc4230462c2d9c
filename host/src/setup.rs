//! A configuration in use: what came of its plugins, and what a host says in its name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::access::Webhook;
use crate::answer::Answer;
use crate::bindings::policy::exports::bandpass::sdk::policy::Request;
use crate::config::{Config, Merchant, Pin};
use crate::error::{Code, Error};
use crate::host::random_id;
use crate::plugin::Plugin;
use crate::plugins::{PluginState, Plugins};
use crate::runtime::{VERIFIER_COMPONENT, digest};
use crate::sign::Signer;
use crate::state::{self, Applied, Issued, Rules, State};

/// A configuration, and what came of its plugins.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) signer: Signer,
    /// Digest of the verifier: hashing it takes longer than all else that a host does for a decision.
    verifier: String,
    pub(crate) plugins: BTreeMap<String, Ready>,
}

/// A plugin by the name under which it is configured.
#[derive(Clone)]
pub(crate) struct Ready {
    /// The component that is in use, if one is.
    pub(crate) active: Option<(String, Arc<Plugin>)>,
    /// Why it isn't the one that is pinned.
    pub(crate) quarantined: Option<Error>,
}

impl Setup {
    pub(crate) fn new(plugins: &Plugins, config: Config, before: Option<&Self>) -> Self {
        let ready = |(name, pin): (&String, &Pin)| {
            let ready = match ready(plugins, &config, name, pin) {
                Ok(plugin) => Ready { active: Some((pin.sha256.clone(), plugin)), quarantined: None },
                Err(error) => {
                    tracing::error!("plugin `{name}` is quarantined: {error}");
                    let before = before.and_then(|before| before.plugins.get(name)?.active.clone());
                    let before = before.filter(|(sha256, _)| !config.revoked.contains(sha256));
                    Ready { active: before, quarantined: Some(error) }
                }
            };
            (name.clone(), ready)
        };
        let ready = config.plugins.iter().map(ready).collect();
        let signer = Signer::new(config.signing_key.clone());
        Self { config, signer, verifier: digest(VERIFIER_COMPONENT), plugins: ready }
    }

    pub(crate) fn answer(&self, decision: state::Decision, presentations: Option<Value>) -> Answer {
        Answer {
            receipt: Some(self.signer.receipt(&decision.receipt)),
            decision_id: Some(decision.id),
            outcome: decision.outcome,
            presentations,
            voided: decision.voided,
        }
    }

    pub(crate) fn public_keys(&self) -> Vec<Value> {
        self.signer.public_keys(&self.config.retired_keys)
    }

    pub(crate) fn in_use(&self) -> BTreeSet<String> {
        self.plugins.values().filter_map(|ready| Some(ready.active.as_ref()?.0.clone())).collect()
    }

    pub(crate) fn merchant(&self, id: &str) -> Result<&Merchant, Error> {
        let merchant = self.config.merchants.get(id);
        merchant.ok_or_else(|| Error::host(Code::MerchantUnknown, format!("there is no merchant `{id}`")))
    }

    pub(crate) fn webhook(&self, merchant: &str) -> Option<&Webhook> {
        self.config.merchants.get(merchant)?.access.webhook.as_ref()
    }

    pub(crate) fn active(&self, plugin: &str) -> Result<(String, Arc<Plugin>), Error> {
        let missing = || Error::host(Code::PluginMissing, format!("there is no plugin `{plugin}`"));
        let ready = self.plugins.get(plugin).ok_or_else(missing)?;
        ready.active.clone().ok_or_else(|| ready.quarantined.clone().unwrap_or_else(missing))
    }

    pub(crate) fn not_revoked(&self, challenge: &state::Challenge) -> Result<(), Error> {
        match challenge.issued.policies.iter().find(|policy| self.config.revoked.contains(&policy.sha256)) {
            None => Ok(()),
            Some(policy) => {
                let why = format!("the policy `{}` that the challenge was made for was revoked", policy.plugin);
                Err(Error::host(Code::ChallengeSuperseded, why))
            }
        }
    }

    pub(crate) fn put_down(
        &self,
        merchant: &str,
        issued: Issued,
        kept: Option<Value>,
        now: u64,
    ) -> Result<state::Challenge, Error> {
        Ok(state::Challenge {
            id: random_id()?,
            merchant: merchant.into(),
            created: now,
            expires: now.saturating_add(self.config.challenge_lifetime.into()),
            remembered: self.config.claims_kept,
            attempts: 0,
            refusal: None,
            state: State::Open,
            issued,
            kept,
        })
    }

    /// By what a challenge's answer is decided.
    pub(crate) fn rules(&self, challenge: &state::Challenge) -> Rules {
        let policies = challenge.issued.policies.iter().map(|policy| Applied {
            plugin: policy.plugin.clone(),
            sha256: policy.sha256.clone(),
            settings_sha256: digest(policy.settings.as_bytes()),
        });
        Rules {
            iss: self.config.name.clone(),
            nonce: challenge.issued.nonce.clone(),
            verifier: self.verifier.clone(),
            policies: policies.collect(),
        }
    }
}

/// Whether a configuration's plugin can be used.
pub(crate) fn check_plugin(plugins: &Plugins, config: &Config, name: &str) -> PluginState {
    let pin = config.plugins.get(name);
    let missing = || Error::host(Code::PluginMissing, format!("there is no plugin `{name}`"));
    let loaded = pin.ok_or_else(missing).and_then(|pin| ready(plugins, config, name, pin));
    PluginState {
        name: name.into(),
        sha256: pin.map(|pin| pin.sha256.clone()).unwrap_or_default(),
        described: loaded.as_ref().ok().map(|plugin| described(plugin)),
        quarantined: loaded.err(),
    }
}

/// The pinned component, if it is the publisher's, was not revoked, and is healthy.
fn ready(plugins: &Plugins, config: &Config, name: &str, pin: &Pin) -> Result<Arc<Plugin>, Error> {
    match config.revoked.contains(&pin.sha256) {
        true => Err(Error::host(Code::PluginRevoked, "the pinned component was revoked")),
        false => plugins.pinned(config, pin).and_then(|plugin| healthy(config, name, plugin)),
    }
}

pub(crate) fn described(plugin: &Plugin) -> (String, String) {
    let description = plugin.description();
    (description.name.clone(), description.version.clone())
}

/// A plugin that takes every setting that it is to be used with, and answers.
fn healthy(config: &Config, name: &str, plugin: Arc<Plugin>) -> Result<Arc<Plugin>, Error> {
    for (id, merchant) in &config.merchants {
        for policy in merchant.policies.iter().filter(|policy| policy.plugin == name) {
            plugin.check_settings(&policy.settings)?;
            let request = Request { now: 0, merchant: id.clone(), context: "{}".into() };
            match plugin.session(&policy.settings)?.ask(&request) {
                // Without a context it may have nothing to ask for.
                Err(Error::Host { code: Code::PluginError, .. }) => {}
                asked => drop(asked?),
            }
        }
    }
    Ok(plugin)
}
