//! Pause: the days that a halted release may still be paused. Apple allows 30 altogether and does not say what comes then,
//! so people are told in time to release a fixed version.

use jiff::Timestamp;

use super::about;
use crate::domain::outbox::{self, Message};
use crate::ports::Write;

/// The writes, with a message for each release among them whose pause ends soon.
pub fn told(mut writes: Vec<Write>, known: &[Message], now: Timestamp) -> Vec<Write> {
    let states = writes.iter().filter_map(|write| match write {
        Write::Release(state) => Some(state),
        _ => None,
    });
    let messages = states.filter_map(|state| outbox::pause_budget(state, &about(state, known), now));
    let messages: Vec<Write> = messages.map(|message| Write::Message(Box::new(message))).collect();
    writes.extend(messages);
    writes
}
