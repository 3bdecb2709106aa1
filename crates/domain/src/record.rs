//! Records: what one source knows of somebody (a person of a people system, a profile), pointing at a person.
//!
//! A record attaches to the person of its e-mail address, else of its reference in that source; its other identifier
//! attaches where nobody holds it, and a clash is noted, never settled by itself. Deleting a record leaves the person and
//! their memberships. Invariant: the sets of those who have a record, an inactive one, one that has ended, are what the
//! rows say; `verify` recomputes them.

use std::fmt;

use serde::{Deserialize, Serialize};
use sets::{Person, Set, SetId};
use store::{RecordFilter, RecordRow, Sealer, Sql, Tx, Verdict, View};

use crate::{
    audience::taken,
    batch::Batch,
    caller::{Caller, Context, Scope},
    client_link,
    clock::rfc3339,
    conversation,
    error::{Error, Result},
    event::{self, EventKind, PersonEvent},
    id::IdKind,
    identifier::{Kind, RECORDS_SET},
    limits,
    membership::resolve_or_make,
    record_fields::{changed, checked, email_key, empty_row, valid_source},
    service::Domain,
    tree::own_id,
};

/// People who have a record that is not active.
pub(crate) const INACTIVE_SET: SetId = -101;
/// People who have a record whose end date has passed, as far as that was noted; see [`barred`].
pub(crate) const ENDED_SET: SetId = -102;

const NOUN: &str = "record";

/// What one source knows of somebody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub id: i64,
    pub person: Person,
    /// The name of the system that keeps it.
    pub source: String,
    /// The source's own id for it.
    pub reference: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub active: bool,
    /// Dates as `YYYY-MM-DD`.
    pub starts: Option<String>,
    pub ends: Option<String>,
    /// What else the source keeps: a JSON object that nobody but the source's dialect reads.
    pub profile: String,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    pub updated: i64,
}

/// Who somebody is goes into no log.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({}, person {}, ***)", self.id, self.person)
    }
}

impl fmt::Debug for RecordNew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordNew(***)")
    }
}

impl fmt::Debug for RecordChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordChange(***)")
    }
}

impl fmt::Debug for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordRef(***)")
    }
}

impl fmt::Debug for RecordQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordQuery(***)")
    }
}

/// A record to be made. It needs a reference or an e-mail address.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RecordNew {
    pub reference: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub active: bool,
    pub starts: Option<String>,
    pub ends: Option<String>,
    pub profile: String,
    /// Whether the address may be that of other records of the source too.
    pub shares_email: bool,
}

/// What to change of a record; what is absent stays, and `Some(None)` clears.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RecordChange {
    pub reference: Option<Option<String>>,
    pub email: Option<Option<String>>,
    pub first_name: Option<Option<String>>,
    pub last_name: Option<Option<String>>,
    pub active: Option<bool>,
    pub starts: Option<Option<String>>,
    pub ends: Option<Option<String>>,
    /// A JSON object whose fields replace those of the same names; null takes one away.
    pub profile: Option<String>,
    /// Whether the address may be that of other records of the source too.
    pub shares_email: bool,
}

/// Which record of a source.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordRef {
    Id(i64),
    Reference(String),
    Email(String),
    /// Its id as 24 hexadecimal digits, else its reference, else its e-mail address.
    Name(String),
}

/// Which records of a source.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RecordQuery {
    /// Milliseconds since the Unix epoch.
    pub updated_since: Option<i64>,
    /// Empty: whatever state.
    pub states: Vec<RecordState>,
    pub email: Option<String>,
}

/// Whether somebody is still there, as a source has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    Active,
    /// Whether its end date has passed or not.
    Inactive,
    /// Active, and its end date has passed.
    Ended,
}

impl RecordState {
    /// Its bit in the store's filter.
    fn bit(self) -> i64 {
        match self {
            RecordState::Active => 1,
            RecordState::Inactive => 2,
            RecordState::Ended => 4,
        }
    }
}

