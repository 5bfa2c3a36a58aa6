//! Who a caller is at Google, and Secret Manager: GitHub's OIDC tokens, the Security Token Service, impersonation of
//! service accounts, OAuth refresh, the metadata server and `secrets.versions.access`, all at one address under their
//! real paths. Each exchange takes only what the one before it gave: a subject token with the provider's audience, a
//! federated token that may impersonate. Tokens are random and stand in `tokens`, the accounts and secrets in `model`,
//! the refusals in `error`, the paths in `routes`.

pub(super) mod error;
pub(super) mod model;
pub(super) mod routes;
pub(super) mod seed;
#[cfg(test)]
mod tests;
pub(super) mod tokens;
