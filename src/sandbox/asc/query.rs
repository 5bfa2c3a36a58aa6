//! Query parameters of App Store Connect: filters, sparse fields, includes, limit and cursor.
//! What Apple does not document is refused as Apple does; what Apple documents and the sandbox does not model is
//! refused too, for ignoring it would look like an answer.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::error::AscError;

/// Items on a page unless the caller sets a limit.
const DEFAULT_LIMIT: usize = 50;
/// The largest documented limit.
const MAX_LIMIT: usize = 200;

/// The parameters of one path.
pub(super) struct Allowed {
    /// Names inside `filter[...]`.
    pub filters: &'static [&'static str],
    /// Types inside `fields[...]` with the names that they take.
    pub fields: &'static [(&'static str, &'static [&'static str])],
    /// Relationships that can be included.
    pub includes: &'static [&'static str],
    /// What a list can be sorted by; a name with `-` before it sorts downwards.
    pub sorts: &'static [&'static str],
    /// Whether `limit` and `cursor` are taken.
    pub paging: Paging,
}

/// Whether a path answers with a list.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Paging {
    /// A list, in pages.
    Pages,
    /// One resource.
    None,
}

/// The parameters of one request.
#[derive(Debug, Default)]
pub(super) struct Query {
    filters: BTreeMap<String, Vec<String>>,
    fields: BTreeMap<String, Vec<String>>,
    includes: Vec<String>,
    sort: Option<String>,
    pub limit: usize,
    pub offset: usize,
}

impl Query {
    /// Reads the parameters of a request.
    pub(super) fn read(pairs: &[(String, String)], allowed: &Allowed) -> Result<Self, AscError> {
        let mut query = Self { limit: DEFAULT_LIMIT, ..Self::default() };
        for (name, value) in pairs {
            query.read_one(name, value, allowed)?;
        }
        Ok(query)
    }

    fn read_one(&mut self, name: &str, value: &str, allowed: &Allowed) -> Result<(), AscError> {
        let values: Vec<String> = value.split(',').map(str::to_owned).collect();
        let (family, key) = match name.strip_suffix(']').and_then(|open| open.split_once('[')) {
            Some((family, key)) => (family, key),
            None => (name, ""),
        };
        match family {
            "filter" if allowed.filters.contains(&key) => {
                self.filters.insert(key.to_owned(), values);
            }
            "fields" => {
                let known = allowed.fields.iter().find(|(kind, _)| *kind == key);
                let (_, known) = known.ok_or_else(|| AscError::parameter_unknown(name))?;
                check_all(name, &values, known)?;
                self.fields.insert(key.to_owned(), values);
            }
            "include" if !allowed.includes.is_empty() => {
                check_all(name, &values, allowed.includes)?;
                self.includes = values;
            }
            "sort" if !allowed.sorts.is_empty() && key.is_empty() => {
                let known = allowed.sorts.contains(&value.strip_prefix('-').unwrap_or(value));
                let sorts = || AscError::parameter_invalid(name, value, &allowed.sorts.join(", "));
                self.sort = Some(known.then(|| value.to_owned()).ok_or_else(sorts)?);
            }
            "limit" if allowed.paging == Paging::Pages && key.is_empty() => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                self.limit = limit.ok_or_else(|| AscError::parameter_invalid(name, value, "1 to 200"))?;
            }
            "cursor" if allowed.paging == Paging::Pages => {
                let offset = read_cursor(value);
                self.offset =
                    offset.ok_or_else(|| AscError::parameter_invalid(name, value, "those of next links"))?;
            }
            _ => return Err(AscError::parameter_unknown(name)),
        }
        Ok(())
    }

    /// Sorts a list by the value that an item has under a name.
    pub(super) fn sorted<T>(&self, mut items: Vec<T>, of: impl Fn(&T, &str) -> String) -> Vec<T> {
        let Some(sort) = &self.sort else { return items };
        let name = sort.strip_prefix('-').unwrap_or(sort);
        items.sort_by_key(|item| of(item, name));
        if sort.starts_with('-') {
            items.reverse();
        }
        items
    }

    /// Whether a value passes a filter; without the filter all do.
    pub(super) fn passes(&self, filter: &str, value: &str) -> bool {
        self.filters.get(filter).is_none_or(|wanted| wanted.iter().any(|wanted| wanted == value))
    }

    /// The values of a filter that are not in a list of known ones.
    pub(super) fn check_filter(&self, filter: &str, is_known: impl Fn(&str) -> bool) -> Result<(), AscError> {
        let unknown = self.filters.get(filter).into_iter().flatten().find(|value| !is_known(value));
        unknown.map_or(Ok(()), |value| {
            Err(AscError::parameter_invalid(
                &format!("filter[{filter}]"),
                value,
                "the documented enum values",
            ))
        })
    }

    /// Whether a field of a type is wanted.
    pub(super) fn wants(&self, kind: &str, field: &str) -> bool {
        self.fields.get(kind).is_none_or(|wanted| wanted.iter().any(|wanted| wanted == field))
    }

    /// Whether a relationship is included.
    pub(super) fn includes(&self, relationship: &str) -> bool {
        self.includes.iter().any(|included| included == relationship)
    }
}

fn check_all(name: &str, values: &[String], known: &[&str]) -> Result<(), AscError> {
    match values.iter().find(|value| !known.contains(&value.as_str())) {
        Some(value) => Err(AscError::parameter_invalid(name, value, &known.join(", "))),
        None => Ok(()),
    }
}

/// The cursor of the page that begins at an offset.
pub(super) fn cursor(offset: usize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("offset:{offset}"))
}

fn read_cursor(text: &str) -> Option<usize> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix("offset:")?.parse().ok()
}
