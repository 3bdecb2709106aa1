//! Pages: both ways of asking, both directions, and the links between them.

use std::collections::HashMap;

use axum::{body::Body, http::Request};
use domain::DEFAULT_SLUG;
use serde_json::{Value, json};
use throng_dialects::mount::{self, HostMount};

use crate::support::{Client, PUBLIC_URL, World, texts};

/// A user with seven clients, in order of their ids.
async fn seven(client: &Client<'_>) -> Vec<String> {
    let scene = client.scene().await;
    for number in 0..7 {
        let body = json!({
            "matchCriteria": {
                "type": "twilio",
                "integrationId": scene.twilio,
                "phoneNumber": format!("+1212555236{number}"),
            },
            "confirmation": {"type": "userActivity"},
            "target": {"conversationId": scene.conversation},
        });
        client.post("/users/ann/clients", body).await.expect(201);
    }
    let page = client.get("/users/ann/clients").await.expect(200);
    let ids = texts(&page["clients"], "id");
    assert_eq!(ids.len(), 7);
    assert!(ids.is_sorted());
    ids
}

/// As Python's `json.dumps` writes it, in a query.
fn as_json(page: &Value) -> String {
    let text: String = form(&page.to_string().replace(':', ": ").replace(',', ", "));
    format!("page={text}")
}

