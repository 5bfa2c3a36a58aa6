//! GitHub's REST API: issues with comments, deployments with statuses, the two dispatches, the repository and the
//! token's owner. Besides each refusal that GitHub documents it refuses what GitHub would leave out without a word, such
//! as unknown fields, because a client that sends those is wrong. The state is in `model`, `issues`, `deployments` and
//! `dispatches`; what replies look like in `show`; paths and permissions in `routes`.
//! API: <https://docs.github.com/rest>.

mod deployments;
mod dispatches;
pub(super) mod error;
mod issues;
pub(super) mod model;
pub(super) mod routes;
pub(super) mod seed;
mod show;
#[cfg(test)]
mod tests;
