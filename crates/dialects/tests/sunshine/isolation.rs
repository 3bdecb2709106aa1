//! Two workspaces: every route, asked with what the other has.

use serde_json::{Value, json};

use crate::support::{World, id, mail};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_workspace_is_seen_or_touched() {
    for world in World::each().await {
        let other = world.another_workspace().await;
        let (mine, theirs) = (world.app().await, world.client(other, "").await);
        let (own, scene) = (mine.scene().await, theirs.scene().await);
        let linked = theirs.post(
            "/users/ann/clients",
            mail(&scene, "a@example.org", "immediate"),
        );
        let linked = id(&linked.await.expect(201)["client"]);
        let messages = format!("/conversations/{}/messages", scene.conversation);
        let hello =
            json!({"author": {"type": "business"}, "content": {"type": "text", "text": "Hi"}});
        let message = theirs.post(&messages, hello.clone()).await.expect(201);
        let message = id(&message["messages"][0]);
        let custom = theirs.integration("custom").await;
        let hooks = format!("/integrations/{custom}/webhooks");
        let hook = theirs.get(&hooks).await.expect(200);
        let hook = id(&hook["webhooks"][0]);
        let keys = format!("/integrations/{custom}/keys");
        let key = theirs
            .post(&keys, json!({"displayName": "K"}))
            .await
            .expect(201);
        let key = id(&key["key"]);
        let seen = async || {
            let mut all = Vec::new();
            for path in [
                "/users/ann",
                "/users/ann/clients",
                &format!("/conversations/{}", scene.conversation),
                &format!("/conversations/{}/participants", scene.conversation),
                &messages,
                "/integrations",
                &hooks,
                &keys,
                "/keys",
            ] {
                all.push(theirs.get(path).await.expect(200));
            }
            all
        };
        let before = seen().await;
        let (user, conversation) = (&scene.user, &scene.conversation);
        let named = json!({"displayName": "X"});
        let webhook = json!({"target": "https://example.org", "triggers": ["client:add"]});
        let routes: Vec<(&str, String, Value, &str)> = vec![
            (
                "GET",
                format!("/users/{user}"),
                Value::Null,
                "user_not_found",
            ),
            (
                "PATCH",
                format!("/users/{user}"),
                json!({"metadata": {"a": 1}}),
                "user_not_found",
            ),
            (
                "DELETE",
                format!("/users/{user}"),
                Value::Null,
                "user_not_found",
            ),
            (
                "DELETE",
                format!("/users/{user}/personalinformation"),
                Value::Null,
                "user_not_found",
            ),
            (
                "GET",
                format!("/users/{user}/clients"),
                Value::Null,
                "user_not_found",
            ),
            (
                "POST",
                format!("/users/{user}/clients"),
                mail(&own, "b@example.org", "immediate"),
                "user_not_found",
            ),
            (
                "DELETE",
                format!("/users/{user}/clients/{linked}"),
                Value::Null,
                "client_not_found",
            ),
            (
                "DELETE",
                format!("/users/ann/clients/{linked}"),
                Value::Null,
                "client_not_found",
            ),
            (
                "GET",
                format!("/conversations?filter[userId]={user}"),
                Value::Null,
                "user_not_found",
            ),
            (
                "POST",
                "/conversations".into(),
                json!({"type": "personal", "participants": [{"userId": user}]}),
                "user_not_found",
            ),
            (
                "GET",
                format!("/conversations/{conversation}"),
                Value::Null,
                "conversation_not_found",
            ),
            (
                "PATCH",
                format!("/conversations/{conversation}"),
                named.clone(),
                "conversation_not_found",
            ),
            (
                "DELETE",
                format!("/conversations/{conversation}"),
                Value::Null,
                "conversation_not_found",
            ),
            (
                "GET",
                format!("/conversations/{conversation}/participants"),
                Value::Null,
                "conversation_not_found",
            ),
            (
                "POST",
                format!("/conversations/{conversation}/join"),
                json!({"userExternalId": "ann"}),
                "conversation_not_found",
            ),
            (
                "POST",
                format!("/conversations/{conversation}/leave"),
                json!({"userExternalId": "ann"}),
                "conversation_not_found",
            ),
            (
                "POST",
                format!("/conversations/{conversation}/activity"),
                json!({"type": "typing:start", "author": {"type": "business"}}),
                "conversation_not_found",
            ),
            (
                "GET",
                messages.clone(),
                Value::Null,
                "conversation_not_found",
            ),
            ("POST", messages.clone(), hello, "conversation_not_found"),
            (
                "DELETE",
                messages.clone(),
                Value::Null,
                "conversation_not_found",
            ),
            (
                "DELETE",
                format!("{messages}/{message}"),
                Value::Null,
                "conversation_not_found",
            ),
            (
                "DELETE",
                format!("/conversations/{}/messages/{message}", own.conversation),
                Value::Null,
                "not_found",
            ),
            (
                "GET",
                format!("/integrations/{custom}"),
                Value::Null,
                "integration_not_found",
            ),
            (
                "PATCH",
                format!("/integrations/{custom}"),
                named.clone(),
                "integration_not_found",
            ),
            (
                "DELETE",
                format!("/integrations/{custom}"),
                Value::Null,
                "integration_not_found",
            ),
            ("GET", hooks.clone(), Value::Null, "integration_not_found"),
            ("POST", hooks.clone(), webhook, "integration_not_found"),
            (
                "GET",
                format!("{hooks}/{hook}"),
                Value::Null,
                "integration_not_found",
            ),
            (
                "GET",
                format!("/integrations/me/webhooks/{hook}"),
                Value::Null,
                "not_found",
            ),
            (
                "PATCH",
                format!("/integrations/me/webhooks/{hook}"),
                json!({}),
                "not_found",
            ),
            (
                "DELETE",
                format!("/integrations/me/webhooks/{hook}"),
                Value::Null,
                "not_found",
            ),
            ("GET", keys.clone(), Value::Null, "integration_not_found"),
            ("POST", keys.clone(), named, "integration_not_found"),
            (
                "GET",
                format!("{keys}/{key}"),
                Value::Null,
                "integration_not_found",
            ),
            (
                "DELETE",
                format!("{keys}/{key}"),
                Value::Null,
                "integration_not_found",
            ),
            (
                "GET",
                format!("/keys/{}", theirs.id),
                Value::Null,
                "not_found",
            ),
            (
                "DELETE",
                format!("/keys/{}", theirs.id),
                Value::Null,
                "not_found",
            ),
        ];
        let done = world.done().await;
        for (method, path, body, code) in &routes {
            let answer = mine.call(method, path, body).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
            answer.refused(404, code);
            // And with the other's app in the path.
            let answer = mine.of_app(&theirs.app).call(method, path, body).await;
            answer.refused(403, "forbidden");
        }
        let app = mine.of_app(&theirs.app);
        app.get("").await.refused(403, "forbidden");
        assert_eq!(world.done().await, done);
        assert_eq!(seen().await, before);
        // Names are each workspace's own.
        let ann = mine.get("/users/ann").await.expect(200);
        assert_eq!(id(&ann["user"]), own.user);
        let clients = mine.get("/users/ann/clients").await.expect(200);
        assert_eq!(clients["clients"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_workspaces_events_are_told_to_nobody_here() {
    for world in World::each().await {
        let other = world.another_workspace().await;
        let (mine, theirs) = (world.app().await, world.client(other, "").await);
        mine.webhook(&["user:update", "client:add", "conversation:create"], false)
            .await;
        let scene = theirs.scene().await;
        theirs
            .post(
                "/users/ann/clients",
                mail(&scene, "a@example.org", "immediate"),
            )
            .await
            .expect(201);
        theirs
            .patch("/users/ann", json!({"metadata": {"a": 1}}))
            .await
            .expect(200);
        assert!(world.events().await.is_empty());
        mine.scene().await;
        assert_eq!(world.events().await.len(), 1);
    }
}
