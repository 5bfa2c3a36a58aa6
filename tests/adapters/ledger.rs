//! The ledger of real runs: what is entered, that any change of it or of a decision shows, and that a state without one
//! goes on.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::adapters::firestore::FirestoreState;
use tidegate::adapters::sqlite::SqliteState;
use tidegate::commands::explain::Explained;
use tidegate::commands::ledger::read;
use tidegate::domain::canonical;
use tidegate::domain::decision::Record;
use tidegate::domain::ids::{AppId, DecisionId};
use tidegate::exit::Exit;
use tidegate::ports::StateStore as _;
use tidegate::sandbox::{CannedReply, Fault, FaultKind, Service};

use crate::emulator::Emulator;
use crate::town::{Apps, Events, NOW, Ran, Town, hours_later};

fn app() -> AppId {
    AppId::new("android").unwrap()
}

/// The id of the decision of a run.
fn id(ran: &Ran) -> DecisionId {
    DecisionId::new(ran.result()["decision_id"].as_str().unwrap()).unwrap()
}

/// The kinds of the entries, in order.
async fn kinds(town: &Town) -> Vec<String> {
    let ran = town.finish(&["ledger", "--output", "json"]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let ledger = &document["ledgers"][0];
    assert_eq!((&ledger["app"], &ledger["verified"]), (&json!("android"), &json!(true)), "{ledger:#}");
    let entries = ledger["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["entry"]["kind"].as_str().unwrap().to_owned()).collect()
}

fn refused() -> Fault {
    let refused = FaultKind::Status(CannedReply::status(403));
    Fault::new(Service::GooglePlay, refused).on("PUT", "/tracks/")
}

#[tokio::test]
async fn a_halt_is_entered_from_its_decision_to_its_message() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let id = id(&town.monitor(&[]).await);
    assert_eq!(kinds(&town).await, ["decided", "intended", "confirmed", "told"]);
    let explained = town.finish(&["explain", id.as_str()]).await;
    assert_eq!(explained.code(), 0, "{}", explained.stderr());
    let text = explained.stdout();
    for words in [
        "recomputed: identical",
        "ledger: entry 1; verified: entries 1 to 4, head ",
        "afterwards:",
        "intended halt of release 200, which was rolling out at 15 % of users (halt-",
        "confirmed: was rolling out at 15 % of users, is halted at 15 % of users (halt-",
        "told in slack C0RELEASES (halt-",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = town.finish(&["explain", id.as_str(), "--output", "json"]).await;
    let json: Value = serde_json::from_str(&json.stdout()).unwrap();
    assert_eq!((&json["holds"], &json["recomputed"]), (&json!(true), &json!("identical")));
    assert_eq!(json["ledger"]["record"], json!({"vouched": "by", "entry": 1}));
    assert_eq!(json["ledger"]["tampered"], json!([]));
    assert_eq!(json["afterwards"][1]["entry"]["after"], json!({"status": "halted", "user_fraction": 0.15}));
    town.monitor(&[]).await;
    assert_eq!(kinds(&town).await.len(), 4, "a second run finds nothing to do");
}

#[tokio::test]
async fn a_halt_that_is_refused_and_made_later_is_entered_as_such() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.sandbox.model().add_fault(refused());
    town.monitor(&[]).await;
    assert_eq!(kinds(&town).await, ["decided", "intended", "failed", "told"]);
    town.monitor(&[]).await;
    let all = ["decided", "intended", "failed", "told", "confirmed", "told"];
    assert_eq!(kinds(&town).await, all);
}

#[tokio::test]
async fn a_fast_track_that_is_taken_back_is_entered_as_such() {
    let town = Town::new(Apps::Android, Events::Good).await;
    town.sandbox.model().add_fault(refused());
    town.monitor(&[]).await;
    let late: Vec<_> =
        (0..40).map(|n| crate::support::crash(&format!("late{n}"), "2026-11-18T09:00:00Z")).collect();
    town.fixture.import(crate::support::CRASHES, &late);
    assert_eq!(town.monitor(&[]).await.result()["decision"], "halt");
    let all = ["decided", "intended", "failed", "decided", "withdrawn", "intended", "confirmed", "told"];
    assert_eq!(kinds(&town).await, all);
}

#[tokio::test]
async fn a_person_who_was_faster_is_entered() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.sandbox.model().add_fault(refused());
    town.monitor(&[]).await;
    let done = json!({"name": "2.0", "versionCodes": ["200"], "status": "completed"});
    town.sandbox.model().console_change("com.example.app", "production", vec![done]).unwrap();
    town.monitor(&[]).await;
    let all = ["decided", "intended", "failed", "told", "superseded", "changed-elsewhere", "told"];
    assert_eq!(kinds(&town).await, all);
}

