//! What the head of an answer says, before there is a body.
//!
//! Pure.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};

use super::reading::Reading;
use super::{Awaited, Exchange, Expected, MAX_CHALLENGE, MAX_COOKIES, header};
use crate::model::Class;

impl Exchange {
    pub(super) fn head(&mut self, at: i64, status: StatusCode, headers: &HeaderMap) {
        self.facts.first_byte = Some(at);
        self.facts.status = Some(status.as_u16());
        self.answered_by(headers);
        self.facts.session = headers
            .get(header::SESSION_ID)
            .filter(|value| header::is_session_id(value))
            .cloned();
        if !status.is_success() {
            self.facts.retry_after_s =
                text(headers, &RETRY_AFTER).and_then(|text| text.parse().ok());
            self.facts.challenge = text(headers, &WWW_AUTHENTICATE)
                .map(|text| text.chars().take(MAX_CHALLENGE).collect());
        }
        self.reading = self.reading_of(status.as_u16(), headers);
        let is_stream = matches!(self.awaited, Awaited::Stream { .. });
        match self.reading {
            Reading::Events(_) if matches!(self.awaited, Awaited::Stream { id: None }) => {
                self.settle(at, Class::None, None);
            }
            // A stream that cannot be understood may have no end to wait for.
            Reading::Over(class, code) if is_stream && status.is_success() => {
                self.settle(at, class, code);
            }
            _ => {}
        }
    }

    /// Notes the instance that answered, and its cookies.
    pub(super) fn answered_by(&mut self, headers: &HeaderMap) {
        if let Some(value) = self.served_by.as_ref().and_then(|name| headers.get(name)) {
            self.facts.instance = header::instance(value);
        }
        let room = MAX_COOKIES.saturating_sub(self.facts.cookies.len());
        let cookies = headers.get_all(SET_COOKIE).iter().take(room).cloned();
        self.facts.cookies.extend(cookies);
    }

    fn reading_of(&self, status: u16, headers: &HeaderMap) -> Reading {
        let code = i64::from(status);
        if let Some(wanted) = self.wanted_status() {
            // A refusal that is expected is a right answer.
            if wanted == status && !(200..300).contains(&status) {
                return Reading::Over(Class::None, None);
            }
            if wanted != status && (200..300).contains(&status) {
                return Reading::Over(Class::WrongAnswer, Some(code));
            }
        }
        match (status, &self.awaited) {
            (400 | 404, _) if self.in_session => Reading::Over(Class::SessionLost, Some(code)),
            (200..=299, Awaited::Status) => Reading::Over(Class::None, None),
            // We ask for no encoding, and so understand none.
            (200..=299, _) if is_encoded(headers) => Reading::Over(Class::Malformed, None),
            (200..=299, Awaited::Response { .. } | Awaited::Stream { id: Some(_) }) => {
                match media_type(headers) {
                    Media::Json => Reading::json(),
                    Media::Events => Reading::events(),
                    Media::Other => Reading::Over(Class::Malformed, None),
                }
            }
            (200..=299, Awaited::Stream { id: None }) => match media_type(headers) {
                Media::Events => Reading::events(),
                Media::Json | Media::Other => Reading::Over(Class::Malformed, None),
            },
            (400.., _) if matches!(media_type(headers), Media::Json) => Reading::refused(code),
            _ => Reading::Over(Class::Http, Some(code)),
        }
    }

    fn wanted_status(&self) -> Option<u16> {
        let Awaited::Response { expected, .. } = &self.awaited else {
            return None;
        };
        expected.iter().find_map(|expected| match expected {
            Expected::Status(status) => Some(*status),
            _ => None,
        })
    }
}

enum Media {
    Json,
    Events,
    Other,
}

fn media_type(headers: &HeaderMap) -> Media {
    let text = text(headers, &CONTENT_TYPE).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Media::Json
    } else if essence.eq_ignore_ascii_case("text/event-stream") {
        Media::Events
    } else {
        Media::Other
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
