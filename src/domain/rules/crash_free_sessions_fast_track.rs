//! `crash-free-sessions-fast-track`: the lower bound of the crash-free sessions rate lies above the objective.
//!
//! Checked once a cycle, at the first look on rollout day two (in the configured zone) that comes at least 24 hours
//! after the start, on mature counts. One look at a fixed time needs no correction for repeated looks, so the
//! default method is the exact Clopper-Pearson interval (facts on statistics 6.2). A margin tightens the objective
//! for the crashes that are never reported. It raises exposure, so it asks for complete and fresh data; while the
//! data is not, the check waits instead of being used up. So it does while the share stands where a person has lowered it.

use jiff::{SignedDuration, Timestamp};

use crate::domain::facts::Facts;
use crate::domain::policy::Policy;
use crate::domain::rate::Rate;
use crate::domain::release::RolloutStatus;
use crate::domain::verdict::{Evidence, Reason, Ruling, Verdict};

/// The id of the rule.
pub const ID: &str = "crash-free-sessions-fast-track";

/// The rollout day from which the check is made.
const CHECK_FROM_DAY: u32 = 2;
/// A whole day of traffic must have been seen, so that a release late in the evening is not judged on its night.
const CHECK_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Judges the mature counts against the tightened objective, where the check is due.
#[must_use]
pub fn judge(facts: &Facts, policy: &Policy, now: Timestamp) -> Ruling {
    let (verdict, reason) = match not_due(facts, policy, now) {
        Some(reason) => (Verdict::Inconclusive, reason),
        None => check(facts, policy),
    };
    let settings = &policy.rules.crash_free_sessions_fast_track;
    let counts = facts.mature();
    let (slo, tested) = (&policy.slo, Rate::clipped(1.0 - tightened(policy)));
    let evidence = Evidence::of(
        counts.sessions,
        counts.crashed_sessions,
        tested,
        settings.method,
        slo.confidence,
        reason,
    );
    Ruling { verdict, evidence }
}

/// The crash rate of the objective, less the share of crashes that are never reported.
#[must_use]
pub fn tightened(policy: &Policy) -> f64 {
    policy.slo.crash_rate() * (1.0 - policy.rules.crash_free_sessions_fast_track.margin)
}

/// When the one check of the cycle is due: the first instant of rollout day two that lies 24 hours after the start. None
/// where it has been made.
#[must_use]
pub fn due_at(facts: &Facts, policy: &Policy) -> Option<Timestamp> {
    let started = policy.zone.to_datetime(facts.cycle_start).date();
    let day_two = started.tomorrow().ok()?.to_zoned(policy.zone.clone()).ok()?.timestamp();
    let whole_day = facts.cycle_start.checked_add(CHECK_AFTER).ok()?;
    facts.fast_track_checked_at.is_none().then(|| day_two.max(whole_day))
}

/// Whether this ruling used up the one check of the cycle.
#[must_use]
pub fn used_up(ruling: &Ruling) -> bool {
    matches!(ruling.verdict, Verdict::FastTrack | Verdict::Hold)
}

fn not_due(facts: &Facts, policy: &Policy, now: Timestamp) -> Option<Reason> {
    let early = facts.rollout_day(policy, now) < CHECK_FROM_DAY
        || now.duration_since(facts.cycle_start) < CHECK_AFTER;
    if facts.status != RolloutStatus::RollingOut {
        return Some(Reason::NothingRollingOut);
    }
    if facts.fast_track_checked_at.is_some() {
        return Some(Reason::AlreadyChecked);
    }
    if early {
        return Some(Reason::BeforeDayTwo);
    }
    if facts.lowered_to.is_some() {
        return Some(Reason::LoweredByPerson);
    }
    facts.data_problem(policy, now).or_else(|| crashes_lag(facts, policy))
}

/// Crashes that arrive later than sessions would make the counts look too good, so there has to be a report of about the
/// time of the newest session. Shared with the next step of a rollout.
#[must_use]
pub fn crashes_lag(facts: &Facts, policy: &Policy) -> Option<Reason> {
    let newest = facts.data.newest_crash_at.unwrap_or(facts.cycle_start);
    (facts.data.through.duration_since(newest) > policy.data.max_age).then_some(Reason::CrashesLag)
}

fn check(facts: &Facts, policy: &Policy) -> (Verdict, Reason) {
    let counts = facts.mature();
    let Ok(sample) = counts.sample() else {
        return (Verdict::Inconclusive, Reason::MoreCrashesThanSessions);
    };
    let settings = &policy.rules.crash_free_sessions_fast_track;
    if counts.sessions == 0 {
        return (Verdict::Inconclusive, Reason::NoSessions);
    }
    if counts.sessions < settings.min_sessions {
        return (Verdict::Hold, Reason::TooFewSessions);
    }
    match settings.method.better_than(sample, tightened(policy), policy.slo.confidence) {
        true => (Verdict::FastTrack, Reason::LowerBoundAboveObjective),
        false => (Verdict::Hold, Reason::NotProven),
    }
}
