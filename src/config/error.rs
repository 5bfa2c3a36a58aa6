//! What is wrong with a configuration file: where it stands, what it says, and how to put it right.
//!
//! Sections speak of [`Problem`]s, which know a range of bytes; [`SourceText`] turns one into a [`ConfigError`], which
//! knows the file, the line and the column. A line is shown only after the values that may be secrets have been
//! covered, because these texts end up in public logs.

use std::fmt;
use std::ops::Range;

use super::secret;

/// The widest line that is shown, in characters. A longer one says less than its line and column do.
const WIDEST_EXCERPT: usize = 160;
/// What is shown instead of a value that may be a secret.
const COVER: &str = "\"***\"";

/// Why a configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, as a lowercase fragment.
    pub message: String,
    /// What to do about it.
    pub fix: String,
    excerpt: Option<Box<Excerpt>>,
}

/// The line in question, and the marks below it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    line: String,
    marks: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, fix, excerpt } = self;
        writeln!(f, "{file}:{line}:{column}: {message}")?;
        if let Some(Excerpt { line, marks }) = excerpt.as_deref() {
            writeln!(f, "  | {line}")?;
            writeln!(f, "  | {marks}")?;
        }
        write!(f, "  fix: {fix}")
    }
}

impl std::error::Error for ConfigError {}

/// Something wrong at a range of bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) fix: String,
}

impl Problem {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { span, message: message.into(), fix: fix.into() }
    }
}

/// Why a single value was refused, without its place: `problem` follows the name of the key.
///
/// Its text is both parts with a line break between them, because an error of serde is one text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}\n{fix}")]
pub(super) struct Refused {
    pub(super) problem: String,
    pub(super) fix: String,
}

impl Refused {
    pub(super) fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: fix.into() }
    }
}

/// The file's text, and the ranges in it that are never shown.
pub(super) struct SourceText<'t> {
    pub(super) text: &'t str,
    pub(super) file: &'t str,
    pub(super) covered: Vec<Range<usize>>,
}

impl SourceText<'_> {
    /// The error of a problem in a document that could be read.
    pub(super) fn error(&self, problem: Problem) -> ConfigError {
        let excerpt = self.excerpt(&problem.span);
        self.with_excerpt(problem, excerpt)
    }

    /// The error of a problem in a text that could not be read, so nobody knows which of its parts are values.
    pub(super) fn syntax_error(&self, problem: Problem) -> ConfigError {
        let line = self.line_at(problem.span.start);
        let doubtful = secret::looks_like(self.text).is_some() || !secret::may_be_shown(line);
        let excerpt = if doubtful { None } else { self.excerpt(&problem.span) };
        self.with_excerpt(problem, excerpt)
    }

    fn with_excerpt(&self, problem: Problem, excerpt: Option<Excerpt>) -> ConfigError {
        let before = self.text.get(..self.boundary(problem.span.start)).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message: problem.message,
            fix: problem.fix,
            excerpt: excerpt.map(Box::new),
        }
    }

    fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }

    fn line_range(&self, offset: usize) -> Range<usize> {
        let (before, after) = self.text.split_at(self.boundary(offset));
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').map_or(self.text.len(), |newline| before.len() + newline);
        start..end
    }

    fn line_at(&self, offset: usize) -> &str {
        self.text.get(self.line_range(offset)).unwrap_or_default()
    }

    /// The line of a range with marks under it; none where there is nothing to see or something to hide.
    fn excerpt(&self, span: &Range<usize>) -> Option<Excerpt> {
        if *span == (0..0) {
            return None;
        }
        let mut drawing = Drawing::default();
        let range = self.line_range(span.start);
        for (index, character) in self.text.get(range.clone())?.char_indices() {
            let offset = range.start + index;
            let covered = self.covered.iter().find(|covered| covered.contains(&offset));
            let marked = |from: usize, to: usize| from < span.end.max(span.start + 1) && span.start < to;
            match covered {
                Some(cover) if offset == cover.start.max(range.start) => {
                    drawing.text(COVER, marked(cover.start, cover.end));
                }
                Some(_) => {}
                None => drawing.character(character, marked(offset, offset + character.len_utf8())),
            }
        }
        drawing.finish()
    }
}

/// A line and its marks, drawn side by side so that they stay aligned.
#[derive(Default)]
struct Drawing {
    line: String,
    marks: String,
}

impl Drawing {
    fn text(&mut self, text: &str, marked: bool) {
        for character in text.chars() {
            self.character(character, marked);
        }
    }

    fn character(&mut self, character: char, marked: bool) {
        // A control character could move the cursor of a terminal; a tab is kept, so that the marks stay below.
        let shown = if character.is_control() && character != '\t' { ' ' } else { character };
        self.line.push(shown);
        self.marks.push(match (marked, shown) {
            (true, _) => '^',
            (false, '\t') => '\t',
            (false, _) => ' ',
        });
    }

    fn finish(self) -> Option<Excerpt> {
        let line = self.line.trim_end().to_owned();
        let marks = match self.marks.trim_end() {
            "" => format!("{}^", self.marks),
            marks => marks.to_owned(),
        };
        let fits = !line.is_empty() && line.chars().count() <= WIDEST_EXCERPT;
        (fits && secret::looks_like(&line).is_none()).then_some(Excerpt { line, marks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>, covered: Option<Range<usize>>) -> String {
        let source = SourceText { text, file: "tidegate.toml", covered: covered.into_iter().collect() };
        source.error(Problem::new(span, "something is wrong", "put it right")).to_string()
    }

    #[test]
    fn marks_the_range_below_its_line() {
        insta::assert_snapshot!(shown("[slo]\n\tä = 1 # ok\r\n", 7..9, None), @r"
        tidegate.toml:2:2: something is wrong
          | 	ä = 1 # ok
          | 	^
          fix: put it right
        ");
    }

    #[test]
    fn covered_values_are_not_shown() {
        let text = "slack = { token = \"hunter2\", x = 1 }";
        insta::assert_snapshot!(shown(text, 29..30, Some(18..27)), @r#"
        tidegate.toml:1:30: something is wrong
          | slack = { token = "***", x = 1 }
          |                          ^
          fix: put it right
        "#);
    }

    #[test]
    fn a_line_with_a_secret_in_a_comment_is_not_shown() {
        insta::assert_snapshot!(shown("x = 1 # xoxb-123", 0..1, None), @r"
        tidegate.toml:1:1: something is wrong
          fix: put it right
        ");
    }

    #[test]
    fn the_end_of_a_text_has_a_place_too() {
        insta::assert_snapshot!(shown("", 0..0, None), @r"
        tidegate.toml:1:1: something is wrong
          fix: put it right
        ");
        insta::assert_snapshot!(shown("x =", 3..3, None), @r"
        tidegate.toml:1:4: something is wrong
          | x =
          |    ^
          fix: put it right
        ");
    }
}
