//! Links between people and their addresses as stories on both engines: what confirms them, what ends them, what is sent
//! and told meanwhile, and what holds when two things happen at once.

mod confirm;
mod create;
mod identity;
mod leave;
mod model;
mod outcome;
mod program;
mod races;
mod sealed;
mod stop;
mod theft;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    Caller, Channel, ChannelClaim, ChannelError, Client, ClientNew, ClientStatus, Confirmation,
    Content, Context, ConversationKind, ConversationNew, CursorQuery, Detail, Domain, Error, Event,
    EventData, EventKind, Hook, Inbound, InboundEvent, IntegrationKind, IntegrationNew, NATIVE,
    PersonEvent, Persona, Record, RecordNew, RecordRef, Result, SendOutcome, WebhookNew,
};

use crate::support::{House, close, context};

const SOURCE: &str = "desk";
const DAY: Duration = Duration::from_secs(86_400);
const LEASE: Duration = Duration::from_secs(120);
const PHONE: &str = "+12125552368";
const MAIL: &str = "ann@example.org";

fn reference(who: &str) -> RecordRef {
    RecordRef::Reference(who.into())
}

async fn person_at(domain: &Domain, source: &str, who: &str, email: Option<&str>) -> Record {
    let new = RecordNew {
        reference: Some(who.into()),
        email: email.map(Into::into),
        active: true,
        shares_email: true,
        ..RecordNew::default()
    };
    let made = domain.record_create(&context("person"), source, new).await;
    made.expect("a record")
}

/// A record of this reference, with nothing else.
async fn person(domain: &Domain, who: &str) -> Record {
    person_at(domain, SOURCE, who, None).await
}

fn conversation_of(who: &[&str]) -> ConversationNew {
    ConversationNew {
        kind: match who {
            [_] => ConversationKind::Personal,
            _ => ConversationKind::Group,
        },
        display_name: None,
        description: None,
        icon_url: None,
        metadata: String::new(),
        participants: who.iter().map(|who| (reference(who), false)).collect(),
    }
}

/// A conversation of these people: a personal one where it is one person.
async fn talk(domain: &Domain, who: &[&str]) -> i64 {
    let new = conversation_of(who);
    let made = domain
        .conversation_create(&context("talk"), SOURCE, new)
        .await;
    made.expect("a conversation").id
}

fn fields(kind: IntegrationKind) -> BTreeMap<String, String> {
    let pairs: &[(&str, &str)] = match kind {
        IntegrationKind::Mailgun => &[
            ("api_key", "canary-api-key"),
            ("domain", "mail.example.org"),
            ("incoming_address", "desk@mail.example.org"),
        ],
        IntegrationKind::Twilio => &[
            ("account_sid", "AC1"),
            ("auth_token", "canary-auth-token"),
            ("phone_number_sid", "PN1"),
        ],
        IntegrationKind::MessageBird => &[
            ("access_key", "canary-access-key"),
            ("signing_key", "canary-signing-key"),
            ("originator", "Desk"),
        ],
        IntegrationKind::WhatsApp => &[
            ("deployment_id", "d1"),
            ("phone_number_id", "1"),
            ("token", "canary-token"),
        ],
        IntegrationKind::Custom => &[],
    };
    let owned = pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    owned.collect()
}

async fn integration(domain: &Domain, kind: IntegrationKind) -> i64 {
    let new = IntegrationNew {
        kind,
        display_name: None,
        fields: fields(kind),
        webhooks: Vec::new(),
    };
    let made = domain
        .integration_create(&context("integration"), new)
        .await;
    made.expect("an integration").0.id
}

fn text(words: &str) -> Content {
    Content::Text {
        text: words.into(),
        links: Vec::new(),
    }
}

/// A phone number through Twilio, first among its person's, with a message.
fn link(integration: i64, conversation: i64, confirmation: Confirmation) -> ClientNew {
    ClientNew {
        kind: IntegrationKind::Twilio,
        integration,
        address: PHONE.into(),
        subject: None,
        primary: true,
        confirmation,
        message: Some((Persona::default(), text("Hello!"))),
        conversation,
    }
}

async fn create(domain: &Domain, who: &str, new: ClientNew) -> Result<Client> {
    domain
        .client_create(&context("link"), SOURCE, reference(who), new)
        .await
}

