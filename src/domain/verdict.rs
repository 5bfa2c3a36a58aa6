//! The closed words of judging: a rule's verdict, the reason for it, and the numbers behind it.
//!
//! Unknown, little and bad each have their own word. An upstream failure is an error, never a verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::rate::Rate;
use super::stats::{Confidence, Method, Sample};

/// What a rule says of a release, weakest first: the strongest verdict of all rules wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Not enough data to say anything.
    Inconclusive,
    /// Enough data, nothing to do.
    Hold,
    /// The objective is met beyond doubt: offer it to everybody.
    FastTrack,
    /// The objective is in danger: tell people.
    Warn,
    /// The objective is missed beyond doubt: stop.
    Halt,
}

impl Verdict {
    /// The word of the machine output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inconclusive => "inconclusive",
            Self::Hold => "hold",
            Self::FastTrack => "fast-track",
            Self::Warn => "warn",
            Self::Halt => "halt",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal),+ $(,)?) => {
        /// Why a rule or a decision says what it says. The codes are documented, stable, and never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Reason {
            $($(#[$doc])* $variant),+
        }

        impl Reason {
            /// Every reason; a test asks for a docs heading for each.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code of the machine output and of the docs.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }
        }
    };
}

reasons! {
    /// The upper bound of the crash-free rate lies below the objective.
    UpperBoundBelowObjective = "upper-bound-below-objective",
    /// The lower bound of the crash-free rate lies above the objective.
    LowerBoundAboveObjective = "lower-bound-above-objective",
    /// The evidence for a breach of the objective is ten to one.
    EvidenceOfBreach = "evidence-of-breach",
    /// The objective lies between the bounds.
    ObjectiveBetweenBounds = "objective-between-bounds",
    /// The set share of the error budget is very probably used up; that the objective is missed is not shown.
    BudgetAlert = "budget-alert",
    /// Enough sessions, and nothing speaks against the release.
    NothingToDo = "nothing-to-do",
    /// So few sessions that even none of them crashing would prove nothing.
    TooFewSessions = "too-few-sessions",
    /// Fewer crashed sessions than the rule asks for.
    TooFewCrashes = "too-few-crashes",
    /// No session has been counted.
    NoSessions = "no-sessions",
    /// More crashes than sessions or users: the denominator is not complete.
    MoreCrashesThanSessions = "more-crashes-than-sessions",
    /// The table of sessions is not there.
    SessionsTableMissing = "sessions-table-missing",
    /// The table of crashes is not there.
    CrashTableMissing = "crash-table-missing",
    /// The table of sessions of one or more dates is gone, and what it held is not final.
    SessionsTableGone = "sessions-table-gone",
    /// A day has fewer events now than it had before: rows were deleted or reprocessed.
    CountsRevised = "counts-revised",
    /// Nothing is known of one or more days of the cycle.
    DaysMissing = "days-missing",
    /// The machine's clock is minutes away from the services'.
    ClockWrong = "clock-wrong",
    /// The newest session is too old.
    SessionsStale = "sessions-stale",
    /// No crash report of any version for so long that the export has probably stopped.
    CrashExportSilent = "crash-export-silent",
    /// The newest crash report of any version is much older than the newest session: late crashes may be missing.
    CrashesLag = "crashes-lag",
    /// It is not yet day two, or 24 hours have not passed.
    BeforeDayTwo = "before-day-two",
    /// The one fast-track check of this cycle has been made.
    AlreadyChecked = "already-checked",
    /// The one fast-track check did not prove the objective.
    NotProven = "not-proven",
    /// No release is rolling out.
    NothingRollingOut = "nothing-rolling-out",
    /// Another run is active for the app.
    AnotherRun = "another-run",
    /// The month's budget for queries was spent too fast, and nothing presses for a look now.
    BudgetRests = "budget-rests",
    /// The lease ended, or another run took it over, while this run was active.
    LeaseLost = "lease-lost",
    /// A person's hold stands against what the evidence asks for.
    Held = "held",
    /// The mode is off: nobody was asked anything.
    SwitchedOff = "switched-off",
    /// It was not begun, because the run or its lease is about to end, or was told to.
    Postponed = "postponed",
    /// A person asked for it.
    PersonsWord = "persons-word",
    /// No run has left anything half done.
    NothingLeft = "nothing-left",
    /// Nothing stands against the next step of the rollout.
    StepAllowed = "step-allowed",
    /// No steps are planned for the app.
    NoStepsPlanned = "no-steps-planned",
    /// The store does not tell to how many users the release is offered.
    ShareUnknown = "share-unknown",
    /// A person has lowered the share of users.
    LoweredByPerson = "lowered-by-person",
    /// The share of users has changed on this date already.
    StepTaken = "step-taken",
    /// It is a quiet day.
    QuietDay = "quiet-day",
    /// The time of day has not come from which on this is done.
    BeforeTime = "before-time",
    /// The crash-free sessions rate so far is below the objective, and no rule can say yet that it is.
    BelowObjective = "below-objective",
    /// The job does nothing for apps of this platform.
    NotApplicable = "not-applicable",
    /// The report of this date has been made.
    ReportMade = "report-made",
    /// Somebody changed what the decision was made on before it was written down.
    ChangedMeanwhile = "changed-meanwhile",
    /// The store or the warehouse could not be asked.
    CouldNotComplete = "could-not-complete",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The numbers behind a verdict. Rates are crash-free; bounds are not clipped, so Wald's may leave 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Why.
    pub reason: Reason,
    /// The objective that was tested, as a ratio.
    pub objective: Rate,
    /// How the bounds were computed.
    pub method: Method,
    /// At which confidence.
    pub confidence: Confidence,
    /// Sessions or users.
    pub valid: u64,
    /// Crashed sessions or users.
    pub crashed: u64,
    /// The crash-free rate; none without sessions.
    pub rate: Option<f64>,
    /// Its lower bound; none without sessions.
    pub lower: Option<f64>,
    /// Its upper bound; none without sessions.
    pub upper: Option<f64>,
}

impl Evidence {
    /// Computes the numbers for a sample. An impossible sample has no rate and no bounds.
    #[must_use]
    pub fn of(
        valid: u64,
        crashed: u64,
        objective: Rate,
        method: Method,
        confidence: Confidence,
        reason: Reason,
    ) -> Self {
        let sample = Sample::new(valid, crashed).ok().filter(|_| valid > 0);
        let bounds = sample.map(|sample| method.bounds(sample, confidence));
        Self {
            reason,
            objective,
            method,
            confidence,
            valid,
            crashed,
            rate: sample.map(|_| (valid - crashed) as f64 / valid as f64),
            lower: bounds.map(|bounds| 1.0 - bounds.upper),
            upper: bounds.map(|bounds| 1.0 - bounds.lower),
        }
    }

    /// The numbers for a count of sessions.
    #[must_use]
    pub fn of_sessions(counts: Counts, slo: &super::policy::Slo, method: Method, reason: Reason) -> Self {
        Self::of(
            counts.sessions,
            counts.crashed_sessions,
            slo.crash_free_sessions,
            method,
            slo.confidence,
            reason,
        )
    }
}

/// A verdict with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// What the rule says.
    pub verdict: Verdict,
    /// The numbers behind it.
    pub evidence: Evidence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_beats_everything_and_a_warning_beats_a_fast_track() {
        assert!(Verdict::Halt > Verdict::Warn && Verdict::Warn > Verdict::FastTrack);
        assert!(Verdict::FastTrack > Verdict::Hold && Verdict::Hold > Verdict::Inconclusive);
    }

    #[test]
    fn codes_are_what_serde_writes() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
