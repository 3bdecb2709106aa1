//! Workspaces: the tenants of an installation. Each has a secret under which its keys are hashed.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    connection::Connection,
    error::Error,
    head,
    seal::Sealer,
    value::{Param, Row},
};

/// Whether the identifiers of a workspace are kept as received (sealed), or only their keyed hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepIdentifiers {
    /// Kept encrypted, so that they can be exported, synced outward and re-keyed.
    Sealed,
    /// Not kept: nothing can be exported by identifier, and the workspace cannot be re-keyed.
    None,
}

impl KeepIdentifiers {
    pub fn as_str(self) -> &'static str {
        match self {
            KeepIdentifiers::Sealed => "sealed",
            KeepIdentifiers::None => "none",
        }
    }

    pub fn parse(text: &str) -> Option<KeepIdentifiers> {
        match text {
            "sealed" => Some(KeepIdentifiers::Sealed),
            "none" => Some(KeepIdentifiers::None),
            _ => None,
        }
    }
}

/// A workspace as its row says, without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: i64,
    pub slug: String,
    pub name: String,
    pub keep_identifiers: KeepIdentifiers,
    pub created: i64,
}

/// The 32 bytes under which a workspace's keys are hashed and its identifiers sealed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct WorkspaceSecret(pub(crate) [u8; 32]);

impl std::fmt::Debug for WorkspaceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WorkspaceSecret(***)")
    }
}

impl WorkspaceSecret {
    pub fn new(bytes: [u8; 32]) -> WorkspaceSecret {
        WorkspaceSecret(bytes)
    }

    pub(crate) fn identifiers(&self) -> Sealer {
        Sealer::new(&blake3::derive_key(
            "throng 2026-11 sealed identifiers",
            &self.0,
        ))
    }

    /// The key of the checksums of set files.
    pub(crate) fn set_files(&self) -> [u8; 32] {
        blake3::derive_key("throng 2026-11 set files", &self.0)
    }

    /// What the checksums of saved keys are keyed with.
    pub(crate) fn saved_keys(&self) -> sets::CacheKey {
        sets::CacheKey::new(blake3::derive_key("throng 2026-11 saved keys", &self.0))
    }

    pub(crate) fn keys(&self) -> sets::KeySecret {
        sets::KeySecret::new(blake3::derive_key(
            "throng 2026-11 identifier keys",
            &self.0,
        ))
    }
}

const INSERT: &str = "INSERT INTO workspace (id, slug, name, keep_identifiers, secret, created) \
     VALUES ($1, $2, $3, $4, $5, $6)";
const NEXT_ID: &str = "SELECT coalesce(max(id), 0) + 1 FROM workspace";
const GET: &str =
    "SELECT id, slug, name, keep_identifiers, secret, created FROM workspace WHERE id = $1";
const BY_SLUG: &str =
    "SELECT id, slug, name, keep_identifiers, secret, created FROM workspace WHERE slug = $1";
const LIST: &str = "SELECT id, slug, name, keep_identifiers, secret, created FROM workspace WHERE id > $1 \
     ORDER BY id LIMIT $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, NEXT_ID, GET, BY_SLUG, LIST];

fn context(workspace: i64) -> String {
    format!("workspace secret {workspace}")
}

/// Inserts a workspace and its head; the caller holds the installation's lock.
pub(crate) fn insert(
    connection: &mut Connection,
    master: &Sealer,
    new: &Workspace,
    secret: &WorkspaceSecret,
) -> Result<i64, Error> {
    let id = connection
        .query(NEXT_ID, &[])?
        .first()
        .map_or(Ok(1), |row| row.int(0))?;
    let sealed = master.seal(&context(id), &secret.0)?;
    connection.query(
        INSERT,
        &[
            id.into(),
            (&new.slug).into(),
            (&new.name).into(),
            new.keep_identifiers.as_str().into(),
            (&sealed).into(),
            new.created.into(),
        ],
    )?;
    head::insert(connection, id)?;
    Ok(id)
}

fn of(row: &mut Row) -> Result<(Workspace, Vec<u8>), Error> {
    let keep = row.text(3)?;
    let workspace = Workspace {
        id: row.int(0)?,
        slug: row.text(1)?,
        name: row.text(2)?,
        keep_identifiers: KeepIdentifiers::parse(&keep).ok_or_else(|| {
            Error::Corrupt("a workspace's keep_identifiers is neither sealed nor none".into())
        })?,
        created: row.int(5)?,
    };
    Ok((workspace, row.bytes(4)?))
}

fn opened(rows: Vec<Row>, master: &Sealer) -> Result<Option<(Workspace, WorkspaceSecret)>, Error> {
    let Some(mut row) = rows.into_iter().next() else {
        return Ok(None);
    };
    let (workspace, sealed) = of(&mut row)?;
    let plain = master.open(&context(workspace.id), &sealed)?;
    let bytes = plain
        .try_into()
        .map_err(|_| Error::Corrupt("a workspace secret is not 32 bytes".into()))?;
    Ok(Some((workspace, WorkspaceSecret(bytes))))
}

pub(crate) fn get(
    connection: &mut Connection,
    master: &Sealer,
    id: i64,
) -> Result<Option<(Workspace, WorkspaceSecret)>, Error> {
    opened(connection.query(GET, &[id.into()])?, master)
}

pub(crate) fn by_slug(connection: &mut Connection, slug: &str) -> Result<Option<Workspace>, Error> {
    let mut rows = connection.query(BY_SLUG, &[slug.into()])?;
    rows.first_mut()
        .map(|row| of(row).map(|(workspace, _)| workspace))
        .transpose()
}

/// The workspaces after an id, in order of id.
pub(crate) fn list(
    connection: &mut Connection,
    after: i64,
    limit: i64,
) -> Result<Vec<Workspace>, Error> {
    let mut rows = connection.query(LIST, &[after.into(), Param::Int(limit)])?;
    rows.iter_mut()
        .map(|row| of(row).map(|(workspace, _)| workspace))
        .collect()
}
