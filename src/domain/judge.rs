//! The judge: facts, policy and time in, a judgement out. Pure, so the same input gives the same judgement forever.
//!
//! Precedence, written once: counts that cannot be true, or a missing table of sessions, refuse everything; then the strongest verdict of a halt or a
//! warning; then data that is missing or stale; then a fast-track; then, where a run asks for it, the next step of the
//! rollout; then hold, then go on. So a halt needs no freshness, and nothing permissive can come of doubtful data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::advance::{self, Step};
use super::facts::Facts;
use super::policy::{Mode, Policy};
use super::release::{Action, RolloutStatus};
use super::rules::{self, crash_free_sessions_fast_track};
use super::verdict::{Reason, Ruling, Verdict};

/// The answer of a run for one release, in the words of the machine output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// No release is rolling out.
    None,
    /// Not enough data yet to say anything; the rollout goes on as the store does it.
    Continue,
    /// Enough data, nothing to do.
    Hold,
    /// The rollout takes its next step.
    Advance,
    /// The rollout takes its last step.
    Complete,
    /// Offered to everybody.
    FastTrack,
    /// Nothing has been counted yet.
    InsufficientData,
    /// The data is incomplete or too old for anything permissive.
    StaleData,
    /// People are told.
    Warn,
    /// A person's hold stands against what the evidence asks for.
    Overridden,
    /// Could not be judged or acted on.
    Error,
    /// Stopped.
    Halt,
}

impl Decision {
    /// The word of the machine output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Continue => "continue",
            Self::Hold => "hold",
            Self::Advance => "advance",
            Self::Complete => "complete",
            Self::FastTrack => "fast-track",
            Self::InsufficientData => "insufficient-data",
            Self::StaleData => "stale-data",
            Self::Warn => "warn",
            Self::Overridden => "overridden",
            Self::Error => "error",
            Self::Halt => "halt",
        }
    }
}

/// One rule's ruling, and the verdict that its mode lets through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleOutcome {
    /// The id of the rule.
    pub rule: String,
    /// What its verdict may lead to.
    pub mode: Mode,
    /// What the rule says.
    #[serde(flatten)]
    pub ruling: Ruling,
    /// What counts of it.
    pub effective: Verdict,
}

/// What follows for a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The answer.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// The rule that decided; none where the data did.
    pub rule: Option<String>,
    /// What the store shall be asked for.
    pub action: Option<Action>,
    /// Every rule that was judged.
    pub rules: Vec<RuleOutcome>,
    /// Whether the one fast-track check of the cycle has been made by this judgement.
    pub fast_track_checked: bool,
}

/// Judges a release.
#[must_use]
pub fn judge(facts: &Facts, policy: &Policy, now: Timestamp) -> Judgement {
    let rules: Vec<RuleOutcome> = rules::ALL
        .iter()
        .filter(|rule| (rule.mode)(policy) != Mode::Off)
        .map(|rule| outcome(rule, facts, policy, now))
        .collect();
    let (decision, reason, rule, step) = stepped(decide(&rules, facts, policy, now), facts, policy, now);
    Judgement {
        decision,
        reason,
        rule,
        action: step.map_or_else(|| action(decision, facts.status), |step| Some(raise(step))),
        fast_track_checked: rules.iter().any(used_up_the_check),
        rules,
    }
}

fn outcome(rule: &rules::Rule, facts: &Facts, policy: &Policy, now: Timestamp) -> RuleOutcome {
    let mode = (rule.mode)(policy);
    let ruling = (rule.judge)(facts, policy, now);
    // Of counts that can't be true, no rule says anything.
    let effective = match effective(ruling.verdict, mode) {
        _ if facts.are_absurd() => Verdict::Inconclusive,
        // What a person has just resumed is theirs to watch: people are told, and the store is left alone.
        Verdict::Halt if facts.are_in_grace(policy, now) => Verdict::Warn,
        effective => effective,
    };
    RuleOutcome { rule: rule.id.to_owned(), mode, ruling, effective }
}

