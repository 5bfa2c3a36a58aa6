//! The default method: evidence that stays valid however often one looks.
//!
//! A finite mixture of exact Bernoulli likelihood ratios. Each tilt theta bets that the crash rate is
//! e^theta times worse (or better) in odds than the limit; the mixture is what the bets have won on
//! average, an e-value. By Ville's inequality it reaches 2/alpha with probability at most alpha/2 while
//! the limit holds, at any stopping time, over any schedule of looks. Only totals enter, so restated
//! days do no harm, and counts may be real. The grid is fixed: changing it changes decisions.
//!
//! The bounds are the rates at which the evidence equals the threshold; it is monotone in the rate.

use std::array;
use std::sync::LazyLock;

use super::confidence::Confidence;
use super::root::{self, Bracket, Point};
use super::sample::{Bounds, Sample};

/// Number of tilts in the grid.
const TILTS: usize = 32;
/// Least tilt, in log odds: finds rates about one percent off the limit.
const LEAST_TILT: f64 = 0.01;
/// Exponential of the greatest tilt: the odds ratio of the boldest bet.
const GREATEST_ODDS_RATIO: f64 = 200.0;
/// Weights are proportional to the tilt to this power.
const WEIGHT_POWER: f64 = 0.4;
/// Share of the bet on the whole cycle; the other restarts share the rest equally.
const WHOLE_CYCLE_SHARE: f64 = 0.5;

type Terms = [f64; TILTS];

struct Tilt {
    theta: f64,
    log_weight: f64,
}

static GRID: LazyLock<[Tilt; TILTS]> = LazyLock::new(|| {
    let greatest = GREATEST_ODDS_RATIO.ln();
    let last = (TILTS - 1) as f64;
    let thetas: Terms = array::from_fn(|j| LEAST_TILT * (greatest / LEAST_TILT).powf(j as f64 / last));
    let total: f64 = thetas.iter().map(|theta| theta.powf(WEIGHT_POWER)).sum();
    thetas.map(|theta| Tilt { theta, log_weight: (theta.powf(WEIGHT_POWER) / total).ln() })
});

/// Which way the bets go.
#[derive(Clone, Copy)]
enum Side {
    Worse,
    Better,
}

impl Side {
    fn tilt(self, theta: f64) -> f64 {
        match self {
            Self::Worse => theta,
            Self::Better => -theta,
        }
    }
}

/// Natural logarithm of the e-value for a crash rate above `q0`. Zero, no evidence, without trials or
/// when `q0` is not a rate.
pub fn log_evidence_worse(sample: Sample, q0: f64) -> f64 {
    log_evidence(Side::Worse, sample, q0)
}

/// Natural logarithm of the e-value for a crash rate below `q0`. Zero, no evidence, without trials or
/// when `q0` is not a rate.
pub fn log_evidence_better(sample: Sample, q0: f64) -> f64 {
    log_evidence(Side::Better, sample, q0)
}

/// Natural logarithm of the e-value for a crash rate above `q0` since *some* day of the cycle, which
/// finds a change in the middle of it. `days` are the partials of the cycle so far, first day first.
///
/// The evidence is restarted at the beginning of each of the days 0 to `horizon_days`; half of the bet
/// is on day 0, the whole cycle, the rest is shared equally. A day that has not begun counts as one,
/// so an average of e-values is an e-value. After the horizon nothing restarts any more.
pub fn log_evidence_day_restart(days: &[Sample], q0: f64, horizon_days: u32) -> f64 {
    let since = evidence_since_each_day(days, q0);
    let whole_cycle = since.first().copied().unwrap_or(0.0);
    if horizon_days == 0 {
        return whole_cycle;
    }
    let restarts = horizon_days as usize;
    let each = ((1.0 - WHOLE_CYCLE_SHARE) / f64::from(horizon_days)).ln();
    let mut terms = vec![WHOLE_CYCLE_SHARE.ln() + whole_cycle];
    terms.extend(since.iter().skip(1).take(restarts).map(|log| each + log));
    let begun = terms.len() - 1;
    if begun < restarts {
        terms.push(each + ((restarts - begun) as f64).ln());
    }
    log_sum_exp(&terms)
}

/// The evidence on the days from each one to the last.
fn evidence_since_each_day(days: &[Sample], q0: f64) -> Vec<f64> {
    let (mut trials, mut events) = (0.0, 0.0);
    let mut since: Vec<f64> = days
        .iter()
        .rev()
        .map(|day| {
            trials += day.trials();
            events += day.events();
            log_evidence_worse(Sample::real(trials, events), q0)
        })
        .collect();
    since.reverse();
    since
}

pub(super) fn worse_than(sample: Sample, q0: f64, confidence: Confidence) -> bool {
    log_evidence_worse(sample, q0) >= confidence.log_threshold()
}

pub(super) fn better_than(sample: Sample, q0: f64, confidence: Confidence) -> bool {
    log_evidence_better(sample, q0) >= confidence.log_threshold()
}

pub(super) fn bounds(sample: Sample, confidence: Confidence) -> Bounds {
    let Some(rate) = sample.rate() else {
        return Bounds::UNDETERMINED;
    };
    let threshold = confidence.log_threshold();
    Bounds { lower: lower(sample, rate, threshold), upper: upper(sample, rate, threshold) }
}

