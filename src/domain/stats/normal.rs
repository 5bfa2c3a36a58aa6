//! Quantiles of the normal distribution.
//!
//! Algorithm AS 241 (PPND16) of M. Wichura, "The percentage points of the normal distribution", Applied
//! Statistics 37 (1988), 477-484: rational approximations in three regions, accurate to about 1e-16.
//! The argument is the probability of the *upper* tail, so that small tails keep all their digits.

/// Half width of the central region around probability one half.
const CENTRAL_HALF_WIDTH: f64 = 0.425;
/// Square of [`CENTRAL_HALF_WIDTH`], where the central approximation is expanded.
const CENTRAL_SQUARE: f64 = 0.180625;
/// Where the approximation for near tails is expanded, in units of sqrt(-ln tail).
const NEAR_CENTRE: f64 = 1.6;
/// Where near tails end and the approximation for far tails is expanded, in the same units.
const FAR_CENTRE: f64 = 5.0;

/// Numerator for the central region, highest power first.
const CENTRAL_NUMERATOR: [f64; 8] = [
    2509.0809287301227,
    33430.57558358813,
    67265.7709270087,
    45921.95393154987,
    13731.69376550946,
    1971.5909503065513,
    133.14166789178438,
    3.3871328727963665,
];
/// Denominator for the central region, highest power first.
const CENTRAL_DENOMINATOR: [f64; 8] = [
    5226.495278852854,
    28729.085735721943,
    39307.89580009271,
    21213.794301586597,
    5394.196021424751,
    687.1870074920579,
    42.31333070160091,
    1.0,
];
/// Numerator for the near tails, highest power first.
const NEAR_NUMERATOR: [f64; 8] = [
    0.0007745450142783414,
    0.022723844989269184,
    0.2417807251774506,
    1.2704582524523684,
    3.6478483247632045,
    5.769497221460691,
    4.630337846156546,
    1.4234371107496835,
];
/// Denominator for the near tails, highest power first.
const NEAR_DENOMINATOR: [f64; 8] = [
    1.0507500716444169e-9,
    0.0005475938084995345,
    0.015198666563616457,
    0.14810397642748008,
    0.6897673349851,
    1.6763848301838038,
    2.053191626637759,
    1.0,
];
/// Numerator for the far tails, highest power first.
const FAR_NUMERATOR: [f64; 8] = [
    2.0103343992922881e-7,
    2.7115555687434876e-5,
    0.0012426609473880784,
    0.026532189526576124,
    0.29656057182850487,
    1.7848265399172913,
    5.463784911164114,
    6.657904643501103,
];
/// Denominator for the far tails, highest power first.
const FAR_DENOMINATOR: [f64; 8] = [
    2.0442631033899397e-15,
    1.421511758316446e-7,
    1.8463183175100548e-5,
    0.0007868691311456133,
    0.014875361290850615,
    0.1369298809227358,
    0.599832206555888,
    1.0,
];

/// The z with an upper tail of `tail`, for `0 < tail <= 1/2`.
pub(super) fn upper_quantile(tail: f64) -> f64 {
    let offset = 0.5 - tail;
    if offset <= CENTRAL_HALF_WIDTH {
        let x = CENTRAL_SQUARE - offset * offset;
        return offset * ratio(&CENTRAL_NUMERATOR, &CENTRAL_DENOMINATOR, x);
    }
    let depth = (-tail.ln()).sqrt();
    if depth <= FAR_CENTRE {
        ratio(&NEAR_NUMERATOR, &NEAR_DENOMINATOR, depth - NEAR_CENTRE)
    } else {
        ratio(&FAR_NUMERATOR, &FAR_DENOMINATOR, depth - FAR_CENTRE)
    }
}

fn ratio(numerator: &[f64], denominator: &[f64], x: f64) -> f64 {
    polynomial(numerator, x) / polynomial(denominator, x)
}

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upper tail and its z, computed with 40 digits.
    const TABLE: [(f64, f64); 4] = [
        (0.05, 1.6448536269514727),
        (0.025, 1.9599639845400543),
        (0.005, 2.575829303548901),
        (0.0005, 3.290526731491895),
    ];

    #[test]
    fn agrees_with_the_table_of_levels() {
        for (tail, z) in TABLE {
            assert!((upper_quantile(tail) - z).abs() <= 1e-15, "{tail}");
        }
    }

    #[test]
    fn agrees_in_the_other_regions() {
        assert_eq!(upper_quantile(0.5), 0.0);
        assert!((upper_quantile(0.25) - 0.6744897501960817).abs() <= 1e-15);
        assert!((upper_quantile(1e-20) - 9.262340089798405).abs() <= 1e-14);
    }
}
