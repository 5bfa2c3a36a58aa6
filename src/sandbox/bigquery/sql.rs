//! What the text of a query asks for. Three kinds are known: the questions of `sql/`, named by the labels of the query;
//! the number of rows of a table; and constants. Anything else is refused with what is known, so that nothing is
//! answered that was not understood.

use super::error::Refusal;
use crate::queries::{Cell, Kind, Question, Source, TOGETHER};

/// The labels that name a question and what its table is.
const QUESTION_LABEL: &str = "tidegate_question";
const SOURCE_LABEL: &str = "tidegate_source";

/// What a query asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Plan {
    /// A question of `sql/`, asked of tables of one dataset.
    Question(Question, Source, Vec<TableName>),
    /// The number of rows of a table, under a name.
    Count(TableName, String),
    /// Values, by name.
    Constants(Vec<(String, Kind, Cell)>),
}

/// A table as a query writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableName {
    /// The whole name, without its quotes.
    pub written: String,
    /// The project, where it is written.
    pub project: Option<String>,
    /// The dataset.
    pub dataset: String,
    /// The table.
    pub table: String,
}

/// Reads a query.
pub(crate) fn plan<'l>(text: &str, label: impl Fn(&str) -> Option<&'l str>) -> Result<Plan, Refusal> {
    match (label(QUESTION_LABEL), label(SOURCE_LABEL)) {
        (Some(question), Some(source)) => {
            let question = Question::ALL.into_iter().find(|known| known.name() == question);
            let source = Source::ALL.into_iter().find(|known| known.name() == source);
            let (Some(question), Some(source)) = (question, source) else { return Err(unknown()) };
            Ok(Plan::Question(question, source, tables(text)?))
        }
        _ => simple(text),
    }
}

fn unknown() -> Refusal {
    let questions: Vec<_> = Question::ALL.iter().map(|question| question.name()).collect();
    let sources: Vec<_> = Source::ALL.iter().map(|source| source.name()).collect();
    Refusal::invalid_query(format!(
        "The sandbox has no engine for this query: it answers the number of rows of one table, constants, and what the \
         labels {QUESTION_LABEL} ({}) and {SOURCE_LABEL} ({}) name",
        questions.join(", "),
        sources.join(", "),
    ))
}

/// The tables that a text names between back quotes: one, or several of one dataset that are read together.
fn tables(text: &str) -> Result<Vec<TableName>, Refusal> {
    let code = code(text);
    let mut names: Vec<&str> = code.split('`').skip(1).step_by(2).collect();
    names.dedup();
    let tables = names.into_iter().map(table_name).collect::<Result<Vec<_>, _>>()?;
    let place = |table: &TableName| (table.project.clone(), table.dataset.clone());
    let together = code.matches(TOGETHER).count() + 1 == tables.len();
    let one_dataset = tables.windows(2).all(|pair| place(&pair[0]) == place(&pair[1]));
    if tables.is_empty() || !one_dataset || !together { Err(unknown()) } else { Ok(tables) }
}

fn table_name(written: &str) -> Result<TableName, Refusal> {
    let parts: Vec<&str> = written.split('.').collect();
    let (project, dataset, table) = match parts.as_slice() {
        [dataset, table] => (None, *dataset, *table),
        [project, dataset, table] => (Some((*project).to_owned()), *dataset, *table),
        _ => {
            return Err(Refusal::invalid_query(format!(
                "Table \"{written}\" must be qualified with a dataset (e.g. dataset.table)."
            )));
        }
    };
    let (dataset, table) = (dataset.to_owned(), table.to_owned());
    Ok(TableName { written: written.to_owned(), project, dataset, table })
}

/// Constants, or the number of rows of a table.
fn simple(text: &str) -> Result<Plan, Refusal> {
    let code = code(text);
    let code = code.trim().trim_end_matches(';').trim();
    let list = keyword(code, "SELECT").ok_or_else(unknown)?;
    if let Some(after) = keyword(list, "COUNT(*)") {
        let (name, rest) = match keyword(after, "AS") {
            Some(named) => named.split_once(char::is_whitespace).unwrap_or((named, "")),
            None => ("f0_", after),
        };
        let quoted = keyword(rest.trim(), "FROM").ok_or_else(unknown)?;
        let table = quoted.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).ok_or_else(unknown)?;
        return Ok(Plan::Count(table_name(table)?, name.to_owned()));
    }
    let constants = list.split(',').enumerate().map(|(place, item)| constant(place, item.trim()));
    constants.collect::<Option<Vec<_>>>().map(Plan::Constants).ok_or_else(unknown)
}

