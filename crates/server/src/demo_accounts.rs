//! The demo's people who operate: an administrator with a key, and an advertiser; what of them each dialect's client needs.

use domain::{AccountNew, Context, Domain, Entrance, KeyNew, Random, Role};
use serde::{Deserialize, Serialize};

use crate::failure::Result;

const ADMIN_EMAIL: &str = "admin@example.com";
const USER_EMAIL: &str = "advertiser@example.com";
/// Letters and digits that nobody takes for one another.
const PASSWORD_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Five bits each.
const PASSWORD_CHARS: usize = 20;

/// What the demo remembers of its accounts.
#[derive(Clone, Serialize, Deserialize)]
pub struct Accounts {
    admin: SignIn,
    user: SignIn,
    /// The administrator's key for the Opendatasoft dialect.
    api_key: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct SignIn {
    email: String,
    password: String,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accounts(***)")
    }
}

/// Makes the administrator with a key, and the advertiser. The demo's administrator is the only one.
pub async fn accounts(domain: &Domain, context: &Context, random: &Random) -> Result<Accounts> {
    let (admin, id) = account(domain, context, random, ADMIN_EMAIL, Role::Admin).await?;
    let (user, _) = account(domain, context, random, USER_EMAIL, Role::Advertiser).await?;
    let new = KeyNew {
        label: "Demo".into(),
        dialect: dialects::opendatasoft::DIALECT.into(),
        permissions: None,
        expires: None,
    };
    let key = domain
        .key_create(context, id, new, dialects::KEY_DIALECTS)
        .await?;
    Ok(Accounts {
        admin,
        user,
        api_key: key.secret,
    })
}

async fn account(
    domain: &Domain,
    context: &Context,
    random: &Random,
    email: &str,
    role: Role,
) -> Result<(SignIn, i64)> {
    let password = password(random)?;
    let name = match role {
        Role::Admin => "Demo administrator",
        Role::Retailer => "Demo retailer",
        Role::Advertiser => "Demo advertiser",
    };
    let new = AccountNew {
        name: Some(name.into()),
        role,
        verified: true,
        ..AccountNew::of(email)
    };
    let made = domain
        .account_create(context, new, Entrance::Password(password.clone()))
        .await?;
    let sign_in = SignIn {
        email: made.account.email,
        password,
    };
    Ok((sign_in, made.account.id))
}

fn password(random: &Random) -> Result<String> {
    let bytes = random.bytes::<PASSWORD_CHARS>()?;
    let letters = bytes
        .iter()
        .map(|byte| PASSWORD_ALPHABET[usize::from(byte % 32)]);
    Ok(letters.map(char::from).collect())
}

impl Accounts {
    /// The entry `a2` of the demo's line.
    pub fn a2_json(&self, url: &str) -> serde_json::Value {
        serde_json::json!({"base": format!("{url}/a2"), "admin": self.admin, "user": self.user})
    }

    /// The entry `opendatasoft` of the demo's line.
    pub fn opendatasoft_json(&self, url: &str) -> serde_json::Value {
        serde_json::json!({
            "base": format!("{url}/opendatasoft/api/automation/v1.0"),
            "api_key": self.api_key,
        })
    }

    /// What people can paste.
    pub fn text(&self, url: &str) -> String {
        let SignIn { email, password } = &self.admin;
        let (user, user_password) = (&self.user.email, &self.user.password);
        let key = &self.api_key;
        format!(
            r#"
A2 Auth and User ({url}/a2), as {email} ({password}) or {user} ({user_password}):

  A2_TOKEN=$(curl -s -d username={email} -d password={password} {url}/a2/auth/jwt/login | cut -d '"' -f 4)
  curl -H "Authorization: Bearer $A2_TOKEN" {url}/a2/users

Opendatasoft Automation API:

  curl -H "Authorization: Apikey {key}" {url}/opendatasoft/api/automation/v1.0/users/
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_password_and_another_seed_another() {
        let of = |seed| password(&Random::seeded(seed)).expect("is made");
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_eq!(of(1).len(), PASSWORD_CHARS);
    }
}
