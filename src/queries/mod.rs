//! Typed binding of `sql/`: which file is which, what it asks for, what it answers.
//!
//! A source says how one export table looks on an engine; a question is asked of any source that answers its columns.
//! The table name is the one thing that is put into the text, and only a checked [`Table`] can be. Everything else is
//! a named parameter. Nothing here runs a query.

mod daily;
mod rows;
mod shape;
mod table;

pub use daily::{DailyParameters, Stretches, TopCrashRow, Total, TotalsRow};
pub use rows::{Cell, CrashRow, FirstSession, OfRelease, Row, SessionRow, WrongRow};
pub use shape::{Partitioning, Shape};
pub use table::{Export, InvalidTable, Table, platform_suffix};

/// The engines that sources are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The embedded warehouse.
    Sqlite,
    /// Google BigQuery.
    BigQuery,
}

/// The export tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Firebase Crashlytics.
    Crashlytics,
    /// Firebase Crashlytics with the issue of each report, which is dearer.
    CrashIssues,
    /// Firebase Sessions.
    FirebaseSessions,
    /// Google Analytics, one table per date.
    Analytics,
}

impl Source {
    /// Every source; a test asks that each file is bound once.
    pub const ALL: [Self; 4] =
        [Self::Crashlytics, Self::CrashIssues, Self::FirebaseSessions, Self::Analytics];

    /// The name of the file, used as a label of the query.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crashlytics => "crashlytics",
            Self::CrashIssues => "crash_issues",
            Self::FirebaseSessions => "firebase_sessions",
            Self::Analytics => "analytics",
        }
    }

    /// The columns that no table of this source may lack, fields of records as `record.field`.
    #[must_use]
    pub fn needed(self) -> &'static [&'static str] {
        match self {
            Self::Crashlytics | Self::CrashIssues => &[
                "event_id",
                "event_timestamp",
                "error_type",
                "process_state",
                "installation_uuid",
                "application.display_version",
            ],
            Self::FirebaseSessions => &[
                "session_id",
                "instance_id",
                "event_timestamp",
                "event_type",
                "crashlytics_data_collection_enabled",
                "application.display_version",
                "application.build_version",
            ],
            Self::Analytics => &[
                "event_name",
                "event_timestamp",
                "platform",
                "user_pseudo_id",
                "app_info.id",
                "app_info.version",
            ],
        }
    }

    /// The columns that it reads where a table has them, and that read as nothing where it has not.
    #[must_use]
    pub fn optional(self) -> Vec<&'static str> {
        let text = self.sql(Engine::BigQuery);
        text.split("{optional:").skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    /// The text for an engine.
    #[must_use]
    pub fn sql(self, engine: Engine) -> &'static str {
        match (self, engine) {
            (Self::Crashlytics, Engine::Sqlite) => include_str!("../../sql/sources/sqlite/crashlytics.sql"),
            (Self::Crashlytics, Engine::BigQuery) => {
                include_str!("../../sql/sources/bigquery/crashlytics.sql")
            }
            (Self::CrashIssues, Engine::Sqlite) => include_str!("../../sql/sources/sqlite/crash_issues.sql"),
            (Self::CrashIssues, Engine::BigQuery) => {
                include_str!("../../sql/sources/bigquery/crash_issues.sql")
            }
            (Self::FirebaseSessions, Engine::Sqlite) => {
                include_str!("../../sql/sources/sqlite/firebase_sessions.sql")
            }
            (Self::FirebaseSessions, Engine::BigQuery) => {
                include_str!("../../sql/sources/bigquery/firebase_sessions.sql")
            }
            (Self::Analytics, Engine::Sqlite) => include_str!("../../sql/sources/sqlite/analytics.sql"),
            (Self::Analytics, Engine::BigQuery) => include_str!("../../sql/sources/bigquery/analytics.sql"),
        }
    }
}

/// What stands between the tables that are read together.
pub const TOGETHER: &str = "\nUNION ALL\n";

