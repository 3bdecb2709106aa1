//! Mail: what the server writes to people, in their language, as text and as HTML.
//!
//! What it is not: sending; a mail is put into the outbox ([`crate::outbox`]) by the command that causes it.
//! Invariant: no line of a mail's head holds a control character, so that nobody's name can add a line to it.

use std::{fmt, sync::LazyLock};

use minijinja::{Environment, Value, context};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    limits,
    money::Money,
};

/// The languages that mail is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    English,
    Korean,
}

impl Language {
    /// Of a language tag (RFC 5646) such as `ko-KR`; English for every language that is not written.
    pub fn of_tag(tag: &str) -> Language {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.trim().eq_ignore_ascii_case("ko") {
            Language::Korean
        } else {
            Language::English
        }
    }
}

/// To whom a mail goes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// An address alone, without a name.
    pub to: String,
    pub language: Language,
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope(***, {:?})", self.language)
    }
}

/// An amount before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmountChange {
    pub old: Money,
    pub new: Money,
}

/// What a mail says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "template", rename_all = "snake_case")]
pub enum Mail {
    Invite {
        link: String,
        /// Who invites, as people know them.
        inviter: Option<String>,
    },
    Verify {
        link: String,
    },
    Reset {
        link: String,
    },
    /// One of the two amounts at least.
    BudgetChanged {
        budget: Option<AmountChange>,
        credit: Option<AmountChange>,
        reason: String,
    },
}

impl Mail {
    /// How long it is worth sending: as long as its link is good.
    pub(crate) fn life_ms(&self) -> i64 {
        match self {
            Mail::Invite { .. } => limits::INVITE_LIFE_MS,
            Mail::Verify { .. } | Mail::Reset { .. } => limits::MAIL_TOKEN_LIFE_MS,
            Mail::BudgetChanged { .. } => limits::NEWS_LIFE_MS,
        }
    }

    /// The template's name, as the outbox shows it.
    pub fn template(&self) -> &'static str {
        match self {
            Mail::Invite { .. } => "invite",
            Mail::Verify { .. } => "verify",
            Mail::Reset { .. } => "reset",
            Mail::BudgetChanged { .. } => "budget_changed",
        }
    }
}

/// Links hold tokens.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({}, ***)", self.template())
    }
}

/// A mail as its recipient reads it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailText {
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl fmt::Debug for MailText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailText(***)")
    }
}

/// Each template's name, its text (whose first line is the subject) and its HTML.
const TEMPLATES: &[(&str, &str)] = &[
    ("layout.html", include_str!("mail/layout.html")),
    ("en/invite.txt", include_str!("mail/en/invite.txt")),
    ("en/invite.html", include_str!("mail/en/invite.html")),
    ("en/verify.txt", include_str!("mail/en/verify.txt")),
    ("en/verify.html", include_str!("mail/en/verify.html")),
    ("en/reset.txt", include_str!("mail/en/reset.txt")),
    ("en/reset.html", include_str!("mail/en/reset.html")),
    (
        "en/budget_changed.txt",
        include_str!("mail/en/budget_changed.txt"),
    ),
    (
        "en/budget_changed.html",
        include_str!("mail/en/budget_changed.html"),
    ),
    ("ko/invite.txt", include_str!("mail/ko/invite.txt")),
    ("ko/invite.html", include_str!("mail/ko/invite.html")),
    ("ko/verify.txt", include_str!("mail/ko/verify.txt")),
    ("ko/verify.html", include_str!("mail/ko/verify.html")),
    ("ko/reset.txt", include_str!("mail/ko/reset.txt")),
    ("ko/reset.html", include_str!("mail/ko/reset.html")),
    (
        "ko/budget_changed.txt",
        include_str!("mail/ko/budget_changed.txt"),
    ),
    (
        "ko/budget_changed.html",
        include_str!("mail/ko/budget_changed.html"),
    ),
];
/// Steps of a template: ours take some dozens, and none of them has a loop.
const TEMPLATE_STEPS_MAX: u64 = 10_000;

static ENVIRONMENT: LazyLock<std::result::Result<Environment<'static>, minijinja::Error>> =
    LazyLock::new(|| {
        let mut environment = Environment::empty();
        environment.set_auto_escape_callback(minijinja::default_auto_escape_callback);
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(TEMPLATE_STEPS_MAX));
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        Ok(environment)
    });

