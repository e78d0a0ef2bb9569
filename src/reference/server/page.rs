//! Pages of a list, and the opaque cursors between them.
//!
//! Pure. Invariant: walking the cursors from the start yields every entry once, in order. A cursor names its list, so that
//! one list's cursor is refused by another; the cursor of each second page is the empty string, which is as good as any,
//! and which clients take for "no cursor" if they are careless.

use rmcp::ErrorData;
use rmcp::model::Cursor;

/// The entries of `all` behind `cursor` (the first page without one), at most `size`, and the next page's cursor.
///
/// # Errors
/// -32602 if `cursor` was not handed out for `list`.
pub(super) fn page<'a, T>(
    list: &str,
    all: &'a [T],
    size: usize,
    cursor: Option<&str>,
) -> Result<(&'a [T], Option<Cursor>), ErrorData> {
    let start = match cursor {
        None => 0,
        Some(cursor) => decode(list, size, cursor)
            .filter(|start| *start < all.len())
            .ok_or_else(|| ErrorData::invalid_params("unknown cursor", None))?,
    };
    let end = start.saturating_add(size).min(all.len());
    let next = (end < all.len()).then(|| encode(list, size, end));
    Ok((all.get(start..end).unwrap_or_default(), next))
}

fn encode(list: &str, size: usize, start: usize) -> Cursor {
    if start == size {
        return Cursor::new();
    }
    format!("{list}.{start:x}")
}

fn decode(list: &str, size: usize, cursor: &str) -> Option<usize> {
    if cursor.is_empty() {
        return Some(size);
    }
    let digits = cursor.strip_prefix(list)?.strip_prefix('.')?;
    let start = usize::from_str_radix(digits, 16).ok()?;
    // The one spelling that was handed out, not "+32" or "0032"; and the first page has no cursor.
    (start > 0 && encode(list, size, start) == cursor).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walking_the_cursors_yields_every_entry_once_in_order() {
        for (length, size) in [
            (0, 5),
            (1, 5),
            (5, 5),
            (6, 5),
            (250, 50),
            (251, 50),
            (7, 1),
            (3, usize::MAX),
        ] {
            let all: Vec<usize> = (0..length).collect();
            let mut seen = Vec::new();
            let mut cursor: Option<Cursor> = None;
            loop {
                let (entries, next) = page("list", &all, size, cursor.as_deref()).unwrap();
                assert!(entries.len() <= size);
                seen.extend_from_slice(entries);
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, all, "{length} by {size}");
        }
    }

    #[test]
    fn cursors_that_were_not_handed_out_are_invalid_parameters() {
        let all: Vec<u8> = (0..100).collect();
        for cursor in [
            "list", "list.", "list.0", "list.64", "list.zz", "list.+32", "list.032", "other.32",
            "list.32",
        ] {
            let error = page("list", &all, 50, Some(cursor)).unwrap_err();
            assert_eq!(
                error.code,
                rmcp::model::ErrorCode::INVALID_PARAMS,
                "{cursor}"
            );
        }
        assert!(page("list", &all, 20, Some("list.32")).is_ok());
        assert!(page("list", &all, 100, Some("")).is_err());
    }

    #[test]
    fn the_second_page_has_the_empty_cursor() {
        let all = [1, 2, 3, 4, 5];
        let (_, next) = page("list", &all, 2, None).unwrap();
        assert_eq!(next.as_deref(), Some(""));
        let (entries, next) = page("list", &all, 2, Some("")).unwrap();
        assert_eq!((entries, next.as_deref()), (&[3, 4][..], Some("list.4")));
    }
}
