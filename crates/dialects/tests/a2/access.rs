//! Who may come in: tokens, their end, consents by the operator's choice, quotas.

use std::time::Duration;

use domain::Role;
use serde_json::json;

use crate::support::{PASSWORD, UNKNOWN, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_by_signing_out_by_time_and_with_the_account() {
    let world = World::new().await;
    let ann = world.user("ann@example.com", Role::Advertiser).await;
    let answer = world
        .call("POST", "/auth/jwt/logout", Some(&ann.token), None)
        .await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(answer.outcome.credential, Some(ann.number));
    let me = |token: String| {
        let world = &world;
        async move { world.call("GET", "/users/me", Some(&token), None).await }
    };
    me(ann.token.clone()).await.refused(401, "Unauthorized");

    let bob = world.user("bob@example.com", Role::Advertiser).await;
    let command = json!({"id": bob.id});
    let gone = world
        .call("DELETE", "/users", Some(&world.admin.token), Some(command))
        .await;
    assert_eq!(gone.expect(200)["email"], "bob@example.com");
    me(bob.token).await.refused(401, "Unauthorized");

    me(world.admin.token.clone()).await.expect(200);
    world.clock.advance(Duration::from_secs(3_601));
    me(world.admin.token.clone())
        .await
        .refused(401, "Unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_is_asked_before_what_is_sent() {
    let world = World::new().await;
    for (method, path) in [
        ("PATCH", "/user/info"),
        ("PATCH", "/user/budget"),
        ("DELETE", "/users"),
    ] {
        for token in [None, Some("x"), Some("a.b.c")] {
            let answer = world
                .raw(method, path, token, "application/json", "{")
                .await;
            answer.refused(401, "Unauthorized");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays() {
    let world = World::new().await;
    let id = &world.admin.id;
    for change in [json!({"is_superuser": false}), json!({"is_active": false})] {
        let refused = world.patch("/user/info", &world.admin, change).await;
        refused.refused(400, "LAST_ADMINISTRATOR");
    }
    let refused = world.call(
        "DELETE",
        "/users",
        Some(&world.admin.token),
        Some(json!({"id": id})),
    );
    refused.await.refused(400, "LAST_ADMINISTRATOR");
    let sly = json!({"is_superuser": false, "is_active": false});
    world
        .patch("/user/budget", &world.admin, sly)
        .await
        .expect(200);
    assert_eq!(world.me(&world.admin).await["is_superuser"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_are_open_or_closed_as_the_operator_says() {
    for open in [true, false] {
        let world = if open {
            World::new().await
        } else {
            World::closed().await
        };
        let ann = world.user("ann@example.com", Role::Advertiser).await;
        let eve = world.user("eve@example.com", Role::Retailer).await;
        let consent = json!({"email": ann.email, "user_id": ann.id, "policy_version": "1.0.0", "is_agreed": true,
            "consent_date": "2025-04-12 16:47:03.773", "created_at": null});
        let path = format!("/privacy/consents/{}", ann.id);
        let put = |token| world.call("POST", "/privacy/consents", token, Some(consent.clone()));
        let get = |token| world.call("GET", &path, token, None);
        if !open {
            put(None).await.refused(401, "Unauthorized");
            get(None).await.refused(401, "Unauthorized");
            put(Some(&eve.token)).await.refused(403, "Forbidden");
            get(Some(&eve.token)).await.refused(403, "Forbidden");
        }
        let token = if open { None } else { Some(ann.token.as_str()) };
        let made = put(token).await.expect(200);
        assert_eq!(made["consent_date"], "2025-04-12 16:47:03.773");
        assert_eq!(made.get("email"), None);
        let other = if open {
            None
        } else {
            Some(world.admin.token.as_str())
        };
        assert_eq!(get(other).await.expect(200), json!([made]));
        for (field, value) in [
            ("user_id", json!(UNKNOWN)),
            ("email", json!("eve@example.com")),
        ] {
            let mut wrong = consent.clone();
            wrong[field] = value;
            let answer = world
                .call("POST", "/privacy/consents", other, Some(wrong))
                .await;
            answer.refused(404, "Not Found");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_of_an_account_or_of_an_address() {
    let world = World::limited(8).await;
    let ann = world.user("ann@example.com", Role::Advertiser).await;
    let mut answers = Vec::new();
    for _ in 0..9 {
        answers.push(world.call("GET", "/users/me", Some(&ann.token), None).await);
    }
    let last = answers.pop().expect("is one");
    assert!(!last.header("retry-after").is_empty());
    last.refused(429, "Too Many Requests");
    // Another account is not slowed down by it.
    let me = world
        .call("GET", "/users/me", Some(&world.admin.token), None)
        .await;
    me.expect(200);
    let mut statuses = Vec::new();
    for _ in 0..9 {
        let body = json!({"token": "x"});
        statuses.push(
            world
                .call("POST", "/auth/verify", None, Some(body))
                .await
                .status,
        );
    }
    assert_eq!((statuses[0], statuses[8]), (400, 429));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_address_is_told_to_the_log() {
    let world = World::new().await;
    let command = json!({"email": "canary@example.com", "name": "Canary", "password": PASSWORD,
        "permissions": {}, "role": "advertiser"});
    let answers = [
        world
            .call("POST", "/auth/register", None, Some(command.clone()))
            .await,
        world
            .call("POST", "/auth/register", None, Some(command))
            .await,
        world
            .raw(
                "POST",
                "/auth/jwt/login",
                None,
                "application/x-www-form-urlencoded",
                "username=canary@example.com&password=wrong+canary",
            )
            .await,
        world
            .call(
                "POST",
                "/auth/forgot-password",
                None,
                Some(json!({"email": "canary"})),
            )
            .await,
        world
            .call(
                "POST",
                "/auth/reset-password",
                None,
                Some(json!({"token": "canary", "password": "canary"})),
            )
            .await,
    ];
    for answer in answers {
        let told = format!("{:?}", answer.outcome);
        assert!(!told.to_lowercase().contains("canary"), "{told}");
        assert_eq!(answer.outcome.workspace, Some(world.workspace));
    }
}
