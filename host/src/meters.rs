//! What a host counts and measures, for `/metrics` (`OpenMetrics`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::error::Code;
use crate::refresh::SourceState;

/// Counts and times since the host was opened.
#[derive(Debug)]
pub(crate) struct Meters {
    registry: Registry,
    answers: Family<Outcome, Counter>,
    refusals: Family<Reason, Counter>,
    verify: Histogram,
    store: Histogram,
    evaluations: Family<Evaluation, Counter>,
    plugin: Family<Plugin, Histogram, fn() -> Histogram>,
    quarantined: Family<Plugin, Gauge>,
    refreshed: Family<Source, Gauge>,
    fresh_until: Family<Source, Gauge>,
    failing: Family<Source, Gauge>,
    clients: Family<Merchant, Gauge>,
    http: Family<Route, Histogram, fn() -> Histogram>,
    webhooks: Family<Delivery, Counter>,
    webhooks_waiting: Gauge,
    /// The same for the dashboard: histograms can't be read.
    by_plugin: Mutex<BTreeMap<String, Evaluations>>,
}

/// Evaluations by a plugin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evaluations {
    pub(crate) all: u64,
    /// Those that ended with a code of the host.
    pub(crate) failed: u64,
    pub(crate) took: Duration,
}

/// What a wallet's answer led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: Answered,
}

/// What a wallet's answer led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answered {
    Allow,
    Deny,
    StepUp,
    /// The token does not verify, or the challenge is not open.
    Refused,
    /// Too many at once, or the store failed.
    Failed,
}

impl EncodeLabelValue for Answered {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let outcome = match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::StepUp => "step-up",
            Self::Refused => "refused",
            Self::Failed => "failed",
        };
        outcome.encode(encoder)
    }
}

/// What an attempt to deliver a webhook led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivery {
    outcome: Delivered,
}

/// What an attempt to deliver a webhook led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Delivered {
    /// The merchant's server took it.
    Taken,
    /// It will be tried again.
    Failed,
    /// It won't.
    GivenUp,
}

impl EncodeLabelValue for Delivered {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let outcome = match self {
            Self::Taken => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given-up",
        };
        outcome.encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Plugin {
    plugin: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Merchant {
    merchant: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Evaluation {
    plugin: String,
    /// What the plugin decided, or the host's code for how it failed.
    ended: &'static str,
}

/// Where trust list or status lists come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    kind: &'static str,
    location: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
    status: u16,
}

/// From 0.1 ms to 6.5 s.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 17))
}

impl Default for Meters {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("bandpass");
        let meters = Self {
            answers: Family::default(),
            refusals: Family::default(),
            verify: histogram(),
            store: histogram(),
            evaluations: Family::default(),
            plugin: Family::new_with_constructor(histogram),
            quarantined: Family::default(),
            refreshed: Family::default(),
            fresh_until: Family::default(),
            failing: Family::default(),
            clients: Family::default(),
            http: Family::new_with_constructor(histogram),
            webhooks: Family::default(),
            webhooks_waiting: Gauge::default(),
            by_plugin: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register("answers", "Wallets' answers, by what they led to", meters.answers.clone());
        registry.register("refusals", "Answers that decided nothing, by the reason's code", meters.refusals.clone());
        let seconds = Unit::Seconds;
        let (verify, store) = (meters.verify.clone(), meters.store.clone());
        registry.register_with_unit("verify", "Time of verifying an answer", seconds.clone(), verify);
        registry.register_with_unit("store", "Time of a transaction, waiting included", seconds.clone(), store);
        let what = "Evaluations by plugins: what they decided, or how they failed";
        registry.register("plugin_evaluations", what, meters.evaluations.clone());
        let what = "Time of an evaluation by a plugin";
        registry.register_with_unit("plugin", what, seconds.clone(), meters.plugin.clone());
        let what = "Whether the pinned component of a plugin can't be used";
        registry.register("plugin_quarantined", what, meters.quarantined.clone());
        for (name, what, gauge) in [
            ("source_refreshed_timestamp", "When trust or status was last found good", &meters.refreshed),
            ("source_fresh_until_timestamp", "From when on a status list does not count any more", &meters.fresh_until),
        ] {
            registry.register_with_unit(name, what, seconds.clone(), gauge.clone());
        }
        let (name, what) = ("client_expires_timestamp", "From when on wallets refuse a merchant's certificate");
        registry.register_with_unit(name, what, seconds.clone(), meters.clients.clone());
        let what = "Whether trust or status could not be refreshed the last time";
        registry.register("source_failing", what, meters.failing.clone());
        registry.register_with_unit("http", "Time of an HTTP request", seconds, meters.http.clone());
        let what = "Attempts to deliver a webhook, by what they led to";
        registry.register("webhook_deliveries", what, meters.webhooks.clone());
        let what = "Webhooks in the store that wait, when this host last looked; of more than 10,000 only so many";
        registry.register("webhooks_waiting", what, meters.webhooks_waiting.clone());
        Self { registry, ..meters }
    }
}

impl Meters {
    pub(crate) fn answered(&self, outcome: Answered, refusal: Option<&str>) {
        self.answers.get_or_create(&Outcome { outcome }).inc();
        if let Some(code) = refusal {
            self.refusals.get_or_create(&Reason { code: code.into() }).inc();
        }
    }

