//! The table `[[identity_providers]]`: whom accounts may come from, by OpenID Connect.
//!
//! ```toml
//! [[identity_providers]]
//! uid = "google"
//! issuer = "https://accounts.google.com"
//! client_id = "..."
//! client_secret_file = "/etc/throng/google.secret"   # or client_secret
//! workspace = "default"
//! create_accounts = false   # whether a first sign-in makes an account
//! link_by_email = false     # whether it links to the account of an address that the provider vouches for
//! role = "advertiser"       # or retailer: of an account that a first sign-in makes
//! ```

use domain::{IdentityProvider, Role};

use super::keys;

type Parsed<T> = std::result::Result<T, String>;

const FIELDS: &[&str] = &[
    "uid",
    "issuer",
    "client_id",
    "client_secret",
    "client_secret_file",
    "workspace",
    "create_accounts",
    "link_by_email",
    "role",
];
const SECRET_BYTES_MAX: usize = 4_096;

pub(super) fn parse(value: &toml::Value) -> Parsed<Vec<IdentityProvider>> {
    let wrong = "identity_providers must be written as [[identity_providers]] tables";
    let entries = value.as_array().ok_or(wrong)?;
    let mut providers: Vec<IdentityProvider> = Vec::new();
    for entry in entries {
        let provider = parse_one(entry.as_table().ok_or(wrong)?)?;
        let same = |known: &IdentityProvider| {
            known.uid == provider.uid && known.workspace == provider.workspace
        };
        if providers.iter().any(same) {
            return Err(format!(
                "the identity provider {} stands twice for one workspace",
                provider.uid
            ));
        }
        providers.push(provider);
    }
    Ok(providers)
}

fn parse_one(table: &toml::Table) -> Parsed<IdentityProvider> {
    if let Some(unknown) = table.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let suggestion = keys::suggestion(unknown, FIELDS.iter().copied());
        return Err(format!(
            "unknown key identity_providers.{unknown}{suggestion}"
        ));
    }
    let text = |field: &str| match table.get(field) {
        None => Ok(None),
        Some(toml::Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("identity_providers.{field} must be a text")),
    };
    let needed = |field: &str| {
        text(field)?.ok_or_else(|| format!("each of [[identity_providers]] needs {field}"))
    };
    let flag = |field: &str| match table.get(field) {
        None => Ok(false),
        Some(toml::Value::Boolean(flag)) => Ok(*flag),
        Some(_) => Err(format!("identity_providers.{field} must be true or false")),
    };
    let uid = needed("uid")?;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if uid.len() > 64 || !uid.bytes().all(good) {
        return Err(format!(
            "identity_providers.uid {uid:?} must be at most 64 letters, digits and _ - ."
        ));
    }
    let issuer = needed("issuer")?;
    if !issuer.starts_with("https://") && !issuer.starts_with("http://") {
        return Err(format!(
            "identity_providers.issuer {issuer:?} must be a URL that begins with https://"
        ));
    }
    let role = text("role")?.unwrap_or_else(|| Role::Advertiser.as_str().to_owned());
    Ok(IdentityProvider {
        uid,
        issuer,
        client_id: needed("client_id")?,
        client_secret: secret(text("client_secret")?, text("client_secret_file")?)?,
        workspace: text("workspace")?.unwrap_or_else(|| domain::DEFAULT_SLUG.to_owned()),
        create_accounts: flag("create_accounts")?,
        link_by_email: flag("link_by_email")?,
        role: Role::parse(&role)
            .filter(|role| *role != Role::Admin)
            .ok_or("identity_providers.role must be advertiser or retailer")?,
    })
}

fn secret(written: Option<String>, file: Option<String>) -> Parsed<String> {
    let secret = match (written, file) {
        (Some(_), Some(_)) => {
            return Err(
                "an identity provider has client_secret and client_secret_file: one is enough"
                    .into(),
            );
        }
        (Some(secret), None) => secret,
        (None, Some(file)) => std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read client_secret_file {file}: {error}"))?
            .trim()
            .to_owned(),
        (None, None) => {
            return Err(
                "each of [[identity_providers]] needs client_secret or client_secret_file".into(),
            );
        }
    };
    if secret.is_empty() || secret.len() > SECRET_BYTES_MAX {
        return Err("an identity provider's client secret must be 1 to 4,096 bytes".into());
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn providers(text: &str) -> Parsed<Vec<IdentityProvider>> {
        let table: toml::Table = text.parse().expect("TOML");
        parse(&table["identity_providers"])
    }

    const GOOGLE: &str = "[[identity_providers]]\nuid = 'google'\nissuer = 'https://accounts.google.com'\n\
         client_id = 'id'\nclient_secret = 'hunter2'\n";

    #[test]
    fn a_provider_is_strict_where_nothing_else_is_said() {
        let found = providers(GOOGLE).expect("is right");
        let google = &found[0];
        assert_eq!(
            (google.uid.as_str(), google.workspace.as_str()),
            ("google", "default")
        );
        assert!(!google.create_accounts && !google.link_by_email);
        assert_eq!(google.role, Role::Advertiser);
        assert!(!format!("{google:?}").contains("hunter2"));
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text: String| providers(&text).expect_err("is wrong");
        assert!(wrong(format!("{GOOGLE}rol = 'retailer'")).contains("did you mean role?"));
        assert!(wrong(format!("{GOOGLE}role = 'admin'")).contains("advertiser or retailer"));
        assert!(wrong(format!("{GOOGLE}{GOOGLE}")).contains("twice"));
        assert!(wrong(format!("{GOOGLE}create_accounts = 'yes'")).contains("true or false"));
        assert!(wrong(format!("{GOOGLE}client_secret_file = 'x'")).contains("one is enough"));
        assert!(
            wrong("[[identity_providers]]\nuid = 'x'\nissuer = 'accounts'".into())
                .contains("https://")
        );
    }
}
