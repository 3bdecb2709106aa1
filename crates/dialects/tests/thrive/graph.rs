//! One graph: who was added through another protocol, by a digest, is the user that is made here.

use serde_json::{Value, json};

use crate::support::{World, texts};

#[tokio::test]
async fn a_digest_becomes_a_user() {
    let world = World::new().await;
    let client = world.admin().await;
    let context = world.server();
    // As an uploader has it: an advertiser with an audience of digests.
    let new = domain::StructureNew::new("Shop");
    let shop = world
        .domain
        .structure_create(&context, new)
        .await
        .expect("is made")
        .id;
    let new = domain::AudienceNew {
        reference: Some("news".into()),
        ..domain::AudienceNew::new(shop, "Newsletter")
    };
    let news = world
        .domain
        .audience_create(&context, new)
        .await
        .expect("is made")
        .id;
    let mut batch = world
        .domain
        .batch(&context.caller, 1)
        .await
        .expect("a batch");
    let digest = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514";
    batch
        .identifier(domain::Kind::Email, "", digest)
        .expect("is a digest");
    batch.end_person();
    let added = world
        .domain
        .member_add(&context, news, batch.finish())
        .await;
    added.expect("is added");
    let page = client.get("/audiences/news/members").await.expect(200);
    assert_eq!(texts(&page["results"], "reference"), [""]);
    assert_eq!(page["results"][0]["email"], Value::Null);
    let shown = client.get("/audiences/news").await.expect(200);
    assert_eq!(shown["apiControlled"], true);
    // SHA-256 of this address.
    let body = json!({"ref": "u", "firstName": "A", "lastName": "B", "email": "user@example.com"});
    let made = client.v2("POST", "/users", body).await.expect(201);
    let page = client.get("/audiences/news/members").await.expect(200);
    let expected = json!({"userId": made["id"], "reference": "u", "email": "user@example.com"});
    assert_eq!(page["results"], json!([expected]));
    assert_eq!(page["pagination"]["totalResults"], 1);
    // And the other way: who is added here is one more there.
    client.user("v").await;
    client.add("news", &["v"]).await;
    let counted = world.domain.audience_get(&context.caller, news).await;
    let counts = counted.expect("is there").counts;
    assert_eq!((counts.people, counts.with_email), (2, 2));
}
