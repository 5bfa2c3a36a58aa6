//! The ids in the exports, derived from numbers: the same number always has the same id, and nothing is stored.
//!
//! A person has two ids that have nothing in common, as in the real exports: `instance_id` in the sessions and
//! `installation_uuid` in the crash reports. A join over them finds nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::scenario::App;

/// 32-bit words of the stream that belong to one number: room for the longest id.
const WORDS_PER_NUMBER: u128 = 16;
/// Kinds of ids that an app has room for, each on a stream of its own.
const STREAMS_PER_APP: u64 = 16;
/// Bytes of a Firebase installation id before it is cut; the first four bits are 0111.
const INSTANCE_BYTES: usize = 17;
/// Characters of a Firebase installation id.
const INSTANCE_CHARACTERS: usize = 22;

/// What an id names, and the stream that it is taken from. Stream 0 of an app makes its events.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Session = 1,
    Report = 2,
    Instance = 3,
    Installation = 4,
    Issue = 5,
}

/// The ids of one app under one seed.
#[derive(Debug, Clone)]
pub struct Ids {
    source: ChaCha8Rng,
    app: App,
}

impl Ids {
    pub fn new(app: App, seed: u64) -> Self {
        Self { source: ChaCha8Rng::seed_from_u64(seed), app }
    }

    /// The stream that makes the events of the app.
    pub fn events(&self) -> ChaCha8Rng {
        self.stream(0)
    }

    /// `session_id` and `firebase_session_id`: 32 lowercase hexadecimal digits.
    pub fn session(&self, number: u64) -> String {
        lowercase(&self.bytes::<16>(Kind::Session, number))
    }

    /// `event_id`: 32 lowercase hexadecimal digits.
    pub fn report(&self, number: u64) -> String {
        lowercase(&self.bytes::<16>(Kind::Report, number))
    }

    /// `issue_id`: 32 lowercase hexadecimal digits.
    pub fn issue(&self, number: u64) -> String {
        lowercase(&self.bytes::<16>(Kind::Issue, number))
    }

    /// `instance_id` of a person: 22 characters of base64url.
    pub fn instance(&self, person: u32) -> String {
        let mut bytes = self.bytes::<INSTANCE_BYTES>(Kind::Instance, u64::from(person));
        bytes[0] = 0x70 | (bytes[0] & 0x0f);
        let mut id = URL_SAFE_NO_PAD.encode(bytes);
        id.truncate(INSTANCE_CHARACTERS);
        id
    }

    /// `installation_uuid` of a person: 64 uppercase hexadecimal digits.
    pub fn installation(&self, person: u32) -> String {
        hexadecimal(&self.bytes::<32>(Kind::Installation, u64::from(person)), b"0123456789ABCDEF")
    }

    fn bytes<const N: usize>(&self, kind: Kind, number: u64) -> [u8; N] {
        let mut stream = self.stream(kind as u64);
        stream.set_word_pos(u128::from(number) * WORDS_PER_NUMBER);
        let mut bytes = [0; N];
        stream.fill_bytes(&mut bytes);
        bytes
    }

    fn stream(&self, kind: u64) -> ChaCha8Rng {
        let mut stream = self.source.clone();
        stream.set_stream(self.app.ordinal() * STREAMS_PER_APP + kind);
        stream
    }
}

fn lowercase(bytes: &[u8]) -> String {
    hexadecimal(bytes, b"0123456789abcdef")
}

fn hexadecimal(bytes: &[u8], digits: &[u8; 16]) -> String {
    let digit = |half: u8| char::from(digits[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ids(seed: u64) -> Ids {
        Ids::new(App::ALL[0], seed)
    }

    #[test]
    fn ids_have_the_form_of_the_exports() {
        let ids = ids(7);
        let is = |text: &str, length: usize, allowed: fn(char) -> bool| {
            assert_eq!(text.len(), length, "{text}");
            assert!(text.chars().all(allowed), "{text}");
        };
        is(&ids.session(3), 32, |c| matches!(c, '0'..='9' | 'a'..='f'));
        is(&ids.installation(3), 64, |c| matches!(c, '0'..='9' | 'A'..='F'));
        is(&ids.instance(3), 22, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        assert!(ids.instance(3).starts_with(['c', 'd', 'e', 'f']));
    }

    #[test]
    fn numbers_apps_and_seeds_have_ids_of_their_own() {
        let other_app = Ids::new(App::ALL[1], 7);
        let all =
            [ids(7).session(1), ids(7).session(2), ids(8).session(1), other_app.session(1), ids(7).report(1)];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(ids(7).session(1), ids(7).session(1));
    }
}
