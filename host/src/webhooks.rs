//! Tells merchants of their decisions: messages that were put down with the decision, sent after the Standard Webhooks
//! specification (version 1.0.0) in the background. Each arrives at least once, in no order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::error::{Code, Error};
use crate::host::Host;
use crate::meters::Delivered;
use crate::refresh::{BackOff, Client};
use crate::state::{self, Delivery};
use crate::store::Table;

/// Messages that are sent at a time.
const THREADS: usize = 4;
/// Messages that are taken at a time: fewer than can all be sent before they are due again, if servers take all their time.
const BATCH: u32 = 16;
/// Seconds for which a host that took a message has time to send it.
const CLAIMED: u64 = 60;
/// How often somebody looks for messages that other hosts left, or that are due again.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Seconds for which a message is tried.
const GIVE_UP_AFTER: u64 = 3 * 86_400;
const BACK_OFF: BackOff = BackOff { first: Duration::from_secs(2), longest: Duration::from_hours(1) };

/// Sends a host's webhooks until it is dropped.
pub struct Webhooks {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads share.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Taken, and not yet being sent.
    taken: VecDeque<Delivery>,
    look_at: Instant,
    /// Merchants whose server failed the last time: how often in a row, and until when nothing is sent there.
    failing: BTreeMap<String, (u32, u64)>,
    stopped: bool,
}

/// What a thread works with.
struct Worker {
    host: Host,
    client: Client,
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    queue: Arc<Queue>,
}

impl Webhooks {
    /// Starts to send what merchants of `host` are to be told, and what was left in its store, on threads of its own. A host
    /// has one sender: the newest. `authorities`: certificates (PEM) of those who may vouch for servers, in place of those that
    /// the platform trusts. `clock` tells seconds since 1970.
    ///
    /// # Errors
    /// `config.malformed` if the authorities are no certificates, `host.runtime` if there can be no threads.
    pub fn start(
        host: &Host,
        authorities: Option<&[u8]>,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let client = Client::new(authorities);
        let client = client.map_err(|why| Error::host(Code::ConfigMalformed, format!("fetch.ca: {why}")))?;
        let queue = Arc::new(Queue {
            state: Mutex::new(State {
                taken: VecDeque::new(),
                look_at: Instant::now(),
                failing: BTreeMap::new(),
                stopped: false,
            }),
            changed: Condvar::new(),
        });
        let worker = Arc::new(Worker { host: host.clone(), client, clock: Box::new(clock), queue: queue.clone() });
        let mut webhooks = Self { queue: queue.clone(), threads: Vec::new() };
        for number in 0..THREADS {
            let (worker, name) = (worker.clone(), format!("bandpass-webhook-{number}"));
            let thread = std::thread::Builder::new().name(name).spawn(move || worker.work());
            webhooks.threads.push(thread.map_err(|error| Error::host(Code::HostRuntime, error))?);
        }
        host.announce_to(&queue);
        Ok(webhooks)
    }

    /// Stops, and waits for what is under way: ten seconds at most, the time that a server gets to answer. What is left is sent
    /// by whoever opens the store next. Dropping stops as well, without waiting.
    pub fn stop(mut self) {
        self.queue.stop();
        for thread in std::mem::take(&mut self.threads) {
            // Nothing panics there; if something does, it is over as well.
            let _ = thread.join();
        }
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.queue.stop();
    }
}

impl Queue {
    /// Something was put down.
    pub(crate) fn hurry(&self) {
        self.state().look_at = Instant::now();
        self.changed.notify_one();
    }

    fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    fn work(&self) {
        while let Some(delivery) = self.next() {
            self.deliver(&delivery);
        }
    }

    /// The next message to send; none when it is time to stop. What was taken and is not sent is due again soon.
    fn next(&self) -> Option<Delivery> {
        let mut state = self.queue.state();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(delivery) = state.taken.pop_front() {
                return Some(delivery);
            }
            let now = Instant::now();
            if state.look_at > now {
                let wait = state.look_at.saturating_duration_since(now);
                state = self.queue.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            state.look_at = now + LOOK_EVERY;
            let paused = state.failing.iter().map(|(merchant, (_, until))| (merchant.clone(), *until)).collect();
            // Nobody waits for the store who only has something to put down.
            drop(state);
            let claimed = self.claim(paused);
            state = self.queue.state();
            match claimed {
                Ok((claimed, more)) => {
                    if more {
                        state.look_at = now;
                    }
                    state.taken.extend(claimed);
                    self.queue.changed.notify_all();
                }
                Err(error) => tracing::warn!("webhooks wait: {error}"),
            }
        }
    }

