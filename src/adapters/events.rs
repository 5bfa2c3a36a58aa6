//! Reads the events of one app from any engine that can run the queries: the metric source.
//!
//! Each side is aggregated on its own and never joined: part of the crash reports have no session row, and a join
//! would hide their crashes. Sessions are read first, because the newest session is where both sides are cut: crashes
//! without their sessions would fake a bad release. A table that is not there is reported, never counted as zero.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::config::{SessionSource, Sources};
use crate::domain::calendar::{UtcDay, Window};
use crate::domain::counts::DayPartial;
use crate::domain::facts::{AbsentTable, Side};
use crate::domain::ids::{ApplicationId, Platform};
use crate::domain::sketch::Sketch;
use crate::ports::{MetricRequest, MetricSource, PortError, Reading};
use crate::queries::{
    Cell, CrashCounts, Engine, Export, FirstSession, InvalidTable, OfRelease, Parameters, Person, Query,
    Question, Row, SessionCounts, Source, Table, platform_suffix, render,
};

/// A place where the export tables are and queries can be run.
#[async_trait]
pub trait Warehouse: Send + Sync {
    /// Which dialect of the sources it speaks.
    fn engine(&self) -> Engine;

    /// Whether a table is there.
    ///
    /// # Errors
    /// Where the warehouse could not be asked.
    async fn has_table(&self, table: &Table) -> Result<bool, PortError>;

    /// Runs a query to its end.
    ///
    /// # Errors
    /// Where it did not complete.
    async fn run(&self, query: &Query) -> Result<Answer, PortError>;
}

/// The whole answer of a query.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The rows, as cells in the order of the columns.
    pub rows: Vec<Vec<Cell>>,
    /// What it was billed for.
    pub bytes_billed: u64,
}

#[async_trait]
impl<W: Warehouse + ?Sized> Warehouse for std::sync::Arc<W> {
    fn engine(&self) -> Engine {
        (**self).engine()
    }

    async fn has_table(&self, table: &Table) -> Result<bool, PortError> {
        (**self).has_table(table).await
    }

    async fn run(&self, query: &Query) -> Result<Answer, PortError> {
        (**self).run(query).await
    }
}

/// The events of one app.
pub struct Events<W> {
    warehouse: W,
    platform: Platform,
    application: ApplicationId,
    sources: Sources,
}

/// The tables that cover a window on one side, and those that should and are not there.
#[derive(Debug, Default)]
struct Covering {
    tables: Vec<Table>,
    absent: Vec<Table>,
}

impl<W: Warehouse> Events<W> {
    /// The events of an app in a warehouse.
    pub fn new(warehouse: W, platform: Platform, application: ApplicationId, sources: Sources) -> Self {
        Self { warehouse, platform, application, sources }
    }

    fn by_version(&self) -> bool {
        matches!(self.sources.sessions, SessionSource::Analytics { .. })
    }

    fn session_source(&self) -> Source {
        if self.by_version() { Source::Analytics } else { Source::FirebaseSessions }
    }

    /// Both sides are matched the same way: by build, or by version where the sessions know no build.
    fn counts(&self, request: &MetricRequest, row: &impl OfRelease) -> bool {
        if self.by_version() {
            return row.version() == Some(request.version.as_str());
        }
        request.builds.iter().any(|wanted| row.build() == Some(wanted.as_str()))
    }

    fn parameters(&self, request: &MetricRequest, window: Window) -> Parameters {
        let (builds, versions) = match self.by_version() {
            true => (Vec::new(), vec![request.version.to_string()]),
            false => (request.builds.iter().map(ToString::to_string).collect(), Vec::new()),
        };
        Parameters {
            from_us: window.from.as_microsecond(),
            to_us: window.to.as_microsecond(),
            mature_us: request.mature_to.as_microsecond(),
            builds,
            versions,
            platform: platform_suffix(self.platform),
            application_id: self.application.to_string(),
        }
    }

    async fn session_tables(&self, window: Window) -> Result<Covering, PortError> {
        match &self.sources.sessions {
            SessionSource::FirebaseSessions => {
                self.firebase_tables(&self.sources.sessions_dataset, self.sources.sessions_table.as_deref())
                    .await
            }
            SessionSource::Analytics { dataset, time_zone } => {
                self.analytics_tables(dataset, &window.dates_in(time_zone)).await
            }
        }
    }

    async fn crash_tables(&self) -> Result<Covering, PortError> {
        self.firebase_tables(&self.sources.crashlytics_dataset, self.sources.crashes_table.as_deref()).await
    }

