//! When a job ran last. Nothing is decided by it: it shows people that nobody has been watching for a while.
//!
//! A run leaves one beat, at its end. A run that was killed leaves none, so its silence shows; one that could not
//! complete leaves a beat and does not count as completed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The jobs that have a heartbeat, by their ids; `jobs` holds them against its own list.
pub const JOBS: [&str; 4] = ["release-monitor", "status-reporter", "android-rollout", "outbox"];

/// What is remembered of the runs of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The id of the job.
    pub job: String,
    /// When the newest run that reached its end began.
    pub last_started: Timestamp,
    /// When a run last completed; none where none ever did.
    #[serde(default)]
    pub last_completed: Option<Timestamp>,
    /// The newest run that reached its end.
    pub run: String,
    /// The code that it ended with.
    pub exit: u8,
    /// The version of the program that ran.
    pub version: String,
    /// When the next completed run is expected at the latest.
    #[serde(default)]
    pub next_expected: Option<Timestamp>,
}

/// What a run leaves behind at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The id of the job.
    pub job: &'static str,
    /// When the run began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Whether it completed.
    pub completion: Completion,
    /// The run.
    pub run: String,
    /// The code that it ends with.
    pub exit: u8,
    /// How long the next completed run may take to come.
    pub expected_within: SignedDuration,
}

/// Whether a run did what it was started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// It looked at every app that could be looked at.
    Completed,
    /// It was ended, or could do nothing.
    Broken,
}

impl Beat {
    /// What is remembered after it. Of a broken run the completed one before it is kept, where it is known.
    #[must_use]
    pub fn after(&self, before: Option<&Heartbeat>) -> Heartbeat {
        let completed = self.completion == Completion::Completed;
        let expected = self.ended_at.checked_add(self.expected_within).ok();
        Heartbeat {
            job: self.job.to_owned(),
            last_started: self.started_at,
            last_completed: match completed {
                true => Some(self.ended_at),
                false => before.and_then(|before| before.last_completed),
            },
            run: self.run.clone(),
            exit: self.exit,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            next_expected: if completed { expected } else { before.and_then(|before| before.next_expected) },
        }
    }
}

/// A stretch of time in which no run of a job completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// The end of the last completed run.
    pub since: Timestamp,
    /// How long it has lasted.
    pub lasted: SignedDuration,
}

impl Silence {
    /// Whole hours, rounded down: what is said is true.
    #[must_use]
    pub fn hours(self) -> i64 {
        self.lasted.as_hours()
    }
}

impl Heartbeat {
    /// The silence that `now` ends, where it is longer than is allowed. A job that never completed has no silence: it has
    /// just been set up.
    #[must_use]
    pub fn silence(&self, now: Timestamp, allowed: SignedDuration) -> Option<Silence> {
        let since = self.last_completed?;
        let lasted = now.duration_since(since);
        (lasted > allowed).then_some(Silence { since, lasted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn beat(ended_at: &str, completion: Completion) -> Beat {
        Beat {
            job: JOBS[0],
            started_at: at(ended_at) - SignedDuration::from_secs(9),
            ended_at: at(ended_at),
            completion,
            run: "a/b".into(),
            exit: 0,
            expected_within: SignedDuration::from_hours(3),
        }
    }

    #[test]
    fn f57_a_gap_is_longer_than_allowed_and_counted_in_whole_hours() {
        let heartbeat = beat("2026-11-18T06:00:00Z", Completion::Completed).after(None);
        let allowed = SignedDuration::from_hours(3);
        let silence = |now: &str| heartbeat.silence(at(now), allowed).map(Silence::hours);
        assert_eq!(silence("2026-11-18T09:00:00Z"), None, "as long as allowed is no gap");
        assert_eq!(silence("2026-11-18T09:00:01Z"), Some(3));
        assert_eq!(silence("2026-11-18T12:59:00Z"), Some(6));
        assert_eq!(silence("2026-11-18T05:00:00Z"), None, "a run that is asked about an earlier instant");
        assert_eq!(heartbeat.next_expected, Some(at("2026-11-18T09:00:00Z")));
    }

    #[test]
    fn a_broken_run_does_not_end_a_silence() {
        let first = beat("2026-11-18T06:00:00Z", Completion::Completed).after(None);
        let broken = beat("2026-11-18T11:00:00Z", Completion::Broken).after(Some(&first));
        assert_eq!(broken.last_completed, first.last_completed);
        assert_eq!(broken.last_started, at("2026-11-18T10:59:51Z"));
        let silence = broken.silence(at("2026-11-18T12:00:00Z"), SignedDuration::from_hours(3));
        assert_eq!(silence.map(Silence::hours), Some(6));
        assert_eq!(beat("2026-11-18T11:00:00Z", Completion::Broken).after(None).last_completed, None);
    }
}
