//! Hands a job to the harness of `tests/googlesql` and takes its answers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};
use tidegate::queries::{self, Kind};

const HARNESS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/googlesql/run.mjs");

/// An answer, as the harness writes it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    Refused { error: String },
    Given { columns: Vec<Column>, rows: Vec<Vec<Option<String>>> },
}

#[derive(Debug, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Column {
    pub fn kind(&self) -> Option<Kind> {
        match self.kind.as_str() {
            "TYPE_INT64" => Some(Kind::Integer),
            "TYPE_STRING" => Some(Kind::Text),
            _ => None,
        }
    }
}

/// Where the packages of the harness are; without them nothing can be compared, and in CI something must be.
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment where the engine is")]
pub fn home() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = set("GOOGLESQL_HARNESS_DIR").map(PathBuf::from);
    assert!(
        home.is_some() || set("CI").is_none(),
        "GOOGLESQL_HARNESS_DIR is not set, so no query was proved on Google's own engine: run scripts/test, which sets it"
    );
    home
}

/// Runs queries over tables, all in one process.
pub fn run<'q>(
    home: &Path,
    tables: &[Value],
    queries: impl Iterator<Item = &'q queries::Query>,
) -> Vec<Answer> {
    let queries: Vec<Value> = queries.map(written).collect();
    let asked = queries.len();
    let mut harness = Command::new("node")
        .arg(HARNESS)
        .env("GOOGLESQL_HARNESS_DIR", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("node, which runs {HARNESS}, can't be started: {error}"));
    let job = json!({"tables": tables, "queries": queries}).to_string();
    // It reads everything before it writes anything.
    let sent = harness.stdin.take().unwrap().write_all(job.as_bytes());
    let output = harness.wait_with_output().unwrap();
    assert!(output.status.success(), "the harness failed: {}", String::from_utf8_lossy(&output.stderr));
    sent.unwrap();
    let answers: Vec<Answer> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), asked, "one answer each");
    answers
}

fn written(query: &queries::Query) -> Value {
    let parameter = |(name, value): &(&str, queries::Value)| match value {
        queries::Value::Integer(value) => {
            json!({"name": name, "type": "INTEGER", "value": value.to_string()})
        }
        queries::Value::Text(value) => json!({"name": name, "type": "STRING", "value": value}),
    };
    let parameters: Vec<Value> = query.parameters.iter().map(parameter).collect();
    let tables: Vec<&str> = query.tables().map(queries::Table::as_str).collect();
    json!({"tables": tables, "sql": query.sql, "parameters": parameters})
}
