//! The events of one app, generated as time passes, in a closed loop with its store.
//!
//! The caller says what the store offers during a stretch of time and gets the rows that arrive in it. The same seed
//! and the same offers give the same rows, byte for byte. A row arrives after its event: crashes late, sessions less
//! so, as in the real exports. Some rows are there only to be left out by the questions: reports that are no crash,
//! sessions that could not report one, testers before the release, rows that are stored twice.
//!
//! It knows nothing of rules and decisions, and reads no clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::arrival::{Arrival, Build, Collection, Event, Kind, OnTheWay, Process, Report, Session};
use super::ids::Ids;
use super::rows;
use super::scenario::{App, Scenario};
use super::traffic::{
    Adoption, EvenCrashes, Exposure, Flow, HOUR_US, MINUTE_US, SECOND_US, Visit, Visitors, report_delay_us,
    rhythm, session_delay_us,
};
use crate::domain::ids::Platform;

/// The longest stretch in which every rate is taken as constant.
const STEP_US: i64 = 5 * MINUTE_US;
/// Sessions of the old build per hour, so that the exports look alive before the release.
const OLD_SESSIONS_PER_HOUR: f64 = 40.0;
/// Reports of the old build per hour, of every kind.
const OLD_REPORTS_PER_HOUR: f64 = 3.0;
/// Share of those that are non-fatal.
const OLD_NON_FATAL_SHARE: f64 = 0.6;
/// Sessions of internal testers per hour, while they try the new build.
const TESTER_SESSIONS_PER_HOUR: f64 = 12.0;
/// How long before the approval the testers begin and end.
const TESTERS_BEFORE_APPROVAL_US: (i64, i64) = (100 * MINUTE_US, 20 * MINUTE_US);
/// Crashed sessions of the testers over their sessions: it was worse when they tried it.
const TESTER_CRASH_RATE: f64 = 0.2;
/// How many testers there are.
const TESTERS: u32 = 5;

/// Share of the sessions in which crash reports are not collected.
const COLLECTION_DISABLED: f64 = 0.02;
/// Share of the sessions that are stored twice.
const SESSIONS_STORED_TWICE: f64 = 0.005;
/// Share of the reports that are stored twice.
const REPORTS_STORED_TWICE: f64 = 0.03;
/// How much later the second row is received at most.
const SECOND_ROW_WITHIN_US: i64 = 30 * SECOND_US;
/// Share of the crashed sessions that have no row of their own: 16 % in the one published measurement.
const CRASHED_WITHOUT_SESSION_ROW: f64 = 0.16;
/// Share of the crashes on Android that are ANRs in the foreground.
const ANR_SHARE: f64 = 0.2;
/// Share of the fatal crashes that happen in the background; they count as well.
const FATAL_IN_BACKGROUND: f64 = 0.15;
/// Share of the ANR reports without a session.
const ANR_WITHOUT_SESSION: f64 = 0.06;
/// Sessions on Android with an ANR that does not count, over sessions.
const UNCOUNTED_ANR_RATE: f64 = 0.001;
/// Share of those that are known to be in the background; of the others nothing is known.
const UNCOUNTED_ANR_IN_BACKGROUND: f64 = 0.7;
/// Sessions with a non-fatal report, over sessions.
const NON_FATAL_RATE: f64 = 0.001;
/// A report comes this long after the start of its session at most.
const LONGEST_SESSION_US: i64 = 15 * MINUTE_US;

/// A row of an export table, as `bq extract` writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `dataset.table`.
    pub table: String,
    /// An object: INT64 as text, TIMESTAMP as `2026-11-16 08:01:02.123456 UTC`, records nested, NULL left out.
    pub values: Value,
}

/// The events of one app.
#[derive(Debug, Clone)]
pub struct EventSource {
    app: App,
    approved_us: i64,
    zone: TimeZone,
    ids: Ids,
    rng: ChaCha8Rng,
    adoption: Adoption,
    new: Audience,
    new_crashes: EvenCrashes,
    old: Audience,
    old_reports: Flow,
    testers: Audience,
    tester_crashes: EvenCrashes,
    sessions: u64,
    reports: u64,
    on_the_way: OnTheWay,
}

/// A group of users and their sessions.
#[derive(Debug, Clone)]
struct Audience {
    flow: Flow,
    visitors: Visitors,
}

impl Audience {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        Self { flow: Flow::new(rng), visitors: Visitors::default() }
    }
}

/// A stretch of time, at most [`STEP_US`] long.
#[derive(Debug, Clone, Copy)]
struct Step {
    from_us: i64,
    to_us: i64,
}

