//! Clients of a person's own programs, which sign in and out by themselves; and forgetting who somebody is.

use store::{ClientRow, RecordRow, Sealer, Sql, Tx, Verdict};

use crate::{
    caller::{Context, Scope},
    channel::Channel,
    client::{Client, ClientReason, ClientStatus, has_room, need, of_row},
    client_link::{self, Detail, remove},
    error::{Error, Result},
    event::EventKind,
    limits,
    record::{self, Record, RecordNew, RecordRef, one},
    service::Domain,
};

/// What a program's client is found by among those of its record.
fn device_key(record: i64, device: &str) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new_derive_key("throng 2026-11 device of a client");
    hasher.update(&record.to_le_bytes());
    hasher.update(device.as_bytes());
    hasher.finalize().as_bytes()[..16].to_vec()
}

fn valid_device(device: &str) -> Result<()> {
    let count = device.chars().count();
    if (1..=limits::DEVICE_CHARS_MAX).contains(&count) && !device.chars().any(char::is_control) {
        return Ok(());
    }
    let text = format!(
        "A device's id is 1 to {} characters without control characters.",
        limits::DEVICE_CHARS_MAX
    );
    Err(Error::invalid("device", "malformed", text))
}

fn found(sql: &mut dyn Sql, record: i64, key: &[u8]) -> Result<Option<ClientRow>> {
    let rows = store::clients_of_record(sql, record, limits::CLIENTS_MAX as i64)?;
    let own = |row: &ClientRow| {
        row.kind == Channel::Sdk.as_str() && row.address_key.as_deref() == Some(key)
    };
    Ok(rows.into_iter().find(own))
}

fn sign_in(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    record: &RecordRow,
    device: &str,
    info: Option<&String>,
) -> Result<ClientRow> {
    let (workspace, now) = (tx.workspace(), tx.meta().time);
    let key = device_key(record.id, device);
    if let Some(mut row) = found(tx, record.id, &key)? {
        let mut detail = Detail::open(sealer, workspace, &row)?;
        detail.info = info.cloned().or(detail.info);
        row.detail = detail.seal(sealer, workspace, row.id)?;
        (row.last_seen, row.updated) = (Some(now), now);
        store::client_update(tx, &row)?;
        return Ok(row);
    }
    has_room(tx, record.id)?;
    let id = tx.next_id();
    let detail = Detail {
        info: info.cloned(),
        ..Detail::default()
    };
    let row = ClientRow {
        id,
        record: record.id,
        person: record.person,
        kind: Channel::Sdk.as_str().to_owned(),
        integration: None,
        address_key: Some(key),
        detail: detail.seal(sealer, workspace, id)?,
        status: ClientStatus::Active.as_str().to_owned(),
        confirmation: None,
        conversation: None,
        primary: false,
        last_seen: Some(now),
        linked_at: Some(now),
        expires: None,
        created: now,
        updated: now,
    };
    store::client_insert(tx, &row)?;
    tx.set_add(Channel::Sdk.set(), &one(record.person))?;
    let (kind, reason) = (EventKind::ClientAdded, ClientReason::SignIn);
    client_link::tell(tx, sealer, kind, record, &row, reason, None)?;
    store::activity_insert(tx, Some(id), "channel=sdk")?;
    Ok(row)
}

impl Domain {
    /// A program of the person's own signs in: makes the record of this reference where there is none, and its client of
    /// `device` (the program's own id, 1 to 128 characters), which is active at once. Needs the scopes channels and
    /// people:write, and every structure.
    pub async fn client_sign_in(
        &self,
        context: &Context,
        source: &str,
        reference: &str,
        device: &str,
        info: Option<String>,
    ) -> Result<(Record, Client)> {
        need(&context.caller)?;
        context.caller.need(Scope::PeopleWrite)?;
        valid_device(device)?;
        if info
            .as_ref()
            .is_some_and(|info| info.len() > limits::METADATA_BYTES_MAX)
        {
            let text = "What a program says of itself is at most 4,096 bytes of JSON.";
            return Err(Error::invalid("info", "too_large", text));
        }
        let new = RecordNew {
            reference: Some(reference.to_owned()),
            active: true,
            shares_email: true,
            ..RecordNew::default()
        };
        let (row, batch) = self.record_checked(&context.caller, source, new).await?;
        let (device, sealer) = (device.to_owned(), self.store().sealer().clone());
        let workspace = context.caller.workspace;
        self.command(context, "client_sign_in", 2, move |tx| {
            let reference = RecordRef::Reference(row.reference.clone().unwrap_or_default());
            let record = match record::lookup(tx, &row.source, &reference)? {
                Some(record) => record,
                None => record::insert(tx, row.clone(), &batch, true)?,
            };
            let client = sign_in(tx, &sealer, &record, &device, info.as_ref())?;
            let client = of_row(&sealer, workspace, &client)?;
            Ok(Verdict::Done((record::of(record), client)))
        })
        .await
    }

    /// Removes the client that signed in with this device. Needs the scope channels and every structure.
    pub async fn client_sign_out(
        &self,
        context: &Context,
        source: &str,
        reference: &str,
        device: &str,
    ) -> Result<()> {
        need(&context.caller)?;
        let (source, device) = (source.to_owned(), device.to_owned());
        let (reference, sealer) = (
            RecordRef::Reference(reference.to_owned()),
            self.store().sealer().clone(),
        );
        self.command(context, "client_sign_out", 1, move |tx| {
            let record = record::lookup(tx, &source, &reference)?;
            let record = record.ok_or(Error::NotFound("record"))?;
            let row = found(tx, record.id, &device_key(record.id, &device))?;
            let row = row.ok_or(Error::NotFound("client"))?;
            remove(tx, &sealer, &record, &row, ClientReason::SignOut, None)?;
            store::activity_insert(tx, Some(row.id), "")?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Blanks what is known of who somebody is: names, address and what else the source keeps of the record, and of its
    /// clients how they are called and what the channel says. What was said stays, and so does the reference. Needs the scope
    /// people:write and every structure.
    pub async fn record_forget(
        &self,
        context: &Context,
        source: &str,
        reference: RecordRef,
    ) -> Result<Record> {
        context.caller.need(Scope::PeopleWrite)?;
        context.caller.need_every_structure()?;
        let (source, sealer) = (source.to_owned(), self.store().sealer().clone());
        let workspace = context.caller.workspace;
        self.command(context, "record_forget", 1, move |tx| {
            let found = record::lookup(tx, &source, &reference)?;
            let mut row = found.ok_or(Error::NotFound("record"))?;
            if row.reference.is_none() {
                let text = "A record without a reference is known by its address only: delete it.";
                return Err(Error::Conflict(text));
            }
            (row.first_name, row.last_name) = (None, None);
            (row.email, row.email_key) = (None, None);
            row.profile = "{}".into();
            row.updated = tx.meta().time;
            store::record_update(tx, &row)?;
            for mut client in store::clients_of_record(tx, row.id, limits::CLIENTS_MAX as i64)? {
                let known = Detail::open(&sealer, workspace, &client)?;
                let blank = Detail {
                    address: known.address,
                    ..Detail::default()
                };
                client.detail = blank.seal(&sealer, workspace, client.id)?;
                client.updated = tx.meta().time;
                store::client_update(tx, &client)?;
            }
            record::tell(tx, &sealer, EventKind::RecordUpdated, &row)?;
            store::activity_insert(tx, Some(row.id), "")?;
            Ok(Verdict::Done(record::of(row)))
        })
        .await
    }
}
