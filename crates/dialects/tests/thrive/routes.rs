//! Paths: slashes, escapes, aliases, and what there is not.

use serde_json::{Value, json};

use crate::support::World;

#[tokio::test]
async fn a_slash_at_the_end_is_no_other_path() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    let id = client.user("u1").await;
    for path in [
        "/audiences".to_owned(),
        "/audiences/s".into(),
        "/audiences/s/members".into(),
        "/audiences/s/managers".into(),
        "/users".into(),
        "/users/ref/u1".into(),
        format!("/user/{id}"),
        format!("/users/{id}"),
    ] {
        for base in ["/thrive/rest/v1", "/thrive"] {
            for slash in ["", "/"] {
                let path = format!("{base}{path}{slash}");
                let answer = client.raw("GET", &path, "").await;
                assert_eq!(answer.status, 200, "{path} {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn a_reference_may_hold_whatever_a_path_may_not() {
    let world = World::new().await;
    let client = world.admin().await;
    let references = [
        ("a/b", "a%2Fb"),
        ("a b+c", "a%20b+c"),
        ("x@y.z", "x%40y.z"),
        ("50%", "50%25"),
        ("ü?#", "%C3%BC%3F%23"),
        ("members", "members"),
    ];
    for (reference, escaped) in references {
        client.structure(reference).await;
        let user =
            json!({"ref": reference, "firstName": "A", "lastName": "B", "loginMethod": "ref"});
        client.v2("POST", "/users", user).await.expect(201);
        let path = format!("/audiences/{escaped}");
        let shown = client.get(&path).await.expect(200);
        assert_eq!(shown["reference"], reference);
        client.get(&format!("{path}/members/")).await.expect(200);
    }
    client.add("a%2Fb", &["a/b"]).await;
    client.delete("/audiences/a%2Fb/members/a%2Fb").await.gone();
    let user = client.get("/users/ref/a%2Fb").await.expect(200);
    assert_eq!(user["ref"], "a/b");
    let patched = client.v2("PATCH", "/users/ref/a%2Fb/", json!({"jobTitle": "x"}));
    patched.await.expect(200);
    for (_, escaped) in references {
        client
            .delete(&format!("/audiences/{escaped}/"))
            .await
            .gone();
    }
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    for path in [
        "/thrive",
        "/thrive/",
        "/thrive/x",
        "/thrive/rest",
        "/thrive/rest/v3/audiences",
        "/thrive/rest/v2/audiences",
        "/thrive/rest/v1/contents",
        "/thrive/rest/v1/audiences/s/other",
        "/thrive/rest/v1/audiences/s/members/u/x",
        "/thrive/rest/v1//audiences",
        "/thrive/oauth2/token",
        "/thrive-user",
        "/thrive-user/x",
        "/thrive-user/rest/v1/audiences",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = client.raw(method, path, "").await;
            answer.refused(404);
            assert!(answer.outcome.unmatched, "{path}");
        }
    }
    let answer = client.get("/audiences/nowhere").await;
    answer.refused(404);
    assert!(!answer.outcome.unmatched);
}

#[tokio::test]
async fn another_method_is_405() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    for (method, path, allowed) in [
        ("PUT", "/audiences", "GET,HEAD,POST"),
        ("DELETE", "/audiences", "GET,HEAD,POST"),
        ("POST", "/audiences/s", "GET,HEAD,PATCH,DELETE"),
        ("PUT", "/audiences/s/", "GET,HEAD,PATCH,DELETE"),
        ("DELETE", "/audiences/s/members", "GET,HEAD,POST,PATCH"),
        ("GET", "/audiences/s/members/u", "DELETE"),
        ("PUT", "/audiences/s/managers", "GET,HEAD,POST,PATCH"),
        ("POST", "/users", "GET,HEAD"),
        ("DELETE", "/user/x", "GET,HEAD"),
    ] {
        let answer = client.call(method, path, Value::Null).await;
        answer.refused(405);
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
    }
    let answer = client.v2("GET", "/users", Value::Null).await;
    answer.refused(405);
    assert_eq!(answer.header("allow"), "POST");
}

#[tokio::test]
async fn a_path_that_is_not_utf_8_is_refused() {
    let world = World::new().await;
    let client = world.admin().await;
    for path in ["/audiences/%ff", "/audiences/%C3/members", "/users/ref/%ff"] {
        client.get(path).await.refused(400);
    }
    client.get("/audiences/%00").await.refused(404);
    client.get("/users/ref/%00").await.refused(404);
}
