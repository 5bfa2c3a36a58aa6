//! Every question over every source, on Google's own GoogleSQL engine and on the embedded one, over the same rows: the
//! answers must be the same in every cell. What this can't see is BigQuery's service: its bills, its time limits, and
//! what its engine does otherwise than the published one.
//!
//! `GOOGLESQL_HARNESS_DIR` names the folder with the engine; `scripts/test` installs it. Then each question is spoiled
//! in several ways, and each must be found, so that the rows can't agree by meeting nothing.

mod cases;
mod engine;
mod rows;
mod tables;

use jiff::SignedDuration;
use tidegate::adapters::events::Warehouse;
use tidegate::queries::{Cell, Engine, Kind, Parameters, Query, Question, Source, render};

use self::engine::Answer;
use self::rows::{
    AFTER_LAST_DAY, BUILDS, EARLIEST, FIRST_DAY, FROM, LATEST, MATURE, MIDNIGHT, Rows, TO, VERSIONS,
};
use self::tables::{Stored, tables};
use crate::support::{Fixture, at};

/// Sets of parameters that a table or a spoiled query asks for by name.
const WANTED: &str = "builds and a version";
const STRANGE_BUILDS: &str = "strange builds";
const STRANGE_VERSIONS: &str = "strange versions";
const EVENT_TO_EVENT: &str = "from an event to an event";
const ONE_DAY: &str = "a day";
const SMALL_SKETCH: &str = "a small sketch";

/// A row as text, so that rows can be sorted and shown.
type Line = Vec<Option<String>>;

/// One query, for both engines.
struct Asked {
    what: String,
    googlesql: Query,
    embedded: Query,
}

