use domain::{Caller, Envelope, Language, Mail, mail_queue};
use serde_json::{Value, json};
use store::{Meta, Verdict};

use crate::common::Server;

/// Queues mails as the verbs of accounts do.
async fn queue(server: &Server, count: usize) -> Vec<i64> {
    let meta = Meta {
        time: server.domain.now_ms(),
        actor: 0,
        verb: "test",
        request_id: "test".into(),
        command_id: "test".into(),
        weight: 1,
    };
    let sealer = server.domain.store().sealer().clone();
    let queued = server
        .domain
        .store()
        .command(server.workspace, meta, move |tx| {
            let ids = (0..count).map(|number| {
                let envelope = Envelope {
                    to: format!("ann{number}@example.org"),
                    language: Language::English,
                };
                let link = format!("https://throng.test/account/invite?token=canary{number}");
                let mail = Mail::Invite {
                    link,
                    inviter: Some("Bo & Co".into()),
                };
                mail_queue(tx, &sealer, &envelope, &mail)
            });
            ids.collect::<Result<Vec<_>, domain::Error>>()
                .map(Verdict::<_, domain::Error>::Done)
        });
    queued.await.expect("is queued")
}

fn ids(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item["id"].as_i64().expect("an id"))
        .collect()
}

#[tokio::test]
async fn the_outbox_is_listed_read_and_sent_again() {
    let server = Server::start().await;
    let admin = server.admin().await;
    assert_eq!(
        admin.get("/api/v1/outbox").await.expect(200)["items"],
        json!([])
    );
    let queued = queue(&server, 3).await;
    let [first, second, third] = queued[..] else {
        panic!("three")
    };

    let page = admin.get("/api/v1/outbox?limit=2").await.expect(200);
    assert_eq!(ids(&page), [third, second]);
    let item = &page["items"][0];
    assert_eq!(
        *item,
        json!({"id": third, "kind": "mail", "template": "invite", "recipient": "ann2@example.org", "state": "queued",
            "attempts": 0, "next_attempt": item["created"], "created": item["created"], "finished": null,
            "last_error": null})
    );
    let next = page["next"].as_str().expect("a cursor");
    let rest = admin
        .get(&format!("/api/v1/outbox?limit=2&after={next}"))
        .await;
    assert_eq!(ids(&rest.expect(200)), [first]);
    let older = admin.get(&format!("/api/v1/outbox?before={second}")).await;
    assert_eq!(ids(&older.expect(200)), [first]);

    // The links are in the item, not in the list.
    let path = format!("/api/v1/outbox/{first}");
    let detail = admin.get(&path).await.expect(200);
    assert_eq!(detail["subject"], "Bo & Co invites you to Throng");
    assert!(
        detail["text"]
            .as_str()
            .is_some_and(|text| text.contains("token=canary0"))
    );
    assert!(
        detail["html"]
            .as_str()
            .is_some_and(|html| html.contains("Bo &amp; Co"))
    );
    let listed = admin.get("/api/v1/outbox").await;
    assert!(!listed.text.contains("canary"), "{}", listed.text);

    let claims = server.domain.outbox_claim(10).await.expect("claims");
    let refused = domain::SendError::Permanent("550 5.1.1 nobody here".into());
    let of = |id: i64| claims.iter().find(|mail| mail.id() == id).expect("claimed");
    let ended = server.domain.outbox_finish(of(first), Err(refused)).await;
    assert_eq!(ended, Ok(true));
    assert_eq!(
        server.domain.outbox_finish(of(second), Ok(())).await,
        Ok(true)
    );
    let dead = admin.get("/api/v1/outbox?state=dead").await.expect(200);
    assert_eq!(ids(&dead), [first]);
    assert_eq!(dead["items"][0]["last_error"], "550 5.1.1 nobody here");
    assert_eq!(dead["items"][0]["next_attempt"], json!(null));

    let retried = admin
        .post(&format!("{path}/retry"), json!({}))
        .await
        .expect(200);
    assert_eq!(
        (&retried["state"], &retried["attempts"]),
        (&json!("queued"), &json!(0))
    );
    let sent = format!("/api/v1/outbox/{second}");
    admin
        .post(&format!("{sent}/retry"), json!({}))
        .await
        .problem(409, "conflict");
    let sent = admin.get(&sent).await.expect(200);
    assert_eq!(
        (&sent["recipient"], &sent["text"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn the_outbox_is_for_administrators_and_its_parameters_are_checked() {
    let server = Server::start().await;
    let id = queue(&server, 1).await[0];
    let admin = server.admin().await;
    for token in [
        server.token("audiences:read audiences:write", None).await,
        server.token("admin", Some(vec![])).await,
    ] {
        let client = server.client(token);
        for path in ["/api/v1/outbox".to_owned(), format!("/api/v1/outbox/{id}")] {
            client.get(&path).await.problem(403, "forbidden");
        }
        let retry = client
            .post(&format!("/api/v1/outbox/{id}/retry"), json!({}))
            .await;
        retry.problem(403, "forbidden");
    }
    for wrong in [
        "state=lost",
        "before=x",
        "sate=dead",
        "state=dead&state=sent",
    ] {
        let answer = admin.get(&format!("/api/v1/outbox?{wrong}")).await;
        assert_eq!(answer.status.as_u16(), 422, "{wrong}: {}", answer.text);
    }
    for path in [
        "/api/v1/outbox/0",
        "/api/v1/outbox/x",
        "/api/v1/outbox/999999",
    ] {
        admin.get(path).await.problem(404, "not_found");
    }
    let other = domain::WorkspaceNew {
        slug: "other".into(),
        name: "Other".into(),
        keep_identifiers: true,
    };
    let other = server
        .domain
        .workspace_create(&Caller::server(0), other)
        .await;
    let token = server
        .token_in(other.expect("is made").id, "admin", None)
        .await;
    let stranger = server.client(token);
    stranger
        .get(&format!("/api/v1/outbox/{id}"))
        .await
        .problem(404, "not_found");
    let retry = stranger
        .post(&format!("/api/v1/outbox/{id}/retry"), json!({}))
        .await;
    retry.problem(404, "not_found");
}
