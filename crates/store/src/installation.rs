//! The one row that says which database this is, and the first start of an empty one.

use std::path::Path;

use crate::{
    connection::{Connection, Mode},
    error::Error,
    folder::{DataFolder, DatabaseUrl, full},
    migrations,
    seal::MasterKey,
    value::Param,
};

/// Which database this is. `restore_epoch` rises with every restore, so that a cache of before it is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    pub database_id: String,
    pub restore_epoch: i64,
    pub created: i64,
}

const GET: &str =
    "SELECT database_id, restore_epoch, created, master_fingerprint FROM installation WHERE id = 1";
const INSERT: &str = "INSERT INTO installation (id, database_id, restore_epoch, created, master_fingerprint) \
     VALUES (1, $1, 0, $2, $3) ON CONFLICT DO NOTHING";
const LOCK: &str =
    "UPDATE installation SET restore_epoch = restore_epoch WHERE id = 1 RETURNING id";
const EPOCH_RAISE: &str = "UPDATE installation SET restore_epoch = restore_epoch + 1 WHERE id = 1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[GET, INSERT, LOCK, EPOCH_RAISE];

/// What opening yields: the committer's connection, whose master key fits.
#[derive(Debug)]
pub(crate) struct Opened {
    pub connection: Connection,
    pub master: MasterKey,
    pub installation: Installation,
}

/// Opens the database for writing, migrates it, and makes the installation row and master key of an empty one.
/// `new_master` and `new_database_id` are used only where the database is empty.
pub(crate) fn open(
    folder: &DataFolder,
    url: &DatabaseUrl,
    now: i64,
    new_master: MasterKey,
    new_database_id: &str,
) -> Result<Opened, Error> {
    let mut connection = connect(folder.path(), url)?;
    migrations::migrate(&mut connection, now)
        .map_err(|error| explain(folder.path(), url, error))?;
    let kept = folder.master_key()?;
    let master = kept.clone().unwrap_or(new_master);
    connection.begin(Mode::Write)?;
    connection.query(
        INSERT,
        &[
            new_database_id.into(),
            Param::Int(now),
            Param::Bytes(&master.fingerprint()),
        ],
    )?;
    let (installation, fingerprint) = get(&mut connection)?;
    if fingerprint != master.fingerprint() {
        connection.rollback()?;
        return Err(Error::Open(if kept.is_some() {
            "the master key in the data folder is not the one that this database was made with: put the right \
             master.key there"
                .into()
        } else {
            format!(
                "this database was made with a master key that is not in {}: copy master.key there from the first \
                 process's data folder",
                folder.path().display()
            )
        }));
    }
    // The key is on the disk before the database remembers its fingerprint.
    if kept.is_none() {
        folder.master_key_create(&master)?;
    }
    connection
        .commit()
        .map_err(|error| explain(folder.path(), url, error))?;
    Ok(Opened {
        connection,
        master,
        installation,
    })
}

fn connect(folder: &Path, url: &DatabaseUrl) -> Result<Connection, Error> {
    Connection::open(url, Mode::Write).map_err(|error| explain(folder, url, error))
}

/// Says what to do, for errors at start.
pub(crate) fn explain(folder: &Path, url: &DatabaseUrl, error: Error) -> Error {
    match (url, error) {
        (_, Error::Open(text)) => Error::Open(text),
        (DatabaseUrl::Sqlite { .. }, Error::Full(_)) => full(folder),
        (DatabaseUrl::Sqlite { path, .. }, Error::Corrupt(cause)) => Error::Open(format!(
            "{} is not a throng database, or is damaged ({cause}): restore a backup with throng restore",
            path.display()
        )),
        (DatabaseUrl::Sqlite { path, .. }, error) => Error::Open(format!(
            "cannot open the database {}: {error}",
            path.display()
        )),
        (DatabaseUrl::Postgres(_), error) => Error::Open(format!(
            "cannot use the PostgreSQL database: {error}. Check that it runs, and the host, name, user and password \
             of --database-url"
        )),
    }
}

pub(crate) fn get(connection: &mut Connection) -> Result<(Installation, Vec<u8>), Error> {
    let mut rows = connection.query(GET, &[])?;
    let row = rows
        .first_mut()
        .ok_or_else(|| Error::Corrupt("the installation row is missing".into()))?;
    Ok((
        Installation {
            database_id: row.text(0)?,
            restore_epoch: row.int(1)?,
            created: row.int(2)?,
        },
        row.bytes(3)?,
    ))
}

/// Serialises what concerns the whole installation (new workspaces, signing keys) across processes.
pub(crate) fn lock(connection: &mut Connection) -> Result<(), Error> {
    connection.query(LOCK, &[]).map(drop)
}

pub(crate) fn raise_epoch(connection: &mut Connection) -> Result<(), Error> {
    connection.query(EPOCH_RAISE, &[]).map(drop)
}
