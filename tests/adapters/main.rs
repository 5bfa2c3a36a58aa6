//! Tests of the adapters against real parts: SQL on the embedded engine over real rows, the state store, HTTP to the
//! sandbox, the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod action;
mod bigquery;
mod bigquery_faults;
mod bigquery_surface;
mod bigquery_thrift;
mod contract;
mod demo;
mod doctor;
mod emulator;
mod events;
mod firestore_documents;
mod firestore_faults;
mod foreign_clients;
mod googlesql;
mod grpc_proxy;
mod identity;
mod import;
mod killed;
mod monitor;
mod outbox;
mod pairs;
mod slack_faults;
mod slack_pictures;
mod sparing;
mod state_conformance;
mod support;
mod town;
