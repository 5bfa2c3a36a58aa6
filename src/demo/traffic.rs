//! Who has the new build and when they use it: adoption, the day, late arrival (facts on statistics 3).
//!
//! Sessions and crashes are spread evenly instead of drawn independently: so many are due by now, and so many have
//! happened. That keeps the outcome of a scenario the same under nearly every seed, with few events.

use std::ops::Range;

use jiff::Zoned;
use jiff::civil::Weekday;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::domain::ids::Platform;
use crate::domain::release::RolloutStatus;

/// What the store offers now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposure {
    /// Share of users that the new build is offered to, 0 to 1. Updates by hand on iOS come on top.
    pub fraction: f64,
    /// Where the rollout stands.
    pub status: RolloutStatus,
}

/// Hours in which the share of users on the new build makes 63 % of its way to the share that it is offered to.
const ADOPTION_HOURS: f64 = 12.0;
/// Share of iOS users who update by hand in the first days, whatever the phased release offers.
const UPDATES_BY_HAND: f64 = 0.15;
/// Use of the new build once it is no longer new, over that right after the update: people look around at first.
const ORDINARY_USE: f64 = 0.25;
/// Hours in which 63 % of that interest is gone.
const NOVELTY_HOURS: f64 = 48.0;
/// Hours in which the use of a halted build falls to 37 %: no new users come, and some of the old ones leave.
const FADING_HOURS: f64 = 120.0;
/// Share of the sessions that is generated once a release is completed: nobody judges it any more, and with everybody
/// on it the full traffic would be most of the rows of the demo.
const COMPLETED_THINNING: f64 = 0.02;
/// Share of the sessions that is generated once a release is halted: nobody judges it any more.
const HALTED_THINNING: f64 = 0.1;

/// Hours of a day.
const DAY_HOURS: f64 = 24.0;
/// Half of the swing between the busiest and the quietest hour, over the mean.
const DAILY_SWING: f64 = 0.6;
/// The quietest local hour.
const QUIETEST_HOUR: f64 = 4.0;
/// Traffic of Saturday and Sunday over that of a working day.
const WEEKEND: f64 = 0.35;
/// Share of the installations with a session on an ordinary day.
const ACTIVE_SHARE: f64 = 0.12;
/// Sessions of an active user on a day.
const SESSIONS_PER_ACTIVE_USER: f64 = 3.0;

/// The users of the new build.
#[derive(Debug, Clone, Copy)]
pub struct Adoption {
    platform: Platform,
    share: f64,
    hours: f64,
    use_of_halted: f64,
}

impl Adoption {
    pub fn none(platform: Platform) -> Self {
        Self { platform, share: 0.0, hours: 0.0, use_of_halted: 1.0 }
    }

    /// Lets time pass: a'(t) = (u(t) - a) / tau while rolling out or completed; nobody goes back.
    pub fn pass(&mut self, hours: f64, exposure: Exposure) {
        self.hours += hours;
        match exposure.status {
            RolloutStatus::Pending => {}
            RolloutStatus::Halted => self.use_of_halted *= (-hours / FADING_HOURS).exp(),
            RolloutStatus::RollingOut | RolloutStatus::Completed => {
                self.use_of_halted = 1.0;
                let missing = (self.reachable(exposure.fraction) - self.share).max(0.0);
                self.share += missing * -(-hours / ADOPTION_HOURS).exp_m1();
            }
        }
    }

    /// Share of users who end up with the new build if the offer stays as it is.
    fn reachable(self, fraction: f64) -> f64 {
        match self.platform {
            Platform::Android => fraction,
            Platform::Ios => UPDATES_BY_HAND + (1.0 - UPDATES_BY_HAND) * fraction,
        }
    }

    /// Use of the new build over that right after the update.
    fn novelty(self) -> f64 {
        ORDINARY_USE + (1.0 - ORDINARY_USE) * (-self.hours / NOVELTY_HOURS).exp()
    }

    /// Sessions per hour of the new build that are generated, at an ordinary hour.
    pub fn sessions_per_hour(self, installations: u32, exposure: Exposure) -> f64 {
        let everybody = f64::from(installations) * ACTIVE_SHARE * SESSIONS_PER_ACTIVE_USER / DAY_HOURS;
        let generated = match exposure.status {
            RolloutStatus::Pending | RolloutStatus::RollingOut => 1.0,
            RolloutStatus::Halted => HALTED_THINNING,
            RolloutStatus::Completed => COMPLETED_THINNING,
        };
        everybody * self.share * self.novelty() * self.use_of_halted * generated
    }

    /// The people on the new build: those with the lowest numbers, so that everybody who has it keeps it.
    pub fn people(self, installations: u32) -> Range<u32> {
        let adopted = (f64::from(installations) * self.share) as u32;
        0..adopted.max(1)
    }
}

