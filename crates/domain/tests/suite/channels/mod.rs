//! Channels on both engines: integrations, keys of programs, conversations and what is said in them; what is refused leaves
//! nothing behind.

mod conversations;
mod integrations;
mod keys;
mod messages;
mod participants;
mod secrecy;
mod tokens;

use std::{collections::BTreeMap, time::Duration};

use domain::{
    Author, AuthorRef, Caller, Content, Context, Conversation, ConversationKind, ConversationNew,
    CursorQuery, Domain, Error, Event, EventData, EventKind, Integration, IntegrationKind,
    IntegrationNew, Message, MessageNew, NATIVE, PersonEvent, Persona, Portfolio, Record,
    RecordNew, RecordRef, Result, Scope, Scopes, WebhookNew, WorkspaceNew,
};

use crate::support::{House, START_MS, close, context};

const SOURCE: &str = "chat";
const SECOND: Duration = Duration::from_secs(1);

/// What a program's key may do.
const KEY: &[Scope] = &[
    Scope::Channels,
    Scope::Integrations,
    Scope::PeopleRead,
    Scope::PeopleWrite,
    Scope::Webhooks,
];

fn caller(workspace: i64, scopes: &[Scope]) -> Caller {
    let mut caller = Caller::server(workspace);
    caller.credential = 7;
    caller.scopes = Scopes::new(scopes);
    caller
}

/// A program that may not touch every structure.
fn narrow() -> Context {
    let mut caller = caller(1, KEY);
    caller.portfolio = Portfolio::Only(vec![1]);
    Context::new(caller, "narrow")
}

/// A program of the workspace.
fn program(workspace: i64) -> Context {
    Context::new(caller(workspace, KEY), "program")
}

/// A program of an integration, with more scopes than it is given by itself.
fn program_of(integration: i64) -> Context {
    let mut caller = caller(1, KEY);
    caller.integration = Some(integration);
    Context::new(caller, "program of an integration")
}

async fn other_workspace(domain: &Domain) -> i64 {
    let new = WorkspaceNew {
        slug: "other".into(),
        name: "Other".into(),
        keep_identifiers: true,
    };
    let made = domain.workspace_create(&Caller::server(1), new).await;
    made.expect("a workspace").id
}

async fn record_in(domain: &Domain, workspace: i64, reference: &str) -> Record {
    let new = RecordNew {
        reference: Some(reference.into()),
        active: true,
        shares_email: true,
        ..RecordNew::default()
    };
    let made = domain.record_create(&program(workspace), SOURCE, new).await;
    made.expect("a record")
}

async fn record(domain: &Domain, reference: &str) -> Record {
    record_in(domain, 1, reference).await
}

fn of(kind: IntegrationKind, fields: &[(&str, &str)]) -> IntegrationNew {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    IntegrationNew {
        kind,
        display_name: None,
        fields: fields.iter().map(owned).collect(),
        webhooks: Vec::new(),
    }
}

const MAILGUN: &[(&str, &str)] = &[
    ("api_key", "canary-api-key"),
    ("domain", "mail.example.org"),
    ("incoming_address", "in@mail.example.org"),
];
const TWILIO: &[(&str, &str)] = &[
    ("account_sid", "AC0001"),
    ("auth_token", "canary-auth-token"),
    ("phone_number_sid", "PN0001"),
];

async fn integration(domain: &Domain, new: IntegrationNew) -> Integration {
    let made = domain.integration_create(&program(1), new).await;
    made.expect("an integration").0
}

async fn mailgun(domain: &Domain) -> Integration {
    integration(domain, of(IntegrationKind::Mailgun, MAILGUN)).await
}

async fn custom(domain: &Domain) -> Integration {
    integration(domain, of(IntegrationKind::Custom, &[])).await
}

fn with(kind: ConversationKind, records: &[&Record]) -> ConversationNew {
    let who = records
        .iter()
        .map(|record| (RecordRef::Id(record.id), false));
    ConversationNew {
        kind,
        display_name: None,
        description: None,
        icon_url: None,
        metadata: String::new(),
        participants: who.collect(),
    }
}

async fn converse(domain: &Domain, new: ConversationNew) -> Result<Conversation> {
    domain.conversation_create(&program(1), SOURCE, new).await
}

async fn personal(domain: &Domain, record: &Record) -> Conversation {
    let new = with(ConversationKind::Personal, &[record]);
    converse(domain, new).await.expect("a conversation")
}

async fn group(domain: &Domain, records: &[&Record]) -> Conversation {
    let new = with(ConversationKind::Group, records);
    converse(domain, new).await.expect("a conversation")
}

fn text(text: &str) -> Content {
    Content::Text {
        text: text.into(),
        links: Vec::new(),
    }
}

