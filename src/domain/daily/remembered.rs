//! The page of an app as far as memory goes: what a report can say without asking any service.
//!
//! The numbers are those of the newest look, so the page is as old as that, and says so by its freshness. What only the
//! warehouse knows (the last day, what a fix changed, the crashes) stays unknown here, or is taken from an earlier page of
//! the same release, which keeps its own date. Nothing of it is ever made up.

use jiff::{SignedDuration, Timestamp};

use super::{AppPage, Cost, Freshness, Look, Measured, NextStep, Phased, ReleasePage, Totals};
use crate::domain::calendar::Window;
use crate::domain::cost::bytes_billed;
use crate::domain::counts::Counts;
use crate::domain::decision::Record;
use crate::domain::heartbeat::{Heartbeat, Silence};
use crate::domain::ids::{AppId, Platform};
use crate::domain::message::Link;
use crate::domain::pause_budget::{MOST_DAYS, PauseBudget};
use crate::domain::policy::Policy;
use crate::domain::rate::UserFraction;
use crate::domain::release::{ReleaseState, RolloutStatus};
use crate::domain::watch::Watch;

/// The job whose silence a report tells of.
const MONITOR: &str = "release-monitor";
/// Apple's shares of a phased release on days one to seven.
/// Source: <https://developer.apple.com/help/app-store-connect/update-your-app/release-a-version-update-in-phases>.
const PHASES: [f64; 7] = [0.01, 0.02, 0.05, 0.10, 0.20, 0.50, 1.0];

/// What the configuration says of an app, as far as a report shows it.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The app.
    pub app: &'a AppId,
    /// Its platform.
    pub platform: Platform,
    /// What its releases are judged by, and where the team works.
    pub policy: &'a Policy,
    /// The steps of its rollout, ascending; empty where none are planned.
    pub steps: &'a [UserFraction],
    /// How long the monitor may be silent before it is said.
    pub monitor_silence: SignedDuration,
    /// Bytes that may be billed a month, where that is limited.
    pub month_budget: Option<u64>,
    /// Pages to look at.
    pub links: Vec<Link>,
}

/// The release that a report is about: what is rolling out, else what the store listed last. Of what it lists at the same
/// time, a halted one comes before the completed one that users had before it. None where nothing is remembered.
#[must_use]
pub fn release_of(releases: &[ReleaseState]) -> Option<&ReleaseState> {
    let rolls_out = |release: &ReleaseState| release.last_seen == RolloutStatus::RollingOut;
    let concern = |release: &ReleaseState| match release.last_seen {
        RolloutStatus::RollingOut | RolloutStatus::Halted => 2,
        RolloutStatus::Completed => 1,
        RolloutStatus::Pending => 0,
    };
    let rank = |release: &&ReleaseState| {
        (rolls_out(release), release.looked_at, concern(release), release.cycle_start)
    };
    releases.iter().max_by_key(rank)
}

/// The page of an app at `now`. The history is that of the release that [`release_of`] chooses, oldest first; it may be
/// that of other releases too.
#[must_use]
pub fn page(
    subject: &Subject<'_>,
    releases: &[ReleaseState],
    watch: &Watch,
    heartbeats: &[Heartbeat],
    history: &[Record],
    now: Timestamp,
) -> AppPage {
    let release = release_of(releases);
    let of_release: Vec<&Record> =
        history.iter().filter(|record| release.is_some_and(|release| release.id == record.release)).collect();
    AppPage {
        app: subject.app.clone(),
        platform: subject.platform,
        date: subject.policy.zone.to_datetime(now).date(),
        zone: subject.policy.zone.clone(),
        slo: subject.policy.slo.clone(),
        release: release.map(|release| release_page(subject, release, &of_release, now)),
        cost: cost(subject, release, watch, &of_release, now),
        unwatched_hours: unwatched(subject, heartbeats, now).map(Silence::hours),
        problems: trouble(watch).into_iter().collect(),
    }
}

/// The same page with what an earlier one found out about the same release in the warehouse.
#[must_use]
pub fn with_warehouse_of(page: AppPage, earlier: &AppPage) -> AppPage {
    let mut page = page;
    let known = earlier.release.as_ref();
    if let Some((release, known)) = page.release.as_mut().zip(known).filter(|(new, old)| new.id == old.id) {
        release.warehouse_at = known.warehouse_at;
        release.last_day.clone_from(&known.last_day);
        release.fix.clone_from(&known.fix);
        release.crashes.clone_from(&known.crashes);
        release.freshness.sessions_from = known.freshness.sessions_from;
        release.freshness.crashes_from = known.freshness.crashes_from;
    }
    page
}

