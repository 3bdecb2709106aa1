//! Adding and removing users: schemas, counts, and what is refused.

use domain::Kind;
use serde_json::{Value, json};

use crate::support::World;

fn emails(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{at:064x}")).collect()
}

#[tokio::test]
async fn a_patch_answers_what_was_recorded() {
    let world = World::new().await;
    let id = world.create("x").await;
    let identifiers = json!([
        "ABC@example.org ",
        "abc@example.org",
        "def@example.org",
        "jkl@gmail"
    ]);
    let body = json!({"operation": "add", "schema": "email", "identifiers": identifiers});
    let added = world.patch(id, body).await;
    assert_eq!(
        added.text,
        "{\"operation\":\"add\",\"requestDate\":\"2020-09-09T18:21:16.383Z\",\"schema\":\"email\",\
         \"nbValidIdentifiers\":3,\"nbInvalidIdentifiers\":1,\"sampleInvalidIdentifiers\":[\"jkl@gmail\"]}"
    );
    assert_eq!(added.outcome.workspace, Some(world.workspace));
    assert_eq!(added.outcome.credential, Some(world.credential));
    assert_eq!(world.lines(id).await, (2, 2, 0));
    let body = json!({"operation": "remove", "schema": "email", "identifiers": ["abc@example.org", "nobody@example.org"]});
    let removed = world.patch(id, body).await.json();
    assert_eq!(removed["operation"], "remove");
    assert_eq!(removed["nbValidIdentifiers"], 2);
    assert_eq!(removed["sampleInvalidIdentifiers"], json!([]));
    assert_eq!(world.lines(id).await, (1, 1, 0));
}

#[tokio::test]
async fn each_schema_has_its_kind_and_gum_its_callers() {
    let world = World::new().await;
    let id = world.create("x").await;
    let uuid = "6d92078a-8246-4ba4-ae5b-76104861e7dc";
    let add = async |schema: &str, value: &str, caller: Value| {
        let body = json!({"operation": "add", "schema": schema, "identifiers": [value], "gumCallerId": caller});
        let answer = world.patch(id, body).await;
        assert_eq!(answer.json()["schema"], schema, "{}", answer.text);
        world.lines(id).await.0
    };
    assert_eq!(add("email", "a@example.org", Value::Null).await, 1);
    assert_eq!(add("madid", uuid, Value::Null).await, 2);
    assert_eq!(add("madid", &uuid.to_uppercase(), Value::Null).await, 2);
    assert_eq!(add("identityLink", uuid, Value::Null).await, 3);
    assert_eq!(add("gum", uuid, json!(42)).await, 4);
    assert_eq!(add("gum", uuid, json!(42)).await, 4);
    assert_eq!(add("gum", uuid, json!(0)).await, 5);
    assert_eq!(world.lines(id).await, (5, 1, 0));
}

#[tokio::test]
async fn a_match_is_known_by_another_identifier_too() {
    let world = World::new().await;
    let id = world.create("x").await;
    let context = world.server();
    let mut batch = world
        .domain
        .batch(&context.caller, 3)
        .await
        .expect("begins");
    batch
        .identifier(Kind::Email, "", "a@example.org")
        .expect("is one");
    batch
        .identifier(Kind::MobileAd, "", "6d92078a-8246-4ba4-ae5b-76104861e7dc")
        .expect("is one");
    batch.end_person();
    batch.push(Kind::Email, "", "b@example.org");
    world
        .domain
        .member_add(&context, id, batch.finish())
        .await
        .expect("adds");
    assert_eq!(world.lines(id).await, (2, 2, 1));
}

