//! What one workspace has, no other sees; and what is secret or was said cannot be read in the database.

use domain::{IntegrationChange, Notice, ParticipantRef};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_two_workspaces_never_see_each_others() {
    for house in House::each() {
        let domain = house.open().await;
        let other = other_workspace(&domain).await;
        record(&domain, "bob").await;
        let ann = record(&domain, "ann").await;
        let own = group(&domain, &[&ann]).await;
        let message = said(&domain, &own, "hello").await;
        let (mail, custom) = (mailgun(&domain).await, custom(&domain).await);
        let key = domain
            .app_key_create(&program(1), "chat", "mine", "", Some(custom.id))
            .await
            .expect("a key");
        let participant = super::conversations::participants(&domain, &own).await[0].id;

        // Their own record of the same reference is somebody else; ids are counted from the start again.
        let theirs = record_in(&domain, other, "ann").await;
        let context = program(other);
        let caller = &context.caller;
        let before = domain.store().head_seq(1).await.expect("a head");
        let who = || RecordRef::Id(ann.id);
        let change = IntegrationChange::default();
        for missing in [
            domain.integration_get(caller, mail.id).await.map(drop),
            domain
                .integration_update(&context, mail.id, change)
                .await
                .map(drop),
            domain.integration_delete(&context, mail.id).await,
            domain
                .app_key_list(caller, "chat", Some(custom.id))
                .await
                .map(drop),
            domain
                .app_key_create(&context, "chat", "mine", "", Some(custom.id))
                .await
                .map(drop),
            domain
                .app_key_delete(&context, "chat", Some(custom.id), key.credential.id)
                .await,
        ] {
            assert_eq!(refused(missing), "no integration");
        }
        let change = domain::ConversationChange::default();
        for missing in [
            domain.conversation_get(caller, own.id).await.map(drop),
            domain
                .conversation_update(&context, own.id, change)
                .await
                .map(drop),
            domain.conversation_delete(&context, own.id).await,
            domain
                .conversation_notice(&context, SOURCE, own.id, None, Notice::Read)
                .await,
            domain
                .participant_list(caller, own.id, &first(1))
                .await
                .map(drop),
            domain
                .participant_join(&context, SOURCE, own.id, RecordRef::Id(theirs.id), false)
                .await
                .map(drop),
            domain
                .participant_leave(&context, SOURCE, own.id, ParticipantRef::Id(participant))
                .await,
            domain
                .message_post(&context, SOURCE, own.id, says(business(), text("hello")))
                .await
                .map(drop),
            domain
                .message_list(caller, own.id, &first(1))
                .await
                .map(drop),
            domain.message_delete(&context, own.id, message.id).await,
            domain.messages_delete(&context, own.id).await,
        ] {
            assert_eq!(refused(missing), "no conversation");
        }
        assert_ne!(ann.id, theirs.id, "or the next would say nothing");
        let new = with(ConversationKind::Personal, &[&ann]);
        let made = domain.conversation_create(&context, SOURCE, new).await;
        assert_eq!(refused(made), "no record");
        let listed = domain
            .conversation_list(caller, SOURCE, who(), &first(1))
            .await;
        assert_eq!(refused(listed), "no record");
        let listed = domain
            .conversation_list(
                caller,
                SOURCE,
                RecordRef::Reference("ann".into()),
                &first(1),
            )
            .await;
        assert_eq!(listed.expect("lists").items, []);
        let listed = domain.integration_list(caller, &[], &first(9)).await;
        assert_eq!(listed.expect("lists").items, []);
        let keys = domain.app_key_list(caller, "chat", None).await;
        assert_eq!(keys.expect("lists"), []);
        let now = domain.store().head_seq(1).await.expect("a head");
        assert_eq!(now, before, "nothing was stored here");

        // The hook of each leads to its own.
        let hook = domain.hook(mail.kind, &mail.hook_token).await;
        assert_eq!(hook.expect("is found").workspace, 1);
        close(domain).await;
        verified(&house);
    }
}