fn release_page(
    subject: &Subject<'_>,
    release: &ReleaseState,
    history: &[&Record],
    now: Timestamp,
) -> ReleasePage {
    let newest = history.last();
    ReleasePage {
        id: release.id.clone(),
        version: release.version.clone(),
        builds: newest.map(|record| record.builds.clone()).unwrap_or_default(),
        status: release.last_seen,
        user_fraction: release.last_fraction,
        cycle_start: release.cycle_start,
        next: next(subject, release),
        phased: (subject.platform == Platform::Ios).then(|| phased(release, now)),
        cycle: newest.map(|record| cycle(record)),
        last_day: None,
        fix: None,
        crashes: Vec::new(),
        warehouse_at: None,
        freshness: newest.map(|record| freshness(record)).unwrap_or_default(),
        history: history.iter().map(|record| Look::from(*record)).collect(),
        links: subject.links.clone(),
    }
}

/// The step after the present share, while the release is rolling out.
fn next(subject: &Subject<'_>, release: &ReleaseState) -> Option<NextStep> {
    let present = release.last_fraction.filter(|_| release.last_seen == RolloutStatus::RollingOut)?;
    let larger = |step: &UserFraction| step.get() > present.get() && !step.is_about(present);
    let phases = PHASES.iter().filter_map(|share| UserFraction::new(*share).ok());
    let to = match subject.platform {
        Platform::Android => subject.steps.iter().copied().find(larger),
        Platform::Ios => phases.into_iter().find(larger),
    };
    to.map(|to| NextStep { to, on: None, waits_for: Vec::new() })
}

fn phased(release: &ReleaseState, now: Timestamp) -> Phased {
    let budget = PauseBudget::of(release, now);
    let is_day = |share: &f64| {
        release.last_fraction.is_some_and(|now| UserFraction::new(*share).is_ok_and(|day| day.is_about(now)))
    };
    Phased {
        day: PHASES.iter().position(is_day).and_then(|index| u32::try_from(index + 1).ok()),
        paused_days: budget.map_or(0, |budget| budget.days_used()),
        pause_days_left: budget.map_or(MOST_DAYS, |budget| budget.days_left()),
    }
}

/// The numbers of a look, over its whole cycle.
fn cycle(record: &Record) -> Measured {
    let facts = &record.facts;
    let people = &facts.people;
    let totals = Totals { counts: facts.fresh(), users: people.users, crashed_users: people.crashed_users };
    Measured::of(totals, Window::new(facts.cycle_start, facts.data.through), &record.policy.slo)
}

fn freshness(record: &Record) -> Freshness {
    let data = &record.facts.data;
    Freshness {
        through: (record.facts.fresh() != Counts::default()).then_some(data.through),
        newest_session_at: data.newest_session_at,
        newest_crash_at: data.newest_crash_at,
        sessions_from: None,
        crashes_from: None,
        absent: data.absent.clone(),
    }
}

fn cost(
    subject: &Subject<'_>,
    release: Option<&ReleaseState>,
    watch: &Watch,
    history: &[&Record],
    now: Timestamp,
) -> Cost {
    let began = release.map(|release| release.cycle_start);
    let in_cycle = history.iter().filter(|record| began.is_some_and(|began| record.decided_at >= began));
    Cost {
        cycle_bytes: in_cycle.map(|record| bytes_billed(&record.queries)).fold(0, u64::saturating_add),
        month_bytes: watch.spent.in_month_of(now),
        month_budget: subject.month_budget,
        report_bytes: 0,
        reports_bytes: 0,
    }
}

fn unwatched(subject: &Subject<'_>, heartbeats: &[Heartbeat], now: Timestamp) -> Option<Silence> {
    let monitor = heartbeats.iter().find(|heartbeat| heartbeat.job == MONITOR)?;
    monitor.silence(now, subject.monitor_silence)
}

fn trouble(watch: &Watch) -> Option<String> {
    let trouble = watch.trouble.as_ref()?;
    Some(format!(
        "nothing could be concluded for {} runs since {}: {}",
        trouble.runs,
        trouble.since.strftime("%Y-%m-%d %H:%M UTC"),
        trouble.reason
    ))
}
