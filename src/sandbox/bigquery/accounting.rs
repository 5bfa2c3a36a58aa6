//! What BigQuery would bill for a query, on demand: the logical bytes of the columns that it reads, over the partitions
//! that its filter touches. Pure; what a table holds comes from outside.
//!
//! Source: <https://cloud.google.com/bigquery/pricing#on_demand_pricing> and, for the widths,
//! <https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#data_type_sizes>. Rows in the streaming
//! buffer count here and are free there, so a real bill may be lower.

use std::collections::BTreeMap;

use crate::adapters::embedded::measure::Width;
use crate::adapters::embedded::schema::Type;

/// Bytes are billed in steps of this size.
pub const MEBIBYTE: u64 = 1024 * 1024;
/// The least that is billed for each table that a query names, and for each query, in bytes.
pub const LEAST_BYTES: u64 = 10 * MEBIBYTE;
/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// Bytes of INT64, FLOAT64 and TIMESTAMP.
const NUMBER_BYTES: u64 = 8;
/// Bytes of BOOL.
const BOOLEAN_BYTES: u64 = 1;
/// Bytes of a STRING besides its text.
const STRING_BYTES: u64 = 2;

/// How the rows of a table are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitions {
    /// Not at all: any query reads the whole table. So are the tables of Analytics, one a date.
    None,
    /// By the day of the event. The sources bound it on both sides.
    ByEventDay,
    /// By the day of loading. The sources bound it from below only, because events come late.
    ByLoadDay,
}

impl Partitions {
    /// Whether a query for events in `[from_us, to_us)` reads the partition of a day since 1970.
    #[must_use]
    pub fn reads(self, day: i64, from_us: i64, to_us: i64) -> bool {
        match self {
            Self::None => true,
            Self::ByEventDay => day >= from_us.div_euclid(DAY_US) && day.saturating_mul(DAY_US) < to_us,
            Self::ByLoadDay => day >= from_us.div_euclid(DAY_US),
        }
    }
}

/// The bytes that a query processes: those of the days that it reads.
#[must_use]
pub fn processed(
    bytes_per_day: &BTreeMap<i64, u64>,
    partitions: Partitions,
    from_us: i64,
    to_us: i64,
) -> u64 {
    let read = bytes_per_day.iter().filter(|(day, _)| partitions.reads(**day, from_us, to_us));
    read.map(|(_, bytes)| bytes).sum()
}

/// The bytes that a query is billed for, from those that it processes of each table that it names.
#[must_use]
pub fn billed(processed_per_table: &[u64]) -> u64 {
    let of_table = |bytes: &u64| bytes.next_multiple_of(MEBIBYTE).max(LEAST_BYTES);
    processed_per_table.iter().map(of_table).sum::<u64>().max(LEAST_BYTES)
}

/// How wide a value of a type is. A record has the width of its JSON here; no query reads a whole one.
#[must_use]
pub fn width(kind: Type) -> Width {
    match kind {
        Type::Integer | Type::Float | Type::Timestamp => Width::Fixed(NUMBER_BYTES),
        Type::Boolean => Width::Fixed(BOOLEAN_BYTES),
        Type::String => Width::Text(STRING_BYTES),
        Type::Nested => Width::Text(0),
    }
}

/// Which of the columns a text reads; fields of records as `record.field`. A name after `AS` is given, not read.
#[must_use]
pub fn columns_read<'c>(sql: &str, columns: &[&'c str]) -> Vec<&'c str> {
    let mut read = Vec::new();
    let mut before = String::new();
    for word in words(sql) {
        if let Some(column) = columns.iter().find(|column| **column == word)
            && !before.eq_ignore_ascii_case("AS")
            && !read.contains(column)
        {
            read.push(*column);
        }
        before = word;
    }
    read
}

/// The words of a text without its comments and literals; names with dots are one word.
fn words(sql: &str) -> Vec<String> {
    let code =
        sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    // Every second part is between quotes.
    let outside: String = code.split(['\'', '`']).step_by(2).collect::<Vec<_>>().join(" ");
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.@".contains(c);
    outside.split(|c| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bills_whole_mebibytes_and_at_least_ten_a_table() {
        assert_eq!(billed(&[]), LEAST_BYTES);
        assert_eq!(billed(&[0]), LEAST_BYTES);
        assert_eq!(billed(&[LEAST_BYTES]), LEAST_BYTES);
        assert_eq!(billed(&[LEAST_BYTES + 1]), 11 * MEBIBYTE);
        assert_eq!(billed(&[1, 1]), 20 * MEBIBYTE);
        assert_eq!(billed(&[12 * MEBIBYTE - 1, 0]), 22 * MEBIBYTE);
    }

    #[test]
    fn a_window_reads_the_days_that_it_touches() {
        let days = BTreeMap::from([(-1, 1), (0, 10), (1, 100), (2, 1_000)]);
        let by_event = |from, to| processed(&days, Partitions::ByEventDay, from, to);
        assert_eq!(by_event(0, DAY_US), 10, "the end is outside");
        assert_eq!(by_event(0, DAY_US + 1), 110);
        assert_eq!(by_event(DAY_US - 1, DAY_US), 10);
        assert_eq!(by_event(-1, 1), 11, "days before 1970 have negative numbers");
        assert_eq!(
            processed(&days, Partitions::ByLoadDay, DAY_US + 5, DAY_US + 6),
            1_100,
            "late events come later"
        );
        assert_eq!(processed(&days, Partitions::None, DAY_US, DAY_US), 1_111);
    }

    #[test]
    fn only_names_that_are_read_count() {
        let sql = "SELECT -- event_name\n a.b AS user_id, CAST(n AS STRING) AS n2, 'platform'\nFROM `d.platform`\nWHERE m >= @m2";
        let columns = ["user_id", "event_name", "a.b", "a", "n", "m", "platform", "m2", "a.b.c"];
        assert_eq!(columns_read(sql, &columns), ["a.b", "n", "m"]);
    }

    #[test]
    fn widths_are_bigquerys() {
        assert_eq!(width(Type::Integer), Width::Fixed(8));
        assert_eq!(width(Type::Timestamp), Width::Fixed(8));
        assert_eq!(width(Type::Boolean), Width::Fixed(1));
        assert_eq!(width(Type::String), Width::Text(2));
    }
}
