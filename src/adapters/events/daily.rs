//! What a daily report is told: totals over whole stretches of time, and the crashes that most reports are of.
//!
//! People can't be added up over days or tables, so each question reads all tables of its side in one query: those of
//! finished days, and the real-time ones for what those don't hold yet. The question counts what is stored in both once.
//! Apps are not read together here: each has a cycle of its own. As in every reading, both sides end at the newest session,
//! and a stretch that a missing table belongs to is not known, which is not zero.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::tables::misnamed;
use super::{Covering, Events, Found, Warehouse, absent, cut_after, wrong_row};
use crate::config::SessionSource;
use crate::domain::calendar::Window;
use crate::domain::cost::QueryCost;
use crate::domain::counts::Counts;
use crate::domain::daily::{CrashKind, Freshness, Origin, Seen, TopCrash, Totals};
use crate::domain::plain;
use crate::ports::{Counted, DailyReading, DailyRequest, PortError, ReleaseNames};
use crate::queries::{
    DailyParameters, Export, Parameters, Query, Question, Row, Source, Stretches, Table, TopCrashRow,
    TotalsRow, platform_suffix, render_together,
};

/// The longest title, subtitle and id of an issue that is kept, in characters. Real ones may hold a whole message of 10 kB;
/// no face of a report shows more of it.
const LONGEST_TITLE: usize = 300;
/// How the name of a Firebase table ends that is streamed into.
const REALTIME: &str = "_REALTIME";

/// The tables of one side that a report is counted from.
#[derive(Default)]
struct Whole {
    covering: Covering,
    origin: Option<Origin>,
    /// Dates without a table, of a side that has one for each date.
    dates_missing: BTreeSet<Date>,
    /// Where the dates of its tables begin.
    zone: Option<TimeZone>,
}

impl Whole {
    /// Whether everything of a stretch is there.
    fn covers(&self, window: Window) -> bool {
        match &self.zone {
            Some(zone) => !window.dates_in(zone).iter().any(|date| self.dates_missing.contains(date)),
            None => self.covering.absent.is_empty(),
        }
    }

    fn add(&mut self, found: Found, export: Export) {
        let origin = match export {
            Export::Batch => Origin::Batch,
            Export::Realtime => self.origin.unwrap_or(Origin::Realtime),
        };
        self.origin = Some(origin);
        self.covering.tables.push(found);
    }
}

