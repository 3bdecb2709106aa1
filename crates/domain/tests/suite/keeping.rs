//! Backup, restore and verification, from each engine to each engine.

use crate::support::{House, close, context};
use domain::{
    AccountNew, AccountView, AudienceNew, ConsentNew, Domain, Entrance, GroupNew, GroupRef, Kind,
    Money, Mount, StructureNew, Visit, Webhook, WebhookNew,
};
use store::{DataFolder, DatabaseUrl};

/// Two audiences with history: added, checkpointed, removed, one deleted. Answers the one that stays.
async fn fill(domain: &Domain) -> i64 {
    let new = StructureNew::new("shop");
    let structure = domain
        .structure_create(&context("s"), new)
        .await
        .expect("a structure")
        .id;
    let mut ids = Vec::new();
    for name in ["keep", "drop"] {
        let new = AudienceNew {
            description: Some("é".into()),
            ..AudienceNew::new(structure, name)
        };
        let id = domain
            .audience_create(&context("a"), new)
            .await
            .expect("an audience")
            .id;
        for turn in 0..3 {
            let mut batch = domain
                .batch(&context("").caller, 5_000)
                .await
                .expect("a batch");
            for i in 0..5_000 {
                batch.push(
                    Kind::Email,
                    "",
                    &format!("person{}@example.org", turn * 3_000 + i),
                );
            }
            domain
                .member_add(&context("add"), id, batch.finish())
                .await
                .expect("is added");
        }
        ids.push(id);
        tokio::task::block_in_place(|| domain.store().checkpoint_now(1)).expect("a checkpoint");
    }
    let mut batch = domain.batch(&context("").caller, 1).await.expect("a batch");
    batch.push(Kind::Email, "", "person7@example.org");
    domain
        .member_remove(&context("remove"), ids[0], batch.finish())
        .await
        .expect("is removed");
    let webhook = WebhookNew {
        dialect: "native".into(),
        url: "https://example.org/hook".into(),
        events: Vec::new(),
        secret: None,
        integration: None,
        detail: domain::Detail::default(),
    };
    domain
        .webhook_create(&context("w"), webhook)
        .await
        .expect("a webhook");
    // Its event waits for the webhook.
    domain
        .audience_delete(&context("delete"), ids[1])
        .await
        .expect("is deleted");
    account(domain).await;
    ids[0]
}

/// An invited account in a group, which has agreed to a policy; its mail waits in the outbox.
async fn account(domain: &Domain) {
    let group = GroupNew {
        title: "Staff".into(),
        ..GroupNew::default()
    };
    let group = domain
        .group_create(&context("g"), group)
        .await
        .expect("a group");
    let new = AccountNew {
        groups: vec![GroupRef::Id(group.id)],
        budget: Money::from_thousandths(1_500),
        ..AccountNew::of("ann@example.org")
    };
    let made = domain
        .account_create(&context("i"), new, Entrance::Invitation)
        .await
        .expect("an account");
    let consent = ConsentNew {
        account: made.account.id,
        email: "ann@example.org".into(),
        version: "1.0.0".into(),
        agreed: true,
        channel: None,
        consented: None,
    };
    let visit = Visit::new(Mount::default(), "c", None);
    domain
        .consent_put(&visit, consent)
        .await
        .expect("a consent");
}

/// What [`account`] made, as somebody sees it.
async fn account_kept(domain: &Domain) -> (Vec<AccountView>, u64, usize, Vec<Webhook>) {
    let caller = context("").caller;
    let outbox = domain
        .outbox_list(&caller, None, None, 10)
        .await
        .expect("lists");
    let mail = domain
        .outbox_get(&caller, outbox[0].id)
        .await
        .expect("shows");
    assert!(mail.text.is_some_and(|text| text.text.contains("token=")));
    (
        domain.account_export(&caller, 0).await.expect("reads"),
        domain.policy_people(&caller, "1.0.0").await.expect("reads"),
        outbox.len(),
        domain
            .webhook_list(&caller, None, 0, 10)
            .await
            .expect("lists"),
    )
}