async fn created(domain: &Domain, who: &str, new: ClientNew) -> i64 {
    create(domain, who, new).await.expect("is linked").id
}

async fn remove(domain: &Domain, who: &str, id: i64) -> Result<()> {
    domain
        .client_remove(&context("remove"), SOURCE, reference(who), id)
        .await
}

async fn clients(domain: &Domain, who: &str) -> Vec<Client> {
    let query = CursorQuery {
        limit: 100,
        ..CursorQuery::default()
    };
    let page = domain
        .client_list(&Caller::server(1), SOURCE, reference(who), &query)
        .await;
    page.expect("lists").items
}

/// How somebody's clients stand, oldest first.
async fn stand(domain: &Domain, who: &str) -> Vec<&'static str> {
    let clients = clients(domain, who).await;
    clients.iter().map(|one| one.status.as_str()).collect()
}

/// The clients by which somebody is reached in a conversation, the first first.
async fn reached(domain: &Domain, conversation: i64, record: i64) -> Vec<i64> {
    let page = domain
        .participant_list(&Caller::server(1), conversation, &CursorQuery::default())
        .await;
    let participants = page.expect("lists").items.into_iter();
    let mut own = participants.filter(|one| one.record == record);
    let own = own.next().expect("takes part");
    own.clients.into_iter().map(|(id, _)| id).collect()
}

/// How many people have an active client of the channel.
async fn count(domain: &Domain, channel: Channel) -> u64 {
    let counts = domain.channel_counts(&Caller::server(1)).await;
    let counts = counts.expect("counts").into_iter();
    counts
        .filter(|(of, _)| *of == channel)
        .map(|(_, count)| count)
        .sum()
}

/// What is due, in the order in which it was queued.
async fn claim(domain: &Domain) -> Vec<ChannelClaim> {
    let mut claims = domain.channel_claim(1_000).await.expect("claims");
    claims.sort_by_key(ChannelClaim::id);
    claims
}

async fn finish(domain: &Domain, claim: &ChannelClaim, outcome: SendOutcome) -> bool {
    let finished = domain.channel_finish(claim, outcome).await;
    finished.expect("is noted")
}

/// Everything that is due is taken by its channel.
async fn send(domain: &Domain) -> Vec<ChannelClaim> {
    let claims = claim(domain).await;
    for item in &claims {
        assert!(finish(domain, item, accepted()).await);
    }
    claims
}

fn accepted() -> SendOutcome {
    SendOutcome::Accepted {
        provider_id: Some("SM1".into()),
    }
}

fn error(code: &str) -> ChannelError {
    ChannelError {
        code: code.into(),
        text: format!("No way to {PHONE}."),
    }
}

/// State, attempts and last error of an item.
async fn item(domain: &Domain, id: i64) -> (String, i64, Option<String>) {
    let found = domain.outbox_get(&Caller::server(1), id).await;
    let item = found.expect("is there").item;
    (item.state, item.attempts, item.last_error)
}

async fn outbox(domain: &Domain) -> usize {
    let caller = Caller::server(1);
    let listed = domain.outbox_list(&caller, None, None, 1_000).await;
    let items = listed.expect("lists").into_iter();
    items.filter(|item| item.kind == "channel").count()
}

/// The hook of an integration, as its provider reaches it.
async fn hook(domain: &Domain, integration: i64) -> Hook {
    let shown = domain
        .integration_get(&Caller::server(1), integration)
        .await;
    let shown = shown.expect("is there");
    let found = domain.hook(shown.kind, &shown.hook_token).await;
    let found = found.expect("is found by its token");
    assert_eq!((found.integration, found.workspace), (integration, 1));
    found
}

async fn tell(domain: &Domain, hook: &Hook, id: &str, event: InboundEvent) {
    let inbound = Inbound {
        id: id.into(),
        event,
    };
    let told = domain.inbound(hook, "told", vec![inbound]).await;
    told.expect("is taken");
}

fn from(address: &str, words: &str) -> InboundEvent {
    InboundEvent::Message {
        from: address.into(),
        name: None,
        raw: None,
        content: text(words),
    }
}

/// Somebody writes; `id` is the provider's.
async fn write(domain: &Domain, integration: i64, address: &str, id: &str, words: &str) {
    let hook = hook(domain, integration).await;
    tell(domain, &hook, id, from(address, words)).await;
}

