//! Every text that a person reads about a release: pure, and fixed by snapshots.
//!
//! The first line of a note stands alone on a lock screen: symbol and word, platform, version, app, the number against
//! the objective. Then what was done, the counts, what to do next. Numbers round toward worse. The text is plain; each sink escapes it its own way, because version names and crash
//! titles come from outside.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::advance::{Step, Stuck};
use super::calendar::date_in;
use super::canonical;
use super::control::{ControlMode, Said};
use super::decision::Record;
use super::heartbeat::Silence;
use super::ids::{AppId, BuildNumber, DecisionId, Platform, VersionName};
use super::judge::{Judgement, RuleOutcome};
use super::outbox::Refusal;
use super::pause_budget::{MOST_DAYS, PauseBudget};
use super::policy::Mode;
use super::rate::{Rate, UserFraction};
use super::release::{Action, Change, ReleaseId, ReleaseState};
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
    /// The release must be halted, and a person's hold stands against it.
    HaltHeld,
    /// A person has resumed the release, and the store shows it.
    Resumed,
    /// A person has set a hold.
    Held,
    /// A hold is about to end.
    HoldEnds,
    /// A person has ended a hold.
    HoldEnded,
    /// The release is judged by other settings than before.
    Reconfigured,
    /// No run completed for a while, so nobody was watching.
    Silence,
    /// The release is offered to more users, and the store shows it.
    Raised,
    /// The release has taken its last step, and the store shows it.
    Completed,
    /// The rollout has stood still for days.
    Stuck,
    /// How an app fares, once a day.
    DailyReport,
}

impl NoteKind {
    /// Whether it is said twice rather than never, where a sink can't tell whether it arrived. What asks for a person at
    /// once is; a warning or a piece of information is said once at most.
    #[must_use]
    pub fn must_arrive(self) -> bool {
        match self {
            Self::Halt
            | Self::HaltFailed
            | Self::HaltHeld
            | Self::Alarm
            | Self::HaltedElsewhere
            | Self::PauseBudget => true,
            Self::Warning
            | Self::FastTrack
            | Self::BudgetAlert
            | Self::Superseded
            | Self::Resumed
            | Self::Held
            | Self::HoldEnds
            | Self::HoldEnded
            | Self::Reconfigured
            | Self::Silence
            | Self::Raised
            | Self::Completed
            | Self::Stuck
            | Self::DailyReport => false,
        }
    }

    /// What a headline begins with.
    #[must_use]
    pub fn symbol_and_word(self) -> (&'static str, &'static str) {
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
            Self::HaltHeld => ("🚨", "NOT HALTED"),
            Self::Resumed => ("▶️", "RESUMED"),
            Self::Held => ("✋", "ON HOLD"),
            Self::HoldEnds => ("⏳", "HOLD ENDS"),
            Self::HoldEnded => ("▶️", "HOLD ENDED"),
            Self::Reconfigured => ("🔧", "OTHER SETTINGS"),
            Self::Silence => ("⏰", "WAS NOT WATCHED"),
            Self::Raised => ("⏫", "RAISED"),
            Self::Completed => ("✅", "COMPLETED"),
            Self::Stuck => ("🧊", "STANDS STILL"),
            Self::DailyReport => ("📊", "DAILY REPORT"),
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
    /// What was done, and why.
    pub lines: Vec<String>,
    /// The counts, each short enough to stand next to another on a phone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
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

/// One count of a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// What was counted, in a word or two.
    pub label: String,
    /// How much of it.
    pub value: String,
}

/// What a note is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The release.
    pub release: ReleaseId,
    /// Its version.
    pub version: VersionName,
    /// Its builds, where they are known.
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
        let figures: Vec<String> =
            self.figures.iter().map(|figure| format!("{} {}", figure.label, figure.value)).collect();
        lines.extend((!figures.is_empty()).then(|| figures.join(" · ")));
        lines.push(self.next.clone());
        lines.join("\n")
    }
}

/// The same note, sent long after it was written.
#[must_use]
pub fn late(note: &Note, written_at: Timestamp) -> Note {
    let mut late = note.clone();
    late.lines.insert(0, format!("This is of {}; it could not be sent before.", minute(written_at)));
    late
}

