//! Tests of the adapters against real parts: SQL on the embedded engine over real rows, the state store, HTTP to the
//! sandbox, the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod action;
mod bigquery;
mod bigquery_faults;
mod bigquery_surface;
mod bigquery_thrift;
mod canary;
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
mod hostile;
mod identity;
mod import;
mod killed;
mod leaks;
mod monitor;
mod network_faults;
mod pairs;
mod sparing;
mod state_conformance;
mod support;
mod town;
mod wires;
