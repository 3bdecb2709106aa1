//! Formulas as people write them: `newsletter and not (customers or staff)`.
//!
//! `and` binds before `or`, `not` before both; brackets decide otherwise. An audience is named by its name or reference, in
//! quotes where that is of several words or is one of these three, or by `#` and its id; `channel:whatsapp` are those with an
//! active client of a channel, `has:email` those with an identifier of a kind. Invariant: the depth of what is read is that
//! of an expression, so reading is bounded, recursion included; whatever is wrong, the error says at which character.

use crate::{
    channel::Channel,
    error::{Error, Result},
    formula::{AudienceName, Formula, Named},
    identifier::Kind,
    limits,
};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    And,
    Or,
    Not,
    Open,
    Close,
    Named(Named),
    End,
}

impl Token {
    fn shown(&self) -> &'static str {
        match self {
            Token::And => "\"and\"",
            Token::Or => "\"or\"",
            Token::Not => "\"not\"",
            Token::Open => "\"(\"",
            Token::Close => "\")\"",
            Token::Named(_) => "a name",
            Token::End => "the end",
        }
    }
}

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    ///
    /// A text that is none says what is wrong, and at which character.
    pub fn parse(text: &str) -> Result<Formula> {
        if text.chars().count() > limits::FORMULA_CHARS_MAX {
            let most = limits::FORMULA_CHARS_MAX;
            let text = format!("An expression as text has at most {most} characters.");
            return Err(Error::invalid("text", "too_long", text));
        }
        let mut parser = Parser {
            chars: text.chars().collect(),
            at: 0,
            token: Token::End,
            token_at: 0,
        };
        parser.next()?;
        let formula = parser.any(1)?;
        match parser.token {
            Token::End => Ok(formula),
            Token::Close => Err(parser.wrong("there is no \"(\" for this \")\"")),
            _ => {
                Err(parser
                    .wrong("\"and\" or \"or\" is missing; a name of several words needs quotes"))
            }
        }
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    token: Token,
    /// Where the token begins.
    token_at: usize,
}

impl Parser {
    fn wrong_at(&self, at: usize, what: &str) -> Error {
        let text = format!("At character {}: {what}.", at + 1);
        Error::invalid("text", "malformed", text)
    }

    fn wrong(&self, what: &str) -> Error {
        self.wrong_at(self.token_at, what)
    }