#[tokio::test]
async fn wrong_use_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let id = world.create("x").await;
    let one = json!(["a@example.org"]);
    let cases = [
        (
            json!({"schema": "email", "identifiers": one}),
            "operation-required",
        ),
        (
            json!({"operation": "ADD", "schema": "email", "identifiers": one}),
            "operation-unknown",
        ),
        (
            json!({"operation": "", "schema": "email", "identifiers": one}),
            "operation-unknown",
        ),
        (
            json!({"operation": "add", "identifiers": one}),
            "schema-required",
        ),
        (
            json!({"operation": "add", "schema": "phone", "identifiers": one}),
            "schema-unknown",
        ),
        (
            json!({"operation": "add", "schema": "identitylink", "identifiers": one}),
            "schema-unknown",
        ),
        (
            json!({"operation": "add", "schema": "email"}),
            "identifiers-required",
        ),
        (
            json!({"operation": "add", "schema": "email", "identifiers": null}),
            "identifiers-required",
        ),
        (
            json!({"operation": "add", "schema": "email", "identifiers": []}),
            "no-valid-identifier",
        ),
        (
            json!({"operation": "remove", "schema": "email", "identifiers": []}),
            "no-valid-identifier",
        ),
        (
            json!({"operation": "add", "schema": "email", "identifiers": ["x", ""]}),
            "no-valid-identifier",
        ),
        (
            json!({"operation": "add", "schema": "gum", "identifiers": one}),
            "gum-caller-id-required",
        ),
        (
            json!({"operation": "add", "schema": "gum", "identifiers": one, "gumCallerId": null}),
            "gum-caller-id-required",
        ),
        (
            json!({"operation": "add", "schema": "gum", "identifiers": one, "gumCallerId": -1}),
            "gum-caller-id-invalid",
        ),
        (
            json!({"operation": "add", "schema": "email", "identifiers": one, "gumCallerId": 1}),
            "gum-caller-id-unexpected",
        ),
        (
            json!({"operation": "add", "schema": "gum", "identifiers": one, "gumCallerId": "1"}),
            "field-type-invalid",
        ),
        (
            json!({"operation": "add", "schema": "gum", "identifiers": one, "gumCallerId": 1.5}),
            "field-type-invalid",
        ),
        (
            json!({"operation": "add", "schema": "email", "identifiers": "a@example.org"}),
            "field-type-invalid",
        ),
        (
            json!({"operation": "add", "schema": "email", "identifiers": ["a@example.org", 1]}),
            "field-type-invalid",
        ),
        (
            json!({"operation": "add", "schema": "email", "identifiers": ["a@example.org", null]}),
            "field-type-invalid",
        ),
        (
            json!({"operation": 1, "schema": "email", "identifiers": one}),
            "field-type-invalid",
        ),
    ];
    for (body, code) in cases {
        world.patch(id, body).await.assert_problem(400, code);
    }
    assert_eq!(world.lines(id).await, (0, 0, 0));
}

#[tokio::test]
async fn fifty_thousand_pass_and_one_more_does_not() {
    let world = World::new().await;
    let id = world.create("x").await;
    let mut identifiers = emails(50_001);
    let body = json!({"operation": "add", "schema": "email", "identifiers": identifiers});
    world
        .patch(id, body)
        .await
        .assert_problem(400, "too-many-identifiers");
    assert_eq!(world.lines(id).await, (0, 0, 0));
    identifiers.pop();
    let body = json!({"operation": "add", "schema": "email", "identifiers": identifiers});
    let answer = world.patch(id, body).await;
    assert_eq!(
        answer.json()["nbValidIdentifiers"],
        50_000,
        "{}",
        answer.text
    );
    assert_eq!(world.lines(id).await, (50_000, 50_000, 0));
}

#[tokio::test]
async fn the_sample_holds_ten() {
    let world = World::new().await;
    let id = world.create("x").await;
    let mut identifiers: Vec<String> = (0..30).map(|at| format!("wrong {at}")).collect();
    identifiers.push("a@example.org".into());
    let body = json!({"operation": "add", "schema": "email", "identifiers": identifiers});
    let answer = world.patch(id, body).await.json();
    assert_eq!(answer["nbInvalidIdentifiers"], 30);
    assert_eq!(answer["sampleInvalidIdentifiers"], json!(identifiers[..10]));
}
