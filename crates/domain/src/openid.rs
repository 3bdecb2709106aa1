//! OpenID Connect, the part of a relying party: discovery, the provider's keys, the exchange of a code, ID tokens.
//!
//! By OpenID Connect Core 1.0 sections 3.1.2 to 3.1.3.7 and Discovery 1.0 section 4. What it is not: who gets an account,
//! which `identity_provider` decides. Invariant: nothing of an ID token is believed before its signature by a key of the
//! provider, its issuer, audience and times are.

use std::{collections::HashMap, sync::Arc, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{Jwk, KeyAlgorithm, PublicKeyUse},
};
use parking_lot::Mutex;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    identity_provider::IdentityProvider,
    limits,
    outbound::{Outbound, OutboundMethod, OutboundRequest},
};

/// How long a provider's configuration and keys are believed.
const FRESH_MS: i64 = 3_600 * 1_000;
/// A token of an unknown key has the keys fetched again, at most so often.
const REFETCH_MS: i64 = 10_000;
/// A provider that failed is not asked again for so long.
const FAILED_MS: i64 = 10_000;
/// Keys that could not be fetched again are believed for so long in all.
const STALE_MS: i64 = 24 * 3_600 * 1_000;
/// How far the provider's clock may be off.
const LEEWAY_S: i64 = 60;
const ANSWER_BYTES_MAX: usize = 256 << 10;
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
const KEYS_MAX: usize = 100;
const SUBJECT_CHARS_MAX: usize = 255;
/// Algorithms with a public key: one with a shared secret could be made by whoever knows what is public.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What a provider's `/.well-known/openid-configuration` says.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Configuration {
    issuer: String,
    pub authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// What an ID token says of whom.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct IdClaims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
    nonce: Option<String>,
    pub sub: String,
    pub email: Option<String>,
    #[serde(default)]
    email_verified: Flag,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
}

impl std::fmt::Debug for IdClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdClaims({}, ***)", self.iss)
    }
}

impl IdClaims {
    pub(crate) fn email_is_verified(&self) -> bool {
        self.email_verified == Flag(true)
    }
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// True or false; some providers write it as a text.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "serde_json::Value")]
struct Flag(bool);

impl From<serde_json::Value> for Flag {
    fn from(value: serde_json::Value) -> Flag {
        Flag(value == serde_json::Value::Bool(true) || value == "true")
    }
}

/// A provider's configuration and keys, as they were fetched.
#[derive(Debug, Clone)]
struct Known {
    configuration: Arc<Configuration>,
    keys: Arc<Vec<Jwk>>,
    fetched_ms: i64,
}

/// What was learnt of the providers.
#[derive(Debug, Default)]
pub(crate) struct Openid {
    known: Mutex<HashMap<String, Known>>,
    /// By issuer: one at a time asks, others wait for what it learns; and when asking failed last.
    asking: Mutex<HashMap<String, Asking>>,
}

type Asking = Arc<tokio::sync::Mutex<Option<(i64, Error)>>>;

/// The token is not one of the provider's for us, or its time is over.
pub(crate) fn bad_id_token() -> Error {
    Error::invalid(
        "id_token",
        "bad_token",
        "The ID token is not valid for this server.",
    )
}

fn failed(provider: &IdentityProvider, what: impl std::fmt::Display) -> Error {
    Error::Upstream {
        context: format!("identity provider {}: {what}", provider.uid),
    }
}

async fn fetch<T: serde::de::DeserializeOwned>(
    outbound: &dyn Outbound,
    provider: &IdentityProvider,
    url: String,
) -> Result<T> {
    let request = OutboundRequest {
        method: OutboundMethod::Get,
        url,
        headers: vec![("accept", "application/json".into())],
        body: Vec::new(),
        bytes_max: ANSWER_BYTES_MAX,
        time_max: ANSWER_TIME_MAX,
    };
    let answer = outbound
        .send(request)
        .await
        .map_err(|error| failed(provider, error))?;
    if answer.status != 200 {
        return Err(failed(provider, format!("status {}", answer.status)));
    }
    // The parser's reason may quote the answer.
    serde_json::from_slice(&answer.body)
        .map_err(|_| failed(provider, "the answer is not what OpenID Connect says"))
}

/// Fetches a provider's configuration and keys.
async fn ask(outbound: &dyn Outbound, provider: &IdentityProvider, now_ms: i64) -> Result<Known> {
    let base = provider.issuer.trim_end_matches('/');
    let url = format!("{base}/.well-known/openid-configuration");
    let configuration: Configuration = fetch(outbound, provider, url).await?;
    if configuration.issuer != provider.issuer {
        return Err(failed(provider, "its configuration is of another issuer"));
    }
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<serde_json::Value>,
    }
    let keys: Keys = fetch(outbound, provider, configuration.jwks_uri.clone()).await?;
    // Keys of kinds that nobody here knows are no reason to refuse the others.
    let keys = keys.keys.into_iter().take(KEYS_MAX);
    let keys = keys.filter_map(|key| serde_json::from_value(key).ok());
    Ok(Known {
        configuration: Arc::new(configuration),
        keys: Arc::new(keys.collect()),
        fetched_ms: now_ms,
    })
}

