//! A report with every part that a face must show: a halted release with a fix to look back on, one that rolls out in a
//! phased release, one that everybody has, one of which nothing is known. Its texts from outside are hostile.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tidegate::domain::calendar::Window;
use tidegate::domain::counts::Counts;
use tidegate::domain::daily::{
    AppPage, Cost, CrashKind, DAILY_REPORT_VERSION, DailyReport, Fix, Freshness, Look, Measured, NextStep,
    Origin, Phased, ReleasePage, Seen, TopCrash, Totals,
};
use tidegate::domain::facts::{AbsentTable, Extent, Side};
use tidegate::domain::ids::{AppId, BuildNumber, DecisionId, Platform, VersionName};
use tidegate::domain::judge::Decision;
use tidegate::domain::message::Link;
use tidegate::domain::policy::Slo;
use tidegate::domain::rate::{Rate, UserFraction};
use tidegate::domain::release::{ReleaseId, RolloutStatus};
use tidegate::domain::stats::{Confidence, Method};
use tidegate::domain::verdict::{Evidence, Reason};

/// Text that would do something if any face let it.
pub const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(1)> \"'><b> ]]> | `x` [x](https://evil.example) ::error:: \u{202e}\u{1b}[31m @everyone";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// When the report was made: a Wednesday noon in Berlin.
pub fn now() -> Timestamp {
    at("2026-11-18T11:00:00Z")
}

fn start() -> Timestamp {
    at("2026-11-16T07:00:00Z")
}

fn slo() -> Slo {
    Slo {
        crash_free_sessions: Rate::new(0.9995).unwrap(),
        crash_free_users: Rate::new(0.999).unwrap(),
        confidence: Confidence::new(0.99).unwrap(),
        method: Method::Mixture,
    }
}

fn share(of: f64) -> Option<UserFraction> {
    Some(UserFraction::new(of).unwrap())
}

fn app_id(name: &str) -> AppId {
    AppId::new(name).unwrap()
}

fn measured(sessions: u64, crashed_sessions: u64, hours: i64) -> Measured {
    let counts = Counts { sessions, crashed_sessions };
    let window = Window::new(now() - SignedDuration::from_hours(hours), now());
    Measured::of(
        Totals { counts, users: sessions / 3, crashed_users: crashed_sessions * 4 / 5 },
        window,
        &slo(),
    )
}

/// How a release fares: crashes in a hundred thousand sessions at the beginning and at the end, and what is decided when.
struct Course {
    sessions_an_hour: u64,
    crashes_per_100_000: (u64, u64),
    decided: &'static [(i64, Decision, Reason)],
    shares: &'static [(i64, f64)],
    hours: i64,
}

/// A look each quarter of an hour.
fn history(course: &Course) -> Vec<Look> {
    let newest = |minute: i64, of: &[(i64, f64)]| {
        of.iter().rev().find(|(hour, _)| hour * 60 <= minute).map(|(_, f)| *f)
    };
    (1..=course.hours * 4)
        .map(|index| {
            let minute = index * 15;
            let sessions = course.sessions_an_hour * minute.unsigned_abs() / 60;
            let (first, last) = course.crashes_per_100_000;
            let passed = minute.unsigned_abs() as f64 / (course.hours.unsigned_abs() * 60) as f64;
            let rate = first as f64 + (last as f64 - first as f64) * passed;
            let crashed = (sessions as f64 * rate / 100_000.0).round() as u64;
            let decided = course.decided.iter().rev().find(|(hour, ..)| hour * 60 <= minute);
            let (decision, reason) = decided
                .map_or((Decision::Continue, Reason::TooFewSessions), |(_, decision, reason)| {
                    (*decision, *reason)
                });
            let counts = Counts { sessions, crashed_sessions: crashed };
            let evidence = Evidence::of_sessions(counts, &slo(), slo().method, reason);
            Look {
                at: start() + SignedDuration::from_mins(minute),
                id: DecisionId::new(format!("d-{index:016x}")).unwrap(),
                decision,
                reason,
                sessions,
                crashed_sessions: crashed,
                rate: evidence.rate,
                lower: evidence.lower,
                upper: evidence.upper,
                user_fraction: newest(minute, course.shares).and_then(share),
            }
        })
        .collect()
}

fn release(app: &str, platform: Platform, version: &str, course: &Course) -> ReleasePage {
    let history = history(course);
    let newest = history.last().unwrap().clone();
    ReleasePage {
        id: ReleaseId { app: app_id(app), platform, key: "200".to_owned() },
        version: VersionName::new(version).unwrap(),
        builds: vec![BuildNumber::new("26030012").unwrap()],
        status: RolloutStatus::RollingOut,
        user_fraction: newest.user_fraction,
        cycle_start: start(),
        next: None,
        phased: None,
        cycle: Some(measured(newest.sessions, newest.crashed_sessions, course.hours)),
        last_day: Some(measured(newest.sessions / 3, newest.crashed_sessions / 3, 24)),
        fix: None,
        crashes: Vec::new(),
        warehouse_at: Some(now()),
        freshness: Freshness {
            through: Some(now() - SignedDuration::from_mins(10)),
            newest_session_at: Some(now() - SignedDuration::from_mins(12)),
            newest_crash_at: Some(now() - SignedDuration::from_mins(190)),
            sessions_from: Some(Origin::Batch),
            crashes_from: Some(Origin::Realtime),
            absent: Vec::new(),
        },
        history,
        links: vec![
            Link {
                label: "Crashlytics".to_owned(),
                url: "https://console.firebase.google.com/project/p".to_owned(),
            },
            Link { label: "Runbook".to_owned(), url: "https://example.com/runbook".to_owned() },
        ],
    }
}

