//! What clients do: operations, their steps, and what a right answer holds.
//!
//! Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Share;
use crate::model::quantity::{duration_text, optional_duration_text};

/// An operation: one intended piece of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationPlan {
    /// Its name.
    pub name: String,
    /// How often it is drawn, relative to the others; 0: only as a step of a journey.
    pub weight: u32,
    /// The bound of one Call, from `sent`; also of the wait of an arrival for its client.
    #[serde(with = "duration_text")]
    pub timeout: Duration,
    /// What is done, one Call after the other; a plain operation has one step.
    pub steps: Vec<StepPlan>,
    /// Which of its calls are cancelled; `None`: none are.
    pub cancel: Option<CancelPlan>,
}

/// Calls that their client gives up on purpose, as its era says: legacy with `notifications/cancelled`, modern by closing the stream.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelPlan {
    /// The share of the operation's arrivals.
    pub share: Share,
    /// How long after the request was sent; one that is answered sooner is not cancelled.
    #[serde(with = "duration_text")]
    pub after: Duration,
}

impl OperationPlan {
    /// The sum of its think times.
    pub fn think_total(&self) -> Duration {
        self.steps.iter().filter_map(|step| step.think).sum()
    }
}

/// One step of an operation: one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPlan {
    /// The name of the operation that it was written as.
    pub name: String,
    /// The MCP method.
    pub method: Method,
    /// Tool name, prompt name, resource URI or (to be completed) URI template; empty for methods without.
    pub target: String,
    /// What the target of `completion/complete` is; `None` for other methods.
    #[serde(default)]
    pub reference: Option<Reference>,
    /// Tool or prompt arguments; strings may hold templates (`load::template`). For `completion/complete` the argument that is
    /// completed, as `name` and `value`.
    pub arguments: Value,
    /// What a right answer must hold, where the scenario or the reference server's contract says so.
    pub expect: Vec<Expectation>,
    /// How many pages of a list are asked for.
    pub pages: Pages,
    /// Whether progress notifications are asked for.
    pub progress: bool,
    /// What is kept of the answer for later steps of the same journey: name -> JSON path in the result (RFC 9535).
    pub keep: BTreeMap<String, String>,
    /// A pause before this step.
    #[serde(default, with = "optional_duration_text")]
    pub think: Option<Duration>,
}

impl StepPlan {
    /// A step that calls `method`, without arguments or expectations.
    pub fn new(name: &str, method: Method) -> Self {
        Self {
            name: name.to_owned(),
            method,
            target: String::new(),
            reference: None,
            arguments: Value::Object(serde_json::Map::new()),
            expect: Vec::new(),
            pages: Pages::First,
            progress: false,
            keep: BTreeMap::new(),
            think: None,
        }
    }
}

/// What the target of `completion/complete` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reference {
    /// The name of a prompt.
    #[serde(rename = "ref/prompt")]
    Prompt,
    /// The URI template of a resource.
    #[serde(rename = "ref/resource")]
    Resource,
}

/// How many pages of a list are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pages {
    /// The first.
    #[default]
    First,
    /// Up to so many, by the cursors of the answers; each is a Call.
    UpTo(u32),
}

impl Pages {
    /// How many are asked for at most, at least 1.
    pub const fn most(self) -> u32 {
        match self {
            Self::First | Self::UpTo(0) => 1,
            Self::UpTo(count) => count,
        }
    }
}

/// The methods that an operation can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Method {
    /// `tools/call`.
    #[serde(rename = "tools/call")]
    ToolsCall,
    /// `tools/list`.
    #[serde(rename = "tools/list")]
    ToolsList,
    /// `resources/list`.
    #[serde(rename = "resources/list")]
    ResourcesList,
    /// `resources/read`.
    #[serde(rename = "resources/read")]
    ResourcesRead,
    /// `prompts/list`.
    #[serde(rename = "prompts/list")]
    PromptsList,
    /// `prompts/get`.
    #[serde(rename = "prompts/get")]
    PromptsGet,
    /// `ping`; legacy era only (a modern client sends `server/discover` in its place).
    #[serde(rename = "ping")]
    Ping,
    /// `resources/templates/list`.
    #[serde(rename = "resources/templates/list")]
    ResourceTemplatesList,
    /// `resources/subscribe`; legacy era only (a modern client names the resource in `subscriptions/listen`).
    #[serde(rename = "resources/subscribe")]
    ResourcesSubscribe,
    /// `resources/unsubscribe`; legacy era only.
    #[serde(rename = "resources/unsubscribe")]
    ResourcesUnsubscribe,
    /// `completion/complete`: for a prompt or for a resource template, as the step's `reference` says.
    #[serde(rename = "completion/complete")]
    Complete,
    /// `server/discover`; modern era only (a legacy client sends `ping` in its place).
    #[serde(rename = "server/discover")]
    Discover,
}

impl Method {
    /// Every method, in the order of documents.
    pub const ALL: [Self; 12] = [
        Self::ToolsCall,
        Self::ToolsList,
        Self::ResourcesList,
        Self::ResourcesRead,
        Self::PromptsList,
        Self::PromptsGet,
        Self::Ping,
        Self::ResourceTemplatesList,
        Self::ResourcesSubscribe,
        Self::ResourcesUnsubscribe,
        Self::Complete,
        Self::Discover,
    ];

    /// Whether its answers come in pages.
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::ToolsList | Self::ResourcesList | Self::ResourceTemplatesList | Self::PromptsList
        )
    }

    /// Whether its answers hold texts.
    pub const fn has_text(self) -> bool {
        matches!(
            self,
            Self::ToolsCall | Self::ResourcesRead | Self::PromptsGet
        )
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToolsCall => "tools/call",
            Self::ToolsList => "tools/list",
            Self::ResourcesList => "resources/list",
            Self::ResourcesRead => "resources/read",
            Self::PromptsList => "prompts/list",
            Self::PromptsGet => "prompts/get",
            Self::Ping => "ping",
            Self::ResourceTemplatesList => "resources/templates/list",
            Self::ResourcesSubscribe => "resources/subscribe",
            Self::ResourcesUnsubscribe => "resources/unsubscribe",
            Self::Complete => "completion/complete",
            Self::Discover => "server/discover",
        }
    }
}

/// What a right answer must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// The first text content equals this (templated like the arguments, with the same draws).
    TextEquals(String),
    /// The first text content contains this.
    TextContains(String),
    /// The first text content has this many bytes.
    TextLength(u64),
    /// What the path finds in the result equals this (texts templated like the arguments); more than one find must all be equal.
    Json {
        /// A JSON path (RFC 9535), from the result.
        path: String,
        /// The value.
        equals: Value,
    },
    /// The structured content fits the tool's output schema, as `tools/list` gave it to this client's worker.
    Schema,
    /// The answer has this HTTP status; a refusal that is expected is a right answer.
    Status(u16),
}