impl<W: Warehouse + Clone + 'static> Events<W> {
    /// Counts both sides over the stretches of a daily report.
    pub(super) async fn daily_reading(&self, request: &DailyRequest) -> Result<DailyReading, PortError> {
        let wanted = stretches(request);
        let sessions = self.all_session_tables(wanted).await?;
        let crashes = self.all_crash_tables().await?;
        let mut costs = Vec::new();

        let asked = self.daily_parameters(request, wanted, begin(request, wanted));
        let of_sessions = self
            .totals(Question::SessionTotals, self.session_source(), &sessions, &asked, &mut costs)
            .await?;
        let newest_session_at = of_sessions.newest_us.and_then(instant);
        let counted = wanted.map(|window| window.until(cut_after(newest_session_at)));

        let since = request.known_from.min(begin(request, wanted));
        let asked = self.daily_parameters(request, counted, since);
        let of_crashes =
            self.totals(Question::CrashTotals, Source::Crashlytics, &crashes, &asked, &mut costs).await?;
        // A list is no rate: a crash after the newest session is in it.
        let asked = self.daily_parameters(request, wanted, since);
        let top = self.top_crashes(&crashes, &asked, &mut costs).await?;

        let known = |window: Window| !window.is_empty() && sessions.covers(window) && crashes.covers(window);
        let numbers = of_sessions.stretches.zip(of_crashes.stretches);
        let totals = wanted.zip(counted.zip(numbers)).map(|(wanted, (window, (sessions, crashes)))| {
            let counts = Counts { sessions: sessions.sessions, crashed_sessions: crashes.sessions };
            let totals = Totals { counts, users: sessions.users, crashed_users: crashes.users };
            known(wanted).then_some(Counted { window, totals })
        });
        let freshness = Freshness {
            through: newest_session_at.map(|_| counted.cycle.to),
            newest_session_at,
            newest_crash_at: of_crashes.newest_us.and_then(instant),
            sessions_from: sessions.origin,
            crashes_from: crashes.origin,
            absent: absent(&sessions.covering, &crashes.covering),
        };
        let Stretches { cycle, last_day, then, now } = totals;
        Ok(DailyReading { cycle, last_day, then, now, crashes: top, freshness, queries: costs })
    }

    /// The names of a release, as its sessions know it: builds, or a version.
    fn names(&self, release: &ReleaseNames) -> (Vec<String>, Vec<String>) {
        if self.by_version() {
            return (Vec::new(), vec![release.version.to_string()]);
        }
        (release.builds.iter().map(ToString::to_string).collect(), Vec::new())
    }

    fn daily_parameters(
        &self,
        request: &DailyRequest,
        stretches: Stretches<Window>,
        since: Timestamp,
    ) -> Parameters {
        let (builds, versions) = self.names(&request.release);
        let before = request.before.as_ref().map(|before| self.names(&before.release));
        let (earlier_builds, earlier_versions) = before.unwrap_or_default();
        let holds_many = self.by_version();
        let application =
            holds_many.then(|| (self.application.to_string(), platform_suffix(self.platform).to_owned()));
        let us = |window: Window| (window.from.as_microsecond(), window.to.as_microsecond());
        let daily = DailyParameters {
            stretches_us: stretches.map(us),
            earlier_builds,
            earlier_versions,
            application,
        };
        Parameters {
            from_us: since.as_microsecond(),
            to_us: request.seen_at.as_microsecond(),
            builds,
            versions,
            daily,
            ..Parameters::default()
        }
    }

    /// The totals of one side; zeros where it has no table, which [`Whole::covers`] tells apart.
    async fn totals(
        &self,
        question: Question,
        source: Source,
        tables: &Whole,
        asked: &Parameters,
        costs: &mut Vec<QueryCost>,
    ) -> Result<TotalsRow, PortError> {
        let Some(query) = self.together_query(question, source, tables, asked)? else {
            return Ok(TotalsRow::default());
        };
        let rows = self.rows_of(&query, costs).await?;
        let [row] = rows.as_slice() else {
            return Err(PortError::new(
                format!(
                    "question {} on table {} was answered with {} rows instead of one",
                    question.name(),
                    query.table_names(),
                    rows.len()
                ),
                "run again; the answer is not whole, so nothing was counted from it",
            ));
        };
        Ok(*row)
    }

    async fn top_crashes(
        &self,
        tables: &Whole,
        asked: &Parameters,
        costs: &mut Vec<QueryCost>,
    ) -> Result<Option<Vec<TopCrash>>, PortError> {
        let source = Source::CrashIssues;
        let Some(query) = self.together_query(Question::TopCrashes, source, tables, asked)? else {
            return Ok(None);
        };
        let mut rows: Vec<TopCrashRow> = self.rows_of(&query, costs).await?;
        rows.sort_by_key(|row| row.place);
        Ok(Some(rows.into_iter().map(top_crash).collect()))
    }

    /// One query over all tables; none where there is no table.
    fn together_query(
        &self,
        question: Question,
        source: Source,
        tables: &Whole,
        asked: &Parameters,
    ) -> Result<Option<Query>, PortError> {
        let tables = &tables.covering.tables;
        tables.iter().try_for_each(|found| self.check(source, &found.table, &found.info.shape))?;
        let mut named = tables.iter().map(|found| (&found.table, &found.info.shape));
        let Some(first) = named.next() else { return Ok(None) };
        let others: Vec<_> = named.collect();
        let engine = self.together.warehouse().engine();
        Ok(Some(render_together(question, source, engine, first, &others, asked)))
    }

    async fn rows_of<R: Row>(&self, query: &Query, costs: &mut Vec<QueryCost>) -> Result<Vec<R>, PortError> {
        let answer = self.together.warehouse().run(query).await?;
        costs.push(answer.cost);
        let row =
            |cells| R::read(cells).map_err(|error| wrong_row(query.question, &query.table_names(), &error));
        answer.rows.into_iter().map(row).collect()
    }

    async fn all_crash_tables(&self) -> Result<Whole, PortError> {
        self.both_tables(&self.sources.crashlytics_dataset, self.sources.crashes_table.as_deref()).await
    }

    async fn all_session_tables(&self, wanted: Stretches<Window>) -> Result<Whole, PortError> {
        match &self.sources.sessions {
            SessionSource::FirebaseSessions => {
                self.both_tables(&self.sources.sessions_dataset, self.sources.sessions_table.as_deref()).await
            }
            SessionSource::Analytics { dataset, time_zone } => {
                self.both_of_each_date(dataset, time_zone, wanted).await
            }
        }
    }

    /// The daily and the streamed table of a Firebase export; or the one that is named.
    async fn both_tables(&self, dataset: &str, named: Option<&str>) -> Result<Whole, PortError> {
        let candidates = match named {
            Some(name) => {
                let export = if name.ends_with(REALTIME) { Export::Realtime } else { Export::Batch };
                vec![(Table::new(name), export)]
            }
            None => [Export::Realtime, Export::Batch]
                .map(|export| (Table::firebase(dataset, &self.application, self.platform, export), export))
                .into(),
        };
        let mut whole = Whole::default();
        for (table, export) in candidates {
            let table = table.map_err(|error| misnamed(&error))?;
            match self.there(&table).await? {
                Some(found) => whole.add(found, export),
                None => whole.covering.absent.push(table),
            }
        }
        if whole.covering.tables.is_empty() {
            whole.covering.absent.truncate(1);
        } else {
            // Either of them is enough.
            whole.covering.absent.clear();
        }
        Ok(whole)
    }

    /// The daily and the streamed table of each date of Analytics: for some hours both are there, and a property that
    /// only streams never gets a daily one. The newest date may just have begun, if the date before has a table.
    async fn both_of_each_date(
        &self,
        dataset: &str,
        zone: &TimeZone,
        wanted: Stretches<Window>,
    ) -> Result<Whole, PortError> {
        let windows = wanted.all().into_iter().filter(|window| !window.is_empty());
        let dates: BTreeSet<Date> = windows.flat_map(|window| window.dates_in(zone)).collect();
        let mut whole = Whole { zone: Some(zone.clone()), ..Whole::default() };
        for date in &dates {
            let found = self.of_date(dataset, *date).await?;
            if found.is_empty() && !self.has_just_begun(dataset, *date, &dates).await? {
                let streamed = Table::analytics(dataset, *date, Export::Realtime);
                whole.covering.absent.push(streamed.map_err(|error| misnamed(&error))?);
                whole.dates_missing.insert(*date);
            }
            found.into_iter().for_each(|(found, export)| whole.add(found, export));
        }
        Ok(whole)
    }

    async fn of_date(&self, dataset: &str, date: Date) -> Result<Vec<(Found, Export)>, PortError> {
        let mut there = Vec::new();
        for export in [Export::Batch, Export::Realtime] {
            let table = Table::analytics(dataset, date, export).map_err(|error| misnamed(&error))?;
            there.extend(self.there(&table).await?.map(|found| (found, export)));
        }
        Ok(there)
    }

    async fn has_just_begun(
        &self,
        dataset: &str,
        date: Date,
        dates: &BTreeSet<Date>,
    ) -> Result<bool, PortError> {
        let yesterday = date.yesterday().ok().filter(|_| dates.last() == Some(&date));
        match yesterday {
            Some(yesterday) => Ok(!self.of_date(dataset, yesterday).await?.is_empty()),
            None => Ok(false),
        }
    }

    async fn there(&self, table: &Table) -> Result<Option<Found>, PortError> {
        let info = self.together.warehouse().table(table).await?;
        Ok(info.map(|info| Found { table: table.clone(), info }))
    }
}

