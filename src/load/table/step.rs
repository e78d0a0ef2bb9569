//! [`Step`]: one request of an operation, compiled: its parameters, what a right answer holds, what is kept of it.
//!
//! Pure.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::load::template::{Context, FillError, Template, TemplateError};
use crate::mcp::header;
use crate::mcp::message::{Expected, RequestKind};
use crate::model::protocol::Era;
use crate::plan::{self, Expectation, Method, Reference};

/// A step of an operation.
#[derive(Debug)]
pub(crate) struct Step {
    /// The method of the plan.
    method: Method,
    /// Tool, prompt or resource.
    target: String,
    /// The pause before it.
    pub(crate) think: Option<Duration>,
    /// The members of its parameters.
    members: Template,
    /// What a right answer holds.
    expect: Vec<Expectable>,
    /// What the modern era mirrors into `Mcp-Name`.
    pub(crate) mirrored: Option<HeaderValue>,
    /// How many pages are asked for at most.
    pub(crate) pages: u32,
    /// Whether progress is asked for.
    progress: bool,
    /// What is kept of the result, by name.
    keep: Vec<(String, JsonPath)>,
}

/// An expectation, compiled.
#[derive(Debug)]
enum Expectable {
    Equals(Template),
    Contains(Template),
    Length(u64),
    Json(Arc<JsonPath>, Template),
    Schema,
    Status(u16),
}

/// A request, filled in.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    /// What is asked.
    pub(crate) kind: RequestKind,
    /// Tool, prompt or resource.
    pub(crate) target: String,
    /// The members of its parameters, JSON.
    pub(crate) members: String,
    /// Whether progress is asked for.
    pub(crate) progress: bool,
    /// What a right answer holds.
    pub(crate) expected: Vec<Expected>,
}

impl Step {
    /// Fills in the request; equal generators make equal requests.
    ///
    /// # Errors
    /// If it needs what no earlier step kept.
    pub(crate) fn fill(
        &self,
        era: Era,
        context: &Context<'_>,
        generator: &mut rand_chacha::ChaCha8Rng,
    ) -> Result<Filled, FillError> {
        // The expectations take the same draws as the arguments.
        let again = self
            .expect
            .iter()
            .any(Expectable::draws)
            .then(|| generator.clone());
        let mut members = String::new();
        self.members.fill(context, generator, &mut members)?;
        let expected = self.expect.iter().map(|expectable| {
            let mut generator = again.clone().unwrap_or_else(|| generator.clone());
            expectable.fill(context, &mut generator)
        });
        Ok(Filled {
            expected: expected.collect::<Result<_, FillError>>()?,
            kind: kind(self.method, era),
            target: self.target.clone(),
            members,
            progress: self.progress,
        })
    }

    /// Whether the result is needed as it came.
    pub(crate) fn wants_result(&self) -> bool {
        !self.keep.is_empty()
    }

    /// What is kept of a result, by name; `None` if something of it is not there.
    pub(crate) fn kept(&self, result: Option<&str>) -> Option<Vec<(String, Value)>> {
        if self.keep.is_empty() {
            return Some(Vec::new());
        }
        let result: Value = serde_json::from_str(result?).ok()?;
        let found = self.keep.iter().map(|(name, path)| {
            let first = path.query(&result).first()?;
            Some((name.clone(), first.clone()))
        });
        found.collect()
    }

    pub(super) fn new(
        step: &plan::StepPlan,
        data: &[plan::DataPlan],
    ) -> Result<Self, TemplateError> {
        let expect = step.expect.iter().map(|one| Expectable::new(one, data));
        let keep = step
            .keep
            .iter()
            .map(|(name, path)| Ok((name.clone(), json_path(path)?)));
        Ok(Self {
            method: step.method,
            think: step.think,
            members: members(step, data)?,
            expect: expect.collect::<Result<_, _>>()?,
            // A name that the modern era mirrors is that of what is called, got or read.
            mirrored: matches!(
                step.method,
                Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead
            )
            .then(|| header::mirrored(&step.target)),
            target: step.target.clone(),
            pages: step.pages.most(),
            progress: step.progress,
            keep: keep.collect::<Result<_, TemplateError>>()?,
        })
    }
}

