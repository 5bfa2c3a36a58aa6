//! Rows F71 to F73 of the fault table: the real binary with a configuration that is wrong. It says where and what to
//! write instead, and asks nobody anything.

use crate::town::{Apps, Events, Ran, Town};

/// What a run says of the town's configuration with these lines below it.
async fn refusal(town: &Town, lines: &str) -> String {
    town.configure(lines);
    let ran = town.monitor(&[]).await;
    refused_before_anything(town, &ran);
    ran.stderr()
}

fn refused_before_anything(town: &Town, ran: &Ran) {
    assert_eq!(ran.code(), 2, "{}", ran.stderr());
    assert!(town.sandbox.model().requests().is_empty(), "{:?}", town.sandbox.model().requests());
    assert!(!town.path("state.sqlite").exists(), "a state was begun");
    assert_eq!(ran.stdout(), "");
}

/// The place of a line below the town's configuration, as the program names it.
fn place(town: &Town, line: usize, column: usize) -> String {
    format!("tidegate.toml:{}:{column}: ", town.configuration().lines().count() + line)
}

#[tokio::test]
async fn f71_what_a_configuration_gets_wrong_is_told_before_anything_is_asked() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    let again = "[[app]]\nid = \"android\"\nplatform = \"android\"\npackage = \"com.example.other\"\n";
    let cases = [
        // An unknown key, a value of another type, an app twice.
        ("[slo]\ncrash_free_session = 99.95\n", (2, 1), "did you mean `crash_free_sessions`?"),
        ("[slo]\ncrash_free_sessions = \"99.95\"\n", (2, 23), "write `crash_free_sessions = 99.95`"),
        (again, (2, 6), "give each [[app]] an id of its own"),
    ];
    for (lines, (line, column), fix) in cases {
        let told = refusal(&town, lines).await;
        assert!(told.contains(&place(&town, line, column)), "{told}");
        assert!(told.contains(&format!("\n  fix: {fix}")), "{told}");
    }
}

#[tokio::test]
async fn f71_no_command_that_acts_goes_on_with_a_wrong_configuration() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    town.configure("[slo]\ncrash_free_session = 99.95\n");
    let commands: [&[&str]; 4] = [
        &["run", "outbox"],
        &["run", "release-monitor", "--dry-run"],
        &["control", "hold", "--reason", "looking", "--actor", "ann"],
        &["control", "halt", "--reason", "looking", "--actor", "ann"],
    ];
    for command in commands {
        let ran = town.finish(command).await;
        refused_before_anything(&town, &ran);
        assert!(ran.stderr().contains(&place(&town, 2, 1)), "{command:?}: {}", ran.stderr());
    }
}

#[tokio::test]
async fn f72_an_objective_of_another_unit_is_refused_with_what_was_meant() {
    let town = Town::new(Apps::Android, Events::Bad).await;
    for key in ["crash_free_sessions", "crash_free_users"] {
        for (given, meant) in [("0.9995", "write 99.95"), ("9995", "did you mean 99.95?")] {
            let told = refusal(&town, &format!("[slo]\n{key} = {given}\n")).await;
            assert!(told.contains(&place(&town, 2, key.len() + 4)), "{told}");
            assert!(told.contains(&format!("\n  fix: {meant}")), "{told}");
        }
    }
}

#[tokio::test]
async fn f73_a_hostile_name_of_a_table_reaches_no_warehouse() {
    // One whose queries would be sent, and one that reads a file.
    let towns =
        [Town::on_bigquery(Apps::Android, Events::Bad).await, Town::new(Apps::Android, Events::Bad).await];
    for town in towns {
        for hostile in ["a.b`; DROP TABLE c; --", "a.b;c", "a.b--", "a.ü", "a.b/*", "a.b\\u0000"] {
            for key in ["crashes_table", "sessions_table"] {
                let told = refusal(&town, &format!("[sources]\n{key} = \"{hostile}\"\n")).await;
                assert!(told.contains(&place(&town, 2, key.len() + 4)), "{told}");
                assert!(
                    told.contains("write DATASET.TABLE, of letters, digits and underscores only"),
                    "{told}"
                );
            }
        }
    }
}
