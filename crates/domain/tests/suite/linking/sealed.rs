//! What lies in the database is sealed, and only whoever listens is told.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn linking_leaves_no_plain_address_name_or_word() {
    let house = House::sqlite();
    let domain = house.open().await;
    person(&domain, "ann").await;
    person(&domain, "bob").await;
    let conversation = talk(&domain, &["ann"]).await;
    let bobs = talk(&domain, &["bob"]).await;
    listen(&domain).await;
    let mailgun = integration(&domain, IntegrationKind::Mailgun).await;
    let persona = Persona {
        display_name: Some("canary-persona".into()),
        avatar_url: Some("https://example.org/canary-avatar.png".into()),
    };
    let new = |words: &str, conversation| ClientNew {
        kind: IntegrationKind::Mailgun,
        address: "canary-address@example.org".into(),
        subject: Some("canary-subject".into()),
        message: Some((persona.clone(), text(words))),
        ..link(mailgun, conversation, Confirmation::Prompt)
    };
    created(&domain, "ann", new("canary-question", conversation)).await;
    send(&domain).await;
    let hook = hook(&domain, mailgun).await;
    let wrote = |words: &str| InboundEvent::Message {
        from: "Canary-Address@example.org".into(),
        name: Some("canary-name".into()),
        raw: Some("{\"a\":\"canary-raw\"}".into()),
        content: text(words),
    };
    tell(&domain, &hook, "canary-id-1", wrote("yes")).await;
    tell(&domain, &hook, "canary-id-2", wrote("canary-said")).await;
    let post = |words: &str| domain::MessageNew {
        author: domain::AuthorRef::Business(persona.clone()),
        content: text(words),
        metadata: Some("{\"a\":\"canary-metadata\"}".into()),
        destination: None,
    };
    let posted = domain
        .message_post(&context("p"), SOURCE, conversation, post("canary-posted"))
        .await;
    posted.expect("is posted");
    let claims = claim(&domain).await;
    assert_eq!(claims.len(), 1);
    let provider_id = Some("canary-provider-id".to_owned());
    assert!(finish(&domain, &claims[0], SendOutcome::Accepted { provider_id }).await);
    let again = domain
        .message_post(&context("p"), SOURCE, conversation, post("canary-failed"))
        .await;
    again.expect("is posted");
    let claims = claim(&domain).await;
    let error = ChannelError {
        code: "550".into(),
        text: "no canary-address@example.org here".into(),
    };
    assert!(finish(&domain, &claims[0], SendOutcome::Failed(error)).await);
    // One that waits, one that is kept, one that is given up.
    created(&domain, "bob", new("canary-waiting", bobs)).await;
    let kept = claim(&domain).await;
    assert!(finish(&domain, &kept[0], SendOutcome::Kept).await);
    created(&domain, "bob", new("canary-queued", bobs)).await;
    let info = Some("{\"a\":\"canary-info\"}".to_owned());
    let signed = domain
        .client_sign_in(&context("s"), SOURCE, "ann", "canary-device", info)
        .await;
    signed.expect("signs in");
    let debugged = format!(
        "{:?} {:?} {hook:?} {:?}",
        clients(&domain, "ann").await,
        kept,
        wrote("canary-word")
    );
    assert!(!debugged.to_lowercase().contains("canary"), "{debugged}");
    close(domain).await;
    let mut bytes = house.bytes();
    bytes.make_ascii_lowercase();
    let has = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(has("mail.example.org"), "the right file was read");
    let mut found = Vec::new();
    for start in (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"canary")) {
        let end = bytes.len().min(start + 40);
        found.push(String::from_utf8_lossy(&bytes[start..end]).into_owned());
    }
    assert_eq!(found, Vec::<String>::new());
    verified(&house);
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_tells_only_who_listens_to_this_source() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let people = [EventKind::ClientAdded, EventKind::ClientUpdated];
        let audiences = [EventKind::AudienceCreated];
        let mut made = Vec::new();
        for new in [
            wanting(SOURCE, &people),
            wanting("other", &people),
            wanting(SOURCE, &audiences),
            wanting(NATIVE, &[EventKind::ClientAdded]),
            wanting(NATIVE, &[]),
        ] {
            let webhook = domain.webhook_create(&context("w"), new).await;
            made.push(webhook.expect("a webhook").1);
        }
        scene.linked().await;
        let claims = domain.webhook_claim(100).await.expect("claims");
        let told = |secret: &String| {
            let own = claims.iter().filter(|claim| claim.secrets[0] == *secret);
            let mut kinds: Vec<&str> = own.map(|claim| claim.event.kind.as_str()).collect();
            kinds.sort();
            kinds
        };
        let updated = "client.updated";
        assert_eq!(told(&made[0]), ["client.added", updated, updated]);
        assert_eq!(told(&made[1]), Vec::<&str>::new());
        assert_eq!(told(&made[2]), Vec::<&str>::new());
        assert_eq!(told(&made[3]), ["client.added"]);
        assert_eq!(told(&made[4]), ["client.added", updated, updated]);
        end(&house, scene.domain).await;
    }
}

/// Where nobody listens, nothing is kept of what happens.
#[tokio::test(flavor = "multi_thread")]
async fn linking_keeps_no_events_that_nobody_wants() {
    let house = House::sqlite();
    let scene = Scene::open(&house).await;
    let domain = &scene.domain;
    scene.linked().await;
    scene.write("1", "STOP").await;
    let made = domain
        .webhook_create(&context("w"), wanting(NATIVE, &[]))
        .await;
    let id = made.expect("a webhook").0.id;
    let replayed = domain.webhook_replay(&context("r"), id, 0).await;
    assert_eq!(replayed, Ok(0));
    end(&house, scene.domain).await;
}
