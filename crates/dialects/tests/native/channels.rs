use domain::{
    Caller, ChannelClaim, ClientNew, Confirmation, Content, Context, ConversationKind,
    ConversationNew, IntegrationKind, Persona, RecordNew, RecordRef, SendOutcome,
};
use serde_json::{Value, json};

use crate::common::{Client, START_MS, Server};

const PATH: &str = "/api/v1/integrations";
const SOURCE: &str = "crm";

fn twilio() -> Value {
    json!({
        "kind": "twilio", "display_name": "Text messages",
        "fields": {"account_sid": "AC1", "auth_token": "s3cret-canary", "phone_number_sid": "PN1", "phone_number": "+15550100"},
    })
}

async fn made(client: &Client<'_>, body: Value) -> i64 {
    let made = client.post(PATH, body).await.expect(201);
    made["id"].as_i64().expect("an id")
}

#[tokio::test]
async fn an_integration_is_made_listed_renamed_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin().await;
    assert_eq!(admin.get(PATH).await.expect(200)["items"], json!([]));

    let answer = admin.post(PATH, twilio()).await;
    let location = answer.header("location").to_owned();
    let first = answer.expect(201);
    let id = first["id"].as_i64().expect("an id");
    assert_eq!(location, format!("integrations/{id}"));
    let hook = first["hook_url"].as_str().expect("a URL").to_owned();
    let token = hook
        .strip_prefix(&format!("{}/hooks/twilio/", server.domain.public_url()))
        .expect("is of this server");
    assert!(token.len() > 20, "{hook}");
    assert_eq!(
        first,
        json!({
            "id": id, "kind": "twilio", "display_name": "Text messages", "status": "active",
            "fields": {"account_sid": "AC1", "phone_number": "+15550100", "phone_number_sid": "PN1"},
            "secrets": ["auth_token"], "unset": ["messaging_service_sid"], "hook_url": hook,
            "created": first["created"], "updated": first["created"],
        })
    );
    let one = format!("{PATH}/{id}");
    assert_eq!(admin.get(&one).await.expect(200), first);

    let renamed = admin.patch(&one, json!({"display_name": null})).await;
    assert_eq!(renamed.expect(200)["display_name"], Value::Null);
    admin
        .patch(&one, json!({"display_name": "x".repeat(101)}))
        .await
        .expect(422);
    admin
        .patch(&one, json!({"status": "error"}))
        .await
        .problem(422, "unknown_field");

    let custom = made(&admin, json!({"kind": "custom", "display_name": "Bot"})).await;
    let shown = admin.get(&format!("{PATH}/{custom}")).await.expect(200);
    assert_eq!(
        (&shown["hook_url"], &shown["fields"]),
        (&Value::Null, &json!({}))
    );
    let of = async |query: &str| {
        let page = admin.get(&format!("{PATH}?{query}")).await.expect(200);
        let items = page["items"].as_array().expect("items").clone();
        items
            .iter()
            .map(|item| item["id"].as_i64().expect("an id"))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("kind=custom").await, [custom]);
    assert_eq!(of("kind=custom,twilio").await, [id, custom]);
    assert_eq!(of("kind=whatsapp").await, [] as [i64; 0]);
    admin
        .get(&format!("{PATH}?kind=sms"))
        .await
        .problem(422, "unknown");

    admin.delete(&one).await.expect(204);
    admin.get(&one).await.problem(404, "not_found");
    admin.delete(&one).await.problem(404, "not_found");
    assert_eq!(of("limit=1000").await, [custom]);
}

#[tokio::test]
async fn pages_lead_to_all_integrations() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let mut all = Vec::new();
    for _ in 0..105 {
        all.push(made(&admin, json!({"kind": "custom"})).await);
    }
    // A page has at most 100, whatever is asked for.
    let mut found = Vec::new();
    let mut path = format!("{PATH}?limit=1000");
    let mut pages = 0;
    loop {
        let page = admin.get(&path).await.expect(200);
        let items = page["items"].as_array().expect("items");
        found.extend(items.iter().filter_map(|item| item["id"].as_i64()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => path = format!("{PATH}?limit=1000&after={next}"),
            None => break,
        }
    }
    assert_eq!((found, pages), (all, 2));
}

