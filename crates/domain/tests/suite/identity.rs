//! Sign-in through an identity provider: whom an ID token lets in, and as whom. The provider is a stand-in that answers from
//! memory, so that each wrong token can be made; a real one is run by the suites of the vendors' clients.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    AccountChange, AccountNew, AccountRef, Caller, Context, Domain, Door, Entrance, Error, Excess,
    IdentityProvider, Mount, Options, Outbound, OutboundAnswer, OutboundError, OutboundFuture,
    OutboundRequest, Random, Role, SignedIn, Visit,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{House, START_MS, close};

const ISSUER: &str = "https://issuer.test";
const DOOR: Door = Door {
    dialect: "door",
    audience: &["door"],
    subject: |_, account| account.to_string(),
    life_s: 3_600,
};
const PASSWORD: &str = "a fine long password";

/// Ed25519 keys made for these tests alone: the private one as PKCS #8, the public one as JWK has it.
const KEYS: [(&str, &str, &str); 2] = [
    (
        "one",
        "MC4CAQAwBQYDK2VwBCIEIGZ2tQLjoe+DOJfM2LAA9m7ewct11I3arOA5zxTBhe3S",
        "NQytJUSzhuvYnHk9k6RLram26LdSGk4rxxTM3eXBn7o",
    ),
    (
        "two",
        "MC4CAQAwBQYDK2VwBCIEIELs5ZlYBi+BKoUXzQAugOAC9qtOY0KarO/Fb7c40Q0t",
        "IA6etZbilJ3ODNH4LVgb1ZZibTY-cUWNW4pQgYRZFtA",
    ),
];

/// What the provider's pages hold now, and how often they were asked for.
#[derive(Debug)]
struct Provider {
    keys: Mutex<Vec<usize>>,
    asked: Mutex<usize>,
    garbage: Mutex<bool>,
}

impl Provider {
    fn new() -> Arc<Provider> {
        Arc::new(Provider {
            keys: Mutex::new(vec![0]),
            asked: Mutex::new(0),
            garbage: Mutex::new(false),
        })
    }
}

impl Outbound for Provider {
    fn send(&self, request: OutboundRequest) -> OutboundFuture<'_> {
        *self.asked.lock() += 1;
        let body = match request.url.strip_prefix(ISSUER) {
            _ if *self.garbage.lock() => Ok("<html>".to_owned()),
            Some("/.well-known/openid-configuration") => Ok(json!({
                "issuer": ISSUER, "authorization_endpoint": format!("{ISSUER}/auth"),
                "token_endpoint": format!("{ISSUER}/token"), "jwks_uri": format!("{ISSUER}/keys"),
            })
            .to_string()),
            Some("/keys") => {
                let keys = self
                    .keys
                    .lock()
                    .iter()
                    .map(|at| KEYS[*at])
                    .collect::<Vec<_>>();
                let keys = keys.into_iter().map(|(kid, _, x)| {
                    json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x})
                });
                let mut all: Vec<Value> = keys.collect();
                all.push(json!({"kty": "unheard of", "kid": "new"}));
                Ok(json!({ "keys": all }).to_string())
            }
            _ => Err(OutboundError::Unreachable("no such page".into())),
        };
        let answer = body.map(|body| OutboundAnswer {
            status: 200,
            headers: Vec::new(),
            body: body.into_bytes(),
        });
        Box::pin(std::future::ready(answer))
    }
}

fn token(key: usize, change: impl FnOnce(&mut Value)) -> String {
    let (kid, private, _) = KEYS[key];
    let mut claims = json!({
        "iss": ISSUER, "aud": "us", "sub": "s1", "iat": START_MS / 1_000, "exp": START_MS / 1_000 + 600,
        "email": "ann@example.org", "email_verified": true, "name": "Ann Lee",
    });
    change(&mut claims);
    let header = Header {
        kid: Some(kid.into()),
        ..Header::new(Algorithm::EdDSA)
    };
    let private = STANDARD.decode(private).expect("is Base64");
    let key = EncodingKey::from_ed_der(&private);
    jsonwebtoken::encode(&header, &claims, &key).expect("signs")
}

async fn start(house: &House, provider: &Arc<Provider>, create: bool, link: bool) -> Domain {
    let options = Options {
        outbound: Arc::clone(provider) as Arc<dyn Outbound>,
        providers: vec![IdentityProvider {
            uid: "p".into(),
            issuer: ISSUER.into(),
            client_id: "us".into(),
            client_secret: "secret".into(),
            workspace: "default".into(),
            create_accounts: create,
            link_by_email: link,
            role: Role::Retailer,
        }],
        ..Options::closed(house.clock.clone(), Random::system())
    };
    house.open_with("one", options).await
}

