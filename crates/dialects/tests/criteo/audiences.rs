//! The life of an audience: created, listed, renamed, emptied, deleted.

use std::time::Duration;

use serde_json::json;

use crate::support::{USERLIST, World};

#[tokio::test]
async fn an_audience_lives_and_dies() {
    let world = World::new().await;
    let body = json!({"advertiserId": world.advertiser, "name": " x ", "description": "y"});
    let made = world.json("POST", USERLIST, body).await;
    assert_eq!(
        (made.status.as_u16(), made.header("content-type")),
        (200, "application/json; charset=utf-8")
    );
    let id = made.json()["audienceId"].as_i64().expect("is a number");
    assert_eq!(made.text, format!("{{\"audienceId\":{id}}}"));

    world.clock.advance(Duration::from_secs(5));
    let added = json!({"operation": "add", "schema": "email", "identifiers": ["a@example.org"]});
    assert_eq!(world.patch(id, added).await.status, 200);
    let list = world
        .get(&format!("/v1/audiences?advertiserId={}", world.advertiser))
        .await;
    assert_eq!(
        list.text,
        format!(
            "{{\"audiences\":[{{\"id\":{id},\"advertiserId\":{},\"name\":\"x\",\"description\":\"y\",\
             \"created\":1599675676,\"updated\":1599675681,\"nbLines\":1,\"nbLinesEmail\":1,\"nbMatchesEmail\":0}}]}}",
            world.advertiser
        )
    );

    let path = format!("/v1/audiences/{id}");
    let renamed = world.json("PUT", &path, json!({"name": "z"})).await;
    assert_eq!((renamed.status.as_u16(), &*renamed.text), (204, ""));
    assert_eq!(renamed.header("content-type"), "");
    let emptied = world
        .call("DELETE", &format!("{USERLIST}/{id}/users"), &[], "")
        .await;
    assert_eq!((emptied.status.as_u16(), &*emptied.text), (204, ""));
    assert_eq!(world.lines(id).await, (0, 0, 0));
    let deleted = world
        .call("DELETE", &path, &[("content-type", "application/json")], "")
        .await;
    assert_eq!((deleted.status.as_u16(), &*deleted.text), (204, ""));
    assert_eq!(world.get("/v1/audiences").await.text, "{\"audiences\":[]}");
    world
        .call("DELETE", &path, &[], "")
        .await
        .assert_problem(404, "audience-not-found");
}

#[tokio::test]
async fn a_description_stays_where_it_is_absent() {
    let world = World::new().await;
    let id = world.create("x").await;
    let path = format!("/v1/audiences/{id}");
    let description = async || world.listed(id).await["description"].clone();
    assert_eq!(description().await, json!(null));
    world
        .json("PUT", &path, json!({"name": "x", "description": "y"}))
        .await;
    assert_eq!(description().await, "y");
    world.json("PUT", &path, json!({"name": "z"})).await;
    world
        .json("PUT", &path, json!({"name": "z", "description": null}))
        .await;
    assert_eq!(description().await, "y");
    world
        .json("PUT", &path, json!({"name": "z", "description": ""}))
        .await;
    assert_eq!(description().await, "");
}

#[tokio::test]
async fn a_name_is_used_once_in_an_advertiser() {
    let world = World::new().await;
    let (first, second) = (world.create("first").await, world.create("second").await);
    let body = json!({"advertiserId": world.advertiser, "name": " first "});
    world
        .json("POST", USERLIST, body)
        .await
        .assert_problem(409, "name-must-be-unique");
    let rename = async |id: i64, name: &str| {
        world
            .json("PUT", &format!("/v1/audiences/{id}"), json!({"name": name}))
            .await
    };
    rename(second, "first")
        .await
        .assert_problem(409, "name-must-be-unique");
    assert_eq!(rename(first, "first").await.status, 204);
    assert_eq!(rename(first, "First").await.status, 204);
    assert_eq!(rename(second, "first").await.status, 204);
}

#[tokio::test]
async fn the_list_is_of_an_advertiser_or_of_the_portfolio() {
    let world = World::new().await;
    let other = world.structure("Other").await;
    let both = vec![world.advertiser, other];
    let (_, id, secret) = world.client(world.workspace, Some(both), "").await;
    let world = world.with_client(&id, &secret).await;
    world.create_foreign().await;
    let mut ids = vec![world.create("a").await, world.create("b").await];
    let body = json!({"advertiserId": other, "name": "a"});
    let made = world.json("POST", USERLIST, body).await.json();
    let listed = async |query: &str| -> Vec<i64> {
        let list = world.get(&format!("/v1/audiences{query}")).await.json();
        let rows = list["audiences"].as_array().expect("is a list").clone();
        rows.iter().filter_map(|row| row["id"].as_i64()).collect()
    };
    assert_eq!(
        listed(&format!("?advertiserId={}&more=1", world.advertiser)).await,
        ids
    );
    ids.push(made["audienceId"].as_i64().expect("is a number"));
    assert_eq!(listed("").await, ids);
    assert_eq!(listed("?").await, ids);
}

#[tokio::test]
async fn the_portfolio_is_what_the_client_may_touch() {
    let world = World::new().await;
    let portfolio = world.get("/v1/portfolio").await;
    assert_eq!(
        portfolio.text,
        format!(
            "[{{\"advertiserId\":{},\"advertiserName\":\"Acme\"}}]",
            world.advertiser
        )
    );
}

#[tokio::test]
async fn a_name_has_limits() {
    let world = World::new().await;
    let id = world.create("old").await;
    let long = "é".repeat(256);
    for (name, code) in [
        (json!(null), "name-required"),
        (json!(""), "name-required"),
        (json!(" \t"), "name-required"),
        (json!(long), "name-too-long"),
        (json!("a\u{0}b"), "name-malformed"),
    ] {
        let body = json!({"advertiserId": world.advertiser, "name": name});
        world
            .json("POST", USERLIST, body)
            .await
            .assert_problem(400, code);
        let body = json!({"name": name});
        world
            .json("PUT", &format!("/v1/audiences/{id}"), body)
            .await
            .assert_problem(400, code);
    }
    let body = json!({"advertiserId": world.advertiser});
    world
        .json("POST", USERLIST, body)
        .await
        .assert_problem(400, "name-required");
    world
        .json("POST", USERLIST, json!({"name": "x"}))
        .await
        .assert_problem(400, "advertiser-id-required");
    let body = json!({"name": "x", "description": "x".repeat(2_001)});
    let put = world
        .json("PUT", &format!("/v1/audiences/{id}"), body)
        .await;
    put.assert_problem(400, "description-too-long");
    assert_eq!(world.listed(id).await["name"], "old");
    world.create(&long[2..]).await;
}