fn page(app: &str, platform: Platform, release: Option<ReleasePage>) -> AppPage {
    AppPage {
        app: app_id(app),
        platform,
        date: "2026-11-18".parse().unwrap(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        slo: slo(),
        release,
        cost: Cost {
            cycle_bytes: 4_831_838_208,
            month_bytes: 61_203_283_968,
            month_budget: Some(1 << 40),
            report_bytes: 31_457_280,
            reports_bytes: 62_914_560,
        },
        unwatched_hours: None,
        problems: Vec::new(),
    }
}

fn crash(issue: &str, title: &str, users: u64, seen: Seen) -> TopCrash {
    TopCrash {
        issue: issue.to_owned(),
        title: title.to_owned(),
        subtitle: "java.lang.IllegalStateException: the cart was closed while it was being paid".to_owned(),
        kind: if users > 50 { CrashKind::Fatal } else { CrashKind::ForegroundAnr },
        events: users + users / 3,
        users,
        seen,
        link: Some(Link {
            label: "Open in Crashlytics".to_owned(),
            url: format!("https://console.firebase.google.com/issues/{issue}"),
        }),
    }
}

fn halted() -> AppPage {
    let course = Course {
        sessions_an_hour: 3_120,
        crashes_per_100_000: (60, 118),
        decided: &[
            (3, Decision::Hold, Reason::NothingToDo),
            (7, Decision::Warn, Reason::EvidenceOfBreach),
            (19, Decision::Halt, Reason::UpperBoundBelowObjective),
        ],
        shares: &[(0, 0.15)],
        hours: 20,
    };
    let mut release = release("android", Platform::Android, "26.3.0", &course);
    release.status = RolloutStatus::Halted;
    release.crashes = vec![
        crash("a1", "CheckoutActivity.pay", 812, Seen::New),
        crash("a2", HOSTILE, 231, Seen::Before),
        crash("a3", "MapView.onLowMemory", 44, Seen::Before),
    ];
    release.crashes[2].link =
        Some(Link { label: "hostile".to_owned(), url: "javascript:alert(1)".to_owned() });
    release.fix = Some(Fix {
        before: VersionName::new("26.2.9").unwrap(),
        reason: Some(Reason::UpperBoundBelowObjective),
        then: measured(48_211, 96, 20),
        now: measured(62_400, 74, 20),
    });
    page("android", Platform::Android, Some(release))
}

fn phased() -> AppPage {
    let course = Course {
        sessions_an_hour: 1_480,
        crashes_per_100_000: (46, 47),
        decided: &[
            (6, Decision::Hold, Reason::NothingToDo),
            (20, Decision::Warn, Reason::BudgetAlert),
            (26, Decision::Hold, Reason::ObjectiveBetweenBounds),
        ],
        shares: &[(0, 0.01), (17, 0.02), (41, 0.05)],
        hours: 52,
    };
    let mut release = release("ios", Platform::Ios, "26.3.0", &course);
    release.phased = Some(Phased { day: Some(3), paused_days: 1, pause_days_left: 29 });
    release.next = Some(NextStep {
        to: UserFraction::new(0.1).unwrap(),
        on: Some("2026-11-19".parse().unwrap()),
        waits_for: Vec::new(),
    });
    release.freshness.absent = vec![AbsentTable {
        side: Side::Crashes,
        table: "example-project.firebase_crashlytics.com_example_app_IOS".to_owned(),
        extent: Extent::Part,
    }];
    release.crashes = vec![crash("i1", "-[PlayerController resume]", 91, Seen::Before)];
    let mut page = page("ios", Platform::Ios, Some(release));
    page.unwatched_hours = Some(5);
    page.problems = vec![format!("the warehouse answered late: {HOSTILE}")];
    page
}

fn completed() -> AppPage {
    let course = Course {
        sessions_an_hour: 41_000,
        crashes_per_100_000: (31, 18),
        decided: &[
            (1, Decision::Hold, Reason::NothingToDo),
            (27, Decision::FastTrack, Reason::LowerBoundAboveObjective),
        ],
        shares: &[(0, 0.15), (27, 1.0)],
        hours: 30,
    };
    let mut release = release("tablet", Platform::Android, "9.12.1-rc.2+build.40291", &course);
    release.status = RolloutStatus::Completed;
    release.warehouse_at = None;
    release.last_day = None;
    let mut page = page("tablet", Platform::Android, Some(release));
    page.cost.month_budget = None;
    page
}

/// The report.
pub fn report() -> DailyReport {
    let unknown = page("kiosk", Platform::Android, None);
    DailyReport {
        report_version: DAILY_REPORT_VERSION,
        at: now(),
        apps: vec![halted(), phased(), completed(), unknown],
    }
}

/// A report of so many apps.
pub fn many(count: usize) -> DailyReport {
    let apps = (0..count).map(|index| AppPage { app: app_id(&format!("app-{index}")), ..phased() });
    DailyReport { apps: apps.collect(), ..report() }
}