    /// Messages to send, and whether there may be more.
    fn claim(&self, paused: BTreeMap<String, u64>) -> Result<(Vec<Delivery>, bool), Error> {
        let now = (self.clock)();
        let keys = state::claim_keys(now, BATCH).count(Table::Delivery);
        let (claimed, found, waiting) = self.host.store().transact_blocking(keys, move |rows| {
            let (claimed, found) = state::claim(rows, now, BATCH, now.saturating_add(CLAIMED), &paused)?;
            Ok((claimed, found, rows.count(Table::Delivery)))
        })?;
        self.host.meters().webhooks_wait(waiting);
        Ok((claimed, u32::try_from(found).is_ok_and(|found| found >= BATCH)))
    }

    fn deliver(&self, delivery: &Delivery) {
        let now = (self.clock)();
        let sent = self.send(delivery, now);
        let ended = (self.clock)();
        let outcome = match &sent {
            Ok(()) => Delivered::Taken,
            Err(_) if ended >= delivery.created.saturating_add(GIVE_UP_AFTER) => Delivered::GivenUp,
            Err(_) => Delivered::Failed,
        };
        let wait = self.wait(delivery, sent.is_ok(), ended);
        let Delivery { id, merchant, failures, .. } = delivery;
        match (&sent, outcome) {
            (Err(error), Delivered::GivenUp) => {
                tracing::error!(
                    "webhook `{id}` of merchant `{merchant}` is given up after {failures} retries: {error}"
                );
            }
            (Err(error), _) => tracing::warn!("webhook `{id}` of merchant `{merchant}` failed: {error}"),
            (Ok(()), _) => {}
        }
        self.host.meters().delivered(outcome);
        let kept = delivery.clone();
        let due = ended.saturating_add(wait.as_secs());
        let written =
            self.host.store().transact_blocking(state::done_keys(delivery, ended), move |rows| match outcome {
                Delivered::Failed => state::put_off(rows, &kept, due),
                Delivered::Taken | Delivered::GivenUp => {
                    state::done(rows, &kept);
                    Ok(())
                }
            });
        if let Err(error) = written {
            tracing::warn!("webhook `{id}` will be sent again: {error}");
        }
        if outcome == Delivered::Failed {
            let look_at = Instant::now() + Duration::from_secs(wait.as_secs());
            let mut state = self.queue.state();
            state.look_at = state.look_at.min(look_at);
            drop(state);
            self.queue.changed.notify_one();
        }
    }

    /// Remembers how the merchant's server did. How long to wait with this message, should it have failed.
    fn wait(&self, delivery: &Delivery, well: bool, now: u64) -> Duration {
        // Without randomness it comes as late as it may.
        let random = getrandom::u64().unwrap_or(u64::MAX);
        let mut state = self.queue.state();
        if well {
            state.failing.remove(&delivery.merchant);
        } else {
            let (failures, until) = state.failing.entry(delivery.merchant.clone()).or_default();
            // What was under way when it began to fail says nothing new.
            if *until <= now {
                *failures = failures.saturating_add(1);
                *until = now.saturating_add(BACK_OFF.wait(*failures, random).as_secs());
            }
        }
        BACK_OFF.wait(delivery.failures.saturating_add(1), random)
    }

    fn send(&self, delivery: &Delivery, now: u64) -> Result<(), Error> {
        let webhook = self.host.webhook(&delivery.merchant);
        let webhook = webhook.ok_or_else(|| {
            Error::host(Code::ConfigMalformed, "the configuration has no webhook for this merchant any more")
        })?;
        let secrets = webhook.secrets()?;
        let signatures = secrets.iter().map(|secret| signature(secret, &delivery.id, now, &delivery.body));
        let signatures = signatures.collect::<Option<Vec<_>>>();
        let signatures = signatures.ok_or_else(|| Error::host(Code::HostRuntime, "no HMAC can be made"))?;
        let headers = [
            ("webhook-id", delivery.id.clone()),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ];
        self.client.post(&webhook.url, "application/json", &headers, &delivery.body)
    }
}

/// Standard Webhooks, section "Verifying webhook authenticity": symmetric signatures, `v1`.
fn signature(secret: &[u8], id: &str, timestamp: u64, body: &str) -> Option<String> {
    let mac = Hmac::<Sha256>::new_from_slice(secret).ok()?.chain_update(format!("{id}.{timestamp}.{body}"));
    Some(format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let secret = Base64::decode_vec("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let body = r#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }
}
