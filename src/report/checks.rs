//! What `doctor` found, and how it is shown: grouped by app for people, one document for machines, annotations for
//! GitHub.
//!
//! A check says what was looked at, what was found, and the command or the click path that puts it right.

use serde::Serialize;
use serde_json::{Value, json};

use super::escape::{workflow_message, workflow_property};
use super::github::MOST_ANNOTATIONS;
use super::json::SCHEMA_VERSION;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Ok,
    /// Runs work, but worse than they could.
    Warning,
    /// Runs can't work.
    Failed,
    /// Not looked at: what it needs has failed, or it can't be told without changing something.
    Skipped,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The app; none for what all apps share.
    pub app: Option<String>,
    /// What kind of check it is: a stable word.
    pub check: &'static str,
    /// What was looked at.
    pub subject: String,
    /// How it ended.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// The command or the click path that puts it right, or that shows what could not be told.
    pub fix: Option<String>,
}

impl Check {
    /// All is well.
    pub fn ok(check: &'static str, subject: impl Into<String>, found: impl Into<String>) -> Self {
        let (subject, found) = (subject.into(), found.into());
        Self { app: None, check, subject, status: Status::Ok, found, fix: None }
    }

    /// Something that runs can live with.
    pub fn warning(
        check: &'static str,
        subject: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { status: Status::Warning, fix: Some(fix.into()), ..Self::ok(check, subject, found) }
    }

    /// Something that runs can't live with: an error, whose text may hold a line `fix:`.
    pub fn failed(
        check: &'static str,
        subject: impl Into<String>,
        error: &(impl std::fmt::Display + ?Sized),
    ) -> Self {
        let text = error.to_string();
        let (found, fix) = match text.split_once(FIX) {
            Some((found, fix)) => (found.to_owned(), Some(fix.to_owned())),
            None => (text, None),
        };
        Self { status: Status::Failed, fix, ..Self::ok(check, subject, found) }
    }

    /// Not looked at, and why.
    pub fn skipped(check: &'static str, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { status: Status::Skipped, ..Self::ok(check, subject, why) }
    }

    /// The same with how a person puts it right, or sees it.
    #[must_use]
    pub fn with_fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }

    /// The same, of an app.
    #[must_use]
    pub fn of(self, app: impl std::fmt::Display) -> Self {
        Self { app: Some(app.to_string()), ..self }
    }
}

/// What stands between an error and its fix, in every error of this program.
const FIX: &str = "\n  fix: ";

/// Whether anything failed.
#[must_use]
pub fn any_failed(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.status == Status::Failed)
}

/// The text for people.
#[must_use]
pub fn text(checks: &[Check]) -> String {
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let mut text = format!(
        "{} failed, {} warnings, {} ok, {} skipped\n",
        count(Status::Failed),
        count(Status::Warning),
        count(Status::Ok),
        count(Status::Skipped)
    );
    let mut group = None;
    for check in checks {
        if group != Some(&check.app) {
            let title = check.app.as_ref().map_or("all apps".to_owned(), |app| format!("app {app}"));
            text.push_str(&format!("\n{title}\n"));
            group = Some(&check.app);
        }
        text.push_str(&lines(check));
    }
    text
}

fn lines(check: &Check) -> String {
    let found = check.found.replace('\n', "\n           ");
    let mut lines = format!("  {:<8} {}: {found}\n", check.status.as_str(), check.subject);
    if let Some(fix) = &check.fix {
        let word = match check.status {
            Status::Failed | Status::Warning => "fix",
            Status::Ok | Status::Skipped => "see",
        };
        lines.push_str(&format!("           {word}: {}\n", fix.replace('\n', "\n           ")));
    }
    lines
}

/// The document for machines.
#[must_use]
pub fn document(checks: &[Check]) -> Value {
    json!({"schema_version": SCHEMA_VERSION, "checks": checks})
}

/// Workflow commands that mark what failed, and then what is doubtful.
#[must_use]
pub fn annotations(checks: &[Check]) -> String {
    let of = |status: Status, level: &'static str| {
        let found = checks.iter().filter(move |check| check.status == status);
        found.take(MOST_ANNOTATIONS).map(move |check| annotation(level, check))
    };
    of(Status::Failed, "error").chain(of(Status::Warning, "warning")).collect()
}

fn annotation(level: &str, check: &Check) -> String {
    let app = check.app.as_ref().map(|app| format!("{app}: ")).unwrap_or_default();
    let fix = check.fix.as_ref().map(|fix| format!("\nfix: {fix}")).unwrap_or_default();
    let title = workflow_property(&format!("{app}{}", check.subject));
    format!("::{level} title={title}::{}\n", workflow_message(&format!("{}{fix}", check.found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<Check> {
        vec![
            Check::ok("clock", "clock", "0 s off"),
            Check::failed("store", "track", "refused\n  fix: invite it").of("android"),
            Check::warning("slack-scopes", "scopes", "no history", "add it").of("android"),
        ]
    }

    #[test]
    fn people_see_groups_and_what_to_do() {
        insta::assert_snapshot!(text(&checks()), @r"
        1 failed, 1 warnings, 1 ok, 0 skipped

        all apps
          ok       clock: 0 s off

        app android
          failed   track: refused
                   fix: invite it
          warning  scopes: no history
                   fix: add it
        ");
    }

    #[test]
    fn what_failed_is_annotated_on_one_line() {
        let text = annotations(&checks());
        assert_eq!(
            text,
            "::error title=android%3A track::refused%0Afix: invite it\n::warning title=android%3A scopes::no history%0Afix: add it\n"
        );
        assert!(any_failed(&checks()));
    }
}
