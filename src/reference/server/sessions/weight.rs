//! How much memory a message takes, roughly.
//!
//! Pure. It is a bound for book-keeping, not a measure: texts count in full, everything else as a few hundred bytes.

use rmcp::model::{ContentBlock, ServerJsonRpcMessage, ServerResult};

const OTHER_BYTES: usize = 512;

/// Bytes of `message`, estimated.
pub(super) fn weight(message: &ServerJsonRpcMessage) -> usize {
    let ServerJsonRpcMessage::Response(response) = message else {
        return OTHER_BYTES;
    };
    let ServerResult::CallToolResult(result) = &response.result else {
        return OTHER_BYTES;
    };
    let text = |content: &ContentBlock| {
        content
            .as_text()
            .map_or(OTHER_BYTES, |text| text.text.len())
    };
    OTHER_BYTES + result.content.iter().map(text).sum::<usize>()
}
