//! Tests that need the inside of the crate: every statement on both engines, the order of parameters, the log's limits.

use std::path::Path;

use crate::{
    account, account_group, activity, audience, change, checkpoint, client,
    connection::{Connection, Mode},
    consent, conversation, credential, event, fill,
    folder::DatabaseUrl,
    head, idempotency, identity, installation, integration, job, keys, ledger, manager, message,
    migrations, outbox, participant, rebuild, record, session, throttle,
    value::{Param, Value},
    verify, verify_rows, webhook, workspace,
};

const STATEMENTS: &[(&str, &[&str])] = &[
    ("account", account::STATEMENTS),
    ("account_group", account_group::STATEMENTS),
    ("activity", activity::STATEMENTS),
    ("audience", audience::STATEMENTS),
    ("change", change::STATEMENTS),
    ("checkpoint", checkpoint::STATEMENTS),
    ("rebuild", rebuild::STATEMENTS),
    ("client", client::STATEMENTS),
    ("consent", consent::STATEMENTS),
    ("conversation", conversation::STATEMENTS),
    ("credential", credential::STATEMENTS),
    ("event", event::STATEMENTS),
    ("fill", fill::STATEMENTS),
    ("head", head::STATEMENTS),
    ("idempotency", idempotency::STATEMENTS),
    ("identity", identity::STATEMENTS),
    ("installation", installation::STATEMENTS),
    ("integration", integration::STATEMENTS),
    ("job", job::STATEMENTS),
    ("keys", keys::STATEMENTS),
    ("ledger", ledger::STATEMENTS),
    ("manager", manager::STATEMENTS),
    ("message", message::STATEMENTS),
    ("migrations", migrations::STATEMENTS),
    ("participant", participant::STATEMENTS),
    ("record", record::STATEMENTS),
    ("session", session::STATEMENTS),
    ("throttle", throttle::STATEMENTS),
    ("outbox", outbox::STATEMENTS),
    ("verify", verify::STATEMENTS),
    ("verify_rows", verify_rows::STATEMENTS),
    ("webhook", webhook::STATEMENTS),
    ("workspace", workspace::STATEMENTS),
];

#[expect(
    clippy::disallowed_methods,
    reason = "what scripts/test tells its tests comes in the environment"
)]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// An empty database on each engine that this run has, dropped with the folder or the throw-away cluster.
pub(crate) fn databases() -> Vec<(tempfile::TempDir, DatabaseUrl)> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("throng.db");
    let mut urls = vec![(
        folder,
        DatabaseUrl::Sqlite {
            path,
            size_bytes_max: None,
        },
    )];
    match told("THRONG_TEST_POSTGRES") {
        Some(admin) => {
            let folder = tempfile::tempdir().expect("a folder");
            let name = format!(
                "store_{}",
                folder
                    .path()
                    .file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .replace('.', "")
            );
            let name = name.to_ascii_lowercase();
            let url = DatabaseUrl::Postgres(admin.clone());
            Connection::open(&url, Mode::Write)
                .expect("opens")
                .batch(&format!("CREATE DATABASE {name}"))
                .expect("made");
            let base = admin.rsplit_once('/').expect("a database name").0;
            urls.push((folder, DatabaseUrl::Postgres(format!("{base}/{name}"))));
        }
        None => assert!(
            told("CI").is_none(),
            "THRONG_TEST_POSTGRES is not set: run scripts/test"
        ),
    }
    urls
}

/// The same, migrated and open.
fn connections() -> Vec<(tempfile::TempDir, Connection)> {
    databases()
        .into_iter()
        .map(|(folder, url)| {
            let mut connection = Connection::open(&url, Mode::Write).expect("opens");
            migrations::migrate(&mut connection, 1).expect("migrates");
            (folder, connection)
        })
        .collect()
}

#[test]
fn every_statement_prepares_on_both_engines() {
    for (_folder, mut connection) in connections() {
        for (noun, statements) in STATEMENTS {
            for statement in *statements {
                connection
                    .check(statement)
                    .unwrap_or_else(|error| panic!("{noun}: {statement}: {error}"));
            }
        }
    }
}

/// SQLite has no statistics, and a list that it would look for by the workspace alone takes as long as there are rows.
#[test]
fn a_page_is_looked_for_by_what_it_is_a_page_of() {
    let lists = [
        ("record_id=?", client::STATEMENTS, "ORDER BY id"),
        ("conversation_id=?", participant::STATEMENTS, "ORDER BY id"),
        ("conversation_id=?", message::STATEMENTS, "ORDER BY id"),
        (
            "record_id=?",
            conversation::STATEMENTS,
            "ORDER BY p.conversation_id",
        ),
    ];
    for (_folder, mut connection) in connections() {
        if !matches!(connection, Connection::Sqlite(_)) {
            continue;
        }
        for (by, statements, order) in lists {
            let pages = statements.iter().filter(|text| {
                let column = by.trim_end_matches("=?");
                text.contains(order) && text.contains(&format!("{column} = $2"))
            });
            let mut count = 0;
            for page in pages {
                let plan: &'static str = format!("EXPLAIN QUERY PLAN {page}").leak();
                let params = [Param::Int(1), Param::Int(1), Param::Int(1), Param::Int(1)];
                let rows = connection.query(plan, &params).expect("a plan");
                let found = rows.into_iter().any(|mut row| {
                    let step = row.text(3).expect("a step");
                    step.starts_with("SEARCH") && step.contains(by)
                });
                assert!(found, "{page}");
                count += 1;
            }
            assert!(count >= 2, "a page in each direction by {by}");
        }
    }
}

