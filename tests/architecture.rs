//! The walls: which layer may name which, and what every rule, job, question and reason must have.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use tidegate::domain::rules;
use tidegate::domain::verdict::Reason;
use tidegate::jobs::JobId;
use tidegate::queries::Question;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no .{ending} file under {folder}");
    found
}

/// A file without its comments and without its tests, whose helpers may use more than the code may.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    production.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Fails where a file of a layer names something that it may not know.
fn refuses(layer: &str, forbidden: &[&str]) {
    let paths = if root().join("src").join(layer).is_dir() {
        files(&format!("src/{layer}"), "rs")
    } else {
        vec![root().join(format!("src/{layer}.rs"))]
    };
    for path in paths {
        let code = code(&path);
        for grouped in ["use crate::{", "use std::{"] {
            assert!(!code.contains(grouped), "{} hides what it names in a group", path.display());
        }
        for name in forbidden {
            assert!(!code.contains(name), "{} names {name}, which {layer} may not know", path.display());
        }
    }
}

const IO: [&str; 9] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::time::SystemTime",
    "Timestamp::now",
    "tracing",
    "tokio",
    "reqwest",
];

#[test]
fn the_domain_knows_nothing_but_itself() {
    let layers = [
        "config", "ports", "jobs", "queries", "adapters", "world", "report", "sandbox", "demo", "cli",
        "commands",
    ];
    let forbidden: Vec<String> = layers.iter().map(|layer| format!("crate::{layer}")).collect();
    let forbidden: Vec<&str> = forbidden.iter().map(String::as_str).chain(IO).chain(["async fn"]).collect();
    refuses("domain", &forbidden);
}

#[test]
fn every_layer_looks_left_only() {
    let right_of_ports =
        ["crate::config", "crate::jobs", "crate::adapters", "crate::world", "crate::queries"];
    refuses("ports", &right_of_ports);
    refuses("queries", &["crate::config", "crate::jobs", "crate::adapters", "crate::world", "crate::ports"]);
    refuses("config", &["crate::jobs", "crate::adapters", "crate::world", "crate::queries", "crate::ports"]);
    refuses("jobs", &["crate::adapters", "crate::world", "crate::config", "crate::queries", "crate::report"]);
    refuses("report", &["crate::adapters", "crate::world", "crate::commands"]);
    refuses("adapters", &["crate::jobs", "crate::world", "crate::commands", "crate::cli"]);
    refuses("sandbox", &["crate::domain", "crate::jobs", "crate::ports", "crate::world"]);
    // Its BigQuery answers by the embedded engine, and knows no other adapter.
    for path in files("src/sandbox", "rs") {
        let named = code(&path).replace("crate::adapters::embedded", "");
        assert!(!named.contains("crate::adapters"), "{} names another adapter", path.display());
    }
    for layer in ["queries", "config", "jobs", "report", "ports"] {
        refuses(layer, &IO);
    }
}

/// Only a person's command makes a person's word, so nothing automatic can ever resume a release.
#[test]
fn only_a_persons_command_makes_a_persons_word() {
    for path in files("src", "rs") {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let may = ["src/commands/control.rs", "src/domain/persons_word.rs"].contains(&name.as_str());
        assert!(may || !code(&path).contains("PersonsWord::given"), "{name} speaks for a person");
    }
}

#[test]
fn sql_is_in_its_folder() {
    for path in files("src", "rs") {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        // The two SQLite files own their tables; what is asked of the exports is asked in sql/ alone.
        let owns_tables =
            name.starts_with("src/adapters/sqlite/") || name.starts_with("src/adapters/embedded/");
        let code = code(&path);
        assert!(owns_tables || !(code.contains("SELECT ") && code.contains(" FROM ")), "{name} holds SQL");
    }
}

#[test]
fn every_sql_file_is_bound_once() {
    let binding = fs::read_to_string(root().join("src/queries/mod.rs")).unwrap();
    for path in files("sql", "sql") {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let bound = binding.matches(&format!("include_str!(\"../../{name}\")")).count();
        assert_eq!(bound, 1, "{name} must be bound once in src/queries/mod.rs");
    }
}

fn has_heading(page: &str, name: &str) {
    let text = fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let heading = text
        .lines()
        .any(|line| line.starts_with('#') && line.trim_start_matches('#').trim() == format!("`{name}`"));
    assert!(heading, "{page} has no heading for `{name}`");
}

#[test]
fn every_rule_has_its_docs_its_setting_and_a_scenario() {
    let schema = fs::read_to_string(root().join("schema/tidegate.schema.json")).unwrap();
    let scenarios: String =
        files("tests/scenarios", "toml").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for rule in rules::ALL {
        has_heading("docs/rules.md", rule.id);
        assert!(schema.contains(&format!("\"{}\"", rule.id)), "the schema has no key for {}", rule.id);
        assert!(scenarios.contains(&format!("rule = \"{}\"", rule.id)), "no scenario for {}", rule.id);
        let file = format!("src/domain/rules/{}.rs", rule.id.replace('-', "_"));
        assert!(root().join(&file).exists(), "{file} is the one place for {}", rule.id);
    }
}

