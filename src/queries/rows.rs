//! The rows that the questions answer. Engines answer cells; only this file knows which column is which.

use super::Kind;

/// One value of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// NULL.
    Null,
    /// An INT64.
    Integer(i64),
    /// A STRING.
    Text(String),
}

/// An answer that does not have the columns that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column} of the answer holds {found:?} instead of {wanted}")]
pub struct WrongRow {
    column: &'static str,
    found: Option<Cell>,
    wanted: &'static str,
}

/// A typed row.
pub trait Row: Sized {
    /// Reads the cells, in the order in which the question selects them.
    ///
    /// # Errors
    /// [`WrongRow`] names the first column that is not what was asked for.
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow>;
}

/// Takes one cell after the other.
pub(super) struct Cells(std::vec::IntoIter<Cell>);

impl Cells {
    pub(super) fn new(cells: Vec<Cell>) -> Self {
        Self(cells.into_iter())
    }

    fn integer(&mut self, column: &'static str) -> Result<i64, WrongRow> {
        match self.0.next() {
            Some(Cell::Integer(value)) => Ok(value),
            found => Err(WrongRow { column, found, wanted: "a whole number" }),
        }
    }

    pub(super) fn count<N: TryFrom<i64>>(&mut self, column: &'static str) -> Result<N, WrongRow> {
        let value = self.integer(column)?;
        let found = Some(Cell::Integer(value));
        N::try_from(value).map_err(|_| WrongRow { column, found, wanted: "a count" })
    }

    fn fingerprint(&mut self) -> Result<Option<i64>, WrongRow> {
        self.integer_or_nothing("fingerprint")
    }

    pub(super) fn integer_or_nothing(&mut self, column: &'static str) -> Result<Option<i64>, WrongRow> {
        match self.0.next() {
            Some(Cell::Integer(value)) => Ok(Some(value)),
            Some(Cell::Null) => Ok(None),
            found => Err(WrongRow { column, found, wanted: "a whole number or nothing" }),
        }
    }

    pub(super) fn some_text(&mut self, column: &'static str) -> Result<String, WrongRow> {
        match self.0.next() {
            Some(Cell::Text(value)) => Ok(value),
            found => Err(WrongRow { column, found, wanted: "text" }),
        }
    }

    pub(super) fn text(&mut self, column: &'static str) -> Result<Option<String>, WrongRow> {
        match self.0.next() {
            Some(Cell::Text(value)) => Ok(Some(value)),
            Some(Cell::Null) => Ok(None),
            found => Err(WrongRow { column, found, wanted: "text or nothing" }),
        }
    }
}

/// A row that belongs to a version and a build of an app.
pub trait OfRelease {
    /// The platform, where the table holds several.
    fn platform(&self) -> Option<&str> {
        None
    }
    /// The package or bundle id, where the table holds several.
    fn application(&self) -> Option<&str> {
        None
    }
    /// The version, where the row has one.
    fn version(&self) -> Option<&str>;
    /// The build, where the row has one.
    fn build(&self) -> Option<&str>;
}

macro_rules! of_release {
    ($($row:ty { $($column:ident),* }),+) => {$(
        impl OfRelease for $row {
            $(fn $column(&self) -> Option<&str> {
                self.$column.as_deref()
            })*
            fn version(&self) -> Option<&str> {
                self.version.as_deref()
            }
            fn build(&self) -> Option<&str> {
                self.build.as_deref()
            }
        }
    )+};
}

of_release!(CrashRow {}, SessionRow { platform, application }, FirstSession { platform, application });

/// The columns of `crashes`.
pub(super) const CRASHES: &[(&str, Kind)] = &[
    ("day", Kind::Integer),
    ("version", Kind::Text),
    ("build", Kind::Text),
    ("fatal_events", Kind::Integer),
    ("foreground_anr_events", Kind::Integer),
    ("crashed_sessions", Kind::Integer),
    ("mature_crashed_sessions", Kind::Integer),
    ("newest_us", Kind::Integer),
    ("fingerprint", Kind::Integer),
    ("crashes", Kind::Integer),
];

/// The columns of `sessions`.
pub(super) const SESSIONS: &[(&str, Kind)] = &[
    ("day", Kind::Integer),
    ("platform", Kind::Text),
    ("application", Kind::Text),
    ("version", Kind::Text),
    ("build", Kind::Text),
    ("sessions", Kind::Integer),
    ("mature_sessions", Kind::Integer),
    ("newest_us", Kind::Integer),
    ("fingerprint", Kind::Integer),
];

