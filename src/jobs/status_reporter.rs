//! The job of the reports: tells once a day how each app fares.
//!
//! A report is made at the first run after its time of day, once per date where the team works, however often and however
//! late runs come. It is written down together with its message in one commit, so that a run that is killed at any point
//! leaves either no report or one that is told once. It decides nothing and asks nothing of a store but its list. What can't
//! be asked is left out and said; the report of a date is not put off for it.

use jiff::{SignedDuration, Timestamp};

use super::release_monitor::{ReleaseMonitor, leave, tell};
use super::{AppReport, AppWorld};
use crate::domain::advance::mended_by;
use crate::domain::calendar::{Window, date_in, has_come};
use crate::domain::control::Heard;
use crate::domain::cost::bytes_billed;
use crate::domain::daily::remembered::{self, Subject};
use crate::domain::daily::{
    AppPage, DAILY_REPORT_VERSION, DailyReport, Fix, Measured, ReleasePage, TopCrash, told, upcoming,
};
use crate::domain::ids::{BuildNumber, Platform};
use crate::domain::judge::Decision;
use crate::domain::message::{self, Link};
use crate::domain::outbox::{self, Delivery, Message};
use crate::domain::release::{Release, ReleaseState, RolloutStatus};
use crate::domain::verdict::Reason;
use crate::ports::{
    AppState, Before, Counted, DailyReading, DailyRequest, Lease, ReleaseNames, StateError, Write,
};

/// How far back other versions are looked at to tell a new crash from an old one: as long as streamed tables reach.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What a person finds behind the link of a crash.
const CRASH_PAGE: &str = "Crashlytics";

/// Makes the report of the date, if it is due, and tells it.
///
/// # Errors
/// [`StateError`] where another run is active or the state can't be used.
pub async fn run(job: &ReleaseMonitor<'_>, world: &AppWorld) -> Result<Vec<AppReport>, StateError> {
    let now = job.clock.now();
    if let Some(early) = too_early(world, now) {
        return Ok(vec![early]);
    }
    let lease = job.take_lease(world, now).await?;
    let report = Box::pin(with_lease(job, world, &lease, now)).await;
    job.give_back(&lease).await;
    Ok(vec![report?])
}

/// Makes the report of the date without telling or remembering it.
///
/// # Errors
/// Where the state can't be read.
pub async fn dry_run(job: &ReleaseMonitor<'_>, world: &AppWorld) -> Result<Vec<AppReport>, StateError> {
    let now = job.clock.now();
    if let Some(early) = too_early(world, now) {
        return Ok(vec![early]);
    }
    let known = job.state.memory().app(&world.id).await?;
    let earlier = job.state.memory().report(&world.id).await?;
    if let Some(made) = made_already(world, earlier.as_ref(), now) {
        return Ok(vec![made]);
    }
    let heard = leave::hear(job, world).await;
    let (page, _) = page(job, world, &known, earlier.as_ref(), &heard, now).await?;
    Ok(vec![reported(world, page, now)])
}

fn too_early(world: &AppWorld, now: Timestamp) -> Option<AppReport> {
    let zone = &world.policy.zone;
    let due = world.report_at.strftime("%H:%M");
    (!has_come(world.report_at, now, zone)).then(|| AppReport {
        reason: Reason::BeforeTime,
        withheld: Some(format!("the report of {} is made after {due}", date_in(zone, now))),
        ..AppReport::nothing_rolling_out(world)
    })
}

/// A date that lies behind that of the newest report has been reported too: clocks that are set back report nothing twice.
fn made_already(world: &AppWorld, earlier: Option<&AppPage>, now: Timestamp) -> Option<AppReport> {
    let date = date_in(&world.policy.zone, now);
    earlier.filter(|page| page.date >= date).map(|page| AppReport {
        reason: Reason::ReportMade,
        withheld: Some(format!("the report of {} was made already", page.date)),
        ..AppReport::nothing_rolling_out(world)
    })
}

async fn with_lease(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    lease: &Lease,
    now: Timestamp,
) -> Result<AppReport, StateError> {
    let known = job.state.memory().app(&world.id).await?;
    let earlier = job.state.memory().report(&world.id).await?;
    let heard = leave::hear(job, world).await;
    let tells = leave::of_app(world, &heard, now).tells();
    let mut report = match made_already(world, earlier.as_ref(), now) {
        Some(made) => made,
        None => {
            let (page, bytes) = page(job, world, &known, earlier.as_ref(), &heard, now).await?;
            job.state.commit(lease, writes(world, &known, &page, bytes, tells, now)).await?;
            reported(world, page, now)
        }
    };
    if tells {
        report.problems.extend(tell::drain(job, world, lease).await?);
        if let Some(page) = report.daily.as_ref().and_then(|daily| daily.apps.first()) {
            report.notices.extend(show_picture(job, world, page).await?);
        }
    } else if report.daily.is_some() {
        report.withheld = Some("the report is made and not told: the app is only looked at".to_owned());
    }
    Ok(report)
}