/// The same note in the place of another channel, with what that one said.
#[must_use]
pub fn rerouted(note: &Note, refused: &str) -> Note {
    let mut rerouted = note.clone();
    rerouted.lines.push(format!("It is told here because: {}.", shortened(refused, LONGEST_REASON)));
    rerouted
}

/// The same note, decided while the state store was down.
#[must_use]
pub fn without_memory(note: Note) -> Note {
    let mut note = note;
    note.lines.push("The state store could not be reached, so this was decided without a memory.".to_owned());
    note
}

/// The same note, where the release was halted before this run and nobody has told of it.
#[must_use]
pub fn halted_before(note: Note) -> Note {
    let mut note = note;
    note.lines.push("It was halted already: by an earlier run that was cut off, or by a person.".to_owned());
    note
}

/// What is remembered of a message that a run without a memory has sent. Its own words are in the channel.
#[must_use]
pub fn sent_without_memory(state: &ReleaseState) -> Note {
    let (symbol, word) = NoteKind::Halt.symbol_and_word();
    let (id, version) = (&state.id, &state.version);
    without_memory(Note {
        kind: NoteKind::Halt,
        headline: format!("{symbol} {word} {} {version} ({}): told by an earlier run", id.platform, id.app),
        lines: Vec::new(),
        figures: Vec::new(),
        next: "Only a person can resume it.".to_owned(),
        topic: String::new(),
        subject: None,
        links: Vec::new(),
    })
}

/// What the runs say of a message that was refused for good.
#[must_use]
pub fn unsent(note: &Note, refusal: &Refusal) -> String {
    format!(
        "not told since {}: {}\n  because: {}\n  fix: {}",
        minute(refusal.since),
        note.headline,
        refusal.what,
        refusal.fix
    )
}

/// What a run says of a message of which nobody can tell whether it arrived, and which is not said twice.
#[must_use]
pub fn perhaps_unsaid(note: &Note, why: &str) -> String {
    format!(
        "whether this was told is not known, and it is not told twice: {}\n  because: {why}\n  fix: look into the \
         channel; give the bot the scopes that let it look itself (docs/slack.md)",
        note.headline
    )
}

/// What a run says of a message of which nobody can tell whether it arrived, and which the next run says again.
#[must_use]
pub fn said_again(note: &Note, why: &str) -> String {
    format!(
        "whether this was told is not known yet: {}\n  because: {why}\n  fix: nothing; the next run tells it, so it may \
         be read twice",
        note.headline
    )
}

/// What a run says of a workflow of which nobody can tell whether it was started.
#[must_use]
pub fn perhaps_not_started(note: &Note) -> (String, String) {
    (
        format!("whether the workflow was started is not known, and it is not started twice: {}", note.headline),
        "look at the runs of the workflow under Actions of the repository, and start it by hand if there is none"
            .to_owned(),
    )
}

/// What is kept of a text that is too long for a phone.
fn shortened(text: &str, longest: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() <= longest {
        true => line,
        false => line.chars().take(longest - 1).chain(['…']).collect(),
    }
}

/// The longest reason of somebody else that a note repeats, in characters.
const LONGEST_REASON: usize = 400;
/// The most lines of such reasons.
const MOST_REASONS: usize = 3;

/// An instant to the minute.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
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
        figures: figures(record, deciding(record)),
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
        Action::Raise { from, to } => return raised(record, Step { from, to }),
    };
    let deciding = deciding(record);
    let found = deciding.map(|outcome| sentence(&outcome.rule, &outcome.ruling.evidence));
    Note {
        kind,
        headline: headline(kind, record, deciding),
        lines: [done(record, action)].into_iter().chain(found).collect(),
        figures: figures(record, deciding),
        next: next_after(record, action),
        topic: deciding.map(|outcome| outcome.rule.clone()).unwrap_or_default(),
        subject: Some(Subject::of(record)),
        links: Vec::new(),
    }
}

/// What people are told once the store shows the next step of a rollout: where it stands, and where it goes from there.
fn raised(record: &Record, step: Step) -> Note {
    let kind = if step.completes() { NoteKind::Completed } else { NoteKind::Raised };
    let (symbol, word) = kind.symbol_and_word();
    let ReleaseId { app, platform, .. } = &record.release;
    let slo = &record.policy.slo;
    let rate = Evidence::of_sessions(record.facts.fresh(), slo, slo.method, record.judgement.reason);
    Note {
        kind,
        headline: format!(
            "{symbol} {word} {platform} {} ({app}): {} of users, was {}",
            record.version, step.to, step.from
        ),
        lines: vec![format!("{}; no rule objects.", numbers("sessions", &rate)), then(record, step)],
        figures: figures(record, None),
        next: format!("Nothing to do. {}", explain(record)),
        topic: step.to.to_string(),
        subject: Some(Subject::of(record)),
        links: Vec::new(),
    }
}

