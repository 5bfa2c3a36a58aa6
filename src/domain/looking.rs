//! How much has to be read to know what to decide: sessions are dear, crashes are cheap.
//!
//! With fixed crashes a crash-free rate only rises with sessions. So where the older, smaller count of sessions with
//! today's crashes gives neither a halt, a warning nor an alert, the true count gives none either, and reading it would
//! change no decision. Sessions are read where they could matter: a rule is about to speak or cannot speak yet, the one
//! fast-track check is due, or the newest session known would make the data look stale.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::facts::{Facts, Spared};
use super::judge::{Decision, Judgement, judge};
use super::policy::{Mode, Policy};
use super::rules::{crash_free_sessions_fast_track as fast_track, crash_free_sessions_halt as halt};
use super::verdict::{Reason, Verdict};

/// How long an unchanged mark stands for unchanged rows: two looks, so that nothing is missed for longer.
const LONGEST_TRUST: SignedDuration = SignedDuration::from_mins(30);

/// Whether sessions may be left unread where they change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReadSessions {
    /// Where they could change a decision.
    #[default]
    WhenNeeded,
    /// On every run.
    EveryRun,
}

/// How much of the sessions has to be read, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing: what is known decides.
    Nothing,
    /// The days that are not complete, for a newer newest session.
    Newest,
    /// Everything that is due, because a rule speaks or is about to.
    Everything,
}

/// What a judgement on older sessions asks for.
#[must_use]
pub fn need(judgement: &Judgement) -> Need {
    if judgement.rules.iter().any(|outcome| speaks(outcome.mode, &outcome.rule, &outcome.ruling)) {
        return Need::Everything;
    }
    match (judgement.decision, judgement.reason) {
        // More sessions could allow the next step of a rollout.
        (Decision::Continue | Decision::Hold, Reason::TooFewSessions | Reason::BelowObjective) => {
            Need::Everything
        }
        (Decision::Continue | Decision::Hold, _) => Need::Nothing,
        // Whether crashes arrive is not seen in the sessions.
        (Decision::StaleData, Reason::CrashExportSilent) => Need::Nothing,
        (Decision::StaleData, Reason::SessionsStale) => Need::Newest,
        _ => Need::Everything,
    }
}

/// Whether a rule says, or with other counts could say, more than that there is nothing to do.
fn speaks(mode: Mode, rule: &str, ruling: &super::verdict::Ruling) -> bool {
    let reason = ruling.evidence.reason;
    match rule {
        fast_track::ID => {
            // The last two: whether crashes arrive is not seen in the sessions.
            let settled = [
                Reason::NothingRollingOut,
                Reason::AlreadyChecked,
                Reason::BeforeDayTwo,
                Reason::CrashesLag,
                Reason::CrashExportSilent,
            ];
            mode == Mode::Enforce && !settled.contains(&reason)
        }
        // Anything but enough sessions and no breach may turn with more sessions.
        halt::ID => ruling.verdict != Verdict::Hold,
        _ => ruling.verdict >= Verdict::Warn || reason != Reason::NothingToDo,
    }
}

/// What is remembered of earlier looks at the tables, to know what needs no look now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Looked {
    /// The session tables as they were last seen.
    pub sessions: Option<Mark>,
    /// The end of the window of the last reading of sessions.
    pub sessions_read_to: Option<Timestamp>,
    /// When the warehouse was last asked anything that costs.
    pub asked_at: Option<Timestamp>,
    /// The crash tables as they were when the crashes alone were last counted.
    pub crashes: Option<CrashCheck>,
}

/// A table's mark, and since when it bears it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Changes whenever rows are added.
    pub text: String,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
}

/// The crashes alone, counted from tables that bear a mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashCheck {
    /// The mark of the tables.
    pub mark: String,
    /// Reports were counted from here on.
    pub from: Timestamp,
    /// What they gave.
    pub spared: Spared,
    /// When they were counted.
    pub counted_at: Timestamp,
    /// The newest report of any version.
    pub newest_at: Option<Timestamp>,
}

impl Looked {
    /// Remembers how the session tables look now.
    pub fn saw_sessions(&mut self, mark: Option<&str>, now: Timestamp) {
        if self.sessions.as_ref().map(|mark| mark.text.as_str()) != mark {
            self.sessions = mark.map(|text| Mark { text: text.to_owned(), first_seen_at: now });
        }
    }

    /// Whether the last reading saw every session that the tables hold: they have not changed since its window ended,
    /// and that is not long ago.
    #[must_use]
    pub fn has_all_sessions(&self, now: Timestamp) -> bool {
        match (&self.sessions, self.sessions_read_to) {
            (Some(mark), Some(read_to)) => {
                mark.first_seen_at <= read_to && now.duration_since(read_to) <= LONGEST_TRUST
            }
            _ => false,
        }
    }

    /// The crashes that were counted from the same instant while the tables bore this mark, and not long ago: what a
    /// warehouse tells of rows that are still being streamed is an estimate.
    #[must_use]
    pub fn same_crashes(&self, mark: Option<&str>, from: Timestamp, now: Timestamp) -> Option<&CrashCheck> {
        self.crashes.as_ref().filter(|check| {
            Some(check.mark.as_str()) == mark
                && check.from == from
                && now.duration_since(check.counted_at) <= LONGEST_TRUST
        })
    }
}

/// What at most so many crashes ask for.
#[must_use]
pub fn need_at_worst(facts: &Facts, crashed: Spared, policy: &Policy, now: Timestamp) -> Need {
    let mut worst = facts.at_worst(crashed);
    // A step that would be taken is taken on sessions that were read, never on spared ones.
    worst.data.spared = None;
    need(&judge(&worst, policy, now))
}
