//! BigQuery, as far as a reader of export tables meets it: datasets, tables and query jobs, over warehouse files of the
//! embedded engine. It runs the questions of `sql/` and no other SQL: a query names its question by a label, its text
//! must be the one that BigQuery would get, and the embedded engine answers the same question. Tables, columns and
//! permissions that are not there are refused as BigQuery refuses them, and bytes are accounted by its rules.
//! It never writes to a warehouse.

pub mod accounting;
mod answer;
mod dataset;
pub(super) mod error;
mod jobs;
pub(super) mod model;
mod page;
mod request;
pub(super) mod routes;
mod schema;
pub(super) mod seed;
mod sql;
mod tables;
