//! Pages of lists: how many items, and from where on. A token is the place of the next item; clients must not read it.

use serde_json::Value;

use super::super::call::Call;
use super::error::Refusal;

/// The most bytes of rows in a page, as BigQuery has it.
const PAGE_BYTES: usize = 10 * 1024 * 1024;
/// What a token begins with.
const TOKEN: &str = "BQ-";

/// The page that a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The place of the first item.
    start: usize,
    /// The most items.
    most: usize,
}

impl Page {
    /// The first page of so many items.
    pub(crate) fn first(most: usize) -> Self {
        Self { start: 0, most }
    }

    /// Reads `maxResults`, `pageToken` and `startIndex`.
    pub(crate) fn read(call: &Call, most: usize) -> Result<Self, Refusal> {
        let number = |name: &str| match call.query_value(name) {
            None => Ok(None),
            Some(text) => text.parse::<usize>().map(Some).map_err(|_| {
                Refusal::invalid(format!("Invalid value for {name}: {text} is not a valid value"))
            }),
        };
        let from_token = match call.query_value("pageToken").filter(|token| !token.is_empty()) {
            None => None,
            Some(token) => {
                let place = token.strip_prefix(TOKEN).and_then(|place| place.parse().ok());
                Some(place.ok_or_else(|| Refusal::invalid(format!("Invalid page token {token}")))?)
            }
        };
        let start = from_token.or(number("startIndex")?).unwrap_or(0);
        Ok(Self { start, most: number("maxResults")?.unwrap_or(most).min(most) })
    }

    /// The items of the page, and the token of the next one.
    pub(crate) fn of<'i>(&self, items: &'i [Value]) -> (&'i [Value], Option<String>) {
        let rest = items.get(self.start..).unwrap_or_default();
        let mut bytes = 0;
        let fitting = rest.iter().take(self.most).take_while(|item| {
            let is_first = bytes == 0;
            bytes += item.to_string().len();
            is_first || bytes <= PAGE_BYTES
        });
        let count = fitting.count();
        let end = self.start.saturating_add(count);
        let next = (count < rest.len()).then(|| format!("{TOKEN}{end}"));
        (rest.get(..count).unwrap_or_default(), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_leads_to_the_rest() {
        let items: Vec<Value> = (0..5).map(|n| json!(n)).collect();
        let (page, next) = Page { start: 0, most: 3 }.of(&items);
        assert_eq!((page, next.as_deref()), (&items[..3], Some("BQ-3")));
        let (page, next) = Page { start: 3, most: 3 }.of(&items);
        assert_eq!((page, next), (&items[3..], None));
        let (page, next) = Page { start: 9, most: 3 }.of(&items);
        assert_eq!((page, next), (&items[..0], None));
    }

    #[test]
    fn a_page_has_at_most_ten_mebibytes_and_at_least_one_item() {
        let items = vec![json!("x".repeat(PAGE_BYTES)), json!(1), json!(2)];
        assert_eq!(Page { start: 0, most: 9 }.of(&items).0.len(), 1);
        assert_eq!(Page { start: 1, most: 9 }.of(&items).0.len(), 2);
    }
}
