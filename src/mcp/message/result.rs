//! What a result is worth: its shape by the method, and what the operation expects of it.
//!
//! Pure. Results are read without building a tree, unless an expectation looks into one.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::RequestKind;
use crate::model::ProtocolVersion;
use crate::model::protocol::Era;
use crate::plan::Method;

/// What a right answer holds, templates filled in.
#[derive(Clone, Debug)]
pub enum Expected {
    /// The first text content equals this.
    Equals(String),
    /// The first text content contains this.
    Contains(String),
    /// The first text content has this many bytes.
    Length(u64),
    /// What the path finds in the result equals this, all of it, and there is something.
    Json(Arc<JsonPath>, Value),
    /// The structured content fits the schema; `None`: the tool has none, and so nothing can fit.
    Schema(Option<Arc<jsonschema::Validator>>),
    /// The answer has this HTTP status; the head of the answer decides it.
    Status(u16),
}

impl Expected {
    fn holds(&self, text: Option<&str>, tree: Option<&Value>) -> bool {
        match self {
            Self::Equals(wanted) => text == Some(wanted),
            Self::Contains(wanted) => text.is_some_and(|text| text.contains(wanted.as_str())),
            Self::Length(wanted) => {
                text.is_some_and(|text| u64::try_from(text.len()) == Ok(*wanted))
            }
            Self::Json(path, wanted) => tree.is_some_and(|tree| {
                let found = path.query(tree);
                !found.is_empty() && found.iter().all(|value| *value == wanted)
            }),
            Self::Schema(schema) => {
                let content = tree.and_then(|tree| tree.get("structuredContent"));
                match (schema, content) {
                    (Some(schema), Some(content)) => schema.is_valid(content),
                    _ => false,
                }
            }
            Self::Status(_) => true,
        }
    }

    fn needs_tree(&self) -> bool {
        matches!(self, Self::Json(..) | Self::Schema(_))
    }
}

/// What a result is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It has its shape, and what was expected.
    Right,
    /// The result of `initialize`: the version that the server chose.
    Version(ProtocolVersion),
    /// The result of `initialize` with a version that we do not speak.
    UnknownVersion,
    /// It asks for input first (2026-07-28, multi-round-trip requests).
    AsksInput,
    /// A tool error.
    ToolError,
    /// It has not the shape of the method's result.
    Malformed,
    /// It has its shape, but not what was expected.
    Wrong,
}

/// What a result is worth, and where its list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What it is worth.
    pub outcome: Judged,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(rename = "uri")]
    _uri: String,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(default)]
    blob: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Prompted<'a> {
    #[serde(rename = "role")]
    _role: String,
    #[serde(borrow)]
    content: Content<'a>,
}

#[derive(Deserialize)]
struct Tool {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "inputSchema")]
    _schema: Members,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "name")]
    _name: String,
}

#[derive(Deserialize)]
struct Completion {
    #[serde(rename = "values")]
    _values: Vec<String>,
}

/// Any JSON object.
#[derive(Deserialize)]
struct Members {}

/// Every member that some result has; which of them must be there depends on the method.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow, default)]
    result_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    protocol_version: Option<Cow<'a, str>>,
    #[serde(default)]
    capabilities: Option<Members>,
    #[serde(default)]
    server_info: Option<Members>,
    #[serde(default)]
    supported_versions: Option<Vec<String>>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(borrow, default)]
    content: Option<Vec<Content<'a>>>,
    #[serde(default)]
    tools: Option<Vec<Tool>>,
    #[serde(default)]
    resources: Option<Vec<Named>>,
    #[serde(default)]
    resource_templates: Option<Vec<Named>>,
    #[serde(default)]
    prompts: Option<Vec<Named>>,
    #[serde(default)]
    completion: Option<Completion>,
    #[serde(borrow, default)]
    next_cursor: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    contents: Option<Vec<Resource<'a>>>,
    #[serde(borrow, default)]
    messages: Option<Vec<Prompted<'a>>>,
}

