//! [`Jar`]: the cookies of one client.
//!
//! Pure. It holds what balancers use cookies for, to know a client again, and no more: a name and a value. Where a cookie may go
//! (`Domain`, `Path`, `Secure`) is not asked, since a link knows one endpoint; `Expires` is not read; `Max-Age` of 0 or less
//! deletes. Invariant: at most [`MAX_COOKIES`] cookies of at most [`MAX_COOKIE`] bytes.

use std::collections::VecDeque;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

/// The most cookies; beyond that the oldest goes.
const MAX_COOKIES: usize = 50;
/// The longest name and value together, bytes.
const MAX_COOKIE: usize = 4096;

/// The cookies of one client, in the order in which they were first set.
#[derive(Debug, Default)]
pub(super) struct Jar(VecDeque<(String, String)>);

impl Jar {
    /// Takes what the head of an answer sets.
    pub(super) fn take(&mut self, headers: &HeaderMap) {
        for value in headers.get_all(SET_COOKIE) {
            if let Ok(text) = value.to_str() {
                self.set(text);
            }
        }
    }

    fn set(&mut self, text: &str) {
        let mut parts = text.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.len() + value.len() > MAX_COOKIE {
            return;
        }
        let is_deleted = parts
            .filter_map(|part| part.split_once('='))
            .filter(|(key, _)| key.trim().eq_ignore_ascii_case("max-age"))
            .any(|(_, age)| age.trim().parse::<i64>().is_ok_and(|age| age <= 0));
        let place = self.0.iter().position(|(known, _)| known == name);
        match (place, is_deleted) {
            (Some(place), true) => {
                self.0.remove(place);
            }
            (None, true) => {}
            (Some(place), false) => {
                if let Some((_, old)) = self.0.get_mut(place) {
                    value.clone_into(old);
                }
            }
            (None, false) => {
                if self.0.len() == MAX_COOKIES {
                    self.0.pop_front();
                }
                self.0.push_back((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The value of `cookie`, after what the request carries already; `None` if there is nothing to send.
    pub(super) fn header(&self, already: Option<&HeaderValue>) -> Option<HeaderValue> {
        let already = already.and_then(|value| value.to_str().ok());
        let own = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        let pairs: Vec<String> = already.map(str::to_owned).into_iter().chain(own).collect();
        if pairs.is_empty() {
            return None;
        }
        HeaderValue::try_from(pairs.join("; ")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(set: &[&str]) -> Jar {
        let mut jar = Jar::default();
        for text in set {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, HeaderValue::from_str(text).unwrap());
            jar.take(&headers);
        }
        jar
    }

    fn sent(set: &[&str]) -> String {
        jar(set)
            .header(None)
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }

    #[test]
    fn what_was_set_is_sent() {
        assert_eq!(sent(&[]), "");
        assert_eq!(sent(&["route=a1; Path=/; HttpOnly"]), "route=a1");
        assert_eq!(sent(&["a=1", "b=x=y", "a=2"]), "a=2; b=x=y");
        assert_eq!(sent(&["nothing", "=1", ""]), "");
    }

    #[test]
    fn an_age_of_nothing_deletes() {
        assert_eq!(sent(&["a=1", "b=2", "a=; max-age=0"]), "b=2");
        assert_eq!(sent(&["a=1; Max-Age=-5"]), "");
        assert_eq!(sent(&["a=1; Max-Age=60"]), "a=1");
    }

    #[test]
    fn a_header_of_the_plan_comes_first() {
        let own = HeaderValue::from_static("own=1");
        let value = jar(&["a=2"]).header(Some(&own)).unwrap();
        assert_eq!(value, "own=1; a=2");
        assert_eq!(jar(&[]).header(Some(&own)).unwrap(), own);
    }

    #[test]
    fn a_flood_of_cookies_is_bounded() {
        let many: Vec<String> = (0..200).map(|number| format!("c{number}=x")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = sent(&many);
        assert_eq!(text.split("; ").count(), MAX_COOKIES);
        assert!(text.ends_with("c199=x") && !text.contains("c149=x"));
        assert_eq!(sent(&[&format!("a={}", "x".repeat(MAX_COOKIE))]), "");
    }
}
