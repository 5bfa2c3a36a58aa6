//! Names for things that must exist once: SHA-256 over a canonical tuple, never over the time of day.
//!
//! Two runs that want the same effect make the same key, so the state store can refuse the second.

use sha2::{Digest, Sha256};

/// Hexadecimal SHA-256 of the parts, each preceded by its length, so that no two tuples share a text.
#[must_use]
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A readable key: the kind, then the first sixteen digits of the digest of the parts.
#[must_use]
pub fn key(kind: &str, parts: &[&str]) -> String {
    let digits: String = digest(parts.iter().copied()).chars().take(KEY_DIGITS).collect();
    format!("{kind}-{digits}")
}

/// Digits of a key: 64 bits, far more than the messages of all releases of all apps need to stay apart.
const KEY_DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_between_parts_count() {
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
        assert_eq!(digest(["ab", "c"]), digest(["ab", "c"]));
    }

    #[test]
    fn a_key_names_its_kind() {
        assert_eq!(key("halt", &["android", "200"]), key("halt", &["android", "200"]));
        assert!(key("halt", &["android", "200"]).starts_with("halt-"));
    }
}
