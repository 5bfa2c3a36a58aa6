//! The cap of a run in bytes billed, shared by all apps.
//!
//! BigQuery itself refuses a query above its own limit, free of charge, so each query is given a share as its limit and
//! gives back what it did not use: the shares together never exceed the cap, however many queries run at once. A query
//! for which its share is too small is run again alone, with everything that is left. What an unclear end may have cost
//! counts as spent.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The least that BigQuery bills a query for, in bytes; with less it can't run.
pub const LEAST: u64 = 10 * 1024 * 1024;
/// A query among others gets this part of what is left: large enough to be seldom too small, small enough for many.
const PART: u64 = 4;

/// What is left of the cap.
pub struct Budget {
    cap: u64,
    left: AtomicU64,
    turn: RwLock<()>,
}

/// What one query may be billed for. Not settled, it counts as spent.
pub struct Share<'b> {
    budget: &'b Budget,
    bytes: u64,
    turn: Turn<'b>,
}

/// Whether others may run meanwhile. Held for the life of a share.
enum Turn<'b> {
    Among { _others: RwLockReadGuard<'b, ()> },
    Alone { _nobody: RwLockWriteGuard<'b, ()> },
}

/// Less is left than any query is billed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The cap in bytes.
    pub cap: u64,
    /// What is left in bytes.
    pub left: u64,
}

impl Budget {
    /// A budget of which nothing is spent.
    pub fn new(cap: u64) -> Self {
        Self { cap, left: AtomicU64::new(cap), turn: RwLock::new(()) }
    }

    /// The cap in bytes.
    pub fn cap(&self) -> u64 {
        self.cap
    }

    /// A share next to others.
    ///
    /// # Errors
    /// [`Spent`], after the others have given back what they did not use.
    pub async fn share(&self) -> Result<Share<'_>, Spent> {
        let others = self.turn.read().await;
        let part = |left: u64| (left >= LEAST).then(|| left - (left / PART).max(LEAST));
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, part) {
            Ok(left) => {
                let bytes = (left / PART).max(LEAST);
                Ok(Share { budget: self, bytes, turn: Turn::Among { _others: others } })
            }
            Err(_) => {
                drop(others);
                self.everything().await
            }
        }
    }

    /// All that is left, once nobody else has a share.
    ///
    /// # Errors
    /// [`Spent`] where that is too little.
    pub async fn everything(&self) -> Result<Share<'_>, Spent> {
        let nobody = self.turn.write().await;
        let all = |left: u64| (left >= LEAST).then_some(0);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, all) {
            Ok(bytes) => Ok(Share { budget: self, bytes, turn: Turn::Alone { _nobody: nobody } }),
            Err(left) => Err(Spent { cap: self.cap, left }),
        }
    }
}

impl Share<'_> {
    /// The most that the query may be billed for, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is no more to be had.
    pub fn is_everything(&self) -> bool {
        matches!(self.turn, Turn::Alone { .. })
    }

    /// Gives back what was not billed.
    pub fn settle(self, bytes_billed: u64) {
        self.budget.left.fetch_add(self.bytes.saturating_sub(bytes_billed), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shares_never_exceed_the_cap() {
        let budget = Budget::new(8 * LEAST);
        let [first, second] = [budget.share().await.unwrap(), budget.share().await.unwrap()];
        assert_eq!((first.bytes(), second.bytes()), (2 * LEAST, LEAST + LEAST / 2));
        first.settle(LEAST);
        second.settle(0);
        assert_eq!(budget.everything().await.unwrap().bytes(), 7 * LEAST);
        assert_eq!(
            budget.share().await.err(),
            Some(Spent { cap: 8 * LEAST, left: 0 }),
            "not settled is spent"
        );
    }

    #[tokio::test]
    async fn the_last_share_is_everything() {
        let budget = Budget::new(LEAST + 1);
        let share = budget.share().await.unwrap();
        assert_eq!((share.bytes(), share.is_everything()), (LEAST, false));
        share.settle(0);
        let share = budget.everything().await.unwrap();
        assert_eq!((share.bytes(), share.is_everything()), (LEAST + 1, true));
    }

    #[tokio::test]
    async fn who_finds_nothing_left_waits_for_the_others() {
        let budget = Budget::new(LEAST);
        let first = budget.share().await.unwrap();
        let waiting = async {
            let share = budget.share().await.unwrap();
            (share.bytes(), share.is_everything())
        };
        let settling = async { first.settle(0) };
        let (waited, ()) = tokio::join!(waiting, settling);
        assert_eq!(waited, (LEAST, true));
    }
}
