//! A rule: which requests, and what happens to their answers.
//!
//! Pure. Invariant: a rule that was read is whole; its text reads back as the same rule, and serde stores that text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::actions::{ACTIONS, Action};
use super::grammar::{Item, RuleError, items, write_item};
use super::params::Params;
use super::selector::{CONDITIONS, Selector};
use crate::diag::suggest;

/// A selector and one action.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    action: &'static Action,
    params: Params,
    selector: Selector,
}

impl Rule {
    /// What it does.
    pub fn action(&self) -> &'static Action {
        self.action
    }

    /// Which requests it is for.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// The same action on every request.
    #[cfg(test)]
    pub(in crate::fault) fn on_everything(self) -> Self {
        let mut selector = Selector::default();
        selector.on = Some(super::selector::On::Any);
        Self { selector, ..self }
    }

    pub(super) fn params(&self) -> &Params {
        &self.params
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut items = items(text)?.into_iter();
        let first = items.next().ok_or(RuleError::Empty)?;
        let action = find(&first.key)?;
        let mut rule = Self {
            action,
            params: Params::default(),
            selector: Selector::default(),
        };
        match (&action.argument, &first.value) {
            (Some(argument), Some(value)) => {
                rule.params.read(argument, action.name, Some(value))?;
            }
            (None, Some(value)) => {
                return Err(RuleError::Value {
                    key: action.name.to_owned(),
                    given: value.clone(),
                    expected: "no value".to_owned(),
                });
            }
            (_, None) => {}
        }
        for item in items {
            rule.take(&item)?;
        }
        for parameter in action.argument.iter().chain(action.options) {
            if !rule.params.complete(parameter) {
                return Err(RuleError::Missing {
                    action: action.name,
                    name: parameter.name,
                    summary: parameter.summary,
                });
            }
        }
        Ok(rule)
    }
}

impl Rule {
    fn take(&mut self, item: &Item) -> Result<(), RuleError> {
        let value = item.value.as_deref();
        let option = self
            .action
            .options
            .iter()
            .find(|option| option.name == item.key);
        if let Some(option) = option {
            return self.params.read(option, &item.key, value);
        }
        if self.selector.read(&item.key, value)? {
            return Ok(());
        }
        let keys = self.action.options.iter().chain(CONDITIONS);
        Err(RuleError::Key {
            action: self.action.name,
            key: item.key.clone(),
            hint: hint(&item.key, "key", keys.map(|parameter| parameter.name)),
        })
    }
}

fn find(name: &str) -> Result<&'static Action, RuleError> {
    ACTIONS
        .iter()
        .find(|action| action.name == name)
        .ok_or_else(|| RuleError::Action {
            name: name.to_owned(),
            hint: hint(name, "action", ACTIONS.iter().map(|action| action.name)),
        })
}

fn hint(word: &str, noun: &str, candidates: impl Iterator<Item = &'static str>) -> String {
    suggest(word, noun, candidates).unwrap_or_default()
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let argument = self
            .action
            .argument
            .as_ref()
            .filter(|argument| self.params.differs(argument))
            .and_then(|argument| self.params.written(argument));
        write_item(f, self.action.name, argument.as_deref())?;
        for option in self.action.options {
            if self.params.differs(option) {
                f.write_str(",")?;
                write_item(f, option.name, self.params.written(option).as_deref())?;
            }
        }
        self.selector.write(f)
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Rule>().unwrap_err().to_string()
    }

    #[test]
    fn every_example_is_a_rule_of_its_action_and_reads_back() {
        for action in ACTIONS {
            let rule: Rule = action.example.parse().unwrap();
            assert_eq!(rule.action().name, action.name);
            assert_eq!(
                rule.to_string().parse::<Rule>().unwrap(),
                rule,
                "{}",
                action.example
            );
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), rule);
        }
    }

    #[test]
    fn no_parameter_hides_a_condition() {
        for action in ACTIONS {
            for option in action.options {
                assert!(
                    CONDITIONS.iter().all(|other| other.name != option.name),
                    "{} {}",
                    action.name,
                    option.name
                );
            }
        }
    }

    #[test]
    fn a_rule_prints_as_it_would_be_written() {
        for (text, printed) in [
            ("status=503 , share=10.0%", "status=503,share=10%"),
            (
                "cut-stream=3,method=tools/call,nth=2,inside",
                "cut-stream=3,inside,method=tools/call,nth=2",
            ),
            ("never=1m", "never"),
            ("never=61000ms", "never=1m 1s"),
            (
                "set-header=\"set-cookie:a=b, c\"",
                "set-header=\"set-cookie:a=b, c\"",
            ),
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn errors_say_what_is_wrong_and_what_would_fit() {
        for (text, expected) in [
            ("", "a rule starts with an action, such as \"status=503\""),
            (
                "statsu=503",
                "there is no action \"statsu\"; did you mean `status`?",
            ),
            ("status", "status needs CODE: the status"),
            (
                "status=99",
                "status: \"99\" is wrong; expected a whole number from 200 to 599",
            ),
            ("gzip=9", "gzip: \"9\" is wrong; expected no value"),
            (
                "gzip,shar=5%",
                "gzip takes no \"shar\"; did you mean `share`?",
            ),
            (
                "gzip,share=5",
                "share: \"5\" is wrong; expected a share such as 10%",
            ),
            (
                "gzip,nth=0",
                "nth: \"0\" is wrong; expected a whole number from 1 to 1000000000",
            ),
            (
                "gzip,on=post",
                "on: \"post\" is wrong; expected call or notice or get or delete or any",
            ),
            ("gzip,nth=2,nth=3", "\"nth\" stands twice"),
            ("status=503,executed,executed", "\"executed\" stands twice"),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z=,\"\\\\0-9%:/-]{0,60}") {
            if let Ok(rule) = text.parse::<Rule>() {
                prop_assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
            }
        }
    }
}