impl Record {
    pub fn state(&self, now_ms: i64) -> RecordState {
        let ended = |ends: &String| *ends < day(now_ms);
        match (self.active, self.ends.as_ref().is_some_and(ended)) {
            (false, _) => RecordState::Inactive,
            (true, true) => RecordState::Ended,
            (true, false) => RecordState::Active,
        }
    }
}

pub(crate) fn of(row: RecordRow) -> Record {
    Record {
        id: row.id,
        person: row.person,
        source: row.source,
        reference: row.reference,
        email: row.email,
        first_name: row.first_name,
        last_name: row.last_name,
        active: row.active,
        starts: row.starts,
        ends: row.ends,
        profile: row.profile,
        created: row.created,
        updated: row.updated,
    }
}

/// The day of a moment in UTC, as `YYYY-MM-DD`.
pub(crate) fn day(now_ms: i64) -> String {
    rfc3339(now_ms)[..10].to_owned()
}

/// Of these people those who cannot join anything new: who have an inactive record; and of the others, who have one that has
/// ended. Records that ended since the last sweep are looked up.
pub(crate) fn barred(view: &mut dyn View, people: &Set, now: i64) -> Result<(Set, Set)> {
    if people.is_empty() {
        return Ok((Set::new(), Set::new()));
    }
    let inactive = people.and(&view.members(INACTIVE_SET)?);
    let mut ended = people.and(&view.members(ENDED_SET)?);
    let today = day(now);
    let recent = store::records_ended(view, &today, limits::RECORDS_ENDED_MAX as i64)?;
    let recent: Set = recent.into_iter().map(|(_, person)| person).collect();
    ended.insert_all(&people.and(&recent));
    let ended = ended.and_not(&inactive);
    Ok((inactive, ended))
}

/// The record of a source that a reference names.
pub(crate) fn lookup(
    sql: &mut dyn Sql,
    source: &str,
    reference: &RecordRef,
) -> Result<Option<RecordRow>> {
    let of_source = |row: Option<RecordRow>| row.filter(|row| row.source == source);
    // PostgreSQL takes no NUL in a text.
    let asked = |text: &str| !text.is_empty() && !text.contains('\0');
    Ok(match reference {
        RecordRef::Id(id) => of_source(store::record_get(sql, *id)?),
        RecordRef::Reference(text) if asked(text) => store::record_by_reference(sql, source, text)?,
        RecordRef::Email(text) if asked(text) => {
            store::record_by_email(sql, source, &email_key(text))?
        }
        RecordRef::Name(text) if asked(text) => {
            if let Some(id) = own_id(sql.workspace(), text, IdKind::Record)
                && let Some(row) = of_source(store::record_get(sql, id)?)
            {
                return Ok(Some(row));
            }
            match store::record_by_reference(sql, source, text)? {
                Some(row) => Some(row),
                None => store::record_by_email(sql, source, &email_key(text))?,
            }
        }
        RecordRef::Reference(_) | RecordRef::Email(_) | RecordRef::Name(_) => None,
    })
}

