//! The acting protocol under every order of events: two runs of the real job, taken apart into their calls, with a crash,
//! a lost answer, another run, a suspended machine or a person at every step.
//!
//! The job is the real one; the stores, the channel and the memory are models. All paths with so many departures from a
//! run without trouble are walked, each with quiet runs at its end that must put everything right. `TIDEGATE_DEPARTURES`
//! says how many departures; a path that fails is printed, and `TIDEGATE_PATH=0,0,3` walks that one alone.
//!
//! What is checked at the end of each path: I1, nothing is released further on evidence that is no longer so; I2, one
//! halt, told once and entered once; I3, nothing is told before the store shows it; I4, nothing is done that was not
//! written down before; I9, a person is never overruled.
//!
//! What no protocol can promise without a fence in the store and in the channel, and what is promised instead:
//!
//! - A change that was on the wire while its machine slept for longer than a lease takes effect then, if the store takes
//!   it. It had been written down, it is the only one of its run, its run notes nothing more of it (T2 is fenced), and the
//!   next run enters what the store shows. A halt does no harm; a fast-track may come on evidence that is no longer so,
//!   after a person's halt, or untold, where the run that took over had taken it back. The time limit of a call keeps this from a machine that does not sleep.
//! - A message that was on the wire like that is there twice, never three times for one sleep.
//! - A run that has not heard whether it holds the lease acts without a memory, for a halt alone, beside a run that has
//!   one. The store is halted once. Both look before they tell, so the halt is told once, unless one told between the
//!   other's look and its post.

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
use tidegate::domain::ledger;
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
use self::outside::{Ending, Kind, Outside, Ports, Post, Who};
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
    while let Some(next) = { whose_turn(story, chooser, &outside, &runs, current, &ports[current]) } {
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
    ports: &Ports,
) -> Option<usize> {
    let other = 1 - current;
    let (here, there) = (runs[current].is_some(), runs[other].is_some());
    let stay = if here { current } else { other };
    let person = if story.has_a_person() { PERSONS_CHANGES.len() } else { 0 };
    let switches = if here && there { 2 } else { 0 };
    if !here && !there {
        return None;
    }
    match chooser.choose(1 + switches + person) {
        0 => Some(stay),
        choice if choice <= switches => {
            if choice == 2 {
                suspend(story, &mut outside.lock().unwrap());
                ports.hold_up();
            }
            Some(other)
        }
        choice => {
            persons_change(&mut outside.lock().unwrap(), PERSONS_CHANGES[choice - 1 - switches]);
            Some(stay)
        }
    }
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
        Kind::Read => &[Some(Ending::Done), None, Some(Ending::Lost)],
        Kind::Write => &[Some(Ending::Done), None, Some(Ending::AnswerLost), Some(Ending::Lost)],
    };
    let ending = endings[chooser.choose(endings.len())];
    match ending {
        Some(ending) => {
            if what == "acquire" && ending != Ending::Done {
                ports.loses_its_memory();
            }
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
    broken.extend(told_twice(outside));
    broken.extend(entered_twice(outside));
    let by_program =
        |status| outside.changes.iter().filter(|change| **change == (Who::Program, status)).count();
    let (halts, fast_tracks) = (by_program(RolloutStatus::Halted), by_program(RolloutStatus::Completed));
    let fast_tracks_told = told_apart(outside, &[NoteKind::FastTrack]);
    let (halts_told, may_be_more) = halts_told(outside);
    let expect = |is: bool, what: &str| if is { None } else { Some(what.to_owned()) };
    match story {
        Story::Bad => {
            broken.extend(expect(outside.release.status == RolloutStatus::Halted, "it was never halted"));
            let by_late_request = came_late(outside, RolloutStatus::Halted);
            broken.extend(expect(halts + by_late_request == 1, "I2: not halted exactly once"));
            let is_told = (1..=1 + may_be_more).contains(&halts_told);
            broken.extend(expect(is_told, "I2: not told exactly once"));
            broken.extend(expect(entries_of(outside, RolloutStatus::Halted) == 1, "I2: not entered once"));
            broken.extend(expect(fast_tracks == 0, "I1: a bad release was released further"));
        }
        Story::Good => {
            broken.extend(expect((halts, halts_told) == (0, 0), "a good release was halted"));
            let by_late_request = came_late(outside, RolloutStatus::Completed);
            broken.extend(expect(fast_tracks + by_late_request == 1, "not fast-tracked exactly once"));
            let is_told = fast_tracks_told == 1 || (fast_tracks_told, by_late_request) == (0, 1);
            broken.extend(expect(is_told, "a fast-track that did not come late was not told once"));
            broken.extend(expect(entries_of(outside, RolloutStatus::Completed) == 1, "I2: not entered once"));
        }
        Story::TurnsDoubtful => {
            let further = |change: &(Who, RolloutStatus)| *change == (Who::Program, RolloutStatus::Completed);
            let stale =
                outside.doubtful_from.is_some_and(|from| outside.changes.iter().skip(from).any(further));
            broken.extend(expect(!stale, "I1: released further on evidence that was no longer so"));
        }
        Story::BadWithAPerson | Story::GoodWithAPerson => {
            broken.extend(a_persons_change_wins(outside));
            let halts = outside.changes.iter().filter(|(_, status)| *status == RolloutStatus::Halted).count();
            broken.extend(expect(halts_told <= halts + may_be_more, "I2: told too often"));
        }
    }
    broken
}

/// A message has a key, and is there once. One that was held up on the wire was given up for lost and sent again; runs
/// without a memory may have looked both before one of them posted.
fn told_twice(outside: &Outside) -> Option<String> {
    let is_again = |(place, post): (usize, &Post)| {
        let earlier = outside.posted.iter().take(place).enumerate();
        earlier.filter(|(_, earlier)| earlier.key == post.key).any(|(index, earlier)| {
            let held_up = earlier.way.held_up || post.way.held_up;
            !(held_up || (post.way.degraded && post.way.looked <= index))
        })
    };
    let again = outside.posted.iter().enumerate().any(is_again);
    again.then(|| "I2: a message was sent twice".to_owned())
}

/// The messages of these kinds, those apart that were sent again because they were held up.
fn told_apart(outside: &Outside, kinds: &[NoteKind]) -> usize {
    let keys = outside.posted.iter().filter(|post| kinds.contains(&post.kind)).map(|post| &post.key);
    keys.collect::<std::collections::BTreeSet<_>>().len()
}

/// How often halts were told, and how many of these tellings another could not be seen by: it came between a look and a
/// post, of which one was held up or of a run without a memory.
fn halts_told(outside: &Outside) -> (usize, usize) {
    let kinds = [NoteKind::Halt, NoteKind::HaltedElsewhere];
    let told: Vec<(usize, &Post)> =
        outside.posted.iter().enumerate().filter(|(_, post)| kinds.contains(&post.kind)).collect();
    let unseen = |place: usize| {
        let post = told[place].1;
        told[..place].iter().any(|(index, earlier)| {
            let excused = |post: &Post| post.way.held_up || post.way.degraded;
            (excused(earlier) || excused(post)) && post.way.looked <= *index
        })
    };
    (told.len(), (0..told.len()).filter(|place| unseen(*place)).count())
}

fn came_late(outside: &Outside, status: RolloutStatus) -> usize {
    outside.changes.iter().filter(|change| **change == (Who::HeldUp, status)).count()
}

/// How the release stood after each change that the ledger has, whoever made it.
fn stood(outside: &Outside) -> Vec<RolloutStatus> {
    let after = |kind: &ledger::Kind| match kind {
        ledger::Kind::Confirmed { after, .. } | ledger::Kind::ChangedElsewhere { after, .. } => {
            Some(after.status)
        }
        _ => None,
    };
    outside.ledger.iter().filter_map(after).collect()
}

fn entries_of(outside: &Outside, status: RolloutStatus) -> usize {
    stood(outside).into_iter().filter(|stood| *stood == status).count()
}

fn entered_twice(outside: &Outside) -> Option<String> {
    let stood = stood(outside);
    let twice = stood.windows(2).any(|pair| pair[0] == pair[1]);
    twice.then(|| format!("a change was entered twice: {stood:?}"))
}

/// I9: what a person stopped or finished is never changed by the program, but by a request that was on the wire.
fn a_persons_change_wins(outside: &Outside) -> Vec<String> {
    let undone = |pair: &[(Who, RolloutStatus)]| {
        pair[0].0 == Who::Person && pair[0].1 != RolloutStatus::RollingOut && pair[1].0 == Who::Program
    };
    let overruled = outside.changes.windows(2).any(undone);
    overruled.then(|| format!("I9: a person was overruled: {:?}", outside.changes)).into_iter().collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a long walk, and one path again, are asked for by the environment"
)]
fn asked(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

fn departures() -> usize {
    const USUAL: usize = 2;
    asked("TIDEGATE_DEPARTURES").map_or(USUAL, |given| given.parse().unwrap())
}

fn every_path_keeps_the_promises(story: Story) {
    let departures = departures();
    let walk = |chooser: &mut Chooser| {
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
    };
    if let Some(path) = asked("TIDEGATE_PATH") {
        let path = path.split(',').map(|choice| choice.trim().parse().unwrap()).collect();
        return walk(&mut Chooser::of(path));
    }
    let walked = walk_all(departures, walk);
    eprintln!("{story:?}: {walked} paths with at most {departures} departures");
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