#[test]
fn every_reason_job_and_question_has_its_docs() {
    Reason::ALL.iter().for_each(|reason| has_heading("docs/rules.md", reason.as_str()));
    JobId::ALL.iter().for_each(|job| has_heading("docs/jobs.md", job.as_str()));
    Question::ALL.iter().for_each(|question| has_heading("docs/queries.md", question.name()));
}

#[test]
fn every_file_that_the_docs_name_exists() {
    let mut pages = files("docs", "md");
    pages.push(root().join("README.md"));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let named = text.split('`').skip(1).step_by(2).filter(|name| {
            let first = name.split('/').next().unwrap_or_default();
            name.contains('/')
                && ["src", "sql", "tests", "docs", "scripts", "schema", "action"].contains(&first)
        });
        for name in named.filter(|name| !name.contains(['<', '*', '{', ' '])) {
            assert!(root().join(name).exists(), "{} names {name}, which is not there", page.display());
        }
    }
}

/// A killed run is made by a build for tests. No release is one: nothing turns the feature on, and one file asks for it.
#[test]
fn no_release_has_fail_points() {
    const FEATURE: &str = "fail-points";
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let features = manifest["features"].as_table().unwrap();
    assert_eq!(features[FEATURE].as_array().unwrap(), &["adapters".into()], "it brings no dependency");
    for (name, implied) in features {
        let names = |value: &toml::Value| value.as_str().is_some_and(|value| value.contains(FEATURE));
        assert!(!implied.as_array().unwrap().iter().any(names), "the feature {name} turns on {FEATURE}");
    }
    // What builds a release, and what a user builds by.
    let mut builders = files(".github", "yml");
    builders.extend(files("action", "sh"));
    builders.extend(["action.yml", "README.md"].map(|name| root().join(name)));
    for path in builders {
        let text = fs::read_to_string(&path).unwrap();
        let turns_on =
            [FEATURE, "--all-features", "TIDEGATE_FAIL_POINT"].into_iter().find(|word| text.contains(word));
        assert_eq!(turns_on, None, "in {}", path.display());
    }
    for path in files("src", "rs").into_iter().chain(files("benches", "rs")) {
        let code = code(&path);
        let may = path.ends_with("src/adapters/fail_point.rs");
        assert!(may || !code.contains(FEATURE), "{} asks for {FEATURE}", path.display());
        assert!(may || !code.contains("process::exit"), "{} ends the process", path.display());
    }
}

/// A row of the fault table.
struct Row {
    id: String,
    /// What it waits for, where that part of the program is not there yet.
    waits_for: String,
}

fn rows() -> Vec<Row> {
    let table = fs::read_to_string(root().join("tests/fixtures/faults.md")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| F"));
    let rows: Vec<Row> = rows
        .map(|line| {
            let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
            let [id, _, _, _, waits_for] = cells.as_slice() else { panic!("not five columns: {line}") };
            Row { id: (*id).to_owned(), waits_for: (*waits_for).to_owned() }
        })
        .collect();
    let expected: Vec<String> = (1..=rows.len()).map(|number| format!("F{number:02}")).collect();
    assert_eq!(rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), expected, "one row of each number");
    rows
}

/// The rows that tests are named after: `F07` for `fn f07_...` below a `#[test]` of any kind.
fn tested_rows() -> Vec<String> {
    let mut tested = Vec::new();
    for path in files("src", "rs").into_iter().chain(files("tests", "rs")) {
        let text = fs::read_to_string(path).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn f");
            let number = function.and_then(|name| name.split_once('_')).map(|(number, _)| number);
            let is_row = |number: &&str| number.len() == 2 && number.chars().all(|c| c.is_ascii_digit());
            if let Some(number) = number.filter(is_row) {
                assert!(is_test, "{line} is named after a row and is no test");
                tested.push(format!("F{number}"));
            }
            is_test = line.starts_with("#[test")
                || line.starts_with("#[tokio::test")
                || (is_test && line.starts_with('#'));
        }
    }
    tested
}

#[test]
fn every_row_of_the_fault_table_has_a_test_or_waits() {
    let (rows, tested) = (rows(), tested_rows());
    for row in &rows {
        match (tested.contains(&row.id), row.waits_for.as_str()) {
            (true, "") => {}
            (true, waits_for) => panic!("{} waits for {waits_for}, and has a test", row.id),
            (false, "") => {
                panic!("no test is named {}_..., and the row waits for nothing", row.id.to_lowercase())
            }
            (false, _) => {}
        }
    }
    let unknown = tested.iter().find(|id| rows.iter().all(|row| row.id != **id));
    assert!(unknown.is_none(), "tests are named after {unknown:?}, which is no row");
}