#[tokio::test]
async fn a_provider_is_set_piece_by_piece_and_secrets_are_never_answered() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let id = made(&admin, json!({"kind": "whatsapp"})).await;
    let (one, provider) = (format!("{PATH}/{id}"), format!("{PATH}/{id}/provider"));
    let shown = admin.get(&one).await.expect(200);
    assert_eq!(
        shown["unset"],
        json!([
            "deployment_id",
            "phone_number_id",
            "token",
            "app_secret",
            "verify_token"
        ])
    );

    let settings = json!({"phone_number_id": "106540352242922", "token": "s3cret-canary", "app_secret": "s3cret-canary"});
    let answer = admin.put(&provider, settings).await;
    assert!(!answer.text.contains("s3cret"), "{}", answer.text);
    let set = answer.expect(200);
    assert_eq!(set["fields"], json!({"phone_number_id": "106540352242922"}));
    assert_eq!(set["secrets"], json!(["app_secret", "token"]));
    assert_eq!(set["hook_url"], shown["hook_url"]);

    // What is not named stays, null takes away.
    let answer = admin
        .put(
            &provider,
            json!({"verify_token": "s3cret-canary", "app_secret": null}),
        )
        .await;
    let set = answer.expect(200);
    assert_eq!(set["secrets"], json!(["token", "verify_token"]));
    assert_eq!(set["unset"], json!(["deployment_id", "app_secret"]));
    for path in [PATH, &one] {
        let answer = admin.get(path).await;
        assert!(!answer.text.contains("s3cret"), "{}", answer.text);
    }
    // Nor is it in the activity log.
    let activity = admin.get("/api/v1/activity").await;
    assert!(!activity.text.contains("s3cret"), "{}", activity.text);
}

#[tokio::test]
async fn settings_that_do_not_fit_change_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let lacking = json!({"kind": "mailgun", "fields": {"api_key": "k"}});
    admin.post(PATH, lacking).await.expect(422);
    admin
        .post(PATH, json!({"kind": "sms"}))
        .await
        .problem(422, "unknown");
    assert_eq!(admin.get(PATH).await.expect(200)["items"], json!([]));

    let id = made(&admin, twilio()).await;
    let (one, provider) = (format!("{PATH}/{id}"), format!("{PATH}/{id}/provider"));
    let before = admin.get(&one).await.expect(200);
    for wrong in [
        json!({"api_key": "of another kind"}),
        json!({"auth_token": null}),
        json!({"auth_token": ""}),
        json!({"account_sid": null}),
        json!({"auth_token": 7}),
        json!({"auth_token": {"a": "b"}}),
        json!({"auth_token": "x".repeat(100_000)}),
        json!(["auth_token"]),
    ] {
        admin.put(&provider, wrong.clone()).await.expect(422);
        assert_eq!(admin.get(&one).await.expect(200), before, "{wrong}");
    }
    let twice = r#"{"auth_token": "a", "auth_token": "b"}"#;
    admin
        .raw("PUT", &provider, Some("application/json"), twice)
        .await
        .problem(400, "duplicate_field");
    admin
        .raw("PUT", &provider, Some("text/plain"), "{}")
        .await
        .expect(415);
    admin
        .put(&format!("{PATH}/999/provider"), json!({"auth_token": "t"}))
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn integrations_are_for_those_who_may_manage_all_of_the_workspace() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let id = made(&admin, twilio()).await;
    let (one, provider) = (format!("{PATH}/{id}"), format!("{PATH}/{id}/provider"));
    let structure = admin.structure("Shop").await;
    let other = domain::WorkspaceNew {
        slug: "other".into(),
        name: "Other".into(),
        keep_identifiers: true,
    };
    let other = server
        .domain
        .workspace_create(&Caller::server(server.workspace), other)
        .await
        .expect("is made");
    let scopes = "audiences:read audiences:write people:read people:write webhooks channels";
    let refused = [
        server.token(scopes, None).await,
        server.token("integrations", Some(vec![structure])).await,
    ];
    for token in refused {
        let client = server.client(token);
        client.get(PATH).await.problem(403, "forbidden");
        client.post(PATH, twilio()).await.problem(403, "forbidden");
        client.get(&one).await.problem(403, "forbidden");
        client.delete(&one).await.problem(403, "forbidden");
        let name = json!({"display_name": "Mine"});
        client.patch(&one, name).await.problem(403, "forbidden");
        let settings = json!({"auth_token": "mine"});
        client
            .put(&provider, settings)
            .await
            .problem(403, "forbidden");
    }
    // Another workspace's administrator finds nothing there.
    let stranger = server.client(server.token_in(other.id, "admin", None).await);
    assert_eq!(stranger.get(PATH).await.expect(200)["items"], json!([]));
    stranger.get(&one).await.problem(404, "not_found");
    stranger.delete(&one).await.problem(404, "not_found");
    stranger
        .put(&provider, json!({"auth_token": "mine"}))
        .await
        .problem(404, "not_found");
    let shown = admin.get(&one).await.expect(200);
    assert_eq!(shown["display_name"], "Text messages");
    // The scope itself will do.
    let keeper = server.client(server.token("integrations", None).await);
    assert_eq!(keeper.get(&one).await.expect(200), shown);
}

