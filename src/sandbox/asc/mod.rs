//! App Store Connect API: apps, versions and phased releases. The state is in `model`, the days of a phased release in
//! `phased`, the requests that are left in `budget`, JSON:API documents in `document`, query parameters in `query`, refusals in `error`, paths in `routes`.

mod budget;
mod document;
pub(super) mod error;
pub(super) mod model;
mod phased;
mod query;
pub(super) mod routes;
pub(super) mod seed;
