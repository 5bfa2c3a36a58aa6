//! Every method against reference data computed with 40 digits by independent implementations.
//!
//! Every row is read; a method that is neither tested nor listed as left out fails the test, and so do
//! rows that went missing.

use super::*;

const VALUES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/stats/reference_values.csv"));
const EVALUES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/stats/reference_evalues.csv"));
const PUBLISHED: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/stats/published_bounds.csv"));
const LINES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/stats/decision_lines.csv"));

/// Relative, the worst row allowed.
const TOLERANCE: f64 = 1e-13;
/// Rows of the reference values that are tested and left out.
const VALUE_ROWS: (usize, usize) = (123, 135);
/// Rows of the published table, which has 15 digits.
const PUBLISHED_ROWS: usize = 116;
/// Rows of the reference e-values.
const EVALUE_ROWS: usize = 28;
/// Rows of the reference decision lines.
const LINE_ROWS: usize = 165;
/// Methods of the reference data that this module does not offer.
const LEFT_OUT: [&str; 5] = ["agresti_coull", "jeffreys", "poisson_exact", "confseq_bb", "gavi"];
/// Confidence level at which the threshold ln(2 / alpha) is ln 10, the level of warnings.
const WARNING_LEVEL: f64 = 0.8;

fn relative_error(got: f64, want: f64) -> f64 {
    if got == want {
        0.0
    } else if want == 0.0 {
        f64::INFINITY
    } else {
        ((got - want) / want).abs()
    }
}

fn number(text: &str) -> f64 {
    match text.split_once('/') {
        Some((count, effect)) => number(count) / number(effect),
        None => text.parse().unwrap(),
    }
}

fn count(text: &str) -> u64 {
    text.parse().unwrap()
}

fn level(text: &str) -> Confidence {
    Confidence::new(text.parse().unwrap()).unwrap()
}

/// Fields of a row; quoted ones keep their commas.
fn fields(row: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for letter in row.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
    }
    assert!(!quoted, "open quote: {row}");
    fields
}

fn rows(csv: &str, header: &str) -> Vec<Vec<String>> {
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some(header));
    let width = fields(header).len();
    let rows: Vec<_> = lines.map(fields).collect();
    assert!(rows.iter().all(|row| row.len() == width));
    rows
}

/// Bounds of a row of the reference values, none for a method that is left out.
fn bounds_of(method: &str, params: &str, sample: Sample, confidence: Confidence) -> Option<Bounds> {
    let offered = match (method, params) {
        ("wald", "z=2.576" | "policy row") => Method::Wald,
        ("wald", "z=exact") => return Some(wald::bounds_with_z(sample, confidence.z())),
        ("wilson", "z=exact") => Method::Wilson,
        ("clopper_pearson", "" | "policy row") => Method::ClopperPearson,
        ("mixture", "J=32 lo=0.01 hi=ln200 shape=0.4, alpha/2 per side" | "policy row") => Method::Mixture,
        (left_out, _) if LEFT_OUT.contains(&left_out) => return None,
        unknown => panic!("no test for {unknown:?}"),
    };
    Some(offered.bounds(sample, confidence))
}

#[test]
fn bounds_agree_with_every_reference_row() {
    let header = "method,params,n,crashes,level,crash_rate_lower,crash_rate_upper";
    let (mut tested, mut left_out, mut worst) = (0, 0, 0.0_f64);
    for row in rows(VALUES, header) {
        let sample = Sample::new(count(&row[2]), count(&row[3])).unwrap();
        let Some(bounds) = bounds_of(&row[0], &row[1], sample, level(&row[4])) else {
            left_out += 1;
            continue;
        };
        let error =
            relative_error(bounds.lower, number(&row[5])).max(relative_error(bounds.upper, number(&row[6])));
        assert!(error <= TOLERANCE, "{error:e} {row:?} {bounds:?}");
        worst = worst.max(error);
        tested += 1;
    }
    assert_eq!((tested, left_out), VALUE_ROWS, "worst {worst:e}");
}