/// What is asked for, without what lies outside of the cycle or after the look.
fn stretches(request: &DailyRequest) -> Stretches<Window> {
    let cycle = request.cycle.until(request.seen_at);
    let nothing = Window::new(request.seen_at, request.seen_at);
    let before = request.before.as_ref();
    Stretches {
        cycle,
        last_day: request.last_day.within(cycle),
        then: before.map_or(nothing, |before| before.then.until(request.seen_at)),
        now: before.map_or(nothing, |before| before.now.within(cycle)),
    }
}

/// The first instant of all stretches.
fn begin(request: &DailyRequest, wanted: Stretches<Window>) -> Timestamp {
    let windows = wanted.all().into_iter().filter(|window| !window.is_empty());
    windows.map(|window| window.from).min().unwrap_or(request.seen_at)
}

fn instant(us: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(us).ok()
}

fn top_crash(row: TopCrashRow) -> TopCrash {
    let cut = |text: &str| plain::cut(text, LONGEST_TITLE);
    TopCrash {
        issue: cut(&row.issue),
        title: cut(&row.title.unwrap_or_default()),
        subtitle: cut(&row.subtitle.unwrap_or_default()),
        kind: if row.fatal > 0 { CrashKind::Fatal } else { CrashKind::ForegroundAnr },
        events: row.events,
        users: row.users,
        seen: if row.seen_before > 0 { Seen::Before } else { Seen::New },
        link: None,
    }
}
