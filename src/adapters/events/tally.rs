//! The rows of a reading, summed up per day. A day of the window without rows was read and is known to be empty.

use std::collections::BTreeMap;

use crate::domain::calendar::{UtcDay, Window};
use crate::domain::counts::{DayCrashes, DaySessions};
use crate::queries::{CrashRow, SessionRow};

/// The sessions of each day of the window.
pub fn sessions_per_day<'r>(window: Window, rows: impl Iterator<Item = &'r SessionRow>) -> Vec<DaySessions> {
    let mut days: BTreeMap<UtcDay, DaySessions> =
        window.days().map(|day| (day, DaySessions::none(day))).collect();
    let mut people: BTreeMap<UtcDay, Vec<(i64, u32)>> = BTreeMap::new();
    for row in rows {
        let number = UtcDay::from_number(row.day);
        let day = days.entry(number).or_insert_with(|| DaySessions::none(number));
        day.sessions += row.sessions;
        day.mature_sessions += row.mature_sessions;
        people.entry(number).or_default().extend(row.fingerprint.map(|fingerprint| (fingerprint, 0)));
    }
    for (day, people) in people {
        days.entry(day).and_modify(|sessions| sessions.users.extend(people));
    }
    days.into_values().collect()
}

/// The crashes of each day of the window.
pub fn crashes_per_day<'r>(window: Window, rows: impl Iterator<Item = &'r CrashRow>) -> Vec<DayCrashes> {
    let mut days: BTreeMap<UtcDay, DayCrashes> =
        window.days().map(|day| (day, DayCrashes::none(day))).collect();
    let mut people: BTreeMap<UtcDay, Vec<(i64, u32)>> = BTreeMap::new();
    for row in rows {
        let number = UtcDay::from_number(row.day);
        let day = days.entry(number).or_insert_with(|| DayCrashes::none(number));
        day.crashed_sessions += row.crashed_sessions;
        day.mature_crashed_sessions += row.mature_crashed_sessions;
        day.fatal_events += row.fatal_events;
        day.foreground_anr_events += row.foreground_anr_events;
        people.entry(number).or_default().extend(row.fingerprint.map(|print| (print, row.crashes)));
    }
    for (day, people) in people {
        days.entry(day).and_modify(|crashes| crashes.installations.extend(people));
    }
    days.into_values().collect()
}