/// The entries of a kind, without what ties them to their place.
async fn entries(town: &Town, kind: &str) -> Vec<Value> {
    let ran = town.finish(&["ledger", "--output", "json"]).await;
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(document["ledgers"][0]["verified"], true, "{document:#}");
    let entries = document["ledgers"][0]["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["entry"].clone()).filter(|entry| entry["kind"] == kind).collect()
}

/// A person says something.
async fn say(town: &Town, words: &[&str]) -> Ran {
    let mut args = vec!["control"];
    args.extend(words);
    args.extend(["--actor", "kim", "--reason", "the login fails", "--now", NOW]);
    town.finish(&args).await
}

#[tokio::test]
async fn what_a_person_says_is_entered_when_it_is_said_and_once() {
    let town = Town::new(Apps::Android, Events::Good).await;
    say(&town, &["hold", "--until", "6h", "--dry-run"]).await;
    assert!(kinds(&town).await.is_empty(), "a dry run says nothing");
    // Set, replaced and ended between two runs.
    assert_eq!(say(&town, &["hold", "--until", "6h"]).await.code(), 0);
    assert_eq!(say(&town, &["hold", "--until", "2h", "--also-halt"]).await.code(), 0);
    assert_eq!(say(&town, &["release-hold"]).await.code(), 0);
    assert_eq!(say(&town, &["observe", "--release", "1.9", "--until", "1h"]).await.code(), 0);
    assert_eq!(kinds(&town).await, ["controlled"; 4]);
    town.monitor(&[]).await;
    assert_eq!(say(&town, &["hold", "--release", "2.0", "--until", "1h"]).await.code(), 0);
    for hours in [1, 2] {
        let later = hours_later(hours);
        town.finish(&["run", "release-monitor", "--now", &later]).await;
    }
    let said: Vec<_> = entries(&town, "controlled").await;
    let scope = |entry: &Value| (entry["what"].clone(), entry["scope"].clone(), entry["until"].clone());
    assert_eq!(
        said.iter().map(scope).collect::<Vec<_>>(),
        [
            (json!("hold"), json!("android"), json!("2026-11-18T18:00:00Z")),
            (json!("hold (halts too)"), json!("android"), json!("2026-11-18T14:00:00Z")),
            (json!("release-hold"), json!("android"), Value::Null),
            (json!("observe"), json!("1.9"), json!("2026-11-18T13:00:00Z")),
            (json!("hold"), json!("200"), json!("2026-11-18T13:00:00Z")),
        ]
    );
    let word = json!({"actor": "kim", "at": NOW, "reason": "the login fails"});
    assert!(said.iter().all(|entry| entry["word"] == word), "{said:#?}");
    let shown = town.finish(&["ledger"]).await.stdout();
    for line in [
        "kim: hold of android until 2026-11-18 18:00 UTC, because the login fails",
        "kim: hold (halts too) of android until 2026-11-18 14:00 UTC, because the login fails",
        "kim: release-hold of android, because the login fails",
    ] {
        assert_eq!(shown.matches(line).count(), 1, "{line}: {shown}");
    }
}

#[tokio::test]
async fn an_order_is_entered_once_even_where_the_store_shows_it_already() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    assert_eq!(say(&town, &["halt"]).await.code(), 0);
    assert_eq!(say(&town, &["halt", "--release", "2.0"]).await.code(), 0);
    assert_eq!(say(&town, &["halt", "--release", "2.0", "--dry-run"]).await.code(), 0);
    assert_eq!(say(&town, &["resume"]).await.code(), 0);
    town.finish(&["run", "release-monitor", "--now", &hours_later(1)]).await;
    let said = entries(&town, "controlled").await;
    let what: Vec<&str> = said.iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["halt", "halt", "resume"]);
    assert!(said.iter().all(|entry| entry["scope"] == "200" && entry["word"]["actor"] == "kim"), "{said:#?}");
    assert_eq!(entries(&town, "changed-elsewhere").await, Vec::<Value>::new(), "it is ours");
}

