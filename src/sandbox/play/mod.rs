//! Google Play Developer API v3: edits and tracks. The model is in `model`, the rules for a track in `rules`,
//! the error texts in `error`, the paths in `routes`.

pub(super) mod error;
pub(super) mod model;
pub(super) mod routes;
mod rules;
pub(super) mod seed;
