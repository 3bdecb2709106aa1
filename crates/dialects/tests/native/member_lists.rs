//! Lists of members, by key and by page number, with what records say of them, and as a file.

use domain::{Caller, Context, RecordNew};
use serde_json::{Value, json};

use crate::{
    accounts::all,
    common::{Client, Server},
};

fn at(audience: i64) -> String {
    format!("/api/v1/audiences/{audience}/members")
}

async fn people(client: &Client<'_>, path: &str) -> Vec<Value> {
    all(&client.get(path).await.expect(200), "person")
}

/// A record of somebody in a source, with a name that a spreadsheet would compute.
async fn record(server: &Server, email: &str) {
    let context = Context::new(Caller::server(server.workspace), "test");
    let new = RecordNew {
        reference: Some("e-1".into()),
        email: Some(email.into()),
        first_name: Some("=Ada".into()),
        last_name: Some("Love, lace".into()),
        active: true,
        starts: None,
        ends: None,
        profile: "{}".into(),
        shares_email: false,
    };
    let made = server.domain.record_create(&context, "hr", new).await;
    made.expect("is made");
}

#[tokio::test]
async fn members_are_listed_by_key_and_by_page_number() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (structure, audience) = admin.pair().await;
    let emails: Vec<String> = (0..5).map(|n| format!("p{n}@example.org")).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    admin.add(audience, &emails).await;
    admin.add(structure, &["own@example.org"]).await;

    let list = at(audience);
    let whole = people(&admin, &list).await;
    assert_eq!(whole.len(), 5);
    let (mut found, mut query) = (Vec::new(), "?limit=2".to_owned());
    for page in 1..=3 {
        let answer = admin.get(&format!("{list}{query}")).await;
        let link = answer.header("link").to_owned();
        let answer = answer.expect(200);
        assert_eq!(answer["total"], 5);
        let by_number = format!("{list}?limit=2&page={page}");
        assert_eq!(people(&admin, &by_number).await, all(&answer, "person"));
        found.extend(all(&answer, "person"));
        if page == 3 {
            assert_eq!((&answer["next"], link.as_str()), (&json!(null), ""));
            break;
        }
        query = format!("?limit=2&after={}", answer["next"].as_str().expect("more"));
        assert_eq!(link, format!("<{query}>; rel=\"next\""));
    }
    assert_eq!(found, whole);
    let behind = people(&admin, &format!("{list}?page=2")).await;
    assert!(behind.is_empty());
    assert_eq!(
        people(&admin, &format!("{list}?limit=5&page=1")).await,
        whole
    );

    let tree = people(&admin, &at(structure)).await;
    assert_eq!(tree.len(), 6);
    let own = format!("{}?own=true&limit=1", at(structure));
    let answer = admin.get(&own).await;
    assert!(answer.header("link").ends_with("&own=true>; rel=\"next\""));
    let answer = answer.expect(200);
    assert_eq!(
        (&answer["total"], all(&answer, "person").len()),
        (&json!(1), 1)
    );
    assert!(!whole.contains(&answer["items"][0]["person"]));
}

#[tokio::test]
async fn what_is_known_of_a_member_is_for_those_who_may_see_it() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, audience) = admin.pair().await;
    admin
        .add(audience, &["ada@example.org", "bo@example.org"])
        .await;
    record(&server, "ada@example.org").await;
    let listed = admin.get(&at(audience)).await.expect(200);
    let known = &listed["items"][0]["record"];
    assert_eq!(
        (&known["reference"], &known["email"], &known["first_name"]),
        (&json!("e-1"), &json!("ada@example.org"), &json!("=Ada"))
    );
    assert!(known["id"].is_number() && known["last_name"] == "Love, lace");
    assert_eq!(listed["items"][1]["record"], json!(null));

    let export = format!("{}/export", at(audience));
    let answer = admin.get(&export).await;
    assert_eq!(
        answer.header("content-disposition"),
        format!("attachment; filename=\"audience-{audience}.csv\"")
    );
    assert!(answer.header("content-type").starts_with("text/csv"));
    let (ada, bo) = (&listed["items"][0]["person"], &listed["items"][1]["person"]);
    let (heading, id) = (
        "person,record,reference,email,first_name,last_name",
        &known["id"],
    );
    let expected = format!(
        "{heading}\r\n{ada},{id},e-1,ada@example.org,'=Ada,\"Love, lace\"\r\n{bo},,,,,\r\n"
    );
    assert_eq!(answer.text, expected);
    let raw = admin.get(&format!("{export}?raw=true")).await.text;
    assert_eq!(raw, expected.replace('\'', ""));

    let reader = server.client(server.token("audiences:read", None).await);
    let listed = reader.get(&at(audience)).await.expect(200);
    assert_eq!(all(&listed, "record"), [json!(null), json!(null)]);
    let exported = reader.get(&export).await.text;
    assert_eq!(
        exported,
        format!("{heading}\r\n{ada},,,,,\r\n{bo},,,,,\r\n")
    );
    let sighted = server.token("audiences:read people:read", None).await;
    let listed = server.client(sighted).get(&at(audience)).await.expect(200);
    assert_eq!(listed["items"][0]["record"]["email"], "ada@example.org");
    let writer = server.client(server.token("audiences:write", None).await);
    for path in [at(audience), export] {
        writer.get(&path).await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn an_export_of_many_pages_is_whole() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, audience) = admin.pair().await;
    let emails: Vec<String> = (0..2_500).map(|n| format!("p{n}@example.org")).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    admin.add(audience, &emails).await;
    let text = admin.get(&format!("{}/export", at(audience))).await.text;
    let people: Vec<u32> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.strip_suffix(",,,,,")?.parse().ok())
        .collect();
    assert_eq!(people.len(), 2_500);
    assert!(people.is_sorted_by(|one, next| one < next));
}

#[tokio::test]
async fn the_query_of_a_list_of_members_is_checked() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, audience) = admin.pair().await;
    for (query, code, field) in [
        ("limit=0", "out_of_range", "limit"),
        ("limit=1001", "out_of_range", "limit"),
        ("page=0", "out_of_range", "page"),
        ("page=-1", "out_of_range", "page"),
        ("page=4294967296", "out_of_range", "page"),
        ("page=x", "out_of_range", "page"),
        ("page=1&after=MQ", "ambiguous", "page"),
        ("after=1", "malformed", "after"),
        ("after=OTk5OTk5OTk5OTk5", "malformed", "after"),
        ("own=1", "malformed", "own"),
        ("own=true&own=true", "repeated", "own"),
        ("structure=1", "unknown_parameter", "structure"),
    ] {
        let refused = admin.get(&format!("{}?{query}", at(audience))).await;
        assert_eq!(refused.problem(422, code)["field"], field, "{query}");
    }
    let refused = admin.get(&format!("{}/export?raw=1", at(audience))).await;
    refused.problem(422, "malformed");
    for path in [at(999), format!("{}/export", at(999))] {
        admin.get(&path).await.problem(404, "not_found");
    }
    let far = format!("{}?limit=1000&page=4294967295", at(audience));
    assert_eq!(admin.get(&far).await.expect(200)["items"], json!([]));
}
