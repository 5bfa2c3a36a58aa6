//! Reads the events of one app from any engine that can run the queries: the metric source.
//!
//! Each side is aggregated on its own and never joined: part of the crash reports have no session row, and a join
//! would hide their crashes. Sessions are read first, because the newest session is where both sides are cut: crashes
//! without their sessions would fake a bad release. A table that is not there is reported, never counted as zero, and
//! one that lacks a needed column is an error with its name.
//!
//! A daily report is another reading: all tables of a side at once, batch and real-time, because people are counted once
//! over the whole of a stretch.

mod daily;
mod tables;
mod tally;
mod together;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

pub use self::tables::{Covering, Found};
use self::tally::{crashes_per_day, sessions_per_day};
use self::together::Ask;
pub use self::together::Together;
use crate::config::{SessionSource, Sources};
use crate::domain::calendar::Window;
use crate::domain::cost::QueryCost;
use crate::domain::facts::{AbsentTable, Extent, Side};
use crate::domain::ids::{ApplicationId, Platform};
use crate::ports::{
    CrashReading, DailyReading, DailyRequest, Marks, MetricRequest, MetricSource, PortError, Reading,
};
use crate::queries::{
    Cell, CrashRow, Engine, FirstSession, OfRelease, Parameters, Query, Question, Row, SessionRow, Shape,
    Source, Table, platform_suffix,
};

/// Crashes with a clock that runs ahead are seen this far into the future, where the table is asked for all it has.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// A place where the export tables are and queries can be run.
#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Which dialect of the sources it speaks.
    fn engine(&self) -> Engine;

    /// What is known of a table without reading it; `None` where it is not there.
    ///
    /// # Errors
    /// Where the warehouse could not be asked.
    async fn table(&self, table: &Table) -> Result<Option<TableInfo>, PortError>;

    /// Runs a query to its end.
    ///
    /// # Errors
    /// Where it did not complete.
    async fn run(&self, query: &Query) -> Result<Answer, PortError>;
}

/// What is known of a table without reading it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableInfo {
    /// Its columns and partitions.
    pub shape: Shape,
    /// Changes whenever rows are added; none where the warehouse can't tell.
    pub mark: Option<String>,
}

/// The whole answer of a query.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The rows, as cells in the order of the columns.
    pub rows: Vec<Vec<Cell>>,
    /// What it cost.
    pub cost: QueryCost,
}

#[async_trait]
impl<W: Warehouse + ?Sized> Warehouse for std::sync::Arc<W> {
    fn engine(&self) -> Engine {
        (**self).engine()
    }

    async fn table(&self, table: &Table) -> Result<Option<TableInfo>, PortError> {
        (**self).table(table).await
    }

    async fn run(&self, query: &Query) -> Result<Answer, PortError> {
        (**self).run(query).await
    }
}

/// The events of one app.
pub struct Events<W> {
    together: Arc<Together<W>>,
    platform: Platform,
    application: ApplicationId,
    sources: Sources,
}

