//! The parameters that every question is asked with: windows that start and end at events and just after them, and lists
//! that could be misread.

use jiff::SignedDuration;
use tidegate::queries::{DailyParameters, Parameters, Stretches};

use super::rows::{
    AFTER_LAST_DAY, BUILDS, EARLIEST, FIRST_DAY, FROM, LATEST, MATURE, MIDNIGHT, TO, VERSIONS,
};
use crate::support::at;

/// Sets of parameters that a table or a spoiled query asks for by name.
pub const WANTED: &str = "builds and a version";
pub const STRANGE_BUILDS: &str = "strange builds";
pub const STRANGE_VERSIONS: &str = "strange versions";
pub const EVENT_TO_EVENT: &str = "from an event to an event";
pub const ONE_DAY: &str = "a day";
pub const SMALL_SKETCH: &str = "a small sketch";
/// Fewer than the people of a day among the rows.
const SMALL_SKETCH_SIZE: i64 = 5;

/// What is asked.
pub struct Set {
    pub name: &'static str,
    pub parameters: Parameters,
    /// Another size than the real one, so that few people are many.
    pub sketch_size: Option<i64>,
}

fn set(name: &'static str, window: [&str; 2], mature: &str, builds: &[&str], versions: &[&str]) -> Set {
    let micros = |instant: &str| at(instant).as_microsecond();
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let parameters = Parameters {
        from_us: micros(window[0]),
        to_us: micros(window[1]),
        mature_us: micros(mature),
        builds: owned(builds),
        versions: owned(versions),
        daily: daily(window.map(micros), micros(mature), builds, versions),
    };
    Set { name, parameters, sketch_size: None }
}

/// The stretches of a daily report in a window: the day and the release before begin or end where others do.
fn daily([from, to]: [i64; 2], mature: i64, builds: &[&str], versions: &[&str]) -> DailyParameters {
    let of_first = |names: &[&str], other: &str| match names.first() {
        Some(_) => vec![other.to_owned()],
        None => Vec::new(),
    };
    let midnight = at(MIDNIGHT).as_microsecond();
    DailyParameters {
        stretches_us: Stretches {
            cycle: (from, to),
            last_day: (mature, midnight),
            then: (from, midnight),
            now: (from, mature),
        },
        earlier_builds: of_first(builds, "20"),
        earlier_versions: if builds.is_empty() { of_first(versions, "2.0-rc1") } else { Vec::new() },
        application: None,
    }
}

/// Every set.
pub fn sets() -> Vec<Set> {
    let all = [FIRST_DAY, AFTER_LAST_DAY];
    let after = |instant: &str| (at(instant) + SignedDuration::from_micros(1)).to_string();
    let (from, to, mature) = (after(FROM), after(TO), after(MATURE));
    let small = set(SMALL_SKETCH, all, MATURE, &["200"], &["2.0"]);
    vec![
        set(WANTED, all, MATURE, &["200", "201"], &["2.0"]),
        set("a build", all, MATURE, &["20"], &[]),
        set("nothing wanted", all, TO, &[], &[]),
        set("empty names", all, MATURE, &[""], &[""]),
        set(STRANGE_BUILDS, all, MATURE, &BUILDS, &[]),
        set(STRANGE_VERSIONS, all, MATURE, &[], &VERSIONS),
        set("names in the wrong case", all, MATURE, &["20A"], &["2.0-Rc1"]),
        set(EVENT_TO_EVENT, [FROM, TO], MATURE, &["200"], &["2.0"]),
        set("just after events", [&from, &to], &mature, &["200"], &["2.0"]),
        set(ONE_DAY, [MIDNIGHT, "2026-11-19T00:00:00Z"], MIDNIGHT, &["200"], &["2.0-rc1"]),
        set("all of time", [EARLIEST, LATEST], "1970-01-01T00:00:00Z", &["200"], &["2.0"]),
        set("no time at all", [MIDNIGHT, MIDNIGHT], MIDNIGHT, &["200"], &["2.0"]),
        Set { sketch_size: Some(SMALL_SKETCH_SIZE), ..small },
    ]
}
