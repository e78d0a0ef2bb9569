//! Tools whose answer takes several rounds: `confirm`, which asks the user, and `postpone`, which wants to be called again.
//!
//! Pure. Invariant: all that is known between two rounds travels in `requestState`, sealed with the tool's name, the round
//! and the arguments, so that any instance can continue a call, and a state that was altered, or belongs to another call, is
//! refused with -32602. The seal keeps honest clients honest; it is no cryptography.

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, ElicitationCapability, ErrorData,
    InputRequests, InputRequiredResult, InputResponses,
};
use rmcp::service::RequestContext;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::defects::mix;
use super::run::{answer, internal, invalid, parse, structured, within};
use super::{Kind, MOST_KEY_BYTES, MOST_ROUNDS};

/// The key under which `confirm` asks its question.
const QUESTION: &str = "answer";

/// What seals the states: a key that all servers share, or one of this process.
#[derive(Clone, Copy, Debug)]
pub(in crate::reference::server) struct Rounds {
    key: u64,
}

#[derive(Deserialize)]
struct Question {
    question: String,
}

#[derive(Deserialize)]
struct Postponed {
    rounds: u32,
}

/// What a client says to an elicitation.
#[derive(Deserialize)]
struct Said {
    action: Action,
    content: Option<Content>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Action {
    Accept,
    Decline,
    Cancel,
}

#[derive(Deserialize)]
struct Content {
    confirmed: bool,
}

impl Rounds {
    /// States sealed with `key`; without one, with the key that all servers share.
    pub(in crate::reference::server) fn new(key: Option<u64>) -> Self {
        Self {
            key: key.unwrap_or(0),
        }
    }

    /// One round of the tool `kind`; nothing if it is another tool.
    ///
    /// # Errors
    /// -32602 if arguments or state do not fit, -32021 if the client cannot be asked.
    pub(in crate::reference::server) fn round(
        self,
        kind: Kind,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Option<Result<CallToolResponse, ErrorData>> {
        match kind {
            Kind::Confirm => Some(self.confirm(request, context.client_capabilities())),
            Kind::Postpone => Some(self.postpone(request)),
            _ => None,
        }
    }

    fn confirm(
        self,
        request: &CallToolRequestParams,
        capabilities: Option<ClientCapabilities>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Question { question } = parse(request.arguments.clone().unwrap_or_default())?;
        within("length of question", question.len(), MOST_KEY_BYTES)?;
        let asked = self.opened(request)?.is_some();
        if let Some(said) = request
            .input_responses
            .as_ref()
            .filter(|_| asked)
            .and_then(said)
        {
            let confirmed = said.action == Action::Accept
                && said.content.is_some_and(|content| content.confirmed);
            let (action, text) = match said.action {
                Action::Accept if confirmed => ("accept", "confirmed"),
                Action::Accept => ("accept", "refused"),
                Action::Decline => ("decline", "declined"),
                Action::Cancel => ("cancel", "cancelled"),
            };
            let content = json!({"action": action, "confirmed": confirmed});
            return Ok(structured(text.to_owned(), content).into());
        }
        if capabilities.is_none_or(|capabilities| capabilities.elicitation.is_none()) {
            let mut needed = ClientCapabilities::default();
            needed.elicitation = Some(ElicitationCapability::default());
            return Err(ErrorData::missing_required_client_capability(needed));
        }
        // An answer that is missing or makes no sense is asked for again.
        let requests = json!({QUESTION: {
            "method": "elicitation/create",
            "params": {
                "message": question,
                "requestedSchema": {
                    "type": "object",
                    "properties": {"confirmed": {"type": "boolean"}},
                    "required": ["confirmed"],
                },
            },
        }});
        let requests: InputRequests = serde_json::from_value(requests).map_err(internal)?;
        let state = self.seal(request, 1);
        Ok(InputRequiredResult::new(Some(requests), Some(state)).into())
    }

    fn postpone(self, request: &CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
        let Postponed { rounds } = parse(request.arguments.clone().unwrap_or_default())?;
        within("rounds", rounds, MOST_ROUNDS)?;
        let done = self.opened(request)?.unwrap_or(0);
        if done >= rounds {
            return Ok(answer(rounds.to_string()).into());
        }
        Ok(InputRequiredResult::from_request_state(self.seal(request, done + 1)).into())
    }

    /// The state that says: this call, after so many rounds.
    pub(super) fn seal(self, request: &CallToolRequestParams, round: u32) -> String {
        let mut hash = mix(self.key ^ u64::from(round));
        let arguments = json!(request.arguments.clone().unwrap_or_default()).to_string();
        for byte in request.name.bytes().chain([0]).chain(arguments.bytes()) {
            hash = mix(hash ^ u64::from(byte));
        }
        format!("{round}.{hash:016x}")
    }

    /// The round that the request's state was sealed after; `None` without a state.
    ///
    /// # Errors
    /// -32602 if the state was not sealed for this call.
    pub(super) fn opened(self, request: &CallToolRequestParams) -> Result<Option<u32>, ErrorData> {
        let Some(state) = request.request_state.as_deref() else {
            return Ok(None);
        };
        let round = state
            .split_once('.')
            .and_then(|(round, _)| round.parse().ok());
        round
            .filter(|round| self.seal(request, *round) == state)
            .map(Some)
            .ok_or_else(|| invalid("requestState was not issued for this call"))
    }
}

/// The client's answer to the question, if it makes sense.
fn said(responses: &InputResponses) -> Option<Said> {
    let value: Value = responses.get(QUESTION)?.clone();
    let said: Said = serde_json::from_value(value).ok()?;
    (said.action != Action::Accept || said.content.is_some()).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &'static str, arguments: &Value, state: Option<String>) -> CallToolRequestParams {
        let mut request = CallToolRequestParams::new(name);
        request.arguments = arguments.as_object().cloned();
        request.request_state = state;
        request
    }

