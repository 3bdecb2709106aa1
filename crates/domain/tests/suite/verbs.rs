//! What the verbs promise, on both engines: credentials and tokens, workspaces as walls, conflicts, idempotency, counts.

use std::time::Duration;

use crate::support::{House, close, context};
use domain::{
    AudienceNew, Caller, Context, CredentialNew, Denied, Domain, Error, Keyed, Kind, Mount,
    StructureNew, WorkspaceNew,
};

const DIALECTS: &[&str] = &["native", "shop"];

fn credential(dialect: &str, scopes: &str, structures: Option<Vec<i64>>) -> CredentialNew {
    CredentialNew {
        dialect: dialect.into(),
        name: "one".into(),
        scopes: scopes.into(),
        structures,
        expires: None,
        keep_secret: false,
    }
}

async fn structure(domain: &Domain, context: &Context, name: &str) -> i64 {
    let new = StructureNew::new(name);
    domain
        .structure_create(context, new)
        .await
        .expect("a structure")
        .id
}

async fn audience(domain: &Domain, context: &Context, structure: i64, name: &str) -> i64 {
    let new = AudienceNew::new(structure, name);
    domain
        .audience_create(context, new)
        .await
        .expect("an audience")
        .id
}

async fn add(
    domain: &Domain,
    context: &Context,
    audience: i64,
    identifiers: &[(Kind, &str)],
) -> domain::MemberOutcome {
    let mut batch = domain
        .batch(&context.caller, identifiers.len())
        .await
        .expect("a batch");
    for (kind, value) in identifiers {
        batch.push(*kind, "", value);
    }
    domain
        .member_add(context, audience, batch.finish())
        .await
        .expect("is added")
}

