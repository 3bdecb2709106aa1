//! What an account may do: a closed list, kept as a set of bits and written as words.
//!
//! Two families. *Site* permissions are single words, of which the first makes an administrator. *Resource* permissions
//! are a resource and what may be done with it, as in `audience:r`. An administrator has them all.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Words of the site family; the first is the administrator's.
pub const SITE: [&str; 21] = [
    "edit_domain",
    "create_page",
    "edit_page",
    "manage_page",
    "explore_restricted_page",
    "create_dataset",
    "edit_dataset",
    "publish_dataset",
    "manage_dataset",
    "explore_restricted_dataset",
    "edit_reuse",
    "manage_subdomains",
    "explore_monitoring",
    "edit_theme",
    "edit_form",
    "submit_private_form",
    "create_external_asset",
    "edit_external_asset",
    "explore_restricted_external_asset",
    "manage_glossary",
    "manage_showcase_requests",
];

/// What the resource family is about.
pub const RESOURCES: [&str; 10] = [
    "admin",
    "advertiser",
    "analytic",
    "audience",
    "audience_attribute",
    "audience_segment",
    "campaign",
    "creative",
    "placement",
    "retailer",
];

/// What may be done with a resource.
pub const ACTIONS: [&str; 8] = [
    "r",
    "w",
    "permission",
    "approval",
    "list_advertisers",
    "budget",
    "campaign",
    "placement",
];

/// One permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission(u8);

impl Permission {
    /// Administers the workspace, its accounts and groups.
    pub const ADMINISTER: Permission = Permission(0);

    /// The permission of a word, as in `edit_page` or `audience:r`; nothing where there is none such.
    pub fn parse(word: &str) -> Option<Permission> {
        let position = |list: &[&str], word: &str| list.iter().position(|known| *known == word);
        let index = match word.split_once(':') {
            None => position(&SITE, word)?,
            Some((resource, action)) => {
                SITE.len()
                    + position(&RESOURCES, resource)? * ACTIONS.len()
                    + position(&ACTIONS, action)?
            }
        };
        u8::try_from(index).ok().map(Permission)
    }

    /// The resource and the action, of the resource family.
    pub fn resource(self) -> Option<(&'static str, &'static str)> {
        let index = usize::from(self.0).checked_sub(SITE.len())?;
        Some((
            RESOURCES[index / ACTIONS.len()],
            ACTIONS[index % ACTIONS.len()],
        ))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.resource() {
            None => f.write_str(SITE[usize::from(self.0)]),
            Some((resource, action)) => write!(f, "{resource}:{action}"),
        }
    }
}

/// A set of permissions. Written as words with spaces between, in a fixed order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u128);

const COUNT: usize = SITE.len() + RESOURCES.len() * ACTIONS.len();

impl Permissions {
    pub const NONE: Permissions = Permissions(0);
    pub const ALL: Permissions = Permissions((1 << COUNT) - 1);
    /// The site family.
    pub const SITE: Permissions = Permissions((1 << SITE.len()) - 1);
    /// The resource family.
    pub const RESOURCE: Permissions = Permissions(Self::ALL.0 & !Self::SITE.0);
    pub const ADMINISTER: Permissions = Permissions(1);

    pub fn has(self, permission: Permission) -> bool {
        self.0 >> permission.0 & 1 == 1
    }

    /// True where every one of `others` is in it.
    pub fn has_all(self, others: Permissions) -> bool {
        self.0 & others.0 == others.0
    }

    pub fn administers(self) -> bool {
        self.has(Permission::ADMINISTER)
    }

    #[must_use]
    pub fn with(self, permission: Permission) -> Permissions {
        Permissions(self.0 | 1 << permission.0)
    }

    #[must_use]
    pub fn and(self, others: Permissions) -> Permissions {
        Permissions(self.0 & others.0)
    }

    #[must_use]
    pub fn or(self, others: Permissions) -> Permissions {
        Permissions(self.0 | others.0)
    }

    #[must_use]
    pub fn without(self, others: Permissions) -> Permissions {
        Permissions(self.0 & !others.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        (0..COUNT as u8)
            .map(Permission)
            .filter(move |permission| self.has(*permission))
    }

    /// The set of the words of a text; nothing where one is not known.
    pub fn parse(text: &str) -> Option<Permissions> {
        text.split_whitespace()
            .map(Permission::parse)
            .try_fold(Permissions::NONE, |all, one| Some(all.with(one?)))
    }

    pub fn as_text(self) -> String {
        let words: Vec<String> = self.iter().map(|one| one.to_string()).collect();
        words.join(" ")
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Permissions {
        permissions
            .into_iter()
            .fold(Permissions::NONE, Permissions::with)
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.as_text())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Permissions, D::Error> {
        let text = String::deserialize(deserializer)?;
        Permissions::parse(&text).ok_or_else(|| de::Error::custom("unknown permission"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_written_and_read_back() {
        assert_eq!(Permissions::ALL.iter().count(), 101);
        for permission in Permissions::ALL.iter() {
            assert_eq!(Permission::parse(&permission.to_string()), Some(permission));
        }
        let text = Permissions::ALL.as_text();
        assert_eq!(Permissions::parse(&text), Some(Permissions::ALL));
        for unknown in [
            "edit",
            "audience:",
            "audience:x",
            ":r",
            "a:b:c",
            "Edit_Page",
        ] {
            assert_eq!(Permission::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_families_share_nothing() {
        assert!(Permissions::SITE.and(Permissions::RESOURCE).is_empty());
        assert_eq!(
            Permissions::SITE.or(Permissions::RESOURCE),
            Permissions::ALL
        );
        assert!(Permissions::SITE.administers() && !Permissions::RESOURCE.administers());
    }
}