/// What a mode lets through. A rule that may only warn never raises exposure.
fn effective(verdict: Verdict, mode: Mode) -> Verdict {
    match (mode, verdict) {
        (Mode::Enforce, verdict) => verdict,
        (Mode::Warn, Verdict::Halt | Verdict::Warn) => Verdict::Warn,
        (Mode::Warn, Verdict::FastTrack) => Verdict::Hold,
        (Mode::Warn, Verdict::Inconclusive | Verdict::Hold) => verdict,
        (Mode::Observe | Mode::Off, _) => Verdict::Inconclusive,
    }
}

fn decide(
    rules: &[RuleOutcome],
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> (Decision, Reason, Option<String>) {
    if facts.are_absurd() {
        return (Decision::Error, Reason::MoreCrashesThanSessions, None);
    }
    if facts.lacks_sessions() {
        return (Decision::InsufficientData, Reason::SessionsTableMissing, None);
    }
    let strongest = strongest(rules);
    let of_rule = |outcome: &RuleOutcome, decision| {
        (decision, outcome.ruling.evidence.reason, Some(outcome.rule.clone()))
    };
    match strongest.map(|outcome| (outcome, outcome.effective)) {
        Some((outcome, Verdict::Halt)) => return of_rule(outcome, Decision::Halt),
        Some((outcome, Verdict::Warn)) => return of_rule(outcome, Decision::Warn),
        _ => {}
    }
    if let Some(problem) = facts.data_problem(policy, now) {
        return (of_data_problem(problem), problem, None);
    }
    match strongest.map(|outcome| (outcome, outcome.effective)) {
        Some((outcome, Verdict::FastTrack)) => of_rule(outcome, Decision::FastTrack),
        Some((outcome, Verdict::Hold)) => of_rule(outcome, Decision::Hold),
        Some((outcome, _)) => of_rule(outcome, Decision::Continue),
        None => (Decision::Continue, Reason::NothingToDo, None),
    }
}

/// What follows where a run asks for the next step of the rollout: it is taken only where no rule and no doubt about the
/// data says anything, and otherwise the answer says why it is not.
fn stepped(
    (decision, reason, rule): (Decision, Reason, Option<String>),
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> (Decision, Reason, Option<String>, Option<Step>) {
    let objects = !matches!(decision, Decision::Continue | Decision::Hold);
    let Some(share) = facts.share.as_ref().filter(|_| !objects) else {
        return (decision, reason, rule, None);
    };
    match advance::next(facts, share, policy, now) {
        Ok(step) if step.completes() => (Decision::Complete, Reason::StepAllowed, None, Some(step)),
        Ok(step) => (Decision::Advance, Reason::StepAllowed, None, Some(step)),
        Err(why) => (decision, why, None, None),
    }
}

fn raise(step: Step) -> Action {
    Action::Raise { from: step.from, to: step.to }
}

/// The first of the strongest outcomes, so that the order of the list settles a tie.
fn strongest(rules: &[RuleOutcome]) -> Option<&RuleOutcome> {
    rules.iter().reduce(|best, next| if next.effective > best.effective { next } else { best })
}

fn of_data_problem(problem: Reason) -> Decision {
    match problem {
        Reason::NoSessions | Reason::SessionsTableMissing => Decision::InsufficientData,
        _ => Decision::StaleData,
    }
}

fn action(decision: Decision, status: RolloutStatus) -> Option<Action> {
    match (decision, status) {
        (Decision::Halt, RolloutStatus::RollingOut) => Some(Action::Halt),
        (Decision::FastTrack, RolloutStatus::RollingOut) => Some(Action::FastTrack),
        _ => None,
    }
}

fn used_up_the_check(outcome: &RuleOutcome) -> bool {
    outcome.mode == Mode::Enforce
        && outcome.rule == crash_free_sessions_fast_track::ID
        && crash_free_sessions_fast_track::used_up(&outcome.ruling)
}
