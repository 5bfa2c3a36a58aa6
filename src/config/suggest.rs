//! "Did you mean": the nearest of the known names.

/// One mistake is forgiven for so many characters of a name, and one in any case.
const CHARACTERS_PER_MISTAKE: usize = 3;

/// The known name that was probably meant.
pub(super) fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let given = plain(given);
    let limit = (given.chars().count() / CHARACTERS_PER_MISTAKE).max(1);
    let scored = known.into_iter().map(|name| (strsim::damerau_levenshtein(&given, &plain(name)), name));
    scored
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Case and the choice between `-` and `_` are no mistakes.
fn plain(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// What to do about an unknown name: the one that was meant, or all of them.
pub(super) fn fix<'k>(given: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(given, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", list(known)),
    }
}

/// The names with commas between them.
pub(super) fn list<'k>(known: impl IntoIterator<Item = &'k str>) -> String {
    known.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgives_a_slip_and_not_another_word() {
        let known = ["crash_free_sessions", "crash_free_users", "id"];
        assert_eq!(nearest("crash_free_session", known), Some("crash_free_sessions"));
        assert_eq!(nearest("crash-free-users", known), Some("crash_free_users"));
        assert_eq!(nearest("ID", known), Some("id"));
        assert_eq!(nearest("method", known), None);
    }
}