#[test]
fn bounds_agree_with_every_published_row() {
    let mut tested = 0;
    for row in rows(PUBLISHED, "n,crashes,method,crash_rate_lower,crash_rate_upper") {
        let sample = Sample::new(count(&row[0]), count(&row[1])).unwrap();
        let method: Method = row[2].parse().unwrap();
        let bounds = method.bounds(sample, level("0.99"));
        let error =
            relative_error(bounds.lower, number(&row[3])).max(relative_error(bounds.upper, number(&row[4])));
        assert!(error <= TOLERANCE, "{error:e} {row:?} {bounds:?}");
        tested += 1;
    }
    assert_eq!(tested, PUBLISHED_ROWS);
}

/// The value of `key` in a text such as `q0=0.0005` or `k=1 n=20000`.
fn value_of(key: &str, text: &str) -> Option<f64> {
    let value = |word: &str| Some(number(word.strip_prefix(key)?.strip_prefix('=')?));
    text.split_whitespace().find_map(value)
}

/// The days of a text such as `days (k,n)=[(1, 3000), (2, 20000)] weights 0.5, 7 x 0.5/7 (...)`.
fn days_of(text: &str) -> Vec<Sample> {
    let (_, list) = text.split_once("=[(").unwrap();
    let (list, rest) = list.split_once(")]").unwrap();
    assert!(rest.starts_with(" weights 0.5, 7 x 0.5/7"), "{rest}");
    let day = |pair: &str| {
        let (events, trials) = pair.split_once(", ").unwrap();
        Sample::new(count(trials), count(events)).unwrap()
    };
    list.split("), (").map(day).collect()
}

#[test]
fn evidence_agrees_with_every_reference_row() {
    const Q0: f64 = 5e-4;
    let (mut tested, mut worst) = (0, 0.0_f64);
    for row in rows(EVALUES, "what,inputs,value_natural_log") {
        let (what, inputs) = (row[0].as_str(), row[1].as_str());
        // The cumulative row belongs to the row above it and repeats no limit.
        let q0 = value_of("q0", what).unwrap_or(Q0);
        let sample = || {
            let events = value_of("k", inputs).unwrap();
            Sample::real(value_of("n", inputs).unwrap(), events)
        };
        let got = match what.split_whitespace().next() {
            Some("log_e_worse") => log_evidence_worse(sample(), q0),
            Some("log_e_better") => log_evidence_better(sample(), q0),
            Some("log_e_day_restart") => log_evidence_day_restart(&days_of(inputs), q0, 7),
            unknown => panic!("no test for {unknown:?}"),
        };
        let error = relative_error(got, number(&row[2]));
        assert!(error <= TOLERANCE, "{error:e} {row:?} {got}");
        worst = worst.max(error);
        tested += 1;
    }
    assert_eq!(tested, EVALUE_ROWS, "worst {worst:e}");
}

/// Method and level of a row of decision lines.
fn rule_of(name: &str) -> (Method, Confidence) {
    match name {
        "wald_z2.576" => (Method::Wald, level("0.99")),
        "wilson_99" => (Method::Wilson, level("0.99")),
        "clopper_pearson_99" => (Method::ClopperPearson, level("0.99")),
        "mixture_99" => (Method::Mixture, level("0.99")),
        "mixture_warn_E10" => (Method::Mixture, Confidence::new(WARNING_LEVEL).unwrap()),
        unknown => panic!("no test for {unknown:?}"),
    }
}

/// The limit of an objective in percent, without the rounding of one minus it.
fn limit_of(slo_percent: &str) -> f64 {
    match slo_percent {
        "99.95" => 5e-4,
        "99.9" => 1e-3,
        "99" => 1e-2,
        unknown => panic!("no limit for {unknown}"),
    }
}

fn signed(line: Option<u64>) -> i64 {
    line.map_or(-1, |count| i64::try_from(count).unwrap())
}

#[test]
fn decision_lines_agree_with_every_reference_row() {
    let header = "method,slo_percent,n,halt_min_crashes(-1=never),fast_track_max_crashes(-1=never)";
    let mut tested = 0;
    for row in rows(LINES, header) {
        let (method, confidence) = rule_of(&row[0]);
        let lines = decision_lines(method, count(&row[2]), limit_of(&row[1]), confidence);
        let got = [lines.halt_at, lines.fast_track_at].map(|line| signed(line).to_string());
        assert_eq!(got, row[3..], "{row:?}");
        tested += 1;
    }
    assert_eq!(tested, LINE_ROWS);
}
