//! E-mail addresses of accounts: what is kept, and what makes two of them the same.
//!
//! Not the identifiers of people, which are normalised as their hashes want it (`identifier`).

use crate::{
    error::{Error, Result},
    limits,
};

/// An address that mail can be sent to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Email {
    shown: String,
    key: String,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(***)")
    }
}

/// Characters of the part before the @ beside letters and digits (RFC 5322 section 3.2.3, and the dot).
const LOCAL_MARKS: &[u8] = b".!#$%&'*+-/=?^_`{|}~";

impl Email {
    /// The address in a text. The part before the @ is ASCII and keeps its case; the domain is written in lower case and,
    /// where it has other letters, in its ASCII form (RFC 5891), so that one that merely looks like another differs
    /// visibly. Two addresses that differ in case only are the same.
    pub fn parse(text: &str) -> Result<Email> {
        let bad = || {
            Error::invalid(
                "email",
                "malformed",
                "This is not an e-mail address of the form name@domain.",
            )
        };
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or_else(bad)?;
        let local_good = (1..=64).contains(&local.len())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || LOCAL_MARKS.contains(&byte));
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| bad())?;
        let domain_good = domain.contains('.')
            && !domain.ends_with('.')
            && !domain
                .rsplit('.')
                .next()
                .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        let shown = format!("{local}@{domain}");
        if !local_good || !domain_good || shown.len() > limits::EMAIL_BYTES_MAX {
            return Err(bad());
        }
        Ok(Email {
            key: shown.to_ascii_lowercase(),
            shown,
        })
    }

    /// As it is shown and mailed to.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// What is compared.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn local(&self) -> &str {
        self.shown.split('@').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_tell_addresses_apart() {
        let email = Email::parse(" Ann.Lee+x@EXAMPLE.org ").expect("is one");
        assert_eq!(email.as_str(), "Ann.Lee+x@example.org");
        assert_eq!(email.key(), "ann.lee+x@example.org");
    }

    #[test]
    fn letters_that_look_alike_do_not_make_the_same_address() {
        // A Cyrillic letter in the domain, and one before the @.
        let look_alike = Email::parse("ann@ex\u{430}mple.org").expect("is one");
        assert_eq!(look_alike.as_str(), "ann@xn--exmple-4nf.org");
        assert!(Email::parse("\u{430}nn@example.org").is_err());
        let wide = Email::parse("ann@ＥＸＡＭＰＬＥ.org").expect("is one");
        assert_eq!(wide.key(), "ann@example.org");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ann",
            "ann@",
            "@example.org",
            "ann@example",
            "ann@@example.org",
            "an n@example.org",
            "ann@exa mple.org",
            "ann@example.org\r\nBcc: bob@example.org",
            "ann\r\n@example.org",
            ".ann@example.org",
            "a..n@example.org",
            "ann@127.0.0.1",
            "ann@-example.org",
            "ann@example..org",
            "\"ann lee\"@example.org",
        ] {
            assert!(Email::parse(text).is_err(), "{text}");
        }
        assert!(Email::parse(&format!("{}@example.org", "a".repeat(65))).is_err());
        let long = format!("a@{}.org", ["b".repeat(63).as_str(); 4].join("."));
        assert!(Email::parse(&long).is_err());
    }
}