/// The lists above are only worth something if they are whole.
#[test]
fn every_statement_of_a_noun_is_in_its_list() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (noun, _) in STATEMENTS {
        let text =
            std::fs::read_to_string(sources.join(format!("{noun}.rs"))).expect("a source file");
        let list = text
            .split("const STATEMENTS: &[&str] =")
            .nth(1)
            .expect("a list")
            .split(';')
            .next()
            .expect("an end");
        let constants = text
            .split("\nconst ")
            .skip(1)
            .filter_map(|rest| rest.split_once(": &str ="))
            .map(|(name, _)| name);
        for name in constants.filter(|name| {
            !matches!(
                *name,
                "CREATE_VERSION"
                    | "POSTGRES_LOCK"
                    | "POSTGRES_STORAGE"
                    | "FIRST"
                    | "ACCOUNTS"
                    | "TREE"
                    | "WEBHOOKS"
                    | "CHANNELS"
                    | "SUMS"
            )
        }) {
            let listed = list
                .split(|c: char| !c.is_ascii_uppercase() && c != '_')
                .any(|word| word == name);
            assert!(listed, "{noun}.rs: {name} is not in STATEMENTS");
        }
    }
}

#[test]
fn parameters_bind_by_number_and_not_by_appearance() {
    for (_folder, mut connection) in connections() {
        let rows = connection
            .query(
                "SELECT id FROM workspace WHERE slug = $2 AND id = $1 UNION ALL SELECT $1 + 0 AS id WHERE 'b' = $2",
                &[Param::Int(7), Param::Text("b")],
            )
            .expect("runs");
        assert_eq!(rows[0].0, [Value::Int(7)]);
    }
}

#[test]
fn both_engines_keep_every_kind_of_value() {
    for (_folder, mut connection) in connections() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = "é ' \" \\ \u{1F600}";
        connection
            .query(
                "INSERT INTO idempotency (workspace_id, credential_id, key, fingerprint, status, body, created) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                &[1i64.into(), i64::MAX.into(), text.into(), (&bytes).into(), i64::MIN.into(), Param::Bytes(&[]), 0i64.into()],
            )
            .expect("inserts");
        let rows = connection
            .query("SELECT credential_id, key, fingerprint, status, body FROM idempotency WHERE workspace_id = 1", &[])
            .expect("selects");
        let values = [
            Value::Int(i64::MAX),
            Value::Text(text.into()),
            Value::Bytes(bytes),
            Value::Int(i64::MIN),
            Value::Bytes(vec![]),
        ];
        assert_eq!(rows[0].0, values);
    }
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    for (_folder, mut connection) in connections() {
        let newer = Param::Int(migrations::SCHEMA_VERSION + 1);
        connection
            .query(
                "INSERT INTO schema_version (version, applied) VALUES ($1, $2)",
                &[newer, Param::Int(0)],
            )
            .expect("inserts");
        let error = migrations::migrate(&mut connection, 2).expect_err("is refused");
        assert!(error.to_string().contains("newer version"), "{error}");
        assert_eq!(
            migrations::schema_version(&mut connection).expect("reads"),
            migrations::SCHEMA_VERSION + 1
        );
    }
}

#[test]
fn a_migration_may_be_run_again() {
    for (_folder, mut connection) in connections() {
        migrations::migrate(&mut connection, 2).expect("migrates again");
        assert_eq!(
            migrations::schema_version(&mut connection).expect("reads"),
            migrations::SCHEMA_VERSION
        );
    }
}

/// A backup of the first version, from before there were accounts.
#[test]
fn a_backup_of_an_older_version_is_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("old.db");
    let file = DatabaseUrl::Sqlite {
        path: backup.clone(),
        size_bytes_max: None,
    };
    let mut old = Connection::open(&file, Mode::Write).expect("opens");
    migrations::migrate_to(&mut old, 1, 1).expect("is of the first version");
    old.batch(
        "INSERT INTO installation VALUES (1, 'old', 0, 5, x'00');
         INSERT INTO workspace VALUES (1, 'default', 'Default', 'none', x'00', 5);
         INSERT INTO credential VALUES (1, 9, 'native', 'mine', 'thr_', x'01', 'admin', 1, 5, NULL, NULL, NULL);
         PRAGMA journal_mode = DELETE",
    )
    .expect("is filled");
    drop(old);
    let bytes = std::fs::read(&backup).expect("reads");

    let data = folder.path().join("data");
    let data = crate::DataFolder::open(&data).expect("opens");
    let to = DatabaseUrl::Sqlite {
        path: data.path().join("throng.db"),
        size_bytes_max: None,
    };
    let report = crate::restore(&data, &to, &backup, 7, &mut |_, _| {}).expect("restores");
    assert_eq!(report.rows, 3);
    assert_eq!(
        std::fs::read(&backup).expect("reads"),
        bytes,
        "the backup was written to"
    );
    assert!(!data.path().join("restore.older").exists());
    let mut restored = Connection::open(&to, Mode::Read).expect("opens");
    let rows = restored
        .query_text("SELECT id, account_id FROM credential", &[])
        .expect("reads");
    assert_eq!(rows[0].0, [Value::Int(9), Value::Null]);
}
