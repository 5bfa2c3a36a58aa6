//! Amounts of data, as a number with its unit: the unit says which kind of thousand is meant.

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::Refused;

/// The units, in which BigQuery bills too.
const UNITS: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// An amount of data in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Bytes(u64);

impl Bytes {
    pub(super) fn count(self) -> u64 {
        self.0
    }
}

impl TryFrom<String> for Bytes {
    type Error = Refused;

    fn try_from(given: String) -> Result<Self, Refused> {
        read(&given).map(Self).ok_or_else(|| {
            Refused::new(
                format!("is {given:?}, which is no amount of data"),
                "write a whole number and its unit, B, KiB, MiB, GiB or TiB, such as \"20 GiB\"",
            )
        })
    }
}

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB|TiB)$" })
    }
}

fn read(given: &str) -> Option<u64> {
    let digits = given.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = given.split_at(digits);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_a_unit() {
        assert_eq!(read("20 GiB"), Some(20 << 30));
        assert_eq!(read("10485760B"), Some(10_485_760));
        assert_eq!(read("1 TiB"), Some(1 << 40));
        for bad in ["", "20", "GiB", "20 GB", "1.5 GiB", "-1 GiB", "20  GiB", "20 gib", "99999999999 TiB"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