/// The members of the parameters of a step, templates compiled.
fn members(step: &plan::StepPlan, data: &[plan::DataPlan]) -> Result<Template, TemplateError> {
    let target = Value::from(step.target.as_str());
    let arguments = || match &step.arguments {
        Value::Null => Template::json(&serde_json::json!({}), data),
        value => Template::json(value, data),
    };
    match step.method {
        Method::ToolsCall | Method::PromptsGet => {
            Ok(arguments()?.wrapped(&format!(r#""name":{target},"arguments":"#), ""))
        }
        Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
            Ok(Template::default().wrapped(&format!(r#""uri":{target}"#), ""))
        }
        Method::Complete => {
            let reference = match step.reference {
                Some(Reference::Resource) => {
                    serde_json::json!({"type": "ref/resource", "uri": target})
                }
                Some(Reference::Prompt) | None => {
                    serde_json::json!({"type": "ref/prompt", "name": target})
                }
            };
            Ok(arguments()?.wrapped(&format!(r#""ref":{reference},"argument":"#), ""))
        }
        Method::ToolsList
        | Method::ResourcesList
        | Method::ResourceTemplatesList
        | Method::PromptsList
        | Method::Discover
        | Method::Ping => Ok(Template::default()),
    }
}

fn json_path(text: &str) -> Result<JsonPath, TemplateError> {
    JsonPath::parse(text).map_err(|_| TemplateError::Unknown {
        text: text.to_owned(),
        expected: "a JSON path".to_owned(),
    })
}

impl Expectable {
    fn new(expectation: &Expectation, data: &[plan::DataPlan]) -> Result<Self, TemplateError> {
        Ok(match expectation {
            Expectation::TextEquals(text) => Self::Equals(Template::text(text, data)?),
            Expectation::TextContains(text) => Self::Contains(Template::text(text, data)?),
            Expectation::TextLength(length) => Self::Length(*length),
            Expectation::Json { path, equals } => {
                Self::Json(Arc::new(json_path(path)?), Template::json(equals, data)?)
            }
            Expectation::Schema => Self::Schema,
            Expectation::Status(status) => Self::Status(*status),
        })
    }

    fn draws(&self) -> bool {
        match self {
            Self::Equals(template) | Self::Contains(template) | Self::Json(_, template) => {
                !template.is_constant()
            }
            Self::Length(_) | Self::Schema | Self::Status(_) => false,
        }
    }

    fn fill(
        &self,
        context: &Context<'_>,
        generator: &mut rand_chacha::ChaCha8Rng,
    ) -> Result<Expected, FillError> {
        let mut filled = |template: &Template| {
            let mut text = String::new();
            template.fill(context, generator, &mut text)?;
            Ok(text)
        };
        Ok(match self {
            Self::Equals(template) => Expected::Equals(filled(template)?),
            Self::Contains(template) => Expected::Contains(filled(template)?),
            Self::Length(length) => Expected::Length(*length),
            Self::Json(path, template) => {
                let value = serde_json::from_str(&filled(template)?).unwrap_or(Value::Null);
                Expected::Json(Arc::clone(path), value)
            }
            // The client puts in what it learnt of the tool.
            Self::Schema => Expected::Schema(None),
            Self::Status(status) => Expected::Status(*status),
        })
    }
}

fn kind(method: Method, era: Era) -> RequestKind {
    match (method, era) {
        // The modern era has no ping.
        (Method::Ping, Era::Modern) => RequestKind::Method(Method::Discover),
        (Method::Discover, Era::Legacy) => RequestKind::Method(Method::Ping),
        (method, _) => RequestKind::Method(method),
    }
}

/// The method as it goes out to a server of this era.
pub(crate) fn wire_name(method: Method, era: Era) -> &'static str {
    kind(method, era).name()
}
