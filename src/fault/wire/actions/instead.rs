//! Something else in place of the answer: a status, a redirect, HTML, silence.
//!
//! Pure. By default the request goes nowhere, as at a proxy that refuses it. With `executed` it is done all the same and its
//! answer is lost, so that a client that tries again does it twice.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::super::out::Out;
use super::super::part::Head;
use super::{Action, Edit, Need, Parameter, Params, Takes, parameter};

/// Whether the request is done all the same.
pub(super) const EXECUTED: Parameter = parameter(
    "executed",
    Takes::Nothing,
    Need::Optional,
    "the request is done all the same, and its answer lost",
);

/// What is written in place of an answer.
pub(super) trait Replacement: Send {
    fn write(&mut self, out: &mut Out);
}

/// Writes a replacement, after the answer has ended if the request is executed.
pub(super) struct Instead<R> {
    executed: bool,
    replacement: R,
}

pub(super) fn instead<R: Replacement + 'static>(params: &Params, replacement: R) -> Box<dyn Edit> {
    Box::new(Instead {
        executed: params.is_given(EXECUTED.name),
        replacement,
    })
}

impl<R: Replacement> Edit for Instead<R> {
    fn asks(&self) -> bool {
        self.executed
    }

    fn begin(&mut self, out: &mut Out) {
        if !self.executed {
            self.replacement.write(out);
        }
    }

    fn head(&mut self, _head: Head, _out: &mut Out) {}

    fn body(&mut self, _bytes: Bytes, _out: &mut Out) {}

    fn end(&mut self, out: &mut Out) {
        self.replacement.write(out);
    }

    fn broken(&mut self, out: &mut Out) {
        self.replacement.write(out);
    }
}

/// A whole answer of known text.
struct Canned {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Canned {
    fn new(status: StatusCode, media_type: &'static str, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    fn with(mut self, name: HeaderName, text: &str) -> Self {
        if let Ok(value) = HeaderValue::try_from(text)
            && !text.is_empty()
        {
            self.headers.insert(name, value);
        }
        self
    }
}

impl Replacement for Canned {
    fn write(&mut self, out: &mut Out) {
        let length = self.body.len() as u64;
        out.head(&Head::new(self.status, self.headers.clone(), Some(length)));
        out.data(&self.body);
        out.end();
    }
}

/// A status with a line of text, as servers and proxies give it.
fn plain_status(code: u64) -> Canned {
    let status = u16::try_from(code)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Canned::new(status, "text/plain; charset=utf-8", format!("{status}\n"))
}

/// `status`.
pub(super) const STATUS: Action = Action {
    name: "status",
    summary: "answers with this status and a line of text",
    example: "status=429,retry-after=2,share=10%",
    argument: Some(parameter(
        "CODE",
        Takes::Count { min: 200, max: 599 },
        Need::Required,
        "the status",
    )),
    options: &[
        parameter(
            "retry-after",
            Takes::HeaderValue,
            Need::Optional,
            "the header Retry-After: seconds, or a date",
        ),
        parameter(
            "authenticate",
            Takes::HeaderValue,
            Need::Optional,
            "the header WWW-Authenticate; with 401 there is one in any case",
        ),
        EXECUTED,
    ],
    build: |params, _| {
        let code = params.count("CODE");
        let challenge = match params.text("authenticate") {
            // RFC 9110, section 15.5.2, demands one; this is what an expired token gets (RFC 6750, section 3.1).
            "" if code == 401 => "Bearer error=\"invalid_token\"",
            given => given,
        };
        let canned = plain_status(code)
            .with(header::RETRY_AFTER, params.text("retry-after"))
            .with(header::WWW_AUTHENTICATE, challenge);
        instead(params, canned)
    },
    watch: None,
};

/// `redirect`.
pub(super) const REDIRECT: Action = Action {
    name: "redirect",
    summary: "redirects to a URL",
    example: "redirect=http://127.0.0.1:9/mcp,code=308",
    argument: Some(parameter(
        "URL",
        Takes::HeaderValue,
        Need::Required,
        "the header Location",
    )),
    options: &[
        parameter(
            "code",
            Takes::Word(&["301", "302", "303", "307", "308"]),
            Need::Default("307"),
            "the status",
        ),
        EXECUTED,
    ],
    build: |params, _| {
        let code = params.text("code").parse().unwrap_or(307);
        let canned = plain_status(code).with(header::LOCATION, params.text("URL"));
        instead(params, canned)
    },
    watch: None,
};

/// `html`.
pub(super) const HTML: Action = Action {
    name: "html",
    summary: "answers 200 with a page of HTML, as a captive portal or a misrouted ingress does",
    example: "html,nth=5",
    argument: None,
    options: &[EXECUTED],
    build: |params, _| {
        let page = "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n";
        let canned = Canned::new(StatusCode::OK, "text/html; charset=utf-8", page.to_owned());
        instead(params, canned)
    },
    watch: None,
};

/// Nothing, and then the end of the connection.
struct Silence(std::time::Duration);

impl Replacement for Silence {
    fn write(&mut self, out: &mut Out) {
        out.wait(self.0);
        out.close();
    }
}

/// `never`.
pub(super) const NEVER: Action = Action {
    name: "never",
    summary: "takes the request and never answers; the connection is closed after a time",
    example: "never=30s,share=1%",
    argument: Some(parameter(
        "TIME",
        Takes::Time,
        Need::Default("1m"),
        "when the connection is closed",
    )),
    options: &[EXECUTED],
    build: |params, _| instead(params, Silence(params.time("TIME"))),
    watch: None,
};

/// The end of the connection before anything was written.
struct Gone {
    reset: bool,
}

impl Replacement for Gone {
    fn write(&mut self, out: &mut Out) {
        if self.reset {
            out.reset();
        } else {
            out.close();
        }
    }
}

/// `close-before-head`.
pub(super) const CLOSE_BEFORE_HEAD: Action = Action {
    name: "close-before-head",
    summary: "ends the connection before any byte of the answer",
    example: "close-before-head=reset,executed,method=tools/call",
    argument: Some(parameter(
        "HOW",
        Takes::Word(&["close", "reset"]),
        Need::Default("close"),
        "in order, or with a reset",
    )),
    options: &[EXECUTED],
    build: |params, _| {
        let reset = params.text("HOW") == "reset";
        instead(params, Gone { reset })
    },
    watch: None,
};
