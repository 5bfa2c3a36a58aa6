//! The queue before App Store Connect: one request of a key at a time, and halts before everything else.
//!
//! Apple counts requests by key and refuses parallel ones with 429 long before the hour's limit is reached. So the apps
//! of a key take turns, and where one of them is about to stop a bad release, it does not wait behind the others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Where a request waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// It belongs to a halt: it goes next.
    Halt,
    /// It can wait.
    Other,
}

/// The two lanes of a key. Within one, first come is first served.
#[derive(Default)]
pub(super) struct Lanes(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    is_taken: bool,
    halts: VecDeque<oneshot::Sender<Turn>>,
    others: VecDeque<oneshot::Sender<Turn>>,
}

/// The right to send one request. Dropping it hands it on.
pub(super) struct Turn(Arc<Lanes>);

impl Lanes {
    /// Waits for a turn.
    pub(super) async fn enter(self: &Arc<Self>, lane: Lane) -> Turn {
        match self.queue_up(lane) {
            Some(turn) => turn.await.expect("a turn is only ever taken out of the queue to be handed on"),
            None => Turn(self.clone()),
        }
    }

    /// A place in the queue; none where nobody has the turn.
    fn queue_up(&self, lane: Lane) -> Option<oneshot::Receiver<Turn>> {
        let mut queue = self.queue();
        if !std::mem::replace(&mut queue.is_taken, true) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        match lane {
            Lane::Halt => queue.halts.push_back(sender),
            Lane::Other => queue.others.push_back(sender),
        }
        Some(receiver)
    }

    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut queue = self.queue();
        let next = queue.halts.pop_front().or_else(|| queue.others.pop_front());
        queue.is_taken = next.is_some();
        next
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(next) = self.0.next() {
            // One that has stopped waiting gives the turn back here, and dropping it hands it on.
            drop(next.send(Self(self.0.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets everything that can run do so.
    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    /// Enters and notes its name once it has its turn.
    fn visitor(
        lanes: &Arc<Lanes>,
        lane: Lane,
        name: &'static str,
        seen: &Arc<Mutex<Vec<&'static str>>>,
    ) -> tokio::task::JoinHandle<()> {
        let (lanes, seen) = (lanes.clone(), seen.clone());
        tokio::spawn(async move {
            let _turn = lanes.enter(lane).await;
            seen.lock().unwrap().push(name);
            tokio::task::yield_now().await;
        })
    }

    #[tokio::test]
    async fn halts_go_before_what_has_waited_longer() {
        let (lanes, seen) = (Arc::new(Lanes::default()), Arc::default());
        let first = lanes.enter(Lane::Other).await;
        let mut visitors = Vec::new();
        for (lane, name) in
            [(Lane::Other, "a"), (Lane::Other, "b"), (Lane::Halt, "halt a"), (Lane::Halt, "halt b")]
        {
            visitors.push(visitor(&lanes, lane, name, &seen));
            settle().await;
        }
        assert!(seen.lock().unwrap().is_empty(), "one at a time");
        drop(first);
        for visitor in visitors {
            visitor.await.unwrap();
        }
        assert_eq!(*seen.lock().unwrap(), ["halt a", "halt b", "a", "b"]);
    }

    #[tokio::test]
    async fn who_stops_waiting_keeps_nobody_waiting() {
        let (lanes, seen) = (Arc::new(Lanes::default()), Arc::default());
        let first = lanes.enter(Lane::Other).await;
        let gone = [Lane::Halt, Lane::Halt, Lane::Other].map(|lane| visitor(&lanes, lane, "gone", &seen));
        settle().await;
        let last = visitor(&lanes, Lane::Other, "last", &seen);
        settle().await;
        for gone in gone {
            gone.abort();
            assert!(gone.await.unwrap_err().is_cancelled());
        }
        drop(first);
        last.await.unwrap();
        assert_eq!(*seen.lock().unwrap(), ["last"]);
        drop(lanes.enter(Lane::Other).await);
    }
}