#[tokio::test]
async fn a_word_in_firestore_is_entered_with_it() {
    let Some(emulator) = Emulator::new() else { return };
    let town = Town::on_firestore(Apps::Android, Events::Good, &emulator, &emulator.address).await;
    assert_eq!(say(&town, &["hold", "--until", "6h"]).await.code(), 0);
    assert_eq!(say(&town, &["release-hold"]).await.code(), 0);
    assert_eq!(kinds(&town).await, ["controlled", "controlled"]);
}

#[tokio::test]
async fn each_change_in_a_stores_console_is_entered_once() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let stands = |status: &str, fraction: Option<f64>| {
        let mut release = json!({"name": "2.0", "versionCodes": ["200"], "status": status});
        if let Some(fraction) = fraction {
            release["userFraction"] = json!(fraction);
        }
        release
    };
    let old = || json!({"name": "1.9", "versionCodes": ["100"], "status": "completed"});
    let changes = [
        ("inProgress", Some(0.5), "was rolling out at 15 % of users, is rolling out at 50 % of users"),
        ("halted", Some(0.5), "was rolling out at 50 % of users, is halted at 50 % of users"),
        ("inProgress", Some(0.3), "was halted at 50 % of users, is rolling out at 30 % of users"),
        ("completed", None, "was rolling out at 30 % of users, is completed"),
    ];
    for (number, (status, fraction, words)) in changes.into_iter().enumerate() {
        let releases = match status {
            "completed" => vec![stands(status, fraction)],
            _ => vec![old(), stands(status, fraction)],
        };
        town.sandbox.model().console_change("com.example.app", "production", releases).unwrap();
        for quarter in 1..=2 {
            let minutes = 30 * i64::try_from(number).unwrap() + 15 * quarter;
            let now = (crate::support::at(NOW) + jiff::SignedDuration::from_mins(minutes)).to_string();
            let ran = town.finish(&["run", "release-monitor", "--now", &now]).await;
            assert_eq!(ran.code(), 0, "{}", ran.stderr());
        }
        let shown = town.finish(&["ledger"]).await.stdout();
        let line = format!("changed outside of this program: release 200 {words}");
        assert_eq!(shown.matches(&line).count(), 1, "{line}: {shown}");
        assert_eq!(entries(&town, "changed-elsewhere").await.len(), number + 1, "{shown}");
    }
    assert_eq!(entries(&town, "confirmed").await, Vec::<Value>::new(), "nothing was done by a run");
}

#[tokio::test]
async fn what_the_app_store_does_by_itself_is_no_persons_change() {
    let town = Town::new(Apps::Ios, Events::Doubtful).await;
    town.monitor(&[]).await;
    for days in 1..3 {
        let now = hours_later(24 * days);
        town.sandbox.model().set_now(Some(crate::support::at(&now)));
        town.finish(&["run", "release-monitor", "--now", &now]).await;
    }
    let ran = town.finish(&["ledger"]).await;
    assert!(!ran.stdout().contains("changed"), "{}", ran.stdout());
}

#[tokio::test]
async fn a_dry_run_enters_nothing() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let before = kinds(&town).await;
    town.monitor(&["--dry-run"]).await;
    assert_eq!(kinds(&town).await, before);
}

