//! The page that lists every endpoint, against the calls that the contract test must see and the tests that there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::MUST_BE_SEEN;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cells of the rows of the page.
fn rows() -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(root().join("docs/endpoints.md")).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    page.lines().filter(|line| line.starts_with("| ")).map(cells).collect()
}

/// What stands between the first two back-quotes.
fn quoted(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

/// The endpoint of a call of the contract test: method and path, without the status.
fn endpoint(call: &str) -> String {
    call.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_lists_every_endpoint_that_is_checked_and_no_other() {
    let listed: BTreeSet<String> = rows()
        .iter()
        .filter(|row| quoted(&row[1]).is_some_and(|description| description.ends_with(".json")))
        .map(|row| quoted(&row[0]).unwrap().to_owned())
        .collect();
    assert_eq!(listed, MUST_BE_SEEN.iter().map(|call| endpoint(call)).collect());
}

#[test]
fn the_page_names_tests_that_there_are() {
    let tests: Vec<String> = rows().iter().filter_map(|row| quoted(row.last()?).map(str::to_owned)).collect();
    assert!(tests.len() > MUST_BE_SEEN.len() / 3, "{tests:?}");
    for test in tests {
        let (file, name) = test.split_once("::").unwrap_or((&test, ""));
        let path: PathBuf = root().join("tests/adapters").join(format!("{file}.rs"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{test}: {error}"));
        assert!(text.contains(&format!("fn {name}")), "docs/endpoints.md names {test}, which there is not");
    }
}
