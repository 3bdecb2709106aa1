//! The demo's company: a structure with two audiences and a few users, and the client that may change them.

use domain::{
    AudienceNew, AudienceRef, Context, Control, CredentialNew, Domain, RecordNew, StructureNew,
};
use serde::{Deserialize, Serialize};

use crate::failure::Result;

const DIALECT: &str = dialects::thrive::DIALECT;

/// Reference, first and last name of each user.
const USERS: [(&str, &str, &str); 6] = [
    ("DEMO-1", "Ada", "Lovelace"),
    ("DEMO-2", "Alan", "Turing"),
    ("DEMO-3", "Grace", "Hopper"),
    ("DEMO-4", "Edsger", "Dijkstra"),
    ("DEMO-5", "Barbara", "Liskov"),
    ("DEMO-6", "Linus", "Pauling"),
];
/// Name, reference and users of each audience.
const AUDIENCES: [(&str, &str, &[usize]); 2] = [
    ("Sales", "demo-sales", &[0, 1, 2]),
    ("Support", "demo-support", &[2, 3, 4]),
];

/// What the demo remembers of its client.
#[derive(Clone, Serialize, Deserialize)]
pub struct Thrive {
    tenant_id: String,
    client_id: String,
    secret: String,
}

impl std::fmt::Debug for Thrive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Thrive({}, ***)", self.tenant_id)
    }
}

/// Makes company, users and client: last of all, so that nothing else has another id or secret for it.
pub async fn company(domain: &Domain, context: &Context) -> Result<Thrive> {
    let new = StructureNew {
        reference: Some("demo-company".into()),
        control: Control::Api,
        unique_names: false,
        ..StructureNew::new("Demo company")
    };
    let structure = domain.structure_create(context, new).await?.id;
    for (reference, first_name, last_name) in USERS {
        domain
            .record_create(context, DIALECT, user(reference, first_name, last_name))
            .await?;
    }
    for (name, reference, users) in AUDIENCES {
        let new = AudienceNew {
            reference: Some(reference.into()),
            ..AudienceNew::new(structure, name)
        };
        let audience = AudienceRef::Id(domain.audience_create(context, new).await?.id);
        let members = users.iter().map(|at| USERS[*at].0.to_owned()).collect();
        domain
            .member_put(context, audience, DIALECT, members, false)
            .await?;
    }
    client(domain, context).await
}

fn user(reference: &str, first_name: &str, last_name: &str) -> RecordNew {
    let email = format!("{first_name}.{last_name}@company.example").to_lowercase();
    RecordNew {
        reference: Some(reference.into()),
        email: Some(email),
        first_name: Some(first_name.into()),
        last_name: Some(last_name.into()),
        active: true,
        ..RecordNew::default()
    }
}

async fn client(domain: &Domain, context: &Context) -> Result<Thrive> {
    let new = dialects::with_scopes(CredentialNew {
        dialect: DIALECT.into(),
        name: "Demo HR system".into(),
        scopes: String::new(),
        structures: None,
        expires: None,
        keep_secret: false,
    });
    let made = domain
        .credential_create(context, new, dialects::DIALECTS)
        .await?;
    Ok(Thrive {
        tenant_id: dialects::thrive::tenant_id(context.caller.workspace),
        client_id: made.credential.client_id,
        secret: made.secret,
    })
}

impl Thrive {
    /// The entry `thrive` of the demo's line. One credential is good in both of the vendor's ways.
    pub fn json(&self, url: &str) -> serde_json::Value {
        let Thrive {
            tenant_id,
            client_id,
            secret,
        } = self;
        serde_json::json!({
            "base": format!("{url}/thrive"),
            "token_url": format!("{url}/thrive/oauth2/token/{tenant_id}"),
            "tenant_id": tenant_id,
            "api_secret": secret,
            "client_id": client_id,
            "client_secret": secret,
        })
    }

    /// What people can paste.
    pub fn text(&self, url: &str) -> String {
        let Thrive {
            tenant_id, secret, ..
        } = self;
        format!(
            r#"
Thrive Public API, with the tenant's id and API secret:

  curl -u {tenant_id}:{secret} {url}/thrive/rest/v1/audiences
"#
        )
    }
}
