//! Rules of smart audiences: who is in one, as an expression over others.
//!
//! Evaluated on the sets that a read or a command sees, never stored as members. A rule may name structures and manual
//! audiences of its own workspace, no smart ones, so that no rule goes round in a circle. Invariant: a rule that was
//! stored is within the limits on its size.

use serde::{Deserialize, Serialize};
use sets::{Set, Term};
use store::{Audience, AudienceKind, View};

use crate::{
    caller::{Caller, Portfolio},
    channel::Channel,
    error::{Error, Result},
    limits,
    manager::grants_on,
    tree::{self, Act},
};

/// Who is in a smart audience. In JSON: `{"all": [{"audience": 3}, {"not": {"audience": 4}}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Everybody in this structure or manual audience; nobody once it is deleted.
    Audience(i64),
    /// Who is in each of them; of none at all, everybody.
    All(Vec<Rule>),
    /// Who is in at least one of them.
    Any(Vec<Rule>),
    /// Everybody whom the workspace knows but these.
    Not(Box<Rule>),
    /// Everybody with an active client of this channel.
    Channel(Channel),
}

impl Rule {
    /// How many parts it has, and how deep they are nested.
    fn size(&self) -> (usize, usize) {
        let parts = |rules: &[Rule]| {
            rules.iter().fold((1, 1), |(count, depth), rule| {
                let (more, deeper) = rule.size();
                (count + more, depth.max(deeper + 1))
            })
        };
        match self {
            Rule::Audience(_) | Rule::Channel(_) => (1, 1),
            Rule::All(rules) | Rule::Any(rules) => parts(rules),
            Rule::Not(rule) => {
                let (count, depth) = rule.size();
                (count + 1, depth + 1)
            }
        }
    }

    /// Whether it holds nobody but people of the audiences that it names.
    pub(crate) fn is_bounded(&self) -> bool {
        match self {
            Rule::Audience(_) => true,
            Rule::All(rules) => rules.iter().any(Rule::is_bounded),
            Rule::Any(rules) => rules.iter().all(Rule::is_bounded),
            Rule::Not(_) | Rule::Channel(_) => false,
        }
    }

    /// Shows each part that names something.
    pub(crate) fn visit(&self, see: &mut dyn FnMut(&Rule)) {
        match self {
            Rule::Audience(_) | Rule::Channel(_) => see(self),
            Rule::All(rules) | Rule::Any(rules) => rules.iter().for_each(|rule| rule.visit(see)),
            Rule::Not(rule) => rule.visit(see),
        }
    }

    fn audiences(&self) -> Vec<i64> {
        let mut found = Vec::new();
        self.visit(&mut |rule| {
            if let Rule::Audience(id) = rule {
                found.push(*id);
            }
        });
        found
    }