    fn any(&mut self, depth: usize) -> Result<Formula> {
        let first = self.all(depth)?;
        if self.token != Token::Or {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.token == Token::Or {
            self.next()?;
            parts.push(self.all(depth)?);
        }
        Ok(Formula::Any(parts))
    }

    fn all(&mut self, depth: usize) -> Result<Formula> {
        let first = self.one(depth)?;
        if self.token != Token::And {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.token == Token::And {
            self.next()?;
            parts.push(self.one(depth)?);
        }
        Ok(Formula::All(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Formula> {
        if depth > sets::DEPTH_MAX {
            let what = format!("an expression is nested at most {} deep", sets::DEPTH_MAX);
            return Err(self.wrong(&what));
        }
        match std::mem::replace(&mut self.token, Token::End) {
            Token::Named(named) => {
                self.next()?;
                Ok(Formula::Named(named))
            }
            Token::Not => {
                self.next()?;
                let one = self.one(depth + 1)?;
                Ok(Formula::Not(Box::new(one)))
            }
            Token::Open => {
                let open_at = self.token_at;
                self.next()?;
                let inner = self.any(depth + 1)?;
                match self.token {
                    Token::Close => self.next()?,
                    Token::End => {
                        return Err(self.wrong_at(open_at, "there is no \")\" for this \"(\""));
                    }
                    _ => {
                        return Err(self.wrong(
                            "\"and\", \"or\" or \")\" is missing; a name of several words needs quotes",
                        ));
                    }
                }
                Ok(inner)
            }
            token => {
                let what = format!("an audience is expected here, and not {}", token.shown());
                Err(self.wrong(&what))
            }
        }
    }

    /// Reads the next token.
    fn next(&mut self) -> Result<()> {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        self.token_at = self.at;
        self.token = match self.chars.get(self.at) {
            None => Token::End,
            Some('(') => self.bracket(Token::Open),
            Some(')') => self.bracket(Token::Close),
            Some('"' | '\'') => {
                let name = self.quoted()?;
                Token::Named(Named::Audience(AudienceName::Text(name)))
            }
            Some(_) => self.word()?,
        };
        Ok(())
    }

    fn bracket(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn quoted(&mut self) -> Result<String> {
        let (quote, begin) = (self.chars[self.at], self.at);
        let mut name = String::new();
        self.at += 1;
        loop {
            match self.chars.get(self.at) {
                None => return Err(self.wrong_at(begin, "this quote has no end")),
                // Twice is once.
                Some(c) if *c == quote && self.chars.get(self.at + 1) == Some(&quote) => {
                    name.push(quote);
                    self.at += 2;
                }
                Some(c) if *c == quote => {
                    self.at += 1;
                    return Ok(name);
                }
                Some(c) => {
                    name.push(*c);
                    self.at += 1;
                }
            }
        }
    }

    fn word(&mut self) -> Result<Token> {
        let begin = self.at;
        let ends = |c: &char| c.is_whitespace() || matches!(c, '(' | ')' | '"');
        while self.chars.get(self.at).is_some_and(|c| !ends(c)) {
            self.at += 1;
        }
        let word: String = self.chars[begin..self.at].iter().collect();
        for (keyword, token) in [("and", Token::And), ("or", Token::Or), ("not", Token::Not)] {
            if word.eq_ignore_ascii_case(keyword) {
                return Ok(token);
            }
        }
        let named = if let Some(id) = word.strip_prefix('#') {
            let digits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
            let id = id.parse().ok().filter(|_| digits);
            let id = id.ok_or_else(|| self.wrong("\"#\" is followed by an id, as in #12"))?;
            Named::Audience(AudienceName::Id(id))
        } else if let Some(channel) = word.strip_prefix("channel:") {
            let known = Channel::ALL.map(Channel::as_str).join(", ");
            let channel = Channel::parse(channel);
            let what = format!("the channels are {known}");
            Named::Channel(channel.ok_or_else(|| self.wrong(&what))?)
        } else if let Some(kind) = word.strip_prefix("has:") {
            let known = Kind::ALL.map(Kind::as_str).join(", ");
            let kind = Kind::parse(kind);
            let what = format!("the kinds of identifiers are {known}");
            Named::Identifier(kind.ok_or_else(|| self.wrong(&what))?)
        } else {
            Named::Audience(AudienceName::Text(word))
        };
        Ok(Token::Named(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Formula {
        Formula::Named(Named::Audience(AudienceName::Text(name.into())))
    }

    fn id(id: i64) -> Formula {
        Formula::Named(Named::Audience(AudienceName::Id(id)))
    }

    fn not(formula: Formula) -> Formula {
        Formula::Not(Box::new(formula))
    }

    #[test]
    fn a_formula_is_read_as_it_is_meant() {
        let (all, any) = (Formula::All, Formula::Any);
        for (text, formula) in [
            ("newsletter", named("newsletter")),
            (" #12 ", id(12)),
            (
                "newsletter and not (customers or staff)",
                all(vec![
                    named("newsletter"),
                    not(any(vec![named("customers"), named("staff")])),
                ]),
            ),
            (
                "a or b AND c or not not d",
                any(vec![
                    named("a"),
                    all(vec![named("b"), named("c")]),
                    not(not(named("d"))),
                ]),
            ),
            ("((a))", named("a")),
            ("\"and\" and 'not'", all(vec![named("and"), named("not")])),
            ("\"My \"\"own\"\" shop\"", named("My \"own\" shop")),
            ("l'aube", named("l'aube")),
            ("crm:4711,x", named("crm:4711,x")),
            ("Ärzte", named("Ärzte")),
            (
                "channel:whatsapp and has:email",
                all(vec![
                    Formula::Named(Named::Channel(Channel::WhatsApp)),
                    Formula::Named(Named::Identifier(Kind::Email)),
                ]),
            ),
        ] {
            assert_eq!(Formula::parse(text), Ok(formula), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, at, what) in [
            ("", 1, "the end"),
            ("a b", 3, "\"and\" or \"or\" is missing"),
            ("a not b", 3, "\"and\" or \"or\" is missing"),
            ("a and", 6, "the end"),
            ("a and or b", 7, "not \"or\""),
            ("(a or b", 1, "no \")\""),
            ("a) or b", 2, "no \"(\""),
            ("()", 2, "not \")\""),
            ("ä and \"b", 7, "no end"),
            ("#", 1, "#12"),
            ("#x1", 1, "#12"),
            ("#99999999999999999999", 1, "#12"),
            ("a or channel:pigeon", 6, "whatsapp"),
            ("has:soul", 1, "email"),
            ("(a b)", 4, "is missing"),
        ] {
            let error = Formula::parse(text).expect_err("is none").to_string();
            let place = format!("At character {at}: ");
            assert!(
                error.starts_with(&place) && error.contains(what),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn however_long_or_deep_it_ends() {
        let deep = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Formula::parse(&deep(sets::DEPTH_MAX - 1)).is_ok());
        assert!(Formula::parse(&deep(sets::DEPTH_MAX)).is_err());
        assert!(Formula::parse(&deep(10_000)).is_err());
        assert!(Formula::parse(&"not ".repeat(8_000)).is_err());
        assert!(Formula::parse(&"a or ".repeat(6_000)).is_err());
        assert!(Formula::parse(&vec!["a"; 5_000].join(" or ")).is_ok());
        assert!(Formula::parse(&"x".repeat(limits::FORMULA_CHARS_MAX + 1)).is_err());
    }
}