impl Step {
    fn hours(self) -> f64 {
        (self.to_us - self.from_us) as f64 / HOUR_US as f64
    }
}

impl EventSource {
    /// The events of a scenario on a platform. The same seed gives the same events; each app has its own.
    ///
    /// `approved_at` is when the store begins to offer the new build, `zone` is where the users live.
    #[must_use]
    pub fn new(
        scenario: Scenario,
        platform: Platform,
        seed: u64,
        approved_at: Timestamp,
        zone: TimeZone,
    ) -> Self {
        let app = App { scenario, platform };
        let ids = Ids::new(app, seed);
        let mut rng = ids.events();
        Self {
            app,
            approved_us: approved_at.as_microsecond(),
            zone,
            adoption: Adoption::none(platform),
            new: Audience::new(&mut rng),
            new_crashes: EvenCrashes::new(scenario.crash_rate(), &mut rng),
            old: Audience::new(&mut rng),
            old_reports: Flow::new(&mut rng),
            testers: Audience::new(&mut rng),
            tester_crashes: EvenCrashes::new(TESTER_CRASH_RATE, &mut rng),
            sessions: 0,
            reports: 0,
            on_the_way: OnTheWay::default(),
            ids,
            rng,
        }
    }

    /// Lets time pass from `from` to `to` under what the store offers, and gives the rows that are received before
    /// `to`, in that order. Calls follow each other without gaps; a call that goes back makes nothing new.
    pub fn advance(&mut self, from: Timestamp, to: Timestamp, exposure: Exposure) -> Vec<Row> {
        let arrivals = self.arrivals(from, to, exposure);
        arrivals.iter().map(|arrival| rows::row(self.app, &self.ids, arrival)).collect()
    }

    /// What [`EventSource::advance`] gives, before it is written as rows.
    pub(super) fn arrivals(&mut self, from: Timestamp, to: Timestamp, exposure: Exposure) -> Vec<Arrival> {
        let (mut now, end) = (from.as_microsecond(), to.as_microsecond());
        while now < end {
            let next_step = now - now.rem_euclid(STEP_US) + STEP_US;
            let step = Step { from_us: now, to_us: next_step.min(end) };
            self.pass(step, exposure);
            now = step.to_us;
        }
        self.on_the_way.arrived_before(end)
    }

    fn pass(&mut self, step: Step, exposure: Exposure) {
        self.pass_on_old_build(step);
        if step.from_us >= self.approved_us {
            self.pass_on_new_build(step, exposure);
        } else {
            self.pass_among_testers(step);
        }
    }

    fn pass_on_old_build(&mut self, step: Step) {
        let installations = self.app.installations();
        for _ in 0..self.old.flow.next(OLD_SESSIONS_PER_HOUR * step.hours()) {
            let at_us = self.instant(step);
            let number = self.next_session();
            // Those with high numbers update last.
            let visit = self.old.visitors.next(number, installations / 2..installations, &mut self.rng);
            let collection = self.collection();
            self.send_session(at_us, number, visit, Build::Old, collection);
        }
        for _ in 0..self.old_reports.next(OLD_REPORTS_PER_HOUR * step.hours()) {
            let at_us = self.instant(step);
            let what = match self.rng.random_bool(OLD_NON_FATAL_SHARE) {
                true => (Kind::NonFatal, Process::Foreground),
                false => self.crash(),
            };
            let person = self.rng.random_range(installations / 2..installations);
            // Its session has no row, as for part of the real reports.
            let session = self.next_session();
            self.send_report(at_us, session, person, Build::Old, what);
        }
    }

    fn pass_on_new_build(&mut self, step: Step, exposure: Exposure) {
        self.adoption.pass(step.hours(), exposure);
        let local = Timestamp::from_microsecond(step.from_us).map(|at| at.to_zoned(self.zone.clone()));
        let rhythm = local.map_or(1.0, |local| rhythm(&local));
        let installations = self.app.installations();
        let per_hour = self.adoption.sessions_per_hour(installations, exposure) * rhythm;
        for _ in 0..self.new.flow.next(per_hour * step.hours()) {
            let at_us = self.instant(step);
            let number = self.next_session();
            let people = self.adoption.people(installations);
            let visit = self.new.visitors.next(number, people, &mut self.rng);
            let collection = self.collection();
            let crashed = collection == Collection::Enabled && self.new_crashes.next(&mut self.rng);
            self.session(at_us, number, visit, collection, crashed);
        }
    }

