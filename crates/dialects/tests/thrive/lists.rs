//! Pages: their numbers, sizes and filters.

use std::time::Duration;

use serde_json::json;

use crate::support::{World, texts};

#[tokio::test]
async fn audiences_come_in_pages() {
    let world = World::new().await;
    let client = world.admin().await;
    let empty = client.get("/audiences").await;
    let expected = json!({
        "results": [],
        "pagination": {"totalResults": 0, "totalPages": 0, "page": 1, "perPage": 100},
    });
    assert_eq!(empty.expect(200), expected);
    client.structure("s").await;
    for name in ["a", "b", "c", "d"] {
        client.audience("s", name).await;
    }
    for (query, names, pages, page, per_page) in [
        ("", vec!["s", "a", "b", "c", "d"], 1, 1, 100),
        ("?page=1&perPage=2", vec!["s", "a"], 3, 1, 2),
        ("?perPage=2&page=3", vec!["d"], 3, 3, 2),
        ("?perPage=2&page=4", vec![], 3, 4, 2),
        (
            "?page=1000000000&perPage=1000",
            vec![],
            1,
            1_000_000_000,
            1000,
        ),
        ("?limit=3", vec!["s", "a", "b"], 2, 1, 3),
        ("?limit=3&perPage=4", vec!["s", "a", "b", "c"], 2, 1, 4),
        (
            "?page=&perPage=&x=y",
            vec!["s", "a", "b", "c", "d"],
            1,
            1,
            100,
        ),
    ] {
        let body = client.get(&format!("/audiences{query}")).await.expect(200);
        assert_eq!(texts(&body["results"], "reference"), names, "{query}");
        let expected =
            json!({"totalResults": 5, "totalPages": pages, "page": page, "perPage": per_page});
        assert_eq!(body["pagination"], expected, "{query}");
    }
}

#[tokio::test]
async fn a_query_that_is_wrong_is_refused() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    for query in [
        "page=0",
        "page=-1",
        "page=x",
        "page=1.5",
        "perPage=0",
        "perPage=1001",
        "perPage=99999999999999999999",
        "limit=0",
        "limit=101",
        "page=%ff",
    ] {
        for path in ["/audiences", "/audiences/s/members", "/users"] {
            client.get(&format!("{path}?{query}")).await.refused(400);
        }
    }
    for query in [
        "apiControlled=1",
        "apiControlled=TRUE",
        "updatedSince=yesterday",
        "updatedSince=2024-02-30",
        "updatedSince=01/02/2024",
    ] {
        let answer = client.get(&format!("/audiences?{query}")).await;
        let message = answer.refused(400);
        assert!(message.starts_with(&query[..5]), "{message}");
    }
    for query in ["updatedSince=x", "status=x", "statuses=active;new"] {
        client.get(&format!("/users?{query}")).await.refused(400);
    }
}

#[tokio::test]
async fn what_changed_since_is_found() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "a").await;
    world.clock.advance(Duration::from_secs(3_600));
    client.audience("s", "b").await;
    client.user("u1").await;
    for (since, names) in [
        ("2024-03-15T10:30:00.000Z", vec!["s", "a", "b"]),
        ("2024-03-15T10:30:00.001Z", vec!["b"]),
        ("2024-03-15T11:30:00.000Z", vec!["b"]),
        ("2024-03-15T12:30:00.000%2B01:00", vec!["b"]),
        ("2024-03-15T11:30:00", vec!["b"]),
        ("2024-03-15", vec!["s", "a", "b"]),
        ("2024-03-15T11:30:00.001Z", vec![]),
        ("2024-03-16", vec![]),
    ] {
        let body = client
            .get(&format!("/audiences?updatedSince={since}"))
            .await
            .expect(200);
        assert_eq!(texts(&body["results"], "reference"), names, "{since}");
        assert_eq!(body["pagination"]["totalResults"], names.len(), "{since}");
    }
    let renamed = client.patch("/audiences/a", json!({"name": "A"})).await;
    renamed.expect(200);
    let body = client
        .get("/audiences?updatedSince=2024-03-15T11:30:00Z")
        .await;
    assert_eq!(texts(&body.expect(200)["results"], "reference"), ["a", "b"]);
}

#[tokio::test]
async fn members_come_in_pages() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "c").await;
    client.users(&["u1", "u2", "u3"]).await;
    client.add("c", &["u1", "u2", "u3"]).await;
    for audience in ["s", "c"] {
        for (query, names, pages) in [
            ("", vec!["u1", "u2", "u3"], 1),
            ("?perPage=2", vec!["u1", "u2"], 2),
            ("?perPage=2&page=2", vec!["u3"], 2),
            ("?limit=1&page=3", vec!["u3"], 3),
            ("?page=9", vec![], 1),
            ("?page=1000000000000", vec![], 1),
        ] {
            let path = format!("/audiences/{audience}/members{query}");
            let body = client.get(&path).await.expect(200);
            assert_eq!(texts(&body["results"], "reference"), names, "{path}");
            assert_eq!(body["pagination"]["totalResults"], 3);
            assert_eq!(body["pagination"]["totalPages"], pages);
        }
    }
}