/// Refuses what could not be sent, or would say something else than it seems to.
pub(crate) fn check(envelope: &Envelope, mail: &Mail) -> Result<()> {
    let to = &envelope.to;
    check_line("email", to, limits::EMAIL_BYTES_MAX)?;
    let parts = to.rsplit_once('@');
    let whole = parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    let strange = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"');
    if !whole || to.contains(strange) {
        return Err(malformed("email", "It must be one e-mail address."));
    }
    match mail {
        Mail::Invite { link, inviter } => {
            check_link(link)?;
            inviter.as_deref().map_or(Ok(()), |inviter| {
                check_line("inviter", inviter, limits::MAIL_LINE_BYTES_MAX)
            })
        }
        Mail::Verify { link } | Mail::Reset { link } => check_link(link),
        Mail::BudgetChanged { reason, .. } => {
            // It stands in the body, where lines may end.
            let lines = reason.replace(['\n', '\t'], " ");
            check_line("reason", &lines, limits::MAIL_LINE_BYTES_MAX)
        }
    }
}

/// One line: no control characters and nothing that Unicode takes for the end of a line or paragraph.
fn check_line(name: &'static str, text: &str, bytes_max: usize) -> Result<()> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.contains(breaks) {
        return Err(malformed(name, "It must have no control characters."));
    }
    if text.len() > bytes_max {
        return Err(Error::invalid(
            name,
            "too_long",
            format!("It must have at most {bytes_max} bytes."),
        ));
    }
    Ok(())
}

fn check_link(link: &str) -> Result<()> {
    check_line("link", link, limits::MAIL_LINE_BYTES_MAX)?;
    let web = link.starts_with("https://") || link.starts_with("http://");
    if !web || link.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')) {
        return Err(malformed("link", "It must be an absolute URL."));
    }
    Ok(())
}

fn malformed(name: &'static str, text: &str) -> Error {
    Error::invalid(name, "malformed", text)
}

/// Writes the mail in a language.
pub(crate) fn render(language: Language, mail: &Mail) -> Result<MailText> {
    let environment = ENVIRONMENT.as_ref().map_err(Error::internal)?;
    let folder = match language {
        Language::English => "en",
        Language::Korean => "ko",
    };
    let draw = |extension: &str, values: Value| {
        environment
            .get_template(&format!("{folder}/{}.{extension}", mail.template()))
            .and_then(|template| template.render(values))
            .map_err(Error::internal)
    };
    let values = values(mail);
    let text = draw("txt", values.clone())?;
    let (subject, text) = text
        .split_once("\n\n")
        .ok_or_else(|| Error::internal("a mail's text has no subject"))?;
    check_line("subject", subject, limits::MAIL_LINE_BYTES_MAX)?;
    let html = draw("html", context! { subject, ..values })?;
    Ok(MailText {
        subject: subject.to_owned(),
        text: format!("{}\n", text.trim_end()),
        html,
    })
}

fn values(mail: &Mail) -> Value {
    match mail {
        Mail::Invite { link, inviter } => context! { link, inviter },
        Mail::Verify { link } | Mail::Reset { link } => context! { link },
        Mail::BudgetChanged {
            budget,
            credit,
            reason,
        } => context! { budget => budget.map(amounts), credit => credit.map(amounts), reason },
    }
}

fn amounts(change: AmountChange) -> Value {
    let (old, new) = (change.old.thousandths(), change.new.thousandths());
    let difference = new.saturating_sub(old);
    let sign = if difference > 0 { "+" } else { "" };
    context! {
        old => grouped(old),
        new => grouped(new),
        difference => format!("{sign}{}", grouped(difference)),
    }
}