    pub(crate) fn delivered(&self, outcome: Delivered) {
        self.webhooks.get_or_create(&Delivery { outcome }).inc();
    }

    pub(crate) fn webhooks_wait(&self, waiting: u64) {
        self.webhooks_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Answers that led to this.
    pub(crate) fn count(&self, outcome: Answered) -> u64 {
        self.answers.get(&Outcome { outcome }).map_or(0, |counter| counter.get())
    }

    pub(crate) fn verified(&self, took: Duration) {
        self.verify.observe(took.as_secs_f64());
    }

    pub(crate) fn stored(&self, took: Duration) {
        self.store.observe(took.as_secs_f64());
    }

    /// `decision`: `allow`, `deny` or `step-up`. A reason that is the host's own says how the plugin failed.
    pub(crate) fn evaluated(&self, plugin: &str, decision: &'static str, reason: &str, took: Duration) {
        let failed = Code::ALL.iter().map(|code| code.as_str()).find(|code| *code == reason);
        let ended = failed.filter(|_| decision == "deny").unwrap_or(decision);
        self.evaluations.get_or_create(&Evaluation { plugin: plugin.into(), ended }).inc();
        self.plugin.get_or_create(&Plugin { plugin: plugin.into() }).observe(took.as_secs_f64());
        let mut by_plugin = self.by_plugin.lock().unwrap_or_else(PoisonError::into_inner);
        let Evaluations { all, failed, took: whole } = by_plugin.entry(plugin.into()).or_default();
        *all += 1;
        *failed += u64::from(ended != decision);
        *whole += took;
    }

    pub(crate) fn evaluations(&self, plugin: &str) -> Evaluations {
        let by_plugin = self.by_plugin.lock().unwrap_or_else(PoisonError::into_inner);
        by_plugin.get(plugin).copied().unwrap_or_default()
    }

    /// Merchants with certificates, and when these end.
    pub(crate) fn clients_expire<'a>(&self, clients: impl Iterator<Item = (&'a String, u64)>) {
        self.clients.clear();
        for (merchant, at) in clients {
            let labels = Merchant { merchant: merchant.clone() };
            self.clients.get_or_create(&labels).set(i64::try_from(at).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn http(&self, route: &str, status: u16, took: Duration) {
        self.http.get_or_create(&Route { route: route.into(), status }).observe(took.as_secs_f64());
    }

    /// `OpenMetrics` text. `quarantined`: every plugin, and whether it is.
    pub(crate) fn text(&self, quarantined: impl Iterator<Item = (String, bool)>, sources: &[SourceState]) -> String {
        self.quarantined.clear();
        for (plugin, is) in quarantined {
            self.quarantined.get_or_create(&Plugin { plugin }).set(is.into());
        }
        for gauge in [&self.refreshed, &self.fresh_until, &self.failing] {
            gauge.clear();
        }
        for source in sources {
            let labels = Source { kind: source.kind.as_str(), location: source.location.clone() };
            for (gauge, at) in [(&self.refreshed, source.last_success), (&self.fresh_until, source.fresh_until)] {
                if let Some(at) = at {
                    gauge.get_or_create(&labels).set(i64::try_from(at).unwrap_or(i64::MAX));
                }
            }
            self.failing.get_or_create(&labels).set(source.last_error.is_some().into());
        }
        let mut text = String::new();
        // Writing into a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