    /// The streamed table, or the daily one where nothing is streamed; never both, they hold the same events.
    async fn firebase_tables(&self, dataset: &str, table: Option<&str>) -> Result<Covering, PortError> {
        let candidates = match table {
            Some(table) => vec![Table::new(table).map_err(|error| misnamed(&error))?],
            None => self.firebase_candidates(dataset).map_err(|error| misnamed(&error))?,
        };
        for table in &candidates {
            if self.warehouse.has_table(table).await? {
                return Ok(Covering { tables: vec![table.clone()], absent: Vec::new() });
            }
        }
        Ok(Covering { tables: Vec::new(), absent: candidates.into_iter().take(1).collect() })
    }

    fn firebase_candidates(&self, dataset: &str) -> Result<Vec<Table>, InvalidTable> {
        [Export::Realtime, Export::Batch]
            .map(|export| Table::firebase(dataset, &self.application, self.platform, export))
            .into_iter()
            .collect()
    }

    /// One table per date: the streamed one while it is there, because the daily one is complete only once the
    /// streamed one has been deleted. A newest date without a table has just begun, if the date before has one.
    async fn analytics_tables(&self, dataset: &str, dates: &[Date]) -> Result<Covering, PortError> {
        let mut covering = Covering::default();
        for date in dates {
            match self.analytics_table(dataset, *date).await? {
                Ok(table) => covering.tables.push(table),
                Err(absent) => covering.absent.push(absent),
            }
        }
        let newest = dates
            .last()
            .map(|date| Table::analytics(dataset, *date, Export::Realtime).map_err(|error| misnamed(&error)));
        let yesterday = dates.last().and_then(|date| date.yesterday().ok());
        if let (Some(newest), [absent], Some(yesterday)) =
            (newest.transpose()?, covering.absent.as_slice(), yesterday)
            && *absent == newest
            && self.analytics_table(dataset, yesterday).await?.is_ok()
        {
            covering.absent.clear();
        }
        Ok(covering)
    }

    async fn analytics_table(&self, dataset: &str, date: Date) -> Result<Result<Table, Table>, PortError> {
        let streamed = Table::analytics(dataset, date, Export::Realtime).map_err(|error| misnamed(&error))?;
        let daily = Table::analytics(dataset, date, Export::Batch).map_err(|error| misnamed(&error))?;
        for table in [&streamed, &daily] {
            if self.warehouse.has_table(table).await? {
                return Ok(Ok(table.clone()));
            }
        }
        Ok(Err(streamed))
    }

    /// Asks a question of every table and reads the rows.
    async fn ask<R: Row>(
        &self,
        question: Question,
        source: Source,
        tables: &[Table],
        parameters: &Parameters,
        bytes_billed: &mut u64,
    ) -> Result<Vec<R>, PortError> {
        let mut rows = Vec::new();
        for table in tables {
            let query = render(question, source, self.warehouse.engine(), table, parameters);
            let answer = self.warehouse.run(&query).await?;
            *bytes_billed = bytes_billed.saturating_add(answer.bytes_billed);
            for cells in answer.rows {
                rows.push(R::read(cells).map_err(|error| wrong_row(question, table, &error))?);
            }
        }
        Ok(rows)
    }
}

