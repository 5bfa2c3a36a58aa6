//! tidegate watches every release of a mobile app while it rolls out, and stops it, holds it or speeds it up on
//! evidence.
//!
//! Four steps, four places: observe, judge, act, tell. [`domain`] is pure and imports nothing of the other layers;
//! everything that does I/O is behind the feature `adapters`.

#[cfg(feature = "adapters")]
pub mod demo;
pub mod domain;
pub mod ports;
