//! Whether each scenario ends as its name says: the week of the demo with a plain model of the stores and of the
//! reading, and the statistics that the rules use.

use std::collections::{BTreeSet, HashSet};

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::arrival::{Build, Collection, Event, Kind, Process, Report, Session};
use super::events::EventSource;
use super::scenario::{App, Scenario};
use super::schedule::looks;
use super::traffic::Exposure;
use crate::domain::ids::Platform;
use crate::domain::release::RolloutStatus;
use crate::domain::stats::{Confidence, Method, Sample, log_evidence_worse};

const CRASH_RATE_OF_SESSIONS: f64 = 5e-4;
const CRASH_RATE_OF_USERS: f64 = 1e-3;
const MARGIN: f64 = 0.15;
const WARN_EVIDENCE: f64 = 10.0;
const LAG: SignedDuration = SignedDuration::from_mins(10);
const MATURITY: SignedDuration = SignedDuration::from_hours(6);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const LEAST_CRASHES: u64 = 3;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn week() -> Vec<Timestamp> {
    looks(date(2026, 11, 16), &berlin())
}

fn midnight() -> Timestamp {
    date(2026, 11, 16).to_zoned(berlin()).unwrap().timestamp()
}

fn approved() -> Timestamp {
    midnight() + SignedDuration::from_hours(8)
}

fn source(app: App, seed: u64) -> EventSource {
    EventSource::new(app.scenario, app.platform, seed, approved(), berlin())
}

/// What a store without any decision offers at an instant.
fn offer(platform: Platform, now: Timestamp) -> Exposure {
    const PHASES: [f64; 7] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
    if now < approved() {
        return Exposure { fraction: 0.0, status: RolloutStatus::Pending };
    }
    let day = (now.duration_since(approved()).as_hours() / 24) as usize;
    let fraction = match platform {
        Platform::Android => 0.15,
        Platform::Ios => PHASES[day],
    };
    Exposure { fraction, status: RolloutStatus::RollingOut }
}

/// Distinct things that become part of a count once the cut passes them.
#[derive(Default)]
struct Count {
    seen: HashSet<(bool, u64)>,
    waiting: Vec<(i64, u32)>,
    counted: u64,
    people: HashSet<u32>,
}

impl Count {
    fn arrive(&mut self, key: (bool, u64), at_us: i64, person: u32) {
        if self.seen.insert(key) {
            self.waiting.push((at_us, person));
        }
    }

    fn cut(&mut self, to_us: i64) {
        let Self { waiting, counted, people, .. } = self;
        waiting.retain(|(at_us, person)| {
            let passed = *at_us < to_us;
            if passed {
                *counted += 1;
                people.insert(*person);
            }
            !passed
        });
    }
}

/// What is read of the new build: the same two-sided cuts as the metric source makes.
#[derive(Default)]
struct Reading {
    newest_session_us: i64,
    sessions: Count,
    mature_sessions: Count,
    crashes: Count,
    mature_crashes: Count,
}

impl Reading {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Session(session) => self.take_session(session),
            Event::Report(report) if counts(report) => {
                let key = report.session.map_or((false, report.number), |session| (true, session));
                self.crashes.arrive(key, report.at_us, report.person);
                self.mature_crashes.arrive(key, report.at_us, report.person);
            }
            Event::Report(_) => {}
        }
    }

    fn take_session(&mut self, session: &Session) {
        if session.collection == Collection::Disabled {
            return;
        }
        self.newest_session_us = self.newest_session_us.max(session.at_us);
        if session.build == Build::New && session.at_us >= approved().as_microsecond() {
            let key = (true, session.number);
            self.sessions.arrive(key, session.at_us, session.person);
            self.mature_sessions.arrive(key, session.at_us, session.person);
        }
    }

    fn cut(&mut self, now: Timestamp) {
        let to_us = (now - LAG).as_microsecond().min(self.newest_session_us + 1);
        let mature_us = (now - MATURITY).as_microsecond();
        self.sessions.cut(to_us);
        self.crashes.cut(to_us);
        self.mature_sessions.cut(mature_us);
        self.mature_crashes.cut(mature_us);
    }

    fn fresh(&self) -> Sample {
        Sample::new(self.sessions.counted, self.crashes.counted).unwrap()
    }

    fn mature(&self) -> Sample {
        Sample::new(self.mature_sessions.counted, self.mature_crashes.counted).unwrap()
    }

    fn users(&self) -> Sample {
        Sample::new(self.sessions.people.len() as u64, self.crashes.people.len() as u64).unwrap()
    }
}

