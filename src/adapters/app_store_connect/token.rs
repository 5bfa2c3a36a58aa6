//! The key of App Store Connect and the tokens that it signs: ES256, a team's or one person's.
//! Source: <https://developer.apple.com/documentation/appstoreconnectapi/generating-tokens-for-api-requests>.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::adapters::redact;
use crate::ports::PortError;

/// Apple takes tokens of at most 20 minutes; ten are plenty for one call.
const TOKEN_LIFE_SECONDS: i64 = 600;
/// A little back in time, so that a slow clock at Apple does not refuse the token.
const TOKEN_BACKDATE_SECONDS: i64 = 30;
/// Whom the tokens are for.
const AUDIENCE: &str = "appstoreconnect-v1";

/// A key of App Store Connect: a team's, or one person's where there is no issuer.
pub struct AppStoreKey {
    /// The id of the key.
    pub key_id: String,
    /// The team's issuer id; none for an individual key.
    pub issuer_id: Option<String>,
    /// The private key, PKCS#8 PEM as Apple hands it out.
    pub private_key: SecretString,
}

/// A key that signs.
pub(super) struct Signer {
    pub key_id: String,
    issuer_id: Option<String>,
    signing_key: EncodingKey,
}

impl Signer {
    /// Reads the private key.
    ///
    /// # Errors
    /// Where it is not an EC key in PEM.
    pub(super) fn new(key: AppStoreKey) -> Result<Self, PortError> {
        // The parser's own text could quote the key.
        let signing_key =
            EncodingKey::from_ec_pem(key.private_key.expose_secret().as_bytes()).map_err(|_| {
                PortError::new(
                    format!(
                        "the private key {} of App Store Connect is not an EC key in PEM form",
                        key.key_id
                    ),
                    "give the .p8 file as it was downloaded, with its BEGIN and END lines",
                )
                .lasting()
            })?;
        Ok(Self { key_id: key.key_id, issuer_id: key.issuer_id, signing_key })
    }

    /// A token for a call that is made at this instant of Apple's clock.
    ///
    /// # Errors
    /// Where the key can't sign.
    pub(super) fn token(&self, now: Timestamp) -> Result<SecretString, PortError> {
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &self.claims(now), &self.signing_key).map(known).map_err(|error| {
            PortError::new(
                format!("can't sign a token for App Store Connect: {error}"),
                "check private_key under [app_store_connect]",
            )
            .lasting()
        })
    }

    fn claims(&self, now: Timestamp) -> Value {
        let issued = now.as_second() - TOKEN_BACKDATE_SECONDS;
        let mut claims = json!({"iat": issued, "exp": issued + TOKEN_LIFE_SECONDS, "aud": AUDIENCE});
        match &self.issuer_id {
            Some(issuer) => claims["iss"] = json!(issuer),
            None => claims["sub"] = json!("user"),
        }
        claims
    }
}

/// A token, of which nothing is shown from now on.
fn known(token: String) -> SecretString {
    let token = SecretString::from(token);
    redact::know(&token);
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(issuer_id: Option<&str>) -> Signer {
        let issuer_id = issuer_id.map(str::to_owned);
        Signer { key_id: "ABC".into(), issuer_id, signing_key: EncodingKey::from_ec_der(&[]) }
    }

    #[test]
    fn a_team_names_its_issuer_and_a_person_is_a_user() {
        let now = Timestamp::from_second(1_000_030).unwrap();
        let team = json!({"iat": 1_000_000, "exp": 1_000_600, "aud": "appstoreconnect-v1", "iss": "team"});
        assert_eq!(signer(Some("team")).claims(now), team);
        let person = json!({"iat": 1_000_000, "exp": 1_000_600, "aud": "appstoreconnect-v1", "sub": "user"});
        assert_eq!(signer(None).claims(now), person);
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_quoted() {
        let key = AppStoreKey { key_id: "ABC".into(), issuer_id: None, private_key: "hunter2".into() };
        let error = Signer::new(key).err().unwrap().to_string();
        assert!(error.contains("ABC") && !error.contains("hunter2"), "{error}");
    }
}
