//! Diagnostics: what is wrong with a scenario, where, what was expected, and what may help.
//!
//! Pure. A [`Diagnostic`] points into a [`Source`] (the scenario file, or a text of the command line); [`Diagnostics`] renders
//! all of them, in the order of the text. Each has a [`Code`] out of one table, which `mcpload explain CODE` prints. A value
//! that should have been a secret is masked in every excerpt.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

pub mod codes;

pub use codes::Code;

/// How many diagnostics are rendered; the rest are counted.
const SHOWN: usize = 60;

/// A text that diagnostics point into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in messages: a path, or `--set`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// A range of bytes of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which source, from 0.
    pub source: usize,
    /// The bytes.
    pub span: Range<usize>,
}

/// The sources of a scenario: the file first, then the texts of the command line.
pub type Sources = Arc<Vec<Source>>;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: &'static Code,
    /// Where.
    pub place: Place,
    /// What is wrong, a lower-case fragment.
    pub message: String,
    /// What stands under the caret: what was expected.
    pub expected: String,
    /// What may help.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without a hint.
    pub fn new(
        code: &'static Code,
        place: Place,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            code,
            place,
            message: message.into(),
            expected: expected.into(),
            hint: None,
        }
    }

    /// The same with a hint, if there is one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// Everything that is wrong with a scenario; never empty when it is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    sources: Sources,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The diagnostics `list` about `sources`, put in the order of the text.
    pub fn new(sources: Sources, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|one| {
            (
                one.place.source,
                one.place.span.start,
                one.place.span.end,
                one.code.name,
            )
        });
        list.dedup();
        Self { sources, list }
    }

    /// Each of them, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them as text with source lines and carets.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        }
        .decor_style(DecorStyle::Ascii);
        let sources = self.masked();
        let mut text = String::new();
        for one in self.list.iter().take(SHOWN) {
            text.push_str(&render(&renderer, &sources, one));
            text.push_str("\n\n");
        }
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    fn summary(&self) -> String {
        let shown = match self.list.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => format!(" ({more} of them not shown)"),
            _ => String::new(),
        };
        let name = self.sources.first().map_or("", |source| &source.name);
        match self.list.len() {
            1 => format!("{name}: 1 error; `mcpload explain CODE` says more"),
            many => format!("{name}: {many} errors{shown}; `mcpload explain CODE` says more"),
        }
    }

    /// The sources with every value blotted out that should have been a secret.
    fn masked(&self) -> Vec<Source> {
        let mut sources = self.sources.as_ref().clone();
        for one in &self.list {
            if one.code == &codes::SECRET_LITERAL
                && let Some(source) = sources.get_mut(one.place.source)
                && let Some(secret) = source.text.get(one.place.span.clone())
            {
                // As many bytes as before, so that every other span stays right.
                let stars: String = secret
                    .bytes()
                    .map(|byte| if byte == b'\n' { '\n' } else { '*' })
                    .collect();
                source.text.replace_range(one.place.span.clone(), &stars);
            }
        }
        sources
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

fn render(renderer: &Renderer, sources: &[Source], one: &Diagnostic) -> String {
    let (name, text) = sources
        .get(one.place.source)
        .map_or(("", ""), |source| (&source.name, &source.text));
    let span = clamp(text, &one.place.span);
    let snippet = Snippet::source(text)
        .path(name)
        .annotation(AnnotationKind::Primary.span(span).label(&one.expected));
    let mut group = Level::ERROR
        .primary_title(&one.message)
        .id(one.code.name)
        .element(snippet);
    if let Some(hint) = &one.hint {
        group = group.element(Level::HELP.message(hint));
    }
    renderer.render(&[group])
}

/// A span that the renderer can take: within the text, on character borders, and not over several lines.
fn clamp(text: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let rest = text.get(start..).unwrap_or("");
    let line_end = start + rest.find('\n').unwrap_or(rest.len());
    let mut end = span.end.clamp(start, line_end.max(start));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    start..end.max(start)
}

/// The candidate that `word` was likely meant to be.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Words from hostile scenarios may be long, and the distance is quadratic.
    if word.len() > 80 {
        return None;
    }
    candidates
        .into_iter()
        .take(200)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean …?", or else the list of what there is.
pub fn suggest<'a>(
    word: &str,
    noun: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(best) = closest(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{best}`?"));
    }
    match candidates.as_slice() {
        [] => Some(format!("the scenario has no {noun}")),
        [only] => Some(format!("the only {noun} is `{only}`")),
        some if some.len() <= 40 => Some(format!("there are: {}", some.join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(code: &'static Code, span: Range<usize>) -> Diagnostic {
        Diagnostic::new(
            code,
            Place { source: 0, span },
            "something is wrong",
            "expected more",
        )
    }

    fn sources(text: &str) -> Sources {
        Arc::new(vec![Source {
            name: "a.toml".to_owned(),
            text: text.to_owned(),
        }])
    }

    #[test]
    fn they_come_in_the_order_of_the_text_and_once() {
        let list = vec![
            one(&codes::UNKNOWN_KEY, 4..5),
            one(&codes::NOT_YET, 0..1),
            one(&codes::UNKNOWN_KEY, 4..5),
        ];
        let all = Diagnostics::new(sources("a=1\nb=2\n"), list);
        let codes: Vec<_> = all.iter().map(|one| one.code.name).collect();
        assert_eq!(codes, ["not-yet", "unknown-key"]);
    }

    #[test]
    fn a_secret_is_shown_in_no_excerpt() {
        let text = "a = { b = \"hunter2\", c = 1 }\n";
        let list = vec![
            one(&codes::SECRET_LITERAL, 10..19),
            one(&codes::UNKNOWN_KEY, 21..22),
        ];
        let rendered = Diagnostics::new(sources(text), list).render(false);
        assert!(!rendered.contains("hunter2"), "{rendered}");
        assert!(rendered.contains("a.toml:1:11"), "{rendered}");
    }

    #[test]
    fn any_span_can_be_rendered() {
        for text in ["", "ä\nö", "x"] {
            for start in 0..6 {
                for end in 0..6 {
                    let list = vec![one(&codes::SYNTAX, start..end)];
                    let rendered = Diagnostics::new(sources(text), list).render(false);
                    assert!(rendered.contains("error[syntax]"), "{rendered}");
                }
            }
        }
    }

    #[test]
    fn a_word_that_is_far_from_all_gets_the_list() {
        assert_eq!(closest("durration", ["name", "duration"]), Some("duration"));
        assert_eq!(closest("zzz", ["name", "duration"]), None);
        assert_eq!(
            suggest("zzz", "phase", ["name", "duration"]).unwrap(),
            "there are: name, duration"
        );
    }
}
