//! Text from outside without what could deceive its reader: one idea of that for every sink.
//!
//! Version names, release names, crash titles and vendors' words are written by others. Control characters move the
//! cursor of a terminal, bidirectional marks turn the reading direction, and characters without a glyph hide words or
//! split them where a parser looks for them. They are taken out here; the markup of a sink is that sink's own business.

/// Characters that are not seen, apart from controls: marks of direction, joiners, blanks without width, fillers, tags.
/// Source: `Default_Ignorable_Code_Point` of Unicode 16, less the variation selectors, plus the separators of lines,
/// the interlinear marks, the blank braille pattern and two code points that are no characters.
const UNSEEN: [(char, char); 18] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// What stands for the rest of a text that is too long.
const ELLIPSIS: char = '…';

/// Whether a character is not seen and does something all the same. Line breaks and tabs count too.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control() || UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Whether a character only chooses the look of the one before it, as in ⚠️. Between others it splits words unseen.
#[must_use]
pub fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

/// The text on its lines, without hidden characters; tabs stay.
#[must_use]
pub fn text(given: &str) -> String {
    let mut shown = String::with_capacity(given.len());
    let mut characters = given.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\n' | '\t' => shown.push(c),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' => shown.push('\n'),
            // These break lines too, but not for everybody.
            '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => shown.push(' '),
            c if is_variation_selector(c) => {
                shown.extend(Some(c).filter(|_| follows_a_picture(&shown)));
            }
            c if is_hidden(c) => {}
            c => shown.push(c),
        }
    }
    shown
}

fn follows_a_picture(shown: &str) -> bool {
    let has_a_look = |c: char| !c.is_ascii() && !c.is_whitespace() && !is_variation_selector(c);
    shown.chars().next_back().is_some_and(has_a_look)
}

/// The text on one line, without hidden characters.
#[must_use]
pub fn line(given: &str) -> String {
    text(given).replace(['\n', '\t'], " ")
}

/// The beginning of a text, of at most `longest` characters.
#[must_use]
pub fn cut(given: &str, longest: usize) -> String {
    if given.chars().count() <= longest {
        return given.to_owned();
    }
    given.chars().take(longest.saturating_sub(1)).chain([ELLIPSIS]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_seen_is_taken_out() {
        let given = "\u{1b}[31mred\u{1b}[0m \u{202e}desrever\u{202c} a\u{200b}b\u{0}c\u{ad}d\u{e0041}";
        assert_eq!(text(given), "[31mred[0m desrever abcd");
    }

    #[test]
    fn lines_stay_lines_however_they_end() {
        assert_eq!(text("a\r\nb\rc\nd\u{2028}e\u{85}f\tg"), "a\nb\nc\nd e f\tg");
        assert_eq!(line("a\r\nb\tc"), "a b c");
    }

    #[test]
    fn a_picture_keeps_its_look_and_letters_get_none() {
        assert_eq!(text("⚠️ WARNING ℹ️"), "⚠️ WARNING ℹ️");
        assert_eq!(text("\u{fe0f}:\u{fe0f}:#\u{fe0f}#[ ⚠\u{fe0f}\u{fe0f}"), "::##[ ⚠\u{fe0f}");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut(&"x".repeat(10_000), 300).chars().count(), 300);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_hidden_is_left_and_nothing_is_added(given in any::<String>()) {
            let shown = text(&given);
            prop_assert!(!shown.chars().any(|c| is_hidden(c) && c != '\n' && c != '\t'));
            prop_assert!(!line(&given).chars().any(is_hidden));
            prop_assert_eq!(text(&shown), shown.clone(), "a second time changes nothing");
            let seen = |text: &str| text.chars().filter(|c| !c.is_whitespace() && !is_hidden(*c)).count();
            prop_assert!(seen(&shown) <= seen(&given));
        }
    }
}
