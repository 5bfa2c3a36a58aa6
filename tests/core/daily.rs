//! The daily report: the page of an app from what is remembered, and the faces that are text alone.

use jiff::SignedDuration;
use pulldown_cmark::{Event, Options, Parser, Tag};
use tidegate::domain::cost::QueryCost;
use tidegate::domain::daily::remembered::{Subject, page, release_of, with_warehouse_of};
use tidegate::domain::daily::{AppPage, DAILY_REPORT_VERSION, DailyReport, Totals, told};
use tidegate::domain::decision::Record;
use tidegate::domain::heartbeat::Heartbeat;
use tidegate::domain::ids::{AppId, Platform, VersionName};
use tidegate::domain::judge::Decision;
use tidegate::domain::policy::Policy;
use tidegate::domain::rate::UserFraction;
use tidegate::domain::release::{Release, ReleaseId, ReleaseState, RolloutStatus};
use tidegate::domain::verdict::Reason;
use tidegate::domain::watch::{Spent, Trouble, Watch};
use tidegate::report::daily::{json, markdown, terminal};

use crate::daily_fixture::{HOSTILE, many, report};
use crate::support::{at, day_two, facts, policy, record, start};

/// A report that has room for everything.
const ROOM: usize = 256 * 1024;

fn share(of: f64) -> UserFraction {
    UserFraction::new(of).unwrap()
}

fn subject<'a>(app: &'a AppId, policy: &'a Policy, steps: &'a [UserFraction]) -> Subject<'a> {
    Subject {
        app,
        platform: Platform::Android,
        policy,
        steps,
        monitor_silence: SignedDuration::from_hours(3),
        month_budget: Some(1_000),
        links: Vec::new(),
    }
}

fn state(key: &str, status: RolloutStatus) -> ReleaseState {
    let live = Release {
        key: key.to_owned(),
        version: VersionName::new("26.3.0").unwrap(),
        builds: Vec::new(),
        status,
        user_fraction: Some(share(0.15)),
        started_at: None,
        paused_days: None,
    };
    let id =
        ReleaseId { app: AppId::new("android").unwrap(), platform: Platform::Android, key: key.to_owned() };
    ReleaseState::first_seen(id, &live, start(), day_two())
}

/// Two looks: 10,000 sessions, then 40,000, of which a good many crashed.
fn history() -> Vec<Record> {
    let early = start() + SignedDuration::from_hours(2);
    let mut records =
        vec![record(facts(10_000, 4, early), early), record(facts(40_000, 90, day_two()), day_two())];
    for record in &mut records {
        record.queries = vec![QueryCost { bytes_billed: 70, ..QueryCost::default() }];
    }
    records
}

fn remembered(releases: &[ReleaseState], history: &[Record], steps: &[UserFraction]) -> AppPage {
    let (app, policy) = (AppId::new("android").unwrap(), policy());
    page(&subject(&app, &policy, steps), releases, &Watch::default(), &[], history, day_two())
}

#[test]
fn what_rolls_out_comes_before_what_was_halted_later() {
    let mut halted = state("1", RolloutStatus::Halted);
    halted.looked_at = day_two() + SignedDuration::from_hours(1);
    let releases = [halted, state("2", RolloutStatus::RollingOut)];
    assert_eq!(release_of(&releases).unwrap().id.key, "2");
    assert_eq!(release_of(&releases[..1]).unwrap().id.key, "1");
    assert!(release_of(&[]).is_none());
    let mut older = state("0", RolloutStatus::Completed);
    older.cycle_start = day_two();
    let listed = [state("1", RolloutStatus::Halted), older];
    assert_eq!(
        release_of(&listed).unwrap().id.key,
        "1",
        "what users had before is listed next to what was halted"
    );
}

