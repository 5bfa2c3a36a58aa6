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
use tidegate::queries::{self, Cell, Engine, Kind, Query, Question, Source, render};

use self::engine::Answer;
use self::rows::Rows;
use self::sets::{Set, sets};
use self::spoiled::{SPOILED, spoiled};
use self::tables::{Stored, tables};
use crate::support::Fixture;

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
            *value = queries::Value::Integer(size);
        }
        query
    };
    let what = format!("{} of {}, {}", question.name(), stored.table, set.name);
    Asked { what, googlesql: on(Engine::BigQuery), embedded: on(Engine::Sqlite) }
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
