//! The lease document of an app: who may write, and until when by the server's clock.
//!
//! `{schema, holder, fence, acquired, expires, last_commit}`. The fence rises each time the lease changes hands and never
//! falls. `last_commit` is the random mark of the newest commit, by which one whose answer was lost is recognised.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use async_trait::async_trait;
use firestore::gcloud_sdk::google::firestore::v1::{Document, Write};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tonic::Status;

use super::document::{self, Unknown};
use super::names::Names;
use super::transaction::{Fault, Plan, Transaction, Work};
use crate::domain::ids::AppId;
use crate::ports::{Lease, StateError};

/// The fields of the document.
pub const FIELDS: [&str; 5] = ["holder", "fence", "acquired", "expires", "last_commit"];

/// The lease as the document holds it. Instants are the server's.
#[derive(Clone, Serialize, Deserialize)]
pub struct Stored {
    /// The run that has it; empty where it was given back.
    holder: String,
    fence: u64,
    acquired: Timestamp,
    expires: Timestamp,
    last_commit: String,
}

impl Stored {
    /// Reads the document, if there is one.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn read(names: &Names, found: Option<&Document>) -> Result<Option<Self>, StateError> {
        found.map(|found| document::read(names, found)).transpose()
    }

    /// Whether the holder of `lease` may write at `now`.
    pub fn is_held_by(&self, lease: &Lease, now: Timestamp) -> bool {
        self.fence == lease.fence() && self.holder == lease.holder() && now < self.expires
    }

    /// Whether the commit with this mark was the newest one.
    pub fn shows(&self, mark: &str) -> bool {
        self.last_commit == mark
    }

    /// The same lease after a commit.
    pub fn marked(&self, mark: &str) -> Self {
        Self { last_commit: mark.to_owned(), ..self.clone() }
    }

    /// The write that puts it in the place of what was read.
    ///
    /// # Errors
    /// Where it has no native form.
    pub fn write(&self, names: &Names, app: &AppId, before: Option<&Document>) -> Result<Write, StateError> {
        let name = names.lease(app);
        let fields = document::fields(names, &name, self)?;
        document::write(names, &name, before, fields, Unknown::Kept)
    }
}

/// The mark of one commit. The same for all tries of it.
pub fn mark() -> String {
    let word = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}

/// Takes a lease that is free or over.
pub struct Take<'t> {
    app: &'t AppId,
    holder: &'t str,
    now: Timestamp,
    until: Timestamp,
    mark: String,
}

impl<'t> Take<'t> {
    /// For `holder`, from `now` to `until` by the caller's clock.
    pub fn new(app: &'t AppId, holder: &'t str, now: Timestamp, until: Timestamp) -> Self {
        Self { app, holder, now, until, mark: mark() }
    }

    fn granted(&self, fence: u64) -> Lease {
        Lease::granted(self.app.clone(), self.holder.to_owned(), fence, self.until)
    }

    /// The end of somebody else's lease by the caller's clock.
    fn busy(&self, stored: &Stored, server_now: Timestamp) -> StateError {
        let left = stored.expires.duration_since(server_now);
        let until = self.now.checked_add(left).unwrap_or(self.now);
        StateError::Busy { app: self.app.clone(), holder: stored.holder.clone(), until }
    }

    fn taken(&self, fence: u64, server_now: Timestamp) -> Stored {
        let duration: SignedDuration = self.until.duration_since(self.now);
        Stored {
            holder: self.holder.to_owned(),
            fence,
            acquired: server_now,
            expires: server_now.checked_add(duration).unwrap_or(server_now),
            last_commit: self.mark.clone(),
        }
    }
}

#[async_trait]
impl Work for Take<'_> {
    type Done = Lease;
    const VERB: &'static str = "take a lease in";

    async fn plan(&self, transaction: &mut Transaction<'_>) -> Result<Plan<Lease>, Fault> {
        let names = &transaction.client.names;
        let name = names.lease(self.app);
        let found = transaction.get(vec![name.clone()], None).await?.remove(&name);
        let (stored, now) = (Stored::read(names, found.as_ref())?, transaction.now()?);
        match &stored {
            Some(stored) if stored.shows(&self.mark) => return Ok(Plan::Done(self.granted(stored.fence))),
            Some(stored) if !stored.holder.is_empty() && now < stored.expires => {
                return Err(self.busy(stored, now).into());
            }
            _ => {}
        }
        let fence = stored.map_or(1, |stored| stored.fence + 1);
        let write = self.taken(fence, now).write(names, self.app, found.as_ref())?;
        Ok(Plan::Commit(vec![write], self.granted(fence)))
    }
}

/// Gives a lease back. One that was lost is left alone.
pub struct GiveBack<'l> {
    lease: &'l Lease,
}

impl<'l> GiveBack<'l> {
    pub fn new(lease: &'l Lease) -> Self {
        Self { lease }
    }
}

#[async_trait]
impl Work for GiveBack<'_> {
    type Done = ();
    const VERB: &'static str = "give a lease back in";

    async fn plan(&self, transaction: &mut Transaction<'_>) -> Result<Plan<()>, Fault> {
        let names = &transaction.client.names;
        let name = names.lease(self.lease.app());
        let found = transaction.get(vec![name.clone()], None).await?.remove(&name);
        let (stored, now) = (Stored::read(names, found.as_ref())?, transaction.now()?);
        // A lease that is over is not ours to touch: somebody may be taking it.
        let Some(stored) = stored.filter(|stored| stored.is_held_by(self.lease, now)) else {
            return Ok(Plan::Done(()));
        };
        let free = Stored { holder: String::new(), expires: now, ..stored };
        Ok(Plan::Commit(vec![free.write(names, self.lease.app(), found.as_ref())?], ()))
    }
}

/// Reads the lease in a transaction that has read its document.
///
/// # Errors
/// [`StateError::LostLease`] where it is not held any more.
pub fn still_held(
    names: &Names,
    lease: &Lease,
    found: Option<&Document>,
    now: Result<Timestamp, Status>,
) -> Result<Stored, Fault> {
    let (stored, now) = (Stored::read(names, found)?, now?);
    stored
        .filter(|stored| stored.is_held_by(lease, now))
        .ok_or_else(|| StateError::LostLease { app: lease.app().clone() }.into())
}