#[test]
fn a_page_has_the_numbers_of_the_newest_look_and_the_cost_of_all() {
    let page =
        remembered(&[state("2630", RolloutStatus::RollingOut)], &history(), &[share(0.15), share(0.75)]);
    let release = page.release.unwrap();
    let cycle = release.cycle.unwrap();
    assert_eq!((cycle.sessions.valid, cycle.sessions.crashed), (40_000, 90));
    assert_eq!((cycle.window.from, cycle.window.to), (start(), day_two() - SignedDuration::from_mins(10)));
    assert_eq!(release.next.unwrap().to, share(0.75));
    assert_eq!((page.cost.cycle_bytes, page.cost.month_budget), (140, Some(1_000)));
    let looked: Vec<(u64, Decision)> =
        release.history.iter().map(|look| (look.sessions, look.decision)).collect();
    assert_eq!(looked, [(10_000, Decision::Continue), (40_000, Decision::Halt)]);
    assert_eq!(page.date, "2026-11-17".parse().unwrap());
}

#[test]
fn what_only_the_warehouse_knows_is_unknown_or_an_earlier_pages() {
    let releases = [state("2630", RolloutStatus::Halted)];
    let page = remembered(&releases, &history(), &[]);
    let release = page.release.as_ref().unwrap();
    assert!(release.last_day.is_none() && release.warehouse_at.is_none() && release.crashes.is_empty());
    assert!(release.next.is_none(), "nothing comes next for what was stopped");

    let mut earlier = page.clone();
    let known = earlier.release.as_mut().unwrap();
    known.crashes = report().apps[0].release.as_ref().unwrap().crashes.clone();
    known.warehouse_at = Some(start());
    earlier.cost.reports_bytes = 5;
    let filled = with_warehouse_of(page.clone(), &earlier);
    assert_eq!(filled.cost.cycle_bytes, page.cost.cycle_bytes + 5, "reports have their cost too");
    let filled = filled.release.unwrap();
    assert_eq!((filled.crashes.len(), filled.warehouse_at), (3, Some(start())));

    earlier.release.as_mut().unwrap().id.key = "another".to_owned();
    assert_eq!(
        with_warehouse_of(page.clone(), &earlier),
        page,
        "crashes of another release are not this one's"
    );
}

#[test]
fn nothing_remembered_is_nothing_known() {
    let page = remembered(&[], &history(), &[]);
    assert!(page.release.is_none() && page.unwatched_hours.is_none() && page.problems.is_empty());
    let seen = remembered(&[state("2630", RolloutStatus::RollingOut)], &[], &[]).release.unwrap();
    assert!(seen.cycle.is_none() && seen.history.is_empty() && seen.freshness.through.is_none());
}

#[test]
fn trouble_and_silence_are_told() {
    let (app, policy) = (AppId::new("android").unwrap(), policy());
    let watch = Watch {
        trouble: Some(Trouble { reason: Reason::SessionsStale, since: start(), runs: 4, told: true }),
        spent: Spent { month: "2026-11".to_owned(), bytes: 9 },
        ..Watch::default()
    };
    let beat = Heartbeat {
        job: "release-monitor".to_owned(),
        last_started: start(),
        last_completed: Some(day_two() - SignedDuration::from_hours(6)),
        run: "a/b".to_owned(),
        exit: 0,
        version: "0.1.0".to_owned(),
        next_expected: None,
    };
    let page = page(&subject(&app, &policy, &[]), &[], &watch, &[beat], &[], day_two());
    assert_eq!((page.unwatched_hours, page.cost.month_bytes), (Some(6), 9));
    insta::assert_snapshot!(page.problems.join("\n"), @"nothing could be concluded for 4 runs since 2026-11-16 11:00 UTC: sessions-stale");
}

/// A phased release of the App Store knows its day by Apple's own shares.
#[test]
fn a_phased_release_has_its_day_and_its_days_of_pause() {
    let (app, policy) = (AppId::new("ios").unwrap(), policy());
    let mut state = state("abc", RolloutStatus::RollingOut);
    state.last_fraction = Some(share(0.05));
    let ios = Subject { platform: Platform::Ios, ..subject(&app, &policy, &[]) };
    let release = page(&ios, &[state], &Watch::default(), &[], &[], day_two()).release.unwrap();
    let phased = release.phased.unwrap();
    assert_eq!((phased.day, phased.paused_days, phased.pause_days_left), (Some(3), 0, 30));
    assert_eq!(release.next.unwrap().to, share(0.1));
}

