//! A raw value that remembers where it was written, so that a check that comes later can still point at it.

use std::borrow::Cow;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// A value and the bytes of the file that it was read from.
#[derive(Debug, Clone)]
pub(super) struct At<T>(Spanned<T>);

impl<T> At<T> {
    pub(super) fn get(&self) -> &T {
        self.0.get_ref()
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.0.span()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

/// The schema knows nothing of places.
impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A section that may stand at the top level and in an app.
pub(super) trait Section: Clone + Default {
    /// This section with the keys that it leaves out taken from `base`.
    #[must_use]
    fn over(&self, base: &Self) -> Self;
}

/// The section of an app: its own keys, then those of the top level.
pub(super) fn merged<S: Section>(own: Option<&S>, base: Option<&S>) -> S {
    match (own, base) {
        (Some(own), Some(base)) => own.over(base),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (None, None) => S::default(),
    }
}

/// One key of such a section.
pub(super) fn own_or<T: Clone>(own: Option<&T>, base: Option<&T>) -> Option<T> {
    own.or(base).cloned()
}

/// The value of a key, or its default.
pub(super) fn value_or<T: Clone>(given: Option<&At<T>>, default: T) -> T {
    given.map_or(default, |given| given.get().clone())
}
