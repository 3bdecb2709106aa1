//! Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256, the algorithm pinned and the key named by `kid`.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use store::SigningKey;

use serde::de::DeserializeOwned;

use crate::{
    error::{Error, Result},
    limits,
    session::Door,
};

/// A token as the token endpoint answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    pub token: String,
    pub expires_in_s: u64,
}

/// What a token says: which credential, of which workspace, for which dialect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub aud: String,
    /// The credential's id.
    pub sub: String,
    /// The workspace's id.
    pub ws: i64,
    /// What the dialect noted of its own: the scopes in its vendor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub iat: u64,
    pub exp: u64,
}

/// What the token of an account's session says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionClaims {
    pub iss: String,
    pub aud: Vec<String>,
    /// The account as the protocol writes its id.
    pub sub: String,
    pub ws: i64,
    /// The account's and the session's id.
    pub acc: i64,
    pub sid: i64,
    pub iat: u64,
    pub exp: u64,
}

/// Claims that end; in Unix seconds.
pub(crate) trait Expiring {
    fn expires_s(&self) -> u64;
}

impl Expiring for Claims {
    fn expires_s(&self) -> u64 {
        self.exp
    }
}

impl Expiring for SessionClaims {
    fn expires_s(&self) -> u64 {
        self.exp
    }
}

/// Signs with the newest key, verifies with each that is not retired.
pub(crate) struct Tokens {
    issuer: String,
    keys: Vec<(String, EncodingKey, DecodingKey)>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({} keys)", self.keys.len())
    }
}

impl Tokens {
    pub(crate) fn new(issuer: String, keys: &[SigningKey]) -> Tokens {
        let keys = keys
            .iter()
            .filter(|key| key.retired.is_none())
            .map(|key| {
                (
                    key.kid.clone(),
                    EncodingKey::from_secret(&key.secret),
                    DecodingKey::from_secret(&key.secret),
                )
            })
            .collect();
        Tokens { issuer, keys }
    }

    pub(crate) fn issue(
        &self,
        dialect: &str,
        workspace: i64,
        credential: i64,
        now_ms: i64,
        life_s: u64,
        note: Option<&str>,
    ) -> Result<AccessToken> {
        let now_s = u64::try_from(now_ms / 1_000).unwrap_or_default();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: dialect.to_owned(),
            sub: credential.to_string(),
            ws: workspace,
            note: note.map(str::to_owned),
            iat: now_s,
            exp: now_s + life_s,
        };
        self.sign(&claims, life_s)
    }

    /// The token of an account's session.
    pub(crate) fn issue_session(
        &self,
        door: &Door,
        workspace: i64,
        account: i64,
        session: i64,
        now_ms: i64,
    ) -> Result<AccessToken> {
        let now_s = u64::try_from(now_ms / 1_000).unwrap_or_default();
        let claims = SessionClaims {
            iss: self.issuer.clone(),
            aud: door.audience.iter().map(|one| (*one).to_owned()).collect(),
            sub: (door.subject)(workspace, account),
            ws: workspace,
            acc: account,
            sid: session,
            iat: now_s,
            exp: now_s + door.life_s,
        };
        self.sign(&claims, door.life_s)
    }

    fn sign(&self, claims: &impl Serialize, life_s: u64) -> Result<AccessToken> {
        let (kid, key, _) = self
            .keys
            .last()
            .ok_or_else(|| Error::internal("there is no signing key"))?;
        let header = Header {
            kid: Some(kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let token = jsonwebtoken::encode(&header, claims, key).map_err(Error::internal)?;
        Ok(AccessToken {
            token,
            expires_in_s: life_s,
        })
    }

    /// The claims of a token that this installation signed for this audience and that has not expired.
    pub(crate) fn verify<C: DeserializeOwned + Expiring>(
        &self,
        audience: &[&str],
        token: &str,
        now_ms: i64,
    ) -> Option<C> {
        if token.len() > limits::SECRET_CHARS_MAX {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        let kid = header.kid?;
        let (_, _, key) = self.keys.iter().find(|(known, _, _)| *known == kid)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Expiry is compared below with the domain's clock, which a demo may move.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<C>(token, key, &validation)
            .ok()?
            .claims;
        (u64::try_from(now_ms / 1_000).ok()? < claims.expires_s()).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    fn tokens(kid: &str, secret: u8) -> Tokens {
        let key = SigningKey {
            kid: kid.into(),
            secret: vec![secret; 32],
            created: 0,
            retired: None,
        };
        Tokens::new("here".into(), &[key])
    }

    #[test]
    fn a_token_is_good_for_its_dialect_until_it_expires() {
        let tokens = tokens("k", 1);
        let issued = tokens
            .issue("one", 3, 4, 10_000, 900, None)
            .expect("issues");
        let claims = tokens
            .verify::<Claims>(&["one"], &issued.token, 10_000)
            .expect("verifies");
        assert_eq!((claims.ws, claims.sub.as_str()), (3, "4"));
        assert!(
            tokens
                .verify::<Claims>(&["one"], &issued.token, 909_999)
                .is_some()
        );
        assert!(
            tokens
                .verify::<Claims>(&["one"], &issued.token, 910_000)
                .is_none()
        );
        assert!(
            tokens
                .verify::<Claims>(&["other"], &issued.token, 10_000)
                .is_none()
        );
    }

    #[test]
    fn a_token_of_another_key_issuer_or_algorithm_is_refused() {
        let ours = tokens("k", 1);
        let good = ours.issue("one", 3, 4, 0, 900, None).expect("issues").token;
        assert!(
            ours.verify::<Claims>(
                &["one"],
                &tokens("k", 2)
                    .issue("one", 3, 4, 0, 900, None)
                    .expect("issues")
                    .token,
                0
            )
            .is_none()
        );
        assert!(
            ours.verify::<Claims>(
                &["one"],
                &tokens("other", 1)
                    .issue("one", 3, 4, 0, 900, None)
                    .expect("issues")
                    .token,
                0
            )
            .is_none()
        );
        let body = good.split('.').nth(1).expect("a body");
        let none = URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"JWT","kid":"k"}"#);
        let other = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS512","typ":"JWT","kid":"k"}"#);
        for forged in [
            format!("{none}.{body}."),
            format!("{none}.{body}.AAAA"),
            format!("{other}.{body}.AAAA"),
        ] {
            assert!(
                ours.verify::<Claims>(&["one"], &forged, 0).is_none(),
                "{forged}"
            );
        }
        assert!(
            ours.verify::<Claims>(&["one"], &good[..good.len() - 2], 0)
                .is_none()
        );
        assert!(ours.verify::<Claims>(&["one"], "", 0).is_none());
    }
}
