//! Integrations: what each kind needs, what is answered of it, who may touch it, and what goes with it.

use domain::{Detail, IntegrationChange};

use super::*;

async fn create(domain: &Domain, new: IntegrationNew) -> Result<Integration> {
    let made = domain.integration_create(&program(1), new).await?;
    Ok(made.0)
}

fn without(
    fields: &[(&'static str, &'static str)],
    name: &str,
) -> Vec<(&'static str, &'static str)> {
    let kept = fields.iter().filter(|(field, _)| *field != name);
    kept.copied().collect()
}

fn but(
    fields: &[(&'static str, &'static str)],
    name: &'static str,
    value: &'static str,
) -> Vec<(&'static str, &'static str)> {
    let mut fields = without(fields, name);
    fields.push((name, value));
    fields
}

fn webhook(dialect: &str) -> WebhookNew {
    WebhookNew {
        dialect: dialect.into(),
        url: "https://hooks.example.org/in".into(),
        events: vec![EventKind::ClientAdded],
        secret: None,
        integration: None,
        detail: Detail::default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_an_integration_answers_what_is_not_secret() {
    for house in House::each() {
        let domain = house.open().await;
        let new = IntegrationNew {
            display_name: Some("Mail".into()),
            ..of(IntegrationKind::Mailgun, MAILGUN)
        };
        let made = create(&domain, new).await.expect("is made");
        assert_eq!(made.kind, IntegrationKind::Mailgun);
        assert_eq!(made.display_name.as_deref(), Some("Mail"));
        assert_eq!((made.status.as_str(), made.created), ("active", START_MS));
        let shown = [
            ("domain", "mail.example.org"),
            ("incoming_address", "in@mail.example.org"),
        ];
        let shown = shown.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(made.fields, BTreeMap::from(shown));
        assert_eq!(made.secrets, ["api_key"]);
        assert!(!format!("{made:?}").contains("canary"));
        let got = domain.integration_get(&program(1).caller, made.id).await;
        assert_eq!(got.as_ref(), Ok(&made));
        let url = domain.hook_url(made.kind, &made.hook_token);
        assert!(url.ends_with(&format!("/hooks/mailgun/{}", made.hook_token)));
        // 190 bits, and no two alike.
        assert_eq!(made.hook_token.len(), 42);
        assert_ne!(made.hook_token, mailgun(&domain).await.hook_token);
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_an_integration_needs_what_its_kind_needs() {
    use IntegrationKind::{Custom, Mailgun, MessageBird, Twilio, WhatsApp};
    const BIRD: &[(&str, &str)] = &[
        ("access_key", "k"),
        ("signing_key", "s"),
        ("originator", "Shop"),
    ];
    for house in House::each() {
        let domain = house.open().await;
        let service = but(
            &without(TWILIO, "phone_number_sid"),
            "messaging_service_sid",
            "MG1",
        );
        for (kind, fields) in [
            (Mailgun, MAILGUN),
            (Mailgun, &but(MAILGUN, "signing_key", "s")),
            (Twilio, TWILIO),
            (Twilio, &service),
            (MessageBird, BIRD),
            (WhatsApp, &[]),
            (WhatsApp, &[("deployment_id", "d1"), ("token", "t")]),
            (Custom, &[]),
        ] {
            let made = create(&domain, of(kind, fields)).await;
            assert!(made.is_ok(), "{kind:?} {made:?}");
        }

        let before = seq(&domain).await;
        let long: &'static str = "x".repeat(1_025).leak();
        for (kind, fields, expected) in [
            (Mailgun, without(MAILGUN, "api_key"), "api_key required"),
            (Mailgun, without(MAILGUN, "domain"), "domain required"),
            (
                Mailgun,
                without(MAILGUN, "incoming_address"),
                "incoming_address required",
            ),
            (Mailgun, but(MAILGUN, "api_key", ""), "api_key malformed"),
            (Mailgun, but(MAILGUN, "api_key", long), "api_key malformed"),
            (
                Mailgun,
                but(MAILGUN, "api_key", "a\r\nb"),
                "api_key malformed",
            ),
            (
                Mailgun,
                but(MAILGUN, "api_key", "a\0b"),
                "api_key malformed",
            ),
            (Mailgun, but(MAILGUN, "domain", "a/b"), "domain malformed"),
            (Mailgun, but(MAILGUN, "domain", "../x"), "domain malformed"),
            (
                Mailgun,
                but(MAILGUN, "incoming_address", "nobody"),
                "incoming_address malformed",
            ),
            (Mailgun, but(MAILGUN, "auth_token", "t"), "fields unknown"),
            (Mailgun, but(MAILGUN, "hook_token", "t"), "fields unknown"),
            (
                Twilio,
                without(TWILIO, "phone_number_sid"),
                "phone_number_sid required",
            ),
            (Twilio, without(TWILIO, "auth_token"), "auth_token required"),
            (
                Twilio,
                but(TWILIO, "account_sid", "AC?1"),
                "account_sid malformed",
            ),
            (
                MessageBird,
                without(BIRD, "signing_key"),
                "signing_key required",
            ),
            (
                MessageBird,
                without(BIRD, "originator"),
                "originator required",
            ),
            (Custom, vec![("api_key", "k")], "fields unknown"),
        ] {
            let made = create(&domain, of(kind, &fields)).await;
            assert_eq!(refused(made), expected);
        }
        for name in ["", " ", "a\nb", &"x".repeat(101)] {
            let new = IntegrationNew {
                display_name: Some(name.into()),
                ..of(Mailgun, MAILGUN)
            };
            assert_eq!(
                refused(create(&domain, new).await),
                "display_name malformed"
            );
        }
        assert_eq!(seq(&domain).await, before, "nothing was stored");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_custom_integration_comes_with_its_webhooks() {
    for house in House::each() {
        let domain = house.open().await;
        let own = |secret: &str| WebhookNew {
            secret: Some(secret.into()),
            // Not another's: it is the integration's that is made.
            integration: Some(1),
            ..webhook("chat")
        };
        let new = IntegrationNew {
            webhooks: vec![own("0123456789abcdef"), webhook("chat")],
            ..of(IntegrationKind::Custom, &[])
        };
        let made = domain.integration_create(&program(1), new).await;
        let (made, webhooks) = made.expect("is made");
        assert_eq!(webhooks.len(), 2);
        assert_eq!(webhooks[0].1, "0123456789abcdef");
        assert!(webhooks[1].1.len() > 16 && webhooks[1].1 != webhooks[0].1);
        for (one, _) in &webhooks {
            assert_eq!(one.integration, Some(made.id));
        }
        let listed = domain
            .webhook_list(&program_of(made.id).caller, Some("chat"), 0, 10)
            .await;
        assert_eq!(listed.expect("lists").len(), 2);

        let before = seq(&domain).await;
        let wrong = async |kind, fields, webhooks| {
            let new = IntegrationNew {
                webhooks,
                ..of(kind, fields)
            };
            refused(create(&domain, new).await)
        };
        let bad = WebhookNew {
            url: "ftp://example.org".into(),
            ..webhook("chat")
        };
        let custom = IntegrationKind::Custom;
        assert_eq!(
            wrong(custom, &[], vec![webhook("chat"), bad]).await,
            "url malformed"
        );
        let short = own("short");
        assert_eq!(wrong(custom, &[], vec![short]).await, "secret malformed");
        let many = (0..11).map(|_| webhook("chat")).collect();
        assert_eq!(wrong(custom, &[], many).await, "webhooks too_many");
        let of_mail = wrong(IntegrationKind::Mailgun, MAILGUN, vec![webhook("chat")]).await;
        assert_eq!(of_mail, "webhooks unknown");
        let deaf = Context::new(caller(1, &[Scope::Integrations]), "deaf");
        let new = IntegrationNew {
            webhooks: vec![webhook("chat")],
            ..of(custom, &[])
        };
        let made_deaf = domain.integration_create(&deaf, new).await;
        assert_eq!(refused(made_deaf), "forbidden Scope(Webhooks)");
        let stray = WebhookNew {
            integration: Some(4_711),
            ..webhook("chat")
        };
        let stray = domain.webhook_create(&program(1), stray).await;
        assert_eq!(refused(stray), "no integration");
        assert_eq!(seq(&domain).await, before, "nothing was stored");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_integrations_are_listed_by_kind_and_cursor() {
    for house in House::each() {
        let domain = house.open().await;
        let mut ids = Vec::new();
        for turn in 0..6 {
            let made = match turn % 2 {
                0 => mailgun(&domain).await,
                _ => integration(&domain, of(IntegrationKind::Twilio, TWILIO)).await,
            };
            ids.push(made.id);
        }
        let list = async |kinds: &[IntegrationKind], page: CursorQuery| {
            let page = domain
                .integration_list(&program(1).caller, kinds, &page)
                .await
                .expect("lists");
            let found: Vec<i64> = page.items.iter().map(|one| one.id).collect();
            (found, page.has_before, page.has_after)
        };
        assert_eq!(list(&[], first(4)).await, (ids[..4].to_vec(), false, true));
        let next = list(&[], after(ids[3], 4)).await;
        assert_eq!(next, (ids[4..].to_vec(), true, false));
        let previous = list(&[], before(ids[4], 2)).await;
        assert_eq!(previous, (ids[2..4].to_vec(), true, true));
        let start = list(&[], before(ids[2], 2)).await;
        assert_eq!(start, (ids[..2].to_vec(), false, true));
        let mail = [IntegrationKind::Mailgun, IntegrationKind::Mailgun];
        assert_eq!(list(&mail, first(9)).await.0, [ids[0], ids[2], ids[4]]);
        let both = [IntegrationKind::Twilio, IntegrationKind::Mailgun];
        assert_eq!(list(&both, first(9)).await.0, ids);
        assert!(
            list(&[IntegrationKind::Custom], first(9))
                .await
                .0
                .is_empty()
        );
        for page in [first(0), first(101)] {
            let found = domain
                .integration_list(&program(1).caller, &[], &page)
                .await;
            assert_eq!(refused(found), "page size");
        }
        let both_ways = CursorQuery {
            before: Some(1),
            ..after(1, 1)
        };
        let found = domain
            .integration_list(&program(1).caller, &[], &both_ways)
            .await;
        assert_eq!(refused(found), "page both");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_an_integration_changes_and_keeps_what_it_needs() {
    for house in House::each() {
        let domain = house.open().await;
        let made = mailgun(&domain).await;
        house.clock.advance(SECOND);
        let update = async |name: Option<Option<&str>>, fields: &[(&str, Option<&str>)]| {
            let change = IntegrationChange {
                display_name: name.map(|name| name.map(str::to_owned)),
                fields: named(fields),
            };
            assert!(!format!("{change:?}").contains("mail"));
            domain
                .integration_update(&program(1), made.id, change)
                .await
        };
        let untouched = update(None, &[("domain", Some("mail.example.org"))]).await;
        assert_eq!(untouched.expect("is as it was"), made);

        let fields = [
            ("domain", Some("post.example.org")),
            ("signing_key", Some("canary-signing")),
        ];
        let changed = update(Some(Some("Post")), &fields).await.expect("changes");
        assert_eq!(changed.updated, START_MS + 1_000);
        assert_eq!(changed.display_name.as_deref(), Some("Post"));
        assert_eq!(changed.fields["domain"], "post.example.org");
        assert_eq!(changed.fields["incoming_address"], "in@mail.example.org");
        assert_eq!(changed.secrets, ["api_key", "signing_key"]);
        assert_eq!(changed.hook_token, made.hook_token);
        // A secret alone is a change too, though nothing of it is seen.
        house.clock.advance(SECOND);
        let changed = update(None, &[("api_key", Some("another"))]).await;
        assert_eq!(changed.expect("changes").updated, START_MS + 2_000);
        let cleared = update(Some(None), &[("signing_key", None), ("signing_key", None)]).await;
        let cleared = cleared.expect("changes");
        assert_eq!((cleared.display_name, cleared.secrets.len()), (None, 1));

        let before = seq(&domain).await;
        for (fields, expected) in [
            ([("api_key", None)], "api_key required"),
            ([("domain", Some(""))], "domain malformed"),
            (
                [("incoming_address", Some("x"))],
                "incoming_address malformed",
            ),
            ([("auth_token", None)], "fields unknown"),
        ] {
            assert_eq!(refused(update(None, &fields).await), expected);
        }
        assert_eq!(
            refused(update(Some(Some("")), &[]).await),
            "display_name malformed"
        );
        let missing = domain
            .integration_update(&program(1), 4_711, IntegrationChange::default())
            .await;
        assert_eq!(refused(missing), "no integration");
        assert_eq!(seq(&domain).await, before, "nothing was stored");

        // Of two that are each enough one may go, not both.
        let sms = integration(&domain, of(IntegrationKind::Twilio, TWILIO)).await;
        let update = async |fields: &[(&str, Option<&str>)]| {
            let change = IntegrationChange {
                display_name: None,
                fields: named(fields),
            };
            domain.integration_update(&program(1), sms.id, change).await
        };
        let gone = update(&[("phone_number_sid", None)]).await;
        assert_eq!(refused(gone), "phone_number_sid required");
        let swapped = [
            ("phone_number_sid", None),
            ("messaging_service_sid", Some("MG1")),
        ];
        assert!(update(&swapped).await.is_ok());
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_an_integration_goes_with_its_webhooks_keys_and_hook() {
    for house in House::each() {
        let domain = house.open().await;
        let new = IntegrationNew {
            webhooks: vec![webhook("chat")],
            ..of(IntegrationKind::Custom, &[])
        };
        let made = domain.integration_create(&program(1), new).await;
        let (made, _) = made.expect("is made");
        let key = domain
            .app_key_create(&program(1), "chat", "mine", "channels", Some(made.id))
            .await
            .expect("a key");
        let other = domain
            .app_key_create(&program(1), "chat", "mine", "", None)
            .await
            .expect("a key");
        let enter = async |key: &domain::CredentialSecret| {
            let (id, secret) = (&key.credential.client_id, &key.secret);
            domain
                .caller_by_key(domain::Mount::default(), "chat", id, secret)
                .await
        };
        assert!(enter(&key).await.is_ok());

        let gone = domain.integration_delete(&program(1), made.id).await;
        gone.expect("is deleted");
        assert_eq!(refused(enter(&key).await), "unauthenticated");
        assert!(enter(&other).await.is_ok(), "another's key stays");
        let caller = program(1).caller;
        assert_eq!(
            refused(domain.integration_get(&caller, made.id).await),
            "no integration"
        );
        let webhooks = domain.webhook_list(&caller, None, 0, 10).await;
        assert_eq!(webhooks.expect("lists"), []);
        let again = domain.integration_delete(&program(1), made.id).await;
        assert_eq!(refused(again), "no integration");
        let hook = domain.hook(IntegrationKind::Custom, &made.hook_token).await;
        assert_eq!(refused(hook), "no integration");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_hook_is_found_by_its_token_and_kind() {
    for house in House::each() {
        let domain = house.open().await;
        let made = mailgun(&domain).await;
        let hook = domain
            .hook(IntegrationKind::Mailgun, &made.hook_token)
            .await;
        let hook = hook.expect("is found");
        assert_eq!((hook.workspace, hook.integration), (1, made.id));
        assert_eq!(hook.fields["api_key"], "canary-api-key");
        assert_eq!(hook.fields["domain"], "mail.example.org");
        let twilio = domain.hook(IntegrationKind::Twilio, &made.hook_token).await;
        assert_eq!(refused(twilio), "no integration");
        for token in [
            "",
            "0",
            &made.hook_token.to_uppercase(),
            &made.hook_token[1..],
        ] {
            let found = domain.hook(IntegrationKind::Mailgun, token).await;
            assert_eq!(refused(found), "no integration", "{token}");
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_key_of_an_integration_sees_that_one_and_changes_none() {
    for house in House::each() {
        let domain = house.open().await;
        let (own, other) = (custom(&domain).await, custom(&domain).await);
        let program_of = program_of(own.id);
        let got = domain.integration_get(&program_of.caller, own.id).await;
        assert_eq!(got.expect("is seen").id, own.id);
        let got = domain.integration_get(&program_of.caller, other.id).await;
        assert_eq!(refused(got), "no integration");
        let list = async |kinds: &[IntegrationKind], page: CursorQuery| {
            let page = domain
                .integration_list(&program_of.caller, kinds, &page)
                .await
                .expect("lists");
            page.items.iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(list(&[], first(9)).await, [own.id]);
        assert!(list(&[], after(own.id, 9)).await.is_empty());
        assert!(list(&[], before(own.id, 9)).await.is_empty());
        assert!(list(&[IntegrationKind::Twilio], first(9)).await.is_empty());

        let before = seq(&domain).await;
        let context = &program_of;
        let change = IntegrationChange::default();
        for denied in [
            domain
                .integration_create(context, of(IntegrationKind::Custom, &[]))
                .await
                .map(drop),
            domain
                .integration_update(context, own.id, change)
                .await
                .map(drop),
            domain.integration_delete(context, own.id).await,
            domain
                .app_key_create(context, "chat", "mine", "", Some(own.id))
                .await
                .map(drop),
            domain
                .app_key_list(&context.caller, "chat", Some(own.id))
                .await
                .map(drop),
            domain
                .app_key_delete(context, "chat", Some(own.id), 1)
                .await,
        ] {
            assert_eq!(refused(denied), "forbidden Scope(Integrations)");
        }
        assert_eq!(seq(&domain).await, before, "nothing was stored");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_integrations_need_their_scope_and_every_structure() {
    for house in House::each() {
        let domain = house.open().await;
        let made = mailgun(&domain).await;
        let less = Context::new(caller(1, &[Scope::Channels, Scope::PeopleRead]), "less");
        let narrow = narrow();
        for (context, expected) in [
            (&less, "forbidden Scope(Integrations)"),
            (&narrow, "forbidden EveryStructure"),
        ] {
            let caller = &context.caller;
            for denied in [
                domain.integration_get(caller, made.id).await.map(drop),
                domain
                    .integration_list(caller, &[], &first(1))
                    .await
                    .map(drop),
                domain
                    .integration_create(context, of(IntegrationKind::Custom, &[]))
                    .await
                    .map(drop),
                domain
                    .integration_update(context, made.id, IntegrationChange::default())
                    .await
                    .map(drop),
                domain.integration_delete(context, made.id).await,
                domain.app_key_list(caller, "chat", None).await.map(drop),
                domain
                    .app_key_create(context, "chat", "mine", "", None)
                    .await
                    .map(drop),
                domain.app_key_delete(context, "chat", None, 1).await,
            ] {
                assert_eq!(refused(denied), expected);
            }
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_workspace_has_room_for_a_thousand_integrations() {
    for house in House::each() {
        let domain = house.open().await;
        let id = custom(&domain).await.id;
        close(domain).await;
        let copies = format!(
            "{MANY} INSERT INTO integration SELECT workspace_id, 1000000 + n, kind, display_name, fields, secrets, \
             status, hook_token, created, updated FROM integration, many WHERE id = {id}"
        );
        execute(&house, &copies);
        let domain = house.open().await;
        let before = seq(&domain).await;
        let full = create(&domain, of(IntegrationKind::Custom, &[])).await;
        assert_eq!(refused(full), "integration too_many");
        assert_eq!(seq(&domain).await, before, "nothing was stored");
        let gone = domain.integration_delete(&program(1), id).await;
        gone.expect("is deleted");
        let made = create(&domain, of(IntegrationKind::Custom, &[])).await;
        assert!(made.is_ok(), "there is room again");
        close(domain).await;
    }
}
