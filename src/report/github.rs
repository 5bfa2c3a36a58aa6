//! The output for GitHub Actions: a job summary in Markdown, the outputs of the step, annotations.
//!
//! Version names and vendors' words come from outside. Each sink has its escaper: a table cell can't open a table or a
//! tag, an output's end mark can't be guessed, an annotation is one line.
//! Source of the escaping: GitHub's "Workflow commands" page and its toolkit.

use serde_json::Value;

use super::escape::{self, markdown, workflow_message, workflow_property};
use super::human::interval;
use crate::domain::judge::Decision;
use crate::domain::verdict::Reason;
use crate::jobs::{Acted, AppReport};

/// The largest summary of a run in bytes; far below [`LARGEST_SUMMARY_FILE`].
const LONGEST_SUMMARY: usize = 256 * 1024;
/// The largest file of summaries that GitHub takes from a step, in bytes; of a larger one it shows nothing.
pub const LARGEST_SUMMARY_FILE: usize = 1024 * 1024;
/// Problems beyond these are in the log only.
const MOST_PROBLEMS: usize = 20;

/// The summary of a run in at most `room` bytes: apps that have no room are counted, and where there is room for nothing
/// it is empty.
#[must_use]
pub fn summary(job: &str, dry_run: bool, notices: &[String], reports: &[AppReport], room: usize) -> String {
    let dry = if dry_run { " (dry run: nothing was changed)" } else { "" };
    let mut text = format!("## tidegate {}{dry}\n\n", markdown(job));
    notices.iter().for_each(|notice| text.push_str(&format!("> {}\n\n", markdown(notice))));
    text.push_str("| app | version | decision | crash-free sessions | sessions | users | data through |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    let room = room.min(LONGEST_SUMMARY);
    let problems = first_problems(reports, room / 2);
    let left_out = |count: usize| format!("\n{count} more apps are not shown.\n");
    let end = left_out(reports.len()).len() + "\n".len() + problems.len();
    if text.len() + end > room {
        return String::new();
    }
    for (index, report) in reports.iter().enumerate() {
        let row = row(report);
        if text.len() + row.len() + end > room {
            text.push_str(&left_out(reports.len() - index));
            break;
        }
        text.push_str(&row);
    }
    text + "\n" + &problems
}

/// The first problems, in at most so many bytes.
fn first_problems(reports: &[AppReport], room: usize) -> String {
    let mut text = String::new();
    for problem in reports.iter().flat_map(problems).take(MOST_PROBLEMS) {
        if text.len() + problem.len() > room {
            break;
        }
        text.push_str(&problem);
    }
    text
}

fn row(report: &AppReport) -> String {
    let record = report.record.as_ref();
    let halt = record.and_then(|record| record.judgement.rules.first());
    let acted = if report.acted == Acted::Yes { ", done" } else { "" };
    format!(
        "| {} ({}) | {} | **{}**{acted}: {} | {} | {} | {} | {} |\n",
        markdown(report.app.as_str()),
        report.platform,
        markdown(report.version.as_ref().map(|v| v.as_str()).unwrap_or("-")),
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
        .map(|problem| format!("- {}: {}\n", markdown(report.app.as_str()), markdown(problem)))
        .collect()
}

/// The outputs `decision` and `results` in the form of the file `GITHUB_OUTPUT`. `mark` must be random.
#[must_use]
pub fn outputs(reports: &[AppReport], mark: &str) -> String {
    let results = escape::json(&Value::Array(reports.iter().map(super::json::result).collect()).to_string());
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
            Decision::None
            | Decision::Continue
            | Decision::Hold
            | Decision::Advance
            | Decision::Complete
            | Decision::FastTrack => return None,
        };
        let text = super::human::report(report);
        let version = report.version.as_ref().map(|version| version.as_str()).unwrap_or_default();
        Some(format!(
            "::{level} title={}::{}\n",
            workflow_property(&format!("{} {version} {}", report.app, report.decision.as_str())),
            workflow_message(&text)
        ))
    };
    reports.iter().filter_map(one).take(MOST_ANNOTATIONS).collect()
}

/// Workflow commands for what holds for the whole run.
#[must_use]
pub fn notices(notices: &[String]) -> String {
    notices.iter().map(|notice| format!("::warning title=tidegate::{}\n", workflow_message(notice))).collect()
}

/// GitHub shows ten of a kind per step.
pub(super) const MOST_ANNOTATIONS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AppId, Platform, VersionName};

    fn report(version: &str, problem: &str) -> AppReport {
        AppReport {
            app: AppId::new("android").unwrap(),
            platform: Platform::Android,
            version: Some(VersionName::new(version).unwrap()),
            builds: Vec::new(),
            decision: Decision::Error,
            reason: Reason::CouldNotComplete,
            acted: Acted::No,
            user_fraction: None,
            record: None,
            problems: vec![problem.to_owned()],
            wait: None,
            notices: Vec::new(),
            silence: None,
            withheld: None,
            daily: None,
        }
    }

    #[test]
    fn hostile_names_and_words_stay_in_their_places() {
        let reports = [report("2.0|<img src=x>`\u{202e}", "no\n::error::x\n| a | b |\n@everyone")];
        let summary = summary("release-monitor", false, &[], &reports, LARGEST_SUMMARY_FILE);
        assert_eq!(summary.lines().filter(|line| line.starts_with('|')).count(), 3, "{summary}");
        assert!(!summary.contains("<img") && !summary.contains('\u{202e}'), "{summary}");
        let annotations = annotations(&reports);
        assert_eq!(annotations.lines().count(), 1, "{annotations}");
        assert_eq!(outputs(&reports, "MARK").lines().count(), 4);
    }

    #[test]
    fn a_summary_keeps_to_its_room_and_says_what_it_leaves_out() {
        let reports = vec![report("2.0", "refused"); 2_000];
        for room in [1_000, 2_000, 10_000, LARGEST_SUMMARY_FILE] {
            let summary = summary("release-monitor", false, &[], &reports, room);
            assert!(summary.len() <= room.min(LONGEST_SUMMARY), "{}", summary.len());
            assert!(summary.contains("refused"), "problems go before rows: {summary}");
        }
        let short = summary("release-monitor", false, &[], &reports, 2_000);
        assert!(short.contains("more apps are not shown"), "{short}");
        assert_eq!(summary("release-monitor", false, &[], &reports, 0), "");
        let largest = vec![report(&"@".repeat(100), &"@".repeat(10_000)); 20];
        let text = summary("release-monitor", false, &[], &largest, LARGEST_SUMMARY_FILE);
        assert!(text.contains("android") && text.len() <= LONGEST_SUMMARY, "{}", text.len());
    }
}
