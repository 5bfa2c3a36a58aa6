//! tidegate watches every release of a mobile app while it rolls out, and stops it, holds it or speeds it up on
//! evidence.
//!
//! Four steps, four places: observe, judge, act, tell. [`domain`] is pure and imports nothing of the other layers;
//! everything that does I/O is behind the feature `adapters`.

#[cfg(feature = "adapters")]
pub mod adapters;
#[cfg(feature = "adapters")]
pub mod cli;
#[cfg(feature = "adapters")]
pub mod commands;
pub mod config;
#[cfg(feature = "adapters")]
pub mod demo;
#[cfg(feature = "adapters")]
pub mod doctor;
pub mod domain;
pub mod exit;
pub mod jobs;
pub mod ports;
pub mod queries;
pub mod report;
#[cfg(feature = "adapters")]
pub mod sandbox;
#[cfg(feature = "adapters")]
pub mod world;
