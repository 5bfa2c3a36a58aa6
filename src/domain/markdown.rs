//! Text from outside as inert Markdown, for every page of GitHub that shows one.
//!
//! Nothing of it can be markup, a tag, a line of its own or text that is hidden or runs backwards. Where people are
//! notified, in issues, it is also no mention, no reference and no link: GitHub looks for those in the text that it shows,
//! after entities are undone, so they are broken by a mark of no width behind the sign that begins them.
//! Source: GitHub Flavored Markdown, <https://github.github.com/gfm/>, sections 2.4, 6.4 and 6.9, and
//! <https://docs.github.com/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls>.

/// What opens or closes something in Markdown or HTML.
const SPECIAL: &str = "\\`*_{}[]<>()#+!|~&";
/// A mark of no width, as Markdown writes it.
const BREAK: &str = "&#8203;";
/// The same mark where no Markdown is read.
const PLAIN_BREAK: char = '\u{200b}';

/// Text inside a table of a job summary: no markup, no tags, one line. An address in it may still become a link.
#[must_use]
pub fn cell(text: &str) -> String {
    one_line(text).chars().map(escaped).collect()
}

/// Text inside an issue or a comment, where a mention would call somebody: as [`cell`], and no mention, no reference to an
/// issue and no link either. At most `longest` characters of the text are kept.
#[must_use]
pub fn prose(text: &str, longest: usize) -> String {
    let text: Vec<char> = cut(&one_line(text), longest).chars().collect();
    let mut shown = String::new();
    for (index, c) in text.iter().enumerate() {
        shown.push_str(&escaped(*c));
        if begins_something(&text, index) {
            shown.push_str(BREAK);
        }
    }
    shown
}

/// One line that is shown as it is, such as the title of an issue: nothing hidden and no mention, at most `longest`
/// characters.
#[must_use]
pub fn title(text: &str, longest: usize) -> String {
    let text: Vec<char> = one_line(text).chars().collect();
    let mut shown = String::new();
    for (index, c) in text.iter().enumerate() {
        // Back quotes are the only markup of a title.
        shown.push(if *c == '`' { '\'' } else { *c });
        if begins_something(&text, index) {
            shown.push(PLAIN_BREAK);
        }
    }
    cut(&shown, longest)
}

/// The text on one line, without what is hidden or turns the direction of reading.
#[must_use]
pub fn one_line(text: &str) -> String {
    let visible = text.chars().filter(|c| !is_hidden(*c));
    visible.map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect()
}

/// The beginning of a text, with a sign where something is left out.
#[must_use]
pub fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

fn escaped(c: char) -> String {
    if SPECIAL.contains(c) { format!("&#{};", u32::from(c)) } else { c.to_string() }
}

/// Whether GitHub may take what follows for a mention (`@who`), a reference (`#1`, `GH-1`), an address (`x://`, `www.`)
/// or a picture (`:word:`).
fn begins_something(text: &[char], index: usize) -> bool {
    let next = text.get(index + 1).copied();
    let before = |word: &str| {
        let start = index.checked_sub(word.len());
        let found = start.and_then(|start| text.get(start..index));
        found.is_some_and(|found| found.iter().zip(word.chars()).all(|(c, w)| c.eq_ignore_ascii_case(&w)))
    };
    match text.get(index) {
        Some('@' | '#') => true,
        Some(':') => next.is_some_and(|next| !next.is_whitespace() && !next.is_ascii_digit()),
        Some('.') => before("www"),
        Some('-') => before("gh"),
        _ => false,
    }
}

fn is_hidden(c: char) -> bool {
    let kept = matches!(c, '\n' | '\r' | '\t');
    let turning =
        matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    let hiding = matches!(c, '\u{00ad}' | '\u{180e}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    turning || hiding || matches!(c, '\u{2028}' | '\u{2029}') || (c.is_control() && !kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hostile_text_is_shown_and_does_nothing() {
        let hostile = "@acme/all fixes #12, GH-7 [x](https://e.example) www.e.example <img src=x>\n# big `c` :tada: \u{202e}a@b.c";
        insta::assert_snapshot!(prose(hostile, 200), @"@&#8203;acme/all fixes &#35;&#8203;12, GH-&#8203;7 &#91;x&#93;&#40;https:&#8203;//e.example&#41; www.&#8203;e.example &#60;img src=x&#62; &#35;&#8203; big &#96;c&#96; :&#8203;tada: a@&#8203;b.c");
        assert_eq!(title("`x` @y #1 \u{202e}", 40), "'x' @\u{200b}y #\u{200b}1 ");
        assert_eq!(title("12:30 at x", 40), "12:30 at x");
    }

    #[test]
    fn a_long_text_is_cut_before_it_is_escaped() {
        assert_eq!(prose(&"<".repeat(10), 3), "&#60;&#60;…");
        assert_eq!(title(&"@".repeat(300), 256).chars().count(), 256);
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_sign_that_does_something(text in any::<String>()) {
            let shown = prose(&text, 1_000);
            let bare = shown.replace("&#8203;", "\u{200b}");
            let inert = !bare.contains(['<', '>', '`', '[', ']', '|', '\n', '\r', '\u{202e}']);
            prop_assert!(inert);
            let chars: Vec<char> = bare.chars().collect();
            for pair in chars.windows(2) {
                let (mention, address) = (pair[0] == '@' && pair[1] != '\u{200b}', pair[0] == ':' && pair[1] == '/');
                prop_assert!(!mention && !address);
            }
        }
    }
}
