//! Input that no well-meaning client sends: refused in the vendor's shape, nothing stored.

use axum::body::{Body, Bytes};
use http_body_util::channel::Channel;
use serde_json::json;

use crate::support::{USERLIST, World};

#[tokio::test]
async fn broken_bodies_are_refused() {
    let world = World::new().await;
    let id = world.create("old").await;
    let a = world.advertiser;
    let deep = format!(
        r#"{{"advertiserId":{a},"name":"x","more":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let bomb = format!(
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><AudienceCreateRequest><advertiserId>{a}</advertiserId>\
         <name>&b;</name></AudienceCreateRequest>"
    );
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("application/json", b"".to_vec()),
        ("application/json", b"[]".to_vec()),
        ("application/json", b"{".to_vec()),
        ("application/json", b"\xff{}".to_vec()),
        (
            "application/json",
            format!("{{\"advertiserId\":{a},\"name\":\"\u{ff}\"").into_bytes(),
        ),
        ("application/json", [&b"{\"name\":\"x\xff\"}"[..]].concat()),
        (
            "application/json",
            format!(r#"{{"advertiserId":{a},"name":"x"}} x"#).into_bytes(),
        ),
        (
            "application/json",
            format!(r#"{{"advertiserId":{a},"name":"x","name":"y"}}"#).into_bytes(),
        ),
        (
            "application/json",
            format!(r#"{{"advertiserId":{a},"name":"x","\u006eame":"y"}}"#).into_bytes(),
        ),
        ("application/json", deep.into_bytes()),
        ("application/xml", b"".to_vec()),
        ("application/xml", b"<AudiencePutRequest/>".to_vec()),
        (
            "application/xml",
            format!("<AudienceCreateRequest><advertiserId>{a}</advertiserId><name>\u{ff}")
                .into_bytes(),
        ),
        ("application/xml", bomb.into_bytes()),
        (
            "application/x-www-form-urlencoded",
            format!("advertiserId={a}&name=x&name=y").into_bytes(),
        ),
        (
            "application/x-www-form-urlencoded",
            format!("advertiserId={a}&name=%ff").into_bytes(),
        ),
    ];
    for (content_type, body) in cases {
        let headers = [("content-type", content_type)];
        let answer = world.call("POST", USERLIST, &headers, body.clone()).await;
        answer.assert_problem(400, "body-malformed");
        if content_type == "application/json" {
            let answer = world
                .call("PATCH", &format!("{USERLIST}/{id}"), &headers, body.clone())
                .await;
            answer.assert_problem(400, "body-malformed");
            let answer = world
                .call("PUT", &format!("/v1/audiences/{id}"), &headers, body)
                .await;
            answer.assert_problem(400, "body-malformed");
        }
    }
    let list = world.get("/v1/audiences").await.json();
    assert_eq!(list["audiences"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["audiences"][0]["name"], "old");
}

#[tokio::test]
async fn a_refusal_does_not_give_the_body_back() {
    let world = World::new().await;
    let body = format!("<AudienceCreateRequest><{0}></x>", "x".repeat(100_000));
    let answer = world
        .call("POST", USERLIST, &[("content-type", "text/xml")], body)
        .await;
    answer.assert_problem(400, "body-malformed");
    assert!(answer.text.len() < 1_000, "{} bytes", answer.text.len());
}

#[tokio::test]
async fn wrong_types_are_refused_and_unknown_fields_ignored() {
    let world = World::new().await;
    let a = world.advertiser;
    for wrong in [
        "\"12\"",
        "12.0",
        "1e2",
        "true",
        "[]",
        "{}",
        "9223372036854775808",
        "99999999999999999999999",
    ] {
        let body = format!(r#"{{"advertiserId":{wrong},"name":"x"}}"#);
        world
            .call("POST", USERLIST, &[], body)
            .await
            .assert_problem(400, "field-type-invalid");
    }
    for (field, value) in [
        ("name", "1"),
        ("name", "[\"x\"]"),
        ("description", "{}"),
        ("description", "1.5"),
    ] {
        let name = if field == "name" {
            ""
        } else {
            r#""name":"x","#
        };
        let body = format!(r#"{{"advertiserId":{a},{name}"{field}":{value}}}"#);
        world
            .call("POST", USERLIST, &[], body)
            .await
            .assert_problem(400, "field-type-invalid");
    }
    let xml = [("content-type", "text/xml")];
    let body = "<AudienceCreateRequest><advertiserId>x</advertiserId><name>x</name></AudienceCreateRequest>";
    world
        .call("POST", USERLIST, &xml, body)
        .await
        .assert_problem(400, "field-type-invalid");
    let body =
        json!({"advertiserId": a, "name": "x", "more": {"deep": [1, "x", [null]]}, "Name": 1});
    assert_eq!(world.json("POST", USERLIST, body).await.status, 200);
}

#[tokio::test]
async fn ids_that_are_none_are_not_found_in_a_path_and_wrong_in_a_query() {
    let world = World::new().await;
    for id in [
        "x",
        "1x",
        "1.0",
        "1e3",
        "%20",
        "0x1",
        "+1",
        "9223372036854775808",
        "1%00",
        "%ff",
        "..%2f1",
    ] {
        let patch = r#"{"operation":"add","schema":"email","identifiers":["a@example.org"]}"#;
        for (method, path, body) in [
            ("PATCH", format!("{USERLIST}/{id}"), patch),
            ("PUT", format!("/v1/audiences/{id}"), r#"{"name":"x"}"#),
            ("DELETE", format!("{USERLIST}/{id}/users"), ""),
            ("DELETE", format!("/v1/audiences/{id}"), ""),
        ] {
            world
                .call(method, &path, &[], body)
                .await
                .assert_problem(404, "audience-not-found");
        }
    }
    for id in [
        "x",
        "",
        "1x",
        "1.5",
        "1%202",
        "%2B1",
        "9223372036854775808",
        "1%00",
    ] {
        let answer = world.get(&format!("/v1/audiences?advertiserId={id}")).await;
        answer.assert_problem(400, "field-type-invalid");
    }
    for query in ["advertiserId=1&advertiserId=1", "advertiserId=%ff", "%"] {
        let answer = world.get(&format!("/v1/audiences?{query}")).await;
        answer.assert_problem(400, "query-malformed");
    }
}

#[tokio::test]
async fn a_body_has_limits_of_size() {
    let world = World::new().await;
    let id = world.create("x").await;
    let large = |bytes: usize| format!(r#"{{"name":"x","more":"{}"}}"#, "x".repeat(bytes));
    let put = world
        .call("PUT", &format!("/v1/audiences/{id}"), &[], large(1 << 20))
        .await;
    put.assert_problem(400, "body-too-large");
    let post = world.call("POST", USERLIST, &[], large(1 << 20)).await;
    post.assert_problem(400, "body-too-large");
    let userlist = format!("{USERLIST}/{id}");
    let patch = world.call("PATCH", &userlist, &[], large(32 << 20)).await;
    patch.assert_problem(400, "body-too-large");
    let items = "\"\",".repeat(5 << 20);
    let body = format!(r#"{{"operation":"add","schema":"email","identifiers":[{items}""]}}"#);
    world
        .call("PATCH", &userlist, &[], body)
        .await
        .assert_problem(400, "too-many-identifiers");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_refused() {
    let world = World::new().await;
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(4);
    sender
        .send_data("{\"name\":".into())
        .await
        .expect("has room");
    let answer = world
        .call("PUT", "/v1/audiences/1", &[], Body::new(body))
        .await;
    answer.assert_problem(400, "body-incomplete");

    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(4);
    sender
        .send_data("{\"name\":".into())
        .await
        .expect("has room");
    sender.abort(std::io::ErrorKind::UnexpectedEof.into());
    let answer = world
        .call("PUT", "/v1/audiences/1", &[], Body::new(body))
        .await;
    answer.assert_problem(400, "body-incomplete");
}
