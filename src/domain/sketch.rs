//! How many different people: the smallest hashes of a set, which can be merged over days.
//!
//! Users of a week are not the sum of the users of its days. A sketch keeps the [`SKETCH_SIZE`] smallest 64-bit
//! hashes of a set (k minimum values); the union of two sketches is the sketch of the union. Up to that size the
//! count is exact; above it the estimate (k-1) * 2^64 / (h_k + 1) has a relative standard error of about
//! 1 / sqrt(k - 2) = 1.6 %. Each hash carries a weight: how often that person crashed, where crashes are counted.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

/// Hashes kept per set: 32 KiB a day, exact for small apps, 1.6 % for large ones.
pub const SKETCH_SIZE: usize = 4096;

/// The smallest hashes of a set of people, each with a weight.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Packed", into = "Packed")]
pub struct Sketch {
    weights: BTreeMap<u64, u32>,
}

impl Sketch {
    /// Adds one person, with the number of crashes to count for them.
    ///
    /// `fingerprint` is the signed value of `FARM_FINGERPRINT`; flipping its top bit keeps BigQuery's order.
    pub fn add(&mut self, fingerprint: i64, weight: u32) {
        let hash = fingerprint.cast_unsigned() ^ (1 << 63);
        let counted = self.weights.entry(hash).or_default();
        *counted = counted.saturating_add(weight);
        self.trim();
    }

    /// Adds everybody of another sketch; people in both are counted once and their weights added.
    pub fn merge(&mut self, other: &Self) {
        for (hash, weight) in &other.weights {
            let counted = self.weights.entry(*hash).or_default();
            *counted = counted.saturating_add(*weight);
        }
        self.trim();
    }

    /// How many different people there are: exact below [`SKETCH_SIZE`], an estimate from there on.
    #[must_use]
    pub fn people(&self) -> u64 {
        match self.weights.last_key_value() {
            Some((largest, _)) if self.weights.len() >= SKETCH_SIZE => estimate(*largest),
            _ => self.weights.len() as u64,
        }
    }

    /// Sum of the squared weights over the sum of the weights: 1 where nobody crashed twice (Kish's design effect,
    /// facts on statistics 5.2). `None` where nothing was weighed.
    #[must_use]
    pub fn concentration(&self) -> Option<f64> {
        let sum: f64 = self.weights.values().map(|w| f64::from(*w)).sum();
        let squares: f64 = self.weights.values().map(|w| f64::from(*w) * f64::from(*w)).sum();
        (sum > 0.0).then(|| squares / sum)
    }

    fn trim(&mut self) {
        while self.weights.len() > SKETCH_SIZE {
            self.weights.pop_last();
        }
    }
}

/// (k-1) * 2^64 / (h_k + 1), the unbiased estimate of k minimum values.
fn estimate(largest: u64) -> u64 {
    let space = (u64::MAX as f64) + 1.0;
    ((SKETCH_SIZE as f64 - 1.0) * space / (largest as f64 + 1.0)).round() as u64
}

/// How a sketch is stored: base64 of the little-endian hashes, and the weights that are not zero.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed {
    hashes: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    weights: Vec<u32>,
}

impl From<Sketch> for Packed {
    fn from(sketch: Sketch) -> Self {
        let bytes: Vec<u8> = sketch.weights.keys().flat_map(|hash| hash.to_le_bytes()).collect();
        let weighed = sketch.weights.values().any(|weight| *weight > 0);
        let weights = if weighed { sketch.weights.into_values().collect() } else { Vec::new() };
        Self { hashes: STANDARD_NO_PAD.encode(bytes), weights }
    }
}

impl TryFrom<Packed> for Sketch {
    type Error = String;
    fn try_from(packed: Packed) -> Result<Self, String> {
        let bytes =
            STANDARD_NO_PAD.decode(packed.hashes).map_err(|error| format!("sketch hashes: {error}"))?;
        let (hashes, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() || !(packed.weights.is_empty() || packed.weights.len() == hashes.len()) {
            return Err("sketch hashes and weights do not match".to_owned());
        }
        let weights = packed.weights.into_iter().chain(std::iter::repeat(0));
        Ok(Self { weights: hashes.iter().map(|hash| u64::from_le_bytes(*hash)).zip(weights).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Spreads small numbers over the hash space (splitmix64).
    fn hash(n: u64) -> i64 {
        let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).cast_signed()
    }

    fn sketch(people: std::ops::Range<u64>) -> Sketch {
        let mut sketch = Sketch::default();
        people.for_each(|n| sketch.add(hash(n), 0));
        sketch
    }

    #[test]
    fn people_of_two_days_are_counted_once() {
        let mut week = sketch(0..1000);
        week.merge(&sketch(500..1500));
        assert_eq!(week.people(), 1500);
    }

    #[test]
    fn large_sets_are_estimated_within_five_standard_errors() {
        let mut week = sketch(0..60_000);
        week.merge(&sketch(30_000..100_000));
        let error = (week.people() as f64 - 100_000.0) / 100_000.0;
        assert!(error.abs() < 0.08, "relative error {error}");
    }

    #[test]
    fn concentration_is_one_where_nobody_crashed_twice() {
        let mut once = Sketch::default();
        (0..5).for_each(|n| once.add(hash(n), 1));
        assert_eq!(once.concentration(), Some(1.0));
        once.add(hash(0), 4);
        assert_eq!(once.concentration(), Some((25.0 + 4.0) / 9.0));
        assert_eq!(Sketch::default().concentration(), None);
    }

    proptest! {
        #[test]
        fn merging_is_the_sketch_of_the_union(a in 0u64..9000, b in 0u64..9000) {
            let mut merged = sketch(0..a);
            merged.merge(&sketch(0..b));
            prop_assert_eq!(merged, sketch(0..a.max(b)));
        }

        #[test]
        fn survives_being_stored(people in 0u64..6000, weight in 0u32..3) {
            let mut sketch = Sketch::default();
            (0..people).for_each(|n| sketch.add(hash(n), weight));
            let text = serde_json::to_string(&sketch).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sketch>(&text).unwrap(), sketch);
        }
    }
}
