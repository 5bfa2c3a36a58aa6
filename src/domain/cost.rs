//! What a query cost: kept with the decision that it served.

use serde::{Deserialize, Serialize};

/// One query that was run, and what it was billed for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryCost {
    /// Which question was asked.
    pub question: String,
    /// Of which table.
    pub table: String,
    /// The warehouse's own name for the job; none on the embedded warehouse.
    pub job: Option<String>,
    /// Bytes billed; 0 on the embedded warehouse, and for an answer from the cache.
    pub bytes_billed: u64,
    /// Slot time in milliseconds.
    pub slot_ms: u64,
}

/// The bytes that queries were billed for together.
#[must_use]
pub fn bytes_billed(queries: &[QueryCost]) -> u64 {
    queries.iter().map(|query| query.bytes_billed).fold(0, u64::saturating_add)
}