#[tokio::test]
async fn a_halt_in_firestore_is_entered_and_explained() {
    let Some(emulator) = Emulator::new() else { return };
    let town = Town::on_firestore(Apps::Android, Events::Bad, &emulator, &emulator.address).await;
    let id = id(&town.monitor(&[]).await);
    assert_eq!(kinds(&town).await, ["decided", "intended", "confirmed", "told"]);
    let explained = town.finish(&["explain", id.as_str()]).await;
    assert_eq!(explained.code(), 0, "{}", explained.stderr());
    assert!(explained.stdout().contains("recomputed: identical"), "{}", explained.stdout());
    assert!(explained.stdout().contains("entries 1 to 4"), "{}", explained.stdout());
    let first = emulator.document("ledger/android~000000000001").await.unwrap();
    let (entry, hash) = (&first["fields"]["entry"]["stringValue"], &first["fields"]["hash"]["stringValue"]);
    assert_eq!(canonical::sha256(entry.as_str().unwrap()), hash.as_str().unwrap(), "as sha256sum says");
}

/// A state file after a refused halt and one that was made, and the decision in it.
struct Kept {
    folder: TempDir,
    id: DecisionId,
}

impl Kept {
    async fn new() -> Self {
        let town = Town::new(Apps::Android, Events::Bad).await;
        town.sandbox.model().add_fault(refused());
        let id = id(&town.monitor(&[]).await);
        town.monitor(&[]).await;
        let folder = tempfile::tempdir().unwrap();
        // A copy that holds what is still in the write-ahead log.
        let whole = folder.path().join("state.sqlite");
        let connection = Connection::open(town.path("state.sqlite")).unwrap();
        connection.execute("VACUUM INTO ?1", [whole.to_str().unwrap()]).unwrap();
        Self { folder, id }
    }

    /// A copy of the file, changed by somebody who knows their way.
    fn with(&self, change: impl FnOnce(&Connection)) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        std::fs::copy(self.folder.path().join("state.sqlite"), &path).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("DROP TRIGGER ledger_keeps_entries; DROP TRIGGER ledger_changes_no_entry;")
            .unwrap();
        change(&connection);
        (folder, path)
    }

    /// Whether a change of the file shows.
    async fn shows(&self, change: impl FnOnce(&Connection)) -> bool {
        let (_folder, path) = self.with(change);
        is_tampered(&path, &self.id).await
    }

    async fn shows_sql(&self, sql: &str) -> bool {
        self.shows(|connection| {
            connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        })
        .await
    }
}

async fn is_tampered(path: &Path, id: &DecisionId) -> bool {
    let state = SqliteState::open(path).unwrap();
    match Explained::of(id, state.memory(), &[app()]).await {
        Ok(explained) => !explained.holds(),
        Err(error) => error.exit == Exit::Failed,
    }
}

#[tokio::test]
async fn what_nobody_touched_holds() {
    let kept = Kept::new().await;
    assert!(!kept.shows(|_| {}).await);
    assert!(!kept.shows_sql("VACUUM").await);
}

#[tokio::test]
async fn every_row_that_is_gone_added_or_moved_shows() {
    let kept = Kept::new().await;
    const ENTRIES: u64 = 6;
    for number in 1..=ENTRIES {
        assert!(kept.shows_sql(&format!("DELETE FROM ledger WHERE number = {number}")).await, "{number}");
        let moved = format!("UPDATE ledger SET number = number + 100 WHERE number = {number}");
        assert!(kept.shows_sql(&moved).await, "{number}");
        let away = format!("UPDATE ledger SET app = 'ios' WHERE number = {number}");
        assert!(kept.shows_sql(&away).await, "{number}");
        for other in number + 1..=ENTRIES {
            let swapped = format!(
                "UPDATE ledger SET number = -1 WHERE number = {number};
                 UPDATE ledger SET number = {number} WHERE number = {other};
                 UPDATE ledger SET number = {other} WHERE number = -1;"
            );
            assert!(kept.shows_sql(&swapped).await, "{number} and {other}");
        }
    }
    for sql in [
        "DELETE FROM ledger",
        "DELETE FROM ledger_head",
        "DELETE FROM decision",
        "UPDATE decision SET app = 'ios'",
        "UPDATE decision SET decided_at = '2026-11-19T12:00:00Z'",
        "UPDATE ledger_head SET number = number - 1",
        "UPDATE ledger_head SET number = number + 1",
        "INSERT INTO ledger SELECT app, 7, replace(entry, '\"number\":6', '\"number\":7'), hash FROM ledger WHERE number = 6",
        "INSERT INTO ledger VALUES ('android', 7, '{}', ''); UPDATE ledger_head SET number = 7, hash = ''",
    ] {
        assert!(kept.shows_sql(sql).await, "{sql}");
    }
}