    fn state(response: CallToolResponse) -> Option<String> {
        match response {
            CallToolResponse::InputRequired(result) => result.request_state,
            _ => None,
        }
    }

    #[test]
    fn a_postponed_call_takes_the_rounds_it_was_told_on_any_instance() {
        let mut carried = None;
        for _ in 0..3 {
            let request = call("postpone", &json!({"rounds": 3}), carried.take());
            carried = state(Rounds::new(None).postpone(&request).unwrap());
            assert!(carried.is_some());
        }
        let request = call("postpone", &json!({"rounds": 3}), carried);
        assert!(state(Rounds::new(None).postpone(&request).unwrap()).is_none());
        let error = Rounds::new(Some(7)).postpone(&request).unwrap_err();
        assert_eq!(error.code.0, -32602);
    }

    #[test]
    fn a_state_is_refused_when_altered_or_of_another_call() {
        let rounds = Rounds::new(None);
        let sealed = rounds.seal(&call("postpone", &json!({"rounds": 3}), None), 1);
        for (arguments, state) in [
            (json!({"rounds": 4}), sealed.clone()),
            (json!({"rounds": 3}), format!("{sealed}0")),
            (json!({"rounds": 3}), sealed.replacen('1', "2", 1)),
            (json!({"rounds": 3}), String::new()),
        ] {
            let request = call("postpone", &arguments, Some(state));
            assert_eq!(rounds.postpone(&request).unwrap_err().code.0, -32602);
        }
    }

    #[test]
    fn a_question_is_asked_again_until_the_answer_makes_sense() {
        let rounds = Rounds::new(None);
        let mut capabilities = ClientCapabilities::default();
        let request = call("confirm", &json!({"question": "Sure?"}), None);
        let error = rounds
            .confirm(&request, Some(capabilities.clone()))
            .unwrap_err();
        assert_eq!(error.code.0, -32021);
        capabilities.elicitation = Some(ElicitationCapability::default());
        let sealed = state(
            rounds
                .confirm(&request, Some(capabilities.clone()))
                .unwrap(),
        );
        let yes = json!({"action": "accept", "content": {"confirmed": true}});
        for (responses, complete) in [
            (json!({}), false),
            (json!({"other": yes}), false),
            (json!({"answer": {"action": "accept"}}), false),
            (json!({"answer": 1}), false),
            (json!({"answer": yes, "more": 1}), true),
            (json!({"answer": {"action": "decline"}}), true),
        ] {
            let mut request = call("confirm", &json!({"question": "Sure?"}), sealed.clone());
            request.input_responses = Some(serde_json::from_value(responses.clone()).unwrap());
            let response = rounds
                .confirm(&request, Some(capabilities.clone()))
                .unwrap();
            assert_eq!(state(response).is_none(), complete, "{responses}");
        }
    }
}
