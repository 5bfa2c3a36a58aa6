//! Tests of the adapters against real parts: SQL on the embedded engine over real rows, the state store, HTTP to the
//! sandbox, the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod action;
mod android_rollout;
mod asc_faults;
mod bigquery;
mod bigquery_faults;
mod bigquery_surface;
mod bigquery_thrift;
mod canary;
mod clock_changes;
mod clocks;
mod collector;
mod configuration;
mod contract;
mod control;
#[path = "../core/daily_fixture.rs"]
mod daily_fixture;
mod daily_reading;
mod degraded;
mod demo;
mod doctor;
mod emulator;
mod events;
#[cfg(feature = "fail-points")]
mod fail_points;
mod firestore_documents;
mod firestore_faults;
mod foreign_clients;
mod github;
mod googlesql;
mod grpc_proxy;
mod heartbeat;
mod hostile;
mod identity;
mod import;
mod killed;
mod leaks;
mod ledger;
mod log;
mod monitor;
mod network_faults;
#[cfg(not(feature = "fail-points"))]
mod no_fail_points;
mod outbox;
mod page;
mod pairs;
mod plan;
mod play_faults;
mod play_recovery;
mod play_requests;
mod random_faults;
mod report;
mod slack_faults;
mod slack_pictures;
mod sparing;
mod state_conformance;
mod status_reporter;
mod support;
mod takeover;
mod telemetry;
mod town;
mod wires;