fn says(author: AuthorRef, content: Content) -> MessageNew {
    MessageNew {
        author,
        content,
        metadata: None,
        destination: None,
    }
}

fn business() -> AuthorRef {
    AuthorRef::Business(Persona::default())
}

fn by(record: &Record) -> AuthorRef {
    AuthorRef::Record(RecordRef::Id(record.id), Persona::default())
}

async fn post(domain: &Domain, conversation: &Conversation, new: MessageNew) -> Result<Message> {
    domain
        .message_post(&program(1), SOURCE, conversation.id, new)
        .await
}

/// What the organisation said, in order.
async fn said(domain: &Domain, conversation: &Conversation, words: &str) -> Message {
    let posted = post(domain, conversation, says(business(), text(words))).await;
    posted.expect("is posted")
}

fn after(id: i64, limit: usize) -> CursorQuery {
    CursorQuery {
        after: Some(id),
        before: None,
        limit,
    }
}

fn before(id: i64, limit: usize) -> CursorQuery {
    CursorQuery {
        after: None,
        before: Some(id),
        limit,
    }
}

fn first(limit: usize) -> CursorQuery {
    CursorQuery {
        limit,
        ..CursorQuery::default()
    }
}

/// How many changes the log has.
async fn seq(domain: &Domain) -> u64 {
    domain.store().head_seq(1).await.expect("a head")
}

fn verified(house: &House) {
    let report =
        tokio::task::block_in_place(|| store::verify(&house.path(), &house.url, &mut |_, _, _| {}));
    assert_eq!(report.expect("verifies").findings, Vec::<String>::new());
}

/// What was refused, as in `display_name malformed`.
fn refused<T: std::fmt::Debug>(found: Result<T>) -> String {
    match found {
        Err(Error::Invalid(field) | Error::AlreadyExists(field) | Error::TooLarge(field)) => {
            format!("{} {}", field.name, field.code)
        }
        Err(Error::NotFound(noun)) => format!("no {noun}"),
        Err(Error::Conflict(_)) => "conflict".into(),
        Err(Error::Forbidden(denied)) => format!("forbidden {denied:?}"),
        Err(Error::Unauthenticated(_)) => "unauthenticated".into(),
        other => panic!("{other:?}"),
    }
}

/// Has everything that happens to people told, so that [`told`] finds it.
async fn listen(domain: &Domain) {
    let kinds = EventKind::ALL.into_iter();
    let new = WebhookNew {
        dialect: NATIVE.into(),
        url: "https://hooks.example.org/".into(),
        events: kinds.filter(|kind| !kind.is_of_audiences()).collect(),
        secret: None,
        integration: None,
        detail: domain::Detail::default(),
    };
    let made = domain.webhook_create(&context("hook"), new).await;
    made.expect("a webhook");
}

/// What happened since the last call, oldest first.
async fn told(domain: &Domain) -> Vec<(EventKind, PersonEvent)> {
    let mut claims = domain.webhook_claim(1_000).await.expect("claims");
    claims.sort_by_key(domain::WebhookClaim::id);
    let mut events: Vec<Event> = Vec::new();
    for claim in claims {
        assert_eq!(domain.webhook_finish(&claim, Ok(())).await, Ok(true));
        events.push(claim.event);
    }
    let events = events.into_iter().map(|event| match event.data {
        EventData::Person(data) => (event.kind, *data),
        EventData::Audience(data) => panic!("{data:?}"),
    });
    events.collect()
}

fn kinds(told: &[(EventKind, PersonEvent)]) -> Vec<&'static str> {
    told.iter().map(|(kind, _)| kind.as_str()).collect()
}

/// Whose words a message are; nothing where the organisation's.
fn author(message: &Message) -> Option<i64> {
    match &message.author {
        Author::Business(_) => None,
        Author::Record { id, .. } => Some(*id),
    }
}

fn words(message: &Message) -> &str {
    match &message.content {
        Content::Text { text, .. } => text,
        other => panic!("{other:?}"),
    }
}

fn named(fields: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    let owned =
        |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
    fields.iter().map(owned).collect()
}

/// Writes into the database behind the domain's back, which has to be closed: what would take too long otherwise.
fn execute(house: &House, statement: &str) {
    match &house.url {
        store::DatabaseUrl::Sqlite { path, .. } => {
            let connection = rusqlite::Connection::open(path).expect("opens");
            connection.execute(statement, []).expect("is written");
        }
        store::DatabaseUrl::Postgres(url) => tokio::task::block_in_place(|| {
            let mut client = postgres::Client::connect(url, postgres::NoTls).expect("answers");
            client.execute(statement, &[]).expect("is written");
        }),
    }
}

/// `n` from 1 to a thousand less one, for [`execute`].
const MANY: &str =
    "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 999)";