/// What comes after a step.
fn then(record: &Record, step: Step) -> String {
    let today = date_in(&record.policy.zone, record.decided_at);
    let then = record.policy.rollout.as_ref().and_then(|plan| plan.then(step.to, today));
    match then {
        None => "The store shows it. It was the last step.".to_owned(),
        Some((next, None)) => format!("The store shows it. The next step is to {next}."),
        Some((next, Some(date))) => {
            format!("The store shows it. The next step is to {next}, on {date} at the earliest.")
        }
    }
}

/// What people are told where a rollout has stood still for days.
#[must_use]
pub fn stuck(record: &Record, stuck: &Stuck) -> Note {
    let (symbol, word) = NoteKind::Stuck.symbol_and_word();
    let ReleaseId { app, platform, .. } = &record.release;
    Note {
        headline: format!("{symbol} {word} {platform} {} ({app}): at {stuck}", record.version),
        lines: vec![
            format!("It stands there since {}.", minute(stuck.since)),
            format!("Today it took no step: {}.", why_no_step(record.judgement.reason)),
        ],
        figures: figures(record, None),
        next: format!("This is said once. {}", explain(record)),
        subject: Some(Subject::of(record)),
        ..plain(NoteKind::Stuck)
    }
}

/// Why a rollout took no step, for somebody who has never seen the reason.
#[must_use]
pub fn why_no_step(reason: Reason) -> String {
    let words = match reason {
        Reason::LoweredByPerson => {
            "a person has lowered the share, which is left to stand until a person raises it"
        }
        Reason::StepTaken => "the share has changed today already",
        Reason::QuietDay => "it is a quiet day",
        Reason::BeforeTime => "it is too early in the day",
        Reason::TooFewSessions => "there are too few sessions yet",
        Reason::BelowObjective => "the crash-free sessions rate so far is below the objective",
        Reason::CrashesLag => "the newest crash report is much older than the newest session",
        Reason::ShareUnknown => "the store does not tell to how many users it is offered",
        other => return format!("the decision is not clear ({other})"),
    };
    words.to_owned()
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
        figures: figures(record, Some(alert)),
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
    let next = match (change.stops(), id.platform) {
        (true, Platform::Android) => format!(
            "If it must be stopped: release a fixed version, or halt it with your own word: tidegate control halt --app {}",
            id.app
        ),
        (true, Platform::Ios) => {
            "If it must be stopped, do it in the store's console, or release a fixed version.".to_owned()
        }
        (false, _) => "Nothing to do: a person's change wins.".to_owned(),
    };
    Note {
        kind: NoteKind::Superseded,
        headline: format!(
            "{symbol} {word} {} {version} ({}): the {wanted} was not made",
            id.platform, id.app
        ),
        lines: vec![format!("The evidence asked for a {wanted}, but {found}. Nothing was changed.")],
        figures: Vec::new(),
        next,
        topic: found.to_owned(),
        subject: None,
        links: Vec::new(),
    }
}

/// What people are told where somebody else has halted a release. `stood` says how it stood before, as far as is known.
#[must_use]
pub fn halted_elsewhere(
    id: &ReleaseId,
    version: &VersionName,
    builds: &[BuildNumber],
    stood: Option<UserFraction>,
) -> Note {
    let (symbol, word) = NoteKind::HaltedElsewhere.symbol_and_word();
    let stood = stood.map(|fraction| format!("; it stood at {fraction} of users")).unwrap_or_default();
    Note {
        kind: NoteKind::HaltedElsewhere,
        headline: format!(
            "{symbol} {word} {} {version} ({}): the store shows it as halted",
            id.platform, id.app
        ),
        lines: vec![format!(
            "It was halted in the store's console, by another tool, or by a run without a memory that was cut \
             off{stood}."
        )],
        figures: Vec::new(),
        next: "It stays halted until a person resumes it; then its counts start anew.".to_owned(),
        topic: String::new(),
        subject: Some(Subject {
            release: id.clone(),
            version: version.clone(),
            builds: builds.to_vec(),
            decision: None,
        }),
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
        lines: vec![shortened(what, LONGEST_REASON)],
        figures: Vec::new(),
        next: format!(
            "Halt it in the store's console now. Every run tries again. To let it: {}.",
            shortened(fix, LONGEST_REASON)
        ),
        topic: String::new(),
        subject: None,
        links: Vec::new(),
    }
}

