//! What the questions of a daily report are asked with, and the rows that they answer.
//!
//! The same four stretches of time are asked of sessions and of crashes, so that what is counted on one side has its
//! counterpart on the other. Totals come in one row: an answer without it is no answer, and none says "zero" by being empty.

use super::rows::{Cells, WrongRow};
use super::{Cell, Kind, Row};

/// One thing for each stretch that a daily report tells of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Stretches<T> {
    /// Of the whole cycle of a release.
    pub cycle: T,
    /// Of its last whole day.
    pub last_day: T,
    /// Of the release before, in a stretch of its own.
    pub then: T,
    /// Of the release again, over as much of its life.
    pub now: T,
}

impl<T> Stretches<T> {
    /// The same of something else.
    pub fn map<U>(self, mut of: impl FnMut(T) -> U) -> Stretches<U> {
        Stretches {
            cycle: of(self.cycle),
            last_day: of(self.last_day),
            then: of(self.then),
            now: of(self.now),
        }
    }

    /// Each with its counterpart.
    pub fn zip<U>(self, other: Stretches<U>) -> Stretches<(T, U)> {
        Stretches {
            cycle: (self.cycle, other.cycle),
            last_day: (self.last_day, other.last_day),
            then: (self.then, other.then),
            now: (self.now, other.now),
        }
    }

    /// All four.
    pub fn all(self) -> [T; 4] {
        [self.cycle, self.last_day, self.then, self.now]
    }
}

/// What the questions of a daily report ask for beside the window of the scan and the names of the release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DailyParameters {
    /// First instant inside and first instant outside of each stretch, in microseconds since 1970.
    pub stretches_us: Stretches<(i64, i64)>,
    /// The builds of the release before.
    pub earlier_builds: Vec<String>,
    /// Its version, for sources without builds; one at most.
    pub earlier_versions: Vec<String>,
    /// The package or bundle id and the platform, where a table holds several; empty where it holds one app.
    pub application: Option<(String, String)>,
}

/// The columns of `session_totals`.
pub(super) const SESSION_TOTALS: &[(&str, Kind)] = &[
    ("cycle_sessions", Kind::Integer),
    ("cycle_users", Kind::Integer),
    ("day_sessions", Kind::Integer),
    ("day_users", Kind::Integer),
    ("then_sessions", Kind::Integer),
    ("then_users", Kind::Integer),
    ("now_sessions", Kind::Integer),
    ("now_users", Kind::Integer),
    ("newest_us", Kind::Integer),
];

/// The columns of `crash_totals`.
pub(super) const CRASH_TOTALS: &[(&str, Kind)] = &[
    ("cycle_crashed_sessions", Kind::Integer),
    ("cycle_crashed_users", Kind::Integer),
    ("day_crashed_sessions", Kind::Integer),
    ("day_crashed_users", Kind::Integer),
    ("then_crashed_sessions", Kind::Integer),
    ("then_crashed_users", Kind::Integer),
    ("now_crashed_sessions", Kind::Integer),
    ("now_crashed_users", Kind::Integer),
    ("newest_us", Kind::Integer),
];

/// The columns of `top_crashes`.
pub(super) const TOP_CRASHES: &[(&str, Kind)] = &[
    ("place", Kind::Integer),
    ("issue", Kind::Text),
    ("title", Kind::Text),
    ("subtitle", Kind::Text),
    ("fatal", Kind::Integer),
    ("events", Kind::Integer),
    ("users", Kind::Integer),
    ("seen_before", Kind::Integer),
];

/// Sessions, or crashed sessions, and the people who had them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// Different sessions.
    pub sessions: u64,
    /// Different people.
    pub users: u64,
}

/// The row of `session_totals` and of `crash_totals`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TotalsRow {
    /// What was counted in each stretch.
    pub stretches: Stretches<Total>,
    /// The newest event of any version, in microseconds since 1970; none where there is none.
    pub newest_us: Option<i64>,
}

/// A row of `top_crashes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopCrashRow {
    /// Its place among all, from 1.
    pub place: u64,
    /// The id of the issue.
    pub issue: String,
    /// Its title, where a report has one.
    pub title: Option<String>,
    /// Its subtitle, where the report with the title has one.
    pub subtitle: Option<String>,
    /// 1 where a report is fatal, 0 where all are foreground ANRs.
    pub fatal: u64,
    /// Reports of the release in the cycle.
    pub events: u64,
    /// Different installations that sent them.
    pub users: u64,
    /// 1 where another version had it too.
    pub seen_before: u64,
}

impl Row for TotalsRow {
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow> {
        let mut cells = Cells::new(cells);
        let mut total =
            |sessions, users| Ok(Total { sessions: cells.count(sessions)?, users: cells.count(users)? });
        let stretches = Stretches {
            cycle: total("sessions of the cycle", "users of the cycle")?,
            last_day: total("sessions of the day", "users of the day")?,
            then: total("sessions of then", "users of then")?,
            now: total("sessions of now", "users of now")?,
        };
        Ok(Self { stretches, newest_us: cells.integer_or_nothing("newest_us")? })
    }
}

impl Row for TopCrashRow {
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow> {
        let mut cells = Cells::new(cells);
        Ok(Self {
            place: cells.count("place")?,
            issue: cells.some_text("issue")?,
            title: cells.text("title")?,
            subtitle: cells.text("subtitle")?,
            fatal: cells.count("fatal")?,
            events: cells.count("events")?,
            users: cells.count("users")?,
            seen_before: cells.count("seen_before")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_in_the_order_of_the_columns() {
        for columns in [SESSION_TOTALS, CRASH_TOTALS] {
            let cells = (1..).take(columns.len()).map(Cell::Integer).collect();
            let row = TotalsRow::read(cells).unwrap();
            let numbers = row.stretches.all().map(|total| [total.sessions, total.users]);
            assert_eq!((numbers, row.newest_us), ([[1, 2], [3, 4], [5, 6], [7, 8]], Some(9)));
        }
    }

    #[test]
    fn a_missing_number_is_no_zero() {
        let mut cells = vec![Cell::Integer(0); SESSION_TOTALS.len()];
        cells[1] = Cell::Null;
        let error = TotalsRow::read(cells).unwrap_err().to_string();
        assert!(error.contains("users of the cycle"), "{error}");
        assert!(TopCrashRow::read(vec![Cell::Integer(1), Cell::Null]).is_err(), "an issue has an id");
    }
}