#[tokio::test]
async fn an_entry_that_is_sealed_again_shows_even_with_its_head() {
    let kept = Kept::new().await;
    for number in 1..6 {
        let shown = kept.shows(|connection| reseal(connection, number)).await;
        assert!(shown, "{number}");
    }
    let forged = kept.shows(|connection| {
        let (text, hash) = stored(connection, 6);
        let text = text.replace("\"number\":6", "\"number\":7");
        let sql = "INSERT INTO ledger VALUES ('android', 7, ?1, ?2)";
        connection.execute(sql, [&text, &canonical::sha256(&text)]).unwrap();
        let sql = "UPDATE ledger_head SET number = 7, hash = ?1";
        connection.execute(sql, [&canonical::sha256(&text)]).unwrap();
        assert_ne!(hash, canonical::sha256(&text));
    });
    assert!(forged.await, "its link is that of another entry");
}

fn stored(connection: &Connection, number: i64) -> (String, String) {
    let sql = "SELECT entry, hash FROM ledger WHERE number = ?1";
    connection.query_row(sql, [number], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

/// Puts another run into an entry and gives it the hash that fits.
fn reseal(connection: &Connection, number: i64) {
    let (text, _) = stored(connection, number);
    let text = text.replace("\"version\":1", "\"version\":2");
    let sql = "UPDATE ledger SET entry = ?1, hash = ?2 WHERE number = ?3";
    connection.execute(sql, rusqlite::params![text, canonical::sha256(&text), number]).unwrap();
}

#[tokio::test]
async fn an_entry_is_not_changed_or_deleted_by_mistake() {
    let kept = Kept::new().await;
    let connection = Connection::open(kept.folder.path().join("state.sqlite")).unwrap();
    for sql in ["DELETE FROM ledger", "UPDATE ledger SET hash = ''"] {
        let error = connection.execute_batch(sql).unwrap_err().to_string();
        assert!(error.contains("entries of the ledger are never"), "{error}");
    }
}

/// Puts another byte into a text.
fn with_a_byte(connection: &Connection, column: usize, row: &Index, place: &Index, byte: u8) -> bool {
    let (table, column) =
        [("decision", "doc"), ("ledger", "entry"), ("ledger", "hash"), ("ledger_head", "hash")][column];
    let sql = format!("SELECT rowid, CAST({column} AS BLOB) FROM {table} ORDER BY rowid");
    let mut statement = connection.prepare(&sql).unwrap();
    let rows: Vec<(i64, Vec<u8>)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let (rowid, mut bytes) = row.get(&rows).clone();
    let place = place.index(bytes.len());
    if bytes[place] == byte {
        return false;
    }
    bytes[place] = byte;
    let sql = format!("UPDATE {table} SET {column} = CAST(?1 AS TEXT) WHERE rowid = ?2");
    connection.execute(&sql, rusqlite::params![bytes, rowid]).unwrap();
    true
}

#[test]
fn any_other_byte_in_a_decision_an_entry_or_the_head_shows() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let kept = runtime.block_on(Kept::new());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    let anywhere = (0usize..4, any::<Index>(), any::<Index>(), any::<u8>());
    runner
        .run(&anywhere, |(column, row, place, byte)| {
            let mut changed = false;
            let (_folder, path) =
                kept.with(|connection| changed = with_a_byte(connection, column, &row, &place, byte));
            let tampered = runtime.block_on(is_tampered(&path, &kept.id));
            prop_assert_eq!(tampered, changed);
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn the_command_line_names_the_entry_and_exits_with_1() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let id = id(&town.monitor(&[]).await);
    let connection = Connection::open(town.path("state.sqlite")).unwrap();
    connection.execute_batch("DROP TRIGGER ledger_changes_no_entry").unwrap();
    connection
        .execute_batch("UPDATE ledger SET entry = replace(entry, 'C0RELEASES', 'C0ELSEWHERE')")
        .unwrap();
    drop(connection);
    let words = "tampered: entry 4 was changed: its text does not give its hash";
    for args in [&["explain", id.as_str()][..], &["ledger"], &["ledger", "--app", "android"]] {
        let ran = town.finish(args).await;
        assert_eq!(ran.code(), 1, "{args:?}: {}", ran.stdout());
        assert!(ran.stdout().contains(words), "{args:?}: {}", ran.stdout());
    }
    let ran = town.finish(&["ledger", "--output", "json"]).await;
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    assert_eq!(ran.code(), 1);
    assert_eq!(document["ledgers"][0]["tampered"], json!([{"number": 4, "how": "changed"}]));

    let connection = Connection::open(town.path("state.sqlite")).unwrap();
    connection
        .execute_batch(
            "UPDATE decision SET doc = replace(doc, '\"decision\":\"halt\"', '\"decision\":\"hold\"')",
        )
        .unwrap();
    drop(connection);
    let ran = town.finish(&["explain", id.as_str()]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stdout());
    for words in [
        "recomputed: judgement.decision is \"halt\", stored is \"hold\"",
        "tampered: entry 1 was written for another record of this decision",
    ] {
        assert!(ran.stdout().contains(words), "{words}: {}", ran.stdout());
    }
}

#[tokio::test]
async fn a_run_that_finds_an_entry_beyond_the_head_overwrites_nothing() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    let connection = Connection::open(town.path("state.sqlite")).unwrap();
    connection.execute_batch("INSERT INTO ledger VALUES ('android', 3, 'forged', 'forged')").unwrap();
    let later = hours_later(1);
    let ran = town.finish(&["run", "release-monitor", "--now", &later, "--output", "json"]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stdout());
    assert!(ran.stderr().contains("an entry 3 beyond its head"), "{}", ran.stderr());
    assert_eq!(stored(&connection, 3).0, "forged");
}

#[tokio::test]
async fn a_run_that_finds_a_document_beyond_the_head_overwrites_nothing() {
    let Some(emulator) = Emulator::new() else { return };
    let town = Town::on_firestore(Apps::Android, Events::Doubtful, &emulator, &emulator.address).await;
    town.monitor(&[]).await;
    let forged = "ledger/android~000000000003";
    emulator.set(forged, "entry", json!({"stringValue": "forged"})).await;
    let before = emulator.document(forged).await;
    let later = hours_later(1);
    let ran = town.finish(&["run", "release-monitor", "--now", &later, "--output", "json"]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stdout());
    assert!(ran.stderr().contains("beyond its head; nothing was overwritten"), "{}", ran.stderr());
    assert_eq!(emulator.document(forged).await, before);
}

/// Takes the ledger out of a state, as one that an older tidegate wrote.
fn make_old(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "DROP TABLE ledger; DROP TABLE ledger_head; DROP TABLE IF EXISTS heartbeat; DROP TABLE control; DROP TABLE IF EXISTS report;",
        )
        .unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    let doc: String = connection.query_row("SELECT doc FROM decision", [], |row| row.get(0)).unwrap();
    let record = Record { configuration: None, ..serde_json::from_str(&doc).unwrap() };
    let doc = serde_json::to_string(&record).unwrap();
    connection.execute("UPDATE decision SET doc = ?1", [doc]).unwrap();
    let doc: String =
        connection.query_row("SELECT doc FROM release WHERE key = '200'", [], |row| row.get(0)).unwrap();
    let mut state: Value = serde_json::from_str(&doc).unwrap();
    state.as_object_mut().unwrap().shift_remove("configuration").unwrap();
    connection.execute("UPDATE release SET doc = ?1 WHERE key = '200'", [state.to_string()]).unwrap();
}

#[tokio::test]
async fn a_state_without_a_ledger_begins_one() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    let old = id(&town.monitor(&[]).await);
    make_old(&town.path("state.sqlite"));
    let later = hours_later(1);
    let new = town.finish(&["run", "release-monitor", "--now", &later, "--output", "json"]).await;
    let new_id = id(&new);
    assert_eq!(kinds(&town).await, ["decided"], "{}", new.stderr());
    let explained = town.finish(&["explain", old.as_str()]).await;
    assert_eq!(explained.code(), 0, "{}", explained.stderr());
    let text = explained.stdout();
    assert!(text.contains("recomputed: identical") && text.contains("older than the ledger"), "{text}");
    let explained = town.finish(&["explain", new_id.as_str()]).await;
    assert!(explained.stdout().contains("ledger: entry 1;"), "{}", explained.stdout());
    assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
}