/// What people are told where a paused release has used up most of its pause.
#[must_use]
pub fn pause_budget(state: &ReleaseState, budget: &PauseBudget) -> Note {
    let (symbol, word) = NoteKind::PauseBudget.symbol_and_word();
    let ReleaseId { app, platform, .. } = &state.id;
    let used = budget.days_used();
    let ends = match budget.is_used_up() {
        true => format!("The {MOST_DAYS} days were used up on {}.", budget.ends_at().strftime("%Y-%m-%d")),
        false => format!("The {MOST_DAYS} days are used up on {}.", budget.ends_at().strftime("%Y-%m-%d")),
    };
    Note {
        kind: NoteKind::PauseBudget,
        headline: format!(
            "{symbol} {word} {platform} {} ({app}): {used} of {MOST_DAYS} days of pause are used",
            state.version
        ),
        lines: vec![
            ends,
            "What Apple does then is not documented: it may go on, and offer the release to everybody."
                .to_owned(),
        ],
        figures: Vec::new(),
        next: "Release a fixed version before that day: it takes the place of this one.".to_owned(),
        topic: String::new(),
        subject: None,
        links: Vec::new(),
    }
}

/// The line of a halt's message about a release that may not be paused for long any more.
#[must_use]
pub fn pause_left(budget: &PauseBudget) -> String {
    let left = match budget.days_left() {
        0 => "no day of pause is left".to_owned(),
        1 => "1 day of pause is left".to_owned(),
        days => format!("{days} days of pause are left"),
    };
    format!(
        "Of {MOST_DAYS} days {left}, until {}. What Apple does then is not documented.",
        budget.ends_at().strftime("%Y-%m-%d")
    )
}

/// What people are told where nobody was watching a release for a while.
#[must_use]
pub fn silence(id: &ReleaseId, version: &str, silence: Silence) -> Note {
    let (symbol, word) = NoteKind::Silence.symbol_and_word();
    let (since, hours) = (minute(silence.since), silence.hours());
    Note {
        headline: format!(
            "{symbol} {word} {} {version} ({}): the monitor has not run for {hours} h",
            id.platform, id.app
        ),
        lines: vec![format!(
            "The last run before this one completed at {since}. What has come since is counted now."
        )],
        next: "Look at the schedule if this goes on: GitHub starts runs late, and leaves some out."
            .to_owned(),
        topic: since,
        ..plain(NoteKind::Silence)
    }
}

/// What people are told where nothing could be concluded about an app for some runs.
#[must_use]
pub fn alarm(app: &AppId, platform: Platform, trouble: &Trouble, found: &[String]) -> Note {
    let (symbol, word) = NoteKind::Alarm.symbol_and_word();
    let since = minute(trouble.since);
    Note {
        kind: NoteKind::Alarm,
        headline: format!("{symbol} {word} {platform} ({app}): {} since {since}", trouble.reason),
        lines: found.iter().take(MOST_REASONS).map(|found| shortened(found, LONGEST_REASON)).collect(),
        figures: Vec::new(),
        next: "Nothing is released further meanwhile, and a bad release may go unnoticed. This is said once; every run \
               tries again."
            .to_owned(),
        topic: trouble.reason.to_string(),
        subject: None,
        links: Vec::new(),
    }
}

/// Settings that are shown one by one; more are only counted.
const SHOWN_SETTINGS: usize = 8;

