//! How many different people: the smallest hashes of a set, which can be merged over days.
//!
//! Users of a week are not the sum of the users of its days. A sketch keeps the [`SKETCH_SIZE`] smallest 64-bit
//! hashes of a set (k minimum values); the union of two sketches is the sketch of the union. Up to that size the
//! count is exact; above it the estimate (k-1) * 2^64 / (h_k + 1) has a relative standard error of about
//! 1 / sqrt(k - 2) = 1.6 %. Each hash carries a weight: how often that person crashed, where crashes are counted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

/// Hashes kept per set: 32 KiB a day, exact for small apps, 1.6 % for large ones.
pub const SKETCH_SIZE: usize = 4096;

/// The smallest hashes of a set of people, each with a weight; sorted by hash, each hash once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Packed", into = "Packed")]
pub struct Sketch {
    entries: Vec<(u64, u32)>,
}

impl Sketch {
    /// Adds everybody of another sketch; people in both are counted once and their weights added.
    pub fn merge(&mut self, other: &Self) {
        if !other.entries.is_empty() {
            self.entries.extend_from_slice(&other.entries);
            self.tidy();
        }
    }

    /// How many different people there are: exact below [`SKETCH_SIZE`], an estimate from there on.
    #[must_use]
    pub fn people(&self) -> u64 {
        match self.entries.last() {
            Some((largest, _)) if self.entries.len() >= SKETCH_SIZE => estimate(*largest),
            _ => self.entries.len() as u64,
        }
    }

    /// Sum of the squared weights over the sum of the weights: 1 where nobody crashed twice (Kish's design effect,
    /// facts on statistics 5.2). `None` where nothing was weighed.
    #[must_use]
    pub fn concentration(&self) -> Option<f64> {
        let weights = || self.entries.iter().map(|(_, weight)| f64::from(*weight));
        let (sum, squares): (f64, f64) = (weights().sum(), weights().map(|weight| weight * weight).sum());
        (sum > 0.0).then(|| squares / sum)
    }

    /// Sorts, adds up the weights of the same person, and keeps the smallest hashes. Two sorted runs, which is what a
    /// merge makes, are sorted in one pass.
    fn tidy(&mut self) {
        self.entries.sort_by_key(|(hash, _)| *hash);
        self.entries.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        self.entries.truncate(SKETCH_SIZE);
    }
}

impl Extend<(i64, u32)> for Sketch {
    /// Adds people by the signed value of `FARM_FINGERPRINT`, each with the number of crashes to count for them.
    /// Flipping the top bit keeps BigQuery's order.
    fn extend<I: IntoIterator<Item = (i64, u32)>>(&mut self, people: I) {
        let hash = |fingerprint: i64| fingerprint.cast_unsigned() ^ (1 << 63);
        self.entries.extend(people.into_iter().map(|(fingerprint, weight)| (hash(fingerprint), weight)));
        self.tidy();
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
        let bytes: Vec<u8> = sketch.entries.iter().flat_map(|(hash, _)| hash.to_le_bytes()).collect();
        let weighed = sketch.entries.iter().any(|(_, weight)| *weight > 0);
        let weights =
            if weighed { sketch.entries.iter().map(|(_, weight)| *weight).collect() } else { Vec::new() };
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
        let mut sketch =
            Self { entries: hashes.iter().map(|hash| u64::from_le_bytes(*hash)).zip(weights).collect() };
        sketch.tidy();
        Ok(sketch)
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
        weighed(people, 0)
    }

    fn weighed(people: std::ops::Range<u64>, weight: u32) -> Sketch {
        let mut sketch = Sketch::default();
        sketch.extend(people.map(|n| (hash(n), weight)));
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
        let mut once = weighed(0..5, 1);
        assert_eq!(once.concentration(), Some(1.0));
        once.extend([(hash(0), 4)]);
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
            let sketch = weighed(0..people, weight);
            let text = serde_json::to_string(&sketch).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sketch>(&text).unwrap(), sketch);
        }
    }
}