/// The report and its message in one commit, so that neither is there without the other.
fn writes(
    world: &AppWorld,
    known: &AppState,
    page: &AppPage,
    bytes: u64,
    tells: bool,
    now: Timestamp,
) -> Vec<Write> {
    let mut writes = vec![Write::Report(Box::new(page.without_history()))];
    if bytes > 0 {
        writes.push(Write::Watch(world.id.clone(), Box::new(known.watch.having_spent(bytes, now))));
    }
    if tells {
        let mut note = world.links.on(told::note(page), world.target.console());
        note.links.splice(..0, told::crash_links(page));
        let message = outbox::daily(page, note, &known.messages, now);
        writes.push(Write::Message(Box::new(message)));
    }
    writes
}

fn reported(world: &AppWorld, page: AppPage, now: Timestamp) -> AppReport {
    let release = page.release.as_ref();
    let report = AppReport {
        decision: Decision::None,
        reason: Reason::ReportMade,
        version: release.map(|release| release.version.clone()),
        builds: release.map(|release| release.builds.clone()).unwrap_or_default(),
        user_fraction: release.and_then(|release| release.user_fraction),
        problems: page.problems.clone(),
        ..AppReport::nothing_rolling_out(world)
    };
    let daily = DailyReport { report_version: DAILY_REPORT_VERSION, at: now, apps: vec![page] };
    AppReport { daily: Some(Box::new(daily)), ..report }
}

/// Shows the chart under the message, once: where this run has told it. That it could not be shown is no problem.
async fn show_picture(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    page: &AppPage,
) -> Result<Option<String>, StateError> {
    let (Some(channel), Some(draw)) = (world.channel(), world.picture) else { return Ok(None) };
    let messages = job.state.memory().app(&world.id).await?.messages;
    let key = told::key(page);
    let is_told = |message: &&Message| message.key == key && message.delivery == Delivery::Sent;
    let Some(posted) = messages.iter().find(is_told).and_then(|message| message.posted.as_ref()) else {
        return Ok(None);
    };
    let image = match draw(page) {
        Ok(Some(image)) => image,
        Ok(None) => return Ok(None),
        Err(problem) => return Ok(Some(problem)),
    };
    Ok(channel.upload(&image, Some(posted)).await.err().map(|error| error.what))
}