/// An amount with commas between thousands, as both languages write it, and decimals where it has some.
fn grouped(thousandths: i64) -> String {
    let (units, decimals) = (
        thousandths.unsigned_abs() / 1_000,
        thousandths.unsigned_abs() % 1_000,
    );
    let digits = units.to_string();
    let mut text = String::from(if thousandths < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if decimals > 0 {
        text.push_str(format!(".{decimals:03}").trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://throng.test/account/invite?token=Ab-1_2";

    fn mails() -> Vec<Mail> {
        let link = || LINK.to_owned();
        vec![
            Mail::Invite {
                link: link(),
                inviter: Some("Ann <b>O'Hara</b>".into()),
            },
            Mail::Invite {
                link: link(),
                inviter: None,
            },
            Mail::Verify { link: link() },
            Mail::Reset { link: link() },
            Mail::BudgetChanged {
                budget: Some(AmountChange {
                    old: Money::ZERO,
                    new: Money::from_thousandths(1_500_000_500),
                }),
                credit: None,
                reason: "first <order>".into(),
            },
            Mail::BudgetChanged {
                budget: Some(AmountChange {
                    old: Money::from_thousandths(i64::MIN),
                    new: Money::from_thousandths(i64::MAX),
                }),
                credit: Some(AmountChange {
                    old: Money::from_thousandths(20_000),
                    new: Money::from_thousandths(5_250),
                }),
                reason: String::new(),
            },
        ]
    }

    fn envelope(to: &str) -> Envelope {
        Envelope {
            to: to.into(),
            language: Language::English,
        }
    }

    #[test]
    fn every_mail_reads_in_both_languages() {
        for language in [Language::English, Language::Korean] {
            for mail in mails() {
                let made = render(language, &mail).expect("is written");
                assert!(!made.subject.is_empty() && !made.subject.contains('\n'));
                let (text, html) = (&made.text, &made.html);
                assert!(text.len() > 60 && !text.contains("\n\n\n"), "{text}");
                assert!(!html.contains("<b>") && !html.contains("<order>"), "{html}");
                assert!(
                    html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>")
                );
                for left in ["{{", "{%", "None", "undefined"] {
                    assert!(!text.contains(left) && !html.contains(left), "{text}{html}");
                }
                if !matches!(mail, Mail::BudgetChanged { .. }) {
                    assert!(text.contains(LINK) && html.matches("token=Ab-1_2").count() == 2);
                }
                let korean = made.text.chars().any(|c| ('가'..='힣').contains(&c));
                assert_eq!(korean, language == Language::Korean);
                let tag = if korean { "ko" } else { "en" };
                assert!(html.contains(&format!("<html lang=\"{tag}\">")));
            }
        }
    }

    #[test]
    fn a_change_of_budget_says_what_and_why() {
        let made = render(Language::English, &mails()[4]).expect("is written");
        assert_eq!(made.subject, "Your budget has changed");
        assert_eq!(
            made.text,
            "Hello,\n\nan administrator has changed your Throng account:\n\n  Budget: 0 -> 1,500,000.5 (+1,500,000.5)\n\n\
             Reason: first <order>\n\nIf you have questions, please ask your administrator.\n"
        );
        assert!(made.html.contains("first &lt;order&gt;"));
        let made = render(Language::Korean, &mails()[5]).expect("is written");
        assert_eq!(made.subject, "예산과 크레딧이 변경되었습니다");
        assert!(
            made.text.contains("크레딧: 20 -> 5.25 (-14.75)\n"),
            "{}",
            made.text
        );
    }

    #[test]
    fn nobody_adds_a_line_to_the_head() {
        let invite = |inviter: &str| Mail::Invite {
            link: LINK.into(),
            inviter: Some(inviter.into()),
        };
        let right = envelope("ann@example.org");
        assert_eq!(check(&right, &invite("Ann")), Ok(()));
        for wrong in [
            "Ann\r\nBcc: eve@example.org",
            "Ann\nX",
            "Ann\rX",
            "\0",
            "A\u{85}B",
            "A\u{2028}B",
            &"x".repeat(9_000),
        ] {
            assert!(check(&right, &invite(wrong)).is_err(), "{wrong:?}");
        }
        for wrong in [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@example.org\r\nBcc: eve@example.org",
            "ann@example.org, eve@example.org",
            "ann@example.org;eve@example.org",
            "Ann <ann@example.org>",
            "a b@example.org",
            &format!("{}@example.org", "x".repeat(300)),
        ] {
            assert!(
                check(&envelope(wrong), &invite("Ann")).is_err(),
                "{wrong:?}"
            );
        }
        for wrong in [
            "",
            "javascript:alert(1)",
            "https://x\" onclick=\"",
            "https://x y",
            "https://x\n",
        ] {
            let mail = Mail::Reset { link: wrong.into() };
            assert!(check(&right, &mail).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_tag_names_a_language() {
        for (tag, language) in [
            ("ko", Language::Korean),
            ("ko-KR", Language::Korean),
            ("KO_kr", Language::Korean),
            ("en", Language::English),
            ("kok", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of_tag(tag), language, "{tag}");
        }
    }

    #[test]
    fn debug_prints_neither_link_nor_address() {
        for mail in mails() {
            let shown = format!("{:?} {:?}", mail, envelope("ann@example.org"));
            assert!(
                !shown.contains("http") && !shown.contains("ann@"),
                "{shown}"
            );
        }
    }
}