async fn people(domain: &Domain, audience: i64) -> (u64, String) {
    let found = domain
        .audience_get(&context("").caller, audience)
        .await
        .expect("an audience");
    (found.counts.people, found.audience.name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_beside_the_server_restores_into_either_engine() {
    for from in House::each() {
        let domain = from.open().await;
        let kept = fill(&domain).await;
        let accounts = account_kept(&domain).await;
        let out = from.path().join("backup.db");
        let report = tokio::task::block_in_place(|| store::backup(&from.url, &out, &mut |_, _| {}))
            .expect("backs up");
        assert!(report.rows > 10 && report.bytes > 100_000, "{report:?}");
        let again = tokio::task::block_in_place(|| store::backup(&from.url, &out, &mut |_, _| {}));
        assert!(again.is_err(), "an existing file is not overwritten");
        close(domain).await;
        for to in House::each() {
            let folder = DataFolder::open(&to.path()).expect("the folder opens");
            std::fs::copy(from.path().join("master.key"), to.path().join("master.key"))
                .expect("copies the key");
            let restore = || store::restore(&folder, &to.url, &out, 1, &mut |_, _| {});
            let restored = tokio::task::block_in_place(restore).expect("restores");
            assert_eq!(
                (restored.rows, restored.master_key_present),
                (report.rows, true)
            );
            assert!(
                tokio::task::block_in_place(restore).is_err(),
                "a database with data is not overwritten"
            );
            drop(folder);
            let domain = to.open().await;
            assert_eq!(
                people(&domain, kept).await,
                (10_999, "keep".into()),
                "{} to {}",
                from.engine(),
                to.engine()
            );
            assert_eq!(account_kept(&domain).await, accounts);
            let deliveries = domain.webhook_claim(10).await.expect("claims");
            assert_eq!(deliveries.len(), 1, "the secret opens, the event is there");
            assert_eq!(domain.store().installation().restore_epoch, 1);
            close(domain).await;
            let report = tokio::task::block_in_place(|| {
                store::verify(&to.path(), &to.url, &mut |_, _, _| {})
            });
            let report = report.expect("verifies");
            assert_eq!(report.findings, Vec::<String>::new());
            assert_eq!(report.identifiers, report.keys, "every identifier opens");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_finds_what_was_altered_behind_the_servers_back() {
    let tampers = [
        (
            "UPDATE change SET actor = actor + 1 WHERE seq = 4",
            "altered",
        ),
        (
            "UPDATE change_set SET added = removed WHERE seq = 4",
            "altered",
        ),
        ("DELETE FROM change WHERE seq = 5", "cannot be followed"),
        (
            "DELETE FROM key_block WHERE block_no = 1",
            "cannot be followed",
        ),
        (
            "UPDATE snapshot SET bytes = substr(bytes, 1, 10) WHERE set_id > 0",
            "snapshot",
        ),
        ("UPDATE head SET next_person = 1", "again"),
        (
            "DELETE FROM audience WHERE kind <> 'structure'",
            "belongs to no audience",
        ),
        ("UPDATE consent SET agreed = 0", "agreed to policy"),
        ("UPDATE account_group SET members = 7", "number of members"),
        ("DELETE FROM account", "is no account"),
        (
            "UPDATE identifier_block SET bytes = substr(bytes, 2)",
            "identifier block",
        ),
    ];
    for house in House::each() {
        let domain = house.open().await;
        fill(&domain).await;
        close(domain).await;
        let verify = || {
            tokio::task::block_in_place(|| {
                store::verify(&house.path(), &house.url, &mut |_, _, _| {})
            })
        };
        assert_eq!(verify().expect("verifies").findings, Vec::<String>::new());
        for (tamper, word) in tampers {
            altered(&house, tamper, || {
                let report = verify().expect("reports");
                assert!(
                    report.findings.iter().any(|finding| finding.contains(word)),
                    "{tamper}: {:?}",
                    report.findings
                );
            });
        }
        assert_eq!(verify().expect("verifies").findings, Vec::<String>::new());
    }
}

/// Runs a statement, looks, and puts the database back.
pub fn altered(house: &House, statement: &str, look: impl Fn()) {
    match &house.url {
        DatabaseUrl::Sqlite { path, .. } => {
            let copy = path.with_extension("copy");
            let database = rusqlite::Connection::open(path).expect("opens");
            database
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                .expect("checkpoints");
            std::fs::copy(path, &copy).expect("copies");
            assert!(
                database.execute(statement, []).expect("runs") > 0,
                "{statement}"
            );
            drop(database);
            look();
            std::fs::rename(copy, path).expect("puts back");
        }
        DatabaseUrl::Postgres(url) => tokio::task::block_in_place(|| {
            let (base, name) = url.rsplit_once('/').expect("a database");
            let mut admin = postgres::Client::connect(&format!("{base}/postgres"), postgres::NoTls)
                .expect("connects");
            admin
                .batch_execute(&format!("CREATE DATABASE \"{name}x\" TEMPLATE \"{name}\""))
                .expect("copies");
            let mut client = postgres::Client::connect(url, postgres::NoTls).expect("connects");
            assert!(
                client.execute(statement, &[]).expect("runs") > 0,
                "{statement}"
            );
            drop(client);
            look();
            let swap = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
            admin.batch_execute(&swap).expect("drops");
            admin
                .batch_execute(&format!("ALTER DATABASE \"{name}x\" RENAME TO \"{name}\""))
                .expect("puts back");
        }),
    }
}
