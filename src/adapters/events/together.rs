//! One scan for all apps and versions that live in the same table.
//!
//! A warehouse bills the scan, whatever is asked of it. So apps that share tables hand in what they ask, and when each
//! of them waits, has gone or has kept the others waiting for long enough, equal questions are asked once, for the
//! people of all their versions. Within one run an answer is kept, so that a second release of an app costs nothing.
//! Who asks something else, or later, asks alone; an error reaches everybody who asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Answer, Warehouse};
use crate::domain::cost::QueryCost;
use crate::ports::PortError;
use crate::queries::{Cell, Parameters, Question, Source, Table, render};

use super::tables::Found;

/// How long one app waits for the others: their stores may be slow, and a halt must not wait for them.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of a table.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The question.
    pub question: Question,
    /// What the table is.
    pub source: Source,
    /// The table.
    pub found: Found,
    /// The window, and whose people are wanted.
    pub parameters: Parameters,
}

impl Ask {
    fn key(&self) -> (Question, &Table, [i64; 3]) {
        let Parameters { from_us, to_us, mature_us, .. } = self.parameters;
        (self.question, &self.found.table, [from_us, to_us, mature_us])
    }

    /// Whether this one's answer holds all that the other asks for.
    fn covers(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.parameters, &other.parameters);
        self.key() == other.key()
            && theirs.builds.iter().all(|build| ours.builds.contains(build))
            && theirs.versions.iter().all(|version| ours.versions.contains(version))
    }

    fn join(&mut self, other: &Self) {
        let (ours, theirs) = (&mut self.parameters, &other.parameters);
        ours.builds.extend(theirs.builds.iter().cloned());
        ours.versions.extend(theirs.versions.iter().cloned());
        for names in [&mut ours.builds, &mut ours.versions] {
            names.sort();
            names.dedup();
        }
    }
}

/// The rows of an answer, shared, and its cost for the one who is billed for it.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The rows.
    pub rows: Arc<Vec<Vec<Cell>>>,
    /// What it cost; 0 bytes for everybody but the first.
    pub cost: QueryCost,
}

type Waiting = (Ask, oneshot::Sender<Result<Shared, PortError>>);

/// Apps that share tables.
pub struct Together<W> {
    warehouse: W,
    table: Mutex<State>,
}

#[derive(Default)]
struct State {
    seated: usize,
    waiting: Vec<Waiting>,
    answered: Vec<(Ask, Shared)>,
}

impl<W: Warehouse + Clone + 'static> Together<W> {
    /// Apps that share the tables of a warehouse.
    pub fn new(warehouse: W) -> Arc<Self> {
        Arc::new(Self { warehouse, table: Mutex::default() })
    }

    /// The warehouse.
    pub fn warehouse(&self) -> &W {
        &self.warehouse
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat for a run; the others wait for who sits there. It is left when the seat is dropped.
    pub fn sit(self: &Arc<Self>) -> Seat<W> {
        self.state().seated += 1;
        Seat(self.clone())
    }

    /// Asks together with the others, or takes what was answered in this run already.
    pub async fn ask(self: &Arc<Self>, ask: Ask) -> Result<Shared, PortError> {
        let (sender, mut receiver) = oneshot::channel();
        {
            let mut state = self.state();
            if let Some((_, answer)) = state.answered.iter().find(|(asked, _)| asked.covers(&ask)) {
                return Ok(unbilled(answer));
            }
            state.waiting.push((ask, sender));
        }
        self.go_if_all_wait();
        let answer = match tokio::time::timeout(PATIENCE, &mut receiver).await {
            Ok(answer) => answer,
            Err(_) => {
                self.go();
                receiver.await
            }
        };
        answer.unwrap_or_else(|_| Err(PortError::new("a shared query was given up", "run again")))
    }

    fn go_if_all_wait(self: &Arc<Self>) {
        let all_wait = {
            let state = self.state();
            !state.waiting.is_empty() && state.waiting.len() >= state.seated
        };
        if all_wait {
            self.go();
        }
    }

    /// Asks everything that is waited for, each different question once.
    fn go(self: &Arc<Self>) {
        let waiting = std::mem::take(&mut self.state().waiting);
        for batch in batches(waiting) {
            let together = self.clone();
            tokio::spawn(async move { together.answer(batch).await });
        }
    }

    async fn answer(&self, batch: Vec<Waiting>) {
        let Some((first, _)) = batch.first() else { return };
        let mut all = first.clone();
        batch.iter().for_each(|(ask, _)| all.join(ask));
        let (table, shape) = (&all.found.table, &all.found.info.shape);
        let engine = self.warehouse.engine();
        let query = render(all.question, all.source, engine, table, shape, &all.parameters);
        let answer = self
            .warehouse
            .run(&query)
            .await
            .map(|Answer { rows, cost }| Shared { rows: Arc::new(rows), cost });
        if let Ok(answer) = &answer {
            self.state().answered.push((all, answer.clone()));
        }
        for (index, (_, sender)) in batch.into_iter().enumerate() {
            let theirs = answer.clone().map(|answer| if index == 0 { answer } else { unbilled(&answer) });
            // Nobody waits where a run was ended from outside.
            drop(sender.send(theirs));
        }
    }
}

fn unbilled(answer: &Shared) -> Shared {
    let cost = QueryCost { bytes_billed: 0, slot_ms: 0, ..answer.cost.clone() };
    Shared { rows: answer.rows.clone(), cost }
}

/// Equal questions side by side.
fn batches(waiting: Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let mut batches: Vec<Vec<Waiting>> = Vec::new();
    for one in waiting {
        let same = |batch: &&mut Vec<Waiting>| batch.first().is_some_and(|(ask, _)| ask.key() == one.0.key());
        match batches.iter_mut().find(same) {
            Some(batch) => batch.push(one),
            None => batches.push(vec![one]),
        }
    }
    batches
}

/// A place among apps that share tables, for one run.
pub struct Seat<W: Warehouse + Clone + 'static>(Arc<Together<W>>);

impl<W: Warehouse + Clone + 'static> Drop for Seat<W> {
    fn drop(&mut self) {
        {
            let mut state = self.0.state();
            state.seated = state.seated.saturating_sub(1);
            if state.seated == 0 {
                state.answered.clear();
            }
        }
        // Outside a runtime nobody waits any more.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.0.go_if_all_wait();
        }
    }
}