#[tokio::test]
async fn both_engines_give_the_same_answers() {
    let Some(home) = engine::home() else {
        eprintln!(
            "SKIPPED: GOOGLESQL_HARNESS_DIR is not set, so no query was proved on Google's own engine; scripts/test sets it"
        );
        return;
    };
    let tables = tables(&Rows::new());
    let fixture = Fixture::new();
    tables.iter().for_each(|table| table.import(&fixture));
    let mut asked: Vec<Asked> = tables.iter().flat_map(everything_asked_of).collect();
    let honest = asked.len();
    asked.extend(SPOILED.iter().map(|spoil| spoiled(&tables, spoil)));

    let content: Vec<_> = tables.iter().map(Stored::for_googlesql).collect();
    let answers = engine::run(&home, &content, asked.iter().map(|asked| &asked.googlesql));
    let mut problems = Vec::new();
    let mut lines = 0;
    for (place, (asked, answer)) in asked.iter().zip(answers).enumerate() {
        let expected = embedded(&fixture, &asked.embedded).await;
        let given = googlesql(&asked.what, asked.googlesql.question, answer);
        lines += given.len();
        if place < honest {
            problems.extend(difference(&asked.what, &given, &expected));
        } else if given == expected {
            problems.push(format!("nobody notices that {}", asked.what));
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    eprintln!("{honest} answers are the same on both engines, {lines} rows were compared");
}

/// Every question that fits the table, with every set of parameters that the table is asked with.
fn everything_asked_of(stored: &Stored) -> Vec<Asked> {
    let fits =
        |question: &Question| (*question == Question::Crashes) == (stored.source == Source::Crashlytics);
    let questions = Question::ALL.into_iter().filter(fits);
    let sets = sets();
    let asked_with = |set: &&Set| stored.asked_with.is_none_or(|names| names.contains(&set.name));
    questions
        .flat_map(|question| sets.iter().filter(asked_with).map(move |set| asked(question, stored, set)))
        .collect()
}

fn asked(question: Question, stored: &Stored, set: &Set) -> Asked {
    let on = |engine| {
        let mut query =
            render(question, stored.source, engine, &stored.table, &stored.shape, &set.parameters);
        let sketch_size = query.parameters.iter_mut().find(|(name, _)| *name == "sketch_size");
        if let (Some((_, value)), Some(size)) = (sketch_size, set.sketch_size) {
            *value = tidegate::queries::Value::Integer(size);
        }
        query
    };
    let what = format!("{} of {}, {}", question.name(), stored.table, set.name);
    Asked { what, googlesql: on(Engine::BigQuery), embedded: on(Engine::Sqlite) }
}

/// What is asked: windows that start and end at events and just after them, and lists that could be misread.
struct Set {
    name: &'static str,
    parameters: Parameters,
    /// Another size than the real one, so that few people are many.
    sketch_size: Option<i64>,
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
    };
    Set { name, parameters, sketch_size: None }
}

fn sets() -> Vec<Set> {
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

const SMALL_SKETCH_SIZE: i64 = 5;

/// Ways to spoil a query for Google's engine: the question, the source, what is then wrong, the set that must notice
/// it, and the text that is put in the place of another.
type Spoil = (Question, Source, &'static str, &'static str, [&'static str; 2]);

const SPOILED: [Spoil; 20] = {
    use Question::{Crashes, FirstSession, Sessions};
    use Source::{Analytics, Crashlytics, FirebaseSessions};
    const BUILDS: [&str; 2] =
        ["INSTR(@builds, ',' || build || ',') > 0", "@builds LIKE '%,' || build || ',%'"];
    const VERSIONS: [&str; 2] =
        ["INSTR(@versions, ',' || version || ',') > 0", "@versions LIKE '%,' || version || ',%'"];
    [
        (
            Crashes,
            Crashlytics,
            "a report at `from` is out",
            EVENT_TO_EVENT,
            ["timestamp >= ", "timestamp > "],
        ),
        (Crashes, Crashlytics, "a report at `to` is in", EVENT_TO_EVENT, ["timestamp < ", "timestamp <= "]),
        (
            Crashes,
            Crashlytics,
            "a mature crash at the cut",
            EVENT_TO_EVENT,
            ["< @mature_us", "<= @mature_us"],
        ),
        (Crashes, Crashlytics, "any ANR counts", WANTED, [" AND process_state = 'FOREGROUND'", ""]),
        (
            Crashes,
            Crashlytics,
            "an ANR in an unknown state counts",
            WANTED,
            ["= 'FOREGROUND'", "!= 'BACKGROUND'"],
        ),
        (
            Crashes,
            Crashlytics,
            "a stored report counts",
            WANTED,
            ["GROUP BY event_id", "GROUP BY event_id, events.at_us"],
        ),
        (
            Crashes,
            Crashlytics,
            "an ANR counts beside its crash",
            WANTED,
            ["WHEN fatal = 0 THEN", "WHEN TRUE THEN"],
        ),
        (
            Crashes,
            Crashlytics,
            "no session is one session",
            WANTED,
            ["WHEN session_id IS NULL", "WHEN FALSE"],
        ),
        (Crashes, Crashlytics, "a streamed report is lost", ONE_DAY, ["OR _PARTITIONTIME IS NULL", ""]),
        (Crashes, Crashlytics, "one installation less", SMALL_SKETCH, ["place <= @", "place < @"]),
        (Crashes, Crashlytics, "a build is a pattern, crashes", WANTED, BUILDS),
        (
            Sessions,
            FirebaseSessions,
            "a session at `to` is in",
            EVENT_TO_EVENT,
            ["timestamp < ", "timestamp <= "],
        ),
        (
            Sessions,
            FirebaseSessions,
            "a silent session counts",
            WANTED,
            [" AND crashlytics_data_collection_enabled", ""],
        ),
        (
            Sessions,
            FirebaseSessions,
            "a stored session counts",
            WANTED,
            ["GROUP BY session_id", "GROUP BY session_id, events.at_us"],
        ),
        (Sessions, FirebaseSessions, "one person less", SMALL_SKETCH, ["place <= @", "place < @"]),
        (Sessions, FirebaseSessions, "a build is a pattern, sessions", WANTED, BUILDS),
        (Sessions, Analytics, "any event is a session", WANTED, ["AND event_name = 'session_start'", ""]),
        (Sessions, Analytics, "two apps share a session", WANTED, ["COALESCE(app_info.id, '')", "''"]),
        (Sessions, Analytics, "a version is a pattern", STRANGE_VERSIONS, VERSIONS),
        (FirstSession, FirebaseSessions, "a build is a pattern, first session", WANTED, BUILDS),
    ]
};

/// The query that is spoiled: of the first table whose text can be.
fn spoiled(tables: &[Stored], (question, source, what, set, [text, instead]): &Spoil) -> Asked {
    let set = sets().into_iter().find(|one| one.name == *set).unwrap();
    let of_source = tables.iter().filter(|stored| stored.source == *source && !stored.is_crowded);
    let mut asked = of_source.map(|stored| asked(*question, stored, &set));
    let hit = asked.find(|asked| asked.googlesql.sql.contains(text));
    let mut hit = hit.unwrap_or_else(|| panic!("no text has {text:?}, so {what} can't be tried"));
    hit.googlesql.sql = hit.googlesql.sql.replace(text, instead);
    Asked { what: (*what).to_owned(), ..hit }
}

/// The answer of Google's engine, sorted.
fn googlesql(what: &str, question: Question, answer: Answer) -> Vec<Line> {
    match answer {
        Answer::Refused { error } => panic!("{what}: Google's engine says {error}"),
        Answer::Given { columns, mut rows } => {
            let named: Vec<_> = columns.iter().map(|column| (column.name.as_str(), column.kind())).collect();
            let wanted: Vec<_> = question.columns().iter().map(|(name, kind)| (*name, Some(*kind))).collect();
            assert_eq!(named, wanted, "{what}");
            rows.sort();
            rows
        }
    }
}

/// The answer of the embedded engine, sorted.
async fn embedded(fixture: &Fixture, query: &Query) -> Vec<Line> {
    let rows = fixture.warehouse.run(query).await.unwrap().rows;
    let columns = query.question.columns();
    let line = |row: &Vec<Cell>| {
        assert_eq!(row.len(), columns.len(), "{}", query.sql);
        row.iter().zip(columns).map(|(cell, (_, kind))| text(cell, *kind)).collect::<Line>()
    };
    let mut lines: Vec<Line> = rows.iter().map(line).collect();
    lines.sort();
    lines
}

fn text(cell: &Cell, kind: Kind) -> Option<String> {
    match (cell, kind) {
        (Cell::Null, _) => None,
        (Cell::Integer(value), Kind::Integer) => Some(value.to_string()),
        (Cell::Text(value), Kind::Text) => Some(value.clone()),
        (cell, kind) => panic!("{cell:?} where {kind:?} was promised"),
    }
}

/// The first rows that only one of them gives.
fn difference(what: &str, googlesql: &[Line], embedded: &[Line]) -> Option<String> {
    const SHOWN: usize = 3;
    let only = |one: &[Line], other: &[Line]| -> Vec<Line> {
        one.iter().filter(|line| !other.contains(line)).take(SHOWN).cloned().collect()
    };
    let (ours, theirs) = (embedded.len(), googlesql.len());
    (googlesql != embedded).then(|| {
        format!(
            "{what}: {theirs} rows of Google's engine, {ours} of the embedded one\n  only Google's: {:?}\n  only embedded: {:?}",
            only(googlesql, embedded),
            only(embedded, googlesql)
        )
    })
}
