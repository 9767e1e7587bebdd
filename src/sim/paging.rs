//! Graph's way of handing out a list in pages.

use serde_json::{Value, json};

/// Elements on a page that does not ask for another number.
const DEFAULT_PAGE: usize = 25;
/// The most elements on a page.
const LARGEST_PAGE: usize = 1_000;

/// What a request says about the page it wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageRequest {
    pub(crate) limit: Option<usize>,
    pub(crate) after: Option<String>,
}

/// One page of `items`; `url` is the list's own, for the link to the next page.
pub(crate) fn page(items: &[Value], request: &PageRequest, url: &str) -> Value {
    let size = request.limit.unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
    let start = request.after.as_deref().and_then(place).unwrap_or(0).min(items.len());
    let end = (start + size).min(items.len());
    let data = &items[start..end];
    if data.is_empty() {
        return json!({ "data": [] });
    }
    let mut paging = json!({ "cursors": { "before": cursor(start), "after": cursor(end) } });
    if end < items.len() {
        paging["next"] = json!(format!("{url}?limit={size}&after={}", cursor(end)));
    }
    json!({ "data": data, "paging": paging })
}

/// Opaque to clients, as Graph's are.
fn cursor(place: usize) -> String {
    format!("QVFI{place:X}ZD")
}

fn place(cursor: &str) -> Option<usize> {
    usize::from_str_radix(cursor.strip_prefix("QVFI")?.strip_suffix("ZD")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn following_the_cursors_gives_every_element_once() {
        let items: Vec<Value> = (0..57).map(Value::from).collect();
        let (mut seen, mut request) = (Vec::new(), PageRequest { limit: Some(10), after: None });
        loop {
            let page = page(&items, &request, "http://x/list");
            seen.extend(page["data"].as_array().unwrap().clone());
            if page["paging"].get("next").is_none() {
                break;
            }
            request.after = page["paging"]["cursors"]["after"].as_str().map(str::to_owned);
        }
        assert_eq!(seen, items);
    }

    #[test]
    fn an_empty_list_has_no_cursors() {
        assert_eq!(page(&[], &PageRequest::default(), ""), json!({ "data": [] }));
    }
}
