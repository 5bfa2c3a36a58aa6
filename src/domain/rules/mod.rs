//! The rules: one file each, one list. A rule sees facts, policy and time, and answers with a ruling.
//!
//! A rule never acts and never tells. Adding one means a file here, an entry in [`ALL`], its settings in the
//! policy and the configuration, and its heading in the docs; a test walks the list and asks for them.

pub mod crash_free_sessions_fast_track;
pub mod crash_free_sessions_halt;
pub mod crash_free_sessions_warning;
pub mod crash_free_users_warning;

use jiff::Timestamp;

use super::facts::Facts;
use super::policy::{Mode, Policy};
use super::verdict::Ruling;

/// A rule: its id, its mode, and its judgement.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The id of the configuration, of the output and of the docs.
    pub id: &'static str,
    /// What its verdict may lead to.
    pub mode: fn(&Policy) -> Mode,
    /// Facts, policy and time in; a ruling out.
    pub judge: fn(&Facts, &Policy, Timestamp) -> Ruling,
}

/// Every rule, in the order in which they are shown.
pub const ALL: [Rule; 4] = [
    Rule {
        id: crash_free_sessions_halt::ID,
        mode: |policy| policy.rules.crash_free_sessions_halt.mode,
        judge: crash_free_sessions_halt::judge,
    },
    Rule {
        id: crash_free_sessions_fast_track::ID,
        mode: |policy| policy.rules.crash_free_sessions_fast_track.mode,
        judge: crash_free_sessions_fast_track::judge,
    },
    Rule {
        id: crash_free_sessions_warning::ID,
        mode: |policy| policy.rules.crash_free_sessions_warning.mode,
        judge: crash_free_sessions_warning::judge,
    },
    Rule {
        id: crash_free_users_warning::ID,
        mode: |policy| policy.rules.crash_free_users_warning.mode,
        judge: crash_free_users_warning::judge,
    },
];