fn counts(report: &Report) -> bool {
    let crash =
        report.kind == Kind::Fatal || report.kind == Kind::Anr && report.process == Process::Foreground;
    crash && report.build == Build::New && report.at_us >= approved().as_microsecond()
}

/// How a week went.
#[derive(Default)]
struct Week {
    arrivals: usize,
    halted_at: Option<Timestamp>,
    at_halt: Option<Sample>,
    warned_at: Option<Timestamp>,
    users_warned_at: Option<Timestamp>,
    fast_tracked: bool,
    mature_on_day_two: Option<Sample>,
    fresh_on_day_two: Option<Sample>,
    at_end: Option<Sample>,
    users_at_end: Option<Sample>,
    greatest_evidence: f64,
    evidence_at_end: f64,
}

impl Week {
    fn judge(&mut self, reading: &Reading, now: Timestamp) {
        let (fresh, users) = (reading.fresh(), reading.users());
        let level = Confidence::new(0.99).unwrap();
        if now >= approved() + DAY && self.mature_on_day_two.is_none() {
            let tightened = CRASH_RATE_OF_SESSIONS * (1.0 - MARGIN);
            self.fast_tracked = Method::ClopperPearson.better_than(reading.mature(), tightened, level);
            self.mature_on_day_two = Some(reading.mature());
            self.fresh_on_day_two = Some(fresh);
        }
        let evidence = log_evidence_worse(fresh, CRASH_RATE_OF_SESSIONS);
        self.greatest_evidence = self.greatest_evidence.max(evidence);
        self.evidence_at_end = evidence;
        if evidence >= WARN_EVIDENCE.ln() {
            self.warned_at.get_or_insert(now);
        }
        if log_evidence_worse(users, CRASH_RATE_OF_USERS) >= WARN_EVIDENCE.ln() {
            self.users_warned_at.get_or_insert(now);
        }
        let halts = Method::Mixture.worse_than(fresh, CRASH_RATE_OF_SESSIONS, level);
        if halts && reading.crashes.counted >= LEAST_CRASHES && self.halted_at.is_none() {
            self.halted_at = Some(now);
            self.at_halt = Some(fresh);
        }
        self.at_end = Some(fresh);
        self.users_at_end = Some(users);
    }

    fn decided(&self) -> Option<RolloutStatus> {
        let halted = self.halted_at.map(|_| RolloutStatus::Halted);
        halted.or(self.fast_tracked.then_some(RolloutStatus::Completed))
    }
}

/// Walks the week under the decisions that the rules would take.
fn walk(app: App, seed: u64) -> Week {
    let mut source = source(app, seed);
    let (mut week_so_far, mut reading, mut last) = (Week::default(), Reading::default(), midnight());
    for now in week() {
        let mut exposure = offer(app.platform, last);
        match week_so_far.decided() {
            Some(RolloutStatus::Completed) => {
                exposure = Exposure { fraction: 1.0, status: RolloutStatus::Completed };
            }
            Some(status) => exposure.status = status,
            None => {}
        }
        // The release is approved between two looks.
        let half = if last < approved() && approved() < now { approved() } else { now };
        for (from, to) in [(last, half), (half, now)] {
            let exposure =
                if from >= approved() && last < approved() { offer(app.platform, from) } else { exposure };
            let arrivals = source.arrivals(from, to, exposure);
            week_so_far.arrivals += arrivals.len();
            arrivals.iter().for_each(|arrival| reading.take(&arrival.event));
        }
        if week_so_far.decided().is_none() && now >= approved() {
            reading.cut(now);
            week_so_far.judge(&reading, now);
        }
        last = now;
    }
    week_so_far
}

fn shown(sample: Option<Sample>) -> String {
    sample.map_or("-".to_owned(), |sample| format!("{}/{}", sample.events(), sample.trials()))
}

fn hours(at: Option<Timestamp>) -> String {
    at.map_or("-".to_owned(), |at| at.to_zoned(berlin()).strftime("%a %H:%M").to_string())
}

#[test]
fn print_weeks() {
    for app in App::ALL {
        for seed in 0..12 {
            let w = walk(app, seed);
            println!(
                "{:16} rows {:6} mature {} fresh {} end {} users {} halted {} at {} ft {} warned {} users warned {} max lnE {:.2} end {:.2}",
                app.id(),
                w.arrivals,
                shown(w.mature_on_day_two),
                shown(w.fresh_on_day_two),
                shown(w.at_end),
                shown(w.users_at_end),
                hours(w.halted_at),
                shown(w.at_halt),
                w.fast_tracked,
                hours(w.warned_at),
                hours(w.users_warned_at),
                w.greatest_evidence,
                w.evidence_at_end,
            );
        }
    }
}
