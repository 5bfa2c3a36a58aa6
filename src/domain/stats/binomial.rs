//! Tails of the binomial distribution, exact to a few units in the last place for n up to 1e9 and more.
//!
//! One term comes from Loader's saddle point form ("Fast and accurate computation of binomial
//! probabilities", 2000), never from differences of log-factorials: those are of size 2e10 at n = 1e9
//! and leave an error of 4e-6. The tail is that term times a sum of ratios, all positive, so nothing
//! cancels. About 8 sqrt(k) terms matter, at most 180,000 at n = 1e9.
//!
//! A rate is held with its complement, because n p against k must be compared from the smaller of the
//! two: rounding 1 - p alone costs 5e-9 at n = 1e9. Counts must be whole here.

use super::root::Point;

/// ln sqrt(2 pi).
const LN_SQRT_TAU: f64 = 0.9189385332046728;

/// Greatest count whose Stirling error is read from the table.
const STIRLING_TABLE_MAX: f64 = 15.0;

/// ln(n!) - ln(sqrt(2 pi n) (n/e)^n) for n = 1 to 15; the entry for 0 is never used.
const STIRLING_ERROR: [f64; 16] = [
    0.0,
    0.08106146679532726,
    0.0413406959554093,
    0.02767792568499834,
    0.020790672103765093,
    0.016644691189821193,
    0.013876128823070748,
    0.01189670994589177,
    0.010411265261972096,
    0.009255462182712733,
    0.00833056343336287,
    0.007573675487951841,
    0.00694284010720953,
    0.006408994188004207,
    0.0059513701127588475,
    0.005554733551962801,
];

/// Divisors of the Stirling series 1/12n - 1/360n^3 + 1/1260n^5 - 1/1680n^7 + 1/1188n^9, last first.
const STIRLING_SERIES: [f64; 5] = [1188.0, 1680.0, 1260.0, 360.0, 12.0];

/// Below this relative distance from the mean the deviance is summed as a series.
const NEAR_MEAN: f64 = 0.1;

/// A rate with its complement, both to full relative precision.
pub(super) struct Rate {
    p: f64,
    q: f64,
}

impl Rate {
    pub(super) fn new(p: f64) -> Self {
        Self { p, q: 1.0 - p }
    }

    pub(super) fn from_log(log_p: f64) -> Self {
        Self { p: log_p.exp(), q: -log_p.exp_m1() }
    }
}

/// ln P(X >= k) with its slope over ln p, for `0 < k < n` and a rate below k/n.
pub(super) fn log_upper_tail(n: f64, k: f64, rate: &Rate) -> Point {
    let odds = rate.p / rate.q;
    let ratios = ratio_sum(|i| (n - k - i) / (k + i + 1.0) * odds);
    Point { value: log_mass(n, k, rate) + ratios.ln(), slope: k / ratios }
}

/// ln P(X <= k) with its slope over ln p, for `0 < k < n` and a rate above k/n.
pub(super) fn log_lower_tail(n: f64, k: f64, rate: &Rate) -> Point {
    let odds = rate.q / rate.p;
    let ratios = ratio_sum(|i| (k - i) / (n - k + i + 1.0) * odds);
    Point { value: log_mass(n, k, rate) + ratios.ln(), slope: -(n - k) / odds / ratios }
}

/// 1 + r0 + r0 r1 + r0 r1 r2 + ... for falling ratios that reach zero.
fn ratio_sum(ratio: impl Fn(f64) -> f64) -> f64 {
    let (mut sum, mut term, mut i) = (1.0, 1.0, 0.0);
    while term > f64::EPSILON * sum {
        term *= ratio(i);
        sum += term;
        i += 1.0;
    }
    sum
}

/// ln P(X = k), for `0 < k < n`.
fn log_mass(n: f64, k: f64, rate: &Rate) -> f64 {
    let others = n - k;
    let excess = if rate.p <= 0.5 { k - n * rate.p } else { n * rate.q - others };
    stirling_error(n)
        - stirling_error(k)
        - stirling_error(others)
        - deviance(k, n * rate.p, excess)
        - deviance(others, n * rate.q, -excess)
        + 0.5 * (n / k / others).ln()
        - LN_SQRT_TAU
}

/// What Stirling's formula leaves out of ln(n!).
fn stirling_error(n: f64) -> f64 {
    if n <= STIRLING_TABLE_MAX {
        return STIRLING_ERROR[n as usize];
    }
    let series = STIRLING_SERIES.iter().fold(0.0, |sum, divisor| 1.0 / divisor - sum / (n * n));
    series / n
}

/// x ln(x / mean) + mean - x, with `excess` = x - mean given by the caller who knows it better.
fn deviance(x: f64, mean: f64, excess: f64) -> f64 {
    let relative = excess / (x + mean);
    if relative.abs() >= NEAR_MEAN {
        return x * (x / mean).ln() - excess;
    }
    let square = relative * relative;
    let mut sum = excess * relative;
    let (mut power, mut odd) = (2.0 * x * relative, 3.0);
    loop {
        power *= square;
        let next = sum + power / odd;
        if next == sum {
            return sum;
        }
        (sum, odd) = (next, odd + 2.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-14 * want.abs(), "{got} {want}");
    }

    #[test]
    fn a_small_mass_and_both_tails_are_the_hand_counted_ones() {
        let rate = Rate::new(0.25);
        close(log_mass(4.0, 2.0, &rate), (54.0_f64 / 256.0).ln());
        close(log_upper_tail(4.0, 2.0, &rate).value, (67.0_f64 / 256.0).ln());
        close(log_lower_tail(4.0, 2.0, &rate).value, (243.0_f64 / 256.0).ln());
    }

    #[test]
    fn the_series_continues_the_table() {
        // Recurrence: error(n) - error(n + 1) = (n + 1/2) ln(1 + 1/n) - 1.
        let step = 15.5 * (1.0_f64 / 15.0).ln_1p() - 1.0;
        assert!((stirling_error(15.0) - stirling_error(16.0) - step).abs() < 2e-15);
        assert!((stirling_error(16.0) - 0.00520765591960964).abs() < 2e-16);
    }

    #[test]
    fn slopes_are_those_of_the_tails() {
        let step = 1e-6;
        for (tail, x) in [(log_upper_tail as fn(f64, f64, &Rate) -> Point, -4.0), (log_lower_tail, -2.0)] {
            let at = |x: f64| tail(500.0, 20.0, &Rate::from_log(x));
            let slope = (at(x + step).value - at(x - step).value) / (2.0 * step);
            assert!((at(x).slope / slope - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn impossible_counts_have_no_probability() {
        assert_eq!(log_upper_tail(9.0, 2.0, &Rate::new(0.0)).value, f64::NEG_INFINITY);
        assert_eq!(log_lower_tail(9.0, 2.0, &Rate::new(1.0)).value, f64::NEG_INFINITY);
    }
}