/// Adds one person by several identifiers.
async fn add_person(
    domain: &Domain,
    audience: i64,
    identifiers: &[(Kind, &str)],
) -> domain::MemberOutcome {
    let mut batch = domain
        .batch(&context("").caller, identifiers.len())
        .await
        .expect("a batch");
    for (kind, value) in identifiers {
        batch.identifier(*kind, "", value).expect("is valid");
    }
    batch.end_person();
    domain
        .member_add(&context("add"), audience, batch.finish())
        .await
        .expect("is added")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_credential_ends_here_at_once_and_elsewhere_within_five_seconds() {
    for house in House::each() {
        let domain = house.open().await;
        let other = if house.engine() == "postgres" {
            Some(house.open_as("two").await)
        } else {
            None
        };
        let made = domain
            .credential_create(&context("c"), credential("shop", "", None), DIALECTS)
            .await
            .expect("a credential");
        let (id, secret) = (made.credential.client_id.clone(), made.secret.clone());
        let issue = async |domain: &Domain| {
            domain
                .token_issue(Mount::default(), "shop", &id, &secret)
                .await
        };
        let token = issue(&domain).await.expect("a token").token;
        let ask = async |domain: &Domain| {
            domain
                .caller_by_access_token(Mount::default(), "shop", &token)
                .await
        };
        assert!(ask(&domain).await.is_ok());
        if let Some(other) = &other {
            assert!(
                ask(other).await.is_ok(),
                "a token of one process is good at another"
            );
        }
        domain
            .credential_revoke(&context("r"), made.credential.id)
            .await
            .expect("is revoked");
        assert!(matches!(ask(&domain).await, Err(Error::Unauthenticated(_))));
        assert!(matches!(
            issue(&domain).await,
            Err(Error::Unauthenticated(_))
        ));
        house.clock.advance(Duration::from_millis(4_900));
        if let Some(other) = other {
            assert!(matches!(ask(&other).await, Err(Error::Unauthenticated(_))));
            close(other).await;
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_refused_for_a_wrong_secret_dialect_mount_or_time() {
    for house in House::each() {
        let domain = house.open().await;
        let made = domain
            .credential_create(&context("c"), credential("shop", "", None), DIALECTS)
            .await
            .expect("a credential");
        let other = domain
            .credential_create(&context("c"), credential("shop", "", None), DIALECTS)
            .await
            .expect("a credential");
        let id = made.credential.client_id.as_str();
        let here = Mount::default();
        let refused = async |mount, dialect, id, secret: &str| {
            matches!(
                domain.token_issue(mount, dialect, id, secret).await,
                Err(Error::Unauthenticated(_))
            )
        };
        assert!(
            refused(here, "shop", id, &other.secret).await,
            "another client's secret"
        );
        assert!(refused(here, "shop", id, "thr_guess").await);
        assert!(refused(here, "shop", "000000010100000000ffff", &made.secret).await);
        assert!(
            refused(here, "native", id, &made.secret).await,
            "another dialect"
        );
        assert!(
            refused(Mount { workspace: Some(2) }, "shop", id, &made.secret).await,
            "another mount"
        );
        let token = domain
            .token_issue(here, "shop", id, &made.secret)
            .await
            .expect("a token");
        assert_eq!(token.expires_in_s, 900);
        house.clock.advance(Duration::from_secs(899));
        assert!(
            domain
                .caller_by_access_token(here, "shop", &token.token)
                .await
                .is_ok()
        );
        house.clock.advance(Duration::from_secs(1));
        assert!(
            domain
                .caller_by_access_token(here, "shop", &token.token)
                .await
                .is_err()
        );
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_gives_no_more_than_its_maker_has() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (
            structure(&domain, &context("s"), "one").await,
            structure(&domain, &context("s"), "two").await,
        );
        let make =
            async |context: &Context, new| domain.credential_create(context, new, DIALECTS).await;
        let made = make(
            &context("c"),
            credential("native", "admin", Some(vec![one])),
        )
        .await
        .expect("a credential");
        let caller = domain
            .caller_by_api_token(Mount::default(), &made.secret)
            .await
            .expect("a caller");
        let limited = Context::new(caller, "limited");
        let inherited = make(&limited, credential("shop", "", None))
            .await
            .expect("a credential");
        assert_eq!(
            inherited.credential.structures,
            Some(vec![one]),
            "every structure means every one of the maker's"
        );
        let beyond = make(&limited, credential("shop", "", Some(vec![two]))).await;
        assert!(matches!(beyond, Err(Error::Forbidden(_))));
        let installation = make(&limited, credential("native", "installation", None)).await;
        assert!(matches!(installation, Err(Error::Forbidden(_))));
        let unknown = make(&context("c"), credential("shop", "", Some(vec![99]))).await;
        assert!(matches!(unknown, Err(Error::Invalid(field)) if field.name == "structures"));
        let dialect = make(&context("c"), credential("fax", "", None)).await;
        assert!(matches!(dialect, Err(Error::Invalid(field)) if field.name == "dialect"));
        let ours = audience(&domain, &context("a"), two, "outside").await;
        let get = domain.audience_get(&limited.caller, ours).await;
        assert!(matches!(get, Err(Error::Forbidden(_))));
        let everybodys = Err(Error::Forbidden(Denied::EveryStructure));
        let listed = domain.credential_list(&limited.caller, 0, 10).await;
        assert_eq!(listed.map(drop), everybodys, "credentials");
        let revoked = domain.credential_revoke(&limited, made.credential.id).await;
        assert_eq!(revoked, everybodys, "revocation");
        let activity = domain.activity_list(&limited.caller, None, 10).await;
        assert_eq!(activity.map(drop), everybodys, "activity");
        let conflicts = domain.conflict_list(&limited.caller, 0, 10).await;
        assert_eq!(conflicts.map(drop), everybodys, "conflicts");
        let structures = domain
            .structure_list(&limited.caller, 0, 10)
            .await
            .expect("a list");
        assert_eq!(
            structures.iter().map(|one| one.id).collect::<Vec<_>>(),
            [one]
        );
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_are_walls() {
    for house in House::each() {
        let domain = house.open().await;
        // A workspace that another process makes is served at its first use.
        let maker = if house.engine() == "postgres" {
            house.open_as("two").await
        } else {
            domain.clone()
        };
        let new = WorkspaceNew {
            slug: "acme".into(),
            name: "Acme".into(),
            keep_identifiers: false,
        };
        let acme = maker
            .workspace_create(&Caller::server(1), new.clone())
            .await
            .expect("a workspace")
            .id;
        assert!(matches!(
            maker.workspace_create(&Caller::server(1), new).await,
            Err(Error::AlreadyExists(_))
        ));
        let theirs = Context::new(Caller::server(acme), "theirs");
        let shop = structure(&domain, &theirs, "shop").await;
        let list = audience(&domain, &theirs, shop, "list").await;
        add(&domain, &theirs, list, &[(Kind::Email, "a@example.org")]).await;
        assert!(matches!(
            domain.audience_get(&context("").caller, list).await,
            Err(Error::NotFound(_))
        ));
        assert!(matches!(
            domain.member_empty(&context("e"), list).await,
            Err(Error::NotFound(_))
        ));
        assert!(
            domain
                .audience_list(&context("").caller, None, 0, 10)
                .await
                .expect("a list")
                .is_empty()
        );
        // The same address gives another key behind another wall.
        let ours = structure(&domain, &context("s"), "ours").await;
        let mine = audience(&domain, &context("a"), ours, "list").await;
        let question = domain.question(&context("").caller, 1).await;
        let mut question = question.expect("a question");
        question
            .identifier(Kind::Email, "", "a@example.org")
            .expect("is valid");
        question.end_person();
        let contains = domain
            .member_contains(&context("").caller, mine, question.finish())
            .await
            .expect("an answer");
        assert_eq!(contains, [false]);
        let counted = domain
            .audience_get(&theirs.caller, list)
            .await
            .expect("a count");
        assert_eq!(counted.counts.people, 1);
        if house.engine() == "postgres" {
            close(maker).await;
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_that_turn_out_to_share_an_identifier_are_listed_and_stay_two() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain, &context("s"), "shop").await;
        let list = audience(&domain, &context("a"), shop, "list").await;
        let sha256 = "836f82db99121b3481011f16b49dfa5fbc714a0d1b1b9f784a1ebbbf5b39577f";
        let md5 = "e13743a7f1db7f4246badd6fd6ff54ff";
        add(&domain, &context("a"), list, &[(Kind::Email, md5)]).await;
        add(&domain, &context("a"), list, &[(Kind::Email, sha256)]).await;
        let john = "375320dd9ae7ed408b00cd66ee9dd8c01ae0ac1a8e3cbd1ecd2f5e2ec5e9d6d0";
        assert_eq!(
            add(&domain, &context("a"), list, &[(Kind::Email, john)])
                .await
                .added,
            1
        );
        // The plain address has the key of its own SHA-256, which nobody holds, and that of its MD5, which somebody does.
        assert_eq!(
            add(
                &domain,
                &context("a"),
                list,
                &[(Kind::Email, "john.doe@gmail.com")]
            )
            .await
            .added,
            0
        );
        assert!(
            domain
                .conflict_list(&context("").caller, 0, 10)
                .await
                .expect("a list")
                .is_empty()
        );
        // A phone that one person holds comes in with another person's address.
        add_person(&domain, list, &[(Kind::Phone, "+4915112345678")]).await;
        let clash = add_person(
            &domain,
            list,
            &[
                (Kind::Phone, "+4915112345678"),
                (Kind::Email, "john.doe@gmail.com"),
            ],
        )
        .await;
        assert_eq!((clash.added, clash.conflicts), (0, 1));
        add_person(
            &domain,
            list,
            &[
                (Kind::Phone, "+4915112345678"),
                (Kind::Email, "john.doe@gmail.com"),
            ],
        )
        .await;
        let conflicts = domain
            .conflict_list(&context("").caller, 0, 10)
            .await
            .expect("a list");
        assert_eq!(conflicts.len(), 1);
        assert_eq!(
            (conflicts[0].times, conflicts[0].kind.as_str()),
            (2, "phone")
        );
        assert_eq!(
            domain
                .audience_get(&context("").caller, list)
                .await
                .expect("a count")
                .counts
                .people,
            4
        );
        // Whoever asks to be out is out under every number.
        let mut batch = domain.batch(&context("").caller, 2).await.expect("a batch");
        batch
            .identifier(Kind::Phone, "", "+4915112345678")
            .expect("is valid");
        batch
            .identifier(Kind::Email, "", "john.doe@gmail.com")
            .expect("is valid");
        let outcome = domain
            .member_remove(&context("r"), list, batch.finish())
            .await
            .expect("is removed");
        assert_eq!(outcome.removed, 2);
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_tell_people_those_with_an_address_and_those_known_otherwise_too() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain, &context("s"), "shop").await;
        let list = audience(&domain, &context("a"), shop, "list").await;
        add(
            &domain,
            &context("a"),
            list,
            &[
                (Kind::Email, "a@example.org"),
                (Kind::Phone, "+4915112345678"),
            ],
        )
        .await;
        add_person(
            &domain,
            list,
            &[
                (Kind::Email, "b@example.org"),
                (Kind::Phone, "+4915112345679"),
            ],
        )
        .await;
        let counts = domain
            .audience_get(&context("").caller, list)
            .await
            .expect("a count")
            .counts;
        assert_eq!(
            (counts.people, counts.with_email, counts.with_email_matched),
            (3, 2, 1)
        );
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_answers_again_for_a_day() {
    for house in House::each() {
        let domain = house.open().await;
        let keyed =
            |body: &str| Some(Keyed::new("k-1", &[b"POST", body.as_bytes()]).expect("a key"));
        let make = async |body: &str, name: &str| {
            let new = StructureNew::new(name);
            domain
                .structure_create(&context("s").keyed(keyed(body)), new)
                .await
        };
        let first = make("a", "shop").await.expect("a structure");
        let again = make("a", "shop").await.expect("the same answer");
        assert_eq!(first, again);
        assert_eq!(make("b", "shop").await, Err(Error::KeyReused));
        let structures = async || {
            domain
                .structure_list(&context("").caller, 0, 10)
                .await
                .expect("a list")
                .len()
        };
        assert_eq!(structures().await, 1);
        house.clock.advance(Duration::from_secs(24 * 3_600 + 1));
        assert_ne!(
            make("b", "shop").await.expect("the key is forgotten").id,
            first.id
        );
        assert_eq!(structures().await, 2);
        let seq = async || domain.store().head_seq(1).await.expect("a head");
        let before = seq().await;
        domain.idempotency_sweep(1).await.expect("sweeps");
        assert_eq!(seq().await, before, "nothing to forget, nothing logged");
        house.clock.advance(Duration::from_secs(24 * 3_600 + 1));
        domain.idempotency_sweep(1).await.expect("sweeps");
        assert_eq!(seq().await, before + 1);
        // What is kept is sealed: a new credential's secret does not stand in the database.
        let keyed = Keyed::new("k-2", &[b"x"]).expect("a key");
        let new = credential("native", "", None);
        let made = domain
            .credential_create(
                &context("c").keyed(Some(keyed.clone())),
                new.clone(),
                DIALECTS,
            )
            .await
            .expect("a credential");
        let again = domain
            .credential_create(&context("c").keyed(Some(keyed)), new, DIALECTS)
            .await
            .expect("the same answer");
        assert_eq!(made, again);
        close(domain).await;
        if house.engine() == "sqlite" {
            let wal = std::fs::read(house.path().join("throng.db-wal")).unwrap_or_default();
            let file = std::fs::read(house.path().join("throng.db")).expect("a file");
            for bytes in [wal, file] {
                assert!(
                    !bytes
                        .windows(made.secret.len())
                        .any(|window| window == made.secret.as_bytes())
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_values_are_refused_before_anything_is_stored() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain, &context("s"), "shop").await;
        let before = domain.store().head_seq(1).await.expect("a head");
        let long = "x".repeat(256);
        for name in ["", "  ", "a\u{7}b", &long] {
            let new = AudienceNew::new(shop, name);
            assert!(
                matches!(
                    domain.audience_create(&context("a"), new).await,
                    Err(Error::Invalid(_))
                ),
                "{name:?}"
            );
        }
        let new = AudienceNew::new(99, "a");
        assert!(matches!(
            domain.audience_create(&context("a"), new).await,
            Err(Error::Forbidden(_))
        ));
        assert!(matches!(
            domain.audience_delete(&context("d"), 99).await,
            Err(Error::NotFound(_))
        ));
        assert!(
            matches!(
                domain.audience_delete(&context("d"), shop).await,
                Err(Error::NotFound(_))
            ),
            "a structure"
        );
        assert!(domain.batch(&context("").caller, 50_001).await.is_err());
        assert!(domain.batch(&context("").caller, 50_000).await.is_ok());
        assert_eq!(domain.store().head_seq(1).await.expect("a head"), before);
        close(domain).await;
    }
}