#[test]
fn a_report_outlives_its_json() {
    let written = json(&report());
    assert_eq!(written["report_version"], DAILY_REPORT_VERSION);
    let read: DailyReport = serde_json::from_value(written).unwrap();
    assert_eq!(read, report());
}

/// A report of before has no date of its warehouse.
#[test]
fn an_older_report_can_be_read() {
    let mut written = json(&report());
    written["apps"][0]["release"].as_object_mut().unwrap().shift_remove("warehouse_at");
    let read: DailyReport = serde_json::from_value(written).unwrap();
    assert_eq!(read.apps[0].release.as_ref().unwrap().warehouse_at, None);
}

#[test]
fn the_terminal_says_it_all_on_lines_of_its_own() {
    let mut report = report();
    report.apps.remove(1);
    let text = terminal::text(&report);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    let shown = text.replace(&tidegate::domain::plain::line(HOSTILE), "HOSTILE");
    insta::assert_snapshot!(shown, @r"
    ■ android (Android) 26.3.0: Halted
      Stopped at 15 % of users. 99.881 % of sessions are crash-free; the whole band lies below the objective of 99.950 %.
      last day sessions     99.884 % crash-free [99.770 % to 99.953 %], 20,800 (24 crashed)
      last day users        99.725 % crash-free [99.414 % to 99.902 %], 6,933 (19 crashed)
      whole cycle sessions  99.881 % crash-free [99.819 % to 99.927 %], 62,400 (74 crashed)
      whole cycle users     99.716 % crash-free [99.549 % to 99.836 %], 20,800 (59 crashed)
      fix                   crash-free sessions +0.081 percentage points (better) than 26.2.9
      crash                 CheckoutActivity.pay (812 users, 1,082 events, new)
      crash                 HOSTILE (231 users, 308 events, seen before)
      crash                 MapView.onLowMemory (44 users, 58 events, seen before)
      data up to            Wed 18 Nov, 11:50 (10 min before)
      cost                  4.5 GiB in this cycle, 57.0 GiB this month of 1.0 TiB

    ✓ tablet (Android) 9.12.1-rc.2+build.40291: Completed
      Offered to everybody. 99.982 % of sessions are crash-free; the whole band lies above the objective of 99.950 %.
      last day sessions     not known
      last day users        not known
      whole cycle sessions  99.982 % crash-free [99.976 % to 99.986 %], 1,230,000 (221 crashed)
      whole cycle users     99.957 % crash-free [99.943 % to 99.968 %], 410,000 (176 crashed)
      top crashes           not known
      data up to            Wed 18 Nov, 11:50 (10 min before)
      cost                  4.5 GiB in this cycle, 57.0 GiB this month

    ○ kiosk (Android): Unknown
      The store lists no release, or none was looked at yet.
      cost                  4.5 GiB in this cycle, 57.0 GiB this month of 1.0 TiB
    ");
}

/// The charts of a document, without their fences.
fn charts(document: &str) -> Vec<String> {
    document.split("```mermaid\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn between(line: &str, open: char, close: char) -> &str {
    line.split_once(open).unwrap().1.rsplit_once(close).unwrap().0
}

#[test]
fn a_chart_has_four_lines_of_as_many_points_as_labels() {
    let charts = charts(&markdown::text(&report(), ROOM));
    assert_eq!(charts.len(), 3, "an app without numbers has none");
    for chart in charts {
        let labels: Vec<&str> =
            between(chart.lines().find(|line| line.contains("x-axis")).unwrap(), '[', ']')
                .split(", ")
                .collect();
        let mut unique = labels.clone();
        unique.sort_unstable();
        unique.dedup();
        assert!(unique.len() == labels.len() && labels.len() <= 60, "{chart}");
        let lines: Vec<Vec<f64>> = chart
            .lines()
            .filter(|line| line.trim_start().starts_with("line ["))
            .map(|line| between(line, '[', ']').split(", ").map(|number| number.parse().unwrap()).collect())
            .collect();
        assert_eq!(lines.len(), 4, "lower bound, rate, upper bound, objective");
        assert!(lines.iter().all(|line| line.len() == labels.len()));
        let axis = chart.lines().find(|line| line.contains("y-axis")).unwrap();
        let (from, to) = axis.split_once("\"percent\" ").unwrap().1.split_once(" --> ").unwrap();
        let (from, to): (f64, f64) = (from.parse().unwrap(), to.parse().unwrap());
        assert!(lines.iter().flatten().all(|value| (from..=to).contains(value)), "{chart}");
    }
}

/// Whatever comes from outside is text: no tag, no link, no picture, and no code but the charts.
#[test]
fn hostile_text_in_markdown_is_text() {
    let document = markdown::text(&report(), ROOM);
    let mut charts = 0;
    for event in Parser::new_ext(&document, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => charts += 1,
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::Code(_) => panic!("{event:?}"),
            _ => {}
        }
    }
    assert_eq!(charts, 3);
    assert!(!document.contains(HOSTILE));
}

#[test]
fn the_table_has_the_full_numbers_and_the_caption_names_the_lines() {
    let document = markdown::text(&report(), ROOM);
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| ")).take(5).collect();
    insta::assert_snapshot!(rows.join("\n"), @r"
    | app | version | state | crash-free sessions | band | sessions | offered to | data up to |
    | android &#40;Android&#41; | 26.3.0 | ■ Halted | 99.881 % | 99.819 % to 99.927 % | 62,400 &#40;74 crashed&#41; | 15 % | Wed 18 Nov, 11:50 |
    | ios &#40;iOS&#41; | 26.3.0 | ▶ Rolling out | 99.953 % | 99.916 % to 99.977 % | 76,960 &#40;36 crashed&#41; | 5 % | Wed 18 Nov, 11:50 |
    | tablet &#40;Android&#41; | 9.12.1-rc.2&#43;build.40291 | ✓ Completed | 99.982 % | 99.976 % to 99.986 % | 1,230,000 &#40;221 crashed&#41; | 100 % | Wed 18 Nov, 11:50 |
    | kiosk &#40;Android&#41; | not known | ○ Unknown | not known | not known | not known | not known | not known |
    ");
    assert!(document.contains("Lines, in this order: lower bound, rate, upper bound, objective (99.950 %)."));
}

#[test]
fn a_summary_keeps_to_its_room_and_counts_what_is_left_out() {
    let report = many(400);
    for room in [0, 200, 1_000, 30_000, ROOM] {
        let text = markdown::text(&report, room);
        assert!(text.len() <= room, "{} bytes of {room}", text.len());
    }
    let text = markdown::text(&report, ROOM);
    assert!(text.contains("more details of apps have no room here"), "the reader is told");
    assert_eq!(text.matches("```").count() % 2, 0, "no chart is cut");
    assert!(at("2026-11-18T11:00:00Z") == report.at);
}

#[test]
fn people_are_counted_by_their_own_objective() {
    let counts = tidegate::domain::counts::Counts { sessions: 10, crashed_sessions: 0 };
    let totals = Totals { counts, users: 5, crashed_users: 1 };
    let window = tidegate::domain::calendar::Window::new(start(), day_two());
    let measured = tidegate::domain::daily::Measured::of(totals, window, &policy().slo);
    assert_eq!(measured.users.objective, policy().slo.crash_free_users);
}

#[test]
fn each_crash_of_the_message_has_a_button_to_its_page() {
    let page = &report().apps[0];
    let crashes = &page.release.as_ref().unwrap().crashes;
    let links = told::crash_links(page);
    assert!(!crashes.is_empty() && links.len() == crashes.len());
    let lines = told::note(page).lines;
    for (index, (crash, link)) in crashes.iter().zip(&links).enumerate() {
        let name = format!("Crash {}", index + 1);
        assert_eq!((&link.label, &link.url), (&name, &crash.link.as_ref().unwrap().url));
        assert!(lines.iter().any(|line| line.starts_with(&format!("{name}: "))), "{lines:?}");
    }
    let mut unknown = page.clone();
    unknown.release.as_mut().unwrap().crashes[0].link = None;
    assert_eq!(told::crash_links(&unknown).first().map(|link| link.label.as_str()), Some("Crash 2"));
}
