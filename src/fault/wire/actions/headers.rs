//! Headers that are missing, other than they should be, or far too many.
//!
//! Pure. Headers that frame the body can be taken away or set too; the body is then ended by closing.

use http::{HeaderName, HeaderValue, header};

use super::super::out::Out;
use super::super::part::{Framing, Head};
use super::{Action, Edit, Need, Takes, parameter};

fn frames(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING
}

struct Strip(Option<HeaderName>);

impl Edit for Strip {
    fn head(&mut self, mut head: Head, out: &mut Out) {
        if let Some(name) = &self.0 {
            head.headers.remove(name);
            let framed = match head.framing {
                Framing::Length(_) => Some(header::CONTENT_LENGTH),
                Framing::Chunked => Some(header::TRANSFER_ENCODING),
                Framing::UntilClose => None,
            };
            if framed.as_ref() == Some(name) {
                head.framing = Framing::UntilClose;
            }
        }
        out.head(&head);
    }
}

/// `strip-header`.
pub(super) const STRIP_HEADER: Action = Action {
    name: "strip-header",
    summary: "leaves a header out",
    example: "strip-header=mcp-session-id,method=initialize",
    argument: Some(parameter(
        "NAME",
        Takes::HeaderName,
        Need::Required,
        "its name",
    )),
    options: &[],
    build: |params, _| Box::new(Strip(params.text("NAME").parse().ok())),
    watch: None,
};

struct Set(Option<(HeaderName, HeaderValue)>);

impl Edit for Set {
    fn head(&mut self, mut head: Head, out: &mut Out) {
        if let Some((name, value)) = self.0.take() {
            if frames(&name) {
                head.framing = Framing::UntilClose;
            }
            head.headers.insert(name, value);
        }
        out.head(&head);
    }
}

/// `set-header`.
pub(super) const SET_HEADER: Action = Action {
    name: "set-header",
    summary: "sets a header, in place of the one that is there",
    example: "set-header=\"set-cookie:route=a1; Path=/, b=2\"",
    argument: Some(parameter(
        "NAME:VALUE",
        Takes::Header,
        Need::Required,
        "its name and value",
    )),
    options: &[],
    build: |params, _| Box::new(Set(params.header("NAME:VALUE"))),
    watch: None,
};

struct Flood {
    count: usize,
    value: HeaderValue,
}

impl Edit for Flood {
    fn head(&mut self, mut head: Head, out: &mut Out) {
        for number in 0..self.count {
            if let Ok(name) = HeaderName::try_from(format!("x-flood-{number}")) {
                head.headers.insert(name, self.value.clone());
            }
        }
        out.head(&head);
    }
}

/// `header-flood`.
pub(super) const HEADER_FLOOD: Action = Action {
    name: "header-flood",
    summary: "adds headers beyond all reason",
    example: "header-flood=1000,size=100",
    argument: Some(parameter(
        "COUNT",
        // The map of headers holds 32,768 at most.
        Takes::Count {
            min: 1,
            max: 20_000,
        },
        Need::Default("1000"),
        "how many",
    )),
    options: &[parameter(
        "size",
        Takes::Bytes { max: 1 << 20 },
        Need::Default("100"),
        "the length of each value",
    )],
    build: |params, _| {
        let value = vec![b'x'; params.length("size")];
        Box::new(Flood {
            count: params.length("COUNT"),
            value: HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("x")),
        })
    },
    watch: None,
};
