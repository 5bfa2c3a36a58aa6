//! The demo: a week of releases on the embedded default, with generated events in fast time.
//!
//! Six apps go through one week: a good, a bad and a doubtful release on both platforms. The events are generated in a
//! closed loop with the stores: what a store offers decides who has the new build, and what they report decides what
//! the store is asked to offer. Nothing here decides, acts or tells; that is the program's own work, which the demo
//! only feeds.

mod arrival;
pub mod events;
mod ids;
mod rows;
pub mod scenario;
pub mod schedule;
#[cfg(test)]
mod tests;
mod traffic;

pub use events::{EventSource, Row};
pub use scenario::{App, Scenario};
pub use traffic::Exposure;
