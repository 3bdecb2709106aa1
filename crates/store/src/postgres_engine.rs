//! PostgreSQL 15 or later: the engine for more than one machine.
//!
//! Every session sets its own limits, so that a stuck process cannot hold a workspace's head lock for long.

use std::{collections::HashMap, error::Error as _, sync::Arc, time::Duration};

use postgres::{
    Client, Config, NoTls, Statement,
    config::SslMode,
    error::SqlState,
    types::{IsNull, ToSql, Type, to_sql_checked},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    connection::Mode,
    error::Error,
    value::{Param, Row, Value},
};

const CONNECT_MS_MAX: u64 = 5_000;
/// Session limits: waiting for a lock, one statement, and idling inside a transaction.
const SESSION_WRITE: &str = "SET lock_timeout = '10s'; SET statement_timeout = '60s'; \
     SET idle_in_transaction_session_timeout = '30s'; SET synchronous_commit = on";
const SESSION_READ: &str =
    "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'";

pub(crate) struct Postgres {
    client: Client,
    prepared: HashMap<&'static str, Statement>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Postgres")
    }
}

impl Postgres {
    pub(crate) fn open(url: &str, mode: Mode) -> Result<Postgres, Error> {
        let mut config: Config = url
            .parse()
            .map_err(|_| Error::Open("the database URL is not a valid postgres:// URL".into()))?;
        config.connect_timeout(Duration::from_millis(CONNECT_MS_MAX));
        config.application_name("throng");
        config.keepalives_idle(Duration::from_secs(30));
        let client = if config.get_ssl_mode() == SslMode::Require {
            config.connect(tls()?)
        } else {
            config.connect(NoTls)
        };
        let mut client = client.map_err(convert)?;
        client
            .batch_execute(if mode == Mode::Write {
                SESSION_WRITE
            } else {
                SESSION_READ
            })
            .map_err(convert)?;
        Ok(Postgres {
            client,
            prepared: HashMap::new(),
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).map_err(convert)
    }

    pub(crate) fn query(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Error> {
        if !self.prepared.contains_key(sql) {
            let statement = self.client.prepare(sql).map_err(convert)?;
            self.prepared.insert(sql, statement);
        }
        let statement = &self.prepared[sql];
        let params: Vec<&(dyn ToSql + Sync)> = params
            .iter()
            .map(|param| param as &(dyn ToSql + Sync))
            .collect();
        let rows = self.client.query(statement, &params).map_err(convert)?;
        rows.iter().map(owned).collect()
    }

    pub(crate) fn query_text(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Error> {
        let params: Vec<&(dyn ToSql + Sync)> = params
            .iter()
            .map(|param| param as &(dyn ToSql + Sync))
            .collect();
        let rows = self.client.query(sql, &params).map_err(convert)?;
        rows.iter().map(owned).collect()
    }

    #[cfg(test)]
    pub(crate) fn check(&mut self, sql: &str) -> Result<(), Error> {
        self.client.prepare(sql).map(drop).map_err(convert)
    }
}

/// `sslmode=require` checks the server's certificate against the roots in `SSL_CERT_FILE` or the system's bundle.
fn tls() -> Result<MakeRustlsConnect, Error> {
    let mut roots = rustls::RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        return Err(Error::Open(
            "sslmode=require, but this machine has no certificate roots: install ca-certificates or set SSL_CERT_FILE"
                .into(),
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Open(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn owned(row: &postgres::Row) -> Result<Row, Error> {
    let mut values = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let value = match *column.type_() {
            Type::INT8 => row
                .try_get::<_, Option<i64>>(index)
                .map(|value| value.map_or(Value::Null, Value::Int)),
            Type::INT4 => row
                .try_get::<_, Option<i32>>(index)
                .map(|value| value.map_or(Value::Null, |v| Value::Int(v.into()))),
            Type::BYTEA => row
                .try_get::<_, Option<Vec<u8>>>(index)
                .map(|value| value.map_or(Value::Null, Value::Bytes)),
            _ => row
                .try_get::<_, Option<String>>(index)
                .map(|value| value.map_or(Value::Null, Value::Text)),
        };
        values.push(value.map_err(|error| Error::Corrupt(error.to_string()))?);
    }
    Ok(Row(values))
}

impl ToSql for Param<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Param::Null => Ok(IsNull::Yes),
            Param::Int(value) => value.to_sql(kind, out),
            Param::Text(value) => value.to_sql(kind, out),
            Param::Bytes(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Names the condition only: PostgreSQL's detail lines can quote a row.
fn convert(error: postgres::Error) -> Error {
    let Some(state) = error.code().cloned() else {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        return Error::Lost(format!("{error}: {cause}"));
    };
    let message = error
        .as_db_error()
        .map(|db| db.message().to_owned())
        .unwrap_or_default();
    let text = format!("{} {message}", state.code());
    match state {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Error::Retry(text),
        SqlState::DISK_FULL | SqlState::OUT_OF_MEMORY => Error::Full(text),
        SqlState::LOCK_NOT_AVAILABLE
        | SqlState::QUERY_CANCELED
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::READ_ONLY_SQL_TRANSACTION
        | SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        | SqlState::INVALID_PASSWORD
        | SqlState::INVALID_CATALOG_NAME => Error::Unavailable(text),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Error::Corrupt(text),
        // 57P01 to 57P03 (shutdown, crash, starting), 25P03 (idle in transaction), 08*** (connection).
        state
            if state.code().starts_with("57P")
                || state.code().starts_with("08")
                || state.code() == "25P03" =>
        {
            Error::Lost(text)
        }
        // 22***: a value that this engine cannot hold, such as a NUL in a text: the command's own fault, like a constraint.
        state if state.code().starts_with("23") || state.code().starts_with("22") => {
            Error::Constraint(text)
        }
        _ => Error::Internal(text),
    }
}
