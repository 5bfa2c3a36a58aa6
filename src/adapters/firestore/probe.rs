//! A transaction that reads and writes nothing, for a look at the database.

use async_trait::async_trait;

use super::transaction::{Fault, Plan, Transaction, Work};

/// Reads one document that is never there.
pub struct Probe;

#[async_trait]
impl Work for Probe {
    type Done = ();
    const VERB: &'static str = "read";

    async fn plan(&self, transaction: &mut Transaction<'_>) -> Result<Plan<()>, Fault> {
        let name = transaction.client.names.probe();
        transaction.get(vec![name], None).await?;
        Ok(Plan::Done(()))
    }
}