/// Fails where another record of the source has the reference or the address, or where the reference reads as an id. What the
/// record has already stays its own.
fn free(
    sql: &mut dyn Sql,
    row: &RecordRow,
    before: Option<&RecordRow>,
    shares_email: bool,
) -> Result<()> {
    let had_reference = before.is_some_and(|before| before.reference == row.reference);
    let had_email = before.is_some_and(|before| before.email == row.email);
    if let Some(reference) = row.reference.as_ref().filter(|_| !had_reference) {
        let workspace = sql.workspace();
        let reads_as_id = [IdKind::Record, IdKind::Person]
            .iter()
            .any(|kind| own_id(workspace, reference, *kind).is_some());
        if reads_as_id {
            return Err(taken("reference", "This reference reads as an id."));
        }
        let other = store::record_by_reference(sql, &row.source, reference)?;
        if other.is_some_and(|other| other.id != row.id) {
            return Err(taken("reference", "Another record has this reference."));
        }
        if shares_email {
            return Ok(());
        }
        // A name must not mean two people.
        let other = store::record_by_email(sql, &row.source, &email_key(reference))?;
        if other.is_some_and(|other| other.id != row.id) {
            return Err(taken(
                "reference",
                "This reference is the e-mail address of another record.",
            ));
        }
    }
    let (Some(email), Some(key)) = (&row.email, &row.email_key) else {
        return Ok(());
    };
    if had_email || shares_email {
        return Ok(());
    }
    let other = store::record_by_email(sql, &row.source, key)?;
    if other.is_some_and(|other| other.id != row.id) {
        return Err(taken("email", "Another record has this e-mail address."));
    }
    // As it is compared, and as it is shown: references are compared letter by letter. One in yet other letters goes before
    // an address where somebody is named.
    for text in [key, email] {
        let other = store::record_by_reference(sql, &row.source, text)?;
        if other.is_some_and(|other| other.id != row.id) {
            return Err(taken(
                "email",
                "This e-mail address is the reference of another record.",
            ));
        }
    }
    Ok(())
}

pub(crate) fn one(person: Person) -> Set {
    Set::from_sorted(&[person])
}

/// Brings the sets that follow from a person's records up to date.
fn note_sets(tx: &mut Tx<'_, '_>, person: Person) -> Result<()> {
    let rows = store::records_of(tx, person, limits::PERSON_RECORDS_MAX as i64)?;
    let mut keep = |set: SetId, is_in: bool| match is_in {
        true => tx.set_add(set, &one(person)),
        false => tx.set_remove(set, &one(person)),
    };
    keep(RECORDS_SET, !rows.is_empty())?;
    keep(INACTIVE_SET, rows.iter().any(|row| !row.active))?;
    keep(ENDED_SET, rows.iter().any(|row| row.ended))?;
    Ok(())
}

/// Tells of a record as it is, or was last.
pub(crate) fn tell(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    kind: EventKind,
    row: &RecordRow,
) -> Result<()> {
    event::announce_person(tx, sealer, kind, &row.source, |_| {
        Ok(PersonEvent {
            record: Some(of(row.clone())),
            ..PersonEvent::default()
        })
    })
}

/// Whether a record's end date has passed on this day.
fn has_ended(row: &RecordRow, today: &str) -> bool {
    row.ends.as_deref().is_some_and(|ends| ends < today)
}

impl Domain {
    /// The identifiers that a record's person is looked for by: its address, then its reference in the source.
    async fn record_batch(&self, caller: &Caller, row: &RecordRow) -> Result<Batch> {
        let mut batch = self.batch(caller, 2).await?;
        let namespace = format!("{}.reference", row.source);
        let malformed =
            |invalid: crate::identifier::Invalid| Error::invalid("email", "malformed", invalid.0);
        if let Some(key) = &row.email_key {
            batch.identifier(Kind::Email, "", key).map_err(malformed)?;
        }
        if let Some(reference) = &row.reference {
            // A long one is known by its hash.
            let hash = blake3::hash(reference.as_bytes());
            let known = match reference.len() > limits::IDENTIFIER_BYTES_MAX {
                true => hash.to_hex().to_string(),
                false => reference.clone(),
            };
            batch
                .identifier(Kind::External, &namespace, &known)
                .map_err(malformed)?;
        }
        batch.end_person();
        Ok(batch.finish())
    }

    /// A record to be inserted, checked, with what its person is looked for by.
    pub(crate) async fn record_checked(
        &self,
        caller: &Caller,
        source: &str,
        new: RecordNew,
    ) -> Result<(RecordRow, Batch)> {
        valid_source(source)?;
        let row = checked(RecordRow {
            reference: new.reference,
            email: new.email,
            first_name: new.first_name,
            last_name: new.last_name,
            active: new.active,
            starts: new.starts,
            ends: new.ends,
            profile: new.profile,
            ..empty_row(source)
        })?;
        let batch = self.record_batch(caller, &row).await?;
        Ok((row, batch))
    }