impl<W: Warehouse + Clone + 'static> Events<W> {
    /// The events of an app in a warehouse. Apps whose events lie in the same tables belong together.
    pub fn new(
        together: Arc<Together<W>>,
        platform: Platform,
        application: ApplicationId,
        sources: Sources,
    ) -> Self {
        Self { together, platform, application, sources }
    }

    fn by_version(&self) -> bool {
        matches!(self.sources.sessions, SessionSource::Analytics { .. })
    }

    /// What the table of the sessions is.
    pub fn session_source(&self) -> Source {
        if self.by_version() { Source::Analytics } else { Source::FirebaseSessions }
    }

    /// Whether a row is of this app: some tables hold several.
    fn is_ours(&self, row: &impl OfRelease) -> bool {
        let platform = row.platform().is_none_or(|platform| platform == platform_suffix(self.platform));
        let one_app = !self.by_version();
        platform && (one_app || row.application() == Some(self.application.as_str()))
    }

    /// Both sides are matched the same way: by build, or by version where the sessions know no build.
    fn counts(&self, request: &MetricRequest, row: &impl OfRelease) -> bool {
        if self.by_version() {
            return row.version() == Some(request.version.as_str());
        }
        request.builds.iter().any(|wanted| row.build() == Some(wanted.as_str()))
    }

    fn parameters(&self, request: &MetricRequest, window: Window) -> Parameters {
        let releases = || {
            let others = request.others.iter().map(|(builds, version)| (builds, version));
            std::iter::once((&request.builds, &request.version)).chain(others)
        };
        let (builds, versions) = match self.by_version() {
            true => (Vec::new(), releases().map(|(_, version)| version.to_string()).collect()),
            false => (
                releases().flat_map(|(builds, _)| builds.iter().map(ToString::to_string)).collect(),
                Vec::new(),
            ),
        };
        Parameters {
            from_us: window.from.as_microsecond(),
            to_us: window.to.as_microsecond(),
            mature_us: request.mature_to.as_microsecond(),
            builds,
            versions,
            ..Parameters::default()
        }
    }

    /// Asks a question of every table and reads the rows.
    async fn ask<R: Row>(
        &self,
        question: Question,
        source: Source,
        tables: &[Found],
        parameters: &Parameters,
        costs: &mut Vec<QueryCost>,
    ) -> Result<Vec<R>, PortError> {
        let mut rows = Vec::new();
        for found in tables {
            self.check(source, &found.table, &found.info.shape)?;
            let ask = Ask { question, source, found: found.clone(), parameters: parameters.clone() };
            let answer = self.together.ask(ask).await?;
            costs.push(answer.cost);
            for cells in answer.rows.iter() {
                let row = R::read(cells.clone());
                rows.push(row.map_err(|error| wrong_row(question, found.table.as_str(), &error))?);
            }
        }
        Ok(rows)
    }

    /// The needed columns that a table of this shape has not. Both sides are matched by build, unless the sessions know
    /// none.
    pub fn lacking(&self, source: Source, shape: &Shape) -> Vec<&'static str> {
        let build = (is_of_crashes(source) && !self.by_version()).then_some("application.build_version");
        source.needed().iter().copied().chain(build).filter(|column| !shape.has(column)).collect()
    }

    /// A table without a column that is needed would answer with zeros, or not at all.
    fn check(&self, source: Source, table: &Table, shape: &Shape) -> Result<(), PortError> {
        match self.lacking(source, shape).as_slice() {
            [] => Ok(()),
            columns => Err(PortError::new(
                format!("table {table} lacks the column {}", columns.join(", ")),
                format!(
                    "check that it is the {} export, and name the right table under [sources]",
                    source.name()
                ),
            )),
        }
    }

    /// The sessions of our app, of every version.
    async fn session_rows(
        &self,
        request: &MetricRequest,
        tables: &[Found],
        costs: &mut Vec<QueryCost>,
    ) -> Result<Vec<SessionRow>, PortError> {
        let asked = self.parameters(request, request.window);
        let mut rows: Vec<SessionRow> =
            self.ask(Question::Sessions, self.session_source(), tables, &asked, costs).await?;
        rows.retain(|row| self.is_ours(row));
        Ok(rows)
    }

    async fn crash_rows(
        &self,
        request: &MetricRequest,
        tables: &[Found],
        to: Timestamp,
        costs: &mut Vec<QueryCost>,
    ) -> Result<Vec<CrashRow>, PortError> {
        let asked = self.parameters(request, Window::new(request.crashes_from, to.max(request.crashes_from)));
        self.ask(Question::Crashes, Source::Crashlytics, tables, &asked, costs).await
    }
}

