//! Tokens that programs sign themselves: only with their own key, only HMAC-SHA-256, and for as long as they say.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{CredentialNew, CredentialSecret, Mount, SignedClaims};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const HERE: Mount = Mount { workspace: None };

fn signed_as(algorithm: Algorithm, claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(algorithm), claims, &key).expect("is signed")
}

fn signed(claims: &Value, secret: &str) -> String {
    signed_as(Algorithm::HS256, claims, secret)
}

async fn key_in(domain: &Domain, workspace: i64) -> CredentialSecret {
    let made = domain
        .app_key_create(&program(workspace), "chat", "Mine", "", None)
        .await;
    made.expect("a key")
}

async fn enter(
    domain: &Domain,
    key: &CredentialSecret,
    token: &str,
) -> Result<(Caller, SignedClaims)> {
    domain
        .caller_by_signed_token(HERE, "chat", &key.credential.client_id, token)
        .await
}

fn now_s() -> i64 {
    START_MS / 1_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_signed_token_says_who_and_for_how_long() {
    for house in House::each() {
        let domain = house.open().await;
        let key = key_in(&domain, 1).await;
        let token = signed(&json!({"scope": "user", "external_id": "ann"}), &key.secret);
        let (caller, claims) = enter(&domain, &key, &token).await.expect("a caller");
        assert_eq!(
            (caller.workspace, caller.credential),
            (1, key.credential.id)
        );
        assert_eq!(claims.scope.as_deref(), Some("user"));
        assert_eq!(claims.external_id.as_deref(), Some("ann"));
        assert!(!format!("{claims:?}").contains("ann"));
        let (_, claims) = enter(&domain, &key, &signed(&json!({}), &key.secret))
            .await
            .expect("a caller");
        assert_eq!((claims.scope, claims.external_id), (None, None));
        // Who it is for and when it was made is said by its key alone; it may be written with other claims.
        let chatty = json!({"aud": "x", "iss": "y", "iat": now_s() + 9_999, "sub": "z", "n": [1]});
        assert!(
            enter(&domain, &key, &signed(&chatty, &key.secret))
                .await
                .is_ok()
        );

        for (claims, good) in [
            (json!({"exp": now_s() + 1}), true),
            (json!({"exp": now_s() - 59}), true),
            (json!({"exp": now_s() - 60}), false),
            (json!({"exp": now_s() - 9_999}), false),
            (json!({"exp": 0}), false),
            (json!({"exp": -1}), false),
            (json!({"exp": (now_s() as f64) + 0.5}), true),
            (json!({"exp": "never"}), false),
            (json!({"exp": (now_s() + 9_999).to_string()}), false),
            (json!({"exp": true}), false),
            (json!({"nbf": now_s()}), true),
            (json!({"nbf": now_s() + 60}), true),
            (json!({"nbf": now_s() + 61}), false),
            (json!({"nbf": now_s() - 9, "exp": now_s() + 9}), true),
            (json!({"nbf": "now"}), false),
            (json!({"scope": 7}), false),
            (json!({"scope": ["app"]}), false),
            (json!({"external_id": {}}), false),
            (json!([]), false),
            (json!("app"), false),
        ] {
            let entered = enter(&domain, &key, &signed(&claims, &key.secret)).await;
            assert_eq!(entered.is_ok(), good, "{claims} {entered:?}");
        }
        // It is the domain's clock that is asked.
        let token = signed(&json!({"exp": now_s() + 10}), &key.secret);
        house.clock.advance(SECOND * 69);
        assert!(enter(&domain, &key, &token).await.is_ok());
        house.clock.advance(SECOND);
        assert_eq!(
            refused(enter(&domain, &key, &token).await),
            "unauthenticated"
        );
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_token_that_its_key_did_not_sign_is_refused() {
    for house in House::each() {
        let domain = house.open().await;
        let (key, other) = (key_in(&domain, 1).await, key_in(&domain, 1).await);
        let claims = json!({"scope": "app"});
        let good = signed(&claims, &key.secret);
        assert!(enter(&domain, &key, &good).await.is_ok());
        let parts: Vec<&str> = good.split('.').collect();
        let (body, signature) = (parts[1], parts[2]);
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let account = part(r#"{"scope":"account"}"#);
        let mut forged = vec![
            String::new(),
            "..".into(),
            "a.b.c".into(),
            format!("{good}."),
            format!("{}.{body}", parts[0]),
            format!("{}.{body}.", parts[0]),
            format!("{}.{account}.{signature}", parts[0]),
            signed(&claims, &other.secret),
            signed(&claims, ""),
            signed(&claims, &key.credential.client_id),
            signed(&claims, &key.credential.prefix),
            signed_as(Algorithm::HS384, &claims, &key.secret),
            signed_as(Algorithm::HS512, &claims, &key.secret),
            good[..good.len() - 2].to_owned(),
            // Longer than any token has to be.
            signed(&json!({"scope": "x".repeat(20_000)}), &key.secret),
        ];
        for alg in ["none", "None", "NONE", "", "HS512", "RS256", "hs256"] {
            let header = part(&format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#));
            for signature in ["", signature, "AAAA"] {
                forged.push(format!("{header}.{body}.{signature}"));
            }
        }
        // A key that the token brings along.
        let jwk = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"QUFB"}}"#;
        let header = part(jwk);
        forged.push(format!("{header}.{body}.{signature}"));
        for token in forged {
            let entered = enter(&domain, &key, &token).await;
            assert_eq!(refused(entered), "unauthenticated", "{token:.99}");
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_token_is_good_where_its_key_is() {
    for house in House::each() {
        let domain = house.open().await;
        let workspace = other_workspace(&domain).await;
        let (key, theirs) = (key_in(&domain, 1).await, key_in(&domain, workspace).await);
        let claims = json!({"scope": "app"});
        let ours = signed(&claims, &key.secret);
        let enter = async |mount, dialect: &str, id: &str, token: &str| {
            let found = domain
                .caller_by_signed_token(mount, dialect, id, token)
                .await;
            found.map(|(caller, _)| caller.workspace)
        };
        let at = |workspace| Mount {
            workspace: Some(workspace),
        };
        let (id, their_id) = (&key.credential.client_id, &theirs.credential.client_id);
        assert_eq!(enter(at(1), "chat", id, &ours).await, Ok(1));
        let their_token = signed(&claims, &theirs.secret);
        assert_eq!(
            enter(HERE, "chat", their_id, &their_token).await,
            Ok(workspace)
        );
        for (mount, dialect, id, token) in [
            (at(workspace), "chat", id.as_str(), &ours),
            (at(1), "chat", their_id, &their_token),
            // Signed with a key of one workspace, said to be of the other's.
            (HERE, "chat", their_id, &ours),
            (HERE, "chat", id, &their_token),
            (HERE, "other", id, &ours),
            (HERE, "chat", "", &ours),
            (HERE, "chat", "app_", &ours),
            (HERE, "chat", "000000010100000000ffffff", &ours),
            (HERE, "chat", &id.replacen("0101", "0102", 1), &ours),
            (HERE, "chat", &format!("{id}\0"), &ours),
        ] {
            let entered = enter(mount, dialect, id, token).await;
            assert_eq!(refused(entered), "unauthenticated", "{dialect} {id:?}");
        }

        domain
            .app_key_delete(&program(1), "chat", None, key.credential.id)
            .await
            .expect("is deleted");
        let ended = enter(at(1), "chat", id, &ours).await;
        assert_eq!(refused(ended), "unauthenticated");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_credential_without_its_secret_or_that_expired_signs_nothing() {
    for house in House::each() {
        let domain = house.open().await;
        let make = async |keep_secret: bool| {
            let new = CredentialNew {
                dialect: "chat".into(),
                name: "one".into(),
                scopes: "channels".into(),
                structures: None,
                expires: Some(START_MS + 1_000),
                keep_secret,
            };
            let made = domain
                .credential_create(&context("credential"), new, &["chat"])
                .await;
            made.expect("a credential")
        };
        let (kept, hashed) = (make(true).await, make(false).await);
        let token = |key: &CredentialSecret| signed(&json!({"scope": "app"}), &key.secret);
        assert!(enter(&domain, &kept, &token(&kept)).await.is_ok());
        for token in [token(&hashed), signed(&json!({}), "")] {
            assert_eq!(
                refused(enter(&domain, &hashed, &token).await),
                "unauthenticated"
            );
        }
        house.clock.advance(SECOND);
        assert_eq!(
            refused(enter(&domain, &kept, &token(&kept)).await),
            "unauthenticated"
        );
        close(domain).await;
    }
}