/// The page of the app now, and the bytes that it cost.
async fn page(
    job: &ReleaseMonitor<'_>,
    world: &AppWorld,
    known: &AppState,
    earlier: Option<&AppPage>,
    heard: &Heard,
    now: Timestamp,
) -> Result<(AppPage, u64), StateError> {
    let _seat = world.metrics.sit();
    let (live, mut problems) = match world.target.releases().await {
        Ok(live) => (live, Vec::new()),
        Err(error) => (Vec::new(), vec![error.to_string()]),
    };
    let states = as_shown(&known.releases, &live, now);
    let chosen = remembered::release_of(&states);
    let history = match chosen {
        Some(state) => job.state.memory().history(&state.id).await?,
        None => Vec::new(),
    };
    let subject = subject(world);
    let mut page = remembered::page(&subject, &states, &known.watch, &known.heartbeats, &history, now);
    problems.extend(unknown(&live, known));
    let mut bytes = 0;
    if let (Some(state), Some(release)) = (chosen, page.release.as_mut()) {
        release.builds = builds(state, &live).unwrap_or_else(|| std::mem::take(&mut release.builds));
        if let (Platform::Android, Some(plan)) = (world.platform, &world.policy.rollout) {
            let newest = history.last();
            release.next = upcoming::next_step(state, &states, newest, plan, held(heard, state, now), now);
        }
        let before = before(job, state, &states, now).await?;
        match world.metrics.daily(&request(world, state, release, before.as_ref(), now)).await {
            Ok(reading) => {
                bytes = bytes_billed(&reading.queries);
                fill(release, reading, before.as_ref(), world, now);
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    spent(&mut page, earlier, bytes);
    page.problems.extend(problems);
    Ok((page, bytes))
}

/// The releases as the store shows them now. Nothing of it is remembered: that is the monitor's.
fn as_shown(known: &[ReleaseState], live: &[Release], now: Timestamp) -> Vec<ReleaseState> {
    let shown = |state: &ReleaseState| {
        let mut state = state.clone();
        if let Some(live) = live.iter().find(|live| live.key == state.id.key) {
            state.shows(live, now);
            state.looked_at = now;
        }
        state
    };
    known.iter().map(shown).collect()
}

/// A release that rolls out and that no run of the monitor has seen yet.
fn unknown(live: &[Release], known: &AppState) -> Option<String> {
    let is_unknown = |live: &&Release| {
        live.status == RolloutStatus::RollingOut
            && known.releases.iter().all(|state| state.id.key != live.key)
    };
    live.iter().find(is_unknown).map(|live| {
        format!("release {} rolls out, and the release monitor has not looked at it yet", live.version)
    })
}

fn subject(world: &AppWorld) -> Subject<'_> {
    Subject {
        app: &world.id,
        platform: world.platform,
        policy: &world.policy,
        steps: world.policy.rollout.as_ref().map(|plan| plan.steps.as_slice()).unwrap_or_default(),
        monitor_silence: world.monitor_silence,
        month_budget: world.budget_per_month,
        links: links(world),
    }
}

fn links(world: &AppWorld) -> Vec<Link> {
    let crashes = world.links.crashes.as_ref();
    let crashes = crashes.map(|url| Link { label: CRASH_PAGE.to_owned(), url: url.clone() });
    world.target.console().into_iter().chain(crashes).collect()
}

fn builds(state: &ReleaseState, live: &[Release]) -> Option<Vec<BuildNumber>> {
    live.iter().find(|live| live.key == state.id.key).map(|live| live.builds.clone())
}

fn held(heard: &Heard, state: &ReleaseState, now: Timestamp) -> Option<String> {
    match heard {
        Heard::Words(control) => control.strictest(Some(&state.version), now).map(message::hold_in_words),
        Heard::Unreadable(_) => Some("what people have said can't be read".to_owned()),
    }
}

/// The release that this one mends, and what is asked of both.
struct Mended {
    before: Before,
    state: ReleaseState,
    reason: Option<Reason>,
}

async fn before(
    job: &ReleaseMonitor<'_>,
    state: &ReleaseState,
    states: &[ReleaseState],
    now: Timestamp,
) -> Result<Option<Mended>, StateError> {
    let Some(old) = mended_by(state, states) else { return Ok(None) };
    let history = job.state.memory().history(&old.id).await?;
    let Some(newest) = history.last() else { return Ok(None) };
    let lasted = |from: Timestamp, to: Timestamp| to.duration_since(from).max(SignedDuration::ZERO);
    let length = lasted(state.cycle_start, now).min(lasted(old.cycle_start, state.cycle_start));
    let stretch = |from: Timestamp| Window::new(from, from.checked_add(length).unwrap_or(from));
    let halt = history.iter().rev().find(|record| record.judgement.decision == Decision::Halt);
    let names = ReleaseNames { builds: newest.builds.clone(), version: old.version.clone() };
    let before = Before { release: names, then: stretch(old.cycle_start), now: stretch(state.cycle_start) };
    Ok(Some(Mended { before, state: old.clone(), reason: halt.map(|record| record.judgement.reason) }))
}

fn request(
    world: &AppWorld,
    state: &ReleaseState,
    release: &ReleasePage,
    mended: Option<&Mended>,
    now: Timestamp,
) -> DailyRequest {
    DailyRequest {
        release: ReleaseNames { builds: release.builds.clone(), version: state.version.clone() },
        cycle: Window::new(state.cycle_start, now.checked_sub(world.policy.data.lag).unwrap_or(now)),
        last_day: Window::last_whole_day(now, &world.policy.zone),
        before: mended.map(|mended| mended.before.clone()),
        known_from: state.cycle_start.checked_sub(KNOWN_FOR).unwrap_or(state.cycle_start),
        seen_at: now,
    }
}

/// Puts what the warehouse told in the place of what was remembered.
fn fill(
    release: &mut ReleasePage,
    reading: DailyReading,
    mended: Option<&Mended>,
    world: &AppWorld,
    now: Timestamp,
) {
    let slo = &world.policy.slo;
    let measured = |counted: Counted| Measured::of(counted.totals, counted.window, slo);
    release.cycle = reading.cycle.map(measured).or_else(|| release.cycle.take());
    release.last_day = reading.last_day.map(measured);
    release.fix = mended.zip(reading.then).zip(reading.now).map(|((mended, then), now)| Fix {
        before: mended.state.version.clone(),
        reason: mended.reason,
        then: measured(then),
        now: measured(now),
    });
    let linked = |crash: TopCrash| TopCrash { link: crash_page(world, &crash.issue), ..crash };
    release.warehouse_at = reading.crashes.is_some().then_some(now);
    release.crashes = reading.crashes.unwrap_or_default().into_iter().map(linked).collect();
    release.freshness = reading.freshness;
}

/// The page of a crash, where the id is one that can stand in an address.
fn crash_page(world: &AppWorld, issue: &str) -> Option<Link> {
    let is_plain = !issue.is_empty() && issue.chars().all(|c| c.is_ascii_alphanumeric());
    let base = world.links.crashes.as_ref().filter(|_| is_plain)?;
    Some(Link { label: CRASH_PAGE.to_owned(), url: format!("{base}/{issue}") })
}

/// What this report cost, besides what its looks and the earlier reports of the same release did.
fn spent(page: &mut AppPage, earlier: Option<&AppPage>, bytes: u64) {
    let id = |page: &AppPage| page.release.as_ref().map(|release| release.id.clone());
    let same = earlier.filter(|earlier| id(earlier) == id(page));
    let before = same.map_or(0, |earlier| earlier.cost.reports_bytes);
    page.cost.report_bytes = bytes;
    page.cost.reports_bytes = before.saturating_add(bytes);
    page.cost.cycle_bytes = page.cost.cycle_bytes.saturating_add(page.cost.reports_bytes);
    page.cost.month_bytes = page.cost.month_bytes.saturating_add(bytes);
}