#[async_trait]
impl<W: Warehouse + Clone + 'static> MetricSource for Events<W> {
    fn sit(&self) -> Box<dyn Send + Sync> {
        Box::new(self.together.sit())
    }

    async fn read(&self, request: &MetricRequest) -> Result<Reading, PortError> {
        let mut costs = Vec::new();
        let session_tables = self.session_tables(request.window).await?;
        let crash_tables = self.crash_tables().await?;
        let session_rows = self.session_rows(request, &session_tables.tables, &mut costs).await?;
        // This reading's newest session, not one remembered: a crash is counted only with the sessions around it.
        let newest_session_at = newest(session_rows.iter().map(|row| row.newest_us));

        let window = request.window.until(cut_after(newest_session_at));
        let crash_rows = self.crash_rows(request, &crash_tables.tables, window.to, &mut costs).await?;
        Ok(Reading {
            sessions: sessions_per_day(window, session_rows.iter().filter(|row| self.counts(request, *row))),
            crashes: crashes_per_day(
                Window::new(request.crashes_from, window.to.max(request.crashes_from)),
                crash_rows.iter().filter(|row| self.counts(request, *row)),
            ),
            through: window.to,
            newest_session_at,
            newest_crash_at: newest(crash_rows.iter().map(|row| row.newest_us)),
            absent: absent(&session_tables, &crash_tables),
            queries: costs,
        })
    }

    async fn crashes(&self, request: &MetricRequest) -> Result<CrashReading, PortError> {
        let tables = self.crash_tables().await?;
        let absent = absent(&Covering::default(), &tables);
        let mut queries = Vec::new();
        let to = request.window.to.checked_add(AHEAD).unwrap_or(request.window.to);
        let rows = self.crash_rows(request, &tables.tables, to, &mut queries).await?;
        let window = Window::new(request.crashes_from, to);
        // A report from the future comes of a clock that runs ahead: it must not make a dead export look alive.
        let seen = request.seen_at.as_microsecond();
        let newest_crash_at = newest(rows.iter().map(|row| row.newest_us).filter(|us| *us <= seen));
        let days = crashes_per_day(window, rows.iter().filter(|row| self.counts(request, *row)));
        Ok(CrashReading { days, newest_crash_at, absent, queries })
    }

    async fn daily(&self, request: &DailyRequest) -> Result<DailyReading, PortError> {
        self.daily_reading(request).await
    }

    async fn marks(&self, request: &MetricRequest) -> Result<Marks, PortError> {
        let sessions = self.session_tables(request.window).await?;
        let crashes = self.crash_tables().await?;
        let absent = absent(&sessions, &crashes);
        Ok(Marks { crashes: crashes.mark(), sessions: sessions.mark(), absent })
    }

    async fn first_session(
        &self,
        request: &MetricRequest,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, PortError> {
        let window = Window::new(since, request.window.to);
        let tables = self.session_tables(window).await?;
        if tables.tables.is_empty() {
            return Ok(None);
        }
        let asked = self.parameters(request, window);
        let rows: Vec<FirstSession> = self
            .ask(Question::FirstSession, self.session_source(), &tables.tables, &asked, &mut Vec::new())
            .await?;
        let ours = rows.iter().filter(|row| self.is_ours(*row) && self.counts(request, *row));
        let first = ours.map(|row| row.first_us).min();
        Ok(first.and_then(|us| Timestamp::from_microsecond(us).ok()))
    }
}

/// Crashes up to and including the instant of the newest session are counted; without any session, none are.
fn cut_after(newest_session_at: Option<Timestamp>) -> Timestamp {
    let just_after = |at: Timestamp| at.checked_add(SignedDuration::from_micros(1)).unwrap_or(at);
    newest_session_at.map_or(Timestamp::MIN, just_after)
}

fn is_of_crashes(source: Source) -> bool {
    matches!(source, Source::Crashlytics | Source::CrashIssues)
}

fn newest(instants_us: impl Iterator<Item = i64>) -> Option<Timestamp> {
    instants_us.max().and_then(|us| Timestamp::from_microsecond(us).ok())
}

fn absent(sessions: &Covering, crashes: &Covering) -> Vec<AbsentTable> {
    let named = |side, covering: &Covering| {
        let extent = if covering.tables.is_empty() { Extent::Whole } else { Extent::Part };
        let names: BTreeSet<String> = covering.absent.iter().map(ToString::to_string).collect();
        names.into_iter().map(move |table| AbsentTable { side, table, extent }).collect::<Vec<_>>()
    };
    let mut absent = named(Side::Sessions, sessions);
    absent.extend(named(Side::Crashes, crashes));
    absent
}

fn wrong_row(question: Question, table: &str, error: &crate::queries::WrongRow) -> PortError {
    PortError::new(
        format!("question {} on table {table}: {error}", question.name()),
        "check that the table holds the export that its name says",
    )
}
