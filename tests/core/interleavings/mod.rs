//! The acting protocol under every order of events: two runs of the real job, taken apart into their calls, with a crash,
//! a lost answer, another run, a suspended machine or a person at every step.
//!
//! The job is the real one; the stores, the channel and the memory are models. All paths with so many departures from a
//! run without trouble are walked, each with quiet runs at its end that must put everything right. `TIDEGATE_DEPARTURES`
//! says how many departures; a path that fails is printed and can be given to `walk_again`.

mod chooser;
mod killed;
mod outside;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::SignedDuration;
use tidegate::domain::control::Switch;
use tidegate::domain::ids::{AppId, Platform};
use tidegate::domain::links::Links;
use tidegate::domain::looking::ReadSessions;
use tidegate::domain::message::NoteKind;
use tidegate::domain::outbox::Sink;
use tidegate::domain::release::RolloutStatus;
use tidegate::jobs::brakes::Brakes;
use tidegate::jobs::release_monitor::{Asks, LEASE, ReleaseMonitor};
use tidegate::jobs::{AppReport, AppWorld};
use tidegate::ports::{Clock as _, Notifier, StateError};

use self::chooser::{Chooser, walk_all};
use self::outside::{Ending, Kind, Outside, Ports, Who};
use crate::support::{day_two, policy};

/// Runs that the schedule starts after the trouble, until which everything must be right.
const QUIET_RUNS: usize = 3;
/// The time between two runs of the schedule; longer than a lease.
const INTERVAL: SignedDuration = SignedDuration::from_mins(15);

/// What the events say, and what may happen besides crashes and lost answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// The release is bad beyond doubt.
    Bad,
    /// The release is good beyond doubt.
    Good,
    /// It looks good, and doubtful after the machine of a run was suspended.
    TurnsDoubtful,
    /// It is bad, and a person changes it in the store's console.
    BadWithAPerson,
    /// It is good, and a person changes it in the store's console.
    GoodWithAPerson,
}

impl Story {
    fn begin(self) -> Outside {
        match self {
            Self::Bad | Self::BadWithAPerson => Outside::new(day_two(), 1_000, 10),
            Self::Good | Self::TurnsDoubtful | Self::GoodWithAPerson => Outside::new(day_two(), 15_000, 0),
        }
    }

    fn has_a_person(self) -> bool {
        matches!(self, Self::BadWithAPerson | Self::GoodWithAPerson)
    }
}

type Running<'r> = Pin<Box<dyn Future<Output = Result<Vec<AppReport>, StateError>> + 'r>>;

fn world(ports: &Ports) -> AppWorld {
    let channel: Box<dyn Notifier> = Box::new(ports.clone());
    AppWorld {
        id: AppId::new("android").unwrap(),
        platform: Platform::Android,
        policy: policy(),
        switch: Switch::Auto,
        configuration: String::new(),
        links: Links::default(),
        report_at: jiff::civil::Time::midnight(),
        picture: None,
        monitor_silence: SignedDuration::from_hours(3),
        read_sessions: ReadSessions::EveryRun,
        alarm_after_runs: 3,
        budget_per_month: None,
        degraded_halt: true,
        metrics: Box::new(ports.clone()),
        target: Box::new(ports.clone()),
        notifiers: BTreeMap::from([(Sink::Slack, channel)]),
    }
}

fn monitor<'p>(ports: &'p Ports, brakes: &'p Brakes, holder: &str) -> ReleaseMonitor<'p> {
    ReleaseMonitor {
        state: ports,
        clock: ports,
        brakes,
        asks: Asks::Nothing,
        holder: holder.to_owned(),
        held: Mutex::default(),
    }
}

/// The deadline of a run, as the command line has it.
const DEADLINE: Duration = Duration::from_mins(8);

/// Two runs in an order of the chooser's, then quiet ones.
fn live_through(story: Story, chooser: &mut Chooser) -> Arc<Mutex<Outside>> {
    let outside = Arc::new(Mutex::new(story.begin()));
    let ports = [Ports::new(&outside), Ports::new(&outside)];
    let worlds = [world(&ports[0]), world(&ports[1])];
    // The second run is started by another firing, so its time begins when it does; a lease bounds both.
    let brakes = [&ports[0], &ports[1]].map(|ports| Brakes::new(ports.moment(), DEADLINE * 2));
    let monitors = [monitor(&ports[0], &brakes[0], "p1/1"), monitor(&ports[1], &brakes[1], "p2/2")];
    let mut runs: Vec<Option<Running<'_>>> = monitors
        .iter()
        .zip(&worlds)
        .map(|(monitor, world)| Some(Box::pin(monitor.run(world)) as _))
        .collect();
    let mut current = 0;
    while let Some(next) = {
        let waiting = ports[current].waiting().map(|(what, _)| what);
        whose_turn(story, chooser, &outside, &runs, current, waiting)
    } {
        current = next;
        let told = step(chooser, &ports[current], &mut runs[current]);
        outside.lock().unwrap().story.extend(told.map(|told| format!("run {current}: {told}")));
    }
    drop(runs);
    for number in 0..QUIET_RUNS {
        {
            let mut outside = outside.lock().unwrap();
            outside.now += INTERVAL;
            outside.story.push(format!("quiet run {number}"));
        }
        quiet_run(&outside, &format!("p3/{number}"));
    }
    outside
}