#[tokio::test]
async fn a_repeated_request_makes_one_integration() {
    let server = Server::start().await;
    let admin = server.admin().await.key("k-1");
    let first = admin.post(PATH, twilio()).await.expect(201);
    assert_eq!(admin.post(PATH, twilio()).await.expect(201), first);
    let other = json!({"kind": "custom"});
    admin.post(PATH, other).await.expect(422);
    let all = server.admin().await.get(PATH).await.expect(200);
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
}

/// A record with a pending client on a phone number, and the item of the outbox that asks for its confirmation, kept there.
async fn pending(server: &Server, integration: i64, phone: &str, asked: &str) -> (i64, u32) {
    let context = Context::new(Caller::server(server.workspace), "test");
    let domain = &server.domain;
    let new = RecordNew {
        active: true,
        reference: Some(format!("r{phone}")),
        ..RecordNew::default()
    };
    let record = domain.record_create(&context, SOURCE, new).await;
    let record = record.expect("is made");
    let conversation = ConversationNew {
        kind: ConversationKind::Personal,
        display_name: None,
        description: None,
        icon_url: None,
        metadata: String::new(),
        participants: vec![(RecordRef::Id(record.id), false)],
    };
    let conversation = domain
        .conversation_create(&context, SOURCE, conversation)
        .await
        .expect("is made");
    let text = Content::Text {
        text: asked.to_owned(),
        links: Vec::new(),
    };
    let new = ClientNew {
        kind: IntegrationKind::Twilio,
        integration,
        address: phone.to_owned(),
        subject: None,
        primary: true,
        confirmation: Confirmation::Prompt,
        message: Some((Persona::default(), text)),
        conversation: conversation.id,
    };
    let of = RecordRef::Id(record.id);
    let client = domain.client_create(&context, SOURCE, of, new).await;
    assert_eq!(client.expect("is pending").person, record.person);
    let claimed: Vec<ChannelClaim> = domain.channel_claim(10).await.expect("claims");
    let [claim] = &claimed[..] else {
        panic!("{} items are due", claimed.len());
    };
    let noted = domain.channel_finish(claim, SendOutcome::Kept).await;
    assert!(noted.expect("is noted"));
    (claim.id(), record.person)
}

