//! One transaction from its reading to its commit, run again where that may help.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use firestore::gcloud_sdk::google::firestore::v1::batch_get_documents_request::ConsistencySelector as GetAt;
use firestore::gcloud_sdk::google::firestore::v1::run_query_request::ConsistencySelector as QueryAt;
use firestore::gcloud_sdk::google::firestore::v1::transaction_options::{Mode, ReadWrite};
use firestore::gcloud_sdk::google::firestore::v1::{Document, StructuredQuery, TransactionOptions, Write};
use jiff::Timestamp;
use tonic::Status;

use super::client::Client;
use super::patience::{Failure, LONGEST, Patience};
use crate::ports::StateError;

/// Freeing the locks of a transaction that is given up may take so long. They end by themselves after a minute.
const ROLL_BACK_TIMEOUT: Duration = Duration::from_secs(2);

/// What a transaction is for.
#[async_trait]
pub trait Work: Sync {
    /// What it answers.
    type Done: Send;

    /// What is tried, for errors: "take a lease in", "write to".
    const VERB: &'static str;

    /// Reads, and says what is to be written. Called once for each try; what it reads tells whether an earlier try was
    /// applied.
    async fn plan(&self, transaction: &mut Transaction<'_>) -> Result<Plan<Self::Done>, Fault>;
}

/// What the reading of a transaction led to.
pub enum Plan<T> {
    /// These writes, and then this answer.
    Commit(Vec<Write>, T),
    /// Nothing is left to be written.
    Done(T),
}

/// Why a transaction has no plan.
pub enum Fault {
    /// The database could not be asked.
    Call(Status),
    /// What was read forbids it.
    State(StateError),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Call(status)
    }
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// Does the work, again where it lost a race or its outcome is not known.
///
/// # Errors
/// [`StateError`] that the work answers, or where the database could not be asked.
pub async fn transact<W: Work>(client: &Client, work: &W) -> Result<W::Done, StateError> {
    let mut patience = Patience::new(W::VERB);
    let ended = tokio::time::timeout(LONGEST, tries(client, work, &mut patience)).await;
    patience.end(ended, &client.names)
}

async fn tries<W: Work>(client: &Client, work: &W, patience: &mut Patience) -> Result<W::Done, StateError> {
    let mut failed = Vec::new();
    loop {
        let mut transaction = Transaction { client, id: Vec::new(), instead_of: failed, read_at: None };
        let failure = match transaction.attempt(work).await {
            Ok(done) => return Ok(done),
            Err(Ended::Refused(error)) => return Err(error),
            Err(Ended::Failed(failure)) => failure,
        };
        patience.after(failure, &client.names).await?;
        failed = transaction.id;
    }
}

/// How a try ended.
enum Ended {
    Refused(StateError),
    Failed(Failure),
}

/// A transaction that begins with its first reading.
pub struct Transaction<'c> {
    /// The database.
    pub client: &'c Client,
    id: Vec<u8>,
    /// A transaction that failed and that this one repeats: the server lets it go first.
    instead_of: Vec<u8>,
    read_at: Option<Timestamp>,
}

impl Transaction<'_> {
    /// Plans and commits. Where there was no commit, or none that succeeded, locks may be left that the next try would
    /// wait for.
    async fn attempt<W: Work>(&mut self, work: &W) -> Result<W::Done, Ended> {
        let ended = match work.plan(self).await {
            Ok(Plan::Commit(writes, done)) => match self.client.commit(self.id.clone(), writes).await {
                Ok(()) => return Ok(done),
                Err(status) => Err(Ended::Failed(Failure::Committing(status))),
            },
            Ok(Plan::Done(done)) => Ok(done),
            Err(Fault::Call(status)) => Err(Ended::Failed(Failure::Reading(status))),
            Err(Fault::State(error)) => Err(Ended::Refused(error)),
        };
        self.roll_back().await;
        ended
    }

    /// Reads documents by their names, each at most once, and begins the transaction if this is its first reading.
    pub async fn get(
        &mut self,
        documents: Vec<String>,
        mask: Option<&[&str]>,
    ) -> Result<HashMap<String, Document>, Status> {
        if documents.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.client.get(documents, mask, Some(self.selector())).await?;
        if self.id.is_empty() {
            self.id = found.transaction;
        }
        self.read_at = self.read_at.or(found.read_at);
        Ok(found.documents.into_iter().map(|document| (document.name.clone(), document)).collect())
    }

    /// What a query finds, as of this transaction, which has begun.
    pub async fn query(&self, parent: String, query: StructuredQuery) -> Result<Vec<Document>, Status> {
        self.client.query(parent, query, Some(QueryAt::Transaction(self.id.clone()))).await
    }

    /// The server's clock at the first reading.
    pub fn now(&self) -> Result<Timestamp, Status> {
        self.read_at.ok_or_else(|| Status::internal("a reading came without its time"))
    }

    fn selector(&self) -> GetAt {
        if !self.id.is_empty() {
            return GetAt::Transaction(self.id.clone());
        }
        let mode = ReadWrite { retry_transaction: self.instead_of.clone(), ..ReadWrite::default() };
        GetAt::NewTransaction(TransactionOptions { mode: Some(Mode::ReadWrite(mode)) })
    }

    async fn roll_back(&self) {
        if !self.id.is_empty() {
            let call = self.client.roll_back(self.id.clone());
            // Locks that are not freed end by themselves.
            drop(tokio::time::timeout(ROLL_BACK_TIMEOUT, call).await);
        }
    }
}