/// Chooses who goes on: the same run, the other one, the other one after the lease of this one has ended; or a person
/// acts first.
fn whose_turn(
    story: Story,
    chooser: &mut Chooser,
    outside: &Arc<Mutex<Outside>>,
    runs: &[Option<Running<'_>>],
    current: usize,
    waiting: Option<&'static str>,
) -> Option<usize> {
    let other = 1 - current;
    let (here, there) = (runs[current].is_some(), runs[other].is_some());
    let stay = if here { current } else { other };
    let person = if story.has_a_person() { PERSONS_CHANGES.len() } else { 0 };
    let switches = match (here && there, waiting) {
        (false, _) => 0,
        (true, Some(what)) if is_on_the_wire(what) => 1,
        (true, _) => 2,
    };
    if !here && !there {
        return None;
    }
    match chooser.choose(1 + switches + person) {
        0 => Some(stay),
        choice if choice <= switches => {
            if choice == 2 {
                suspend(story, &mut outside.lock().unwrap());
            }
            Some(other)
        }
        choice => {
            persons_change(&mut outside.lock().unwrap(), PERSONS_CHANGES[choice - 1 - switches]);
            Some(stay)
        }
    }
}

/// No lease helps where a machine is suspended between its last look at the lease and the very request that it sends
/// then; the next look at the lease comes after the answer.
fn is_on_the_wire(what: &str) -> bool {
    matches!(what, "post" | "update" | "apply")
}

const PERSONS_CHANGES: [RolloutStatus; 3] =
    [RolloutStatus::Halted, RolloutStatus::Completed, RolloutStatus::RollingOut];

/// A person may halt what is rolling out, resume what is halted, and release what is not released.
fn persons_change(outside: &mut Outside, to: RolloutStatus) {
    let from = outside.release.status;
    let makes_sense = from != to && !(from == RolloutStatus::Completed && to == RolloutStatus::RollingOut);
    if makes_sense {
        outside.change(Who::Person, to);
    }
}

/// The machine of the present run sleeps until its lease has ended.
fn suspend(story: Story, outside: &mut Outside) {
    outside.now += LEASE + SignedDuration::from_mins(1);
    if story == Story::TurnsDoubtful {
        outside.turn_doubtful(25);
    }
}

/// Lets one call of a run through, or kills the run before it.
fn step(chooser: &mut Chooser, ports: &Ports, run: &mut Option<Running<'_>>) -> Option<String> {
    if ports.waiting().is_none() {
        poll(run);
    }
    let (what, kind) = ports.waiting().filter(|_| run.is_some())?;
    let endings: &[Option<Ending>] = match kind {
        // Where the state can't be had a run only halts, without a memory: that has tests of its own.
        _ if what == "acquire" => &[Some(Ending::Done), None],
        Kind::Read => &[Some(Ending::Done), None, Some(Ending::Lost)],
        Kind::Write => &[Some(Ending::Done), None, Some(Ending::AnswerLost), Some(Ending::Lost)],
    };
    let ending = endings[chooser.choose(endings.len())];
    match ending {
        Some(ending) => {
            ports.let_through(ending);
            poll(run);
        }
        None => *run = None,
    }
    Some(ending.map_or_else(|| format!("killed before {what}"), |ending| format!("{what}: {ending:?}")))
}

/// Goes on with a run up to its next call; a run that has ended is gone.
fn poll(run: &mut Option<Running<'_>>) {
    let Some(running) = run else { return };
    if let Poll::Ready(ended) = running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        drop(ended);
        *run = None;
    }
}

/// A run without trouble.
fn quiet_run(outside: &Arc<Mutex<Outside>>, holder: &str) {
    let ports = Ports::new(outside);
    let brakes = Brakes::new(ports.moment(), DEADLINE);
    let (world, monitor) = (world(&ports), monitor(&ports, &brakes, holder));
    let mut run: Option<Running<'_>> = Some(Box::pin(monitor.run(&world)));
    poll(&mut run);
    while let Some((what, _)) = ports.waiting().filter(|_| run.is_some()) {
        outside.lock().unwrap().story.push(what.to_owned());
        ports.let_through(Ending::Done);
        poll(&mut run);
    }
}

