//! Which tables cover a window: the streamed or the daily one of a Firebase export, and never both, because they hold
//! the same events; one table a date for Analytics.

use jiff::civil::Date;

use super::{Events, TableInfo, Warehouse};
use crate::config::SessionSource;
use crate::domain::calendar::Window;
use crate::ports::PortError;
use crate::queries::{Export, InvalidTable, Table};

/// A table that is there.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name.
    pub table: Table,
    /// What is known of it.
    pub info: TableInfo,
}

/// The tables that cover a window on one side, and those that should and are not there.
#[derive(Debug, Default)]
pub struct Covering {
    /// Those that are there.
    pub tables: Vec<Found>,
    /// Those that are not.
    pub absent: Vec<Table>,
}

impl Covering {
    /// Changes whenever a table comes, goes or gets rows; none where the warehouse can't tell, or a
    /// table is not there.
    pub fn mark(&self) -> Option<String> {
        if !self.absent.is_empty() {
            return None;
        }
        let of_table = |found: &Found| found.info.mark.as_ref().map(|mark| format!("{}@{mark}", found.table));
        let marks: Vec<String> = self.tables.iter().map(of_table).collect::<Option<_>>()?;
        (!marks.is_empty()).then(|| marks.join(" "))
    }
}

impl<W: Warehouse + Clone + 'static> Events<W> {
    /// The tables of the sessions that cover a window.
    ///
    /// # Errors
    /// Where the warehouse could not be asked, or a name is none.
    pub async fn session_tables(&self, window: Window) -> Result<Covering, PortError> {
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

    /// The table of the crashes.
    ///
    /// # Errors
    /// As for [`Events::session_tables`].
    pub async fn crash_tables(&self) -> Result<Covering, PortError> {
        self.firebase_tables(&self.sources.crashlytics_dataset, self.sources.crashes_table.as_deref()).await
    }

    /// The streamed table, or the daily one where nothing is streamed; never both, they hold the same events.
    async fn firebase_tables(&self, dataset: &str, table: Option<&str>) -> Result<Covering, PortError> {
        let candidates = match table {
            Some(table) => vec![Table::new(table).map_err(|error| misnamed(&error))?],
            None => self.firebase_candidates(dataset).map_err(|error| misnamed(&error))?,
        };
        match self.first_there(&candidates).await? {
            Some(found) => Ok(Covering { tables: vec![found], absent: Vec::new() }),
            None => Ok(Covering { tables: Vec::new(), absent: candidates.into_iter().take(1).collect() }),
        }
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
                Ok(found) => covering.tables.push(found),
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

    async fn analytics_table(&self, dataset: &str, date: Date) -> Result<Result<Found, Table>, PortError> {
        let streamed = Table::analytics(dataset, date, Export::Realtime).map_err(|error| misnamed(&error))?;
        let daily = Table::analytics(dataset, date, Export::Batch).map_err(|error| misnamed(&error))?;
        Ok(self.first_there(&[streamed.clone(), daily]).await?.ok_or(streamed))
    }

    async fn first_there(&self, candidates: &[Table]) -> Result<Option<Found>, PortError> {
        for table in candidates {
            if let Some(info) = self.together.warehouse().table(table).await? {
                return Ok(Some(Found { table: table.clone(), info }));
            }
        }
        Ok(None)
    }
}

pub(super) fn misnamed(error: &InvalidTable) -> PortError {
    PortError::new(error.to_string(), "correct the dataset or table name under [sources]")
}