#[async_trait]
impl<W: Warehouse> MetricSource for Events<W> {
    async fn read(&self, request: &MetricRequest) -> Result<Reading, PortError> {
        let mut bytes = 0;
        let session_tables = self.session_tables(request.window).await?;
        let crash_tables = self.crash_tables().await?;
        let (sessions, crashes) = (self.session_source(), Source::Crashlytics);

        let asked = self.parameters(request, request.window);
        let session_counts: Vec<SessionCounts> =
            self.ask(Question::SessionCounts, sessions, &session_tables.tables, &asked, &mut bytes).await?;
        // This reading's newest session, not one remembered: a crash is counted only with the sessions around it.
        let newest_session_at = newest(session_counts.iter().map(|row| row.newest_us));

        let window = request.window.until(cut_after(newest_session_at));
        let cut = self.parameters(request, window);
        let users =
            self.ask(Question::SessionPeople, sessions, &session_tables.tables, &cut, &mut bytes).await?;
        let crash_counts =
            self.ask(Question::CrashCounts, crashes, &crash_tables.tables, &cut, &mut bytes).await?;
        let crashed =
            self.ask(Question::CrashPeople, crashes, &crash_tables.tables, &cut, &mut bytes).await?;

        let newest_crash_at = newest(crash_counts.iter().map(|row: &CrashCounts| row.newest_us));
        let mut tally = Tally::over(window, request.mature_to);
        session_counts.iter().filter(|row| self.counts(request, *row)).for_each(|row| tally.sessions(row));
        crash_counts.iter().filter(|row| self.counts(request, *row)).for_each(|row| tally.crashes(row));
        tally.people(users.iter().filter(|row| self.counts(request, *row)), |partial| &mut partial.users);
        let crashed = crashed.iter().filter(|row| self.counts(request, *row));
        tally.people(crashed, |partial| &mut partial.crashed_installations);
        Ok(Reading {
            partials: tally.days.into_values().collect(),
            through: window.to,
            newest_session_at,
            newest_crash_at,
            absent: absent(&session_tables, &crash_tables),
            bytes_billed: bytes,
        })
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
        let rows: Vec<FirstSession> =
            self.ask(Question::FirstSession, self.session_source(), &tables.tables, &asked, &mut 0).await?;
        let first = rows.iter().filter(|row| self.counts(request, *row)).map(|row| row.first_us).min();
        Ok(first.and_then(|us| Timestamp::from_microsecond(us).ok()))
    }
}

/// The rows of a reading, summed up per day.
struct Tally {
    days: BTreeMap<UtcDay, DayPartial>,
    through: Timestamp,
    mature_through: Timestamp,
}

impl Tally {
    /// Every day of the window, with nothing counted: a day that was read and is empty is known to be empty.
    fn over(window: Window, mature_to: Timestamp) -> Self {
        let (through, mature_through) = (window.to, mature_to.min(window.to));
        let days = window.days().map(|day| (day, DayPartial::empty(day, through, mature_through))).collect();
        Self { days, through, mature_through }
    }

    fn day(&mut self, number: i64) -> &mut DayPartial {
        let day = UtcDay::from_number(number);
        self.days.entry(day).or_insert_with(|| DayPartial::empty(day, self.through, self.mature_through))
    }

    fn sessions(&mut self, row: &SessionCounts) {
        let partial = self.day(row.day);
        partial.fresh.sessions += row.sessions;
        partial.mature.sessions += row.mature_sessions;
    }

    fn crashes(&mut self, row: &CrashCounts) {
        let partial = self.day(row.day);
        partial.fresh.crashed_sessions += row.crashed_sessions;
        partial.mature.crashed_sessions += row.mature_crashed_sessions;
        partial.fatal_events += row.fatal_events;
        partial.foreground_anr_events += row.foreground_anr_events;
    }

    fn people<'r>(&mut self, rows: impl Iterator<Item = &'r Person>, of: fn(&mut DayPartial) -> &mut Sketch) {
        let mut per_day: BTreeMap<i64, Vec<(i64, u32)>> = BTreeMap::new();
        rows.for_each(|row| per_day.entry(row.day).or_default().push((row.fingerprint, row.crashes)));
        per_day.into_iter().for_each(|(day, people)| of(self.day(day)).extend(people));
    }
}

/// Crashes up to and including the instant of the newest session are counted; without any session, none are.
fn cut_after(newest_session_at: Option<Timestamp>) -> Timestamp {
    let just_after = |at: Timestamp| at.checked_add(SignedDuration::from_micros(1)).unwrap_or(at);
    newest_session_at.map_or(Timestamp::MIN, just_after)
}

fn newest(instants_us: impl Iterator<Item = i64>) -> Option<Timestamp> {
    instants_us.max().and_then(|us| Timestamp::from_microsecond(us).ok())
}

fn absent(sessions: &Covering, crashes: &Covering) -> Vec<AbsentTable> {
    let named = |side, covering: &Covering| {
        let names: BTreeSet<String> = covering.absent.iter().map(ToString::to_string).collect();
        names.into_iter().map(move |table| AbsentTable { side, table }).collect::<Vec<_>>()
    };
    let mut absent = named(Side::Sessions, sessions);
    absent.extend(named(Side::Crashes, crashes));
    absent
}

fn misnamed(error: &InvalidTable) -> PortError {
    PortError::new(error.to_string(), "correct the dataset or table name under [sources]")
}

fn wrong_row(question: Question, table: &Table, error: &crate::queries::WrongRow) -> PortError {
    PortError::new(
        format!("question {} on table {table}: {error}", question.name()),
        "check that the table holds the export that its name says",
    )
}