/// Traffic at a local time over the mean of a working day: 1 - 0.6 cos(2 pi (h - 4) / 24), less on the weekend.
pub fn rhythm(local: &Zoned) -> f64 {
    /// Minutes of an hour.
    const HOUR_MINUTES: f64 = 60.0;
    let hour = f64::from(local.hour()) + f64::from(local.minute()) / HOUR_MINUTES;
    let turn = std::f64::consts::TAU * (hour - QUIETEST_HOUR) / DAY_HOURS;
    let day = match local.weekday() {
        Weekday::Saturday | Weekday::Sunday => WEEKEND,
        _ => 1.0,
    };
    day * (1.0 - DAILY_SWING * turn.cos())
}

/// Something that happens at a rate, evenly: what is due is carried over until it makes a whole one.
#[derive(Debug, Clone, Copy)]
pub struct Flow(f64);

impl Flow {
    pub fn new(rng: &mut ChaCha8Rng) -> Self {
        Self(rng.random())
    }

    /// How many happen while so many are expected.
    pub fn next(&mut self, expected: f64) -> u32 {
        self.0 += expected;
        let whole = self.0.floor();
        self.0 -= whole;
        whole as u32
    }
}

/// One crash in every `1 / rate` sessions, somewhere in the middle half of them, so that neither chance nor a crash in
/// the very first sessions changes the outcome.
#[derive(Debug, Clone, Copy)]
pub struct EvenCrashes {
    sessions_per_crash: f64,
    sessions: f64,
    crash_at: f64,
}

impl EvenCrashes {
    /// Where in its stretch of sessions the crash may be.
    const MIDDLE: Range<f64> = 0.25..0.75;

    pub fn new(rate: f64, rng: &mut ChaCha8Rng) -> Self {
        let sessions_per_crash = rate.recip();
        Self {
            sessions_per_crash,
            sessions: 0.0,
            crash_at: sessions_per_crash * rng.random_range(Self::MIDDLE),
        }
    }

    /// Whether the next session crashes.
    pub fn next(&mut self, rng: &mut ChaCha8Rng) -> bool {
        self.sessions += 1.0;
        if self.sessions < self.crash_at {
            return false;
        }
        let next_stretch =
            ((self.crash_at / self.sessions_per_crash).floor() + 1.0) * self.sessions_per_crash;
        self.crash_at = next_stretch + self.sessions_per_crash * rng.random_range(Self::MIDDLE);
        true
    }
}

/// A session of a person: the first of a visit is a cold start, the others follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    pub person: u32,
    /// Number of the first session of the visit.
    pub first_session: u64,
    /// 0 for a cold start.
    pub index: u32,
}

/// The people who use the app these hours.
#[derive(Debug, Clone, Default)]
pub struct Visitors {
    recent: Vec<Visit>,
    oldest: usize,
}

impl Visitors {
    /// People who are around at the same time.
    const AROUND: usize = 200;

    /// Who has the next session: somebody new of `people`, or somebody who is around, so that each visit has three
    /// sessions on average.
    pub fn next(&mut self, session: u64, people: Range<u32>, rng: &mut ChaCha8Rng) -> Visit {
        let comes = self.recent.is_empty() || rng.random_bool(SESSIONS_PER_ACTIVE_USER.recip());
        if comes {
            let visit = Visit { person: rng.random_range(people), first_session: session, index: 0 };
            self.welcome(visit);
            return visit;
        }
        let place = rng.random_range(0..self.recent.len());
        let visit = &mut self.recent[place];
        visit.index += 1;
        *visit
    }

    fn welcome(&mut self, visit: Visit) {
        if self.recent.len() < Self::AROUND {
            self.recent.push(visit);
            return;
        }
        self.recent[self.oldest] = visit;
        self.oldest = (self.oldest + 1) % Self::AROUND;
    }
}

/// Microseconds of a second, a minute and an hour.
pub const SECOND_US: i64 = 1_000_000;
pub const MINUTE_US: i64 = 60 * SECOND_US;
pub const HOUR_US: i64 = 60 * MINUTE_US;

/// Share of the sessions that arrive within minutes.
const PROMPT_SESSIONS: f64 = 0.78;
/// The delay of those.
const PROMPT_SESSION_US: Range<i64> = 5 * SECOND_US..4 * MINUTE_US;
/// The delay of the others: the app was closed before it could send.
const LATE_SESSION_US: Range<i64> = 4 * MINUTE_US..3 * HOUR_US;

/// How long after its start a session arrives, in microseconds.
pub fn session_delay_us(rng: &mut ChaCha8Rng) -> i64 {
    let prompt = rng.random_bool(PROMPT_SESSIONS);
    rng.random_range(if prompt { PROMPT_SESSION_US } else { LATE_SESSION_US })
}