/// The filter that prunes a table of BigQuery which is partitioned by the time of loading.
const PARTITION_TIME: &str = include_str!("../../sql/sources/bigquery/partition_time.sql");

/// The questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    /// Reports and crashed sessions per day, version and build, and whose installations crashed.
    Crashes,
    /// Sessions per day, version and build, and who had them.
    Sessions,
    /// The first session.
    FirstSession,
    /// Sessions and people over the stretches of a daily report.
    SessionTotals,
    /// Crashed sessions and installations over the same stretches.
    CrashTotals,
    /// The issues that most crash reports belong to.
    TopCrashes,
}

impl Question {
    /// Every question; a test asks that each file is bound once.
    pub const ALL: [Self; 6] = [
        Self::Crashes,
        Self::Sessions,
        Self::FirstSession,
        Self::SessionTotals,
        Self::CrashTotals,
        Self::TopCrashes,
    ];

    /// Whether the question can be asked of the columns that a source has.
    #[must_use]
    pub fn fits(self, source: Source) -> bool {
        match self {
            Self::Crashes | Self::CrashTotals => source == Source::Crashlytics,
            Self::TopCrashes => source == Source::CrashIssues,
            Self::Sessions | Self::FirstSession | Self::SessionTotals => {
                matches!(source, Source::FirebaseSessions | Source::Analytics)
            }
        }
    }

    /// The text, the same for every engine.
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Self::Crashes => include_str!("../../sql/questions/crashes.sql"),
            Self::Sessions => include_str!("../../sql/questions/sessions.sql"),
            Self::FirstSession => include_str!("../../sql/questions/first_session.sql"),
            Self::SessionTotals => include_str!("../../sql/questions/session_totals.sql"),
            Self::CrashTotals => include_str!("../../sql/questions/crash_totals.sql"),
            Self::TopCrashes => include_str!("../../sql/questions/top_crashes.sql"),
        }
    }

    /// The name of the file, used as the label of the query.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crashes => "crashes",
            Self::Sessions => "sessions",
            Self::FirstSession => "first_session",
            Self::SessionTotals => "session_totals",
            Self::CrashTotals => "crash_totals",
            Self::TopCrashes => "top_crashes",
        }
    }

    /// The columns of the answer, in order.
    #[must_use]
    pub fn columns(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Crashes => rows::CRASHES,
            Self::Sessions => rows::SESSIONS,
            Self::FirstSession => rows::FIRST_SESSION,
            Self::SessionTotals => daily::SESSION_TOTALS,
            Self::CrashTotals => daily::CRASH_TOTALS,
            Self::TopCrashes => daily::TOP_CRASHES,
        }
    }
}

/// The type of a column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// INT64.
    Integer,
    /// STRING.
    Text,
}

/// The value of a named parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// An INT64.
    Integer(i64),
    /// A STRING.
    Text(String),
}

/// Everything that a query may ask for; [`render`] binds those that its text names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// First instant inside, in microseconds since 1970.
    pub from_us: i64,
    /// First instant outside, in microseconds since 1970.
    pub to_us: i64,
    /// Events before this instant are mature, in microseconds since 1970.
    pub mature_us: i64,
    /// The builds of the release.
    pub builds: Vec<String>,
    /// The versions of the release, for sources without builds.
    pub versions: Vec<String>,
    /// What a daily report asks for besides.
    pub daily: DailyParameters,
}

