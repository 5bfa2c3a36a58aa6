//! Google Play Developer API v3: edits, tracks and app recovery. The model is in `model`, the rules for a track in
//! `rules`, those for the fields of a release in `fields`, the error texts in `error`, the paths in `routes`.

pub(super) mod error;
mod fields;
pub(super) mod model;
mod recovery;
pub(super) mod routes;
mod rules;
pub(super) mod seed;