fn form(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    escaped.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_asked_for_in_two_ways() {
    for world in World::each().await {
        let client = world.app().await;
        let ids = seven(&client).await;
        let get = async |query: String| {
            let path = format!("/users/ann/clients?{query}");
            client.get(&path).await.expect(200)
        };
        for after in [
            format!("page[after]={}&page[size]=2", ids[1]),
            format!("page%5Bafter%5D={}&page%5Bsize%5D=2", ids[1]),
            as_json(&json!({"after": ids[1], "size": 2})),
        ] {
            let page = get(after).await;
            assert_eq!(texts(&page["clients"], "id"), ids[2..4]);
            let meta = json!({"hasMore": true, "afterCursor": ids[3], "beforeCursor": ids[2]});
            assert_eq!(page["meta"], meta);
        }
        for before in [
            format!("page[before]={}&page[size]=2", ids[4]),
            as_json(&json!({"before": ids[4], "size": 2})),
        ] {
            let page = get(before).await;
            assert_eq!(texts(&page["clients"], "id"), ids[2..4]);
            assert_eq!(page["meta"]["hasMore"], true);
        }
        // The clients of npm send the first member of a page only.
        let page = get(format!("page[after]={}", ids[1])).await;
        assert_eq!(texts(&page["clients"], "id"), ids[2..]);
        let page = get(as_json(&json!({"size": 25}))).await;
        assert_eq!(page["meta"], json!({"hasMore": false}));
        let page = get("page[after]=000000000000000000000000".into()).await;
        assert_eq!(texts(&page["clients"], "id"), ids);
        let page = get("page[after]=ffffffffffffffffffffffff".into()).await;
        assert_eq!(page["clients"], json!([]));
        assert_eq!(page["meta"]["hasMore"], false);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_lead_through_all_pages_and_back() {
    for world in World::each().await {
        let client = world.app().await;
        let ids = seven(&client).await;
        let follow = async |link: &Value| {
            let link = link.as_str().expect("a link");
            let path = link.strip_prefix(PUBLIC_URL).expect("is ours");
            client.raw("GET", path, "").await.expect(200)
        };
        let mut page = client
            .get("/users/ann/clients?page[size]=3")
            .await
            .expect(200);
        assert_eq!(page["links"].get("prev"), None);
        let mut seen = vec![texts(&page["clients"], "id")];
        while page["links"].get("next").is_some() {
            page = follow(&page["links"]["next"]).await;
            seen.push(texts(&page["clients"], "id"));
        }
        assert_eq!(seen.concat(), ids);
        assert_eq!(seen.len(), 3);
        assert_eq!(page["meta"]["hasMore"], false);
        let mut back = Vec::new();
        while page["links"].get("prev").is_some() {
            page = follow(&page["links"]["prev"]).await;
            back.push(texts(&page["clients"], "id"));
        }
        back.reverse();
        assert_eq!(back.concat(), ids[..6]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_repeat_the_filter() {
    for world in World::each().await {
        let client = world.app().await;
        let ann = client.user("a b").await;
        for _ in 0..3 {
            client.conversation(&ann).await;
        }
        let path = "/conversations?filter[userExternalId]=a%20b&page[size]=2";
        let page = client.get(path).await.expect(200);
        let next = page["links"]["next"].as_str().expect("a link");
        let cursor = page["meta"]["afterCursor"].as_str().expect("a cursor");
        let expected = format!(
            "{PUBLIC_URL}/sunshine/v2/apps/{}/conversations?filter%5BuserExternalId%5D=a+b&page%5Bafter%5D={cursor}\
             &page%5Bsize%5D=2",
            client.app
        );
        assert_eq!(next, expected);
        let rest = next.strip_prefix(PUBLIC_URL).expect("is ours");
        let page = client.raw("GET", rest, "").await.expect(200);
        assert_eq!(page["conversations"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_lead_where_the_client_came_from() {
    for world in World::each().await {
        let client = world.app().await;
        seven(&client).await;
        let host = HostMount {
            prefix: "/sunshine".into(),
            workspace: Some(DEFAULT_SLUG.into()),
        };
        let hosts = HashMap::from([("chat.example".to_owned(), host)]);
        let below = format!("/apps/{}/users/ann/clients", client.app);
        for (host, base, origin) in [
            ("throng.example", "/sunshine/sc/v2", PUBLIC_URL),
            ("evil.example", "/w/default/sunshine/v2", PUBLIC_URL),
            ("chat.example:8443", "/v2", "https://chat.example:8443"),
        ] {
            let path = format!("{base}{below}");
            let asked = format!("{path}?page[size]=2");
            let request = Request::builder().uri(asked).header("host", host);
            let request = request.header("authorization", client.authorization());
            let mut request = request.body(Body::empty()).expect("a request");
            let resolved = mount::resolve(&world.domain, &hosts, &mut request).await;
            resolved.expect("is resolved");
            let page = world.send(request).await.expect(200);
            let next = page["links"]["next"].as_str().expect("a link");
            let expected = format!("{origin}{path}?page%5Bafter%5D=");
            assert!(next.starts_with(&expected), "{next}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_has_pages() {
    for world in World::each().await {
        let client = world.app().await;
        seven(&client).await;
        let ann = client.get("/users/ann").await.expect(200)["user"]["id"].clone();
        let ann = ann.as_str().expect("an id").to_owned();
        client.conversation(&ann).await;
        client.user("bob").await;
        let group = json!({"type": "sdkGroup", "participants": [{"userExternalId": "ann"}, {"userExternalId": "bob"}]});
        let group = client.post("/conversations", group).await.expect(201);
        let group = group["conversation"]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        for text in ["1", "2"] {
            let body =
                json!({"author": {"type": "business"}, "content": {"type": "text", "text": text}});
            let path = format!("/conversations/{group}/messages");
            client.post(&path, body).await.expect(201);
        }
        for (path, name) in [
            ("/users/ann/clients?".to_owned(), "clients"),
            (
                format!("/conversations?filter[userId]={ann}&"),
                "conversations",
            ),
            (
                format!("/conversations/{group}/participants?"),
                "participants",
            ),
            (format!("/conversations/{group}/messages?"), "messages"),
            ("/integrations?".into(), "integrations"),
        ] {
            let get = async |query: &str| client.get(&format!("{path}{query}")).await;
            let first = get("page[size]=1").await.expect(200);
            assert_eq!(first["meta"]["hasMore"], true, "{name}");
            let one = texts(&first[name], "id");
            assert_eq!(one.len(), 1);
            let cursor = first["meta"]["afterCursor"].as_str().expect("a cursor");
            assert_eq!(cursor, one[0]);
            let second = get(&format!("page[after]={cursor}")).await.expect(200);
            assert!(!texts(&second[name], "id").contains(&one[0]));
            let before = get(&format!("page[before]={cursor}")).await.expect(200);
            assert_eq!(before[name], json!([]), "{name}");
            let both = format!("page[after]={cursor}&page[before]={cursor}");
            for wrong in [
                both.as_str(),
                "page[size]=0",
                "page[size]=101",
                "page=2",
                "page[after]=x",
            ] {
                get(wrong).await.bad();
            }
        }
    }
}
