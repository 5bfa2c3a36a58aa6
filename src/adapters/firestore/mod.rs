//! The state store of production: a named Firestore database, one document per thing.
//!
//! What is written is written in transactions that first read the lease and every document they are about to write, on
//! the server's clock. Each write has a precondition on what was read (create only, or the update time), each rewrite
//! has a field mask, so fields that this program does not know stay as they are. A document without a known schema
//! version is never overwritten.
//!
//! A commit whose answer is lost may have been applied. Every commit puts a random mark on the lease document, and the
//! transaction is run again: its own reading shows whether the mark is there. So nothing is applied twice, and the
//! crate's `run_transaction`, which can't tell, is not used. Its gRPC client and messages are; the channel is our own,
//! for the system's certificates and a connection that is made on first use.
//!
//! Leases end by the server's clock, never by a runner's: the caller's instants give only the duration. That holds for
//! a simulated clock too: a lease of ten minutes lasts ten real minutes. [`Lease::expires_at`] is in the caller's clock.
//!
//! Queries have equality filters only and results are sorted here, so no composite index is needed. The database is
//! never the app's own: `(default)` is refused by the configuration. Only the configuration can name a stand-in for
//! Google's service, and only one on this machine: `FIRESTORE_EMULATOR_HOST` is not looked at.

mod client;
mod commit;
mod control;
mod document;
mod error;
mod heartbeat;
mod lease;
mod ledger;
mod names;
mod patience;
mod probe;
mod reading;
mod transaction;
mod value;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::client::Access;
use self::client::Client;
use self::commit::Commit;
use self::lease::{GiveBack, Take};
use self::probe::Probe;
use self::reading::Reading;
use self::transaction::transact;
use super::fail_point;
use crate::adapters::clock::ServerClock;
use crate::domain::counts::Partials;
use crate::domain::daily::AppPage;
use crate::domain::decision::Record;
use crate::domain::heartbeat::{Beat, Heartbeat};
use crate::domain::ids::{AppId, DecisionId};
use crate::domain::ledger::Page;
use crate::domain::release::ReleaseId;
use crate::ports::{AppState, Lease, Memory, PortError, StateError, StateStore, Write};

/// What a token must allow.
pub const SCOPE: &str = "https://www.googleapis.com/auth/datastore";

/// The state in a Firestore database.
pub struct FirestoreState {
    client: Client,
}

impl FirestoreState {
    /// The state in `database` of `project`. Nothing is asked or made before the first call: the connection is opened
    /// by it, and documents are made by commits alone.
    ///
    /// # Errors
    /// Where TLS can't be set up, or an emulator's address is none.
    pub fn connect(project: &str, database: &str, access: Access) -> Result<Self, PortError> {
        Ok(Self { client: Client::new(project, database, access)? })
    }

    /// Reads a document that is never there, in a transaction that is then given up: the database can be reached and
    /// read, and nothing is written.
    ///
    /// # Errors
    /// Where it can't.
    pub async fn probe(&self) -> Result<(), StateError> {
        transact(&self.client, &Probe).await
    }

    /// The same state, whose answers tell a shared clock what time it is there.
    #[must_use]
    pub fn with_clock(mut self, clock: &ServerClock) -> Self {
        self.client.clock = clock.clone();
        self
    }

    pub(super) fn reading(&self) -> Reading<'_> {
        Reading { client: &self.client }
    }
}

#[async_trait]
impl StateStore for FirestoreState {
    async fn acquire(
        &self,
        app: &AppId,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StateError> {
        transact(&self.client, &Take::new(app, holder, now, until)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        transact(&self.client, &GiveBack::new(lease)).await
    }

    async fn commit(&self, lease: &Lease, writes: Vec<Write>) -> Result<(), StateError> {
        let commit = Commit::new(lease, writes);
        transact(&self.client, &commit).await?;
        fail_point::committed(commit.writes());
        Ok(())
    }

    async fn beat(&self, beat: &Beat) -> Result<(), StateError> {
        heartbeat::write(&self.client, beat).await
    }

    fn memory(&self) -> &dyn Memory {
        self
    }
}

#[async_trait]
impl Memory for FirestoreState {
    async fn app(&self, app: &AppId) -> Result<AppState, StateError> {
        // Four readings at once are too much for a stack.
        Box::pin(self.reading().app(app)).await
    }

    async fn partials(&self, release: &ReleaseId) -> Result<Partials, StateError> {
        self.reading().partials(release).await
    }

    async fn decision(&self, id: &DecisionId) -> Result<Option<Record>, StateError> {
        self.reading().decision(id).await
    }

    async fn history(&self, release: &ReleaseId) -> Result<Vec<Record>, StateError> {
        self.reading().history(release).await
    }

    async fn report(&self, app: &AppId) -> Result<Option<AppPage>, StateError> {
        self.reading().report(app).await
    }

    async fn heartbeat(&self, job: &str) -> Result<Option<Heartbeat>, StateError> {
        self.reading().heartbeat(job).await
    }

    async fn evidence(&self, id: &DecisionId) -> Result<Option<String>, StateError> {
        self.reading().evidence(id).await
    }

    async fn ledger(&self, app: &AppId, from: u64) -> Result<Page, StateError> {
        self.reading().ledger(app, from).await
    }
}