/// What must hold at the end of every path.
fn promises(story: Story, outside: &Outside) -> Vec<String> {
    let mut broken = outside.broken.clone();
    let mut keys: Vec<&String> = outside.posted.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        broken.push(format!("I2: a message was sent twice: {keys:?}"));
    }
    let by_program =
        |status| outside.changes.iter().filter(|change| **change == (Who::Program, status)).count();
    let told = |kind| outside.posted.iter().filter(|(_, known)| *known == kind).count();
    let (halts, fast_tracks) = (by_program(RolloutStatus::Halted), by_program(RolloutStatus::Completed));
    let (halts_told, fast_tracks_told) = (told(NoteKind::Halt), told(NoteKind::FastTrack));
    let expect = |is: bool, what: &str| if is { None } else { Some(what.to_owned()) };
    match story {
        Story::Bad => {
            broken.extend(expect(outside.release.status == RolloutStatus::Halted, "it was never halted"));
            broken.extend(expect((halts, halts_told) == (1, 1), "I2: not halted and told exactly once"));
            broken.extend(expect(fast_tracks == 0, "I1: a bad release was released further"));
        }
        Story::Good => {
            broken.extend(expect((halts, halts_told) == (0, 0), "a good release was halted"));
            broken.extend(expect(
                (fast_tracks, fast_tracks_told) == (1, 1),
                "not fast-tracked and told exactly once",
            ));
        }
        Story::TurnsDoubtful => {
            let further = |change: &(Who, RolloutStatus)| *change == (Who::Program, RolloutStatus::Completed);
            let stale =
                outside.doubtful_from.is_some_and(|from| outside.changes.iter().skip(from).any(further));
            broken.extend(expect(!stale, "I1: released further on evidence that was no longer so"));
        }
        Story::BadWithAPerson | Story::GoodWithAPerson => {
            broken.extend(a_persons_change_wins(outside));
            broken.extend(expect(
                halts_told <= 1 + persons(outside, RolloutStatus::RollingOut),
                "I2: told too often",
            ));
        }
    }
    broken
}

fn persons(outside: &Outside, status: RolloutStatus) -> usize {
    outside.changes.iter().filter(|change| **change == (Who::Person, status)).count()
}

/// I9: what a person stopped or finished is never changed by the program; I2: one halt for each time that it was
/// rolling out by a person's word.
fn a_persons_change_wins(outside: &Outside) -> Vec<String> {
    let undone = |pair: &[(Who, RolloutStatus)]| {
        pair[0].0 == Who::Person && pair[0].1 != RolloutStatus::RollingOut && pair[1].0 == Who::Program
    };
    let overruled = outside.changes.windows(2).any(undone);
    overruled.then(|| format!("I9: a person was overruled: {:?}", outside.changes)).into_iter().collect()
}

#[expect(clippy::disallowed_methods, reason = "a long walk is asked for by the environment")]
fn departures() -> usize {
    const USUAL: usize = 2;
    std::env::var("TIDEGATE_DEPARTURES").ok().map_or(USUAL, |given| given.parse().unwrap())
}

fn every_path_keeps_the_promises(story: Story) {
    let departures = departures();
    let walked = walk_all(departures, |chooser| {
        let outside = live_through(story, chooser);
        let outside = outside.lock().unwrap();
        let broken = promises(story, &outside);
        assert!(
            broken.is_empty(),
            "{story:?}, path {:?}: {broken:#?}\nchanges {:?}\nmessages {:?}\n{}",
            chooser.path(),
            outside.changes,
            outside.posted,
            outside.story.join("\n")
        );
    });
    println!("{story:?}: {walked} paths with at most {departures} departures");
}

#[test]
fn a_bad_release_is_halted_and_told_once_in_every_order_of_events() {
    every_path_keeps_the_promises(Story::Bad);
}

#[test]
fn a_good_release_is_fast_tracked_and_told_once_in_every_order_of_events() {
    every_path_keeps_the_promises(Story::Good);
}

#[test]
fn nothing_is_released_further_on_evidence_that_is_no_longer_so() {
    every_path_keeps_the_promises(Story::TurnsDoubtful);
}

#[test]
fn a_person_is_never_overruled_while_a_bad_release_is_halted() {
    every_path_keeps_the_promises(Story::BadWithAPerson);
}

#[test]
fn a_person_is_never_overruled_while_a_good_release_is_fast_tracked() {
    every_path_keeps_the_promises(Story::GoodWithAPerson);
}
