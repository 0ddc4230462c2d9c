//! The whole way: a challenge, the wallet's answer, the merchant's policies, one transaction, a receipt.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Instant;

use bandpass_core::Trust;
use bandpass_roles::base64url;
use serde_json::{Map, Value};

use crate::access::Webhook;
use crate::answer::{Answer, IssuedChallenge, NewChallenge, Remembered, Stage};
use crate::at_hand::AtHand;
use crate::bindings::policy::exports::bandpass::sdk::policy::Request;
use crate::bindings::sdk::exports::bandpass::sdk::setup::{Challenge, StatusListInfo};
use crate::bindings::sdk::exports::bandpass::sdk::verification::{Requirements, StatusState};
use crate::config::Config;
use crate::error::{Code, Error, readable};
use crate::json::requirements_over;
use crate::judge::{Case, Judged};
use crate::meters::{Answered as Outcome, Meters};
use crate::plugins::{PluginState, Plugins};
use crate::query::{Asked, NewTransaction};
use crate::refresh::{Schedule, SourceState};
use crate::runtime::{Runtime, digest};
use crate::setup::{Ready, Setup, described};
use crate::sign::append_line;
use crate::state::{self, Chain, Counter, Issued, Policy, Position, Settled, Settlement, State};
use crate::store::{Keys, Rows, Store, Table};
use crate::verifier::{Accepted, Verifier};
use crate::webhooks::Queue;
use crate::workers::{Inputs, Reply, Workers};

/// Entries of the audit chain between two checkpoints.
const CHECKPOINT_EVERY: u64 = 1_000;

/// Hands out challenges, judges what wallets answer, and remembers both. Cheap to clone.
///
/// Times are arguments, in seconds since 1970 (UTC); they must not run backwards by more than clocks do.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Runtime,
    store: Store,
    plugins: Plugins,
    workers: Workers,
    /// Tries status lists and trust before workers get them.
    own_verifier: Mutex<Verifier>,
    /// Its trust list, to be asked without waiting for it.
    trusted: RwLock<Arc<Trust>>,
    /// Fetches status lists that decisions lacked, if anybody does.
    refresh: RwLock<Weak<Schedule>>,
    /// Sends webhooks, if anybody does.
    webhooks: RwLock<Weak<Queue>>,
    setup: RwLock<Arc<Setup>>,
    at_hand: AtHand,
    checkpointed: AtomicU64,
    meters: Arc<Meters>,
}

/// What a host has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Decisions to allow.
    pub allowed: u64,
    /// Decisions to deny, on tokens that verify.
    pub denied: u64,
    /// Decisions to step up.
    pub stepped_up: u64,
    /// Answers that decided nothing: the token does not verify, or the challenge is not open.
    pub refused: u64,
    /// Answers that could not be judged: too many at once, or the store failed.
    pub failed: u64,
    /// Plugins that are quarantined at the moment, see [`Host::plugins`].
    pub quarantined: usize,
}

impl Host {
    /// Opens a host. A plugin that can't be used is quarantined, see [`Host::plugins`], and keeps nobody else from working.
    ///
    /// # Errors
    /// `config.malformed`, `trust.malformed`, `status.*`, or `host.runtime`.
    pub fn open(runtime: &Runtime, config: Config, store: Store, now: u64) -> Result<Self, Error> {
        config.check()?;
        let trusted = Trust::from_json(&config.trust)?;
        let own_verifier = verifier(runtime, &config, now)?;
        let (trust, status_lists) = (own_verifier.trust().clone(), own_verifier.status_lists().clone());
        let inputs = Inputs { trust, status_lists, epoch: 0 };
        let plugins = Plugins::new(runtime.clone());
        let setup = Setup::new(&plugins, config, None);
        Ok(Self {
            inner: Arc::new(Inner {
                runtime: runtime.clone(),
                store,
                plugins,
                workers: Workers::start(runtime, inputs)?,
                own_verifier: Mutex::new(own_verifier),
                trusted: RwLock::new(Arc::new(trusted)),
                refresh: RwLock::default(),
                webhooks: RwLock::new(Weak::new()),
                setup: RwLock::new(Arc::new(setup)),
                at_hand: AtHand::new(),
                checkpointed: AtomicU64::new(0),
                meters: Arc::default(),
            }),
        })
    }

