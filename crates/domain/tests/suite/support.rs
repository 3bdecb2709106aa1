//! A database on each engine that a test can open, close and open again, alone or as two processes at once.

use std::path::Path;

use domain::{Clock, Context, Domain, Options, Random};
use store::{DataFolder, DatabaseUrl, MasterKey, Store};

/// A database, empty at first; gone with the folder or the throw-away cluster.
pub struct House {
    folder: tempfile::TempDir,
    pub url: DatabaseUrl,
    pub clock: Clock,
}

/// When tests begin: 2026-01-01T00:00:00Z.
pub const START_MS: i64 = 1_767_225_600_000;

impl House {
    pub fn sqlite() -> House {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one").join("throng.db");
        std::fs::create_dir(folder.path().join("one")).expect("a folder");
        let url = DatabaseUrl::Sqlite {
            path,
            size_bytes_max: None,
        };
        House {
            folder,
            url,
            clock: Clock::manual(START_MS),
        }
    }

    /// Nothing where this run has no PostgreSQL; `scripts/test` always has one.
    pub fn postgres() -> Option<House> {
        let Some(admin) = told("THRONG_TEST_POSTGRES") else {
            assert!(
                told("CI").is_none(),
                "THRONG_TEST_POSTGRES is not set: run scripts/test"
            );
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let name: String = folder
            .path()
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .replace('.', "t");
        let mut client =
            postgres::Client::connect(&admin, postgres::NoTls).expect("PostgreSQL answers");
        client
            .batch_execute(&format!("CREATE DATABASE \"{name}\""))
            .expect("a database");
        let url = DatabaseUrl::Postgres(format!(
            "{}/{name}",
            admin.rsplit_once('/').expect("a name").0
        ));
        Some(House {
            folder,
            url,
            clock: Clock::manual(START_MS),
        })
    }

    /// One house for each engine that this run has.
    pub fn each() -> Vec<House> {
        std::iter::once(House::sqlite())
            .chain(tokio::task::block_in_place(House::postgres))
            .collect()
    }

    pub fn engine(&self) -> &'static str {
        self.url.engine()
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("one")
    }

    /// What all files of the data folder hold, those of the cache as well.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut folders = vec![self.path()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                // What the last connection leaves beside the database goes as it closes.
                match std::fs::read(path) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    read => bytes.extend(read.expect("reads")),
                }
            }
        }
        bytes
    }

    /// Opens the database as the process `name`; the second of two copies the first's master key.
    pub async fn open_as(&self, name: &str) -> Domain {
        let options = Options::closed(self.clock.clone(), Random::system());
        self.open_with(name, options).await
    }

    /// [`Self::open_as`] with options of the test's own.
    pub async fn open_with(&self, name: &str, started_with: Options) -> Domain {
        let path = self.folder.path().join(name);
        let key = Path::new("master.key");
        if name != "one" && !path.exists() {
            std::fs::create_dir(&path).expect("a folder");
            std::fs::copy(self.path().join(key), path.join(key)).expect("the key is copied");
        }
        let options = store::Options {
            url: self.url.clone(),
            read_connections: 2,
            // The first of two processes has no set in memory for longer than somebody holds it.
            sets_memory_bytes: if name == "one" { 0 } else { u64::MAX },
            now: self.clock.now_ms(),
            new_master: MasterKey::new([7; 32]),
            new_database_id: "test".into(),
        };
        let store = tokio::task::block_in_place(|| {
            let folder = DataFolder::open(&path).expect("the folder opens");
            Store::open(folder, options, &mut |_, _, _| {}).expect("the store opens")
        });
        let domain = Domain::start(store, started_with)
            .await
            .expect("the domain starts");
        domain.workspace_default().await.expect("a workspace");
        domain
    }

    pub async fn open(&self) -> Domain {
        self.open_as("one").await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what scripts/test tells its tests comes in the environment"
)]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Closes a domain so that its folder can be opened again.
pub async fn close(domain: Domain) {
    tokio::task::block_in_place(|| domain.store().close());
    drop(domain);
}

/// A request of the server itself in the default workspace.
pub fn context(request: &str) -> Context {
    Context::new(domain::Caller::server(1), request)
}
