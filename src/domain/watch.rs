//! What is remembered of an app apart from its releases: the trouble it is in, and what its queries have cost.
//!
//! An alarm is raised once an episode of trouble has lasted for some runs, never on every run, and nothing is ever done
//! to a release because of it.

use jiff::{SignedDuration, Timestamp, civil};
use serde::{Deserialize, Serialize};

use super::verdict::Reason;

/// The shortest time between two looks: the schedule's own.
const SHORTEST_INTERVAL: SignedDuration = SignedDuration::from_mins(15);
/// However much has been spent, a release is looked at so often.
const LONGEST_INTERVAL: SignedDuration = SignedDuration::from_hours(1);
/// In the first days of a month nothing has been spent too fast yet.
const LEAST_SHARE: f64 = 0.1;

/// What is remembered of an app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// The trouble that the app is in.
    pub trouble: Option<Trouble>,
    /// Episodes of trouble so far, to tell one alarm from the next.
    pub episodes: u64,
    /// A service asked not to be asked again before this instant.
    pub not_before: Option<Timestamp>,
    /// What the queries of this month have cost.
    pub spent: Spent,
    /// When the store's list last showed that nothing was rolling out, without a look at every release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_at: Option<Timestamp>,
}

/// An episode of trouble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// What the newest run said of it.
    pub reason: Reason,
    /// Since when.
    pub since: Timestamp,
    /// Runs in a row.
    pub runs: u32,
    /// Whether people have been told.
    pub told: bool,
}

/// Bytes billed in one month.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// The month, as `2026-11` in UTC.
    pub month: String,
    /// Bytes.
    pub bytes: u64,
}

/// What a run found out about an app, apart from its releases.
#[derive(Debug, Clone, Default)]
pub struct RunNews {
    /// Why nothing could be concluded.
    pub trouble: Option<Reason>,
    /// A service asked not to be asked again before this instant.
    pub not_before: Option<Timestamp>,
    /// Bytes billed.
    pub bytes_billed: u64,
    /// When the store's list showed that nothing was rolling out, where that was enough.
    pub listed_at: Option<Timestamp>,
}

impl Watch {
    /// What is remembered after a run. `true` where people have to be told now.
    #[must_use]
    pub fn after(&self, news: &RunNews, alarm_after_runs: u32, now: Timestamp) -> (Self, Alarm) {
        let mut next = self.clone();
        next.not_before = news.not_before;
        next.listed_at = news.listed_at.or(self.listed_at);
        next.spent = self.spent.plus(news.bytes_billed, now);
        let Some(reason) = news.trouble else {
            next.trouble = None;
            return (next, Alarm::Silent);
        };
        let fresh = Trouble { reason, since: now, runs: 0, told: false };
        let mut trouble = self.trouble.clone().unwrap_or(fresh);
        (trouble.reason, trouble.runs) = (reason, trouble.runs.saturating_add(1));
        let alarm =
            if trouble.runs >= alarm_after_runs && !trouble.told { Alarm::Raise } else { Alarm::Silent };
        if alarm == Alarm::Raise {
            trouble.told = true;
            next.episodes += 1;
        }
        next.trouble = Some(trouble);
        (next, alarm)
    }
}

/// Whether people have to be told of an app's trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// They have.
    Raise,
    /// They know, or it is too early.
    Silent,
}

impl Watch {
    /// What is remembered after queries that were no look of the monitor.
    #[must_use]
    pub fn having_spent(&self, bytes: u64, now: Timestamp) -> Self {
        Self { spent: self.spent.plus(bytes, now), ..self.clone() }
    }
}

impl Spent {
    /// The bytes of the UTC month that holds the instant: none of another month's.
    #[must_use]
    pub fn in_month_of(&self, now: Timestamp) -> u64 {
        if self.month == month(now) { self.bytes } else { 0 }
    }

    fn plus(&self, bytes: u64, now: Timestamp) -> Self {
        let before = self.in_month_of(now);
        Self { month: month(now), bytes: before.saturating_add(bytes) }
    }

    /// How long to wait between two looks that nothing presses for, so that a month's budget lasts: longer in
    /// proportion to how much faster than evenly it was spent, and never so long that a release goes unwatched.
    #[must_use]
    pub fn interval(&self, budget_per_month: u64, now: Timestamp) -> SignedDuration {
        if self.month != month(now) || budget_per_month == 0 {
            return SignedDuration::ZERO;
        }
        let even = budget_per_month as f64 * share_of_month(now).max(LEAST_SHARE);
        let haste = self.bytes as f64 / even;
        if haste <= 1.0 {
            return SignedDuration::ZERO;
        }
        let most = LONGEST_INTERVAL.as_secs_f64() / SHORTEST_INTERVAL.as_secs_f64();
        SHORTEST_INTERVAL.mul_f64(haste.min(most))
    }
}

fn month(now: Timestamp) -> String {
    now.strftime("%Y-%m").to_string()
}

/// How much of the UTC month has passed, in 0..1.
fn share_of_month(now: Timestamp) -> f64 {
    let date: civil::DateTime = jiff::tz::TimeZone::UTC.to_datetime(now);
    let hours = f64::from(date.day() - 1) * 24.0 + f64::from(date.hour());
    hours / (f64::from(date.date().days_in_month()) * 24.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn in_trouble() -> RunNews {
        RunNews { trouble: Some(Reason::SessionsStale), ..RunNews::default() }
    }

    #[test]
    fn an_episode_is_told_once_and_the_next_one_again() {
        let now = at("2026-11-18T12:00:00Z");
        let mut watch = Watch::default();
        let mut raised = Vec::new();
        let runs = [in_trouble(), in_trouble(), in_trouble(), in_trouble(), RunNews::default()];
        for news in runs.iter().chain(&runs) {
            let (next, alarm) = watch.after(news, 3, now);
            raised.push(alarm == Alarm::Raise);
            watch = next;
        }
        assert_eq!(raised, [false, false, true, false, false, false, false, true, false, false]);
        assert_eq!(watch.episodes, 2);
    }

    #[test]
    fn spending_starts_anew_each_month() {
        let news = RunNews { bytes_billed: 10, ..RunNews::default() };
        let (watch, _) = Watch::default().after(&news, 3, at("2026-11-30T23:45:00Z"));
        let (watch, _) = watch.after(&news, 3, at("2026-11-30T23:59:00Z"));
        assert_eq!(watch.spent.bytes, 20);
        let (watch, _) = watch.after(&news, 3, at("2026-12-01T00:00:00Z"));
        assert_eq!((watch.spent.month.as_str(), watch.spent.bytes), ("2026-12", 10));
    }

    #[test]
    fn a_budget_stretches_the_interval_and_never_ends_the_watch() {
        let spent = |bytes| Spent { month: "2026-11".to_owned(), bytes };
        let mid_month = at("2026-11-16T00:00:00Z");
        assert_eq!(spent(500).interval(1_000, mid_month), SignedDuration::ZERO, "spent evenly");
        assert_eq!(spent(1_000).interval(1_000, mid_month), SignedDuration::from_mins(30), "twice too fast");
        assert_eq!(spent(1_000_000).interval(1_000, mid_month), LONGEST_INTERVAL);
        assert_eq!(spent(1_000_000).interval(1_000, at("2026-12-01T00:00:00Z")), SignedDuration::ZERO);
    }
}
