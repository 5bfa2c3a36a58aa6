//! What good files mean.

use super::*;

#[test]
fn the_shortest_file_has_every_default() {
    let config = Config { fingerprint: String::new(), ..good(ANDROID) };
    let json = serde_json::to_string_pretty(&config).unwrap();
    insta::assert_snapshot!(json, @r#"
    {
      "warehouse": {
        "kind": "embedded",
        "path": "warehouse.sqlite"
      },
      "state": {
        "kind": "sqlite",
        "path": "state.sqlite"
      },
      "degraded_halt": "made",
      "gcp": {
        "workload_identity_provider": null,
        "service_account": null,
        "project": null,
        "credentials": null
      },
      "endpoints": {
        "google_play": null,
        "app_store_connect": null,
        "slack": null,
        "github": null,
        "sts": null,
        "iam_credentials": null,
        "secret_manager": null,
        "firestore": null,
        "bigquery": null
      },
      "apps": [
        {
          "id": "android",
          "target": {
            "store": "google-play",
            "package": "com.example.app",
            "track": "production",
            "credentials": null,
            "in_review": "cancel-review",
            "app_recovery": "off"
          },
          "sources": {
            "sessions": "firebase-sessions",
            "crashlytics_dataset": "firebase_crashlytics",
            "sessions_dataset": "firebase_sessions",
            "crashes_table": null,
            "sessions_table": null
          },
          "policy": {
            "slo": {
              "crash_free_sessions": 0.9995,
              "crash_free_users": 0.999,
              "confidence": 0.99,
              "method": "mixture"
            },
            "rules": {
              "crash_free_sessions_halt": {
                "mode": "enforce",
                "min_crashed_sessions": 0
              },
              "crash_free_sessions_fast_track": {
                "mode": "enforce",
                "method": "clopper-pearson",
                "margin": 0.15,
                "min_sessions": 0
              },
              "crash_free_sessions_warning": {
                "mode": "enforce",
                "when": "evidence",
                "alert_budget_fraction": 0.5
              },
              "crash_free_users_warning": {
                "mode": "enforce"
              }
            },
            "data": {
              "lag": "PT10M",
              "maturity": "PT6H",
              "max_age": "PT1H30M",
              "max_crash_silence": "PT24H"
            },
            "resume_grace": "PT1H",
            "zone": "UTC",
            "rollout": {
              "steps": [
                0.15,
                0.75,
                1.0
              ],
              "min_sessions": 1000,
              "not_before": "12:00:00",
              "quiet_days": [],
              "quiet_dates": [],
              "stuck_after_days": 3
            }
          },
          "mode": "auto",
          "watching": {
            "read_sessions": "when-needed",
            "alarm_after_runs": 3
          },
          "monitor_silence": "PT3H",
          "slack": null,
          "github": null,
          "report_at": "12:00:00"
        }
      ],
      "fingerprint": ""
    }
    "#);
}

#[test]
fn an_ios_app_has_a_key() {
    let app = good(IOS).apps.remove(0);
    assert_eq!(app.platform(), crate::domain::ids::Platform::Ios);
    assert_eq!(app.application_id().as_str(), "com.example.app");
    insta::assert_snapshot!(serde_json::to_string_pretty(&app.target).unwrap(), @r#"
    {
      "store": "app-store",
      "bundle_id": "com.example.app",
      "key_id": "ABC1234567",
      "issuer_id": null,
      "private_key": "env:ASC_PRIVATE_KEY"
    }
    "#);
}

#[test]
fn a_section_at_the_top_is_the_default_of_each_app_key_by_key() {
    let config = good(&format!(
        "[slo]\ncrash_free_sessions = 99.9\nconfidence = 0.95\n\
         [rules.crash-free-sessions-halt]\nmode = \"warn\"\nmin_crashed_sessions = 3\n\
         [slack]\nchannel = \"C1\"\ntoken = \"env:T\"\n\
         {ANDROID}slo = {{ crash_free_sessions = 99.8 }}\nslack.channel = \"C2\"\n\
         [app.rules.crash-free-sessions-halt]\nmode = \"observe\"\n{IOS}"
    ));
    let (android, ios) = (&config.apps[0], &config.apps[1]);
    let ratio = |app: &App| (app.policy.slo.crash_free_sessions.ratio(), app.policy.slo.confidence.level());
    assert_eq!((ratio(android), ratio(ios)), ((0.998, 0.95), (0.999, 0.95)));
    let halt = |app: &App| {
        let halt = &app.policy.rules.crash_free_sessions_halt;
        (halt.mode, halt.min_crashed_sessions)
    };
    assert_eq!((halt(android), halt(ios)), ((Mode::Observe, 3), (Mode::Warn, 3)));
    let channel = |app: &App| app.slack.as_ref().and_then(|slack| slack.channel()).map(str::to_owned);
    assert_eq!((channel(android), channel(ios)), (Some("C2".to_owned()), Some("C1".to_owned())));
}

#[test]
fn wald_for_one_app_brings_its_defaults_to_that_app_only() {
    let config = good(&format!("{ANDROID}slo.method = \"wald\"\n{IOS}"));
    let warn = |app: &App| app.policy.rules.crash_free_sessions_warning.when;
    assert_eq!((warn(&config.apps[0]), warn(&config.apps[1])), (WarnWhen::Straddle, WarnWhen::Evidence));
    assert_eq!(config.apps[0].policy.slo.method, Method::Wald);
    assert_eq!(config.apps[0].policy.rules.crash_free_sessions_fast_track.min_sessions, 20_000);
}

#[test]
fn compat_removes_the_guards() {
    let app = app("[slo]\nmethod = \"wald\"\ncompat = true");
    assert_eq!(app.policy.rules.crash_free_sessions_halt.min_crashed_sessions, 0);
    assert_eq!(app.policy.rules.crash_free_sessions_fast_track.min_sessions, 0);
}

#[test]
fn analytics_lags_longer() {
    let app = app("[sources]\nsessions = \"analytics\"\nanalytics_dataset = \"analytics_1\"\n\
                   time_zone = \"Europe/Berlin\"\n[schedule]\ntime_zone = \"America/New_York\"");
    assert_eq!(app.policy.data.lag.as_mins(), 60);
    let SessionSource::Analytics { dataset, time_zone } = &app.sources.sessions else { panic!("{app:?}") };
    assert_eq!((dataset.as_str(), time_zone.iana_name()), ("analytics_1", Some("Europe/Berlin")));
    assert_eq!(app.policy.zone.iana_name(), Some("America/New_York"));
}

#[test]
fn a_rollout_is_read_and_checked() {
    let config = good(&format!("{ANDROID}rollout = {{ steps = [0.15, 0.75, 1], min_sessions = 500 }}\n"));
    let plan = config.apps[0].policy.rollout.as_ref().unwrap();
    assert_eq!(plan.steps.iter().map(|step| step.get()).collect::<Vec<_>>(), [0.15, 0.75, 1.0]);
    assert_eq!(plan.min_sessions, 500);
}

#[test]
fn endpoints_and_files_stay_as_they_were_written() {
    let config = good(&format!(
        "[endpoints]\nslack = \"http://127.0.0.1:4003\"\n[state]\npath = \"../s.sqlite\"\n\
         [warehouse]\nkind = \"embedded\"\npath = \"w.sqlite\"\n{ANDROID}"
    ));
    assert_eq!(config.endpoints.slack.as_deref(), Some("http://127.0.0.1:4003"));
    assert_eq!(config.state, State::Sqlite { path: "../s.sqlite".into() });
    assert_eq!(config.warehouse, Warehouse::Embedded { path: "w.sqlite".into() });
}

#[test]
fn a_firestore_state_has_a_database_of_its_own_by_default() {
    let config = good(&format!("[state]\nkind = \"firestore\"\n{ANDROID}"));
    assert_eq!(config.state, State::Firestore { project: None, database: "tidegate".to_owned() });
    let state = "[state]\nkind = \"firestore\"\nproject = \"my-project\"\ndatabase = \"releases\"\n";
    let endpoint = "[endpoints]\nfirestore = \"http://127.0.0.1:8080\"\n";
    let config = good(&format!("{state}{endpoint}{ANDROID}"));
    let project = Some("my-project".to_owned());
    assert_eq!(config.state, State::Firestore { project, database: "releases".to_owned() });
    assert_eq!(config.endpoints.firestore.as_deref(), Some("http://127.0.0.1:8080"));
}

#[test]
fn bigquery_pays_where_the_exports_are_unless_another_project_is_named() {
    let warehouse = |more: &str| {
        let keys = "[warehouse]\nkind = \"bigquery\"\nproject = \"my-project\"\n";
        good(&format!("{keys}{more}\n{ANDROID}")).warehouse
    };
    let plain = Warehouse::BigQuery {
        project: "my-project".into(),
        billing_project: "my-project".into(),
        location: None,
        max_bytes_billed_per_run: 20 * 1024 * 1024 * 1024,
        budget_per_month: None,
    };
    assert_eq!(warehouse(""), plain);
    let all = "billing_project = \"who-pays\"\nlocation = \"EU\"\nmax_bytes_billed_per_run = \"500 MiB\"\n\
               budget_per_month = \"1 TiB\"";
    let Warehouse::BigQuery { billing_project, location, max_bytes_billed_per_run, budget_per_month, .. } =
        warehouse(all)
    else {
        panic!()
    };
    assert_eq!((billing_project.as_str(), location.as_deref()), ("who-pays", Some("EU")));
    assert_eq!((max_bytes_billed_per_run, budget_per_month), (500 << 20, Some(1 << 40)));
}

#[test]
fn credentials_are_references() {
    let config = good(&format!(
        "[google_play]\ncredentials = \"sm://projects/p/secrets/s\"\nhalt_cancels_review = false\n\
         app_recovery = \"draft\"\n{ANDROID}"
    ));
    let Target::GooglePlay { credentials, in_review, app_recovery, .. } = &config.apps[0].target else {
        panic!()
    };
    assert_eq!(credentials.as_ref().unwrap().to_string(), "sm://projects/p/secrets/s");
    assert_eq!((*in_review, *app_recovery), (InReview::Refuse, AppRecovery::Draft));
}

#[test]
fn the_fingerprint_follows_the_meaning_and_not_the_text() {
    let print = |text: &str| good(text).fingerprint;
    let both = print(&format!("{ANDROID}{IOS}"));
    assert_eq!(both.len(), 64);
    assert_eq!(both, print(&format!("# a comment\n[slo]\ncrash_free_sessions = 99.95\n{IOS}{ANDROID}")));
    assert_ne!(both, print(&format!("[slo]\ncrash_free_sessions = 99.9\n{ANDROID}{IOS}")));
    assert_ne!(both, print(&format!("[rules.crash-free-users-warning]\nmode = \"off\"\n{ANDROID}{IOS}")));
}

#[test]
fn windows_line_ends_are_no_mistake() {
    assert_eq!(good(&ANDROID.replace('\n', "\r\n")), good(ANDROID));
}
