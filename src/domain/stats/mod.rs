//! The statistics of the decisions: what so many crashed sessions among so many sessions say about a
//! crash rate, and whether that is enough to halt a release or to complete it early.
//!
//! Everything here is a pure function of counts, a limit and a confidence level. It refuses to know
//! releases, rules, time and configuration, and it never answers for missing data: a sample without
//! trials has the bounds 0 to 1 and supports no decision.
//!
//! All rates are crash rates, ratios in 0..=1. The crash-free rate is formed only for display, because
//! one minus a small number loses the digits that decide. `q0` is the limit: one minus the objective.
//! A limit outside 0..=1 (or not a number) supports no decision either.
//!
//! Each method is one file with the same three functions (`bounds`, `worse_than`, `better_than`);
//! [`Method`] is the one list of them. A decision is one evaluation of the method's own test at `q0`.
//! The bounds are the rates at which that test turns over, so both say the same up to rounding.

mod binomial;
mod clopper_pearson;
mod confidence;
mod forecast;
mod lines;
mod method;
mod mixture;
mod normal;
mod root;
mod sample;
mod wald;
mod wilson;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod reference;

pub use confidence::{Confidence, ConfidenceOutOfRange};
pub use forecast::{Goal, expected_rate, sessions_at_rate, sessions_to_decision};
pub use lines::{DecisionLines, decision_lines};
pub use method::{Method, UnknownMethod};
pub use mixture::{log_evidence_better, log_evidence_day_restart, log_evidence_worse};
pub use sample::{Bounds, MoreEventsThanTrials, Sample};
