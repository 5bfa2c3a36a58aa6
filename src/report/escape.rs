//! One escaper per sink: whatever goes in, only text comes out.
//!
//! The words of stores, vendors and files are written by others. In a log they could be commands of the runner, in
//! Markdown links and mentions, on a terminal anything. None of these functions refuses a text; each makes it harmless
//! and keeps it readable. What is hidden in a text goes first, by [`plain`], because a parser may look through it.
//! Source of the runner's rules: `ActionCommand.cs` and `OutputManager.cs` of github.com/actions/runner, which reads
//! standard output and standard error alike.

use crate::domain::plain;

/// The runner cuts the message of an annotation after 4,096 characters, escapes included; this leaves room for ours.
const LONGEST_MESSAGE: usize = 3_000;
/// The title of an annotation is one line of a list.
const LONGEST_PROPERTY: usize = 200;
/// Text inside a table or an item of Markdown. An error with its fix has some hundred characters.
const LONGEST_MARKDOWN: usize = 1_500;
/// What has a meaning in Markdown, or in the HTML and the formulas inside it.
const MARKUP: &str = "\\`*_{}[]<>()#+!|~&$@";
/// A blank of no width, as an entity: it splits mentions and addresses, which are looked for in the finished page.
const SPLIT: &str = "&#8203;";

/// Text for a terminal: nothing moves the cursor, changes a colour or turns the direction.
#[must_use]
pub fn terminal(text: &str) -> String {
    plain::text(text)
}

/// Text for the log of a workflow, and for a terminal: no line of it is a command.
///
/// A command is a line that begins with `::`, blanks aside, or one that holds `##[` anywhere. Doing it twice changes
/// nothing more.
#[must_use]
pub fn workflow_log(text: &str) -> String {
    let harmless = |line: &str| {
        let line = line.replace("##[", "## [");
        if line.trim_start().starts_with("::") { format!("| {line}") } else { line }
    };
    terminal(text).split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

/// The message of a workflow command.
#[must_use]
pub fn workflow_message(text: &str) -> String {
    workflow_value(&plain::cut(plain::text(text).trim_end(), LONGEST_MESSAGE))
}

/// A property of a workflow command.
#[must_use]
pub fn workflow_property(text: &str) -> String {
    let line = plain::cut(plain::line(text).trim_end(), LONGEST_PROPERTY);
    workflow_value(&line).replace(':', "%3A").replace(',', "%2C")
}

/// The value of a workflow command, to the letter.
#[must_use]
pub fn workflow_value(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A JSON text whose values are the same and in which nothing is hidden and no command: both can only stand inside of
/// strings, where there is another way to write them.
#[must_use]
pub fn json(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = (plain::is_hidden(c) && c != '\n') || plain::is_variation_selector(c);
        match hidden {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| written += &format!("\\u{unit:04x}")),
            false => written.push(c),
        }
    }
    written.replace("##[", "#\\u0023[")
}

/// Text inside a paragraph, an item or a table cell of GitHub's Markdown, on one line: no markup, no tag, no link, no
/// mention of a person or an issue.
#[must_use]
pub fn markdown(text: &str) -> String {
    let line = plain::cut(plain::line(text).trim(), LONGEST_MARKDOWN);
    let mut written = String::new();
    let mut done = String::new();
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        let next = characters.peek().copied();
        match c {
            c if MARKUP.contains(c) || opens_a_block(&done, c, next) => {
                written += &format!("&#{};", u32::from(c));
            }
            c => written.push(c),
        }
        if may_begin_a_link(&done, c, next) {
            written += SPLIT;
        }
        done.push(c);
    }
    written
}

/// Whether a character would begin a list, a rule or an underline of a heading.
fn opens_a_block(before: &str, c: char, next: Option<char>) -> bool {
    let numbers = !before.is_empty() && before.chars().all(|c| c.is_ascii_digit());
    (before.is_empty() && c.is_ascii_punctuation())
        || (numbers && c == '.' && next.is_none_or(char::is_whitespace))
}

