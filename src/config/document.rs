//! The file as TOML with its places: what stands where, before anything is known about what it means.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::Problem;

/// The table that a key stands in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    app: Option<String>,
    keys: Vec<String>,
}

impl Place {
    /// The place one table further in.
    pub(super) fn inside(&self, key: &str) -> Self {
        let mut inner = self.clone();
        inner.keys.push(key.to_owned());
        inner
    }

    /// The place of one table of an array: an app, by its id where it has one.
    pub(super) fn element(&self, key: &str, index: usize, table: &DeTable<'_>) -> Self {
        if key != "app" || !self.is_top_level() {
            return self.inside(key);
        }
        let id = table.get("id").and_then(|id| id.get_ref().as_str());
        let name = id.map_or_else(|| format!("number {}", index + 1), |id| format!("`{id}`"));
        Self { app: Some(name), keys: Vec::new() }
    }

    pub(super) fn is_top_level(&self) -> bool {
        self.app.is_none() && self.keys.is_empty()
    }

    pub(super) fn is_app(&self) -> bool {
        self.app.is_some() && self.keys.is_empty()
    }

    /// Whether the table is a list of rules.
    pub(super) fn is_rules(&self) -> bool {
        self.keys == ["rules"]
    }

    /// The place in words, such as "in \[slo\] of app `android`".
    pub(super) fn within(&self) -> String {
        let section = self.keys.join(".");
        match (&self.app, section.as_str()) {
            (None, "") => "at the top level".to_owned(),
            (None, section) => format!("in [{section}]"),
            (Some(app), "") => format!("in app {app}"),
            (Some(app), section) => format!("in [{section}] of app {app}"),
        }
    }
}

/// A key, its value, and the table that it stands in.
pub(super) struct Entry<'d> {
    pub(super) place: Place,
    pub(super) key: &'d Spanned<DeString<'d>>,
    pub(super) value: &'d Spanned<DeValue<'d>>,
}

/// Reads the text as TOML.
pub(super) fn read(text: &str) -> Result<Spanned<DeTable<'_>>, Problem> {
    DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(text.len()..text.len());
        let fix = match error.message() {
            "duplicate key" => "keep one of the two",
            _ => "write `key = value` below a [section]; text needs quotes, numbers and true or false do not",
        };
        Problem::new(span, format!("not valid TOML: {}", error.message().to_lowercase()), fix)
    })
}

/// Every key of every table.
pub(super) fn entries<'d>(root: &'d DeTable<'d>) -> Vec<Entry<'d>> {
    let mut found = Vec::new();
    collect(root, &Place::default(), &mut found);
    found
}

fn collect<'d>(table: &'d DeTable<'d>, place: &Place, found: &mut Vec<Entry<'d>>) {
    for (key, value) in table {
        found.push(Entry { place: place.clone(), key, value });
        match value.get_ref() {
            DeValue::Table(inner) => collect(inner, &place.inside(key.get_ref()), found),
            DeValue::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    if let DeValue::Table(inner) = element.get_ref() {
                        collect(inner, &place.element(key.get_ref(), index, inner), found);
                    }
                }
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
}

/// The texts of a value: itself, or those of a list, however deep.
pub(super) fn texts<'d>(value: &'d Spanned<DeValue<'d>>) -> Vec<(Range<usize>, &'d str)> {
    match value.get_ref() {
        DeValue::String(text) => vec![(value.span(), text.as_ref())],
        DeValue::Array(elements) => elements.iter().flat_map(texts).collect(),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_) => Vec::new(),
    }
}

/// The entry whose value holds a range, the innermost where tables lie in each other.
pub(super) fn at<'e, 'd>(entries: &'e [Entry<'d>], span: &Range<usize>) -> Option<&'e Entry<'d>> {
    let holds = |entry: &&Entry<'d>| {
        let value = entry.value.span();
        value.start <= span.start && span.end <= value.end
    };
    entries.iter().filter(holds).min_by_key(|entry| entry.value.span().len())
}
