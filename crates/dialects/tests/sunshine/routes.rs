//! Paths: both bases, what there is not, and other methods.

use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_at_two_bases() {
    for world in World::each().await {
        let client = world.app().await;
        client.user("ann").await;
        for base in ["/sunshine/v2", "/sunshine/sc/v2"] {
            let path = format!("{base}/apps/{}/users/ann", client.app);
            client.raw("GET", &path, "").await.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_404() {
    for world in World::each().await {
        let client = world.app().await;
        let app = &client.app;
        for path in [
            "/sunshine".to_owned(),
            "/sunshine/".into(),
            "/sunshine/v1/apps".into(),
            "/sunshine/v2".into(),
            "/sunshine/v2/apps/".into(),
            "/sunshine/v2/tokenInfo".into(),
            "/sunshine/oauth/token".into(),
            format!("/sunshine/v2/apps/{app}/"),
            format!("/sunshine/v2/apps/{app}/attachments"),
            format!("/sunshine/v2/apps/{app}/switchboards"),
            format!("/sunshine/v2/apps/{app}/users/"),
            format!("/sunshine/v2/apps/{app}/users/ann/devices"),
            format!("/sunshine/v2/apps/{app}/users/ann/sync"),
            format!("/sunshine/v2/apps/{app}/users/a/b/clients"),
            format!("/sunshine/v2/apps/{app}/conversations/x/passControl"),
            format!("/sunshine/v2/apps/{app}/integrations/me/webhooks/x/y"),
        ] {
            for method in ["GET", "POST", "DELETE"] {
                let answer = client.raw(method, &path, "").await;
                answer.refused(404, "not_found");
                assert!(answer.outcome.unmatched, "{path}");
            }
        }
        let answer = client.get("/users/nobody").await;
        answer.refused(404, "user_not_found");
        assert!(!answer.outcome.unmatched);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_method_is_405() {
    for world in World::each().await {
        let client = world.app().await;
        for (method, path, allowed) in [
            ("GET", "/users", "POST"),
            ("POST", "/users/ann", "GET,HEAD,PATCH,DELETE"),
            ("GET", "/users/ann/personalinformation", "DELETE"),
            ("PUT", "/users/ann/clients", "GET,HEAD,POST"),
            ("GET", "/users/ann/clients/x", "DELETE"),
            ("GET", "/conversations/x/join", "POST"),
            ("PUT", "/integrations", "GET,HEAD,POST"),
            ("PATCH", "/keys", "GET,HEAD,POST"),
            (
                "POST",
                "/integrations/me/webhooks/x",
                "GET,HEAD,PATCH,DELETE",
            ),
            ("GET", "/login", "POST"),
        ] {
            let answer = client.call(method, path, &json!(null)).await;
            answer.refused(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_or_query_that_is_not_utf_8_is_refused() {
    for world in World::each().await {
        let client = world.app().await;
        for path in [
            "/users/%ff",
            "/users/%C3/clients",
            "/conversations/%ff/messages",
        ] {
            client.get(path).await.bad();
        }
        client
            .get("/users/%00")
            .await
            .refused(404, "user_not_found");
        client.user("ann").await;
        client.get("/users/ann/clients?page[after]=%ff").await.bad();
    }
}