impl Parameters {
    fn all(&self) -> Vec<(&'static str, Value)> {
        let Stretches { cycle, last_day, then, now } = self.daily.stretches_us;
        let (application, platform) = self.daily.application.clone().unwrap_or_default();
        vec![
            ("from_us", Value::Integer(self.from_us)),
            ("to_us", Value::Integer(self.to_us)),
            ("mature_us", Value::Integer(self.mature_us)),
            ("builds", Value::Text(list(&self.builds))),
            ("versions", Value::Text(list(&self.versions))),
            ("sketch_size", Value::Integer(crate::domain::sketch::SKETCH_SIZE as i64)),
            ("earlier_builds", Value::Text(list(&self.daily.earlier_builds))),
            ("earlier_versions", Value::Text(list(&self.daily.earlier_versions))),
            ("application", Value::Text(application)),
            ("platform", Value::Text(platform)),
            ("cycle_from_us", Value::Integer(cycle.0)),
            ("cycle_to_us", Value::Integer(cycle.1)),
            ("day_from_us", Value::Integer(last_day.0)),
            ("day_to_us", Value::Integer(last_day.1)),
            ("then_from_us", Value::Integer(then.0)),
            ("then_to_us", Value::Integer(then.1)),
            ("now_from_us", Value::Integer(now.0)),
            ("now_to_us", Value::Integer(now.1)),
            ("top", Value::Integer(crate::domain::daily::TOP_CRASHES as i64)),
        ]
    }
}

/// Names with a comma before and after each, as the questions take them; empty where there are none.
fn list(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(",{},", names.join(",")) }
}

/// A query that can be run: its text and the parameters that it names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    /// The question, for labels and errors.
    pub question: Question,
    /// What the table is, for labels.
    pub source: Source,
    /// The first table that it reads, for errors; all are in its dataset.
    pub table: Table,
    /// The tables that it reads together with it.
    pub others: Vec<Table>,
    /// The text.
    pub sql: String,
    /// The parameters, by name without `@`.
    pub parameters: Vec<(&'static str, Value)>,
}

impl Query {
    /// Every table that it reads.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        std::iter::once(&self.table).chain(&self.others)
    }

    /// The names of the tables that it reads, for people.
    #[must_use]
    pub fn table_names(&self) -> String {
        self.tables().map(Table::as_str).collect::<Vec<_>>().join(" + ")
    }
}

/// Puts a question, a source and a table of a known shape together.
#[must_use]
pub fn render(
    question: Question,
    source: Source,
    engine: Engine,
    table: &Table,
    shape: &Shape,
    parameters: &Parameters,
) -> Query {
    render_together(question, source, engine, (table, shape), &[], parameters)
}

/// Puts a question, a source and several tables together, as if they were one. What is stored in more than one of them
/// is for the question to count once.
#[must_use]
pub fn render_together(
    question: Question,
    source: Source,
    engine: Engine,
    (table, shape): (&Table, &Shape),
    others: &[(&Table, &Shape)],
    parameters: &Parameters,
) -> Query {
    let part = |(table, shape): &(&Table, &Shape)| {
        let text = shape.fit(source.sql(engine)).replace("{table}", table.as_str());
        text.trim_end().to_owned()
    };
    let parts: Vec<String> = std::iter::once(&(table, shape)).chain(others).map(part).collect();
    let sql = question.sql().replace("{source}", &parts.join(TOGETHER));
    let named = parameter_names(&sql);
    let parameters =
        parameters.all().into_iter().filter(|(name, _)| named.iter().any(|n| n == name)).collect();
    let others = others.iter().map(|(table, _)| (*table).clone()).collect();
    Query { question, source, table: table.clone(), others, sql, parameters }
}