impl Openid {
    fn cached(&self, provider: &IdentityProvider) -> Option<Known> {
        self.known.lock().get(&provider.issuer).cloned()
    }

    async fn known(
        &self,
        outbound: &dyn Outbound,
        provider: &IdentityProvider,
        now_ms: i64,
        age_max_ms: i64,
    ) -> Result<Known> {
        let fresh = |known: &Known| now_ms - known.fetched_ms < age_max_ms;
        if let Some(known) = self.cached(provider).filter(fresh) {
            return Ok(known);
        }
        let asking = {
            let mut asking = self.asking.lock();
            Arc::clone(asking.entry(provider.issuer.clone()).or_default())
        };
        let mut failed_last = asking.lock().await;
        if let Some(known) = self.cached(provider).filter(fresh) {
            return Ok(known);
        }
        let failed = failed_last.clone();
        let outcome = match failed.filter(|(at, _)| (0..FAILED_MS).contains(&(now_ms - at))) {
            Some((_, error)) => Err(error),
            None => ask(outbound, provider, now_ms).await,
        };
        match outcome {
            Ok(known) => {
                *failed_last = None;
                let mut all = self.known.lock();
                all.insert(provider.issuer.clone(), known.clone());
                Ok(known)
            }
            Err(error) => {
                if failed_last
                    .as_ref()
                    .is_none_or(|(_, known)| *known != error)
                {
                    *failed_last = Some((now_ms, error.clone()));
                } else if let Some((at, _)) = failed_last.as_mut()
                    && now_ms - *at >= FAILED_MS
                {
                    *at = now_ms;
                }
                let usable = |known: &Known| now_ms - known.fetched_ms < STALE_MS;
                self.cached(provider).filter(usable).ok_or(error)
            }
        }
    }

    pub(crate) async fn configuration(
        &self,
        outbound: &dyn Outbound,
        provider: &IdentityProvider,
        now_ms: i64,
    ) -> Result<Arc<Configuration>> {
        let known = self.known(outbound, provider, now_ms, FRESH_MS).await?;
        Ok(known.configuration)
    }

    /// The ID token that a provider gives for a code (RFC 6749 section 4.1.3 with RFC 7636 section 4.5).
    pub(crate) async fn exchange(
        &self,
        outbound: &dyn Outbound,
        provider: &IdentityProvider,
        now_ms: i64,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
    ) -> Result<String> {
        let configuration = self.configuration(outbound, provider, now_ms).await?;
        let methods = &configuration.token_endpoint_auth_methods_supported;
        let has = |method: &str| methods.iter().any(|known| known == method);
        let in_body = has("client_secret_post") && !has("client_secret_basic");
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let mut headers = vec![
            ("accept", "application/json".to_owned()),
            (
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ),
        ];
        if in_body {
            fields.push(("client_id", &provider.client_id));
            fields.push(("client_secret", &provider.client_secret));
        } else {
            headers.push(("authorization", basic(provider)));
        }
        // In one expression: a serializer cannot be kept while other threads may run this.
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = OutboundRequest {
            method: OutboundMethod::Post,
            url: configuration.token_endpoint.clone(),
            headers,
            body: body.into_bytes(),
            bytes_max: ANSWER_BYTES_MAX,
            time_max: ANSWER_TIME_MAX,
        };
        let answer = outbound
            .send(request)
            .await
            .map_err(|error| failed(provider, error))?;
        #[derive(Deserialize)]
        struct Tokens {
            id_token: String,
        }
        match answer.status {
            200 => serde_json::from_slice::<Tokens>(&answer.body)
                .map(|tokens| tokens.id_token)
                .map_err(|_| failed(provider, "its token endpoint gave no ID token")),
            // A code that was used, has expired or is made up (RFC 6749 section 5.2).
            400 => Err(Error::invalid(
                "code",
                "bad_token",
                "The identity provider refuses this code: begin again.",
            )),
            status => Err(failed(provider, format!("token endpoint: status {status}"))),
        }
    }

    /// What an ID token says, once everything about it is right. `nonce` is what the request for it carried.
    pub(crate) async fn verify(
        &self,
        outbound: &dyn Outbound,
        provider: &IdentityProvider,
        now_ms: i64,
        token: &str,
        nonce: Option<&str>,
    ) -> Result<IdClaims> {
        if token.len() > limits::ID_TOKEN_CHARS_MAX {
            return Err(bad_id_token());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| bad_id_token())?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(bad_id_token());
        }
        let mut known = self.known(outbound, provider, now_ms, FRESH_MS).await?;
        let mut key = key_of(&known.keys, header.kid.as_deref(), header.alg);
        if key.is_none() {
            known = self.known(outbound, provider, now_ms, REFETCH_MS).await?;
            key = key_of(&known.keys, header.kid.as_deref(), header.alg);
        }
        let key = key.ok_or_else(bad_id_token)?;
        let key = DecodingKey::from_jwk(key).map_err(|_| bad_id_token())?;
        let mut validation = Validation::new(header.alg);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Compared below, with the domain's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<IdClaims>(token, &key, &validation)
            .map_err(|_| bad_id_token())?
            .claims;
        if right(&claims, provider, now_ms, nonce) {
            Ok(claims)
        } else {
            Err(bad_id_token())
        }
    }
}

