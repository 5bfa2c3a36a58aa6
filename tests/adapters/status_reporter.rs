//! The daily reports of the real binary: one a local date, whatever cron, kills and clock changes do.

use serde_json::{Value, json};
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};

use crate::support::at;
use crate::town::{Apps, Events, NOW, Ran, Reached, Town};

/// The zone of these apps; noon is 11 o'clock UTC in November.
const BERLIN: &str = "schedule = { time_zone = \"Europe/Berlin\" }\n";

async fn town(apps: Apps, events: Events) -> Town {
    let town = Town::new(apps, events).await;
    town.configure(BERLIN);
    town
}

impl Town {
    async fn report(&self, now: &str, more: &[&str]) -> Ran {
        self.sandbox.model().set_now(Some(at(now)));
        let mut args = vec!["run", "status-reporter", "--now", now, "--output", "json"];
        args.extend(more);
        self.finish(&args).await
    }

    fn reports(&self) -> Vec<String> {
        self.messages().into_iter().filter(|text| text.starts_with("📊 DAILY REPORT")).collect()
    }
}

fn reason(ran: &Ran) -> Value {
    ran.result()["reason"].clone()
}

#[tokio::test]
async fn an_app_is_reported_once_a_date_and_not_before_noon() {
    let town = town(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let early = town.report("2026-11-18T10:59:00Z", &[]).await;
    assert_eq!((early.code(), reason(&early)), (0, json!("before-time")), "{}", early.stderr());
    let ran = town.report(NOW, &[]).await;
    assert_eq!((ran.code(), reason(&ran)), (0, json!("report-made")), "{}", ran.stderr());
    let page = ran.result()["report"]["apps"][0].clone();
    assert_eq!((&page["date"], &page["release"]["version"]), (&json!("2026-11-18"), &json!("2.0")));
    assert_eq!(page["release"]["cycle"]["sessions"]["crashed"], 5, "{page}");
    assert!(page["release"]["last_day"].is_object() && page["release"]["warehouse_at"].is_string(), "{page}");
    assert_eq!(
        (&page["release"]["user_fraction"], &page["release"]["next"]["to"]),
        (&json!(0.15), &json!(0.75))
    );
    assert!(page["release"]["next"]["waits_for"][0].as_str().unwrap().contains("warn"), "{page}");
    for later in [NOW, "2026-11-18T13:30:00Z", "2026-11-18T22:59:00Z"] {
        assert_eq!(reason(&town.report(later, &[]).await), json!("report-made"));
    }
    let [told] = town.reports().try_into().unwrap();
    assert!(told.contains("rolling out at 15 % of users") && told.contains("Next: 75 % of users"), "{told}");
    assert!(told.contains("crash-free sessions") && told.contains("Data up to"), "{told}");
    let late = town.report("2026-11-19T20:00:00Z", &[]).await;
    assert_eq!((reason(&late), town.reports().len()), (json!("report-made"), 2), "{}", late.stderr());
}

#[tokio::test]
async fn a_dry_run_reports_the_same_and_writes_nothing() {
    let town = town(Apps::Android, Events::Good).await;
    let ran = town.report(NOW, &["--dry-run"]).await;
    assert_eq!(reason(&ran), json!("report-made"), "{}", ran.stderr());
    assert_eq!((town.writes(), town.messages()), (Vec::new(), Vec::new()));
    assert!(!town.path("state.sqlite").exists(), "not even a state is made");
}

#[tokio::test]
async fn a_phased_release_tells_its_day_and_its_pause() {
    let town = town(Apps::Ios, Events::Doubtful).await;
    town.monitor(&[]).await;
    let ran = town.report(NOW, &[]).await;
    let phased = ran.result()["report"]["apps"][0]["release"]["phased"].clone();
    assert_eq!((&phased["paused_days"], &phased["pause_days_left"]), (&json!(0), &json!(30)), "{phased}");
    assert!(phased["day"].is_u64(), "{phased}");
    assert!(town.reports()[0].contains("of 7; 0 of 30 days of pause used"), "{:?}", town.reports());
}

#[tokio::test]
async fn what_can_not_be_asked_is_said_and_the_report_is_made() {
    let town = town(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let failing = FaultKind::Status(CannedReply::status(403));
    town.sandbox.model().add_fault(Fault::new(Service::GooglePlay, failing).times(100));
    let ran = town.report(NOW, &[]).await;
    assert_eq!((ran.code(), reason(&ran)), (3, json!("report-made")), "{}", ran.stderr());
    assert!(town.reports()[0].contains("Missing something"), "{:?}", town.reports());
}

#[tokio::test]
async fn two_runs_at_once_make_one_report() {
    let town = town(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let (one, other) = tokio::join!(town.report(NOW, &[]), town.report(NOW, &[]));
    assert_eq!([one.code(), other.code()], [0, 0], "{}\n{}", one.stderr(), other.stderr());
    assert_eq!(town.reports().len(), 1);
}

/// More requests than a run makes to any one service.
const MOST_REQUESTS: u32 = 40;

async fn killed_everywhere(service: Service, kind: fn() -> FaultKind) {
    let mut killed = 0;
    for passed in 0..MOST_REQUESTS {
        let town = town(Apps::Android, Events::Doubtful).await;
        town.monitor(&[]).await;
        let fault = Fault::new(service, kind()).after(passed);
        if town.kill_job_at("status-reporter", fault).await == Reached::No {
            break;
        }
        killed += 1;
        let ran = town.report(NOW, &[]).await;
        assert_eq!(ran.code(), 0, "killed at request {}: {}", passed + 1, ran.stderr());
        town.report("2026-11-18T13:00:00Z", &[]).await;
        assert_eq!(town.reports().len(), 1, "killed at request {}: {:?}", passed + 1, town.messages());
        town.sandbox.shutdown().await;
    }
    assert!(killed > 0 && killed < MOST_REQUESTS, "{killed} places were tried");
}

#[tokio::test]
async fn a_run_that_is_killed_while_it_asks_the_store_reports_once() {
    killed_everywhere(Service::GooglePlay, || FaultKind::HangAfter).await;
}

#[tokio::test]
async fn a_run_that_is_killed_while_it_tells_reports_once() {
    killed_everywhere(Service::Slack, || FaultKind::Hang).await;
    killed_everywhere(Service::Slack, || FaultKind::HangAfter).await;
}

/// Fires every 37 minutes over the four days around a clock change, and counts the reports of each date.
async fn over_a_clock_change(zone: &str, from: &str, expected: &[&str]) {
    let town = Town::new(Apps::Android, Events::Good).await;
    town.configure(&format!("schedule = {{ time_zone = \"{zone}\" }}\n"));
    let (mut now, end) = (at(from), at(from) + jiff::SignedDuration::from_hours(24 * 3));
    let mut made = Vec::new();
    while now < end {
        let ran = town.report(&now.to_string(), &[]).await;
        let page = &ran.result()["report"]["apps"][0];
        made.extend(page["date"].as_str().map(ToOwned::to_owned));
        now += jiff::SignedDuration::from_mins(97);
    }
    assert_eq!(made, expected, "{zone}");
    assert_eq!(town.reports().len(), expected.len(), "{zone}: {:?}", town.messages());
}

#[tokio::test]
async fn f68_days_of_23_and_25_hours_have_one_report_each() {
    let autumn = ["2026-10-24", "2026-10-25", "2026-10-26"];
    over_a_clock_change("Europe/Berlin", "2026-10-23T22:00:00Z", &autumn).await;
    let spring = ["2027-03-27", "2027-03-28", "2027-03-29"];
    over_a_clock_change("Europe/Berlin", "2027-03-26T23:00:00Z", &spring).await;
}
