//! Enter: what goes into the ledger beside the decision itself, which brings its own entry.
//!
//! Every entry is a write of the commit that it tells of, so neither is there without the other.

use super::ReleaseMonitor;
use crate::domain::decision::Record;
use crate::domain::ledger::{Kind, Noted};
use crate::domain::outbox::{self, Message, Reconfigured};
use crate::domain::release::ReleaseState;
use crate::ports::{AppState, Write};

/// An entry of this instant.
pub fn entry(job: &ReleaseMonitor<'_>, kind: Kind) -> Write {
    Write::Ledger(Box::new(Noted { at: job.clock.now(), kind }))
}

/// Notes the configuration that a release is judged by now. Where it was another, that is entered and told.
pub fn configuration(
    job: &ReleaseMonitor<'_>,
    record: &Record,
    state: &mut ReleaseState,
    known: &AppState,
    about: &[Message],
) -> Vec<Write> {
    let Some(after) = record.configuration.as_deref() else { return Vec::new() };
    let Some(before) = state.judged_by(after) else { return Vec::new() };
    let last = known.last_decision.as_ref().filter(|last| last.release == state.id);
    let told = Reconfigured { configuration: &before, record: last };
    let told = outbox::reconfigured(record, &told, state, about);
    let kind = Kind::ConfigChanged { release: state.id.clone(), after: after.to_owned(), before };
    let told = told.map(|message| Write::Message(Box::new(message)));
    [entry(job, kind)].into_iter().chain(told).collect()
}

/// What becomes of intents with a decision: an older one that is taken back, and the one that it leads to.
pub fn intents(
    job: &ReleaseMonitor<'_>,
    record: &Record,
    state: &ReleaseState,
    known: &AppState,
) -> Vec<Write> {
    let before = known.releases.iter().find(|before| before.id == state.id);
    let withdrawn = before.and_then(|before| Kind::withdrawn(before, state));
    let kinds = withdrawn.into_iter().chain(Kind::intended(state, &record.id));
    kinds.map(|kind| entry(job, kind)).collect()
}
