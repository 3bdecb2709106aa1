//! Who may call: keys, tokens, scopes, apps, mounts, quotas.

use axum::http::Request;
use serde_json::{Value, json};
use throng_dialects::sunshine::SCOPES;

use crate::support::{START_MS, World, basic, token};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_known_is_told_how_to_be() {
    for world in World::each().await {
        let client = world.app().await;
        let wrong = |id: &str, secret: &str| Some(basic(id, secret));
        let digits = client.id.trim_start_matches("app_").to_owned();
        for header in [
            None,
            Some("Basic".to_owned()),
            Some("Basic !".into()),
            Some("Bearer".into()),
            Some("Bearer x".into()),
            Some("Bearer x.y.z".into()),
            Some(format!("Token {}", client.secret)),
            wrong(&client.id, ""),
            wrong(&client.id, "wrong"),
            wrong(&digits, &client.secret),
            wrong("", &client.secret),
            wrong(&format!("key_{digits}"), &client.secret),
            wrong("app_000000000000000000000000", &client.secret),
        ] {
            let answer = client.authorized(header.as_deref()).get("/users/x").await;
            let titles = answer.refused(401, "unauthorized");
            assert_eq!(titles, ["Authorization is required"], "{header:?}");
            let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
            assert_eq!(challenges.len(), 2);
            assert!(answer.outcome.context.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_good_with_any_of_the_prefixes() {
    for world in World::each().await {
        let client = world.app().await;
        let digits = client.id.trim_start_matches("app_");
        for prefix in ["app_", "act_", "svc_"] {
            let id = format!("{prefix}{digits}");
            let header = basic(&id, &client.secret);
            client.authorized(Some(&header)).get("").await.expect(200);
            let header = json!({"kid": id, "alg": "HS256"});
            let token = token(&header, &json!({"scope": "app"}), &client.secret);
            let header = format!("bearer {token}");
            client.authorized(Some(&header)).get("").await.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_signed_with_hs256_and_holds_its_time() {
    for world in World::each().await {
        let client = world.app().await;
        let now_s = START_MS / 1_000;
        let claims = json!({"scope": "app"});
        let good = json!({"alg": "HS256", "typ": "JWT", "kid": client.id});
        let of = |header: &Value, claims: &Value, secret: &str| {
            let token = token(header, claims, secret);
            client.authorized(Some(&format!("Bearer {token}")))
        };
        for claims in [
            claims.clone(),
            json!({"scope": "app", "exp": now_s + 60}),
            json!({"scope": "app", "iat": now_s - 60, "exp": now_s + 60}),
            json!({"scope": "integration"}),
        ] {
            of(&good, &claims, &client.secret).get("").await.expect(200);
        }
        let unsigned = {
            let token = token(&json!({"alg": "none", "kid": client.id}), &claims, "");
            let (signed, _) = token.rsplit_once('.').expect("a signature");
            client.authorized(Some(&format!("Bearer {signed}.")))
        };
        let other = world.app().await;
        for (wrong, why) in [
            (unsigned, "unsigned"),
            (
                of(
                    &json!({"alg": "none", "kid": client.id}),
                    &claims,
                    &client.secret,
                ),
                "none",
            ),
            (
                of(
                    &json!({"alg": "HS512", "kid": client.id}),
                    &claims,
                    &client.secret,
                ),
                "HS512",
            ),
            (
                of(
                    &json!({"alg": "RS256", "kid": client.id}),
                    &claims,
                    &client.secret,
                ),
                "RS256",
            ),
            (
                of(&json!({"alg": "HS256"}), &claims, &client.secret),
                "no kid",
            ),
            (
                of(
                    &json!({"alg": "HS256", "kid": "app_x"}),
                    &claims,
                    &client.secret,
                ),
                "odd kid",
            ),
            (
                of(
                    &json!({"alg": "HS256", "kid": other.id}),
                    &claims,
                    &client.secret,
                ),
                "another's kid",
            ),
            (of(&good, &claims, "wrong"), "wrong secret"),
            (of(&good, &json!({}), &client.secret), "no scope"),
            (
                of(&good, &json!({"scope": "everything"}), &client.secret),
                "odd scope",
            ),
            (
                of(&good, &json!({"scope": ["app"]}), &client.secret),
                "scopes",
            ),
            (
                of(
                    &good,
                    &json!({"scope": "app", "exp": now_s - 3_600}),
                    &client.secret,
                ),
                "expired",
            ),
            (of(&good, &json!([]), &client.secret), "no claims"),
        ] {
            let answer = wrong.get("").await;
            assert_eq!(answer.status, 401, "{why}");
            answer.refused(401, "unauthorized");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tokens_scope_takes_away_and_never_gives() {
    for world in World::each().await {
        let (app, account) = (world.app().await, world.account().await);
        let apps = "/sunshine/v2/apps";
        let scope = |word: &str| json!({"scope": word});
        account.raw("GET", apps, "").await.expect(200);
        account
            .signed(scope("account"))
            .raw("GET", apps, "")
            .await
            .expect(200);
        for less in ["app", "integration"] {
            let less = account.signed(scope(less));
            less.raw("GET", apps, "").await.refused(403, "forbidden");
            less.get("").await.expect(200);
        }
        let more = app.signed(scope("account"));
        more.raw("GET", apps, "").await.refused(403, "forbidden");
        more.get("").await.refused(403, "forbidden");
        let less = app.signed(scope("integration"));
        less.get("/integrations").await.refused(403, "forbidden");
        less.get("/keys").await.refused(403, "forbidden");
        less.get("/integrations/me/webhooks").await.expect(200);
        less.user("ann").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_does_what_its_scopes_say() {
    for world in World::each().await {
        let app = world.app().await;
        app.user("ann").await;
        let routes = [
            ("people:read", "GET", "/users/ann"),
            ("people:write", "PATCH", "/users/ann"),
            ("channels", "GET", "/users/ann/clients"),
            (
                "channels",
                "GET",
                "/conversations?filter[userExternalId]=ann",
            ),
            ("integrations", "GET", "/integrations"),
            ("integrations", "GET", "/keys"),
            ("webhooks", "GET", "/integrations/me/webhooks"),
        ];
        for scope in SCOPES.split(' ') {
            let client = world.client(world.workspace, scope).await;
            client.get("").await.expect(200);
            for (needed, method, path) in routes {
                let answer = client.call(method, path, &json!({})).await;
                if scope == needed {
                    answer.expect(200);
                } else {
                    answer.refused(403, "forbidden");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_for_its_own_app() {
    for world in World::each().await {
        let other = world.another_workspace().await;
        let (client, stranger) = (world.app().await, world.client(other, "").await);
        let account = world.account().await;
        for app in [
            stranger.app.as_str(),
            "x",
            "000000000000000000000000",
            "%00",
        ] {
            for client in [&client, &account] {
                let titles = client.of_app(app).get("/users/x").await;
                titles.refused(403, "forbidden");
                let body = json!({"externalId": "x"});
                let made = client.of_app(app).post("/users", body).await;
                made.refused(403, "forbidden");
            }
        }
        // Under another workspace's path nobody knows the key.
        client.mounted(world.workspace).get("").await.expect(200);
        client
            .mounted(other)
            .get("")
            .await
            .refused(401, "unauthorized");
        let signed = client.signed(json!({"scope": "app"}));
        signed.mounted(world.workspace).get("").await.expect(200);
        signed
            .mounted(other)
            .get("")
            .await
            .refused(401, "unauthorized");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocols_credential_is_none_here() {
    for world in World::each().await {
        let new = domain::CredentialNew {
            dialect: domain::NATIVE.into(),
            name: "Native".into(),
            scopes: SCOPES.into(),
            structures: None,
            expires: None,
            keep_secret: true,
        };
        let made = world
            .domain
            .credential_create(&world.server(), new, throng_dialects::DIALECTS)
            .await
            .expect("is made");
        let client = world.app().await;
        let id = format!("app_{}", made.credential.client_id);
        let header = basic(&id, &made.secret);
        let answer = client.authorized(Some(&header)).get("").await;
        answer.refused(401, "unauthorized");
        let header = json!({"alg": "HS256", "kid": id});
        let token = token(&header, &json!({"scope": "app"}), &made.secret);
        let answer = client
            .authorized(Some(&format!("Bearer {token}")))
            .get("")
            .await;
        answer.refused(401, "unauthorized");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_too_often_is_told_when_to_come_back() {
    for world in World::each_limited(3).await {
        let client = world.app().await;
        for left in ["2", "1", "0"] {
            let answer = client.get("").await;
            answer.expect(200);
            assert_eq!(answer.header("x-ratelimit-remaining"), left);
            assert_eq!(answer.header("retry-after"), "");
        }
        let answer = client.get("").await;
        answer.refused(429, "too_many_requests");
        let wait: u64 = answer.header("retry-after").parse().expect("a number");
        assert!((1..=60).contains(&wait));
        assert_eq!(answer.outcome.workspace, Some(world.workspace));
        assert_eq!(answer.outcome.credential, Some(client.credential));
        // Another key has a quota of its own.
        world.app().await.get("").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_authorizations_are_none() {
    for world in World::each().await {
        let client = world.app().await;
        let header = basic(&client.id, &client.secret);
        let request = Request::builder()
            .uri(client.path(""))
            .header("authorization", &header)
            .header("authorization", &header);
        let request = request.body(axum::body::Body::empty()).expect("a request");
        world.send(request).await.refused(401, "unauthorized");
    }
}
