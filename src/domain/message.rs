//! Every text that a person reads about a release: pure, and fixed by snapshots.
//!
//! A note stands alone on a lock screen: word and symbol, app, version, numbers, what was done, what to do next.
//! Numbers round toward worse. The text is plain; each sink escapes it its own way, because version names and crash
//! titles come from outside.

use serde::{Deserialize, Serialize};

use super::decision::Record;
use super::heartbeat::Silence;
use super::ids::{AppId, BuildNumber, DecisionId, Platform, VersionName};
use super::judge::{Judgement, RuleOutcome};
use super::policy::Mode;
use super::rate::Rate;
use super::release::{Action, Change, ReleaseId};
use super::verdict::{Evidence, Reason, Verdict};
use super::watch::Trouble;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// The objective is in danger.
    Warning,
    /// The release was halted, and the store shows it.
    Halt,
    /// The release was offered to everybody, and the store shows it.
    FastTrack,
    /// Much of the error budget is used; information only.
    BudgetAlert,
    /// Somebody else changed the release before the program could.
    Superseded,
    /// The release must be halted and the store does not do it.
    HaltFailed,
    /// For some runs nothing could be concluded about the app.
    Alarm,
    /// Somebody else halted the release.
    HaltedElsewhere,
    /// A paused release has used up most of the days that it may be paused.
    PauseBudget,
    /// No run completed for a while, so nobody was watching.
    Silence,
}

impl NoteKind {
    fn symbol_and_word(self) -> (&'static str, &'static str) {
        match self {
            Self::Warning => ("⚠️", "WARNING"),
            Self::Halt => ("🛑", "HALTED"),
            Self::FastTrack => ("⏩", "FAST-TRACKED"),
            Self::BudgetAlert => ("ℹ️", "BUDGET ALERT"),
            Self::Superseded => ("✋", "LEFT ALONE"),
            Self::HaltFailed => ("🚨", "HALT FAILED"),
            Self::Alarm => ("🔕", "NOT WATCHED"),
            Self::HaltedElsewhere => ("🛑", "HALTED BY SOMEBODY"),
            Self::PauseBudget => ("⏳", "PAUSE ENDS SOON"),
            Self::Silence => ("⏰", "WAS NOT WATCHED"),
        }
    }
}

/// A message to people, before any sink has dressed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// One line that stands alone.
    pub headline: String,
    /// The numbers and what was done.
    pub lines: Vec<String>,
    /// What to do next.
    pub next: String,
    /// Changes when the note has something new to say; a mere change of numbers is not worth an edit.
    pub topic: String,
    /// What it is about, for sinks that pass it on as data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Pages to look at next, the most useful first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// What a note is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The release.
    pub release: ReleaseId,
    /// Its version.
    pub version: VersionName,
    /// Its builds.
    pub builds: Vec<BuildNumber>,
    /// The decision that it tells of, where there is one.
    pub decision: Option<DecisionId>,
}

/// A page to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What a person finds there, in a few words.
    pub label: String,
    /// Its address, `https://`.
    pub url: String,
}

impl Note {
    /// The whole note as plain text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = vec![self.headline.clone()];
        lines.extend(self.lines.iter().cloned());
        lines.push(self.next.clone());
        lines.join("\n")
    }
}

impl Subject {
    fn of(record: &Record) -> Self {
        Self {
            release: record.release.clone(),
            version: record.version.clone(),
            builds: record.builds.clone(),
            decision: Some(record.id.clone()),
        }
    }
}

/// The warning of a decision, with every rule that warns.
#[must_use]
pub fn warning(record: &Record) -> Note {
    let warning: Vec<_> = record.judgement.rules.iter().filter(|o| o.effective == Verdict::Warn).collect();
    let topic: Vec<String> =
        warning.iter().map(|o| format!("{}:{}", o.rule, o.ruling.evidence.reason)).collect();
    let mut lines: Vec<String> = warning.iter().map(|o| sentence(&o.rule, &o.ruling.evidence)).collect();
    lines.push(standing(record));
    Note {
        kind: NoteKind::Warning,
        headline: headline(NoteKind::Warning, record, deciding(record)),
        lines,
        next: format!("Look at the newest crashes. Nothing has been changed. {}", explain(record)),
        topic: topic.join(" "),
        subject: Some(Subject::of(record)),
        links: Vec::new(),
    }
}

