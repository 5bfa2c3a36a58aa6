//! The demo's week with all three jobs on their schedule, in weeks that have a day of 23 or of 25 hours.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Span, Timestamp};
use tidegate::demo::week::{CHANNEL, Setting, Week};
use tidegate::jobs::JobId;

/// Every daily firing, and of the monitor's looks one in so many; all where the whole week is walked.
const ONE_LOOK_IN: usize = 8;

fn firings(week: &Week) -> Vec<(Timestamp, JobId)> {
    let all = tidegate::adapters::environment::variable("TIDEGATE_WHOLE_WEEK").is_some();
    let mut looks = 0;
    let mut walked = |job: JobId| {
        looks += usize::from(job == JobId::ReleaseMonitor);
        all || job != JobId::ReleaseMonitor || looks % ONE_LOOK_IN == 1
    };
    week.firings().into_iter().filter(|(_, job)| walked(*job)).collect()
}

/// Walks through a week; answers the local dates of the reports of each app, in the order in which they were made.
async fn reported(monday: Date) -> (Week, BTreeMap<String, Vec<Date>>) {
    let folder = tempfile::tempdir().unwrap();
    let mut week =
        Week::set_up(folder.path(), &Setting { seed: 7, monday, ..Setting::default() }).await.unwrap();
    let mut reports: BTreeMap<String, Vec<Date>> = BTreeMap::new();
    for (now, job) in firings(&week) {
        for look in Box::pin(week.fire(job, now)).await.unwrap() {
            assert!(look.report.problems.is_empty(), "{now} {}: {:?}", job.as_str(), look.report.problems);
            for page in look.report.daily.iter().flat_map(|daily| &daily.apps) {
                assert_eq!(page.date, week.zone.to_datetime(now).date(), "{}", page.app);
                reports.entry(page.app.to_string()).or_default().push(page.date);
            }
        }
    }
    (week, reports)
}

/// How long the last day of the week is on the clock.
fn sunday_hours(week: &Week, monday: Date) -> SignedDuration {
    let sunday = monday + Span::new().days(6);
    let start = |date: Date| date.to_zoned(week.zone.clone()).unwrap().timestamp();
    start(sunday + Span::new().days(1)).duration_since(start(sunday))
}

async fn one_report_a_date(monday: Date, hours: i64) {
    let (week, reports) = reported(monday).await;
    assert_eq!(sunday_hours(&week, monday).as_hours(), hours);
    let dates: Vec<Date> = monday.series(Span::new().days(1)).take(7).collect();
    assert_eq!(reports.len(), 6);
    for (app, made) in &reports {
        assert_eq!(made, &dates, "{app}");
    }
    let messages = week.sandbox.model().slack_messages(CHANNEL).unwrap();
    let keys: Vec<String> = messages
        .iter()
        .filter_map(|message| {
            let key = message["metadata"]["event_payload"]["key"].as_str()?;
            key.starts_with("report").then(|| key.to_owned())
        })
        .collect();
    let different: BTreeSet<&String> = keys.iter().collect();
    assert_eq!((keys.len(), different.len()), (42, 42), "one message for each report");
}

#[tokio::test]
async fn f68_a_week_that_ends_with_a_day_of_25_hours_has_a_report_on_each_date() {
    one_report_a_date(date(2026, 10, 19), 25).await;
}

#[tokio::test]
async fn f68_a_week_that_ends_with_a_day_of_23_hours_has_a_report_on_each_date() {
    one_report_a_date(date(2026, 3, 23), 23).await;
}
