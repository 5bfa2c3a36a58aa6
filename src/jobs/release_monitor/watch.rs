//! Watch: what a run found out about an app apart from its releases. Trouble that lasts is told once an episode, costs
//! are added up by month, and a service that asked to be left alone is left alone.

use jiff::{SignedDuration, Timestamp};

use super::super::{AppReport, AppWorld};
use super::ReleaseMonitor;
use crate::domain::control::Leave;
use crate::domain::cost::bytes_billed;
use crate::domain::judge::Decision;
use crate::domain::outbox;
use crate::domain::verdict::Reason;
use crate::domain::watch::{Alarm, RunNews, Watch};
use crate::ports::{Lease, StateError, Write};

/// However long a service asks to be left alone, a release is not left unwatched for longer.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// What a run looked at to find what is rolling out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookedAt {
    /// The store's list alone, which was enough.
    TheList,
    /// Every release, as far as they could be looked at.
    EveryRelease,
}

/// The report of an app whose warehouse asked to be left alone for longer than this run can wait.
#[must_use]
pub fn left_alone(world: &AppWorld, watch: &Watch, now: Timestamp) -> Option<AppReport> {
    watch.not_before.filter(|instant| *instant > now).map(|instant| {
        let problem = format!(
            "the warehouse asked to be left alone until {}\n  fix: nothing; the first run after that asks again",
            instant.strftime("%Y-%m-%d %H:%M:%S UTC")
        );
        AppReport { wait: Some(instant.duration_since(now)), ..AppReport::failed(world, problem) }
    })
}

/// What a run found out about an app.
pub struct FoundOut<'r> {
    /// Its reports.
    pub reports: &'r [AppReport],
    /// What it was free to do.
    pub leave: Leave,
    /// What it looked at.
    pub looked: LookedAt,
}

/// Remembers what a run found out, and writes an alarm where trouble has lasted.
pub async fn keep(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
    before: &Watch,
    out: &FoundOut<'_>,
    now: Timestamp,
) -> Result<(), StateError> {
    let FoundOut { reports, leave, looked } = *out;
    // A run that rested found out nothing: trouble that was there goes on, and is not told anew.
    if reports.iter().all(|report| report.reason == Reason::BudgetRests) {
        return Ok(());
    }
    // Where nobody may be told, the episode goes on untold.
    let alarm_after_runs = if leave.tells() { world.alarm_after_runs } else { u32::MAX };
    let listed_at = (looked == LookedAt::TheList).then_some(now);
    let news = RunNews { listed_at, ..news(reports, now) };
    let (watch, alarm) = before.after(&news, alarm_after_runs, now);
    if watch == *before {
        return Ok(());
    }
    let mut writes = vec![Write::Watch(world.id.clone(), Box::new(watch.clone()))];
    if alarm == Alarm::Raise {
        let told = outbox::alarm(&world.id, world.platform, &watch, &found(reports), now);
        writes.extend(told.map(|message| Write::Message(Box::new(message))));
    }
    job.state.commit(lease, writes).await
}

fn news(reports: &[AppReport], now: Timestamp) -> RunNews {
    let wait = reports.iter().filter_map(|report| report.wait).max();
    // The report of an intent that is resumed carries an earlier run's decision.
    let of_now =
        |report: &AppReport| report.record.as_ref().filter(|record| record.decided_at == now).cloned();
    let queries = |report: &AppReport| of_now(report).map(|record| bytes_billed(&record.queries));
    RunNews {
        trouble: troubled(reports).next().map(|report| report.reason),
        not_before: wait.and_then(|wait| now.checked_add(wait.min(LONGEST_WAIT)).ok()),
        bytes_billed: reports.iter().filter_map(queries).sum(),
        listed_at: None,
    }
}

/// The reports that conclude nothing.
fn troubled(reports: &[AppReport]) -> impl Iterator<Item = &AppReport> {
    let nothing = [Decision::Error, Decision::InsufficientData, Decision::StaleData];
    reports.iter().filter(move |report| nothing.contains(&report.decision))
}

/// What is wrong, in lines for people.
fn found(reports: &[AppReport]) -> Vec<String> {
    let Some(report) = troubled(reports).next() else { return Vec::new() };
    let absent = report.record.iter().flat_map(|record| &record.facts.data.absent);
    let tables = absent.map(|absent| format!("Table {} is not there.", absent.table));
    let mut found: Vec<String> = report.problems.iter().cloned().chain(tables).collect();
    if found.is_empty() {
        found.extend(sentence(report.reason).map(str::to_owned));
    }
    found
}

/// What a reason means to somebody who has never seen it.
fn sentence(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::NoSessions => Some("No session of the release has been counted."),
        Reason::SessionsStale => {
            Some("The newest session is too old: the export of sessions has stopped or lags.")
        }
        Reason::CrashExportSilent => {
            Some("No crash report of any version has come for so long that the export has probably stopped.")
        }
        Reason::MoreCrashesThanSessions => {
            Some("More crashed sessions than sessions were counted, which can't be.")
        }
        Reason::DaysMissing => Some("Nothing is known of one or more days of the rollout."),
        Reason::ClockWrong => Some(
            "The machine's clock is minutes away from the services', so the age of data can't be judged.",
        ),
        Reason::CountsRevised => Some("Rows that were counted before are no longer there."),
        _ => None,
    }
}
