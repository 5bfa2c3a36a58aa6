//! Time zones by their IANA names, from the data inside the program: the machine's own zones are not asked.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::Deserialize;

use super::error::Refused;
use super::suggest;

/// A time zone by its IANA name.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline)]
pub(super) struct Zone(pub(super) TimeZone);

impl TryFrom<String> for Zone {
    type Error = Refused;
    fn try_from(name: String) -> Result<Self, Refused> {
        TimeZoneDatabase::bundled().get(&name).map(Self).map_err(|_| {
            let fix = match nearest(&name) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "write an IANA name, such as Europe/Berlin or UTC".to_owned(),
            };
            Refused::new(format!("is {name:?}, which is no time zone"), fix)
        })
    }
}

/// The zone that was probably meant: by its whole name, or by its city alone.
fn nearest(given: &str) -> Option<String> {
    let names: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    let whole = suggest::nearest(given, names.iter().map(String::as_str)).map(str::to_owned);
    whole.or_else(|| {
        let city = suggest::nearest(given, names.iter().map(|name| city(name)))?.to_owned();
        names.into_iter().find(|name| self::city(name) == city)
    })
}

fn city(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_known_by_its_iana_name() {
        let zone = Zone::try_from("Europe/Berlin".to_owned()).unwrap();
        assert_eq!(zone.0.iana_name(), Some("Europe/Berlin"));
        assert_eq!(Zone::try_from("UTC".to_owned()).unwrap().0, TimeZone::UTC);
    }

    #[test]
    fn an_unknown_zone_is_answered_with_the_nearest() {
        for (given, meant) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("america/newyork", "America/New_York"),
        ] {
            assert_eq!(nearest(given).as_deref(), Some(meant), "{given}");
        }
        assert_eq!(nearest("Middle-earth/Mordor"), None);
    }
}