/// The columns of `first_session`.
pub(super) const FIRST_SESSION: &[(&str, Kind)] = &[
    ("platform", Kind::Text),
    ("application", Kind::Text),
    ("version", Kind::Text),
    ("build", Kind::Text),
    ("first_us", Kind::Integer),
];

/// A row of `crashes`. The totals stand in one row of each day, version and build, and are 0 in the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashRow {
    /// Days since 1970, UTC.
    pub day: i64,
    /// The version, where the report has one.
    pub version: Option<String>,
    /// The build, where the report has one.
    pub build: Option<String>,
    /// FATAL reports.
    pub fatal_events: u64,
    /// Foreground ANR reports that are not also fatal.
    pub foreground_anr_events: u64,
    /// Different sessions with either.
    pub crashed_sessions: u64,
    /// The same before the mature cut.
    pub mature_crashed_sessions: u64,
    /// The newest report of any kind, in microseconds since 1970.
    pub newest_us: i64,
    /// The fingerprint of an installation that crashed.
    pub fingerprint: Option<i64>,
    /// How many crashes it had.
    pub crashes: u32,
}

/// A row of `sessions`. The totals stand in one row of each day, version and build, and are 0 in the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Days since 1970, UTC.
    pub day: i64,
    /// The platform, where the table holds several.
    pub platform: Option<String>,
    /// The package or bundle id, where the table holds several.
    pub application: Option<String>,
    /// The version, where the session has one.
    pub version: Option<String>,
    /// The build, where the source knows it.
    pub build: Option<String>,
    /// Different sessions.
    pub sessions: u64,
    /// The same before the mature cut.
    pub mature_sessions: u64,
    /// The newest session, in microseconds since 1970.
    pub newest_us: i64,
    /// The fingerprint of a person with a session.
    pub fingerprint: Option<i64>,
}

/// A row of `first_session`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstSession {
    /// The platform, where the table holds several.
    pub platform: Option<String>,
    /// The package or bundle id, where the table holds several.
    pub application: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// The build, where the source knows it.
    pub build: Option<String>,
    /// The first session, in microseconds since 1970.
    pub first_us: i64,
}

impl Row for CrashRow {
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow> {
        let mut cells = Cells::new(cells);
        Ok(Self {
            day: cells.integer("day")?,
            version: cells.text("version")?,
            build: cells.text("build")?,
            fatal_events: cells.count("fatal_events")?,
            foreground_anr_events: cells.count("foreground_anr_events")?,
            crashed_sessions: cells.count("crashed_sessions")?,
            mature_crashed_sessions: cells.count("mature_crashed_sessions")?,
            newest_us: cells.integer("newest_us")?,
            fingerprint: cells.fingerprint()?,
            crashes: cells.count("crashes")?,
        })
    }
}

impl Row for SessionRow {
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow> {
        let mut cells = Cells::new(cells);
        Ok(Self {
            day: cells.integer("day")?,
            platform: cells.text("platform")?,
            application: cells.text("application")?,
            version: cells.text("version")?,
            build: cells.text("build")?,
            sessions: cells.count("sessions")?,
            mature_sessions: cells.count("mature_sessions")?,
            newest_us: cells.integer("newest_us")?,
            fingerprint: cells.fingerprint()?,
        })
    }
}

impl Row for FirstSession {
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow> {
        let mut cells = Cells::new(cells);
        Ok(Self {
            platform: cells.text("platform")?,
            application: cells.text("application")?,
            version: cells.text("version")?,
            build: cells.text("build")?,
            first_us: cells.integer("first_us")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_count_is_refused_with_its_column() {
        let mut row = vec![Cell::Integer(20), Cell::Null, Cell::Null, Cell::Null, Cell::Text("200".into())];
        row.extend([Cell::Integer(-1), Cell::Integer(0), Cell::Integer(0)]);
        let error = SessionRow::read(row).unwrap_err().to_string();
        assert!(error.contains("sessions") && error.contains("-1"), "{error}");
    }

    #[test]
    fn a_missing_column_is_refused() {
        let error = FirstSession::read(vec![Cell::Null]).unwrap_err().to_string();
        assert!(error.contains("application"), "{error}");
    }
}