#[tokio::test]
async fn what_is_kept_is_read_and_answered_and_a_channel_is_a_set_of_people() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let integration = made(&admin, twilio()).await;
    let structure = admin.structure("Shop").await;
    let rule = json!({"structure": structure, "name": "By text", "rule": {"channel": "twilio"}});
    let audience = admin.post("/api/v1/audiences", rule).await.expect(201);
    assert_eq!(audience["rule"], json!({"channel": "twilio"}));
    let audience = format!("/api/v1/audiences/{}", audience["id"]);
    let reached = async || {
        let channels = admin.get("/api/v1/channels").await.expect(200);
        let counts = admin.get(&audience).await.expect(200)["counts"]["people"].clone();
        let items = channels["items"].as_array().expect("items").clone();
        let twilio = items.iter().find(|item| item["channel"] == "twilio");
        assert_eq!(twilio.expect("is listed")["people"], counts);
        counts
    };
    let (yes, person) = pending(&server, integration, "+15550123", "Is this you?").await;
    let (no, _) = pending(&server, integration, "+15550124", "And this?").await;
    assert_eq!(reached().await, 0);

    let item = admin
        .get(&format!("/api/v1/outbox/{yes}"))
        .await
        .expect(200);
    assert_eq!(
        (
            &item["kind"],
            &item["template"],
            &item["recipient"],
            &item["state"]
        ),
        (
            &json!("channel"),
            &json!("confirmation"),
            &json!("+15550123"),
            &json!("sent")
        )
    );
    let text = item["text"].as_str().expect("stays readable");
    assert!(text.contains("Is this you?"), "{text}");
    let listed = admin.get("/api/v1/outbox").await.expect(200);
    assert_eq!(listed["items"][0]["id"], no);
    assert_eq!(listed["items"][0]["recipient"], "+15550124");

    let confirm = async |item: i64, body: Value| {
        let path = format!("/api/v1/outbox/{item}/confirm");
        admin.post(&path, body).await
    };
    confirm(yes, json!({"answer": 1}))
        .await
        .problem(422, "wrong_type");
    confirm(999, json!({})).await.problem(404, "not_found");
    let reader = server.token("audiences:read channels integrations", None);
    let reader = server.client(reader.await);
    reader
        .post(&format!("/api/v1/outbox/{yes}/confirm"), json!({}))
        .await
        .problem(403, "forbidden");
    assert_eq!(reached().await, 0);

    let confirmed = confirm(yes, json!({})).await.expect(200);
    let client = &confirmed["client"];
    assert_eq!(
        client,
        &json!({
            "id": client["id"], "person": person, "record": client["record"], "channel": "twilio", "status": "active",
            "integration": integration, "created": domain::rfc3339(START_MS), "linked": domain::rfc3339(START_MS),
        })
    );
    assert_eq!(reached().await, 1);
    let refused = confirm(no, json!({"answer": "no"})).await.expect(200);
    assert_eq!(refused["client"], Value::Null);
    assert_eq!(reached().await, 1);
    let blocked = confirm(yes, json!({"answer": "STOP"})).await.expect(200);
    assert_eq!(blocked["client"]["status"], "blocked");
    assert_eq!(reached().await, 0);
    let unblocked = confirm(yes, json!({"answer": "start"})).await.expect(200);
    assert_eq!(unblocked["client"]["status"], "active");
    assert_eq!(reached().await, 1);

    // Whose integration is gone is reached no more.
    admin
        .delete(&format!("{PATH}/{integration}"))
        .await
        .expect(204);
    assert_eq!(reached().await, 0);
}

#[tokio::test]
async fn channels_are_counted_for_those_who_see_every_audience() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let structure = admin.structure("Shop").await;
    let counts = admin.get("/api/v1/channels").await.expect(200);
    let named = counts["items"].as_array().expect("items").iter();
    let named: Vec<&str> = named.filter_map(|item| item["channel"].as_str()).collect();
    assert_eq!(
        named,
        ["mailgun", "twilio", "messagebird", "whatsapp", "sdk"]
    );
    admin
        .get("/api/v1/channels?limit=5")
        .await
        .problem(422, "unknown_parameter");
    let narrow = server
        .token("audiences:read audiences:write", Some(vec![structure]))
        .await;
    let narrow = server.client(narrow);
    narrow
        .get("/api/v1/channels")
        .await
        .problem(403, "forbidden");
    // A rule would tell the same.
    let rule = json!({"structure": structure, "name": "By text", "rule": {"channel": "twilio"}});
    let refused = narrow.post("/api/v1/audiences", rule).await.expect(422);
    assert_eq!(refused["field"], "rule");
    for wrong in [
        json!({"channel": "sms"}),
        json!({"channel": null}),
        json!({"channel": ["sdk"]}),
        json!({"channel": "sdk", "audience": 1}),
    ] {
        let body = json!({"structure": structure, "name": "n", "rule": wrong});
        admin
            .post("/api/v1/audiences", body)
            .await
            .problem(422, "malformed");
    }
    let nested = json!({"all": [{"channel": "sdk"}, {"not": {"channel": "mailgun"}}]});
    let body = json!({"structure": structure, "name": "n", "rule": nested});
    let made = admin.post("/api/v1/audiences", body).await.expect(201);
    assert_eq!(made["rule"], nested);
}