/// What people are told where a release is judged by other settings than `before`.
#[must_use]
pub fn reconfigured(record: &Record, before: Option<&Record>) -> Note {
    let (symbol, word) = NoteKind::Reconfigured.symbol_and_word();
    let release = &record.release;
    let mut lines = before.map(|before| changed_settings(before, record)).unwrap_or_default();
    if let Some(other) = before.filter(|before| before.tidegate_version != record.tidegate_version) {
        let (old, new) = (&other.tidegate_version, &record.tidegate_version);
        lines
            .push(format!("It was judged by tidegate {old} and is by {new}, which may have other settings."));
    }
    lines.push("What was halted stays halted, and nothing is resumed.".to_owned());
    Note {
        kind: NoteKind::Reconfigured,
        headline: format!(
            "{symbol} {word} {} {} ({}): the configuration changed during the rollout",
            release.platform, record.version, release.app
        ),
        lines,
        figures: Vec::new(),
        next: format!(
            "If nobody meant that, look at the newest change of the configuration. {}",
            explain(record)
        ),
        topic: record.configuration.clone().unwrap_or_default(),
        subject: None,
        links: Vec::new(),
    }
}

/// What differs in what the judge is told, by the names of the evidence.
fn changed_settings(before: &Record, now: &Record) -> Vec<String> {
    let changes = canonical::differences_of(&before.policy, &now.policy);
    if changes.is_empty() {
        return vec!["The objectives, the rules and the limits of the data are the same.".to_owned()];
    }
    let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), canonical::text);
    let lines = changes.iter().take(SHOWN_SETTINGS);
    let lines =
        lines.map(|change| format!("{}: {}, was {}", change.at, shown(&change.other), shown(&change.one)));
    let more = changes.len().saturating_sub(SHOWN_SETTINGS);
    lines.chain((more > 0).then(|| format!("and {more} more"))).collect()
}

/// What people are told where a release must be halted and a person's hold stands against it.
#[must_use]
pub fn halt_held(record: &Record, held: &Said) -> Note {
    let deciding = deciding(record);
    let found = deciding.map(|outcome| sentence(&outcome.rule, &outcome.ruling.evidence));
    let fraction = record.facts.user_fraction.map(|f| format!(" to {f} of users")).unwrap_or_default();
    let offered = format!("It is still being offered{fraction}: {}.", hold_in_words(held));
    Note {
        headline: headline(NoteKind::HaltHeld, record, deciding),
        lines: found.into_iter().chain([offered]).collect(),
        figures: Vec::new(),
        next: format!(
            "Halt it with `tidegate control halt`, or end the hold with `tidegate control release-hold`. {}",
            explain(record)
        ),
        topic: deciding.map(|outcome| outcome.rule.clone()).unwrap_or_default(),
        subject: Some(Subject::of(record)),
        ..plain(NoteKind::HaltHeld)
    }
}

/// What people are told once the store shows a person's order; none for what is no person's.
#[must_use]
pub fn of_order(state: &ReleaseState, change: &Change) -> Option<Note> {
    let stood = state.last_fraction.map(|f| format!(" at {f} of users")).unwrap_or_default();
    let (kind, word, done, next) = match change {
        Change::Withdraw { word } => (
            NoteKind::Halt,
            word,
            format!("The rollout was stopped and the store shows it as halted; it stood{stood}."),
            "Those who have it keep it: prepare a fix or a rollback. Only a person can resume it.",
        ),
        Change::Resume { at, word } => (
            NoteKind::Resumed,
            word,
            match at {
                Some(share) => format!("It is offered again, to {share} of users. Counting starts anew."),
                None => format!("It is offered again, to as many as before{stood}. Counting starts anew."),
            },
            "Watch the newest crashes. It can be halted again on new evidence.",
        ),
        Change::Halt | Change::FastTrack | Change::Raise { .. } | Change::Start { .. } => return None,
    };
    let (symbol, shown) = kind.symbol_and_word();
    let id = &state.id;
    Some(Note {
        headline: format!(
            "{symbol} {shown} {} {} ({}): by {}",
            id.platform,
            state.version,
            id.app,
            word.actor()
        ),
        lines: vec![format!("Reason: {}", word.reason()), done],
        next: next.to_owned(),
        topic: word.at().to_string(),
        subject: Some(Subject {
            release: id.clone(),
            version: state.version.clone(),
            builds: Vec::new(),
            decision: None,
        }),
        ..plain(kind)
    })
}