/// What people are told once the store shows the effect of an action.
#[must_use]
pub fn acted(record: &Record, action: Action) -> Note {
    let kind = match action {
        Action::Halt => NoteKind::Halt,
        Action::FastTrack => NoteKind::FastTrack,
    };
    let deciding = deciding(record);
    let found = deciding.map(|outcome| sentence(&outcome.rule, &outcome.ruling.evidence));
    Note {
        kind,
        headline: headline(kind, record, deciding),
        lines: found.into_iter().chain([done(record, action)]).collect(),
        next: next_after(record, action),
        topic: deciding.map(|outcome| outcome.rule.clone()).unwrap_or_default(),
        subject: Some(Subject::of(record)),
        links: Vec::new(),
    }
}

/// The alert that much of the error budget is used.
#[must_use]
pub fn budget_alert(record: &Record) -> Option<Note> {
    let alert = record.judgement.rules.iter().find(|o| {
        o.ruling.evidence.reason == Reason::BudgetAlert && matches!(o.mode, Mode::Enforce | Mode::Warn)
    })?;
    let share = record.policy.rules.crash_free_sessions_warning.alert_budget_fraction;
    let share = (share * PERCENT * SHARE_STEPS).round() / SHARE_STEPS;
    Some(Note {
        kind: NoteKind::BudgetAlert,
        headline: headline(NoteKind::BudgetAlert, record, Some(alert)),
        lines: vec![format!(
            "It very probably uses more than {share} % of the error budget. That it misses the objective is not shown."
        )],
        next: format!("Nothing to do now. {}", explain(record)),
        topic: alert.rule.clone(),
        subject: Some(Subject::of(record)),
        links: Vec::new(),
    })
}

/// What people are told where somebody else changed the release first.
#[must_use]
pub fn superseded(id: &ReleaseId, version: &str, change: &Change, found: &str) -> Note {
    let (symbol, word) = NoteKind::Superseded.symbol_and_word();
    let wanted = change.as_str();
    let next = match change.stops() {
        true => "If it must be stopped, do it in the store's console, or release a fixed version.",
        false => "Nothing to do: a person's change wins.",
    };
    Note {
        kind: NoteKind::Superseded,
        headline: format!(
            "{symbol} {word} {} {version} ({}): the {wanted} was not made",
            id.platform, id.app
        ),
        lines: vec![format!("The evidence asked for a {wanted}, but {found}. Nothing was changed.")],
        next: next.to_owned(),
        topic: found.to_owned(),
        subject: None,
        links: Vec::new(),
    }
}

/// What people are told where a halt is needed and could not be made.
#[must_use]
pub fn halt_failed(id: &ReleaseId, version: &str, what: &str, fix: &str) -> Note {
    let (symbol, word) = NoteKind::HaltFailed.symbol_and_word();
    Note {
        kind: NoteKind::HaltFailed,
        headline: format!(
            "{symbol} {word} {} {version} ({}): it is still being offered",
            id.platform, id.app
        ),
        lines: vec![what.to_owned()],
        next: format!("Halt it in the store's console now. Every run tries again. To let it: {fix}."),
        topic: String::new(),
        subject: None,
        links: Vec::new(),
    }
}

/// What people are told where nothing could be concluded about an app for some runs.
#[must_use]
pub fn alarm(app: &AppId, platform: Platform, trouble: &Trouble, found: &[String]) -> Note {
    let (symbol, word) = NoteKind::Alarm.symbol_and_word();
    let since = trouble.since.strftime("%Y-%m-%d %H:%M UTC");
    Note {
        kind: NoteKind::Alarm,
        headline: format!("{symbol} {word} {platform} ({app}): {} since {since}", trouble.reason),
        lines: found.to_vec(),
        next: "Nothing is released further meanwhile, and a bad release may go unnoticed. This is said once; every run \
               tries again."
            .to_owned(),
        topic: trouble.reason.to_string(),
        subject: None,
        links: Vec::new(),
    }
}