fn wanting(dialect: &str, events: &[EventKind]) -> WebhookNew {
    WebhookNew {
        dialect: dialect.into(),
        url: "https://hooks.example.org/in".into(),
        events: events.to_vec(),
        secret: None,
        integration: None,
        detail: Detail::default(),
    }
}

/// A webhook that is told of clients and what was sent to them.
async fn listen(domain: &Domain) {
    let events = [
        EventKind::ClientAdded,
        EventKind::ClientUpdated,
        EventKind::ClientRemoved,
        EventKind::MessagePosted,
        EventKind::MessageSent,
        EventKind::MessageFailed,
        EventKind::RecordDeleted,
        EventKind::ConversationRemoved,
    ];
    let made = domain
        .webhook_create(&context("hook"), wanting(NATIVE, &events))
        .await;
    made.expect("a webhook");
}

fn of_person(event: &Event) -> &PersonEvent {
    match &event.data {
        EventData::Person(said) => said,
        EventData::Audience(_) => panic!("{event:?} is of an audience"),
    }
}

/// Events since the last look, oldest first.
async fn events(domain: &Domain) -> Vec<Event> {
    let mut claims = domain.webhook_claim(1_000).await.expect("claims");
    claims.sort_by_key(|claim| claim.event.id);
    for claim in &claims {
        assert_eq!(domain.webhook_finish(claim, Ok(())).await, Ok(true));
    }
    claims.into_iter().map(|claim| claim.event).collect()
}

/// An event in a line: what, of whom, where the client stands, and why.
fn line(event: &Event) -> String {
    let said = of_person(event);
    let who = said.record.as_ref().and_then(|one| one.reference.clone());
    let stands = said
        .client
        .as_ref()
        .map(|one| one.status.as_str().to_owned());
    let reason = said
        .reason
        .map(|reason| format!("{reason:?}").to_lowercase());
    let code = said.error.as_ref().map(|error| error.code.clone());
    let parts = [
        Some(event.kind.as_str().to_owned()),
        who,
        stands,
        reason,
        code,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

async fn lines(domain: &Domain) -> Vec<String> {
    events(domain).await.iter().map(line).collect()
}

/// What was written in a conversation.
async fn written(domain: &Domain, conversation: i64) -> Vec<String> {
    let page = domain
        .message_list(&Caller::server(1), conversation, &CursorQuery::default())
        .await;
    let messages = page.expect("lists").items.into_iter();
    messages.map(|message| message.content.shown()).collect()
}

fn verified(house: &House) {
    let report =
        tokio::task::block_in_place(|| store::verify(&house.path(), &house.url, &mut |_, _, _| {}));
    assert_eq!(report.expect("verifies").findings, Vec::<String>::new());
}

async fn end(house: &House, domain: Domain) {
    close(domain).await;
    verified(house);
}

/// Name or code of what was refused.
fn code<T: std::fmt::Debug>(found: Result<T>) -> &'static str {
    match found {
        Err(Error::Invalid(field) | Error::AlreadyExists(field) | Error::TooLarge(field)) => {
            field.code
        }
        Err(Error::NotFound(noun)) => noun,
        Err(Error::Conflict(_)) => "conflict",
        Err(Error::Forbidden(_)) => "forbidden",
        other => panic!("{other:?}"),
    }
}

/// One person with a conversation and an integration of Twilio.
struct Scene {
    domain: Domain,
    ann: Record,
    conversation: i64,
    twilio: i64,
}

impl Scene {
    async fn open(house: &House) -> Scene {
        let domain = house.open().await;
        let ann = person(&domain, "ann").await;
        Scene {
            conversation: talk(&domain, &["ann"]).await,
            twilio: integration(&domain, IntegrationKind::Twilio).await,
            ann,
            domain,
        }
    }

    fn link(&self, confirmation: Confirmation) -> ClientNew {
        link(self.twilio, self.conversation, confirmation)
    }

    /// An active client of ann's.
    async fn linked(&self) -> i64 {
        let id = created(&self.domain, "ann", self.link(Confirmation::Immediate)).await;
        send(&self.domain).await;
        id
    }

    async fn write(&self, id: &str, words: &str) {
        write(&self.domain, self.twilio, PHONE, id, words).await;
    }

    async fn reached(&self) -> Vec<i64> {
        reached(&self.domain, self.conversation, self.ann.id).await
    }
}
