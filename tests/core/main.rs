//! Tests of the pure core through its public interface: the judge over whole scenarios, the words people read, and the
//! promises that hold for every input. Needs no feature and no network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a walk says how many paths it took")]

mod advancing;
mod daily;
mod daily_fixture;
mod forecast;
mod interleavings;
mod judging;
mod looking;
mod messages;
mod midnight;
mod recomputing;
mod scenarios;
mod support;
