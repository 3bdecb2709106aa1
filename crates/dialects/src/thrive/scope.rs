//! The vendor's scopes: what a token may do, which mount issues which, and what of the domain each opens.

use domain::Scope;

/// A scope as the vendor has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiScope {
    /// Everything, webhooks too.
    All,
    Read,
    Write,
    Webhooks,
}

impl ApiScope {
    const KNOWN: [ApiScope; 4] = [
        ApiScope::All,
        ApiScope::Read,
        ApiScope::Write,
        ApiScope::Webhooks,
    ];

    fn as_str(self) -> &'static str {
        match self {
            ApiScope::All => "api/all",
            ApiScope::Read => "api/read",
            ApiScope::Write => "api/write",
            ApiScope::Webhooks => "api/webhooks",
        }
    }

    fn parse(text: &str) -> Option<ApiScope> {
        ApiScope::KNOWN
            .into_iter()
            .find(|scope| scope.as_str() == text)
    }
}

/// What the token endpoint of the public host offers.
pub const PUBLIC: &[ApiScope] = &[ApiScope::All, ApiScope::Read, ApiScope::Write];
/// What the token endpoint of the webhook host offers.
pub const WEBHOOK: &[ApiScope] = &[ApiScope::Webhooks, ApiScope::All];

/// What a request needs of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Read,
    Write,
    Webhooks,
}

/// The scopes of a caller, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiScopes(Vec<ApiScope>);

impl ApiScopes {
    /// Of a caller with the tenant's secret.
    pub fn all() -> ApiScopes {
        ApiScopes(vec![ApiScope::All])
    }

    /// All that is offered.
    pub fn every(offered: &[ApiScope]) -> ApiScopes {
        ApiScopes(offered.to_vec())
    }

    /// Words separated by spaces (RFC 6749 section 3.3); nothing where one is not offered.
    pub fn parse(text: &str, offered: &[ApiScope]) -> Option<ApiScopes> {
        let mut scopes = Vec::new();
        for word in text.split_ascii_whitespace() {
            let scope = ApiScope::parse(word).filter(|scope| offered.contains(scope))?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        (!scopes.is_empty()).then_some(ApiScopes(scopes))
    }

    /// What a token of ours says about itself.
    pub fn of_note(note: &str) -> Option<ApiScopes> {
        ApiScopes::parse(note, &ApiScope::KNOWN)
    }

    pub fn as_text(&self) -> String {
        let words: Vec<&str> = self.0.iter().map(|scope| scope.as_str()).collect();
        words.join(" ")
    }

    pub fn allow(&self, need: Need) -> bool {
        let enough = match need {
            Need::Read => ApiScope::Read,
            Need::Write => ApiScope::Write,
            Need::Webhooks => ApiScope::Webhooks,
        };
        self.0.contains(&ApiScope::All) || self.0.contains(&enough)
    }

    /// What of the domain they open. Who writes may read what was written: an answer shows it.
    pub fn domain(&self) -> Vec<Scope> {
        let read = [Scope::AudiencesRead, Scope::PeopleRead];
        let write = [
            Scope::AudiencesWrite,
            Scope::StructuresWrite,
            Scope::PeopleWrite,
        ];
        let mut scopes = Vec::new();
        for scope in &self.0 {
            match scope {
                ApiScope::All => {
                    scopes.extend(read);
                    scopes.extend(write);
                    scopes.push(Scope::Webhooks);
                }
                ApiScope::Read => scopes.extend(read),
                ApiScope::Write => {
                    scopes.extend(read);
                    scopes.extend(write);
                }
                // Whoever tells that people have joined or left changes people, and nothing else.
                ApiScope::Webhooks => {
                    scopes.extend([Scope::Webhooks, Scope::PeopleRead, Scope::PeopleWrite]);
                }
            }
        }
        scopes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_that_are_offered() {
        let parse = |text| ApiScopes::parse(text, PUBLIC).map(|scopes| scopes.as_text());
        assert_eq!(parse("api/read").as_deref(), Some("api/read"));
        assert_eq!(
            parse(" api/write  api/read api/write ").as_deref(),
            Some("api/write api/read")
        );
        for wrong in [
            "",
            " ",
            "api/webhooks",
            "api/read x",
            "API/READ",
            "api/read,api/write",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert!(ApiScopes::parse("api/webhooks", WEBHOOK).is_some());
        assert!(ApiScopes::parse("api/read", WEBHOOK).is_none());
        assert_eq!(
            ApiScopes::every(PUBLIC).as_text(),
            "api/all api/read api/write"
        );
    }

    #[test]
    fn each_opens_its_own() {
        let allow = |text: &str| {
            let scopes = ApiScopes::of_note(text).expect("are known");
            [Need::Read, Need::Write, Need::Webhooks].map(|need| scopes.allow(need))
        };
        assert_eq!(allow("api/all"), [true; 3]);
        assert_eq!(allow("api/read"), [true, false, false]);
        assert_eq!(allow("api/write"), [false, true, false]);
        assert_eq!(allow("api/webhooks"), [false, false, true]);
        assert_eq!(allow("api/write api/read"), [true, true, false]);
    }
}
