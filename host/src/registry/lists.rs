//! Status lists: where credentials get their indices, and how lists are published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bandpass_pairing::StatusIndex;
use bandpass_roles::{StatusList, StatusTimes};

use super::rows::{StatusListRow, StatusPart};
use super::{Registry, RegistryConfig};
use crate::error::{Code, Error};
use crate::refresh::Client;
use crate::runtime::digest;
use crate::store::{Keys, Table};

/// How long another process's change may stay unseen.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Lists that wait to be told of.
const MAX_TOLD: usize = 1_024;

/// A status list token, in both forms.
#[derive(Clone, Debug)]
pub(super) struct Published {
    changes: u64,
    looked_at: Option<Instant>,
    pub(super) issued_at: u64,
    pub(super) jwt: Arc<str>,
    pub(super) cwt: Arc<[u8]>,
    pub(super) etag: String,
}

/// Random indices of a list: more than are needed, for some may be taken.
pub(super) fn candidates(list: &StatusListRow, count: usize) -> Result<Vec<StatusIndex>, Error> {
    let index = |_| {
        let random = getrandom::u32().map_err(|error| Error::host(Code::HostRuntime, error))?;
        // Entries are few beside 2^32, so that the bias is of no account.
        Ok(StatusIndex { list: list.number, idx: random % list.entries.max(1) })
    };
    (0..3 * count + 16).map(index).collect()
}

impl Registry {
    fn published(&self) -> MutexGuard<'_, BTreeMap<u32, Published>> {
        self.0.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Statuses of these lists may have changed.
    pub(super) fn published_is_old(&self, lists: impl Iterator<Item = u32>) {
        for list in lists.collect::<BTreeSet<_>>() {
            if let Some(published) = self.published().get_mut(&list) {
                published.looked_at = None;
            }
            if let Some(tell) = &self.0.tell {
                tell.of(self.clone(), list);
            }
        }
    }

    /// The status list with this number, as it was a second ago or is now.
    ///
    /// # Errors
    /// `status-list.unknown`
    pub(super) async fn status_list(&self, number: u32) -> Result<Published, Error> {
        let recent = |held: &Published| held.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY);
        let held = || self.published().get(&number).filter(|held| recent(held)).cloned();
        if let Some(held) = held() {
            return Ok(held);
        }
        // Of many who ask at once one looks.
        let _one = self.0.publishing.lock().await;
        match held() {
            Some(held) => Ok(held),
            None => self.look(number).await,
        }
    }

    /// The status list as it is now: signed anew if it changed, or if half of its `ttl` is over.
    async fn look(&self, number: u32) -> Result<Published, Error> {
        let unknown = || Error::host(Code::StatusListUnknown, "there is no such status list");
        let (now, looked_at, key) = (self.now(), Some(Instant::now()), StatusListRow::key_of(number));
        let read = |keys: Keys| {
            let key = key.clone();
            self.0
                .store
                .transact(keys, move |rows| Ok((rows.get::<StatusListRow>(&key)?, rows.parts::<StatusPart>(&key)?)))
        };
        let keys = Keys::at(now).row(Table::StatusList, &key);
        let row = read(keys.clone()).await?.0.ok_or_else(unknown)?;
        let half = u64::from(self.config().status_ttl).div_ceil(2);
        let held = self.published().get(&number).cloned();
        let published = match held.filter(|held| held.changes == row.changes && now < held.issued_at + half) {
            Some(held) => Published { looked_at, ..held },
            None => {
                let (row, parts) = read(keys.parts(Table::StatusPart, &key)).await?;
                let (registry, row) = (self.clone(), row.ok_or_else(unknown)?);
                // It takes some milliseconds.
                let signed = tokio::task::spawn_blocking(move || registry.sign(&row, &parts, now)).await;
                Published { looked_at, ..signed.map_err(|error| Error::runtime(&error))?? }
            }
        };
        self.published().insert(number, published.clone());
        Ok(published)
    }

    fn sign(&self, row: &StatusListRow, parts: &[StatusPart], now: u64) -> Result<Published, Error> {
        let entries = usize::try_from(row.entries).unwrap_or(usize::MAX);
        let mut list = StatusList::new(2, entries).ok_or_else(|| Error::runtime(&"no status list"))?;
        for (index, status) in parts.iter().flat_map(StatusPart::statuses) {
            list.set(usize::try_from(index).unwrap_or(usize::MAX), status);
        }
        let config = self.config();
        let expires = now + u64::from(config.status_lifetime);
        let times = StatusTimes { issued_at: now, expires, ttl: config.status_ttl.into() };
        let jwt = self.0.issuer.sign_status_list(row.number, &list, &times);
        let cwt = self.0.issuer.sign_status_list_cwt(row.number, &list, &times);
        let etag = digest(jwt.as_bytes()).get(..32).unwrap_or_default().to_owned();
        Ok(Published { changes: row.changes, looked_at: None, issued_at: now, jwt: jwt.into(), cwt: cwt.into(), etag })
    }
}

/// Sends status lists that changed to hosts that asked for it, on a thread of its own. A host that can't be reached fetches
/// the list when its `ttl` is over, as any does.
pub(super) struct Teller(mpsc::SyncSender<(Registry, u32)>);

impl Teller {
    pub(super) fn start(config: &RegistryConfig) -> Result<Self, Error> {
        let (client, urls) = (config.client.clone(), config.tell.clone());
        let (send, waiting) = mpsc::sync_channel::<(Registry, u32)>(MAX_TOLD);
        let work = move || {
            let executor = tokio::runtime::Builder::new_current_thread().build();
            let Ok(executor) = executor else { return };
            while let Ok((registry, list)) = waiting.recv() {
                let now = async {
                    let _one = registry.0.publishing.lock().await;
                    registry.look(list).await
                };
                match executor.block_on(now) {
                    Ok(published) => tell(&client, &urls, &published),
                    Err(error) => tracing::warn!("nobody is told of status list {list}: {error}"),
                }
            }
        };
        let thread = std::thread::Builder::new().name("bandpass-tell".into()).spawn(work);
        thread.map(|_| Self(send)).map_err(|error| Error::runtime(&error))
    }

    fn of(&self, registry: Registry, list: u32) {
        if self.0.try_send((registry, list)).is_err() {
            tracing::warn!("nobody is told of status list {list}: too many lists wait");
        }
    }
}

fn tell(client: &Client, urls: &[String], published: &Published) {
    for url in urls {
        if let Err(error) = client.post(url, "application/statuslist+jwt", &[], &published.jwt) {
            tracing::warn!("`{url}` is not told of a status list: {error}");
        }
    }
}