/// Share of the crash reports that arrive within minutes.
const PROMPT_REPORTS: f64 = 0.6;
/// The delay of those.
const PROMPT_REPORT_US: Range<i64> = 2 * SECOND_US..5 * MINUTE_US;
/// Share of the crash reports that arrive at the next start of the app, hours later.
const NEXT_START_REPORTS: f64 = 0.3;
/// The mean delay of those.
const NEXT_START_HOURS: f64 = 4.0;
/// The delay of the rest, which come days later.
const STRAGGLER_US: Range<i64> = 6 * HOUR_US..48 * HOUR_US;

/// How long after its crash a report arrives, in microseconds: at most two days.
pub fn report_delay_us(rng: &mut ChaCha8Rng) -> i64 {
    let kind: f64 = rng.random();
    if kind < PROMPT_REPORTS {
        return rng.random_range(PROMPT_REPORT_US);
    }
    if kind < PROMPT_REPORTS + NEXT_START_REPORTS {
        let uniform: f64 = rng.random();
        let hours = -NEXT_START_HOURS * (-uniform).ln_1p();
        return PROMPT_REPORT_US.end
            + ((hours * HOUR_US as f64) as i64).min(STRAGGLER_US.end - PROMPT_REPORT_US.end);
    }
    rng.random_range(STRAGGLER_US)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(1)
    }

    fn offered(fraction: f64, status: RolloutStatus) -> Exposure {
        Exposure { fraction, status }
    }

    #[test]
    fn the_share_follows_the_offer_and_stays_when_halted() {
        let mut adoption = Adoption::none(Platform::Android);
        adoption.pass(ADOPTION_HOURS, offered(0.15, RolloutStatus::RollingOut));
        assert!((adoption.share - 0.15 * 0.632).abs() < 1e-4);
        let before = adoption.share;
        adoption.pass(48.0, offered(0.15, RolloutStatus::Halted));
        assert_eq!(adoption.share, before);
        assert!(adoption.use_of_halted < 0.7);
        adoption.pass(48.0, offered(0.01, RolloutStatus::RollingOut));
        assert_eq!(adoption.share, before, "nobody goes back");
    }

    #[test]
    fn ios_users_update_by_hand_as_well() {
        let mut adoption = Adoption::none(Platform::Ios);
        adoption.pass(1000.0, offered(0.01, RolloutStatus::RollingOut));
        assert!((adoption.share - 0.1585).abs() < 1e-6);
    }

    #[test]
    fn the_day_has_a_mean_of_one_and_is_quietest_at_four() {
        let at = |minute: i64| {
            let zoned = jiff::civil::date(2026, 11, 17).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
            rhythm(&(zoned + jiff::SignedDuration::from_mins(minute)))
        };
        let mean: f64 = (0..1440).map(at).sum::<f64>() / 1440.0;
        assert!((mean - 1.0).abs() < 1e-9);
        assert!((at(240) - 0.4).abs() < 1e-9 && (at(960) - 1.6).abs() < 1e-9);
    }

    #[test]
    fn crashes_come_at_their_rate_and_never_first() {
        let mut rng = rng();
        let mut crashes = EvenCrashes::new(0.01, &mut rng);
        let crashed: Vec<u32> = (1..=10_000).filter(|_| crashes.next(&mut rng)).collect();
        assert_eq!(crashed.len(), 100);
        assert!(
            crashed
                .iter()
                .zip(0..)
                .all(|(at, stretch)| (stretch * 100 + 25..=stretch * 100 + 76).contains(at))
        );
    }

    #[test]
    fn a_flow_loses_nothing() {
        let mut flow = Flow::new(&mut rng());
        let total: u32 = (0..1000).map(|_| flow.next(0.3)).sum();
        assert!((299..=301).contains(&total));
    }

    #[test]
    fn a_visit_has_three_sessions_on_average() {
        let (mut rng, mut visitors) = (rng(), Visitors::default());
        let visits: Vec<Visit> = (0..30_000).map(|n| visitors.next(n, 0..1000, &mut rng)).collect();
        let first = visits.iter().filter(|visit| visit.index == 0).count();
        assert!((9_500..10_500).contains(&first));
        assert!(visits.iter().zip(0u64..).all(|(visit, n)| (visit.first_session == n) == (visit.index == 0)));
    }

    #[test]
    fn most_events_arrive_at_once_and_all_within_two_days() {
        let mut rng = rng();
        let share = |delays: &[i64], limit: i64| {
            delays.iter().filter(|delay| **delay <= limit).count() as f64 / delays.len() as f64
        };
        let sessions: Vec<i64> = (0..10_000).map(|_| session_delay_us(&mut rng)).collect();
        let reports: Vec<i64> = (0..10_000).map(|_| report_delay_us(&mut rng)).collect();
        assert!((0.75..0.80).contains(&share(&sessions, 4 * MINUTE_US)));
        assert_eq!(share(&sessions, 3 * HOUR_US), 1.0);
        assert!((0.57..0.64).contains(&share(&reports, 5 * MINUTE_US)));
        assert_eq!(share(&reports, 48 * HOUR_US), 1.0);
    }
}