/// `1`, `'text'` or `NULL`, with a name or without.
fn constant(place: usize, item: &str) -> Option<(String, Kind, Cell)> {
    let words: Vec<&str> = item.split_whitespace().collect();
    let (value, name) = match words.as_slice() {
        [value] => (*value, format!("f{place}_")),
        [value, name] => (*value, (*name).to_owned()),
        [value, by, name] if by.eq_ignore_ascii_case("AS") => (*value, (*name).to_owned()),
        _ => return None,
    };
    if let Ok(number) = value.parse() {
        return Some((name, Kind::Integer, Cell::Integer(number)));
    }
    if value.eq_ignore_ascii_case("NULL") {
        return Some((name, Kind::Integer, Cell::Null));
    }
    let text = value.strip_prefix('\'')?.strip_suffix('\'')?;
    Some((name, Kind::Text, Cell::Text(text.to_owned())))
}

/// What follows a keyword at the beginning.
fn keyword<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (first, rest) = text.split_at_checked(word.len())?;
    let ends = word.ends_with(')') || rest.starts_with(|c: char| c.is_whitespace());
    (first.eq_ignore_ascii_case(word) && ends).then(|| rest.trim_start())
}

/// A text without its comments; lines and columns stay where they are.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Refuses a text that reads a column which its table lacks, as BigQuery does; `lacking` has a list for each table.
pub(crate) fn check_names(text: &str, lacking: &[Vec<&str>]) -> Result<(), Refusal> {
    let code = code(text);
    let mut lines_before = 0;
    for (part, lacking) in code.split(TOGETHER).zip(lacking) {
        check_part(part, lines_before, lacking)?;
        lines_before += part.lines().count() + TOGETHER.trim().lines().count();
    }
    Ok(())
}

/// The part of a text that reads one table.
fn check_part(code: &str, lines_before: usize, lacking: &[&str]) -> Result<(), Refusal> {
    for name in lacking {
        let Some((line, column)) = position(code, name) else { continue };
        let line = line + lines_before;
        return Err(Refusal::invalid_query(match name.split_once('.') {
            None => format!("Unrecognized name: {name} at [{line}:{column}]"),
            Some((record, field)) => {
                let column = column + record.len() + 1;
                format!("Field name {field} does not exist in STRUCT {record} at [{line}:{column}]")
            }
        }));
    }
    Ok(())
}

