//! What a run tells the one who started it: for people, for machines, for GitHub. Pure text from values.

pub mod checks;
pub mod daily;
pub mod escape;
pub mod github;
pub mod groups;
pub mod human;
pub mod json;
pub mod ledger;
pub mod plan;