/// What people are told of a hold: that it was set, that it is about to end, or that a person has ended it.
#[must_use]
pub fn of_hold(kind: NoteKind, app: &AppId, platform: Platform, held: &Said) -> Note {
    let (symbol, shown) = kind.symbol_and_word();
    let version = held.release.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let until = held.until.map(|until| until.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
    let (about, lines, next) = match kind {
        NoteKind::HoldEnds => (
            format!("{until}, then the rules go on"),
            vec![format!("{}.", hold_in_words(held))],
            "To keep it on hold: `tidegate control hold` with a new end.".to_owned(),
        ),
        NoteKind::HoldEnded => (
            format!("by {}", held.word.actor()),
            vec![format!("Reason: {}", held.word.reason())],
            "The rules go on from here.".to_owned(),
        ),
        _ => (
            format!("by {} until {until}", held.word.actor()),
            vec![format!("Reason: {}", held.word.reason()), what_is_held(held).to_owned()],
            "It ends by itself, or with `tidegate control release-hold`.".to_owned(),
        ),
    };
    Note {
        headline: format!("{symbol} {shown} {platform}{version} ({app}): {about}"),
        lines,
        figures: Vec::new(),
        next,
        topic: until,
        ..plain(kind)
    }
}

fn plain(kind: NoteKind) -> Note {
    Note {
        kind,
        headline: String::new(),
        lines: Vec::new(),
        figures: Vec::new(),
        next: String::new(),
        topic: String::new(),
        subject: None,
        links: Vec::new(),
    }
}

fn what_is_held(held: &Said) -> &'static str {
    match (held.mode, held.also_halt) {
        (ControlMode::Observe, _) => {
            "Releases are only looked at: nothing is done to them, and nobody is told."
        }
        (_, true) => "Nothing is done to a release, not even a halt.",
        (_, false) => "Nothing is released further. A bad release is halted all the same.",
    }
}

/// Who holds what back, until when and why, without the full stop.
#[must_use]
pub fn hold_in_words(held: &Said) -> String {
    let until = held.until.map(|until| until.strftime(" until %Y-%m-%d %H:%M UTC").to_string());
    let mode = match held.mode {
        ControlMode::Observe => "only looks on",
        ControlMode::Hold | ControlMode::Auto => "is on hold",
    };
    let of =
        held.release.as_ref().map_or_else(|| "the app".to_owned(), |version| format!("release {version}"));
    format!("{of} {mode}{}, set by {}: {}", until.unwrap_or_default(), held.word.actor(), held.word.reason())
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
    match evidence.rate {
        Some(rate) => format!("{} crash-free {unit}, objective {objective}", shown(rate, evidence.objective)),
        None => format!("no rate of crash-free {unit} yet, objective {objective}"),
    }
}

/// The counts of a release, and the bounds of the rate that decided. What was not counted has no figure.
fn figures(record: &Record, deciding: Option<&RuleOutcome>) -> Vec<Figure> {
    let (counts, people) = (record.facts.fresh(), &record.facts.people);
    let figure = |label: &str, value: String| Figure { label: label.to_owned(), value };
    let mut figures = vec![
        figure("Sessions", grouped(counts.sessions)),
        figure("Crashed sessions", grouped(counts.crashed_sessions)),
    ];
    if people.users > 0 {
        figures.push(figure("Users", grouped(people.users)));
        figures.push(figure("Crashed users", grouped(people.crashed_users)));
    }
    let bounds = deciding.and_then(|outcome| bounds(&outcome.ruling.evidence));
    figures.extend(bounds.map(|bounds| figure("Crash-free", bounds)));
    figures.push(figure("Counted to", minute(record.facts.data.through)));
    figures
}

fn bounds(evidence: &Evidence) -> Option<String> {
    let shown = |ratio| shown(ratio, evidence.objective);
    Some(format!("{} to {}", shown(evidence.lower?), shown(evidence.upper?)))
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
    format!("The rollout goes on{fraction}.")
}

fn done(record: &Record, action: Action) -> String {
    let before = |word| {
        record.facts.user_fraction.map(|fraction| format!(" {word} {fraction} of users")).unwrap_or_default()
    };
    match action {
        Action::Halt => format!("Stopped{}; the store shows it as halted.", before("at")),
        Action::FastTrack | Action::Raise { .. } => {
            format!("Offered to everybody{}; the store shows it as completed.", before("after"))
        }
    }
}

fn next_after(record: &Record, action: Action) -> String {
    let next = match action {
        Action::Halt => {
            "Those who have it keep it: prepare a fix or a rollback. Only a person can resume it."
        }
        Action::FastTrack | Action::Raise { .. } => "Nothing to do.",
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
