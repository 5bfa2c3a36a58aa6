//! The rows that the questions answer. Engines answer cells; only this file knows which column is which.

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
struct Cells(std::vec::IntoIter<Cell>);

impl Cells {
    fn integer(&mut self, column: &'static str) -> Result<i64, WrongRow> {
        match self.0.next() {
            Some(Cell::Integer(value)) => Ok(value),
            found => Err(WrongRow { column, found, wanted: "a whole number" }),
        }
    }

    fn count<N: TryFrom<i64>>(&mut self, column: &'static str) -> Result<N, WrongRow> {
        let value = self.integer(column)?;
        let found = Some(Cell::Integer(value));
        N::try_from(value).map_err(|_| WrongRow { column, found, wanted: "a count" })
    }

    fn text(&mut self, column: &'static str) -> Result<Option<String>, WrongRow> {
        match self.0.next() {
            Some(Cell::Text(value)) => Ok(Some(value)),
            Some(Cell::Null) => Ok(None),
            found => Err(WrongRow { column, found, wanted: "text or nothing" }),
        }
    }
}

/// A row that belongs to a version and a build.
pub trait OfRelease {
    /// The version, where the row has one.
    fn version(&self) -> Option<&str>;
    /// The build, where the row has one.
    fn build(&self) -> Option<&str>;
}

macro_rules! of_release {
    ($($row:ty),+) => {$(
        impl OfRelease for $row {
            fn version(&self) -> Option<&str> {
                self.version.as_deref()
            }
            fn build(&self) -> Option<&str> {
                self.build.as_deref()
            }
        }
    )+};
}

of_release!(CrashCounts, SessionCounts, Person, FirstSession);

/// A row of `crash_counts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashCounts {
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
}

/// A row of `session_counts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCounts {
    /// Days since 1970, UTC.
    pub day: i64,
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
}

/// A row of `session_people` or `crash_people`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Days since 1970, UTC.
    pub day: i64,
    /// The version.
    pub version: Option<String>,
    /// The build, where the source knows it.
    pub build: Option<String>,
    /// The fingerprint of the person's id.
    pub fingerprint: i64,
    /// How many crashes they had.
    pub crashes: u32,
}

/// A row of `first_session`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstSession {
    /// The version.
    pub version: Option<String>,
    /// The build, where the source knows it.
    pub build: Option<String>,
    /// The first session, in microseconds since 1970.
    pub first_us: i64,
}

impl Row for CrashCounts {
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow> {
        let mut cells = Cells(cells.into_iter());
        Ok(Self {
            day: cells.integer("day")?,
            version: cells.text("version")?,
            build: cells.text("build")?,
            fatal_events: cells.count("fatal_events")?,
            foreground_anr_events: cells.count("foreground_anr_events")?,
            crashed_sessions: cells.count("crashed_sessions")?,
            mature_crashed_sessions: cells.count("mature_crashed_sessions")?,
            newest_us: cells.integer("newest_us")?,
        })
    }
}

impl Row for SessionCounts {
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow> {
        let mut cells = Cells(cells.into_iter());
        Ok(Self {
            day: cells.integer("day")?,
            version: cells.text("version")?,
            build: cells.text("build")?,
            sessions: cells.count("sessions")?,
            mature_sessions: cells.count("mature_sessions")?,
            newest_us: cells.integer("newest_us")?,
        })
    }
}

impl Row for Person {
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow> {
        let mut cells = Cells(cells.into_iter());
        Ok(Self {
            day: cells.integer("day")?,
            version: cells.text("version")?,
            build: cells.text("build")?,
            fingerprint: cells.integer("fingerprint")?,
            crashes: cells.count("crashes")?,
        })
    }
}

impl Row for FirstSession {
    fn read(cells: Vec<Cell>) -> Result<Self, WrongRow> {
        let mut cells = Cells(cells.into_iter());
        Ok(Self {
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
        let mut row = vec![Cell::Integer(20), Cell::Null, Cell::Text("200".into())];
        row.extend([Cell::Integer(-1), Cell::Integer(0), Cell::Integer(0)]);
        let error = SessionCounts::read(row).unwrap_err().to_string();
        assert!(error.contains("sessions") && error.contains("-1"), "{error}");
    }

    #[test]
    fn a_missing_column_is_refused() {
        let error = FirstSession::read(vec![Cell::Null]).unwrap_err().to_string();
        assert!(error.contains("build"), "{error}");
    }
}
