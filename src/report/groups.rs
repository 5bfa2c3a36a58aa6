//! The log of GitHub Actions in groups, one for each app, that a reader opens one at a time.
//!
//! A group is written whole, so it is closed whatever happened inside, and no line inside can open or close one.
//! Source: GitHub's "Workflow commands" page; the runner also ends lines at a lone carriage return.

use super::escape::{workflow_log as log, workflow_message as message};

/// A group with its lines.
#[must_use]
pub fn group(title: &str, text: &str) -> String {
    format!("::group::{}\n{}\n::endgroup::\n", message(title), log(text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a runner takes for commands: its own splitting of lines, and both of its forms.
    fn commands(text: &str) -> Vec<String> {
        let lines = text.split(['\n', '\r']);
        let is_command = |line: &&str| line.trim_start().starts_with("::") || line.contains("##[");
        lines.filter(is_command).map(|line| line.split("::").nth(1).unwrap_or(line).to_owned()).collect()
    }

    #[test]
    fn a_group_is_opened_once_and_closed_once() {
        let text = group("android 2.0: halt", "a line\n  another\n");
        assert_eq!(text, "::group::android 2.0: halt\na line\n  another\n::endgroup::\n");
    }

    #[test]
    fn f85_text_inside_neither_opens_nor_closes_a_group() {
        for hostile in [
            "::endgroup::",
            " \t::endgroup::",
            "x\r::endgroup::",
            "x\r\n::group::y",
            "##[endgroup]",
            "x ##[group]y",
            "\u{a0}::endgroup::",
            "\u{85}::endgroup::",
        ] {
            assert_eq!(commands(&group("android", hostile)), ["group", "endgroup"], "{hostile:?}");
            assert_eq!(commands(&group(hostile, "x")), ["group", "endgroup"], "{hostile:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_does(
            title in "(::|##\\[|group|end|\\r|\\n|%0A| |x|\u{85}){0,12}",
            text in "(::|##\\[|group|end|\\]|\\r|\\n|%0A| |\\t|x|\u{85}){0,24}",
        ) {
            prop_assert_eq!(commands(&group(&title, &text)), ["group", "endgroup"]);
        }
    }
}