    /// Makes a record, and its person where nobody holds one of its identifiers. Needs the scope people:write.
    pub async fn record_create(
        &self,
        context: &Context,
        source: &str,
        new: RecordNew,
    ) -> Result<Record> {
        context.caller.need(Scope::PeopleWrite)?;
        context.caller.need_every_structure()?;
        let shares_email = new.shares_email;
        let (row, batch) = self.record_checked(&context.caller, source, new).await?;
        self.command(context, "record_create", batch.weight(), move |tx| {
            let row = insert(tx, row.clone(), &batch, shares_email)?;
            store::activity_insert(tx, Some(row.id), &format!("person={}", row.person))?;
            Ok(Verdict::Done(of(row)))
        })
        .await
    }

    /// A record. Needs the scope people:read and every structure, since people belong to the whole workspace.
    pub async fn record_get(
        &self,
        caller: &Caller,
        source: &str,
        reference: RecordRef,
    ) -> Result<Record> {
        caller.need(Scope::PeopleRead)?;
        caller.need_every_structure()?;
        let source = source.to_owned();
        self.store()
            .read(caller.workspace, move |read| {
                let found = lookup(read, &source, &reference)?;
                found.map(of).ok_or(Error::NotFound(NOUN))
            })
            .await
    }

    /// Records of a source in order of id, by the number of their place, and how many there are. Needs the scope
    /// people:read and every structure.
    pub async fn record_list(
        &self,
        caller: &Caller,
        source: &str,
        query: RecordQuery,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<Record>, u64)> {
        caller.need(Scope::PeopleRead)?;
        caller.need_every_structure()?;
        let source = source.to_owned();
        let filter = RecordFilter {
            updated_since: query.updated_since,
            states: match query.states.is_empty() {
                true => 7,
                false => query
                    .states
                    .iter()
                    .fold(0, |bits, state| bits | state.bit()),
            },
            today: day(self.now_ms()),
            email_key: query.email.as_deref().map(email_key),
        };
        // A NUL names nobody, and PostgreSQL refuses it.
        if filter
            .email_key
            .as_deref()
            .is_some_and(|key| key.contains('\0'))
        {
            return Ok((Vec::new(), 0));
        }
        let limit = limit.clamp(1, limits::PAGE_ITEMS_MAX) as i64;
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        self.store()
            .read(caller.workspace, move |read| {
                let total = store::records_count(read, &source, &filter)?;
                let rows = store::records_page(read, &source, &filter, offset, limit)?;
                Ok((rows.into_iter().map(of).collect(), total))
            })
            .await
    }

    /// Changes a record. A new address or reference attaches to its person where nobody holds it; the old one stays theirs.
    /// Needs the scope people:write.
    pub async fn record_update(
        &self,
        context: &Context,
        source: &str,
        reference: RecordRef,
        change: RecordChange,
    ) -> Result<Record> {
        context.caller.need(Scope::PeopleWrite)?;
        context.caller.need_every_structure()?;
        let source = source.to_owned();
        // The new identifiers are checked and hashed here; the command adds them to the person that the record has.
        let given = |text: &Option<Option<String>>| {
            let text = text.clone().flatten();
            text.filter(|text| !text.trim().is_empty())
        };
        let gained = match (given(&change.reference), given(&change.email)) {
            // What else is wrong is said by the whole record's check.
            (None, None) => None,
            (reference, email) => {
                let probe = checked(RecordRow {
                    reference,
                    email,
                    ..empty_row(&source)
                })?;
                Some(self.record_batch(&context.caller, &probe).await?)
            }
        };
        let sealer = self.store().sealer().clone();
        self.command(context, "record_update", 2, move |tx| {
            let before = lookup(tx, &source, &reference)?.ok_or(Error::NotFound(NOUN))?;
            let mut row = checked(changed(before.clone(), &change)?)?;
            free(tx, &row, Some(&before), change.shares_email)?;
            row.ended = has_ended(&row, &day(tx.meta().time));
            if row == before {
                return Ok(Verdict::Done(of(row)));
            }
            row.updated = tx.meta().time;
            if let Some(batch) = &gained {
                attach(tx, row.person, batch)?;
            }
            store::record_update(tx, &row)?;
            note_sets(tx, row.person)?;
            tell(tx, &sealer, EventKind::RecordUpdated, &row)?;
            store::activity_insert(tx, Some(row.id), "")?;
            Ok(Verdict::Done(of(row)))
        })
        .await
    }