/// Whether what ends here is the beginning of an address, a mention or a reference, which GitHub makes links of without
/// any markup.
fn may_begin_a_link(before: &str, c: char, next: Option<char>) -> bool {
    let ends_with = |word: &str| {
        let end: Vec<char> = before.chars().rev().take(word.len()).collect();
        end.len() == word.len()
            && end.iter().rev().zip(word.chars()).all(|(c, w)| c.to_ascii_lowercase() == w)
    };
    match c {
        '@' | '#' => true,
        ':' => next == Some('/'),
        '.' => ends_with("www"),
        '-' => ends_with("gh"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    /// What has a meaning somewhere.
    const DANGEROUS: [&str; 54] = [
        "::error::",
        "::stop-commands::x",
        "::add-mask::a",
        "::set-output name=x::y",
        ":",
        "::",
        "##[",
        "##[error]",
        "#",
        "##",
        "<!channel>",
        "<@U1>",
        "<https://x|y>",
        "https://evil.example",
        "www.evil.example",
        "a@evil.example",
        "|",
        "||",
        "`",
        "```",
        "*",
        "**",
        "_",
        "~~",
        "\u{1b}[31m",
        "\u{1b}]8;;https://x\u{7}",
        "\u{202e}",
        "\u{200b}",
        "\u{feff}",
        "\u{fe0f}",
        "\r\n",
        "\n",
        "\r",
        "\t",
        "\u{85}",
        "\u{2028}",
        "\0",
        "](javascript:1)",
        "[x](https://x)",
        "![x](y)",
        "<script>",
        "<img src=x>",
        "<!-- ",
        "&lt;",
        "@everyone",
        "#1",
        "GH-1",
        "1. ",
        "- ",
        "    ",
        "---",
        "===",
        "$x$",
        "%0A",
    ];

    fn hostile() -> impl Strategy<Value = String> {
        let fragment = prop_oneof![
            8 => prop::sample::select(DANGEROUS.as_slice()).prop_map(str::to_owned),
            3 => "[a-z0-9 .,:%\\\\-]{0,6}",
            1 => any::<char>().prop_map(String::from),
            1 => Just("x".repeat(10_000)),
        ];
        prop::collection::vec(fragment, 0..12).prop_map(|parts| parts.concat())
    }

    /// The lines as the runner reads them, and the first command in them, if there is one. Its comparisons look through
    /// what is not seen.
    fn command(output: &str) -> Option<String> {
        let seen = |line: &str| -> String {
            line.chars()
                .filter(|c| *c == '\t' || !(plain::is_hidden(*c) || plain::is_variation_selector(*c)))
                .collect()
        };
        let is_command = |line: &String| {
            let start = line.trim_start();
            let second = start.strip_prefix("::").is_some_and(|rest| rest.contains("::"));
            let older = line.split_once("##[").is_some_and(|(_, rest)| rest.contains(']'));
            second || older
        };
        output.split(['\r', '\n']).map(seen).find(is_command)
    }

    #[test]
    fn the_runners_rule_finds_commands() {
        for found in [
            "::error::x",
            "a\n \u{a0}::add-mask::x",
            "x ##[error]y",
            "a\r::debug::x",
            "\u{200b}::e::",
            "#\u{fe0f}#[x]",
        ] {
            assert!(command(found).is_some(), "{found:?}");
        }
        assert_eq!(command("a ::error::x"), None);
    }

    /// The texts of a document, if it holds nothing else than paragraphs and one table.
    fn only_text(document: &str) -> Result<Vec<String>, String> {
        let mut texts = vec![String::new()];
        for event in Parser::new_ext(document, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
            match event {
                Event::Text(text) => texts.last_mut().unwrap().push_str(&text),
                Event::SoftBreak => texts.last_mut().unwrap().push(' '),
                Event::Start(Tag::TableCell) => texts.push(String::new()),
                Event::Start(Tag::Paragraph | Tag::Table(_) | Tag::TableHead | Tag::TableRow) => {}
                Event::End(
                    TagEnd::Paragraph
                    | TagEnd::Table
                    | TagEnd::TableHead
                    | TagEnd::TableRow
                    | TagEnd::TableCell,
                ) => {}
                other => return Err(format!("{other:?} in {document:?}")),
            }
        }
        Ok(texts)
    }

    #[test]
    fn the_parser_finds_what_is_no_text() {
        for markup in [
            "[x](y)",
            "<b>",
            "`x`",
            "- x",
            "# x",
            "**x**",
            "![x](y)",
            "<https://x>",
            "    x",
            "~~x~~",
            "1. x",
            "$x$",
        ] {
            assert!(only_text(markup).is_err(), "{markup:?}");
        }
    }

    /// What GitHub makes links of in the finished page.
    fn links_itself(text: &str) -> bool {
        let pairs: Vec<(char, Option<char>)> =
            text.chars().zip(text.chars().skip(1).map(Some).chain([None])).collect();
        let lower = text.to_lowercase();
        let mention = pairs.iter().any(|(c, next)| {
            matches!(c, '@' | '#') && next.is_some_and(|next| next.is_alphanumeric() || next == '_')
        });
        let address = ["www.", "gh-"].iter().any(|start| {
            let rests = lower.split(start).skip(1);
            rests.into_iter().any(|rest| rest.starts_with(char::is_alphanumeric))
        });
        mention || address || lower.contains("://")
    }

    #[test]
    fn the_page_has_links_without_markup() {
        for link in ["@everyone", "see #1", "https://x", "www.x", "GH-1", "a@b"] {
            assert!(links_itself(link), "{link}");
        }
        assert!(!links_itself("26.3.0: 5 of 10 (50 %)"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_in_a_log_is_a_command_and_nothing_is_hidden(given in hostile()) {
            let log = workflow_log(&given);
            prop_assert_eq!(command(&log), None);
            prop_assert!(!log.chars().any(|c| plain::is_hidden(c) && c != '\n' && c != '\t'));
            prop_assert_eq!(workflow_log(&log), log.clone());
            let shown = terminal(&given);
            prop_assert!(!shown.chars().any(|c| plain::is_hidden(c) && c != '\n' && c != '\t'));
        }

        #[test]
        fn a_command_stays_the_one_that_it_is(title in hostile(), message in hostile()) {
            let line = format!("::error title={}::{}", workflow_property(&title), workflow_message(&message));
            prop_assert!(!line.contains(['\n', '\r']));
            let (information, data) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
            let (name, properties) = information.split_once(' ').unwrap();
            prop_assert_eq!(name, "error");
            prop_assert_eq!(properties.split(',').count(), 1);
            let unescape = |text: &str| text.replace("%2C", ",").replace("%3A", ":").replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
            prop_assert_eq!(unescape(properties), format!("title={}", plain::cut(plain::line(&title).trim_end(), LONGEST_PROPERTY)));
            let told = plain::cut(plain::text(&message).trim_end(), LONGEST_MESSAGE);
            // The runner undoes `%25` last, so an escape that was given comes out as it was given.
            prop_assert_eq!(data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%"), told);
            prop_assert!(data.chars().count() <= 3 * LONGEST_MESSAGE);
        }

        #[test]
        fn a_value_is_kept_to_the_letter(given in hostile()) {
            let value = workflow_value(&given);
            prop_assert!(!value.contains(['\n', '\r']));
            prop_assert_eq!(value.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%"), given);
        }

        #[test]
        fn markdown_is_one_cell_of_text(first in hostile(), second in hostile()) {
            let (one, two) = (markdown(&first), markdown(&second));
            let table = format!("| a | b |\n|---|---|\n| {one} | {two} |\n");
            let texts = only_text(&table).map_err(TestCaseError::fail)?;
            prop_assert_eq!(texts.len(), 5, "{}", table);
            for (text, given) in [(&texts[3], &first), (&texts[4], &second)] {
                prop_assert!(!links_itself(text), "{}", text);
                let shown: String = text.replace('\u{200b}', "");
                let wanted = plain::cut(plain::line(given).trim(), LONGEST_MARKDOWN);
                prop_assert_eq!(shown.trim(), wanted.trim());
            }
        }

        #[test]
        fn markdown_opens_no_block_where_a_line_begins(given in hostile(), after in hostile()) {
            let document = format!("Text before.\n{}\n{}\n", markdown(&given), markdown(&after));
            only_text(&document).map_err(TestCaseError::fail)?;
            only_text(&markdown(&given)).map_err(TestCaseError::fail)?;
            prop_assert!(markdown(&given).chars().count() <= LONGEST_MARKDOWN * "&#123;&#8203;".len());
        }

        #[test]
        fn json_says_the_same_and_holds_no_command(given in hostile()) {
            let value = serde_json::json!({ given.clone(): [given] });
            for text in [value.to_string(), format!("{value:#}")] {
                let escaped = json(&text);
                prop_assert_eq!(command(&escaped), None);
                prop_assert!(!escaped.chars().any(|c| plain::is_hidden(c) && c != '\n'));
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value.clone());
                prop_assert_eq!(workflow_log(&escaped), escaped);
            }
        }
    }

    #[test]
    fn harmless_text_stays_readable() {
        assert_eq!(markdown("26.3.0"), "26.3.0");
        assert_eq!(
            markdown("android: Google Play answered 403, see the console."),
            "android: Google Play answered 403, see the console."
        );
        assert_eq!(workflow_log("error: x\n  fix: y\n"), "error: x\n  fix: y\n");
        assert_eq!(json("{\"a\": \"ä 🛑\"}"), "{\"a\": \"ä 🛑\"}");
    }
}