fn visit() -> Visit {
    Visit::new(Mount::default(), "visit", None)
}

fn root() -> Context {
    Context::new(Caller::server(1), "test")
}

async fn enter(domain: &Domain, token: &str) -> Result<SignedIn, Error> {
    domain.identity_sign_in(&visit(), &DOOR, "p", token).await
}

fn refused_as(outcome: Result<SignedIn, Error>, code: &str) {
    match outcome {
        Err(Error::Invalid(field) | Error::AlreadyExists(field)) => assert_eq!(field.code, code),
        other => panic!("{code} was expected: {other:?}"),
    }
}

async fn registered(domain: &Domain, email: &str, verified: bool) -> i64 {
    let new = AccountNew {
        verified,
        ..AccountNew::of(email)
    };
    let entrance = Entrance::Password(PASSWORD.into());
    let made = domain.account_create(&root(), new, entrance).await;
    made.expect("is made").account.id
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subject_is_who_comes_whatever_address_they_have_later() {
    for house in House::each() {
        let provider = Provider::new();
        let domain = start(&house, &provider, true, false).await;
        let first = enter(&domain, &token(0, |_| {})).await.expect("is made");
        assert_eq!(first.account.role(), Role::Retailer);
        assert!(first.account.account.verified && !first.account.has_password);
        let moved = token(0, |claims| claims["email"] = "new@example.org".into());
        let again = enter(&domain, &moved).await.expect("comes in");
        assert_eq!(again.account.account.id, first.account.account.id);
        assert_eq!(*provider.asked.lock(), 2, "the keys are fetched once");

        let other = token(0, |claims| claims["sub"] = "s2".into());
        refused_as(enter(&domain, &other).await, "already_used");
        let change = AccountChange {
            active: Some(false),
            ..AccountChange::default()
        };
        let which = AccountRef::Id(first.account.account.id);
        domain
            .account_update(&root(), which, change, Excess::Refuse)
            .await
            .expect("changes");
        let outcome = enter(&domain, &moved).await;
        assert!(
            matches!(outcome, Err(Error::Unauthenticated(_))),
            "{outcome:?}"
        );
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tokens_of_the_provider_for_us_are_believed() {
    let house = House::sqlite();
    let provider = Provider::new();
    let domain = start(&house, &provider, true, true).await;
    let header = |alg: &str| json!({"alg": alg, "typ": "JWT", "kid": "one"}).to_string();
    let word = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let good = token(0, |_| {});
    let claims = good.split('.').nth(1).expect("claims").to_owned();
    let keyed = |alg| {
        let header = Header {
            kid: Some("one".into()),
            ..Header::new(alg)
        };
        let claims: Value = json!({"iss": ISSUER, "aud": "us", "sub": "s1", "exp": START_MS});
        // The public key as a shared secret.
        let key = EncodingKey::from_secret(KEYS[0].2.as_bytes());
        jsonwebtoken::encode(&header, &claims, &key).expect("signs")
    };
    let wrong = [
        token(0, |claims| claims["aud"] = "them".into()),
        token(0, |claims| claims["iss"] = "https://other.test".into()),
        token(0, |claims| claims["exp"] = (START_MS / 1_000 - 61).into()),
        token(0, |claims| claims["sub"] = Value::Null),
        token(1, |_| {}),
        keyed(Algorithm::HS256),
        format!("{}.{claims}.", word(header("none"))),
        format!("{}x", &good[..good.len() - 1]),
        "not a token".into(),
        "x".repeat(100_000),
        String::new(),
    ];
    for token in wrong {
        refused_as(enter(&domain, &token).await, "bad_token");
    }
    let all = domain
        .account_export(&root().caller, 0)
        .await
        .expect("reads");
    assert!(all.is_empty(), "something was stored");
    enter(&domain, &good).await.expect("comes in");
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keys_are_fetched_but_not_for_every_token_that_is_made_up() {
    let house = House::sqlite();
    let provider = Provider::new();
    let domain = start(&house, &provider, true, true).await;
    enter(&domain, &token(0, |_| {})).await.expect("comes in");
    *provider.keys.lock() = vec![1];
    for _ in 0..5 {
        refused_as(enter(&domain, &token(1, |_| {})).await, "bad_token");
    }
    assert_eq!(*provider.asked.lock(), 2);
    house.clock.advance(Duration::from_secs(10));
    enter(&domain, &token(1, |_| {}))
        .await
        .expect("comes in with the new key");
    refused_as(enter(&domain, &token(0, |_| {})).await, "bad_token");
    assert_eq!(*provider.asked.lock(), 4);

    *provider.garbage.lock() = true;
    house.clock.advance(Duration::from_secs(3_600));
    let late = token(1, |claims| {
        claims["exp"] = (START_MS / 1_000 + 9_000).into()
    });
    // The keys that are known are good for a day, and a provider that fails is not asked by everybody.
    let before = *provider.asked.lock();
    for _ in 0..5 {
        enter(&domain, &late).await.expect("comes in");
    }
    assert_eq!(*provider.asked.lock(), before + 1);
    house.clock.advance(Duration::from_secs(24 * 3_600));
    let later = token(1, |claims| {
        claims["exp"] = (START_MS / 1_000 + 99_000).into();
    });
    let outcome = enter(&domain, &later).await;
    assert!(
        matches!(outcome, Err(Error::Upstream { .. })),
        "{outcome:?}"
    );
    *provider.garbage.lock() = false;
    house.clock.advance(Duration::from_secs(10));
    enter(&domain, &later).await.expect("comes in again");
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_links_only_where_it_is_vouched_for_and_allowed() {
    for (allowed, vouched) in [(true, false), (false, true), (false, false)] {
        let house = House::sqlite();
        let domain = start(&house, &Provider::new(), true, allowed).await;
        registered(&domain, "ann@example.org", true).await;
        let token = token(0, |claims| claims["email_verified"] = vouched.into());
        refused_as(enter(&domain, &token).await, "already_used");
        close(domain).await;
    }
    for house in House::each() {
        let domain = start(&house, &Provider::new(), false, true).await;
        let ann = registered(&domain, "ann@example.org", true).await;
        let entered = enter(&domain, &token(0, |_| {})).await.expect("comes in");
        assert_eq!(entered.account.account.id, ann);
        assert!(
            entered.account.has_password,
            "a verified owner keeps their password"
        );
        let nobody = token(0, |claims| {
            claims["sub"] = "s9".into();
            claims["email"] = "nobody@example.org".into();
        });
        let outcome = enter(&domain, &nobody).await;
        assert!(
            matches!(outcome, Err(Error::Unauthenticated(_))),
            "{outcome:?}"
        );
        let unnamed = token(0, |claims| {
            claims["sub"] = "s9".into();
            claims["email"] = Value::Null;
        });
        refused_as(enter(&domain, &unnamed).await, "not_available");
        close(domain).await;
    }
}

/// Somebody registers with an address that is not theirs and waits for its owner to come by the provider.
#[tokio::test(flavor = "multi_thread")]
async fn who_registered_with_anothers_address_is_shut_out_when_the_owner_comes() {
    for house in House::each() {
        let domain = start(&house, &Provider::new(), false, true).await;
        registered(&domain, "ann@example.org", false).await;
        let attacker = domain
            .sign_in(&visit(), &DOOR, "ann@example.org", PASSWORD.into())
            .await
            .expect("signs in");
        let entered = enter(&domain, &token(0, |_| {})).await.expect("comes in");
        assert!(entered.account.account.verified && !entered.account.has_password);
        let attackers = domain
            .caller_by_session(Mount::default(), &DOOR, &attacker.token.token)
            .await;
        assert!(matches!(attackers, Err(Error::Unauthenticated(_))));
        let again = domain
            .sign_in(&visit(), &DOOR, "ann@example.org", PASSWORD.into())
            .await;
        assert!(matches!(again, Err(Error::Unauthenticated(_))));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_provisioned_comes_in_by_subject_or_by_the_address_the_provider_vouches_for() {
    for house in House::each() {
        let domain = start(&house, &Provider::new(), false, false).await;
        let by = |subject: Option<&str>| Entrance::Provider {
            uid: "p".into(),
            subject: subject.map(str::to_owned),
        };
        let ann = domain
            .account_create(&root(), AccountNew::of("ann@example.org"), by(None))
            .await
            .expect("is made");
        assert_eq!(ann.providers, ["p"]);
        let unsure = token(0, |claims| claims["email_verified"] = false.into());
        refused_as(enter(&domain, &unsure).await, "already_used");
        let entered = enter(&domain, &token(0, |_| {})).await.expect("comes in");
        assert_eq!(entered.account.account.id, ann.account.id);
        let other = token(0, |claims| claims["sub"] = "s2".into());
        refused_as(enter(&domain, &other).await, "already_used");

        let bob = domain
            .account_create(&root(), AccountNew::of("bob@example.org"), by(Some("s3")))
            .await
            .expect("is made");
        let comes = token(0, |claims| {
            claims["sub"] = "s3".into();
            claims["email"] = Value::Null;
        });
        let entered = enter(&domain, &comes).await.expect("comes in");
        assert_eq!(entered.account.account.id, bob.account.id);
        let unknown = Entrance::Provider {
            uid: "q".into(),
            subject: None,
        };
        let refused = domain
            .account_create(&root(), AccountNew::of("eve@example.org"), unknown)
            .await;
        assert!(matches!(refused, Err(Error::Invalid(field)) if field.name == "identity_provider"));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_browser_is_refused() {
    let house = House::sqlite();
    let domain = start(&house, &Provider::new(), true, true).await;
    let begun = domain
        .identity_authorize(&visit(), "p", "https://us.test/callback")
        .await
        .expect("begins");
    let query = |name: &str| {
        let (_, query) = begun.url.split_once('?').expect("a query");
        let pair = query
            .split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        pair.unwrap_or_default().to_owned()
    };
    assert!(
        begun
            .url
            .starts_with("https://issuer.test/auth?response_type=code&client_id=us&")
    );
    assert_eq!(query("code_challenge_method"), "S256");
    let state = query("state");
    let callback = async |kept: &str, state: &str| {
        domain
            .identity_callback(&visit(), &DOOR, "p", kept, state, "code")
            .await
    };
    refused_as(callback(&begun.kept, "another").await, "bad_state");
    refused_as(callback("", &state).await, "bad_state");
    refused_as(callback("AAAA", &state).await, "bad_state");
    // The right state goes on to the provider, which has no token endpoint here.
    let outcome = callback(&begun.kept, &state).await;
    assert!(
        matches!(outcome, Err(Error::Upstream { .. })),
        "{outcome:?}"
    );
    house.clock.advance(Duration::from_secs(15 * 60));
    refused_as(callback(&begun.kept, &state).await, "bad_state");
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_expected_of_a_provider_follows_the_address_and_is_no_administrator_yet() {
    for house in House::each() {
        let domain = start(&house, &Provider::new(), false, false).await;
        let by = Entrance::Provider {
            uid: "p".into(),
            subject: None,
        };
        let new = AccountNew {
            role: Role::Admin,
            ..AccountNew::of("wrong@example.org")
        };
        let ann = domain
            .account_create(&root(), new, by)
            .await
            .expect("is made");
        let which = || AccountRef::Id(ann.account.id);
        // An administrator who has never come in does not stand in for the last who can.
        let last = registered(&domain, "root@example.org", true).await;
        let promote = AccountChange {
            role: Some(Role::Admin),
            ..AccountChange::default()
        };
        domain
            .account_update(&root(), AccountRef::Id(last), promote, Excess::Refuse)
            .await
            .expect("changes");
        let outcome = domain.account_delete(&root(), AccountRef::Id(last)).await;
        assert!(matches!(outcome, Err(Error::Forbidden(_))), "{outcome:?}");

        let change = AccountChange {
            email: Some("ann@example.org".into()),
            ..AccountChange::default()
        };
        domain
            .account_update(&root(), which(), change, Excess::Refuse)
            .await
            .expect("changes");
        let wrong = token(0, |claims| {
            claims["sub"] = "s9".into();
            claims["email"] = "wrong@example.org".into();
        });
        let outcome = enter(&domain, &wrong).await;
        assert!(
            matches!(outcome, Err(Error::Unauthenticated(_))),
            "{outcome:?}"
        );
        let entered = enter(&domain, &token(0, |_| {})).await.expect("comes in");
        assert_eq!(entered.account.account.id, ann.account.id);
        domain
            .account_delete(&root(), AccountRef::Id(last))
            .await
            .expect("now there is another");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_account_comes_in_whatever_its_provider_calls_it() {
    let house = House::sqlite();
    let domain = start(&house, &Provider::new(), true, false).await;
    enter(&domain, &token(0, |_| {})).await.expect("is made");
    let odd = token(0, |claims| claims["email"] = "no address".into());
    enter(&domain, &odd).await.expect("comes in");
    let other = token(0, |claims| {
        claims["sub"] = "s2".into();
        claims["email"] = "no address".into();
    });
    refused_as(enter(&domain, &other).await, "malformed");
    close(domain).await;
}