/// What people are told where nobody was watching a release for a while.
#[must_use]
pub fn silence(id: &ReleaseId, version: &str, silence: Silence) -> Note {
    let (symbol, word) = NoteKind::Silence.symbol_and_word();
    let since = silence.since.strftime("%Y-%m-%d %H:%M UTC");
    Note {
        kind: NoteKind::Silence,
        headline: format!(
            "{symbol} {word} {} {version} ({}): the monitor has not run for {} h",
            id.platform,
            id.app,
            silence.hours()
        ),
        lines: vec![format!(
            "The last run before this one completed at {since}. What has come since is counted now."
        )],
        next: "Look at the schedule if this goes on: GitHub starts runs late, and leaves some out."
            .to_owned(),
        topic: since.to_string(),
        subject: None,
        links: Vec::new(),
    }
}

/// A share of a budget is shown to the hundredth of a percent.
const SHARE_STEPS: f64 = 100.0;
/// Percent in one.
const PERCENT: f64 = 100.0;

/// The rule that decided, with its evidence.
fn deciding(record: &Record) -> Option<&RuleOutcome> {
    let Judgement { rule, rules, .. } = &record.judgement;
    rules.iter().find(|outcome| Some(&outcome.rule) == rule.as_ref())
}

fn headline(kind: NoteKind, record: &Record, deciding: Option<&RuleOutcome>) -> String {
    let (symbol, word) = kind.symbol_and_word();
    let release = &record.release;
    let numbers = deciding.map(|o| numbers(&o.rule, &o.ruling.evidence)).unwrap_or_default();
    format!("{symbol} {word} {} {} ({}): {numbers}", release.platform, record.version, release.app)
}

fn numbers(rule: &str, evidence: &Evidence) -> String {
    let unit = unit(rule);
    let objective = shown(evidence.objective.ratio(), evidence.objective);
    let valid = grouped(evidence.valid);
    match (evidence.rate, evidence.lower, evidence.upper) {
        (Some(rate), Some(lower), Some(upper)) => format!(
            "{} crash-free {unit} ({} to {}), objective {objective}, {valid} {unit}",
            shown(rate, evidence.objective),
            shown(lower, evidence.objective),
            shown(upper, evidence.objective),
        ),
        _ => format!("no rate yet, objective {objective}, {valid} {unit}"),
    }
}

/// What a rule counts.
fn unit(rule: &str) -> &'static str {
    if rule.contains("users") { "users" } else { "sessions" }
}

fn shown(ratio: f64, objective: Rate) -> String {
    Rate::clipped(ratio).percent_against(objective)
}

/// One sentence on what a rule found.
fn sentence(rule: &str, evidence: &Evidence) -> String {
    let unit = unit(rule);
    let counted = format!("{} of {} {unit} crashed", grouped(evidence.crashed), grouped(evidence.valid));
    let objective = shown(evidence.objective.ratio(), evidence.objective);
    let found = match evidence.reason {
        Reason::UpperBoundBelowObjective => format!("even the upper bound is below {objective}"),
        Reason::LowerBoundAboveObjective => format!("even the lower bound is above {objective}"),
        Reason::EvidenceOfBreach => format!("the evidence that it misses {objective} is above ten to one"),
        Reason::ObjectiveBetweenBounds => format!("the objective of {objective} lies between the bounds"),
        other => other.to_string(),
    };
    format!("{counted}: {found} ({rule}).")
}

fn standing(record: &Record) -> String {
    let fraction = record.facts.user_fraction.map(|f| format!(" to {f} of users")).unwrap_or_default();
    format!("The rollout goes on{fraction}. {}", counted_through(record))
}

fn counted_through(record: &Record) -> String {
    format!("Counted through {}.", record.facts.data.through.strftime("%Y-%m-%d %H:%M UTC"))
}

fn done(record: &Record, action: Action) -> String {
    let before = record.facts.user_fraction.map(|f| format!(" at {f} of users")).unwrap_or_default();
    let done = match action {
        Action::Halt => "The rollout was stopped and the store shows it as halted",
        Action::FastTrack => "It is now offered to everybody and the store shows it as completed",
    };
    format!("{done}; it stood{before}. {}", counted_through(record))
}

fn next_after(record: &Record, action: Action) -> String {
    let next = match action {
        Action::Halt => {
            "Those who have it keep it: prepare a fix or a rollback. Only a person can resume it."
        }
        Action::FastTrack => "Nothing to do.",
    };
    format!("{next} {}", explain(record))
}

fn explain(record: &Record) -> String {
    format!("Evidence: tidegate explain {}", record.id)
}

/// A number with a comma between thousands.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let grouped: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    grouped.join(",")
}