    fn pass_among_testers(&mut self, step: Step) {
        let (begin, end) = TESTERS_BEFORE_APPROVAL_US;
        if !(self.approved_us - begin..self.approved_us - end).contains(&step.from_us) {
            return;
        }
        let installations = self.app.installations();
        for _ in 0..self.testers.flow.next(TESTER_SESSIONS_PER_HOUR * step.hours()) {
            let at_us = self.instant(step);
            let number = self.next_session();
            let testers = installations..installations + TESTERS;
            let visit = self.testers.visitors.next(number, testers, &mut self.rng);
            let crashed = self.tester_crashes.next(&mut self.rng);
            self.session(at_us, number, visit, Collection::Enabled, crashed);
        }
    }

    /// A session of the new build and everything that it reports.
    fn session(&mut self, at_us: i64, number: u64, visit: Visit, collection: Collection, crashed: bool) {
        let stored = !(crashed && self.rng.random_bool(CRASHED_WITHOUT_SESSION_ROW));
        if stored {
            self.send_session(at_us, number, visit, Build::New, collection);
        }
        if crashed {
            let what = self.crash();
            self.report_within(at_us, number, visit, what);
        }
        if collection == Collection::Enabled {
            self.report_what_is_no_crash(at_us, number, visit);
        }
    }

    fn report_what_is_no_crash(&mut self, at_us: i64, number: u64, visit: Visit) {
        if self.rng.random_bool(NON_FATAL_RATE) {
            self.report_within(at_us, number, visit, (Kind::NonFatal, Process::Foreground));
        }
        if self.app.platform == Platform::Android && self.rng.random_bool(UNCOUNTED_ANR_RATE) {
            let process = self.process_that_does_not_count();
            self.report_within(at_us, number, visit, (Kind::Anr, process));
        }
    }

    fn process_that_does_not_count(&mut self) -> Process {
        if self.rng.random_bool(UNCOUNTED_ANR_IN_BACKGROUND) {
            return Process::Background;
        }
        match self.rng.random() {
            true => Process::Unknown,
            false => Process::Missing,
        }
    }

    fn report_within(&mut self, at_us: i64, session: u64, visit: Visit, what: (Kind, Process)) {
        let at_us = at_us + self.rng.random_range(SECOND_US..LONGEST_SESSION_US);
        self.send_report(at_us, session, visit.person, Build::New, what);
    }

    /// A crash that counts.
    fn crash(&mut self) -> (Kind, Process) {
        if self.app.platform == Platform::Android && self.rng.random_bool(ANR_SHARE) {
            return (Kind::Anr, Process::Foreground);
        }
        match self.rng.random_bool(FATAL_IN_BACKGROUND) {
            true => (Kind::Fatal, Process::Background),
            false => (Kind::Fatal, Process::Foreground),
        }
    }

    fn send_session(&mut self, at_us: i64, number: u64, visit: Visit, build: Build, collection: Collection) {
        let Visit { person, first_session, index } = visit;
        let session = Session { at_us, number, first: first_session, index, person, build, collection };
        let received_us = at_us + session_delay_us(&mut self.rng);
        self.send(Event::Session(session), received_us);
    }

    fn send_report(&mut self, at_us: i64, session: u64, person: u32, build: Build, what: (Kind, Process)) {
        let (kind, process) = what;
        let lost = kind == Kind::Anr && self.rng.random_bool(ANR_WITHOUT_SESSION);
        let session = (!lost).then_some(session);
        let (number, draw) = (self.reports, self.rng.random());
        self.reports += 1;
        let report = Report { at_us, number, session, person, build, kind, process, draw };
        let received_us = at_us + report_delay_us(&mut self.rng);
        self.send(Event::Report(report), received_us);
    }

    fn send(&mut self, event: Event, received_us: i64) {
        self.on_the_way.send(event, received_us);
        let twice = match event {
            Event::Session(_) => SESSIONS_STORED_TWICE,
            Event::Report(_) => REPORTS_STORED_TWICE,
        };
        if self.rng.random_bool(twice) {
            let later = self.rng.random_range(0..SECOND_ROW_WITHIN_US);
            self.on_the_way.send(event, received_us + later);
        }
    }

    fn collection(&mut self) -> Collection {
        match self.rng.random_bool(COLLECTION_DISABLED) {
            true => Collection::Disabled,
            false => Collection::Enabled,
        }
    }

    fn next_session(&mut self) -> u64 {
        self.sessions += 1;
        self.sessions
    }

    fn instant(&mut self, step: Step) -> i64 {
        self.rng.random_range(step.from_us..step.to_us)
    }
}
