//! Every question over every source, on Google's own GoogleSQL engine and on the embedded one, over the same rows: the
//! answers must be the same in every cell. What this can't see is BigQuery's service: its bills, its time limits, and
//! what its engine does otherwise than the published one.
//!
//! `GOOGLESQL_HARNESS_DIR` names the folder with the engine; `scripts/test` installs it. Then each question is spoiled
//! in several ways, and each must be found, so that the rows can't agree by meeting nothing.

mod cases;
mod engine;
mod rows;
mod sets;
mod spoiled;
mod tables;

use tidegate::adapters::events::Warehouse;
use tidegate::queries::{self, Cell, Engine, Kind, Query, Question, Source, render_together};

use self::engine::Answer;
use self::rows::Rows;
use self::sets::{ONE_DAY, Set, sets};
use self::spoiled::{SPOILED, spoiled};
use self::tables::{Stored, tables};
use crate::support::Fixture;

/// The questions of a daily report.
const OF_A_REPORT: [Question; 3] = [Question::SessionTotals, Question::CrashTotals, Question::TopCrashes];

/// More than the issues of the rows, so that the order of all is compared; where a set is small, as many as a report shows.
const EVERY_ISSUE: i64 = 1_000;

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
    asked.extend(pairs(&tables).flat_map(everything_asked_of_both));
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
    let questions = Question::ALL.into_iter().filter(|question| source(*question, stored).is_some());
    let sets = sets();
    let asked_with = |set: &&Set| stored.asked_with.is_none_or(|names| names.contains(&set.name));
    questions
        .flat_map(|question| {
            sets.iter().filter(asked_with).map(move |set| asked(question, stored, None, set))
        })
        .collect()
}

/// The tables that are read together.
fn pairs(tables: &[Stored]) -> impl Iterator<Item = [&Stored; 2]> {
    tables.windows(2).filter(|pair| pair[1].is_second).map(|pair| [&pair[0], &pair[1]])
}

/// The questions that read several tables, with every set of parameters.
fn everything_asked_of_both([first, second]: [&Stored; 2]) -> Vec<Asked> {
    let questions = OF_A_REPORT.into_iter().filter(|question| source(*question, first).is_some());
    let sets = sets();
    questions
        .flat_map(|question| sets.iter().map(move |set| asked(question, first, Some(second), set)))
        .collect()
}

/// What the table is for a question; none where it can't be asked of it.
fn source(question: Question, stored: &Stored) -> Option<Source> {
    let with_issues = (stored.source == Source::Crashlytics).then_some(Source::CrashIssues);
    [Some(stored.source), with_issues].into_iter().flatten().find(|source| question.fits(*source))
}

fn asked(question: Question, stored: &Stored, second: Option<&Stored>, set: &Set) -> Asked {
    let source = source(question, stored).expect("only questions that fit are asked");
    let mut parameters = set.parameters.clone();
    // One app of many where the table holds several, but for a set that takes them all.
    let is_one = stored.source == Source::Analytics && set.name != ONE_DAY;
    let one_of_many = || ("com.example.app".to_owned(), "ANDROID".to_owned());
    parameters.daily.application = is_one.then(one_of_many);
    let on = |engine| {
        let first = (&stored.table, &stored.shape);
        let others: Vec<_> = second.iter().map(|second| (&second.table, &second.shape)).collect();
        let mut query = render_together(question, source, engine, first, &others, &parameters);
        let sketch_size = query.parameters.iter_mut().find(|(name, _)| *name == "sketch_size");
        if let (Some((_, value)), Some(size)) = (sketch_size, set.sketch_size) {
            *value = queries::Value::Integer(size);
        }
        let top = query.parameters.iter_mut().find(|(name, _)| *name == "top");
        if let (Some((_, value)), None) = (top, set.sketch_size) {
            *value = queries::Value::Integer(EVERY_ISSUE);
        }
        query
    };
    let googlesql = on(Engine::BigQuery);
    let what = format!("{} of {}, {}", question.name(), googlesql.table_names(), set.name);
    Asked { what, googlesql, embedded: on(Engine::Sqlite) }
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