    /// Takes a changed configuration. Plugins whose digest changed are loaded and tried beside the ones in use; one that
    /// fails leaves its predecessor in place, and [`Host::plugins`] says why. Challenges that are out keep the policies that
    /// they were made for, unless those are revoked.
    ///
    /// # Errors
    /// `config.malformed`, `trust.malformed` or `status.*`; then everything stays as it was.
    pub fn reload(&self, config: Config, now: u64) -> Result<(), Error> {
        config.check()?;
        // Everything is tried before anything is changed.
        verifier(&self.inner.runtime, &config, now)?;
        let setup = Setup::new(&self.inner.plugins, config, Some(&self.setup()));
        self.update_trust(&setup.config.trust)?;
        for token in &setup.config.status_lists {
            // What came since then may be newer than the files.
            if let Err(error) = self.update_status(token, now) {
                tracing::info!("a configured status list is passed over: {error}");
            }
        }
        // What only old challenges need is loaded again when one is answered.
        self.inner.plugins.keep_only(&setup.in_use());
        *self.inner.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
        Ok(())
    }

    /// Takes a trust list (JSON) in place of the one that is held, for the next decision on. Status lists stay, as far as they
    /// hold under it. Says whether it is another than before.
    ///
    /// # Errors
    /// `trust.malformed`, after which the one that was held is held on.
    pub fn update_trust(&self, trust: &[u8]) -> Result<bool, Error> {
        let trusted = Trust::from_json(trust)?;
        let mut own_verifier = self.own_verifier();
        if **own_verifier.trust() == *trust {
            return Ok(false);
        }
        *own_verifier = own_verifier.renewed(trust.into(), |_| true)?;
        *self.inner.trusted.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trusted);
        self.hand_out(&own_verifier, true);
        drop(own_verifier);
        if let Some(refresh) = self.refresh() {
            refresh.trust_changed(self);
        }
        Ok(true)
    }

    /// Takes in a status list token, a compact JWT or a CWT, for the next decision on.
    ///
    /// # Errors
    /// The verifier's refusal (`status.*`), after which what was held is held on.
    pub fn update_status(&self, token: &[u8], now: u64) -> Result<StatusListInfo, Error> {
        let mut own_verifier = self.own_verifier();
        let info = own_verifier.update_status(token.to_vec(), now)?;
        self.hand_out(&own_verifier, false);
        Ok(info)
    }

    /// Gives up a status list that nobody wants any more.
    pub(crate) fn forget_status(&self, info: &StatusListInfo) -> Result<(), Error> {
        let mut own_verifier = self.own_verifier();
        *own_verifier = own_verifier.renewed(own_verifier.trust().clone(), |list| !list.is(info))?;
        self.hand_out(&own_verifier, true);
        Ok(())
    }

    /// Whether the issuer's trust entry says that it publishes there (band profile, section Status).
    pub(crate) fn names_status_uri(&self, issuer: &str, uri: &str) -> bool {
        let trusted = self.inner.trusted.read().unwrap_or_else(PoisonError::into_inner).clone();
        trusted.names_status_uri(issuer, uri)
    }

    /// Tells `schedule` from here on which status lists decisions looked for.
    pub(crate) fn refresh_by(&self, schedule: &Arc<Schedule>) {
        *self.inner.refresh.write().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(schedule);
    }

    /// Tells `queue` from here on that there is something to send.
    pub(crate) fn announce_to(&self, queue: &Arc<Queue>) {
        *self.inner.webhooks.write().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(queue);
    }

    /// Where a merchant hears of its decisions.
    pub(crate) fn webhook(&self, merchant: &str) -> Option<Webhook> {
        self.setup().webhook(merchant).cloned()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Something was put down for webhooks.
    fn hurry_webhooks(&self) {
        if let Some(queue) = self.inner.webhooks.read().unwrap_or_else(PoisonError::into_inner).upgrade() {
            queue.hurry();
        }
    }

    /// The plugins that are configured.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginState> {
        let setup = self.setup();
        let state = |(name, ready): (&String, &Ready)| {
            let pinned = setup.config.plugins.get(name).map(|pin| pin.sha256.clone()).unwrap_or_default();
            PluginState {
                name: name.clone(),
                sha256: ready.active.as_ref().map_or(pinned, |(sha256, _)| sha256.clone()),
                described: ready.active.as_ref().map(|(_, plugin)| described(plugin)),
                quarantined: ready.quarantined.clone(),
            }
        };
        setup.plugins.iter().map(state).collect()
    }

    /// What this host has done since it was opened.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let count = |outcome| self.inner.meters.count(outcome);
        Metrics {
            allowed: count(Outcome::Allow),
            denied: count(Outcome::Deny),
            stepped_up: count(Outcome::StepUp),
            refused: count(Outcome::Refused),
            failed: count(Outcome::Failed),
            quarantined: self.setup().plugins.values().filter(|ready| ready.quarantined.is_some()).count(),
        }
    }

    /// Everything that it counts and measures, as `OpenMetrics` text. `sources`: of its [`Refresher`](crate::Refresher).
    #[must_use]
    pub fn open_metrics(&self, sources: &[SourceState]) -> String {
        let setup = self.setup();
        let plugins = setup.plugins.iter().map(|(name, ready)| (name.clone(), ready.quarantined.is_some()));
        self.inner.meters.text(plugins, sources)
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.inner.meters
    }

    /// Its name: `iss` of its receipts.
    #[must_use]
    pub fn name(&self) -> String {
        self.setup().config.name.clone()
    }

    /// Public keys (JWK) by which its receipts and checkpoints are signed: the one in use, and retired ones.
    #[must_use]
    pub fn public_keys(&self) -> Vec<Value> {
        self.setup().public_keys()
    }

    /// Makes a challenge: what the merchant's policies ask for, and no more.
    ///
    /// # Errors
    /// `merchant.unknown`, `challenge.malformed`, what is wrong with a policy (`plugin.*`), `host.overloaded` or `host.store`.
    pub async fn challenge(&self, new: NewChallenge, now: u64) -> Result<IssuedChallenge, Error> {
        let setup = self.setup();
        let merchant = setup.merchant(&new.merchant)?;
        let policies = merchant.policies.iter().map(|policy| {
            let (sha256, _) = setup.active(&policy.plugin)?;
            Ok(Policy { plugin: policy.plugin.clone(), sha256, settings: policy.settings.clone() })
        });
        let policies = policies.collect::<Result<Vec<_>, Error>>()?;
        let context = Value::Object(new.context).to_string();
        let audience = match new.audience.is_empty() {
            true => merchant.audience.clone(),
            false => new.audience,
        };
        let issued = self.ask(&setup, &new.merchant, audience, policies, context, new.transactions, None, now).await?;
        let challenge = Arc::new(setup.put_down(&new.merchant, issued, new.kept, now)?);
        let keys = Keys::at(now).row(Table::Challenge, challenge.id.clone());
        let opened = challenge.clone();
        self.transact(keys, move |rows| state::open(rows, &opened)).await?;
        Ok(self.handed_out(challenge))
    }

    /// Makes the challenge that a step-up leads to: for the same transactions and by the same policies, with what the step-up
    /// asked for, and for the same audience. Once for a decision, and within five minutes. `kept`: as of a new challenge.
    ///
    /// # Errors
    /// `decision.unknown`, `step-up.*`, and as [`Host::challenge`].
    pub async fn step_up(
        &self,
        merchant: &str,
        decision_id: &str,
        kept: Option<Value>,
        now: u64,
    ) -> Result<IssuedChallenge, Error> {
        let setup = self.setup();
        let decision = self.find(merchant, decision_id, now).await?;
        decision.takes_step_up(now)?;
        let keys = Keys::at(now).row(Table::Challenge, decision.challenge.clone());
        let id = decision.challenge.clone();
        let before = self.transact(keys, move |rows| rows.get::<state::Challenge>(&id)).await?;
        let before = before.ok_or_else(state::unknown_challenge)?;
        setup.not_revoked(&before)?;
        let before = before.issued;
        let step = decision.outcome.get("requirements").and_then(Value::as_object).cloned().unwrap_or_default();
        let step =
            requirements_over(Requirements::default(), &step).map_err(|why| Error::host(Code::HostStore, why))?;
        let transactions = before.transaction_data.iter().map(|sent| NewTransaction::read(sent));
        let transactions = transactions.collect::<Result<Vec<_>, _>>()?;
        let state::Issued { audience, policies, context, .. } = before;
        let mut issued = self.ask(&setup, merchant, audience, policies, context, transactions, Some(step), now).await?;
        issued.step_up_of = Some(decision_id.into());
        let challenge = Arc::new(setup.put_down(merchant, issued, kept, now)?);
        let keys = Keys::at(now).row(Table::Challenge, challenge.id.clone()).row(Table::Decision, decision_id);
        let (id, opened) = (decision_id.to_owned(), challenge.clone());
        self.transact(keys, move |rows| state::step_up(rows, &id, &opened)).await?;
        Ok(self.handed_out(challenge))
    }

    /// Judges what a wallet answered. The same token again gets the same answer, a merchant's retry therefore too.
    ///
    /// A token that verifies uses the challenge up, whatever is decided; one that does not leaves it open, five times. What has
    /// begun is done, even if nobody waits for it any more.
    ///
    /// # Errors
    /// `host.overloaded` and `host.store`: then nothing was decided, and nothing used up. Every other trouble denies.
    pub async fn respond(&self, challenge_id: &str, vp_token: Vec<u8>, now: u64) -> Result<Answer, Error> {
        let answer = self.judge(challenge_id, vp_token, now).await;
        let (outcome, refusal) = match &answer {
            Err(error) => (Outcome::Failed, Some(error.code())),
            Ok(answer) if answer.decision_id.is_none() => (Outcome::Refused, Some(answer.reason())),
            Ok(answer) => match answer.decision() {
                "allow" => (Outcome::Allow, None),
                "step-up" => (Outcome::StepUp, None),
                _ => (Outcome::Deny, None),
            },
        };
        self.inner.meters.answered(outcome, refusal);
        answer
    }

    /// A challenge that was handed out, for some time after it expired ([`Config::claims_kept`]).
    ///
    /// # Errors
    /// `challenge.unknown` or `host.store`.
    pub async fn remembered(&self, challenge_id: &str, now: u64) -> Result<Remembered, Error> {
        let id = challenge(challenge_id)?;
        let keys = Keys::at(now).row(Table::Challenge, id.clone());
        let challenge = self.transact(keys, move |rows| rows.get::<state::Challenge>(&id)).await?;
        let challenge = challenge.ok_or_else(state::unknown_challenge)?;
        Ok(Remembered {
            issued: IssuedChallenge::from(&challenge),
            stage: match challenge.state {
                State::Open if now >= challenge.expires => Stage::Expired,
                State::Open => Stage::Open,
                State::Closed => Stage::Closed,
                State::Answered(_) => Stage::Decided,
            },
            merchant: challenge.merchant,
            refusal: challenge.refusal,
            step_up_of: challenge.issued.step_up_of,
            kept: challenge.kept,
        })
    }

    /// Changes what the caller keeps with a challenge.
    ///
    /// # Errors
    /// `challenge.unknown` or `host.store`.
    pub async fn keep(&self, challenge_id: &str, kept: Value, now: u64) -> Result<(), Error> {
        let id = challenge(challenge_id)?;
        let keys = Keys::at(now).row(Table::Challenge, id.clone());
        self.transact(keys, move |rows| state::keep(rows, &id, kept)).await
    }

    /// Closes a challenge that the wallet answers with an error (RFC 6749, section 4.1.2.1; OpenID4VP 1.0, section 8.5).
    ///
    /// # Errors
    /// `challenge.*` if it is not open, or `host.store`.
    pub async fn decline(&self, challenge_id: &str, error: &str, now: u64) -> Result<(), Error> {
        let (chain, id) = (self.setup().config.name.clone(), challenge(challenge_id)?);
        let error = readable(error);
        let keys = Keys::at(now).row(Table::Challenge, id.clone()).row(Table::Chain, chain.clone());
        self.transact(keys, move |rows| state::decline(rows, &chain, &id, &error, now)).await
    }

    /// A decision that was made, for its merchant.
    ///
    /// # Errors
    /// `decision.unknown` or `host.store`.
    pub async fn decision(&self, merchant: &str, decision_id: &str, now: u64) -> Result<Answer, Error> {
        let decision = self.find(merchant, decision_id, now).await?;
        let keys = Keys::at(now).row(Table::Challenge, decision.challenge.clone());
        let id = decision.challenge.clone();
        let challenge = self.transact(keys, move |rows| rows.get::<state::Challenge>(&id)).await?;
        Ok(self.setup().answer(decision, challenge.and_then(state::Challenge::claims)))
    }

    /// Takes an allow back: what it took from caps counts no more. Its `transaction_id` stays used.
    ///
    /// # Errors
    /// `decision.unknown`, `decision.not-allowed` or `host.store`.
    pub async fn void(&self, merchant: &str, decision_id: &str, now: u64) -> Result<Answer, Error> {
        let setup = self.setup();
        let found = self.find(merchant, decision_id, now).await?;
        let keys = Keys::at(now).row(Table::Decision, decision_id).row(Table::Chain, setup.config.name.clone());
        let keys = state::keys_of(keys, &found.reservations);
        let (id, merchant, chain) = (decision_id.to_owned(), merchant.to_owned(), setup.config.name.clone());
        let webhook = setup.webhook(&merchant).is_some();
        let void = move |rows: &mut _| state::void(rows, &chain, &id, &merchant, webhook, now);
        let voided = self.transact(keys, void).await?;
        if webhook {
            self.hurry_webhooks();
        }
        Ok(setup.answer(voided, None))
    }

    /// Signs how far the audit chain has come, and appends that to the file of checkpoints if there is one.
    ///
    /// # Errors
    /// `host.store`.
    pub async fn checkpoint(&self, now: u64) -> Result<Option<String>, Error> {
        let setup = self.setup();
        let name = setup.config.name.clone();
        let keys = Keys::at(now).row(Table::Chain, name.clone());
        let head = self.transact(keys, move |rows| rows.get::<Chain>(&name)).await?;
        let Some(Chain { name, seq, hash }) = head else { return Ok(None) };
        let signed = setup.signer.checkpoint(&setup.config.name, &Position { chain: name, seq, hash }, now);
        if let Some(path) = &setup.config.checkpoints {
            append_line(path, &signed)?;
        }
        self.inner.checkpointed.store(seq, Ordering::Relaxed);
        Ok(Some(signed))
    }

    async fn judge(&self, challenge_id: &str, vp_token: Vec<u8>, now: u64) -> Result<Answer, Error> {
        let setup = self.setup();
        let id = match challenge(challenge_id) {
            Ok(id) => id,
            Err(unknown) => return Ok(Answer::refused(&unknown)),
        };
        let token_sha256 = digest(&vp_token);
        let challenge = match self.inner.at_hand.take(&id, now) {
            // If it was answered elsewhere, settling finds that out.
            Some(challenge) => challenge,
            None => {
                let keys = Keys::at(now).row(Table::Challenge, id.clone());
                let challenge = self.transact(keys, move |rows| rows.get::<state::Challenge>(&id)).await?;
                let Some(challenge) = challenge else { return Ok(Answer::refused(&state::unknown_challenge())) };
                if let Some(answered) = challenge.answered_by(&token_sha256) {
                    let decision = self.find(&challenge.merchant, &answered.decision, now).await?;
                    return Ok(setup.answer(decision, challenge.claims()));
                }
                Arc::new(challenge)
            }
        };
        if let Err(error) = challenge.is_open(now).and_then(|()| setup.not_revoked(&challenge)) {
            return Ok(Answer::refused(&error));
        }
        let case = self.case(&setup, &challenge, vp_token, now);
        let (host, by, merchant) = (self.clone(), setup.clone(), challenge.merchant.clone());
        let judge = move |verifier: &mut Verifier, reply: Reply<_>| match case.judge(verifier) {
            Ok(judged) => host.settle(&by, &challenge, token_sha256, judged, now, reply),
            Err(error) => drop(reply.send(Err(error))),
        };
        match self.inner.workers.begin(judge).await?? {
            Settled::Now(decision, presentations) => {
                if setup.webhook(&merchant).is_some() {
                    self.hurry_webhooks();
                }
                self.checkpoint_if_due(&decision, now).await;
                Ok(setup.answer(*decision, presentations))
            }
            Settled::Before(decision_id) => self.decision(&merchant, &decision_id, now).await,
            Settled::Refused(error) => Ok(Answer::refused(&error)),
        }
    }

    /// Has the store put down what came of an answer, and `reply` told when that is durable.
    fn settle(
        &self,
        setup: &Setup,
        challenge: &state::Challenge,
        token_sha256: String,
        judged: Judged,
        now: u64,
        reply: Reply<Result<Settled, Error>>,
    ) {
        let (begun, meters) = (Instant::now(), self.inner.meters.clone());
        let answer = move |settled| {
            meters.stored(begun.elapsed());
            // Whoever asked may have gone; what was decided stands.
            let _ = reply.send(settled);
        };
        let chain = setup.config.name.clone();
        // Whoever comes next finds another thread.
        let may_wait = self.inner.workers.has_spare();
        match judged {
            Judged::Refused(error) => {
                let id = challenge.id.clone();
                let keys = Keys::at(now).row(Table::Challenge, id.clone()).row(Table::Chain, chain.clone());
                let refuse = move |rows: &mut _| state::refuse(rows, &chain, &id, &token_sha256, error, now);
                self.inner.store.begin(keys, refuse, answer, may_wait);
            }
            Judged::Decided { decision, proven, reservations } => {
                self.tell_status_lists(&proven);
                let settlement = Settlement {
                    chain,
                    token_sha256,
                    now,
                    outcome: decision.to_json(),
                    counters: proven.iter().filter_map(|(_, accepted)| counter(accepted)).collect(),
                    transactions: transaction_ids(&proven),
                    claims: Some(presentations(proven)),
                    reservations,
                    rules: setup.rules(challenge),
                    webhook: setup.webhook(&challenge.merchant).is_some(),
                    challenge: challenge.id.clone(),
                    decision: challenge.id.clone(),
                };
                let keys = settlement.keys(&challenge.merchant);
                self.inner.store.begin(keys, move |rows| state::settle(rows, settlement), answer, may_wait);
            }
        }
    }

    fn case(&self, setup: &Setup, challenge: &state::Challenge, vp_token: Vec<u8>, now: u64) -> Case {
        let Issued { audience, nonce, dcql, transaction_data, policies, context, step_up_of } = &challenge.issued;
        let folder = &setup.config.plugin_folder;
        let policies = policies
            .iter()
            .map(|policy| {
                (policy.plugin.clone(), self.inner.plugins.get(folder, &policy.sha256), policy.settings.clone())
            })
            .collect();
        Case {
            vp_token,
            challenge: Challenge {
                audience: audience.clone(),
                dcql: Some(dcql.clone()),
                transaction_data: transaction_data.clone(),
                ..Challenge::new(String::new(), nonce.clone(), now)
            },
            policies,
            floor: setup.config.merchants.get(&challenge.merchant).and_then(|merchant| merchant.floor.clone()),
            request: Request { now, merchant: challenge.merchant.clone(), context: context.clone() },
            store: self.inner.store.clone(),
            meters: self.inner.meters.clone(),
            stepped_up: step_up_of.is_some(),
        }
    }

    /// Asks policies what a wallet is to be asked for.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the question")]
    async fn ask(
        &self,
        setup: &Setup,
        merchant: &str,
        audience: Vec<String>,
        policies: Vec<Policy>,
        context: String,
        transactions: Vec<NewTransaction>,
        step: Option<Requirements>,
        now: u64,
    ) -> Result<Issued, Error> {
        let folder = &setup.config.plugin_folder;
        let plugins = policies
            .iter()
            .map(|policy| Ok((self.inner.plugins.get(folder, &policy.sha256)?, policy.settings.clone())));
        let plugins = plugins.collect::<Result<Vec<_>, Error>>()?;
        let request = Request { now, merchant: merchant.into(), context: context.clone() };
        let asked = self.inner.workers.run(move |_| {
            let queries = plugins.iter().map(|(plugin, settings)| plugin.session(settings)?.ask(&request));
            Asked::together(queries.collect::<Result<_, _>>()?)
        });
        let mut asked = asked.await??;
        let merchant = setup.merchant(merchant)?;
        for more in step.iter().chain(&merchant.floor) {
            asked.requirements = asked.requirements.and(more)?;
        }
        let transaction_data = asked.transaction_data(&transactions)?;
        let nonce = random_id()?;
        // A challenge that nobody could answer is the merchant's mistake.
        bandpass_core::Challenge::new(audience.clone(), nonce.clone(), now)
            .and_then(|challenge| challenge.transaction_data(&transaction_data))
            .map_err(|error| Error::host(Code::ChallengeMalformed, error))?;
        Ok(Issued {
            audience,
            nonce,
            dcql: asked.dcql.to_string(),
            transaction_data,
            policies,
            context,
            step_up_of: None,
        })
    }

    async fn find(&self, merchant: &str, decision_id: &str, now: u64) -> Result<state::Decision, Error> {
        if !is_id(decision_id) {
            return Err(state::unknown_decision());
        }
        let keys = Keys::at(now).row(Table::Decision, decision_id);
        let (id, merchant) = (decision_id.to_owned(), merchant.to_owned());
        self.transact(keys, move |rows| state::Decision::find(rows, &id, &merchant)).await
    }

    /// What the merchant gets of a challenge that was put down. The host has it at hand when it is answered.
    fn handed_out(&self, challenge: Arc<state::Challenge>) -> IssuedChallenge {
        let handed_out = IssuedChallenge::from(&*challenge);
        self.inner.at_hand.put(challenge);
        handed_out
    }

    /// A checkpoint that can't be written is no reason to withhold a decision that stands.
    async fn checkpoint_if_due(&self, decision: &state::Decision, now: u64) {
        let before = self.inner.checkpointed.load(Ordering::Relaxed);
        if decision.audit.seq.saturating_sub(before) >= CHECKPOINT_EVERY
            && let Err(error) = self.checkpoint(now).await
        {
            tracing::error!("no checkpoint: {error}");
        }
    }

    /// Asks the store, and measures how long it takes.
    async fn transact<T: Send + 'static>(
        &self,
        keys: Keys,
        work: impl FnOnce(&mut Rows) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let done = self.inner.store.transact(keys, work).await;
        self.inner.meters.stored(begun.elapsed());
        done
    }

    /// Which status lists were looked for, and whether they were at hand and fresh.
    fn tell_status_lists(&self, proven: &[(String, Accepted)]) {
        let Some(refresh) = self.refresh() else { return };
        for (_, accepted) in proven {
            let status_list = accepted.claims.get("status").and_then(|status| status.get("status_list"));
            if let Some(uri) = status_list.and_then(|list| list.get("uri")).and_then(Value::as_str) {
                refresh.looked_for(self, &accepted.issuer, uri, accepted.status == StatusState::Valid);
            }
        }
    }

    fn refresh(&self) -> Option<Arc<Schedule>> {
        self.inner.refresh.read().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// Lets every worker have what the host's own verifier has. `anew`: something was taken from it.
    fn hand_out(&self, own_verifier: &Verifier, anew: bool) {
        let (trust, status_lists) = (own_verifier.trust().clone(), own_verifier.status_lists().clone());
        self.inner.workers.change(|inputs| {
            *inputs = Inputs { trust, status_lists, epoch: inputs.epoch.saturating_add(anew.into()) };
        });
    }

    fn setup(&self) -> Arc<Setup> {
        self.inner.setup.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn own_verifier(&self) -> std::sync::MutexGuard<'_, Verifier> {
        self.inner.own_verifier.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A verifier with the trust list and every status list of a configuration.
fn verifier(runtime: &Runtime, config: &Config, now: u64) -> Result<Verifier, Error> {
    let mut verifier = Verifier::open(runtime, config.trust.clone())?;
    for token in &config.status_lists {
        verifier.update_status(token.clone(), now)?;
    }
    Ok(verifier)
}

fn presentations(proven: Vec<(String, Accepted)>) -> Value {
    let mut by_query = Map::new();
    for (query_id, accepted) in proven {
        let of_query = by_query.entry(query_id).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(of_query) = of_query.as_array_mut() {
            of_query.push(accepted.into_json());
        }
    }
    Value::Object(by_query)
}

fn counter(accepted: &Accepted) -> Option<Counter> {
    let value = accepted.evidence.as_ref()?.counter;
    Some(Counter { key: accepted.key_thumbprint.clone()?, value, expires: accepted.expires })
}

fn transaction_ids(proven: &[(String, Accepted)]) -> Vec<String> {
    let ids =
        proven.iter().flat_map(|(_, accepted)| &accepted.transactions).filter_map(|transaction| transaction.id.clone());
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The challenge of this name, if it can be one's: what comes from outside may be of any length, and a store is not asked for
/// everything.
fn challenge(id: &str) -> Result<String, Error> {
    if is_id(id) { Ok(id.to_owned()) } else { Err(state::unknown_challenge()) }
}

/// Whether it can be by [`random_id`].
fn is_id(id: &str) -> bool {
    id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// 128 random bits.
pub(crate) fn random_id() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::host(Code::HostRuntime, error))?;
    Ok(base64url(&bytes))
}