/// The evidence for "worse" falls from its greatest value at rate 0 to below zero at the estimate.
fn lower(sample: Sample, rate: f64, threshold: f64) -> f64 {
    let margin = log_evidence_worse(sample, 0.0) - threshold;
    if margin <= 0.0 {
        return 0.0;
    }
    // Every tilt loses at most n q (odds ratio - 1) against rate 0, so here it is still enough.
    let enough = margin / (sample.trials() * (GREATEST_ODDS_RATIO - 1.0));
    let bracket = Bracket { above: enough.ln().min(rate.ln()), below: rate.ln() };
    solve(Side::Worse, sample, bracket, threshold)
}

/// The evidence for "better" rises from below zero at the estimate to its greatest value at rate 1.
fn upper(sample: Sample, rate: f64, threshold: f64) -> f64 {
    if log_evidence_better(sample, 1.0) < threshold {
        return 1.0;
    }
    // Without events the estimate is 0; no tilt wins more than -n ln(1 - q), so here it is too little.
    let too_little = -(-threshold / sample.trials()).exp_m1();
    let bracket = Bracket { below: rate.max(too_little).ln(), above: 0.0 };
    solve(Side::Better, sample, bracket, threshold)
}

fn solve(side: Side, sample: Sample, bracket: Bracket, threshold: f64) -> f64 {
    let start = bracket.below;
    let log_rate = root::find(bracket, start, |x| {
        let terms = log_terms(side, sample, x.exp());
        let value = log_sum_exp(&terms);
        Point { value: value - threshold, slope: slope(side, sample, x.exp(), &terms, value) }
    });
    log_rate.exp()
}

fn log_evidence(side: Side, sample: Sample, q0: f64) -> f64 {
    if !sample.can_be_judged_against(q0) {
        return 0.0;
    }
    log_sum_exp(&log_terms(side, sample, q0))
}

/// ln of weight times likelihood ratio, one per tilt: ln w + k theta - n ln(1 + q (e^theta - 1)).
fn log_terms(side: Side, sample: Sample, q: f64) -> Terms {
    array::from_fn(|j| {
        let Tilt { theta, log_weight } = GRID[j];
        let tilt = side.tilt(theta);
        log_weight + sample.events() * tilt - sample.trials() * (q * tilt.exp_m1()).ln_1p()
    })
}

/// Slope of the log evidence over ln q: the mean loss of the tilts, each weighted by what it has won.
fn slope(side: Side, sample: Sample, q: f64, terms: &Terms, log_sum: f64) -> f64 {
    let losses = GRID.iter().zip(terms).map(|(tilt, term)| {
        let gain = q * side.tilt(tilt.theta).exp_m1();
        (term - log_sum).exp() * gain / (1.0 + gain)
    });
    -sample.trials() * losses.sum::<f64>()
}

fn log_sum_exp(logs: &[f64]) -> f64 {
    let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|log| (log - greatest).exp()).sum();
    greatest + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q0: f64 = 5e-4;

    fn level() -> Confidence {
        Confidence::new(0.99).unwrap()
    }

    fn sample(trials: u64, events: u64) -> Sample {
        Sample::new(trials, events).unwrap()
    }

    #[test]
    fn the_grid_is_the_published_one() {
        let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 1e-13, "{got}");
        near(GRID[0].theta, 0.01);
        near(GRID[1].theta, 0.0122426495641874);
        near(GRID[15].theta, 0.208032541689693);
        near(GRID[31].theta, 5.29831736654804);
        assert!((GRID[0].log_weight.exp() - 0.006838).abs() < 5e-7);
        assert!((GRID[31].log_weight.exp() - 0.084053).abs() < 5e-7);
    }

    #[test]
    fn no_trials_are_no_evidence() {
        assert_eq!(log_evidence_worse(sample(0, 0), Q0), 0.0);
        assert_eq!(log_evidence_better(sample(0, 0), Q0), 0.0);
        assert_eq!(log_evidence_worse(sample(9, 9), f64::NAN), 0.0);
        assert_eq!(log_evidence_worse(sample(9, 9), 1.5), 0.0);
    }

    #[test]
    fn nothing_is_proved_below_12704_sessions_without_crashes() {
        assert!(!better_than(sample(12_703, 0), Q0, level()));
        assert!(better_than(sample(12_704, 0), Q0, level()));
    }

    #[test]
    fn one_crash_never_halts() {
        assert!(!worse_than(sample(1, 1), 0.0, level()));
        assert_eq!(bounds(sample(1, 1), level()), Bounds::UNDETERMINED);
    }

    #[test]
    fn a_restart_finds_the_bad_day_that_the_total_hides() {
        let days = [sample(80_000, 10), sample(10_000, 17)];
        let total = sample(90_000, 27);
        assert!(log_evidence_worse(total, Q0) < 0.0);
        assert!(log_evidence_day_restart(&days, Q0, 7) > 0.5);
    }

    #[test]
    fn restarts_without_data_or_horizon_are_the_plain_evidence() {
        let day = sample(3000, 9);
        assert_eq!(log_evidence_day_restart(&[], Q0, 0), 0.0);
        assert!(log_evidence_day_restart(&[], Q0, 7).abs() < 1e-15);
        assert_eq!(log_evidence_day_restart(&[day], Q0, 0), log_evidence_worse(day, Q0));
    }

    #[test]
    fn days_after_the_horizon_restart_nothing() {
        let (quiet, bad) = (sample(10_000, 1), sample(10_000, 30));
        let inside = log_evidence_day_restart(&[quiet, bad], Q0, 1);
        let outside = log_evidence_day_restart(&[quiet, quiet, bad], Q0, 1);
        assert!(inside > outside);
    }
}
