//! What must hold for every method and any counts, checked on random ones.

use proptest::prelude::*;

use super::*;

const CASES: u32 = 64;
const MAX_TRIALS: u64 = 1_000_000_000;
/// Relative; bounds may touch the estimate, and tests their turning point, within rounding.
const ROUNDING: f64 = 1e-9;

/// Counts of every order of magnitude, with few, many and all events.
fn counts() -> impl Strategy<Value = (u64, u64)> {
    let trials = (0.0..=1.0_f64).prop_map(|x| (MAX_TRIALS as f64).powf(x) as u64);
    let share =
        prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0_f64, (-9.0..=0.0_f64).prop_map(|x| 10_f64.powf(x)),];
    (trials, share).prop_map(|(n, share)| (n, ((n as f64 * share) as u64).min(n)))
}

fn sample() -> impl Strategy<Value = Sample> {
    let effect = prop_oneof![Just(1.0), 1.0..=5.0_f64];
    (counts(), effect).prop_map(|((n, k), effect)| Sample::new(n, k).unwrap().deflated(effect))
}

fn limit() -> impl Strategy<Value = f64> {
    prop_oneof![(-6.0..=0.0_f64).prop_map(|x| 10_f64.powf(x)), Just(0.0), Just(1.0),]
}

fn level() -> impl Strategy<Value = Confidence> {
    let levels = prop_oneof![Just(0.99), Just(0.95), 0.01..=0.9999_f64];
    levels.prop_map(|level| Confidence::new(level).unwrap())
}

fn method() -> impl Strategy<Value = Method> {
    prop::sample::select(Method::ALL.as_slice())
}

fn at_most(low: f64, high: f64) -> bool {
    low <= high + ROUNDING * high.abs()
}

fn is_near(a: f64, b: f64) -> bool {
    at_most(a, b) && at_most(b, a)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_of_any_size_never_panic(n in 0..=MAX_TRIALS, k in 0..=MAX_TRIALS, level in level()) {
        for method in Method::ALL {
            let Ok(sample) = Sample::new(n, k) else {
                prop_assert!(k > n);
                continue;
            };
            let bounds = method.bounds(sample, level);
            prop_assert!(bounds.lower.is_finite() && bounds.upper.is_finite());
        }
    }

    #[test]
    fn bounds_bracket_the_estimate(sample in sample(), method in method(), level in level()) {
        let bounds = method.bounds(sample, level);
        let rate = sample.rate().unwrap_or(0.5);
        prop_assert!(at_most(bounds.lower, rate) && at_most(rate, bounds.upper), "{bounds:?}");
        if method != Method::Wald {
            prop_assert!(bounds.lower >= 0.0 && bounds.upper <= 1.0, "{bounds:?}");
        }
    }

    // Wald's lower bound is 0 without events and negative with one: it is left out.
    #[test]
    fn bounds_rise_with_events((n, k) in counts(), method in method(), level in level()) {
        prop_assume!(k < n && method != Method::Wald);
        let less = method.bounds(Sample::new(n, k).unwrap(), level);
        let more = method.bounds(Sample::new(n, k + 1).unwrap(), level);
        prop_assert!(at_most(less.lower, more.lower), "{less:?} {more:?}");
        prop_assert!(at_most(less.upper, more.upper), "{less:?} {more:?}");
    }

    #[test]
    fn decisions_change_once_as_events_rise(
        (n, k) in counts(), method in method(), q0 in limit(), level in level()
    ) {
        prop_assume!(k < n);
        let (less, more) = (Sample::new(n, k).unwrap(), Sample::new(n, k + 1).unwrap());
        prop_assert!(method.worse_than(more, q0, level) >= method.worse_than(less, q0, level));
        prop_assert!(method.better_than(more, q0, level) <= method.better_than(less, q0, level));
    }

    #[test]
    fn more_sessions_never_bring_a_halt(
        (n, k) in counts(), more in 0..=MAX_TRIALS, method in method(), q0 in limit(), level in level()
    ) {
        let (stale, fresh) = (Sample::new(n, k).unwrap(), Sample::new(n + more, k).unwrap());
        prop_assume!(n > 0 && !method.worse_than(stale, q0, level));
        prop_assert!(!method.worse_than(fresh, q0, level));
    }

    #[test]
    fn decisions_agree_with_the_bounds(
        sample in sample(), method in method(), q0 in limit(), level in level()
    ) {
        let bounds = method.bounds(sample, level);
        if !is_near(bounds.lower, q0) && sample.trials() > 0.0 {
            prop_assert_eq!(method.worse_than(sample, q0, level), bounds.lower > q0, "{:?}", bounds);
        }
        if !is_near(bounds.upper, q0) && sample.trials() > 0.0 {
            prop_assert_eq!(method.better_than(sample, q0, level), bounds.upper < q0, "{:?}", bounds);
        }
    }

    #[test]
    fn a_bound_is_where_the_decision_turns((n, k) in counts(), method in method(), level in level()) {
        let sample = Sample::new(n, k).unwrap();
        let bounds = method.bounds(sample, level);
        prop_assume!(bounds.lower > 0.0 && bounds.upper < 1.0);
        let (inside, outside) = (1.0 + ROUNDING, 1.0 - ROUNDING);
        prop_assert!(method.worse_than(sample, bounds.lower * outside, level));
        prop_assert!(!method.worse_than(sample, bounds.lower * inside, level));
        prop_assert!(method.better_than(sample, bounds.upper * inside, level));
        prop_assert!(!method.better_than(sample, bounds.upper * outside, level));
    }

    #[test]
    fn halt_and_fast_track_are_never_both_true(
        sample in sample(), method in method(), q0 in limit(), level in level()
    ) {
        let (halts, completes) =
            (method.worse_than(sample, q0, level), method.better_than(sample, q0, level));
        prop_assert!(!(halts && completes));
    }
}
