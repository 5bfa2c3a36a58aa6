//! The output for GitHub Actions: a job summary in Markdown, the outputs of the step, annotations.
//!
//! Version names and vendors' words come from outside. Each sink has its escaper: a table cell can't open a table or a
//! tag, an output's end mark can't be guessed, an annotation is one line.
//! Source of the escaping: GitHub's "Workflow commands" page and its toolkit.

use serde_json::Value;

use super::human::interval;
use crate::domain::judge::Decision;
use crate::domain::markdown::cell;
use crate::domain::verdict::Reason;
use crate::jobs::{Acted, AppReport};

/// The summary of a run. Far below GitHub's limit of 1 MiB: the least important part goes first.
#[must_use]
pub fn summary(job: &str, dry_run: bool, notices: &[String], reports: &[AppReport]) -> String {
    const LONGEST: usize = 256 * 1024;
    let dry = if dry_run { " (dry run: nothing was changed)" } else { "" };
    let mut text = format!("## tidegate {}{dry}\n\n", cell(job));
    notices.iter().for_each(|notice| text.push_str(&format!("> {}\n\n", cell(notice))));
    text.push_str("| app | version | decision | crash-free sessions | sessions | users | data through |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for (index, report) in reports.iter().enumerate() {
        let row = row(report);
        if text.len() + row.len() > LONGEST {
            text.push_str(&format!("\n{} more apps are not shown.\n", reports.len() - index));
            return text;
        }
        text.push_str(&row);
    }
    let problems: String = reports.iter().flat_map(problems).take(MOST_PROBLEMS).collect();
    text + "\n" + &problems
}

/// Problems beyond these are in the log only.
const MOST_PROBLEMS: usize = 20;

fn row(report: &AppReport) -> String {
    let record = report.record.as_ref();
    let halt = record.and_then(|record| record.judgement.rules.first());
    let acted = if report.acted == Acted::Yes { ", done" } else { "" };
    format!(
        "| {} ({}) | {} | **{}**{acted}: {} | {} | {} | {} | {} |\n",
        cell(report.app.as_str()),
        report.platform,
        cell(report.version.as_ref().map(|v| v.as_str()).unwrap_or("-")),
        report.decision.as_str(),
        report.reason,
        halt.map(|outcome| interval(&outcome.ruling.evidence)).unwrap_or_else(|| "-".to_owned()),
        record.map(|record| record.facts.fresh().sessions.to_string()).unwrap_or_else(|| "-".to_owned()),
        report.user_fraction.map(|fraction| fraction.to_string()).unwrap_or_else(|| "-".to_owned()),
        record
            .map(|r| r.facts.data.through.strftime("%m-%d %H:%M UTC").to_string())
            .unwrap_or_else(|| "-".to_owned()),
    )
}

fn problems(report: &AppReport) -> Vec<String> {
    report
        .problems
        .iter()
        .map(|problem| format!("- {}: {}\n", cell(report.app.as_str()), cell(problem)))
        .collect()
}

/// The outputs `decision` and `results` in the form of the file `GITHUB_OUTPUT`. `mark` must be random.
#[must_use]
pub fn outputs(reports: &[AppReport], mark: &str) -> String {
    let results = Value::Array(reports.iter().map(super::json::result).collect()).to_string();
    let decision = reports.iter().map(|report| report.decision).max().unwrap_or(Decision::None);
    format!("decision={}\nresults<<{mark}\n{results}\n{mark}\n", decision.as_str())
}

/// Workflow commands that mark what needs a person.
#[must_use]
pub fn annotations(reports: &[AppReport]) -> String {
    let one = |report: &AppReport| -> Option<String> {
        let level = match report.decision {
            Decision::Halt | Decision::Error => "error",
            Decision::Overridden => "warning",
            _ if report.is_data_alarm() => "error",
            Decision::Warn | Decision::StaleData | Decision::InsufficientData => "warning",
            // Two runs that meet are nothing that a person has to look at.
            Decision::None if report.reason == Reason::AnotherRun => return None,
            _ if !report.problems.is_empty() => "warning",
            Decision::None | Decision::Continue | Decision::Hold | Decision::FastTrack => return None,
        };
        let text = super::human::report(report);
        let version = report.version.as_ref().map(|version| version.as_str()).unwrap_or_default();
        Some(format!(
            "::{level} title={}::{}\n",
            property(&format!("{} {version} {}", report.app, report.decision.as_str())),
            message(&text)
        ))
    };
    reports.iter().filter_map(one).take(MOST_ANNOTATIONS).collect()
}

/// Workflow commands for what holds for the whole run.
#[must_use]
pub fn notices(notices: &[String]) -> String {
    notices.iter().map(|notice| format!("::warning title=tidegate::{}\n", message(notice))).collect()
}

/// GitHub shows ten of a kind per step.
pub(super) const MOST_ANNOTATIONS: usize = 10;

pub(super) fn message(text: &str) -> String {
    text.trim_end().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

pub(super) fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text for the log, none of whose lines can be taken for a workflow command.
#[must_use]
pub fn log(text: &str) -> String {
    let harmless = |line: &str| {
        let start = line.trim_start();
        // The runner looks for the older form anywhere in a line.
        let line = line.replace("##[", "## [");
        if start.starts_with("::") { format!("| {line}") } else { line }
    };
    // A lone carriage return and a next-line character end a line too.
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{85}'], "\n");
    text.lines().map(|line| harmless(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_inert_in_every_sink() {
        let hostile = "1.0|<img src=x>\n::error::x`\u{202e}";
        let cell = cell(hostile);
        assert!(!cell.contains(['|', '<', '`', '\n', '\u{202e}']), "{cell}");
        assert!(!message(hostile).contains('\n'));
        assert!(!property(hostile).contains(':'));
        assert!(
            log("::add-mask::x\n  ##[group]y\nplain")
                .lines()
                .all(|line| !line.trim_start().starts_with("::"))
        );
        assert!(!log("2 ##[add-mask]h").contains("##["));
    }
}