/// Everything in a house's folder, or its database, as bytes.
fn bytes(house: &House) -> Vec<u8> {
    match &house.url {
        store::DatabaseUrl::Sqlite { .. } => {
            let entries = std::fs::read_dir(house.path()).expect("a folder");
            let paths = entries.map(|entry| entry.expect("an entry").path());
            let mut paths: Vec<_> = paths.collect();
            // The log goes, once everything in it is in the file: the file is read last.
            paths.sort_by_key(|path| std::cmp::Reverse(path.as_os_str().len()));
            let files = paths
                .into_iter()
                .filter_map(|path| std::fs::read(path).ok());
            files.flatten().collect()
        }
        store::DatabaseUrl::Postgres(url) => tokio::task::block_in_place(|| rows(url)),
    }
}

/// All rows of the tables that this is about, as text; bytes are hexadecimal in it, so they are written as bytes too.
fn rows(url: &str) -> Vec<u8> {
    let mut client = postgres::Client::connect(url, postgres::NoTls).expect("answers");
    let mut found = Vec::new();
    for table in [
        "integration",
        "integration_hook",
        "conversation",
        "participant",
        "message",
        "credential",
        "token_lookup",
        "activity",
        "event",
        "outbox",
        "change",
    ] {
        let rows = client
            .simple_query(&format!("SELECT t::text FROM \"{table}\" t"))
            .expect("is read");
        for row in rows {
            if let postgres::SimpleQueryMessage::Row(row) = row {
                let text = row.get(0).unwrap_or_default();
                found.extend_from_slice(text.as_bytes());
                for part in text.split("\\x").skip(1) {
                    let hex: Vec<u8> = part.bytes().take_while(u8::is_ascii_hexdigit).collect();
                    found.extend(hex.chunks_exact(2).filter_map(|pair| {
                        u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
                    }));
                }
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_secrets_and_messages_cannot_be_read_in_the_database() {
    for house in House::each() {
        let domain = house.open().await;
        listen(&domain).await;
        let mail = mailgun(&domain).await;
        let sms = integration(&domain, of(IntegrationKind::Twilio, TWILIO)).await;
        let change = IntegrationChange {
            display_name: Some(Some("Plain to see".into())),
            fields: named(&[("signing_key", Some("canary-signing"))]),
        };
        let changed = domain
            .integration_update(&program(1), mail.id, change)
            .await;
        changed.expect("changes");
        let key = domain
            .app_key_create(&program(1), "chat", "mine", "", None)
            .await
            .expect("a key");
        let ann = record(&domain, "ann").await;
        let own = personal(&domain, &ann).await;
        let persona = Persona {
            display_name: Some("canary-persona".into()),
            avatar_url: Some("https://example.org/canary-avatar".into()),
        };
        let new = MessageNew {
            metadata: Some(r#"{"a":"canary-metadata"}"#.into()),
            ..says(AuthorRef::Business(persona), text("canary-said"))
        };
        post(&domain, &own, new).await.expect("is posted");
        let image = Content::Image {
            url: "https://example.org/canary-image".into(),
            alt: Some("canary-alt".into()),
            text: None,
            links: Vec::new(),
        };
        post(&domain, &own, says(by(&ann), image))
            .await
            .expect("is posted");
        let secret_update = domain.integration_get(&program(1).caller, sms.id).await;
        assert_eq!(secret_update.expect("is there").secrets, ["auth_token"]);
        close(domain).await;

        let bytes = bytes(&house);
        let has = |text: &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        assert!(has("Plain to see"), "the right bytes were read");
        assert!(has("mail.example.org"));
        for secret in [&mail.hook_token, &sms.hook_token, &key.secret] {
            assert!(!has(secret), "{}", house.engine());
        }
        assert!(!has("canary"), "{}", house.engine());
    }
}