/// The key that a token names; a token may name none where there is only one of its kind.
fn key_of<'a>(keys: &'a [Jwk], kid: Option<&str>, algorithm: Algorithm) -> Option<&'a Jwk> {
    let expected = KeyAlgorithm::from(algorithm);
    let usable = |key: &&Jwk| {
        let common = &key.common;
        let signs = !matches!(&common.public_key_use, Some(of) if *of != PublicKeyUse::Signature);
        let named = kid.is_none() || common.key_id.as_deref() == kid;
        signs && named && common.key_algorithm.is_none_or(|of| of == expected)
    };
    let mut found = keys.iter().filter(usable);
    let first = found.next()?;
    (kid.is_some() || found.next().is_none()).then_some(first)
}

fn right(claims: &IdClaims, provider: &IdentityProvider, now_ms: i64, nonce: Option<&str>) -> bool {
    let now_s = now_ms / 1_000;
    let for_us = match &claims.aud {
        Audience::One(one) => *one == provider.client_id,
        Audience::Many(many) => {
            many.contains(&provider.client_id)
                && (many.len() == 1 || claims.azp.as_ref() == Some(&provider.client_id))
        }
    };
    let azp = claims
        .azp
        .as_ref()
        .is_none_or(|azp| *azp == provider.client_id);
    let begun = |time: Option<i64>| time.is_none_or(|time| time < now_s + LEEWAY_S);
    let in_time = claims.exp > now_s - LEEWAY_S && begun(claims.iat) && begun(claims.nbf);
    let asked = nonce.is_none_or(|nonce| claims.nonce.as_deref() == Some(nonce));
    let subject = (1..=SUBJECT_CHARS_MAX).contains(&claims.sub.len())
        && !claims.sub.contains(char::is_control);
    claims.iss == provider.issuer && for_us && azp && in_time && asked && subject
}

/// Client credentials in a header: RFC 6749 section 2.3.1, which has them form-encoded first.
fn basic(provider: &IdentityProvider) -> String {
    let encode =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = format!(
        "{}:{}",
        encode(&provider.client_id),
        encode(&provider.client_secret)
    );
    format!("Basic {}", STANDARD.encode(pair))
}

/// The challenge of a PKCE verifier (RFC 7636 section 4.2, S256).
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Role;

    fn provider() -> IdentityProvider {
        IdentityProvider {
            uid: "p".into(),
            issuer: "https://p.test".into(),
            client_id: "us".into(),
            client_secret: "a secret: with marks".into(),
            workspace: "default".into(),
            create_accounts: false,
            link_by_email: false,
            role: Role::Advertiser,
        }
    }

    fn claims(change: impl FnOnce(&mut serde_json::Value)) -> IdClaims {
        let mut claims = serde_json::json!({
            "iss": "https://p.test", "aud": "us", "sub": "1", "exp": 1_000, "iat": 900, "nonce": "n",
        });
        change(&mut claims);
        serde_json::from_value(claims).expect("are claims")
    }

    #[test]
    fn claims_must_be_of_the_provider_for_us_and_in_time() {
        let good = |now_s: i64, nonce: Option<&str>, change: fn(&mut serde_json::Value)| {
            right(&claims(change), &provider(), now_s * 1_000, nonce)
        };
        assert!(good(950, Some("n"), |_| {}));
        assert!(good(950, None, |c| c["aud"] = serde_json::json!(["us"])));
        assert!(good(1_059, Some("n"), |_| {}));
        assert!(!good(1_060, Some("n"), |_| {}));
        assert!(!good(950, Some("other"), |_| {}));
        assert!(!good(950, None, |c| c["iss"] = "https://q.test".into()));
        assert!(!good(950, None, |c| c["aud"] = "them".into()));
        assert!(!good(950, None, |c| c["aud"] = serde_json::json!(["us", "them"])));
        assert!(!good(950, None, |c| c["azp"] = "them".into()));
        assert!(!good(950, None, |c| c["iat"] = 1_100.into()));
        assert!(!good(950, None, |c| c["nbf"] = 1_100.into()));
        assert!(good(950, None, |c| c["nbf"] = 900.into()));
        assert!(!good(950, None, |c| c["sub"] = "".into()));
        assert!(!good(950, None, |c| c["sub"] = "\u{1}expected x".into()));
    }

    #[test]
    fn an_address_is_verified_only_where_the_provider_says_so() {
        let verified =
            |value: serde_json::Value| claims(|c| c["email_verified"] = value).email_is_verified();
        assert!(verified(true.into()) && verified("true".into()));
        assert!(!verified(false.into()) && !verified(1.into()) && !verified("yes".into()));
        assert!(!claims(|_| {}).email_is_verified());
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636 appendix B.
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
