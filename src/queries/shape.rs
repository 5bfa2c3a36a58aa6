//! What is known of a table before it is asked: its columns, and how it is partitioned.
//!
//! Real export tables differ from their documentation and from each other, so an optional column that is missing reads
//! as nothing, and a needed one that is missing is an error with its name.

use std::collections::BTreeSet;

use super::PARTITION_TIME;

/// What a missing optional column reads as.
const NOTHING: &str = "CAST(NULL AS STRING)";

/// How the rows of a table are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partitioning {
    /// By a column that the window prunes, or not at all.
    #[default]
    ByColumnOrNone,
    /// By the time of loading.
    ByLoadTime,
}

/// The columns and the partitioning of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    columns: Option<BTreeSet<String>>,
    partitioning: Partitioning,
}

impl Shape {
    /// A table with these columns; fields of records as `record.field`.
    #[must_use]
    pub fn new(columns: BTreeSet<String>, partitioning: Partitioning) -> Self {
        Self { columns: Some(columns), partitioning }
    }

    /// Whether the table has a column; one of which nothing is known has every column.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.contains(column))
    }

    /// Puts what the table lacks and how it is pruned into the text of a source.
    #[must_use]
    pub fn fit(&self, source: &str) -> String {
        let clause = match self.partitioning {
            Partitioning::ByColumnOrNone => "",
            Partitioning::ByLoadTime => PARTITION_TIME.trim_end(),
        };
        let mut text = source.replace("{partition}", clause);
        while let Some((before, rest)) = text.split_once("{optional:") {
            let Some((column, after)) = rest.split_once('}') else { break };
            let read = if self.has(column) { column } else { NOTHING };
            text = format!("{before}{read}{after}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "SELECT {optional:a.b} AS b, {optional:c} AS c FROM t\n{partition}";

    #[test]
    fn a_missing_optional_column_reads_as_nothing() {
        let shape = Shape::new(["c".to_owned()].into(), Partitioning::ByColumnOrNone);
        assert_eq!(shape.fit(SOURCE).trim_end(), "SELECT CAST(NULL AS STRING) AS b, c AS c FROM t");
    }

    #[test]
    fn rows_in_the_streaming_buffer_are_not_lost() {
        let shape = Shape::new(["a.b".to_owned(), "c".to_owned()].into(), Partitioning::ByLoadTime);
        let text = shape.fit(SOURCE);
        assert!(text.contains("a.b AS b") && text.contains("_PARTITIONTIME IS NULL"), "{text}");
    }
}
