//! What the import takes and refuses. Everything or nothing, with the place and the fix.

use std::io::Write as _;

use serde_json::json;
use tidegate::adapters::embedded::Embedded;
use tidegate::adapters::embedded::schema::Export;
use tidegate::adapters::events::Warehouse;
use tidegate::queries::Table;

use crate::support::{Fixture, SESSIONS, session, with};

fn table() -> Table {
    Table::new(SESSIONS).unwrap()
}

fn refused(fixture: &Fixture, file: &std::path::Path) -> String {
    fixture.warehouse.import(&table(), Export::FirebaseSessions, &[file]).unwrap_err().to_string()
}

async fn has_table(fixture: &Fixture) -> bool {
    fixture.warehouse.table(&table()).await.unwrap().is_some()
}

#[tokio::test]
async fn gzip_is_read_as_well() {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join("rows.json.gz");
    let mut gzip =
        flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    writeln!(gzip, "{}", session("a", "2026-11-18T08:00:00Z")).unwrap();
    gzip.finish().unwrap();
    let imported = fixture.warehouse.import(&table(), Export::FirebaseSessions, &[&path]).unwrap();
    assert_eq!(imported.rows, 1);

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 8]).unwrap();
    let error = refused(&fixture, &path);
    assert!(error.contains("cut or damaged"), "{error}");
}

#[tokio::test]
async fn a_cut_file_is_refused_with_its_line_and_nothing_is_kept() {
    let fixture = Fixture::new();
    let rows = [session("a", "2026-11-18T08:00:00Z"), session("b", "2026-11-18T08:00:00Z")];
    let path = fixture.file("cut.json", &rows);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.as_bytes().split_at(text.len() - 20).0).unwrap();
    let error = refused(&fixture, &path);
    assert!(error.contains("cut.json:2:") && error.contains("not one whole JSON object"), "{error}");
    assert!(error.contains("bq extract"), "{error}");
    assert!(!has_table(&fixture).await, "not even the table is made");
}

#[tokio::test]
async fn a_missing_column_is_named() {
    let fixture = Fixture::new();
    let row = with(session("a", "2026-11-18T08:00:00Z"), json!({"event_type": null}));
    let error = refused(&fixture, &fixture.file("rows.json", &[row]));
    assert!(error.contains("rows.json:1:") && error.contains("column event_type is missing"), "{error}");
}

#[tokio::test]
async fn a_wrong_shape_is_named() {
    let fixture = Fixture::new();
    for (change, problem) in [
        (json!({"event_timestamp": "yesterday"}), "column event_timestamp holds \"yesterday\""),
        (json!({"application": "2.0"}), "column application holds \"2.0\" instead of a record"),
        (json!({"crashlytics_data_collection_enabled": "maybe"}), "true or false"),
    ] {
        let row = with(session("a", "2026-11-18T08:00:00Z"), change);
        let error = refused(&fixture, &fixture.file("rows.json", &[row]));
        assert!(error.contains(problem), "{error}");
    }
    let error = refused(&fixture, &fixture.file("list.json", &[json!([1])]));
    assert!(error.contains("list.json:1:"), "{error}");
}

#[tokio::test]
async fn one_bad_file_of_two_keeps_nothing() {
    let fixture = Fixture::new();
    let good = fixture.file("good.json", &[session("a", "2026-11-18T08:00:00Z")]);
    let bad = fixture.file("bad.json", &[json!({"session_id": "b"})]);
    fixture.warehouse.import(&table(), Export::FirebaseSessions, &[good, bad]).unwrap_err();
    assert!(!has_table(&fixture).await);
}

#[test]
fn columns_that_are_not_kept_are_said() {
    let fixture = Fixture::new();
    let row = with(session("a", "2026-11-18T08:00:00Z"), json!({"brand_new": 1}));
    let path = fixture.file("rows.json", &[row]);
    let imported = fixture.warehouse.import(&table(), Export::FirebaseSessions, &[path]).unwrap();
    assert_eq!(imported.columns_left_out.into_iter().collect::<Vec<_>>(), ["brand_new"]);
}

#[test]
fn a_warehouse_that_is_not_there_or_not_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("warehouse.sqlite");
    let error = Embedded::open(&path).err().unwrap().to_string();
    assert!(error.contains("does not exist") && error.contains("tidegate import"), "{error}");
    std::fs::write(&path, "not a database, but long enough to look at, twice over and over again").unwrap();
    let error = Embedded::open(&path).err().unwrap().to_string();
    assert!(error.contains("not a warehouse"), "{error}");
}