    /// Whether it holds somebody of whom `named` says whether the parts that name something hold them.
    pub(crate) fn holds<E>(
        &self,
        named: &mut dyn FnMut(&Rule) -> std::result::Result<bool, E>,
    ) -> std::result::Result<bool, E> {
        match self {
            Rule::Audience(_) | Rule::Channel(_) => named(self),
            Rule::All(rules) => {
                for rule in rules {
                    if !rule.holds(named)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Rule::Any(rules) => {
                for rule in rules {
                    if rule.holds(named)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Rule::Not(rule) => Ok(!rule.holds(named)?),
        }
    }

    /// The same over operands that `operand` gives for the parts that name something.
    pub(crate) fn term(&self, operand: &mut dyn FnMut(&Rule) -> Term) -> Term {
        let mut all = |rules: &[Rule]| rules.iter().map(|rule| rule.term(operand)).collect();
        match self {
            Rule::All(rules) => Term::All(all(rules)),
            Rule::Any(rules) => Term::Any(all(rules)),
            Rule::Not(rule) => Term::Not(Box::new(rule.term(operand))),
            Rule::Audience(_) | Rule::Channel(_) => operand(self),
        }
    }
}

/// The rule as it is kept. Fails where it is too large.
pub(crate) fn valid(rule: &Rule) -> Result<String> {
    let (parts, depth) = rule.size();
    if parts > limits::RULE_PARTS_MAX || depth > limits::RULE_DEPTH_MAX {
        let text = format!(
            "A rule has at most {} parts, nested at most {} deep.",
            limits::RULE_PARTS_MAX,
            limits::RULE_DEPTH_MAX
        );
        return Err(Error::invalid("rule", "too_large", text));
    }
    serde_json::to_string(rule).map_err(Error::internal)
}

/// Whether the caller may know who is in the node: a rule tells it.
fn may_name(view: &mut dyn View, caller: &Caller, audience: &Audience) -> Result<bool> {
    match caller.manager {
        Some(manager) => Ok(Act::List.granted(grants_on(view, audience, manager)?)),
        None => Ok(caller.portfolio.has(audience.structure)),
    }
}

/// Fails unless the rule names only what there is, what the caller may see into and what is not smart itself. Who may not see
/// all of the workspace makes no rule that holds everybody else.
pub(crate) fn known(view: &mut dyn View, caller: &Caller, rule: &Rule) -> Result<()> {
    let sees_all = caller.manager.is_none() && caller.portfolio == Portfolio::Every;
    if !sees_all && !rule.is_bounded() {
        let text = "A rule must not hold people whom none of its audiences holds: give each \"not\" an \"all\" with one of them.";
        return Err(Error::invalid("rule", "everybody", text));
    }
    let mut named = rule.audiences();
    named.sort_unstable();
    named.dedup();
    for id in named {
        let mut found = store::audience_get(view, id)?;
        if let Some(audience) = &found
            && !may_name(view, caller, audience)?
        {
            found = None;
        }
        match found.map(|audience| audience.kind) {
            None => {
                let text = format!("There is no audience {id}.");
                return Err(Error::invalid("rule", "unknown", text));
            }
            Some(AudienceKind::Smart) => {
                let text = format!("Audience {id} is smart itself: name what it names.");
                return Err(Error::invalid("rule", "smart", text));
            }
            Some(AudienceKind::Structure | AudienceKind::Manual) => {}
        }
    }
    Ok(())
}

/// Who is in a smart audience now.
pub(crate) fn people(view: &mut dyn View, audience: &Audience) -> Result<Set> {
    let text = audience.rule.as_deref().unwrap_or(r#"{"any":[]}"#);
    let rule: Rule = serde_json::from_str(text).map_err(Error::internal)?;
    evaluate(view, &rule)
}

fn evaluate(view: &mut dyn View, rule: &Rule) -> Result<Set> {
    match rule {
        Rule::Audience(id) => match store::audience_get(view, *id)? {
            Some(audience) if audience.kind != AudienceKind::Smart => tree::people(view, &audience),
            _ => Ok(Set::new()),
        },
        Rule::All(rules) => {
            let (without, within): (Vec<&Rule>, Vec<&Rule>) =
                rules.iter().partition(|rule| matches!(rule, Rule::Not(_)));
            let mut people: Option<Set> = None;
            for rule in within {
                let more = evaluate(view, rule)?;
                people = Some(people.map_or_else(|| more.clone(), |people| people.and(&more)));
            }
            let mut people = people.unwrap_or_else(|| everybody(view));
            for rule in without {
                if let Rule::Not(rule) = rule {
                    people = people.and_not(&evaluate(view, rule)?);
                }
            }
            Ok(people)
        }
        Rule::Any(rules) => {
            let each = rules
                .iter()
                .map(|rule| evaluate(view, rule))
                .collect::<Result<Vec<Set>>>()?;
            Ok(Set::union_of(&each))
        }
        Rule::Not(rule) => {
            let people = evaluate(view, rule)?;
            Ok(everybody(view).and_not(&people))
        }
        Rule::Channel(channel) => Ok(view.members(channel.set())?),
    }
}

fn everybody(view: &dyn View) -> Set {
    Set::range(1, view.next_person().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_is_written() {
        let text = r#"{"all":[{"audience":3},{"not":{"any":[{"audience":4},{"audience":5}]}}]}"#;
        let rule: Rule = serde_json::from_str(text).expect("is one");
        assert_eq!(valid(&rule).as_deref(), Ok(text));
        assert_eq!(rule.size(), (6, 4));
        for wrong in [
            r#"{"audience":"3"}"#,
            r#"{"some":[]}"#,
            r#"{"all":[],"any":[]}"#,
            "3",
        ] {
            assert!(serde_json::from_str::<Rule>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rule_is_bounded_by_what_it_names() {
        for (text, bounded) in [
            (r#"{"audience":3}"#, true),
            (r#"{"any":[]}"#, true),
            (r#"{"all":[]}"#, false),
            (r#"{"not":{"audience":3}}"#, false),
            (r#"{"not":{"not":{"audience":3}}}"#, false),
            (r#"{"all":[{"not":{"audience":3}},{"audience":4}]}"#, true),
            (r#"{"any":[{"not":{"audience":3}},{"audience":4}]}"#, false),
            (r#"{"any":[{"all":[{"audience":3},{"all":[]}]}]}"#, true),
        ] {
            let rule: Rule = serde_json::from_str(text).expect("is one");
            assert_eq!(rule.is_bounded(), bounded, "{text}");
        }
    }

    #[test]
    fn a_rule_has_its_limits() {
        let deep = (0..limits::RULE_DEPTH_MAX)
            .fold(Rule::Audience(1), |rule, _| Rule::Not(Box::new(rule)));
        assert!(valid(&deep).is_err());
        let wide = Rule::Any(vec![Rule::Audience(1); limits::RULE_PARTS_MAX]);
        assert!(valid(&wide).is_err());
        let good = Rule::Any(vec![Rule::Audience(1); limits::RULE_PARTS_MAX - 1]);
        assert!(valid(&good).is_ok());
    }
}