/// Checks the result of a request, given as raw JSON.
pub fn judge(kind: RequestKind, era: Era, raw: &str, expected: &[Expected]) -> Judgement {
    let Ok(body) = serde_json::from_str::<Body<'_>>(raw) else {
        return Judgement {
            outcome: Judged::Malformed,
            next_cursor: None,
        };
    };
    Judgement {
        outcome: worth(kind, era, raw, &body, expected),
        next_cursor: body.next_cursor.map(Cow::into_owned),
    }
}

fn worth(kind: RequestKind, era: Era, raw: &str, body: &Body<'_>, expected: &[Expected]) -> Judged {
    // A server that leaves the type out means `complete`.
    match body.result_type.as_deref() {
        None | Some("complete") => {}
        Some("input_required") if era == Era::Modern && may_ask(kind) => return Judged::AsksInput,
        Some(_) if era == Era::Modern => return Judged::Malformed,
        Some(_) => {}
    }
    if kind == RequestKind::Initialize {
        let version = body
            .protocol_version
            .as_deref()
            .and_then(|text| text.parse().ok());
        let is_whole = body.capabilities.is_some() && body.server_info.is_some();
        return match (version, &body.protocol_version) {
            (Some(version), _) if is_whole => Judged::Version(version),
            (None, Some(_)) if is_whole => Judged::UnknownVersion,
            _ => Judged::Malformed,
        };
    }
    let Ok(text) = shape(kind, body) else {
        return Judged::Malformed;
    };
    if body.is_error == Some(true) && kind == RequestKind::Method(Method::ToolsCall) {
        return Judged::ToolError;
    }
    let tree = expected
        .iter()
        .any(Expected::needs_tree)
        .then(|| serde_json::from_str::<Value>(raw).ok())
        .flatten();
    if expected.iter().all(|one| one.holds(text, tree.as_ref())) {
        Judged::Right
    } else {
        Judged::Wrong
    }
}

/// Whether a server may ask for input before it answers.
fn may_ask(kind: RequestKind) -> bool {
    matches!(
        kind,
        RequestKind::Method(Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead)
    )
}

/// A result that has not the shape of its method's.
struct Misshapen;

/// The first text content of a result, if it has the method's shape.
fn shape<'a>(kind: RequestKind, body: &'a Body<'_>) -> Result<Option<&'a str>, Misshapen> {
    let RequestKind::Method(method) = kind else {
        return Ok(None);
    };
    let is_right = match method {
        Method::Ping | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => true,
        Method::Discover => body.supported_versions.is_some() && body.capabilities.is_some(),
        Method::ToolsList => body.tools.is_some(),
        Method::ResourcesList => body.resources.is_some(),
        Method::ResourceTemplatesList => body.resource_templates.is_some(),
        Method::PromptsList => body.prompts.is_some(),
        Method::Complete => body.completion.is_some(),
        Method::ToolsCall => {
            let content = body.content.as_ref().ok_or(Misshapen)?;
            if content.iter().all(well_formed) {
                return Ok(content.iter().find_map(text_of));
            }
            false
        }
        Method::PromptsGet => {
            let messages = body.messages.as_ref().ok_or(Misshapen)?;
            let mut contents = messages.iter().map(|message| &message.content);
            if contents.clone().all(well_formed) {
                return Ok(contents.find_map(text_of));
            }
            false
        }
        Method::ResourcesRead => {
            let contents = body.contents.as_ref().ok_or(Misshapen)?;
            let one_of =
                |resource: &Resource<'_>| resource.text.is_some() != resource.blob.is_some();
            if contents.iter().all(one_of) {
                return Ok(contents
                    .iter()
                    .find_map(|resource| resource.text.as_deref()));
            }
            false
        }
    };
    if is_right { Ok(None) } else { Err(Misshapen) }
}

/// A text content must have its text.
fn well_formed(content: &Content<'_>) -> bool {
    content.kind != "text" || content.text.is_some()
}

fn text_of<'a>(content: &'a Content<'_>) -> Option<&'a str> {
    (content.kind == "text").then_some(content.text.as_deref())?
}