/// The names of the parameters in a text, without `@`, each once.
#[must_use]
pub fn parameter_names(sql: &str) -> Vec<String> {
    let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let mut names: Vec<String> =
        code.flat_map(|line| line.split('@').skip(1).map(identifier).collect::<Vec<_>>()).collect();
    names.sort();
    names.dedup();
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        Parameters {
            from_us: 1,
            to_us: 2,
            mature_us: 1,
            builds: vec!["200".into(), "201".into()],
            versions: Vec::new(),
            daily: DailyParameters::default(),
        }
    }

    #[test]
    fn every_source_answers_a_question_and_every_question_has_a_source() {
        let fits = |question: &Question, source: &Source| question.fits(*source);
        assert!(Source::ALL.iter().all(|source| Question::ALL.iter().any(|question| fits(question, source))));
        assert!(Question::ALL.iter().all(|question| Source::ALL.iter().any(|source| fits(question, source))));
    }

    #[test]
    fn tables_are_read_together_each_in_its_own_shape() {
        let [batch, streamed] =
            ["c.app_ANDROID", "c.app_ANDROID_REALTIME"].map(|name| Table::new(name).unwrap());
        let columns = Source::Crashlytics.needed().iter().map(|name| (*name).to_owned()).collect();
        let (old, whole) = (Shape::new(columns, Partitioning::ByLoadTime), Shape::default());
        let (crashes, engine) = (Source::CrashIssues, Engine::BigQuery);
        let tables = ((&batch, &old), [(&streamed, &whole)]);
        let query =
            render_together(Question::TopCrashes, crashes, engine, tables.0, &tables.1, &parameters());
        let (first, second) = query.sql.split_once(TOGETHER).unwrap();
        assert!(
            first.contains("`c.app_ANDROID`") && first.contains("CAST(NULL AS STRING) AS title"),
            "{first}"
        );
        assert!(first.contains("_PARTITIONTIME") && !second.contains("_PARTITIONTIME"), "{second}");
        assert!(
            second.contains("`c.app_ANDROID_REALTIME`") && second.contains("issue_title AS title"),
            "{second}"
        );
        assert_eq!(query.table_names(), "c.app_ANDROID + c.app_ANDROID_REALTIME");
    }

    #[test]
    fn every_parameter_of_every_query_is_bound_and_none_is_left_over() {
        let table = Table::new("firebase_crashlytics.com_example_app_ANDROID").unwrap();
        for engine in [Engine::Sqlite, Engine::BigQuery] {
            for question in Question::ALL {
                for source in Source::ALL.into_iter().filter(|source| question.fits(*source)) {
                    let query = render(question, source, engine, &table, &Shape::default(), &parameters());
                    let mut bound: Vec<_> =
                        query.parameters.iter().map(|(name, _)| (*name).to_owned()).collect();
                    bound.sort();
                    assert_eq!(
                        parameter_names(&query.sql),
                        bound,
                        "{question:?} of {source:?} on {engine:?}"
                    );
                    assert!(!query.sql.contains('{') && query.sql.contains(table.as_str()));
                }
            }
        }
    }

    #[test]
    fn questions_count_and_never_divide() {
        for question in Question::ALL {
            let code: String = question.sql().lines().filter(|l| !l.trim_start().starts_with("--")).collect();
            assert!(!code.contains('/') && !code.to_lowercase().contains("avg("), "{question:?} divides");
        }
    }

    #[test]
    fn every_source_prunes_its_window() {
        for source in Source::ALL {
            for engine in [Engine::Sqlite, Engine::BigQuery] {
                let names = parameter_names(source.sql(engine));
                assert!(
                    names.contains(&"from_us".into()) && names.contains(&"to_us".into()),
                    "{source:?} {engine:?}"
                );
            }
        }
    }

    #[test]
    fn both_engines_answer_the_same_columns() {
        for source in Source::ALL {
            assert_eq!(
                columns(source.sql(Engine::Sqlite)),
                columns(source.sql(Engine::BigQuery)),
                "{source:?}"
            );
        }
    }

    /// The names after AS at the end of a line, and the bare ones.
    fn columns(sql: &str) -> Vec<String> {
        let lines = sql.lines().map(str::trim).filter(|line| !line.starts_with("--"));
        let listed =
            lines.skip_while(|line| *line != "SELECT").skip(1).take_while(|line| !line.starts_with("FROM"));
        listed
            .filter_map(|line| line.trim_end_matches(',').split_whitespace().last().map(str::to_owned))
            .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            .collect()
    }

    #[test]
    fn lists_are_fenced_by_commas() {
        assert_eq!(list(&["20".into(), "200".into()]), ",20,200,");
        assert_eq!(list(&[]), "");
    }
}
