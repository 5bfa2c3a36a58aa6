//! The Clopper-Pearson interval: exact for one look at a fixed time, never too narrow.
//!
//! The lower bound is the rate p with P(X >= k; p) = tail, the upper one that with P(X <= k; p) = tail.
//! Roots are sought in ln p, where one formula serves rates from 1e-12 to 1 - 1e-12. No incomplete beta
//! function is needed.
//!
//! The distribution counts whole sessions. A deflated sample is rounded to whole counts against the
//! claim: fewer events of more trials where the claim is "worse", more events of fewer trials where it
//! is "better". So bounds of deflated samples are a little wide and decisions a little late. Work
//! grows with the square root of the number of events.

use super::binomial::{Rate, log_lower_tail, log_upper_tail};
use super::confidence::Confidence;
use super::root::{self, Bracket, Point};
use super::sample::{Bounds, Sample};

pub(super) fn bounds(sample: Sample, confidence: Confidence) -> Bounds {
    if sample.trials() == 0.0 {
        return Bounds::UNDETERMINED;
    }
    let log_tail = confidence.tail().ln();
    Bounds {
        lower: lower(Whole::against_worse(sample), log_tail),
        upper: upper(Whole::against_better(sample), log_tail),
    }
}

/// As many events or more are too rare at the limit: the lower bound is above it.
pub(super) fn worse_than(sample: Sample, q0: f64, confidence: Confidence) -> bool {
    let Whole { n, k } = Whole::against_worse(sample);
    if k <= n * q0 {
        return false;
    }
    let log_probability = if k == n { n * q0.ln() } else { log_upper_tail(n, k, &Rate::new(q0)).value };
    log_probability < confidence.tail().ln()
}

/// As many events or fewer are too rare at the limit: the upper bound is below it.
pub(super) fn better_than(sample: Sample, q0: f64, confidence: Confidence) -> bool {
    let Whole { n, k } = Whole::against_better(sample);
    if k >= n * q0 {
        return false;
    }
    let log_probability =
        if k == 0.0 { n * (-q0).ln_1p() } else { log_lower_tail(n, k, &Rate::new(q0)).value };
    log_probability < confidence.tail().ln()
}

/// Whole trials and events, `0 <= k <= n`.
#[derive(Clone, Copy)]
struct Whole {
    n: f64,
    k: f64,
}

impl Whole {
    fn against_worse(sample: Sample) -> Self {
        Self { n: sample.trials().ceil(), k: sample.events().floor() }
    }

    fn against_better(sample: Sample) -> Self {
        let n = sample.trials().floor();
        let k = sample.events().ceil().min(n);
        Self { n, k }
    }

    /// ln(k / n), without loss when nearly all trials are events.
    fn log_rate(&self) -> f64 {
        let others = self.n - self.k;
        if others < self.k { (-others / self.n).ln_1p() } else { (self.k / self.n).ln() }
    }
}

fn lower(counts: Whole, log_tail: f64) -> f64 {
    let log_rate = counts.log_rate();
    let Whole { n, k } = counts;
    if k == 0.0 {
        return 0.0;
    }
    if k == n {
        return (log_tail / n).exp();
    }
    let bracket = Bracket { below: log_rate + log_least_share(k, log_tail), above: log_rate };
    let log_p =
        root::find(bracket, log_rate, |x| against(log_upper_tail(n, k, &Rate::from_log(x)), log_tail));
    log_p.exp()
}

fn upper(counts: Whole, log_tail: f64) -> f64 {
    let log_rate = counts.log_rate();
    let Whole { n, k } = counts;
    if k == n {
        return 1.0;
    }
    if k == 0.0 {
        return -(log_tail / n).exp_m1();
    }
    let others = n - k;
    let least_complement = others / n * log_least_share(others, log_tail).exp();
    let bracket = Bracket { below: (-least_complement).ln_1p(), above: log_rate };
    let log_p =
        root::find(bracket, log_rate, |x| against(log_lower_tail(n, k, &Rate::from_log(x)), log_tail));
    log_p.exp()
}

/// ln of a share of k/n that the root exceeds: P(X >= k) <= C(n,k) p^k <= (n p e / k)^k.
fn log_least_share(k: f64, log_tail: f64) -> f64 {
    log_tail / k - 1.0
}

fn against(log_probability: Point, log_tail: f64) -> Point {
    Point { value: log_probability.value - log_tail, slope: log_probability.slope }
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q0: f64 = 5e-4;

    fn level() -> Confidence {
        Confidence::new(0.99).unwrap()
    }

    #[test]
    fn nothing_is_proved_below_10594_sessions_without_crashes() {
        assert!(!better_than(Sample::new(10_593, 0).unwrap(), Q0, level()));
        assert!(better_than(Sample::new(10_594, 0).unwrap(), Q0, level()));
    }

    #[test]
    fn deflated_samples_are_rounded_against_the_claim() {
        let whole = bounds(Sample::new(1000, 5).unwrap(), level());
        let sample = Sample::new(10_005, 49).unwrap().deflated(10.0);
        let deflated = bounds(sample, level());
        assert!(deflated.lower < whole.lower);
        assert_eq!(deflated.upper, whole.upper);
    }

    #[test]
    fn a_sample_deflated_below_one_trial_is_nearly_undetermined() {
        let bounds = bounds(Sample::new(1, 1).unwrap().deflated(3.0), level());
        assert_eq!(bounds, Bounds::UNDETERMINED);
    }

    #[test]
    fn limits_at_the_ends_are_judged() {
        let some = Sample::new(100, 1).unwrap();
        assert!(worse_than(some, 0.0, level()) && better_than(some, 1.0, level()));
        assert!(!better_than(some, 0.0, level()) && !worse_than(some, 1.0, level()));
    }
}
