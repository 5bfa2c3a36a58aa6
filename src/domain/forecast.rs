//! When something can be decided about a release, if its crash rate and its traffic stay what they are.
//!
//! For people only, and rough: never an input of a decision. Traffic is that of the last day or two, so that a
//! weekend shows. What is not in reach at the present crash rate is said to be so, and not put at some far date.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::calendar::UtcDay;
use super::decision::Record;
use super::facts::Facts;
use super::policy::{Mode, Policy};
use super::rules::crash_free_sessions_fast_track as fast_track;
use super::stats::{Goal, Sample, sessions_at_rate, sessions_to_decision};

/// Less time than this shows no traffic of a day.
const LEAST_SEEN: SignedDuration = SignedDuration::from_hours(1);
/// What is farther away than this is beyond any release.
const FARTHEST: SignedDuration = SignedDuration::from_hours(90 * 24);
/// A cycle is taken to last so long: teams ship weekly.
const CYCLE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Seconds of a day.
const DAY_SECONDS: f64 = 86_400.0;

/// What can be expected of a release.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Sessions a day at present; none where less than an hour was counted.
    pub sessions_per_day: Option<f64>,
    /// Until the sample could prove anything at all.
    pub conclusive: Wait,
    /// Until a halt, at the present crash rate.
    pub halt: Wait,
    /// Until a fast-track, at the present crash rate.
    pub fast_track: Wait,
    /// When the one fast-track check of the cycle comes; none where it has been made or is due.
    pub fast_track_check: Option<Timestamp>,
}

/// How long something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "wait")]
pub enum Wait {
    /// Nothing is missing.
    Over,
    /// So many sessions are missing.
    For {
        /// Sessions.
        sessions: u64,
        /// When they will have come at the present traffic; none where that is unknown or too far away.
        until: Option<Timestamp>,
    },
    /// It does not come at the present crash rate.
    OutOfReach,
    /// It is not asked any more.
    Past,
    /// Nothing would follow: the rule only looks, or a person has lowered the share.
    Barred,
}

/// Looks ahead from a decision.
#[must_use]
pub fn forecast(record: &Record, now: Timestamp) -> Forecast {
    let (facts, policy) = (&record.facts, &record.policy);
    let traffic = Traffic::of(facts);
    let check = fast_track::due_at(facts, policy);
    Forecast {
        sessions_per_day: traffic.map(|traffic| traffic.per_day),
        conclusive: wait(conclusive(facts, policy), facts.fresh().sessions, traffic, facts, now),
        halt: wait(halt(facts, policy), facts.fresh().sessions, traffic, facts, now),
        fast_track: match check {
            _ if is_barred(facts, policy) => Wait::Barred,
            None => Wait::Past,
            Some(_) => wait(lift(facts, policy), facts.mature().sessions, traffic, facts, now),
        },
        fast_track_check: check.filter(|at| *at > now),
    }
}

/// The bytes that a cycle will have been billed for when it has lasted a week, if it goes on as it has. None where it has
/// hardly begun; what was billed already, where the week is over.
#[must_use]
pub fn bytes_at_end(billed: u64, cycle_start: Timestamp, now: Timestamp) -> Option<u64> {
    let passed = now.duration_since(cycle_start);
    if passed >= CYCLE {
        return Some(billed);
    }
    let share = passed.as_secs_f64() / CYCLE.as_secs_f64();
    (passed >= LEAST_SEEN).then(|| (billed as f64 / share).ceil() as u64)
}

/// The sessions at which even a release without a crash could prove something.
fn conclusive(facts: &Facts, policy: &Policy) -> Option<u64> {
    let slo = &policy.slo;
    let nothing = Sample::new(0, 0).ok()?;
    let fewest =
        sessions_at_rate(slo.method, nothing, slo.crash_rate(), slo.confidence, Goal::FastTrack, 0.0)?;
    // More crashed sessions than that many could have are proof enough with fewer.
    halt(facts, policy).filter(|sessions| *sessions < fewest).or(Some(fewest))
}

fn halt(facts: &Facts, policy: &Policy) -> Option<u64> {
    let slo = &policy.slo;
    let sample = facts.fresh().sample().ok()?;
    sessions_to_decision(slo.method, sample, slo.crash_rate(), slo.confidence, Goal::Halt)
}

fn is_barred(facts: &Facts, policy: &Policy) -> bool {
    policy.rules.crash_free_sessions_fast_track.mode != Mode::Enforce || facts.lowered_to.is_some()
}

fn lift(facts: &Facts, policy: &Policy) -> Option<u64> {
    let settings = &policy.rules.crash_free_sessions_fast_track;
    let sample = facts.mature().sample().ok()?;
    let q0 = fast_track::tightened(policy);
    let sessions = sessions_to_decision(settings.method, sample, q0, policy.slo.confidence, Goal::FastTrack)?;
    Some(sessions.max(settings.min_sessions))
}

fn wait(goal: Option<u64>, have: u64, traffic: Option<Traffic>, facts: &Facts, now: Timestamp) -> Wait {
    match goal.map(|goal| goal.saturating_sub(have)) {
        None => Wait::OutOfReach,
        Some(0) => Wait::Over,
        Some(sessions) => {
            let arrival = traffic.and_then(|traffic| traffic.brings(sessions, facts.data.through));
            Wait::For { sessions, until: arrival.map(|at| at.max(now)) }
        }
    }
}

/// How many sessions come.
#[derive(Debug, Clone, Copy)]
struct Traffic {
    per_day: f64,
}

impl Traffic {
    /// The traffic since the day before the newest one began, or since the cycle began.
    fn of(facts: &Facts) -> Option<Self> {
        let first = UtcDay::of(facts.data.through).plus(-1);
        let from = first.start().max(facts.cycle_start);
        let seen = facts.data.through.duration_since(from);
        let sessions: u64 =
            facts.days.iter().filter(|day| day.day >= first).map(|day| day.fresh.sessions).sum();
        (seen >= LEAST_SEEN && sessions > 0)
            .then(|| Self { per_day: sessions as f64 / seen.as_secs_f64() * DAY_SECONDS })
    }

    fn brings(self, sessions: u64, from: Timestamp) -> Option<Timestamp> {
        let seconds = sessions as f64 / self.per_day * DAY_SECONDS;
        let wait = SignedDuration::try_from_secs_f64(seconds).ok()?;
        from.checked_add(wait).ok().filter(|_| wait <= FARTHEST)
    }
}