    /// Deletes a record with its clients and the conversations that are its alone. The person, their identifiers and their
    /// memberships stay. Needs the scope people:write.
    pub async fn record_delete(
        &self,
        context: &Context,
        source: &str,
        reference: RecordRef,
    ) -> Result<()> {
        context.caller.need(Scope::PeopleWrite)?;
        context.caller.need_every_structure()?;
        let (source, sealer) = (source.to_owned(), self.store().sealer().clone());
        self.command(context, "record_delete", 1, move |tx| {
            let row = lookup(tx, &source, &reference)?.ok_or(Error::NotFound(NOUN))?;
            client_link::record_gone(tx, &row)?;
            conversation::record_leaves(tx, &sealer, row.id)?;
            store::record_delete(tx, row.id)?;
            note_sets(tx, row.person)?;
            tell(tx, &sealer, EventKind::RecordDeleted, &row)?;
            store::activity_insert(tx, Some(row.id), &format!("person={}", row.person))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Notes whose records have ended, so that a move needs not look at each; called now and then. True where more may be
    /// left.
    pub async fn record_sweep(&self, workspace: i64) -> Result<bool> {
        let context = Context::new(Caller::server(workspace), "sweep");
        self.command(&context, "record_sweep", 1, move |tx| {
            let today = day(tx.meta().time);
            let limit = limits::RECORDS_SWEPT_MAX;
            let found = store::records_ended(tx, &today, limit as i64)?;
            for (id, _) in &found {
                store::record_end(tx, *id)?;
            }
            let people: Set = found.iter().map(|(_, person)| *person).collect();
            if !people.is_empty() {
                tx.set_add(ENDED_SET, &people)?;
            }
            Ok(Verdict::Done(found.len() == limit))
        })
        .await
    }
}

/// Inserts a record and makes its person where nobody holds one of its identifiers.
pub(crate) fn insert(
    tx: &mut Tx<'_, '_>,
    mut row: RecordRow,
    batch: &Batch,
    shares_email: bool,
) -> Result<RecordRow> {
    free(tx, &row, None, shares_email)?;
    let (people, _) = resolve_or_make(tx, batch)?;
    row.person = people
        .iter()
        .next()
        .ok_or_else(|| Error::internal("a record has no person"))?;
    let others = store::records_of(tx, row.person, limits::PERSON_RECORDS_MAX as i64)?;
    if others.len() >= limits::PERSON_RECORDS_MAX {
        let say = "This person has as many records as one may have.";
        return Err(Error::invalid("email", "too_many", say));
    }
    let now = tx.meta().time;
    (row.id, row.created, row.updated) = (tx.next_id(), now, now);
    row.ended = has_ended(&row, &day(now));
    store::record_insert(tx, &row)?;
    note_sets(tx, row.person)?;
    Ok(row)
}

/// Gives a person the keys that nobody holds; of the others the clash is noted.
pub(crate) fn attach(tx: &mut Tx<'_, '_>, person: Person, batch: &Batch) -> Result<()> {
    for (at, key) in batch.keys().iter().enumerate() {
        let kind = batch.kinds[at];
        match tx.person(key) {
            Some(holder) if holder == person => {}
            Some(holder) => {
                let now = tx.meta().time;
                store::conflict_note(tx, person, holder, kind.as_str(), now)?;
            }
            None => {
                if tx.attach(*key, person, &[batch.received.get(at)]) {
                    tx.set_add(kind.set(), &one(person))?;
                }
            }
        }
    }
    Ok(())
}
