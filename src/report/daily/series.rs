//! The lines of a chart from the looks at a release: which points are drawn, what is marked, how axes are divided.
//!
//! Few points are as good as many on a screen, so looks are thinned; the first, the newest and every mark stay. The axis of
//! the rate begins where there is something to see, which a caption says: the band of the first sessions is as wide as the
//! whole scale and would flatten everything after it.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan as _};

use crate::domain::daily::{Look, ReleasePage};
use crate::domain::judge::Decision;
use crate::domain::rate::Rate;

/// What happened at a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// The release was to be stopped.
    Halt,
    /// People were warned.
    Warn,
    /// The release was to be offered to everybody.
    FastTrack,
    /// The release was to be offered to more users, by the next step of its rollout.
    Step,
    /// A person resumed the release: counting began anew.
    Resume,
}

impl MarkKind {
    /// Every kind, in the order of a legend.
    pub const ALL: [Self; 5] = [Self::Halt, Self::Warn, Self::FastTrack, Self::Step, Self::Resume];

    /// The letter inside its shape.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Halt => "H",
            Self::Warn => "W",
            Self::FastTrack => "F",
            Self::Step => "S",
            Self::Resume => "R",
        }
    }

    /// What it means.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Halt => "halt",
            Self::Warn => "warning",
            Self::FastTrack => "fast-track",
            Self::Step => "next step",
            Self::Resume => "resume, counted anew",
        }
    }

    fn of(decision: Decision) -> Option<Self> {
        match decision {
            Decision::Halt => Some(Self::Halt),
            Decision::Warn => Some(Self::Warn),
            Decision::FastTrack => Some(Self::FastTrack),
            Decision::Advance | Decision::Complete => Some(Self::Step),
            Decision::None
            | Decision::Continue
            | Decision::Hold
            | Decision::InsufficientData
            | Decision::StaleData
            | Decision::Overridden
            | Decision::Error => None,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: MarkKind,
}

/// The looks at which something else was decided than at the one before.
#[must_use]
pub fn changes(history: &[Look]) -> Vec<&Look> {
    let before = std::iter::once(None).chain(history.iter().map(|look| Some(look.decision)));
    history
        .iter()
        .zip(before)
        .filter(|(look, before)| *before != Some(look.decision))
        .map(|(look, _)| look)
        .collect()
}

/// What happened to a release, oldest first.
#[must_use]
pub fn marks(release: &ReleasePage) -> Vec<Mark> {
    let decided = changes(&release.history).into_iter();
    let mut marks: Vec<Mark> = decided
        .filter_map(|look| MarkKind::of(look.decision).map(|kind| Mark { at: look.at, kind }))
        .collect();
    let began = release.history.first().map(|look| look.at);
    if began.is_some_and(|began| began < release.cycle_start) {
        marks.push(Mark { at: release.cycle_start, kind: MarkKind::Resume });
    }
    marks.sort_by_key(|mark| mark.at);
    marks
}

/// At most so many looks that have a rate, with the first, the newest, and the changes as far as there is room.
#[must_use]
pub fn thinned(history: &[Look], most: usize) -> Vec<&Look> {
    let counted: Vec<&Look> = history.iter().filter(|look| look.rate.is_some()).collect();
    if counted.len() <= most || most < 2 {
        return counted.into_iter().take(most.max(1)).collect();
    }
    let last = counted.len() - 1;
    (0..most).filter_map(|index| counted.get(index * last / (most - 1)).copied()).collect()
}

/// The stretch of the axis of a rate: from what there is to see up to everything. The rate and the objective are always in
/// it; a band that is much wider than what lies between them is cut off, or nothing else could be told apart.
#[must_use]
pub fn rate_axis(points: &[&Look], objective: Rate) -> (f64, f64) {
    /// Below everything that must be seen there is room for half of it again.
    const LEAST: f64 = 1.5;
    /// A band that is deeper than so many times of it is cut off.
    const MOST: f64 = 2.2;
    /// Room below the lowest value, as a share of the height.
    const ROOM: f64 = 1.08;
    // The first looks have few sessions: their rates jump, and their bands are wide.
    let settled = || points.iter().skip(points.len() / 3);
    let deepest = |value: fn(&Look) -> Option<f64>| {
        settled().filter_map(|look| value(look)).map(|ratio| 1.0 - ratio).fold(0.0, f64::max)
    };
    let seen = deepest(|look| look.rate).max(objective.complement()).max(f64::EPSILON);
    let depth = deepest(|look| look.lower).clamp(seen * LEAST, seen * MOST);
    ((1.0 - depth * ROOM).max(0.0), 1.0)
}

/// Round numbers that divide a stretch into at most so many parts.
#[must_use]
pub fn ticks(from: f64, to: f64, most: usize) -> Vec<f64> {
    let stretch = to - from;
    if !(stretch.is_finite() && stretch > 0.0) || most == 0 {
        return vec![from];
    }
    let magnitude = 10f64.powf((stretch / most as f64).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude);
    let step = steps.into_iter().find(|step| stretch / step <= most as f64).unwrap_or(stretch);
    let (first, last) = ((from / step).ceil() as i64, (to / step + 1e-9).floor() as i64);
    (first..=last).map(|number| number as f64 * step).collect()
}

/// Round local times that divide a stretch of time into at most so many parts, each with its label. No two labels are the
/// same.
#[must_use]
pub fn time_ticks(from: Timestamp, to: Timestamp, zone: &TimeZone, most: usize) -> Vec<(Timestamp, String)> {
    /// Lengths of a step in hours, up to a day.
    const HOURS: [i64; 5] = [1, 2, 4, 6, 12];
    /// Lengths of a step in days.
    const DAYS: [i64; 8] = [1, 2, 3, 7, 14, 30, 90, 365];
    const HOURS_OF_A_DAY: i64 = 24;
    let fits = |hours: i64| to.duration_since(from).as_hours() / hours <= most.max(1) as i64;
    let hours = HOURS.into_iter().find(|hours| fits(*hours));
    let days = DAYS.into_iter().find(|days| fits(days * HOURS_OF_A_DAY)).unwrap_or(365);
    let (step, format): (Span, &str) = match hours {
        Some(hours) => (hours.hours(), "%a %H:%M"),
        None => (days.days(), "%a %-d %b"),
    };
    let start = from.to_zoned(zone.clone()).datetime().date().to_datetime(Time::midnight());
    let every = start.series(step).take_while(|at| at.date() <= to.to_zoned(zone.clone()).date());
    every
        .filter_map(|at| at.to_zoned(zone.clone()).ok())
        .filter(|at| (from..=to).contains(&at.timestamp()))
        .map(|at| (at.timestamp(), at.strftime(format).to_string()))
        .collect()
}

/// From the first look to the newest; at least an hour, so that one look is no line without a length.
#[must_use]
pub fn span(points: &[&Look]) -> Option<(Timestamp, Timestamp)> {
    let (first, last) = (points.first()?.at, points.last()?.at);
    let least = first.checked_add(SignedDuration::from_hours(1)).unwrap_or(first);
    Some((first, last.max(least)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::DecisionId;
    use crate::domain::verdict::Reason;
    use proptest::prelude::*;

    fn look(minute: i64, decision: Decision, rate: Option<f64>) -> Look {
        Look {
            at: Timestamp::from_second(1_763_370_000 + minute * 60).unwrap(),
            id: DecisionId::new("d-0123456789abcdef").unwrap(),
            decision,
            reason: Reason::NothingToDo,
            sessions: 100,
            crashed_sessions: 1,
            rate,
            lower: rate.map(|rate| rate - 0.001),
            upper: rate.map(|rate| rate + 0.001),
            user_fraction: None,
        }
    }

    #[test]
    fn only_a_change_of_the_decision_is_a_change() {
        let of = [Decision::Continue, Decision::Continue, Decision::Warn, Decision::Warn, Decision::Halt];
        let history: Vec<Look> = (0..).zip(of).map(|(minute, of)| look(minute, of, None)).collect();
        let found: Vec<Decision> = changes(&history).iter().map(|look| look.decision).collect();
        assert_eq!(found, [Decision::Continue, Decision::Warn, Decision::Halt]);
    }

    #[test]
    fn what_was_done_to_a_release_has_a_mark_and_what_was_only_thought_has_none() {
        let marked = |decision| MarkKind::of(decision).map(MarkKind::letter);
        let all =
            [Decision::Halt, Decision::Warn, Decision::FastTrack, Decision::Advance, Decision::Complete];
        assert_eq!(all.map(marked), ["H", "W", "F", "S", "S"].map(Some));
        assert_eq!([Decision::Hold, Decision::Continue, Decision::StaleData].map(marked), [None; 3]);
        let letters: std::collections::BTreeSet<&str> =
            MarkKind::ALL.into_iter().map(MarkKind::letter).collect();
        assert_eq!(letters.len(), MarkKind::ALL.len(), "no two kinds look alike");
    }

    #[test]
    fn round_numbers_divide_an_axis() {
        assert_eq!(ticks(0.0, 1.0, 2), [0.0, 0.5, 1.0]);
        let shown: Vec<String> = ticks(0.9981, 1.0, 4).iter().map(|tick| format!("{tick:.4}")).collect();
        assert_eq!(shown, ["0.9985", "0.9990", "0.9995", "1.0000"]);
        assert_eq!(ticks(1.0, 1.0, 4), [1.0]);
        assert_eq!(ticks(0.0, f64::NAN, 4), [0.0]);
    }

    #[test]
    fn days_begin_at_local_midnight_when_the_clocks_change() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let (from, to) = ("2026-10-24T10:00:00Z".parse().unwrap(), "2026-10-27T10:00:00Z".parse().unwrap());
        let days: Vec<String> =
            time_ticks(from, to, &zone, 4).iter().map(|(at, label)| format!("{label} {at}")).collect();
        assert_eq!(
            days,
            [
                "Sun 25 Oct 2026-10-24T22:00:00Z",
                "Mon 26 Oct 2026-10-25T23:00:00Z",
                "Tue 27 Oct 2026-10-26T23:00:00Z"
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn thinning_keeps_both_ends_and_the_order(length in 0_i64..400, most in 2_usize..70) {
            let history: Vec<Look> =
                (0..length).map(|minute| look(minute, Decision::Continue, Some(0.99))).collect();
            let points = thinned(&history, most);
            prop_assert!(points.len() <= most && points.len() == (length as usize).min(most));
            prop_assert_eq!(points.first().map(|look| look.at), history.first().map(|look| look.at));
            prop_assert_eq!(points.last().map(|look| look.at), history.last().map(|look| look.at));
            prop_assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
        }

        #[test]
        fn an_axis_holds_its_newest_rate_and_the_objective(rate in 0.0_f64..1.0, objective in 0.9_f64..0.99999) {
            let newest = look(0, Decision::Continue, Some(rate));
            let (from, to) = rate_axis(&[&newest], Rate::new(objective).unwrap());
            prop_assert!(from <= rate && from < objective && to == 1.0);
        }

        #[test]
        fn ticks_are_inside_and_few(from in -10.0_f64..10.0, length in 1e-6_f64..1e6, most in 1_usize..9) {
            let found = ticks(from, from + length, most);
            prop_assert!(found.len() <= most + 1);
            prop_assert!(found.iter().all(|tick| *tick >= from - length * 1e-6 && *tick <= from + length * (1.0 + 1e-6)));
        }

        #[test]
        fn labels_of_a_time_axis_differ(start in 0_i64..2_000_000_000, hours in 1_i64..9_000, most in 2_usize..9) {
            let from = Timestamp::from_second(start).unwrap();
            let to = Timestamp::from_second(start + hours * 3_600).unwrap();
            let zone = TimeZone::get("America/New_York").unwrap();
            let mut labels: Vec<String> = time_ticks(from, to, &zone, most).into_iter().map(|(_, label)| label).collect();
            let count = labels.len();
            labels.sort();
            labels.dedup();
            prop_assert_eq!(labels.len(), count);
        }
    }
}
