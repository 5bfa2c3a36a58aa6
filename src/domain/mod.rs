//! The pure core: what a release is, what was counted, what the rules say of it, and the words for it.
//!
//! Nothing here reads a clock, a file, the environment or a socket, and nothing logs. Data flows one way:
//! counts -> facts -> verdicts -> decision -> message. The same input gives the same bytes, so that every
//! decision can be recomputed from its stored evidence.

pub mod advance;
pub mod calendar;
pub mod canonical;
pub mod control;
pub mod cost;
pub mod counts;
pub mod daily;
pub mod decision;
pub mod examination;
pub mod facts;
pub mod forecast;
pub mod heartbeat;
pub mod ids;
pub mod judge;
pub mod keys;
pub mod ledger;
pub mod links;
pub mod listing;
pub mod looking;
pub mod markdown;
pub mod message;
pub mod outbox;
pub mod pause_budget;
pub mod persons_word;
pub mod plain;
pub mod policy;
pub mod rate;
pub mod release;
pub mod rollout;
pub mod rules;
pub mod sketch;
pub mod skew;
pub mod stats;
pub mod verdict;
pub mod watch;