#[tokio::test]
async fn an_old_decision_that_was_changed_shows_by_its_evidence() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    let old = id(&town.monitor(&[]).await);
    make_old(&town.path("state.sqlite"));
    let connection = Connection::open(town.path("state.sqlite")).unwrap();
    connection
        .execute_batch(
            "UPDATE decision SET doc = replace(doc, '\"crashed_sessions\":5', '\"crashed_sessions\":4')",
        )
        .unwrap();
    drop(connection);
    let explained = town.finish(&["explain", old.as_str()]).await;
    assert_eq!(explained.code(), 1, "{}", explained.stdout());
    assert!(explained.stdout().contains("recomputed: "), "{}", explained.stdout());
}

/// What is done to the documents of a Firestore state.
#[derive(Clone, Copy, Debug)]
enum Change {
    Text(&'static str, &'static str, &'static str),
    Gone(&'static str),
    Copied(&'static str, &'static str),
}

#[tokio::test]
async fn what_is_changed_in_firestore_shows() {
    const FIRST: &str = "ledger/android~000000000001";
    const LAST: &str = "ledger/android~000000000004";
    let changes = [
        Change::Text(FIRST, "entry", "{}"),
        Change::Text(LAST, "hash", "0000"),
        Change::Text("ledgers/android", "hash", "0000"),
        Change::Gone(FIRST),
        Change::Gone(LAST),
        Change::Gone("ledgers/android"),
        Change::Copied(LAST, "ledger/android~000000000005"),
        Change::Copied(LAST, "ledger/android~000000000003"),
    ];
    for change in changes {
        let Some(emulator) = Emulator::new() else { return };
        let town = Town::on_firestore(Apps::Android, Events::Bad, &emulator, &emulator.address).await;
        let id = id(&town.monitor(&[]).await);
        make(&emulator, change).await;
        let store: FirestoreState = emulator.store();
        let holds = Explained::of(&id, store.memory(), &[app()]).await.is_ok_and(|found| found.holds());
        assert!(!holds, "{change:?}");
        assert!(!read(store.memory(), &app()).await.unwrap().broken.is_empty(), "{change:?}");
    }
}

async fn make(emulator: &Emulator, change: Change) {
    match change {
        Change::Text(path, field, text) => emulator.set(path, field, json!({"stringValue": text})).await,
        Change::Gone(path) => emulator.delete(path).await,
        Change::Copied(from, to) => {
            let document = emulator.document(from).await.unwrap();
            for field in ["schema", "entry", "hash"] {
                emulator.set(to, field, document["fields"][field].clone()).await;
            }
        }
    }
}

#[tokio::test]
async fn a_decision_that_is_changed_in_firestore_shows() {
    let Some(emulator) = Emulator::new() else { return };
    let town = Town::on_firestore(Apps::Android, Events::Bad, &emulator, &emulator.address).await;
    let id = id(&town.monitor(&[]).await);
    let path = format!("decisions/{id}");
    let before = emulator.document(&path).await.unwrap()["fields"].clone();
    let store = emulator.store();
    let holds = async || Explained::of(&id, store.memory(), &[app()]).await.is_ok_and(|found| found.holds());
    assert!(holds().await);
    for (field, value) in [
        ("tidegate_version", json!({"stringValue": "0.0.1"})),
        ("fatal_note", json!({"stringValue": "added by a person"})),
        ("generation", json!({"integerValue": "1"})),
        ("queries", json!({"arrayValue": {}})),
    ] {
        emulator.set(&path, field, value).await;
        assert!(!holds().await, "{field}");
        emulator.set(&path, field, before[field].clone()).await;
        assert!(holds().await, "{field} was put back");
    }
    emulator.delete(&path).await;
    let ran = town.finish(&["explain", id.as_str()]).await;
    assert_eq!(ran.code(), 1, "{}", ran.stderr());
    assert!(ran.stderr().contains("is gone, and entry 1 of the ledger of app android"), "{}", ran.stderr());
}

#[tokio::test]
async fn f74_an_objective_that_is_loosened_while_a_release_is_halted_resumes_nothing() {
    for apps in [Apps::Android, Apps::Ios] {
        let town = Town::new(apps, Events::Bad).await;
        town.monitor(&[]).await;
        assert_eq!(town.store_status(), town.halted_status());
        let (writes, messages) = (town.writes(), town.messages());
        town.configure("slo.crash_free_sessions = 90.0\nslo.crash_free_users = 90.0\n");
        for hours in 1..4 {
            let later = hours_later(hours);
            let ran = town.finish(&["run", "release-monitor", "--now", &later, "--output", "json"]).await;
            assert_eq!((ran.code(), &ran.result()["decision"]), (0, &json!("none")), "{}", ran.stderr());
        }
        assert_eq!(town.store_status(), town.halted_status(), "the halt stays");
        assert_eq!((town.writes(), town.messages()), (writes, messages), "nothing is asked and nothing said");
    }
}

#[tokio::test]
async fn f75_a_configuration_that_changes_during_a_rollout_is_audited_and_told_once() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    assert_eq!(kinds(&town).await, ["decided", "told"]);
    town.configure("slo.crash_free_sessions = 99.9\n");
    for quarter in 1..4 {
        let later = format!("2026-11-18T12:{:02}:00Z", quarter * 15);
        let ran = town.finish(&["run", "release-monitor", "--now", &later, "--output", "json"]).await;
        assert_eq!(ran.code(), 0, "{}", ran.stderr());
    }
    let changes = kinds(&town).await.into_iter().filter(|kind| kind == "config-changed").count();
    assert_eq!(changes, 1);
    let messages = town.sandbox.model().slack_messages(crate::town::CHANNEL).unwrap();
    let told: Vec<_> = messages
        .iter()
        .filter(|message| message["text"].as_str().unwrap().contains("the configuration changed"))
        .collect();
    assert_eq!(told.len(), 1, "{messages:#?}");
    assert_eq!(told[0]["thread_ts"], messages[0]["ts"], "it is in the thread of the release");
    let text = told[0]["text"].as_str().unwrap();
    assert!(text.contains("slo.crash_free_sessions: 0.999, was 0.9995"), "{text}");
    assert_eq!(town.store_status(), "inProgress");
}

#[tokio::test]
async fn f75_comments_and_other_apps_are_no_change() {
    let town = Town::new(Apps::Android, Events::Doubtful).await;
    town.monitor(&[]).await;
    town.configure(
        "# looked at again\n[[app]]\nid = \"other\"\nplatform = \"android\"\npackage = \"com.example.other\"\n",
    );
    let later = hours_later(1);
    town.finish(&["run", "release-monitor", "--app", "android", "--now", &later]).await;
    let ran = town.finish(&["ledger", "--app", "android"]).await;
    assert_eq!(ran.code(), 0, "{}", ran.stderr());
    assert!(!ran.stdout().contains("configuration of release"), "{}", ran.stdout());
    assert_eq!(town.messages().len(), 1, "{:?}", town.messages());
}