/// Line and column of a name, from 1.
fn position(code: &str, name: &str) -> Option<(usize, usize)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.@`".contains(c);
    code.lines().enumerate().find_map(|(line, text)| {
        let mut found = text.match_indices(name).filter(|(start, _)| {
            let before = text.get(..*start).and_then(|text| text.chars().next_back());
            let after = text.get(start + name.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        });
        found.next().map(|(start, _)| (line + 1, start + 1))
    })
}

/// Refuses a text that is not the one of its question.
pub(crate) fn check_text(text: &str, tables: &[&TableName], known: &str) -> Result<(), Refusal> {
    let short = |text: String, table: &&TableName| {
        text.replace(&format!("`{}`", table.written), &format!("`{}.{}`", table.dataset, table.table))
    };
    let given = tables.iter().fold(text.to_owned(), short);
    if given == known {
        return Ok(());
    }
    let lines = given.lines().zip(known.lines()).enumerate();
    let differs = lines.into_iter().find(|(_, (given, known))| given != known);
    let what = match differs {
        Some((line, (given, known))) => {
            format!("line {} is {given:?}, where the question has {known:?}", line + 1)
        }
        None => format!("it has {} lines, the question {}", given.lines().count(), known.lines().count()),
    };
    Err(Refusal::invalid_query(format!("The text is not that of the question which its labels name: {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Plan, Refusal> {
        plan(text, |_| None)
    }

    fn table(written: &str, project: Option<&str>) -> TableName {
        TableName {
            written: written.to_owned(),
            project: project.map(str::to_owned),
            dataset: "d".to_owned(),
            table: "t".to_owned(),
        }
    }

    #[test]
    fn constants_and_counts_are_read() {
        let one = ("one".to_owned(), Kind::Integer, Cell::Integer(1));
        assert_eq!(read("select 1 AS one;"), Ok(Plan::Constants(vec![one.clone()])));
        let text = ("f1_".to_owned(), Kind::Text, Cell::Text("a".to_owned()));
        assert_eq!(read("SELECT 1 AS one, 'a' -- why"), Ok(Plan::Constants(vec![one, text])));
        let count = Plan::Count(table("p-1.d.t", Some("p-1")), "n".to_owned());
        assert_eq!(read("SELECT COUNT(*) AS n\nFROM `p-1.d.t`"), Ok(count));
        assert_eq!(read("SELECT count(*) FROM `d.t`"), Ok(Plan::Count(table("d.t", None), "f0_".to_owned())));
    }

    #[test]
    fn anything_else_is_refused_with_what_is_known() {
        for text in
            ["", "SELECT", "SELECT x", "SELECT 1 FROM `d.t`", "SELECT * FROM `d.t`", "DROP TABLE `d.t`"]
        {
            let refusal = read(text).unwrap_err();
            assert!(refusal.message.contains("first_session"), "{text}: {refusal:?}");
        }
    }

    #[test]
    fn a_question_is_named_by_its_labels() {
        let labels = |name: &str| match name {
            QUESTION_LABEL => Some("crashes"),
            SOURCE_LABEL => Some("crashlytics"),
            _ => None,
        };
        let asked = plan("-- `no.table`\nSELECT a FROM `p.d.t`", labels).unwrap();
        assert_eq!(
            asked,
            Plan::Question(Question::Crashes, Source::Crashlytics, vec![table("p.d.t", Some("p"))])
        );
        assert!(plan("SELECT a FROM `a.b`, `a.d`", labels).is_err());
        assert!(plan("SELECT 1", |name| (name == QUESTION_LABEL).then_some("x")).is_ok());
        let both = "SELECT a FROM `d.t`\nUNION ALL\nSELECT a FROM `d.u`";
        let Ok(Plan::Question(_, _, tables)) = plan(both, labels) else { panic!("{both}") };
        assert_eq!(tables.iter().map(|table| table.table.as_str()).collect::<Vec<_>>(), ["t", "u"]);
        assert!(plan(&both.replace("d.u", "e.u"), labels).is_err(), "another dataset may be elsewhere");
    }

    #[test]
    fn missing_names_are_refused_at_their_place() {
        let text = "-- session_id\nSELECT firebase_session_id AS session_id,\n  application.build_version";
        assert_eq!(check_names(text, &[vec!["issue_title"]]), Ok(()));
        let message = |name: &str| check_names(text, &[vec![name]]).unwrap_err().message;
        assert_eq!(message("firebase_session_id"), "Unrecognized name: firebase_session_id at [2:8]");
        assert!(message("application.build_version").ends_with("STRUCT application at [3:15]"));
        let both = format!("{text}\nFROM t\nUNION ALL\n{text}");
        let of_second = check_names(&both, &[Vec::new(), vec!["firebase_session_id"]]).unwrap_err().message;
        assert_eq!(of_second, "Unrecognized name: firebase_session_id at [7:8]");
    }

    #[test]
    fn another_text_is_refused_with_the_difference() {
        let table = table("p-1.d.t", Some("p-1"));
        assert_eq!(check_text("SELECT a\nFROM `p-1.d.t`", &[&table], "SELECT a\nFROM `d.t`"), Ok(()));
        let refusal = check_text("SELECT b\nFROM `p-1.d.t`", &[&table], "SELECT a\nFROM `d.t`").unwrap_err();
        assert!(refusal.message.contains("line 1 is \"SELECT b\""), "{refusal:?}");
        assert!(
            check_text("SELECT a", &[&table], "SELECT a\nFROM `d.t`")
                .unwrap_err()
                .message
                .contains("1 lines")
        );
    }
}
